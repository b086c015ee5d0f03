//! The answering process: this command, started again by `latency ipc`.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use clap::Args;
use ringmail::affinity::pin_current;
use ringmail::shm::Peer;

use super::link::{BACK, Folder, LOOK, Mapped, THERE};
use crate::failure::Failure;
use crate::measure::channel::ChannelEnd;
use crate::measure::payload::with_words;
use crate::measure::plan::{PATIENCE, START};
use crate::measure::round_trip::{RoundTrip, StopReason, Turn};
use crate::measure::side::{Effects, Side};
use crate::options::Wait;
use crate::placement::Placement;

/// The arguments that the timing process gives the answering one.
#[derive(Debug, Args)]
pub(crate) struct Answer {
    pub(super) folder: String,
    pub(super) core: usize,
    pub(super) payload: usize,
    pub(super) capacity: usize,
    #[arg(value_enum)]
    pub(super) wait: Wait,
    pub(super) slice_ns: u64,
    #[command(flatten)]
    pub(super) placement: Placement,
}

impl Answer {
    /// As the command line takes it.
    pub(super) fn to_args(&self) -> Vec<String> {
        let Self { folder, core, payload, capacity, wait, slice_ns, placement } = self;
        let numbers = [core, payload, capacity].map(ToString::to_string);
        let [core, payload, capacity] = numbers;
        let mut args = vec![
            "answer-latency".into(),
            folder.clone(),
            core,
            payload,
            capacity,
            wait.name().into(),
            slice_ns.to_string(),
        ];
        args.extend(placement.to_args());
        args
    }
}

/// Answers until the timing process ends the visit, or is gone.
pub(crate) fn run(args: &Answer) -> Result<ExitCode, Failure> {
    let result = with_words!(args.payload, WORDS => answer::<WORDS>(args).map_err(|reason| reason.to_string()));
    result.map(|()| ExitCode::SUCCESS).map_err(Failure::failed)
}

fn answer<const N: usize>(args: &Answer) -> Result<(), StopReason> {
    let folder =
        Folder::named(&args.folder).ok_or_else(|| StopReason::Process("only 'latency ipc' starts this".into()))?;
    args.placement.begin(2).map_err(|failure| StopReason::Process(failure.message))?;
    pin_current(args.core).map_err(|error| StopReason::Process(error.to_string()))?;
    args.placement.enter()?;
    await_turn()?;
    // In this order: each channel is made by its receiver, on the core of its receiver.
    let channel = |name| folder.channel::<N>(name, args.capacity, args.wait);
    let mut receiver = channel(THERE).open_receiver().map_err(|error| StopReason::Build(error.to_string()))?;
    let sender = channel(BACK).open_sender().map_err(|error| StopReason::Build(error.to_string()))?;
    let deadline = Instant::now() + START;
    while !receiver.wait_for_peer(LOOK) {
        // The names stay until the other side has opened the channels.
        if !matches!(sender.peer(), Peer::Here | Peer::Removed) || Instant::now() > deadline {
            return Err(StopReason::Gone);
        }
    }
    drop(folder);
    let mut end = ChannelEnd::new(Mapped { sender, receiver });
    let mut side = Side::begin_waiting(args.wait);
    loop {
        await_turn()?;
        end.begin(Instant::now() + Duration::from_nanos(args.slice_ns) + PATIENCE);
        let turn = side.turn(|| end.echo())?;
        if turn == Turn::Quit {
            side.end();
            return io::stdout().write_all(Report(side.effects()).to_string().as_bytes()).map_err(|_| StopReason::Gone);
        }
        side.look();
    }
}

/// Sleeps until the timing process asks for a turn. The timing process holds the other end of standard input, so its end ends this read.
fn await_turn() -> Result<(), StopReason> {
    io::stdin().read_exact(&mut [0]).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => StopReason::Gone,
        _ => StopReason::Process(format!("cannot read standard input: {error}")),
    })
}

/// What the answering process prints at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Report(pub(super) Effects);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Effects { migrated, preemptions, sleeps } = self.0;
        let [preemptions, sleeps] =
            [preemptions, sleeps].map(|times| times.map_or("unknown".into(), |times| times.to_string()));
        writeln!(f, "{migrated} {preemptions} {sleeps}")
    }
}

impl FromStr for Report {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.trim_end().split(' ');
        let migrated = words.next().ok_or(())?.parse().map_err(drop)?;
        let mut times = || match words.next().ok_or(())? {
            "unknown" => Ok(None),
            times => times.parse().map(Some).map_err(drop),
        };
        let effects = Effects { migrated, preemptions: times()?, sleeps: times()? };
        if words.next().is_none() { Ok(Self(effects)) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_reports_is_understood() {
        for effects in [(false, None, Some(7)), (true, Some(0), None), (false, Some(12), Some(0))] {
            let report = Report(Effects { migrated: effects.0, preemptions: effects.1, sleeps: effects.2 });
            assert_eq!(report.to_string().parse(), Ok(report));
        }
        for bad in ["", "true", "maybe 1 1", "false -1 1", "false 1", "false 1 2 3"] {
            assert_eq!(bad.parse::<Report>(), Err(()), "{bad:?}");
        }
    }
}
