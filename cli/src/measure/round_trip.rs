//! A round trip of one message: what the channels and the floor have in common.

use std::fmt;
use std::time::Instant;

/// What follows a turn of one subject: a turn of the next, or the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Switch,
    Quit,
}

/// Why a thread ended a visit early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StopReason {
    Silent,
    Gone,
    Corrupt,
    Build(String),
    /// About the other process.
    Process(String),
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("the other side did not answer for 2 s: stop other programs on its core"),
            Self::Gone => f.write_str("the other side ended early"),
            Self::Corrupt => f.write_str("a message arrived damaged or out of order: this is a bug, please report it"),
            Self::Process(reason) => f.write_str(reason),
            Self::Build(reason) => write!(f, "the channel could not be built: {reason}"),
        }
    }
}

/// Something over which two threads or processes can pass one message back and forth.
pub(crate) trait RoundTrip {
    /// Starts a turn; waits in it end with [`StopReason::Silent`] after `deadline`.
    fn begin(&mut self, deadline: Instant);
    /// Timing side: comes to where a trip begins, untimed.
    #[inline]
    fn ready(&mut self) -> Result<(), StopReason> {
        Ok(())
    }
    /// Timing side: one message there and its answer back.
    fn trip(&mut self) -> Result<(), StopReason>;
    /// Timing side: ends the turn, once the peer agrees.
    fn end(&mut self, turn: Turn) -> Result<(), StopReason>;
    /// Answering side: answers until the turn ends.
    fn echo(&mut self) -> Result<Turn, StopReason>;
}
