//! What changes when other processes map the memory: a writer comes after one that was killed, and no reader believes what it finds.

use super::{BATCH, Look, Memory, Reader, Resume, Writer};
use crate::sync::order::mutant;
use crate::sync::{Ordering, fence, spin_loop};
use core::mem::MaybeUninit;

/// The words of a ring say what no writer does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Nonsense;

/// No ring comes so far: what is computed of a position stays within 64 bits.
const MOST: u64 = 1 << 62;

/// Most messages that are sent and not published yet, in a ring of that capacity.
fn batch(capacity: u64) -> u64 {
    (BATCH as u64).min(capacity / 2)
}

/// How often a reader looks for the newest message before it gives up.
const PASSES: u32 = 128;

impl<T, M: Memory> Writer<T, M> {
    /// The next writer, after one that was killed, that closed, or none. Bounded: it looks at [`BATCH`] slots at most.
    ///
    /// The last writer published `tail` at least once in [`BATCH`] messages. Behind it may lie messages that are whole, and that readers have seen: they
    /// are published here. The first that is not whole has an odd stamp, or that of the message a lap before: no reader has it, and it is sent again.
    ///
    /// # Errors
    /// No writer leaves such words.
    ///
    /// # Safety
    /// As for [`Writer::new`]. This thread has seen all that the last writer did.
    pub(crate) unsafe fn resume(memory: M) -> Result<Self, Nonsense> {
        // SAFETY: as the caller promises.
        let writer = unsafe { Self::new(memory) };
        let capacity = writer.capacity();
        let stamp = |position| {
            // SAFETY: the slots are of `T`s, see `new`.
            let stamp = unsafe { writer.words.slot::<T>(position) };
            // SAFETY: a word of the ring, which lives as long as `memory`.
            unsafe { &*stamp }.load(Ordering::Relaxed)
        };
        let newest = writer.newest();
        let (published, is_odd) = (newest / 2, newest % 2 != 0);
        if is_odd || published > MOST || published.checked_sub(1).is_some_and(|newest| stamp(newest) != 2 * newest + 2)
        {
            return Err(Nonsense);
        }
        let mut end = published;
        let most = published + batch(capacity);
        while !mutant!(ResumeScan) && end < most && stamp(end) == 2 * end + 2 {
            end += 1;
        }
        let (there, lap_before) = (stamp(end), end.checked_sub(capacity).map_or(0, |before| 2 * before + 2));
        if there != lap_before && there != 2 * end + 1 && !mutant!(ResumeScan) {
            return Err(Nonsense);
        }
        writer.publish(2 * end);
        Ok(writer)
    }

    /// Writes `whole` and begins to write `torn` behind them, publishes none of them, and makes way for the next writer.
    #[cfg(ringmail_loom)]
    pub(crate) fn is_killed(&mut self, whole: &[T], torn: &T) -> Result<(), Nonsense> {
        let mut stamp = self.newest();
        for value in whole {
            stamp = self.write(stamp, value);
        }
        // SAFETY: the slots are of `T`s, see `new`.
        let slot = unsafe { self.words.slot::<T>(stamp / 2) };
        // SAFETY: a word of the ring, which lives as long as `memory`.
        unsafe { &*slot }.store(stamp + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        // SAFETY: a slot of `T`s, written by no other, see `new`.
        unsafe { super::words::put(slot, torn) };
        // SAFETY: as for this writer, which is used no more.
        *self = unsafe { Self::resume(self.memory.clone())? };
        Ok(())
    }

    /// Says that more is sent, after [`Writer::close`].
    pub(crate) fn reopen(&self) {
        // Relaxed: who goes by it looks again.
        // SAFETY: a word of the ring, which lives as long as `memory`.
        unsafe { self.words.end.as_ref() }.store(0, Ordering::Relaxed);
    }
}

/// A copy of the newest message that a reader looked for, and its position.
type Newest<T> = Option<(u64, MaybeUninit<T>)>;

impl<T, M: Memory> Reader<T, M> {
    /// A reader of what is sent from now on, or from the oldest message on that is kept.
    ///
    /// # Errors
    /// No ring comes so far.
    ///
    /// # Safety
    /// The slots of `memory` are as long as those of `T`s.
    pub(crate) unsafe fn attach(memory: M, from_oldest: bool) -> Result<Self, Nonsense> {
        // SAFETY: of the content nothing is believed: such a reader is used by the verbs of this file alone, which hand out bytes.
        let mut reader = unsafe { Self::new(memory, 0) };
        let sent = reader.sent_checked()?;
        reader.next = if from_oldest { sent.saturating_sub(reader.capacity()) } else { sent };
        Ok(reader)
    }

