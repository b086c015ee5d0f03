//! The end that writes.

use super::super::layout::Stats;
use super::super::place::{Filled, Place};
use super::super::slot::{self, Slot};
use super::memory::{Memory, light_fence};
use super::seat::{Seat, SeatRef};
use crate::sync::order::{mutant, order};
use crate::sync::position::Position;
use crate::sync::{Arc, OnDrop, Ordering, fence};
use crate::wait::EventCount;
use core::ptr::{self, NonNull};

/// The end that writes.
pub(crate) struct Producer<T> {
    /// Next position to write.
    tail: Position,
    /// `tail` may not pass this (B1).
    gate: Position,
    /// What `tail` was at the last fence.
    fenced_at: Position,
    /// The first position whose slot may hold an older value.
    clean: Position,
    /// What `changes` was at the last look.
    changes: u64,
    /// The chain of the seats that gated at the last survey.
    chain: *mut Seat,
    /// The event count of its first seat, else one that is not to be woken.
    first: EventCount,
    /// Whether there is more to look at after a publication than that: several seats, or a fence.
    many: bool,
    /// Whether there was a seat then that sees what is sent, or need not be.
    sends: bool,
    slots: NonNull<Slot<T>>,
    mask: u64,
    closed: bool,
    /// Messages that no seat was there for, and where the last run of them begins, if there is no seat now.
    passed: u64,
    passing: Option<Position>,
    memory: Arc<Memory<T>>,
}

// SAFETY: it is used by one thread at a time; values that it writes are read on other threads (`Sync`) and dropped there (`Send`).
unsafe impl<T: Send + Sync> Send for Producer<T> {}

impl<T> Producer<T> {
    /// The only producer of `memory`, which no other call gets.
    pub(crate) fn new(memory: Arc<Memory<T>>) -> Self {
        let start = memory.start;
        Self {
            tail: start,
            gate: start,
            fenced_at: start,
            clean: start.plus(memory.slots.len() as u64),
            // Another than it is: the first operation looks.
            changes: u64::MAX,
            chain: ptr::null_mut(),
            first: memory.sender.clone(),
            many: true,
            sends: false,
            slots: memory.slots.first(),
            mask: memory.mask(),
            closed: false,
            passed: 0,
            passing: None,
            memory,
        }
    }

    pub(crate) fn memory(&self) -> &Memory<T> {
        &self.memory
    }

    /// Next position to write.
    #[inline(always)]
    pub(super) fn tail(&self) -> Position {
        self.tail
    }

    #[inline(always)]
    pub(super) fn slot(&self, at: Position) -> *const Slot<T> {
        // SAFETY: the index is at most `mask`, inside the storage.
        unsafe { self.slots.add(at.slot(self.mask) as usize) }.as_ptr()
    }

    /// Whether the seats are to be read before `gate` is relied on.
    #[inline(always)]
    fn has_news(&self) -> bool {
        self.memory.changes() != self.changes
    }

    /// Reads how far the seats are. Whether there is room now. Room that is not wanted may not be found.
    #[cold]
    #[inline(never)]
    fn find_room(&mut self, wanted: u64) -> bool {
        if self.has_news() {
            return self.survey();
        }
        let furthest = self.chain().map(|seat| self.tail.since(seat.head())).max().unwrap_or(0);
        let room = if self.sends { self.memory.capacity.saturating_sub(furthest) } else { 0 };
        if room.min(wanted) > self.unseen_room() {
            // Partner: the fence of a consumer that joins.
            if !mutant!(GateFence) {
                fence(Ordering::SeqCst);
            }
            self.fenced_at = self.tail;
            // A consumer whose own fence came before has said so.
            if self.has_news() {
                return self.survey();
            }
        }
        self.set_gate(room)
    }

    /// Room that the seats leave which this end has not seen yet: their consumers begin at `fenced_at` or later.
    fn unseen_room(&self) -> u64 {
        self.memory.capacity.saturating_sub(self.tail.since(self.fenced_at))
    }

    fn set_gate(&mut self, room: u64) -> bool {
        let room = room.min(self.unseen_room());
        self.gate = self.tail.plus(room);
        room != 0
    }

