//! The end that writes.

use super::super::backend::{Backing, Geometry, Heap, drop_run};
use super::super::layout::{ConsumerBlock, LATE, ProducerBlock, RETIRED, Stats, TOLD};
use super::super::slot::{self, Slot};
use super::stats;
#[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
use crate::sync::AtomicU64;
use crate::sync::Ordering;
use crate::sync::failpoint::point;
use crate::sync::order::{mutant, order};
use crate::sync::position::Position;
#[cfg(not(ringmail_loom))]
use core::mem::MaybeUninit;

/// Slots that hold nothing yet, as the two runs they form.
#[cfg(not(ringmail_loom))]
pub(crate) type Vacant<'a, T> = (&'a mut [MaybeUninit<T>], &'a mut [MaybeUninit<T>]);

/// Slots that lie behind each other.
#[cfg(not(ringmail_loom))]
type Run<T> = (*mut Slot<T>, usize);

/// The end that writes.
pub(crate) struct Producer<B: Backing> {
    /// Next position to write.
    tail: Position,
    /// `tail` may not pass this: the last `head` seen, plus capacity.
    full_at: Position,
    /// Values written from `tail` on and not yet published.
    staged: u64,
    /// Slots from `tail` on that a reservation may fill; at most `full_at - tail`.
    reserved: u64,
    closed: bool,
    /// Whether this end has said that it was [`LATE`]: it publishes nothing after that.
    settled: bool,
    /// Whether the other side's position was impossible.
    corrupt: bool,
    /// The other side's last session as this end knows it: it finds no room once there is another, before [`Producer::meet`].
    session: u64,
    geometry: Geometry<B::Item>,
    /// Keeps the memory of `geometry` alive.
    backing: B,
}

// SAFETY: the end is used by one thread at a time (`&mut self`), and values that it writes may be read on another.
unsafe impl<B: Backing> Send for Producer<B> where B::Item: Send {}

impl<B: Backing> Producer<B> {
    /// Resumes at the published position.
    ///
    /// # Safety
    /// No other producer is attached to this ring (I4).
    pub(crate) unsafe fn attach(backing: B) -> Self {
        let geometry = backing.geometry();
        // SAFETY: a backing's blocks are valid while it lives.
        let own = unsafe { geometry.producer.as_ref() };
        let tail = Position::from_word(own.tail.load(Ordering::Relaxed));
        // No room known yet: the first operation looks.
        Self {
            tail,
            full_at: tail,
            staged: 0,
            reserved: 0,
            closed: false,
            settled: false,
            corrupt: false,
            session: 0,
            geometry,
            backing,
        }
    }

    #[inline(always)]
    fn own(&self) -> &ProducerBlock {
        // SAFETY: the backing is alive and keeps its block valid.
        unsafe { self.geometry.producer.as_ref() }
    }

    #[inline(always)]
    fn peer(&self) -> &ConsumerBlock {
        // SAFETY: the backing is alive and keeps its block valid.
        unsafe { self.geometry.consumer.as_ref() }
    }

    /// Where the other side's block lies: what else is in its page is no business of the ring's.
    #[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
    #[inline(always)]
    pub(crate) fn peer_block(&self) -> *const ConsumerBlock {
        self.geometry.consumer.as_ptr()
    }

    /// The word that this end publishes.
    #[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
    #[inline(always)]
    pub(crate) fn position_word(&self) -> &AtomicU64 {
        &self.own().tail
    }

    #[inline(always)]
    fn slot(&self, at: Position) -> *const Slot<B::Item> {
        // SAFETY: the index is at most `mask`, inside the storage.
        unsafe { self.geometry.slots.add(at.slot(self.geometry.mask) as usize) }.as_ptr()
    }

