//! What one waiting side has learnt: how long to spin, whether it sleeps often, how many more polls may be ready.

use super::wait_strategy::WaitStrategy;
#[cfg(not(ringmail_loom))]
use super::yield_cost::current_core;
use core::time::Duration;

/// Rounds of spinning when it has paid lately and when it has not. The most are some 600 pauses, about what a sleep and a wake cost:
/// with half of them two sides that fill and empty a small ring between them begin to sleep in turns, and move a tenth as much
/// (`neighbours --only flow`, capacity 16). The least was weighed with `paired --suite oversub`: 1 instead of 4 moves 1.2 times as much at
/// capacity 1.
pub(super) const MOST_ROUNDS: u32 = 18;
pub(super) const LEAST_ROUNDS: u32 = 1;
/// A sleep that was shorter would have been a spin, had there been more rounds.
const SHORT_SLEEP: Duration = Duration::from_micros(50);
/// Under loom nothing is gained by looking more than once before sleeping, and every look multiplies the executions.
pub(super) const POLLS: bool = !cfg!(ringmail_loom);
/// After so many polls in vain, one after the other, a poll yields no more, and no longer asks to be polled again.
pub(super) const POLL_TRIES: u32 = 16;
/// Polls in a row that may be ready at once. The next one is pending and has its task woken, so that the other tasks of its executor have
/// their turn; the number is that of tokio's own channels.
pub(crate) const READY_POLLS: u32 = 128;
/// Waits for which a thread is believed to be on the same core, unless it slept meanwhile.
#[cfg(not(ringmail_loom))]
const WAITS_ON_A_CORE: u32 = 16;
/// A side that sleeps once in fewer messages than this is better off with fences: a barrier costs about as much as this
/// many fences (`benches/src/bin/barrier_price.rs` shows the price on a machine).
const FENCE_BELOW: u64 = 512;
/// And one that sleeps less often than this is better off without. Apart, so that it does not flap.
const FENCE_ABOVE: u64 = 2048;

/// How one side waits, and what it has learnt.
#[derive(Debug)]
pub(crate) struct WaitPolicy {
    pub(super) strategy: WaitStrategy,
    /// Rounds of the next spin, and of one inside a poll.
    pub(super) rounds: u32,
    pub(super) poll_rounds: u32,
    /// Polls that looked a while in vain, or would have, since one found something that way.
    pub(super) in_vain: u32,
    /// Polls that may be ready before one has to be pending.
    pub(super) ready_polls: u32,
    /// Whether a poll has asked to be polled again since a poll last found something.
    pub(super) asked_again: bool,
    /// Messages per wait and per sleep.
    pub(super) per_wait: Rate,
    pub(super) per_sleep: Rate,
    pub(super) often: bool,
    pub(super) sleeps: u64,
    /// The core of the last waits, and for how many more it is believed.
    #[cfg_attr(ringmail_loom, allow(dead_code, reason = "no model yields"))]
    pub(super) core: usize,
    pub(super) core_asked: u32,
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

    /// A sleep that the caller sees to.
    pub(crate) fn count_sleep(&mut self) {
        self.sleeps += 1;
    }

    /// A wait ended without a sleep. Whether this side was one that sleeps often, and is no more: then the other need not pay for it any
    /// longer.
    pub(crate) fn note_no_sleep(&mut self, transferred: u64) -> bool {
        let seldom = self.often && transferred.wrapping_sub(self.per_sleep.last) > FENCE_ABOVE;
        if seldom {
            (self.often, self.per_sleep.average) = (false, FENCE_ABOVE);
        }
        seldom
    }

    /// Whether this side sleeps often.
    pub(crate) fn is_often(&self) -> bool {
        self.often
    }

    /// The core that this thread is on, or was a few waits ago: to ask is a system call.
    #[cfg(not(ringmail_loom))]
    pub(super) fn core(&mut self) -> usize {
        if self.core_asked == 0 {
            (self.core, self.core_asked) = (current_core(), WAITS_ON_A_CORE);
        }
        self.core_asked -= 1;
        self.core
    }

    pub(super) fn note_sleep(&mut self, long: Duration) {
        // A thread moves to another core when it is woken, most of all.
        self.core_asked = 0;
        self.note_spin(long < SHORT_SLEEP);
    }

    /// Learns whether spinning pays.
    pub(super) fn note_spin(&mut self, pays: bool) {
        self.rounds = if pays { (self.rounds * 2).min(MOST_ROUNDS) } else { (self.rounds / 2).max(LEAST_ROUNDS) };
    }

    /// To be called by each poll that is about to be ready. Whether it has to be pending instead: then [`WaitPolicy::refill_budget`] is next.
    #[inline(always)]
    pub(crate) fn out_of_budget(&mut self) -> bool {
        let spent;
        (self.ready_polls, spent) = self.ready_polls.overflowing_sub(1);
        spent
    }

    /// A poll is pending.
    pub(crate) fn refill_budget(&mut self) {
        self.ready_polls = READY_POLLS;
    }

    /// Whether a poll that found nothing should ask to be polled again, instead of announcing itself: once after each that found something.
    pub(crate) fn polls_again(&mut self) -> bool {
        POLLS && self.in_vain < POLL_TRIES && !core::mem::replace(&mut self.asked_again, true)
    }

    /// A poll has found something.
    pub(crate) fn note_ready_poll(&mut self) {
        self.asked_again = false;
    }
}