    /// Looks who is there, and how far each is. Whether there is room now.
    #[cold]
    #[inline(never)]
    fn survey(&mut self) -> bool {
        self.changes = self.memory.changes();
        // Partner: the fence of a consumer that joins; and `tell_change`: what was counted is seen after this.
        if !mutant!(GateFence) {
            fence(Ordering::SeqCst);
        }
        self.fenced_at = self.tail;
        if self.memory.is_deserted() {
            (self.gate, self.sends) = (self.tail, false);
            return false;
        }
        let (mut furthest, mut earliest) = (0, None);
        self.chain = ptr::null_mut();
        for seat in self.memory.seats() {
            let state = seat.state();
            if state.gates() {
                seat.next.0.store(self.chain, Ordering::Relaxed);
                self.chain = ptr::from_ref(seat).cast_mut();
                furthest = furthest.max(self.tail.since(seat.head()));
            }
            if state.is_settled() {
                earliest = earliest.max(Some(self.tail.since(seat.first())));
            }
        }
        let first = self.chain().next().map_or(&self.memory.sender, |seat| &seat.event).clone();
        self.first = first;
        self.many = self.memory.fenced || self.chain().nth(1).is_some();
        self.count_passed(earliest);
        // A consumer that is about to join does not see a message that is sent now.
        self.sends = !self.closed && (earliest.is_some() || self.memory.options.pass);
        // A consumer that is about to join may still stand where `tail` was long ago.
        let room = if self.sends { self.memory.capacity.saturating_sub(furthest) } else { 0 };
        self.set_gate(room)
    }

    /// The seats that gated at the last survey.
    #[inline(always)]
    fn chain(&self) -> impl Iterator<Item = &Seat> {
        let mut at = self.chain;
        core::iter::from_fn(move || {
            // SAFETY: a pointer of the chain leads to a seat, which is freed with the memory (B6).
            let seat = unsafe { at.as_ref() }?;
            at = seat.next.0.load(Ordering::Relaxed);
            Some(seat)
        })
    }

    /// Counts the messages that were sent while there was no seat, of which the earliest began so many messages ago.
    fn count_passed(&mut self, earliest: Option<u64>) {
        match (self.passing, earliest) {
            (None, None) => self.passing = Some(self.tail),
            (Some(from), Some(ago)) => {
                self.passed += self.tail.since(from).saturating_sub(ago);
                self.passing = None;
            }
            _ => {}
        }
    }

    /// Messages that were sent while there was no seat.
    pub(crate) fn passed(&mut self) -> u64 {
        if self.has_news() {
            self.survey();
        }
        self.passed + self.passing.map_or(0, |from| self.tail.since(from))
    }

    /// The slot of the next message, which is ours and empty until that is published (B2); `None` if there is no room or no receiver.
    #[inline(always)]
    fn vacancy(&mut self) -> Option<*const Slot<T>> {
        if (self.has_news() || self.tail == self.gate) && !self.find_room(1) {
            return None;
        }
        let ahead = const { if size_of::<T>() < 32 { 0 } else { slot::ahead::<T>() } };
        // Only a slot that is ours: consumers may be reading the others.
        if ahead != 0 && self.gate.since(self.tail) > ahead {
            slot::prefetch_for_write(self.slot(self.tail.plus(ahead)));
        }
        Some(self.empty(self.tail))
    }

    /// The slot of a position before the gate, after the older value in it was dropped.
    #[inline(always)]
    pub(super) fn empty(&mut self, at: Position) -> *const Slot<T> {
        let slot = self.slot(at);
        if core::mem::needs_drop::<T>() && at == self.clean {
            // First: if the value's drop panics, it is not dropped again.
            self.clean = at.plus(1);
            // SAFETY: the slot is ours (B2), and holds the value of one lap before: every slot before `clean` was emptied.
            unsafe { slot::discard(slot) };
        }
        slot
    }

    #[inline(always)]
    pub(super) fn publish(&mut self, n: u64) {
        self.tail = self.tail.plus(n);
        self.memory.tail.0.store(self.tail.open_word(), order!(publish_cast));
        self.wake();
    }

    /// Wakes the consumers that wait.
    #[inline(always)]
    fn wake(&mut self) {
        light_fence();
        if self.has_news() || self.first.has_waiter() || self.many {
            self.wake_more();
        }
    }

    /// The same for many seats, or if there is something to do.
    #[inline(never)]
    fn wake_more(&mut self) {
        self.memory.after_publication();
        if self.has_news() && !mutant!(NewsLook) {
            self.survey();
        }
        if self.chain().any(|seat| seat.event.has_waiter()) {
            self.wake_all();
        }
    }

    #[cold]
    #[inline(never)]
    fn wake_all(&self) {
        let woken = self.memory.wake_seats(|_| true);
        self.memory.counters.0.wakes.add(woken);
    }

