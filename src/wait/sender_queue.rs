//! Where the senders of one ring wait for room: first come, first served.
//!
//! The ring's event count has one waiter. The other senders stand behind it:
//!
//! ```text
//!   event count ◄── first ◄── second ◄── third …          tickets ascend
//!            registers on the event count, sleeps
//!                      sleeps; the one in front that leaves wakes it
//! ```
//!
//! 1. Only the **first** registers on the event count. The receiver wakes one waiter however many stand here, and takes no lock for it.
//! 2. The one that **leaves** the front (it sent, gave up, or was dropped) wakes the next, which checks again.
//! 3. A sender that does not wait may **overtake** the first, [`OVERTAKES`] times or for [`OVERTAKE_TIME`], whichever is more. Then it joins the
//!    queue.
//! 4. A thread that is woken runs. A **future** may not: its executor may not poll it, or it was leaked. It must not stop the others. While the
//!    first is a future, a receiver that is about to sleep wakes those behind it, up to the next thread ([`SenderQueue::wake_behind`]). A sender
//!    that finds the ring empty may send at any place. A sender that leaves a future in front of an empty ring wakes those behind it too,
//!    as the receiver may have checked before ([`SenderQueue::wake_behind_if`]).
//!
//! | who | writes |
//! |---|---|
//! | the holder of the mutex | the entries, and `first` |
//! | senders and receiver | read `first` without the mutex |
//!
//! | fence | partner |
//! |---|---|
//! | full fence of [`SenderQueue::join`]: entry → check of the ring | the fence of a receiver that is about to sleep: slots freed → read of `first` |
//! | full fence of [`SenderQueue::wake_behind_if`]: leaving → check of the ring | the same |
//!
//! **The mutex** is held for a few list operations, never while a waker runs: wakers are cloned before, woken and dropped after. It is taken by
//! waiters, by those that are about to wait, by a new sender, which reserves a place, and by some senders that go, which give memory back.
//!
//! **A panic** of one waker does not keep the others from being woken.

use super::asymmetric_fence;
use super::panics::{Panics, each, wake};
use crate::error::BuildError;
use crate::sync::order::mutant;
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering, share};
use crate::try_alloc::missing;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::task::Waker;
use core::time::Duration;
use crossbeam_utils::CachePadded;
use std::sync::{PoisonError, TryLockError};
use std::time::Instant;

/// How often a sender may overtake the one that has waited longest, and for how long if that is more.
///
/// With the number alone, four senders of a small ring soon sleep and wake in turns, one message each: capacity 16 moves a tenth as much beside
/// computing threads, capacity 1 a fifth without them (`neighbours --only flow`). The time is that of a few time slices, in which the scheduler
/// brings the woken thread to a core.
const OVERTAKES: u32 = 256;
const OVERTAKE_TIME: Duration = Duration::from_millis(10);

/// The memory of so many places is not worth giving back.
const FEW: usize = 8;

/// The waiting senders of a ring. Clones are the same queue.
#[derive(Clone)]
pub(crate) struct SenderQueue(Arc<Inner>);

struct Inner {
    /// The ticket of the first, 0 if there is none; its lowest bit is set for a future. Alone on its line: every sender reads it before each
    /// message.
    first: CachePadded<AtomicU64>,
    waiting: Mutex<Waiting>,
}

struct Waiting {
    /// Tickets given out.
    tickets: u64,
    /// In the order of their tickets.
    entries: VecDeque<Entry>,
    /// Who waits for the close alone, and stands in no order: each with a number of its own.
    closers: Vec<(usize, Waker)>,
}

struct Entry {
    /// Even.
    ticket: u64,
    /// Whether a future waits here: it may not run when it is woken.
    future: bool,
    /// Whether it was woken out of turn since its last check.
    woken: bool,
    /// `None` once it was woken: then the sender checks, and brings another waker.
    waker: Option<Waker>,
}

/// One sender's place in the queue: its ticket, 0 while it does not wait.
#[derive(Debug, Default)]
pub(crate) struct Ticket(u64);

/// How often a sender may still overtake, and which first one.
#[derive(Debug, Default)]
pub(crate) struct OvertakeBudget {
    first: u64,
    left: u32,
    /// When it first overtook this one.
    since: Option<Instant>,
}

impl SenderQueue {
    /// A queue with room for one sender.
    pub(crate) fn new() -> Result<Self, BuildError> {
        let mut entries = VecDeque::new();
        entries.try_reserve_exact(1).map_err(|_| missing::<Entry>(1))?;
        let waiting = Mutex::new(Waiting { tickets: 0, entries, closers: Vec::new() });
        Ok(Self(share(Inner { first: CachePadded::new(AtomicU64::new(0)), waiting })?))
    }

    /// Makes room for one more place, so that waiting allocates nothing. To be called for each sender, once it counts as one.
    ///
    /// Without memory the process ends.
    pub(crate) fn reserve_slot(&self, senders: usize) {
        let mut waiting = self.lock();
        let missing = senders.saturating_sub(waiting.entries.len());
        waiting.entries.reserve(missing);
    }

