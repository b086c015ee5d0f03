//! What the verbs need of a ring's two ends, each with the event count of the other side. One implementation for each way to join rings.

use super::message::Message;
use crate::ring::layout::Stats;
use crate::ring::place::{Filled, Place};
use crate::wait::EventCount;
use alloc::vec::Vec;

/// Keeps [`Flavor`](super::Flavor) this crate's: no other can name it.
#[derive(Debug)]
pub struct Sealed(pub(crate) ());

/// A sending end: the writing end of a ring, and the event count of its receiver. It notifies that of each message that it publishes.
pub trait RingSender {
    /// The messages.
    type Item;

    /// Sends one value; returns it if there is no room or no receiver.
    fn push(&mut self, value: Self::Item) -> Result<(), Self::Item>;

    /// Sends what `write` puts into the place; returns `write` if there is no room or no receiver. If it panics, nothing is sent.
    fn push_with<F>(&mut self, write: F) -> Result<(), F>
    where
        F: FnOnce(Place<'_, Self::Item>) -> Filled<'_>;

    /// Copies as many of `values` as fit and publishes them together; 0 if there is no room or no receiver.
    fn push_slice(&mut self, values: &[Self::Item]) -> usize
    where
        Self::Item: Copy;

    /// Whether there was room for a message a moment ago; looks again if none was known. With several senders another may take it.
    fn has_room(&mut self) -> bool;

    /// Whether this sender may go before others that wait, if any do. To be asked before each attempt of a verb that waits.
    #[inline(always)]
    fn may_overtake(&mut self) -> bool {
        true
    }

    /// To be called after a wait: those that this sender leaves behind may have to be woken.
    #[inline(always)]
    fn after_wait(&self) {}

    /// Whether a send can never succeed again.
    fn is_closed(&self) -> bool;

    /// Sends nothing more.
    fn close(&mut self);

    /// To be called once nothing can be sent any more: drops what was sent while the receiver left.
    fn drop_orphans(&mut self);

    /// Messages in the ring; the receiver may take some meanwhile, so it is at most this.
    fn len(&self) -> usize;

    /// Most messages of the ring.
    fn capacity(&self) -> usize;

    /// Whether there was no room a moment ago.
    fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Messages sent so far, for measuring how often this side sleeps; of an `mpsc` ring, places that all have claimed.
    fn transferred(&self) -> u64;

    /// What the ring has done so far.
    fn stats(&self) -> Stats;

    /// Counts a refusal.
    fn count_full(&mut self);

    /// Counts `n` sleeps.
    fn count_parks(&self, n: u64);
}

/// A receiving end: the reading ends of one or several rings, and the event counts of their senders. It notifies those of each place that it frees.
pub trait RingReceiver {
    /// The messages.
    type Item;

    /// Whether the messages of several rings come through this end: a run then ends where the ring does.
    const MANY_RINGS: bool = false;

    /// The next message, if there is one now.
    fn next(&mut self) -> Option<Message<'_, Self::Item>>;

    /// The same for a verb that waits if there is none.
    #[inline(always)]
    fn next_or_wait(&mut self) -> Option<Message<'_, Self::Item>> {
        self.next()
    }

    /// Whether a message is there; looks again if none was known.
    fn has_message(&mut self) -> bool;

    /// Takes the next message and hands it to `f`; its place stays occupied until [`RingReceiver::free`]. It counts as taken before `f` runs.
    fn take<R>(&mut self, f: impl FnOnce(Self::Item) -> R) -> Option<R>;

    /// Frees the places of what was taken.
    fn free(&mut self);

    /// Messages that are there now, as a limit for verbs that take all there is: several rings might be filled as fast as they are
    /// emptied.
    fn available_now(&mut self) -> usize {
        usize::MAX
    }

    /// Messages ready to read in one run, up to `wanted`; looks again if fewer were known.
    fn available(&mut self, wanted: u64) -> u64;

    /// A message of the run that [`RingReceiver::available`] has seen.
    fn front(&self, offset: u64) -> Option<&Self::Item>;

    /// Moves the next `n` messages of the run to the end of `target` and frees their places; fewer if fewer were seen.
    fn move_into(&mut self, target: &mut Vec<Self::Item>, n: u64) -> usize;

    /// Drops the next `n` messages of the run and frees their places; fewer if fewer were seen.
    fn skip(&mut self, n: u64);

    /// To be called before the channel answers "empty" or waits. `closed`: this side accepts nothing more, and the answer must not change once
    /// it was "over".
    fn found_nothing(&mut self, closed: bool);

    /// Whether [`RingReceiver::found_nothing`] would do nothing and nothing is over, while this end is open.
    #[inline(always)]
    fn is_idle(&self) -> bool {
        false
    }

    /// To be called before this side announces that it waits.
    fn before_wait(&mut self) {}

    /// Whether the next message is another one than at the last [`RingReceiver::before_wait`], though none was taken: then this side must not
    /// sleep on what it announced.
    fn must_rearm(&self) -> bool {
        false
    }

    /// To be called after a look of a wait that found nothing, unless this side sleeps next.
    fn found_nothing_yet(&mut self) {}

    /// To be called last before this side sleeps: wakes senders that could go on but do not know it.
    fn before_sleep(&mut self) {}

    /// Whether the last look found nothing, and nothing will ever come.
    fn is_over(&self) -> bool;

    /// Accepts nothing more and wakes every sender. `own` is the event count of this side.
    fn close(&mut self, own: &EventCount);

    /// To be called by a closed end that goes.
    fn leave(&mut self, _own: &EventCount) {}

    /// Whether the senders have sent their last message.
    fn peer_closed(&self) -> bool;

    /// Messages that are there; senders may add some meanwhile, so it is at least this.
    fn len(&self) -> usize;

    /// Whether a look would find nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Most messages, of all rings.
    fn capacity(&self) -> usize;

    /// What the rings have done so far.
    fn stats(&self) -> Stats;

    /// Counts `n` sleeps.
    fn count_parks(&mut self, n: u64);

    /// Messages received so far, for measuring how often this side sleeps.
    fn transferred(&self) -> u64;
}
