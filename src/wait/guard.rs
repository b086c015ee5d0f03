//! What keeps a panic of others' code from harming anybody but the thread that it unwinds.
//!
//! A waker's `clone`, `wake` and `drop`, a `Notify` and the `drop` of a message are others' code: each may panic, and runs on a thread that has
//! nothing to do with it. Three rules, each with its tool:
//!
//! * Where several are to be woken, all are, and then the first panic goes on: [`Panics`], [`each`].
//! * A wait that a panic ends is taken back as if it had been given up: [`ended`].
//! * While a panic unwinds, another one ends where it began: out of a destructor it would abort the process. [`wake`] sees to it for all
//!   wakes, [`Panics`] for the rest.

use crate::sync::order::mutant;
use alloc::boxed::Box;
use core::any::Any;
use core::task::Waker;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::panicking;

/// Wakes. While the thread panics, a panic of the waker's ends here.
pub(crate) fn wake(waker: Waker) {
    if panicking() {
        quietly(|| waker.wake());
    } else {
        waker.wake();
    }
}

/// Drops what is others'. While the thread panics, a panic of the drop's ends here.
pub(crate) fn dropped<T>(others: T) {
    if panicking() {
        quietly(|| drop(others));
    }
}

/// Runs others' code whose panic is of no interest: an earlier one is under way.
pub(crate) fn quietly(f: impl FnOnce()) {
    let mut panics = Panics::new();
    panics.catch(f);
    panics.forget();
}

/// Collects the panics of several pieces of others' code, so that each of them runs.
#[must_use = "the first panic is to go on"]
pub(crate) struct Panics(Option<Box<dyn Any + Send>>);

impl Panics {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Runs `f`. Of its panic is kept what [`Panics::go_on`] needs.
    pub(crate) fn catch(&mut self, f: impl FnOnce()) {
        // What `f` leaves half done is its own; whoever calls this says what holds after a panic.
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

    /// Goes on with the first panic, if there was any and none is under way.
    pub(crate) fn go_on(self) {
        match self.0 {
            Some(payload) if panicking() => discard(payload),
            Some(payload) => resume_unwind(payload),
            None => {}
        }
    }

    /// None goes on: they are of no interest.
    pub(crate) fn forget(self) {
        if let Some(payload) = self.0 {
            discard(payload);
        }
    }
}

/// Drops what a panic carried, which is others' code, too.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        core::mem::forget(another);
    }
}

/// Does `f` to each item, also to those after one at which it panics; then the first panic goes on.
pub(crate) fn each<T>(items: impl IntoIterator<Item = T>, mut f: impl FnMut(T)) {
    let mut panics = Panics::new();
    for item in items {
        panics.catch(|| f(item));
    }
    panics.go_on();
}

/// Ends a wait by `leave`, which takes back what was announced and gives the place up, and wakes the next one there. To be called by a guard: if it is a
/// panic that ends the wait, another one of `leave`'s ends here.
pub(super) fn ended(leave: impl FnOnce()) {
    if !panicking() {
        leave();
    } else if !mutant!(PanicLeaves) {
        quietly(leave);
    }
}
