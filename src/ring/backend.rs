//! The memory a ring lives in.

use super::layout::{ConsumerBlock, ProducerBlock};
use super::slot::{self, Slot};
use super::storage::Storage;
use crate::error::BuildError;
use crate::sync::position::Position;
use crate::sync::{Arc, AtomicU64, Ordering, share};
#[cfg(feature = "std")]
use crate::try_alloc::table;
#[cfg(feature = "std")]
use alloc::vec::Vec;
use core::ptr::NonNull;

/// Largest capacity: 2^30 messages.
pub(crate) const MAX_CAPACITY: usize = 1 << 30;

/// What the ends need to know of their memory. A handle copies it once, when it is made.
pub(crate) struct Geometry<T> {
    pub(crate) producer: NonNull<ProducerBlock>,
    pub(crate) consumer: NonNull<ConsumerBlock>,
    /// First of `mask + 1` slots.
    pub(crate) slots: NonNull<Slot<T>>,
    /// Most messages the ring may hold: 1 to [`MAX_CAPACITY`], at most `mask + 1`.
    pub(crate) capacity: u64,
    /// Slots less one: a power of two less one.
    pub(crate) mask: u64,
    /// Where the positions began; statistics count from here.
    pub(crate) start: Position,
}

/// Memory that holds a ring: two blocks and a power of two of slots.
///
/// # Safety
/// As long as the backend lives, every pointer of [`Backend::geometry`] stays valid and means the same memory, the
/// blocks are initialised, and the answer never changes. A backend may be used and dropped on any thread.
pub(crate) unsafe trait Backend {
    type Item;

    /// Whether another process may write any of it, at any time. Then positions are checked, values are copied and never lent, what is left stays
    /// for the next session, and no side writes a word of the other side's.
    const SHARED: bool = false;

    fn geometry(&self) -> Geometry<Self::Item>;

    /// Whether this process has the memory. A forked child does not have memory that its parent mapped.
    fn is_here(&self) -> bool {
        true
    }

    /// The last session of the producer, and of the consumer, that was seen to begin: see [`super::session`]. Of a ring that is not shared
    /// there is one.
    #[inline(always)]
    fn producer_session(&self, _: &Geometry<Self::Item>) -> u64 {
        0
    }

    /// As [`Backend::producer_session`].
    #[inline(always)]
    fn consumer_session(&self, _: &Geometry<Self::Item>) -> u64 {
        0
    }

    /// Reads the other side's position. Memory that this side may have mapped read-only needs another way to do it.
    #[inline(always)]
    fn observe(word: &AtomicU64, order: Ordering) -> u64 {
        word.load(order)
    }

    /// As [`slot::write`].
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    unsafe fn put(slot: *const Slot<Self::Item>, value: Self::Item) {
        // SAFETY: the caller's promise.
        unsafe { slot::write(slot, value) }
    }

    /// As [`slot::read`].
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    unsafe fn get(slot: *const Slot<Self::Item>) -> Self::Item {
        // SAFETY: the caller's promise.
        unsafe { slot::read(slot) }
    }
}

/// A ring in this process's own memory. The side that goes last frees it.
pub(crate) struct Heap<T>(Arc<HeapRing<T>>);

struct HeapRing<T> {
    producer: ProducerBlock,
    consumer: ConsumerBlock,
    slots: Storage<Slot<T>>,
    capacity: u64,
    start: Position,
}

// SAFETY: values move between the threads that attach its two ends; everything else is atomic or never changes.
unsafe impl<T: Send> Send for HeapRing<T> {}
// SAFETY: no method of it reaches a value through `&self`; the ends do, by the rules I2 and I3.
unsafe impl<T: Send> Sync for HeapRing<T> {}

impl<T> Heap<T> {
    /// A ring of exactly `capacity` messages whose positions begin at `start`.
    pub(crate) fn new(capacity: usize, start: Position) -> Result<Self, BuildError> {
        check(capacity)?;
        Self::over(Storage::untouched(capacity.next_power_of_two())?, capacity, start)
    }

    /// `n` such rings, whose slots lie side by side in one reservation.
    #[cfg(feature = "std")]
    pub(crate) fn row(n: usize, capacity: usize, start: Position) -> Result<Vec<Self>, BuildError> {
        check(capacity)?;
        #[cfg(ringmail_loom)]
        return table(n, |_| Self::new(capacity, start));
        #[cfg(not(ringmail_loom))]
        {
            let row = Storage::rows(n, capacity.next_power_of_two())?;
            table(n, |i| Self::over(row(i)?, capacity, start))
        }
    }

