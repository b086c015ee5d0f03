//! The verbs that wait, and serve meanwhile.

use super::error::{CallError, TryCallError, WaitTimeoutError};
use super::{Endpoint, Reply, Token};
use crate::lend::lend;
use crate::mesh::DrainError;
use crate::sync::order::mutant;
use crate::wait::{Deadline, TimedOut};
use alloc::vec::Vec;
use core::time::Duration;

/// Messages taken between two looks at what is waited for.
const BETWEEN: usize = 64;

impl<Req, Rep> Endpoint<Req, Rep> {
    /// Calls `peer`, waiting for a credit if need be; hands requests that come meanwhile to `serve`.
    ///
    /// A credit comes back with an answer, and nobody waits for room to answer: so it cannot deadlock as long as peers go on polling and it is
    /// not called in a handler, whose own request may be what the credits wait for.
    ///
    /// # Errors
    /// The peer is gone; or no call to it is in flight, and all credits are held by answers that have come: take those first. The request
    /// comes back.
    pub fn call_or_poll(
        &mut self,
        peer: usize,
        request: Req,
        serve: impl FnMut(&mut Self, usize, Req, Token<Rep>),
    ) -> Result<Reply<Rep>, TryCallError<Req>> {
        lend(serve, |serve| self.call_serving(peer, request, serve))
    }

    fn call_serving(
        &mut self,
        peer: usize,
        mut request: Req,
        serve: &mut impl FnMut(&mut Self, usize, Req, Token<Rep>),
    ) -> Result<Reply<Rep>, TryCallError<Req>> {
        loop {
            request = match self.try_call(peer, request) {
                Err(TryCallError::NoCredit(request)) if self.in_flight(peer) != 0 => request,
                done => return done,
            };
            let received = self.take(BETWEEN, serve).received;
            if received == 0 && self.in_flight(peer) != 0 && self.shared.credits(peer) == 0 {
                // For ever is not long: an answer comes, or the peer goes.
                let _ = self.sleep(Deadline::NEVER);
            }
        }
    }

    /// Waits for the answer to a call; hands requests that come meanwhile to `serve`, as [`Endpoint::poll`].
    ///
    /// It cannot deadlock as long as peers go on polling, and no handler waits for a credit: two that wait for each other answer each other.
    ///
    /// # Errors
    /// There will be no answer, and why.
    pub fn wait(
        &mut self,
        reply: Reply<Rep>,
        serve: impl FnMut(&mut Self, usize, Req, Token<Rep>),
    ) -> Result<Rep, CallError> {
        match lend(serve, |serve| self.wait_until(reply, Deadline::NEVER, serve)) {
            Ok(answer) => Ok(answer),
            Err(WaitTimeoutError::Failed(error)) => Err(error),
            // There is no deadline to pass.
            Err(WaitTimeoutError::Timeout(_)) => Err(CallError::Taken),
        }
    }

    /// As [`Endpoint::wait`], for at most `timeout`. One too long for the clock is for ever. The time is looked at between messages:
    /// `serve` may make it late.
    ///
    /// # Errors
    /// No answer in time: the reply comes back, and the call goes on. Or there will be no answer, and why.
    pub fn wait_timeout(
        &mut self,
        reply: Reply<Rep>,
        timeout: Duration,
        serve: impl FnMut(&mut Self, usize, Req, Token<Rep>),
    ) -> Result<Rep, WaitTimeoutError<Rep>> {
        lend(serve, |serve| self.wait_until(reply, Deadline::after(Some(timeout)), serve))
    }

    fn wait_until(
        &mut self,
        mut reply: Reply<Rep>,
        deadline: Deadline,
        serve: &mut impl FnMut(&mut Self, usize, Req, Token<Rep>),
    ) -> Result<Rep, WaitTimeoutError<Rep>> {
        if !reply.is_of(&self.shared) {
            return Err(WaitTimeoutError::Failed(CallError::WrongEndpoint));
        }
        self.flush();
        loop {
            let received = if reply.is_ready() { 0 } else { self.take(1, serve).received };
            reply = match reply.try_take() {
                Ok(answer) => return answer.map_err(WaitTimeoutError::Failed),
                Err(reply) => reply,
            };
            // Others may call without end.
            let late = if received != 0 { deadline.passed() } else { self.sleep(deadline).is_err() };
            if late && !reply.is_ready() {
                return Err(WaitTimeoutError::Timeout(reply));
            }
        }
    }

    /// Sleeps until there is a message, or a lane is over of which nobody was told. What tokens were given must have left.
    pub(super) fn sleep(&mut self, deadline: Deadline) -> Result<(), TimedOut> {
        let seen = self.open;
        self.mesh.wait(deadline, |lanes| lanes.inbox.find() || lanes.inbox.open() != seen && !mutant!(EndEndsWait))
    }

    /// Leaves in order: [finishes](Endpoint::finish), serves until nobody calls any more, for at most `within`, and is gone. Returns how many
    /// messages came: requests, and answers, which their [`Reply`]s have.
    ///
    /// Tokens that were kept and not answered by then end as [`Gone`](CallError::Gone).
    ///
    /// # Errors
    /// A peer panicked or never joined, or the time ran out before all had finished. The endpoint is gone all the same.
    pub fn leave(
        mut self,
        within: Duration,
        mut serve: impl FnMut(&mut Self, usize, Req, Token<Rep>),
    ) -> Result<usize, DrainError> {
        let (deadline, mut received, mut lost) = (Deadline::after(Some(within)), 0, Vec::new());
        self.finish();
        loop {
            let progress = self.take(BETWEEN, &mut serve);
            received += progress.received;
            lost.extend(core::iter::from_fn(|| self.next_disconnected()));
            if self.calling == 0 || deadline.passed() || progress.received == 0 && self.sleep(deadline).is_err() {
                break;
            }
        }
        let open: Vec<usize> = self.callers().collect();
        if lost.is_empty() && open.is_empty() { Ok(received) } else { Err(DrainError { received, lost, open }) }
    }
}
