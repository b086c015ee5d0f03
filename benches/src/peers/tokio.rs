//! tokio's bounded MPSC channel; `blocking_send`/`blocking_recv` for threads.

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{AsyncRecv, AsyncSend, BlockRecv, BlockSend, Channel, TryRecv, TrySend};

/// `tokio::sync::mpsc::channel`.
#[derive(Debug)]
pub struct Tokio;

impl<T: Send> Channel<T> for Tokio {
    type Tx = Sender<T>;
    type Rx = Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        channel(capacity)
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
        assert!(self.blocking_send(value).is_ok(), "tokio: disconnected");
    }
}

impl<T> BlockRecv<T> for Receiver<T> {
    #[inline]
    fn recv(&mut self) -> T {
        self.blocking_recv().expect("tokio: disconnected")
    }
}

impl<T: Send> AsyncSend<T> for Sender<T> {
    #[inline]
    async fn send(&mut self, value: T) {
        assert!(Sender::send(self, value).await.is_ok(), "tokio: disconnected");
    }
}

impl<T: Send> AsyncRecv<T> for Receiver<T> {
    #[inline]
    async fn recv(&mut self) -> T {
        Receiver::recv(self).await.expect("tokio: disconnected")
    }
}
