//! thingbuf's MPSC channels: the blocking one for threads, the async one for tasks.

use thingbuf::mpsc::{self, blocking};

use super::{AsyncRecv, AsyncSend, BlockRecv, BlockSend, Channel, Msg, TryRecv, TrySend};

/// `thingbuf::mpsc::blocking`.
#[derive(Debug)]
pub struct ThingbufBlocking;

impl<T: Msg + Sync> Channel<T> for ThingbufBlocking {
    type Tx = blocking::Sender<T>;
    type Rx = blocking::Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        blocking::channel(capacity)
    }
}

impl<T: Msg> TrySend<T> for blocking::Sender<T> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        blocking::Sender::try_send(self, value).is_ok()
    }
}

impl<T: Msg> TryRecv<T> for blocking::Receiver<T> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        blocking::Receiver::try_recv(self).ok()
    }
}

impl<T: Msg> BlockSend<T> for blocking::Sender<T> {
    #[inline]
    fn send(&mut self, value: T) {
        assert!(blocking::Sender::send(self, value).is_ok(), "thingbuf: disconnected");
    }
}

impl<T: Msg> BlockRecv<T> for blocking::Receiver<T> {
    #[inline]
    fn recv(&mut self) -> T {
        blocking::Receiver::recv(self).expect("thingbuf: disconnected")
    }
}

/// `thingbuf::mpsc`.
#[derive(Debug)]
pub struct ThingbufAsync;

impl<T: Msg + Sync> Channel<T> for ThingbufAsync {
    type Tx = mpsc::Sender<T>;
    type Rx = mpsc::Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        mpsc::channel(capacity)
    }
}

impl<T: Msg + Sync> AsyncSend<T> for mpsc::Sender<T> {
    #[inline]
    async fn send(&mut self, value: T) {
        assert!(mpsc::Sender::send(self, value).await.is_ok(), "thingbuf: disconnected");
    }
}

impl<T: Msg + Sync> AsyncRecv<T> for mpsc::Receiver<T> {
    #[inline]
    async fn recv(&mut self) -> T {
        mpsc::Receiver::recv(self).await.expect("thingbuf: disconnected")
    }
}
