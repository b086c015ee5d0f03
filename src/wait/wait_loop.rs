//! The one loop in which a side waits.
//!
//! ```text
//!  check ─► spin, yield ─► join queue ─► prepare ─► check ─► park ─► check ─► …
//!           each with a check              ▲                            │
//!                                          └────────────────────────────┘
//! ```
//!
//! A side sleeps on a [`ParkSlot`]: an event count of this process, or a word in memory that another process maps. Strategy, deadline, and what
//! was learnt ([`WaitPolicy`]) are the same for both.
//!
//! **Spinning** pays where it ends sooner than a sleep and a wake would. A wait that ended while it spun, or in a short sleep, lets the next
//! one spin for twice as long. A wait that slept long lets the next one spin half as long.
//!
//! **Yielding** pays where the other side waits for this very core, which [`yield_cost`](super::yield_cost) tells. A slow yield counts against
//! its core only if this side moves few messages between two waits. If it moves many, the other side was at work during the yield.
//!
//! Where threads that wait for each other often outnumber the cores (`fan_out`), a side yields first, whether the core is known to be shared or not: a spin
//! would keep the core from a worker. A slow yield is then excused also if another thread of this process waited on the core meanwhile.
//!
//! **After a panic** of a check, a guard cancels the wait and leaves the queue ([`end_wait`]).

use super::deadline::{Deadline, TimedOut};
use super::panics::end_wait;
use super::wait_policy::{LEAST_ROUNDS, POLL_TRIES, POLLS, WaitPolicy};
use super::wait_strategy::WaitStrategy;
#[cfg(not(ringmail_loom))]
use super::yield_cost::{CurrentCore, found_none_to_run};
use crate::sync::order::mutant;
use crate::sync::{spin_loop, yield_now};
use core::time::Duration;
use std::time::Instant;

/// Checks between two reads of the clock while spinning without end.
const CHECKS_PER_CLOCK: u32 = 64;

/// Pauses in the first round of spinning, and the most in a later one. They grow, so that a side that has just caught up leaves the other
/// side's line alone for a while and then finds several messages. They are bounded, so that the end of the wait is noticed soon.
const FIRST_PAUSES: u32 = 1;
const MOST_PAUSES: u32 = 64;
/// Yields before sleeping.
const YIELDS: u32 = 32;
/// The same inside a poll. Fewer of each, as the executor has other tasks. Longer pauses, as a poll costs more than a check and should find
/// several messages (`paired --suite async` shows the difference).
const POLL_ROUNDS: u32 = 7;
const POLL_PAUSES: u32 = 8;
const POLL_YIELDS: u32 = 4;
/// One in so many polls in vain tries to spin and yield again, see [`POLL_TRIES`].
const POLL_EVERY: u32 = 256;
/// A side that moves this many messages between two waits is in a steady flow.
const FLOW: u64 = 64;

/// In which phase of a wait a check is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CheckPhase {
    /// The side spins, or stands in a queue behind others that go first.
    Polling,
    /// As `Polling`, after a yield, which is a system call and may have run all other threads.
    Yielded,
    /// The side is first in its queue, or there is no queue.
    AtFront,
    /// As `AtFront`, and the side is registered: if the check fails it sleeps.
    BeforeSleep,
}

impl CheckPhase {
    /// Whether the side may proceed without overtaking a waiter.
    pub(crate) fn is_at_front(self) -> bool {
        matches!(self, Self::AtFront | Self::BeforeSleep)
    }
}

/// Where a side that is about to sleep stands in its queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum QueueRank {
    /// There is no queue: no further check is needed before the wait is prepared.
    Alone,
    /// First, perhaps only since its last check.
    First,
    /// Others go first; the one in front that leaves wakes it.
    Behind,
}

/// What a side sleeps on.
pub(crate) trait ParkSlot {
    /// Whether a side ever sleeps here. Where it does not, it yields without end instead.
    fn may_sleep(&self) -> bool {
        true
    }

