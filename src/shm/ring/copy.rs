//! Copies of messages between our own memory and memory that another process may write at any time.
//!
//! A plain copy of such memory could be a data race, which the language forbids, also with another process. So a word is a relaxed atomic
//! access. On x86-64 there are instructions that the compiler cannot see into: four of 16 bytes for each row of 64, and one string
//! instruction to write a message of whole words and a kilobyte or more. What any of them does could be done by relaxed atomic
//! accesses of a byte each, in any order, and no code relies on more: the positions order whole messages, and what a peer tore that
//! breaks the rules is bytes still, to be checked. The processor keeps them on their side of the position's access: loads and stores of
//! 16 bytes as it keeps all, and the stores of a string instruction, whose order among themselves is open, before every later store
//! (Intel's manual, volume 3, "memory-ordering model for string operations on write-back memory").
//!
//! Of our own side only the string instruction sees anything: else the compiler sees what becomes of it, and leaves copies out.

#![allow(unsafe_code)]

use crate::sync::failpoint::point;
use crate::sync::{AtomicU8, AtomicU64, Ordering};
use core::mem::MaybeUninit;

const WORD: usize = size_of::<u64>();
const ROW: usize = 64;

/// Messages so long, and of whole words, are written by a string instruction: the lines are the reader's, which stores of 16 bytes fetch before they fill them, and
/// four for each line fill the store buffer. (`ipc --suite one-way-4096`: 1.4 times as much.) Not read so: that was slower.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const STRING: usize = 1024;

/// Where the rows of a `T` end, and where the words behind them do; the bytes that are left go one by one.
const fn ends<T>() -> (usize, usize) {
    let rows = if cfg!(all(target_arch = "x86_64", not(miri))) { size_of::<T>() / ROW * ROW } else { 0 };
    (rows, size_of::<T>() / WORD * WORD)
}

/// A value that begins where a quarter of a row may: one that crosses two cache lines takes twice as long to store.
#[repr(C, align(16))]
pub(crate) struct Aligned<T>(pub(crate) MaybeUninit<T>);

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod row {
    use core::arch::asm;
    use core::arch::x86_64::__m128i;

    /// Copies `words` words from `source` to `target`.
    ///
    /// # Safety
    /// `source` is valid for reads of them, and `target` is mapped for writing, and no reference leads to it.
    #[inline(always)]
    pub(crate) unsafe fn write_words(source: *const u8, target: *const u8, words: usize) {
        // SAFETY: reads and writes what the caller promises, upwards, as the direction flag is clear in all Rust code; see the module
        // for the race.
        unsafe {
            asm!(
                "rep movsq", inout("rcx") words => _, inout("rsi") source => _, inout("rdi") target => _,
                options(nostack, preserves_flags)
            );
        }
    }

    /// A quarter of a row at `source + OFFSET`.
    ///
    /// # Safety
    /// The 16 bytes are mapped.
    #[inline(always)]
    pub(crate) unsafe fn load<const OFFSET: usize>(source: *const u8) -> __m128i {
        let quarter;
        // SAFETY: reads mapped bytes, as the caller promises, and changes but the one register; see the module for the race.
        unsafe {
            asm!(
                "movups {}, [{} + {}]", out(xmm_reg) quarter, in(reg) source, const OFFSET,
                options(nostack, preserves_flags, readonly)
            );
        }
        quarter
    }

    /// Writes a quarter of a row at `target + OFFSET`.
    ///
    /// # Safety
    /// The 16 bytes are mapped for writing, and no reference leads to them.
    #[inline(always)]
    pub(crate) unsafe fn store<const OFFSET: usize>(target: *const u8, quarter: __m128i) {
        // SAFETY: writes bytes that the caller promises, and no register; see the module for the race.
        unsafe {
            asm!(
                "movups [{} + {}], {}", in(reg) target, const OFFSET, in(xmm_reg) quarter,
                options(nostack, preserves_flags)
            );
        }
    }
}

