//! The sending side of a channel of messages, or of a lane of one.

use crate::drop_order::lend;
use crate::ring::layout::Stats;
use crate::shm::chunk::WriteChunk;
use crate::shm::error::{Cause, SendError, SendTimeoutError, TrySendError, send_without_deadline};
use crate::shm::peer::session::End;
use crate::shm::peer::session::Peer;
use crate::shm::ring::mapped::MessageBytes;
use crate::shm::ring::open::Opened;
use crate::shm::ring::sending_end::{PublishOnDrop, Tx};
use crate::shm::schema::Message;
use crate::wait::{Deadline, WaitStrategy};
use core::fmt;
use core::time::Duration;
use std::time::Instant;
use zerocopy::FromBytes;

/// The sending side, or a lane of a [`fan_in`](crate::shm::fan_in)'s. Dropping it closes its lane in order; a process that ends without is noticed by
/// the kernel.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Sender<T: Message> {
    pub(crate) tx: Tx<T>,
}

impl<T: Message> Sender<T> {
    pub(crate) fn begin(opened: Opened, wait: WaitStrategy) -> Self {
        Self { tx: Tx::begin(opened, wait) }
    }

    /// Sends `value` if there is room now. Wait-free.
    ///
    /// Does not ask the kernel whether the receiver lives: [`Sender::peer`] and the verbs that wait do.
    ///
    /// # Errors
    /// `Full`, or `Disconnected` with the cause; the value comes back.
    #[inline(always)]
    pub fn try_send(&mut self, value: T) -> Result<(), TrySendError<T, Cause>> {
        if self.tx.push(&value) { Ok(()) } else { Err(self.tx.why_full().with(value)) }
    }

    /// Sends `value`, waiting for room if need be; also for a receiver that was never there.
    ///
    /// # Errors
    /// `Disconnected` with the cause; the value comes back.
    #[inline(always)]
    pub fn send(&mut self, value: T) -> Result<(), SendError<T, Cause>> {
        self.send_until(value, || Deadline::NEVER).map_err(send_without_deadline)
    }

