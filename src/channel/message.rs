//! A message on its way out of a ring.

use crate::ring::layout::Counter;
use crate::ring::slot::Ready;
use crate::wait::EventCount;

/// Wakes a sender, and counts that.
#[cold]
#[inline(never)]
pub(crate) fn wake_sender(sender: &EventCount, wakes: &Counter) {
    if sender.notify_slow() {
        wakes.add(1);
    }
}

/// A message that is there and not yet taken, and the event count to notify of its place.
#[allow(missing_debug_implementations, reason = "behind the handles, which have one")]
pub struct Message<'a, T> {
    pub(crate) ready: Ready<'a, T>,
    pub(crate) sender: &'a EventCount,
}

impl<T> Message<'_, T> {
    /// Takes the message, frees its place and wakes the sender that waits for it. Returns what `wrap` makes of the message; as to why it makes
    /// that here, see [`Ready::take`]. A wake may panic: then the message is dropped.
    #[inline(always)]
    pub(crate) fn take_as<A>(self, wrap: impl FnOnce(T) -> A) -> A {
        let (sender, wakes) = (self.sender, self.ready.wakes);
        let message = self.ready.take(wrap);
        if sender.has_waiter() {
            wake_sender(sender, wakes);
        }
        message
    }
}
