//! `ringmail latency jitter`: what each core does to a thread that only reads the clock.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::session::Session;
use crate::args::duration;
use crate::failure::Failure;
use crate::measure::jitter;
use crate::options::Output;
use crate::output::Sinks;
use crate::report::{RunEnd, Settings};
use crate::topology::Selection;
use crate::warnings;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Jitter {
    /// Cores to watch: a list such as 0-3,7 or physical, isolated, llc:0, node:1, all, !3 [default: all allowed]
    #[arg(long, value_name = "LIST")]
    cores: Option<String>,
    /// How long to watch
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    duration: Duration,
    /// Gaps up to this long do not count; well above a reading of the clock
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1us")]
    threshold: Duration,
    /// One core after the other, each for the duration, instead of all at once
    #[arg(long)]
    one_by_one: bool,
    #[command(flatten)]
    output: Output,
}

const EXAMPLES: &str = "\
Each core gets a pinned thread that reads the clock in a loop. A gap between two
readings is time that something else took: an interrupt, another thread, the
firmware, the hypervisor.

Examples:
  ringmail latency jitter                               every core, all at once, 10 s
  ringmail latency jitter --cores 2-3 --duration 1m     two cores for a minute
  ringmail latency jitter --threshold 50us --one-by-one longer gaps, one core at a time
  ringmail latency jitter --json - | jq '.jitter[0]'    the figures as data

Exit codes:
  0    watched
  1    no core could be watched, or an output could not be written
  2    bad arguments
  130  interrupted; what was watched so far is reported";

pub(crate) fn run(args: &Jitter) -> Result<ExitCode, Failure> {
    args.output.without_pictures("jitter")?;
    let selection = Selection::single(args.cores.as_deref())?;
    let sinks = Sinks::open(&args.output)?;
    let session = Session::begin()?;
    let ids: Vec<usize> = selection.cores.iter().map(|core| core.id).collect();
    let threshold_ns = u64::try_from(args.threshold.as_nanos()).unwrap_or(u64::MAX);
    let watch = |ids: &[usize]| jitter::watch(ids, args.duration, threshold_ns, &session.clock, &session.stop);
    let groups: Vec<&[usize]> = if args.one_by_one { ids.chunks(1).collect() } else { vec![&ids] };
    let mut watched = Vec::new();
    for group in &groups {
        if !session.is_stopped() {
            watched.extend(watch(group));
        }
    }
    let budget = args.duration.saturating_mul(u32::try_from(groups.len()).unwrap_or(u32::MAX));
    let mut report = session.report(selection.cores, Settings::without_messages(budget));
    report.cores_left_out = selection.left_out;
    report.jitter = watched.iter().map(jitter::Watched::report).collect();
    report.warnings = warnings::find(&report, false);
    let (ended, is_empty) = (report.ended, report.jitter.is_empty());
    sinks.write(&report)?;
    match ended {
        RunEnd::Interrupted => Ok(ExitCode::from(130)),
        _ if is_empty => {
            Err(Failure::failed("no core could be watched: none can be pinned to; name others with --cores"))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
