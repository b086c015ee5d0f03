//! A guard that runs code when it is dropped.

/// Runs its second part on its first when dropped, also by a panic.
pub(crate) struct OnDrop<'a, C, F: FnMut(&mut C)>(pub(crate) &'a mut C, pub(crate) F);

impl<C, F: FnMut(&mut C)> Drop for OnDrop<'_, C, F> {
    #[inline(always)]
    fn drop(&mut self) {
        (self.1)(self.0);
    }
}
