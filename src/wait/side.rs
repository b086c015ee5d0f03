//! The waiting half of a handle: the event count that wakes it, and its way to sleep.

use super::EventCount;
use super::deadline::{Deadline, TimedOut};
use super::guard::ended;
use super::parker::{Arc, Parker};
use super::queue::{Place, Queue};
use super::strategy::WaitStrategy;
use super::waiter::{Bed, Look, Turn, Waiter};
use crate::error::BuildError;
use crate::sync::order::mutant;
use core::fmt;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

/// The waiting half of a handle.
pub(crate) struct Side {
    waiter: Waiter,
    bed: Seat,
    /// What `passed` was when a future of this handle announced itself.
    armed_at: u64,
}

/// Where a handle sleeps: at a event count, in a queue before it if several handles share that.
struct Seat {
    event: EventCount,
    queue: Option<Queue>,
    /// Where this side stands in the queue.
    place: Place,
    parker: Arc<Parker>,
    /// Wakes `parker`.
    waker: Waker,
    /// Whether this side's thread announced itself and has not taken that back: on a event count with a queue it may be another's turn.
    announced: bool,
    /// Whether a future of this handle announced itself and has not stood down.
    armed: bool,
}

impl Side {
    /// Without memory the process ends.
    pub(crate) fn new(event: EventCount, strategy: WaitStrategy) -> Self {
        Self::with(Parker::shared_or_end(), event, strategy)
    }

    pub(crate) fn try_new(event: EventCount, strategy: WaitStrategy) -> Result<Self, BuildError> {
        Ok(Self::with(Parker::shared()?, event, strategy))
    }

    fn with(parker: Arc<Parker>, event: EventCount, strategy: WaitStrategy) -> Self {
        let waker = Parker::waker(&parker);
        let bed = Seat { event, queue: None, place: Place::default(), parker, waker, announced: false, armed: false };
        Self { waiter: Waiter::new(strategy), bed, armed_at: 0 }
    }

    /// The same side where others wait on its event count too, in this queue.
    pub(crate) fn queued(mut self, queue: Queue) -> Self {
        self.bed.queue = Some(queue);
        self
    }

    /// Another side like this one. Without memory the process ends.
    pub(crate) fn another(&self) -> Self {
        let mut side = Self::new(self.bed.event.clone(), self.waiter.strategy());
        side.bed.queue.clone_from(&self.bed.queue);
        side
    }

    pub(crate) fn event(&self) -> &EventCount {
        &self.bed.event
    }

    pub(crate) fn bell_and_strategy(&self) -> (EventCount, WaitStrategy) {
        (self.bed.event.clone(), self.waiter.strategy())
    }

    pub(crate) fn set_strategy(&mut self, strategy: WaitStrategy) {
        self.waiter.set_strategy(strategy);
    }

    /// Sleeps since the last call.
    pub(crate) fn take_sleeps(&mut self) -> u64 {
        self.waiter.take_sleeps()
    }

    /// Blocks until `ready` is true. `passed` counts the messages that this handle has moved so far.
    #[cold]
    pub(crate) fn block(
        &mut self,
        deadline: Deadline,
        passed: u64,
        mut ready: impl FnMut(Look) -> bool,
    ) -> Result<(), TimedOut> {
        self.waiter.wait(&mut self.bed, deadline, passed, |look| ready(look).then_some(()))
    }

