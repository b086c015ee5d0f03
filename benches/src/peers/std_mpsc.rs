//! The standard library's bounded channel.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::{BlockRecv, BlockSend, Channel, TimedRecv, TryRecv, TrySend};

/// `std::sync::mpsc::sync_channel`.
#[derive(Debug)]
pub struct StdSync;

impl<T: Send> Channel<T> for StdSync {
    type Tx = SyncSender<T>;
    type Rx = Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        sync_channel(capacity)
    }
}

impl<T> TrySend<T> for SyncSender<T> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        SyncSender::try_send(self, value).is_ok()
    }
}

impl<T> TryRecv<T> for Receiver<T> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        Receiver::try_recv(self).ok()
    }
}

impl<T> BlockSend<T> for SyncSender<T> {
    #[inline]
    fn send(&mut self, value: T) {
        assert!(SyncSender::send(self, value).is_ok(), "std: disconnected");
    }
}

impl<T> BlockRecv<T> for Receiver<T> {
    #[inline]
    fn recv(&mut self) -> T {
        Receiver::recv(self).expect("std: disconnected")
    }
}

impl<T> TimedRecv<T> for Receiver<T> {
    #[inline]
    fn recv_timeout(&mut self, timeout: Duration) -> Option<T> {
        match Receiver::recv_timeout(self, timeout) {
            Ok(value) => Some(value),
            Err(RecvTimeoutError::Timeout) => None,
            Err(e) => panic!("std: {e}"),
        }
    }
}
