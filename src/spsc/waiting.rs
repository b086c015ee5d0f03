//! The verbs that wait: blocking, timed and asynchronous ones are one state machine, ended three ways.

use super::{Receiver, Sender, WaitStrategy, freed};
use crate::error::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
use crate::wait::{Deadline, TimedOut};
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::time::Instant;

impl<T> Sender<T> {
    /// Sends `value`, waiting for room if need be.
    ///
    /// # Errors
    /// The channel is closed; the value comes back.
    #[inline]
    pub fn send(&mut self, value: T) -> Result<(), SendError<T>> {
        match self.ring.push(value) {
            Ok(()) => {
                self.ring_receiver();
                Ok(())
            }
            Err(value) => self.send_later(value, Deadline::NEVER).map_err(|e| SendError(e.into_inner())),
        }
    }

    /// Sends `value`, waiting for room for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// No room in time, or the channel is closed; the value comes back.
    pub fn send_timeout(&mut self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_until(value, || Deadline::after(Some(timeout)))
    }

    /// Sends `value`, waiting for room until `deadline`.
    ///
    /// # Errors
    /// No room in time, or the channel is closed; the value comes back.
    pub fn send_deadline(&mut self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_until(value, || Deadline::at(deadline))
    }

    /// Copies all of `values`, waiting for room as often as need be. Each run that fits is published together.
    ///
    /// # Errors
    /// The channel is closed; carries how many were sent.
    pub fn send_slice(&mut self, values: &[T]) -> Result<(), SendError<usize>>
    where
        T: Copy,
    {
        let mut sent = 0;
        while sent < values.len() {
            match self.try_send_slice(&values[sent..]) {
                Ok(n) => sent += n,
                Err(TrySendError::Full(())) => self.wait_for_room(Deadline::NEVER).unwrap_or_default(),
                Err(TrySendError::Disconnected(())) => return Err(SendError(sent)),
            }
        }
        Ok(())
    }

    /// Sends everything that `values` yields, waiting for room as often as need be. Returns how many.
    ///
    /// Each run that fits is published together, when the room or the iterator ends: an iterator that itself waits for the receiver
    /// to answer these very messages waits for ever; loop over [`Sender::send`] instead. If the iterator panics, what it
    /// yielded before is sent.
    ///
    /// # Errors
    /// The channel is closed; carries the item that was next. The iterator, if lent by `&mut`, still has the rest.
    pub fn send_iter(&mut self, values: impl IntoIterator<Item = T>) -> Result<usize, SendError<T>> {
        let mut values = values.into_iter().fuse();
        let mut sent = 0;
        loop {
            sent += self.try_send_iter(&mut values).unwrap_or(0);
            // The ring is full or closed, or there is no next item.
            let Some(value) = values.next() else { return Ok(sent) };
            self.send(value)?;
            sent += 1;
        }
    }

    /// Sends `value`, waiting for room if need be.
    ///
    /// Cancel-safe: a future dropped before it is ready has sent nothing and drops the value. To keep the value use
    /// [`Sender::poll_ready`] and [`Sender::start_send`]. Needs no particular runtime.
    ///
    /// # Errors
    /// The channel is closed; the value comes back.
    #[inline]
    pub fn send_async(&mut self, value: T) -> SendFuture<'_, T> {
        SendFuture { tx: self, value: Some(value), waits: false }
    }

    /// Ready when the next [`Sender::start_send`] will find room: it cannot go away, as nobody else sends.
    ///
    /// A pending answer arranges for one wake of the context's task; another verb that waits on this handle meanwhile takes that
    /// over. Wait-free, except that waiters take turns on a bell that the builder was given.
    ///
    /// # Errors
    /// The channel is closed.
    #[inline]
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        if self.ring.room(1) == 0 { self.poll_room(cx) } else { Poll::Ready(Ok(())) }
    }

    /// Sends `value` after [`Sender::poll_ready`] said so. The same as [`Sender::try_send`].
    ///
    /// # Errors
    /// `Full` if nobody asked first, `Disconnected` if the channel is closed; the value comes back.
    #[inline]
    pub fn start_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        self.try_send(value)
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.side.set_strategy(strategy);
    }

    #[inline]
    fn send_until(&mut self, value: T, deadline: impl FnOnce() -> Deadline) -> Result<(), SendTimeoutError<T>> {
        match self.ring.push(value) {
            Ok(()) => {
                self.ring_receiver();
                Ok(())
            }
            Err(value) => self.send_later(value, deadline()),
        }
    }

    /// There was no room: waits for some.
    #[cold]
    #[inline(never)]
    fn send_later(&mut self, value: T, deadline: Deadline) -> Result<(), SendTimeoutError<T>> {
        if self.refusal().is_full() && self.wait_for_room(deadline).is_err() {
            return Err(SendTimeoutError::Timeout(value));
        }
        // Room that was seen stays: nobody else sends. So a refusal now means closed.
        self.try_send(value).map_err(|e| SendTimeoutError::Disconnected(e.into_inner()))
    }

    /// There was no room: waits for some.
    #[cold]
    #[inline(never)]
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        let (passed, ring) = (self.ring.sent(), &mut self.ring);
        let poll = self.side.poll(cx, passed, || ring.room(1) != 0 || ring.is_closed());
        self.count_parks();
        ready!(poll);
        if self.ring.is_closed() {
            self.ring.inherit_if_gone();
            return Poll::Ready(Err(SendError(())));
        }
        Poll::Ready(Ok(()))
    }

    fn wait_for_room(&mut self, deadline: Deadline) -> Result<(), TimedOut> {
        let (passed, ring) = (self.ring.sent(), &mut self.ring);
        let waited = self.side.block(deadline, passed, || ring.room(1) != 0 || ring.is_closed());
        self.count_parks();
        waited
    }

    fn count_parks(&mut self) {
        let sleeps = self.side.take_sleeps();
        if sleeps != 0 {
            self.ring.count_parks(sleeps);
        }
    }
}

