//! A seat: where a consumer says how far it is.

use super::super::layout::{ConsumerCounters, Counter, Line};
use crate::error::BuildError;
use crate::sync::order::order;
use crate::sync::position::Position;
use crate::sync::{AtomicPtr, AtomicU64, Ordering};
use crate::wait::EventCount;
use alloc::alloc::{Layout, alloc};
use alloc::boxed::Box;
use core::ptr::{self, NonNull};

/// A seat. Its first line is written by its consumer for each message or batch, the second one when a consumer comes or goes.
#[repr(C, align(128))]
pub(crate) struct Seat {
    /// Position of the next message that the consumer has not committed.
    head: Line<AtomicU64>,
    state: AtomicU64,
    /// The position of its first message.
    first: AtomicU64,
    /// Seats that come after this one; also [`FENCED`] where there is no heavy barrier.
    followed: AtomicU64,
    /// The seat that was made before this one.
    pub(super) older: AtomicPtr<Seat>,
    /// What the consumer sleeps on. The same for each owner.
    pub(super) event: EventCount,
    /// Whether the user of the crate brought it.
    given: bool,
    index: u32,
    pub(super) counters: Line<ConsumerCounters>,
    /// The next one in the producer's chain of seats. Only the producer uses it.
    pub(super) next: Line<AtomicPtr<Seat>>,
}

/// A seat's word: how often it was taken, whether it comes after others, what it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct State(u64);

const FREE: u64 = 0;
/// Its owner makes it ready, or gives it up.
const TAKEN: u64 = 1;
/// It gates, and its consumer does not know yet where it begins.
const JOINING: u64 = 2;
const LIVE: u64 = 3;
/// It gates, and no consumer sits there.
const VACANT: u64 = 4;
const FOLLOWER: u64 = 8;
const ONE: u64 = 16;

/// In the count of followers: a commit is followed by a fence.
const FENCED: u64 = 1 << 63;

impl State {
    const fn kind(self) -> u64 {
        self.0 % FOLLOWER
    }

    /// Whether the producer must not pass it.
    pub(super) const fn gates(self) -> bool {
        self.kind() >= JOINING
    }

    /// Whether it is known which message is its first.
    pub(super) const fn is_settled(self) -> bool {
        self.kind() >= LIVE
    }

    pub(super) const fn is_vacant(self) -> bool {
        self.kind() == VACANT
    }

    pub(super) const fn follows(self) -> bool {
        self.0 & FOLLOWER != 0
    }

    pub(super) const fn generation(self) -> u32 {
        (self.0 / ONE) as u32
    }

    const fn become_kind(self, kind: u64) -> Self {
        Self(self.0 / ONE * ONE + (self.0 & FOLLOWER) + kind)
    }
}

impl Seat {
    /// A new seat, taken, on no list.
    pub(super) fn allocate(
        event: EventCount,
        given: bool,
        index: u32,
        fenced: bool,
    ) -> Result<NonNull<Self>, BuildError> {
        let layout = Layout::new::<Self>();
        // SAFETY: a seat has a size.
        let memory = unsafe { alloc(layout) };
        let seat = NonNull::new(memory.cast::<Self>());
        let seat = seat.ok_or(BuildError::OutOfMemory { bytes: Some(layout.size()) })?;
        let value = Self {
            head: Line(AtomicU64::new(0)),
            state: AtomicU64::new(TAKEN),
            first: AtomicU64::new(0),
            followed: AtomicU64::new(if fenced { FENCED } else { 0 }),
            older: AtomicPtr::new(ptr::null_mut()),
            event,
            given,
            index,
            counters: Line(ConsumerCounters { parks: Counter::new(), wakes: Counter::new() }),
            next: Line(AtomicPtr::new(ptr::null_mut())),
        };
        // SAFETY: just allocated with this layout, and no other thread knows of it.
        unsafe { seat.write(value) };
        Ok(seat)
    }

    /// Frees it.
    ///
    /// # Safety
    /// [`Seat::allocate`] made it, and no other reference to it is used after this.
    pub(super) unsafe fn free(seat: NonNull<Self>) {
        // SAFETY: made with the layout that a `Box` has.
        drop(unsafe { Box::from_raw(seat.as_ptr()) });
    }

