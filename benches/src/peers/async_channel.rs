//! async-channel's bounded channel; `send_blocking`/`recv_blocking` for threads.

use async_channel::{Receiver, Sender};

use super::{AsyncRecv, AsyncSend, BlockRecv, BlockSend, Channel, TryRecv, TrySend};

/// `async_channel::bounded`.
#[derive(Debug)]
pub struct AsyncChannel;

impl<T: Send> Channel<T> for AsyncChannel {
    type Tx = Sender<T>;
    type Rx = Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        async_channel::bounded(capacity)
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
        assert!(self.send_blocking(value).is_ok(), "async-channel: disconnected");
    }
}

impl<T> BlockRecv<T> for Receiver<T> {
    #[inline]
    fn recv(&mut self) -> T {
        self.recv_blocking().expect("async-channel: disconnected")
    }
}

impl<T: Send> AsyncSend<T> for Sender<T> {
    #[inline]
    async fn send(&mut self, value: T) {
        assert!(Sender::send(self, value).await.is_ok(), "async-channel: disconnected");
    }
}

impl<T: Send> AsyncRecv<T> for Receiver<T> {
    #[inline]
    async fn recv(&mut self) -> T {
        Receiver::recv(self).await.expect("async-channel: disconnected")
    }
}
