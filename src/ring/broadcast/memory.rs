//! What the ends of a broadcast share.

use super::super::backend::{check, drop_run};
use super::super::layout::{Counter, Line, ProducerCounters, Stats};
use super::super::slot::Slot;
use super::super::storage::Storage;
use super::seat::{Seat, SeatRef};
use crate::error::BuildError;
use crate::sync::order::{mutant, order};
use crate::sync::position::Position;
use crate::sync::{Arc, AtomicPtr, AtomicU64, Ordering, fence, share};
use crate::wait::EventCount;
use crate::wait::panics::Panics;
#[cfg(feature = "std")]
use crate::wait::{FenceMode, WaitStrategy};
use core::ptr::{self, NonNull};

/// What consumers are made with.
pub(crate) struct Options {
    /// Where the positions begin.
    pub(crate) start: u64,
    /// Whether messages pass while there is no seat.
    pub(crate) pass: bool,
    /// The event count of every seat, if the user of the crate brought one.
    pub(crate) event: Option<EventCount>,
    #[cfg(feature = "std")]
    pub(crate) fence_mode: FenceMode,
    #[cfg(feature = "std")]
    pub(crate) receiver_wait: WaitStrategy,
}

pub(crate) struct Memory<T> {
    /// Position of the next message to publish, and whether it was the last. Written by the producer.
    pub(super) tail: Line<AtomicU64>,
    pub(super) counters: Line<ProducerCounters>,
    pub(super) news: Line<News>,
    /// What the producer sleeps on.
    pub(super) sender: EventCount,
    pub(super) slots: Storage<Slot<T>>,
    /// The first position whose slot may hold an older value, as the producer leaves it.
    pub(super) clean: AtomicU64,
    pub(super) capacity: u64,
    pub(super) start: Position,
    /// Whether there is no heavy barrier: then each publication is followed by a fence.
    pub(super) fenced: bool,
    pub(crate) options: Options,
    #[cfg(feature = "std")]
    pub(super) names: super::names::Names,
}

/// Who is there. Handles that come and go write it; the producer reads it before and after each message.
pub(super) struct News {
    /// How often a seat, or the last handle, came or went.
    changes: AtomicU64,
    /// Handles that can receive, or make others that can.
    handles: AtomicU64,
    /// The newest seat.
    first: AtomicPtr<Seat>,
    seats: AtomicU64,
}

// SAFETY: values are read on the threads of consumers (`Sync`) and may be dropped on any (`Send`); everything else is atomic or never changes.
unsafe impl<T: Send + Sync> Send for Memory<T> {}
// SAFETY: as above; the ends reach the slots by the rules B2 and B3.
unsafe impl<T: Send + Sync> Sync for Memory<T> {}

impl<T> Memory<T> {
    /// Memory for exactly `capacity` messages, with no handle.
    pub(crate) fn new(capacity: usize, sender: EventCount, options: Options) -> Result<Arc<Self>, BuildError> {
        check(capacity)?;
        let slots = Storage::untouched(capacity.next_power_of_two())?;
        let start = Position::new(options.start);
        #[cfg(feature = "std")]
        let fenced = match options.fence_mode {
            FenceMode::Never => false,
            FenceMode::Auto => !crate::wait::has_heavy_fence(),
            FenceMode::Fence => true,
        };
        #[cfg(not(feature = "std"))]
        let fenced = false;
        share(Self {
            tail: Line(AtomicU64::new(start.open_word())),
            counters: Line(ProducerCounters { full: Counter::new(), parks: Counter::new(), wakes: Counter::new() }),
            news: Line(News {
                changes: AtomicU64::new(0),
                handles: AtomicU64::new(0),
                first: AtomicPtr::new(ptr::null_mut()),
                seats: AtomicU64::new(0),
            }),
            sender,
            clean: AtomicU64::new(start.plus(slots.len() as u64).open_word()),
            slots,
            capacity: capacity as u64,
            start,
            fenced,
            options,
            #[cfg(feature = "std")]
            names: super::names::Names::new(),
        })
    }

    pub(super) fn mask(&self) -> u64 {
        self.slots.len() as u64 - 1
    }

