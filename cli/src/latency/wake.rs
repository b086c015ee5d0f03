//! `ringmail latency wake`: how long a receiver that sleeps takes to run again.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;

#[cfg(target_os = "linux")]
mod plan;

#[cfg(not(target_os = "linux"))]
#[derive(Debug, Args)]
pub(crate) struct Wake {}

#[cfg(not(target_os = "linux"))]
pub(crate) fn run(_args: &Wake) -> Result<ExitCode, Failure> {
    Err(Failure::failed("wake compares with a futex, which only Linux has"))
}

#[cfg(target_os = "linux")]
pub(crate) use linux::{Wake, run};

#[cfg(target_os = "linux")]
mod linux {
    use std::io::IsTerminal;
    use std::time::Duration;

    use super::plan::{self, Limits};
    use super::{Args, ExitCode, Failure};
    use crate::args::duration;
    use crate::latency::session::Session;
    use crate::measure::wake::{self, Job, Subject, Way};
    use crate::options::Output;
    use crate::output::Sinks;
    use crate::placement::Placement;
    use crate::render::format;
    use crate::report::{self, RunEnd, Settings, Warning};
    use crate::topology::{Selection, Which};
    use crate::warnings;

    #[derive(Debug, Args)]
    #[command(after_help = EXAMPLES)]
    pub(crate) struct Wake {
        /// Core of the sender, which never sleeps [default: the first two cores]
        #[arg(requires = "b")]
        a: Option<usize>,
        /// Core of the receiver
        b: Option<usize>,
        /// Cores of which the first two are used: a list such as 0-3,7 or physical, isolated, llc:0, node:1, all, !3
        #[arg(long, value_name = "LIST", conflicts_with = "a")]
        cores: Option<String>,
        /// What the message travels through
        #[arg(long, value_enum, value_delimiter = ',', default_value = "spsc")]
        subject: Vec<Subject>,
        /// How the receiver waits
        #[arg(long, value_enum, value_delimiter = ',', default_value = "spin,yield,park")]
        wait: Vec<Way>,
        /// Times between messages, such as 1us,1ms [default: decades from 1us on, as far as the duration allows]
        #[arg(long, value_name = "TIMES", value_delimiter = ',', value_parser = duration)]
        idle: Vec<Duration>,
        /// Time for the whole run
        #[arg(long, value_name = "TIME", value_parser = duration, default_value = "15s")]
        duration: Duration,
        #[command(flatten)]
        placement: Placement,
        #[command(flatten)]
        output: Output,
    }

    const EXAMPLES: &str = "\
A time is that from before the send until the receiver runs and has the message.
Beside each channel stands a bare futex on the same two cores, after the same
idle time, in slices that alternate with the channel's: what any receiver that
sleeps in the kernel pays. The sender spins meanwhile.

Examples:
  ringmail latency wake                                the first two cores
  ringmail latency wake 0 4 --wait park,fd,async       ways to sleep
  ringmail latency wake --subject spsc,mesh,shm        kinds of channels
  ringmail latency wake --idle 1ms,1s --duration 3m    long sleeps
  ringmail latency wake --json - | jq '.wake.rows[0]'  the figures as data

Exit codes:
  0    measured
  1    it could not be measured, or an output could not be written
  2    bad arguments, or fewer than two cores
  130  interrupted; what was measured so far is reported";

