//! `ringmail send`: standard input into a channel.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use std::time::Instant;

use ringmail::shm::bytes::{SendError, Sender};
use ringmail::shm::{Cause, Peer};

use super::signals::{self, Stream};
use super::{CHUNK, GAVE_UP, PEER_GONE, REMOVED, TICK, how, warn};
use crate::Failure;

/// The exit code.
pub(super) fn run(args: &super::Send) -> Result<u8, Failure> {
    signals::watch()?;
    let channel = &args.channel;
    let input = Stream::new(&io::stdin(), "input")?;
    let mut tx = channel.open_sender()?;
    let max = tx.max_len();
    let input = Input { from: BufReader::with_capacity(CHUNK, input), framed: channel.length_framed, max };
    let result = pump(input, &mut tx, args.wait);
    match result {
        Ok(0) => tx.close(),
        // Not all was sent that was to be: the receiver is told.
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
        // A record that a signal cut short is none.
        if let Some(code) = signals::caught() {
            return Ok(code);
        }
        match read {
            // As long as there is room, no send says that the file is gone.
            Ok(true) if looked.elapsed() < TICK => {}
            Ok(true) if tx.peer() == Peer::Removed => return Err(removed(sent, "the rest of the input was not")),
            Ok(true) => looked = Instant::now(),
            Ok(false) if tx.peer() == Peer::Removed && tx.stats().received < tx.stats().sent => {
                return Err(removed(sent, "not all of them were received"));
            }
            Ok(false) => return Ok(0),
            Err(error) => {
                let message = format!("record {} of standard input: {error}; {sent} records were sent", sent + 1);
                return Err(Failure { code: GAVE_UP, message });
            }
        }
        while let Err(error) = tx.send_timeout(&record, TICK) {
            match error {
                SendError::Timeout => {}
                // That receiver was about to leave when this command came, with the session before.
                SendError::Disconnected(Cause::Closed) if tx.stats().received <= began => {}
                // A receiver that leaves for that reason says only that it leaves.
                SendError::Disconnected(_) if tx.peer() == Peer::Removed => after(Cause::Removed, sent, waits)?,
                SendError::Disconnected(ended) => after(ended, sent, waits)?,
                SendError::TooLarge(error) => return Err(Failure::failed(error.to_string())),
                // There are no others.
                _ => return Err(Failure::failed(error.to_string())),
            }
            if let Some(code) = signals::caught() {
                return Ok(code);
            }
        }
        sent += 1;
    }
}

/// The channel's file is gone, and `what` of the input was not done.
fn removed(sent: u64, what: &str) -> Failure {
    let message = format!("the channel was removed: {sent} records were sent, {what}");
    Failure { code: REMOVED, message }
}

/// Whether to go on after a receiver's end was told, with as many records sent.
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
        "the receiver {what}: {sent} records were sent, the rest of the input was not; what it has not received waits for the next one"
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
            return Err(too_long("a line that long", self.max));
        }
        Ok(true)
    }

    /// Four bytes of length, little-endian, and as many bytes.
    fn frame(&mut self, record: &mut Vec<u8>) -> io::Result<bool> {
        if self.from.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let cut = |error: io::Error| match error.kind() {
            ErrorKind::UnexpectedEof => io::Error::other("the input ends in the middle of it"),
            _ => error,
        };
        let mut len = [0; 4];
        self.from.read_exact(&mut len).map_err(cut)?;
        let len = u32::from_le_bytes(len) as usize;
        if len > self.max {
            return Err(too_long(&format!("{len} bytes"), self.max));
        }
        record.resize(len, 0);
        self.from.read_exact(record).map_err(cut)?;
        Ok(true)
    }
}

fn too_long(what: &str, max: usize) -> io::Error {
    io::Error::other(format!(
        "{what} can never fit, {max} bytes can: make the channel with a larger --capacity, or split it"
    ))
}
