//! One producer, one consumer: the two ends of a ring. Safe to call; the rules they keep are I1–I6 of [`super`].
//!
//! Neither end waits, wakes or reports errors: that is the channel's business.
//!
//! Leaving. The producer's last store is `tail | closed`. The consumer first sets `gone`, so that the next send is refused,
//! then drops what it can see, then stores `head | closed`: it has retired and touches nothing more. A message that was
//! published in between belongs from then on to the producer, which drops it at its next operation, or to the last
//! owner of the memory.

use super::backing::{Backing, Geometry, Heap, drop_run};
use super::cursor::Position;
use super::layout::{ConsumerBlock, ProducerBlock, Stats};
use super::order::{self, mutant};
use super::slot::{self, Slot};
use crate::sync::Ordering;
use alloc::vec::Vec;
#[cfg(not(ringmail_loom))]
use core::mem::MaybeUninit;

/// Both ends of a ring on the heap.
pub(crate) fn pair<T>(ring: Heap<T>) -> (Producer<Heap<T>>, Consumer<Heap<T>>) {
    let other = ring.share();
    // SAFETY: `ring` came by value and `Heap` is shared in this line only, so there is one producer and one consumer.
    let producer = unsafe { Producer::attach(ring) };
    // SAFETY: as above.
    let consumer = unsafe { Consumer::attach(other) };
    (producer, consumer)
}

/// Slots that hold nothing yet, as the two runs they form.
#[cfg(not(ringmail_loom))]
pub(crate) type Vacant<'a, T> = (&'a mut [MaybeUninit<T>], &'a mut [MaybeUninit<T>]);

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
    geometry: Geometry<B::Item>,
    /// Keeps the memory of `geometry` alive.
    _backing: B,
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
        Self { tail, full_at: tail, staged: 0, reserved: 0, closed: false, geometry, _backing: backing }
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

    #[inline(always)]
    fn slot(&self, at: Position) -> *const Slot<B::Item> {
        // SAFETY: the index is at most `mask`, inside the storage.
        unsafe { self.geometry.slots.add(at.slot(self.geometry.mask) as usize) }.as_ptr()
    }

    /// Sends one value; returns it if there is no room or no receiver. Wait-free.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: B::Item) -> Result<(), B::Item> {
        if self.peer_gone() || (self.tail == self.full_at && !self.find_room()) {
            return Err(value);
        }
        // SAFETY: `tail < full_at`, so the slot is ours and empty (I2).
        unsafe { slot::write(self.slot(self.tail), value) };
        self.publish(1);
        Ok(())
    }

    #[inline(always)]
    fn publish(&mut self, n: u64) {
        self.tail = self.tail.plus(n);
        self.own().tail.store(self.tail.open_word(), order::publish_tail());
    }

    /// Looks how far the consumer has come. Whether there is room now.
    #[cold]
    #[inline(never)]
    fn find_room(&mut self) -> bool {
        if self.closed {
            return false;
        }
        let head = Position::from_word(B::observe(&self.peer().head, order::observe_head()));
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

    /// Whether the receiver accepts nothing more.
    #[inline(always)]
    pub(crate) fn peer_gone(&self) -> bool {
        self.peer().gone.0.load(Ordering::Relaxed) != 0
    }

    /// Whether a send can never succeed again.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed || self.peer_gone()
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
        unsafe { slot::write(self.slot(self.tail.plus(self.staged)), value) };
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
            unsafe { slot::write(slot, value) };
            count.1 += 1;
        }
        while count.1 < reserved {
            let Some(value) = values.next() else { return count.1 - before };
            // SAFETY: `count - to_end < reserved - to_end ≤ mask + 1`, inside the storage.
            let slot = unsafe { slots.add((count.1 - to_end) as usize) };
            // SAFETY: `count < reserved ≤ full_at - tail`: ours and empty (I2).
            unsafe { slot::write(slot.as_ptr(), value) };
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
        // SAFETY: `n` slots from `at` on are reserved, ours and empty (I2), the first `to_end` up to the storage's end.
        unsafe { slot::write_run(self.slot(at), first.as_ptr(), first.len()) };
        // SAFETY: the rest of them lie from the storage's start on.
        unsafe { slot::write_run(self.geometry.slots.as_ptr(), second.as_ptr(), second.len()) };
        self.staged += n;
        n
    }

    /// The slots of the reservation that hold nothing yet, in order, as the two runs they form.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn vacant(&mut self) -> Vacant<'_, B::Item> {
        let n = (self.reserved - self.staged) as usize;
        let at = self.tail.plus(self.staged);
        let to_end = ((self.geometry.mask + 1 - at.slot(self.geometry.mask)) as usize).min(n);
        let first = self.slot(at).cast::<MaybeUninit<B::Item>>().cast_mut();
        let start = self.geometry.slots.as_ptr().cast::<MaybeUninit<B::Item>>();
        // SAFETY: `to_end` reserved slots from `at` on, ours alone (I2) for as long as `self` is borrowed; a slot is
        // `repr(transparent)` over `MaybeUninit<T>`.
        let first = unsafe { core::slice::from_raw_parts_mut(first, to_end) };
        // SAFETY: the rest of them, from the storage's start on, disjoint from the first run.
        let second = unsafe { core::slice::from_raw_parts_mut(start, n - to_end) };
        (first, second)
    }

    /// Counts `n` more values as staged.
    ///
    /// # Safety
    /// The first `n` slots of [`Producer::vacant`] have been written.
    pub(crate) unsafe fn assume_staged(&mut self, n: u64) {
        self.staged += n.min(self.reserved - self.staged);
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

    // ---- leaving, looking

    /// Sends nothing more. The consumer still gets what was published.
    pub(crate) fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.full_at = self.tail;
            self.own().tail.store(self.tail.closed_word(), order::close_tail());
        }
        if self.peer_gone() {
            self.inherit();
        }
    }

    /// Once the consumer has retired: drops what it left. Before that: nothing.
    #[cold]
    pub(crate) fn inherit(&mut self) {
        let word = B::observe(&self.peer().head, order::inherit_head());
        let head = Position::from_word(word);
        if !Position::is_closed(word) || head == self.tail {
            return;
        }
        // Before any value's own code runs, so that whoever frees the memory does not drop it again. The word is ours
        // now (I5), and the memory's owners are ordered by their reference count.
        if !mutant!(InheritStore) {
            self.peer().head.store(self.tail.closed_word(), Ordering::Relaxed);
        }
        // SAFETY: the consumer retired, so the values in [head, tail) are ours (I3, I5), and we just gave up `head`.
        unsafe { drop_run(self.geometry.slots, self.geometry.mask, head, self.tail) };
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

    pub(crate) fn count_full(&self) {
        self.own().counters.0.full.add(1);
    }

    #[cfg(feature = "std")]
    pub(crate) fn count_parks(&self, n: u64) {
        self.own().counters.0.parks.add(n);
    }

    pub(crate) fn count_wake(&self) {
        self.own().counters.0.wakes.add(1);
    }

    pub(crate) fn stats(&self) -> Stats {
        let head = Position::from_word(B::observe(&self.peer().head, Ordering::Relaxed));
        stats(self.own(), self.peer(), self.geometry.start, head, self.tail)
    }
}

