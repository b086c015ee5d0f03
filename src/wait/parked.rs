//! A sleep that another process sees and ends.
//!
//! A event count is a word that both sides write; between processes each writes its own page only. So the sleeper says what it waits for:
//! the message that must come, or the place that must be freed, by its position. Whoever publishes wakes it if that is among what it has
//! just published: once a position, so a sleeper that is stopped or was killed costs its peer one system call, not one a message.
//! (To count sleeps, and to remember which was answered, is not enough: a look that belongs to the message before may
//! answer the sleep for the next one, which then nobody wakes. The models find it.)
//!
//! As with a event count both write one word and then read the other's, so each needs a full barrier in between: `light` and
//! `heavy` of [`super::barrier`], or a fence on both sides.
//!
//! ```text
//!  bit 63                     3        2       1       0
//!     ├───────── position ────┼────────┼───────┼───────┤
//!     │ what it waits for     │ BY_BELL│ FENCED│ ASLEEP│   written by the sleeper only
//!     └───────────────────────┴────────┴───────┴───────┘
//! ```
//!
//! **BY_BELL.** The sleep is a reactor's, which waits for a descriptor: whoever wakes it rings that (`shm::wake`), and no futex.
//!
//! **FENCED.** `membarrier` interrupts the cores of every process that has registered for it. A side that sleeps often says so in its word,
//! with one such call: from then on the other side fences after each publication, and a fence is enough for the sleeper. That holds
//! for later sessions of the other side, too: each fences as it begins, after it has said whether it can be reached (`ring::session`), so
//! either that call reached it, or it sees the bit.

// Under loom the models of another crate use it.
#![cfg_attr(not(ringmail_loom), allow(unreachable_pub))]

use super::barrier;
use super::waiter::{Bed, Turn};
use crate::sync::failpoint::point;
use crate::sync::order::mutant;
use crate::sync::{AtomicU64, Ordering, fence};
use core::time::Duration;

const ASLEEP: u64 = 1;
const FENCED: u64 = 2;
const BY_BELL: u64 = 4;
/// Bits below the position.
const FLAGS: u32 = 3;

/// Where a side sleeps for `parked`: each other side's word of it, with what it waits for, a count of messages or places.
pub(crate) struct ParkedBed<'a, B, N, S> {
    parked: &'a [(&'a Parked, u64)],
    /// Whether all other sides know of FENCED.
    settled: &'a mut bool,
    /// Makes the other sides pass a barrier; whether it reached them.
    barrier: B,
    /// Sleeps while there is nothing, for a bounded time; is told whether the barrier reached the other sides.
    nap: N,
    /// Whether another side that waits has the core of this number.
    #[cfg_attr(ringmail_loom, allow(dead_code, reason = "no model yields"))]
    shares: S,
    /// Whether a descriptor ends the sleep.
    by_bell: bool,
    announced: bool,
    reached: bool,
}

impl<'a, B, N, S> ParkedBed<'a, B, N, S>
where
    B: FnMut() -> bool,
    N: FnMut(bool, Option<Duration>),
    S: FnMut(usize) -> bool,
{
    pub(crate) fn new(parked: &'a [(&'a Parked, u64)], settled: &'a mut bool, barrier: B, nap: N, shares: S) -> Self {
        Self { parked, settled, barrier, nap, shares, by_bell: false, announced: false, reached: false }
    }

    /// The same, for a sleep that a descriptor ends if `by_bell`: `nap` only prepares it then.
    pub(crate) fn by_bell(self, by_bell: bool) -> Self {
        Self { by_bell, ..self }
    }
}

impl<B, N, S> Bed for ParkedBed<'_, B, N, S>
where
    B: FnMut() -> bool,
    N: FnMut(bool, Option<Duration>),
    S: FnMut(usize) -> bool,
{
    fn shares(&mut self, core: usize) -> bool {
        (self.shares)(core)
    }

    fn join(&mut self) -> Turn {
        Turn::Now
    }

    /// Once a wait: it stands until [`Bed::leave`].
    fn announce(&mut self, often: bool) {
        if core::mem::replace(&mut self.announced, true) {
            return;
        }
        for (parked, awaited) in self.parked {
            parked.announce(*awaited, often, self.by_bell);
        }
        if often && *self.settled {
            if !mutant!(NapFence) {
                fence(Ordering::SeqCst);
            }
            self.reached = true;
        } else {
            self.reached = mutant!(NapHeavy) || (self.barrier)();
            *self.settled = often && self.reached;
        }
    }

    fn sleep(&mut self, limit: Option<Duration>) {
        point!();
        (self.nap)(self.reached, limit);
    }

    fn withdraw(&mut self) {}

    fn leave(&mut self, _found: bool) {
        if core::mem::take(&mut self.announced) {
            for (parked, _) in self.parked {
                point!();
                parked.rise();
            }
            point!();
        }
    }

    fn sleeps_seldom(&mut self) {
        *self.settled = false;
        self.parked.iter().for_each(|(parked, _)| parked.clear());
    }
}

