//! The end that writes.

use super::super::backend::{Backend, Geometry, Heap, drop_run};
use super::super::layout::{ConsumerBlock, LATE, ProducerBlock, RETIRED, Stats, TOLD};
use super::super::place::{Filled, Place};
use super::super::slot::{self, Slot};
use super::stats;
use crate::sync::Ordering;
use crate::sync::failpoint::point;
use crate::sync::order::{mutant, order};
use crate::sync::position::Position;

/// The end that writes.
pub(crate) struct Producer<B: Backend> {
    /// Next position to write.
    pub(super) tail: Position,
    /// `tail` may not pass this: the last `head` seen, plus capacity.
    pub(super) full_at: Position,
    pub(super) closed: bool,
    /// Whether this end has set [`LATE`]: it publishes nothing after that.
    pub(super) settled: bool,
    /// Whether the other side's position was impossible.
    pub(super) corrupt: bool,
    /// The other side's last session as this end knows it: it finds no room once there is another, before [`Producer::meet`].
    pub(super) session: u64,
    pub(super) geometry: Geometry<B::Item>,
    /// Keeps the memory of `geometry` alive.
    pub(super) backend: B,
}

// SAFETY: the end is used by one thread at a time (`&mut self`), and values that it writes may be read on another.
unsafe impl<B: Backend> Send for Producer<B> where B::Item: Send {}

impl<B: Backend> Producer<B> {
    /// Resumes at the published position.
    ///
    /// # Safety
    /// No other producer is attached to this ring (I4).
    pub(crate) unsafe fn attach(backend: B) -> Self {
        let geometry = backend.geometry();
        // SAFETY: a backend's blocks are valid while it lives.
        let own = unsafe { geometry.producer.as_ref() };
        let tail = Position::from_word(own.tail.load(Ordering::Relaxed));
        // No room known yet: the first operation looks.
        Self { tail, full_at: tail, closed: false, settled: false, corrupt: false, session: 0, geometry, backend }
    }

    #[inline(always)]
    pub(super) fn own(&self) -> &ProducerBlock {
        // SAFETY: the backend is alive and keeps its block valid.
        unsafe { self.geometry.producer.as_ref() }
    }

    #[inline(always)]
    pub(super) fn peer(&self) -> &ConsumerBlock {
        // SAFETY: the backend is alive and keeps its block valid.
        unsafe { self.geometry.consumer.as_ref() }
    }

    #[inline(always)]
    pub(super) fn slot(&self, at: Position) -> *const Slot<B::Item> {
        // SAFETY: the index is at most `mask`, inside the storage.
        unsafe { self.geometry.slots.add(at.slot(self.geometry.mask) as usize) }.as_ptr()
    }

    /// The memory that this end is attached to.
    #[cfg(ringmail_loom)]
    pub(crate) fn backend(&self) -> &B {
        &self.backend
    }

    /// The slot of the next message, which is ours and empty until that is published (I2); `None` if there is no room or no receiver.
    #[inline(always)]
    pub(crate) fn vacancy(&mut self) -> Option<*const Slot<B::Item>> {
        if self.peer_gone() || (self.tail == self.full_at && !self.find_room()) {
            return None;
        }
        let ahead = const { if size_of::<B::Item>() < 32 { 0 } else { slot::ahead::<B::Item>() } };
        // Only a slot that is ours: the consumer may be reading the others.
        if ahead != 0 && self.full_at.since(self.tail) > ahead {
            slot::prefetch_for_write(self.slot(self.tail.plus(ahead)));
        }
        Some(self.slot(self.tail))
    }

    #[inline(always)]
    pub(super) fn publish(&mut self, n: u64) {
        debug_assert!(!self.settled, "nothing is published once the other side was found gone");
        self.tail = self.tail.plus(n);
        point!();
        self.own().tail.store(self.tail.open_word(), order!(publish_tail));
        point!();
    }

    /// Loads the consumer's position. Whether there is room now.
    #[cold]
    #[inline(never)]
    pub(super) fn find_room(&mut self) -> bool {
        if self.closed {
            return false;
        }
        let word = B::observe(&self.peer().head, order!(observe_head));
        let head = Position::from_word(word);
        // No consumer closes its word.
        let nonsense = self.tail.since(head) > self.geometry.capacity || Position::is_closed(word);
        if B::SHARED && (self.corrupt || nonsense) {
            // The other side wrote nonsense: no room, ever.
            (self.full_at, self.corrupt) = (self.tail, true);
            return false;
        }
        // After the position: a receiver that has freed a place since has begun before.
        if B::SHARED && self.backend.consumer_session(&self.geometry) != self.session {
            self.full_at = self.tail;
            return false;
        }
        self.full_at = head.plus(self.geometry.capacity);
        self.tail != self.full_at
    }

