//! The sending side.

use super::{Departed, Slowest};
use crate::ring::layout::Stats;
use crate::shm::error::{Cause, SendError, SendTimeoutError, TrySendError, send_without_deadline};
use crate::shm::peer::session::End;
use crate::shm::ring::gated_end::GatedTx;
use crate::shm::ring::open::{Opened, cause_of};
use crate::shm::schema::Message;
use crate::wait::{Deadline, WaitStrategy};
use core::fmt;
use core::time::Duration;
use std::time::Instant;
use zerocopy::FromBytes;

/// The sending side of a broadcast. Dropping it closes it in order; a process that ends without is noticed by the kernel.
///
/// No verb fails because of a receiver. One that leaves, dies or writes what cannot be is told by [`Sender::departed`], as a value.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Sender<T: Message> {
    tx: GatedTx<T>,
}

impl<T: Message> Sender<T> {
    pub(super) fn begin(opened: Opened, wait: WaitStrategy) -> Self {
        Self { tx: GatedTx::begin(opened, wait) }
    }

    /// Sends `value` if there is room now. A number of steps that is bounded by that of the seats; as a rule it looks at those that were ever taken.
    ///
    /// # Errors
    /// `Full`: the slowest seat is `capacity` messages behind, or no receiver is there; see [`Sender::slowest`]. The kernel is asked whether its receiver
    /// lives one time in 4096. `Disconnected`: the file is gone. The value comes back.
    #[inline]
    pub fn try_send(&mut self, value: T) -> Result<(), TrySendError<T, Cause>> {
        if self.tx.push(&value) { Ok(()) } else { Err(self.tx.why_full().with(value)) }
    }

    /// Sends `value`, waiting for room if need be; also for the first receiver.
    ///
    /// Blocks as long as the slowest seat does not move. A receiver that has died is noticed within 100 ms, and is waited for no more unless its seat is
    /// reserved.
    ///
    /// # Errors
    /// `Disconnected`: the file is gone. The value comes back.
    #[inline]
    pub fn send(&mut self, value: T) -> Result<(), SendError<T, Cause>> {
        self.send_until(value, || Deadline::NEVER).map_err(send_without_deadline)
    }