    /// Gives memory back once there are few senders. To be called when a sender has ceased to count.
    ///
    /// `senders` is called under the lock, when none can be added. The memory shrinks when they need a quarter of it, to twice what they need: so
    /// each sender that comes or goes pays for the moves of a few places at most. `now` is the number of senders that the caller leaves behind;
    /// only powers of two lead to a check.
    pub(crate) fn shrink(&self, now: usize, senders: impl FnOnce() -> usize) {
        if !now.is_power_of_two() {
            return;
        }
        let mut waiting = self.lock();
        // Under the lock: a sender that was counted since has either reserved its place, or waits to do it after this.
        let needed = senders().max(waiting.entries.len()).max(FEW);
        if waiting.entries.capacity() / 4 < needed {
            return;
        }
        let mut fewer = VecDeque::new();
        // Not `shrink_to`: it ends the process if there is no memory for the move.
        if fewer.try_reserve_exact(2 * needed).is_ok() {
            fewer.append(&mut waiting.entries);
            let wide = core::mem::replace(&mut waiting.entries, fewer);
            drop(waiting);
            drop(wide);
        }
    }

    /// The ticket of the one that waits longest, 0 if there is none. Stale at once: other senders join and leave.
    #[inline(always)]
    pub(crate) fn first(&self) -> u64 {
        // A hint: overtaking once more or once less than allowed does no harm.
        self.0.first.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, or keeps it, to be woken by `waker`. Whether it is the first. The caller must check again.
    pub(crate) fn join(&self, ticket: &mut Ticket, waker: &Waker, future: bool) -> bool {
        let (fresh, mut old) = (waker.clone(), None);
        let mut waiting = self.lock();
        if ticket.0 == 0 {
            waiting.tickets += 2;
            ticket.0 = waiting.tickets;
            waiting.entries.push_back(Entry { ticket: ticket.0, future, woken: false, waker: Some(fresh) });
        } else if let Some(entry) = waiting.find(ticket.0) {
            (entry.woken, entry.future) = (false, future);
            old = entry.waker.replace(fresh);
        }
        self.note_first(&waiting);
        let first = waiting.entries.front().is_some_and(|entry| entry.ticket == ticket.0);
        drop(waiting);
        drop(old);
        // A receiver that is about to sleep frees slots, fences and reads `first`. If it did not see this entry, the caller's next check sees
        // what it freed.
        if !mutant!(JoinFence) {
            asymmetric_fence::full_fence();
        }
        first
    }

    /// Gives the place up. If it was the first, the next one is woken.
    ///
    /// `sent`: the sender leaves because it sent something. Then the receiver will read the ring again, or has done so, which
    /// [`SenderQueue::wake_behind_if`] finds out. Otherwise the sender may have been woken without using that, so those behind a future are woken
    /// instead. A sender that was itself woken out of turn passes that on in any case.
    pub(crate) fn leave(&self, ticket: &mut Ticket, sent: bool) {
        let ticket = core::mem::take(&mut ticket.0);
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
        let woken = left.as_ref().is_some_and(|entry| entry.woken);
        if (if at == 0 { !sent } else { woken }) && !mutant!(PassWakeOn) {
            panics.catch(|| self.wake_behind());
        }
        panics.catch(|| drop(left));
        panics.resume();
    }

    /// While the first is a future: wakes the first thread behind it that was not woken yet. If there is none, wakes all futures that were not
    /// woken yet, as none of them is sure to run.
    pub(crate) fn wake_behind(&self) {
        self.wake_behind_with(|| Some(self.lock()));
    }

    /// The same for a caller that must not block, not even on the mutex: then perhaps none is woken, and the caller comes again.
    pub(crate) fn try_wake_behind(&self) {
        self.wake_behind_with(|| match self.0.waiting.try_lock() {
            Ok(waiting) => Some(waiting),
            Err(TryLockError::Poisoned(e)) => Some(e.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
    }

    /// To be called by a sender that has left the queue: if it leaves a future in front of a ring that `is_empty`, it wakes those behind.
    #[inline(always)]
    pub(crate) fn wake_behind_if(&self, is_empty: impl FnOnce() -> bool) {
        if Self::is_future(self.first()) && !mutant!(LeaveWakesBehind) {
            // A receiver that is about to sleep frees slots, fences and reads `first`. If it still saw the old entry there, this check sees
            // what it freed.
            asymmetric_fence::full_fence();
            if is_empty() {
                self.wake_behind();
            }
        }
    }

    fn wake_behind_with<'a>(&'a self, lock: impl Fn() -> Option<MutexGuard<'a, Waiting>>) {
        if !Self::is_future(self.first()) {
            return;
        }
        let Some(mut waiting) = lock() else { return };
        // Those that join while the others are woken are not woken.
        let last = waiting.tickets;
        let (mut after, mut panics) = (0, Panics::new());
        while let Some(entry) = waiting.next_to_wake(after, last) {
            (after, entry.woken) = (entry.ticket, true);
            let (future, waker) = (entry.future, entry.waker.take());
            drop(waiting);
            if let Some(waker) = waker {
                panics.catch(|| wake(waker));
            }
            if !future || mutant!(WakeAllFutures) {
                return panics.resume();
            }
            let Some(again) = lock() else { return panics.resume() };
            waiting = again;
        }
        drop(waiting);
        panics.resume();
    }

    /// Whether a ticket of [`SenderQueue::first`] is a future's.
    pub(crate) const fn is_future(first: u64) -> bool {
        first & 1 != 0
    }

    /// Has `waker` woken when the channel is closed, for the waiter of this number. The caller must check again: a receiver closes, and then takes
    /// the mutex in [`SenderQueue::wake_all`]. If it took the mutex before this call, the check finds the close.
    ///
    /// May allocate; without memory the process ends.
    pub(crate) fn watch_close(&self, waiter: usize, waker: &Waker) {
        let mut fresh = waker.clone();
        let mut waiting = self.lock();
        let old = match waiting.closers.iter_mut().find(|(number, _)| *number == waiter) {
            Some((_, registered)) => {
                core::mem::swap(registered, &mut fresh);
                Some(fresh)
            }
            None => {
                waiting.closers.push((waiter, fresh));
                None
            }
        };
        drop(waiting);
        drop(old);
    }

    /// Takes that back.
    pub(crate) fn unwatch_close(&self, waiter: usize) {
        let mut waiting = self.lock();
        let at = waiting.closers.iter().position(|(number, _)| *number == waiter);
        let old = at.map(|at| waiting.closers.swap_remove(at));
        drop(waiting);
        drop(old);
    }

    /// Wakes all of them, and those that wait for the close: the channel is closed.
    pub(crate) fn wake_all(&self) {
        let mut waiting = self.lock();
        let closers = core::mem::take(&mut waiting.closers);
        // One by one, each woken outside the lock: a waker may use this queue.
        for entry in &mut waiting.entries {
            entry.woken = false;
        }
        let mut panics = Panics::new();
        while let Some(entry) = waiting.entries.iter_mut().find(|entry| !entry.woken) {
            entry.woken = true;
            let waker = entry.waker.take();
            drop(waiting);
            if let Some(waker) = waker {
                panics.catch(|| wake(waker));
            }
            waiting = self.lock();
        }
        drop(waiting);
        if !mutant!(CloseWakesClosers) {
            closers.into_iter().for_each(|(_, waker)| panics.catch(|| wake(waker)));
        }
        panics.resume();
    }

    /// Wakes those that wait for the close alone: a sender that some of them wait for is closed. The others wait again.
    pub(crate) fn wake_closers(&self) {
        let closers = core::mem::take(&mut self.lock().closers);
        each(closers, |(_, waker)| wake(waker));
    }

    /// Runs `f` under the lock if no sender waits: none can join meanwhile.
    pub(crate) fn if_empty(&self, f: impl FnOnce()) {
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
    /// Of those behind the first that were not woken yet, with tickets from `after` (exclusive) to `last`: the first thread, or else the first
    /// future.
    fn next_to_wake(&mut self, after: u64, last: u64) -> Option<&mut Entry> {
        let from = self.entries.partition_point(|entry| entry.ticket <= after).max(1);
        let idle = |entry: &Entry| !entry.woken && entry.ticket <= last;
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

impl Ticket {
    pub(crate) fn is_taken(&self) -> bool {
        self.0 != 0
    }
}

impl OvertakeBudget {
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
        } else if self.since.is_none_or(|since| now.duration_since(since) >= OVERTAKE_TIME) {
            return false;
        }
        self.left = OVERTAKES - 1;
        true
    }
}

impl fmt::Debug for SenderQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SenderQueue").field(&self.first()).finish()
    }
}

#[cfg(all(test, not(ringmail_loom)))]
mod tests {
    use super::*;

    /// How often a sender may overtake ticket 2 at intervals of `every`.
    fn overtakes(every: Duration) -> u32 {
        let (mut budget, start) = (OvertakeBudget::default(), Instant::now());
        let mut now = start;
        let mut n = 0;
        loop {
            let may = if budget.first == 2 && budget.left != 0 { budget.spend(2) } else { budget.renew_at(2, now) };
            if !may {
                return n;
            }
            n += 1;
            now += every;
        }
    }

    #[test]
    fn the_budget_ends_after_a_time_or_a_number_whichever_is_more() {
        assert!(overtakes(Duration::from_millis(1)).abs_diff(OVERTAKES) <= 1);
        let n = overtakes(Duration::from_micros(1));
        assert!((10_000..10_000 + 2 * OVERTAKES).contains(&n), "{n}");
    }

    #[test]
    fn the_budget_is_anew_for_each_that_comes_first() {
        let mut budget = OvertakeBudget::default();
        while budget.spend(2) {}
        assert!(budget.spend(4) && budget.spend(6));
    }
}