/// The end that reads.
pub(crate) struct Consumer<B: Backing> {
    /// Next position to read; at or ahead of the published `head`.
    head: Position,
    /// The last `tail` seen.
    tail_seen: Position,
    /// Whether nothing will ever come: the last look said so, or this end has retired.
    over: bool,
    /// Whether `head | closed` was stored: nothing may be touched any more.
    retired: bool,
    geometry: Geometry<B::Item>,
    /// Keeps the memory of `geometry` alive.
    _backing: B,
}

// SAFETY: the end is used by one thread at a time (`&mut self`), and values that it reads may come from another.
unsafe impl<B: Backing> Send for Consumer<B> where B::Item: Send {}

impl<B: Backing> Consumer<B> {
    /// Resumes at the published position.
    ///
    /// # Safety
    /// No other consumer is attached to this ring (I4).
    pub(crate) unsafe fn attach(backing: B) -> Self {
        let geometry = backing.geometry();
        // SAFETY: a backing's blocks are valid while it lives.
        let own = unsafe { geometry.consumer.as_ref() };
        let head = Position::from_word(own.head.load(Ordering::Relaxed));
        // No message known yet: the first operation looks.
        Self { head, tail_seen: head, over: false, retired: false, geometry, _backing: backing }
    }

    #[inline(always)]
    fn own(&self) -> &ConsumerBlock {
        // SAFETY: the backing is alive and keeps its block valid.
        unsafe { self.geometry.consumer.as_ref() }
    }

    #[inline(always)]
    fn peer(&self) -> &ProducerBlock {
        // SAFETY: the backing is alive and keeps its block valid.
        unsafe { self.geometry.producer.as_ref() }
    }

    #[inline(always)]
    fn slot(&self, at: Position) -> *const Slot<B::Item> {
        // SAFETY: the index is at most `mask`, inside the storage.
        unsafe { self.geometry.slots.add(at.slot(self.geometry.mask) as usize) }.as_ptr()
    }

