//! What can go wrong with a call, as values.

use super::Reply;
use crate::mesh::{Disconnected, SendError};
use core::fmt;

/// A call brought no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CallError {
    /// The peer dropped the request's token.
    Refused {
        /// Its number.
        peer: usize,
    },
    /// The peer is gone, or this endpoint is, before the answer came.
    Gone(Disconnected),
    /// The reply is of another endpoint.
    WrongEndpoint,
    /// The answer was taken before: the reply was polled to its end.
    Taken,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { peer } => write!(f, "peer {peer} dropped the request without an answer"),
            Self::Gone(gone) => gone.fmt(f),
            Self::WrongEndpoint => f.write_str("a reply of another endpoint: wait with the one that called"),
            Self::Taken => f.write_str("the answer was taken before"),
        }
    }
}

impl core::error::Error for CallError {}

/// A call was not started; the request comes back.
#[derive(Clone, PartialEq, Eq)]
pub enum TryCallError<Req> {
    /// All credits for the peer are in use: as many calls are in flight, or answered and not taken.
    NoCredit(Req),
    /// The peer takes no requests any more, or this endpoint has said that it calls no more.
    Gone(SendError<Req>),
}

impl<Req> TryCallError<Req> {
    /// The request that was not sent.
    pub fn into_inner(self) -> Req {
        match self {
            Self::NoCredit(value) | Self::Gone(SendError { value, .. }) => value,
        }
    }

    /// Whether there was no credit.
    pub const fn is_no_credit(&self) -> bool {
        matches!(self, Self::NoCredit(_))
    }
}

impl<Req> fmt::Display for TryCallError<Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredit(_) => f.write_str("all credits are in use: take answers that have come, or wait for one"),
            Self::Gone(error) => error.fmt(f),
        }
    }
}

impl<Req> fmt::Debug for TryCallError<Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredit(_) => f.write_str("NoCredit(..)"),
            Self::Gone(error) => f.debug_tuple("Gone").field(error).finish(),
        }
    }
}

impl<Req> core::error::Error for TryCallError<Req> {}

/// A wait for an answer ended without one.
pub enum WaitTimeoutError<Rep> {
    /// No answer until the deadline; the reply comes back, and the call goes on. Drop it to forget the call.
    Timeout(Reply<Rep>),
    /// There will be no answer.
    Failed(CallError),
}

impl<Rep> fmt::Display for WaitTimeoutError<Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(_) => f.write_str("no answer until the deadline"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<Rep> fmt::Debug for WaitTimeoutError<Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(reply) => f.debug_tuple("Timeout").field(reply).finish(),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

impl<Rep> core::error::Error for WaitTimeoutError<Rep> {}