    /// The memory that this end is attached to.
    #[cfg(ringmail_loom)]
    pub(crate) fn backing(&self) -> &B {
        &self.backing
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

    /// Publishes the message that `write` puts into the vacancy. For memory that another process maps, or a model of it.
    #[cfg(any(all(feature = "shm", target_os = "linux", target_pointer_width = "64"), ringmail_loom))]
    #[inline(always)]
    pub(crate) fn fill(&mut self, write: impl FnOnce()) {
        #[cfg(ringmail_planted_early_publish)]
        if B::SHARED {
            // Wrong on purpose: `verify/killsweep/check` shows with it that the sweep would notice.
            self.publish(1);
            return write();
        }
        write();
        self.publish(1);
    }

    #[inline(always)]
    fn publish(&mut self, n: u64) {
        debug_assert!(!self.settled, "nothing is published once the other side was found gone");
        self.tail = self.tail.plus(n);
        point!();
        self.own().tail.store(self.tail.open_word(), order!(publish_tail));
        point!();
    }

    /// Looks how far the consumer has come. Whether there is room now.
    #[cold]
    #[inline(never)]
    fn find_room(&mut self) -> bool {
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
        if B::SHARED && self.backing.consumer_session(&self.geometry) != self.session {
            self.full_at = self.tail;
            return false;
        }
        self.full_at = head.plus(self.geometry.capacity);
        self.tail != self.full_at
    }

    /// Finds room from now on where the other side's last session is this one, and it has not closed.
    #[cfg(any(all(feature = "shm", target_os = "linux", target_pointer_width = "64"), ringmail_loom))]
    pub(crate) fn meet(&mut self, session: u64) {
        self.session = session;
    }

    /// As [`Producer::vacancy`], whether there is a receiver or not: between processes what is sent waits for the next.
    #[cfg(any(all(feature = "shm", target_os = "linux", target_pointer_width = "64"), ringmail_loom))]
    pub(crate) fn vacancy_for_the_next(&mut self) -> Option<*const Slot<B::Item>> {
        (self.tail != self.full_at || self.find_room()).then(|| self.slot(self.tail))
    }

    /// As [`Producer::room`], whether there is a receiver or not.
    #[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
    pub(crate) fn room_for_the_next(&mut self, wanted: u64) -> u64 {
        if self.full_at.since(self.tail) < wanted {
            self.find_room();
        }
        self.full_at.since(self.tail).min(wanted)
    }

    /// As [`Producer::reserve`], whether there is a receiver or not.
    #[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
    pub(crate) fn reserve_for_the_next(&mut self, wanted: u64) -> u64 {
        self.staged = 0;
        self.reserved = self.room_for_the_next(wanted);
        self.reserved
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

    /// Whether the receiver accepts nothing more.
    #[inline(always)]
    pub(crate) fn peer_gone(&self) -> bool {
        self.peer().gone.0.load(Ordering::Relaxed) != 0
    }

    // ---- staging: values written ahead and published together

    /// Begins a reservation of up to `wanted` slots and returns how many. Forgets what an earlier one left staged.
    #[inline(always)]
    pub(crate) fn reserve(&mut self, wanted: u64) -> u64 {
        self.staged = 0;
        self.reserved = self.room(wanted);
        self.reserved
    }

    pub(crate) fn staged(&self) -> u64 {
        self.staged
    }

    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Writes one value into the reservation; returns it if the reservation is used up.
    #[inline(always)]
    pub(crate) fn stage(&mut self, value: B::Item) -> Result<(), B::Item> {
        if self.staged == self.reserved {
            return Err(value);
        }
        // SAFETY: `staged < reserved ≤ full_at - tail`, so the slot is ours and empty (I2).
        unsafe { B::put(self.slot(self.tail.plus(self.staged)), value) };
        self.staged += 1;
        Ok(())
    }

    /// Writes values until the iterator or the reservation ends. Returns how many. If the iterator panics, those before
    /// stay staged.
    #[inline(always)]
    pub(crate) fn stage_iter(&mut self, values: &mut impl Iterator<Item = B::Item>) -> u64 {
        /// Counts what was written even if the iterator panics.
        struct Count<'a>(&'a mut u64, u64);
        impl Drop for Count<'_> {
            fn drop(&mut self) {
                *self.0 = self.1;
            }
        }
        let (before, reserved) = (self.staged, self.reserved);
        // Two runs at most: up to the end of the storage, and from its start.
        let to_end = self.geometry.mask + 1 - self.tail.slot(self.geometry.mask);
        let (slots, first) = (self.geometry.slots, self.slot(self.tail));
        let mut count = Count(&mut self.staged, before);
        while count.1 < reserved.min(to_end) {
            let Some(value) = values.next() else { return count.1 - before };
            // SAFETY: `count < to_end`, inside the storage.
            let slot = unsafe { first.add(count.1 as usize) };
            // SAFETY: `count < reserved ≤ full_at - tail`: ours and empty (I2).
            unsafe { B::put(slot, value) };
            count.1 += 1;
        }
        while count.1 < reserved {
            let Some(value) = values.next() else { return count.1 - before };
            // SAFETY: `count - to_end < reserved - to_end ≤ mask + 1`, inside the storage.
            let slot = unsafe { slots.add((count.1 - to_end) as usize) };
            // SAFETY: `count < reserved ≤ full_at - tail`: ours and empty (I2).
            unsafe { B::put(slot.as_ptr(), value) };
            count.1 += 1;
        }
        count.1 - before
    }

