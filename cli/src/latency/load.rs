//! `ringmail latency load`: from arguments to a written report.

mod rate;
mod run;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use self::run::{Progress, Run};
use super::session::Session;
use crate::args::{duration, payload};
use crate::failure::Failure;
use crate::measure::load::{Arrival, Job, PAYLOADS, clocks};
use crate::measure::subject::{self, Setup};
use crate::options::{Output, Wait};
use crate::output::Sinks;
use crate::render::load::not_reached;
use crate::report::{self, CoreInfo, Settings};
use crate::topology::{Selection, Which};
use crate::warnings;

/// Of each rate, unless asked for.
const TIME: Duration = Duration::from_secs(2);
/// Of each rate of a sweep: there are some fifteen of them.
const SWEEP_TIME: Duration = Duration::from_millis(300);
const BURST: u32 = 16;

pub(crate) const LONG: &str = "\
Latency at a rate of messages, from the moment at which each was to be sent.

The sender keeps to a schedule that nothing moves (open loop). What it could not
send in time it sends at once, and the delay counts: a stop of 10 ms is seen by
all messages that were due meanwhile. The response time of a message is from
when it was due until it was received; its service time is from when it was
sent. Nothing is corrected afterwards.

Without --rate, rates double until one is not reached or its p99 has risen
tenfold. The knee, the highest rate before that, is then narrowed down to 4 %.

These are one-way times: both cores read one clock. How far its readings can be
apart between them is measured first, and stated.";

const EXAMPLES: &str = "\
Examples:
  ringmail latency load                              where the knee of spsc is
  ringmail latency load 0 4 --rate 10k,1M            two rates, from core 0 to core 4
  ringmail latency load --rate 1M --arrival poisson  messages at random distances
  ringmail latency load --subject mpsc --senders 3   three senders

Exit codes:
  0    measured
  1    a rate of --rate was not reached, or nothing could be measured or written
  2    bad arguments, or fewer than two cores
  130  interrupted; what was measured so far is reported";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Load {
    /// Core of the sender [default: the first two cores]
    #[arg(requires = "b")]
    a: Option<usize>,
    /// Core of the receiver
    b: Option<usize>,
    /// Cores to use: a list such as 0-3,7 or physical, isolated, llc:0, node:1, all, !3 [default: all allowed]
    #[arg(long, value_name = "LIST")]
    cores: Option<String>,
    /// What carries the messages; those of other libraries need a build with --features peers
    #[arg(long, value_enum, default_value_t = subject::Kind::Spsc)]
    subject: subject::Kind,
    /// Senders, on further cores if there are any; they share the rate
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    senders: u32,
    /// Messages per second, or a list of rates: 500, 10k, 1.5M
    #[arg(long, value_name = "RATE", value_delimiter = ',', value_parser = rate::rate)]
    rate: Vec<f64>,
    /// Search for the knee [default without --rate]
    #[arg(long, conflicts_with = "rate")]
    sweep: bool,
    /// How messages follow each other
    #[arg(long, value_enum, default_value_t = Arrivals::Constant)]
    arrival: Arrivals,
    /// Messages that are due at once, with --arrival bursts [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    burst: Option<u32>,
    /// Measuring time per rate, after a warm-up that does not count [default: 2s; 300ms in a sweep]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Bytes per message, all written and all read: 16 (room for two times), 64, 256, 1024 or 4096
    #[arg(long, value_name = "BYTES", value_parser = payload, default_value = "16")]
    payload: usize,
    /// Messages that the channel holds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 20), default_value = "1024")]
    capacity: u32,
    /// How a thread waits for a message, and for room
    #[arg(long, value_enum, default_value_t = Wait::Spin)]
    wait: Wait,
    /// Seed of random distances [default: from the clock; the report states it]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    output: Output,
}

/// As the command line names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Arrivals {
    /// At equal distances
    Constant,
    /// At random distances, as from many sources
    Poisson,
    /// --burst of them at once, at equal distances
    Bursts,
}

impl Load {
    fn setup(&self) -> Setup {
        Setup { capacity: self.capacity as usize, wait: self.wait, senders: self.senders as usize }
    }

    fn arrival(&self) -> Result<Arrival, Failure> {
        match (self.arrival, self.burst) {
            (Arrivals::Bursts, burst) => Ok(Arrival::Bursts(burst.unwrap_or(BURST))),
            (_, Some(burst)) => Err(Failure::usage(format!("--burst {burst}: only with --arrival bursts"))),
            (Arrivals::Constant, None) => Ok(Arrival::Constant),
            (Arrivals::Poisson, None) => Ok(Arrival::Poisson),
        }
    }

