//! One of any number that read.

use super::super::slip::Slip;
use super::newest::is_copied;
use super::words::{get, shares_lines};
use super::{Heap, Memory, Resume, Words};
use crate::sync::order::{mutant, order};
use crate::sync::{AtomicU64, Ordering, fence, spin_loop};
use core::marker::PhantomData;
use core::mem::MaybeUninit;

/// A reader of a stamped ring. It writes no word of the ring.
pub(crate) struct Reader<T, M: Memory> {
    pub(super) words: Words,
    memory: M,
    /// Position of the next message.
    pub(super) next: u64,
    /// What `next` was where it last found nothing, or was overrun.
    run_from: u64,
    slip: Slip,
    messages: PhantomData<fn() -> T>,
}

/// What a reader finds in a slot.
pub(crate) enum Look<T> {
    /// The message that it wanted, whole.
    Message(T),
    /// The message was not sent yet.
    NotYet,
    /// The slot holds a later message, whose stamp this is.
    Overrun(u64),
}

// SAFETY: the words are atomics in memory that lives as long as `memory`, which may be used on any thread; messages are copied.
unsafe impl<T: Send, M: Memory> Send for Reader<T, M> {}
// SAFETY: by shared reference it reads words that are atomics and copies messages.
unsafe impl<T: Send, M: Memory> Sync for Reader<T, M> {}

impl<T, M: Memory> Clone for Reader<T, M> {
    fn clone(&self) -> Self {
        // SAFETY: the same memory, and slots of the same type.
        unsafe { Self::new(self.memory.clone(), self.next) }
    }
}

impl<T, M: Memory> Reader<T, M> {
    /// A reader that wants message `next`.
    ///
    /// # Safety
    /// The slots of `memory` are of `T`s, and what one writer wrote there. A copy of the bytes of a `T` is a `T` as good as the first.
    pub(crate) unsafe fn new(memory: M, next: u64) -> Self {
        Self { words: memory.words(), memory, next, run_from: next, slip: Slip::Vain, messages: PhantomData }
    }

    /// A reader of what is sent from now on.
    pub(crate) fn joined(&self) -> Self {
        let mut joined = self.clone();
        joined.next = self.sent();
        joined
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.words.capacity()
    }

    /// Position of the next message.
    #[inline(always)]
    pub(crate) fn position(&self) -> u64 {
        self.next
    }

    /// Messages sent, as far as the writer has published that.
    #[inline(always)]
    pub(crate) fn sent(&self) -> u64 {
        self.newest_stamp() / 2
    }

    #[inline(always)]
    pub(super) fn newest_stamp(&self) -> u64 {
        // SAFETY: a word of the ring, which lives as long as `memory`.
        M::observe(&unsafe { self.words.tail.as_ref() }.tail, order!(observe_newest))
    }

    /// Whether nothing more is sent. What was sent before is there for the next look.
    #[inline(always)]
    pub(crate) fn is_ended(&self) -> bool {
        // SAFETY: a word of the ring, which lives as long as `memory`.
        M::observe(unsafe { self.words.end.as_ref() }, order!(observe_messages_end)) != 0
    }

    /// Whether the next look finds a message, or that it was overrun.
    #[inline(always)]
    pub(crate) fn has_news(&self) -> bool {
        // Relaxed: the next look loads it again.
        self.stamp(self.next).load(Ordering::Relaxed) >= 2 * self.next + 2
    }

