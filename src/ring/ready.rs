//! A message that a consumer has seen and not taken.

use super::layout::Counter;
use super::slot::{self, Slot};
use crate::sync::position::Position;
use crate::sync::{AtomicU64, Ordering};

/// Proof that a consumer has seen a message: only the ring makes one. It borrows the consumer, so the message is still there.
pub(crate) struct Ready<'a, T> {
    /// The slot at `head`, which is the consumer's and full (I3, M2).
    pub(super) slot: *const Slot<T>,
    pub(super) head: &'a mut Position,
    /// Where `head` is published, and the ordering of that store.
    pub(super) published: &'a AtomicU64,
    pub(super) order: Ordering,
    /// Counts the senders that the consumer has woken.
    pub(crate) wakes: &'a Counter,
}

impl<T> Ready<'_, T> {
    /// Takes the message, frees its place and returns what `wrap` makes of the message.
    ///
    /// `wrap` makes what the caller returns, so that the message is copied once, to where the caller wants it. Wrapped later, a large message
    /// would be copied twice (`verify/assembly/check` looks).
    #[inline(always)]
    pub(crate) fn take<A>(self, wrap: impl FnOnce(T) -> A) -> A {
        // SAFETY: ours and full, see the type; `head` moves past it at once.
        let message = wrap(unsafe { slot::read(self.slot) });
        *self.head = self.head.plus(1);
        self.published.store(self.head.open_word(), self.order);
        message
    }
}