    /// All seats that were ever made, the newest first.
    pub(super) fn seats(&self) -> impl Iterator<Item = &Seat> {
        let mut at = self.news.0.first.load(order!(take_stack));
        core::iter::from_fn(move || {
            // SAFETY: a pointer of the list leads to a seat, which is freed with the memory (B6).
            let seat = unsafe { at.as_ref() }?;
            at = seat.older.load(Ordering::Relaxed);
            Some(seat)
        })
    }

    /// A seat of this memory.
    #[inline(always)]
    pub(super) fn seat(&self, seat: NonNull<Seat>) -> &Seat {
        // SAFETY: it is freed with the memory (B6).
        unsafe { seat.as_ref() }
    }

    /// A free seat, or a new one, taken.
    pub(super) fn take_seat(&self, event: Option<&EventCount>) -> Result<(&Seat, bool), BuildError> {
        if let Some(seat) = self.seats().find(|seat| seat.try_take(event)) {
            return Ok((seat, false));
        }
        #[cfg(feature = "std")]
        let own = || EventCount::own(self.options.fence_mode);
        #[cfg(not(feature = "std"))]
        let own = || Ok(EventCount);
        let index = self.news.0.seats.fetch_add(1, Ordering::Relaxed) as u32;
        let seat = Seat::allocate(event.cloned().map_or_else(own, Ok)?, event.is_some(), index, self.fenced)?;
        Ok((self.seat(seat), true))
    }

    /// Puts a new seat on the list.
    pub(super) fn add_seat(&self, seat: &Seat) {
        let first = &self.news.0.first;
        let mut below = first.load(Ordering::Relaxed);
        loop {
            seat.older.store(below, Ordering::Relaxed);
            let new = ptr::from_ref(seat).cast_mut();
            match first.compare_exchange_weak(below, new, order!(push_stack), Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => below = now,
            }
        }
    }

    /// Tells the producer that a seat, or the last handle, came or went.
    pub(super) fn changed(&self) {
        self.news.0.changes.fetch_add(1, order!(tell_change));
    }

    #[inline(always)]
    pub(super) fn changes(&self) -> u64 {
        // Relaxed: it says that there is something to look at, and the look has its own order.
        self.news.0.changes.load(Ordering::Relaxed)
    }

    /// Whether no handle is left that can receive. Then none ever comes.
    #[inline(always)]
    pub(crate) fn is_deserted(&self) -> bool {
        self.news.0.handles.load(order!(see_deserted)) == 0
    }

    /// Keeps a read that comes after a publication behind it, as far as the barrier of a handle that joins asks for it.
    #[inline(always)]
    pub(super) fn after_publication(&self) {
        if self.fenced {
            if !mutant!(CastFence) {
                fence(Ordering::SeqCst);
            }
        } else {
            light_fence();
        }
    }

    /// The barriers of a handle that joins.
    pub(super) fn join_barrier(&self, event: &EventCount) {
        if !mutant!(SeatFence) {
            fence(Ordering::SeqCst);
        }
        #[cfg(feature = "std")]
        if !self.fenced && event.may_sleep() {
            crate::wait::heavy_fence();
        }
        #[cfg(not(feature = "std"))]
        let _ = event;
    }

    /// A place was freed, or the producer has something else to find out.
    #[inline(always)]
    pub(super) fn wake_sender(&self, wakes: &Counter) {
        if self.sender.has_waiter() {
            crate::channel::message::wake_sender(&self.sender, wakes);
        }
    }

    /// Wakes those of the seats that `wanted` chooses and whose consumers wait. Each of them is woken, also if the waker of another panics. Returns how
    /// many.
    pub(super) fn wake_seats(&self, wanted: impl Fn(&Seat) -> bool) -> u64 {
        let (mut woken, mut panics) = (0, Panics::new());
        for seat in self.seats().filter(|seat| wanted(seat)) {
            panics.catch(|| woken += u64::from(seat.event.notify()));
        }
        panics.resume();
        woken
    }

    pub(crate) fn tail(&self) -> Position {
        Position::from_word(self.tail.0.load(Ordering::Relaxed))
    }

