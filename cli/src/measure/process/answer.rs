//! The answering process: this command, started again by `latency ipc`.

use std::io::{self, ErrorKind, Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use ringmail::affinity::pin_current;
use ringmail::shm::Peer;

use super::link::{BACK, Folder, Mapped, THERE};
use super::{LOOK, Report};
use crate::Failure;
use crate::args::Wait;
use crate::measure::channel::ChannelEnd;
use crate::measure::pair::{PATIENCE, START, Side};
use crate::measure::{Halt, RoundTrip, Turn, with_words};

/// What the timing process tells the answering one.
#[derive(Debug, Args)]
pub(crate) struct Answer {
    pub(super) folder: String,
    pub(super) core: usize,
    pub(super) payload: usize,
    pub(super) capacity: usize,
    #[arg(value_enum)]
    pub(super) wait: Wait,
    pub(super) slice_ns: u64,
}

impl Answer {
    /// As the command line takes it.
    pub(super) fn to_args(&self) -> [String; 7] {
        let Self { folder, core, payload, capacity, wait, slice_ns } = self;
        let numbers = [core, payload, capacity].map(ToString::to_string);
        let [core, payload, capacity] = numbers;
        ["answer-latency".into(), folder.clone(), core, payload, capacity, wait.name().into(), slice_ns.to_string()]
    }
}

/// Answers until the timing process has had enough, or is gone.
pub(crate) fn run(args: &Answer) -> Result<ExitCode, Failure> {
    let result = with_words!(args.payload, WORDS => answer::<WORDS>(args).map_err(|halt| halt.to_string()));
    result.map(|()| ExitCode::SUCCESS).map_err(Failure::failed)
}

fn answer<const N: usize>(args: &Answer) -> Result<(), Halt> {
    let folder = Folder::named(&args.folder).ok_or_else(|| Halt::Process("only 'latency ipc' starts this".into()))?;
    pin_current(args.core).map_err(|error| Halt::Process(error.to_string()))?;
    await_turn()?;
    // In this order: each channel is made by its receiver, on the core of its receiver.
    let channel = |name| folder.channel::<N>(name, args.capacity, args.wait);
    let mut receiver = channel(THERE).open_receiver().map_err(|error| Halt::Build(error.to_string()))?;
    let sender = channel(BACK).open_sender().map_err(|error| Halt::Build(error.to_string()))?;
    let deadline = Instant::now() + START;
    while !receiver.wait_for_peer(LOOK) {
        // Nobody removes the names before the other side is there.
        if !matches!(sender.peer(), Peer::Here | Peer::Removed) || Instant::now() > deadline {
            return Err(Halt::Gone);
        }
    }
    drop(folder);
    let mut end = ChannelEnd::new(Mapped { sender, receiver });
    let mut side = Side::begin();
    loop {
        await_turn()?;
        end.begin(Instant::now() + Duration::from_nanos(args.slice_ns) + PATIENCE);
        let turn = end.echo()?;
        if turn == Turn::Quit {
            side.end();
            return io::stdout().write_all(Report(side.effects()).to_string().as_bytes()).map_err(|_| Halt::Gone);
        }
        side.look();
    }
}

/// Sleeps until the timing process asks for a turn. It holds the other end of standard input: when it is gone, so is that.
fn await_turn() -> Result<(), Halt> {
    io::stdin().read_exact(&mut [0]).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => Halt::Gone,
        _ => Halt::Process(format!("cannot read standard input: {error}")),
    })
}
