//! The future of a receive, and the stream of receives.

use super::Receiver;
use crate::error::RecvError;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// A receive in progress. From [`Receiver::recv_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct RecvFuture<'a, T> {
    /// None once it has given its answer: another poll would take another message.
    rx: Option<&'a mut Receiver<T>>,
    /// Whether this future may have announced itself: then it takes that back when it is dropped.
    waits: bool,
}

impl<'a, T> RecvFuture<'a, T> {
    #[inline]
    pub(super) fn new(rx: &'a mut Receiver<T>) -> Self {
        Self { rx: Some(rx), waits: false }
    }
}

impl<T: Clone> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    /// # Panics
    /// If polled again after it was ready, like every future made by `async`.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let rx = self.rx.as_mut().expect("a receive was polled after it was ready");
        let poll = rx.poll_recv(cx);
        if poll.is_pending() {
            self.waits = true;
        } else {
            self.rx = None;
        }
        poll
    }
}

impl<T> Drop for RecvFuture<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(rx) = self.rx.as_mut().filter(|_| self.waits) {
            rx.waiter.cancel_wait();
        }
    }
}

#[cfg(feature = "futures")]
impl<T: Clone> futures_core::FusedFuture for RecvFuture<'_, T> {
    fn is_terminated(&self) -> bool {
        self.rx.is_none()
    }
}

#[cfg(feature = "futures")]
impl<T: Clone> futures_core::Stream for Receiver<T> {
    type Item = T;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_recv(cx).map(Result::ok)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), None)
    }
}

#[cfg(feature = "futures")]
impl<T: Clone> futures_core::stream::FusedStream for Receiver<T> {
    fn is_terminated(&self) -> bool {
        self.end.is_over()
    }
}
