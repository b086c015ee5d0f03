//! Where the senders of one ring wait for room: first come, first served.
//!
//! The ring's bell knows one waiter. Here the others stand behind it:
//!
//! ```text
//!   bell ◄── first ◄── second ◄── third …          tickets ascend
//!            announces itself on the bell, sleeps
//!                      sleeps; who leaves the front wakes it
//! ```
//!
//! * Only the **first** uses the bell, so the receiver rings one waiter whatever their number, and without a lock.
//! * Whoever **leaves** the front (it sent, gave up, was dropped) wakes the next, who looks in turn.
//! * A sender that does not wait may **overtake** those who do, [`PATIENCE`] times each; then it stands behind them.
//! * A thread that is woken comes; a future may not (nobody polls it, or it was leaked), and must not stop the rest. While the first one is a
//!   future, a receiver that is about to sleep **calls up** one of those behind it, a thread if it can, and whoever finds the ring empty may go
//!   whatever its turn. Both sides fence in between, so one of the two sees the other.
//!
//! The mutex is held for a few steps of list keeping, never while foreign code runs, and only waiters and those that are about
//! to sleep take it.

use super::barrier;
use crate::ring::order::mutant;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering};
use alloc::collections::VecDeque;
use core::fmt;
use core::task::Waker;
use crossbeam_utils::CachePadded;
#[cfg(ringmail_loom)]
use loom::sync::MutexGuard;
#[cfg(not(ringmail_loom))]
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// How often a sender may overtake the one that has waited longest.
pub(crate) const PATIENCE: u32 = 256;

/// The waiting senders of a ring. Clones are the same queue.
#[derive(Clone)]
pub(crate) struct Queue(Arc<Inner>);

struct Inner {
    /// Ticket of the first, 0 if nobody waits; its lowest bit says that it is a future. Alone on its line: every sender looks at it before each message.
    first: CachePadded<AtomicU64>,
    waiting: Mutex<Waiting>,
}

struct Waiting {
    /// Tickets given out.
    tickets: u64,
    /// In the order of their tickets.
    entries: VecDeque<Entry>,
}

struct Entry {
    /// Even.
    ticket: u64,
    /// Whether a future waits here: one that may not come when it is woken.
    future: bool,
    /// Whether it was called up since it last looked.
    called: bool,
    waker: Waker,
}

/// One sender's place in the queue: its ticket, 0 while it does not wait.
#[derive(Debug, Default)]
pub(crate) struct Place(u64);

/// How often a sender may still overtake, and whom.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    first: u64,
    left: u32,
}

impl Queue {
    pub(crate) fn new() -> Self {
        let waiting = Mutex::new(Waiting { tickets: 0, entries: VecDeque::new() });
        Self(Arc::new(Inner { first: CachePadded::new(AtomicU64::new(0)), waiting }))
    }

    /// Makes room for one more place, so that waiting allocates nothing. To be called for each sender.
    pub(crate) fn widen(&self, senders: usize) {
        let mut waiting = self.lock();
        let missing = senders.saturating_sub(waiting.entries.len());
        waiting.entries.reserve(missing);
    }