    pub(crate) fn is_closed(&self) -> bool {
        Position::is_closed(self.tail.0.load(Ordering::Relaxed))
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// The seat that is furthest behind, by how many messages, and whether it is vacant.
    pub(crate) fn slowest(&self) -> Option<(SeatRef, u64, bool)> {
        let lags = self.seats().filter_map(|seat| {
            let state = seat.state();
            let head = seat.head();
            // After the head, so that it is not behind that.
            let tail = Position::from_word(self.tail.0.load(order!(observe_cast)));
            state.gates().then(|| (SeatRef::of(seat), tail.since(head), state.is_vacant()))
        });
        lags.max_by_key(|&(_, lag, _)| lag)
    }

    pub(crate) fn stats(&self) -> Stats {
        let lag = self.slowest().map_or(0, |(_, lag, _)| lag);
        let sent = self.tail().since(self.start);
        let counters = &self.counters.0;
        let sum = |one: fn(&Seat) -> &Counter| self.seats().map(|seat| one(seat).get()).sum();
        Stats {
            sent,
            received: sent.saturating_sub(lag),
            tombstones: 0,
            depth: lag.min(self.capacity) as usize,
            full: counters.full.get(),
            sender_parks: counters.parks.get(),
            receiver_parks: sum(|seat| &seat.counters.0.parks),
            sender_wakes: counters.wakes.get(),
            receiver_wakes: sum(|seat| &seat.counters.0.wakes),
        }
    }

    /// Takes a seat that is vacant, to free it. Whether it was.
    #[cfg(feature = "std")]
    pub(super) fn take_vacant(&self, seat: SeatRef) -> bool {
        self.seat(seat.seat).try_take_vacant(seat.generation, true)
    }

    /// Frees a seat that was taken so.
    #[cfg(feature = "std")]
    pub(super) fn free_taken(&self, seat: SeatRef) {
        let seat = self.seat(seat.seat);
        seat.end(false);
        self.left(seat);
    }

    /// Tells all that wait for a seat that it was given up.
    pub(super) fn left(&self, seat: &Seat) {
        self.changed();
        let mut panics = Panics::new();
        panics.catch(|| self.committed(seat));
        panics.resume();
    }

    /// Tells all that wait for the head of a seat that it has moved.
    #[cold]
    #[inline(never)]
    pub(super) fn committed(&self, seat: &Seat) {
        self.after_publication();
        let mut panics = Panics::new();
        if seat.is_followed() && !mutant!(WakeFollowers) {
            panics.catch(|| {
                self.wake_seats(|seat| seat.state().follows());
            });
        }
        panics.catch(|| self.wake_sender(&seat.counters.0.wakes));
        panics.resume();
    }
}

/// The light barrier, where handles wait at all.
#[inline(always)]
pub(super) fn light_fence() {
    #[cfg(feature = "std")]
    crate::wait::light_fence(Ordering::SeqCst);
}

impl<T> Drop for Memory<T> {
    fn drop(&mut self) {
        let seats = core::mem::replace(&mut self.news.0.first, AtomicPtr::new(ptr::null_mut()));
        let mut at = seats.load(Ordering::Relaxed);
        while let Some(seat) = NonNull::new(at) {
            at = self.seat(seat).older.load(Ordering::Relaxed);
            // SAFETY: no handle is left, and it is off the list.
            unsafe { Seat::free(seat) };
        }
        let clean = Position::from_word(self.clean.load(Ordering::Relaxed));
        let oldest =
            Position::from_word(clean.open_word().wrapping_sub(Position::new(self.slots.len() as u64).open_word()));
        let tail = self.tail();
        // SAFETY: no other owner is left; the slots from the oldest value on up to `tail` hold one each (B2, B3).
        unsafe { drop_run(self.slots.first(), self.mask(), oldest, tail) };
    }
}

/// An owner of the memory that can receive, or make others that can.
pub(crate) struct Member<T>(Arc<Memory<T>>);

impl<T> Member<T> {
    /// The first one of a memory that has none yet, or another one beside one that there is.
    pub(crate) fn new(memory: &Arc<Memory<T>>) -> Self {
        memory.news.0.handles.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(memory))
    }

    #[inline(always)]
    pub(crate) fn memory(&self) -> &Memory<T> {
        &self.0
    }

    pub(crate) fn is_of_same(&self, other: &Self) -> bool {
        ptr::eq(self.memory(), other.memory())
    }
}

impl<T> Clone for Member<T> {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl<T> Drop for Member<T> {
    fn drop(&mut self) {
        if self.0.news.0.handles.fetch_sub(1, order!(desert)) == 1 {
            self.0.changed();
            if !mutant!(DesertNotifies) {
                self.0.sender.notify();
            }
        }
    }
}
