//! The verbs that receive.

use super::Endpoint;
use super::{Cause, Disconnected, DrainError, Peers, RecvError, RecvTimeoutError, TryRecvError};
use crate::wait::Deadline;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

/// Messages that [`Endpoint::drain`] takes before it looks at the clock again.
const BETWEEN: usize = 1024;

impl<T> Endpoint<T> {
    /// Takes the next message if there is one now. Returns the number of the peer that sent it, and the message.
    ///
    /// All receiving verbs return the peer: the shards of a mesh answer each other, so they need its number for nearly every message.
    ///
    /// The messages of a peer come in the order in which it sent them. Peers take turns as in [`Endpoint::poll`].
    ///
    /// Wait-free: it looks at each lane at most once.
    ///
    /// # Errors
    /// `Empty`: no message now. `Disconnected`: see [`Peers`].
    #[inline]
    pub fn try_recv(&mut self) -> Result<(usize, T), TryRecvError<Peers>> {
        loop {
            if let Some((peer, message)) = self.lanes.inbox.next_seen() {
                return Ok(message.take_as(|message| (peer, message)));
            }
            if !self.find_next() {
                return Err(self.nothing());
            }
        }
    }

    /// Takes the next message. Waits until there is one.
    ///
    /// # Errors
    /// See [`Peers`].
    #[inline]
    pub fn recv(&mut self) -> Result<(usize, T), RecvError<Peers>> {
        match self.try_recv() {
            Ok(message) => Ok(message),
            Err(error) => self.recv_later(error, Deadline::NEVER).map_err(|error| match error {
                RecvTimeoutError::Disconnected(peers) => RecvError(peers),
                RecvTimeoutError::Timeout => unreachable!("there is no deadline"),
            }),
        }
    }

