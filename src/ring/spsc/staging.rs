//! Staging: values that the producer writes ahead into reserved slots and publishes together.

use super::super::backend::{Backend, Heap, drop_run};
use super::super::slot;
#[cfg(not(ringmail_loom))]
use super::super::slot::Slot;
use super::Producer;
#[cfg(not(ringmail_loom))]
use core::mem::MaybeUninit;

/// Slots that hold nothing yet, as the two runs they form.
#[cfg(not(ringmail_loom))]
pub(crate) type Vacant<'a, T> = (&'a mut [MaybeUninit<T>], &'a mut [MaybeUninit<T>]);

/// Slots that lie behind each other.
#[cfg(not(ringmail_loom))]
type Run<T> = (*mut Slot<T>, usize);

impl<B: Backend> Producer<B> {
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
        // SAFETY: we wrote these values and never published them, so the other side does not know of them.
        unsafe { drop_run(self.geometry.slots, self.geometry.mask, self.tail, self.tail.plus(n)) };
    }

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

impl<T> Producer<Heap<T>> {
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
