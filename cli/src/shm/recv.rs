//! `ringmail recv`: a channel's records to standard output.

use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

use clap::Args;
use ringmail::shm::bytes::Batch;
use ringmail::shm::{Cause, ChannelInfo, Peer};

use super::channel::Channel;
use super::exit::{DAMAGED, GAVE_UP, LOST, PEER_GONE, REMOVED, how, records, warn};
use super::signals::{self, CHUNK, Stream, TICK};
use super::source::{News, Session, Source};
use crate::failure::Failure;

// At most 79 columns a line, as in `send`.
pub(super) const HELP: &str = "\
One run takes one session, that is, one run of `send`: the oldest one that no
receiver has taken, even if it is empty or has ended, or else the next one.
From a channel for many senders it takes every session that it finds, until
all have ended. With --follow it goes on with the next sender.

From a channel for several receivers (--receivers, or `send --to all`) each gets
every record from when it came; what it has not written when it is killed is lost
to it, and to no other.

With --tap it only reads: from a channel of `send --to taps`, or a program's
u32, u64, i64, f64 or bool (shm::lossy). It waits until there is one. A tap
that is slow loses records, counts them, and goes on in the middle of those
that are kept; it says so on standard error, at most once a second and at the
end.

A record leaves a channel for one receiver once it has been written.
  sender killed        all that it had sent is written
  receiver killed      nothing is lost; the next receiver gets the records
                       that were being written, about 64 KiB, again
  either side stopped  the other one waits

Exit codes:
  0      the session ended in order and all of it was written; or --count
         records were written; or the reader has left, as in `| head`
  1      the channel could not be used, it is damaged, or the output could not
         be written
  2      bad arguments
  3      the sender died; all that it had sent was written
  4      the sender ended before the end of its input, or how it ended is not
         recorded any more; all that it had sent was written
  5      the channel was removed
  6      as 0, but records were lost (--tap)
  128+n  ended by signal n (130: Ctrl-C); what was not written waits
With several senders the worst code counts: 1, then 3, then 4.

RINGMAIL_DIR names the directory of channels with plain names.";

#[derive(Debug, Args)]
pub(crate) struct Recv {
    #[command(flatten)]
    channel: Channel,
    /// End after N records, or at the end of the session if that comes first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Go on with the next sender; report on standard error each one that did not end in order
    #[arg(long)]
    follow: bool,
    /// Read a channel that `send --to taps` or a program made (`shm::lossy`) so that its sender cannot notice: for reading only, without
    /// a lock. Begins with what is sent from now on; what is written over first is lost, and counted
    #[arg(long, conflicts_with_all = ["capacity", "senders", "receivers", "max_bytes"])]
    tap: bool,
    /// Begin with the oldest record that is kept
    #[arg(long, requires = "tap")]
    from_oldest: bool,
}

/// The exit code.
pub(super) fn run(args: &Recv) -> Result<u8, Failure> {
    signals::watch()?;
    let output = Stream::new(&io::stdout(), "output")?;
    let opened = match args.tap {
        true => args.channel.open_tap(args.from_oldest)?,
        false => Some(args.channel.open_receiver()?),
    };
    let Some((mut source, before)) = opened else { return Ok(signals::caught().unwrap_or_default()) };
    let output = Output { to: output, framed: args.channel.length_framed, chunk: Vec::with_capacity(CHUNK) };
    let mut passed = Passed { written: 0, lost: Lost::default() };
    let result = pump(args, &mut source, output, before.as_ref(), &mut passed);
    match result {
        // A failed sender does not make this side fail.
        Ok(0) | Err(Failure { code: PEER_GONE | GAVE_UP, .. }) => source.close(),
        _ => source.give_up(),
    }
    passed.verdict(result)
}

/// Records that are behind this command.
struct Passed {
    written: u64,
    lost: Lost,
}

impl Passed {
    /// How the command ends, also for what it lost.
    fn verdict(&self, result: Result<u8, Failure>) -> Result<u8, Failure> {
        let (written, lost) = (records(self.written), records(self.lost.count));
        match result {
            result if self.lost.count == 0 => result,
            Ok(0) => {
                let message =
                    format!("{lost} lost: the sender wrote over what was not read in time; {written} written");
                Err(Failure { code: LOST, message })
            }
            result => {
                warn(format_args!("warning: {lost} lost"));
                result
            }
        }
    }
}

/// Records that were written over.
#[derive(Default)]
struct Lost {
    count: u64,
    told: Option<Instant>,
}

impl Lost {
    /// Counts them, and reports the count at most once a second.
    fn add(&mut self, count: u64) {
        self.count = self.count.saturating_add(count);
        if self.told.is_none_or(|told| told.elapsed() >= Duration::from_secs(1)) {
            self.told = Some(Instant::now());
            warn(format_args!("warning: {} lost so far", records(self.count)));
        }
    }
}

