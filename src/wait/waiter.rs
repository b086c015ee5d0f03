//! The waiting half of a handle: the event count that wakes it, and its way to sleep.

use super::EventCount;
use super::deadline::{Deadline, TimedOut};
use super::panics::end_wait;
use super::parker::{Arc, Parker};
use super::sender_queue::{SenderQueue, Ticket};
use super::wait_loop::{CheckPhase, ParkSlot, QueueRank};
use super::wait_policy::WaitPolicy;
use super::wait_strategy::WaitStrategy;
use crate::error::BuildError;
use crate::ring::order::mutant;
use core::fmt;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

/// The waiting half of a handle.
pub(crate) struct Waiter {
    policy: WaitPolicy,
    slot: EventParkSlot,
    /// What `transferred` was when a future of this handle announced itself.
    armed_at: u64,
}

/// Where a handle sleeps: at a event count, in a queue before it if several handles share that.
struct EventParkSlot {
    event: EventCount,
    queue: Option<SenderQueue>,
    /// Where this side stands in the queue.
    ticket: Ticket,
    parker: Arc<Parker>,
    /// Wakes `parker`.
    waker: Waker,
    /// Whether this side's thread announced itself and has not taken that back: on a event count with a queue it may be another's turn.
    announced: bool,
    /// Whether a future of this handle announced itself and has not stood down.
    armed: bool,
}

impl Waiter {
    /// Without memory the process ends.
    pub(crate) fn new(event: EventCount, strategy: WaitStrategy) -> Self {
        Self::with(Parker::shared_or_end(), event, strategy)
    }

    pub(crate) fn try_new(event: EventCount, strategy: WaitStrategy) -> Result<Self, BuildError> {
        Ok(Self::with(Parker::shared()?, event, strategy))
    }

    fn with(parker: Arc<Parker>, event: EventCount, strategy: WaitStrategy) -> Self {
        let waker = Parker::waker(&parker);
        let slot = EventParkSlot {
            event,
            queue: None,
            ticket: Ticket::default(),
            parker,
            waker,
            announced: false,
            armed: false,
        };
        Self { policy: WaitPolicy::new(strategy), slot, armed_at: 0 }
    }

    /// The same side where others wait on its event count too, in this queue.
    pub(crate) fn queued(mut self, queue: SenderQueue) -> Self {
        self.slot.queue = Some(queue);
        self
    }

    /// Another side like this one. Without memory the process ends.
    pub(crate) fn new_like(&self) -> Self {
        let mut waiter = Self::new(self.slot.event.clone(), self.policy.strategy());
        waiter.slot.queue.clone_from(&self.slot.queue);
        waiter
    }

    pub(crate) fn event(&self) -> &EventCount {
        &self.slot.event
    }

    pub(crate) fn event_and_strategy(&self) -> (EventCount, WaitStrategy) {
        (self.slot.event.clone(), self.policy.strategy())
    }

    pub(crate) fn set_strategy(&mut self, strategy: WaitStrategy) {
        self.policy.set_strategy(strategy);
    }

    /// Sleeps since the last call.
    pub(crate) fn take_sleeps(&mut self) -> u64 {
        self.policy.take_sleeps()
    }

    /// Blocks until `ready` is true. `transferred` counts the messages that this handle has moved so far.
    #[cold]
    pub(crate) fn block(
        &mut self,
        deadline: Deadline,
        transferred: u64,
        mut ready: impl FnMut(CheckPhase) -> bool,
    ) -> Result<(), TimedOut> {
        self.policy.wait(&mut self.slot, deadline, transferred, |look| ready(look).then_some(()))
    }

