//! A side that sleeps on something of its owner's, or only polls.

use super::Side;
use super::notify::{Notify, NotifyWaker};
use crate::sync::yield_now;
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

impl Side {
    /// Announces that what `waker` wakes is about to sleep. On `true` the caller must look again, and call [`Side::disarm`]
    /// afterwards; `false` on a bell that never sleeps. `passed` as in [`Side::block`].
    pub(crate) fn arm(&mut self, waker: &Waker, passed: u64) -> bool {
        if !self.bell.sleeps() {
            return false;
        }
        while !self.announce(Some(waker), passed) {
            yield_now();
        }
        self.sleeps += 1;
        true
    }

    /// Takes back the announcement of `waker`; that of [`Side::watch`] is of a waker that does nothing.
    pub(crate) fn disarm(&self, waker: &Waker) {
        self.bell.withdraw(waker);
    }

    /// Whether nobody has rung since the last announcement.
    pub(crate) fn is_quiet(&self) -> bool {
        self.bell.is_waiting()
    }

    /// For a side that polls and does not sleep: has the bell note that it rang, and wake nobody. On `true` the caller must look again;
    /// as long as [`Side::is_quiet`] then says so, another look would find nothing. On `false` the caller looks on.
    pub(crate) fn watch(&mut self, passed: u64) -> bool {
        self.bell.sleeps() && self.announce(Some(Waker::noop()), passed)
    }

    /// To be told now and then by a side that polls: it has not slept. `passed` is asked only if that matters.
    #[inline]
    pub(crate) fn polled(&mut self, passed: impl FnOnce() -> u64) {
        if self.often {
            self.stayed_awake(passed());
        }
    }
}
