//! The standard library's mutex, with its orderings where ThreadSanitizer sees them.
//!
//! The standard library comes without instrumentation. Where a lock is contended, its own code takes it, and ThreadSanitizer does not see
//! that the new owner comes after the last one: it reports races on data that the mutex keeps apart. Each guard therefore reads a word of
//! ours when it takes the lock (acquire) and writes it before it gives the lock back (release). That is what a mutex promises and no more.
//! Only builds with `--cfg ringmail_tsan` have this file.

use super::{AtomicU64, Ordering};
use core::ops::{Deref, DerefMut};
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

#[derive(Default)]
pub(crate) struct Mutex<T> {
    given_back: AtomicU64,
    inner: std::sync::Mutex<T>,
}

pub(crate) struct MutexGuard<'a, T> {
    given_back: &'a AtomicU64,
    inner: std::sync::MutexGuard<'a, T>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { given_back: AtomicU64::new(0), inner: std::sync::Mutex::new(value) }
    }

    fn taken<'a>(&'a self, inner: std::sync::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.given_back.load(Ordering::Acquire);
        MutexGuard { given_back: &self.given_back, inner }
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        match self.inner.lock() {
            Ok(inner) => Ok(self.taken(inner)),
            Err(e) => Err(PoisonError::new(self.taken(e.into_inner()))),
        }
    }

    pub(crate) fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        match self.inner.try_lock() {
            Ok(inner) => Ok(self.taken(inner)),
            Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
            Err(TryLockError::Poisoned(e)) => Err(TryLockError::Poisoned(PoisonError::new(self.taken(e.into_inner())))),
        }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        // Before the fields are dropped, so while the lock is still held: one writer at a time.
        self.given_back.store(0, Ordering::Release);
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
