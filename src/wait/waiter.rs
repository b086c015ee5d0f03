//! The one loop in which a side waits, and what it learns there.
//!
//! ```text
//!  look ─► spin, yield ─► join ─► announce ─► look ─► sleep ─► look ─► …
//!            each with a look       ▲                            │
//!                                   └────────────────────────────┘
//! ```
//!
//! What a side sleeps on is a [`Bed`]: a event count of this process, or a word in memory that another process maps. Strategy, deadline, budgets, what
//! was learnt and the counters are here, the same for both.
//!
//! **Spinning** is worth its price where it ends sooner than a sleep and a wake would. So a wait that ended while it spun, or in a sleep
//! that was short, lets the next one spin for twice as long; one that slept long lets it spin half as long.
//!
//! **Yielding** is worth its price where the other side waits for this very core: [`cores`] knows. A slow yield counts against
//! its core only where this side moves few messages between two waits: one that moves many had its partner at work meanwhile.

#[cfg(not(ringmail_loom))]
use super::cores::{Here, number};
use super::deadline::{Deadline, TimedOut};
use super::guard::ended;
use super::strategy::WaitStrategy;
use crate::sync::order::mutant;
use crate::sync::{spin_loop, yield_now};
use core::time::Duration;
use std::time::Instant;

/// Under loom nothing is gained by looking more than once before sleeping, and every look multiplies the executions.
const POLLS: bool = !cfg!(ringmail_loom);

/// Looks between two reads of the clock while spinning without end.
const LOOKS_PER_CLOCK: u32 = 64;

/// Pauses in the first, second, … round of spinning. Growing, so that a side that has just caught up leaves the other's
/// line alone for a while and then finds several messages; bounded, so that the end of the wait is noticed soon.
const FIRST_PAUSES: u32 = 1;
const MOST_PAUSES: u32 = 64;
/// Rounds of spinning when it has paid lately and when it has not. The most are some 600 pauses, about what a sleep and a wake cost:
/// with half of them two sides that fill and empty a small ring between them begin to sleep in turns, and move a tenth as much
/// (`neighbours --only flow`, capacity 16). The least was weighed with `paired --suite oversub`: 1 instead of 4 moves 1.2 times as much at
/// capacity 1.
const MOST_ROUNDS: u32 = 18;
const LEAST_ROUNDS: u32 = 1;
/// A sleep that was shorter would have been a spin, had there been more rounds.
const SHORT_SLEEP: Duration = Duration::from_micros(50);
/// Yields before sleeping.
const YIELDS: u32 = 32;
/// The same inside a poll. Fewer of each: the executor has other tasks. Longer pauses: a poll costs more than a look, so it should find
/// several messages (`paired --suite async` shows the difference).
const POLL_ROUNDS: u32 = 7;
const POLL_PAUSES: u32 = 8;
const POLL_YIELDS: u32 = 4;
/// Polls in vain, one after the other, after which a poll yields no more, nor asks to be polled again; and after how many one tries.
const POLL_TRIES: u32 = 16;
const POLL_EVERY: u32 = 256;
/// Polls in a row that may be ready at once. The next one is pending and has its task woken, so that the other tasks of its executor have
/// their turn; the number is that of tokio's own channels.
pub(crate) const READY_POLLS: u32 = 128;
/// Waits for which a thread is believed to be on the same core, unless it slept meanwhile.
#[cfg(not(ringmail_loom))]
const WAITS_ON_A_CORE: u32 = 16;
/// A side that moves so many messages between two waits is in a steady flow.
const FLOW: u64 = 64;

/// A side that sleeps once in fewer messages than this is better off with fences: a barrier costs about as much as this
/// many fences (`benches/src/bin/barrier_price.rs` shows the price on a machine).
const FENCE_BELOW: u64 = 512;
/// And one that sleeps less often than this is better off without. Apart, so that it does not flap.
const FENCE_ABOVE: u64 = 2048;

/// Which look of a waiting side this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// While it spins, or stands in a queue: those before it go first.
    Passing,
    /// The same after a yield, which is a system call and may be a turn of all other threads.
    Yielded,
    /// It is this side's turn, or there is no queue.
    Turn,
    /// As `Turn`, announced: if there is nothing the side sleeps.
    Last,
}

impl Look {
    /// Whether those that stand in a queue need not be passed by.
    pub(crate) fn is_turn(self) -> bool {
        matches!(self, Self::Turn | Self::Last)
    }
}

/// Where a side stands that is about to sleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// It sleeps alone, or first, and needs no further look before it announces itself.
    Now,
    /// It may be its turn since its last look.
    Came,
    /// Others go first; one that goes wakes it.
    Behind,
}

/// What a side sleeps on.
pub(crate) trait Bed {
    /// Whether a side ever sleeps here. Where it does not, one that would sleep yields without end.
    fn sleeps(&self) -> bool {
        true
    }

