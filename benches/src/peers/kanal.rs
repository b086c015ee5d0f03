//! kanal, sync or async on both ends.

use std::time::Duration;

use kanal::{AsyncReceiver, AsyncSender, ReceiveErrorTimeout, Receiver, Sender};

use super::{AsyncRecv, AsyncSend, BlockRecv, BlockSend, Channel, TimedRecv, TryRecv, TrySend};

/// `kanal::bounded`.
#[derive(Debug)]
pub struct KanalSync;

impl<T: Send> Channel<T> for KanalSync {
    type Tx = Sender<T>;
    type Rx = Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        kanal::bounded(capacity)
    }
}

impl<T> TrySend<T> for Sender<T> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        Sender::try_send(self, value).expect("kanal: disconnected")
    }
}

impl<T> TryRecv<T> for Receiver<T> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        Receiver::try_recv(self).expect("kanal: disconnected")
    }
}

impl<T> BlockSend<T> for Sender<T> {
    #[inline]
    fn send(&mut self, value: T) {
        Sender::send(self, value).expect("kanal: disconnected");
    }
}

impl<T> BlockRecv<T> for Receiver<T> {
    #[inline]
    fn recv(&mut self) -> T {
        Receiver::recv(self).expect("kanal: disconnected")
    }
}

impl<T> TimedRecv<T> for Receiver<T> {
    #[inline]
    fn recv_timeout(&mut self, timeout: Duration) -> Option<T> {
        match Receiver::recv_timeout(self, timeout) {
            Ok(value) => Some(value),
            Err(ReceiveErrorTimeout::Timeout) => None,
            Err(e) => panic!("kanal: {e}"),
        }
    }
}

/// `kanal::bounded_async`.
#[derive(Debug)]
pub struct KanalAsync;

impl<T: Send> Channel<T> for KanalAsync {
    type Tx = AsyncSender<T>;
    type Rx = AsyncReceiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        kanal::bounded_async(capacity)
    }
}

impl<T: Send> AsyncSend<T> for AsyncSender<T> {
    #[inline]
    async fn send(&mut self, value: T) {
        AsyncSender::send(self, value).await.expect("kanal: disconnected");
    }
}

impl<T: Send> AsyncRecv<T> for AsyncReceiver<T> {
    #[inline]
    async fn recv(&mut self) -> T {
        AsyncReceiver::recv(self).await.expect("kanal: disconnected")
    }
}
