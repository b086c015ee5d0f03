//! The verbs that wait: blocking, timed and asynchronous ones are one state machine, ended three ways.

use super::{Flavor, Receiver, RecvEnd, SendEnd, Sender, SingleSender};
use crate::error::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
use crate::lend::lend;
use crate::ring::ends::Writer;
use crate::wait::{CheckPhase, Deadline, TimedOut, WaitStrategy};
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::time::Instant;

impl<T, S: Flavor> Sender<T, S> {
    /// Sends `value`, waiting for room if need be.
    ///
    /// # Errors
    /// The channel is closed; the value comes back.
    #[inline]
    pub fn send(&mut self, value: T) -> Result<(), SendError<T>> {
        match self.push_in_turn(value) {
            Ok(()) => Ok(()),
            Err(value) => self.send_later(value, Deadline::NEVER).map_err(|e| SendError(e.into_inner())),
        }
    }

    /// Sends `value`, waiting for room for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// No room in time, or the channel is closed; the value comes back.
    pub fn send_timeout(&mut self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_until(value, || Deadline::after(Some(timeout)))
    }

    /// Sends `value`, waiting for room until `deadline`.
    ///
    /// # Errors
    /// No room in time, or the channel is closed; the value comes back.
    pub fn send_deadline(&mut self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_until(value, || Deadline::at(deadline))
    }

    /// Copies all of `values`, waiting for room as often as need be. Each run that fits is published together.
    ///
    /// # Errors
    /// The channel is closed; carries how many were sent.
    pub fn send_slice(&mut self, values: &[T]) -> Result<(), SendError<usize>>
    where
        T: Copy,
    {
        let mut sent = 0;
        while sent < values.len() {
            let n = if self.end.may_go() { self.end.push_slice(&values[sent..]) } else { 0 };
            sent += n;
            if n == 0 {
                if self.refusal().is_disconnected() {
                    return Err(SendError(sent));
                }
                self.wait_to_push(|end| {
                    let n = end.push_slice(&values[sent..]);
                    sent += n;
                    n != 0
                });
            }
        }
        Ok(())
    }

    /// Sends `value`, waiting for room if need be.
    ///
    /// Cancel-safe: a future dropped before it is ready has sent nothing and drops the value. To keep the value use
    /// [`Sender::poll_ready`] and [`Sender::start_send`]. Needs no particular runtime.
    ///
    /// # Errors
    /// The channel is closed; the value comes back.
    #[inline]
    pub fn send_async(&mut self, value: T) -> SendFuture<'_, T, S> {
        SendFuture { tx: self, value: Some(value), waits: false }
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.side.set_strategy(strategy);
    }

    #[inline]
    fn send_until(&mut self, value: T, deadline: impl FnOnce() -> Deadline) -> Result<(), SendTimeoutError<T>> {
        match self.push_in_turn(value) {
            Ok(()) => Ok(()),
            Err(value) => self.send_later(value, deadline()),
        }
    }

    /// Sends one value unless there is no room or others go first.
    #[inline(always)]
    pub(crate) fn push_in_turn(&mut self, value: T) -> Result<(), T> {
        if self.end.may_go() { self.end.push(value) } else { Err(value) }
    }

    /// There was no room, or others go first: waits.
    #[cold]
    #[inline(never)]
    fn send_later(&mut self, value: T, deadline: Deadline) -> Result<(), SendTimeoutError<T>> {
        if self.refusal().is_disconnected() {
            return Err(SendTimeoutError::Disconnected(value));
        }
        let (passed, end, mut value) = (self.end.ring().sent(), &mut self.end, Some(value));
        let waited = self.side.block(deadline, passed, |look| attempt(end, &mut value, look));
        self.end.waited();
        self.count_parks();
        match value {
            None => Ok(()),
            Some(value) if waited.is_err() => Err(SendTimeoutError::Timeout(value)),
            Some(value) => {
                self.end.settle();
                Err(SendTimeoutError::Disconnected(value))
            }
        }
    }

    /// Blocks until `push` has sent something, or nothing can be sent any more.
    pub(crate) fn wait_to_push(&mut self, mut push: impl FnMut(&mut S::Tx<T>) -> bool) {
        let (passed, end) = (self.end.ring().sent(), &mut self.end);
        let attempt = |look: CheckPhase| (look.is_at_front() || end.may_go()) && push(end) || end.ring().is_closed();
        self.side.block(Deadline::NEVER, passed, attempt).unwrap_or_default();
        self.end.waited();
        self.count_parks();
    }

    /// The same for a future. `value` is gone when it was sent.
    #[cold]
    #[inline(never)]
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, value: &mut Option<T>) -> Poll<()> {
        let (passed, end) = (self.end.ring().sent(), &mut self.end);
        let poll = self.side.poll(cx, passed, |look| attempt(end, value, look));
        self.count_parks();
        if poll.is_ready() {
            self.end.waited();
            if value.is_some() {
                self.end.settle();
            }
        }
        poll
    }

    /// Takes back what a poll that was pending announced.
    #[cfg(feature = "futures")]
    pub(crate) fn stop_waiting(&mut self) {
        self.side.cancel_wait();
    }

    /// To be called by each poll that may be ready. Pending, with the task woken, after many in a row.
    #[inline]
    pub(crate) fn poll_turn(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.side.out_of_budget() { self.side.yield_to_executor(cx) } else { Poll::Ready(()) }
    }

    fn count_parks(&mut self) {
        let sleeps = self.side.take_sleeps();
        if sleeps != 0 {
            self.end.ring().count_parks(sleeps);
        }
    }
}

