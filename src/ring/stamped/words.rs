//! Where the words of a stamped ring lie, and how a message becomes words. No protocol.
//!
//! ```text
//!  up to 56 bytes: a slot of 16, 32 or 64 bytes            up to 240 bytes: one slot behind the other
//!  ┌───────┬───────────────────┐                           ┌───────┬─────────────────────────────┐
//!  │ stamp │ message           │                           │ stamp │ message                     │
//!  └───────┴───────────────────┘                           └───────┴─────────────────────────────┘
//!  0       8                                               0       8
//!
//!  more: whole lines of 64 bytes
//!  ┌───────┬────────────┬─────────────────────────────┐
//!  │ stamp │ 24 unused  │ message                     │
//!  └───────┴────────────┴─────────────────────────────┘
//!  0       8            32
//! ```
//!
//! A short message lies in one line. In whole lines, one of 64 bytes would move two lines instead of one and an eighth, and 0.7 times as many were received;
//! of a kilobyte, whole lines move 1.1 times as many, as neighbours share none. A message ends with a word of its last bytes and zeros.
//!
//! It is copied word by word: rows of 16 bytes, as mapped rings use, took 1.3 times as long for 64 bytes, as the sender has just written them in words.

use super::newest::TailBlock;
use crate::sync::failpoint::point;
use crate::sync::{AtomicU64, Ordering};
use core::mem::MaybeUninit;
use core::ptr::NonNull;

const WORD: usize = size_of::<u64>();
/// Words of a line.
const LINE: usize = 8;
/// From so many words on, a slot is whole lines.
const LONG: usize = 4 * LINE;

/// Words before the message. Half a line before a long one: stores of 32 bytes then never lie in two lines.
const fn head<T>() -> usize {
    head_of(size_of::<T>())
}

/// Words of a slot.
pub(crate) const fn stride<T>() -> usize {
    stride_of(size_of::<T>())
}

/// Whether a slot ends in a line in which the next one begins.
pub(crate) const fn shares_lines<T>() -> bool {
    let words = stride::<T>();
    LINE < words && words < LONG
}

const fn head_of(bytes: usize) -> usize {
    if 1 + bytes.div_ceil(WORD) < LONG { 1 } else { LINE / 2 }
}

/// Words of a slot for a message of so many bytes.
pub(crate) const fn stride_of(bytes: usize) -> usize {
    let words = head_of(bytes) + bytes.div_ceil(WORD);
    if words <= LINE {
        words.next_power_of_two()
    } else if words < LONG {
        words
    } else {
        words.next_multiple_of(LINE)
    }
}

/// The words of a ring.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    /// First of `mask + 1` slots, each of [`stride`] words.
    pub(crate) slots: NonNull<AtomicU64>,
    /// Stamp of the newest message that is published: twice the messages sent.
    pub(crate) tail: NonNull<TailBlock>,
    /// 1 once nothing more is sent.
    pub(crate) end: NonNull<AtomicU64>,
    /// Whether the newest message is copied beside `tail`, if it is short.
    pub(crate) copies: bool,
    /// Slots less one: a power of two less one.
    pub(crate) mask: u64,
}

/// Memory that holds a stamped ring.
///
/// # Safety
/// As long as the value or a clone of it lives, the words of [`Memory::words`] can be read, mean the same memory, hold initialised values, and are
/// written by atomic stores alone. The answer never changes. A clone may be used and dropped on any thread.
pub(crate) unsafe trait Memory: Clone {
    fn words(&self) -> Words;

    /// Reads a word of the ring.
    #[inline(always)]
    fn observe(word: &AtomicU64, order: Ordering) -> u64 {
        word.load(order)
    }
}

impl Words {
    /// The stamp of the slot of message `position`.
    ///
    /// # Safety
    /// The slots are of messages of `T`.
    #[inline(always)]
    pub(crate) unsafe fn slot<T>(&self, position: u64) -> *const AtomicU64 {
        let index = (position & self.mask) as usize;
        // SAFETY: inside the slots: the index is at most `mask`.
        unsafe { self.slots.as_ptr().add(index * const { stride::<T>() }) }
    }

    /// The stamp of the slot of the message that follows the one of stamp `newest`. `twice_mask` is twice the mask. For the writer, whose `tail` is that
    /// stamp: no shift to the position and back.
    ///
    /// # Safety
    /// The slots are of messages of `T`.
    #[inline(always)]
    pub(crate) unsafe fn next_slot<T>(&self, newest: u64, twice_mask: u64) -> *const AtomicU64 {
        let twice_index = (newest & twice_mask) as usize;
        // SAFETY: inside the slots: half of the index is at most `mask`.
        unsafe { self.slots.as_ptr().byte_add(twice_index * const { stride::<T>() * WORD / 2 }) }
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.mask + 1
    }
}

