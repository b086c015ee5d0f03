//! `ringmail recv`: a channel's records to standard output.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::thread::sleep;

use ringmail::shm::bytes::Receiver;
use ringmail::shm::{Ended, RecvError, TryRecvError};

use super::shared::{Shared, Verdict};
use super::{CHUNK, INTERRUPTED, MOMENT, PEER_GONE, TICK, refused, unbuffered};
use crate::Failure;

pub(super) fn run(args: &super::Recv) -> Result<ExitCode, Failure> {
    let channel = &args.channel;
    let output = unbuffered(&io::stdout(), "output")?;
    let rx = channel.builder().open_receiver().map_err(refused)?;
    let shared = Shared::watch(&channel.name, rx)?;
    let output = Output { to: output, framed: channel.length_framed, chunk: Vec::with_capacity(CHUNK) };
    let result = pump(&shared, output, args.count);
    // The handler of signals has a part in it, so that it is not dropped.
    shared.lock().close();
    result
}

fn pump(shared: &Shared<Receiver>, mut output: Output, count: Option<u64>) -> Result<ExitCode, Failure> {
    let mut written = 0;
    while !shared.stopped() {
        let mut rx = shared.lock();
        let mut ended = match rx.wait_for_record(TICK) {
            Ok(()) => None,
            Err(RecvError::Timeout) => continue,
            Err(RecvError::Ended(ended)) => Some(ended),
        };
        if ended.is_none() {
            let left = count.map_or(u64::MAX, |count| count - written);
            match output.copy(&mut rx, left) {
                Ok((n, end)) => (written, ended) = (written + n, end),
                // Whoever reads has seen enough, as in `| head`.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
                Err(error) => return Err(Failure::failed(format!("cannot write to standard output: {error}"))),
            }
            if count == Some(written) {
                return Ok(ExitCode::SUCCESS);
            }
        }
        let Some(ended) = ended else { continue };
        match shared.judge(ended, written != 0)? {
            Verdict::Here => {
                if ended == Ended::PeerDied {
                    // Nobody is left to tell if standard error is gone too.
                    let _ = writeln!(io::stderr(), "warning: the sender has died, another has taken its place");
                }
                drop(rx);
                sleep(MOMENT);
            }
            Verdict::NotYet => {
                rx.wait_for_peer(TICK);
            }
            // Sent by one that came and went since the channel said so.
            _ if !rx.is_empty() => {}
            Verdict::Left => return Ok(ExitCode::SUCCESS),
            Verdict::Died => {
                let message = format!("the sender has died: {written} records were written, all that it sent");
                return Err(Failure { code: PEER_GONE, message });
            }
        }
    }
    Ok(ExitCode::from(INTERRUPTED))
}

/// Records on their way to standard output.
struct Output {
    to: File,
    framed: bool,
    chunk: Vec<u8>,
}

impl Output {
    /// Writes the records that there are, `left` at most, in one go. They leave the channel once they have been written. Returns how many,
    /// and whether that was the end.
    fn copy(&mut self, rx: &mut Receiver, left: u64) -> io::Result<(u64, Option<Ended>)> {
        let (mut body, mut taken) = (Vec::new(), 0);
        let mut batch = rx.batch();
        self.chunk.clear();
        let ended = loop {
            if taken == left || self.chunk.len() >= CHUNK {
                break None;
            }
            match batch.try_recv_into(&mut body) {
                Ok(_) => self.put(&body),
                Err(TryRecvError::Empty) => break None,
                Err(TryRecvError::Ended(ended)) => break Some(ended),
            }
            taken += 1;
        };
        self.to.write_all(&self.chunk)?;
        Ok((batch.commit(), ended))
    }

    fn put(&mut self, body: &[u8]) {
        if self.framed {
            // A record's length is a u32.
            self.chunk.extend_from_slice(&(body.len() as u32).to_le_bytes());
        }
        self.chunk.extend_from_slice(body);
        if !self.framed {
            self.chunk.push(b'\n');
        }
    }
}
