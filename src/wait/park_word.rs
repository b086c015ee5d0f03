//! The word by which a side sleeps that another process wakes.
//!
//! Both sides write the word of an event count. Between processes each side writes only its own page, so this word has one writer: the waiter.
//!
//! ```text
//!  bit 63                     3               2        1        0
//!     ├───────── position ────┼───────────────┼────────┼────────┤
//!     │ what it waits for     │ BY_DESCRIPTOR │ FENCED │ ASLEEP │   written by the waiter only
//!     └───────────────────────┴───────────────┴────────┴────────┘
//! ```
//!
//! * **Position**: the message that must come, or the slot that must be freed. A notifier wakes the waiter if the position is among those that
//!   it has just published, so once a position. A waiter that is stopped or was killed costs its peer one system call, not one a message.
//!   A count of sleeps with the last answered one would not do: a check that belongs to the message before may answer the sleep for the next
//!   message, which then is not woken. The models find that.
//! * **BY_DESCRIPTOR**: a reactor sleeps on a descriptor. The notifier writes to that descriptor (`shm::wait::wake_fd`) instead of waking a futex.
//! * **FENCED**: the other side executes a full fence after each publication. `membarrier` between processes interrupts the cores of every
//!   process that has registered for it, so a side that sleeps often sets FENCED with one such call. From then on, a full fence is enough for
//!   the waiter. This holds for later sessions of the other side too: each executes a fence as it begins, after it has said whether the call
//!   can reach it (`shm::peer::session`). So either the call reached it, or it sees FENCED.
//!
//! | ordering | partner |
//! |---|---|
//! | [`asymmetric_fence::light`] (notifier: publish → read the word) | the barrier of the waiter (write the word → check) |
//! | full fence of a notifier that sees FENCED | full fence of a waiter whose peers have settled FENCED |
//!
//! **After a crash** of the waiter the word may say ASLEEP for ever. Its peer wakes it in vain once a position; the next session clears it.

// Under loom the models of another crate use it.
#![cfg_attr(not(ringmail_loom), allow(unreachable_pub))]

use super::asymmetric_fence;
use super::wait_loop::{ParkSlot, QueueRank};
use crate::sync::failpoint::point;
use crate::sync::order::mutant;
use crate::sync::{AtomicU64, Ordering, fence};
use core::time::Duration;

const ASLEEP: u64 = 1;
const FENCED: u64 = 2;
const BY_DESCRIPTOR: u64 = 4;
/// Bits below the position.
const FLAGS: u32 = 3;

/// Where a side sleeps: its words `parked`, one for each other side, each with the position that it waits for there.
pub(crate) struct WordParkSlot<'a, B, N, S> {
    parked: &'a [(&'a ParkWord, u64)],
    /// Whether all other sides have seen FENCED.
    settled: &'a mut bool,
    /// Makes the other sides pass a full barrier. Whether it reached all of them.
    barrier: B,
    /// Sleeps while there is nothing, for a bounded time. Its argument is whether the barrier reached all other sides.
    park: N,
    /// Whether another side that waits is on the core of this number.
    #[cfg_attr(ringmail_loom, allow(dead_code, reason = "no model yields"))]
    shares: S,
    /// Whether a descriptor ends the sleep.
    by_descriptor: bool,
    announced: bool,
    reached: bool,
}

impl<'a, B, N, S> WordParkSlot<'a, B, N, S>
where
    B: FnMut() -> bool,
    N: FnMut(bool, Option<Duration>),
    S: FnMut(usize) -> bool,
{
    pub(crate) fn new(
        parked: &'a [(&'a ParkWord, u64)],
        settled: &'a mut bool,
        barrier: B,
        park: N,
        shares: S,
    ) -> Self {
        Self { parked, settled, barrier, park, shares, by_descriptor: false, announced: false, reached: false }
    }

    /// The same; if `by_descriptor`, a descriptor ends the sleep, and `park` only prepares it.
    pub(crate) fn by_descriptor(self, by_descriptor: bool) -> Self {
        Self { by_descriptor, ..self }
    }
}