    #[cfg_attr(ringmail_loom, allow(dead_code, reason = "no model yields"))]
    /// Notes that this side waits on the core of this number. Whether the side of another process that it waits for has waited there, too.
    fn shares_core(&mut self, core: usize) -> bool {
        let _ = core;
        false
    }

    /// Takes a place in the queue of this slot, or keeps it.
    fn join_queue(&mut self) -> QueueRank;

    /// Announces that this side is about to sleep. What was published before is found by the next check; what is published after ends the
    /// sleep. `often`: the side sleeps so often that the other side should pay for the fence.
    fn prepare_wait(&mut self, often: bool);

    /// Sleeps until woken, for `limit` at most. May return for no reason.
    fn park(&mut self, limit: Option<Duration>);

    /// Takes the announcement back after a sleep, if it does not serve for the next one.
    fn cancel_wait(&mut self);

    /// Ends the wait: takes back the announcement and the place. `found`: the check succeeded.
    fn leave(&mut self, found: bool);

    /// The side does not sleep often any more.
    fn unfence(&mut self);
}

/// Leaves the slot when dropped, also by a panic of the user's code in a check.
struct LeaveOnDrop<'a, B: ParkSlot> {
    slot: &'a mut B,
    found: bool,
}

impl<B: ParkSlot> Drop for LeaveOnDrop<'_, B> {
    fn drop(&mut self) {
        end_wait(|| self.slot.leave(self.found));
    }
}

impl WaitPolicy {
    /// Waits in `slot` until `check` finds something, or until the deadline. `transferred` counts the messages that this side has moved so far.
    ///
    /// A deadline that has passed is noticed before the wait is prepared.
    #[cold]
    pub(crate) fn wait<B: ParkSlot, R>(
        &mut self,
        slot: &mut B,
        deadline: Deadline,
        transferred: u64,
        mut check: impl FnMut(CheckPhase) -> Option<R>,
    ) -> Result<R, TimedOut> {
        let mut guard = LeaveOnDrop { slot, found: false };
        let polled = match check(CheckPhase::Polling) {
            Some(found) => SpinOutcome::Found(found),
            None => self.poll_before_sleep(guard.slot, deadline, transferred, &mut check),
        };
        let ended = match polled {
            SpinOutcome::Found(found) => {
                if self.note_no_sleep(transferred) {
                    guard.slot.unfence();
                }
                Ok(found)
            }
            SpinOutcome::TimedOut => Err(TimedOut),
            SpinOutcome::Exhausted => self.sleep_until(guard.slot, deadline, transferred, &mut check),
        };
        guard.found = ended.is_ok();
        ended
    }

    /// Prepares a sleep that a reactor does: on `None` the announcement stands, and the reactor may sleep. Otherwise what the check after the
    /// announcement found. Does not poll first, as the reactor has other things to do.
    #[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
    #[cold]
    pub(crate) fn arm<B: ParkSlot, R>(
        &mut self,
        slot: &mut B,
        transferred: u64,
        mut check: impl FnMut(CheckPhase) -> Option<R>,
    ) -> Option<R> {
        let often = self.sleeps_often(transferred);
        if let Some(found) = prepare_and_check(slot, often, &mut check) {
            slot.leave(true);
            return Some(found);
        }
        self.count_sleep();
        slot.park(None);
        None
    }

