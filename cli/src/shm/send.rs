//! `ringmail send`: standard input into a channel.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use ringmail::shm::Cause;

use super::channel::{Channel, To};
use super::exit::{GAVE_UP, PEER_GONE, REMOVED, how, records, warn};
use super::outlet::{Outlet, Sent};
use super::signals::{self, CHUNK, Stream, TICK};
use crate::failure::Failure;

// Lines of at most 79 columns: a terminal breaks longer ones in the middle of a table.
pub(super) const HELP: &str = "\
One run of this command is a session: it ends in order at the end of the input.
Without a receiver the input goes into the channel until that is full; then this
command waits for a receiver.

With --to all each of several receivers gets each record from when it came; the
slowest one is waited for. Sending begins when the first receiver has come, or as
many as --wait-for says. One that dies or leaves is waited for no more, and does
not end this command.

With --to taps it never waits: each record is written over the oldest one, and
any number of `recv --tap` read what they can. The channel keeps --capacity bytes
of records, each with room for --max-bytes.

Exit codes:
  0      all of the input is in the channel: what was not received waits there
  1      the channel could not be used, or it is damaged
  2      bad arguments
  3      the receiver died or left, and there was more to send (see --wait;
         not with --to)
  4      the input could not be read to its end, or a record is too long or cut
         short: the receiver gets what was sent before, and is told
  5      the channel was removed
  128+n  ended by signal n (130: Ctrl-C); the receiver is told

Examples:
  ringmail recv quotes & seq 1000000 | ringmail send quotes
  for i in 1 2 3; do ./work $i | ringmail send --senders 3 log & done
  ringmail recv log
  ringmail recv --receivers 4 ticks >a & ringmail recv --receivers 4 ticks >b &
  ./feed | ringmail send --to all --receivers 4 --wait-for 2 ticks
  ./server | ringmail send --to taps trace   # and, when there is a question:
  ringmail recv --tap trace

RINGMAIL_DIR names the directory of channels with plain names.";

#[derive(Debug, Args)]
pub(crate) struct Send {
    #[command(flatten)]
    channel: Channel,
    /// When the receiver dies or leaves, wait for the next one and go on
    #[arg(long, conflicts_with = "to")]
    wait: bool,
    /// Make a new channel for any number of receivers; an existing channel must be for them
    #[arg(long, value_enum, conflicts_with = "senders")]
    to: Option<To>,
    /// With --to all, send nothing before N receivers are there
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), requires = "to")]
    wait_for: Option<u16>,
}

/// The exit code.
pub(super) fn run(args: &Send) -> Result<u8, Failure> {
    signals::watch()?;
    let channel = &args.channel;
    let input = Stream::new(&io::stdin(), "input")?;
    if args.wait_for.is_some() && args.to == Some(To::Taps) {
        return Err(Failure::usage("--wait-for is for --to all: nothing knows of taps".to_owned()));
    }
    let mut tx = channel.open_sender(args.to)?;
    let wanted = args.wait_for.map_or(0, usize::from);
    while tx.receivers() < wanted && signals::caught().is_none() && !tx.is_removed() {
        thread::sleep(TICK.min(Duration::from_millis(10)));
    }
    let (max, longer) = (tx.max_len(), tx.longer());
    let from = BufReader::with_capacity(CHUNK, input);
    let result = pump(Input { from, framed: channel.length_framed, max, longer }, &mut *tx, args.wait);
    tx.report();
    // Otherwise not all of the input was sent: this is reported to the receiver.
    tx.end(matches!(result, Ok(0)));
    result
}

fn pump(mut input: Input, tx: &mut dyn Outlet, waits: bool) -> Result<u8, Failure> {
    let mut record = Vec::new();
    let mut sent = 0;
    let mut looked = Instant::now();
    loop {
        record.clear();
        let read = input.next(&mut record);
        // A record that a signal cut short is not sent.
        if let Some(code) = signals::caught() {
            return Ok(code);
        }
        match read {
            // As long as there is room, a send does not report that the file is gone.
            Ok(true) if looked.elapsed() < TICK => {}
            Ok(true) if tx.is_removed() => return Err(removed(sent, "the rest of the input was not")),
            Ok(true) => {
                looked = Instant::now();
                tx.report();
            }
            Ok(false) if !tx.is_received() && tx.is_removed() => {
                return Err(removed(sent, "not everything was received"));
            }
            Ok(false) => return Ok(0),
            Err(error) => {
                let message = format!("record {} of standard input: {error}; {} sent", sent + 1, records(sent));
                return Err(Failure { code: GAVE_UP, message });
            }
        }
        loop {
            match tx.send(&record, TICK)? {
                Sent::Yes => break,
                Sent::NotYet => {}
                Sent::Ended(ended) => after(ended, sent, waits)?,
            }
            if let Some(code) = signals::caught() {
                return Ok(code);
            }
        }
        sent += 1;
    }
}

/// The channel's file is gone. `what`: the part of the input that is lost.
fn removed(sent: u64, what: &str) -> Failure {
    let message = format!("the channel was removed: {} sent, {what}", records(sent));
    Failure { code: REMOVED, message }
}

/// Whether to go on after a receiver's end was reported.
fn after(ended: Cause, sent: u64, waits: bool) -> Result<(), Failure> {
    let what = match ended {
        Cause::Corrupted => return Err(Failure::failed(format!("the receiver: {ended}"))),
        Cause::Removed => return Err(removed(sent, "the rest of the input was not")),
        ended => how(ended),
    };
    if waits {
        warn(format_args!("warning: the receiver {what}: waiting for the next one"));
        return Ok(());
    }
    let message = format!(
        "the receiver {what}: {} sent, the rest of the input was not; the next receiver gets what this one has not received",
        records(sent)
    );
    Err(Failure { code: PEER_GONE, message })
}

/// Standard input as records.
struct Input {
    from: BufReader<Stream>,
    framed: bool,
    /// Longest record.
    max: usize,
    /// The option with which it is longer.
    longer: &'static str,
}

impl Input {
    /// Reads the next record. Whether there was one.
    fn next(&mut self, record: &mut Vec<u8>) -> io::Result<bool> {
        if self.framed { self.frame(record) } else { self.line(record) }
    }

    /// A line without its end; the last one need not have any.
    fn line(&mut self, record: &mut Vec<u8>) -> io::Result<bool> {
        // Without a limit, input without lines would fill the memory.
        let limit = self.max as u64 + 1;
        if self.from.by_ref().take(limit).read_until(b'\n', record)? == 0 {
            return Ok(false);
        }
        if record.last() == Some(&b'\n') {
            record.pop();
        } else if record.len() > self.max {
            return Err(self.too_long("the line"));
        }
        Ok(true)
    }

    /// Four bytes of length, little-endian, and as many bytes.
    fn frame(&mut self, record: &mut Vec<u8>) -> io::Result<bool> {
        if self.from.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let cut = |error: io::Error| match error.kind() {
            ErrorKind::UnexpectedEof => io::Error::other("the input ends within the record"),
            _ => error,
        };
        let mut len = [0; 4];
        self.from.read_exact(&mut len).map_err(cut)?;
        let len = u32::from_le_bytes(len) as usize;
        if len > self.max {
            return Err(self.too_long(&format!("the length {len}")));
        }
        record.resize(len, 0);
        self.from.read_exact(record).map_err(cut)?;
        Ok(true)
    }

    fn too_long(&self, what: &str) -> io::Error {
        let (max, longer) = (self.max, self.longer);
        io::Error::other(format!(
            "{what} exceeds the limit of {max} bytes: make the channel with a larger {longer}, or split the record"
        ))
    }
}