    /// Refuses what cannot be measured, before anything is.
    fn check(&self) -> Result<Arrival, Failure> {
        if !PAYLOADS.contains(&self.payload) {
            let sizes = PAYLOADS.map(|bytes| bytes.to_string()).join(", ");
            let (asked, least) = (self.payload, PAYLOADS[0]);
            return Err(Failure::usage(format!(
                "--payload {asked}: must be one of {sizes}; a message carries two times, so {least} at least"
            )));
        }
        self.output.without_heat_map("'load'")?;
        self.subject.check(self.setup()).map_err(Failure::usage)?;
        self.arrival()
    }
}

pub(crate) fn run(args: &Load) -> Result<ExitCode, Failure> {
    let arrival = args.check()?;
    let named = args.a.zip(args.b).map(<[usize; 2]>::from);
    let cores = Cores::choose("load", args.cores.as_deref(), named, args.senders as usize)?;
    let sinks = Sinks::open(&args.output)?;
    let session = Session::begin()?;
    let job = Job {
        kind: args.subject,
        payload: args.payload,
        setup: args.setup(),
        senders: cores.senders.clone(),
        receiver: cores.receiver,
        clock: session.clock.clone(),
        stop: Arc::clone(&session.stop),
    };
    let time = args.duration.unwrap_or(if args.rate.is_empty() { SWEEP_TIME } else { TIME });
    let seed = args.seed.unwrap_or(session.seed);
    let clocks = clocks::compare([cores.senders[0], cores.receiver], &session.clock).map_err(Failure::failed)?;
    let run = Run { job: &job, session: &session, arrival, time, seed, progress: Progress::new(args.output.quiet) };
    let measured = if args.rate.is_empty() { run.sweep() } else { run.rates(&args.rate) };
    run.progress.end();

    let pair = [cores.senders[0], cores.receiver];
    let relation = cores.selection.relation(pair);
    let settings = Settings {
        seed,
        between_processes: false,
        mesh_shards: None,
        payload_bytes: args.payload,
        capacity: args.capacity as usize,
        wait: args.wait.name().into(),
        slice_ms: time.as_secs_f64() * 1e3,
        time_budget_s: time.as_secs_f64() * measured.steps.len() as f64,
        pair_duration_s: Some(time.as_secs_f64()),
        samples: None,
        placement: report::Placement::default(),
    };
    let mut report = session.report(cores.shown.clone(), settings);
    report.cores_left_out = cores.selection.left_out.clone();
    report.load = Some(report::Load {
        cores: pair,
        relation,
        subject: args.subject.name().into(),
        arrival: arrival.name().into(),
        burst: arrival.burst(),
        sender_cores: cores.senders.clone(),
        clocks: Some(clocks),
        sweep: args.rate.is_empty(),
        steps: measured.steps,
        knee_per_s: measured.knee_per_s,
    });
    report.warnings = warnings::find(&report, false);
    sinks.write(&report)?;
    if let Some(reason) = measured.failure {
        return Err(Failure::failed(reason));
    }
    if session.is_stopped() {
        return Ok(ExitCode::from(130));
    }
    let missed = report.load.iter().flat_map(|load| &load.steps).filter(|step| !step.reached).map(not_reached);
    let missed: Vec<String> = if args.rate.is_empty() { vec![] } else { missed.collect() };
    if missed.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(Failure::failed(missed.join("\nerror: "))) }
}

/// Which thread runs where.
pub(super) struct Cores {
    selection: Selection,
    /// Those that are used.
    shown: Vec<CoreInfo>,
    pub(super) senders: Vec<usize>,
    pub(super) receiver: usize,
}

impl Cores {
    pub(super) fn choose(
        verb: &str,
        listed: Option<&str>,
        named: Option<[usize; 2]>,
        senders: usize,
    ) -> Result<Self, Failure> {
        let selection = Selection::new(listed, verb, named.map_or(Which::First, Which::Named))?;
        let Some(&[first, receiver]) = selection.pairs.first() else {
            return Err(Failure::usage(format!("{verb} needs two cores")));
        };
        let mut shown = selection.cores.clone();
        if senders > 1 {
            let all = Selection::new(listed, verb, Which::All)?.cores;
            shown.extend(all.into_iter().filter(|core| ![first, receiver].contains(&core.id)));
        }
        let own: Vec<usize> = [first].into_iter().chain(shown[2..].iter().map(|core| core.id)).collect();
        // Where there are fewer cores than senders, they share; the receiver keeps its core to itself.
        let senders: Vec<usize> = own.iter().copied().cycle().take(senders).collect();
        shown.retain(|core| core.id == receiver || senders.contains(&core.id));
        Ok(Self { selection, shown, senders, receiver })
    }
}