impl<B, N, S> ParkSlot for WordParkSlot<'_, B, N, S>
where
    B: FnMut() -> bool,
    N: FnMut(bool, Option<Duration>),
    S: FnMut(usize) -> bool,
{
    fn shares_core(&mut self, core: usize) -> bool {
        (self.shares)(core)
    }

    fn join_queue(&mut self) -> QueueRank {
        QueueRank::Alone
    }

    /// Announces once a wait: the announcement stands until [`ParkSlot::leave`].
    fn prepare_wait(&mut self, often: bool) {
        if core::mem::replace(&mut self.announced, true) {
            return;
        }
        for (parked, awaited) in self.parked {
            parked.announce(*awaited, often, self.by_descriptor);
        }
        if often && *self.settled {
            if !mutant!(ParkFence) {
                fence(Ordering::SeqCst);
            }
            self.reached = true;
        } else {
            self.reached = mutant!(ParkHeavy) || (self.barrier)();
            *self.settled = often && self.reached;
        }
    }

    fn park(&mut self, limit: Option<Duration>) {
        point!();
        (self.park)(self.reached, limit);
    }

    fn cancel_wait(&mut self) {}

    fn leave(&mut self, _found: bool) {
        if core::mem::take(&mut self.announced) {
            for (parked, _) in self.parked {
                point!();
                parked.clear_asleep();
            }
            point!();
        }
    }

    fn unfence(&mut self) {
        *self.settled = false;
        self.parked.iter().for_each(|(parked, _)| parked.clear());
    }
}

/// Of a side with several words, which sleeps on some of them at a time, a bit for each word. One flag for all of them would not do: a wait on one word
/// settles no other, whose other side may publish without a fence and miss the sleep.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Settled {
    /// The words whose other sides have seen FENCED.
    seen: u128,
    /// The words that may say FENCED.
    fenced: u128,
}

impl Settled {
    /// Before a wait on `words`: whether the other sides of all of them have seen FENCED.
    pub(crate) fn has(self, words: u128) -> bool {
        if mutant!(ParkSettled) { self.seen != 0 } else { self.seen & words == words }
    }

    /// After that wait: whether it left them settled, and whether this side sleeps often. Returns the words to be cleared, as it does not any more: a wait
    /// clears those alone that it sleeps on.
    pub(crate) fn note(&mut self, words: u128, settled: bool, often: bool) -> u128 {
        if often {
            self.seen = if settled { self.seen | words } else { self.seen & !words };
            self.fenced |= words;
            return 0;
        }
        core::mem::take(self).fenced
    }
}

/// The waiter's word, 0 at first. The waiter stores, the other side loads.
#[derive(Debug)]
#[repr(transparent)]
pub struct ParkWord(AtomicU64);

impl ParkWord {
    /// The word of a side that is awake.
    #[cfg(ringmail_loom)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The waiter no longer sleeps.
    pub(crate) fn clear_asleep(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) & !(ASLEEP | BY_DESCRIPTOR), Ordering::Relaxed);
    }

    /// The waiter no longer sleeps, and does not sleep often. Also for the word of a side that was killed in its sleep.
    pub(crate) fn clear(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) & !(ASLEEP | FENCED | BY_DESCRIPTOR), Ordering::Relaxed);
    }

    /// Whether the waiter sleeps, or is about to. For display only: it may change at any moment.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn is_asleep(&self) -> bool {
        self.0.load(Ordering::Relaxed) & ASLEEP != 0
    }

    fn announce(&self, awaited: u64, often: bool, by_descriptor: bool) {
        let awaited = if mutant!(ParkAwaited) { 0 } else { awaited };
        let fenced = if often && !mutant!(ParkFenced) { FENCED } else { 0 };
        let by_descriptor = if by_descriptor { BY_DESCRIPTOR } else { 0 };
        point!();
        self.0.store(awaited << FLAGS | by_descriptor | fenced | ASLEEP, Ordering::Relaxed);
        point!();
    }

    /// Called by the other side after a publication: whether it has to call [`ParkWord::is_awaited`]. `fenced` is not 0 if `membarrier` does
    /// not reach the caller.
    #[inline(always)]
    pub fn should_wake(&self, fenced: u64) -> bool {
        if !mutant!(ParkLight) {
            asymmetric_fence::light(Ordering::SeqCst);
        }
        // One branch, not two: a message takes a few nanoseconds.
        (self.0.load(Ordering::Relaxed) | fenced) & (ASLEEP | FENCED) != 0
    }

    /// Called by the other side if this one may sleep: whether this one waits for one of the `n` positions from `from` on, just published.
    pub fn is_awaited(&self, from: u64, n: u64) -> bool {
        fence_after_publication();
        self.awaits(from, n)
    }

    /// The same, after [`fence_after_publication`]: one fence serves for the words of many waiters.
    pub(crate) fn awaits(&self, from: u64, n: u64) -> bool {
        let word = self.0.load(Ordering::Relaxed);
        let ahead = (word >> FLAGS).wrapping_sub(from) & u64::MAX >> FLAGS;
        word & ASLEEP != 0 && ahead < n
    }

    /// Called by the other side before it wakes this one: whether by its descriptor. If this side sleeps in another way meanwhile, it was awake
    /// in between.
    pub(crate) fn is_by_descriptor(&self) -> bool {
        self.0.load(Ordering::Relaxed) & BY_DESCRIPTOR != 0
    }
}

