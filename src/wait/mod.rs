//! Waiting: nobody pays for a sleeper until someone sleeps.
//!
//! One state machine serves every blocking, timed and asynchronous verb: *look; poll a while; announce; look again; sleep*.
//! Only the last step differs: a thread parks (`Side::block`), a future returns `Pending` (`Side::poll`), a reactor
//! sleeps on its own primitive ([`Bell::arm`]).
//!
//! * [`Bell`]: how the other side finds out that somebody sleeps, and how it wakes them.
//! * [`Barrier`]: who pays for keeping that sound.
//! * [`WaitStrategy`]: how long a side polls before it sleeps.
//! * [`Notify`], `EventFd` and [`Hook`]: being woken by something other than a thread or a future.

mod arm;
mod barrier;
mod bell;
mod notify;
#[cfg(any(all(feature = "shm", target_os = "linux"), ringmail_loom))]
pub(crate) mod parked;
mod parker;
mod queue;

pub use arm::Hook;
#[cfg(ringmail_loom)]
#[doc(hidden)]
pub use barrier::{full, heavy_fails};
pub(crate) use bell::Served;
pub use bell::{Armed, Barrier, Bell};
#[cfg(target_os = "linux")]
pub use notify::EventFd;
pub use notify::Notify;
#[cfg(any(all(feature = "shm", target_os = "linux"), ringmail_loom))]
pub(crate) use parked::Parked;
use queue::Place;
pub(crate) use queue::{Patience, Queue};

use crate::error::BuildError;
use crate::ring::order::mutant;
use crate::sync::{spin_loop, yield_now};
use core::fmt;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use parker::{Arc, Parker};
use std::time::Instant;

/// Tells the kernel that this process will use the cheap barrier of [`Barrier::Auto`].
///
/// Otherwise the first channel that uses [`Barrier::Auto`] does it. That is quick while the process has one thread and slow once
/// it has several: call this first thing in `main`. Returns whether the kernel agreed; if not, channels use fences.
pub fn init() -> bool {
    barrier::register()
}

/// How a side waits, a property of whoever waits. What its sleep costs the other side is the channel's [`Barrier`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum WaitStrategy {
    /// Spin until it happens. Lowest latency; uses a whole core, and needs one: with more threads than cores it stalls.
    BusySpin,
    /// Spin briefly, then give the core to other threads between looks. Never sleeps. (A future that is pending is woken all the same.)
    Yield,
    /// Spin briefly, yield a few times, then sleep until woken. A future does less of both before it is pending, and hardly any after
    /// several polls in vain: the tasks that it waits for may be the same executor's.
    #[default]
    Park,
    /// Sleep at once, without polling first: for a side that waits long and often, or shares its core with the other.
    ParkAtOnce,
}

/// When to give up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NEVER: Self = Self(None);

    pub(crate) fn at(instant: Instant) -> Self {
        Self(Some(instant))
    }

    /// A timeout so long that the clock cannot express its end is for ever.
    pub(crate) fn after(timeout: Option<Duration>) -> Self {
        Self(timeout.and_then(|t| Instant::now().checked_add(t)))
    }

    /// Whichever comes first.
    pub(crate) fn earlier(self, other: Self) -> Self {
        Self(match (self.0, other.0) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        })
    }

    pub(crate) fn passed(self) -> bool {
        self.0.is_some_and(|at| Instant::now() >= at)
    }

    pub(crate) fn left(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }
}

/// The deadline passed.
#[derive(Debug)]
pub(crate) struct TimedOut;

/// Looks between two reads of the clock while spinning to a deadline.
const LOOKS_PER_CLOCK: u32 = 64;

/// Under loom nothing is gained by looking more than once before sleeping, and every look multiplies the executions.
const POLLS: bool = !cfg!(ringmail_loom);