fn pump(
    args: &Recv,
    source: &mut Source,
    mut output: Output,
    before: Option<&ChannelInfo>,
    passed: &mut Passed,
) -> Result<u8, Failure> {
    let (is_many, may_miss) = (matches!(source, Source::Many(_)), matches!(source, Source::Listener(_)));
    let (mut met, mut strange) = (0, 0);
    let mut worst = None;
    loop {
        if let Some(code) = signals::caught() {
            return Ok(code);
        }
        match source.wait(TICK) {
            News::Nothing => {}
            News::Lost(count) => passed.lost.add(count),
            News::Record => {
                let left = args.count.map_or(u64::MAX, |count| count - passed.written);
                match output.copy(source, left) {
                    Ok(n) => passed.written += n,
                    Err(_) if signals::caught().is_some() => {}
                    // The reader has seen enough, as in `| head`. The sender is told that this is not the end of the session.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                        source.give_up();
                        return Ok(0);
                    }
                    Err(error) => return Err(Failure::failed(format!("cannot write to standard output: {error}"))),
                }
                if args.count == Some(passed.written) {
                    return Ok(0);
                }
            }
            News::Removed => {
                let message = format!("the channel was removed: {} written", records(passed.written));
                return Err(Failure { code: REMOVED, message });
            }
            News::Session(session) if was_taken(&session, before) => {}
            News::Session(session) => {
                met += 1;
                if let Some(failure) = verdict(&session, passed.written, may_miss) {
                    // A damaged channel has no next session.
                    if !is_many && (!args.follow || failure.code == DAMAGED) {
                        return Err(failure);
                    }
                    warn(format_args!("warning: {}", failure.message));
                    strange += 1;
                    worst = [DAMAGED, PEER_GONE, GAVE_UP]
                        .into_iter()
                        .find(|&code| Some(code) == worst || code == failure.code);
                }
                if !is_many && !args.follow {
                    return Ok(0);
                }
            }
            News::All if met == 0 || args.follow => {}
            News::All => {
                let written = records(passed.written);
                let message = format!("{strange} of {met} sessions did not end in order: {written} written");
                return worst.map_or(Ok(0), |code| Err(Failure { code, message }));
            }
        }
    }
}

/// Whether a session needs no report: it was over before this command opened the channel, and an earlier receiver took all of its records
/// and left in order, as after `--count`.
fn was_taken(session: &Session, before: Option<&ChannelInfo>) -> bool {
    let Some(before) = before.filter(|before| before.receiver.state == Peer::Left) else { return false };
    let Some(lane) = before.lanes.get(session.lane) else { return false };
    let was_over = lane.sessions.iter().any(|old| old.info.number == session.number && old.ended.is_some());
    let none_was_left =
        session.received == lane.stats.received && session.start.is_some_and(|start| start < session.received);
    session.how == Cause::Closed && was_over && none_was_left
}

/// The failure that a session's end means; `None` if it ended in order. One that leaves records there for others (`may_miss`) may have come after the
/// session began.
fn verdict(session: &Session, written: u64, may_miss: bool) -> Option<Failure> {
    let Session { how: ended, who, .. } = session;
    let (code, rest) = match ended {
        Cause::Closed => return None,
        Cause::PeerDied => (PEER_GONE, ""),
        Cause::GivenUp => (GAVE_UP, "it ended before the end of its input"),
        Cause::Forgotten { sessions } => {
            let written = records(written);
            let message = format!(
                "{sessions} sessions have ended, and how they ended is not recorded any more: {written} written"
            );
            return Some(Failure { code: GAVE_UP, message });
        }
        _ => return Some(Failure::failed(format!("{who}: {ended}"))),
    };
    let mut message = format!("{who} {}: {} written", how(*ended), records(written));
    let whole = if may_miss { "" } else { "nothing that it sent is missing" };
    match (whole, rest) {
        ("", "") => {}
        (part, "") | ("", part) => message += &format!("; {part}"),
        (whole, rest) => message += &format!("; {whole}, but {rest}"),
    }
    Some(Failure { code, message })
}

/// Records on their way to standard output.
struct Output {
    to: Stream,
    framed: bool,
    chunk: Vec<u8>,
}

impl Output {
    /// Writes the records that are there, at most `left`, in one call. Returns how many.
    fn copy(&mut self, source: &mut Source, left: u64) -> io::Result<u64> {
        match source {
            Source::One(rx) => self.move_out(rx.batch(), left),
            Source::Many(rx) => rx.batch().map_or(Ok(0), |(_, batch)| self.move_out(batch, left)),
            Source::Listener(rx) => {
                let mut taken = 0;
                self.chunk.clear();
                rx.take(&mut |body| {
                    self.put(body);
                    taken += 1;
                    taken < left && self.chunk.len() < CHUNK
                });
                self.to.write_all(&self.chunk).map(|()| taken)
            }
        }
    }

    /// The records leave the channel once they are written.
    fn move_out(&mut self, mut batch: Batch<'_>, left: u64) -> io::Result<u64> {
        let (mut body, mut taken) = (Vec::new(), 0);
        self.chunk.clear();
        // An end is reported by the next wait.
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