impl<T> Receiver<T> {
    /// Takes the next message, waiting for one if need be.
    ///
    /// # Errors
    /// The channel is closed and drained.
    #[inline]
    pub fn recv(&mut self) -> Result<T, RecvError> {
        let Some(next) = self.ring.next() else { return self.recv_later(Deadline::NEVER).map_err(|_| RecvError) };
        next.take(|ring| freed(ring, &self.sender))
    }

    /// Takes the next message, waiting for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// No message in time, or the channel is closed and drained.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(|| Deadline::after(Some(timeout)))
    }

    /// Takes the next message, waiting until `deadline`.
    ///
    /// # Errors
    /// No message in time, or the channel is closed and drained.
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(|| Deadline::at(deadline))
    }

    /// Waits for a message, then moves up to `limit` of those there to the end of `buffer`. Returns how many: at least one
    /// unless `limit` is 0.
    ///
    /// # Errors
    /// The channel is closed and drained.
    pub fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> Result<usize, RecvError> {
        loop {
            match self.try_recv_many(buffer, limit) {
                Ok(n) => return Ok(n),
                Err(TryRecvError::Disconnected) => return Err(RecvError),
                Err(TryRecvError::Empty) => self.wait_for_message(Deadline::NEVER).unwrap_or_default(),
            }
        }
    }

    /// Takes the next message, waiting for one if need be.
    ///
    /// Cancel-safe: a future dropped before it is ready has taken nothing. Needs no particular runtime.
    ///
    /// # Errors
    /// The channel is closed and drained.
    ///
    /// ```
    /// # use core::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// let (mut tx, mut rx) = ringmail::spsc::channel(1)?;
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert!(pin!(rx.recv_async()).poll(&mut cx).is_pending());
    /// tx.send(5)?;
    /// assert_eq!(pin!(rx.recv_async()).poll(&mut cx), Poll::Ready(Ok(5)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn recv_async(&mut self) -> RecvFuture<'_, T> {
        RecvFuture { rx: self, waits: false }
    }

    /// Takes the next message, or arranges for one wake of the context's task when there is one.
    ///
    /// # Errors
    /// The channel is closed and drained.
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        let Some(next) = self.ring.next() else { return self.poll_later(cx) };
        Poll::Ready(next.take(|ring| freed(ring, &self.sender)))
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.side.set_strategy(strategy);
    }

    #[inline]
    fn recv_until(&mut self, deadline: impl FnOnce() -> Deadline) -> Result<T, RecvTimeoutError> {
        let Some(next) = self.ring.next() else { return self.recv_later(deadline()) };
        next.take(|ring| freed(ring, &self.sender))
    }

    /// There was no message: waits for one.
    #[cold]
    #[inline(never)]
    fn recv_later(&mut self, deadline: Deadline) -> Result<T, RecvTimeoutError> {
        let waited = if self.closed { Ok(()) } else { self.wait_for_message(deadline) };
        match self.try_recv() {
            Ok(value) => Ok(value),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            // After a wait that succeeded there is a message or a close, and neither goes away.
            Err(TryRecvError::Empty) => {
                debug_assert!(waited.is_err());
                Err(RecvTimeoutError::Timeout)
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn poll_later(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        self.free_leaked();
        if self.closed {
            // It waits for nobody any more.
            self.side.stand_down();
        } else {
            let (passed, ring) = (self.ring.received(), &mut self.ring);
            let poll = self.side.poll(cx, passed, || ring.has_message() || ring.is_over());
            self.count_parks();
            ready!(poll);
        }
        Poll::Ready(self.try_recv().map_err(|_| RecvError))
    }

    fn wait_for_message(&mut self, deadline: Deadline) -> Result<(), TimedOut> {
        self.free_leaked();
        let (passed, ring) = (self.ring.received(), &mut self.ring);
        let waited = self.side.block(deadline, passed, || ring.has_message() || ring.is_over());
        self.count_parks();
        waited
    }

    fn count_parks(&mut self) {
        let sleeps = self.side.take_sleeps();
        if sleeps != 0 {
            self.ring.count_parks(sleeps);
        }
    }
}

/// A send in progress. From [`Sender::send_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct SendFuture<'a, T> {
    tx: &'a mut Sender<T>,
    value: Option<T>,
    /// Whether this future announced itself: then it takes that back when it is dropped.
    waits: bool,
}

// The value is moved out by value, never pinned.
impl<T> Unpin for SendFuture<'_, T> {}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    /// # Panics
    /// If polled again after it was ready, like every future made by `async` (or it is pending, if the channel is full).
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let poll = this.tx.poll_ready(cx);
        this.waits = poll.is_pending();
        let closed = ready!(poll).is_err();
        let value = this.value.take().expect("a send was polled after it was ready");
        if closed {
            return Poll::Ready(Err(SendError(value)));
        }
        Poll::Ready(this.tx.try_send(value).map_err(|e| SendError(e.into_inner())))
    }
}

impl<T> Drop for SendFuture<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.waits {
            self.tx.side.stand_down();
        }
    }
}

/// A receive in progress. From [`Receiver::recv_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct RecvFuture<'a, T> {
    rx: &'a mut Receiver<T>,
    /// Whether this future announced itself: then it takes that back when it is dropped.
    waits: bool,
}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let poll = self.rx.poll_recv(cx);
        self.waits = poll.is_pending();
        poll
    }
}

impl<T> Drop for RecvFuture<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.waits {
            self.rx.side.stand_down();
        }
    }
}
