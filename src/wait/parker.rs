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

// In this order: whoever parks takes 1.
const ASLEEP: u32 = 0;
const AWAKE: u32 = 1;
const WOKEN: u32 = 2;

/// A place for one thread to sleep in. Made with its handle, so that sleeping allocates nothing.
#[derive(Debug)]
pub(crate) struct Parker(Futex);

impl Parker {
    fn new() -> Self {
        Self(Futex::new(AWAKE))
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
        // Who is not asleep yet finds the word changed, and costs no system call.
        if self.0.0.swap(WOKEN, Ordering::Relaxed) == ASLEEP {
            self.0.wake_one();
        }
    }

    /// Sleeps until woken since the last sleep, or for `timeout`; may also return for no reason.
    pub(crate) fn park(&self, timeout: Option<Duration>) {
        // Every step is a read-modify-write, so no wake is overwritten unseen.
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
