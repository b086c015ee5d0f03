//! The standard library's mutex, with its orderings where ThreadSanitizer sees them.
//!
//! The standard library comes without instrumentation. If a lock is contended, code of the library takes it, and ThreadSanitizer does not see
//! that the new owner comes after the last one: it reports races on data that the mutex protects. So each guard reads a word of this type when
//! it takes the lock (Acquire), and writes it before it releases the lock (Release). That is what a mutex promises, and no more.
//! Only builds with `--cfg ringmail_tsan` have this file.

use super::{AtomicU64, Ordering};
use core::ops::{Deref, DerefMut};
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

#[derive(Default)]
pub(crate) struct Mutex<T> {
    released: AtomicU64,
    inner: std::sync::Mutex<T>,
}

pub(crate) struct MutexGuard<'a, T> {
    released: &'a AtomicU64,
    inner: std::sync::MutexGuard<'a, T>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { released: AtomicU64::new(0), inner: std::sync::Mutex::new(value) }
    }

    fn acquired<'a>(&'a self, inner: std::sync::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        // Partner: the Release of the guard's drop.
        self.released.load(Ordering::Acquire);
        MutexGuard { released: &self.released, inner }
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        match self.inner.lock() {
            Ok(inner) => Ok(self.acquired(inner)),
            Err(e) => Err(PoisonError::new(self.acquired(e.into_inner()))),
        }
    }

    pub(crate) fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        match self.inner.try_lock() {
            Ok(inner) => Ok(self.acquired(inner)),
            Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
            Err(TryLockError::Poisoned(e)) => {
                Err(TryLockError::Poisoned(PoisonError::new(self.acquired(e.into_inner()))))
            }
        }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        // Before the fields are dropped, so while the lock is still held: one writer at a time. Partner: the Acquire of `acquired`.
        self.released.store(0, Ordering::Release);
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}
