//! `ringmail latency`: from arguments to a written report.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::Latency;
use crate::env::{Env, Steal};
use crate::failure::Failure;
use crate::measure::Job;
use crate::measure::clock::Clock;
use crate::measure::plan::Plan;
use crate::output::Sinks;
use crate::report::{Report, RunEnd, SCHEMA, Settings, Tool};
use crate::topology::Selection;
use crate::warnings;

/// Budget when nothing else is asked for.
const BUDGET: Duration = Duration::from_secs(16);
/// Budget when `--samples` says how much to measure: a bound, not a plan.
const SAMPLES_BUDGET: Duration = Duration::from_secs(60);

/// Runs the command; the exit code is one of those that `--help` lists.
pub(crate) fn run(args: &Latency) -> Result<ExitCode, Failure> {
    let selection = Selection::new(args)?;
    let sinks = Sinks::open(&args.output)?;
    let stop = stop_on_signals()?;
    ringmail::init();

    let root = Path::new("/");
    let mut env = Env::read(root);
    let clock = Clock::choose(env.clocksource.as_deref());
    let clock_info = clock.info();
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut job = Job {
        plan: Plan {
            capacity: args.capacity as usize,
            wait: args.wait,
            slice: Duration::ZERO,
            clock,
            quantum_ns: clock_info.quantum_ns,
            stop,
            processes: args.between_processes(),
            mesh: args.through_a_mesh().then(|| selection.cores.iter().map(|core| core.id).collect()),
        },
        payload: args.payload,
        cores: selection.cores.iter().map(|core| core.id).collect(),
        budget: budget(args, selection.pairs.len()),
        pairs: selection.pairs.clone(),
        duration: args.duration,
        samples: args.samples,
        seed: args.seed.unwrap_or(since_epoch.as_nanos() as u64 & 0xFFFF_FFFF),
    };
    let schedule = job.schedule();
    job.plan.slice = schedule.slice;

    let began = (Instant::now(), Steal::read(root));
    let bar = progress_bar(args.output.quiet, job.pairs.len() as u64 * u64::from(schedule.visits));
    let mut outcome = job.run(|visits| bar.inc(visits));
    bar.finish_and_clear();
    env.steal_share = Steal::read(root).zip(began.1).and_then(|(now, then)| now.share_since(then));
    for pair in &mut outcome.pairs {
        pair.relation = selection.relation(pair.cores);
    }

    let mut report = Report {
        schema: SCHEMA,
        tool: Tool {
            name: "ringmail",
            version: env!("CARGO_PKG_VERSION"),
            rustc: option_env!("RINGMAIL_RUSTC"),
            profile: option_env!("RINGMAIL_PROFILE"),
            argv: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        },
        started_unix_s: since_epoch.as_secs(),
        elapsed_s: began.0.elapsed().as_secs_f64(),
        ended: outcome.ended,
        settings: Settings {
            seed: job.seed,
            between_processes: job.plan.processes,
            mesh_shards: job.plan.mesh.as_ref().map(|cores| cores.len()),
            payload_bytes: job.payload,
            capacity: job.plan.capacity,
            wait: args.wait.name(),
            slice_ms: job.plan.slice.as_secs_f64() * 1e3,
            time_budget_s: job.budget.as_secs_f64(),
            pair_duration_s: job.samples.is_none().then_some(schedule.pair.as_secs_f64()),
            samples: job.samples,
        },
        clock: clock_info,
        env,
        cores: selection.cores,
        jitter: outcome.jitter,
        planned_pairs: job.pairs.len(),
        planned_visits: schedule.visits,
        pairs: outcome.pairs,
        failures: outcome.failures,
        warnings: Vec::new(),
    };
    report.warnings = warnings::find(&report, outcome.reused_memory);
    sinks.write(&report)?;
    if let ([first, rest @ ..], true) = (report.failures.as_slice(), report.ended != RunEnd::Interrupted) {
        let [a, b] = first.cores;
        let more = if rest.is_empty() { String::new() } else { format!("; {} more pairs failed", rest.len()) };
        return Err(Failure::failed(format!("pair {a}-{b}: {}{more}", first.reason)));
    }
    Ok(match report.ended {
        RunEnd::Interrupted => ExitCode::from(130),
        _ if report.pairs.is_empty() => ExitCode::from(1),
        _ => ExitCode::SUCCESS,
    })
}

/// `--duration` without `--time-budget` means that all pairs get their time.
fn budget(args: &Latency, pairs: usize) -> Duration {
    match (args.time_budget, args.duration) {
        (Some(budget), _) => budget,
        (None, Some(duration)) => {
            (duration.mul_f64(1.2) + Duration::from_millis(100)) * pairs as u32 + Duration::from_secs(3)
        }
        (None, None) if args.samples.is_some() => SAMPLES_BUDGET,
        (None, None) => BUDGET,
    }
}

/// The first signal ends the run early with what there is; the second ends the process.
fn stop_on_signals() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::failed(format!("cannot watch for Ctrl-C: {error}")))?;
    Ok(stop)
}

/// Drawn only between visits: on a small machine, drawing takes a core that is being measured.
fn progress_bar(quiet: bool, visits: u64) -> ProgressBar {
    let hidden = quiet || !std::io::stderr().is_terminal();
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(visits), target);
    match ProgressStyle::with_template("measuring {bar:32} {pos}/{len} visits, {elapsed} of about {duration}") {
        Ok(style) => bar.with_style(style),
        // The plain bar serves as well.
        Err(_) => bar,
    }
}
