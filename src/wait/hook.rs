//! What wakes a side that sleeps on something of its owner's.

use super::notify::{Notify, NotifyWaker};
use core::fmt;
use core::task::Waker;

/// What wakes a reactor that sleeps on a primitive of its own. Made once; arming with it allocates nothing.
///
/// ```
/// use ringmail::wait::Hook;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// static RUNG: AtomicBool = AtomicBool::new(false);
/// let hook = Hook::new(|| RUNG.store(true, Ordering::Release)); // or an `EventFd`, or a waker: `Hook::from(waker)`
/// # let _ = hook;
/// ```
#[derive(Clone)]
pub struct Hook(Waker);

impl Hook {
    /// A hook that calls `notify`. [`Notify`] says what that may do; an [`EventFd`](super::EventFd) is one.
    pub fn new(notify: impl Notify) -> Self {
        Self(NotifyWaker::waker(notify))
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.0
    }
}

impl From<Waker> for Hook {
    fn from(waker: Waker) -> Self {
        Self(waker)
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}