    /// The second half of [`WaitPolicy::wait`]: sleeps and checks in turn.
    fn sleep_until<B: ParkSlot, R>(
        &mut self,
        slot: &mut B,
        deadline: Deadline,
        transferred: u64,
        check: &mut impl FnMut(CheckPhase) -> Option<R>,
    ) -> Result<R, TimedOut> {
        // Decided once a wait, not once a sleep: some sleeps end for no reason, and one for another process is bounded.
        let mut often = None;
        // A model has no clock. There each deadline passes in the first sleep, so that the state after a timeout is explored.
        let mut slept = POLLS;
        loop {
            if slept && deadline.passed() {
                return Err(TimedOut);
            }
            slept = true;
            let turn = slot.join_queue();
            let phase = if turn == QueueRank::Behind { CheckPhase::Polling } else { CheckPhase::AtFront };
            if turn != QueueRank::Alone && !(turn == QueueRank::Behind && mutant!(LookAfterJoin)) {
                if let Some(found) = check(phase) {
                    return Ok(found);
                }
            }
            if turn != QueueRank::Behind {
                let often = *often.get_or_insert_with(|| self.sleeps_often(transferred));
                if let Some(found) = prepare_and_check(slot, often, check) {
                    return Ok(found);
                }
            }
            self.sleeps += 1;
            let before = Instant::now();
            slot.park(deadline.left());
            self.note_sleep(before.elapsed());
            slot.cancel_wait();
            if let Some(found) = check(phase) {
                return Ok(found);
            }
        }
    }

    /// Spins and yields as the strategy says, without end if the side never sleeps.
    fn poll_before_sleep<R>(
        &mut self,
        slot: &mut impl ParkSlot,
        deadline: Deadline,
        transferred: u64,
        check: &mut impl FnMut(CheckPhase) -> Option<R>,
    ) -> SpinOutcome<R> {
        self.per_wait.note(transferred);
        if self.strategy == WaitStrategy::BusySpin {
            return spin_without_end(deadline, check);
        }
        if !slot.may_sleep() || self.strategy == WaitStrategy::Yield {
            let spun = spin(FIRST_PAUSES, self.rounds, deadline, check);
            self.note_spin(matches!(spun, SpinOutcome::Found(_)));
            return if let SpinOutcome::Exhausted = spun { yield_without_end(deadline, check) } else { spun };
        }
        if !POLLS || self.strategy == WaitStrategy::ParkAtOnce {
            return SpinOutcome::Exhausted;
        }
        let flows = self.per_wait.average >= FLOW;
        if self.yields_first {
            let ended = self.yield_a_while(YIELDS, flows, slot, deadline, check);
            if !matches!(ended, SpinOutcome::Exhausted) {
                return ended;
            }
        }
        let spun = spin(FIRST_PAUSES, self.rounds, deadline, check);
        if let SpinOutcome::Exhausted = spun {
            let ended = self.yield_a_while(YIELDS, flows, slot, deadline, check);
            if let SpinOutcome::Found(_) = ended {
                // The other side was on this core: less spinning before the next yield.
                self.rounds = (self.rounds / 2 + 1).max(LEAST_ROUNDS);
            }
            return ended;
        }
        self.note_spin(true);
        spun
    }

    /// The same inside the poll of a future: for some microseconds where that has paid lately, else for a fraction of one. It does not pay where
    /// a task of the same executor sends or receives. One in [`POLL_EVERY`] polls tries again.
    pub(crate) fn poll_a_while<R>(
        &mut self,
        slot: &mut impl ParkSlot,
        transferred: u64,
        check: &mut impl FnMut(CheckPhase) -> Option<R>,
    ) -> Option<R> {
        self.per_wait.note(transferred);
        if !POLLS || self.strategy == WaitStrategy::ParkAtOnce {
            return None;
        }
        self.in_vain = self.in_vain.wrapping_add(1);
        let tries = self.in_vain % POLL_EVERY == 0;
        let rounds = if tries { POLL_ROUNDS } else { self.poll_rounds };
        let spun = spin(POLL_PAUSES, rounds, Deadline::NEVER, check);
        let paid = matches!(spun, SpinOutcome::Found(_));
        self.poll_rounds = if paid { (rounds * 2).min(POLL_ROUNDS) } else { (self.poll_rounds - 1).max(LEAST_ROUNDS) };
        let ended = match spun {
            SpinOutcome::Exhausted
                if (tries || self.in_vain < POLL_TRIES) && self.strategy != WaitStrategy::BusySpin =>
            {
                self.yield_a_while(POLL_YIELDS, false, slot, Deadline::NEVER, check)
            }
            ended => ended,
        };
        let SpinOutcome::Found(found) = ended else { return None };
        self.in_vain = 0;
        Some(found)
    }

