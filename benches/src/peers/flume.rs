//! flume's bounded channel; the same ends serve blocking and async.

use std::time::Duration;

use flume::{Receiver, RecvTimeoutError, Sender};

use super::{AsyncRecv, AsyncSend, BlockRecv, BlockSend, Channel, TimedRecv, TryRecv, TrySend};

/// `flume::bounded`.
#[derive(Debug)]
pub struct Flume;

impl<T: Send> Channel<T> for Flume {
    type Tx = Sender<T>;
    type Rx = Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        flume::bounded(capacity)
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
        assert!(Sender::send(self, value).is_ok(), "flume: disconnected");
    }
}

impl<T> BlockRecv<T> for Receiver<T> {
    #[inline]
    fn recv(&mut self) -> T {
        Receiver::recv(self).expect("flume: disconnected")
    }
}

impl<T: Send> AsyncSend<T> for Sender<T> {
    #[inline]
    async fn send(&mut self, value: T) {
        assert!(self.send_async(value).await.is_ok(), "flume: disconnected");
    }
}

impl<T: Send> AsyncRecv<T> for Receiver<T> {
    #[inline]
    async fn recv(&mut self) -> T {
        self.recv_async().await.expect("flume: disconnected")
    }
}

impl<T> TimedRecv<T> for Receiver<T> {
    #[inline]
    fn recv_timeout(&mut self, timeout: Duration) -> Option<T> {
        match Receiver::recv_timeout(self, timeout) {
            Ok(value) => Some(value),
            Err(RecvTimeoutError::Timeout) => None,
            Err(e) => panic!("flume: {e}"),
        }
    }
}
