//! How a thread sleeps: one word, one futex.

use crate::error::BuildError;
use crate::sync::{Futex, Ordering};
use core::task::Waker;
use core::time::Duration;

// A parker is not what a model looks into.
#[cfg(not(ringmail_loom))]
pub(super) use crate::sync::Arc;
#[cfg(ringmail_loom)]
pub(super) use alloc::sync::Arc;

const ASLEEP: u32 = 0;
const WOKEN: u32 = 1;

/// A place for one thread to sleep in. Made with its handle, so that sleeping allocates nothing.
#[derive(Debug)]
pub(crate) struct Parker(Futex);

impl Parker {
    fn new() -> Self {
        Self(Futex::new(ASLEEP))
    }

    /// One that its waker shares.
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

    /// What wakes it.
    pub(super) fn waker(shared: &Arc<Self>) -> Waker {
        #[cfg(not(ringmail_loom))]
        return Arc::into_waker(Arc::clone(shared));
        #[cfg(ringmail_loom)]
        Waker::from(Arc::clone(shared))
    }

    fn unpark(&self) {
        // Relaxed: a wake carries no data, only "look again"; the kernel orders it with the sleeper's own look.
        self.0.0.store(WOKEN, Ordering::Relaxed);
        self.0.wake_one();
    }

    /// Forgets an earlier wake. Call it before announcing oneself.
    pub(crate) fn reset(&self) {
        self.0.0.store(ASLEEP, Ordering::Relaxed);
    }

    /// Sleeps until woken since the last [`Parker::reset`], or for `timeout`; may also return for no reason.
    pub(crate) fn park(&self, timeout: Option<Duration>) {
        if self.0.0.load(Ordering::Relaxed) == ASLEEP {
            self.0.wait(ASLEEP, timeout);
        }
    }
}

#[cfg(not(ringmail_loom))]
impl crate::ring::arc::Wakes for Parker {
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
