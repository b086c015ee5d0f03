//! One of the ends that write.

use super::{ASKED, DropOwner, HELD, Ring, Slots, Stamped};
use crate::ring::layout::Stats;
use crate::ring::place::{Filled, Place};
use crate::ring::slot;
use crate::sync::order::{mutant, order};
use crate::sync::position::Position;
use crate::sync::{Arc, Ordering};
use alloc::vec::Vec;

/// Refusals of one end that are added to the common count together.
const COUNTED_TOGETHER: u64 = 64;

/// The ring as its producers see it, without what an end keeps for itself. It does not count as an end.
pub(crate) struct Writer<T> {
    pub(super) ring: Arc<Ring<T>>,
    slots: Slots<T>,
}

// SAFETY: the values that it writes may be read on another thread; the rest is atomic, or never changes.
unsafe impl<T: Send> Send for Writer<T> {}

impl<T> Clone for Writer<T> {
    fn clone(&self) -> Self {
        Self { slots: self.ring.slots(), ring: Arc::clone(&self.ring) }
    }
}

impl<T> Writer<T> {
    /// Prefetches the line that this thread, or another, writes soon after `at`, which it has just claimed. `free` says how many places are known to be free
    /// from there on.
    #[inline(always)]
    pub(super) fn prepare(&self, at: Position, free: impl FnOnce() -> u64) {
        let ahead = const { slot::ahead::<Stamped<T>>() };
        // Each line once. Small cells: their number in a line is a power of two, as a stamp has eight bytes.
        let in_line = const { if size_of::<Stamped<T>>() < 64 { 64 / size_of::<Stamped<T>>() as u64 } else { 1 } };
        let first = at.slot(in_line - 1) == 0;
        // Only a slot that is free: the consumer may be reading the others.
        if ahead != 0 && first && free() > ahead {
            slot::prefetch_for_write(self.slots.place(at.plus(ahead)));
        }
    }

    /// # Safety
    /// The caller claimed the position, and has not published it.
    #[inline(always)]
    pub(super) unsafe fn publish(&self, at: Position, value: T) {
        let place = self.slots.at(at);
        // SAFETY: the slot is the caller's by its promise, and empty (M1).
        unsafe { slot::write(&raw const place.value, value) };
        place.stamp.store(at.plus(1).open_word(), order!(publish_stamp));
    }

    /// Whether the last end has left, or the consumer accepts nothing more.
    pub(crate) fn is_closed(&self) -> bool {
        Position::is_closed(self.ring.tail.load(Ordering::Relaxed))
    }

    /// Whether there was no message a moment ago.
    pub(crate) fn looks_empty(&self) -> bool {
        self.ring.len() == 0
    }

    /// To be called after a publication if the event count of the consumer says that it has left. If another end has the role of the reader, asks it
    /// for another look; else takes the role.
    pub(crate) fn come_late(&self, noted: impl FnMut()) {
        // The event count may be of several channels.
        if self.is_closed()
            && (self.ring.reader.held.swap(HELD | ASKED, order!(ask_drop_owner)) & HELD == 0 || mutant!(OneDropOwner))
        {
            // SAFETY: no end had the role, and now we have it (M5).
            unsafe { DropOwner::new(&self.ring, &self.slots, noted) }.serve();
        }
    }

    /// To be called once nothing can be sent any more: if the consumer has left, drops what it did not, up to the first claim that is still
    /// open, unless another end does that already. `noted` is called once the event count need not say any more that the consumer has left.
    pub(crate) fn drop_orphans(&self, noted: impl FnMut()) {
        let held = &self.ring.reader.held;
        let taken = held.compare_exchange(0, HELD, order!(take_over_head), Ordering::Relaxed);
        if taken.is_ok() || mutant!(OneDropOwner) {
            // SAFETY: no end had the role, and now we have it (M5).
            unsafe { DropOwner::new(&self.ring, &self.slots, noted) }.serve();
        }
    }

    /// What a sleeping consumer waits for lies among `n` positions from `at`.
    pub(crate) fn is_awaited(&self, at: Position, n: u64) -> bool {
        let awaited = Position::from_word(self.ring.consumer.awaited.load(Ordering::Relaxed));
        awaited.since(at) < n
    }

    /// Ends there are.
    pub(crate) fn alive(&self) -> usize {
        self.ring.producers.alive.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn capacity(&self) -> usize {
        self.ring.capacity as usize
    }

    /// Places that are claimed and not freed; the consumer may free some meanwhile, so it is at most this.
    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }

    pub(crate) fn stats(&self) -> Stats {
        self.ring.stats()
    }

    /// Counts `n` refusals.
    pub(crate) fn count_full(&self, n: u64) {
        self.ring.producers.full.add_shared(n);
    }

    pub(crate) fn count_wake(&self) {
        self.ring.producers.wakes.add_shared(1);
    }
}

