//! How a verb ends: exit codes, messages, and what it shows.

use std::fmt;
use std::io::{self, Write};

use ringmail::shm::{Cause, OpenError};

use crate::failure::Failure;
use crate::output::to_stdout;

/// Exit codes: that of [`Failure::failed`], of the other side's death (or its leaving, while there was more to send), of what was given up half
/// way, of a channel whose file is gone.
pub(super) const DAMAGED: u8 = 1;
pub(super) const PEER_GONE: u8 = 3;
pub(super) const GAVE_UP: u8 = 4;
pub(super) const REMOVED: u8 = 5;

/// What a side did whose session is over.
pub(super) fn how(ended: Cause) -> &'static str {
    match ended {
        Cause::Closed => "has closed",
        Cause::GivenUp => "has given up",
        Cause::PeerDied => "has died",
        _ => "has ended",
    }
}

/// Writes a line to standard error. If that is closed too, there is no place for the message.
pub(super) fn warn(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes `text` to standard output. Returns whether it is still read.
pub(super) fn show(text: &str) -> Result<bool, Failure> {
    to_stdout(text).map_err(|error| Failure::failed(format!("cannot write to standard output: {error}")))
}

/// Why a channel could not be opened or looked at.
pub(super) fn refused(error: OpenError) -> Failure {
    match error {
        OpenError::Name { .. } | OpenError::Build(_) => Failure::usage(error.to_string()),
        error => Failure::failed(error.to_string()),
    }
}
