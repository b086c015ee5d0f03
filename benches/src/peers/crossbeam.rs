//! crossbeam-channel's bounded channel, and crossbeam-queue's `ArrayQueue` (which has `try` verbs only).

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::{BlockRecv, BlockSend, Channel, TimedRecv, TryRecv, TrySend};

/// `crossbeam_channel::bounded`.
#[derive(Debug)]
pub struct Crossbeam;

impl<T: Send> Channel<T> for Crossbeam {
    type Tx = Sender<T>;
    type Rx = Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        bounded(capacity)
    }
}

impl<T> TrySend<T> for Sender<T> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        Sender::try_send(self, value).is_ok()
    }
}

impl<T> TryRecv<T> for Receiver<T> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        Receiver::try_recv(self).ok()
    }
}

impl<T> BlockSend<T> for Sender<T> {
    #[inline]
    fn send(&mut self, value: T) {
        assert!(Sender::send(self, value).is_ok(), "crossbeam: disconnected");
    }
}

impl<T> BlockRecv<T> for Receiver<T> {
    #[inline]
    fn recv(&mut self) -> T {
        Receiver::recv(self).expect("crossbeam: disconnected")
    }
}

impl<T> TimedRecv<T> for Receiver<T> {
    #[inline]
    fn recv_timeout(&mut self, timeout: Duration) -> Option<T> {
        match Receiver::recv_timeout(self, timeout) {
            Ok(value) => Some(value),
            Err(RecvTimeoutError::Timeout) => None,
            Err(e) => panic!("crossbeam: {e}"),
        }
    }
}

/// `crossbeam_queue::ArrayQueue`.
#[derive(Debug)]
pub struct ArrayQueue;

type Shared<T> = Arc<crossbeam_queue::ArrayQueue<T>>;

impl<T: Send> Channel<T> for ArrayQueue {
    type Tx = Shared<T>;
    type Rx = Shared<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let queue = Arc::new(crossbeam_queue::ArrayQueue::new(capacity));
        (Arc::clone(&queue), queue)
    }
}

impl<T> TrySend<T> for Shared<T> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        self.push(value).is_ok()
    }
}

impl<T> TryRecv<T> for Shared<T> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        self.pop()
    }
}