    /// Sends `value`, waiting for room for at most `timeout`.
    ///
    /// # Errors
    /// No room in time, or `Disconnected` with the cause; the value comes back.
    pub fn send_timeout(&mut self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T, Cause>> {
        self.send_until(value, || Deadline::after(Some(timeout)))
    }

    /// Sends `value`, waiting for room until `deadline`.
    ///
    /// # Errors
    /// No room in time, or `Disconnected` with the cause; the value comes back.
    pub fn send_deadline(&mut self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T, Cause>> {
        self.send_until(value, || Deadline::at(deadline))
    }

    /// Sends a copy of `value` if there is room now: from where it is straight to its place in the channel. Wait-free.
    ///
    /// For large messages: one that is passed by value may be copied once more, to pass it. (The bytes of a message are all there is to it,
    /// so it need not be `Copy`.)
    ///
    /// # Errors
    /// `Full`, or `Disconnected` with the cause.
    ///
    /// ```
    /// # use ringmail::shm::spsc::Builder;
    /// # let channel = Builder::<u64>::create_anonymous(1)?;
    /// # let mut tx = Builder::<u64>::from_fd(&channel).open_sender()?;
    /// # let mut rx = Builder::<u64>::from_fd(&channel).open_receiver()?;
    /// let message = 7;
    /// tx.try_send_ref(&message)?;
    /// assert!(tx.try_send_ref(&message).is_err_and(|refused| refused.is_full()));
    /// assert_eq!(rx.recv(), Ok(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn try_send_ref(&mut self, value: &T) -> Result<(), TrySendError<(), Cause>> {
        if self.tx.push(value) { Ok(()) } else { Err(self.tx.why_full()) }
    }

    /// Sends a copy of `value`, as [`Sender::try_send_ref`] does, waiting for room if need be.
    ///
    /// # Errors
    /// `Disconnected` with the cause.
    #[inline(always)]
    pub fn send_ref(&mut self, value: &T) -> Result<(), SendError<(), Cause>> {
        self.tx.push_until(value, || Deadline::NEVER).map_err(send_without_deadline)
    }

    /// Sends a copy of `value`, as [`Sender::try_send_ref`] does, waiting for room for at most `timeout`.
    ///
    /// # Errors
    /// No room in time, or `Disconnected` with the cause.
    pub fn send_ref_timeout(&mut self, value: &T, timeout: Duration) -> Result<(), SendTimeoutError<(), Cause>> {
        self.tx.push_until(value, || Deadline::after(Some(timeout)))
    }

    /// Has `write` fill the place of the next message, if there is room now, and sends that: without a copy. Wait-free but for `write`.
    ///
    /// `write` finds what was sent in that place before, or zeros, and may change any of it. If it panics, nothing is sent. The receiver sees nothing of
    /// it before `write` has returned.
    ///
    /// Only for a receiver that is trusted to keep this crate's protocol: one that maps the ring for writing, against the protocol, would change the
    /// message under this side's eyes, and what this side does then is undefined. For all others, [`Sender::try_send_ref`] copies.
    ///
    /// # Errors
    /// `Full`, or `Disconnected` with the cause; `write` comes back and was not called.
    ///
    /// ```
    /// # use ringmail::shm::spsc::Builder;
    /// # let channel = Builder::<u64>::create_anonymous(1)?;
    /// # let mut tx = Builder::<u64>::from_fd(&channel).open_sender()?;
    /// # let mut rx = Builder::<u64>::from_fd(&channel).open_receiver()?;
    /// tx.try_send_with(|message| *message = 7)?;
    /// assert!(tx.try_send_with(|_| unreachable!("there is no room")).is_err_and(|refused| refused.is_full()));
    /// assert_eq!(rx.recv(), Ok(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn try_send_with<F>(&mut self, write: F) -> Result<(), TrySendError<F, Cause>>
    where
        T: FromBytes,
        F: FnOnce(&mut T),
    {
        self.tx.push_with(write).map_err(|write| self.tx.why_full().with(write))
    }

    /// As [`Sender::try_send_with`], waiting for room if need be.
    ///
    /// # Errors
    /// `Disconnected` with the cause; `write` comes back and was not called.
    #[inline(always)]
    pub fn send_with<F>(&mut self, write: F) -> Result<(), SendError<F, Cause>>
    where
        T: FromBytes,
        F: FnOnce(&mut T),
    {
        self.tx.push_with_until(write, Deadline::NEVER).map_err(send_without_deadline)
    }

    /// As [`Sender::try_send_with`], waiting for room for at most `timeout`.
    ///
    /// # Errors
    /// No room in time, or `Disconnected` with the cause; `write` comes back and was not called.
    pub fn send_with_timeout<F>(&mut self, write: F, timeout: Duration) -> Result<(), SendTimeoutError<F, Cause>>
    where
        T: FromBytes,
        F: FnOnce(&mut T),
    {
        self.tx.push_with_until(write, Deadline::after(Some(timeout)))
    }

    /// Copies as many of `values` as fit now and publishes them together. Returns how many, at least one unless `values` is
    /// empty.
    ///
    /// # Errors
    /// `Full` if there is no room at all, or `Disconnected` with the cause.
    pub fn try_send_slice(&mut self, values: &[T]) -> Result<usize, TrySendError<(), Cause>>
    where
        T: Copy,
    {
        self.tx.try_reserve(values.len())?;
        let publishing = PublishOnDrop(&mut self.tx);
        Ok(publishing.0.ring.stage_from(&mut publishing.0.staging, values))
    }

    /// Copies all of `values`, waiting for room as often as need be. Each run that fits is published together.
    ///
    /// # Errors
    /// `Disconnected` with the cause; carries how many were sent.
    pub fn send_slice(&mut self, values: &[T]) -> Result<(), SendError<usize, Cause>>
    where
        T: Copy,
    {
        let mut sent = 0;
        while sent < values.len() {
            match self.try_send_slice(&values[sent..]) {
                Ok(n) => sent += n,
                Err(TrySendError::Disconnected((), ended)) => return Err(SendError(sent, ended)),
                Err(TrySendError::Full(())) => {
                    if let Err(SendTimeoutError::Disconnected((), ended)) = self.tx.wait_for_room(1, Deadline::NEVER) {
                        return Err(SendError(sent, ended));
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends from `values` until it ends or there is no room, and publishes what was sent together. Returns how many.
    ///
    /// An item is taken out of the iterator only when it has a place, so none is lost. If the iterator panics, the items before are sent.
    ///
    /// # Errors
    /// `Full` if there is no room at all, or `Disconnected` with the cause; nothing was taken from the iterator then.
    pub fn try_send_iter(&mut self, values: &mut impl Iterator<Item = T>) -> Result<usize, TrySendError<(), Cause>> {
        self.tx.try_reserve(self.most(values))?;
        Ok(self.stage_iter(values))
    }

    /// Sends everything that `values` yields, waiting for room as often as need be. Returns how many.
    ///
    /// Each run that fits is published together, when the room or the iterator ends: an iterator that itself waits for the receiver to answer
    /// these very messages waits for ever; loop over [`Sender::send`] instead. If the iterator panics, what it yielded before is sent.
    ///
    /// # Errors
    /// `Disconnected` with the cause; carries the item that was next. The iterator, if lent by `&mut`, still has the rest.
    pub fn send_iter(&mut self, values: impl IntoIterator<Item = T>) -> Result<usize, SendError<T, Cause>> {
        lend(values.into_iter().fuse(), |values| {
            let mut sent = 0;
            loop {
                // Without a word about ends: `send` tells them, with the item that was next.
                self.tx.reserve(self.most(values) as u64);
                sent += self.stage_iter(values);
                let Some(value) = values.next() else { return Ok(sent) };
                self.send(value)?;
                sent += 1;
            }
        })
    }

    /// Reserves room for up to `n` messages, to be written one by one and published together.
    ///
    /// The chunk has at least one place unless `n` is 0; look at [`WriteChunk::capacity`]. Until it is committed the receiver sees nothing; dropped,
    /// or should this process be killed, nothing of it was sent. Wait-free.
    ///
    /// # Errors
    /// `Full` if there is no room at all, or `Disconnected` with the cause.
    ///
    /// ```
    /// # use ringmail::shm::spsc::Builder;
    /// # let channel = Builder::<u64>::create_anonymous(4)?;
    /// # let mut tx = Builder::<u64>::from_fd(&channel).open_sender()?;
    /// # let mut rx = Builder::<u64>::from_fd(&channel).open_receiver()?;
    /// let mut chunk = tx.try_reserve(8)?;
    /// assert_eq!(chunk.capacity(), 4);
    /// chunk.push(1).expect("there are four places");
    /// chunk.fill_from_iter(2..4);
    /// assert!(rx.is_empty());
    /// assert_eq!(chunk.commit(), 3);
    /// assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_reserve(&mut self, n: usize) -> Result<WriteChunk<'_, T>, TrySendError<(), Cause>> {
        self.tx.try_reserve(n)?;
        Ok(WriteChunk::new(&mut self.tx))
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.tx.set_wait(strategy);
    }

    /// Sends nothing more. The receiver still gets what was sent, and then `Disconnected`. Dropping does the same.
    pub fn close(&mut self) {
        self.tx.close(None);
    }

    /// Closes as [`Sender::close`] does, and says that not all was sent that was to be: the receiver gets [`Cause::GivenUp`](crate::shm::Cause::GivenUp). So does one whose
    /// sender is dropped by a panic.
    pub fn give_up(&mut self) {
        self.tx.close(Some(End::GivenUp));
    }

    /// What the kernel says of the receiver. A system call.
    pub fn peer(&self) -> Peer {
        self.tx.peer()
    }

    /// Waits until a process has the receiving side, at most for `timeout`. Returns whether one has.
    pub fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        self.tx.wait_for_peer(timeout)
    }

    /// Messages in the channel. The receiver may take some at any time.
    pub fn len(&self) -> usize {
        self.tx.ring.len()
    }

    /// Whether there was no message a moment ago.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there was no room a moment ago. A channel with room keeps it until this handle sends.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Whether this side has closed, or the receiver has closed or given up and none has come since; also once the other side has written what cannot
    /// be. What is sent to a receiver that left waits for the next, after its end was told. A receiver that was killed has not closed:
    /// [`Sender::peer`] asks the kernel.
    pub fn is_closed(&self) -> bool {
        self.tx.is_over()
    }

    /// Which lane of a [`fan_in`](crate::shm::fan_in) this is; 0 of any other channel.
    pub fn lane(&self) -> usize {
        self.tx.lane()
    }

    /// How often the lane has been taken, this time included.
    pub fn epoch(&self) -> u64 {
        self.tx.epoch()
    }

    /// Most messages that the channel holds.
    pub fn capacity(&self) -> usize {
        self.tx.ring.capacity()
    }

    /// What the channel has done since it was made, under all who had its sides.
    pub fn stats(&self) -> Stats {
        self.tx.stats()
    }

    /// No more than `values` can need, and at least one.
    fn most(&self, values: &impl Iterator<Item = T>) -> usize {
        values.size_hint().1.unwrap_or(usize::MAX).clamp(1, self.capacity())
    }

    /// Sends from `values` as many as are reserved.
    fn stage_iter(&mut self, values: &mut impl Iterator<Item = T>) -> usize {
        let PublishOnDrop(Tx { ring, staging, .. }) = &mut PublishOnDrop(&mut self.tx);
        ring.stage_iter(staging, &mut values.map(MessageBytes::new)) as usize
    }

    #[inline(always)]
    fn send_until(&mut self, value: T, deadline: impl FnOnce() -> Deadline) -> Result<(), SendTimeoutError<T, Cause>> {
        if self.tx.push(&value) { Ok(()) } else { self.send_later(value, deadline()) }
    }

    #[cold]
    #[inline(never)]
    fn send_later(&mut self, value: T, deadline: Deadline) -> Result<(), SendTimeoutError<T, Cause>> {
        self.tx.push_later(&value, deadline).map_err(|refused| refused.with(value))
    }
}

impl<T: Message> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("len", &self.len()).field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}
