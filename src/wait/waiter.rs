//! The waiting part of a handle: an event count that wakes it, a parker that its thread sleeps on, and what it has learnt.
//!
//! A handle waits in one of four ways. All of them register on the same event count, and all cancel when they end:
//!
//! | way | functions | sleeps |
//! |---|---|---|
//! | blocking and timed verbs | [`Waiter::block`] | this thread, in its parker |
//! | futures | [`Waiter::poll`], [`Waiter::cancel_wait`] | the task, by returning `Pending` |
//! | reactors | [`Waiter::arm`], [`Waiter::disarm`] | the reactor, on its own primitive |
//! | polling endpoints | [`Waiter::watch`], [`Waiter::is_quiet`] | nothing: the event count only notes that it was notified |

use super::EventCount;
use super::deadline::{Deadline, TimedOut};
use super::panics::end_wait;
use super::parker::{Arc, Parker};
use super::sender_queue::{SenderQueue, Ticket};
use super::wait_loop::{CheckPhase, ParkSlot, QueueRank};
use super::wait_policy::WaitPolicy;
use super::wait_strategy::WaitStrategy;
#[cfg(feature = "lossy")]
use super::waiter_group::Seat;
use crate::error::BuildError;
use crate::sync::order::mutant;
use core::fmt;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

/// The waiting part of a handle.
pub(crate) struct Waiter {
    policy: WaitPolicy,
    slot: EventParkSlot,
    /// What `transferred` was when a future of this handle registered.
    armed_at: u64,
}

/// Where a handle sleeps: on an event count, and in a queue in front of it if several handles wait there.
struct EventParkSlot {
    event: EventCount,
    queue: Option<SenderQueue>,
    /// The seat of this side, if all that wait on the event count are woken together.
    #[cfg(feature = "lossy")]
    seat: Option<Seat>,
    /// The place of this side in the queue.
    ticket: Ticket,
    parker: Arc<Parker>,
    /// Wakes `parker`.
    waker: Waker,
    /// Whether this side's thread is registered on the event count. With a queue, another side may be registered instead.
    registered: bool,
    /// Whether a future of this handle is registered.
    armed: bool,
    /// Whether a future of this handle waits for the close, in the queue's list of those.
    watches_close: bool,
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
            #[cfg(feature = "lossy")]
            seat: None,
            ticket: Ticket::default(),
            parker,
            waker,
            registered: false,
            armed: false,
            watches_close: false,
        };
        Self { policy: WaitPolicy::new(strategy), slot, armed_at: 0 }
    }

    /// The same side, where more threads have work than there are cores, and another of them makes better use of the core than a spin.
    pub(crate) fn yielding_first(mut self, yields: bool) -> Self {
        self.policy.yields_first = yields;
        self
    }

    /// The same side, where others wait on its event count too, in this queue.
    pub(crate) fn queued(mut self, queue: SenderQueue) -> Self {
        self.slot.queue = Some(queue);
        self
    }

    /// The same side, where all that wait on its event count are woken together.
    #[cfg(feature = "lossy")]
    pub(crate) fn seated(mut self, seat: Seat) -> Self {
        self.slot.seat = Some(seat);
        self
    }

    /// A new waiter beside this one, in a seat of its own if this one has a seat.
    #[cfg(feature = "lossy")]
    pub(crate) fn beside(&self) -> Result<Self, BuildError> {
        let (event, strategy) = self.event_and_strategy();
        let mut waiter = Self::try_new(event, strategy)?;
        waiter.slot.seat = self.slot.seat.as_ref().map(Seat::another).transpose()?;
        Ok(waiter)
    }

    /// A new waiter on the same event count and in the same queue. Without memory the process ends.
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
        self.policy.wait(&mut self.slot, deadline, transferred, |phase| ready(phase).then_some(()))
    }

    /// The poll of a future: `Ready` if `ready` is true, else arranges for a wake. `transferred` as in [`Waiter::block`].
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

    /// To be called by each poll that would be ready without a wait. Whether it has used up its cooperative budget: then it has to call
    /// [`Waiter::yield_to_executor`] instead.
    #[inline(always)]
    pub(crate) fn out_of_budget(&mut self) -> bool {
        self.policy.out_of_budget()
    }

    /// Pending, with the task woken: the executor runs its other tasks first.
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
        let mut check = |phase| ready(phase).then_some(());
        if check(CheckPhase::Polling).is_some()
            || self.policy.poll_a_while(&mut self.slot, transferred, &mut check).is_some()
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
        // Only a registration of the same wait: an earlier one may be for a message that has come since.
        let same = self.slot.armed && (self.armed_at == transferred || mutant!(RenewSame));
        if !(same && self.slot.event.renew_wait(cx.waker())) {
            let often = self.policy.sleeps_often(transferred);
            (self.slot.armed, self.armed_at) = (true, transferred);
            self.slot.prepare_as(cx.waker(), often);
            self.policy.count_sleep();
        }
        if !mutant!(LookAgain) && ready(CheckPhase::BeforeSleep) { self.found() } else { Poll::Pending }
    }

    /// Ends the wait of a future that was dropped: cancels the registration and leaves the queue.
    #[inline]
    pub(crate) fn cancel_wait(&mut self) {
        if self.slot.armed || self.slot.ticket.is_taken() {
            self.cancel_and_leave(false);
        }
    }

    /// The same for a future whose check succeeded.
    #[inline]
    fn found(&mut self) -> Poll<()> {
        self.policy.note_ready_poll();
        self.cancel_and_leave(true);
        Poll::Ready(())
    }

    /// The poll of a future that waits for the close alone. `transferred` as in [`Waiter::block`].
    ///
    /// Without a queue this handle is the only waiter of its event count, which is notified of room and of the close. In a queue it would stand in the
    /// way of those that wait for room, so it waits in a list beside it.
    #[cold]
    pub(crate) fn poll_closed(
        &mut self,
        cx: &mut Context<'_>,
        transferred: u64,
        mut is_closed: impl FnMut() -> bool,
    ) -> Poll<()> {
        let Some(queue) = &self.slot.queue else { return self.poll(cx, transferred, |_| is_closed()) };
        queue.watch_close(self.slot.number(), cx.waker());
        self.slot.watches_close = true;
        if mutant!(WatchCloseLooks) || !is_closed() {
            return Poll::Pending;
        }
        self.unwatch_close();
        Poll::Ready(())
    }

    /// Ends the wait of a future that [`Waiter::poll_closed`] left pending, and that was dropped.
    pub(crate) fn cancel_closed(&mut self) {
        if self.slot.queue.is_some() { self.unwatch_close() } else { self.cancel_wait() }
    }

    fn unwatch_close(&mut self) {
        if core::mem::take(&mut self.slot.watches_close) {
            if let Some(queue) = &self.slot.queue {
                queue.unwatch_close(self.slot.number());
            }
        }
    }

    fn cancel_and_leave(&mut self, sent: bool) {
        self.slot.disarm();
        self.slot.leave_queue(sent);
    }

    /// Gives up the places that futures took, if they did.
    pub(crate) fn leave_queue(&mut self) {
        self.unwatch_close();
        if self.slot.ticket.is_taken() {
            self.cancel_wait();
        }
    }

    /// Registers `waker`, whose owner is about to sleep. On `true` the caller must check again, and call [`Waiter::disarm`] afterwards. `false`
    /// if no side sleeps on this event count. `transferred` as in [`Waiter::block`].
    pub(crate) fn arm(&mut self, waker: &Waker, transferred: u64) -> bool {
        let arms = self.watch_as(waker, transferred);
        if arms {
            self.policy.count_sleep();
        }
        arms
    }

    /// Cancels the registration of `waker`. That of [`Waiter::watch`] is of [`Waker::noop`].
    pub(crate) fn disarm(&self, waker: &Waker) {
        self.slot.event.cancel_wait(waker);
    }

    /// Whether no notification has come since the last registration.
    pub(crate) fn is_quiet(&self) -> bool {
        self.slot.event.is_waiting()
    }

    /// For a side that polls and does not sleep: the event count notes that it was notified, and wakes nothing. On `true` the caller must check
    /// once more; then, while [`Waiter::is_quiet`] is true, a check would find nothing. On `false` the caller has to go on checking.
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

    /// Whether [`Waiter::polled`] is to be called.
    #[inline(always)]
    pub(crate) fn is_often(&self) -> bool {
        self.policy.is_often()
    }

    /// To be called now and then by a side that polls and has not slept, if it sleeps often.
    pub(crate) fn polled(&mut self, transferred: u64) {
        if self.policy.note_no_sleep(transferred) {
            self.slot.unfence();
        }
    }
}

