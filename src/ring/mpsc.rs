//! Many producers, one consumer: a ring in which a stamp in each slot says when it is full.
//!
//! ```text
//!   tail ──► claimed by compare-and-swap, position by position, by any producer
//!   slot   = { stamp, value }: a producer writes the value into what it claimed, then the stamp
//!   head ──► freed by the consumer, which reads a slot once its stamp says so
//! ```
//!
//! | stamp of the slot at position `p` | meaning |
//! |---|---|
//! | `p + 1` | holds the value of position `p` |
//! | `p + 1`, bit 0 set | a tombstone: claimed and given up, nothing to read |
//! | anything else | of an earlier lap: free, or claimed and not yet written |
//!
//! **Who writes what.** `tail` and the stamps: producers only, each stamp the one that claimed its position. `head`: the
//! consumer only. The consumer never restamps a slot: "free" is what `head` says, so capacity is exact, 1 included.
//!
//! **Invariants**, beside I1 and I6 of [`super`]:
//! * M1 A position is claimed once: `tail` only grows, by compare-and-swap. A claim needs `position < head + capacity`
//!   for a `head` that the claimer itself loaded with Acquire, or found where a thread that did has put it: the slot's last value is out.
//! * M2 A claimed slot belongs to its claimer until it stores the stamp; from then on, while `head ≤ position`, to the consumer.
//! * M3 Between claim and stamp runs no code of the user but the closure that fills a place. If a panic unwinds there, a guard leaves tombstones: a
//!   claim is never left open.
//! * M4 Once bit 0 of `tail` is set, nothing more is claimed. The last producer sets it when it leaves, or the consumer when it closes.
//! * M5 `head`, and the slots behind it, belong to the end that has the role of the reader (`reader`): first the consumer, and once that is gone one
//!   producer at a time. An end gives the role up only if no producer has published late since its last look: a producer that publishes after the
//!   consumer has gone asks for another look.
//!
//! **Steps.** `push` is lock-free: it repeats only when another producer has claimed meanwhile. If a producer stops between claim and stamp, no
//! other thread waits for it: other producers claim and publish behind it, and the consumer answers "empty".
//!
//! Source of the idea: Vyukov's bounded queue with a sequence number a slot, as in crossbeam's `ArrayQueue`; there the
//! consumer restamps the slots, here it does not.

mod consumer;
mod producer;
#[cfg(feature = "std")]
mod shared_writer;

pub(crate) use consumer::Consumer;
pub(crate) use producer::{Claim, Producer, Weak, Writer};
#[cfg(feature = "std")]
pub(crate) use shared_writer::SharedWriter;

use super::backend::check;
use super::layout::{Counter, Stats};
use super::slot::{self, Slot};
use super::storage::Storage;
use crate::error::BuildError;
use crate::sync::order::{mutant, order};
use crate::sync::position::Position;
use crate::sync::{Arc, AtomicU64, Ordering, share};
use core::ptr::NonNull;
use crossbeam_utils::CachePadded;

/// One place of the ring.
#[repr(C)]
pub(super) struct Stamped<T> {
    stamp: AtomicU64,
    value: Slot<T>,
}

/// What the handles of a ring share.
pub(crate) struct Ring<T> {
    /// Next position to claim, and whether no more may be. Written by producers; once by a consumer that closes.
    tail: CachePadded<AtomicU64>,
    /// Next position to read, and whether the consumer is gone.
    head: CachePadded<AtomicU64>,
    /// 1 once the last producer has left. Apart from `tail`: a consumer that finds nothing looks here, not into the line that
    /// producers fight for.
    ended: CachePadded<AtomicU64>,
    consumer: CachePadded<ConsumerWords>,
    producers: CachePadded<ProducerWords>,
    reader: CachePadded<ReaderWords>,
    slots: Storage<Stamped<T>>,
    capacity: u64,
    start: Position,
}

/// Written by the consumer, rarely.
struct ConsumerWords {
    /// The position that a sleeping consumer waits for.
    awaited: AtomicU64,
    tombstones: Counter,
    parks: Counter,
    wakes: Counter,
}

/// Which end has the role of the reader. Written by a consumer that goes, and by producers after it.
struct ReaderWords {
    /// [`HELD`] and [`ASKED`].
    held: AtomicU64,
    /// Whether the event count of the consumer tells producers that it left. Written by the end that has the role.
    told: AtomicU64,
}

/// One end has the role of the reader.
const HELD: u64 = 1;
/// A producer asks that end for another look before it gives the role up.
const ASKED: u64 = 2;