/// One of the ends that write.
pub(crate) struct Producer<T> {
    writer: Writer<T>,
    /// Of the ring; 0 once this end sends nothing more.
    capacity: u64,
    /// The last `head` seen.
    head_seen: Position,
    /// Refusals that are not in the common count yet.
    full: u64,
}

// SAFETY: used by one thread at a time (`&mut self`); the values it writes may be read on another.
unsafe impl<T: Send> Send for Producer<T> {}

impl<T> Producer<T> {
    /// One that the ring already counts.
    pub(super) fn new(ring: Arc<Ring<T>>) -> Self {
        let capacity = ring.capacity;
        Self::attach(ring, capacity)
    }

    fn attach(ring: Arc<Ring<T>>, capacity: u64) -> Self {
        // As fresh as any look: the places before it are free (M1).
        let head_seen = Position::from_word(ring.head.load(order!(find_head)));
        Self { writer: Writer { slots: ring.slots(), ring }, capacity, head_seen, full: 0 }
    }

    /// Another end of the same ring. Of an end that is closed, one that is closed too.
    pub(crate) fn another(&self) -> Self {
        let live = if self.capacity == 0 { None } else { Self::revive(&self.writer.ring) };
        live.unwrap_or_else(|| Self::attach(Arc::clone(&self.writer.ring), 0))
    }

    /// One more end, unless all have left.
    fn revive(ring: &Arc<Ring<T>>) -> Option<Self> {
        let alive = &ring.producers.alive;
        let mut now = alive.load(Ordering::Relaxed);
        while now != 0 {
            match alive.compare_exchange_weak(now, now + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(Self::new(Arc::clone(ring))),
                Err(other) => now = other,
            }
        }
        None
    }

    /// A reference that does not count as an end.
    pub(crate) fn downgrade(&self) -> Weak<T> {
        Weak(Arc::clone(&self.writer.ring))
    }

    /// What it knows of the ring, without its own copies.
    #[inline(always)]
    pub(crate) fn writer(&self) -> &Writer<T> {
        &self.writer
    }

    /// Sends one value and returns its position; returns the value if there is no room or no receiver. Lock-free.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: T) -> Result<Position, T> {
        let Some((at, _)) = self.claim(1) else { return Err(value) };
        // SAFETY: we just claimed it.
        unsafe { self.writer.publish(at, value) };
        self.writer.prepare(at, || self.capacity - at.since(self.head_seen));
        Ok(at)
    }

    /// Copies as many of `values` as there is room for, with one claim. Returns where they begin and how many.
    pub(crate) fn push_slice(&mut self, values: &[T]) -> Option<(Position, u64)>
    where
        T: Copy,
    {
        if values.is_empty() {
            return None;
        }
        let (from, n) = self.claim(values.len() as u64)?;
        let mut at = from;
        for value in &values[..n as usize] {
            // SAFETY: we just claimed it, and come here once.
            unsafe { self.writer.publish(at, *value) };
            at = at.plus(1);
        }
        Some((from, n))
    }

    /// Moves as many of `values`, from the first on, as there is room for, with one claim. Returns where they begin and how
    /// many.
    pub(crate) fn push_all(&mut self, values: &mut Vec<T>) -> Option<(Position, u64)> {
        if values.is_empty() {
            return None;
        }
        let (from, n) = self.claim(values.len() as u64)?;
        let mut at = from;
        for value in values.drain(..n as usize) {
            // SAFETY: we just claimed it, and come here once.
            unsafe { self.writer.publish(at, value) };
            at = at.plus(1);
        }
        Some((from, n))
    }

    /// Claims up to `wanted` places.
    #[inline(always)]
    pub(crate) fn hold(&mut self, wanted: u64) -> Option<Claim<'_, T>> {
        if wanted == 0 {
            return None;
        }
        let (at, left) = self.claim(wanted)?;
        Some(Claim { producer: self, at, left })
    }

    /// Claims up to `wanted` positions, at least one.
    #[inline(always)]
    fn claim(&mut self, wanted: u64) -> Option<(Position, u64)> {
        let mut word = self.writer.ring.tail.load(Ordering::Relaxed);
        let mut looked = false;
        loop {
            let tail = Position::from_word(word);
            let used = tail.since(self.head_seen);
            if used >= self.capacity {
                word = self.find_room(word)?;
                continue;
            }
            let n = if wanted == 1 { 1 } else { wanted.min(self.capacity - used) };
            if n < wanted && !looked {
                // There may be more room than this end knows of.
                looked = true;
                word = self.find_room(word)?;
                continue;
            }
            // A claim carries no data, and what it needs of `head` this end has loaded itself (M1). Release for `find_room` alone.
            // From the open word: of a ring that is closed nothing can be claimed.
            match self.writer.ring.tail.compare_exchange_weak(
                tail.open_word(),
                tail.plus(n).open_word(),
                order!(claim_tail),
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some((tail, n)),
                Err(now) if Position::is_closed(now) => return None,
                Err(now) => word = now,
            }
        }
    }

    /// Looks how far the consumer has come. A word of `tail` to claim from, if there is room.
    #[cold]
    #[inline(never)]
    fn find_room(&mut self, word: u64) -> Option<u64> {
        if Position::is_closed(word) || self.capacity == 0 {
            return None;
        }
        // Loads `tail` again, with Acquire: then this `head` is not behind the one that the last claimer saw. With an older `head` the ring would
        // look full that never was, or fuller than full.
        let word = self.writer.ring.tail.load(order!(observe_claim));
        self.head_seen = Position::from_word(self.writer.ring.head.load(order!(find_head)));
        let used = Position::from_word(word).since(self.head_seen);
        if used < self.capacity {
            Some(word)
        } else if used == self.capacity || mutant!(StaleTail) {
            None
        } else {
            // This `tail` is behind `head`. Every claim before `head` is ordered before the store of `head` that we saw, so the next load of
            // `tail` is not behind it.
            Some(self.writer.ring.tail.load(Ordering::Relaxed))
        }
    }

    /// Sends nothing more. How many ends are left; without one the consumer must be woken. `None` if this one was closed before.
    pub(crate) fn close(&mut self, noted: impl FnMut()) -> Option<usize> {
        if core::mem::take(&mut self.capacity) == 0 {
            return None;
        }
        self.show_full();
        let left = self.writer.ring.producers.alive.fetch_sub(1, order!(leave_senders)) - 1;
        if left == 0 {
            self.writer.ring.close_tail();
            self.writer.ring.ended.store(1, order!(end_tail));
        }
        // Last: a value's own code may panic.
        self.writer.drop_orphans(noted);
        Some(left as usize)
    }

    fn show_full(&mut self) {
        self.writer.count_full(core::mem::take(&mut self.full));
    }
}

