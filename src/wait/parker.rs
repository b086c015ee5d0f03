//! How a thread sleeps: one word, one futex.

use crate::sync::{Futex, Ordering};
use alloc::sync::Arc;
use alloc::task::Wake;
use core::time::Duration;

const ASLEEP: u32 = 0;
const WOKEN: u32 = 1;

/// A place for one thread to sleep in. Made with its handle, so that sleeping allocates nothing.
#[derive(Debug)]
pub(crate) struct Parker(Futex);

impl Parker {
    pub(crate) fn new() -> Self {
        Self(Futex::new(ASLEEP))
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

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Relaxed: a wake carries no data, only "look again"; the kernel orders it with the sleeper's own look.
        self.0.0.store(WOKEN, Ordering::Relaxed);
        self.0.wake_one();
    }
}
