//! A cell for one waker, for its owner to fill and for anybody to empty, in which no code of the waker's runs.
//!
//! ```text
//!            put                      take
//!   IDLE ──────────► HELD    IDLE ──────────► TAKEN ──────────► IDLE
//!                     │ │                      (put meanwhile: the waker comes back)
//!          done: IDLE ◄─┘ └─► HELD | TAKEN     (take meanwhile: it gets nothing, and the waker comes back)
//! ```
//!
//! A waker is others' code: its `clone`, `wake` and `drop` may panic, wait, or come back to this cell. So a waker comes in by value, and
//! what must be woken or dropped goes out by value. Between a `HELD` or `TAKEN` and the `IDLE` after it there are moves of one waker only.
//!
//! **A put and a take that meet** are a wake: the waker comes back to the one who put it, who wakes it and looks again. The two exchanges
//! order all that the taker did before for that look.
//!
//! Wait-free. Source of the idea: `AtomicWaker` of `futures` and `atomic-waker`, which clones and drops wakers while the cell is held.
#![allow(unsafe_code)]
#![allow(clippy::disallowed_types, reason = "a part of the one file that may name them")]
// Under loom the models of another crate use it.
#![cfg_attr(not(ringmail_loom), allow(unreachable_pub))]

#[cfg(ringmail_loom)]
use super::UnsafeCell as TrackedUnsafeCell;
use super::{AtomicU32, Ordering};
use crate::sync::order::{mutant, order};
use core::cell::UnsafeCell;
use core::task::Waker;

const IDLE: u32 = 0;
/// Somebody puts a waker in.
const HELD: u32 = 1;
/// Somebody takes it out, or has asked for it while it was held.
const TAKEN: u32 = 2;

/// See the module's head.
#[cfg_attr(ringmail_loom, allow(missing_debug_implementations))]
pub struct WakerCell {
    state: AtomicU32,
    waker: UnsafeCell<Option<Waker>>,
    /// Under loom, what is checked for races in the waker's stead: a mutant switches that off.
    #[cfg(ringmail_loom)]
    touched: TrackedUnsafeCell<()>,
}

// SAFETY: the waker is reached only by whoever moved `state` away from `IDLE`, see `put` and `take`. A `Waker` is `Send`.
unsafe impl Sync for WakerCell {}
// SAFETY: as above.
unsafe impl Send for WakerCell {}

/// What came of [`WakerCell::put`]. Both are to be used outside of all locks.
#[must_use = "a waker that was refused is to be woken"]
#[derive(Debug)]
pub struct Put {
    /// What was there.
    pub previous: Option<Waker>,
    /// The waker itself: somebody takes at this moment. It is to be woken, as the taker found none.
    pub refused: Option<Waker>,
}

impl WakerCell {
    #[allow(clippy::new_without_default, missing_docs)]
    pub fn new() -> Self {
        Self {
            state: AtomicU32::new(IDLE),
            waker: UnsafeCell::new(None),
            #[cfg(ringmail_loom)]
            touched: TrackedUnsafeCell::new(()),
        }
    }

    /// Puts `waker` where the next [`WakerCell::take`] finds it.
    pub fn put(&self, waker: Waker) -> Put {
        // Acquire on failure too: what the taker did before is there for the owner's next look.
        if self.state.compare_exchange(IDLE, HELD, by(order!(hold_waker)), by(order!(hear_taker))).is_err() {
            return Put { previous: None, refused: Some(waker) };
        }
        // SAFETY: only this thread moved `state` from IDLE to HELD, and nobody else touches the cell before IDLE.
        let previous = unsafe { self.cell() }.replace(waker);
        if self.state.compare_exchange(HELD, IDLE, by(order!(leave_waker)), Ordering::Relaxed).is_ok() {
            return Put { previous, refused: None };
        }
        // A taker has come meanwhile, and gone without it.
        // SAFETY: as above; HELD | TAKEN is held.
        let refused = unsafe { self.cell() }.take();
        // Whichever taker came last: what it did before is there for the owner's next look.
        self.state.swap(IDLE, by(order!(take_waker)));
        Put { previous, refused: refused.filter(|_| !mutant!(WakeRefused)) }
    }

    /// Takes the waker out, to be woken. None if there is none, or if another thread is about to put or take it: that one sees to it.
    pub fn take(&self) -> Option<Waker> {
        if self.state.fetch_or(TAKEN, by(order!(take_waker))) != IDLE {
            return None;
        }
        // SAFETY: only this thread moved `state` from IDLE to TAKEN, and nobody else touches the cell before IDLE.
        let waker = unsafe { self.cell() }.take();
        self.state.fetch_and(!TAKEN, by(order!(leave_waker)));
        waker
    }

    /// What is in the cell.
    ///
    /// # Safety
    /// This thread moved `state` away from `IDLE`, and lets go of the answer before it moves it back.
    #[allow(clippy::mut_from_ref, reason = "see the condition")]
    unsafe fn cell(&self) -> &mut Option<Waker> {
        #[cfg(ringmail_loom)]
        if !mutant!(WakerCell) {
            self.touched.with_mut(|_| {});
        }
        // SAFETY: the caller's promise: nobody else touches it.
        unsafe { &mut *self.waker.get() }
    }
}

/// The ordering, or none in a model that must do without all of the cell's.
#[inline(always)]
fn by(order: Ordering) -> Ordering {
    if mutant!(WakerCell) { Ordering::Relaxed } else { order }
}
