//! The verbs that wait, and serve meanwhile.

use super::error::{CallError, TryCallError, WaitTimeoutError};
use super::{Endpoint, Reply, Token};
use crate::drop_order::lend;
use crate::mesh::DrainError;
use crate::sync::order::mutant;
use crate::wait::{Deadline, TimedOut};
use alloc::vec::Vec;
use core::time::Duration;

/// Messages that are taken before a look at what is waited for.
const BETWEEN: usize = 64;

impl<Req, Rep> Endpoint<Req, Rep> {
    /// Calls `peer`. Waits for a credit if there is none, and hands requests that come meanwhile to `serve`.
    ///
    /// A credit comes back with an answer, and no peer waits for room to answer. So it cannot deadlock, if two conditions hold: peers go on polling,
    /// and it is not called in a handler, because the credits may wait for the handler's own request.
    ///
    /// # Errors
    /// `Disconnected`: see [`Endpoint::try_call`]. `NoCredit`: no call to the peer is in flight, and answers that have come hold all credits: take
    /// those first. Both return the request.
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
            let received = self.receive(BETWEEN, serve);
            if received == 0 && self.in_flight(peer) != 0 && self.tables.credits(peer) == 0 {
                // Without a deadline: an answer comes, or the peer closes.
                let _ = self.sleep(Deadline::NEVER);
            }
        }
    }

    /// Waits for the answer to a call. Hands requests that come meanwhile to `serve`, as [`Endpoint::poll`] does.
    ///
    /// It cannot deadlock, if peers go on polling and no handler waits for a credit: two shards that wait for each other answer each other.
    ///
    /// # Errors
    /// There will be no answer.
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

    /// As [`Endpoint::wait`], but waits for at most `timeout`. A timeout that the clock cannot represent never ends. The clock is looked at between
    /// messages, so `serve` may make it late.
    ///
    /// # Errors
    /// `Timeout`: no answer in time; returns the reply, and the call goes on. `Failed`: there will be no answer.
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
        if !reply.is_of(&self.tables) {
            return Err(WaitTimeoutError::Failed(CallError::WrongEndpoint));
        }
        self.flush();
        loop {
            let received = if reply.is_ready() { 0 } else { self.receive(1, serve) };
            reply = match reply.try_take() {
                Ok(answer) => return answer.map_err(WaitTimeoutError::Failed),
                Err(reply) => reply,
            };
            // Peers may call without end.
            let late = if received != 0 { deadline.passed() } else { self.sleep(deadline).is_err() };
            if late && !reply.is_ready() {
                return Err(WaitTimeoutError::Timeout(reply));
            }
        }
    }

    /// Sleeps until there is a message, or until a lane is over that [`Endpoint::look_at_ends`] has not seen. Answers must have been sent before.
    pub(super) fn sleep(&mut self, deadline: Deadline) -> Result<(), TimedOut> {
        let seen = self.open;
        self.mesh.wait(deadline, |lanes| lanes.inbox.find() || lanes.inbox.open() != seen && !mutant!(EndEndsWait))
    }

    /// Leaves in order: [finishes](Endpoint::finish), serves until all peers have finished, for at most `within`, and drops the endpoint. Returns how
    /// many messages came: requests, and answers, which their [`Reply`]s have.
    ///
    /// Calls whose tokens were kept and not answered by then fail as [`Disconnected`](CallError::Disconnected).
    ///
    /// # Errors
    /// A peer panicked or never joined, or the time ran out before all peers had finished. The endpoint is dropped in any case.
    pub fn leave(
        mut self,
        within: Duration,
        mut serve: impl FnMut(&mut Self, usize, Req, Token<Rep>),
    ) -> Result<usize, DrainError> {
        let (deadline, mut received, mut disconnected) = (Deadline::after(Some(within)), 0, Vec::new());
        self.finish();
        loop {
            let progress = self.take(BETWEEN, &mut serve);
            received += progress.received;
            disconnected.extend(core::iter::from_fn(|| self.next_disconnected()));
            if self.calling == 0 || deadline.passed() || progress.received == 0 && self.sleep(deadline).is_err() {
                break;
            }
        }
        let open: Vec<usize> = self.callers().collect();
        if disconnected.is_empty() && open.is_empty() {
            Ok(received)
        } else {
            Err(DrainError { received, disconnected, open })
        }
    }
}