    /// The one that waits longest, 0 if nobody does.
    #[inline(always)]
    pub(crate) fn first(&self) -> u64 {
        // A hint: overtaking once more than allowed, or once less, is no harm.
        self.0.first.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, or keeps it, to be woken by `waker`. Whether it is the first.
    pub(crate) fn join(&self, place: &mut Place, waker: &Waker, future: bool) -> bool {
        let mut waiting = self.lock();
        if place.0 == 0 {
            waiting.tickets += 2;
            place.0 = waiting.tickets;
            waiting.entries.push_back(Entry { ticket: place.0, future, called: false, waker: waker.clone() });
        } else if let Some(entry) = waiting.find(place.0) {
            (entry.called, entry.future) = (false, future);
            if !entry.waker.will_wake(waker) {
                entry.waker = waker.clone();
            }
        }
        self.note_first(&waiting);
        let first = waiting.entries.front().is_some_and(|entry| entry.ticket == place.0);
        drop(waiting);
        // A receiver that is about to sleep frees, fences and looks at `first`. If it did not see us, our next look sees what it freed.
        if !mutant!(JoinFence) {
            barrier::full();
        }
        first
    }

    /// Gives the place up. If it was the first, the next one is woken.
    ///
    /// `sent`: it goes because it sent something, and then the receiver comes past again. Else it may have had a wake in hand that others
    /// need: those behind a future are called up in its stead. One that was called up itself hands that on in any case.
    pub(crate) fn leave(&self, place: &mut Place, sent: bool) {
        let ticket = core::mem::take(&mut place.0);
        if ticket == 0 {
            return;
        }
        let mut waiting = self.lock();
        let Ok(at) = waiting.entries.binary_search_by_key(&ticket, |entry| entry.ticket) else { return };
        let called = waiting.entries.remove(at).is_some_and(|entry| entry.called);
        self.note_first(&waiting);
        let next = waiting.entries.front().filter(|_| at == 0 && !mutant!(LeaveWakes)).map(|entry| entry.waker.clone());
        drop(waiting);
        if let Some(waker) = next {
            waker.wake();
        }
        if (if at == 0 { !sent } else { called }) && !mutant!(PassCallOn) {
            self.call_up();
        }
    }

    /// While the first one is a future: wakes one of those behind it that has not been called yet, a thread if there is one.
    pub(crate) fn call_up(&self) {
        if !Self::is_future(self.first()) {
            return;
        }
        let called = self.lock().call_up();
        if let Some(waker) = called {
            waker.wake();
        }
    }

    /// Whether what [`Queue::first`] said is a future.
    pub(crate) const fn is_future(first: u64) -> bool {
        first & 1 != 0
    }

    /// Wakes all of them: nobody will get a turn any more.
    pub(crate) fn call_all(&self) {
        let mut waiting = self.lock();
        // One by one, each woken outside the lock: the wakers may do what they like.
        for entry in &mut waiting.entries {
            entry.called = false;
        }
        loop {
            let Some(waker) = waiting.entries.iter_mut().find(|entry| !entry.called).map(Entry::call) else { return };
            drop(waiting);
            waker.wake();
            waiting = self.lock();
        }
    }

    /// Runs `f` unless somebody waits, and lets nobody begin to meanwhile.
    pub(crate) fn if_idle(&self, f: impl FnOnce()) {
        let waiting = self.lock();
        if waiting.entries.is_empty() {
            f();
        }
    }

    fn note_first(&self, waiting: &Waiting) {
        let first = waiting.entries.front().map_or(0, |entry| entry.ticket | u64::from(entry.future));
        if self.first() != first {
            self.0.first.store(first, Ordering::Relaxed);
        }
    }
}

impl Waiting {
    /// Calls one of those behind the first that has not been called yet, a thread if there is one: it surely comes.
    fn call_up(&mut self) -> Option<Waker> {
        let idle = |entry: &&mut Entry| !entry.called;
        let thread = self.entries.iter_mut().skip(1).filter(idle).find(|entry| !entry.future).map(Entry::call);
        thread.or_else(|| self.entries.iter_mut().skip(1).find(idle).map(Entry::call))
    }

    fn find(&mut self, ticket: u64) -> Option<&mut Entry> {
        let at = self.entries.binary_search_by_key(&ticket, |entry| entry.ticket).ok()?;
        self.entries.get_mut(at)
    }
}

impl Entry {
    fn call(&mut self) -> Waker {
        self.called = true;
        self.waker.clone()
    }
}

impl Place {
    pub(crate) fn is_taken(&self) -> bool {
        self.0 != 0
    }
}

impl Patience {
    /// Whether the sender may try to overtake `first` once more.
    pub(crate) fn spend(&mut self, first: u64) -> bool {
        if self.first != first {
            *self = Self { first, left: PATIENCE };
        }
        // In this form: of `left -= u32::from(left != 0)`, inlined behind `||`, rustc 1.95 drops the store.
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        true
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue").field(&self.first()).finish()
    }
}
