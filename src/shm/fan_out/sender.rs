//! The sending side.

use crate::ring::layout::Stats;
use crate::shm::error::{Cause, SendError, SendTimeoutError, TrySendError, send_without_deadline};
use crate::shm::peer::session::{End, Peer};
use crate::shm::ring::open::Opened;
use crate::shm::ring::workers::Workers;
use crate::shm::schema::Message;
use crate::sync::OnDrop;
use crate::wait::{Deadline, WaitStrategy};
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;
use std::time::Instant;

/// The sending side: the only one that writes to the lanes. Dropping it closes all of them in order; the workers still receive what was sent. A process that ends
/// without is noticed by the kernel.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Sender<T: Message> {
    workers: Workers<T>,
}

impl<T: Message> Sender<T> {
    pub(super) fn begin(opened: Opened, wait: WaitStrategy) -> Self {
        Self { workers: Workers::begin(opened, wait) }
    }

    /// Sends `value` to a worker that has room now. A number of steps that is bounded by that of the lanes.
    ///
    /// A worker may leave meanwhile: then others receive the message. Asks the kernel now and then whether workers live where nothing moves: once in 4096
    /// calls. Else [`Sender::peer`] and the verbs that wait do.
    ///
    /// # Errors
    /// `Full`, also where there is no worker; or `Disconnected` with the cause. The value comes back.
    #[inline]
    pub fn try_send(&mut self, value: T) -> Result<(), TrySendError<T, Cause>> {
        if self.workers.push(&value) { Ok(()) } else { Err(self.workers.why_full().with(value)) }
    }

    /// Sends `value`, waiting for room if need be; also for a worker.
    ///
    /// # Errors
    /// `Disconnected` with the cause: this side has closed, the file is gone, or every lane is corrupted. The value comes back.
    #[inline]
    pub fn send(&mut self, value: T) -> Result<(), SendError<T, Cause>> {
        self.send_until(value, || Deadline::NEVER).map_err(send_without_deadline)
    }

    /// As [`Sender::send`], waiting for at most `timeout`.
    ///
    /// # Errors
    /// No room in time, or as there.
    pub fn send_timeout(&mut self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T, Cause>> {
        self.send_until(value, || Deadline::after(Some(timeout)))
    }

    /// As [`Sender::send`], waiting until `deadline`.
    ///
    /// # Errors
    /// No room in time, or as there.
    pub fn send_deadline(&mut self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T, Cause>> {
        self.send_until(value, || Deadline::at(deadline))
    }

    /// As [`Sender::try_send`], a copy of `value` straight from where it is to its place in the channel. For large messages.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn try_send_ref(&mut self, value: &T) -> Result<(), TrySendError<(), Cause>> {
        if self.workers.push(value) { Ok(()) } else { Err(self.workers.why_full()) }
    }

    /// As [`Sender::send`], a copy of `value` straight from where it is to its place in the channel. For large messages.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn send_ref(&mut self, value: &T) -> Result<(), SendError<(), Cause>> {
        self.workers.push_until(value, || Deadline::NEVER).map_err(send_without_deadline)
    }

    /// As [`Sender::try_send`], to the worker that `key` belongs to: see [the module](super#keys).
    ///
    /// Takes about a nanosecond for each lane, and a hash of the key by std's `RandomState`, so that keys that are chosen with malice do not gather at one worker.
    ///
    /// # Errors
    /// `Full` if that worker's lane has no room, or may not be used yet; or as there.
    pub fn try_send_by_key<K: Hash + ?Sized>(&mut self, key: &K, value: T) -> Result<(), TrySendError<T, Cause>> {
        self.by_key(key, |tx| tx.try_send(value))
    }

    /// As [`Sender::send`], to the worker that `key` belongs to. Waits for that one's lane, also if others have room.
    ///
    /// # Errors
    /// As there.
    pub fn send_by_key<K: Hash + ?Sized>(&mut self, key: &K, value: T) -> Result<(), SendError<T, Cause>> {
        self.by_key(key, |tx| tx.send(value))
    }

