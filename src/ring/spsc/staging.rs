//! Staging: values that the producer writes ahead into reserved slots and publishes together.

use super::super::backend::{Backend, Heap, drop_run};
use super::super::slot;
#[cfg(not(ringmail_loom))]
use super::super::slot::Slot;
use super::Producer;
use crate::sync::position::Position;
#[cfg(not(ringmail_loom))]
use core::mem::MaybeUninit;

/// Slots that hold nothing yet, as the two runs they form.
#[cfg(not(ringmail_loom))]
pub(crate) type Vacant<'a, T> = (&'a mut [MaybeUninit<T>], &'a mut [MaybeUninit<T>]);

/// Slots that lie behind each other.
#[cfg(not(ringmail_loom))]
type Run<T> = (*mut Slot<T>, usize);

/// A reservation, from [`Producer::reserve`]: how many slots, and how many of them hold a value.
///
/// It counts apart from the producer, in a variable of the verb's own, so that the compiler keeps the counts in registers. It is for the producer that
/// made it, until that publishes anything.
pub(crate) struct Staging {
    from: Position,
    room: u64,
    staged: u64,
}

impl Staging {
    pub(crate) const NONE: Self = Self { from: Position::new(0), room: 0, staged: 0 };

    /// Slots reserved.
    #[inline(always)]
    pub(crate) fn room(&self) -> u64 {
        self.room
    }

    /// Values written.
    #[inline(always)]
    pub(crate) fn staged(&self) -> u64 {
        self.staged
    }

    /// Ends it. How many values were written.
    #[inline(always)]
    fn end(&mut self) -> u64 {
        self.room = 0;
        core::mem::take(&mut self.staged)
    }
}

impl<B: Backend> Producer<B> {
    /// Begins a reservation of up to `wanted` slots.
    #[inline(always)]
    pub(crate) fn reserve(&mut self, wanted: u64) -> Staging {
        let room = self.room(wanted);
        self.staging(room)
    }

    /// A reservation of `room` slots, of those that are known to be free.
    #[inline(always)]
    pub(crate) fn staging(&self, room: u64) -> Staging {
        Staging { from: self.tail, room: room.min(self.full_at.since(self.tail)), staged: 0 }
    }

    /// Slots of the reservation that hold nothing yet: 0 of one that was made before the last publication.
    #[inline(always)]
    fn left(&self, staging: &Staging) -> u64 {
        if staging.from == self.tail { staging.room - staging.staged } else { 0 }
    }

    /// Writes one value into the reservation; returns it if the reservation is used up.
    #[inline(always)]
    pub(crate) fn stage(&mut self, staging: &mut Staging, value: B::Item) -> Result<(), B::Item> {
        if self.left(staging) == 0 {
            return Err(value);
        }
        // SAFETY: one of the slots from `tail` on that the reservation has found free, and it is empty (I2).
        unsafe { B::put(self.slot(self.tail.plus(staging.staged)), value) };
        staging.staged += 1;
        Ok(())
    }

