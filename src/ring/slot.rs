//! One cell of a ring, and runs of cells. The only places where a value enters or leaves shared memory.

use super::layout::Counter;
use super::place::{self, Filled, Place};
use crate::sync::position::Position;
use crate::sync::{AtomicU64, Ordering, UnsafeCell};
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

/// Gives `$body` the pointer to the value's bytes as `$bytes`; in a model, as an access that loom sees.
macro_rules! access {
    ($slot:expr, $with:ident, |$bytes:ident| $body:expr) => {{
        #[cfg(not(ringmail_loom))]
        {
            // A slot is `repr(transparent)` over the cell.
            let $bytes = UnsafeCell::raw_get($slot.cast::<UnsafeCell<MaybeUninit<T>>>());
            $body
        }
        #[cfg(ringmail_loom)]
        {
            // SAFETY: valid by the promise of the caller of the function that this stands in.
            let slot = unsafe { &*$slot };
            slot.0.$with(|$bytes| $body)
        }
    }};
}

/// Puts `value` into `slot`.
///
/// # Safety
/// `slot` is valid, the caller owns it as producer (I2), and it holds no value, or one that may be leaked.
#[inline(always)]
pub(crate) unsafe fn write<T>(slot: *const Slot<T>, value: T) {
    // SAFETY: the caller owns the cell: no other thread reads or writes it meanwhile.
    access!(slot, with_mut, |bytes| unsafe { bytes.cast::<T>().write(value) });
}

/// Has `write` put a value into `slot`.
///
/// # Safety
/// As [`write`](fn@write).
#[inline(always)]
pub(crate) unsafe fn write_with<T>(slot: *const Slot<T>, write: impl FnOnce(Place<'_, T>) -> Filled<'_>) {
    // SAFETY: the caller owns the cell: no other thread reads or writes it meanwhile.
    access!(slot, with_mut, |bytes| place::lend(unsafe { &mut *bytes }, write));
}

/// How many cells ahead of the one that it writes a producer prefetches, 0 for none: about a kilobyte.
///
/// The consumer's core has these lines since the last lap. A store waits for its line in the store buffer, and the stores behind
/// it wait too. A few large messages fill the buffer, and a locked instruction, such as a claim, waits until it is empty.
/// So a ring of one producer, which locks nothing, prefetches only cells of 32 bytes or more. On a pair of cores near each other and
/// one far apart a kilobyte was as good as the best of a quarter to 6. (`paired --suite payload,mpsc-payload`: 64 and 256 bytes
/// move 1.1 to 1.4 times as much; `mpsc-try-1` 1.1 to 1.3 times near and 2 times far.) A cell of a kilobyte is its own run ahead.
pub(crate) const fn ahead<C>() -> u64 {
    match size_of::<C>() {
        0 | 529.. => 0,
        size => 1024 / size as u64,
    }
}

/// Prefetches the cache lines of `cell`, to be written soon. A hint: `cell` may be any address.
#[inline(always)]
pub(crate) fn prefetch_for_write<C>(cell: *const C) {
    // Of the hint instruction there is no intrinsic that the compiler does not turn into one for reading.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for line in (0..size_of::<C>()).step_by(64) {
        let line = cell.cast::<u8>().wrapping_add(line);
        // SAFETY: changes neither memory nor registers nor flags, and never faults, also at an address that is not mapped.
        unsafe { core::arch::asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags, readonly)) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = cell;
}

