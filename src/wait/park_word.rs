//! A sleep that another process sees and ends.
//!
//! A event count is a word that both sides write; between processes each writes its own page only. So the sleeper says what it waits for:
//! the message that must come, or the place that must be freed, by its position. Whoever publishes wakes it if that is among what it has
//! just published: once a position, so a sleeper that is stopped or was killed costs its peer one system call, not one a message.
//! (To count sleeps, and to remember which was answered, is not enough: a look that belongs to the message before may
//! answer the sleep for the next one, which then nobody wakes. The models find it.)
//!
//! As with a event count both write one word and then read the other's, so each needs a full barrier in between: `light` and
//! `heavy` of [`super::asymmetric_fence`], or a fence on both sides.
//!
//! ```text
//!  bit 63                     3        2       1       0
//!     ├───────── position ────┼────────┼───────┼───────┤
//!     │ what it waits for     │ BY_DESCRIPTOR│ FENCED│ ASLEEP│   written by the sleeper only
//!     └───────────────────────┴────────┴───────┴───────┘
//! ```
//!
//! **BY_DESCRIPTOR.** The sleep is a reactor's, which waits for a descriptor: whoever wakes it rings that (`shm::wake`), and no futex.
//!
//! **FENCED.** `membarrier` interrupts the cores of every process that has registered for it. A side that sleeps often says so in its word,
//! with one such call: from then on the other side fences after each publication, and a fence is enough for the sleeper. That holds
//! for later sessions of the other side, too: each fences as it begins, after it has said whether it can be reached (`ring::session`), so
//! either that call reached it, or it sees the bit.

// Under loom the models of another crate use it.
#![cfg_attr(not(ringmail_loom), allow(unreachable_pub))]

use super::asymmetric_fence;
use super::wait_loop::{ParkSlot, QueueRank};
use crate::ring::failpoint::point;
use crate::ring::order::mutant;
use crate::sync::{AtomicU64, Ordering, fence};
use core::time::Duration;

const ASLEEP: u64 = 1;
const FENCED: u64 = 2;
const BY_DESCRIPTOR: u64 = 4;
/// Bits below the position.
const FLAGS: u32 = 3;

/// Where a side sleeps for `parked`: each other side's word of it, with what it waits for, a count of messages or places.
pub(crate) struct WordParkSlot<'a, B, N, S> {
    parked: &'a [(&'a ParkWord, u64)],
    /// Whether all other sides know of FENCED.
    settled: &'a mut bool,
    /// Makes the other sides pass a barrier; whether it reached them.
    barrier: B,
    /// Sleeps while there is nothing, for a bounded time; is told whether the barrier reached the other sides.
    park: N,
    /// Whether another side that waits has the core of this number.
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

    /// The same, for a sleep that a descriptor ends if `by_descriptor`: `park` only prepares it then.
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

    /// Once a wait: it stands until [`ParkSlot::leave`].
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

/// The sleeper's word. All zero at first.
#[derive(Debug)]
#[repr(transparent)]
pub struct ParkWord(AtomicU64);

impl ParkWord {
    /// Of a side that is awake.
    #[cfg(ringmail_loom)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The sleeper sleeps no more.
    pub(crate) fn clear_asleep(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) & !(ASLEEP | BY_DESCRIPTOR), Ordering::Relaxed);
    }

    /// The sleeper sleeps no more, nor often; nor does one that was killed in its sleep.
    pub(crate) fn clear(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) & !(ASLEEP | FENCED | BY_DESCRIPTOR), Ordering::Relaxed);
    }

    /// Whether the sleeper sleeps, or is about to: for people to read.
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

    /// The other side, after a publication: whether this side may sleep. `fenced` is not 0 for a side that `membarrier` does not reach.
    #[inline(always)]
    pub fn should_wake(&self, fenced: u64) -> bool {
        if !mutant!(ParkLight) {
            asymmetric_fence::light();
        }
        // Not two branches: a message in a few nanoseconds has no time for them.
        (self.0.load(Ordering::Relaxed) | fenced) & (ASLEEP | FENCED) != 0
    }

    /// The other side, if this one may sleep: whether it waits for one of the `n` positions from `from` on, just published.
    pub fn is_awaited(&self, from: u64, n: u64) -> bool {
        if !mutant!(ParkLight) {
            fence(Ordering::SeqCst);
        }
        let word = self.0.load(Ordering::Relaxed);
        let ahead = (word >> FLAGS).wrapping_sub(from) & u64::MAX >> FLAGS;
        word & ASLEEP != 0 && ahead < n
    }

    /// The other side, about to wake this one: whether by its event. One that sleeps otherwise by now was awake in between.
    pub(crate) fn is_by_descriptor(&self) -> bool {
        self.0.load(Ordering::Relaxed) & BY_DESCRIPTOR != 0
    }
}

/// A side that sleeps as the models need it: at once, with one sleep after the other.
#[cfg(ringmail_loom)]
#[derive(Debug)]
pub struct Sleeper {
    waiter: super::wait_policy::WaitPolicy,
    settled: bool,
}

#[cfg(ringmail_loom)]
impl Sleeper {
    /// `often`: whether it has said so, and `settled`: whether a barrier has passed since.
    pub fn new(often: bool) -> Self {
        let mut waiter = super::wait_policy::WaitPolicy::new(super::WaitStrategy::ParkAtOnce);
        // Many sleeps without a message in between.
        for _ in 0..if often { 64 } else { 0 } {
            waiter.sleeps_often(0);
        }
        Self { waiter, settled: false }
    }

    /// Passes the barrier that settles it.
    pub fn settle(&mut self, parked: &[(&ParkWord, u64)]) {
        let mut slot = WordParkSlot::new(parked, &mut self.settled, || true, |_, _| {}, |_| false);
        slot.prepare_wait(true);
        slot.leave(true);
    }

    /// Announces a sleep by the event count and looks again. Whether there is nothing; otherwise the announcement is taken back.
    pub fn arm(
        &mut self,
        parked: &[(&ParkWord, u64)],
        barrier: impl FnMut() -> bool,
        look: impl FnOnce() -> bool,
    ) -> bool {
        let mut slot = WordParkSlot::new(parked, &mut self.settled, barrier, |_, _| {}, |_| false).by_descriptor(true);
        slot.prepare_wait(false);
        let found = look();
        if found {
            slot.leave(true);
        }
        !found
    }

    /// Takes back that it sleeps often.
    pub fn sleep_seldom(&mut self, parked: &[(&ParkWord, u64)]) {
        WordParkSlot::new(parked, &mut self.settled, || true, |_, _| {}, |_| false).unfence();
        self.waiter = super::wait_policy::WaitPolicy::new(super::WaitStrategy::ParkAtOnce);
    }

    /// Sleeps for `parked` until `look` finds something. `transferred` as for every wait.
    pub fn sleep<R>(
        &mut self,
        parked: &[(&ParkWord, u64)],
        transferred: u64,
        barrier: impl FnMut() -> bool,
        mut look: impl FnMut() -> Option<R>,
        mut park: impl FnMut(bool),
    ) -> R {
        let mut slot = WordParkSlot::new(parked, &mut self.settled, barrier, |reached, _| park(reached), |_| false);
        let found = self.waiter.wait(&mut slot, super::Deadline::NEVER, transferred, |_| look());
        // There is no deadline to pass.
        found.unwrap_or_else(|_| unreachable!())
    }
}