    /// As [`Sender::send`], waiting for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// No room in time, or `Disconnected`; the value comes back.
    pub fn send_timeout(&mut self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T, Cause>> {
        self.send_until(value, || Deadline::after(Some(timeout)))
    }

    /// As [`Sender::send`], waiting until `deadline`.
    ///
    /// # Errors
    /// No room in time, or `Disconnected`; the value comes back.
    pub fn send_deadline(&mut self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T, Cause>> {
        self.send_until(value, || Deadline::at(deadline))
    }

    /// Sends a copy of `value` if there is room now: from where it is straight to its place in the channel. For large messages.
    ///
    /// # Errors
    /// As [`Sender::try_send`].
    #[inline]
    pub fn try_send_ref(&mut self, value: &T) -> Result<(), TrySendError<(), Cause>> {
        if self.tx.push(value) { Ok(()) } else { Err(self.tx.why_full()) }
    }

    /// As [`Sender::try_send_ref`], waiting for room if need be.
    ///
    /// # Errors
    /// As [`Sender::send`].
    #[inline]
    pub fn send_ref(&mut self, value: &T) -> Result<(), SendError<(), Cause>> {
        self.push_until(value, || Deadline::NEVER).map_err(send_without_deadline)
    }

    /// Has `write` fill the place of the next message, if there is room now, and sends that: without a copy.
    ///
    /// `write` finds what was sent in that place before, or zeros, and may change any of it. If it panics, nothing is sent. The receivers see nothing of it
    /// before `write` has returned.
    ///
    /// Only for receivers that are trusted to keep this crate's protocol: see
    /// [`spsc::Sender::try_send_with`](crate::shm::spsc::Sender::try_send_with). For all others, [`Sender::try_send_ref`] copies.
    ///
    /// # Errors
    /// As [`Sender::try_send`]; `write` comes back and was not called.
    #[inline]
    pub fn try_send_with<F>(&mut self, write: F) -> Result<(), TrySendError<F, Cause>>
    where
        F: FnOnce(&mut T),
        T: FromBytes,
    {
        self.tx.push_with(write).map_err(|back| self.tx.why_full().with(back))
    }

    /// Sends copies of as many of `values`, from the first on, as there is room for now, and publishes them together. Returns how many, at least one
    /// unless there are none.
    ///
    /// # Errors
    /// As [`Sender::try_send`].
    pub fn try_send_slice(&mut self, values: &[T]) -> Result<usize, TrySendError<(), Cause>> {
        match self.tx.push_slice(values) {
            0 if !values.is_empty() => Err(self.tx.why_full()),
            sent => Ok(sent),
        }
    }

    /// Sends copies of all `values`, waiting for room as often as need be. Each run that fits is published together.
    ///
    /// # Errors
    /// `Disconnected`: the file is gone. It carries how many were sent.
    pub fn send_slice(&mut self, values: &[T]) -> Result<(), SendError<usize, Cause>> {
        let mut sent = 0;
        loop {
            sent += self.tx.push_slice(&values[sent..]);
            if sent == values.len() {
                return Ok(());
            }
            let waited = self.tx.wait_for_room(Deadline::NEVER);
            waited.map_err(send_without_deadline).map_err(|SendError((), cause)| SendError(sent, cause))?;
        }
    }

    /// A receiver's session that is over and was not told yet: who, where it was, and how it ended. Each is told once; of each seat the last is kept. One
    /// that came and went between two looks of the sender is not told, nor one that had ended before this sender came.
    ///
    /// The sender finds out where it looks at the seats: where it has no room, and else once in `capacity` messages. A death shows where that receiver
    /// is waited for: [`Sender::send`] asks the kernel then. Asks nothing itself.
    pub fn departed(&mut self) -> Option<Departed> {
        let (seat, gone, pid) = self.tx.next_gone()?;
        let cause = gone.end.map_or(Cause::Corrupted, cause_of);
        Some(Departed { seat, session: gone.session, pid, at: gone.at, cause })
    }

    /// The seat that is furthest behind, by how much, and whether a receiver sits there: the one that the sender waits for if there is no room. `None`
    /// while there is none. Receivers move meanwhile. A system call for each seat that gates.
    ///
    /// ```
    /// use ringmail::shm::broadcast::Builder;
    /// let channel = Builder::<u64>::create_anonymous(1, 2)?;
    /// let journal = Builder::<u64>::from_fd(&channel).open_reserved("journal")?;
    /// let mut tx = Builder::<u64>::from_fd(&channel).open_sender()?;
    /// tx.send_slice(&[1, 2])?;
    /// drop(journal);
    /// assert!(tx.try_send(3).is_err());
    /// let slowest = tx.slowest().expect("a reserved seat stays");
    /// assert_eq!(slowest.to_string(), "\"journal\", seat 0, 2 behind, vacant");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn slowest(&self) -> Option<Slowest> {
        let seats =
            self.tx.gating(true).map(|(seat, lag, name, vacant)| Slowest { seat: seat as usize, name, lag, vacant });
        seats.max_by_key(|seat| seat.lag)
    }

    /// Waits until a receiver is there, or a seat is reserved; at most for `timeout`. Returns whether one is.
    pub fn wait_for_receiver(&mut self, timeout: Duration) -> bool {
        self.tx.wait_for_receiver(Deadline::after(Some(timeout)))
    }

    /// Receivers that are there, and vacant seats that are reserved. A system call for each.
    pub fn receivers(&self) -> usize {
        self.tx.gating(false).filter(|(.., name, vacant)| name.is_some() || !vacant).count()
    }

    /// Seats of the channel, taken or not.
    pub fn seats(&self) -> usize {
        self.tx.seats() as usize
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.tx.set_wait(strategy);
    }

    /// Sends nothing more. Each receiver gets what it has not taken, and is then told. Dropping does the same.
    pub fn close(&mut self) {
        self.tx.close(None);
    }

    /// Closes as [`Sender::close`] does, and says that not all was sent that was to be: receivers get [`Cause::GivenUp`].
    pub fn give_up(&mut self) {
        self.tx.close(Some(End::GivenUp));
    }

    /// Whether this side has closed.
    pub fn is_closed(&self) -> bool {
        self.tx.is_closed()
    }

    /// Messages sent so far, under all who had this side: the number of the next one.
    pub fn sent(&self) -> u64 {
        self.tx.ring.position().count()
    }

    /// Most messages that a receiver may be behind: exactly what the channel was made with.
    pub fn capacity(&self) -> usize {
        self.tx.ring.capacity()
    }

    /// Messages that the slowest has not taken, as the sender knows it: at most this.
    pub fn len(&self) -> usize {
        self.tx.gating(true).map(|(_, lag, ..)| lag).max().unwrap_or(0) as usize
    }

    /// Whether every receiver has taken all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there was no room a moment ago.
    pub fn is_full(&mut self) -> bool {
        self.tx.room(1) == 0
    }

    /// How often this side has been taken, this time included.
    pub fn epoch(&self) -> u64 {
        self.tx.epoch()
    }

    /// What the channel has done since it was made: `received` and `depth` are those of the slowest, as the sender knows it.
    pub fn stats(&self) -> Stats {
        self.tx.stats()
    }

    #[inline]
    fn send_until(&mut self, value: T, deadline: impl FnOnce() -> Deadline) -> Result<(), SendTimeoutError<T, Cause>> {
        self.push_until(&value, deadline).map_err(|error| error.with(value))
    }

    #[inline]
    fn push_until(
        &mut self,
        value: &T,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<(), SendTimeoutError<(), Cause>> {
        if self.tx.push(value) { Ok(()) } else { self.push_later(value, deadline()) }
    }

    #[cold]
    #[inline(never)]
    fn push_later(&mut self, value: &T, deadline: Deadline) -> Result<(), SendTimeoutError<(), Cause>> {
        loop {
            self.tx.wait_for_room(deadline)?;
            if self.tx.push(value) {
                return Ok(());
            }
        }
    }
}

impl<T: Message> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("sent", &self.sent())
            .field("capacity", &self.capacity())
            .field("slowest", &self.slowest())
            .finish_non_exhaustive()
    }
}
