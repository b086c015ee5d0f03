//! `ringmail ls`, `stat`, `send`, `recv` and `clean`: channels between processes from the command line.
//!
//! ```text
//!   standard input ──> send ──> channel in shared memory ──> recv ──> standard output
//!                                        └──> ls, stat, clean
//! ```

mod look;
mod recv;
mod send;
mod shared;

use std::fs::File;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use ringmail::shm::OpenError;
use ringmail::shm::bytes::Builder;

use crate::Failure;

/// Exit code when the process of the other side has ended without closing, or has left while there was more to do.
const PEER_GONE: u8 = 3;
const INTERRUPTED: u8 = 130;
/// Longest wait without a look at whether a signal came.
const TICK: Duration = Duration::from_millis(100);
/// Between looks at a side that is being opened or closed right now.
const MOMENT: Duration = Duration::from_millis(5);
/// Bytes read or written in one go.
const CHUNK: usize = 1 << 16;

const SEND_HELP: &str = "\
Exit codes:
  0    all of the input is in the channel: what nobody has received yet waits there
  1    the channel could not be used, the input could not be read, or a record is too long
  2    bad arguments
  3    the receiver died or left, and there was more to send
  130  interrupted; the channel was closed in order

Example:
  ringmail recv quotes & seq 1000000 | ringmail send quotes";

const RECV_HELP: &str = "\
A record leaves the channel once it has been written. Should this command be killed, the next one begins with the
records that were being written: none is lost, the last 64 KiB or so may come twice.

Exit codes:
  0    the sender closed in order and everything was written; or --count were; or nobody reads the output any more
  1    the channel could not be used, or the output could not be written
  2    bad arguments
  3    the sender died; everything that it had sent was written
  130  interrupted; the channel was closed in order";

const CLEAN_HELP: &str = "\
Says of each what it was, and removes it also if it is damaged, of another version of ringmail, or from before the last
boot. What a process has open is kept.

Plain names are files in /dev/shm/ringmail-<uid>, or in the directory that RINGMAIL_DIR names.";

/// The verbs of channels between processes.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the channels of this user
    Ls,
    /// Show what a channel does
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

/// Which channel, and how records are told apart outside of it.
#[derive(Debug, Args)]
pub(crate) struct Channel {
    /// Name of the channel, or with a '/' the path of its file
    name: String,
    /// Bytes of the channel, if this makes it; one that is there must have as many, or more if its maker did not say
    /// [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    capacity: Option<usize>,
    /// Records are not lines: the length of each, as four bytes (little-endian), stands before it
    #[arg(long)]
    length_framed: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    #[command(flatten)]
    channel: Channel,
}

#[derive(Debug, Args)]
pub(crate) struct Recv {
    #[command(flatten)]
    channel: Channel,
    /// End after so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Stat {
    /// Name of the channel, or with a '/' the path of its file
    name: String,
    /// Show it again every so many seconds, until interrupted
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = seconds)]
    watch: Option<Duration>,
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
        Verb::Ls => look::ls(),
        Verb::Stat(stat) => look::stat(stat),
        Verb::Send(args) => send::run(args),
        Verb::Recv(args) => recv::run(args),
        Verb::Clean(args) => look::clean(args),
    }
}

impl Channel {
    fn builder(&self) -> Builder {
        let builder = Builder::new(&self.name);
        match self.capacity {
            Some(bytes) => builder.capacity(bytes),
            None => builder,
        }
    }
}

/// Why a channel could not be opened or looked at.
fn refused(error: OpenError) -> Failure {
    match error {
        OpenError::Name { .. } | OpenError::Build(_) => Failure::usage(error.to_string()),
        error => Failure::failed(error.to_string()),
    }
}

/// The stream as a file: without the buffers that the standard library puts before it.
fn unbuffered(stream: &impl AsFd, name: &str) -> Result<File, Failure> {
    let descriptor = stream.as_fd().try_clone_to_owned();
    descriptor.map(File::from).map_err(|error| Failure::failed(format!("cannot use standard {name}: {error}")))
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
