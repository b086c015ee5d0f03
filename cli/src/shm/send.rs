//! `ringmail send`: standard input into a channel.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::time::Instant;

use clap::Args;
use ringmail::shm::bytes::{SendError, Sender};
use ringmail::shm::{Cause, Peer};

use super::channel::Channel;
use super::exit::{GAVE_UP, PEER_GONE, REMOVED, how, records, warn};
use super::signals::{self, CHUNK, Stream, TICK};
use crate::failure::Failure;

// Lines of at most 79 columns: a terminal breaks longer ones in the middle of a table.
pub(super) const HELP: &str = "\
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

#[derive(Debug, Args)]
pub(crate) struct Send {
    #[command(flatten)]
    channel: Channel,
    /// When the receiver dies or leaves, wait for the next one and go on
    #[arg(long)]
    wait: bool,
}

/// The exit code.
pub(super) fn run(args: &Send) -> Result<u8, Failure> {
    signals::watch()?;
    let channel = &args.channel;
    let input = Stream::new(&io::stdin(), "input")?;
    let mut tx = channel.open_sender()?;
    let max = tx.max_len();
    let input = Input { from: BufReader::with_capacity(CHUNK, input), framed: channel.length_framed, max };
    let result = pump(input, &mut tx, args.wait);
    match result {
        Ok(0) => tx.close(),
        // Not all of the input was sent: this is reported to the receiver.
        _ => tx.give_up(),
    }
    result
}

fn pump(mut input: Input, tx: &mut Sender, waits: bool) -> Result<u8, Failure> {
    let mut record = Vec::new();
    let mut sent = 0;
    let began = tx.stats().sent;
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
            Ok(true) if tx.peer() == Peer::Removed => return Err(removed(sent, "the rest of the input was not")),
            Ok(true) => looked = Instant::now(),
            Ok(false) if tx.peer() == Peer::Removed && tx.stats().received < tx.stats().sent => {
                return Err(removed(sent, "not everything was received"));
            }
            Ok(false) => return Ok(0),
            Err(error) => {
                let message = format!("record {} of standard input: {error}; {} sent", sent + 1, records(sent));
                return Err(Failure { code: GAVE_UP, message });
            }
        }
        while let Err(error) = tx.send_timeout(&record, TICK) {
            match error {
                SendError::Timeout => {}
                // That receiver belonged to the session before. It was about to leave when this command opened the channel.
                SendError::Disconnected(Cause::Closed) if tx.stats().received <= began => {}
                // A receiver that leaves because the file is gone closes in order.
                SendError::Disconnected(_) if tx.peer() == Peer::Removed => after(Cause::Removed, sent, waits)?,
                SendError::Disconnected(ended) => after(ended, sent, waits)?,
                SendError::TooLarge(error) => return Err(Failure::failed(error.to_string())),
                // No other errors exist.
                _ => return Err(Failure::failed(error.to_string())),
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
            return Err(too_long("the line", self.max));
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
            return Err(too_long(&format!("the length {len}"), self.max));
        }
        record.resize(len, 0);
        self.from.read_exact(record).map_err(cut)?;
        Ok(true)
    }
}

fn too_long(what: &str, max: usize) -> io::Error {
    io::Error::other(format!(
        "{what} exceeds the limit of {max} bytes: make the channel with a larger --capacity, or split the record"
    ))
}