    pub(crate) fn run(args: &Wake) -> Result<ExitCode, Failure> {
        args.output.without_pictures("wake")?;
        let contenders = contenders(args)?;
        let limits = Limits { duration: args.duration, contenders: contenders.len() };
        let steps = plan::steps(&args.idle, limits)?;
        let which = args.a.zip(args.b).map_or(Which::First, |(a, b)| Which::Named([a, b]));
        let selection = Selection::new(args.cores.as_deref(), "wake", which)?;
        let Some(&cores) = selection.pairs.first() else { return Err(Failure::usage("wake needs two cores")) };
        check_placement(args)?;
        args.placement.begin(2)?;
        let sinks = Sinks::open(&args.output)?;
        let session = Session::begin()?;
        if !args.output.quiet && std::io::stderr().is_terminal() {
            let about = steps.iter().map(|step| step.time).sum::<Duration>();
            eprintln!("measuring {} idle times, for about {:.0} s", steps.len(), about.as_secs_f64());
        }
        let job = Job {
            cores,
            contenders,
            steps,
            clock: session.clock.clone(),
            quantum_ns: session.clock_info.quantum_ns,
            stop: session.stop.clone(),
            placement: args.placement.clone(),
        };
        let outcome =
            wake::run(&job).map_err(|reason| Failure::failed(format!("wake {}-{}: {reason}", cores[0], cores[1])))?;
        let settings = Settings { placement: args.placement.report(), ..settings(args, &job) };
        let relation = selection.relation(cores);
        let mut report = session.report(selection.cores, settings);
        report.cores_left_out = selection.left_out;
        if outcome.rows.is_empty() {
            report.ended = RunEnd::Interrupted;
        }
        report.wake =
            Some(report::Wake { cores, relation, clock_offset_ns: outcome.clock_offset_ns, rows: outcome.rows });
        report.warnings = warnings::find(&report, false);
        let doubts = report.wake.as_ref().map(|wake| doubts(wake, outcome.migrated)).unwrap_or_default();
        report.warnings.extend(doubts);
        let ended = report.ended;
        sinks.write(&report)?;
        Ok(if ended == RunEnd::Interrupted { ExitCode::from(130) } else { ExitCode::SUCCESS })
    }

    /// What a reader should know of these figures alone.
    fn doubts(wake: &report::Wake, migrated: bool) -> Vec<Warning> {
        const FEW: u64 = 100;
        let mut doubts = Vec::new();
        if migrated {
            let what = "a thread was found on another core";
            doubts.push(Warning::new(what, "keep other tools from changing this process's affinity"));
        }
        if let Some(row) = wake.rows.iter().find(|row| row.figures.samples < FEW) {
            let (idle, samples) = (format::time(row.idle_ns, 0.0), row.figures.samples);
            let what = format!(
                "from {idle} of idle time on there are as few as {samples} samples, so p99 and above are the maximum"
            );
            doubts.push(Warning::new(what, "raise --duration, or name fewer times with --idle"));
        }
        let bound = wake.clock_offset_ns.iter().fold(0.0_f64, |bound, ns| bound.max(ns.abs()));
        let shortest = wake.rows.iter().map(|row| row.figures.p50_ns).fold(f64::INFINITY, f64::min);
        if bound > 0.25 * shortest {
            let [a, b] = wake.cores;
            let (bound, shortest) = (format::time(bound, 0.0), format::time(shortest, 0.0));
            doubts.push(Warning::new(
                format!("clocks may differ by {bound}, which is much of the shortest time, {shortest}"),
                format!("trust the rows whose receiver slept, and measure spinning by round trips: ringmail latency pair {a} {b}"),
            ));
        }
        doubts
    }

    /// Each subject with each way to wait that it knows.
    fn contenders(args: &Wake) -> Result<Vec<(Subject, Way)>, Failure> {
        let mut contenders = Vec::new();
        for &subject in &args.subject {
            for &way in &args.wait {
                if !subject.knows(way) {
                    let (subject, way) = (subject.name(), way.name());
                    return Err(Failure::usage(format!(
                        "--subject {subject}: its receiver cannot wait by '{way}' here: leave that out of --wait"
                    )));
                }
                if !contenders.contains(&(subject, way)) {
                    contenders.push((subject, way));
                }
            }
        }
        Ok(contenders)
    }

    /// Refuses what cannot be done with the memory of these channels.
    fn check_placement(args: &Wake) -> Result<(), Failure> {
        args.placement.without_huge_pages("wake", "its channels are smaller than a huge page")?;
        match args.subject.iter().find(|subject| matches!(subject, Subject::Mesh | Subject::Shm)) {
            Some(subject) => {
                let why = format!("the memory of '{}' is its receiver's", subject.name());
                args.placement.without_memory("wake", &why)
            }
            None => Ok(()),
        }
    }

    fn settings(args: &Wake, job: &Job) -> Settings {
        let waits: Vec<&str> = args.wait.iter().map(|way| way.name()).collect();
        Settings {
            payload_bytes: wake::PAYLOAD,
            capacity: wake::CAPACITY,
            wait: waits.join(","),
            ..Settings::without_messages(job.steps.iter().map(|step| step.time).sum())
        }
    }
}