    /// Copies the bytes of the next message, all of which are initialised. One pass.
    #[inline(always)]
    pub(crate) fn take_copy(&mut self) -> Look<MaybeUninit<T>> {
        let look = match self.copy(self.next) {
            Look::NotYet if self.gathers() => self.copy(self.next),
            look => look,
        };
        if let Look::Message(_) = look {
            self.next += 1;
        }
        look
    }

    /// As [`Reader::skip`].
    ///
    /// # Errors
    /// `stamp` is none that a writer puts there.
    #[cold]
    #[inline(never)]
    pub(crate) fn skip_checked(&mut self, stamp: u64, resume: Resume) -> Result<u64, Nonsense> {
        // With this fence: `tail` is not older than what was published before that stamp.
        if !mutant!(SkipFence) {
            fence(Ordering::Acquire);
        }
        let sent = self.sent_checked()?;
        let position = stamp.checked_sub(1).ok_or(Nonsense)? / 2;
        let is_of_slot = (position ^ self.next) & (self.capacity() - 1) == 0;
        if position <= self.next || position > sent + batch(self.capacity()) || !is_of_slot || self.is_behind(sent) {
            return Err(Nonsense);
        }
        Ok(self.go_on(sent.max(stamp / 2), resume))
    }

    /// The bytes of the newest message; `None` if none was sent, or if the writer wrote over each of [`PASSES`] that were looked at.
    ///
    /// # Errors
    /// No writer leaves such words.
    #[inline]
    pub(crate) fn newest_copy(&self) -> Result<Newest<T>, Nonsense> {
        for _ in 0..PASSES {
            let Some(position) = self.sent_checked()?.max(self.known()).checked_sub(1) else { return Ok(None) };
            match self.copy(position) {
                Look::Message(value) => return Ok(Some((position, value))),
                // L2.
                Look::NotYet => return Err(Nonsense),
                Look::Overrun(_) => spin_loop(),
            }
        }
        Ok(None)
    }

    /// As [`Reader::take_newest`], bounded as [`Reader::newest_copy`].
    ///
    /// # Errors
    /// No writer leaves such words.
    #[inline]
    pub(crate) fn take_newest_copy(&mut self) -> Result<Newest<T>, Nonsense> {
        if !self.has_news() {
            return Ok(None);
        }
        for _ in 0..PASSES {
            let newest = self.newest_copy()?.filter(|(position, _)| *position >= self.next);
            // `tail` may be behind the stamp that this reader has seen.
            let found = newest.or_else(|| match self.copy(self.next) {
                Look::Message(value) => Some((self.next, value)),
                Look::NotYet | Look::Overrun(_) => None,
            });
            if let Some((position, _)) = &found {
                self.next = position + 1;
                return Ok(found);
            }
            spin_loop();
        }
        Ok(None)
    }

    /// To be asked now and then by a reader that finds nothing: whether the words agree with that.
    ///
    /// # Errors
    /// They went back, or claim a message that is not there.
    #[cold]
    pub(crate) fn check_nothing(&self) -> Result<(), Nonsense> {
        let sent = self.sent_checked()?;
        // L2: who sees `tail` finds each message before it, or a later one in its place.
        if self.is_behind(sent) || (sent > self.next && !self.has_news()) {
            return Err(Nonsense);
        }
        Ok(())
    }

    /// Whether so few messages were sent that this reader cannot have seen those that it has.
    fn is_behind(&self, sent: u64) -> bool {
        sent + batch(self.capacity()) < self.next
    }

    fn sent_checked(&self) -> Result<u64, Nonsense> {
        let stamp = self.newest_stamp();
        if stamp % 2 == 0 && stamp / 2 <= MOST { Ok(stamp / 2) } else { Err(Nonsense) }
    }
}
