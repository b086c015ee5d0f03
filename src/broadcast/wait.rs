//! The receiving verbs that wait: blocking, timed and asynchronous ones are one state machine, ended three ways.

use super::{Receiver, RecvFuture};
use crate::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::ring::slot::by_words;
use crate::wait::{Deadline, TimedOut, WaitStrategy};
use alloc::vec::Vec;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::time::Instant;

impl<T> Receiver<T> {
    /// A clone of the next message, waiting for one if need be.
    ///
    /// # Errors
    /// The channel is closed and drained.
    #[inline]
    pub fn recv(&mut self) -> Result<T, RecvError>
    where
        T: Clone,
    {
        self.recv_with(|message| by_words(message.clone()))
    }

    /// Lends the next message to `look`, waiting for one if need be. As [`Receiver::try_recv_with`].
    ///
    /// # Errors
    /// The channel is closed and drained; `look` was not called.
    #[inline]
    pub fn recv_with<R>(&mut self, look: impl FnOnce(&T) -> R) -> Result<R, RecvError> {
        if !self.end.has_message_at_once() {
            self.block_for_message(Deadline::NEVER).unwrap_or_default();
        }
        self.take(look, RecvError)
    }

    /// A clone of the next message, waiting for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// No message in time, or the channel is closed and drained.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError>
    where
        T: Clone,
    {
        self.recv_until(|| Deadline::after(Some(timeout)))
    }

    /// A clone of the next message, waiting until `deadline`.
    ///
    /// # Errors
    /// No message in time, or the channel is closed and drained.
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvTimeoutError>
    where
        T: Clone,
    {
        self.recv_until(|| Deadline::at(deadline))
    }

    /// Waits for a message, then clones up to `limit` of those there to the end of `buffer`. Returns how many: at least one unless `limit` is 0.
    ///
    /// # Errors
    /// The channel is closed and drained.
    pub fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> Result<usize, RecvError>
    where
        T: Clone,
    {
        loop {
            match self.try_recv_many(buffer, limit) {
                Ok(n) => return Ok(n),
                Err(TryRecvError::Disconnected) => return Err(RecvError),
                Err(TryRecvError::Empty) => self.block_for_message(Deadline::NEVER).unwrap_or_default(),
            }
        }
    }

    /// A clone of the next message, waiting for one if need be.
    ///
    /// Cancel-safe: a future dropped before it is ready has taken nothing. Needs no particular runtime.
    ///
    /// # Errors
    /// The channel is closed and drained.
    #[inline]
    pub fn recv_async(&mut self) -> RecvFuture<'_, T>
    where
        T: Clone,
    {
        RecvFuture::new(self)
    }

    /// A clone of the next message, or arranges for one wake of the context's task when there is one.
    ///
    /// After 128 polls in a row that were ready, one is pending and wakes its task at once: other tasks of the executor have their turn.
    ///
    /// # Errors
    /// The channel is closed and drained.
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>>
    where
        T: Clone,
    {
        if self.waiter.out_of_budget() {
            return self.waiter.yield_to_executor(cx);
        }
        if !self.end.has_message() {
            ready!(self.poll_for_message(cx));
        }
        Poll::Ready(self.take(|message| by_words(message.clone()), RecvError))
    }

    /// Waits until there is a message, for at most `timeout`, and leaves it where it is: [`peek`](Receiver::peek) and
    /// [`read_chunk`](Receiver::read_chunk) lend it, and a message counts as taken only when the chunk commits it. One too long for the clock is for ever.
    ///
    /// # Errors
    /// No message in time, or the channel is closed and drained.
    ///
    /// ```
    /// use std::time::Duration;
    /// let (mut tx, hub) = ringmail::broadcast::channel(64)?;
    /// let mut journal = hub.reserve("journal")?;
    /// let writer = std::thread::spawn(move || {
    ///     let mut written = Vec::new();
    ///     while journal.wait_for_message(Duration::MAX).is_ok() {
    ///         let chunk = journal.read_chunk(16).expect("there is a message");
    ///         written.extend(chunk.iter().copied());
    ///         chunk.commit_all(); // a crash before this loses nothing
    ///     }
    ///     written
    /// });
    /// tx.send_slice(&[1, 2, 3])?;
    /// drop(tx);
    /// assert_eq!(writer.join().unwrap(), [1, 2, 3]);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn wait_for_message(&mut self, timeout: Duration) -> Result<(), RecvTimeoutError> {
        if !self.end.has_message_at_once() {
            let waited = self.block_for_message(Deadline::after(Some(timeout)));
            if !self.end.has_message_at_once() {
                let over = waited.is_ok() || self.end.is_over();
                return Err(if over { RecvTimeoutError::Disconnected } else { RecvTimeoutError::Timeout });
            }
        }
        Ok(())
    }

    /// Ready when there is a message, which is left where it is, as by [`Receiver::wait_for_message`]; or arranges for one wake of the context's task.
    ///
    /// After 128 polls in a row that were ready, one is pending and wakes its task at once. To give the wait up, drop what polls: the next verb of this
    /// handle that waits takes the wake over.
    ///
    /// # Errors
    /// The channel is closed and drained.
    #[inline]
    pub fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RecvError>> {
        if self.waiter.out_of_budget() {
            return self.waiter.yield_to_executor(cx);
        }
        if !self.end.has_message() {
            ready!(self.poll_for_message(cx));
        }
        Poll::Ready(if self.end.has_message_at_once() { Ok(()) } else { Err(RecvError) })
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.waiter.set_strategy(strategy);
    }

    #[inline]
    fn recv_until(&mut self, deadline: impl FnOnce() -> Deadline) -> Result<T, RecvTimeoutError>
    where
        T: Clone,
    {
        self.recv_with_until(deadline, T::clone)
    }

    #[inline]
    pub(super) fn recv_with_until<R>(
        &mut self,
        deadline: impl FnOnce() -> Deadline,
        look: impl FnOnce(&T) -> R,
    ) -> Result<R, RecvTimeoutError> {
        if !self.end.has_message_at_once() {
            let waited = self.block_for_message(deadline());
            if waited.is_err() && !self.end.has_message_at_once() && !self.end.is_over() {
                return Err(RecvTimeoutError::Timeout);
            }
        }
        self.take(look, RecvTimeoutError::Disconnected)
    }

    /// There was no message: waits for one, or for the end.
    #[cold]
    #[inline(never)]
    fn poll_for_message(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.found_nothing();
        if self.end.is_over() {
            // Nothing is waited for any more.
            self.waiter.cancel_wait();
            return Poll::Ready(());
        }
        let (position, end) = (self.end.position(), &mut self.end);
        let poll = self.waiter.poll(cx, position, |_| end.has_message_at_once() || end.is_over());
        self.count_parks();
        poll
    }

    #[cold]
    #[inline(never)]
    fn block_for_message(&mut self, deadline: Deadline) -> Result<(), TimedOut> {
        self.found_nothing();
        if self.end.is_over() {
            return Ok(());
        }
        let (position, end) = (self.end.position(), &mut self.end);
        let waited = self.waiter.block(deadline, position, |_| end.has_message_at_once() || end.is_over());
        self.count_parks();
        waited
    }

    fn count_parks(&mut self) {
        let sleeps = self.waiter.take_sleeps();
        if sleeps != 0 {
            self.end.count_parks(sleeps);
        }
    }
}
