//! What can go wrong with a call, as values.

use super::Reply;
use crate::mesh::Disconnected;
use core::fmt;

/// A call ended without an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CallError {
    /// The peer dropped the request's token.
    Refused {
        /// The peer's number.
        peer: usize,
    },
    /// The peer was disconnected before the answer came, or this endpoint was dropped.
    Disconnected(Disconnected),
    /// The reply belongs to another endpoint.
    WrongEndpoint,
    /// The answer was taken before: the reply was polled until it was ready, and again.
    Taken,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { peer } => write!(f, "peer {peer} dropped the request without an answer"),
            Self::Disconnected(gone) => gone.fmt(f),
            Self::WrongEndpoint => {
                f.write_str("the reply belongs to another endpoint: wait on the endpoint that called")
            }
            Self::Taken => f.write_str("the answer was taken before"),
        }
    }
}

impl core::error::Error for CallError {}

/// A call was not started; it returns the request.
#[derive(Clone, PartialEq, Eq)]
pub enum TryCallError<Req> {
    /// All credits for the peer are in use: by calls in flight, or by answers that were not taken.
    NoCredit(Req),
    /// The peer is disconnected, or this endpoint has [finished](super::Endpoint::finish).
    Disconnected(Req, Disconnected),
}

impl<Req> TryCallError<Req> {
    /// The request that was not sent.
    pub fn into_inner(self) -> Req {
        match self {
            Self::NoCredit(value) | Self::Disconnected(value, _) => value,
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
            Self::NoCredit(_) => f.write_str("all credits are in use: take an answer that has come, or wait for one"),
            Self::Disconnected(_, gone) => gone.fmt(f),
        }
    }
}

impl<Req> fmt::Debug for TryCallError<Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredit(_) => f.write_str("NoCredit(..)"),
            Self::Disconnected(_, gone) => {
                f.debug_tuple("Disconnected").field(&format_args!("..")).field(gone).finish()
            }
        }
    }
}

impl<Req> core::error::Error for TryCallError<Req> {}

/// A wait for an answer ended without one.
pub enum WaitTimeoutError<Rep> {
    /// No answer until the deadline. The call goes on: wait for the reply again, or drop it.
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