    /// What a future does: `Ready` if `ready` is true, else arranges for a wake. `transferred` as in [`Waiter::block`].
    #[cold]
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        transferred: u64,
        ready: impl FnMut(CheckPhase) -> bool,
    ) -> Poll<()> {
        let mut polled = CancelOnDrop(self, true);
        let poll = polled.0.poll_or_prepare(cx, transferred, ready);
        polled.1 = false;
        if poll.is_pending() {
            polled.0.policy.refill_budget();
        }
        poll
    }

    /// To be called by each poll that would be ready without a wait. Whether it has to call [`Waiter::yield_to_executor`] instead: there were many
    /// in a row.
    #[inline(always)]
    pub(crate) fn out_of_budget(&mut self) -> bool {
        self.policy.out_of_budget()
    }

    /// Pending, with the task woken: other tasks have their turn first.
    #[cold]
    #[inline(never)]
    pub(crate) fn yield_to_executor<R>(&mut self, cx: &Context<'_>) -> Poll<R> {
        self.policy.refill_budget();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_or_prepare(
        &mut self,
        cx: &mut Context<'_>,
        transferred: u64,
        mut ready: impl FnMut(CheckPhase) -> bool,
    ) -> Poll<()> {
        let mut look = |look| ready(look).then_some(());
        if look(CheckPhase::Polling).is_some()
            || self.policy.poll_a_while(&mut self.slot, transferred, &mut look).is_some()
        {
            if self.policy.note_no_sleep(transferred) {
                self.slot.unfence();
            }
            return self.found();
        }
        if !self.slot.event.may_sleep() || self.policy.polls_again() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.slot.join_as(cx.waker(), true) {
            QueueRank::Alone => {}
            QueueRank::First if ready(CheckPhase::AtFront) => return self.found(),
            QueueRank::First => {}
            QueueRank::Behind if !mutant!(LookAfterJoin) && ready(CheckPhase::Polling) => return self.found(),
            QueueRank::Behind => return Poll::Pending,
        }
        // Only an announcement of the same wait: another may be for a message that has come since.
        let same = self.slot.armed && (self.armed_at == transferred || mutant!(RenewSame));
        if !(same && self.slot.event.renew_wait(cx.waker())) {
            let often = self.policy.sleeps_often(transferred);
            (self.slot.armed, self.armed_at) = (true, transferred);
            self.slot.prepare_as(cx.waker(), often);
            self.policy.count_sleep();
        }
        if !mutant!(LookAgain) && ready(CheckPhase::BeforeSleep) { self.found() } else { Poll::Pending }
    }

    /// Takes back what a future announced: it was dropped.
    #[inline]
    pub(crate) fn cancel_wait(&mut self) {
        if self.slot.armed || self.slot.ticket.is_taken() {
            self.cancel_and_leave(false);
        }
    }

    /// The same when it found what it wanted.
    #[inline]
    fn found(&mut self) -> Poll<()> {
        self.policy.note_ready_poll();
        self.cancel_and_leave(true);
        Poll::Ready(())
    }

    fn cancel_and_leave(&mut self, sent: bool) {
        self.slot.disarm();
        self.slot.leave_queue(sent);
    }

    /// Gives up a place that a future took, if one did.
    pub(crate) fn leave_queue(&mut self) {
        if self.slot.ticket.is_taken() {
            self.cancel_wait();
        }
    }

    /// Announces that what `waker` wakes is about to sleep. On `true` the caller must look again, and call [`Waiter::disarm`]
    /// afterwards; `false` on a event count that never sleeps. `transferred` as in [`Waiter::block`].
    pub(crate) fn arm(&mut self, waker: &Waker, transferred: u64) -> bool {
        let arms = self.watch_as(waker, transferred);
        if arms {
            self.policy.count_sleep();
        }
        arms
    }

    /// Takes back the announcement of `waker`; that of [`Waiter::watch`] is of a waker that does nothing.
    pub(crate) fn disarm(&self, waker: &Waker) {
        self.slot.event.cancel_wait(waker);
    }

    /// Whether nothing has rung since the last announcement.
    pub(crate) fn is_quiet(&self) -> bool {
        self.slot.event.is_waiting()
    }

    /// For a side that polls and does not sleep: has the event count note that it rang, and wake nothing. On `true` the caller must look again;
    /// as long as [`Waiter::is_quiet`] then says so, another look would find nothing. On `false` the caller looks on.
    pub(crate) fn watch(&mut self, transferred: u64) -> bool {
        self.watch_as(Waker::noop(), transferred)
    }

    fn watch_as(&mut self, waker: &Waker, transferred: u64) -> bool {
        let sleeps = self.slot.event.may_sleep();
        if sleeps {
            let often = self.policy.sleeps_often(transferred);
            self.slot.prepare_as(waker, often);
        }
        sleeps
    }

    /// To be told now and then by a side that polls: it has not slept. `transferred` is asked only if that matters.
    #[inline]
    pub(crate) fn polled(&mut self, transferred: impl FnOnce() -> u64) {
        if self.policy.is_often() && self.policy.note_no_sleep(transferred()) {
            self.slot.unfence();
        }
    }
}

/// Stands down when dropped while its flag is set: after a panic of the user's code in a poll, whose future knows of no announcement.
struct CancelOnDrop<'a>(&'a mut Waiter, bool);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if self.1 {
            end_wait(|| self.0.cancel_wait());
        }
    }
}

impl EventParkSlot {
    /// Takes a place in the queue, if there is one, for what `waker` wakes.
    fn join_as(&mut self, waker: &Waker, future: bool) -> QueueRank {
        match &self.queue {
            None => QueueRank::Alone,
            Some(queue) if queue.join(&mut self.ticket, waker, future) => QueueRank::First,
            Some(_) => QueueRank::Behind,
        }
    }

    fn prepare_as(&self, waker: &Waker, often: bool) {
        // An address: no two sides that live have the same.
        self.event.prepare_wait(waker, Arc::as_ptr(&self.parker).addr(), often);
    }

    /// Takes back what a future of this handle announced.
    fn disarm(&mut self) {
        if core::mem::take(&mut self.armed) {
            self.event.cancel_future_wait();
        }
    }

    /// Gives the place up, after the announcement is taken back: the next one in the queue takes the event count over. Without a queue what a future
    /// announced stands: its task still waits.
    fn leave_queue(&mut self, sent: bool) {
        if self.queue.is_some() {
            self.disarm();
        }
        if let Some(queue) = &self.queue {
            queue.leave(&mut self.ticket, sent);
        }
    }
}

impl ParkSlot for EventParkSlot {
    fn may_sleep(&self) -> bool {
        self.event.may_sleep()
    }

    fn join_queue(&mut self) -> QueueRank {
        let waker = self.waker.clone();
        self.join_as(&waker, false)
    }

    fn prepare_wait(&mut self, often: bool) {
        self.announced = true;
        self.prepare_as(&self.waker, often);
    }

    fn park(&mut self, limit: Option<Duration>) {
        self.parker.park(limit);
    }

    fn cancel_wait(&mut self) {
        if core::mem::take(&mut self.announced) {
            self.event.cancel_wait(&self.waker);
        }
    }

    fn leave(&mut self, found: bool) {
        self.cancel_wait();
        self.leave_queue(found);
    }

    fn unfence(&mut self) {
        match &self.queue {
            // The event count's fences are the first waiter's business: only if there is none.
            Some(queue) => queue.if_empty(|| self.event.unfence()),
            None => self.event.unfence(),
        }
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (event, strategy) = (&self.slot.event, self.policy.strategy());
        f.debug_struct("Waiter").field("event", event).field("strategy", &strategy).finish()
    }
}