    /// Takes the next message. One pass.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Look<T> {
        let look = match self.look(self.next) {
            Look::NotYet if self.gathers() => self.look(self.next),
            look => look,
        };
        if let Look::Message(_) = look {
            self.next += 1;
        }
        look
    }

    /// To be called where the next message is not there. Waits a little if messages come close to each other and share lines: a reader that takes each as
    /// soon as it is there takes the line away in which the writer writes the next one. Whether it has waited.
    ///
    /// New ÷ old program in one run, both ends in step: 1.3 times as many of 64 and of 128 bytes; of shorter ones no difference.
    #[inline(always)]
    pub(super) fn gathers(&mut self) -> bool {
        if const { !shares_lines::<T>() } {
            return false;
        }
        let run = self.next.wrapping_sub(core::mem::replace(&mut self.run_from, self.next));
        let waits = self.slip.waits_after(run);
        if waits {
            (0..4).for_each(|_| Slip::wait());
        }
        waits
    }

    /// Message `position`, if it is there and stays until it is copied.
    #[inline(always)]
    fn look(&self, position: u64) -> Look<T> {
        match self.copy(position) {
            // SAFETY: all bytes are initialised (L4), and the writer wrote a `T`, see `new`.
            Look::Message(value) => Look::Message(unsafe { value.assume_init() }),
            Look::NotYet => Look::NotYet,
            Look::Overrun(stamp) => Look::Overrun(stamp),
        }
    }

    /// The bytes of message `position`, all of which are initialised. They are of one message (L1).
    #[inline(always)]
    pub(super) fn copy(&self, position: u64) -> Look<MaybeUninit<T>> {
        let wanted = 2 * position + 2;
        let stamp = self.stamp(position);
        let before = M::observe(stamp, order!(observe_message));
        if before != wanted {
            return if before < wanted { Look::NotYet } else { Look::Overrun(before) };
        }
        // SAFETY: a slot of `T`s.
        let value = unsafe { get::<T>(self.slot(position)) };
        if !mutant!(LookFence) {
            // Of a later message whose words were copied, the odd stamp is seen below.
            fence(Ordering::Acquire);
        }
        let after = stamp.load(Ordering::Relaxed);
        // Wrong on purpose where a race is planted: `verify/stress/tsan` shows with it that its exchanges would notice.
        if after != wanted && !mutant!(LookTwice) && !cfg!(ringmail_planted_race) {
            return Look::Overrun(after);
        }
        Look::Message(value)
    }

    /// Goes on where `resume` says after a look that found `stamp` in the place of the next message. Returns how many messages were skipped, at
    /// least one.
    #[cold]
    #[inline(never)]
    pub(crate) fn skip(&mut self, stamp: u64, resume: Resume) -> u64 {
        // The second look at a stamp is relaxed. With this fence the messages up to the one two before that of the stamp are there (an odd one comes behind the
        // fence of the message before it). `go_on` keeps one at least, so `newest_in_slot` looks at none that is newer.
        if !mutant!(LostFence) {
            fence(Ordering::Acquire);
        }
        // The stamp may be ahead of `tail`: every message before the one that it names was sent.
        self.go_on(self.sent().max(stamp / 2), resume)
    }

    /// Messages that were sent, as this reader knows: it may have seen a stamp of which `tail` says nothing yet.
    #[inline(always)]
    pub(super) fn known(&self) -> u64 {
        if mutant!(NewestNotOlder) { 0 } else { self.next }
    }

    /// Goes on where `resume` says, with so many messages sent. Returns how many were skipped, at least one.
    pub(super) fn go_on(&mut self, sent: u64, resume: Resume) -> u64 {
        let capacity = self.capacity();
        let kept = match resume {
            Resume::Oldest => capacity,
            Resume::Middle => capacity / 2,
            Resume::Newest => 1,
        };
        let to = sent.saturating_sub(kept).max(self.next + 1);
        let skipped = to - self.next;
        (self.next, self.run_from) = (to, to);
        skipped
    }

    #[inline(always)]
    fn slot(&self, position: u64) -> *const AtomicU64 {
        // SAFETY: the slots are of `T`s, see `new`.
        unsafe { self.words.slot::<T>(position) }
    }

    #[inline(always)]
    pub(super) fn stamp(&self, position: u64) -> &AtomicU64 {
        // SAFETY: a word of the ring, which lives as long as `memory`.
        unsafe { &*self.slot(position) }
    }
}

/// Where there may be copies.
impl<T> Reader<T, Heap> {
    /// The newest message and its position, `None` if none was sent. Not older than what this reader has taken.
    ///
    /// Another pass follows only if `capacity - 1` messages or more were sent during the last one (L2).
    #[inline]
    pub(crate) fn newest(&self) -> Option<(u64, T)> {
        if self.words.copies && const { is_copied::<T>() } {
            // SAFETY: messages are `T`s, and are copied.
            let copy = unsafe { self.words.newest::<T>() };
            if let Some((stamp, copy)) = copy.filter(|(stamp, _)| stamp / 2 >= self.known()) {
                // SAFETY: all bytes are initialised, and are those of one message (L5), which the writer had as a `T`, see `new`.
                return Some((stamp / 2 - 1, unsafe { copy.assume_init() }));
            }
        }
        self.newest_in_slot()
    }

    /// As [`Reader::newest`], without its copy.
    #[inline]
    fn newest_in_slot(&self) -> Option<(u64, T)> {
        loop {
            let position = self.sent().max(self.known()).checked_sub(1)?;
            match self.look(position) {
                Look::Message(value) => return Some((position, value)),
                Look::NotYet => debug_assert!(false, "a stamp is behind `tail` (L2), or behind what was taken"),
                Look::Overrun(_) => {}
            }
            spin_loop();
        }
    }

    /// Takes the newest message, unless it was taken before, and passes over those before it. Returns its position, too.
    ///
    /// Steps as for [`Reader::newest`]. The first look is at the slot of the message that it wants: a copy elsewhere saves no line.
    #[inline]
    pub(crate) fn take_newest(&mut self) -> Option<(u64, T)> {
        if !self.has_news() {
            return None;
        }
        loop {
            let newest = self.newest_in_slot().filter(|(position, _)| *position >= self.next);
            // `tail` may be behind the stamp that this reader has seen.
            let found = newest.or_else(|| match self.look(self.next) {
                Look::Message(value) => Some((self.next, value)),
                Look::NotYet | Look::Overrun(_) => None,
            });
            if let Some((position, _)) = &found {
                self.next = position + 1;
                return found;
            }
            spin_loop();
        }
    }
}