/// Copies the message at `source`, in our own memory, to `target`.
///
/// # Safety
/// `source` is valid for reads and all its bytes are initialised. `target` is mapped for writing, aligned to a word, and has room for a
/// message; no reference leads to it.
#[inline(always)]
pub(crate) unsafe fn put<T>(source: *const T, target: *const u8) {
    let source = source.cast::<u8>();
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if const { size_of::<T>() >= STRING && size_of::<T>() % WORD == 0 } {
        point!();
        // SAFETY: the whole message, all its bytes initialised, and the room for it, to which no reference leads.
        unsafe { row::write_words(source, target, size_of::<T>() / WORD) };
        point!();
        return;
    }
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for at in (0..const { ends::<T>().0 }).step_by(ROW) {
        let (source, target) = (source.wrapping_add(at), target.wrapping_add(at));
        macro_rules! quarters {
            ($($offset:literal)*) => {$(
                // SAFETY: inside the message; the bytes are initialised.
                let quarter = unsafe { source.wrapping_add($offset).cast::<core::arch::x86_64::__m128i>().read_unaligned() };
                point!();
                // SAFETY: inside the room for it, to which no reference leads.
                unsafe { row::store::<$offset>(target, quarter) };
            )*};
        }
        quarters!(0 16 32 48);
    }
    for at in const { ends::<T>().0..ends::<T>().1 }.step_by(WORD) {
        // SAFETY: a whole word of the message; its bytes are initialised.
        let word = unsafe { source.wrapping_add(at).cast::<u64>().read_unaligned() };
        // SAFETY: the same word of the room for it, which is aligned.
        let target = unsafe { &*target.wrapping_add(at).cast::<AtomicU64>() };
        point!();
        target.store(word, Ordering::Relaxed);
    }
    for at in const { ends::<T>().1 }..size_of::<T>() {
        // SAFETY: inside the message.
        let byte = unsafe { source.wrapping_add(at).read() };
        // SAFETY: inside the room for it.
        let target = unsafe { &*target.wrapping_add(at).cast::<AtomicU8>() };
        point!();
        target.store(byte, Ordering::Relaxed);
    }
    point!();
}

/// Copies a message from `source`. All bytes of the answer are initialised.
///
/// # Safety
/// As for [`get_into`].
#[inline(always)]
pub(crate) unsafe fn get<T>(source: *const u8) -> MaybeUninit<T> {
    let mut value = Aligned(MaybeUninit::<T>::uninit());
    // SAFETY: as the caller promises.
    unsafe { get_into(source, &mut value) };
    value.0
}

/// Copies a message from `source` to `value`, all of whose bytes are initialised then.
///
/// # Safety
/// `source` is mapped, aligned to a word, and as long as a message.
#[inline(always)]
pub(crate) unsafe fn get_into<T>(source: *const u8, value: &mut Aligned<T>) {
    let target = value.0.as_mut_ptr().cast::<u8>();
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for at in (0..const { ends::<T>().0 }).step_by(ROW) {
        let (source, target) = (source.wrapping_add(at), target.wrapping_add(at));
        macro_rules! quarters {
            ($($offset:literal)*) => {$(
                // SAFETY: inside the message.
                let quarter = unsafe { row::load::<$offset>(source) };
                // SAFETY: inside our own variable.
                unsafe { target.wrapping_add($offset).cast::<core::arch::x86_64::__m128i>().write_unaligned(quarter) };
            )*};
        }
        quarters!(0 16 32 48);
    }
    for at in const { ends::<T>().0..ends::<T>().1 }.step_by(WORD) {
        // SAFETY: a whole word of the message, which is aligned.
        let word = unsafe { &*source.wrapping_add(at).cast::<AtomicU64>() }.load(Ordering::Relaxed);
        // SAFETY: the same word of our own variable.
        unsafe { target.wrapping_add(at).cast::<u64>().write_unaligned(word) };
    }
    for at in const { ends::<T>().1 }..size_of::<T>() {
        // SAFETY: inside the message.
        let byte = unsafe { &*source.wrapping_add(at).cast::<AtomicU8>() }.load(Ordering::Relaxed);
        // SAFETY: inside our own variable.
        unsafe { target.wrapping_add(at).write(byte) };
    }
}