    /// Takes the next message. Waits for at most `timeout`. A timeout that the clock cannot represent never ends.
    ///
    /// # Errors
    /// `Timeout`: no message in time. `Disconnected`: see [`Peers`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<(usize, T), RecvTimeoutError<Peers>> {
        match self.try_recv() {
            Ok(message) => Ok(message),
            Err(error) => self.recv_later(error, Deadline::after(Some(timeout))),
        }
    }

    #[cold]
    #[inline(never)]
    fn recv_later(
        &mut self,
        mut error: TryRecvError<Peers>,
        deadline: Deadline,
    ) -> Result<(usize, T), RecvTimeoutError<Peers>> {
        loop {
            if let TryRecvError::Disconnected(peers) = error {
                return Err(RecvTimeoutError::Disconnected(peers));
            }
            let waited = self.wait(deadline, |lanes| lanes.inbox.has_news());
            error = match self.try_recv() {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Empty) if waited.is_err() => return Err(RecvTimeoutError::Timeout),
                Err(error) => error,
            };
        }
    }

    /// Takes the next message of one peer. Waits until there is one.
    ///
    /// The messages of other peers stay in their lanes. While it waits, a peer whose lane is full can send nothing more here.
    ///
    /// # Errors
    /// The peer is disconnected, and all that it sent has been received. Reported each time.
    pub fn recv_from(&mut self, peer: usize) -> Result<T, RecvError<Disconnected>> {
        let Some(at) = self.lanes.inbox.at(peer) else {
            return Err(RecvError(Disconnected { peer, cause: Cause::NoLane }));
        };
        loop {
            if let Some(next) = self.lanes.inbox.next_of(at) {
                return next.take_as(Ok);
            }
            if self.lanes.inbox.is_over(at) {
                return Err(RecvError(self.shared.disconnected(peer)));
            }
            // Without a deadline: a message comes, or the end.
            let _ = self.wait(Deadline::NEVER, |lanes| lanes.inbox.has_news_of(at));
        }
    }

    /// Takes the next message. Waits until there is one.
    ///
    /// Cancel-safe: a future that is dropped before it is ready has taken nothing. Needs no particular runtime.
    ///
    /// # Errors
    /// As [`Endpoint::recv`].
    pub fn recv_async(&mut self) -> RecvFuture<'_, T> {
        RecvFuture { endpoint: self, waits: false, done: false }
    }

    /// Takes the next message. Without one, has the context's task woken when a message comes.
    ///
    /// After 128 polls in a row that were ready, one is pending and wakes its task at once, so that other tasks of the executor can run.
    ///
    /// If several tasks poll, the last one is woken. Another verb that waits on this endpoint meanwhile takes over the event count, and wakes
    /// the task when it is done. A future has no clock: a seat that no thread joins is given up only by a peer that waits or sends.
    ///
    /// # Errors
    /// As [`Endpoint::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<(usize, T), RecvError<Peers>>> {
        if self.waiter.out_of_budget() {
            return self.waiter.yield_to_executor(cx);
        }
        loop {
            match self.try_recv() {
                Ok(message) => return self.done(Ok(message)),
                Err(TryRecvError::Disconnected(peers)) => return self.done(Err(RecvError(peers))),
                Err(TryRecvError::Empty) => {}
            }
            self.announce_task(cx);
            let (moved, hub, given_up_seen) = (self.lanes.transferred(), &self.shared, self.given_up_seen);
            let lanes = &mut self.lanes;
            let poll = self.waiter.poll(cx, moved, |_| lanes.inbox.has_news() || hub.gave_up_since(given_up_seen));
            self.count_parks();
            if poll.is_pending() {
                return Poll::Pending;
            }
            self.reap_late();
        }
    }

    /// To be called by a poll before it registers the task.
    pub(super) fn announce_task(&mut self, cx: &Context<'_>) {
        self.unwatch();
        // Before anything is announced: the clone may panic.
        if !self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            self.task = Some(cx.waker().clone());
        }
    }

    /// The poll is ready: no task waits any more.
    #[inline]
    pub(super) fn done<R>(&mut self, answer: R) -> Poll<R> {
        self.cancel_wait();
        Poll::Ready(answer)
    }

    #[inline]
    pub(super) fn cancel_wait(&mut self) {
        if let Some(task) = self.task.take() {
            self.waiter.cancel_wait();
            drop(task);
        }
    }

    /// Why there is no message.
    #[inline(never)]
    pub(super) fn nothing(&mut self) -> TryRecvError<Peers> {
        if !self.lanes.inbox.has_ended() && self.lanes.inbox.open() != 0 {
            return TryRecvError::Empty;
        }
        match self.next_disconnected() {
            Some(gone) => TryRecvError::Disconnected(Peers::One(gone)),
            None if self.lanes.inbox.open() == 0 => TryRecvError::Disconnected(Peers::All),
            None => TryRecvError::Empty,
        }
    }

    /// Hands messages to `f` until every peer has closed, for at most `within`. Returns how many there were.
    ///
    /// # Errors
    /// A peer panicked or never joined, or the time ran out before all peers had closed.
    pub fn drain(&mut self, within: Duration, mut f: impl FnMut(usize, T)) -> Result<usize, DrainError> {
        let (deadline, mut received, mut disconnected) = (Deadline::after(Some(within)), 0, Vec::new());
        loop {
            let progress = self.poll(BETWEEN, &mut f);
            received += progress.received;
            disconnected.extend(core::iter::from_fn(|| self.next_disconnected()));
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
        disconnected.extend(core::iter::from_fn(|| self.next_disconnected()));
        let open: Vec<usize> = self.open_peers().collect();
        if disconnected.is_empty() && open.is_empty() {
            Ok(received)
        } else {
            Err(DrainError { received, disconnected, open })
        }
    }

    /// Leaves in order: closes, hands messages to `f` until every peer has closed too, for at most `within`, and drops the endpoint.
    /// Returns how many messages there were.
    ///
    /// # Errors
    /// As [`Endpoint::drain`]. The endpoint is dropped in any case, and with it the messages that were not received.
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
    /// Whether this future announced that it waits: then it takes that back when it is dropped.
    waits: bool,
    /// Whether it was ready. Another poll would take another message.
    done: bool,
}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<(usize, T), RecvError<Peers>>;

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
            self.endpoint.cancel_wait();
        }
    }
}