/// Sends the value in `value`, if there is one; whether nothing is left to wait for: it was sent, or it never can be.
///
/// A look that finds no room does not touch the value, which may be large.
fn attempt<E: SendEnd>(end: &mut E, value: &mut Option<E::Item>, look: CheckPhase) -> bool {
    if (look.is_at_front() || end.may_go()) && end.ring_mut().has_room() {
        let Some(message) = value.take() else { return true };
        *value = end.push(message).err();
    }
    value.is_none() || end.ring().is_closed()
}

impl<T, S: SingleSender> Sender<T, S> {
    /// Sends everything that `values` yields, waiting for room as often as need be. Returns how many.
    ///
    /// Each run that fits is published together, when the room or the iterator ends: an iterator that itself waits for the receiver
    /// to answer these very messages waits for ever; loop over [`Sender::send`] instead. If the iterator panics, what it
    /// yielded before is sent.
    ///
    /// # Errors
    /// The channel is closed; carries the item that was next. The iterator, if lent by `&mut`, still has the rest.
    pub fn send_iter(&mut self, values: impl IntoIterator<Item = T>) -> Result<usize, SendError<T>> {
        lend(values.into_iter().fuse(), |values| {
            let mut sent = 0;
            loop {
                sent += self.try_send_iter(values).unwrap_or(0);
                // The ring is full or closed, or there is no next item.
                let Some(value) = values.next() else { return Ok(sent) };
                self.send(value)?;
                sent += 1;
            }
        })
    }

    /// Ready when the next [`Sender::start_send`] will find room: it cannot go away, as nobody else sends.
    ///
    /// A pending answer arranges for one wake of the context's task; another verb that waits on this handle meanwhile takes that
    /// over. Wait-free, except that waiters take turns on a event count that the builder was given.
    ///
    /// # Errors
    /// The channel is closed.
    #[inline]
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        if S::writer(&mut self.end).ring.room(1) == 0 { self.poll_room(cx) } else { self.poll_turn(cx).map(Ok) }
    }

    /// Sends `value` after [`Sender::poll_ready`] said so. The same as [`Sender::try_send`].
    ///
    /// # Errors
    /// `Full` if nobody asked first, `Disconnected` if the channel is closed; the value comes back.
    #[inline]
    pub fn start_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        self.try_send(value)
    }

    /// There was no room: waits for some.
    #[cold]
    #[inline(never)]
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        // It may find some while it spins, poll after poll.
        ready!(self.poll_turn(cx));
        let (passed, ring) = (self.end.ring().sent(), &mut S::writer(&mut self.end).ring);
        let poll = self.side.poll(cx, passed, |_| ring.room(1) != 0 || ring.is_closed());
        self.count_parks();
        ready!(poll);
        if self.end.ring().is_closed() {
            self.end.settle();
            return Poll::Ready(Err(SendError(())));
        }
        Poll::Ready(Ok(()))
    }
}

impl<T, S: Flavor> Receiver<T, S> {
    /// Takes the next message, waiting for one if need be.
    ///
    /// # Errors
    /// The channel is closed and drained.
    #[inline]
    pub fn recv(&mut self) -> Result<T, RecvError> {
        let Some(next) = self.end.next() else { return self.recv_later(Deadline::NEVER).map_err(|_| RecvError) };
        next.take()
    }

