//! The two ends of one call: the caller's [`Reply`] and the server's [`Token`].

use super::error::CallError;
use super::tables::{Answer, Tables};
use alloc::rc::Rc;
use core::fmt;
use core::future::Future;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::task::{Context, Poll};

/// An answer to come. From [`Endpoint::try_call`](super::Endpoint::try_call).
///
/// The endpoint puts the answer here when it polls or waits, and only then. As a future it is woken then; it is cancel-safe and needs no particular
/// runtime. If it is dropped, the call goes on: the credit comes back with the answer, which is dropped. A leaked reply keeps its credit.
#[must_use = "dropping it drops the answer"]
pub struct Reply<Rep> {
    tables: Rc<Tables<Rep>>,
    peer: usize,
    /// The call's index; `None` once its answer was taken.
    call: Option<u32>,
}

impl<Rep> Reply<Rep> {
    #[inline]
    pub(super) fn new(tables: Rc<Tables<Rep>>, peer: usize, call: u32) -> Self {
        Self { tables, peer, call: Some(call) }
    }

    /// The peer that was called.
    pub fn peer(&self) -> usize {
        self.peer
    }

    /// Whether there is an answer to take, or an error that says why there will be none.
    pub fn is_ready(&self) -> bool {
        self.call.is_none_or(|call| self.tables.is_done(call))
    }

    /// Takes the answer if it has come, and frees the credit. Wait-free.
    ///
    /// # Errors
    /// Outer: no answer so far; returns the reply. Inner: there will be no answer.
    #[inline]
    pub fn try_take(mut self) -> Result<Result<Rep, CallError>, Self> {
        self.take().ok_or(self)
    }

    #[inline]
    fn take(&mut self) -> Option<Result<Rep, CallError>> {
        let Some(call) = self.call else { return Some(Err(CallError::Taken)) };
        let answer = self.tables.take(call)?;
        self.call = None;
        Some(answer)
    }

    pub(super) fn is_of(&self, tables: &Rc<Tables<Rep>>) -> bool {
        Rc::ptr_eq(&self.tables, tables)
    }
}

impl<Rep> Future for Reply<Rep> {
    type Output = Result<Rep, CallError>;

    /// If polled again after it was ready, returns [`CallError::Taken`].
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(call) = self.call else { return Poll::Ready(Err(CallError::Taken)) };
        let poll = self.tables.poll(call, cx);
        if poll.is_ready() {
            self.call = None;
        }
        poll
    }
}

#[cfg(feature = "futures")]
impl<Rep> futures_core::FusedFuture for Reply<Rep> {
    fn is_terminated(&self) -> bool {
        self.call.is_none()
    }
}

impl<Rep> Drop for Reply<Rep> {
    #[inline]
    fn drop(&mut self) {
        if let Some(call) = self.call {
            self.tables.drop_reply(call);
        }
    }
}

// No code of the user's runs while the shared tables are borrowed.
impl<Rep> UnwindSafe for Reply<Rep> {}
impl<Rep> RefUnwindSafe for Reply<Rep> {}

impl<Rep> fmt::Debug for Reply<Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("peer", &self.peer).field("ready", &self.is_ready()).finish_non_exhaustive()
    }
}

/// What answers one request. May be kept.
///
/// If it is dropped, it answers [`CallError::Refused`]. The answer leaves when the handler returns, or with the next verb of the endpoint that the token
/// came from. If that endpoint was dropped, so is the answer; the caller has got an error then. If a token is leaked (`mem::forget`), its caller
/// waits until this endpoint is dropped.
#[must_use = "dropping it refuses the request"]
pub struct Token<Rep> {
    tables: Rc<Tables<Rep>>,
    peer: u32,
    call: u32,
    pending: bool,
}

impl<Rep> Token<Rep> {
    pub(super) fn new(tables: Rc<Tables<Rep>>, peer: usize, call: u32) -> Self {
        Self { tables, peer: peer as u32, call, pending: true }
    }

    /// The peer that called.
    pub fn peer(&self) -> usize {
        self.peer as usize
    }

    /// Answers the request. Never waits, never allocates, and finds room.
    #[inline]
    pub fn answer(mut self, value: Rep) {
        self.pending = false;
        self.tables.answer(Answer { peer: self.peer, call: self.call, value: Some(value) });
    }
}

impl<Rep> Drop for Token<Rep> {
    #[inline]
    fn drop(&mut self) {
        if self.pending {
            self.tables.answer(Answer { peer: self.peer, call: self.call, value: None });
        }
    }
}

// As a reply.
impl<Rep> UnwindSafe for Token<Rep> {}
impl<Rep> RefUnwindSafe for Token<Rep> {}

impl<Rep> fmt::Debug for Token<Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("peer", &self.peer).finish_non_exhaustive()
    }
}
