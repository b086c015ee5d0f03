//! An end that reads.

use super::super::slip::Slip;
use super::super::slot::{self, Slot};
use super::memory::{Member, Memory, light_fence};
use super::seat::{Seat, SeatRef};
use crate::sync::OnDrop;
use crate::sync::order::{mutant, order};
use crate::sync::position::Position;
use crate::wait::EventCount;
use alloc::vec::Vec;
use core::ptr::NonNull;

/// An end that reads.
pub(crate) struct Consumer<T> {
    /// Next position to read.
    head: Position,
    /// Messages before this can be read.
    seen: Position,
    /// Where a close ended it.
    end: Option<Position>,
    /// Whether the last look found nothing, and nothing will ever come.
    over: bool,
    /// Whether it has given its seat up.
    left: bool,
    /// Whether its seat stays when it leaves.
    pub(crate) reserved: bool,
    slip: Slip,
    slots: NonNull<Slot<T>>,
    mask: u64,
    seat: SeatRef,
    /// The seats that commit a message before this end sees it.
    before: Vec<SeatRef>,
    /// What the producer sleeps on.
    sender: EventCount,
    member: Member<T>,
}

// SAFETY: it is used by one thread at a time; it reads values that other threads read too (`Sync`), and may be the last owner (`Send`).
unsafe impl<T: Send + Sync> Send for Consumer<T> {}

impl<T> Consumer<T> {
    pub(super) fn new(member: Member<T>, seat: SeatRef, head: Position, before: Vec<SeatRef>) -> Self {
        let (slots, mask) = (member.memory().slots.first(), member.memory().mask());
        let sender = member.memory().sender.clone();
        let (end, over, left, reserved, slip) = (None, false, false, false, Slip::Vain);
        Self { head, seen: head, end, over, left, reserved, slip, slots, mask, seat, before, sender, member }
    }

    #[inline(always)]
    fn memory(&self) -> &Memory<T> {
        self.member.memory()
    }

    pub(crate) fn member(&self) -> &Member<T> {
        &self.member
    }

    pub(crate) fn seat_ref(&self) -> SeatRef {
        self.seat
    }

    #[inline(always)]
    fn seat(&self) -> &Seat {
        self.memory().seat(self.seat.seat)
    }

    /// What this end sleeps on.
    pub(crate) fn event(&self) -> &EventCount {
        &self.seat().event
    }

    #[inline(always)]
    fn slot(&self, at: Position) -> *const Slot<T> {
        // SAFETY: the index is at most `mask`, inside the storage.
        unsafe { self.slots.add(at.slot(self.mask) as usize) }.as_ptr()
    }

    /// Messages that were seen and not taken.
    #[inline(always)]
    fn seen(&self) -> u64 {
        self.seen.since(self.head)
    }

    /// Whether a message is there; looks again if none was known.
    #[inline(always)]
    pub(crate) fn has_message(&mut self) -> bool {
        self.head != self.seen || self.look()
    }

    /// The same without a wait that lets messages gather.
    #[inline(always)]
    pub(crate) fn has_message_at_once(&mut self) -> bool {
        self.head != self.seen || self.refresh()
    }

    /// Messages ready to read, up to `wanted`; looks again if fewer were known.
    #[inline(always)]
    pub(crate) fn available(&mut self, wanted: u64) -> u64 {
        if self.seen() < wanted {
            self.look();
        }
        self.seen().min(wanted)
    }

    /// Looks how far it may read, after a short wait if that lets messages gather. Whether there is a message.
    #[inline(always)]
    fn look(&mut self) -> bool {
        if self.slip == Slip::Wait {
            Slip::wait();
        }
        if !self.refresh() {
            self.slip = Slip::Vain;
            return false;
        }
        self.slip = self.slip.after(self.seen());
        true
    }

    #[inline(always)]
    fn refresh(&mut self) -> bool {
        if self.end.is_some() || !self.before.is_empty() {
            return self.refresh_limited();
        }
        let word = self.memory().tail.0.load(order!(observe_cast));
        self.seen = Position::from_word(word);
        if self.seen != self.head {
            return true;
        }
        if Position::is_closed(word) {
            self.over = true;
        }
        false
    }

    /// The same for an end that comes after others, or was closed.
    #[inline(never)]
    fn refresh_limited(&mut self) -> bool {
        if self.left {
            return false;
        }
        let word = self.memory().tail.0.load(order!(observe_cast));
        let tail = Position::from_word(word);
        let end = self.end.unwrap_or(tail);
        let ready = self.ready_before(end);
        self.seen = self.head.plus(ready);
        if self.head == end && (self.end.is_some() || Position::is_closed(word)) {
            self.over = true;
        }
        ready != 0
    }

    /// Messages before `end` that it may read.
    fn ready_before(&self, end: Position) -> u64 {
        let (memory, mut ready) = (self.memory(), end.since(self.head));
        for before in &self.before {
            let seat = memory.seat(before.seat);
            let state = seat.state();
            // A seat that was given up does not count, though it may have another owner by now.
            if state.gates() && state.generation() == before.generation {
                ready = ready.min(seat.head().since_or_zero(self.head));
            }
        }
        ready
    }

