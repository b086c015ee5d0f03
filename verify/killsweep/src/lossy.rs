//! The sweep of `shm::lossy`: its sender is killed at every point, twice in a row, and followed by one that is not.
//!
//! Its receivers do nothing that another process can see, so there is no point of theirs. What must hold at every point of the sender:
//! * no message is torn, out of order, or missing whose send has returned; the receiver gets all that the next sender counts;
//! * the end of each session that had begun is told once, with its right cause;
//! * the next sender uses no number twice.

use crate::child::failpoint;
use crate::directory::Name;
use crate::limits::{STALL, STEP, most_were_prompt, note_end};
use crate::message::Words;
use crate::points::{self, Found};
use crate::wanted::Wanted;
use ringmail::shm::lossy::{Builder, Receiver, Seen, Sender};
use ringmail::shm::{Cause, OpenError, RecvTimeoutError};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Messages of the channel: a third of what one child sends, twice the batch of a slice.
const CAPACITY: usize = 8;
/// Messages that a child sends one by one, and in a slice.
const SINGLE: u64 = 3;
const SLICE: u64 = 7;

/// After so many the sweep ends.
const MOST_VIOLATIONS: u64 = 100;

fn builder(channel: &str) -> Builder<Words> {
    Builder::new(channel).capacity(CAPACITY)
}

/// The child: killed at point `at`, of none if that is 0.
pub(crate) fn child(channel: &str, at: &str) -> ExitCode {
    failpoint::arm(at.parse().expect("a number"));
    let mut tx = builder(channel).open_sender().expect("the sending side");
    for _ in 0..SINGLE {
        tx.send(Words::new(tx.sent()));
    }
    let next = tx.sent();
    tx.send_slice(&(next..next + SLICE).map(Words::new).collect::<Vec<_>>());
    tx.close();
    ExitCode::SUCCESS
}

/// Whether the child was killed.
fn run(channel: &str, at: u64) -> Result<bool, String> {
    let mut child = Command::new("/proc/self/exe");
    child.args(["lossy-child", channel, &at.to_string()]).stdin(Stdio::null());
    let ended = child.status().map_err(|error| format!("no child: {error}"))?;
    match (ended.success(), ended.signal()) {
        (true, _) => Ok(false),
        (_, Some(9)) => Ok(true),
        _ => Err(format!("the child ended with {ended}")),
    }
}

/// A receiver and what it has seen.
struct Reader(Receiver<Words>);

impl Reader {
    /// Takes what there is, and what is told at its end; until nothing comes for `step`.
    fn drain(&mut self, step: Duration) -> Result<Option<Cause>, String> {
        loop {
            let number = self.0.position();
            match self.0.recv_timeout(step) {
                Ok(Seen::Message(words)) => match words.number()? {
                    found if found == number => {}
                    found => return Err(format!("message {number} is {found}")),
                },
                // One child sends more than the channel keeps.
                Ok(Seen::Lost(count)) if count <= SINGLE + SLICE => {}
                Ok(Seen::Lost(count)) => return Err(format!("{count} lost of {}", SINGLE + SLICE)),
                Err(RecvTimeoutError::Disconnected(cause)) => return Ok(Some(cause)),
                Err(RecvTimeoutError::Timeout) => return Ok(None),
            }
        }
    }

    /// After a child: whether it was killed, by what is told of its session, the `epoch`th.
    fn check(&mut self, killed: bool, epoch: u64) -> Result<(), String> {
        let begun = self.0.session().is_some_and(|session| session.number == epoch);
        // One that was killed before its session began is not told.
        let over = Instant::now();
        let told = self.drain(if begun { STALL } else { STEP })?;
        if begun {
            note_end(over.elapsed());
        }
        match (told, killed) {
            (Some(Cause::PeerDied), true) | (Some(Cause::Closed), _) if begun => {}
            (None, true) if !begun => {}
            (told, _) => return Err(format!("told {told:?}; session {epoch} had begun: {begun}")),
        }
        match self.0.latest().map_err(|cause| cause.to_string())? {
            Some((number, words)) if number + 1 == self.0.position() && words.number()? == number => Ok(()),
            latest => Err(format!("the newest is {latest:?} at {}", self.0.position())),
        }
    }
}

/// Whether there is such a point.
fn at_point(name: &Name, at: u64) -> Result<bool, String> {
    let open = || builder(&name.channel).open_sender().map_err(|error: OpenError| error.to_string());
    let mut tx: Sender<Words> = open()?;
    let receiver = builder(&name.channel).open_receiver().map_err(|error| error.to_string())?;
    let mut reader = Reader(receiver);
    (0..2).for_each(|number| tx.send(Words::new(number)));
    drop(tx);
    reader.check(false, 1)?;
    let mut epoch = 1;
    let mut killed = true;
    // The second comes after one that was killed, and is killed in turn.
    for _ in 0..2 {
        let before = reader.0.position();
        killed &= run(&name.channel, at)?;
        let next = reader.0.session().map_or(epoch, |session| session.number.max(epoch + 1));
        reader.check(killed, next)?;
        epoch = next;
        if !killed && reader.0.position() != before + SINGLE + SLICE {
            return Err(format!("{} of {before} and {} more", reader.0.position(), SINGLE + SLICE));
        }
        if !killed {
            break;
        }
    }
    let mut tx = open()?;
    if tx.sent() != reader.0.position() {
        return Err(format!("the next sender goes on at {}, the receiver at {}", tx.sent(), reader.0.position()));
    }
    tx.send(Words::new(tx.sent()));
    drop(tx);
    match reader.drain(STALL)? {
        Some(Cause::Closed) => Ok(killed),
        told => Err(format!("the last sender closed, and {told:?} was told")),
    }
}

/// Each point, several at a time.
pub(crate) fn sweep(wanted: Wanted<'_>) -> ExitCode {
    let Found { points, violations } =
        points::sweep("lossy", MOST_VIOLATIONS, wanted, |at| at_point(&Name::of(&format!("lossy-{at}"))?, at));
    let prompt = most_were_prompt("lossy");
    println!("lossy: {points} points, {violations} violations");
    if violations == 0 && points != 0 && prompt { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
