//! The receiving verbs that wait: for the next message, or for a newer one. One state machine, ended three ways.

use super::{Message, Receiver, RecvFuture, Seen};
use crate::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::wait::{Deadline, TimedOut, WaitStrategy};
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::time::Instant;

impl<T: Message> Receiver<T> {
    /// Copies the next message, waiting for one if need be, or says how many were lost.
    ///
    /// # Errors
    /// The sender is gone, and its last message was seen.
    ///
    /// ```
    /// use ringmail::broadcast::lossy::{self, Seen};
    /// let (mut tx, mut rx) = lossy::channel(64)?;
    /// let reader = std::thread::spawn(move || {
    ///     let (mut received, mut lost) = (0, 0);
    ///     while let Ok(seen) = rx.recv() {
    ///         match seen {
    ///             Seen::Message(_) => received += 1,
    ///             Seen::Lost(count) => lost += count,
    ///         }
    ///     }
    ///     received + lost
    /// });
    /// (0..1000u64).for_each(|i| tx.send(i));
    /// drop(tx);
    /// assert_eq!(reader.join().unwrap(), 1000);
    /// # Ok::<(), ringmail::BuildError>(())
    /// ```
    #[inline]
    pub fn recv(&mut self) -> Result<Seen<T>, RecvError> {
        self.take_or_wait(Self::try_recv, || Deadline::NEVER).map_err(|_| RecvError)
    }

    /// As [`Receiver::recv`], waiting for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// Nothing in time, or the sender is gone and its last message was seen.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Seen<T>, RecvTimeoutError> {
        self.take_or_wait(Self::try_recv, || Deadline::after(Some(timeout)))
    }

    /// As [`Receiver::recv`], waiting until `deadline`.
    ///
    /// # Errors
    /// As [`Receiver::recv_timeout`].
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<Seen<T>, RecvTimeoutError> {
        self.take_or_wait(Self::try_recv, || Deadline::at(deadline))
    }

    /// As [`Receiver::recv`], as a future. Cancel-safe: one that is dropped before it is ready has seen nothing. Needs no particular runtime.
    ///
    /// # Errors
    /// As [`Receiver::recv`].
    #[inline]
    pub fn recv_async(&mut self) -> RecvFuture<'_, T, Seen<T>> {
        RecvFuture::new(self, Self::try_recv)
    }

    /// As [`Receiver::recv`], or arranges for a wake of the context's task when there is something.
    ///
    /// After 128 polls in a row that were ready, one is pending and wakes its task at once: other tasks of the executor have their turn.
    ///
    /// # Errors
    /// As [`Receiver::recv`].
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Seen<T>, RecvError>> {
        self.poll_take(cx, Self::try_recv)
    }

    /// As [`Receiver::try_changed`], waiting for a newer message if need be.
    ///
    /// # Errors
    /// The sender is gone, and its last message was seen.
    ///
    /// ```
    /// use ringmail::broadcast::lossy;
    /// let (mut config, mut rx) = lossy::channel::<u64>(64)?;
    /// config.send(1);
    /// config.send(2);
    /// assert_eq!(rx.changed(), Ok((1, 2)), "the newest, and its number");
    /// assert!(rx.try_changed().is_err(), "nothing newer");
    /// # Ok::<(), ringmail::BuildError>(())
    /// ```
    #[inline]
    pub fn changed(&mut self) -> Result<(u64, T), RecvError> {
        self.take_or_wait(Self::try_changed, || Deadline::NEVER).map_err(|_| RecvError)
    }

    /// As [`Receiver::changed`], waiting for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// Nothing newer in time, or the sender is gone and its last message was seen.
    pub fn changed_timeout(&mut self, timeout: Duration) -> Result<(u64, T), RecvTimeoutError> {
        self.take_or_wait(Self::try_changed, || Deadline::after(Some(timeout)))
    }

    /// As [`Receiver::changed`], waiting until `deadline`.
    ///
    /// # Errors
    /// As [`Receiver::changed_timeout`].
    pub fn changed_deadline(&mut self, deadline: Instant) -> Result<(u64, T), RecvTimeoutError> {
        self.take_or_wait(Self::try_changed, || Deadline::at(deadline))
    }

    /// As [`Receiver::changed`], as a future. Cancel-safe: one that is dropped before it is ready has seen nothing. Needs no particular runtime.
    ///
    /// # Errors
    /// As [`Receiver::changed`].
    #[inline]
    pub fn changed_async(&mut self) -> RecvFuture<'_, T, (u64, T)> {
        RecvFuture::new(self, Self::try_changed)
    }

    /// As [`Receiver::changed`], or arranges for a wake of the context's task when there is a newer message. As [`Receiver::poll_recv`].
    ///
    /// # Errors
    /// As [`Receiver::changed`].
    #[inline]
    pub fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(u64, T), RecvError>> {
        self.poll_take(cx, Self::try_changed)
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.waiter.set_strategy(strategy);
    }

    #[inline]
    fn take_or_wait<R>(
        &mut self,
        take: impl Fn(&mut Self) -> Result<R, TryRecvError>,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<R, RecvTimeoutError> {
        match take(self) {
            Ok(taken) => Ok(taken),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {
                let waited = self.wait_for_news(deadline());
                // After a wait that succeeded there is something, and it does not go away.
                take(self).map_err(|error| match error {
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                    TryRecvError::Empty => {
                        debug_assert!(waited.is_err());
                        RecvTimeoutError::Timeout
                    }
                })
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_for_news(&mut self, deadline: Deadline) -> Result<(), TimedOut> {
        let reader = &self.reader;
        self.waiter.block(deadline, reader.position(), |_| reader.has_news() || reader.is_ended())
    }

    #[inline]
    pub(super) fn poll_take<R>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl Fn(&mut Self) -> Result<R, TryRecvError>,
    ) -> Poll<Result<R, RecvError>> {
        if self.waiter.out_of_budget() {
            return self.waiter.yield_to_executor(cx);
        }
        loop {
            match take(self) {
                Ok(taken) => return Poll::Ready(Ok(taken)),
                Err(TryRecvError::Disconnected) => {
                    // Nothing is waited for any more.
                    self.waiter.cancel_wait();
                    return Poll::Ready(Err(RecvError));
                }
                Err(TryRecvError::Empty) => ready!(self.poll_for_news(cx)),
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn poll_for_news(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let reader = &self.reader;
        self.waiter.poll(cx, reader.position(), |_| reader.has_news() || reader.is_ended())
    }
}
