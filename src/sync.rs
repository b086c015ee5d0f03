//! The only file, with those in its folder, that names `core::sync::atomic` and `UnsafeCell`.
//!
//! In a normal build these are core's own types; under `--cfg ringmail_loom` they are loom's, so a model
//! explores the code that ships, not a copy of it. `clippy.toml` forbids every way around this file.
//! Nothing here weakens or strengthens an ordering.

#[cfg(not(target_has_atomic = "64"))]
compile_error!("ringmail needs 64-bit atomics: positions are 64-bit words that never wrap in practice");

#[cfg(not(ringmail_loom))]
#[allow(clippy::disallowed_types, reason = "the one file that may name them")]
mod imp {
    pub(crate) use super::arc::Arc;
    #[cfg(all(feature = "std", ringmail_tsan))]
    pub(crate) use super::tsan::{Mutex, MutexGuard};
    pub(crate) use core::cell::UnsafeCell;
    #[cfg(feature = "std")]
    pub(crate) use core::hint::spin_loop;
    #[cfg(ringmail_failpoints)]
    pub(crate) use core::sync::atomic::AtomicBool;
    pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering, fence};
    #[cfg(feature = "std")]
    pub(crate) use core::sync::atomic::{AtomicU8, AtomicU32};
    #[cfg(all(feature = "std", not(ringmail_tsan)))]
    pub(crate) use std::sync::{Mutex, MutexGuard};
    #[cfg(feature = "std")]
    pub(crate) use std::thread::yield_now;

    /// A first owner of `value`, if there is memory.
    pub(crate) fn share<T>(value: T) -> Result<Arc<T>, crate::error::BuildError> {
        Arc::try_new(value)
    }
}

#[cfg(ringmail_loom)]
mod imp {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
    pub(crate) use loom::thread::yield_now;

    /// A model has memory.
    pub(crate) fn share<T>(value: T) -> Result<Arc<T>, crate::error::BuildError> {
        Ok(Arc::new(value))
    }
}

pub(crate) use imp::*;
pub(crate) use on_drop::OnDrop;

/// Keeps the compiler from moving a later load above an earlier store; emits no instruction.
///
/// The processor may still reorder the two. That is made good by the other side's `membarrier`, see `wait::barrier`.
#[cfg(all(feature = "std", not(ringmail_loom)))]
pub(crate) use core::sync::atomic::compiler_fence;

pub(crate) mod arc;
pub(crate) mod failpoint;
mod on_drop;
pub(crate) mod order;
pub(crate) mod position;
pub(crate) mod stack;
#[cfg(all(feature = "std", ringmail_tsan))]
mod tsan;
#[cfg(feature = "std")]
mod waker;
#[cfg(all(feature = "std", not(ringmail_loom)))]
pub(crate) use waker::WakerCell;
#[cfg(all(feature = "std", ringmail_loom))]
pub use waker::{Put, WakerCell};

/// A word that a thread can sleep on until somebody wakes it.
///
/// On Linux the kernel's futex. Elsewhere, and under loom, a mutex and a condition variable with the same meaning.
#[cfg(feature = "std")]
pub(crate) use futex::Futex;

#[cfg(all(feature = "std", target_os = "linux", not(ringmail_loom)))]
mod futex {
    use super::AtomicU32;
    use core::time::Duration;
    use rustix::thread::futex::{Flags, Timespec, wait, wake};

    #[derive(Debug)]
    pub(crate) struct Futex(pub(crate) AtomicU32);

    impl Futex {
        pub(crate) fn new(value: u32) -> Self {
            Self(AtomicU32::new(value))
        }

        /// Sleeps while the word holds `expected`, until woken, or for `timeout`; may also return for no reason.
        pub(crate) fn wait(&self, expected: u32, timeout: Option<Duration>) {
            // A timeout beyond the kernel's range is for ever.
            let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
            // Every error (value changed, signal, timeout) means "look again", which all callers do.
            let _ = wait(&self.0, Flags::PRIVATE, expected, timeout.as_ref());
        }

        pub(crate) fn wake_one(&self) {
            let _ = wake(&self.0, Flags::PRIVATE, 1);
        }
    }
}

#[cfg(all(feature = "std", any(not(target_os = "linux"), ringmail_loom)))]
mod futex {
    use super::{AtomicU32, Ordering};
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
            // Under the lock, so that a wake between this look and the sleep is not lost.
            if self.0.load(Ordering::Relaxed) != expected {
                return;
            }
            match timeout {
                // Loom has no clock: a sleep that may time out is one that may end at once.
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
