//! `ringmail latency self-test`: whether this tool finds what it must, on this machine.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;

use super::load::Cores;
use super::session::Session;
use crate::failure::Failure;
use crate::measure::load::{Job, LEAST_PAYLOAD};
use crate::measure::self_test::{Check, Finding, Unit, Verdict, checks};
use crate::measure::subject::{Kind, Setup};
use crate::options::Wait;
use crate::output::to_stdout;
use crate::render::format;

/// Of a check.
const TIME: Duration = Duration::from_secs(1);
const QUICK_TIME: Duration = Duration::from_millis(500);
/// A check that fails is done again: on a machine that others use, one of them may have stopped it.
const TRIES: u32 = 3;
/// No check is done again after this.
const PATIENCE: Duration = Duration::from_secs(35);

pub(crate) const LONG: &str = "\
Tests this tool with latencies and stops that are known.

Runs what `latency load` runs, over every channel that it can measure, with a
fault of a known size built in: each message is held back for 5 us, or one side
stops for 10 ms in every 100 ms. The percentiles must show it within a tenth.
The last check makes the mistake that hides such stops (a closed loop) and must
be caught.

A check that fails is done again, up to three times in all; its line says so.
On a machine where other programs use the cores, checks may fail for that.";

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all is right; 1 something is not; 2 bad arguments, or fewer than two cores; 130 interrupted"
)]
pub(crate) struct SelfTest {
    /// Fewer and shorter checks: one channel only
    #[arg(long)]
    quick: bool,
    /// Cores to use, the first two of them: a list such as 0-3,7 or physical, isolated, all [default: all allowed]
    #[arg(long, value_name = "LIST")]
    cores: Option<String>,
}

pub(crate) fn run(args: &SelfTest) -> Result<ExitCode, Failure> {
    let cores = Cores::choose("self-test", args.cores.as_deref(), None, 1)?;
    let session = Session::begin()?;
    let job = Job {
        kind: Kind::Spsc,
        payload: LEAST_PAYLOAD,
        setup: Setup { capacity: 1024, wait: Wait::Spin, senders: 1 },
        senders: cores.senders,
        receiver: cores.receiver,
        clock: session.clock.clone(),
        stop: Arc::clone(&session.stop),
    };
    let (began, time) = (Instant::now(), if args.quick { QUICK_TIME } else { TIME });
    let (mut done, mut wrong) = (0, 0);
    for check in checks(args.quick) {
        let mut tries = 0;
        let found = loop {
            tries += 1;
            let found = check.run(&job, time, session.clock_info.quantum_ns);
            if session.is_stopped() {
                show(&format!("interrupted: {done} checks done, {wrong} of them wrong\n"))?;
                return Ok(ExitCode::from(130));
            }
            let is_right = found.as_ref().is_ok_and(|found| found.is_right);
            if is_right || tries == TRIES || began.elapsed() > PATIENCE {
                break found;
            }
        };
        done += 1;
        wrong += u32::from(!found.as_ref().is_ok_and(|found| found.is_right));
        show(&line(check, &found, tries))?;
    }
    let seconds = began.elapsed().as_secs_f64();
    if wrong == 0 {
        show(&format!("all {done} checks are right, in {seconds:.1} s\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::failed(format!(
        "{wrong} of {done} checks are wrong, in {seconds:.1} s: stop what else runs on cores {} and {}, or name quieter ones with --cores; if they \
         stay wrong, do not trust this tool here, and report it",
        job.senders[0], job.receiver
    )))
}

fn show(text: &str) -> Result<(), Failure> {
    to_stdout(text).map(drop).map_err(|error| Failure::failed(format!("cannot write to standard output: {error}")))
}

/// `ok    spsc: each message is held back for 5 µs: p50 expected 5.21 µs, seen 5.24 µs`
fn line(check: Check, found: &Result<Verdict, String>, tries: u32) -> String {
    let is_right = found.as_ref().is_ok_and(|found| found.is_right);
    let verdict = if is_right { "ok   " } else { "WRONG" };
    let findings = match found {
        Ok(found) => found.findings.iter().map(finding).collect::<Vec<_>>().join("; "),
        Err(reason) => reason.clone(),
    };
    let tries = if tries > 1 { format!(" (try {tries} of {TRIES})") } else { String::new() };
    let taken = found.as_ref().map_or(0, |found| found.preemptions);
    let taken = if taken > 0 { format!(" (a core was taken away {taken} times)") } else { String::new() };
    format!("{verdict} {}: {findings}{taken}{tries}\n", check.name())
}

fn finding(finding: &Finding) -> String {
    let show = |value| match finding.unit {
        Unit::Ns => format::time(value, 0.0),
        Unit::PerSecond => format::rate(value),
    };
    format!("{} expected {}, seen {}", finding.name, show(finding.expected), show(finding.seen))
}
