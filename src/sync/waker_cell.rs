//! A slot for one waker: its owner puts it in, any thread takes it out, and no code of the waker runs while the slot is held.
//!
//! ```text
//!            put                      take
//!   IDLE ──────────► HELD    IDLE ──────────► TAKEN ──────────► IDLE
//!                     │ │                      (a put meanwhile gets its waker back)
//!          done: IDLE ◄─┘ └─► HELD | TAKEN     (a take meanwhile gets nothing, and the put gets its waker back)
//! ```
//!
//! The `clone`, `wake` and `drop` of a waker are code of the user: they may panic, wait, or use this same slot. So a waker comes in by value,
//! and a waker that is to be woken or dropped goes out by value. Between HELD or TAKEN and the next IDLE, one waker is moved and nothing else.
//!
//! **A put that meets a take** gets its waker back, and its caller wakes it and checks again. The two exchanges order all that the taker did
//! before for that check.
//!
//! | ordering | partner | what the pair carries |
//! |---|---|---|
//! | `release_waker` (Release, back to IDLE) | `hold_waker`, `take_waker` | the waker in the slot, or that it is out |
//! | `take_waker` (AcqRel) | `observe_taker` (Acquire), itself | all that the taker did before, for a put that meets it |
//!
//! Wait-free. Source of the idea: `AtomicWaker` of `futures` and `atomic-waker`, which clone and drop wakers while the slot is held.
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
/// A thread puts a waker in.
const HELD: u32 = 1;
/// A thread takes the waker out, or has asked for it while the slot was HELD.
const TAKEN: u32 = 2;

/// See the module's head.
#[cfg_attr(ringmail_loom, allow(missing_debug_implementations))]
pub struct WakerCell {
    state: AtomicU32,
    waker: UnsafeCell<Option<Waker>>,
    /// Under loom, this is checked for races instead of the waker: a mutant switches the check off.
    #[cfg(ringmail_loom)]
    touched: TrackedUnsafeCell<()>,
}

// SAFETY: only the thread that moved `state` away from `IDLE` reaches the waker, see `put` and `take`. A `Waker` is `Send`.
unsafe impl Sync for WakerCell {}
// SAFETY: as above.
unsafe impl Send for WakerCell {}

/// The result of [`WakerCell::put`]. Wake or drop both wakers outside of all locks.
#[must_use = "a refused waker is to be woken"]
#[derive(Debug)]
pub struct Put {
    /// The waker that was in the slot.
    pub previous: Option<Waker>,
    /// The waker that was to be put in: a take ran at the same time and found none. It is to be woken.
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

    /// Puts `waker` where the next [`WakerCell::take`] finds it. One thread at a time may call this. Wait-free.
    pub fn put(&self, waker: Waker) -> Put {
        // Acquire on failure too: what the taker did before is there for the owner's next check.
        if self.state.compare_exchange(IDLE, HELD, by(order!(hold_waker)), by(order!(observe_taker))).is_err() {
            return Put { previous: None, refused: Some(waker) };
        }
        // SAFETY: only this thread moved `state` from IDLE to HELD, and no other thread reaches the slot before IDLE.
        let previous = unsafe { self.cell() }.replace(waker);
        if self.state.compare_exchange(HELD, IDLE, by(order!(release_waker)), Ordering::Relaxed).is_ok() {
            return Put { previous, refused: None };
        }
        // A taker has come meanwhile, and left without the waker.
        // SAFETY: as above; HELD | TAKEN is held.
        let refused = unsafe { self.cell() }.take();
        // What the last taker did before is there for the owner's next check.
        self.state.swap(IDLE, by(order!(take_waker)));
        Put { previous, refused: refused.filter(|_| !mutant!(WakeRefused)) }
    }

    /// Takes the waker out, to be woken. `None` if there is none, or if another thread puts or takes it at this moment: that thread wakes it.
    /// Wait-free.
    pub fn take(&self) -> Option<Waker> {
        if self.state.fetch_or(TAKEN, by(order!(take_waker))) != IDLE {
            return None;
        }
        // SAFETY: only this thread moved `state` from IDLE to TAKEN, and no other thread reaches the slot before IDLE.
        let waker = unsafe { self.cell() }.take();
        self.state.fetch_and(!TAKEN, by(order!(release_waker)));
        waker
    }

    /// The content of the slot.
    ///
    /// # Safety
    /// This thread moved `state` away from `IDLE`, and does not use the reference after it has moved `state` back.
    #[allow(clippy::mut_from_ref, reason = "see the condition")]
    unsafe fn cell(&self) -> &mut Option<Waker> {
        #[cfg(ringmail_loom)]
        if !mutant!(WakerCell) {
            self.touched.with_mut(|_| {});
        }
        // SAFETY: the caller's promise: no other thread reaches it.
        unsafe { &mut *self.waker.get() }
    }
}

/// The ordering, or none in a model that must do without all of the cell's.
#[inline(always)]
fn by(order: Ordering) -> Ordering {
    if mutant!(WakerCell) { Ordering::Relaxed } else { order }
}
