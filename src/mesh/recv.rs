//! The verbs that receive.

use super::Endpoint;
use super::error::{Cause, Disconnected, DrainError, RecvError, RecvTimeoutError, TryRecvError};
use crate::wait::Deadline;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

/// Messages that [`Endpoint::drain`] takes between two looks at the clock.
const BETWEEN: usize = 1024;

impl<T> Endpoint<T> {
    /// Takes the next message, with the number of the peer that sent it, if there is one now.
    ///
    /// In the order of each peer; peers take turns as in [`Endpoint::poll`]. Wait-free.
    ///
    /// # Errors
    /// No message now, a peer is lost, or all have closed.
    #[inline]
    pub fn try_recv(&mut self) -> Result<(usize, T), TryRecvError> {
        if self.find() {
            if let Some((from, next)) = self.lanes.inbox.next_seen() {
                return Ok(next.take_as(|value| (from, value)));
            }
        }
        Err(self.nothing())
    }

    /// Takes the next message, waiting for one if need be.
    ///
    /// # Errors
    /// A peer is lost, told once a peer; or all have closed, and all is received.
    #[inline]
    pub fn recv(&mut self) -> Result<(usize, T), RecvError> {
        self.recv_until(|| Deadline::NEVER).map_err(|error| match error {
            RecvTimeoutError::Lost(gone) => RecvError::Lost(gone),
            // There is no deadline to pass.
            RecvTimeoutError::Closed | RecvTimeoutError::Timeout => RecvError::Closed,
        })
    }

