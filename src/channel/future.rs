//! The futures of the verbs that wait.

use super::{Flavor, Receiver, Sender};
use crate::error::{RecvError, SendError};
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

/// A send in progress. From [`Sender::send_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct SendFuture<'a, T, S: Flavor> {
    pub(crate) tx: &'a mut Sender<T, S>,
    pub(super) value: Option<T>,
    /// Whether this future announced itself: then it takes that back when it is dropped.
    pub(super) waits: bool,
}

impl<T, S: Flavor> SendFuture<'_, T, S> {
    /// Gives the send up. Returns the value, unless it was sent or the future has returned it.
    ///
    /// Dropping the future gives the send up too, and drops the value. To keep the value where a send may be cancelled, lend the future:
    ///
    /// ```
    /// # use core::{future::Future, pin::Pin, task::{Context, Waker}};
    /// let (mut tx, _rx) = ringmail::spsc::channel(1)?;
    /// tx.send("first")?;
    /// let mut send = tx.send_async("second");
    /// // Here for `select!` over `&mut send` and a timeout.
    /// assert!(Pin::new(&mut send).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    /// assert_eq!(send.into_inner(), Some("second"));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn into_inner(mut self) -> Option<T> {
        self.value.take()
    }
}

// The value is moved out by value, never pinned.
impl<T, S: Flavor> Unpin for SendFuture<'_, T, S> {}

impl<T, S: Flavor> Future for SendFuture<'_, T, S> {
    type Output = Result<(), SendError<T>>;

    /// # Panics
    /// If polled again after it was ready, like every future made by `async`.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if !this.waits {
            if this.tx.waiter.out_of_budget() {
                return this.tx.waiter.yield_to_executor(cx);
            }
            let value = this.value.take().expect("a send was polled after it was ready");
            match this.tx.push_in_turn(value) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(value) => this.value = Some(value),
            }
        }
        let poll = this.tx.poll_send(cx, &mut this.value);
        this.waits = poll.is_pending();
        ready!(poll);
        Poll::Ready(this.value.take().map_or(Ok(()), |value| Err(SendError(value))))
    }
}

impl<T, S: Flavor> Drop for SendFuture<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        if self.waits {
            self.tx.waiter.cancel_wait();
        }
    }
}

/// A wait for the end of a channel. From [`Sender::closed`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct ClosedFuture<'a, T, S: Flavor> {
    pub(super) tx: &'a mut Sender<T, S>,
    /// Whether this future may have announced itself: then it takes that back when it is dropped.
    pub(super) waits: bool,
    pub(super) done: bool,
}

impl<T, S: Flavor> Future for ClosedFuture<'_, T, S> {
    type Output = ();

    /// Ready again if polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let poll = self.tx.poll_closed(cx);
        (self.waits, self.done) = (self.waits || poll.is_pending(), poll.is_ready());
        poll
    }
}

#[cfg(feature = "futures")]
impl<T, S: Flavor> futures_core::FusedFuture for ClosedFuture<'_, T, S> {
    fn is_terminated(&self) -> bool {
        self.done
    }
}

impl<T, S: Flavor> Drop for ClosedFuture<'_, T, S> {
    fn drop(&mut self) {
        if self.waits {
            self.tx.waiter.cancel_closed();
        }
    }
}

/// A receive in progress. From [`Receiver::recv_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct RecvFuture<'a, T, S: Flavor> {
    /// None once it has given its answer: another poll would take another message.
    pub(super) rx: Option<&'a mut Receiver<T, S>>,
    /// Whether this future may have announced itself: then it takes that back when it is dropped.
    pub(super) waits: bool,
}

impl<T, S: Flavor> Future for RecvFuture<'_, T, S> {
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

/// A receive of several messages in progress. From [`Receiver::recv_many_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct RecvManyFuture<'a, T, S: Flavor> {
    /// None once it has given its answer: another poll would take other messages.
    pub(super) rx: Option<&'a mut Receiver<T, S>>,
    pub(super) buffer: &'a mut Vec<T>,
    pub(super) limit: usize,
    /// Whether this future may have announced itself: then it takes that back when it is dropped.
    pub(super) waits: bool,
}

impl<T, S: Flavor> Future for RecvManyFuture<'_, T, S> {
    type Output = Result<usize, RecvError>;

    /// # Panics
    /// If polled again after it was ready, like every future made by `async`.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let rx = this.rx.as_mut().expect("a receive was polled after it was ready");
        let poll = rx.poll_recv_many(cx, this.buffer, this.limit);
        if poll.is_pending() {
            this.waits = true;
        } else {
            this.rx = None;
        }
        poll
    }
}

#[cfg(feature = "futures")]
impl<T, S: Flavor> futures_core::FusedFuture for SendFuture<'_, T, S> {
    fn is_terminated(&self) -> bool {
        self.value.is_none()
    }
}

#[cfg(feature = "futures")]
impl<T, S: Flavor> futures_core::FusedFuture for RecvFuture<'_, T, S> {
    fn is_terminated(&self) -> bool {
        self.rx.is_none()
    }
}

#[cfg(feature = "futures")]
impl<T, S: Flavor> futures_core::FusedFuture for RecvManyFuture<'_, T, S> {
    fn is_terminated(&self) -> bool {
        self.rx.is_none()
    }
}

impl<T, S: Flavor> Drop for RecvFuture<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        if let Some(rx) = self.rx.as_mut().filter(|_| self.waits) {
            rx.waiter.cancel_wait();
        }
    }
}

impl<T, S: Flavor> Drop for RecvManyFuture<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        if let Some(rx) = self.rx.as_mut().filter(|_| self.waits) {
            rx.waiter.cancel_wait();
        }
    }
}
