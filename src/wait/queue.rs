//! Where the senders of one ring wait for room: first come, first served.
//!
//! The ring's event count knows one waiter. Here the others stand behind it:
//!
//! ```text
//!   event count ◄── first ◄── second ◄── third …          tickets ascend
//!            announces itself on the event count, sleeps
//!                      sleeps; who leaves the front wakes it
//! ```
//!
//! * Only the **first** uses the event count, so the receiver rings one waiter whatever their number, and without a lock.
//! * Whoever **leaves** the front (it sent, gave up, was dropped) wakes the next, who looks in turn.
//! * A sender that does not wait may **overtake** the first, [`PATIENCE`] times or for [`PATIENCE_TIME`], whichever is more; then it stands
//!   behind the others.
//! * A thread that is woken comes; a future may not (nobody polls it, or it was leaked), and must not stop the rest. While the first one is a
//!   future, a receiver that is about to sleep **calls up** those behind it, as far as the next thread, and whoever finds the ring empty may
//!   go whatever its turn. So does a sender that leaves a future in front of an empty ring: the receiver may have looked before. Both
//!   sides fence in between, so one of the two sees the other.
//!
//! The mutex is held for a few steps of list keeping, never while foreign code runs (wakers are cloned before, woken and dropped after),
//! and only waiters and those that are about to sleep take it; and senders that come, for a place of their own, and some of those that go, which
//! give back the memory of many. Where one waker panics, the others are woken all the same.

use super::barrier;
use super::guard::{Panics, wake};
use crate::error::BuildError;
use crate::room::missing;
use crate::sync::order::mutant;
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering, share};
use alloc::collections::VecDeque;
use core::fmt;
use core::task::Waker;
use core::time::Duration;
use crossbeam_utils::CachePadded;
use std::sync::{PoisonError, TryLockError};
use std::time::Instant;

/// How often a sender may overtake the one that has waited longest, and for how long if that is more. With the number alone, four
/// senders of a small ring soon sleep and wake in turns, one message each: capacity 16 moves a tenth as much beside computing
/// threads, capacity 1 a fifth without them (`neighbours --only flow`). The time is that of a few time slices, in which the scheduler
/// brings the one that was woken to a core.
const PATIENCE: u32 = 256;
const PATIENCE_TIME: Duration = Duration::from_millis(10);

/// Places that are not worth giving back.
const FEW: usize = 8;

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
    /// None once it was used: whoever was woken looks, and brings another.
    waker: Option<Waker>,
}

/// One sender's place in the queue: its ticket, 0 while it does not wait.
#[derive(Debug, Default)]
pub(crate) struct Place(u64);

/// How often a sender may still overtake, and whom.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    first: u64,
    left: u32,
    /// When it overtook this one first.
    since: Option<Instant>,
}

impl Queue {
    /// One with room for one sender.
    pub(crate) fn new() -> Result<Self, BuildError> {
        let mut entries = VecDeque::new();
        entries.try_reserve_exact(1).map_err(|_| missing::<Entry>(1))?;
        let waiting = Mutex::new(Waiting { tickets: 0, entries });
        Ok(Self(share(Inner { first: CachePadded::new(AtomicU64::new(0)), waiting })?))
    }

    /// Makes room for one more place, so that waiting allocates nothing. To be called for each sender, once it counts as one.
    ///
    /// Without memory the process ends.
    pub(crate) fn widen(&self, senders: usize) {
        let mut waiting = self.lock();
        let missing = senders.saturating_sub(waiting.entries.len());
        waiting.entries.reserve(missing);
    }

