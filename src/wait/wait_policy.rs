//! What one waiting side has learnt: how long to spin, whether it sleeps often, how many more polls may be ready at once.
//!
//! Only the side itself reads and writes it; the loop is in [`wait_loop`](super::wait_loop).

use super::wait_strategy::WaitStrategy;
#[cfg(not(ringmail_loom))]
use super::yield_cost::current_core;
use core::time::Duration;

/// The most and the fewest rounds of spinning.
///
/// The most are some 600 pauses, about what a sleep and a wake cost. With half of them, two sides that fill and empty a small ring between them
/// begin to sleep in turns, and move a tenth as much (`neighbours --only flow`, capacity 16). With 1 instead of 4 as the fewest, 1.2 times as
/// much is moved at capacity 1 (`paired --suite oversub`).
pub(super) const MOST_ROUNDS: u32 = 18;
pub(super) const LEAST_ROUNDS: u32 = 1;
/// A shorter sleep would have been a spin, had there been more rounds.
const SHORT_SLEEP: Duration = Duration::from_micros(50);
/// Not under loom: there, more than one check before sleeping explores nothing new, and each check multiplies the executions.
pub(super) const POLLS: bool = !cfg!(ringmail_loom);
/// After so many polls in vain, one after the other, a poll no longer yields, and no longer asks to be polled again.
pub(super) const POLL_TRIES: u32 = 16;
/// The cooperative budget: polls in a row that may be ready at once. The next one is pending and wakes its task, so that the executor runs its
/// other tasks. The number is that of tokio's own channels.
pub(crate) const READY_POLLS: u32 = 128;
/// Waits for which a thread is taken to be on the same core, unless it slept meanwhile.
#[cfg(not(ringmail_loom))]
const WAITS_ON_A_CORE: u32 = 16;
/// A side that sleeps once in fewer messages than this sleeps often: it is better off with a fence for each message, as a heavy fence costs
/// about as much as this many fences (`benches/src/bin/barrier_price.rs` shows the price on a machine).
const FENCE_BELOW: u64 = 512;
/// A side that sleeps once in more messages than this is better off without. The two numbers are apart, so that the choice does not flap.
const FENCE_ABOVE: u64 = 2048;

/// How one side waits, and what it has learnt.
#[derive(Debug)]
pub(crate) struct WaitPolicy {
    pub(super) strategy: WaitStrategy,
    /// Rounds of the next spin, and of the next spin inside a poll.
    pub(super) rounds: u32,
    pub(super) poll_rounds: u32,
    /// Polls in vain since one found something by spinning or yielding.
    pub(super) in_vain: u32,
    /// Polls that may be ready before one has to be pending.
    pub(super) ready_polls: u32,
    /// Whether a poll has asked to be polled again since a poll last found something.
    pub(super) asked_again: bool,
    /// Messages per wait, and per sleep.
    pub(super) per_wait: Rate,
    pub(super) per_sleep: Rate,
    /// Whether this side sleeps often.
    pub(super) often: bool,
    /// Sleeps since [`WaitPolicy::take_sleeps`].
    pub(super) sleeps: u64,
    /// The core of the last waits, and the number of waits for which it is not asked again.
    #[cfg_attr(ringmail_loom, allow(dead_code, reason = "no model yields"))]
    pub(super) core: usize,
    pub(super) core_asked: u32,
    /// Whether this side yields before it spins.
    #[cfg_attr(ringmail_loom, allow(dead_code, reason = "no model yields"))]
    pub(super) yields_first: bool,
}

/// Messages between two events, a running average.
#[derive(Debug)]
pub(super) struct Rate {
    pub(super) average: u64,
    last: u64,
}

impl Rate {
    const MOST: u64 = FENCE_ABOVE * 8;

    /// Another event, after `transferred` messages in all.
    pub(super) fn note(&mut self, transferred: u64) {
        let messages = transferred.wrapping_sub(core::mem::replace(&mut self.last, transferred));
        self.average = (self.average * 3 + messages.min(Self::MOST)) / 4;
    }
}