impl<T> Producer<T> {
    /// Whether a send can never succeed again.
    pub(crate) fn is_closed(&self) -> bool {
        self.capacity == 0 || self.writer.is_closed()
    }

    /// Whether there was room for a message a moment ago; looks again if none was known. Another producer may take it.
    pub(crate) fn has_room(&mut self) -> bool {
        let word = self.writer.ring.tail.load(Ordering::Relaxed);
        Position::from_word(word).since(self.head_seen) < self.capacity || self.find_room(word).is_some()
    }

    /// Places that all producers have claimed so far.
    pub(crate) fn sent(&self) -> u64 {
        self.writer.ring.tail().since(self.writer.ring.start)
    }

    /// Counts a refusal. It shows in the common count some refusals later: a line that all producers write, written each time, would slow
    /// them all down.
    pub(crate) fn count_full(&mut self) {
        self.full += 1;
        if self.full == COUNTED_TOGETHER {
            self.show_full();
        }
    }

    pub(crate) fn count_parks(&self, n: u64) {
        self.writer.ring.producers.parks.add_shared(n);
    }

    pub(crate) fn stats(&self) -> Stats {
        let stats = self.writer.ring.stats();
        Stats { full: stats.full + self.full, ..stats }
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.close(|| ());
    }
}

/// A reference to a ring that does not count as an end.
pub(crate) struct Weak<T>(Arc<Ring<T>>);

impl<T> Clone for Weak<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Weak<T> {
    /// An end, unless all have left.
    pub(crate) fn upgrade(&self) -> Option<Producer<T>> {
        Producer::revive(&self.0)
    }
}

/// Claimed places. What is not filled when it is dropped becomes tombstones (M3).
pub(crate) struct Claim<'a, T> {
    producer: &'a mut Producer<T>,
    at: Position,
    left: u64,
}

impl<T> Claim<'_, T> {
    /// Where the unfilled places begin, and how many there are.
    pub(crate) fn unfilled(&self) -> (Position, u64) {
        (self.at, self.left)
    }

    /// Publishes what `write` puts into the next place, if one is left. If it panics, the place is still to be filled.
    #[inline(always)]
    pub(crate) fn fill_with(&mut self, write: impl FnOnce(Place<'_, T>) -> Filled<'_>) {
        if self.left == 0 {
            return;
        }
        // SAFETY: it is of this claim, and not filled (M2).
        unsafe { slot::write_with(&raw const self.producer.writer.slots.at(self.at).value, write) };
        let at = self.advance();
        self.producer.writer.slots.at(at).stamp.store(at.plus(1).open_word(), order!(publish_stamp));
    }

    #[inline(always)]
    fn advance(&mut self) -> Position {
        let at = self.at;
        (self.at, self.left) = (at.plus(1), self.left - 1);
        at
    }

    /// Leaves tombstones in the places that are not filled.
    #[inline(always)]
    pub(crate) fn give_up(&mut self) {
        while self.left != 0 {
            let at = self.advance();
            self.producer.writer.slots.at(at).stamp.store(at.plus(1).closed_word(), order!(publish_stamp));
        }
    }

    /// The ring that they are of.
    pub(crate) fn writer(&self) -> &Writer<T> {
        &self.producer.writer
    }
}

impl<T> Drop for Claim<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.give_up();
    }
}