    /// Takes the next message, waiting for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// No message in time; else as [`Endpoint::recv`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<(usize, T), RecvTimeoutError> {
        self.recv_until(|| Deadline::after(Some(timeout)))
    }

    #[inline]
    fn recv_until(&mut self, deadline: impl FnOnce() -> Deadline) -> Result<(usize, T), RecvTimeoutError> {
        match self.try_recv() {
            Ok(message) => Ok(message),
            Err(why) => self.recv_later(why, deadline()),
        }
    }

    #[cold]
    #[inline(never)]
    fn recv_later(&mut self, mut why: TryRecvError, deadline: Deadline) -> Result<(usize, T), RecvTimeoutError> {
        loop {
            match why {
                TryRecvError::Empty => {}
                TryRecvError::Lost(gone) => return Err(RecvTimeoutError::Lost(gone)),
                TryRecvError::Closed => return Err(RecvTimeoutError::Closed),
            }
            let waited = self.wait(deadline, |lanes| lanes.inbox.has_news());
            why = match self.try_recv() {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Empty) if waited.is_err() => return Err(RecvTimeoutError::Timeout),
                Err(why) => why,
            };
        }
    }

    /// Takes the next message of one peer, waiting for one if need be. Those of others stay where they are, and hold up
    /// their senders once their lanes are full.
    ///
    /// # Errors
    /// All that the peer sent is received, and it is gone: says why, each time.
    pub fn recv_from(&mut self, peer: usize) -> Result<T, Disconnected> {
        let Some(at) = self.lanes.inbox.at(peer) else { return Err(Disconnected { peer, cause: Cause::NoLane }) };
        loop {
            if let Some(next) = self.lanes.inbox.next_of(at) {
                return next.take_as(Ok);
            }
            if self.lanes.inbox.is_over(at) {
                return Err(self.hub.gone(peer));
            }
            // For ever: a message comes, or the end.
            let _ = self.wait(Deadline::NEVER, |lanes| lanes.inbox.has_news_of(at));
        }
    }

    /// Takes the next message, waiting for one if need be.
    ///
    /// Cancel-safe: a future dropped before it is ready has taken nothing. Needs no particular runtime.
    ///
    /// # Errors
    /// As [`Endpoint::recv`].
    pub fn recv_async(&mut self) -> RecvFuture<'_, T> {
        RecvFuture { endpoint: self, waits: false, done: false }
    }

    /// Takes the next message, or arranges for the context's task to be woken when there is one.
    ///
    /// After 128 polls in a row that were ready, one is pending and wakes its task at once: other tasks of the executor have their turn.
    ///
    /// Of several tasks the last that polled is woken. Another verb that waits on this endpoint meanwhile takes the event count over, and wakes
    /// the task when it is done. Futures have no clock: they notice seats that nobody takes only when a peer that waits does.
    ///
    /// # Errors
    /// As [`Endpoint::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<(usize, T), RecvError>> {
        if self.side.out_of_budget() {
            return self.side.yield_to_executor(cx);
        }
        loop {
            match self.try_recv() {
                Ok(message) => return self.done(Ok(message)),
                Err(TryRecvError::Lost(gone)) => return self.done(Err(RecvError::Lost(gone))),
                Err(TryRecvError::Closed) => return self.done(Err(RecvError::Closed)),
                Err(TryRecvError::Empty) => {}
            }
            self.unwatch();
            // Before anything is announced: the clone may panic.
            if !self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                self.task = Some(cx.waker().clone());
            }
            let (moved, hub, noticed) = (self.lanes.moved(), &self.hub, self.noticed);
            let lanes = &mut self.lanes;
            let poll = self.side.poll(cx, moved, |_| lanes.inbox.has_news() || hub.gave_up_since(noticed));
            self.count_parks();
            if poll.is_pending() {
                return Poll::Pending;
            }
            self.notice();
        }
    }

    /// A task has its answer: it waits no more.
    #[inline]
    fn done<R>(&mut self, answer: R) -> Poll<R> {
        self.stand_down();
        Poll::Ready(answer)
    }

    #[inline]
    fn stand_down(&mut self) {
        if let Some(task) = self.task.take() {
            self.side.cancel_wait();
            drop(task);
        }
    }

    /// Why there is no message.
    #[cold]
    #[inline(never)]
    fn nothing(&mut self) -> TryRecvError {
        match self.next_disconnected() {
            Some(gone) => TryRecvError::Lost(gone),
            None if self.lanes.inbox.open() == 0 => TryRecvError::Closed,
            None => TryRecvError::Empty,
        }
    }

    /// Hands messages to `f` until every peer has closed, for at most `within`. Returns how many there were.
    ///
    /// # Errors
    /// A peer panicked or never joined, or the time ran out before all had closed.
    pub fn drain(&mut self, within: Duration, mut f: impl FnMut(usize, T)) -> Result<usize, DrainError> {
        let (deadline, mut received, mut lost) = (Deadline::after(Some(within)), 0, Vec::new());
        loop {
            let progress = self.poll(BETWEEN, &mut f);
            received += progress.received;
            lost.extend(core::iter::from_fn(|| self.next_disconnected()));
            if progress.received != 0 && !deadline.passed() {
                continue;
            }
            if self.lanes.inbox.open() == 0 {
                break;
            }
            if deadline.passed() || self.wait(deadline, |lanes| lanes.inbox.has_news()).is_err() {
                break;
            }
        }
        lost.extend(core::iter::from_fn(|| self.next_disconnected()));
        let open: Vec<usize> = self.open_peers().collect();
        if lost.is_empty() && open.is_empty() { Ok(received) } else { Err(DrainError { received, lost, open }) }
    }

    /// Leaves in order: closes, hands what still comes to `f` until every peer has closed too, for at most `within`, and is gone.
    /// Returns how many messages came.
    ///
    /// # Errors
    /// As [`Endpoint::drain`]. The endpoint is gone all the same; what had not been received is dropped.
    pub fn leave(mut self, within: Duration, f: impl FnMut(usize, T)) -> Result<usize, DrainError> {
        self.close();
        self.drain(within, f)
    }
}

/// A receive in progress. From [`Endpoint::recv_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct RecvFuture<'a, T> {
    endpoint: &'a mut Endpoint<T>,
    /// Whether this future announced itself: then it takes that back when it is dropped.
    waits: bool,
    /// Whether it has given its answer. Another poll would take another message.
    done: bool,
}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<(usize, T), RecvError>;

    /// # Panics
    /// If polled again after it was ready, like every future made by `async`.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.done, "a receive was polled after it was ready");
        let poll = self.endpoint.poll_recv(cx);
        self.waits = poll.is_pending();
        self.done = !self.waits;
        poll
    }
}

#[cfg(feature = "futures")]
impl<T> futures_core::FusedFuture for RecvFuture<'_, T> {
    fn is_terminated(&self) -> bool {
        self.done
    }
}

impl<T> Drop for RecvFuture<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.waits {
            self.endpoint.stand_down();
        }
    }
}
