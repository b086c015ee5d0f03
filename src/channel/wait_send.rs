//! The sending verbs that wait: blocking, timed and asynchronous ones are one state machine, ended three ways.

use super::{ClosedFuture, Flavor, RingSender, SendFuture, Sender, SingleSender};
use crate::drop_order::lend;
use crate::error::{SendError, SendTimeoutError, TrySendError};
use crate::ring::place::{Filled, Place};
use crate::wait::{CheckPhase, Deadline, WaitStrategy};
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

    /// Has `write` put the next message where it will lie, waiting for room before if need be, and sends it. As [`Sender::try_send_with`].
    ///
    /// # Errors
    /// The channel is closed; `write` comes back, which was not called.
    #[inline]
    pub fn send_with<F>(&mut self, write: F) -> Result<(), SendError<F>>
    where
        F: FnOnce(Place<'_, T>) -> Filled<'_>,
    {
        let pushed = if self.end.may_overtake() { self.end.push_with(write) } else { Err(write) };
        match pushed {
            Ok(()) => Ok(()),
            Err(write) => self.send_with_later(write),
        }
    }

    /// Sends a copy of `message`, waiting for room if need be. Copies it once, from where it is.
    ///
    /// # Errors
    /// The channel is closed.
    #[inline]
    pub fn send_ref(&mut self, message: &T) -> Result<(), SendError<()>>
    where
        T: Copy,
    {
        self.send_with(|place| place.copy_from(message)).map_err(|_| SendError(()))
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
            let n = if self.end.may_overtake() { self.end.push_slice(&values[sent..]) } else { 0 };
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
    /// Cancel-safe: a future dropped before it is ready has sent nothing and drops the value. [`SendFuture::into_inner`] gives the value
    /// back. Needs no particular runtime.
    ///
    /// # Errors
    /// The channel is closed; the value comes back.
    #[inline]
    pub fn send_async(&mut self, value: T) -> SendFuture<'_, T, S> {
        SendFuture { tx: self, value: Some(value), waits: false }
    }

    /// Waits until a send through this handle can never succeed again: the receiver has closed or is gone, or this handle is closed. There may
    /// be room meanwhile.
    ///
    /// It borrows the handle, so no other verb of this handle runs meanwhile. To send while another task waits for the close, give that task a
    /// clone (`mpsc`); with one handle, look at [`Sender::poll_closed`].
    ///
    /// Cancel-safe: a future that is dropped has changed nothing. Needs no particular runtime. On a channel with one sender for each ring, each
    /// message that is received meanwhile may wake the task for nothing. On `mpsc` only the close wakes it, and the first wait may allocate.
    ///
    /// ```
    /// # use core::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// let (mut tx, rx) = ringmail::mpsc::channel::<u32>(4)?;
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert!(pin!(tx.closed()).poll(&mut cx).is_pending());
    /// drop(rx);
    /// assert!(pin!(tx.closed()).poll(&mut cx).is_ready());
    /// # Ok::<(), ringmail::BuildError>(())
    /// ```
    pub fn closed(&mut self) -> ClosedFuture<'_, T, S> {
        ClosedFuture { tx: self, waits: false, done: false }
    }

    /// Ready when a send through this handle can never succeed again, as [`Sender::closed`].
    ///
    /// A pending answer arranges for one wake of the context's task. On a channel with one sender for each ring, room wakes it too, and a verb of
    /// this handle that waits takes that wake over: then ask again. On `mpsc` it stands beside them.
    #[cold]
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.end.is_closed() {
            let (transferred, end) = (self.end.transferred(), &mut self.end);
            let poll = self.waiter.poll_closed(cx, transferred, || end.is_closed());
            self.count_parks();
            ready!(poll);
        }
        self.end.drop_orphans();
        self.poll_turn(cx)
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.waiter.set_strategy(strategy);
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
        if self.end.may_overtake() { self.end.push(value) } else { Err(value) }
    }

    /// There was no room, or others go first: waits.
    #[cold]
    #[inline(never)]
    fn send_later(&mut self, value: T, deadline: Deadline) -> Result<(), SendTimeoutError<T>> {
        if self.refusal().is_disconnected() {
            return Err(SendTimeoutError::Disconnected(value));
        }
        let (transferred, end, mut value) = (self.end.transferred(), &mut self.end, Some(value));
        let waited = self.waiter.block(deadline, transferred, |look| attempt(end, &mut value, look));
        self.end.after_wait();
        self.count_parks();
        match value {
            None => Ok(()),
            Some(value) if waited.is_err() => Err(SendTimeoutError::Timeout(value)),
            Some(value) => {
                self.end.drop_orphans();
                Err(SendTimeoutError::Disconnected(value))
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn send_with_later<F>(&mut self, write: F) -> Result<(), SendError<F>>
    where
        F: FnOnce(Place<'_, T>) -> Filled<'_>,
    {
        if self.refusal().is_disconnected() {
            return Err(SendError(write));
        }
        let mut write = Some(write);
        self.wait_to_push(|end| {
            if end.has_room() {
                write = write.take().and_then(|now| end.push_with(now).err());
            }
            write.is_none()
        });
        match write {
            None => Ok(()),
            Some(write) => {
                self.end.drop_orphans();
                Err(SendError(write))
            }
        }
    }

    /// Blocks until `push` has sent something, or nothing can be sent any more.
    pub(crate) fn wait_to_push(&mut self, mut push: impl FnMut(&mut S::Sender<T>) -> bool) {
        let (transferred, end) = (self.end.transferred(), &mut self.end);
        let attempt = |look: CheckPhase| (look.is_at_front() || end.may_overtake()) && push(end) || end.is_closed();
        self.waiter.block(Deadline::NEVER, transferred, attempt).unwrap_or_default();
        self.end.after_wait();
        self.count_parks();
    }

    /// The same for a future. `value` is gone when it was sent.
    #[cold]
    #[inline(never)]
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, value: &mut Option<T>) -> Poll<()> {
        let (transferred, end) = (self.end.transferred(), &mut self.end);
        let poll = self.waiter.poll(cx, transferred, |look| attempt(end, value, look));
        self.count_parks();
        if poll.is_ready() {
            self.end.after_wait();
            if value.is_some() {
                self.end.drop_orphans();
            }
        }
        poll
    }

    /// Takes back what a poll that was pending announced.
    pub(crate) fn stop_waiting(&mut self) {
        self.waiter.cancel_wait();
    }

    /// To be called by each poll that may be ready. Pending, with the task woken, after many in a row.
    #[inline]
    pub(crate) fn poll_turn(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.waiter.out_of_budget() { self.waiter.yield_to_executor(cx) } else { Poll::Ready(()) }
    }

    fn count_parks(&mut self) {
        let sleeps = self.waiter.take_sleeps();
        if sleeps != 0 {
            self.end.count_parks(sleeps);
        }
    }
}

/// Sends the value in `value`, if there is one; whether nothing is left to wait for: it was sent, or it never can be.
///
/// A look that finds no room does not touch the value, which may be large.
fn attempt<E: RingSender>(end: &mut E, value: &mut Option<E::Item>, look: CheckPhase) -> bool {
    if (look.is_at_front() || end.may_overtake()) && end.has_room() {
        let Some(message) = value.take() else { return true };
        *value = end.push(message).err();
    }
    value.is_none() || end.is_closed()
}

impl<T, S: SingleSender> Sender<T, S> {
    /// Sends everything that `values` yields, waiting for room as often as need be. Returns how many.
    ///
    /// Each run that fits is published together, when the room or the iterator ends: until then the receiver sees none of it. So do not give it an iterator that
    /// waits, such as another receiver's; loop over [`Sender::send`] instead. If the iterator panics, what it
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

    /// Ready when the next [`Sender::start_send`] will find room. The room stays, as this handle alone sends.
    ///
    /// A pending answer arranges for one wake of the context's task; another verb that waits on this handle meanwhile takes that
    /// over. Wait-free, except that waiters take turns on an event count that the builder was given.
    ///
    /// # Errors
    /// The channel is closed.
    #[inline]
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        if S::lane(&mut self.end).ring.room(1) == 0 { self.poll_room(cx) } else { self.poll_turn(cx).map(Ok) }
    }

    /// Sends `value` after [`Sender::poll_ready`] said so. The same as [`Sender::try_send`].
    ///
    /// # Errors
    /// `Full` if [`Sender::poll_ready`] did not say so first, `Disconnected` if the channel is closed; the value comes back.
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
        let (transferred, ring) = (self.end.transferred(), &mut S::lane(&mut self.end).ring);
        let poll = self.waiter.poll(cx, transferred, |_| ring.room(1) != 0 || ring.is_closed());
        self.count_parks();
        ready!(poll);
        if self.end.is_closed() {
            self.end.drop_orphans();
            return Poll::Ready(Err(SendError(())));
        }
        Poll::Ready(Ok(()))
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

    impl RingSender for Full {
        type Item = [u64; 128];

        fn push(&mut self, value: Self::Item) -> Result<(), Self::Item> {
            self.pushes += 1;
            if self.looks >= self.room_at { Ok(()) } else { Err(value) }
        }

        fn push_with<F>(&mut self, write: F) -> Result<(), F>
        where
            F: FnOnce(Place<'_, Self::Item>) -> Filled<'_>,
        {
            Err(write)
        }

        fn push_slice(&mut self, _: &[Self::Item]) -> usize {
            0
        }

        fn has_room(&mut self) -> bool {
            self.looks += 1;
            self.looks >= self.room_at
        }

        fn is_closed(&self) -> bool {
            false
        }

        fn close(&mut self) {}

        fn drop_orphans(&mut self) {}

        fn len(&self) -> usize {
            1
        }

        fn capacity(&self) -> usize {
            1
        }

        fn transferred(&self) -> u64 {
            0
        }

        fn stats(&self) -> Stats {
            Stats::default()
        }

        fn count_full(&mut self) {}

        fn count_parks(&self, _: u64) {}
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
