//! The one that writes.

use super::newest::is_copied;
use super::words::put;
use super::{BATCH, Memory, Reader, Words};
use crate::sync::failpoint::point;
use crate::sync::order::{mutant, order};
use crate::sync::{AtomicU64, Ordering, fence};
use core::marker::PhantomData;

/// The only writer of a stamped ring.
pub(crate) struct Writer<T, M: Memory> {
    pub(super) words: Words,
    twice_mask: u64,
    pub(super) memory: M,
    /// Invariant: readers are made of it, so its messages may not become others that live longer.
    messages: PhantomData<fn(T) -> T>,
}

// SAFETY: the words are atomics in memory that lives as long as `memory`, which may be used on any thread.
unsafe impl<T: Send, M: Memory> Send for Writer<T, M> {}
// SAFETY: by shared reference it shows its own position and words that are atomics.
unsafe impl<T: Send, M: Memory> Sync for Writer<T, M> {}

impl<T, M: Memory> Writer<T, M> {
    /// A writer that goes on where `tail` says.
    ///
    /// # Safety
    /// The slots of `memory` are of `T`s and may be written, and no other writer lives. All bytes of each `T` are
    /// initialised, and a copy of the bytes is a `T` as good as the first.
    pub(crate) unsafe fn new(memory: M) -> Self {
        let words = memory.words();
        Self { words, twice_mask: 2 * words.mask, memory, messages: PhantomData }
    }

    /// A reader of what is sent from now on.
    pub(crate) fn reader(&self) -> Reader<T, M> {
        // SAFETY: the same memory, and slots of the same type, which this writer alone writes; for the copies, see `new`.
        unsafe { Reader::new(self.memory.clone(), self.sent()) }
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.words.capacity()
    }

    /// Messages sent.
    #[inline(always)]
    pub(crate) fn sent(&self) -> u64 {
        self.newest() / 2
    }

    /// Stamp of the newest message.
    #[inline(always)]
    pub(super) fn newest(&self) -> u64 {
        // Its own word. There is no private copy: a store more would be a third of a short message's price.
        self.tail().load(Ordering::Relaxed)
    }

    /// Sends a message. Wait-free.
    #[inline(always)]
    pub(crate) fn send(&mut self, value: &T) {
        let stamp = self.write(self.newest(), value);
        self.copy_newest(stamp, value);
        self.publish(stamp);
    }

    /// Sends all of them, and calls `published` after each batch. Wait-free but for that.
    #[inline(always)]
    pub(crate) fn send_slice(&mut self, values: &[T], mut published: impl FnMut()) {
        // Half a ring at most: who sees `tail` finds the newest message there.
        let batch = BATCH.min((self.words.capacity() / 2) as usize);
        for batch in values.chunks(batch) {
            let mut stamp = self.newest();
            for value in batch {
                stamp = self.write(stamp, value);
            }
            self.copy_newest(stamp, &batch[batch.len() - 1]);
            self.publish(stamp);
            published();
        }
    }

    /// Writes the message that follows the one of stamp `newest`. Returns its own stamp.
    #[inline(always)]
    pub(super) fn write(&mut self, newest: u64, value: &T) -> u64 {
        // SAFETY: the slots are of `T`s, see `new`.
        let slot = unsafe { self.words.next_slot::<T>(newest, self.twice_mask) };
        // SAFETY: a word of the ring, which lives as long as `memory`.
        let stamp = unsafe { &*slot };
        point!();
        // Wrapping: where another process may write, `tail` may be a number that no ring reaches. Readers find that out.
        let (odd, even) = (newest.wrapping_add(1), newest.wrapping_add(2));
        // Wrong on purpose: `verify/killsweep/check` shows with it that the sweep would notice.
        let first = if cfg!(ringmail_planted_early_publish) { even } else { odd };
        if !mutant!(StampOdd) {
            stamp.store(first, Ordering::Relaxed);
        }
        point!();
        if !mutant!(StampFence) {
            // A reader that sees one of the words below sees the odd stamp, too.
            fence(Ordering::Release);
        }
        // SAFETY: a slot of `T`s, written by no other, see `new`.
        unsafe { put(slot, value) };
        stamp.store(even, order!(stamp_message));
        point!();
        even
    }

    /// Before all up to the message of that stamp, which is `value`, are published.
    #[inline(always)]
    fn copy_newest(&self, stamp: u64, value: &T) {
        if self.words.copies && const { is_copied::<T>() } {
            // SAFETY: messages are `T`s, all of whose bytes are initialised, and no other writes them, see `new`.
            unsafe { self.words.copy_newest(stamp, value) };
        }
    }

    /// Publishes all up to the message of that stamp.
    #[inline(always)]
    pub(super) fn publish(&self, stamp: u64) {
        self.tail().store(stamp, order!(publish_newest));
    }

    /// Sends nothing more.
    pub(crate) fn close(&self) {
        // SAFETY: a word of the ring, which lives as long as `memory`.
        unsafe { self.words.end.as_ref() }.store(1, order!(end_messages));
    }

    #[inline(always)]
    fn tail(&self) -> &AtomicU64 {
        // SAFETY: a word of the ring, which lives as long as `memory`.
        &unsafe { self.words.tail.as_ref() }.tail
    }
}