    /// Takes the next message, waiting for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// No message in time, or the channel is closed and drained.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(|| Deadline::after(Some(timeout)))
    }

    /// Takes the next message, waiting until `deadline`.
    ///
    /// # Errors
    /// No message in time, or the channel is closed and drained.
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(|| Deadline::at(deadline))
    }

    /// Waits for a message, then moves up to `limit` of those there to the end of `buffer`. Returns how many: at least one
    /// unless `limit` is 0.
    ///
    /// # Errors
    /// The channel is closed and drained.
    pub fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> Result<usize, RecvError> {
        loop {
            match self.try_recv_many(buffer, limit) {
                Ok(n) => return Ok(n),
                Err(TryRecvError::Disconnected) => return Err(RecvError),
                Err(TryRecvError::Empty) => self.wait_for_message(Deadline::NEVER).unwrap_or_default(),
            }
        }
    }

    /// Takes the next message, waiting for one if need be.
    ///
    /// Cancel-safe: a future dropped before it is ready has taken nothing. Needs no particular runtime.
    ///
    /// # Errors
    /// The channel is closed and drained.
    ///
    /// ```
    /// # use core::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// let (mut tx, mut rx) = ringmail::spsc::channel(1)?;
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert!(pin!(rx.recv_async()).poll(&mut cx).is_pending());
    /// tx.send(5)?;
    /// assert_eq!(pin!(rx.recv_async()).poll(&mut cx), Poll::Ready(Ok(5)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn recv_async(&mut self) -> RecvFuture<'_, T, S> {
        RecvFuture { rx: Some(self), waits: false }
    }

    /// Takes the next message, or arranges for one wake of the context's task when there is one.
    ///
    /// After 128 polls in a row that were ready, one is pending and wakes its task at once: other tasks of the executor have their turn.
    ///
    /// # Errors
    /// The channel is closed and drained.
    #[inline(always)]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        let Some(next) = self.end.next() else { return self.poll_later(cx) };
        if self.side.out_of_budget() {
            return self.side.yield_to_executor(cx);
        }
        Poll::Ready(next.take())
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.side.set_strategy(strategy);
    }

    #[inline]
    fn recv_until(&mut self, deadline: impl FnOnce() -> Deadline) -> Result<T, RecvTimeoutError> {
        let Some(next) = self.end.next() else { return self.recv_later(deadline()) };
        next.take()
    }

    /// There was no message: waits for one.
    #[cold]
    #[inline(never)]
    fn recv_later(&mut self, deadline: Deadline) -> Result<T, RecvTimeoutError> {
        let waited = self.wait_for_message(deadline);
        match self.try_recv() {
            Ok(value) => Ok(value),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            // After a wait that succeeded there is a message or a close, and neither goes away.
            Err(TryRecvError::Empty) => {
                debug_assert!(waited.is_err());
                Err(RecvTimeoutError::Timeout)
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn poll_later(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        // It may find one while it spins, poll after poll.
        if self.side.out_of_budget() {
            return self.side.yield_to_executor(cx);
        }
        loop {
            self.end.found_nothing(self.closed);
            if self.end.is_over() {
                // It waits for nobody any more.
                self.side.cancel_wait();
                return Poll::Ready(Err(RecvError));
            }
            self.end.before_wait();
            let (passed, end) = (self.end.moved(), &mut self.end);
            let poll = self.side.poll(cx, passed, |look| awaited(end, look));
            self.count_parks();
            ready!(poll);
            match self.try_recv() {
                Err(TryRecvError::Empty) => {} // It waits anew.
                said => return Poll::Ready(said.map_err(|_| RecvError)),
            }
        }
    }

    fn wait_for_message(&mut self, deadline: Deadline) -> Result<(), TimedOut> {
        loop {
            self.end.found_nothing(self.closed);
            if self.end.is_over() {
                return Ok(());
            }
            self.end.before_wait();
            let (passed, end) = (self.end.moved(), &mut self.end);
            let waited = self.side.block(deadline, passed, |look| awaited(end, look));
            self.count_parks();
            if waited.is_err() || self.end.has_message() || self.end.is_over() {
                return waited;
            }
            // It waits anew.
        }
    }

    fn count_parks(&mut self) {
        let sleeps = self.side.take_sleeps();
        if sleeps != 0 {
            self.end.count_parks(sleeps);
        }
    }
}

/// Whether a receiver has nothing to wait for any more, or must begin its wait anew.
fn awaited<E: RecvEnd>(end: &mut E, look: CheckPhase) -> bool {
    let ready = end.has_message() || end.is_over() || end.waits_anew();
    match look {
        _ if ready => {}
        CheckPhase::BeforeSleep => end.before_sleep(),
        // One that spins may never get further than this.
        CheckPhase::Polling | CheckPhase::Yielded | CheckPhase::AtFront => end.found_nothing_yet(),
    }
    ready
}

/// A send in progress. From [`Sender::send_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct SendFuture<'a, T, S: Flavor> {
    tx: &'a mut Sender<T, S>,
    value: Option<T>,
    /// Whether this future announced itself: then it takes that back when it is dropped.
    waits: bool,
}

// The value is moved out by value, never pinned.
impl<T, S: Flavor> Unpin for SendFuture<'_, T, S> {}

impl<T, S: Flavor> Future for SendFuture<'_, T, S> {
    type Output = Result<(), SendError<T>>;

    /// # Panics
    /// If polled again after it was ready, like every future made by `async`.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if !this.waits {
            if this.tx.side.out_of_budget() {
                return this.tx.side.yield_to_executor(cx);
            }
            let value = this.value.take().expect("a send was polled after it was ready");
            match this.tx.push_in_turn(value) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(value) => this.value = Some(value),
            }
        }
        let poll = this.tx.poll_send(cx, &mut this.value);
        this.waits = poll.is_pending();
        ready!(poll);
        Poll::Ready(this.value.take().map_or(Ok(()), |value| Err(SendError(value))))
    }
}