/// Pauses in the first, second, … round of spinning. Growing, so that a side that has just caught up leaves the other's
/// line alone for a while and then finds several messages; bounded, so that the end of the wait is noticed soon.
const FIRST_PAUSES: u32 = 1;
const MOST_PAUSES: u32 = 64;
/// Rounds of spinning before yielding, when spinning has paid lately and when it has not. The least was
/// weighed with `paired --suite oversub`: 1 instead of 4 moves 1.2 times as much at capacity 1. The most and the yields with
/// `paired --suite mpsc-block`: few rounds and 32 yields instead of 64 and 8 move 1.1 to 1.5 times as much with more threads than cores.
const MOST_ROUNDS: u32 = 12;
const LEAST_ROUNDS: u32 = 1;
/// Yields before sleeping.
const YIELDS: u32 = 32;
/// The same inside a poll. Fewer of each: the executor has other tasks. Longer pauses: a poll costs more than a look, so it should find
/// several messages (`paired --suite async` shows the difference). Without yields, a task whose peer's thread wants this core waits for
/// an executor to sleep and be woken: `paired --suite mpsc-async-4` moves 0.2 to 0.4 times as much.
const POLL_ROUNDS: u32 = 7;
const POLL_PAUSES: u32 = 8;
const POLL_YIELDS: u32 = 4;
/// Polls in vain, one after the other, after which only one of so many tries.
const POLL_TRIES: u32 = 16;
const POLL_EVERY: u32 = 256;

/// A side that sleeps once in fewer messages than this is better off with fences: a barrier costs about as much as this
/// many fences (`benches/src/bin/barrier_price.rs` shows the price on a machine).
const FENCE_BELOW: u64 = 512;
/// And one that sleeps less often than this is better off without. Apart, so that it does not flap.
const FENCE_ABOVE: u64 = 2048;

/// Which look of a waiting side this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// Between others: whoever waits in a queue goes first.
    Passing,
    /// It is this side's turn, or there is no queue.
    Turn,
    /// As `Turn`, and if there is nothing the side sleeps.
    Last,
}

/// The waiting half of a handle: its bell, its way to sleep, and what it has learnt about its waits.
pub(crate) struct Side {
    bell: Bell,
    /// Where several sides share the bell, and where this one stands.
    queue: Option<Queue>,
    place: Place,
    strategy: WaitStrategy,
    parker: Arc<Parker>,
    /// Wakes `parker`.
    waker: Waker,
    /// Whether a future of this handle announced itself and has not stood down.
    armed: bool,
    /// What `passed` was then.
    armed_at: u64,
    rounds: u32,
    /// Polls that looked a while in vain, or would have, since one found something that way.
    in_vain: u32,
    /// Messages per sleep, a running average, and the count at the last sleep.
    per_sleep: u64,
    last_sleep: u64,
    often: bool,
    sleeps: u64,
}

impl Side {
    /// Without memory the process ends.
    pub(crate) fn new(bell: Bell, strategy: WaitStrategy) -> Self {
        Self::with(Parker::shared_or_end(), bell, strategy)
    }

    pub(crate) fn try_new(bell: Bell, strategy: WaitStrategy) -> Result<Self, BuildError> {
        Ok(Self::with(Parker::shared()?, bell, strategy))
    }

    fn with(parker: Arc<Parker>, bell: Bell, strategy: WaitStrategy) -> Self {
        let waker = Parker::waker(&parker);
        Self {
            bell,
            queue: None,
            place: Place::default(),
            strategy,
            parker,
            waker,
            armed: false,
            armed_at: 0,
            rounds: MOST_ROUNDS,
            in_vain: 0,
            per_sleep: 8 * FENCE_ABOVE,
            last_sleep: 0,
            often: false,
            sleeps: 0,
        }
    }

    /// The same side where others wait on its bell too, in this queue.
    pub(crate) fn queued(self, queue: Queue) -> Self {
        Self { queue: Some(queue), ..self }
    }

    /// Another side like this one. Without memory the process ends.
    pub(crate) fn another(&self) -> Self {
        Self { queue: self.queue.clone(), ..Self::new(self.bell.clone(), self.strategy) }
    }

    pub(crate) fn bell_and_strategy(&self) -> (Bell, WaitStrategy) {
        (self.bell.clone(), self.strategy)
    }

    pub(crate) fn set_strategy(&mut self, strategy: WaitStrategy) {
        self.strategy = strategy;
    }

    /// Sleeps since the last call.
    pub(crate) fn take_sleeps(&mut self) -> u64 {
        core::mem::take(&mut self.sleeps)
    }