    fn over(slots: Storage<Slot<T>>, capacity: usize, start: Position) -> Result<Self, BuildError> {
        let ring = share(HeapRing {
            producer: ProducerBlock::new(start.open_word()),
            consumer: ConsumerBlock::new(start.open_word()),
            slots,
            capacity: capacity as u64,
            start,
        })?;
        Ok(Self(ring))
    }

    /// Has the kernel make the slots of the whole row present, near this thread's core. Whether it did.
    #[cfg(feature = "std")]
    pub(crate) fn prefault_row(&self) -> bool {
        #[cfg(ringmail_loom)]
        return false;
        #[cfg(not(ringmail_loom))]
        self.0.slots.region().is_some_and(|region| region.prefault())
    }

    /// A second owner of the same ring, for the other side. The caller attaches at most one producer and one consumer.
    pub(crate) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// The same memory for a new ring, if it has no other owner; else `None`, and the last owner frees it.
    pub(crate) fn renew(mut self) -> Option<Self> {
        let start = self.0.start;
        let ring = Arc::get_mut(&mut self.0)?;
        // As when the last owner drops it: what neither side took goes first.
        ring.drop_rest();
        ring.producer = ProducerBlock::new(start.open_word());
        ring.consumer = ConsumerBlock::new(start.open_word());
        Some(self)
    }
}

/// Refuses a capacity out of range.
pub(crate) fn check(capacity: usize) -> Result<(), BuildError> {
    match capacity {
        0 => Err(BuildError::ZeroCapacity),
        1..=MAX_CAPACITY => Ok(()),
        _ => Err(BuildError::CapacityTooLarge { requested: capacity, max: MAX_CAPACITY }),
    }
}

// SAFETY: the pointers lead into the `Arc`'s block and into `Storage`, both of which stay where they are until the last
// `Heap` drops; the blocks are initialised in `new`.
unsafe impl<T> Backend for Heap<T> {
    type Item = T;

    fn geometry(&self) -> Geometry<T> {
        Geometry {
            producer: NonNull::from(&self.0.producer),
            consumer: NonNull::from(&self.0.consumer),
            slots: self.0.slots.first(),
            capacity: self.0.capacity,
            mask: self.0.slots.len() as u64 - 1,
            start: self.0.start,
        }
    }
}

impl<T> Drop for HeapRing<T> {
    fn drop(&mut self) {
        self.drop_rest();
    }
}

impl<T> HeapRing<T> {
    /// Drops what neither side took: a message that was published while the receiver left.
    fn drop_rest(&mut self) {
        // Both handles are gone, and the `Arc` ordered all they did before this: plain reads would do.
        let tail = Position::from_word(self.producer.tail.load(Ordering::Relaxed));
        let head = Position::from_word(self.consumer.head.load(Ordering::Relaxed));
        // Should a value panic, the rest is dropped on the way out, and never again.
        self.consumer.head.store(tail.open_word(), Ordering::Relaxed);
        // SAFETY: no other owner is left, so the values between head and tail (I3) are ours.
        unsafe { drop_run(self.slots.first(), self.slots.len() as u64 - 1, head, tail) };
    }
}

/// Drops the values from `head` up to `tail`. If one panics, the rest are dropped all the same.
///
/// # Safety
/// The caller owns these slots as consumer, each holds a value, and none is taken again.
pub(super) unsafe fn drop_run<T>(slots: NonNull<Slot<T>>, mask: u64, head: Position, tail: Position) {
    struct Rest<T>(NonNull<Slot<T>>, u64, Position, Position);
    impl<T> Rest<T> {
        fn run(&mut self) {
            while self.2 != self.3 {
                let index = self.2.slot(self.1) as usize;
                // Before the value's own `drop` runs: if that panics, the value must not be dropped twice.
                self.2 = self.2.plus(1);
                // SAFETY: `index` is at most `mask`, inside the storage.
                let slot = unsafe { self.0.add(index) };
                // SAFETY: the caller of `drop_run` owns the slot and its value.
                drop(unsafe { slot::read(slot.as_ptr()) });
            }
        }
    }
    impl<T> Drop for Rest<T> {
        fn drop(&mut self) {
            self.run();
        }
    }
    if core::mem::needs_drop::<T>() {
        Rest(slots, mask, head, tail).run();
    }
}