/// Written by all producers, rarely.
struct ProducerWords {
    /// Producers there are.
    alive: AtomicU64,
    full: Counter,
    parks: Counter,
    wakes: Counter,
}

// SAFETY: the values move between the threads that hold the handles; everything else is atomic.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: M1 and M2: no two threads reach the same slot at once.
unsafe impl<T: Send> Sync for Ring<T> {}

/// What a slot says at a position.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Value,
    Tombstone,
    Nothing,
}

/// A handle's copy of where the slots are.
struct Slots<T> {
    first: NonNull<Stamped<T>>,
    mask: u64,
}

impl<T> Slots<T> {
    #[inline(always)]
    fn place(&self, position: Position) -> *const Stamped<T> {
        // SAFETY: the index is at most `mask`, inside the storage.
        unsafe { self.first.add(position.slot(self.mask) as usize) }.as_ptr()
    }

    #[inline(always)]
    fn at(&self, position: Position) -> &Stamped<T> {
        // SAFETY: the storage lives as long as the ring, which the handle holds; only its cells change.
        unsafe { &*self.place(position) }
    }

    /// Whether the slot holds the value of `position`.
    #[inline(always)]
    fn is_full(&self, position: Position) -> bool {
        self.at(position).stamp.load(order!(observe_stamp)) == position.plus(1).open_word()
    }

    /// What the slot says of `position`.
    #[inline(always)]
    fn state_of(&self, position: Position) -> Found {
        let stamp = self.at(position).stamp.load(order!(observe_stamp));
        let next = position.plus(1);
        if stamp == next.open_word() {
            Found::Value
        } else if stamp == next.closed_word() {
            Found::Tombstone
        } else {
            Found::Nothing
        }
    }
}

/// Both ends of a ring for exactly `capacity` messages whose positions begin at `start`.
pub(crate) fn pair<T>(capacity: usize, start: Position) -> Result<(Producer<T>, Consumer<T>), BuildError> {
    check(capacity)?;
    let len = capacity.next_power_of_two();
    let mask = len as u64 - 1;
    // The stamp of the lap before the first: no position ever expects it.
    let stamp = |index: usize| {
        let first = start.plus((index as u64).wrapping_sub(start.slot(mask)) & mask);
        AtomicU64::new(first.plus(1).plus((len as u64).wrapping_neg()).open_word())
    };
    #[cfg(ringmail_loom)]
    let slots = Storage::new(len, |index| Stamped { stamp: stamp(index), value: Slot::new() })?;
    #[cfg(not(ringmail_loom))]
    let slots = Storage::<Stamped<T>>::allocate(len)?;
    #[cfg(not(ringmail_loom))]
    for index in 0..len {
        // SAFETY: `index < len`, inside the allocation.
        let place = unsafe { slots.first().add(index) };
        // SAFETY: valid, and no other thread knows of it yet.
        let word = unsafe { &raw mut (*place.as_ptr()).stamp };
        // SAFETY: valid and aligned. The value, which may be large, is left as it is: a slot may hold anything.
        unsafe { word.write(stamp(index)) };
    }
    let ring = share(Ring {
        tail: CachePadded::new(AtomicU64::new(start.open_word())),
        head: CachePadded::new(AtomicU64::new(start.open_word())),
        ended: CachePadded::new(AtomicU64::new(0)),
        consumer: CachePadded::new(ConsumerWords {
            awaited: AtomicU64::new(start.open_word()),
            tombstones: Counter::new(),
            parks: Counter::new(),
            wakes: Counter::new(),
        }),
        producers: CachePadded::new(ProducerWords {
            alive: AtomicU64::new(1),
            full: Counter::new(),
            parks: Counter::new(),
            wakes: Counter::new(),
        }),
        reader: CachePadded::new(ReaderWords { held: AtomicU64::new(HELD), told: AtomicU64::new(0) }),
        slots,
        capacity: capacity as u64,
        start,
    })?;
    Ok((Producer::new(Arc::clone(&ring)), Consumer::new(ring)))
}

impl<T> Ring<T> {
    fn slots(&self) -> Slots<T> {
        Slots { first: self.slots.first(), mask: self.slots.len() as u64 - 1 }
    }

    /// Closes `tail`. Returns where it stands for good.
    fn close_tail(&self) -> Position {
        Position::from_word(self.tail.fetch_or(1, Ordering::Relaxed))
    }

    fn tail(&self) -> Position {
        Position::from_word(self.tail.load(Ordering::Relaxed))
    }

    fn head(&self) -> Position {
        Position::from_word(self.head.load(Ordering::Relaxed))
    }

