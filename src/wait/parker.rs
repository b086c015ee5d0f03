//! How a thread sleeps: one word, one futex.

use crate::sync::{Futex, Ordering};
use alloc::sync::Arc;
use alloc::task::Wake;
use core::time::Duration;

// In this order: whoever parks takes 1.
const ASLEEP: u32 = 0;
const AWAKE: u32 = 1;
const WOKEN: u32 = 2;

/// A place for one thread to sleep in. Made with its handle, so that sleeping allocates nothing.
#[derive(Debug)]
pub(crate) struct Parker(Futex);

impl Parker {
    pub(crate) fn new() -> Self {
        Self(Futex::new(AWAKE))
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

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Relaxed: a wake carries no data, only "look again"; the kernel orders it with the sleeper's own look.
        // Who is not asleep yet finds the word changed, and costs no system call.
        if self.0.0.swap(WOKEN, Ordering::Relaxed) == ASLEEP {
            self.0.wake_one();
        }
    }
}