    #[cfg_attr(ringmail_loom, allow(dead_code, reason = "no model yields"))]
    /// Notes that this side waits on the core of this number. Whether the side of another process that it waits for did so, too.
    fn shares(&mut self, core: usize) -> bool {
        let _ = core;
        false
    }

    /// Takes a place among those that sleep here, or keeps it.
    fn join(&mut self) -> Turn;

    /// Announces that this side is about to sleep: what comes before is found by the next look, what comes after ends the sleep. `often`: it
    /// sleeps so often that the other side should rather pay for that.
    fn announce(&mut self, often: bool);

    /// Sleeps until woken, for `limit` at most; may end for no reason.
    fn sleep(&mut self, limit: Option<Duration>);

    /// Takes the announcement back after a sleep, if it does not hold for the next one.
    fn withdraw(&mut self);

    /// Takes back announcement and place. `found`: there is what was waited for.
    fn leave(&mut self, found: bool);

    /// The side does not sleep often any more.
    fn sleeps_seldom(&mut self);
}

/// Leaves the bed when dropped, also by a panic of the user's code in a look.
struct InBed<'a, B: Bed> {
    bed: &'a mut B,
    found: bool,
}

impl<B: Bed> Drop for InBed<'_, B> {
    fn drop(&mut self) {
        ended(|| self.bed.leave(self.found));
    }
}

/// How one side waits, and what it has learnt.
#[derive(Debug)]
pub(crate) struct Waiter {
    strategy: WaitStrategy,
    /// Rounds of the next spin, and of one inside a poll.
    rounds: u32,
    poll_rounds: u32,
    /// Polls that looked a while in vain, or would have, since one found something that way.
    in_vain: u32,
    /// Polls that may be ready before one has to be pending.
    ready_polls: u32,
    /// Whether a poll has asked to be polled again since a poll last found something.
    asked_again: bool,
    /// Messages per wait and per sleep.
    per_wait: Rate,
    per_sleep: Rate,
    often: bool,
    sleeps: u64,
    /// The core of the last waits, and for how many more it is believed.
    #[cfg_attr(ringmail_loom, allow(dead_code, reason = "no model yields"))]
    core: usize,
    core_asked: u32,
}

/// Messages between two events, a running average.
#[derive(Debug)]
struct Rate {
    average: u64,
    last: u64,
}

impl Rate {
    const MOST: u64 = FENCE_ABOVE * 8;

    /// Another event, after `passed` messages in all.
    fn note(&mut self, passed: u64) {
        let messages = passed.wrapping_sub(core::mem::replace(&mut self.last, passed));
        self.average = (self.average * 3 + messages.min(Self::MOST)) / 4;
    }
}

/// The default strategy, nothing learnt.
impl Default for Waiter {
    fn default() -> Self {
        Self::new(WaitStrategy::default())
    }
}

impl Waiter {
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

    /// Waits in `bed` until `look` finds something, or until the deadline. `passed` counts the messages that this side has moved so far.
    ///
    /// A deadline that has passed is noticed before anything is announced.
    #[cold]
    pub(crate) fn wait<B: Bed, R>(
        &mut self,
        bed: &mut B,
        deadline: Deadline,
        passed: u64,
        mut look: impl FnMut(Look) -> Option<R>,
    ) -> Result<R, TimedOut> {
        let mut place = InBed { bed, found: false };
        let awake = match look(Look::Passing) {
            Some(found) => Awake::Found(found),
            None => self.stay_awake(place.bed, deadline, passed, &mut look),
        };
        let ended = match awake {
            Awake::Found(found) => {
                if self.stayed_awake(passed) {
                    place.bed.sleeps_seldom();
                }
                Ok(found)
            }
            Awake::TimedOut => Err(TimedOut),
            Awake::Tired => self.sleep_until(place.bed, deadline, passed, &mut look),
        };
        place.found = ended.is_ok();
        ended
    }

    /// A sleep that ends elsewhere: `bed` prepares it, and the announcement stands. `None` then; otherwise what the look after that found. At
    /// once, as the reactor has other things to do.
    #[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
    #[cold]
    pub(crate) fn arm<B: Bed, R>(
        &mut self,
        bed: &mut B,
        passed: u64,
        mut look: impl FnMut(Look) -> Option<R>,
    ) -> Option<R> {
        let often = self.sleeps_often(passed);
        if let Some(found) = announce(bed, often, &mut look) {
            bed.leave(true);
            return Some(found);
        }
        self.count_sleep();
        bed.sleep(None);
        None
    }