    fn len(&self) -> usize {
        // `head` first: `tail`, read later, is then not behind it.
        let head = Position::from_word(self.head.load(order!(find_head)));
        self.tail().since(head).min(self.capacity) as usize
    }

    fn stats(&self) -> Stats {
        let (head, tombstones) = (self.head(), self.consumer.tombstones.get());
        let tail = self.tail();
        let passed = head.since(self.start);
        let sent = tail.since(self.start).max(passed);
        Stats {
            sent: sent.saturating_sub(tombstones),
            received: passed.saturating_sub(tombstones),
            tombstones,
            depth: (sent - passed).min(self.capacity) as usize,
            full: self.producers.full.get(),
            sender_parks: self.producers.parks.get(),
            receiver_parks: self.consumer.parks.get(),
            sender_wakes: self.producers.wakes.get(),
            receiver_wakes: self.consumer.wakes.get(),
        }
    }
}

impl<T> Drop for Ring<T> {
    /// Drops the messages that were not taken.
    fn drop(&mut self) {
        let (mut at, to, slots) = (self.head(), self.tail(), self.slots());
        // SAFETY: no other end is left, so every position is ours (M2, M5); the reference count ordered all that they did before this.
        unsafe { Rest { slots: &slots, at: &mut at, to, over_holes: true }.run() };
    }
}

/// The role of the reader (M5), of an end that only drops what was published. [`DropOwner::serve`] gives it up, also by a panic.
struct DropOwner<'a, T, N: FnMut()> {
    ring: &'a Ring<T>,
    slots: &'a Slots<T>,
    /// Called once no message can be left behind any more, if the event count tells senders that the consumer left.
    noted: N,
    done: bool,
}

impl<'a, T, N: FnMut()> DropOwner<'a, T, N> {
    /// # Safety
    /// The caller has the role.
    unsafe fn new(ring: &'a Ring<T>, slots: &'a Slots<T>, noted: N) -> Self {
        Self { ring, slots, noted, done: false }
    }

    /// Drops what was published, up to the first open claim, and gives the role up. Repeats if a producer published late meanwhile: at most once for
    /// each producer, as nothing can be claimed any more.
    fn serve(mut self) {
        self.run();
    }

    fn run(&mut self) {
        let held = &self.ring.reader.held;
        loop {
            // Before the look: a producer that asks after this asks for another.
            held.swap(HELD, order!(take_over_head));
            self.look();
            let alone = held.compare_exchange(HELD, 0, order!(give_up_head), Ordering::Relaxed).is_ok();
            if alone || mutant!(DropOwnerLooks) {
                self.done = true;
                return;
            }
        }
    }

    fn look(&mut self) {
        /// Stores how far it came, also by a panic.
        struct Head<'a>(&'a AtomicU64, Position);
        impl Drop for Head<'_> {
            fn drop(&mut self) {
                self.0.store(self.1.open_word(), Ordering::Relaxed);
            }
        }
        let to = self.ring.tail();
        let mut head = Head(&self.ring.head, self.ring.head());
        // SAFETY: we have the role (M5).
        unsafe { Rest { slots: self.slots, at: &mut head.1, to, over_holes: false }.run() };
        let all = head.1 == to;
        drop(head);
        let told = &self.ring.reader.told;
        if all && told.load(Ordering::Relaxed) != 0 {
            told.store(0, Ordering::Relaxed);
            (self.noted)();
        }
    }
}

impl<T, N: FnMut()> Drop for DropOwner<'_, T, N> {
    fn drop(&mut self) {
        if !self.done {
            self.run();
        }
    }
}

/// Drops published values. Moves a position past each before its own code runs; after a panic it drops the others all the same.
struct Rest<'a, T> {
    slots: &'a Slots<T>,
    at: &'a mut Position,
    to: Position,
    /// `true`: pass over claims that were never published; `false`: stop there.
    over_holes: bool,
}

impl<T> Rest<'_, T> {
    /// # Safety
    /// The caller has the consumer's role over [at, to).
    unsafe fn run(mut self) {
        self.each();
    }

    fn each(&mut self) {
        while *self.at != self.to {
            let (here, found) = (*self.at, self.slots.state_of(*self.at));
            if found == Found::Nothing && !self.over_holes {
                return;
            }
            *self.at = here.plus(1);
            if found == Found::Value {
                // SAFETY: the stamp says that the value is there (M2), the caller of `run` may take it, and `at` has
                // passed it.
                drop(unsafe { slot::read(&raw const self.slots.at(here).value) });
            }
        }
    }
}

impl<T> Drop for Rest<'_, T> {
    fn drop(&mut self) {
        self.each();
    }
}
