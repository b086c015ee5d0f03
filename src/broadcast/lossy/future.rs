//! The future of the verbs that wait, and the stream.

use super::Message;
use super::Receiver;
#[cfg(feature = "futures")]
use super::Seen;
use crate::error::{RecvError, TryRecvError};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// A receive in progress. From [`Receiver::recv_async`] and [`Receiver::changed_async`].
#[must_use = "futures do nothing unless polled"]
pub struct RecvFuture<'a, T, R> {
    /// None once it has given its answer: another poll would take another message.
    rx: Option<&'a mut Receiver<T>>,
    take: fn(&mut Receiver<T>) -> Result<R, TryRecvError>,
    /// Whether this future may have announced itself: then it takes that back when it is dropped.
    waits: bool,
}

impl<'a, T, R> RecvFuture<'a, T, R> {
    pub(super) fn new(rx: &'a mut Receiver<T>, take: fn(&mut Receiver<T>) -> Result<R, TryRecvError>) -> Self {
        Self { rx: Some(rx), take, waits: false }
    }
}

impl<T: Message, R> Future for RecvFuture<'_, T, R> {
    type Output = Result<R, RecvError>;

    /// # Panics
    /// If polled again after it was ready, like every future made by `async`.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let take = self.take;
        let rx = self.rx.as_mut().expect("a receive was polled after it was ready");
        let poll = rx.poll_take(cx, take);
        if poll.is_pending() {
            self.waits = true;
        } else {
            self.rx = None;
        }
        poll
    }
}

impl<T, R> Drop for RecvFuture<'_, T, R> {
    #[inline]
    fn drop(&mut self) {
        if let Some(rx) = self.rx.as_mut().filter(|_| self.waits) {
            rx.waiter.cancel_wait();
        }
    }
}

impl<T, R> fmt::Debug for RecvFuture<'_, T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvFuture").field("rx", &self.rx).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<T: Message, R> futures_core::FusedFuture for RecvFuture<'_, T, R> {
    fn is_terminated(&self) -> bool {
        self.rx.is_none()
    }
}

#[cfg(feature = "futures")]
impl<T: Message> futures_core::stream::FusedStream for Receiver<T> {
    fn is_terminated(&self) -> bool {
        // In this order: what was sent before the end is there for the look.
        self.is_closed() && self.is_empty()
    }
}

/// Ends when the sender is gone and its last message was seen. A loss is an item, not the end.
#[cfg(feature = "futures")]
impl<T: Message> futures_core::Stream for Receiver<T> {
    type Item = Seen<T>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Seen<T>>> {
        self.poll_recv(cx).map(Result::ok)
    }
}