    /// Room for up to `wanted` messages: as many as are free, 0 if full or if no receiver is left.
    #[inline(always)]
    pub(crate) fn room(&mut self, wanted: u64) -> u64 {
        if self.peer_gone() {
            return 0;
        }
        if self.full_at.since(self.tail) < wanted {
            self.find_room();
        }
        self.full_at.since(self.tail).min(wanted)
    }

    /// Room that is known without a look: at most what there is.
    #[inline(always)]
    pub(crate) fn known_room(&self) -> u64 {
        self.full_at.since(self.tail)
    }

    /// Whether the receiver accepts nothing more.
    #[inline(always)]
    pub(crate) fn peer_gone(&self) -> bool {
        self.peer().gone.0.load(Ordering::Relaxed) != 0
    }

    /// Sends nothing more. The consumer still gets what was published.
    pub(crate) fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.full_at = self.tail;
            point!();
            self.own().tail.store(self.tail.closed_word(), order!(close_tail));
            point!();
        }
    }

    /// Sets LATE: this end publishes nothing more. If the consumer has retired, drops what is left; else the consumer does.
    #[cold]
    fn take_over(&mut self, noted: impl FnOnce()) {
        self.settled = true;
        let gone = self.peer().gone.0.fetch_or(LATE, order!(come_late));
        if gone & TOLD != 0 {
            noted();
        }
        if gone & RETIRED == 0 {
            return;
        }
        let head = Position::from_word(self.peer().head.load(Ordering::Relaxed));
        // Before any value's own code runs, so that the last owner of the memory does not drop a value again. The word is ours
        // now (I5), and the memory's owners are ordered by their reference count.
        if !mutant!(TakeOverStore) {
            self.peer().head.store(self.tail.open_word(), Ordering::Relaxed);
        }
        // SAFETY: the consumer retired before we were late, so the values in [head, tail) are ours (I3, I5), and we just gave up `head`.
        unsafe { drop_run(self.geometry.slots, self.geometry.mask, head, self.tail) };
    }
}

impl<T> Producer<Heap<T>> {
    /// Sends one value; returns it if there is no room or no receiver. Wait-free.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: T) -> Result<(), T> {
        let Some(slot) = self.vacancy() else { return Err(value) };
        // SAFETY: just found vacant.
        unsafe { slot::write(slot, value) };
        self.publish(1);
        Ok(())
    }

    /// Sends what `write` puts into the slot; returns `write` if there is no room or no receiver. If it panics, nothing is sent.
    #[inline(always)]
    pub(crate) fn push_with<F>(&mut self, write: F) -> Result<(), F>
    where
        F: FnOnce(Place<'_, T>) -> Filled<'_>,
    {
        let Some(slot) = self.vacancy() else { return Err(write) };
        // SAFETY: just found vacant.
        unsafe { slot::write_with(slot, write) };
        self.publish(1);
        Ok(())
    }
}

impl<B: Backend> Producer<B> {
    /// Whether a send can never succeed again.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed || self.peer_gone()
    }

    /// To be called once nothing can be sent any more: if the consumer has left, drops what was published behind its last look.
    /// `noted` is called if the event count told this end that the consumer has left, and need not say so any more.
    #[inline(always)]
    pub(crate) fn drop_orphans(&mut self, noted: impl FnOnce()) {
        if !B::SHARED && self.peer_gone() && !self.settled {
            self.take_over(noted);
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.geometry.capacity as usize
    }

    /// Messages in the ring; the consumer may take some meanwhile, so it is at most this.
    pub(crate) fn len(&self) -> usize {
        let head = Position::from_word(B::observe(&self.peer().head, Ordering::Relaxed));
        self.tail.since(head).min(self.geometry.capacity) as usize
    }

    /// Messages sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.tail.since(self.geometry.start)
    }

    /// Counts a refusal.
    pub(crate) fn count_full(&mut self) {
        self.own().counters.0.full.add(1);
        point!();
    }

    pub(crate) fn count_parks(&self, n: u64) {
        self.own().counters.0.parks.add(n);
        point!();
    }

    pub(crate) fn count_wake(&self) {
        self.own().counters.0.wakes.add(1);
        point!();
    }

    pub(crate) fn stats(&self) -> Stats {
        let head = Position::from_word(B::observe(&self.peer().head, Ordering::Relaxed));
        stats(self.own(), self.peer(), self.geometry.start, head, self.tail, self.geometry.capacity)
    }
}

impl<B: Backend> Drop for Producer<B> {
    /// What a consumer that has retired left is dropped with the memory, unless [`Producer::drop_orphans`] was called before.
    fn drop(&mut self) {
        if self.backend.is_here() {
            self.close();
        }
    }
}