    /// The next message, if there is one now. Wait-free.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Next<'_, B>> {
        if self.has_message() { Some(Next(self)) } else { None }
    }

    /// Takes the next value; its slot stays occupied until [`Consumer::release`].
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<B::Item> {
        self.next().map(Next::read)
    }

    /// Publishes how far we have read: the slots before `head` are free.
    #[inline(always)]
    pub(crate) fn release(&mut self) {
        self.own().head.store(self.head.open_word(), order::publish_head());
    }

    /// As [`Consumer::release`], for guards that may have taken nothing: an end that has retired writes no more (I5).
    #[inline(always)]
    pub(crate) fn free(&mut self) {
        if !self.retired {
            self.release();
        }
    }

    /// Whether a message is there; looks how far the producer has come if none was known.
    #[inline(always)]
    pub(crate) fn has_message(&mut self) -> bool {
        self.head != self.tail_seen || self.find_message()
    }

    /// Looks how far the producer has come. Inline: in a ping-pong every message takes this path.
    #[inline(always)]
    fn find_message(&mut self) -> bool {
        let word = B::observe(&self.peer().tail, order::observe_tail());
        let tail = Position::from_word(word);
        // An end that has retired reads no more, whatever has come since.
        let found = tail != self.head && !self.retired;
        if found {
            self.tail_seen = tail;
        } else {
            self.over = self.retired || Position::is_closed(word);
        }
        found
    }

    /// Frees what a leaked guard took without freeing it. Whether there was any: then the producer must be woken.
    ///
    /// To be called before the channel answers "empty" or waits: with places missing, the producer might wait as well.
    pub(crate) fn free_leaked(&mut self) -> bool {
        let leaked = self.own().head.load(Ordering::Relaxed) != self.head.open_word();
        if leaked {
            self.free();
        }
        leaked && !self.retired
    }

    /// Whether the last look found the ring empty and closed in one word: nothing will ever come.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Messages ready to read, up to `wanted`; looks again if fewer were known.
    #[inline(always)]
    pub(crate) fn available(&mut self, wanted: u64) -> u64 {
        if self.tail_seen.since(self.head) < wanted {
            self.find_message();
        }
        self.tail_seen.since(self.head).min(wanted)
    }

    /// The next message in place, if [`Consumer::available`] has seen one.
    #[inline(always)]
    pub(crate) fn front(&self, offset: u64) -> Option<&B::Item> {
        if offset >= self.tail_seen.since(self.head) {
            return None;
        }
        // SAFETY: `head + offset < tail`: ours and full (I3), and `&self` keeps `head` where it is.
        Some(unsafe { slot::borrow(self.slot(self.head.plus(offset))) })
    }

    /// The next `n` messages in place, in order, as the two runs they form; fewer if fewer were seen.
    #[cfg(not(ringmail_loom))]
    #[inline(always)]
    pub(crate) fn slices(&self, n: u64) -> (&[B::Item], &[B::Item]) {
        let n = self.tail_seen.since(self.head).min(n) as usize;
        let to_end = ((self.geometry.mask + 1 - self.head.slot(self.geometry.mask)) as usize).min(n);
        let first = self.slot(self.head).cast::<B::Item>();
        let start = self.geometry.slots.as_ptr().cast::<B::Item>();
        // SAFETY: `to_end` slots from `head` on are ours and full (I3) while `self` is borrowed; a slot is
        // `repr(transparent)` over its value.
        let first = unsafe { core::slice::from_raw_parts(first, to_end) };
        // SAFETY: the rest of them, from the storage's start on.
        let second = unsafe { core::slice::from_raw_parts(start, n - to_end) };
        (first, second)
    }

    /// Moves the next `n` messages to the end of `target` and frees their slots; fewer if fewer were seen.
    pub(crate) fn move_into(&mut self, target: &mut Vec<B::Item>, n: u64) -> usize {
        let n = self.tail_seen.since(self.head).min(n) as usize;
        let to_end = ((self.geometry.mask + 1 - self.head.slot(self.geometry.mask)) as usize).min(n);
        let len = target.len();
        // May panic or abort; nothing has moved yet.
        target.reserve(n);
        let room = target.spare_capacity_mut().as_mut_ptr().cast::<B::Item>();
        // SAFETY: `to_end` slots from `head` on are ours and full (I3); `room` has space for `n`.
        unsafe { slot::read_run(self.slot(self.head), room, to_end) };
        // SAFETY: `to_end ≤ n`, inside the spare capacity.
        let rest = unsafe { room.add(to_end) };
        // SAFETY: the other slots of the run lie from the storage's start on.
        unsafe { slot::read_run(self.geometry.slots.as_ptr(), rest, n - to_end) };
        self.head = self.head.plus(n as u64);
        // SAFETY: `n` values were moved in behind `len`.
        unsafe { target.set_len(len + n) };
        self.release();
        n
    }

    /// Drops the next `n` messages and frees their slots; fewer if fewer were seen.
    #[inline(always)]
    pub(crate) fn skip(&mut self, n: u64) {
        let from = self.head;
        self.head = from.plus(self.tail_seen.since(from).min(n));
        let (slots, mask, to) = (self.geometry.slots, self.geometry.mask, self.head);
        let free = OnDrop(self, Self::free);
        // SAFETY: the values in [from, to) are ours (I3), and `head` has passed them.
        unsafe { drop_run(slots, mask, from, to) };
        drop(free);
    }

    // ---- leaving, looking

    /// Accepts nothing more: the producer's next send is refused. What was published can still be read.
    pub(crate) fn announce_gone(&mut self) {
        self.own().gone.0.store(1, Ordering::Relaxed);
    }

    /// Drops every message there is, then retires: see [`super`], I5.
    pub(crate) fn retire(&mut self) {
        if self.retired {
            return;
        }
        self.find_message();
        let from = self.head;
        self.head = self.tail_seen;
        let (slots, mask, to) = (self.geometry.slots, self.geometry.mask, self.head);
        let last = OnDrop(self, |own| {
            (own.retired, own.over) = (true, true);
            own.own().head.store(own.head.closed_word(), order::retire_head());
        });
        // SAFETY: the values in [from, to) are ours (I3), and `head` has passed them.
        unsafe { drop_run(slots, mask, from, to) };
        drop(last);
    }

    /// Whether the producer has sent its last message.
    pub(crate) fn peer_closed(&self) -> bool {
        Position::is_closed(B::observe(&self.peer().tail, Ordering::Relaxed))
    }

    pub(crate) fn capacity(&self) -> usize {
        self.geometry.capacity as usize
    }

    /// Messages in the ring; the producer may add some meanwhile, so it is at least this.
    pub(crate) fn len(&self) -> usize {
        if self.retired {
            return 0;
        }
        let tail = Position::from_word(B::observe(&self.peer().tail, Ordering::Relaxed));
        tail.since(self.head).min(self.geometry.capacity) as usize
    }

    /// Messages received so far.
    #[cfg(feature = "std")]
    pub(crate) fn received(&self) -> u64 {
        self.head.since(self.geometry.start)
    }

    #[cfg(feature = "std")]
    pub(crate) fn count_parks(&self, n: u64) {
        self.own().counters.0.parks.add(n);
    }

    pub(crate) fn count_wake(&self) {
        self.own().counters.0.wakes.add(1);
    }

    pub(crate) fn stats(&self) -> Stats {
        let tail = Position::from_word(B::observe(&self.peer().tail, Ordering::Relaxed));
        stats(self.peer(), self.own(), self.geometry.start, self.head, tail)
    }
}

