//! `ringmail recv`: a channel's records to standard output.

use std::io::{self, ErrorKind, Write};

use ringmail::shm::bytes::Batch;
use ringmail::shm::{Cause, Overview, Peer};

use super::channel::{News, Session, Source};
use super::signals::{self, Stream};
use super::{CHUNK, DAMAGED, GAVE_UP, PEER_GONE, REMOVED, TICK, how, warn};
use crate::Failure;

/// The exit code.
pub(super) fn run(args: &super::Recv) -> Result<u8, Failure> {
    signals::watch()?;
    let output = Stream::new(&io::stdout(), "output")?;
    let (mut source, before) = args.channel.open_receiver()?;
    let output = Output { to: output, framed: args.channel.length_framed, chunk: Vec::with_capacity(CHUNK) };
    let result = pump(args, &mut source, output, before.as_ref());
    match result {
        // A sender that goes wrong is no fault of this side's.
        Ok(0) | Err(Failure { code: PEER_GONE | GAVE_UP, .. }) => source.close(),
        _ => source.give_up(),
    }
    result
}

fn pump(args: &super::Recv, source: &mut Source, mut output: Output, before: Option<&Overview>) -> Result<u8, Failure> {
    let is_one = matches!(source, Source::One(_));
    let (mut written, mut met, mut strange) = (0, 0, 0);
    let mut worst = None;
    loop {
        if let Some(code) = signals::caught() {
            return Ok(code);
        }
        match source.wait(TICK) {
            News::Nothing => {}
            News::Record => {
                let left = args.count.map_or(u64::MAX, |count| count - written);
                match source.batch().map_or(Ok(0), |batch| output.copy(batch, left)) {
                    Ok(n) => written += n,
                    Err(_) if signals::caught().is_some() => {}
                    // Whoever reads has seen enough, as in `| head`. The sender is told that this is not the end of the session.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                        source.give_up();
                        return Ok(0);
                    }
                    Err(error) => return Err(Failure::failed(format!("cannot write to standard output: {error}"))),
                }
                if args.count == Some(written) {
                    return Ok(0);
                }
            }
            News::Removed => {
                let message = format!("the channel was removed: {written} records were written");
                return Err(Failure { code: REMOVED, message });
            }
            News::Session(session) if was_taken(&session, before) => {}
            News::Session(session) => {
                met += 1;
                if let Some(failure) = verdict(&session, written) {
                    // One that is damaged has no next session.
                    if is_one && (!args.follow || failure.code == DAMAGED) {
                        return Err(failure);
                    }
                    warn(format_args!("warning: {}", failure.message));
                    strange += 1;
                    worst = [DAMAGED, PEER_GONE, GAVE_UP]
                        .into_iter()
                        .find(|&code| Some(code) == worst || code == failure.code);
                }
                if is_one && !args.follow {
                    return Ok(0);
                }
            }
            News::All if met == 0 || args.follow => {}
            News::All => {
                let message =
                    format!("{strange} of {met} sessions did not end in order: {written} records were written");
                return worst.map_or(Ok(0), |code| Err(Failure { code, message }));
            }
        }
    }
}

/// Whether nothing is to be told of a session: it was over before this command came, and an earlier one took all of its records and left in
/// order, as after `--count`.
fn was_taken(session: &Session, before: Option<&Overview>) -> bool {
    let Some(before) = before.filter(|before| before.receiver.state == Peer::Left) else { return false };
    let Some(lane) = before.lanes.get(session.lane) else { return false };
    let was_over = lane.sessions.iter().any(|old| old.info.number == session.number && old.ended.is_some());
    let none_was_left =
        session.received == lane.stats.received && session.start.is_some_and(|start| start < session.received);
    session.how == Cause::Closed && was_over && none_was_left
}

/// What a session's end comes to; `None` if it ended in order.
fn verdict(session: &Session, written: u64) -> Option<Failure> {
    let Session { how: ended, who, .. } = session;
    let (code, rest) = match ended {
        Cause::Closed => return None,
        Cause::PeerDied => (PEER_GONE, "nothing that it sent is missing"),
        Cause::GivenUp => (GAVE_UP, "nothing that it sent is missing, but it did not send all that it was to"),
        Cause::Forgotten { sessions } => {
            let message =
                format!("{sessions} sessions have ended, and how is not kept any more: {written} records were written");
            return Some(Failure { code: GAVE_UP, message });
        }
        _ => return Some(Failure::failed(format!("{who}: {ended}"))),
    };
    Some(Failure { code, message: format!("{who} {}: {written} records were written; {rest}", how(*ended)) })
}

/// Records on their way to standard output.
struct Output {
    to: Stream,
    framed: bool,
    chunk: Vec<u8>,
}

impl Output {
    /// Writes the records that there are, `left` at most, in one go. They leave the channel once they have been written. Returns how many.
    fn copy(&mut self, mut batch: Batch<'_>, left: u64) -> io::Result<u64> {
        let (mut body, mut taken) = (Vec::new(), 0);
        self.chunk.clear();
        // What else there is to say is said by the next wait.
        while taken < left && self.chunk.len() < CHUNK && batch.try_recv_into(&mut body).is_ok() {
            self.put(&body);
            taken += 1;
        }
        self.to.write_all(&self.chunk)?;
        Ok(batch.commit())
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