    /// Copies values until the slice or the reservation ends. Returns how many.
    #[inline(always)]
    pub(crate) fn stage_slice(&mut self, values: &[B::Item]) -> u64
    where
        B::Item: Copy,
    {
        let n = (self.reserved - self.staged).min(values.len() as u64);
        let at = self.tail.plus(self.staged);
        let to_end = (self.geometry.mask + 1 - at.slot(self.geometry.mask)).min(n) as usize;
        let (first, second) = values[..n as usize].split_at(to_end);
        if B::SHARED {
            for (offset, &value) in (self.staged..).zip(&values[..n as usize]) {
                // SAFETY: one of `n` reserved slots, ours and empty (I2).
                unsafe { B::put(self.slot(self.tail.plus(offset)), value) };
            }
            self.staged += n;
            return n;
        }
        // SAFETY: `n` slots from `at` on are reserved, ours and empty (I2), the first `to_end` up to the storage's end.
        unsafe { slot::write_run(self.slot(at), first.as_ptr(), first.len()) };
        // SAFETY: the rest of them lie from the storage's start on.
        unsafe { slot::write_run(self.geometry.slots.as_ptr(), second.as_ptr(), second.len()) };
        self.staged += n;
        n
    }

    /// Writes again what was staged `offset` values ago and behind; as much of it as was staged.
    #[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
    pub(crate) fn restage(&mut self, offset: u64, values: &[B::Item])
    where
        B::Item: Copy,
    {
        for (offset, &value) in (offset..self.staged).zip(values) {
            // SAFETY: one of the staged slots, ours until they are published (I2); a `Copy` value needs no drop.
            unsafe { B::put(self.slot(self.tail.plus(offset)), value) };
        }
    }

    /// Publishes what is staged with one store and ends the reservation. Returns how many.
    #[inline(always)]
    pub(crate) fn publish_staged(&mut self) -> u64 {
        self.reserved = 0;
        let n = core::mem::take(&mut self.staged);
        if n != 0 {
            self.publish(n);
        }
        n
    }

    /// Drops what is staged and ends the reservation.
    pub(crate) fn discard_staged(&mut self) {
        self.reserved = 0;
        let n = core::mem::take(&mut self.staged);
        // SAFETY: these values were written by us and never published, so nobody else knows of them.
        unsafe { drop_run(self.geometry.slots, self.geometry.mask, self.tail, self.tail.plus(n)) };
    }

    /// Sends again, where one that left before has closed.
    #[cfg(any(all(feature = "shm", target_os = "linux", target_pointer_width = "64"), ringmail_loom))]
    pub(crate) fn reopen(&mut self) {
        point!();
        self.own().tail.store(self.tail.open_word(), order!(publish_tail));
        point!();
    }

