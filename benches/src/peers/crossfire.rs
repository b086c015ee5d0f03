//! crossfire's SPSC and MPSC flavours, each blocking on both ends or async on both ends.

use std::time::Duration;

use crossfire::flavor::Flavor;
use crossfire::{AsyncRx, AsyncTx, MAsyncTx, MTx, RecvTimeoutError, Rx, Tx, mpsc, spsc};

use super::{AsyncRecv, AsyncSend, BlockRecv, BlockSend, Channel, TimedRecv, TryRecv, TrySend};

/// `crossfire::spsc::bounded_blocking`.
#[derive(Debug)]
pub struct CrossfireBlocking;

impl<T: Send + Unpin + 'static> Channel<T> for CrossfireBlocking {
    type Tx = Tx<spsc::Array<T>>;
    type Rx = Rx<spsc::Array<T>>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        spsc::bounded_blocking(capacity)
    }
}

/// `crossfire::mpsc::bounded_blocking`.
#[derive(Debug)]
pub struct CrossfireMpsc;

impl<T: Send + Unpin + 'static> Channel<T> for CrossfireMpsc {
    type Tx = MTx<mpsc::Array<T>>;
    type Rx = Rx<mpsc::Array<T>>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        mpsc::bounded_blocking(capacity)
    }
}

impl<F: Flavor> TrySend<F::Item> for Tx<F> {
    #[inline]
    fn try_send(&mut self, value: F::Item) -> bool {
        Tx::try_send(self, value).is_ok()
    }
}

impl<F: Flavor> TrySend<F::Item> for MTx<F> {
    #[inline]
    fn try_send(&mut self, value: F::Item) -> bool {
        Tx::try_send(self, value).is_ok()
    }
}

impl<F: Flavor> TryRecv<F::Item> for Rx<F> {
    #[inline]
    fn try_recv(&mut self) -> Option<F::Item> {
        Rx::try_recv(self).ok()
    }
}

impl<F: Flavor> BlockSend<F::Item> for Tx<F> {
    #[inline]
    fn send(&mut self, value: F::Item) {
        assert!(Tx::send(self, value).is_ok(), "crossfire: disconnected");
    }
}

impl<F: Flavor> BlockSend<F::Item> for MTx<F> {
    #[inline]
    fn send(&mut self, value: F::Item) {
        assert!(Tx::send(self, value).is_ok(), "crossfire: disconnected");
    }
}

impl<F: Flavor> BlockRecv<F::Item> for Rx<F> {
    #[inline]
    fn recv(&mut self) -> F::Item {
        Rx::recv(self).expect("crossfire: disconnected")
    }
}

impl<F: Flavor> TimedRecv<F::Item> for Rx<F> {
    #[inline]
    fn recv_timeout(&mut self, timeout: Duration) -> Option<F::Item> {
        match Rx::recv_timeout(self, timeout) {
            Ok(value) => Some(value),
            Err(RecvTimeoutError::Timeout) => None,
            Err(e) => panic!("crossfire: {e}"),
        }
    }
}

/// `crossfire::spsc::bounded_async`.
#[derive(Debug)]
pub struct CrossfireAsync;

impl<T: Send + Unpin + 'static> Channel<T> for CrossfireAsync {
    type Tx = AsyncTx<spsc::Array<T>>;
    type Rx = AsyncRx<spsc::Array<T>>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        spsc::bounded_async(capacity)
    }
}

/// `crossfire::mpsc::bounded_async`.
#[derive(Debug)]
pub struct CrossfireMpscAsync;

impl<T: Send + Unpin + 'static> Channel<T> for CrossfireMpscAsync {
    type Tx = MAsyncTx<mpsc::Array<T>>;
    type Rx = AsyncRx<mpsc::Array<T>>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        mpsc::bounded_async(capacity)
    }
}

// The futures are the peer's own, not wrapped in an `async fn`: the SPSC ends are not `Sync`, so a wrapper that borrows
// one across the wait would not be `Send`.
impl<F: Flavor<Item: Send + Unpin>> AsyncSend<F::Item> for AsyncTx<F> {
    #[inline]
    fn send(&mut self, value: F::Item) -> impl Future<Output = ()> + Send {
        let sending = AsyncTx::send(self, value);
        async move { assert!(sending.await.is_ok(), "crossfire: disconnected") }
    }
}

impl<F: Flavor<Item: Send + Unpin>> AsyncSend<F::Item> for MAsyncTx<F> {
    #[inline]
    fn send(&mut self, value: F::Item) -> impl Future<Output = ()> + Send {
        let sending = AsyncTx::send(self, value);
        async move { assert!(sending.await.is_ok(), "crossfire: disconnected") }
    }
}

impl<F: Flavor<Item: Send + Unpin>> AsyncRecv<F::Item> for AsyncRx<F> {
    #[inline]
    fn recv(&mut self) -> impl Future<Output = F::Item> + Send {
        let receiving = AsyncRx::recv(self);
        async move { receiving.await.expect("crossfire: disconnected") }
    }
}
