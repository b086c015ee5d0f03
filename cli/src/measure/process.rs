//! The round trip between two processes: the timing process starts this command again on the other core.
//!
//! ```text
//!   timing process   --standard input: a byte a turn-->   answering process
//!                    --channel "there"-->
//!                    <--channel "back"---
//!                    <--standard output, at the end: what the kernel did to it--
//! ```
//!
//! Between its turns the answering process sleeps on its standard input. That ends when the timing process ends, in any way; during a
//! turn the channel reports it. The timing process kills the answering one when a visit does not end in order.

mod answer;
mod link;

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::channel::ChannelEnd;
use super::pair::Process;
use super::plan::{PATIENCE, Plan, START};
use super::round_trip::{RoundTrip, StopReason, Turn};
use super::side::Effects;
use super::slice::{Slice, run_slice};
use answer::Report;
pub(crate) use answer::{Answer, run};
use link::{BACK, Folder, LOOK, Mapped, THERE, fresh_name};

/// The kernel closes a dying process's channels a moment before it reports the exit status.
const MOMENT: Duration = Duration::from_millis(500);

/// The answering process as the timing thread has it.
struct Answering<const N: usize> {
    end: ChannelEnd<Mapped<N>, N>,
    guard: Guard,
}

/// A process that does not outlive this.
struct Guard {
    child: Child,
    turns: ChildStdin,
    core: usize,
}

/// Starts the answering process on `core` and opens the channels.
pub(super) fn start<const N: usize>(plan: &Plan, core: usize) -> Result<Box<dyn Process>, StopReason> {
    let args = Answer {
        folder: fresh_name(),
        core,
        payload: 8 * N,
        capacity: plan.capacity,
        wait: plan.wait,
        slice_ns: plan.slice.as_nanos() as u64,
        placement: plan.placement.clone(),
    };
    // Outlives the process. Otherwise the process could make files after the folder is gone.
    let folder = Folder::named(&args.folder).ok_or_else(|| StopReason::Build("its folder has no name".into()))?;
    // Started before the folder is made, so that it can remove the folder if this process is killed. It opens the folder in its first turn.
    let mut guard = Guard::start(&args)?;
    folder.make()?;
    let channel = |name| folder.channel::<N>(name, plan.capacity, plan.wait);
    let mut receiver = channel(BACK).open_receiver().map_err(|error| StopReason::Build(error.to_string()))?;
    guard.wake().map_err(|reason| guard.explain(reason))?;
    let deadline = Instant::now() + START;
    while !receiver.wait_for_peer(LOOK) {
        if plan.stopped() {
            return Err(StopReason::Gone);
        }
        if guard.wait(Duration::ZERO).is_some() {
            return Err(guard.explain(StopReason::Gone));
        }
        if Instant::now() > deadline {
            return Err(StopReason::Process(format!("the process on core {core} did not start within {START:?}")));
        }
    }
    let sender = channel(THERE).open_sender().map_err(|error| StopReason::Build(error.to_string()))?;
    drop(folder);
    Ok(Box::new(Answering { end: ChannelEnd::new(Mapped { sender, receiver }), guard }))
}

impl<const N: usize> Process for Answering<N> {
    fn slice(&mut self, plan: &Plan, trips: u32, most: u64, samples: &mut Histogram<u64>) -> Result<Slice, StopReason> {
        let mut turn = || {
            self.guard.wake()?;
            let slice = run_slice(&mut self.end, plan, trips, most, samples)?;
            self.end.end(Turn::Switch)?;
            Ok(slice)
        };
        turn().map_err(|reason| self.guard.explain(reason))
    }

    fn finish(mut self: Box<Self>) -> Result<(Effects, u64), StopReason> {
        let mut turn = || {
            self.guard.wake()?;
            self.end.begin(Instant::now() + PATIENCE);
            self.end.end(Turn::Quit)
        };
        turn().map_err(|reason| self.guard.explain(reason))?;
        match self.guard.wait(PATIENCE) {
            Some(status) if status.success() => {}
            _ => return Err(self.guard.explain(StopReason::Gone)),
        }
        let said = self.guard.child.stdout.take().map(read).unwrap_or_default();
        let report: Report = said.parse().map_err(|()| self.guard.explain(StopReason::Gone))?;
        Ok((report.0, self.end.trips()))
    }
}

impl Guard {
    fn start(args: &Answer) -> Result<Self, StopReason> {
        let failed = |reason| StopReason::Process(format!("cannot start a process for core {}: {reason}", args.core));
        // The very program that runs, even if its file has been replaced since.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("ringmail").args(args.to_args());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A Ctrl-C is for the timing process, which still has to report what there is.
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        match child.stdin.take() {
            Some(turns) => Ok(Self { child, turns, core: args.core }),
            None => Err(failed("it has no standard input".into())),
        }
    }

    /// Asks the process to take a turn.
    fn wake(&mut self) -> Result<(), StopReason> {
        self.turns.write_all(&[1]).map_err(|_| StopReason::Gone)
    }

    /// How the process ended, if it does within `limit`.
    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(None) if Instant::now() < deadline => sleep(Duration::from_millis(1)),
                ended => return ended.ok().flatten(),
            }
        }
    }

    /// What is wrong with the process, which has no more turns after this.
    fn explain(&mut self, reason: StopReason) -> StopReason {
        let core = self.core;
        let status = self.wait(if reason == StopReason::Gone { MOMENT } else { Duration::ZERO });
        match (reason, status) {
            (StopReason::Corrupt, _) => StopReason::Corrupt,
            (_, Some(status)) => {
                let said = self.child.stderr.take().map(read).unwrap_or_default();
                let said = said.trim().trim_start_matches("error: ");
                let colon = if said.is_empty() { "" } else { ": " };
                StopReason::Process(format!("the process on core {core} ended early ({status}){colon}{said}"))
            }
            (StopReason::Gone, None) => {
                StopReason::Process(format!("the process on core {core} closed its channels early"))
            }
            (_, None) => {
                let remedy = "stop other programs on that core";
                StopReason::Process(format!("the process on core {core} did not answer for {PATIENCE:?}: {remedy}"))
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // If it has ended, neither call does anything.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process that has ended left in a pipe.
fn read(mut pipe: impl Read) -> String {
    let mut text = Vec::new();
    // After an error, what was read so far is returned.
    let _ = pipe.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
