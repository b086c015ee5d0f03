//! What the verbs need of a ring's ends. One implementation a shape.

use super::rx::Next;
use crate::ring::ends::{Reader, Writer};
use crate::ring::layout::Stats;
use crate::spsc::end::Tx;
use crate::wait::EventCount;
use alloc::vec::Vec;

/// The ends that a shape joins.
pub(crate) trait Ends: 'static {
    type Tx<T>: SendEnd<Item = T>;
    type Rx<T>: RecvEnd<Item = T>;
}

/// A shape whose messages lie side by side, written by one sender.
pub(crate) trait OneWriter: Ends {
    /// The end of the ring that this sender alone writes.
    fn writer<T>(tx: &mut Self::Tx<T>) -> &mut Tx<T>;

    /// The next `n` messages in place, fewer if fewer were seen, as the two runs they form.
    #[cfg(not(ringmail_loom))]
    fn slices<T>(rx: &Self::Rx<T>, n: u64) -> (&[T], &[T]);
}

/// A sending end and the event count that it rings. What it publishes, it rings for.
pub(crate) trait SendEnd {
    type Item;
    type Ring: Writer;

    /// The ring that this end writes.
    fn ring(&self) -> &Self::Ring;

    fn ring_mut(&mut self) -> &mut Self::Ring;

    /// Sends one value; returns it if there is no room or no receiver.
    fn push(&mut self, value: Self::Item) -> Result<(), Self::Item>;

    /// Whether this sender may go before others that wait, if any do. To be asked before each attempt of a verb that waits.
    #[cfg(feature = "std")]
    #[inline(always)]
    fn may_go(&mut self) -> bool {
        true
    }

    /// To be called after a wait: what this sender leaves behind may need somebody.
    #[cfg(feature = "std")]
    #[inline(always)]
    fn waited(&self) {}

    /// Copies as many of `values` as fit and publishes them together; 0 if there is no room or no receiver.
    fn push_slice(&mut self, values: &[Self::Item]) -> usize
    where
        Self::Item: Copy;

    /// Nothing can be sent any more: see to what was sent while the receiver left.
    fn settle(&mut self);

    fn close(&mut self);
}

/// A receiving end and the event counts of its senders. What it frees, it rings for.
pub(crate) trait RecvEnd {
    type Item;
    type Ring: Reader<Item = Self::Item>;

    /// Whether the messages of several rings come through this end: a run then ends where the ring does.
    const MANY_RINGS: bool;

    /// Messages that are there now, as a limit for verbs that take all there is: several rings might be filled as fast as they are
    /// emptied.
    fn there_now(&mut self) -> usize {
        usize::MAX
    }

    /// The next message, if there is one now.
    fn next(&mut self) -> Option<Next<'_, Self::Ring>>;

    /// Takes the next message; its place stays occupied until [`RecvEnd::free`].
    fn take(&mut self) -> Option<Self::Item>;

    /// Frees the places of what was taken.
    fn free(&mut self);

    /// Whether a message is there; looks again if none was known.
    fn has_message(&mut self) -> bool;

    /// Messages ready to read in one run, up to `wanted`; looks again if fewer were known.
    fn available(&mut self, wanted: u64) -> u64;

    /// A message of the run that [`RecvEnd::available`] has seen.
    fn front(&self, offset: u64) -> Option<&Self::Item>;

    /// Moves the next `n` messages of the run to the end of `target` and frees their places.
    fn move_into(&mut self, target: &mut Vec<Self::Item>, n: u64) -> usize;

    /// Drops the next `n` messages of the run and frees their places.
    fn skip(&mut self, n: u64);

    /// To be called before the channel answers "empty" or waits. `closed`: this side accepts nothing more, and the
    /// answer must not change once it was "over".
    fn found_nothing(&mut self, closed: bool);

    /// Whether [`RecvEnd::found_nothing`] would do nothing and nothing is over, while this end is open.
    #[inline(always)]
    fn rests(&self) -> bool {
        false
    }

    /// To be called before this side announces that it waits.
    #[cfg(feature = "std")]
    fn before_wait(&mut self) {}

    /// Whether the next message is another one than at the last [`RecvEnd::before_wait`], though none was taken: then this side must not
    /// sleep on what it announced.
    #[cfg(feature = "std")]
    fn waits_anew(&self) -> bool {
        false
    }

    /// To be called after a look of a wait that found nothing, unless this side sleeps next.
    #[cfg(feature = "std")]
    fn found_nothing_yet(&mut self) {}

    /// To be asked last before this side sleeps: wakes senders that could go on but do not know it.
    #[cfg(feature = "std")]
    fn before_sleep(&mut self) {}

    /// Whether the last look found nothing, and nothing will ever come.
    fn is_over(&self) -> bool;

    /// Accepts nothing more and wakes every sender. `own` is the event count of this side.
    fn close(&mut self, own: &EventCount);

    /// To be called by a closed end that goes.
    fn leave(&mut self, _own: &EventCount) {}

    /// Whether the senders have sent their last message.
    fn peer_closed(&self) -> bool;

    fn len(&self) -> usize;

    /// Whether a look would find nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn capacity(&self) -> usize;

    fn stats(&self) -> Stats;

    #[cfg(feature = "std")]
    fn count_parks(&mut self, n: u64);

    /// Messages received, for measuring how often this side sleeps.
    #[cfg(feature = "std")]
    fn moved(&self) -> u64;
}
