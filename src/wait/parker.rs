//! How a thread sleeps: one word, one futex.
//!
//! ```text
//!   AWAKE ─ park ──► ASLEEP ─ unpark, or a timeout ─► the thread returns, AWAKE
//!   AWAKE ─ unpark ─► WOKEN ─ park ─────────────────► returns at once, AWAKE
//! ```

use crate::error::BuildError;
use crate::sync::{Futex, Ordering};
use core::task::Waker;
use core::time::Duration;

// Not loom's own: the models do not explore the parker.
#[cfg(not(ringmail_loom))]
pub(super) use crate::sync::Arc;
#[cfg(ringmail_loom)]
pub(super) use alloc::sync::Arc;

// In this order: `park` subtracts 1.
const ASLEEP: u32 = 0;
const AWAKE: u32 = 1;
const WOKEN: u32 = 2;

/// One thread sleeps here. Made with its handle, so that sleeping allocates nothing.
#[derive(Debug)]
pub(crate) struct Parker(Futex);

impl Parker {
    fn new() -> Self {
        Self(Futex::new(AWAKE))
    }

    /// A parker that its waker shares.
    pub(super) fn shared() -> Result<Arc<Self>, BuildError> {
        #[cfg(not(ringmail_loom))]
        return crate::sync::share(Self::new());
        #[cfg(ringmail_loom)]
        Ok(Arc::new(Self::new()))
    }

    /// The same. Without memory the process ends.
    pub(super) fn shared_or_end() -> Arc<Self> {
        Arc::new(Self::new())
    }

    /// The waker that unparks it.
    pub(super) fn waker(shared: &Arc<Self>) -> Waker {
        #[cfg(not(ringmail_loom))]
        return Arc::into_waker(Arc::clone(shared));
        #[cfg(ringmail_loom)]
        Waker::from(Arc::clone(shared))
    }

    fn unpark(&self) {
        // Relaxed: a wake carries no data, only "check again", and the kernel orders it with the waiter's check.
        // A thread that is not asleep yet finds the word changed, and costs no system call.
        if self.0.0.swap(WOKEN, Ordering::Relaxed) == ASLEEP {
            self.0.wake_one();
        }
    }

    /// Sleeps until unparked since the last sleep, or for `timeout`. May also return for no reason.
    pub(crate) fn park(&self, timeout: Option<Duration>) {
        // Each step is a read-modify-write, so no wake is overwritten unseen.
        if self.0.0.fetch_sub(1, Ordering::Relaxed) == AWAKE {
            self.0.wait(ASLEEP, timeout);
            self.0.0.swap(AWAKE, Ordering::Relaxed);
        }
    }
}

#[cfg(not(ringmail_loom))]
impl crate::sync::arc::Wakes for Parker {
    fn wake(&self) {
        self.unpark();
    }
}

#[cfg(ringmail_loom)]
impl alloc::task::Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.unpark();
    }
}
