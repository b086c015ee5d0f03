//! One message to and fro: what the channels and the floor have in common.

use std::fmt;
use std::time::Instant;

/// Whose turn comes after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Switch,
    Quit,
}

/// Why a thread gave up on a visit.
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
            Self::Silent => f.write_str("the peer gave no answer for 2 s; is another program holding its core?"),
            Self::Gone => f.write_str("the peer ended early"),
            Self::Corrupt => f.write_str("a message arrived damaged or out of order; please report this"),
            Self::Process(reason) => f.write_str(reason),
            Self::Build(reason) => write!(f, "the channel could not be built: {reason}"),
        }
    }
}

/// Something over which two threads or processes can pass one message to and fro.
pub(crate) trait RoundTrip {
    /// Starts a turn; waits in it end with [`StopReason::Silent`] after `deadline`.
    fn begin(&mut self, deadline: Instant);
    /// Timing side: one message there and its answer back.
    fn trip(&mut self) -> Result<(), StopReason>;
    /// Timing side: ends the turn, once the peer agrees.
    fn end(&mut self, turn: Turn) -> Result<(), StopReason>;
    /// Answering side: answers until the turn ends.
    fn echo(&mut self) -> Result<Turn, StopReason>;
}
