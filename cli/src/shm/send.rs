//! `ringmail send`: standard input into a channel.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::process::ExitCode;
use std::thread::sleep;

use ringmail::shm::bytes::{SendError, Sender};

use super::shared::{Shared, Verdict};
use super::{CHUNK, INTERRUPTED, MOMENT, PEER_GONE, TICK, refused, unbuffered};
use crate::Failure;

pub(super) fn run(args: &super::Send) -> Result<ExitCode, Failure> {
    let channel = &args.channel;
    let input = unbuffered(&io::stdin(), "input")?;
    let tx = channel.builder().open_sender().map_err(refused)?;
    let max = tx.max_len();
    let shared = Shared::watch(&channel.name, tx)?;
    let input = Input { from: BufReader::with_capacity(CHUNK, input), framed: channel.length_framed, max };
    let result = pump(input, &shared);
    // The handler of signals has a part in it, so that it is not dropped.
    shared.lock().close();
    result
}

fn pump(mut input: Input, shared: &Shared<Sender>) -> Result<ExitCode, Failure> {
    let mut record = Vec::new();
    let mut sent = 0;
    while input.next(&mut record, sent)? {
        if !send(shared, &record, sent)? {
            return Ok(ExitCode::from(INTERRUPTED));
        }
        sent += 1;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether it was sent; if not, a signal came.
fn send(shared: &Shared<Sender>, record: &[u8], sent: u64) -> Result<bool, Failure> {
    while !shared.stopped() {
        let ended = match shared.lock().send_timeout(record, TICK) {
            Ok(()) => return Ok(true),
            Err(SendError::Timeout) => continue,
            Err(SendError::Ended(ended)) => ended,
            Err(other) => return Err(Failure::failed(format!("record {}: {other}", sent + 1))),
        };
        let how = match shared.judge(ended, false)? {
            Verdict::Here => {
                sleep(MOMENT);
                continue;
            }
            Verdict::NotYet => {
                shared.lock().wait_for_peer(TICK);
                continue;
            }
            Verdict::Left => "closed",
            Verdict::Died => "died",
        };
        let message = format!(
            "the receiver has {how}: {sent} records were sent, the rest of the input was not; what it has not received waits for the next one"
        );
        return Err(Failure { code: PEER_GONE, message });
    }
    Ok(false)
}

/// Standard input as records.
struct Input {
    from: BufReader<File>,
    framed: bool,
    /// Longest record.
    max: usize,
}

impl Input {
    /// Reads the next record, after `before` others. Whether there was one.
    fn next(&mut self, record: &mut Vec<u8>, before: u64) -> Result<bool, Failure> {
        record.clear();
        let read = if self.framed { self.frame(record) } else { self.line(record) };
        read.map_err(|error| Failure::failed(format!("record {} of standard input: {error}", before + 1)))
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
