//! Sending as a future.

use super::send::no_lane;
use super::{Disconnected, Endpoint, SendError};
use crate::channel::RingSender;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

impl<T> Endpoint<T> {
    /// Sends `value` to `peer`. Waits until there is room.
    ///
    /// Cancel-safe: a future that is dropped before it is ready has sent nothing and drops the value; [`SendFuture::into_inner`] gives the value back. Needs
    /// no particular runtime. While it waits this endpoint receives nothing, so it can deadlock as [`Endpoint::send_to`] can.
    ///
    /// # Errors
    /// The peer is disconnected; returns the value.
    pub fn send_async_to(&mut self, peer: usize, value: T) -> SendFuture<'_, T> {
        SendFuture { endpoint: self, peer, value: Some(value), waits: false }
    }

    /// Ready when the next [`Endpoint::try_send_to`] to `peer` will find room. The room stays, as this endpoint alone sends on that lane. Without room, has
    /// the context's task woken when there is some.
    ///
    /// As to several tasks, other verbs that wait, and the turns of tasks, see [`Endpoint::poll_recv`]. One task may poll for messages and for room: a
    /// pending answer of either has it woken for both, and a ready one ends that **for both**: so poll the other again before the task is pending.
    ///
    /// # Errors
    /// The peer is disconnected.
    pub fn poll_ready_to(
        &mut self,
        peer: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError<(), Disconnected>>> {
        if self.waiter.out_of_budget() {
            return self.waiter.yield_to_executor(cx);
        }
        let Some(at) = self.lanes.out.at(peer) else { return Poll::Ready(Err(no_lane(peer, ()))) };
        loop {
            if self.lanes.out.lanes[at].end.has_room() {
                return self.done(Ok(()));
            }
            self.reap_late();
            if self.lanes.out.lanes[at].end.ring.is_closed() {
                let gone = self.disconnected(peer, ());
                return self.done(Err(gone));
            }
            self.announce_task(cx);
            let (moved, shared, given_up_seen) = (self.lanes.transferred(), &self.shared, self.given_up_seen);
            let lane = &mut self.lanes.out.lanes[at];
            let poll = self.waiter.poll(cx, moved, |_| lane.may_send() || shared.gave_up_since(given_up_seen));
            self.count_parks();
            ready!(poll);
        }
    }
}

/// A send in progress. From [`Endpoint::send_async_to`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct SendFuture<'a, T> {
    endpoint: &'a mut Endpoint<T>,
    peer: usize,
    value: Option<T>,
    /// Whether this future announced that it waits: then it takes that back when it is dropped.
    waits: bool,
}

impl<T> SendFuture<'_, T> {
    /// Gives the send up. Returns the value, unless it was sent or the future has returned it.
    pub fn into_inner(mut self) -> Option<T> {
        self.value.take()
    }
}

// The value is moved out by value, never pinned.
impl<T> Unpin for SendFuture<'_, T> {}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T, Disconnected>>;

    /// # Panics
    /// If polled again after it was ready, like every future made by `async`.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        assert!(this.value.is_some(), "a send was polled after it was ready");
        let poll = this.endpoint.poll_ready_to(this.peer, cx);
        this.waits = poll.is_pending();
        let answer = ready!(poll);
        let Some(value) = this.value.take() else { return Poll::Pending };
        Poll::Ready(match answer {
            Ok(()) => {
                this.endpoint.push(this.peer, value).map_err(|value| this.endpoint.disconnected(this.peer, value))
            }
            Err(SendError((), gone)) => Err(SendError(value, gone)),
        })
    }
}

#[cfg(feature = "futures")]
impl<T> futures_core::FusedFuture for SendFuture<'_, T> {
    fn is_terminated(&self) -> bool {
        self.value.is_none()
    }
}

impl<T> Drop for SendFuture<'_, T> {
    fn drop(&mut self) {
        if self.waits {
            self.endpoint.cancel_wait();
        }
    }
}