    /// Sends one value; returns it if there is no room or no receiver. Wait-free.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: T) -> Result<(), T> {
        let Some(slot) = self.vacancy() else { return Err(value) };
        // SAFETY: just found ours, and empty.
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
        // SAFETY: just found ours, and empty.
        unsafe { slot::write_with(slot, write) };
        self.publish(1);
        Ok(())
    }

    /// Room for up to `wanted` messages: as many as are free, 0 if full or if no receiver is left.
    #[inline(always)]
    pub(crate) fn room(&mut self, wanted: u64) -> u64 {
        if self.has_news() || self.gate.since(self.tail) < wanted {
            self.find_room(wanted);
        }
        self.gate.since(self.tail).min(wanted)
    }

    /// Room that was found and is not used.
    #[inline(always)]
    pub(super) fn known_room(&self) -> u64 {
        self.gate.since(self.tail)
    }

    /// Copies as many of `values` as fit and publishes them together.
    pub(crate) fn push_slice(&mut self, values: &[T]) -> usize
    where
        T: Copy,
    {
        let n = self.room(values.len() as u64) as usize;
        if n == 0 {
            return 0;
        }
        // A value that can be copied has no drop: nothing is to be emptied.
        let to_end = ((self.mask + 1 - self.tail.slot(self.mask)) as usize).min(n);
        let (first, second) = values[..n].split_at(to_end);
        // SAFETY: these slots are ours (B2), inside the storage; the values can be copied.
        unsafe { slot::write_run(self.slot(self.tail), first.as_ptr(), first.len()) };
        // SAFETY: as above, from the storage's start on.
        unsafe { slot::write_run(self.slots.as_ptr(), second.as_ptr(), second.len()) };
        self.publish(n as u64);
        n
    }

    /// Sends from `values` until it or the room ends, and publishes that together. Returns for how many there was room, and how many were sent. If the
    /// iterator, or the drop of an older value, panics, the values before are sent.
    pub(crate) fn push_iter(&mut self, values: &mut impl Iterator<Item = T>) -> (u64, u64) {
        let most = values.size_hint().1.unwrap_or(usize::MAX).clamp(1, self.memory.capacity());
        let room = self.room(most as u64);
        let mut run = (self, 0);
        let run = OnDrop(&mut run, |(producer, written): &mut (&mut Self, u64)| {
            if *written != 0 {
                producer.publish(*written);
            }
        });
        let (producer, written) = &mut *run.0;
        while *written < room {
            // Emptied before a value is taken out of the iterator: if that panics, none is lost.
            let slot = producer.empty(producer.tail.plus(*written));
            let Some(value) = values.next() else { break };
            // SAFETY: before the gate, so ours (B2), and empty.
            unsafe { slot::write(slot, value) };
            *written += 1;
        }
        (room, *written)
    }

    /// Sends nothing more. Consumers still get what was published.
    pub(crate) fn close(&mut self) {
        if core::mem::replace(&mut self.closed, true) {
            return;
        }
        (self.gate, self.sends) = (self.tail, false);
        self.memory.tail.0.store(self.tail.closed_word(), order!(close_cast));
        self.memory.after_publication();
        if !mutant!(CastCloseNotifies) {
            self.wake_all();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed || self.memory.is_deserted()
    }

    /// To be called once nothing can be sent any more: drops all values, if no handle is left that can receive.
    pub(crate) fn drop_rest(&mut self) {
        if !self.memory.is_deserted() {
            return;
        }
        // The word of it may come before the news.
        (self.gate, self.sends) = (self.tail, false);
        let lap = self.mask + 1;
        // The values are at the positions of one lap before `clean` up to `tail`: the slot of position `p` is that of `p + lap`.
        struct Rest<'a, T>(&'a mut Producer<T>, Position);
        impl<T> Rest<'_, T> {
            fn run(&mut self) {
                while self.0.clean != self.1 {
                    self.0.empty(self.0.clean);
                }
            }
        }
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                self.run();
            }
        }
        if core::mem::needs_drop::<T>() {
            let end = self.tail.plus(lap);
            Rest(self, end).run();
        }
    }

    pub(crate) fn slowest(&self) -> Option<(SeatRef, u64, bool)> {
        self.memory.slowest()
    }

    /// Messages that the slowest has not taken.
    pub(crate) fn len(&self) -> usize {
        self.memory.slowest().map_or(0, |(_, lag, _)| lag.min(self.memory.capacity) as usize)
    }

    /// Messages sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.tail.since(self.memory.start)
    }

    pub(crate) fn count_full(&mut self) {
        self.memory.counters.0.full.add(1);
    }

    pub(crate) fn count_parks(&self, n: u64) {
        self.memory.counters.0.parks.add(n);
    }

    pub(crate) fn stats(&self) -> Stats {
        self.memory.stats()
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        // For the last owner of the memory, which drops the values.
        self.memory.clean.store(self.clean.open_word(), Ordering::Relaxed);
        let this = OnDrop(self, |_: &mut Self| {});
        this.0.close();
    }
}