    /// Blocks until `ready` is true. `passed` counts the messages that this handle has moved so far.
    #[cold]
    pub(crate) fn block(
        &mut self,
        deadline: Deadline,
        passed: u64,
        mut ready: impl FnMut(Look) -> bool,
    ) -> Result<(), TimedOut> {
        let mut passing = || ready(Look::Passing);
        let polled = if passing() { Ok(true) } else { self.poll_a_while(deadline, &mut passing) };
        if !matches!(polled, Ok(false)) {
            self.stayed_awake(passed);
            self.leave(polled.is_ok());
            return polled.map(drop);
        }
        loop {
            if !mutant!(ResetFirst) {
                self.parker.reset();
            }
            let turn = self.join(None);
            if !turn {
                // Whoever leaves the front wakes this side.
                if !mutant!(LookAfterJoin) && ready(Look::Passing) {
                    self.leave(true);
                    return Ok(());
                }
                self.sleep(deadline);
            } else {
                // A front that others left may have found room before it announces itself.
                if self.queue.is_some() && ready(Look::Turn) {
                    self.leave(true);
                    return Ok(());
                }
                let announced = self.announce(None, passed);
                if mutant!(ResetFirst) {
                    self.parker.reset();
                }
                if !announced {
                    yield_now();
                } else if !mutant!(LookAgain) && ready(Look::Last) {
                    self.bell.withdraw(&self.waker);
                    self.leave(true);
                    return Ok(());
                } else {
                    self.sleep(deadline);
                    self.bell.withdraw(&self.waker);
                }
            }
            if ready(if turn { Look::Turn } else { Look::Passing }) {
                self.leave(true);
                return Ok(());
            }
            if deadline.passed() {
                self.leave(false);
                return Err(TimedOut);
            }
        }
    }

    fn sleep(&mut self, deadline: Deadline) {
        self.sleeps += 1;
        self.parker.park(deadline.left());
    }

