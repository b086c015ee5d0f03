//! How long a receiver takes to run again after a message was sent to it, beside a bare futex.
//!
//! ```text
//!   sender     gap | send ─────────────┐    sees the answer | gap | send …
//!   receiver   ...waits...             └> runs, reads the clock, answers | waits …
//!
//!   slices     futex | channel A | futex | channel B | futex | channel A …
//! ```
//!
//! Both threads are pinned, and live as long as the run. The sender never sleeps: it spins through the gap, then reads the clock and sends. The
//! receiver reads the clock once it has the message, and stores that where the sender sees it. A time is the difference of two clocks; `offset`
//! bounds what that adds.
//!
//! Each message names the subject over which the next one comes, so the receiver needs no schedule. It waits without a timeout, as
//! programs do: the sender gives up after [`PATIENCE`], and what it drops then ends any wait of the receiver.

mod executor;
mod futex;
mod mesh;
mod offset;
mod receiver;
mod sender;
#[cfg(target_pointer_width = "64")]
mod shared;
mod subject;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use ringmail::affinity::spawn_pinned;

use super::clock::Clock;
use super::plan::PATIENCE;
use super::round_trip::StopReason;
use crate::placement::{Memory, Placement};
use crate::report::WakeRow;
use receiver::receive;
use sender::Sending;
pub(crate) use subject::{CAPACITY, Subject, Way};
use subject::{Ends, Openings, Receives, Sends, build};

/// Bytes of a message.
pub(crate) const PAYLOAD: usize = size_of::<u32>();

/// What a message says instead of the next subject: there is none.
const QUIT: u8 = 0xFE;

/// Rounds that each gap gets, however long they take.
pub(crate) const FEWEST_ROUNDS: u32 = 3;

/// What to measure.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// The sender's and the receiver's.
    pub(crate) cores: [usize; 2],
    pub(crate) contenders: Vec<(Subject, Way)>,
    pub(crate) steps: Vec<Step>,
    pub(crate) clock: Clock,
    pub(crate) quantum_ns: f64,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) placement: Placement,
}

/// One gap between messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) idle: Duration,
    pub(crate) time: Duration,
}

/// What was measured.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) clock_offset_ns: [f64; 2],
    pub(crate) rows: Vec<WakeRow>,
    /// A thread was found on another core.
    pub(crate) migrated: bool,
}

/// Messages in a slice after this gap: short enough for the machine to stay as it is.
pub(crate) fn messages_per_slice(idle: Duration) -> u32 {
    const SLICE: f64 = 1e-3;
    (SLICE / (idle.as_secs_f64() + 2e-6)).clamp(1.0, 64.0) as u32
}

/// Where the two threads meet, besides the subjects.
#[derive(Debug, Default)]
struct Shared {
    meeting: offset::Meeting,
    answer: CachePadded<Answer>,
}

/// Written by the receiver.
#[derive(Debug, Default)]
struct Answer {
    /// The number of the last message received; after the other two.
    number: AtomicU64,
    /// The clock as the receiver had it.
    received: AtomicU64,
    /// Times that the receiver's thread has slept.
    sleeps: AtomicU64,
}

/// Runs the job.
pub(crate) fn run(job: &Job) -> Result<Outcome, String> {
    let shared = Arc::new(Shared::default());
    // Each channel has a futex of its own, so that its lines and the futex's have been used as recently.
    let (futex_senders, futex_receivers): (Vec<_>, Vec<_>) = job.contenders.iter().map(|_| futex::pair()).unzip();
    // Built by one of the two, as `--memory` says, which gives the other its ends.
    let (to_sender, at_sender) = mpsc::sync_channel(1);
    let (to_receiver, at_receiver) = mpsc::sync_channel(1);
    let [sending, receiving] = [job.clone(), job.clone()];
    let shared_there = Arc::clone(&shared);
    let receiver = spawn_pinned(job.cores[1], move || {
        receiving.placement.enter()?;
        let openings = if receiving.placement.memory() == Memory::Sender {
            at_receiver.recv_timeout(PATIENCE).map_err(|_| StopReason::Gone)?
        } else {
            let Built { senders, receivers } = receiving.build()?;
            to_sender.send(senders).map_err(|_| StopReason::Gone)?;
            receivers
        };
        let mut subjects: Vec<Box<dyn Receives>> = Vec::new();
        for (futex, open) in futex_receivers.into_iter().zip(openings) {
            subjects.extend([Box::new(futex), open()?]);
        }
        receive(&receiving, subjects, &shared_there)
    })
    .map_err(|error| error.to_string())?;
    let sender = spawn_pinned(job.cores[0], move || {
        sending.placement.enter()?;
        let openings = if sending.placement.memory() == Memory::Sender {
            let Built { senders, receivers } = sending.build()?;
            to_receiver.send(receivers).map_err(|_| StopReason::Gone)?;
            senders
        } else {
            at_sender.recv_timeout(PATIENCE).map_err(|_| StopReason::Gone)?
        };
        let mut subjects: Vec<Box<dyn Sends>> = Vec::new();
        for (futex, open) in futex_senders.into_iter().zip(openings) {
            subjects.extend([Box::new(futex), open()?]);
        }
        Sending::new(&sending, subjects, &shared).run()
    });
    // If the sender does not start, what it holds is dropped, and the receiver ends by itself.
    let sent = sender.map(|thread| thread.join());
    let received = receiver.join();
    match (sent.map_err(|error| error.to_string())?, received) {
        (Err(_), _) | (_, Err(_)) => Err("a measuring thread panicked; please report this".to_owned()),
        // The receiver's reason, unless it only noticed that the sender had left.
        (_, Ok(Err(reason))) if reason != StopReason::Gone => Err(reason.to_string()),
        (Ok(Err(reason)), _) | (_, Ok(Err(reason))) => Err(reason.to_string()),
        (Ok(Ok(mut outcome)), Ok(Ok(moved))) => {
            outcome.migrated |= moved;
            Ok(outcome)
        }
    }
}

/// All channels before their ends are on their threads.
struct Built {
    senders: Openings<dyn Sends>,
    receivers: Openings<dyn Receives>,
}

impl Job {
    /// On the thread whose memory the channels are to be.
    fn build(&self) -> Result<Built, StopReason> {
        let ends = self.contenders.iter().map(|&(subject, way)| build(subject, way, &self.placement));
        let ends: Vec<Ends> = ends.collect::<Result<_, _>>()?;
        let (senders, receivers) = ends.into_iter().unzip();
        Ok(Built { senders, receivers })
    }
}

/// The number of a message, as far as it fits beside the next subject.
const NUMBERS: u32 = u32::MAX >> 8;

fn pack(number: u64, next: u8) -> u32 {
    (number as u32 & NUMBERS) << 8 | u32::from(next)
}

fn unpack(message: u32) -> (u32, u8) {
    (message >> 8, message as u8)
}

#[cfg(test)]
mod tests;
