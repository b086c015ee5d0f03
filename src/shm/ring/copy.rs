//! Copies of messages between our own memory and memory that another process may write at any time.
//!
//! A plain copy of such memory could be a data race, which the language forbids, also with another process. So a word is a relaxed atomic
//! access. On x86-64 there are instructions that the compiler cannot see into: for each row of 64 bytes four of 16 bytes, or two of 32 to write
//! a large message. What any of them does could be done by relaxed atomic accesses of a byte each, in any order, and no code relies on more: the
//! positions order whole messages, and what a peer tore that breaks the rules is bytes still, to be checked. The processor keeps them on their
//! side of the position's access, as it keeps all loads and stores.
//!
//! Of our own side none of them sees anything: else the compiler would not see what becomes of it, and would copy a message that is passed by
//! value once more, to have an address for it.

#![allow(unsafe_code)]

use crate::sync::failpoint::point;
use crate::sync::{AtomicU8, AtomicU64, Ordering};
use core::mem::MaybeUninit;

const WORD: usize = size_of::<u64>();
const ROW: usize = 64;

/// Messages of so many bytes are written by stores of 32 bytes, where the processor has them: the lines are the reader's, and stores wait for them in
/// the store buffer, which holds so many stores of any width. (Between two processes, messages of 4 KiB: 1.3 to 2 times as much as by
/// stores of 16 bytes or by `rep movsq`, on cores near each other and far apart. Read by loads of 16 bytes: those of 32 gave nothing.)
#[cfg(all(target_arch = "x86_64", not(miri)))]
const WIDE: usize = 1024;

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
    use crate::sync::failpoint::point;
    use core::arch::asm;
    use core::arch::x86_64::__m128i;

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

    /// Whether the processor has stores of 32 bytes.
    #[inline(always)]
    pub(crate) fn has_wide_stores() -> bool {
        std::arch::is_x86_feature_detected!("avx")
    }

    /// Writes `rows` rows from `source` on at `target`.
    ///
    /// # Safety
    /// The bytes of the rows at `source` are valid for reads and initialised. Those at `target` are mapped for writing, and no reference leads to them. The
    /// processor [has wide stores](has_wide_stores).
    #[inline(always)]
    pub(crate) unsafe fn store_wide(source: *const u8, target: *const u8, rows: usize) {
        for at in (0..rows * super::ROW).step_by(super::ROW) {
            let (source, target) = (source.wrapping_add(at), target.wrapping_add(at));
            let quarter = |offset: usize| {
                // SAFETY: inside the row; its bytes are initialised.
                unsafe { source.wrapping_add(offset).cast::<__m128i>().read_unaligned() }
            };
            let [a, b, c, d] = [quarter(0), quarter(16), quarter(32), quarter(48)];
            point!();
            // SAFETY: writes bytes that the caller promises; see the module for the race.
            unsafe {
                asm!(
                    "vinsertf128 {a:y}, {a:y}, {b}, 1",
                    "vinsertf128 {c:y}, {c:y}, {d}, 1",
                    "vmovups [{target}], {a:y}",
                    "vmovups [{target} + 32], {c:y}",
                    target = in(reg) target, a = inout(xmm_reg) a => _, b = in(xmm_reg) b, c = inout(xmm_reg) c => _, d = in(xmm_reg) d,
                    options(nostack, preserves_flags)
                );
            }
        }
        // Code that does not know of the upper halves of these registers is slow on some processors while there is something in them. Code that does,
        // as this function may be inlined into, has nothing in any of them here: they are lost as by a call.
        // SAFETY: changes the registers that it says it does.
        unsafe { asm!("vzeroupper", clobber_abi("sysv64"), options(nomem, nostack, preserves_flags)) };
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
    if const { size_of::<T>() >= WIDE } && row::has_wide_stores() {
        // SAFETY: rows of the message, and of the room for it; the processor was asked.
        unsafe { row::store_wide(source, target, const { ends::<T>().0 / ROW }) };
    } else {
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
    unsafe { get_into(source, &mut value.0) };
    value.0
}

/// Copies a message from `source` to `value`, all of whose bytes are initialised then.
///
/// # Safety
/// `source` is mapped, aligned to a word, and as long as a message.
#[inline(always)]
pub(crate) unsafe fn get_into<T>(source: *const u8, value: &mut MaybeUninit<T>) {
    let target = value.as_mut_ptr().cast::<u8>();
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