impl<T, S: Flavor> Drop for SendFuture<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        if self.waits {
            self.tx.side.cancel_wait();
        }
    }
}

/// A receive in progress. From [`Receiver::recv_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct RecvFuture<'a, T, S: Flavor> {
    /// None once it has given its answer: another poll would take another message.
    rx: Option<&'a mut Receiver<T, S>>,
    /// Whether this future may have announced itself: then it takes that back when it is dropped.
    waits: bool,
}

impl<T, S: Flavor> Future for RecvFuture<'_, T, S> {
    type Output = Result<T, RecvError>;

    /// # Panics
    /// If polled again after it was ready, like every future made by `async`.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let rx = self.rx.as_mut().expect("a receive was polled after it was ready");
        let poll = rx.poll_recv(cx);
        if poll.is_pending() {
            self.waits = true;
        } else {
            self.rx = None;
        }
        poll
    }
}

#[cfg(feature = "futures")]
impl<T, S: Flavor> futures_core::FusedFuture for SendFuture<'_, T, S> {
    fn is_terminated(&self) -> bool {
        self.value.is_none()
    }
}

#[cfg(feature = "futures")]
impl<T, S: Flavor> futures_core::FusedFuture for RecvFuture<'_, T, S> {
    fn is_terminated(&self) -> bool {
        self.rx.is_none()
    }
}

impl<T, S: Flavor> Drop for RecvFuture<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        if let Some(rx) = self.rx.as_mut().filter(|_| self.waits) {
            rx.side.cancel_wait();
        }
    }
}

#[cfg(all(test, not(ringmail_loom)))]
mod tests {
    use super::*;
    use crate::ring::layout::Stats;

    /// An end whose ring has room from the look of this number on, and how often a message was put to it.
    struct Full {
        looks: u32,
        room_at: u32,
        pushes: u32,
    }

    impl Writer for Full {
        fn is_closed(&self) -> bool {
            false
        }

        fn has_room(&mut self) -> bool {
            self.looks += 1;
            self.looks >= self.room_at
        }

        fn settle(&mut self, _: impl FnOnce()) {}

        fn len(&self) -> usize {
            1
        }

        fn capacity(&self) -> usize {
            1
        }

        fn sent(&self) -> u64 {
            0
        }

        fn stats(&self) -> Stats {
            Stats::default()
        }

        fn count_full(&mut self) {}

        fn count_parks(&self, _: u64) {}

        fn count_wake(&self) {}
    }

    impl SendEnd for Full {
        type Item = [u64; 128];
        type Ring = Self;

        fn ring(&self) -> &Self {
            self
        }

        fn ring_mut(&mut self) -> &mut Self {
            self
        }

        fn push(&mut self, value: Self::Item) -> Result<(), Self::Item> {
            self.pushes += 1;
            if self.looks >= self.room_at { Ok(()) } else { Err(value) }
        }

        fn push_slice(&mut self, _: &[Self::Item]) -> usize {
            0
        }

        fn settle(&mut self) {}

        fn close(&mut self) {}
    }

    #[test]
    fn a_look_that_finds_no_room_does_not_touch_the_message() {
        let (mut end, mut value) = (Full { looks: 0, room_at: 100, pushes: 0 }, Some([7; 128]));
        let looks = [CheckPhase::Polling, CheckPhase::Yielded, CheckPhase::AtFront, CheckPhase::BeforeSleep];
        for look in looks.into_iter().cycle().take(99) {
            assert!(!attempt(&mut end, &mut value, look));
            assert_eq!((end.pushes, value), (0, Some([7; 128])));
        }
        assert!(attempt(&mut end, &mut value, CheckPhase::Polling));
        assert_eq!((end.pushes, value), (1, None));
    }
}