    /// The same asleep.
    fn sleep_until<B: Bed, R>(
        &mut self,
        bed: &mut B,
        deadline: Deadline,
        passed: u64,
        look: &mut impl FnMut(Look) -> Option<R>,
    ) -> Result<R, TimedOut> {
        // Of the wait, not of each sleep in it: some end for no reason, and one for another process is bounded.
        let mut often = None;
        // A model has no clock: there each deadline passes in the first sleep, so that what a timeout leaves behind is explored.
        let mut slept = POLLS;
        loop {
            if slept && deadline.passed() {
                return Err(TimedOut);
            }
            slept = true;
            let turn = bed.join();
            let mine = if turn == Turn::Behind { Look::Passing } else { Look::Turn };
            if turn != Turn::Now && !(turn == Turn::Behind && mutant!(LookAfterJoin)) {
                if let Some(found) = look(mine) {
                    return Ok(found);
                }
            }
            if turn != Turn::Behind {
                let often = *often.get_or_insert_with(|| self.sleeps_often(passed));
                if let Some(found) = announce(bed, often, look) {
                    return Ok(found);
                }
            }
            self.sleeps += 1;
            let before = Instant::now();
            bed.sleep(deadline.left());
            self.slept(before.elapsed());
            bed.withdraw();
            if let Some(found) = look(mine) {
                return Ok(found);
            }
        }
    }

    /// Counts another sleep after `passed` messages. Whether this side sleeps often.
    pub(crate) fn sleeps_often(&mut self, passed: u64) -> bool {
        self.per_sleep.note(passed);
        self.often = self.per_sleep.average < if self.often { FENCE_ABOVE } else { FENCE_BELOW };
        self.often
    }

    /// A sleep that the caller sees to.
    pub(crate) fn count_sleep(&mut self) {
        self.sleeps += 1;
    }

