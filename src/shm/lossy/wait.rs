//! The receiving verbs that wait. A receiver writes nothing, so it cannot say that it sleeps: it polls.

use super::{Receiver, Seen};
use crate::shm::error::{Cause, RecvError, RecvTimeoutError, TryRecvError, without_deadline};
use crate::shm::schema::Message;
use crate::shm::wait::LIVENESS_INTERVAL;
use crate::sync::spin_loop;
use crate::wait::Deadline;
use core::time::Duration;
use std::thread;
use std::time::Instant;

/// By default.
pub(super) const LONGEST_SLEEP: Duration = Duration::from_millis(1);
/// The first one.
const FIRST_SLEEP: Duration = Duration::from_micros(20);
/// Looks before the first yield.
const SPINS: u32 = 128;
/// Looks before the first sleep.
const YIELDS: u32 = 16;

impl<T: Message + Copy> Receiver<T> {
    /// Copies the next message, waiting for one if need be, or says how many were lost.
    ///
    /// Waits also for a sender: for the first, and for the next after an end was told. See [`longest_sleep`](super::Builder::longest_sleep) for how.
    ///
    /// # Errors
    /// A session of the sender is over, which is told once, with the cause.
    ///
    /// ```
    /// use ringmail::shm::lossy::{Builder, Seen};
    /// use ringmail::shm::{Cause, RecvError};
    ///
    /// let channel = Builder::<u64>::create_anonymous(1024)?;
    /// let mut tx = Builder::<u64>::from_fd(&channel).open_sender()?;
    /// let mut rx = Builder::<u64>::from_fd(&channel).open_receiver()?;
    /// let reader = std::thread::spawn(move || {
    ///     let (mut received, mut lost) = (0, 0);
    ///     loop {
    ///         match rx.recv() {
    ///             Ok(Seen::Message(_)) => received += 1,
    ///             Ok(Seen::Lost(count)) => lost += count,
    ///             Err(RecvError(cause)) => break (cause, received + lost),
    ///         }
    ///     }
    /// });
    /// (0..10_000).for_each(|i| tx.send(i));
    /// drop(tx);
    /// assert_eq!(reader.join().unwrap(), (Cause::Closed, 10_000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn recv(&mut self) -> Result<Seen<T>, RecvError<Cause>> {
        self.take_or_wait(Self::try_recv, || Deadline::NEVER).map_err(without_deadline)
    }

    /// As [`Receiver::recv`], waiting for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// Nothing in time, or `Disconnected` with the cause.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Seen<T>, RecvTimeoutError<Cause>> {
        self.take_or_wait(Self::try_recv, || Deadline::after(Some(timeout)))
    }

    /// As [`Receiver::recv`], waiting until `deadline`.
    ///
    /// # Errors
    /// As [`Receiver::recv_timeout`].
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<Seen<T>, RecvTimeoutError<Cause>> {
        self.take_or_wait(Self::try_recv, || Deadline::at(deadline))
    }

    /// As [`Receiver::try_changed`], waiting for a newer message if need be.
    ///
    /// # Errors
    /// As [`Receiver::recv`].
    #[inline]
    pub fn changed(&mut self) -> Result<(u64, T), RecvError<Cause>> {
        self.take_or_wait(Self::try_changed, || Deadline::NEVER).map_err(without_deadline)
    }

    /// As [`Receiver::changed`], waiting for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// Nothing newer in time, or `Disconnected` with the cause.
    pub fn changed_timeout(&mut self, timeout: Duration) -> Result<(u64, T), RecvTimeoutError<Cause>> {
        self.take_or_wait(Self::try_changed, || Deadline::after(Some(timeout)))
    }

    /// As [`Receiver::changed`], waiting until `deadline`.
    ///
    /// # Errors
    /// As [`Receiver::changed_timeout`].
    pub fn changed_deadline(&mut self, deadline: Instant) -> Result<(u64, T), RecvTimeoutError<Cause>> {
        self.take_or_wait(Self::try_changed, || Deadline::at(deadline))
    }

    #[inline]
    fn take_or_wait<R>(
        &mut self,
        take: impl Fn(&mut Self) -> Result<R, TryRecvError<Cause>>,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<R, RecvTimeoutError<Cause>> {
        match take(self) {
            Ok(taken) => Ok(taken),
            Err(TryRecvError::Disconnected(cause)) => Err(RecvTimeoutError::Disconnected(cause)),
            Err(TryRecvError::Empty) => self.poll(take, deadline()),
        }
    }

    /// Looks until there is something: at once, then with yields, then with sleeps that grow.
    #[cold]
    #[inline(never)]
    fn poll<R>(
        &mut self,
        take: impl Fn(&mut Self) -> Result<R, TryRecvError<Cause>>,
        deadline: Deadline,
    ) -> Result<R, RecvTimeoutError<Cause>> {
        let (mut looks, mut sleep) = (0u32, FIRST_SLEEP.min(self.longest_sleep));
        // When the kernel was asked last in this wait.
        let mut asked = None::<Instant>;
        loop {
            // A look in vain costs little, so it comes before the clock.
            let over = looks >= SPINS && deadline.passed();
            let due = asked.is_none_or(|asked| asked.elapsed() >= LIVENESS_INTERVAL);
            if (over && asked.is_none()) || (looks >= SPINS + YIELDS && due) {
                asked = Some(Instant::now());
                self.ask_next();
            }
            match take(self) {
                Ok(taken) => return Ok(taken),
                Err(TryRecvError::Disconnected(cause)) => return Err(RecvTimeoutError::Disconnected(cause)),
                Err(TryRecvError::Empty) if over => return Err(RecvTimeoutError::Timeout),
                Err(TryRecvError::Empty) => {}
            }
            if looks < SPINS {
                spin_loop();
            } else if looks < SPINS + YIELDS || sleep.is_zero() {
                thread::yield_now();
            } else {
                thread::sleep(deadline.left().map_or(sleep, |left| left.min(sleep)));
                sleep = self.longest_sleep.min(sleep * 2);
            }
            looks = looks.saturating_add(1);
        }
    }
}