/// The full fence of a side that has published, and is about to look which of its waiters wait for that.
pub(crate) fn fence_after_publication() {
    if !mutant!(ParkLight) {
        fence(Ordering::SeqCst);
    }
}

/// A side for the models: it sleeps at once, one sleep after the other.
#[cfg(ringmail_loom)]
#[derive(Debug)]
pub struct Sleeper {
    waiter: super::wait_policy::WaitPolicy,
    settled: Settled,
}

#[cfg(ringmail_loom)]
impl Sleeper {
    /// `often`: whether the side sleeps often.
    pub fn new(often: bool) -> Self {
        let mut waiter = super::wait_policy::WaitPolicy::new(super::WaitStrategy::ParkAtOnce);
        // Many sleeps without a message in between.
        for _ in 0..if often { 64 } else { 0 } {
            waiter.sleeps_often(0);
        }
        Self { waiter, settled: Settled::default() }
    }

    /// Sets FENCED and passes the barrier that settles it.
    pub fn settle(&mut self, parked: &[(&ParkWord, u64)]) {
        let mut settled = false;
        let mut slot = WordParkSlot::new(parked, &mut settled, || true, |_, _| {}, |_| false);
        slot.prepare_wait(true);
        slot.leave(true);
        self.settled.note(1, settled, true);
    }

    /// Announces a sleep by a descriptor and checks again. Whether the check found nothing; otherwise the announcement is taken back.
    pub fn arm(
        &mut self,
        parked: &[(&ParkWord, u64)],
        barrier: impl FnMut() -> bool,
        look: impl FnOnce() -> bool,
    ) -> bool {
        let mut settled = self.settled.has(1);
        let mut slot = WordParkSlot::new(parked, &mut settled, barrier, |_, _| {}, |_| false).by_descriptor(true);
        slot.prepare_wait(false);
        let found = look();
        if found {
            slot.leave(true);
        }
        self.settled.note(1, settled, false);
        !found
    }

    /// The side does not sleep often any more.
    pub fn sleep_seldom(&mut self, parked: &[(&ParkWord, u64)]) {
        WordParkSlot::new(parked, &mut false, || true, |_, _| {}, |_| false).unfence();
        self.settled.note(1, false, false);
        self.waiter = super::wait_policy::WaitPolicy::new(super::WaitStrategy::ParkAtOnce);
    }

    /// Sleeps until `look` finds something. `transferred` as in every wait.
    pub fn sleep<R>(
        &mut self,
        parked: &[(&ParkWord, u64)],
        transferred: u64,
        barrier: impl FnMut() -> bool,
        look: impl FnMut() -> Option<R>,
        park: impl FnMut(bool),
    ) -> R {
        self.sleep_on(1, parked, transferred, barrier, look, park)
    }

    /// The same on one of several words, of which `which` is the bit; those of the other functions are the first one.
    pub fn sleep_on<R>(
        &mut self,
        which: u128,
        parked: &[(&ParkWord, u64)],
        transferred: u64,
        barrier: impl FnMut() -> bool,
        mut look: impl FnMut() -> Option<R>,
        mut park: impl FnMut(bool),
    ) -> R {
        let mut settled = self.settled.has(which);
        let mut slot = WordParkSlot::new(parked, &mut settled, barrier, |reached, _| park(reached), |_| false);
        let found = self.waiter.wait(&mut slot, super::Deadline::NEVER, transferred, |_| look());
        self.settled.note(which, settled, self.waiter.is_often());
        // There is no deadline to pass.
        found.unwrap_or_else(|_| unreachable!())
    }
}

#[cfg(all(test, not(ringmail_loom)))]
mod tests {
    use super::Settled;

    /// Words that a wait did not sleep on keep what they say, and are cleared with the others when the side does not sleep often any more.
    #[test]
    fn words_are_settled_and_cleared_each_for_itself() {
        let mut settled = Settled::default();
        assert!(!settled.has(0b01));
        assert_eq!(settled.note(0b01, true, true), 0);
        assert!(settled.has(0b01) && !settled.has(0b10) && !settled.has(0b11));
        // A barrier that reached not all of them settles none of them.
        assert_eq!(settled.note(0b110, false, true), 0);
        assert!(settled.has(0b001) && !settled.has(0b010));
        assert_eq!(settled.note(0b100, true, true), 0);
        assert!(settled.has(0b101) && !settled.has(0b111));
        assert_eq!(settled.note(1 << 127, false, false), 0b111);
        assert!(!settled.has(0b001) && !settled.has(0b100));
        assert_eq!(settled.note(0b001, false, false), 0, "cleared once");
    }
}
