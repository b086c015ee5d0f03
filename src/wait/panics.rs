//! Panics of code that is not this crate's: they unwind one thread and harm no other.
//!
//! The `clone`, `wake` and `drop` of a waker and the `drop` of a message are code of the user. Each may panic, and may run on a thread that does
//! not own it. Three rules hold:
//!
//! 1. Where several are woken or dropped, all of them are; then the first panic continues: [`Panics`], [`each`].
//! 2. A wait that a panic ends is cancelled as if it had been given up: [`end_wait`].
//! 3. While a panic unwinds, a second one is caught where it began, as it would abort the process out of a destructor: [`wake`] for all wakes,
//!    [`Panics`] for the rest.

use crate::sync::order::mutant;
use alloc::boxed::Box;
use core::any::Any;
use core::task::Waker;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::panicking;

/// Wakes. While the thread panics, a panic of the waker is caught here.
pub(crate) fn wake(waker: Waker) {
    if panicking() {
        run_ignoring_panics(|| waker.wake());
    } else {
        waker.wake();
    }
}

/// Drops values of the user. While the thread panics, a panic of the drop is caught here.
pub(crate) fn drop_foreign<T>(others: T) {
    if panicking() {
        run_ignoring_panics(|| drop(others));
    }
}

/// Runs code of the user and drops its panic: an earlier one is under way.
pub(crate) fn run_ignoring_panics(f: impl FnOnce()) {
    let mut panics = Panics::new();
    panics.catch(f);
    panics.ignore();
}

/// Collects the panics of several pieces of user code, so that each of them runs.
#[must_use = "the first panic is to continue"]
pub(crate) struct Panics(Option<Box<dyn Any + Send>>);

impl Panics {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Runs `f` and keeps its panic for [`Panics::resume`], if it is the first.
    pub(crate) fn catch(&mut self, f: impl FnOnce()) {
        // `f` is responsible for what it leaves half done; each caller says what holds after a panic.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
            match self.0 {
                None => self.0 = Some(payload),
                Some(_) => discard(payload),
            }
        }
    }

    pub(crate) fn is_any(&self) -> bool {
        self.0.is_some()
    }

    /// Continues the first panic, if there was one and none is under way.
    pub(crate) fn resume(self) {
        match self.0 {
            Some(payload) if panicking() => discard(payload),
            Some(payload) => resume_unwind(payload),
            None => {}
        }
    }

    /// Drops the panics.
    pub(crate) fn ignore(self) {
        if let Some(payload) = self.0 {
            discard(payload);
        }
    }
}

/// Drops the payload of a panic, which is a value of the user too.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        core::mem::forget(another);
    }
}

/// Calls `f` for each item, also for those after one at which it panics; then the first panic continues.
pub(crate) fn each<T>(items: impl IntoIterator<Item = T>, mut f: impl FnMut(T)) {
    let mut panics = Panics::new();
    for item in items {
        panics.catch(|| f(item));
    }
    panics.resume();
}

/// Ends a wait by `leave`, which cancels the registration, gives the place up, and wakes the next one there. To be called by a guard: if a panic
/// ends the wait, a second panic, of `leave`, is caught here.
pub(super) fn end_wait(leave: impl FnOnce()) {
    if !panicking() {
        leave();
    } else if !mutant!(PanicLeaves) {
        run_ignoring_panics(leave);
    }
}