    /// Writes values until the iterator or the reservation ends. Returns how many. If the iterator panics, those before
    /// stay staged.
    #[inline(always)]
    pub(crate) fn stage_iter(&mut self, staging: &mut Staging, values: &mut impl Iterator<Item = B::Item>) -> u64 {
        /// Counts what was written even if the iterator panics.
        struct Count<'a>(&'a mut u64, u64);
        impl Drop for Count<'_> {
            #[inline(always)]
            fn drop(&mut self) {
                *self.0 += self.1;
            }
        }
        let left = self.left(staging);
        let at = self.tail.plus(staging.staged);
        // Two runs at most: up to the end of the storage, and from its start.
        let to_end = (self.geometry.mask + 1 - at.slot(self.geometry.mask)).min(left);
        let (slots, first) = (self.geometry.slots.as_ptr(), self.slot(at));
        let mut count = Count(&mut staging.staged, 0);
        while count.1 < to_end {
            let Some(value) = values.next() else { return count.1 };
            // SAFETY: `count < to_end`, inside the storage.
            let slot = unsafe { first.add(count.1 as usize) };
            // SAFETY: `count < left`: a slot that the reservation has found free, and it is empty (I2).
            unsafe { B::put(slot, value) };
            count.1 += 1;
        }
        while count.1 < left {
            let Some(value) = values.next() else { return count.1 };
            // SAFETY: `count - to_end < left ≤ mask + 1`, inside the storage.
            let slot = unsafe { slots.add((count.1 - to_end) as usize) };
            // SAFETY: as above.
            unsafe { B::put(slot, value) };
            count.1 += 1;
        }
        count.1
    }

    /// Copies values until the slice or the reservation ends. Returns how many.
    #[inline(always)]
    pub(crate) fn stage_slice(&mut self, staging: &mut Staging, values: &[B::Item]) -> u64
    where
        B::Item: Copy,
    {
        let n = self.left(staging).min(values.len() as u64);
        let at = self.tail.plus(staging.staged);
        let to_end = (self.geometry.mask + 1 - at.slot(self.geometry.mask)).min(n) as usize;
        let (first, second) = values[..n as usize].split_at(to_end);
        if B::SHARED {
            for (offset, &value) in (0..).zip(&values[..n as usize]) {
                // SAFETY: one of `n` slots that the reservation has found free, and it is empty (I2).
                unsafe { B::put(self.slot(at.plus(offset)), value) };
            }
            staging.staged += n;
            return n;
        }
        // SAFETY: `n` slots from `at` on are reserved, ours and empty (I2), the first `to_end` up to the storage's end.
        unsafe { slot::write_run(self.slot(at), first.as_ptr(), first.len()) };
        // SAFETY: the rest of them lie from the storage's start on.
        unsafe { slot::write_run(self.geometry.slots.as_ptr(), second.as_ptr(), second.len()) };
        staging.staged += n;
        n
    }

    /// Publishes what is staged with one store and ends the reservation. Returns how many.
    #[inline(always)]
    pub(crate) fn publish_staged(&mut self, staging: &mut Staging) -> u64 {
        let n = staging.end();
        if n != 0 {
            debug_assert!(staging.from == self.tail, "published meanwhile");
            self.publish(n);
        }
        n
    }

    /// Drops what is staged and ends the reservation.
    #[inline(always)]
    pub(crate) fn discard_staged(&mut self, staging: &mut Staging) {
        let n = staging.end();
        debug_assert!(n == 0 || staging.from == self.tail, "published meanwhile");
        // SAFETY: we wrote these values, and nothing was published since, so the other side does not know of them.
        unsafe { drop_run(self.geometry.slots, self.geometry.mask, staging.from, staging.from.plus(n)) };
    }

    /// The slots of the reservation that are not staged, in order, as the two runs they form.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn vacant_runs(&mut self, staging: &Staging) -> (Run<B::Item>, Run<B::Item>) {
        let n = self.left(staging) as usize;
        let at = self.tail.plus(staging.staged);
        let to_end = ((self.geometry.mask + 1 - at.slot(self.geometry.mask)) as usize).min(n);
        ((self.slot(at).cast_mut(), to_end), (self.geometry.slots.as_ptr(), n - to_end))
    }

    /// Counts `n` more values as staged.
    ///
    /// # Safety
    /// The first `n` slots of [`Producer::vacant_runs`] have been written.
    pub(crate) unsafe fn assume_staged(&mut self, staging: &mut Staging, n: u64) {
        staging.staged += n.min(self.left(staging));
    }
}

impl<T> Producer<Heap<T>> {
    /// The slots of the reservation that hold nothing yet, in order, as the two runs they form.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn vacant(&mut self, staging: &Staging) -> Vacant<'_, T> {
        let (first, second) = self.vacant_runs(staging);
        // SAFETY: reserved slots, ours alone (I2) for as long as `self` is borrowed; a slot is `repr(transparent)` over `MaybeUninit<T>`.
        let first = unsafe { core::slice::from_raw_parts_mut(first.0.cast(), first.1) };
        // SAFETY: as above, disjoint from the first run.
        let second = unsafe { core::slice::from_raw_parts_mut(second.0.cast(), second.1) };
        (first, second)
    }
}