/// Writes `value` to the words behind `stamp`.
///
/// # Safety
/// `stamp` is that of a slot of `T`s, which this thread alone writes. All bytes of a `T` are initialised.
#[inline(always)]
pub(crate) unsafe fn put<T>(stamp: *const AtomicU64, value: &T) {
    // SAFETY: the message begins there, in the same slot.
    let target = unsafe { stamp.add(const { head::<T>() }) };
    // SAFETY: as the caller promises.
    unsafe { put_at(target, value) };
}

/// Writes `value` to the words at `target`.
///
/// # Safety
/// So many words lie there, which this thread alone writes. All bytes of a `T` are initialised.
#[inline(always)]
pub(super) unsafe fn put_at<T>(target: *const AtomicU64, value: &T) {
    let source = (&raw const *value).cast::<u8>();
    for i in 0..const { size_of::<T>() / WORD } {
        // SAFETY: a whole word of the value.
        let source = unsafe { source.add(i * WORD) };
        // SAFETY: as above; its bytes are initialised.
        let word = unsafe { source.cast::<u64>().read_unaligned() };
        // SAFETY: the same word of the slot.
        let target = unsafe { target.add(i) };
        // SAFETY: a word of the ring.
        unsafe { &*target }.store(word, Ordering::Relaxed);
        point!();
    }
    let (whole, rest) = const { (size_of::<T>() / WORD, size_of::<T>() % WORD) };
    if rest != 0 {
        let mut last = [0u8; WORD];
        // SAFETY: the bytes behind the last whole word, inside the value.
        let source = unsafe { source.add(whole * WORD) };
        // SAFETY: so many bytes of the value, which are initialised, and of our own variable.
        unsafe { source.copy_to_nonoverlapping(last.as_mut_ptr(), rest) };
        // SAFETY: the last word of the message in the slot.
        let target = unsafe { target.add(whole) };
        // SAFETY: a word of the ring.
        unsafe { &*target }.store(u64::from_ne_bytes(last), Ordering::Relaxed);
        point!();
    }
}

/// Copies the words behind `stamp`. All bytes of the answer are initialised; whether they are one message is for the caller to find out.
///
/// # Safety
/// `stamp` is that of a slot of `T`s.
#[inline(always)]
pub(crate) unsafe fn get<T>(stamp: *const AtomicU64) -> MaybeUninit<T> {
    // SAFETY: the message begins there, in the same slot.
    let source = unsafe { stamp.add(const { head::<T>() }) };
    // SAFETY: as the caller promises.
    unsafe { get_at(source) }
}

/// Copies the words at `source`. All bytes of the answer are initialised; whether they are one message is for the caller to find out.
///
/// # Safety
/// So many words lie there.
#[inline(always)]
pub(super) unsafe fn get_at<T>(source: *const AtomicU64) -> MaybeUninit<T> {
    let mut value = MaybeUninit::<T>::uninit();
    let target = value.as_mut_ptr().cast::<u8>();
    for i in 0..const { size_of::<T>() / WORD } {
        // SAFETY: a whole word of the message.
        let source = unsafe { source.add(i) };
        // SAFETY: a word of the ring.
        let word = unsafe { &*source }.load(Ordering::Relaxed);
        // SAFETY: the same word of our own variable.
        let target = unsafe { target.add(i * WORD) };
        // SAFETY: as above.
        unsafe { target.cast::<u64>().write_unaligned(word) };
    }
    let (whole, rest) = const { (size_of::<T>() / WORD, size_of::<T>() % WORD) };
    if rest != 0 {
        // SAFETY: the last word of the message in the slot.
        let source = unsafe { source.add(whole) };
        // SAFETY: a word of the ring.
        let last = unsafe { &*source }.load(Ordering::Relaxed).to_ne_bytes();
        // SAFETY: the bytes behind the last whole word, inside our own variable.
        let target = unsafe { target.add(whole * WORD) };
        // SAFETY: so many bytes of our own variables.
        unsafe { last.as_ptr().copy_to_nonoverlapping(target, rest) };
    }
    value
}

#[cfg(all(test, not(ringmail_loom)))]
mod tests {
    use super::{head, stride};

    #[test]
    fn a_short_message_lies_in_one_line() {
        assert_eq!((stride::<()>(), stride::<u8>(), stride::<u64>(), stride::<[u8; 24]>()), (1, 2, 2, 4));
        assert_eq!((stride::<[u8; 25]>(), stride::<[u8; 56]>()), (8, 8));
    }

    #[test]
    fn longer_ones_lie_one_behind_the_other() {
        assert_eq!((stride::<[u8; 57]>(), stride::<[u8; 64]>(), stride::<[u8; 65]>()), (9, 9, 10));
        assert_eq!((head::<[u8; 56]>(), head::<[u8; 240]>()), (1, 1));
        assert_eq!(stride::<[u8; 240]>(), 31);
    }

    #[test]
    fn a_long_message_begins_half_a_line_behind_its_stamp() {
        assert_eq!((head::<[u8; 241]>(), stride::<[u8; 241]>(), stride::<[u8; 256]>()), (4, 40, 40));
        assert_eq!(stride::<[u8; 4096]>(), 512 + 8);
    }
}
