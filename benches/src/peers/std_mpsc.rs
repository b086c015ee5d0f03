//! The standard library's bounded channel.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::{BlockRecv, BlockSend, Channel, TryRecv, TrySend};

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