/// The default strategy, nothing learnt.
impl Default for WaitPolicy {
    fn default() -> Self {
        Self::new(WaitStrategy::default())
    }
}

impl WaitPolicy {
    pub(crate) fn new(strategy: WaitStrategy) -> Self {
        Self {
            strategy,
            rounds: MOST_ROUNDS,
            poll_rounds: LEAST_ROUNDS,
            in_vain: 0,
            ready_polls: READY_POLLS,
            asked_again: true,
            per_wait: Rate { average: 0, last: 0 },
            per_sleep: Rate { average: Rate::MOST, last: 0 },
            often: false,
            sleeps: 0,
            core: 0,
            core_asked: 0,
            yields_first: false,
        }
    }

    pub(crate) fn strategy(&self) -> WaitStrategy {
        self.strategy
    }

    pub(crate) fn set_strategy(&mut self, strategy: WaitStrategy) {
        self.strategy = strategy;
    }

    /// Sleeps since the last call.
    pub(crate) fn take_sleeps(&mut self) -> u64 {
        core::mem::take(&mut self.sleeps)
    }

    /// Counts another sleep after `transferred` messages. Whether this side sleeps often.
    pub(crate) fn sleeps_often(&mut self, transferred: u64) -> bool {
        self.per_sleep.note(transferred);
        self.often = self.per_sleep.average < if self.often { FENCE_ABOVE } else { FENCE_BELOW };
        self.often
    }

    /// Counts a sleep that the caller does.
    pub(crate) fn count_sleep(&mut self) {
        self.sleeps += 1;
    }

    /// A wait ended without a sleep. Whether this side has just ceased to be one that sleeps often: then the other side need no longer pay for
    /// fences.
    pub(crate) fn note_no_sleep(&mut self, transferred: u64) -> bool {
        let seldom = self.often && transferred.wrapping_sub(self.per_sleep.last) > FENCE_ABOVE;
        if seldom {
            (self.often, self.per_sleep.average) = (false, FENCE_ABOVE);
        }
        seldom
    }

    /// Whether this side sleeps often.
    #[inline(always)]
    pub(crate) fn is_often(&self) -> bool {
        self.often
    }

    /// The core that this thread is on, or was on a few waits ago: asking is a system call.
    #[cfg(not(ringmail_loom))]
    pub(super) fn core(&mut self) -> usize {
        if self.core_asked == 0 {
            (self.core, self.core_asked) = (current_core(), WAITS_ON_A_CORE);
        }
        self.core_asked -= 1;
        self.core
    }

    pub(super) fn note_sleep(&mut self, long: Duration) {
        // A wake is when a thread most often moves to another core.
        self.core_asked = 0;
        self.note_spin(long < SHORT_SLEEP);
    }

    /// Learns whether spinning pays.
    pub(super) fn note_spin(&mut self, pays: bool) {
        self.rounds = if pays { (self.rounds * 2).min(MOST_ROUNDS) } else { (self.rounds / 2).max(LEAST_ROUNDS) };
    }

    /// To be called by each poll that is about to be ready. Whether it has to be pending instead; then call [`WaitPolicy::refill_budget`].
    #[inline(always)]
    pub(crate) fn out_of_budget(&mut self) -> bool {
        let spent;
        (self.ready_polls, spent) = self.ready_polls.overflowing_sub(1);
        spent
    }

    /// A poll is pending: the executor runs other tasks.
    pub(crate) fn refill_budget(&mut self) {
        self.ready_polls = READY_POLLS;
    }

    /// Whether a poll that found nothing should wake its task at once instead of registering: once after each poll that found something.
    pub(crate) fn polls_again(&mut self) -> bool {
        POLLS && self.in_vain < POLL_TRIES && !core::mem::replace(&mut self.asked_again, true)
    }

    /// A poll found something.
    pub(crate) fn note_ready_poll(&mut self) {
        self.asked_again = false;
    }
}