/// Proof that `head < tail`: the next slot is the consumer's and full (I3).
pub(crate) struct Next<'a, B: Backing>(&'a mut Consumer<B>);

impl<B: Backing> Next<'_, B> {
    #[inline(always)]
    fn read(self) -> B::Item {
        let head = self.0.head;
        // SAFETY: the slot is ours and full (see the type); `head` moves past it at once.
        let value = unsafe { slot::read(self.0.slot(head)) };
        self.0.head = head.plus(1);
        value
    }

    /// Takes the message, frees its slot and then calls `freed`.
    ///
    /// The guard frees after the answer stands where the caller wants it. With a local in between, the compiler would copy a
    /// large message twice (`benches/asm/check` looks).
    #[inline(always)]
    pub(crate) fn take<E>(self, freed: impl Fn(&Consumer<B>)) -> Result<B::Item, E> {
        let done = OnDrop(self.0, |consumer: &mut Consumer<B>| {
            consumer.release();
            freed(consumer);
        });
        Ok(Next(&mut *done.0).read())
    }
}

impl<B: Backing> Drop for Producer<B> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<B: Backing> Drop for Consumer<B> {
    fn drop(&mut self) {
        self.announce_gone();
        self.retire();
    }
}

/// Runs its second part on its first when dropped, also by a panic.
struct OnDrop<'a, C, F: FnMut(&mut C)>(&'a mut C, F);

impl<C, F: FnMut(&mut C)> Drop for OnDrop<'_, C, F> {
    #[inline(always)]
    fn drop(&mut self) {
        (self.1)(self.0);
    }
}

fn stats(producer: &ProducerBlock, consumer: &ConsumerBlock, start: Position, head: Position, tail: Position) -> Stats {
    let (sent, received) = (tail.since(start), head.since(start));
    Stats {
        sent,
        received,
        depth: sent.saturating_sub(received) as usize,
        full: producer.counters.0.full.get(),
        sender_parks: producer.counters.0.parks.get(),
        receiver_parks: consumer.counters.0.parks.get(),
        sender_wakes: producer.counters.0.wakes.get(),
        receiver_wakes: consumer.counters.0.wakes.get(),
    }
}