    /// Takes it if it is free and made for this event count; `None` stands for one of the seat's own.
    pub(super) fn try_take(&self, event: Option<&EventCount>) -> bool {
        let fits = match event {
            Some(event) => self.given && self.event.is_same(event),
            None => !self.given,
        };
        let before = State(self.state.load(Ordering::Relaxed));
        if !fits || before.kind() != FREE {
            return false;
        }
        let after = (before.0 / ONE).wrapping_add(1).wrapping_mul(ONE) + TAKEN;
        self.state.compare_exchange(before.0, after, order!(take_seat), Ordering::Relaxed).is_ok()
    }

    /// Takes it if it is vacant, still at this generation.
    pub(super) fn try_take_vacant(&self, generation: u32, to_free: bool) -> bool {
        let before = State(self.state.load(Ordering::Relaxed));
        let after = before.become_kind(if to_free { TAKEN } else { LIVE });
        before.is_vacant()
            && before.generation() == generation
            && self.state.compare_exchange(before.0, after.0, order!(take_seat), Ordering::Relaxed).is_ok()
    }

    /// From here on it gates. By its owner.
    ///
    /// Relaxed: a producer that sees this beside an older head of the seat gates on that, which is not beyond the newer one (B5).
    pub(super) fn begin(&self, follows: bool) {
        let now = State(self.state.load(Ordering::Relaxed)).become_kind(JOINING);
        let now = if follows { now.0 | FOLLOWER } else { now.0 };
        self.state.store(now, Ordering::Relaxed);
    }

    /// Its first message is the one at `first`. By its owner.
    pub(super) fn settle(&self, first: Position) {
        self.commit(first);
        self.first.store(first.open_word(), Ordering::Relaxed);
        let now = State(self.state.load(Ordering::Relaxed)).become_kind(LIVE);
        self.state.store(now.0, order!(live_seat));
    }

    /// The position of its first message, if the state says that it is settled.
    pub(super) fn first(&self) -> Position {
        Position::from_word(self.first.load(Ordering::Relaxed))
    }

    /// Gives it up: it stays vacant, or is free. By its owner.
    pub(super) fn end(&self, vacant: bool) {
        let now = State(self.state.load(Ordering::Relaxed)).become_kind(if vacant { VACANT } else { FREE });
        let now = if vacant { now.0 } else { now.0 & !FOLLOWER };
        self.state.store(now, order!(leave_seat));
    }

    #[inline(always)]
    pub(super) fn state(&self) -> State {
        State(self.state.load(order!(see_seat)))
    }

    #[inline(always)]
    pub(super) fn commit(&self, head: Position) {
        self.head.0.store(head.open_word(), order!(commit_seat));
    }

    #[inline(always)]
    pub(super) fn head(&self) -> Position {
        Position::from_word(self.head.0.load(order!(see_commit)))
    }

    /// What its owner has committed.
    pub(super) fn own_head(&self) -> Position {
        Position::from_word(self.head.0.load(Ordering::Relaxed))
    }

    pub(super) fn add_follower(&self) {
        self.followed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove_follower(&self) {
        self.followed.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether others come after it, or may. Relaxed: a follower that joins passes a barrier before it looks.
    #[inline(always)]
    pub(super) fn may_be_followed(&self) -> bool {
        self.followed.load(Ordering::Relaxed) != 0
    }

    /// Whether others come after it.
    pub(super) fn is_followed(&self) -> bool {
        self.followed.load(Ordering::Relaxed) & !FENCED != 0
    }

    pub(super) fn index(&self) -> u32 {
        self.index
    }
}

/// One tenancy of a seat.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SeatRef {
    pub(super) seat: NonNull<Seat>,
    pub(super) generation: u32,
    index: u32,
}

// SAFETY: a seat is shared between threads, all its words are atomic or never change; it lives as long as its memory (B6).
unsafe impl Send for SeatRef {}
// SAFETY: as above.
unsafe impl Sync for SeatRef {}

impl SeatRef {
    pub(super) fn of(seat: &Seat) -> Self {
        Self { seat: NonNull::from(seat), generation: seat.state().generation(), index: seat.index() }
    }

    pub(crate) const fn index(self) -> u32 {
        self.index
    }

    pub(crate) const fn generation(self) -> u32 {
        self.generation
    }
}