    /// Gives memory back once `senders`, asked when none can be added, are few. To be called when one has ceased to count.
    ///
    /// It keeps twice what they need, and goes when they need a quarter of what there is: each sender that comes or goes pays for the moves of
    /// a few places at most. `now` is how many the caller has left behind; of the numbers that it goes through only powers of two lead to a look.
    pub(crate) fn narrow(&self, now: usize, senders: impl FnOnce() -> usize) {
        if !now.is_power_of_two() {
            return;
        }
        let mut waiting = self.lock();
        // Under the lock: a sender that was counted since has either widened, or waits to do it after this.
        let needed = senders().max(waiting.entries.len()).max(FEW);
        if waiting.entries.capacity() / 4 < needed {
            return;
        }
        let mut fewer = VecDeque::new();
        // Not `shrink_to`: without memory for the move that ends the process.
        if fewer.try_reserve_exact(2 * needed).is_ok() {
            fewer.append(&mut waiting.entries);
            let wide = core::mem::replace(&mut waiting.entries, fewer);
            drop(waiting);
            drop(wide);
        }
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
        let (fresh, mut old) = (waker.clone(), None);
        let mut waiting = self.lock();
        if place.0 == 0 {
            waiting.tickets += 2;
            place.0 = waiting.tickets;
            waiting.entries.push_back(Entry { ticket: place.0, future, called: false, waker: Some(fresh) });
        } else if let Some(entry) = waiting.find(place.0) {
            (entry.called, entry.future) = (false, future);
            old = entry.waker.replace(fresh);
        }
        self.note_first(&waiting);
        let first = waiting.entries.front().is_some_and(|entry| entry.ticket == place.0);
        drop(waiting);
        drop(old);
        // A receiver that is about to sleep frees, fences and looks at `first`. If it did not see us, our next look sees what it freed.
        if !mutant!(JoinFence) {
            barrier::full();
        }
        first
    }

    /// Gives the place up. If it was the first, the next one is woken.
    ///
    /// `sent`: it goes because it sent something, and then the receiver comes past again, or has, which [`Queue::left`] finds out. Else it
    /// may have had a wake in hand that others need: those behind a future are called up in its stead. One that was called up itself
    /// hands that on in any case.
    pub(crate) fn leave(&self, place: &mut Place, sent: bool) {
        let ticket = core::mem::take(&mut place.0);
        if ticket == 0 {
            return;
        }
        let mut waiting = self.lock();
        let Ok(at) = waiting.entries.binary_search_by_key(&ticket, |entry| entry.ticket) else { return };
        let left = waiting.entries.remove(at);
        self.note_first(&waiting);
        let next = waiting.entries.front_mut().filter(|_| at == 0 && !mutant!(LeaveWakes)).and_then(|e| e.waker.take());
        drop(waiting);
        let mut panics = Panics::new();
        if let Some(waker) = next {
            panics.catch(|| wake(waker));
        }
        let called = left.as_ref().is_some_and(|entry| entry.called);
        if (if at == 0 { !sent } else { called }) && !mutant!(PassCallOn) {
            panics.catch(|| self.call_up());
        }
        panics.catch(|| drop(left));
        panics.go_on();
    }

    /// While the first one is a future: wakes a thread behind it that has not been called yet, if there is one; else all the
    /// futures that have not, as none of them surely comes.
    pub(crate) fn call_up(&self) {
        self.call_up_under(|| Some(self.lock()));
    }