/// Prefetches the first cache line of `cell`, to be read soon. A hint: `cell` may be any address.
#[inline(always)]
pub(crate) fn prefetch_for_read<C>(cell: *const C) {
    // The intrinsic is safe in some versions of the compiler, and not in others.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: changes neither memory nor registers nor flags, and never faults, also at an address that is not mapped.
    unsafe {
        core::arch::asm!("prefetcht0 [{}]", in(reg) cell, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = cell;
}

/// Takes the value out of `slot`.
///
/// # Safety
/// `slot` is valid, the caller owns it as consumer (I3), it holds a value, and that value is not taken again.
#[inline(always)]
pub(crate) unsafe fn read<T>(slot: *const Slot<T>) -> T {
    access!(slot, with, |bytes| {
        // SAFETY: the caller owns the cell: no other thread writes it meanwhile.
        let value = unsafe { copy_out::<T>(bytes.cast()) };
        // SAFETY: the caller promises that the cell holds a value.
        unsafe { value.assume_init() }
    })
}

/// Drops the value in `slot` where it lies.
///
/// # Safety
/// `slot` is valid, no other thread reads or writes it meanwhile, it holds a value, and that value is not used again, also if its drop panics.
#[inline(always)]
pub(crate) unsafe fn discard<T>(slot: *const Slot<T>) {
    // SAFETY: the caller's promise.
    access!(slot, with_mut, |bytes| unsafe { bytes.cast::<T>().drop_in_place() });
}

/// `source.read()`, word by word if there are 3 to 32: as many as fit the vector registers of x86-64 without AVX.
///
/// A plain read is a copy from memory to memory. It must be done before the store that frees the slot, and the compiler
/// does not merge it across that store with the move that the caller makes of the answer (`Ok` to `Some` to a variable
/// of its own): two copies of the message. Words are values: they wait in registers and are written once, where the
/// caller wants them. Pointers, because a word may be one, and uninitialised, because a word may be padding.
///
/// # Safety
/// As `source.read()`.
#[inline(always)]
unsafe fn copy_out<T>(source: *const MaybeUninit<T>) -> MaybeUninit<T> {
    type Word = MaybeUninit<*const ()>;
    const WORD: usize = size_of::<Word>();
    // A constant, not a call: what is not folded at once, the compiler splits the longer copies by.
    let words = const {
        let (words, rest) = (size_of::<T>() / WORD, size_of::<T>() % WORD);
        if rest == 0 && align_of::<T>() >= align_of::<Word>() && words >= 3 && words <= 32 { words } else { 0 }
    };
    if words == 0 {
        // SAFETY: the caller's promise.
        return unsafe { source.read() };
    }
    let mut value = MaybeUninit::<T>::uninit();
    let (source, target) = (source.cast::<Word>(), value.as_mut_ptr().cast::<Word>());
    // Not a loop: the compiler would see the copy in it.
    macro_rules! move_words {
        ($($i:literal)*) => {$(
            if $i < words {
                // SAFETY: `i < words`, inside the value.
                let source = unsafe { source.add($i) };
                // SAFETY: as above.
                let target = unsafe { target.add($i) };
                // SAFETY: the caller's promise; aligned, as the value is.
                let word = unsafe { source.read() };
                // SAFETY: our own variable, aligned too.
                unsafe { target.write(word) };
            }
        )*};
    }
    move_words!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    value
}

/// The same value, moved word by word if it has 3 to 32: it waits in registers for a store that comes before the caller's move of it. See `copy_out`.
#[inline(always)]
pub(crate) fn by_words<T>(value: T) -> T {
    let value = MaybeUninit::new(value);
    // SAFETY: our own variable, which is not used again.
    let value = unsafe { copy_out(&raw const value) };
    // SAFETY: a value.
    unsafe { value.assume_init() }
}

/// Borrows the value in `slot`.
///
/// # Safety
/// As [`read`], and the caller owns the slot for all of `'a`.
#[inline(always)]
pub(crate) unsafe fn borrow<'a, T>(slot: *const Slot<T>) -> &'a T {
    // SAFETY: the caller owns the cell for 'a, no other thread writes it meanwhile, and it holds a value.
    access!(slot, with, |bytes| unsafe { &*bytes.cast::<T>() })
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

/// Proof that a consumer has seen a message: only the ring makes one. It borrows the consumer, so the message is still there.
pub(crate) struct Ready<'a, T> {
    /// The slot at `head`, which is the consumer's and full (I3, M2).
    pub(super) slot: *const Slot<T>,
    pub(super) head: &'a mut Position,
    /// Where `head` is published, and the ordering of that store.
    pub(super) published: &'a AtomicU64,
    pub(super) order: Ordering,
    /// Counts the senders that the consumer has woken.
    pub(crate) wakes: &'a Counter,
}

impl<T> Ready<'_, T> {
    /// Takes the message, frees its place and returns what `wrap` makes of the message.
    ///
    /// `wrap` makes what the caller returns, so that the message is copied once, to where the caller wants it. Wrapped later, a large message
    /// would be copied twice (`verify/assembly/check` looks).
    #[inline(always)]
    pub(crate) fn take<A>(self, wrap: impl FnOnce(T) -> A) -> A {
        // SAFETY: ours and full, see the type; `head` moves past it at once.
        let message = wrap(unsafe { read(self.slot) });
        *self.head = self.head.plus(1);
        self.published.store(self.head.open_word(), self.order);
        message
    }
}