/// Cancels the wait when dropped while its flag is set: after a panic of the user's code in a poll, whose future knows of no registration.
struct CancelOnDrop<'a>(&'a mut Waiter, bool);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if self.1 {
            end_wait(|| self.0.cancel_wait());
        }
    }
}

impl EventParkSlot {
    /// Takes a place in the queue, if there is one, to be woken by `waker`.
    fn join_as(&mut self, waker: &Waker, future: bool) -> QueueRank {
        match &self.queue {
            None => QueueRank::Alone,
            Some(queue) if queue.join(&mut self.ticket, waker, future) => QueueRank::First,
            Some(_) => QueueRank::Behind,
        }
    }

    /// The address of the parker: no two living waiters have the same.
    fn number(&self) -> usize {
        Arc::as_ptr(&self.parker).addr()
    }

    fn prepare_as(&self, waker: &Waker, often: bool) {
        #[cfg(feature = "lossy")]
        if let Some(seat) = &self.seat {
            return seat.prepare_wait(&self.event, waker, often);
        }
        self.event.prepare_wait(waker, self.number(), often);
    }

    /// Cancels the registration of a future of this handle.
    fn disarm(&mut self) {
        if core::mem::take(&mut self.armed) {
            #[cfg(feature = "lossy")]
            if let Some(seat) = &self.seat {
                return seat.cancel_wait();
            }
            self.event.cancel_future_wait();
        }
    }

    /// Gives the place up, after the registration is cancelled: the next one in the queue takes the event count over. Without a queue, the
    /// registration of a future stays: its task still waits.
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
        self.registered = true;
        self.prepare_as(&self.waker, often);
    }

    fn park(&mut self, limit: Option<Duration>) {
        self.parker.park(limit);
    }

    fn cancel_wait(&mut self) {
        if core::mem::take(&mut self.registered) {
            #[cfg(feature = "lossy")]
            if let Some(seat) = &self.seat {
                return seat.cancel_wait();
            }
            self.event.cancel_wait(&self.waker);
        }
    }

    fn leave(&mut self, found: bool) {
        self.cancel_wait();
        self.leave_queue(found);
    }

    fn unfence(&mut self) {
        match &self.queue {
            // The fences are for the first waiter: only if there is none.
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