    /// What a future does: `Ready` if `ready` is true, else arranges for a wake. `passed` as in [`Side::block`].
    #[cold]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, passed: u64, ready: impl FnMut(Look) -> bool) -> Poll<()> {
        let mut polled = StandDown(self, true);
        let poll = polled.0.poll_or_announce(cx, passed, ready);
        polled.1 = false;
        if poll.is_pending() {
            polled.0.waiter.pending();
        }
        poll
    }

    /// To be called by each poll that would be ready without a wait. Whether it has to call [`Side::give_way`] instead: there were many
    /// in a row.
    #[inline(always)]
    pub(crate) fn has_had_its_turn(&mut self) -> bool {
        self.waiter.has_had_its_turn()
    }

    /// Pending, with the task woken: other tasks have their turn first.
    #[cold]
    #[inline(never)]
    pub(crate) fn give_way<R>(&mut self, cx: &Context<'_>) -> Poll<R> {
        self.waiter.pending();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_or_announce(&mut self, cx: &mut Context<'_>, passed: u64, mut ready: impl FnMut(Look) -> bool) -> Poll<()> {
        let mut look = |look| ready(look).then_some(());
        if look(Look::Passing).is_some() || self.waiter.poll_a_while(&mut self.bed, passed, &mut look).is_some() {
            if self.waiter.stayed_awake(passed) {
                self.bed.sleeps_seldom();
            }
            return self.found();
        }
        if !self.bed.event.sleeps() || self.waiter.asks_again() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.bed.join_as(cx.waker(), true) {
            Turn::Now => {}
            Turn::Came if ready(Look::Turn) => return self.found(),
            Turn::Came => {}
            Turn::Behind if !mutant!(LookAfterJoin) && ready(Look::Passing) => return self.found(),
            Turn::Behind => return Poll::Pending,
        }
        // Only an announcement of the same wait: another may be for a message that has come since.
        let same = self.bed.armed && (self.armed_at == passed || mutant!(RenewSame));
        if !(same && self.bed.event.renew(cx.waker())) {
            let often = self.waiter.sleeps_often(passed);
            (self.bed.armed, self.armed_at) = (true, passed);
            self.bed.announce_as(cx.waker(), often);
            self.waiter.count_sleep();
        }
        if !mutant!(LookAgain) && ready(Look::Last) { self.found() } else { Poll::Pending }
    }

    /// Takes back what a future announced: it was dropped.
    #[inline]
    pub(crate) fn stand_down(&mut self) {
        if self.bed.armed || self.bed.place.is_taken() {
            self.give_up(false);
        }
    }

    /// The same when it found what it wanted.
    #[inline]
    fn found(&mut self) -> Poll<()> {
        self.waiter.polled_well();
        self.give_up(true);
        Poll::Ready(())
    }

    fn give_up(&mut self, sent: bool) {
        self.bed.disarm();
        self.bed.leave_queue(sent);
    }

    /// Gives up a place that a future took, if one did.
    pub(crate) fn leave_queue(&mut self) {
        if self.bed.place.is_taken() {
            self.stand_down();
        }
    }

    /// Announces that what `waker` wakes is about to sleep. On `true` the caller must look again, and call [`Side::disarm`]
    /// afterwards; `false` on a event count that never sleeps. `passed` as in [`Side::block`].
    pub(crate) fn arm(&mut self, waker: &Waker, passed: u64) -> bool {
        let arms = self.watch_as(waker, passed);
        if arms {
            self.waiter.count_sleep();
        }
        arms
    }

    /// Takes back the announcement of `waker`; that of [`Side::watch`] is of a waker that does nothing.
    pub(crate) fn disarm(&self, waker: &Waker) {
        self.bed.event.withdraw(waker);
    }

    /// Whether nothing has rung since the last announcement.
    pub(crate) fn is_quiet(&self) -> bool {
        self.bed.event.is_waiting()
    }

    /// For a side that polls and does not sleep: has the event count note that it rang, and wake nothing. On `true` the caller must look again;
    /// as long as [`Side::is_quiet`] then says so, another look would find nothing. On `false` the caller looks on.
    pub(crate) fn watch(&mut self, passed: u64) -> bool {
        self.watch_as(Waker::noop(), passed)
    }

    fn watch_as(&mut self, waker: &Waker, passed: u64) -> bool {
        let sleeps = self.bed.event.sleeps();
        if sleeps {
            let often = self.waiter.sleeps_often(passed);
            self.bed.announce_as(waker, often);
        }
        sleeps
    }

    /// To be told now and then by a side that polls: it has not slept. `passed` is asked only if that matters.
    #[inline]
    pub(crate) fn polled(&mut self, passed: impl FnOnce() -> u64) {
        if self.waiter.is_often() && self.waiter.stayed_awake(passed()) {
            self.bed.sleeps_seldom();
        }
    }
}

/// Stands down when dropped while its flag is set: after a panic of the user's code in a poll, whose future knows of no announcement.
struct StandDown<'a>(&'a mut Side, bool);

impl Drop for StandDown<'_> {
    fn drop(&mut self) {
        if self.1 {
            ended(|| self.0.stand_down());
        }
    }
}

impl Seat {
    /// Takes a place in the queue, if there is one, for what `waker` wakes.
    fn join_as(&mut self, waker: &Waker, future: bool) -> Turn {
        match &self.queue {
            None => Turn::Now,
            Some(queue) if queue.join(&mut self.place, waker, future) => Turn::Came,
            Some(_) => Turn::Behind,
        }
    }

    fn announce_as(&self, waker: &Waker, often: bool) {
        // An address: no two sides that live have the same.
        self.event.announce(waker, Arc::as_ptr(&self.parker).addr(), often);
    }

    /// Takes back what a future of this handle announced.
    fn disarm(&mut self) {
        if core::mem::take(&mut self.armed) {
            self.event.withdraw_own();
        }
    }

    /// Gives the place up, after the announcement is taken back: the next one in the queue takes the event count over. Without a queue what a future
    /// announced stands: its task still waits.
    fn leave_queue(&mut self, sent: bool) {
        if self.queue.is_some() {
            self.disarm();
        }
        if let Some(queue) = &self.queue {
            queue.leave(&mut self.place, sent);
        }
    }
}

impl Bed for Seat {
    fn sleeps(&self) -> bool {
        self.event.sleeps()
    }

    fn join(&mut self) -> Turn {
        let waker = self.waker.clone();
        self.join_as(&waker, false)
    }

    fn announce(&mut self, often: bool) {
        self.announced = true;
        self.announce_as(&self.waker, often);
    }

    fn sleep(&mut self, limit: Option<Duration>) {
        self.parker.park(limit);
    }

    fn withdraw(&mut self) {
        if core::mem::take(&mut self.announced) {
            self.event.withdraw(&self.waker);
        }
    }

    fn leave(&mut self, found: bool) {
        self.withdraw();
        self.leave_queue(found);
    }

    fn sleeps_seldom(&mut self) {
        match &self.queue {
            // The event count's fences are the first waiter's business: only if there is none.
            Some(queue) => queue.if_idle(|| self.event.unfence()),
            None => self.event.unfence(),
        }
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (event, strategy) = (&self.bed.event, self.waiter.strategy());
        f.debug_struct("Side").field("event", event).field("strategy", &strategy).finish()
    }
}
