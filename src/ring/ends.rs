//! What the channels need of a ring's two ends. One implementation a ring.

use super::layout::Stats;
use alloc::vec::Vec;

/// An end that writes.
pub(crate) trait Writer {
    /// Whether a send can never succeed again.
    fn is_closed(&self) -> bool;

    /// Whether there was room for a message a moment ago; looks again if none was known. With several writers another may take it.
    #[cfg(feature = "std")]
    fn has_room(&mut self) -> bool;

    /// To be called once nothing can be sent any more: drops what a reader that has left did not, if there is any, or leaves it to that.
    /// `noted` is called if the reader had this end told by its event count, and the event count need not say so any more.
    fn settle(&mut self, noted: impl FnOnce());

    /// Messages in the ring; the reader may take some meanwhile, so it is at most this.
    fn len(&self) -> usize;

    fn capacity(&self) -> usize;

    /// Messages sent so far; of an `mpsc` ring, places that all have claimed.
    #[cfg(feature = "std")]
    fn sent(&self) -> u64;

    fn stats(&self) -> Stats;

    /// Counts a refusal.
    fn count_full(&mut self);

    #[cfg(feature = "std")]
    fn count_parks(&self, n: u64);

    fn count_wake(&self);
}

/// An end that reads.
///
/// # Safety
/// Once [`Reader::has_message`] was true there is a message for [`Reader::read`], until this end takes, skips or moves it.
pub(crate) unsafe trait Reader: Sized {
    type Item;

    /// Whether a message is there; looks again if none was known.
    fn has_message(&mut self) -> bool;

    /// Moves the next value out; its place stays occupied until [`Reader::release`].
    ///
    /// # Safety
    /// A message was seen that was not taken.
    unsafe fn read(&mut self) -> Self::Item;

    /// The next message, if there is one now.
    #[inline(always)]
    fn next(&mut self) -> Option<Next<'_, Self>> {
        if self.has_message() { Some(Next(self)) } else { None }
    }

    /// Takes the next value; its place stays occupied until [`Reader::release`].
    #[inline(always)]
    fn take(&mut self) -> Option<Self::Item> {
        self.next().map(Next::read)
    }

    /// Publishes how far we have read: the places before are free.
    fn release(&mut self);

    /// The same for guards that may have taken nothing.
    #[inline(always)]
    fn free(&mut self) {
        self.release();
    }

    /// Whether places without a message were freed since the last call: senders may find room.
    #[inline(always)]
    fn take_passed(&mut self) -> bool {
        false
    }

    /// Frees what a leaked guard took without freeing it. Whether there was any: then senders must be woken.
    ///
    /// To be called before the channel answers "empty" or waits: with places missing, a sender might wait as well.
    fn free_leaked(&mut self) -> bool;

    /// Whether a look that found nothing asks for nothing more: no place to free, no end to tell.
    #[inline(always)]
    fn rests(&self) -> bool {
        false
    }

    /// Messages ready to read in one run, up to `wanted`; looks again if fewer were known.
    fn available(&mut self, wanted: u64) -> u64;

    /// A message that [`Reader::available`] has seen, in place.
    fn front(&self, offset: u64) -> Option<&Self::Item>;

    /// Moves the next `n` messages to the end of `target` and frees their places; fewer if fewer were seen.
    fn move_into(&mut self, target: &mut Vec<Self::Item>, n: u64) -> usize;

    /// Drops the next `n` messages and frees their places; fewer if fewer were seen.
    fn skip(&mut self, n: u64);

    /// Notes which message this end is about to wait for, where only its sender rings.
    #[cfg(feature = "std")]
    #[inline(always)]
    fn note_awaited(&self) {}

    /// Whether the message noted last is still the next.
    #[cfg(feature = "std")]
    #[inline(always)]
    fn is_noted(&self) -> bool {
        true
    }

    /// Whether the last look found nothing, and nothing will ever come.
    fn is_over(&self) -> bool;

    /// Accepts nothing more. What was sent before can still be read. Whether a message may come that is not seen by a look soon after: then
    /// the event count that its sender rings must say so, and that must be seen by each that rings before anything but such a look.
    #[must_use]
    fn close(&mut self) -> bool;

    /// To be asked after that barrier: whether the sender closed before it, and the event count need not tell it.
    fn untell(&mut self) -> bool {
        false
    }

    /// To be called once a closed end found nothing: drops what raced with the close, so that the answer cannot change.
    fn retire(&mut self) {}

    /// To be called by a closed end that goes. `tell(true)` has the event count of the senders say that they are to settle what they publish from now
    /// on, `tell(false)` takes that back.
    fn leave(&mut self, _tell: impl Fn(bool)) {}

    /// Whether the senders have sent their last message.
    fn peer_closed(&self) -> bool;

    /// Messages in the ring; senders may add some meanwhile, so it is at least this.
    fn len(&self) -> usize;

    fn capacity(&self) -> usize;

    /// Messages received so far; of an `mpsc` ring, places read.
    #[cfg(feature = "std")]
    fn received(&self) -> u64;

    fn stats(&self) -> Stats;

    #[cfg(feature = "std")]
    fn count_parks(&self, n: u64);

    fn count_wake(&self);
}

/// Proof that a reader has seen a message and not taken it.
pub(crate) struct Next<'a, R: Reader>(pub(super) &'a mut R);

impl<R: Reader> Next<'_, R> {
    #[inline(always)]
    fn read(self) -> R::Item {
        // SAFETY: see the type.
        unsafe { self.0.read() }
    }

    /// Takes the message, frees its place and then calls `freed`, which may panic: then the message is dropped.
    ///
    /// `answer` makes of it what the caller returns. Done later, that would copy a large message twice (`verify/assembly/check` looks).
    #[inline(always)]
    pub(crate) fn take<A>(self, freed: impl Fn(&R), answer: impl FnOnce(R::Item) -> A) -> A {
        let reader = self.0;
        let answer = answer(Next(&mut *reader).read());
        reader.release();
        freed(reader);
        answer
    }
}
