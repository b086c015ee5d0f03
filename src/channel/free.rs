//! A guard for verbs that take several messages and free their places together.

use super::RingReceiver;

/// Frees the places of what was taken when dropped, also by a panic.
pub(crate) struct Free<'a, E: RingReceiver>(pub(crate) &'a mut E);

impl<E: RingReceiver> Drop for Free<'_, E> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.free();
    }
}