    /// As [`Sender::send_timeout`], to the worker that `key` belongs to.
    ///
    /// # Errors
    /// As there.
    pub fn send_timeout_by_key<K: Hash + ?Sized>(
        &mut self,
        key: &K,
        value: T,
        timeout: Duration,
    ) -> Result<(), SendTimeoutError<T, Cause>> {
        self.by_key(key, |tx| tx.send_timeout(value, timeout))
    }

    /// As [`Sender::send_deadline`], to the worker that `key` belongs to.
    ///
    /// # Errors
    /// As there.
    pub fn send_deadline_by_key<K: Hash + ?Sized>(
        &mut self,
        key: &K,
        value: T,
        deadline: Instant,
    ) -> Result<(), SendTimeoutError<T, Cause>> {
        self.by_key(key, |tx| tx.send_deadline(value, deadline))
    }

    /// Runs `verb` with this key; after it, also by a panic, there is none.
    fn by_key<K: Hash + ?Sized, R>(&mut self, key: &K, verb: impl FnOnce(&mut Self) -> R) -> R {
        // Before the key counts: the `hash` of a key may panic.
        let hash = self.workers.hasher.hash_one(key);
        self.workers.key = Some(hash);
        let keyed = OnDrop(self, |tx: &mut Self| tx.workers.key = None);
        verb(&mut *keyed.0)
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.workers.set_wait(strategy);
    }

    /// Sends nothing more. The workers still receive what was sent, and then are told `Disconnected`. Dropping does the same.
    pub fn close(&mut self) {
        self.workers.close(None);
    }

    /// Closes as [`Sender::close`] does, and says that not all was sent that was to be: the workers get [`Cause::GivenUp`]. So do those whose sender is
    /// dropped by a panic.
    pub fn give_up(&mut self) {
        self.workers.close(Some(End::GivenUp));
    }

    /// What the kernel says of a lane's worker; `None` if there is no such lane. A system call.
    ///
    /// For a moment [`Peer::Here`] too, where another worker takes what the last one left.
    pub fn peer(&self, lane: usize) -> Option<Peer> {
        self.workers.peer(lane)
    }

    /// How many workers are there, as the kernel says. A system call for each lane that had one.
    pub fn worker_count(&mut self) -> usize {
        self.workers.worker_count()
    }

    /// Waits until a worker has a lane, at most for `timeout`. Returns whether one has.
    pub fn wait_for_worker(&mut self, timeout: Duration) -> bool {
        self.workers.wait_for_worker(timeout)
    }

    /// Messages that no worker has received, those included that workers have left. Workers may take some at any time.
    pub fn len(&self) -> usize {
        self.workers.unread()
    }

    /// Whether every message had been received a moment ago. After a close that is final.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this side has closed, or every lane is corrupted.
    pub fn is_closed(&self) -> bool {
        self.workers.is_over()
    }

    /// Lanes of the channel, used or not.
    pub fn lanes(&self) -> usize {
        self.workers.lane_count()
    }

    /// Most messages that all lanes hold together.
    pub fn capacity(&self) -> usize {
        self.workers.places()
    }

    /// How often this side has been taken, this time included.
    pub fn epoch(&self) -> u64 {
        self.workers.epoch()
    }

    /// What a lane has done since the channel was made, under all who had its sides; `None` if there is no such lane. This side's sleeps, and the sends
    /// that found no room, are counted on the first lane.
    pub fn stats(&self, lane: usize) -> Option<Stats> {
        self.workers.stats(lane)
    }

    #[inline]
    fn send_until(&mut self, value: T, deadline: impl FnOnce() -> Deadline) -> Result<(), SendTimeoutError<T, Cause>> {
        self.workers.push_until(&value, deadline).map_err(|refused| refused.with(value))
    }
}

impl<T: Message> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("lanes", &self.lanes()).field("len", &self.len()).finish_non_exhaustive()
    }
}
