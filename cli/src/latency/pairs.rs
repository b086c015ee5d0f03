//! The verbs that measure round trips of pairs: from arguments to a written report.

use std::process::ExitCode;
use std::time::Duration;

use super::progress::Progress;
use super::session::Session;
use crate::args::Pairs;
use crate::failure::Failure;
use crate::histogram;
use crate::measure::Job;
use crate::measure::plan::Plan;
use crate::output::Sinks;
use crate::report::{RunEnd, Settings};
use crate::topology::{Selection, Which};
use crate::warnings;

/// Budget when nothing else is asked for.
const BUDGET: Duration = Duration::from_secs(16);
/// Budget when `--samples` says how much to measure: a bound, not a plan.
const SAMPLES_BUDGET: Duration = Duration::from_secs(60);

/// Which of the verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Every pair, each with two channels of its own.
    Matrix,
    /// The same through one mesh of all the cores.
    Mesh,
    /// One pair.
    Pair,
    /// One pair, between two processes as well.
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    Ipc,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Matrix => "latency",
            Self::Mesh => "mesh",
            Self::Pair => "pair",
            #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
            Self::Ipc => "ipc",
        }
    }

    /// Whether to measure also between two processes.
    pub(crate) fn between_processes(self) -> bool {
        self.name() == "ipc"
    }
}

/// Runs the verb over the pairs that `named` and `--cores` select.
pub(crate) fn run(args: &Pairs, kind: Kind, named: Option<[usize; 2]>) -> Result<ExitCode, Failure> {
    let selection = Selection::new(args.cores.as_deref(), kind.name(), which(args, kind, named)?)?;
    let threads = if kind == Kind::Mesh { selection.cores.len() } else { 2 };
    check_memory(args, kind, selection.cores.len())?;
    args.placement.begin(threads)?;
    let sinks = Sinks::open(&args.output)?;
    let session = Session::begin()?;
    let mut job = Job {
        plan: Plan {
            capacity: args.capacity as usize,
            wait: args.wait,
            slice: Duration::ZERO,
            clock: session.clock.clone(),
            quantum_ns: session.clock_info.quantum_ns,
            read_ns: session.clock_info.read_ns,
            stop: session.stop.clone(),
            processes: kind.between_processes(),
            mesh: (kind == Kind::Mesh).then(|| selection.cores.iter().map(|core| core.id).collect()),
            placement: args.placement.clone(),
        },
        payload: args.payload,
        cores: selection.cores.iter().map(|core| core.id).collect(),
        budget: budget(args, selection.pairs.len()),
        pairs: selection.pairs.clone(),
        classes: selection.classes(),
        duration: args.duration,
        samples: args.samples,
        seed: args.seed.unwrap_or(session.seed),
    };
    let schedule = job.schedule();
    job.plan.slice = schedule.slice;

    let progress = Progress::begin(args.output.quiet, job.pairs.len() as u64 * u64::from(schedule.visits));
    let mut outcome = job.run(|visits| progress.add(visits));
    drop(progress);
    for pair in &mut outcome.pairs {
        pair.relation = selection.relation(pair.cores);
    }

    let settings = Settings {
        seed: job.seed,
        between_processes: job.plan.processes,
        mesh_shards: job.plan.mesh.as_ref().map(|cores| cores.len()),
        payload_bytes: job.payload,
        capacity: job.plan.capacity,
        wait: args.wait.name().into(),
        slice_ms: job.plan.slice.as_secs_f64() * 1e3,
        time_budget_s: job.budget.as_secs_f64(),
        pair_duration_s: job.samples.is_none().then_some(schedule.pair.as_secs_f64()),
        samples: job.samples,
        placement: args.placement.report(),
    };
    let mut report = session.report(selection.cores, settings);
    report.cores_left_out = selection.left_out;
    report.ended = outcome.ended;
    report.full_run_s = outcome.full_run.map(|time| time.as_secs_f64());
    report.jitter = outcome.jitter;
    (report.planned_pairs, report.planned_visits) = (job.pairs.len(), schedule.visits);
    (report.pairs, report.failures) = (outcome.pairs, outcome.failures);
    report.left_out = (job.pairs.len() > histogram::MOST_PAIRS)
        .then(|| format!("histograms and figures of slices: more than {} pairs", histogram::MOST_PAIRS));
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

/// Refuses what cannot be done with the memory of the channels.
fn check_memory(args: &Pairs, kind: Kind, cores: usize) -> Result<(), Failure> {
    /// Of one channel, and of all lanes of a mesh.
    const MOST: usize = 1 << 30;
    let (capacity, payload) = (args.capacity as usize, args.payload);
    let lanes = if kind == Kind::Mesh { cores * cores.saturating_sub(1) } else { 1 };
    if lanes > 1 && capacity * payload > MOST / lanes {
        return Err(Failure::usage(format!(
            "--capacity {capacity} with --payload {payload}: the {lanes} lanes of a mesh of {cores} cores would take {} MiB, more than {} MiB; \
             name fewer --cores, or less of either",
            (capacity * payload * lanes) >> 20,
            MOST >> 20
        )));
    }
    if capacity * payload > MOST {
        return Err(Failure::usage(format!(
            "--capacity {capacity} with --payload {payload}: a channel would take {} MiB, more than {} MiB",
            (capacity * payload) >> 20,
            MOST >> 20
        )));
    }
    match kind {
        Kind::Mesh => {
            args.placement.without_memory("mesh", "what is sent to an endpoint lies in memory of its own core")
        }
        #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
        Kind::Ipc => args.placement.without_memory("ipc", "each process makes the channel that it receives from"),
        Kind::Matrix | Kind::Pair => Ok(()),
    }
}

/// The choice of pairs; only verbs that measure several take `--pairs`.
fn which<'a>(args: &'a Pairs, kind: Kind, named: Option<[usize; 2]>) -> Result<Which<'a>, Failure> {
    let several = matches!(kind, Kind::Matrix | Kind::Mesh);
    match (&args.pairs, named) {
        (Some(_), _) if !several => {
            let verb = kind.name();
            Err(Failure::usage(format!("--pairs: '{verb}' measures one pair; name its two cores behind it")))
        }
        (Some(pairs), _) => Ok(Which::Directed(&pairs.0)),
        (None, Some(named)) => Ok(Which::Named(named)),
        (None, None) if several => Ok(Which::All),
        (None, None) => Ok(Which::First),
    }
}

/// `--duration` without `--time-budget` means that all pairs get their time.
fn budget(args: &Pairs, pairs: usize) -> Duration {
    match (args.time_budget, args.duration) {
        (Some(budget), _) => budget,
        (None, Some(duration)) => {
            (duration.mul_f64(1.2) + Duration::from_millis(100)) * pairs as u32 + Duration::from_secs(3)
        }
        (None, None) if args.samples.is_some() => SAMPLES_BUDGET,
        (None, None) => BUDGET,
    }
}
