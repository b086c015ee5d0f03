//! crossfire's SPSC flavour, blocking on both ends or async on both ends.

use crossfire::{AsyncRx, AsyncTx, Rx, Tx, spsc};

use super::{AsyncRecv, AsyncSend, BlockRecv, BlockSend, Channel, TryRecv, TrySend};

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

impl<T: Send + Unpin + 'static> TrySend<T> for Tx<spsc::Array<T>> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        Tx::try_send(self, value).is_ok()
    }
}

impl<T: Send + Unpin + 'static> TryRecv<T> for Rx<spsc::Array<T>> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        Rx::try_recv(self).ok()
    }
}

impl<T: Send + Unpin + 'static> BlockSend<T> for Tx<spsc::Array<T>> {
    #[inline]
    fn send(&mut self, value: T) {
        assert!(Tx::send(self, value).is_ok(), "crossfire: disconnected");
    }
}

impl<T: Send + Unpin + 'static> BlockRecv<T> for Rx<spsc::Array<T>> {
    #[inline]
    fn recv(&mut self) -> T {
        Rx::recv(self).expect("crossfire: disconnected")
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

// The futures are the peer's own, not wrapped in an `async fn`: its ends are not `Sync`, so a wrapper that borrows one
// across the wait would not be `Send`.
impl<T: Send + Unpin + 'static> AsyncSend<T> for AsyncTx<spsc::Array<T>> {
    #[inline]
    fn send(&mut self, value: T) -> impl Future<Output = ()> + Send {
        let sending = AsyncTx::send(self, value);
        async move { assert!(sending.await.is_ok(), "crossfire: disconnected") }
    }
}

impl<T: Send + Unpin + 'static> AsyncRecv<T> for AsyncRx<spsc::Array<T>> {
    #[inline]
    fn recv(&mut self) -> impl Future<Output = T> + Send {
        let receiving = AsyncRx::recv(self);
        async move { receiving.await.expect("crossfire: disconnected") }
    }
}