/// The sleeper's word. All zero at first.
#[derive(Debug)]
#[repr(transparent)]
pub struct Parked(AtomicU64);

impl Parked {
    /// Of a side that is awake.
    #[cfg(ringmail_loom)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The sleeper sleeps no more.
    pub(crate) fn rise(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) & !(ASLEEP | BY_BELL), Ordering::Relaxed);
    }

    /// The sleeper sleeps no more, nor often; nor does one that was killed in its sleep.
    pub(crate) fn clear(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) & !(ASLEEP | FENCED | BY_BELL), Ordering::Relaxed);
    }

    /// Whether the sleeper sleeps, or is about to: for people to read.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn is_asleep(&self) -> bool {
        self.0.load(Ordering::Relaxed) & ASLEEP != 0
    }

    fn announce(&self, awaited: u64, often: bool, by_bell: bool) {
        let awaited = if mutant!(NapAwaited) { 0 } else { awaited };
        let fenced = if often && !mutant!(NapFenced) { FENCED } else { 0 };
        let by_bell = if by_bell { BY_BELL } else { 0 };
        point!();
        self.0.store(awaited << FLAGS | by_bell | fenced | ASLEEP, Ordering::Relaxed);
        point!();
    }

    /// The other side, after a publication: whether this side may sleep. `fenced` is not 0 for a side that `membarrier` does not reach.
    #[inline(always)]
    pub fn calls(&self, fenced: u64) -> bool {
        if !mutant!(NapLight) {
            barrier::light(Ordering::SeqCst);
        }
        // Not two branches: a message in a few nanoseconds has no time for them.
        (self.0.load(Ordering::Relaxed) | fenced) & (ASLEEP | FENCED) != 0
    }

    /// The other side, if this one may sleep: whether it waits for one of the `n` positions from `from` on, just published.
    pub fn answer(&self, from: u64, n: u64) -> bool {
        if !mutant!(NapLight) {
            fence(Ordering::SeqCst);
        }
        let word = self.0.load(Ordering::Relaxed);
        let ahead = (word >> FLAGS).wrapping_sub(from) & u64::MAX >> FLAGS;
        word & ASLEEP != 0 && ahead < n
    }

    /// The other side, about to wake this one: whether by its event. One that sleeps otherwise by now was awake in between.
    #[cfg(any(ringmail_loom, all(feature = "shm", target_os = "linux")))]
    pub(crate) fn is_by_bell(&self) -> bool {
        self.0.load(Ordering::Relaxed) & BY_BELL != 0
    }
}

/// A side that sleeps as the models need it: at once, with one sleep after the other.
#[cfg(ringmail_loom)]
#[derive(Debug)]
pub struct Sleeper {
    waiter: super::waiter::Waiter,
    settled: bool,
}

#[cfg(ringmail_loom)]
impl Sleeper {
    /// `often`: whether it has said so, and `settled`: whether a barrier has passed since.
    pub fn new(often: bool) -> Self {
        let mut waiter = super::waiter::Waiter::new(super::WaitStrategy::ParkAtOnce);
        // Many sleeps without a message in between.
        for _ in 0..if often { 64 } else { 0 } {
            waiter.sleeps_often(0);
        }
        Self { waiter, settled: false }
    }

    /// Passes the barrier that settles it.
    pub fn settle(&mut self, parked: &[(&Parked, u64)]) {
        let mut bed = ParkedBed::new(parked, &mut self.settled, || true, |_, _| {}, |_| false);
        bed.announce(true);
        bed.leave(true);
    }

    /// Announces a sleep by the event count and looks again. Whether there is nothing; otherwise the announcement is taken back.
    pub fn arm(
        &mut self,
        parked: &[(&Parked, u64)],
        barrier: impl FnMut() -> bool,
        look: impl FnOnce() -> bool,
    ) -> bool {
        let mut bed = ParkedBed::new(parked, &mut self.settled, barrier, |_, _| {}, |_| false).by_bell(true);
        bed.announce(false);
        let found = look();
        if found {
            bed.leave(true);
        }
        !found
    }

    /// Takes back that it sleeps often.
    pub fn sleep_seldom(&mut self, parked: &[(&Parked, u64)]) {
        ParkedBed::new(parked, &mut self.settled, || true, |_, _| {}, |_| false).sleeps_seldom();
        self.waiter = super::waiter::Waiter::new(super::WaitStrategy::ParkAtOnce);
    }

    /// Sleeps for `parked` until `look` finds something. `passed` as for every wait.
    pub fn sleep<R>(
        &mut self,
        parked: &[(&Parked, u64)],
        passed: u64,
        barrier: impl FnMut() -> bool,
        mut look: impl FnMut() -> Option<R>,
        mut nap: impl FnMut(bool),
    ) -> R {
        let mut bed = ParkedBed::new(parked, &mut self.settled, barrier, |reached, _| nap(reached), |_| false);
        let found = self.waiter.wait(&mut bed, super::Deadline::NEVER, passed, |_| look());
        // There is no deadline to pass.
        found.unwrap_or_else(|_| unreachable!())
    }
}
