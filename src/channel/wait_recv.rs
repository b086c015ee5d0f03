//! The receiving verbs that wait: blocking, timed and asynchronous ones are one state machine, ended three ways.

use super::{Flavor, Receiver, RecvFuture, RecvManyFuture, RingReceiver};
use crate::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::wait::{CheckPhase, Deadline, TimedOut, WaitStrategy};
use alloc::vec::Vec;
use core::mem::MaybeUninit;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::time::Instant;

impl<T, S: Flavor> Receiver<T, S> {
    /// Takes the next message, waiting for one if need be.
    ///
    /// # Errors
    /// The channel is closed and drained.
    #[inline]
    pub fn recv(&mut self) -> Result<T, RecvError> {
        let Some(next) = self.end.next_or_wait() else {
            return self.recv_later(Deadline::NEVER).map_err(|_| RecvError);
        };
        next.take_as(Ok)
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

    /// Lends the next message to `look` where it lies, waiting for one if need be. As [`Receiver::try_recv_with`].
    ///
    /// # Errors
    /// The channel is closed and drained; `look` was not called.
    #[inline]
    pub fn recv_with<R>(&mut self, look: impl FnOnce(&T) -> R) -> Result<R, RecvError> {
        self.wait_until_next()?;
        self.try_recv_with(look).map_err(|_| RecvError)
    }

    /// Moves the next message to `target`, waiting for one if need be, and returns it there. As [`Receiver::try_recv_into`].
    ///
    /// # Errors
    /// The channel is closed and drained; `target` is as it was.
    #[inline]
    pub fn recv_into<'t>(&mut self, target: &'t mut MaybeUninit<T>) -> Result<&'t mut T, RecvError> {
        self.wait_until_next()?;
        self.try_recv_into(target).map_err(|_| RecvError)
    }

    /// Waits until a message is there, which the next look finds.
    #[inline]
    pub(crate) fn wait_until_next(&mut self) -> Result<(), RecvError> {
        if !self.end.has_message() {
            self.wait_for_message(Deadline::NEVER).unwrap_or_default();
        }
        if self.end.has_message() { Ok(()) } else { Err(RecvError) }
    }

    /// Waits for a message, then moves up to `limit` of those there to the end of `buffer`. Returns how many: at least one
    /// unless `limit` is 0.
    ///
    /// # Errors
    /// The channel is closed and drained.
    pub fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> Result<usize, RecvError> {
        self.recv_many_until(buffer, limit, || Deadline::NEVER).map_err(|_| RecvError)
    }

    /// As [`Receiver::recv_many`], waiting for at most `timeout`. One too long for the clock is for ever.
    ///
    /// It returns with the first messages that it finds. It does not wait until there are `limit`.
    ///
    /// # Errors
    /// No message in time, or the channel is closed and drained. `buffer` is as it was.
    ///
    /// ```
    /// use ringmail::RecvTimeoutError;
    /// use std::time::Duration;
    /// let (mut tx, mut rx) = ringmail::spsc::channel(8)?;
    /// let mut batch = Vec::new();
    /// tx.send_slice(&[1, 2, 3])?;
    /// assert_eq!(rx.recv_many_timeout(&mut batch, 2, Duration::from_millis(1)), Ok(2));
    /// assert_eq!(rx.recv_many_timeout(&mut batch, 2, Duration::from_millis(1)), Ok(1));
    /// assert_eq!(rx.recv_many_timeout(&mut batch, 2, Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
    /// assert_eq!(batch, [1, 2, 3]);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn recv_many_timeout(
        &mut self,
        buffer: &mut Vec<T>,
        limit: usize,
        timeout: Duration,
    ) -> Result<usize, RecvTimeoutError> {
        self.recv_many_until(buffer, limit, || Deadline::after(Some(timeout)))
    }

    /// As [`Receiver::recv_many_timeout`], waiting until `deadline`.
    ///
    /// # Errors
    /// As there.
    pub fn recv_many_deadline(
        &mut self,
        buffer: &mut Vec<T>,
        limit: usize,
        deadline: Instant,
    ) -> Result<usize, RecvTimeoutError> {
        self.recv_many_until(buffer, limit, || Deadline::at(deadline))
    }

    fn recv_many_until(
        &mut self,
        buffer: &mut Vec<T>,
        limit: usize,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<usize, RecvTimeoutError> {
        let mut found = self.try_recv_many(buffer, limit);
        if found == Err(TryRecvError::Empty) {
            let deadline = deadline();
            loop {
                let waited = self.wait_for_message(deadline);
                found = self.try_recv_many(buffer, limit);
                match found {
                    Err(TryRecvError::Empty) if waited.is_err() => return Err(RecvTimeoutError::Timeout),
                    Err(TryRecvError::Empty) => {}
                    _ => break,
                }
            }
        }
        found.map_err(|_| RecvTimeoutError::Disconnected)
    }

    /// Waits for a message, then moves up to `limit` of those there to the end of `buffer`. Returns how many: at least one
    /// unless `limit` is 0.
    ///
    /// Cancel-safe: a future dropped before it is ready has taken nothing, and `buffer` is as it was. Needs no particular runtime.
    ///
    /// # Errors
    /// The channel is closed and drained.
    ///
    /// ```
    /// # use core::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// let (mut tx, mut rx) = ringmail::spsc::channel(4)?;
    /// let (mut cx, mut batch) = (Context::from_waker(Waker::noop()), Vec::new());
    /// assert!(pin!(rx.recv_many_async(&mut batch, 8)).poll(&mut cx).is_pending());
    /// tx.send_slice(&[5, 6])?;
    /// assert_eq!(pin!(rx.recv_many_async(&mut batch, 8)).poll(&mut cx), Poll::Ready(Ok(2)));
    /// assert_eq!(batch, [5, 6]);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn recv_many_async<'a>(&'a mut self, buffer: &'a mut Vec<T>, limit: usize) -> RecvManyFuture<'a, T, S> {
        RecvManyFuture { rx: Some(self), buffer, limit, waits: false }
    }

    /// Moves up to `limit` of the messages there are to the end of `buffer`, or arranges for one wake of the context's task when there is one.
    ///
    /// Counts as one poll for any `limit`. As to turns with other tasks, see [`Receiver::poll_recv`].
    ///
    /// # Errors
    /// The channel is closed and drained.
    pub fn poll_recv_many(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> Poll<Result<usize, RecvError>> {
        if limit != 0 && !self.end.has_message() {
            return self.poll_later(cx, |rx| rx.try_recv_many(buffer, limit));
        }
        if self.waiter.out_of_budget() {
            return self.waiter.yield_to_executor(cx);
        }
        Poll::Ready(self.try_recv_many(buffer, limit).map_err(|_| RecvError))
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
    pub fn recv_async(&mut self) -> RecvFuture<'_, T, S> {
        RecvFuture { rx: Some(self), waits: false }
    }

    /// Takes the next message, or arranges for one wake of the context's task when there is one.
    ///
    /// After 128 polls in a row that were ready, one is pending and wakes its task at once: other tasks of the executor have their turn.
    ///
    /// # Errors
    /// The channel is closed and drained.
    #[inline(always)]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        let Some(next) = self.end.next() else { return self.poll_later(cx, Self::try_recv) };
        if self.waiter.out_of_budget() {
            return self.waiter.yield_to_executor(cx);
        }
        Poll::Ready(next.take_as(Ok))
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.waiter.set_strategy(strategy);
    }

    #[inline]
    fn recv_until(&mut self, deadline: impl FnOnce() -> Deadline) -> Result<T, RecvTimeoutError> {
        let Some(next) = self.end.next_or_wait() else { return self.recv_later(deadline()) };
        next.take_as(Ok)
    }

    /// There was no message: waits for one.
    #[cold]
    #[inline(never)]
    fn recv_later(&mut self, deadline: Deadline) -> Result<T, RecvTimeoutError> {
        let waited = self.wait_for_message(deadline);
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
    fn poll_later<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&mut Self) -> Result<R, TryRecvError>,
    ) -> Poll<Result<R, RecvError>> {
        // It may find one while it spins, poll after poll.
        if self.waiter.out_of_budget() {
            return self.waiter.yield_to_executor(cx);
        }
        loop {
            self.end.found_nothing(self.closed);
            if self.end.is_over() {
                // Nothing is waited for any more.
                self.waiter.cancel_wait();
                return Poll::Ready(Err(RecvError));
            }
            self.end.before_wait();
            let (transferred, end) = (self.end.transferred(), &mut self.end);
            let poll = self.waiter.poll(cx, transferred, |look| awaited(end, look));
            self.count_parks();
            ready!(poll);
            match take(self) {
                Err(TryRecvError::Empty) => {} // It waits anew.
                said => return Poll::Ready(said.map_err(|_| RecvError)),
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_for_message(&mut self, deadline: Deadline) -> Result<(), TimedOut> {
        loop {
            self.end.found_nothing(self.closed);
            if self.end.is_over() {
                return Ok(());
            }
            self.end.before_wait();
            let (transferred, end) = (self.end.transferred(), &mut self.end);
            let waited = self.waiter.block(deadline, transferred, |look| awaited(end, look));
            self.count_parks();
            if waited.is_err() || self.end.has_message() || self.end.is_over() {
                return waited;
            }
            // It waits anew.
        }
    }

    fn count_parks(&mut self) {
        let sleeps = self.waiter.take_sleeps();
        if sleeps != 0 {
            self.end.count_parks(sleeps);
        }
    }
}

/// Whether a receiver has nothing to wait for any more, or must begin its wait anew.
fn awaited<E: RingReceiver>(end: &mut E, look: CheckPhase) -> bool {
    let ready = end.has_message() || end.is_over() || end.must_rearm();
    match look {
        _ if ready => {}
        CheckPhase::BeforeSleep => end.before_sleep(),
        // One that spins may never get further than this.
        CheckPhase::Polling | CheckPhase::Yielded | CheckPhase::AtFront => end.found_nothing_yet(),
    }
    ready
}
