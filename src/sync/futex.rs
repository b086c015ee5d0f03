//! A word that a thread can sleep on until another thread wakes it.
//!
//! On Linux the kernel's futex. Elsewhere, and under loom, a mutex and a condition variable with the same meaning.
#![allow(clippy::disallowed_types, reason = "a part of the one file that may name them")]

#[cfg(all(target_os = "linux", not(ringmail_loom)))]
mod imp {
    use crate::sync::AtomicU32;
    use core::time::Duration;
    use rustix::thread::futex::{Flags, Timespec, wait, wake};

    #[derive(Debug)]
    pub(crate) struct Futex(pub(crate) AtomicU32);

    impl Futex {
        pub(crate) fn new(value: u32) -> Self {
            Self(AtomicU32::new(value))
        }

        /// Sleeps while the word holds `expected`, until woken, or for `timeout`. May also return for no reason.
        pub(crate) fn wait(&self, expected: u32, timeout: Option<Duration>) {
            // A timeout beyond the kernel's range never passes.
            let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
            // Each error (value changed, signal, timeout) means "check again", which all callers do.
            let _ = wait(&self.0, Flags::PRIVATE, expected, timeout.as_ref());
        }

        pub(crate) fn wake_one(&self) {
            let _ = wake(&self.0, Flags::PRIVATE, 1);
        }
    }
}

#[cfg(any(not(target_os = "linux"), ringmail_loom))]
mod imp {
    use crate::sync::{AtomicU32, Ordering};
    use core::time::Duration;
    #[cfg(ringmail_loom)]
    use loom::sync::{Condvar, Mutex};
    #[cfg(not(ringmail_loom))]
    use std::sync::{Condvar, Mutex};

    #[derive(Debug)]
    pub(crate) struct Futex(pub(crate) AtomicU32, Mutex<()>, Condvar);

    impl Futex {
        pub(crate) fn new(value: u32) -> Self {
            Self(AtomicU32::new(value), Mutex::new(()), Condvar::new())
        }

        pub(crate) fn wait(&self, expected: u32, timeout: Option<Duration>) {
            let guard = self.1.lock().unwrap_or_else(|e| e.into_inner());
            // Under the lock, so that a wake between this check and the sleep is not lost.
            if self.0.load(Ordering::Relaxed) != expected {
                return;
            }
            match timeout {
                // Loom has no clock: a sleep with a timeout ends at once.
                #[cfg(ringmail_loom)]
                Some(_) => drop(guard),
                None => drop(self.2.wait(guard)),
                #[cfg(not(ringmail_loom))]
                Some(t) => drop(self.2.wait_timeout(guard, t)),
            }
        }

        pub(crate) fn wake_one(&self) {
            drop(self.1.lock().unwrap_or_else(|e| e.into_inner()));
            self.2.notify_one();
        }
    }
}

pub(crate) use imp::Futex;
