//! Atomics, cells and locks: core's and std's in a normal build, loom's under `--cfg ringmail_loom`.
//!
//! So a model explores the code that ships, not a copy of it. Only this file and those in its folder may name `core::sync::atomic` and
//! `UnsafeCell`, which `clippy.toml` enforces. Nothing here weakens or strengthens an ordering.
//!
//! | file | what it has |
//! |---|---|
//! | `order` | each memory ordering by name, with its partner, and the switch of the mutants |
//! | `position` | 64-bit positions of a ring |
//! | `stack` | a lock-free stack of nodes |
//! | `arc` | a shared pointer whose allocation may fail |
//! | `waker_cell` | a slot for one waker, wait-free, that runs no code of the waker while it is held |
//! | `futex` | a word that a thread sleeps on |
//! | `on_drop` | a guard that runs a closure |
//! | `failpoint` | the places where the kill sweep ends a process |
//! | `tsan` | a mutex whose orderings ThreadSanitizer sees |

#[cfg(not(target_has_atomic = "64"))]
compile_error!("ringmail needs 64-bit atomics: positions are 64-bit words that never wrap in practice");

#[cfg(all(ringmail_loom, not(feature = "__loom")))]
compile_error!("`--cfg ringmail_loom` needs the feature `__loom`");

#[cfg(not(ringmail_loom))]
#[allow(clippy::disallowed_types, reason = "the one file that may name them")]
mod imp {
    pub(crate) use super::arc::Arc;
    #[cfg(all(feature = "std", ringmail_tsan))]
    pub(crate) use super::tsan::{Mutex, MutexGuard};
    pub(crate) use core::cell::UnsafeCell;
    #[cfg(any(feature = "std", feature = "lossy"))]
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

    /// The first owner of `value`.
    ///
    /// # Errors
    /// There is no memory for it.
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

    /// The first owner of `value`. A model always has memory.
    pub(crate) fn share<T>(value: T) -> Result<Arc<T>, crate::error::BuildError> {
        Ok(Arc::new(value))
    }
}

pub(crate) use imp::*;
pub(crate) use on_drop::OnDrop;

/// Keeps the compiler from moving a later load above an earlier store; emits no instruction.
///
/// The processor may still reorder the two. The `membarrier` of the other side makes up for that, see `wait::asymmetric_fence`.
#[cfg(all(feature = "std", not(ringmail_loom)))]
pub(crate) use core::sync::atomic::compiler_fence;

pub(crate) mod arc;
pub(crate) mod failpoint;
#[cfg(feature = "std")]
mod futex;
mod on_drop;
pub(crate) mod order;
pub(crate) mod position;
pub(crate) mod stack;
#[cfg(all(feature = "std", ringmail_tsan))]
mod tsan;
#[cfg(feature = "std")]
mod waker_cell;
#[cfg(feature = "std")]
pub(crate) use futex::Futex;
#[cfg(all(feature = "std", not(ringmail_loom)))]
pub(crate) use waker_cell::WakerCell;
#[cfg(all(feature = "std", ringmail_loom))]
pub use waker_cell::{Put, WakerCell};