    /// The same for those who must not wait, even for the mutex: then nobody may be called up, and they come again.
    pub(crate) fn try_call_up(&self) {
        self.call_up_under(|| match self.0.waiting.try_lock() {
            Ok(waiting) => Some(waiting),
            Err(TryLockError::Poisoned(e)) => Some(e.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
    }

    /// To be called by a sender that waited and goes: if it leaves a future in front of a ring that `is_empty`, it calls up.
    #[inline(always)]
    pub(crate) fn left(&self, is_empty: impl FnOnce() -> bool) {
        if Self::is_future(self.first()) && !mutant!(LeftLooks) {
            // A receiver that is about to sleep frees, fences and looks at `first`. If it still saw us there, we see what it freed.
            barrier::full();
            if is_empty() {
                self.call_up();
            }
        }
    }

    fn call_up_under<'a>(&'a self, lock: impl Fn() -> Option<MutexGuard<'a, Waiting>>) {
        if !Self::is_future(self.first()) {
            return;
        }
        let Some(mut waiting) = lock() else { return };
        // Those that come anew while the others are woken are none of ours.
        let last = waiting.tickets;
        let (mut after, mut panics) = (0, Panics::new());
        while let Some(entry) = waiting.next_to_call(after, last) {
            (after, entry.called) = (entry.ticket, true);
            let (future, waker) = (entry.future, entry.waker.take());
            drop(waiting);
            if let Some(waker) = waker {
                panics.catch(|| wake(waker));
            }
            if !future || mutant!(CallOne) {
                return panics.go_on();
            }
            let Some(again) = lock() else { return panics.go_on() };
            waiting = again;
        }
        drop(waiting);
        panics.go_on();
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
        let mut panics = Panics::new();
        while let Some(entry) = waiting.entries.iter_mut().find(|entry| !entry.called) {
            entry.called = true;
            let waker = entry.waker.take();
            drop(waiting);
            if let Some(waker) = waker {
                panics.catch(|| wake(waker));
            }
            waiting = self.lock();
        }
        drop(waiting);
        panics.go_on();
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
    /// Of those behind the first that have not been called yet, with tickets from `after` (exclusive) to `last`: the first thread, else the
    /// first future.
    fn next_to_call(&mut self, after: u64, last: u64) -> Option<&mut Entry> {
        let from = self.entries.partition_point(|entry| entry.ticket <= after).max(1);
        let idle = |entry: &Entry| !entry.called && entry.ticket <= last;
        let behind = self.entries.iter().enumerate().skip(from);
        let mut idle = behind.filter(|(_, entry)| idle(entry));
        let first = idle.next()?;
        let (at, _) = if first.1.future { idle.find(|(_, entry)| !entry.future).unwrap_or(first) } else { first };
        self.entries.get_mut(at)
    }

    fn find(&mut self, ticket: u64) -> Option<&mut Entry> {
        let at = self.entries.binary_search_by_key(&ticket, |entry| entry.ticket).ok()?;
        self.entries.get_mut(at)
    }
}

impl Place {
    pub(crate) fn is_taken(&self) -> bool {
        self.0 != 0
    }
}

impl Patience {
    /// Whether the sender may try to overtake `first` once more.
    #[inline(always)]
    pub(crate) fn spend(&mut self, first: u64) -> bool {
        if self.first == first && self.left != 0 {
            // In this form: of `left -= u32::from(left != 0)`, inlined behind `||`, rustc 1.95 drops the store.
            self.left -= 1;
            return true;
        }
        self.renew(first)
    }

    #[cold]
    #[inline(never)]
    fn renew(&mut self, first: u64) -> bool {
        self.renew_at(first, Instant::now())
    }

    fn renew_at(&mut self, first: u64, now: Instant) -> bool {
        if self.first != first {
            (self.first, self.since) = (first, Some(now));
        } else if self.since.is_none_or(|since| now.duration_since(since) >= PATIENCE_TIME) {
            return false;
        }
        self.left = PATIENCE - 1;
        true
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue").field(&self.first()).finish()
    }
}

#[cfg(all(test, not(ringmail_loom)))]
mod tests {
    use super::*;

    /// How often a sender may overtake ticket 2 at intervals of `every`.
    fn overtakes(every: Duration) -> u32 {
        let (mut patience, start) = (Patience::default(), Instant::now());
        let mut now = start;
        let mut n = 0;
        loop {
            let may =
                if patience.first == 2 && patience.left != 0 { patience.spend(2) } else { patience.renew_at(2, now) };
            if !may {
                return n;
            }
            n += 1;
            now += every;
        }
    }

    #[test]
    fn patience_ends_after_a_time_or_a_number_whichever_is_more() {
        assert!(overtakes(Duration::from_millis(1)).abs_diff(PATIENCE) <= 1);
        let n = overtakes(Duration::from_micros(1));
        assert!((10_000..10_000 + 2 * PATIENCE).contains(&n), "{n}");
    }

    #[test]
    fn patience_is_anew_for_each_that_comes_first() {
        let mut patience = Patience::default();
        while patience.spend(2) {}
        assert!(patience.spend(4) && patience.spend(6));
    }
}