    /// Yields up to `most` times with a check after each, if another side that waits shares the core and yields are cheap on it.
    /// `flows`: during a slow yield the other side was at work.
    #[cfg(not(ringmail_loom))]
    fn yield_a_while<R>(
        &mut self,
        most: u32,
        flows: bool,
        slot: &mut impl ParkSlot,
        deadline: Deadline,
        check: &mut impl FnMut(CheckPhase) -> Option<R>,
    ) -> SpinOutcome<R> {
        let mut now = Instant::now();
        let core = self.core();
        let here = CurrentCore::record_wait(core, now);
        let shared = slot.shares_core(core) | here.is_shared() | self.yields_first;
        if !shared || !here.may_yield(now) {
            return SpinOutcome::Exhausted;
        }
        for _ in 0..most {
            if deadline.passed_at(now) {
                return SpinOutcome::TimedOut;
            }
            yield_now();
            let then = Instant::now();
            let took = then - now;
            let excused = flows || self.yields_first && here.others_waited();
            let slow = here.record_yield(took, excused, then);
            now = then;
            if let Some(found) = check(CheckPhase::Yielded) {
                return SpinOutcome::Found(found);
            }
            if slow && !excused || self.yields_first && found_none_to_run(took) {
                break;
            }
        }
        SpinOutcome::Exhausted
    }

    #[cfg(ringmail_loom)]
    fn yield_a_while<R>(
        &mut self,
        _: u32,
        _: bool,
        _: &mut impl ParkSlot,
        _: Deadline,
        _: &mut impl FnMut(CheckPhase) -> Option<R>,
    ) -> SpinOutcome<R> {
        SpinOutcome::Exhausted
    }
}

/// Prepares the sleep and checks for the last time before it.
fn prepare_and_check<R>(
    slot: &mut impl ParkSlot,
    often: bool,
    check: &mut impl FnMut(CheckPhase) -> Option<R>,
) -> Option<R> {
    slot.prepare_wait(often);
    if mutant!(LookAgain) { None } else { check(CheckPhase::BeforeSleep) }
}

/// How polling ended.
enum SpinOutcome<R> {
    Found(R),
    TimedOut,
    /// It is time to sleep.
    Exhausted,
}

/// Pauses and checks in turn, `rounds` times or until the deadline. The pauses grow by half.
fn spin<R>(
    first: u32,
    rounds: u32,
    deadline: Deadline,
    check: &mut impl FnMut(CheckPhase) -> Option<R>,
) -> SpinOutcome<R> {
    let mut pauses = first;
    for round in 0..rounds {
        if deadline.passed() {
            return SpinOutcome::TimedOut;
        }
        for _ in 0..pauses {
            spin_loop();
        }
        if let Some(found) = check(CheckPhase::Polling) {
            return SpinOutcome::Found(found);
        }
        // By half: doubled pauses overshoot an answer that takes a few of them, and a round trip cost half as much again.
        pauses = (pauses + (pauses + round % 2) / 2).min(MOST_PAUSES);
    }
    SpinOutcome::Exhausted
}

fn spin_without_end<R>(deadline: Deadline, check: &mut impl FnMut(CheckPhase) -> Option<R>) -> SpinOutcome<R> {
    loop {
        for _ in 0..CHECKS_PER_CLOCK {
            spin_loop();
            if let Some(found) = check(CheckPhase::Polling) {
                return SpinOutcome::Found(found);
            }
        }
        if deadline.passed() {
            return SpinOutcome::TimedOut;
        }
    }
}

fn yield_without_end<R>(deadline: Deadline, check: &mut impl FnMut(CheckPhase) -> Option<R>) -> SpinOutcome<R> {
    loop {
        if deadline.passed() {
            return SpinOutcome::TimedOut;
        }
        yield_now();
        if let Some(found) = check(CheckPhase::Yielded) {
            return SpinOutcome::Found(found);
        }
    }
}
