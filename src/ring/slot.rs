//! One cell of a ring, and runs of cells. The only places where a value enters or leaves shared memory.

use crate::sync::UnsafeCell;
use core::mem::MaybeUninit;

/// Room for one value. Whether it holds one is known from the positions alone (invariants I2 and I3 of [`super`]).
#[cfg_attr(not(ringmail_loom), repr(transparent))]
pub(crate) struct Slot<T>(UnsafeCell<MaybeUninit<T>>);

#[cfg(ringmail_loom)]
impl<T> Slot<T> {
    pub(crate) fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }
}

/// Puts `value` into `slot`.
///
/// # Safety
/// `slot` is valid, the caller owns it as producer (I2), and it holds no value, or one that may be leaked.
#[inline(always)]
pub(crate) unsafe fn write<T>(slot: *const Slot<T>, value: T) {
    // SAFETY: valid by the caller's promise.
    let slot = unsafe { &*slot };
    slot.0.with_mut(|p| {
        // SAFETY: the caller owns the cell, so nobody else reads or writes it meanwhile.
        unsafe { p.write(MaybeUninit::new(value)) }
    });
}

/// Takes the value out of `slot`.
///
/// # Safety
/// `slot` is valid, the caller owns it as consumer (I3), it holds a value, and nobody takes that value again.
#[inline(always)]
pub(crate) unsafe fn read<T>(slot: *const Slot<T>) -> T {
    // SAFETY: valid by the caller's promise.
    let slot = unsafe { &*slot };
    slot.0.with(|p| {
        // SAFETY: the caller owns the cell, so nobody writes it meanwhile.
        let value = unsafe { p.read() };
        // SAFETY: the caller promises that the cell holds a value.
        unsafe { value.assume_init() }
    })
}

/// Borrows the value in `slot`.
///
/// # Safety
/// As [`read`], and the caller owns the slot for all of `'a`.
#[inline(always)]
pub(crate) unsafe fn borrow<'a, T>(slot: *const Slot<T>) -> &'a T {
    // SAFETY: valid by the caller's promise.
    let slot: &'a Slot<T> = unsafe { &*slot };
    slot.0.with(|p| {
        // SAFETY: the caller owns the cell for 'a, so nobody writes it meanwhile.
        let value = unsafe { &*p };
        // SAFETY: the caller promises that the cell holds a value.
        unsafe { value.assume_init_ref() }
    })
}

/// Copies `n` values from `source` into the slots from `slot` on.
///
/// # Safety
/// As [`write`] for each of the `n` slots; `source` is valid for `n` reads, and the values now belong to the slots.
#[inline(always)]
pub(crate) unsafe fn write_run<T>(slot: *const Slot<T>, source: *const T, n: usize) {
    #[cfg(not(ringmail_loom))]
    // SAFETY: a slot is `repr(transparent)` over its value, the caller owns all `n`, and `source` is private memory.
    unsafe {
        core::ptr::copy_nonoverlapping(source, slot.cast::<T>().cast_mut(), n);
    }
    #[cfg(ringmail_loom)]
    for i in 0..n {
        // One by one, so that the model sees every access.
        // SAFETY: `i < n`, inside both runs.
        let slot = unsafe { slot.add(i) };
        // SAFETY: as above.
        let source = unsafe { source.add(i) };
        // SAFETY: valid for a read; the value now belongs to the slot.
        let value = unsafe { source.read() };
        // SAFETY: the caller's promise for this slot.
        unsafe { write(slot, value) };
    }
}

/// Moves the values of `n` slots from `slot` on to `target`.
///
/// # Safety
/// As [`read`] for each of the `n` slots; `target` is valid for `n` writes.
#[inline(always)]
pub(crate) unsafe fn read_run<T>(slot: *const Slot<T>, target: *mut T, n: usize) {
    #[cfg(not(ringmail_loom))]
    // SAFETY: a slot is `repr(transparent)` over its value, the caller owns all `n`, and `target` is private memory.
    unsafe {
        core::ptr::copy_nonoverlapping(slot.cast::<T>(), target, n);
    }
    #[cfg(ringmail_loom)]
    for i in 0..n {
        // One by one, so that the model sees every access.
        // SAFETY: `i < n`, inside both runs.
        let slot = unsafe { slot.add(i) };
        // SAFETY: as above.
        let target = unsafe { target.add(i) };
        // SAFETY: the caller's promise for this slot.
        let value = unsafe { read(slot) };
        // SAFETY: valid for a write.
        unsafe { target.write(value) };
    }
}
