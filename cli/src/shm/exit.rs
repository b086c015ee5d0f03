//! How a verb ends: exit codes, messages, and what it shows.

use std::fmt;
use std::io::{self, Write};

use ringmail::shm::{Cause, OpenError};

use crate::failure::Failure;
use crate::output::to_stdout;

/// The channel is damaged; as [`Failure::failed`].
pub(super) const DAMAGED: u8 = 1;
/// The other side died, or left while there was more to send.
pub(super) const PEER_GONE: u8 = 3;
/// A sender ended before its end of input.
pub(super) const GAVE_UP: u8 = 4;
/// The channel's file is gone.
pub(super) const REMOVED: u8 = 5;
/// A tap missed records.
pub(super) const LOST: u8 = 6;

/// What a side whose session is over did.
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

/// So many records and the verb, for a message.
pub(super) fn records(count: u64) -> String {
    if count == 1 { "1 record was".into() } else { format!("{count} records were") }
}