    /// Whether a look would find no message.
    pub(crate) fn is_empty(&self) -> bool {
        let tail = || Position::from_word(self.memory().tail.0.load(order!(observe_cast)));
        self.left || self.ready_before(self.end.unwrap_or_else(tail)) == 0
    }

    /// Lends the next message to `f`, if one was seen; else answers with `none`. It counts as taken before `f` runs; its place stays occupied until
    /// [`Consumer::free`].
    ///
    /// `f` makes what the caller returns, so that a message is copied once, to where the caller wants it.
    #[inline(always)]
    pub(crate) fn take<A>(&mut self, f: impl FnOnce(&T) -> A, none: impl FnOnce() -> A) -> A {
        if self.head == self.seen {
            return none();
        }
        let slot = self.slot(self.head);
        self.head = self.head.plus(1);
        // SAFETY: `head` of the seat is not beyond this position, which was seen published: full and not changed (B3) until `free`, for
        // which `f` cannot reach this end.
        f(unsafe { slot::borrow(slot) })
    }

    /// A message that was seen, in place.
    #[inline(always)]
    pub(crate) fn front(&self, offset: u64) -> Option<&T> {
        if offset >= self.seen() {
            return None;
        }
        // SAFETY: seen published, and `&self` keeps `head` where it is: full and not changed (B3).
        Some(unsafe { slot::borrow(self.slot(self.head.plus(offset))) })
    }

    /// The next `n` messages in place, in order, as the two runs they form; fewer if fewer were seen.
    #[cfg(not(ringmail_loom))]
    #[inline(always)]
    pub(crate) fn slices(&self, n: u64) -> (&[T], &[T]) {
        let n = self.seen().min(n) as usize;
        let to_end = ((self.mask + 1 - self.head.slot(self.mask)) as usize).min(n);
        // SAFETY: seen published, and `&self` keeps `head` where it is (B3); a slot is `repr(transparent)` over its value.
        let first = unsafe { core::slice::from_raw_parts(self.slot(self.head).cast::<T>(), to_end) };
        // SAFETY: as above, from the storage's start on.
        let second = unsafe { core::slice::from_raw_parts(self.slots.as_ptr().cast::<T>(), n - to_end) };
        (first, second)
    }

    /// Passes over the next `n` messages; fewer if fewer were seen.
    #[inline(always)]
    pub(crate) fn skip(&mut self, n: u64) {
        self.head = self.head.plus(n.min(self.seen()));
        self.free();
    }

    /// Commits what was taken: its places may be written again, and followers see it.
    #[inline(always)]
    pub(crate) fn free(&mut self) {
        if self.left {
            // The seat may have another owner.
            return;
        }
        let seat = self.seat();
        seat.commit(self.head);
        light_fence();
        if seat.may_be_followed() || self.sender.has_waiter() {
            self.memory().committed(seat);
        }
    }

    /// To be called before the channel answers "empty" or waits: commits what a leaked guard took, and leaves the seat if nothing will ever come.
    pub(crate) fn found_nothing(&mut self) {
        if self.left {
            return;
        }
        if self.seat().own_head() != self.head {
            self.free();
        }
        if self.over && self.end.is_some() {
            self.leave();
        }
    }

    /// Whether [`Consumer::found_nothing`] gives the seat up.
    pub(crate) fn is_leaving(&self) -> bool {
        self.over && self.end.is_some() && !self.left
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Takes nothing that is published after this.
    pub(crate) fn close(&mut self) {
        if self.end.is_none() {
            self.end = Some(self.memory().tail());
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.end.is_some() || self.memory().is_closed()
    }

    /// Messages that were published and not taken, also those that the seats before have not committed.
    pub(crate) fn lag(&self) -> u64 {
        self.end.unwrap_or_else(|| self.memory().tail()).since(self.head)
    }

    /// Messages taken, or passed by before it joined.
    pub(crate) fn position(&self) -> u64 {
        self.head.since(self.memory().start)
    }

    pub(crate) fn count_parks(&self, n: u64) {
        self.seat().counters.0.parks.add(n);
    }

    /// Whether it has given its seat up.
    #[cfg(feature = "std")]
    pub(super) fn has_left(&self) -> bool {
        self.left
    }

    /// To be called once after it has joined, under no lock: wakes a producer that waits for this seat, or that took it for further behind than it is.
    pub(crate) fn tell_join(&self) {
        if mutant!(JoinNotifies) {
            return;
        }
        self.memory().after_publication();
        self.memory().wake_sender(&self.seat().counters.0.wakes);
    }

    /// Gives the seat up, once.
    pub(crate) fn leave(&mut self) {
        if core::mem::replace(&mut self.left, true) {
            return;
        }
        self.over = true;
        self.seen = self.head;
        let (memory, seat) = (self.memory(), self.seat());
        seat.commit(self.head);
        seat.end(self.reserved);
        // The seat may have another owner from here on: its words are used as any thread may.
        self.before.iter().for_each(|one| memory.seat(one.seat).remove_follower());
        if !mutant!(LeaveSeatNotifies) {
            memory.left(seat);
        }
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Commits when dropped, also by a panic.
pub(crate) fn committing<T>(end: &mut Consumer<T>) -> OnDrop<'_, Consumer<T>, impl FnMut(&mut Consumer<T>)> {
    OnDrop(end, Consumer::free)
}
