//! `ringmail ls`, `stat`, `send`, `recv` and `clean`: channels between processes from the command line.
//!
//! ```text
//!   standard input ──> send ──> channel in shared memory ──> recv ──> standard output
//!                                        └──> ls, stat, clean
//! ```

mod channel;
mod json;
mod look;
mod recv;
mod send;
mod signals;
mod stat;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use ringmail::shm::{Cause, OpenError};

use crate::Failure;
use crate::output::to_stdout;
use channel::Channel;

/// Exit codes: that of [`Failure::failed`], of the other side's death (or its leaving, while there was more to send), of what was given up half
/// way, of a channel whose file is gone.
const DAMAGED: u8 = 1;
const PEER_GONE: u8 = 3;
const GAVE_UP: u8 = 4;
const REMOVED: u8 = 5;
/// Longest wait without a look at whether a signal came.
const TICK: Duration = Duration::from_millis(100);
/// Bytes read or written in one go.
const CHUNK: usize = 1 << 16;

// Lines of at most 79 columns: a terminal breaks longer ones in the middle of a table.
const SEND_HELP: &str = "\
One run of this command is a session: it ends in order at the end of the input.
Without a receiver the input goes into the channel until that is full; then this
command waits for a receiver.

Exit codes:
  0      all of the input is in the channel: what was not received waits there
  1      the channel could not be used, or it is damaged
  2      bad arguments
  3      the receiver died or left, and there was more to send (see --wait)
  4      the input could not be read to its end, or a record is too long or cut
         short: the receiver gets what was sent before, and is told
  5      the channel was removed
  128+n  ended by signal n (130: Ctrl-C); the receiver is told

Examples:
  ringmail recv quotes & seq 1000000 | ringmail send quotes
  for i in 1 2 3; do ./work $i | ringmail send --senders 3 log & done
  ringmail recv log

RINGMAIL_DIR names the directory of channels with plain names.";

const RECV_HELP: &str = "\
One run takes one session, which is one run of `send`: the oldest that no
receiver has taken, be it empty or long over, else the next that comes. Of a
channel for many senders it takes all that it meets, until each has ended.
--follow goes on with the next sender.

A record leaves the channel once it has been written.
  sender killed        all that it had sent is written
  receiver killed      nothing is lost; what was being written, 64 KiB or so,
                       comes again to the next receiver
  either side stopped  the other one waits

Exit codes:
  0      the session ended in order and all of it was written; or --count were;
         or the output is not read any more, as in `| head`
  1      the channel could not be used, it is damaged, or the output could not
         be written
  2      bad arguments
  3      the sender died; all that it had sent was written
  4      the sender gave up half way, or how it ended is not kept any more; all
         that it had sent was written
  5      the channel was removed
  128+n  ended by signal n (130: Ctrl-C); what was not written waits
Of several senders the worst counts: 1, then 3, then 4.

RINGMAIL_DIR names the directory of channels with plain names.";

const STAT_HELP: &str = "\
Words:
  never, here     whether a process has the side, by the kernel's word
  left            the last one ended in order
  gave up         the last one ended half way, and said so
  died            the last one was killed, or ended without a word
  session         from the opening of a side to its end; the first is 1
  untaken         sessions whose end no receiver was told yet
  asleep          it waits, and is woken when there is something
  sent, received  messages (of records: words of 8 bytes) since the channel was
                  made; depth: those in it
  full            how often a sender found no room
  parks, wakes    how often sender/receiver went to sleep, and woke the other

RINGMAIL_DIR names the directory of channels with plain names.";

const CLEAN_HELP: &str = "\
Says of each what it was, and removes it also if it is damaged, of another version of ringmail, or from before the last
boot. What a process has open is kept.

Plain names are files in /dev/shm/ringmail-<uid>, or in the directory that RINGMAIL_DIR names.";

/// The verbs of channels between processes.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the channels of this user (in the directory RINGMAIL_DIR, if that is set)
    Ls(Ls),
    /// Show what a channel does
    #[command(after_help = STAT_HELP)]
    Stat(Stat),
    /// Send standard input into a channel, a record a line; waits for room and for a receiver
    #[command(after_help = SEND_HELP)]
    Send(Send),
    /// Write what comes out of a channel to standard output, a line a record; waits for a sender
    #[command(after_help = RECV_HELP)]
    Recv(Recv),
    /// Remove channels that nobody has open, with what is in them
    #[command(after_help = CLEAN_HELP)]
    Clean(Clean),
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    #[command(flatten)]
    channel: Channel,
    /// Outlive the receiver: when it dies or leaves, wait for the next one and go on
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Recv {
    #[command(flatten)]
    channel: Channel,
    /// End after so many records, or with the session if that has fewer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Go on with the next sender, and say on standard error if one did not end in order
    #[arg(long)]
    follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// As JSON: an array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Stat {
    /// Name of the channel, or with a '/' the path of its file
    name: String,
    /// The seconds after `--watch`, or the name if those came first
    #[arg(hide = true, requires = "watch")]
    other: Option<String>,
    /// Show it again every so many seconds [default: 1], with rates, until interrupted
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, value_parser = seconds)]
    watch: Option<Option<Duration>>,
    /// As JSON: an object, one a line with --watch
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true)))]
pub(crate) struct Clean {
    /// Name of the channel, or with a '/' the path of its file
    #[arg(group = "which")]
    name: Option<String>,
    /// All channels of the directory, and what is left of those that were never finished
    #[arg(long, group = "which")]
    all: bool,
    /// Also files that are no channels: at a path, or with --all
    #[arg(long)]
    force: bool,
}

/// Runs the verb; the exit code is one of those that its `--help` lists.
pub(crate) fn run(verb: &Verb) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Ls(args) => look::ls(args),
        Verb::Stat(args) => stat::run(args),
        Verb::Send(args) => send::run(args).map(ExitCode::from),
        Verb::Recv(args) => recv::run(args).map(ExitCode::from),
        Verb::Clean(args) => look::clean(args),
    }
}

/// What a side did whose session is over.
fn how(ended: Cause) -> &'static str {
    match ended {
        Cause::Closed => "has closed",
        Cause::GivenUp => "has given up",
        Cause::PeerDied => "has died",
        _ => "has ended",
    }
}

/// Nobody is left to tell if standard error is gone too.
fn warn(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether somebody still reads what is shown.
fn show(text: &str) -> Result<bool, Failure> {
    to_stdout(text).map_err(|error| Failure::failed(format!("cannot write to standard output: {error}")))
}

/// Why a channel could not be opened or looked at.
fn refused(error: OpenError) -> Failure {
    match error {
        OpenError::Name { .. } | OpenError::Build(_) => Failure::usage(error.to_string()),
        error => Failure::failed(error.to_string()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds, such as 2 or 0.5")?;
    match (0.01..=86_400.0).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err("must lie between 0.01 and 86400 seconds".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_a_number_of_a_sane_size() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["", "0", "-1", "1s", "nan", "inf", "1e9", "quotes"] {
            assert!(seconds(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
