//! Beside `tail`: a copy of the newest message, for readers that look for that one again and again.
//!
//! ```text
//!  0      8       16               64
//!  ┌──────┬───────┬───────────────┐
//!  │ tail │ begun │ message       │     a message of up to 48 bytes; a longer one is not copied
//!  └──────┴───────┴───────────────┘
//! ```
//!
//! Without it such a look moves two lines: that of `tail`, and that of the message. With it, one; but a send also stores `begun`, and the words of the
//! message once more. So the maker of the ring says whether there are copies.
//!
//! | step | writer of a message whose stamp is `s` | reader |
//! |---|---|---|
//! | 1 | begun := s | tail = s |
//! | 2 | `fence(Release)` | reads the words |
//! | 3 | writes the words | `fence(Acquire)` |
//! | 4 | tail := s | begun = s? If not: it takes the message from its slot |
//!
//! **Invariant** L5 A reader that reads `tail = s`, the words, and then `begun = s` has read the message of stamp `s` whole. `begun := s` and the words came
//! before `tail := s` (`publish_newest`, `observe_newest`), so the words are not older. Words of a later message have a later `begun` before them, which
//! the last look then sees, because of the two fences. So no look waits for a copy that is being written.
//!
//! **Only in memory of one process.** A writer that comes after one that was killed may publish a stamp whose copy is half written.

use super::Words;
use super::words::{get_at, put_at};
use crate::sync::order::{mutant, order};
use crate::sync::{AtomicU64, Ordering, fence};
use core::mem::MaybeUninit;

/// Most words of a message that is copied.
const MOST: usize = 6;

/// How often a reader looks for a copy: in the second look it often has the line in its cache. A model sees nothing new in that one.
const TRIES: u32 = if cfg!(ringmail_loom) { 1 } else { 2 };

/// `tail`, and what lies beside it.
#[repr(C, align(128))]
pub(crate) struct TailBlock {
    pub(crate) tail: AtomicU64,
    begun: AtomicU64,
    message: [AtomicU64; MOST],
}

#[cfg(not(ringmail_loom))]
const _: () = assert!(core::mem::offset_of!(TailBlock, message) + 8 * MOST == 64 && size_of::<TailBlock>() == 128);

impl TailBlock {
    pub(super) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { tail: zero(), begun: zero(), message: core::array::from_fn(|_| zero()) }
    }
}

/// Whether messages of that type are copied, where there are copies.
pub(super) const fn is_copied<T>() -> bool {
    size_of::<T>() <= MOST * size_of::<u64>()
}

impl Words {
    /// Copies the message of that stamp, which is published next.
    ///
    /// # Safety
    /// Messages are `T`s that [are copied](is_copied), and this thread alone writes them. All bytes of a `T` are initialised.
    #[inline(always)]
    pub(super) unsafe fn copy_newest<T>(&self, stamp: u64, value: &T) {
        let block = self.block();
        if !mutant!(NewestBegun) {
            block.begun.store(stamp, Ordering::Relaxed);
        }
        if !mutant!(NewestFence) {
            // A reader that sees one of the words below sees `begun`, too.
            fence(Ordering::Release);
        }
        // SAFETY: `message` has `MOST` words, which a `T` does not exceed (`is_copied`), and this thread alone writes them.
        unsafe { put_at(block.message.as_ptr(), value) };
        if mutant!(NewestBegun) {
            block.begun.store(stamp, Ordering::Relaxed);
        }
    }

    /// The newest message and its stamp, if its copy is there. All of its bytes are initialised.
    ///
    /// # Safety
    /// Messages are `T`s that [are copied](is_copied), and all of them were.
    #[inline(always)]
    pub(super) unsafe fn newest<T>(&self) -> Option<(u64, MaybeUninit<T>)> {
        let block = self.block();
        for _ in 0..TRIES {
            let stamp = block.tail.load(order!(observe_newest));
            // SAFETY: `message` has `MOST` words, which a `T` does not exceed (`is_copied`).
            let value = unsafe { get_at::<T>(block.message.as_ptr()) };
            if !mutant!(NewestLookFence) {
                // Of a later message whose words were read, `begun` is seen below.
                fence(Ordering::Acquire);
            }
            let begun = block.begun.load(Ordering::Relaxed);
            if stamp != 0 && (begun == stamp || mutant!(NewestLooks)) {
                return Some((stamp, value));
            }
        }
        None
    }

    #[inline(always)]
    fn block(&self) -> &TailBlock {
        // SAFETY: it lives as long as the memory of the ring, and so do these words.
        unsafe { self.tail.as_ref() }
    }
}