    /// The next position to write.
    #[cfg(any(all(feature = "shm", target_os = "linux", target_pointer_width = "64"), ringmail_loom))]
    #[inline(always)]
    pub(crate) fn position(&self) -> Position {
        self.tail
    }

    /// What the consumer's word holds: to be read before a look that finds nothing, and slept on after it.
    #[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
    pub(crate) fn peer_word(&self) -> u64 {
        B::observe(&self.peer().head, Ordering::Relaxed)
    }

    /// Whether another receiver has begun than the one this end knows: there may be room that it does not find.
    #[cfg(any(all(feature = "shm", target_os = "linux", target_pointer_width = "64"), ringmail_loom))]
    pub(crate) fn is_behind(&self) -> bool {
        self.backing.consumer_session(&self.geometry) != self.session
    }

    /// Whether the answer "no room" has another reason than a full ring: the receiver closed, wrote nonsense, or is another than this end knows.
    #[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
    pub(crate) fn is_strange(&self) -> bool {
        self.corrupt || self.peer_gone() || self.is_behind()
    }

    /// The message that must be consumed before there is room for `n`.
    #[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
    pub(crate) fn awaited(&self, n: u64) -> Position {
        self.tail.plus(n.wrapping_sub(1)).plus(self.geometry.capacity.wrapping_neg())
    }

    /// Sends nothing more: what the other side wrote elsewhere cannot be.
    #[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
    pub(crate) fn spoil(&mut self) {
        (self.full_at, self.corrupt) = (self.tail, true);
    }

    /// Whether the consumer's position was impossible.
    #[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
    pub(crate) fn is_corrupt(&self) -> bool {
        self.corrupt
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

    /// Says that nothing more comes. If the consumer has retired, drops what it left; else the consumer does.
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
        // Before any value's own code runs, so that whoever frees the memory does not drop it again. The word is ours
        // now (I5), and the memory's owners are ordered by their reference count.
        if !mutant!(InheritStore) {
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

    /// The slots of the reservation that hold nothing yet, in order, as the two runs they form.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn vacant(&mut self) -> Vacant<'_, T> {
        let (first, second) = self.vacant_runs();
        // SAFETY: reserved slots, ours alone (I2) for as long as `self` is borrowed; a slot is `repr(transparent)` over `MaybeUninit<T>`.
        let first = unsafe { core::slice::from_raw_parts_mut(first.0.cast(), first.1) };
        // SAFETY: as above, disjoint from the first run.
        let second = unsafe { core::slice::from_raw_parts_mut(second.0.cast(), second.1) };
        (first, second)
    }
}

impl<B: Backing> Producer<B> {
    /// The slots of the reservation that are not staged, in order, as the two runs they form.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn vacant_runs(&mut self) -> (Run<B::Item>, Run<B::Item>) {
        let n = (self.reserved - self.staged) as usize;
        let at = self.tail.plus(self.staged);
        let to_end = ((self.geometry.mask + 1 - at.slot(self.geometry.mask)) as usize).min(n);
        ((self.slot(at).cast_mut(), to_end), (self.geometry.slots.as_ptr(), n - to_end))
    }

    /// Counts `n` more values as staged.
    ///
    /// # Safety
    /// The first `n` slots of [`Producer::vacant_runs`] have been written.
    pub(crate) unsafe fn assume_staged(&mut self, n: u64) {
        self.staged += n.min(self.reserved - self.staged);
    }
}

impl<B: Backing> Producer<B> {
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
    #[cfg(feature = "std")]
    pub(crate) fn sent(&self) -> u64 {
        self.tail.since(self.geometry.start)
    }

    /// Counts a refusal.
    pub(crate) fn count_full(&mut self) {
        self.own().counters.0.full.add(1);
        point!();
    }

    #[cfg(feature = "std")]
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

impl<B: Backing> Drop for Producer<B> {
    /// What a consumer that has retired left is dropped with the memory, unless this end settled before.
    fn drop(&mut self) {
        if self.backing.is_here() {
            self.close();
        }
    }
}