    /// What a future does: `Ready` if `ready` is true, else arranges for a wake. `passed` as in [`Side::block`].
    #[cold]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, passed: u64, mut ready: impl FnMut(Look) -> bool) -> Poll<()> {
        let mut passing = || ready(Look::Passing);
        if passing() || self.look_a_while(&mut passing) {
            self.stayed_awake(passed);
            self.found();
            return Poll::Ready(());
        }
        if !self.bell.sleeps() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !self.join(Some(cx.waker())) {
            if !mutant!(LookAfterJoin) && ready(Look::Passing) {
                self.found();
                return Poll::Ready(());
            }
            return Poll::Pending;
        }
        if self.queue.is_some() && ready(Look::Turn) {
            self.found();
            return Poll::Ready(());
        }
        // Only an announcement of the same wait: another may be for a message that has come since.
        let same = self.armed && (self.armed_at == passed || mutant!(RenewSame));
        if !(same && self.bell.renew(cx.waker())) {
            if !self.announce(Some(cx.waker()), passed) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            (self.armed, self.armed_at) = (true, passed);
            self.sleeps += 1;
        }
        if !mutant!(LookAgain) && ready(Look::Last) {
            self.found();
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Takes back what a future announced: it was dropped.
    #[inline]
    pub(crate) fn stand_down(&mut self) {
        if self.armed || self.place.is_taken() {
            self.give_up(false);
        }
    }

    /// The same when it found what it wanted.
    #[inline]
    fn found(&mut self) {
        self.give_up(true);
    }

    fn give_up(&mut self, sent: bool) {
        if core::mem::take(&mut self.armed) {
            self.bell.withdraw_own();
        }
        self.leave(sent);
    }

    /// Gives up a place that a future took, if one did.
    pub(crate) fn leave_queue(&mut self) {
        if self.place.is_taken() {
            self.stand_down();
        }
    }

    /// Takes a place in the queue, if there is one. Whether it is this side's turn.
    fn join(&mut self, waker: Option<&Waker>) -> bool {
        let future = waker.is_some();
        self.queue.as_ref().is_none_or(|queue| queue.join(&mut self.place, waker.unwrap_or(&self.waker), future))
    }

    /// Gives the place up, after what a future announced is taken back: the next one in the queue takes the bell over.
    fn leave(&mut self, sent: bool) {
        if let Some(queue) = &self.queue {
            if core::mem::take(&mut self.armed) {
                self.bell.withdraw_own();
            }
            queue.leave(&mut self.place, sent);
        }
    }

    /// Announces that `waker`, or this side's thread, is about to sleep.
    fn announce(&mut self, waker: Option<&Waker>, passed: u64) -> bool {
        let messages = passed.wrapping_sub(core::mem::replace(&mut self.last_sleep, passed));
        self.per_sleep = (self.per_sleep * 3 + messages.min(FENCE_ABOVE * 8)) / 4;
        let limit = if self.often { FENCE_ABOVE } else { FENCE_BELOW };
        self.often = self.per_sleep < limit;
        // An address: no two sides that live have the same.
        let waiter = Arc::as_ptr(&self.parker).addr();
        self.bell.announce(waker.unwrap_or(&self.waker), waiter, self.often)
    }

    /// A wait ended without sleeping. After enough of them the other side need not fence any more.
    fn stayed_awake(&mut self, passed: u64) {
        if self.often && passed.wrapping_sub(self.last_sleep) > FENCE_ABOVE {
            (self.often, self.per_sleep) = (false, FENCE_ABOVE);
            match &self.queue {
                // The bell's fences are the first waiter's business: only if there is none.
                Some(queue) => queue.if_idle(|| self.bell.unfence()),
                None => self.bell.unfence(),
            }
        }
    }

    /// Polls as the strategy says before sleeping, for ever if it never sleeps. Whether `ready` came true.
    fn poll_a_while(&mut self, deadline: Deadline, ready: &mut impl FnMut() -> bool) -> Result<bool, TimedOut> {
        if self.strategy == WaitStrategy::BusySpin {
            loop {
                for _ in 0..LOOKS_PER_CLOCK {
                    if ready() {
                        return Ok(true);
                    }
                    spin_loop();
                }
                if deadline.passed() {
                    return Err(TimedOut);
                }
            }
        }
        if self.spin_a_while(FIRST_PAUSES, MOST_ROUNDS, deadline, ready) {
            return Ok(true);
        }
        let sleeps = self.strategy != WaitStrategy::Yield && self.bell.sleeps();
        if !sleeps || POLLS && self.strategy != WaitStrategy::ParkAtOnce {
            while !self.yield_a_while(YIELDS, deadline, ready)? {
                if sleeps {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// The same inside a poll: some microseconds, unless another thread wants the core. Where it is a task of the same executor that
    /// sends or receives, this one looks in vain: after [`POLL_TRIES`] such polls only one in [`POLL_EVERY`] tries again.
    fn look_a_while(&mut self, ready: &mut impl FnMut() -> bool) -> bool {
        if self.in_vain >= POLL_TRIES && self.in_vain % POLL_EVERY != 0 {
            self.in_vain = self.in_vain.wrapping_add(1);
            return false;
        }
        let found = self.spin_a_while(POLL_PAUSES, POLL_ROUNDS, Deadline::NEVER, ready)
            || POLLS
                && matches!(self.strategy, WaitStrategy::Park | WaitStrategy::Yield)
                && self.yield_a_while(POLL_YIELDS, Deadline::NEVER, ready).unwrap_or(false);
        self.in_vain = if found { 0 } else { self.in_vain.wrapping_add(1) };
        found
    }

    /// Gives the core away up to `yields` times, looking after each. Whether `ready` came true.
    fn yield_a_while(
        &mut self,
        yields: u32,
        deadline: Deadline,
        ready: &mut impl FnMut() -> bool,
    ) -> Result<bool, TimedOut> {
        for _ in 0..yields {
            if deadline.passed() {
                return Err(TimedOut);
            }
            yield_now();
            if ready() {
                // Perhaps the other side has a core of its own after all: try a little longer next time.
                self.rounds = (self.rounds + 1).min(MOST_ROUNDS);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Spins for at most `most` rounds, fewer if that has not paid lately, `first` pauses in the first. Whether `ready` came true.
    fn spin_a_while(&mut self, first: u32, most: u32, deadline: Deadline, ready: &mut impl FnMut() -> bool) -> bool {
        if !POLLS || self.strategy == WaitStrategy::ParkAtOnce {
            return false;
        }
        let paid = spin(first, self.rounds.min(most), deadline, ready);
        self.rounds = if paid { (self.rounds * 2).min(MOST_ROUNDS) } else { (self.rounds / 2).max(LEAST_ROUNDS) };
        paid
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side").field("bell", &self.bell).field("strategy", &self.strategy).finish()
    }
}

/// Looks and pauses in turn, `rounds` times, the pauses growing by half, or until the deadline. Whether `ready` came true.
fn spin(first: u32, rounds: u32, deadline: Deadline, ready: &mut impl FnMut() -> bool) -> bool {
    let mut pauses = first;
    for round in 0..rounds {
        if deadline.passed() {
            return false;
        }
        for _ in 0..pauses {
            spin_loop();
        }
        if ready() {
            return true;
        }
        // Doubled they would pass by an answer that takes a few of them: a round trip cost half as much again.
        pauses = (pauses + (pauses + round % 2) / 2).min(MOST_PAUSES);
    }
    false
}
