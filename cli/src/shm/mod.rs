//! `ringmail ls`, `stat`, `send`, `recv` and `clean`: channels between processes from the command line.
//!
//! ```text
//!   standard input ──> send ──> channel in shared memory ──> recv ──> standard output
//!                                        └──> ls, stat, clean
//! ```

mod all;
mod channel;
mod clean;
mod exit;
mod json;
mod listener;
mod lossy;
mod ls;
mod outlet;
mod record;
mod recv;
mod send;
mod signals;
mod source;
mod stat;

use std::process::ExitCode;

use clap::Subcommand;

use crate::failure::Failure;
use clean::Clean;
use ls::Ls;
use recv::Recv;
use send::Send;
use stat::Stat;

/// The verbs of channels between processes.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the channels of this user (in the directory RINGMAIL_DIR, if that is set)
    Ls(Ls),
    /// Show the state of a channel
    #[command(after_help = stat::HELP)]
    Stat(Stat),
    /// Send standard input into a channel, one record per line; waits for room and for a receiver
    #[command(after_help = send::HELP)]
    Send(Send),
    /// Write the records of a channel to standard output, one per line; waits for a sender
    #[command(after_help = recv::HELP)]
    Recv(Recv),
    /// Remove channels that no process has open, with what is in them
    #[command(after_help = clean::HELP)]
    Clean(Clean),
}

/// Runs the verb; the exit code is one of those that its `--help` lists.
pub(crate) fn run(verb: &Verb) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Ls(args) => ls::run(args),
        Verb::Stat(args) => stat::run(args),
        Verb::Send(args) => send::run(args).map(ExitCode::from),
        Verb::Recv(args) => recv::run(args).map(ExitCode::from),
        Verb::Clean(args) => clean::run(args),
    }
}
