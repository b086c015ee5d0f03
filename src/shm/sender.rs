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
    #[inline]
    pub fn try_send(&mut self, value: T) -> Result<(), TrySendError<T, Cause>> {
        match self.tx.push(value) {
            Ok(()) => Ok(()),
            Err(value) => Err(self.refused(value)),
        }
    }

    /// Sends `value`, waiting for room if need be; also for a receiver that was never there.
    ///
    /// # Errors
    /// `Disconnected` with the cause; the value comes back.
    #[inline]
    pub fn send(&mut self, value: T) -> Result<(), SendError<T, Cause>> {
        match self.tx.push(value) {
            Ok(()) => Ok(()),
            Err(value) => self.send_later(value, Deadline::NEVER).map_err(send_without_deadline),
        }
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
        Ok(self.stage_iter(&mut values.iter().copied()))
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

    /// Why that was not sent.
    #[cold]
    #[inline(never)]
    fn refused(&mut self, value: T) -> TrySendError<T, Cause> {
        match self.tx.refusal(1) {
            None => TrySendError::Full(value),
            Some(ended) => TrySendError::Disconnected(value, ended),
        }
    }

    #[inline(always)]
    fn send_until(&mut self, value: T, deadline: impl FnOnce() -> Deadline) -> Result<(), SendTimeoutError<T, Cause>> {
        match self.tx.push(value) {
            Ok(()) => Ok(()),
            Err(value) => self.send_later(value, deadline()),
        }
    }

    #[cold]
    #[inline(never)]
    fn send_later(&mut self, mut value: T, deadline: Deadline) -> Result<(), SendTimeoutError<T, Cause>> {
        loop {
            if let Some(ended) = self.tx.refusal(1) {
                return Err(SendTimeoutError::Disconnected(value, ended));
            }
            match self.tx.wait_for_room(1, deadline) {
                Ok(()) => {}
                Err(SendTimeoutError::Timeout(())) => return Err(SendTimeoutError::Timeout(value)),
                Err(SendTimeoutError::Disconnected((), ended)) => {
                    return Err(SendTimeoutError::Disconnected(value, ended));
                }
            }
            match self.tx.push(value) {
                Ok(()) => return Ok(()),
                Err(back) => value = back,
            }
        }
    }
}

impl<T: Message> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("len", &self.len()).field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}