    /// A wait ended without a sleep. Whether this side was one that sleeps often, and is no more: then the other need not pay for it any
    /// longer.
    pub(crate) fn stayed_awake(&mut self, passed: u64) -> bool {
        let seldom = self.often && passed.wrapping_sub(self.per_sleep.last) > FENCE_ABOVE;
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
    fn core(&mut self) -> usize {
        if self.core_asked == 0 {
            (self.core, self.core_asked) = (number(), WAITS_ON_A_CORE);
        }
        self.core_asked -= 1;
        self.core
    }

    fn slept(&mut self, long: Duration) {
        // A thread moves to another core when it is woken, most of all.
        self.core_asked = 0;
        self.spun(long < SHORT_SLEEP);
    }

    /// Learns whether spinning pays.
    fn spun(&mut self, pays: bool) {
        self.rounds = if pays { (self.rounds * 2).min(MOST_ROUNDS) } else { (self.rounds / 2).max(LEAST_ROUNDS) };
    }

    /// Looks a while as the strategy says before it sleeps; without end if it never sleeps.
    fn stay_awake<R>(
        &mut self,
        bed: &mut impl Bed,
        deadline: Deadline,
        passed: u64,
        look: &mut impl FnMut(Look) -> Option<R>,
    ) -> Awake<R> {
        self.per_wait.note(passed);
        if self.strategy == WaitStrategy::BusySpin {
            return spin_without_end(deadline, look);
        }
        if !bed.sleeps() || self.strategy == WaitStrategy::Yield {
            let spun = spin(FIRST_PAUSES, self.rounds, deadline, look);
            self.spun(matches!(spun, Awake::Found(_)));
            return if let Awake::Tired = spun { yield_without_end(deadline, look) } else { spun };
        }
        if !POLLS || self.strategy == WaitStrategy::ParkAtOnce {
            return Awake::Tired;
        }
        let spun = spin(FIRST_PAUSES, self.rounds, deadline, look);
        if let Awake::Tired = spun {
            let ended = self.yield_a_while(YIELDS, self.per_wait.average >= FLOW, bed, deadline, look);
            if let Awake::Found(_) = ended {
                // The other side was here: less spinning before the next yield.
                self.rounds = (self.rounds / 2 + 1).max(LEAST_ROUNDS);
            }
            return ended;
        }
        self.spun(true);
        spun
    }

    /// The same inside a poll: some microseconds where that has paid lately, a fraction of one where it has not, as where a task of the
    /// same executor sends or receives. One in [`POLL_EVERY`] polls tries again.
    pub(crate) fn poll_a_while<R>(
        &mut self,
        bed: &mut impl Bed,
        passed: u64,
        look: &mut impl FnMut(Look) -> Option<R>,
    ) -> Option<R> {
        self.per_wait.note(passed);
        if !POLLS || self.strategy == WaitStrategy::ParkAtOnce {
            return None;
        }
        self.in_vain = self.in_vain.wrapping_add(1);
        let tries = self.in_vain % POLL_EVERY == 0;
        let rounds = if tries { POLL_ROUNDS } else { self.poll_rounds };
        let spun = spin(POLL_PAUSES, rounds, Deadline::NEVER, look);
        let paid = matches!(spun, Awake::Found(_));
        self.poll_rounds = if paid { (rounds * 2).min(POLL_ROUNDS) } else { (self.poll_rounds - 1).max(LEAST_ROUNDS) };
        let ended = match spun {
            Awake::Tired if (tries || self.in_vain < POLL_TRIES) && self.strategy != WaitStrategy::BusySpin => {
                self.yield_a_while(POLL_YIELDS, false, bed, Deadline::NEVER, look)
            }
            ended => ended,
        };
        let Awake::Found(found) = ended else { return None };
        self.in_vain = 0;
        Some(found)
    }

    /// To be called by each poll that is about to be ready. Whether it has to be pending instead: then [`Waiter::pending`] is next.
    #[inline(always)]
    pub(crate) fn has_had_its_turn(&mut self) -> bool {
        let spent;
        (self.ready_polls, spent) = self.ready_polls.overflowing_sub(1);
        spent
    }

    /// A poll is pending.
    pub(crate) fn pending(&mut self) {
        self.ready_polls = READY_POLLS;
    }

    /// Whether a poll that found nothing should ask to be polled again, instead of announcing itself: once after each that found something.
    pub(crate) fn asks_again(&mut self) -> bool {
        POLLS && self.in_vain < POLL_TRIES && !core::mem::replace(&mut self.asked_again, true)
    }

    /// A poll has found something.
    pub(crate) fn polled_well(&mut self) {
        self.asked_again = false;
    }

    /// Yields up to `most` times, looking after each, if the core is shared with another side that waits and yields are cheap on it.
    /// `flows`: a slow yield was the other side at work.
    #[cfg(not(ringmail_loom))]
    fn yield_a_while<R>(
        &mut self,
        most: u32,
        flows: bool,
        bed: &mut impl Bed,
        deadline: Deadline,
        look: &mut impl FnMut(Look) -> Option<R>,
    ) -> Awake<R> {
        let mut now = Instant::now();
        let core = self.core();
        let here = Here::waits(core, now);
        if !(bed.shares(core) | here.is_shared()) || !here.may_yield(now) {
            return Awake::Tired;
        }
        for _ in 0..most {
            if deadline.passed_at(now) {
                return Awake::TimedOut;
            }
            yield_now();
            let then = Instant::now();
            let slow = here.yielded(then - now, flows, then);
            now = then;
            if let Some(found) = look(Look::Yielded) {
                return Awake::Found(found);
            }
            if slow && !flows {
                break;
            }
        }
        Awake::Tired
    }

    #[cfg(ringmail_loom)]
    fn yield_a_while<R>(
        &mut self,
        _: u32,
        _: bool,
        _: &mut impl Bed,
        _: Deadline,
        _: &mut impl FnMut(Look) -> Option<R>,
    ) -> Awake<R> {
        Awake::Tired
    }
}

/// Announces a sleep and looks for the last time before it.
fn announce<R>(bed: &mut impl Bed, often: bool, look: &mut impl FnMut(Look) -> Option<R>) -> Option<R> {
    bed.announce(often);
    if mutant!(LookAgain) { None } else { look(Look::Last) }
}

/// How a wait without a sleep ended.
enum Awake<R> {
    Found(R),
    TimedOut,
    /// It is time to sleep.
    Tired,
}

/// Looks and pauses in turn, `rounds` times, the pauses growing by half, or until the deadline.
fn spin<R>(first: u32, rounds: u32, deadline: Deadline, look: &mut impl FnMut(Look) -> Option<R>) -> Awake<R> {
    let mut pauses = first;
    for round in 0..rounds {
        if deadline.passed() {
            return Awake::TimedOut;
        }
        for _ in 0..pauses {
            spin_loop();
        }
        if let Some(found) = look(Look::Passing) {
            return Awake::Found(found);
        }
        // Doubled they would pass by an answer that takes a few of them: a round trip cost half as much again.
        pauses = (pauses + (pauses + round % 2) / 2).min(MOST_PAUSES);
    }
    Awake::Tired
}

fn spin_without_end<R>(deadline: Deadline, look: &mut impl FnMut(Look) -> Option<R>) -> Awake<R> {
    loop {
        for _ in 0..LOOKS_PER_CLOCK {
            spin_loop();
            if let Some(found) = look(Look::Passing) {
                return Awake::Found(found);
            }
        }
        if deadline.passed() {
            return Awake::TimedOut;
        }
    }
}

fn yield_without_end<R>(deadline: Deadline, look: &mut impl FnMut(Look) -> Option<R>) -> Awake<R> {
    loop {
        if deadline.passed() {
            return Awake::TimedOut;
        }
        yield_now();
        if let Some(found) = look(Look::Yielded) {
            return Awake::Found(found);
        }
    }
}
