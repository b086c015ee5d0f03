//! One visit to a pair: two pinned threads, fresh memory, slices of floor and channel in turn.
//!
//! ```text
//!   timing thread     floor | channel | floor | channel | floor … quit
//!   answering thread  echo  | echo    | echo  | echo    | echo
//! ```
//!
//! With another process on the answering thread's core, each sleeps during the other's turn:
//!
//! ```text
//!   timing thread     floor | processes | channel | floor | processes | channel | floor … quit
//!   answering thread  echo  | asleep    | echo    | echo  | asleep    | echo    | echo
//!   other process     asleep| echo      | asleep  | asleep| echo      | asleep  | asleep
//! ```
//!
//! Only the timing thread decides: it ends a turn by a value that the other echoes before it turns to the next subject.
//! Every wait has a deadline, so that a lost peer ends a visit and never the run.

use std::any::Any;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use ringmail::affinity::{current_core, spawn_pinned};

use super::channel::{ChannelEnd, Link, Wire};
use super::clock::trips_per_sample;
use super::floor::{FloorEnd, Line};
use super::plan::{Extent, PATIENCE, Plan, Trips};
use super::round_trip::{RoundTrip, StopReason, Turn};
use super::stats;

/// Round trips at the start of a slice that are not timed: they bring the lines of the subject back into the caches, and wake the
/// answering side. On a busy machine there may be fewer: the warm-up ends after the length of a slice.
const WARM_UP: u32 = 64;

/// What a visit measured. `held` keeps its memory from being used again.
pub(crate) struct Visit {
    pub(crate) trips: Trips,
    pub(crate) floor: Histogram<u64>,
    pub(crate) channel: Histogram<u64>,
    pub(crate) slices_ns: Vec<[f64; 3]>,
    /// Empty without another process, as is `processes_ns`. Otherwise each of `processes_ns` belongs to the slice of its number.
    pub(crate) processes: Histogram<u64>,
    pub(crate) processes_ns: Vec<f64>,
    pub(crate) migrated: bool,
    pub(crate) preemptions: Option<u64>,
    pub(crate) held: Box<dyn Any + Send>,
}

/// Another process that answers on the core of the answering thread.
pub(crate) trait Process {
    /// [`run_slice`] with it. It sleeps before and after.
    fn slice(&mut self, plan: &Plan, trips: u32, most: u64, samples: &mut Histogram<u64>) -> Result<f64, StopReason>;
    /// Ends it; what the kernel did to it.
    fn finish(self: Box<Self>) -> Result<Effects, StopReason>;
}

/// Starts a process on a core, from the timing thread.
pub(crate) type Start = fn(&Plan, usize) -> Result<Box<dyn Process>, StopReason>;

/// The other process, and what wakes the answering thread after its turn.
struct Other {
    process: Box<dyn Process>,
    event: mpsc::SyncSender<()>,
}

impl Other {
    fn slice(&mut self, plan: &Plan, trips: u32, most: u64, samples: &mut Histogram<u64>) -> Result<f64, StopReason> {
        let ns = self.process.slice(plan, trips, most, samples)?;
        self.event.send(()).map_err(|_| StopReason::Gone)?;
        Ok(ns)
    }
}

/// Both ends of one thread, and an allocation that keeps them off pages that others have touched.
struct Ends<L, const N: usize> {
    channel: ChannelEnd<L, N>,
    floor: FloorEnd,
    spacer: Vec<u8>,
}

impl<L: Link<N>, const N: usize> Ends<L, N> {
    fn keep<W: Wire<N, Link = L>>(self) -> Box<dyn Any + Send> {
        Box::new((W::keep(self.channel.into_link()), self.floor, self.spacer))
    }
}

/// Measures the pair once with messages of `N` words, over the links that the two wires make. `trips`: those of an earlier visit, if
/// there was one. `start`: how to start the other process, if there is to be one.
pub(crate) fn visit<W: Wire<N>, const N: usize>(
    plan: &Plan,
    [a, b]: [usize; 2],
    [wire_a, wire_b]: [W; 2],
    trips: Option<Trips>,
    extent: Extent,
    start: Option<Start>,
) -> Result<Visit, String> {
    // The measuring threads allocate only what is to lie on fresh memory: memory that they freed would be reused.
    let (to_a, from_b) = mpsc::sync_channel(1);
    let (to_b, from_a) = mpsc::sync_channel(1);
    let (event, ring) = mpsc::sync_channel(1);
    let ring = start.map(|_| ring);
    let (plan_a, plan_b) = (plan.clone(), plan.clone());
    let samples = Samples::new(plan, extent);
    let answering = spawn_pinned(b, move || {
        let (side, ends) = answer(rendezvous(wire_b, &plan_b, to_a, from_a)?, &plan_b, ring)?;
        Ok::<_, StopReason>((side, ends.keep::<W>()))
    })
    .map_err(|e| e.to_string())?;
    let timing = spawn_pinned(a, move || {
        // While the answering thread sleeps: the process shares its core. Only this thread has touched the memory that this frees.
        let process = start.map(|start| start(&plan_a, b)).transpose()?;
        let other = process.map(|process| Other { process, event });
        let (visit, ends) = time(rendezvous(wire_a, &plan_a, to_b, from_b)?, other, &plan_a, trips, extent, samples)?;
        Ok::<_, StopReason>((visit, ends.keep::<W>()))
    });
    // If the timing thread does not start, its half of the rendezvous is dropped and the answering thread ends by itself.
    let timed = timing.map(|thread| thread.join());
    let answered = answering.join();
    match (timed.map_err(|e| e.to_string())?, answered) {
        (Err(_), _) | (_, Err(_)) => Err("a measuring thread panicked; please report this".to_owned()),
        (Ok(Err(reason)), _) | (Ok(Ok(_)), Ok(Err(reason))) => Err(reason.to_string()),
        (Ok(Ok((mut visit, mine))), Ok(Ok((side, theirs)))) => {
            visit.add_effects(side.effects());
            visit.held = Box::new((mine, theirs));
            Ok(visit)
        }
    }
}

impl Visit {
    /// Adds what the kernel did to one more side.
    fn add_effects(&mut self, effects: Effects) {
        self.migrated |= effects.migrated;
        self.preemptions = self.preemptions.zip(effects.preemptions).map(|(a, b)| a + b);
    }
}

/// The samples of a visit.
struct Samples {
    floor: Histogram<u64>,
    channel: Histogram<u64>,
    processes: Histogram<u64>,
    slice: Histogram<u64>,
    slices_ns: Vec<[f64; 3]>,
    processes_ns: Vec<f64>,
}

impl Samples {
    fn new(plan: &Plan, extent: Extent) -> Self {
        let slices = extent.time.as_secs_f64() / (2.0 * plan.slice.as_secs_f64()).max(1e-4) + 2.0;
        let slices = slices.min(100_000.0) as usize;
        Self {
            floor: stats::histogram(),
            channel: stats::histogram(),
            processes: stats::histogram(),
            slice: stats::histogram(),
            slices_ns: Vec::with_capacity(slices),
            processes_ns: Vec::with_capacity(if plan.processes { slices } else { 0 }),
        }
    }
}

/// Builds what this thread owns, on this thread, and swaps the far ends with the peer.
fn rendezvous<W: Wire<N>, const N: usize>(
    wire: W,
    plan: &Plan,
    give: mpsc::SyncSender<Arc<Line>>,
    take: mpsc::Receiver<Arc<Line>>,
) -> Result<Ends<W::Link, N>, StopReason> {
    // Two pages off what came before: the thread that sets up a pair must also be the first to touch its pages.
    let spacer = vec![1_u8; 8192];
    let channel = ChannelEnd::new(wire.connect(plan)?);
    let line = Line::new();
    give.send(Arc::clone(&line)).map_err(|_| StopReason::Gone)?;
    let out = take.recv_timeout(plan.patience()).map_err(|_| StopReason::Gone)?;
    Ok(Ends { channel, floor: FloorEnd::new(out, line), spacer })
}

/// The answering thread; it waits for the `event`, if there is one, while another process answers on its core.
fn answer<L: Link<N>, const N: usize>(
    mut ends: Ends<L, N>,
    plan: &Plan,
    event: Option<mpsc::Receiver<()>>,
) -> Result<(Side, Ends<L, N>), StopReason> {
    let mut side = Side::begin();
    loop {
        ends.floor.begin(Instant::now() + plan.slice + PATIENCE);
        if ends.floor.echo()? == Turn::Quit {
            side.end();
            return Ok((side, ends));
        }
        if let Some(event) = &event {
            // Longer than the timing thread waits for that process, so that the timing thread reports what is wrong.
            event.recv_timeout(plan.slice + 2 * PATIENCE).map_err(|_| StopReason::Gone)?;
        }
        ends.channel.begin(Instant::now() + plan.slice + PATIENCE);
        ends.channel.echo()?;
        side.look();
    }
}

/// The timing thread.
fn time<L: Link<N>, const N: usize>(
    mut ends: Ends<L, N>,
    mut other: Option<Other>,
    plan: &Plan,
    trips: Option<Trips>,
    extent: Extent,
    samples: Samples,
) -> Result<(Visit, Ends<L, N>), StopReason> {
    let Samples { mut floor, mut channel, mut processes, mut slice, mut slices_ns, mut processes_ns } = samples;
    let mut side = Side::begin();
    let trips = match trips {
        Some(trips) => trips,
        None => pilot(&mut ends, other.as_mut(), plan, &mut slice)?,
    };
    let began = Instant::now();
    let stopped = || plan.stop.load(Ordering::Relaxed);
    let mut before = run_slice(&mut ends.floor, plan, trips.floor, u64::MAX, &mut slice)?;
    stats::add(&mut floor, &slice);
    loop {
        ends.floor.end(Turn::Switch)?;
        let mut left = extent.samples.saturating_sub(channel.len());
        let mut beside = None;
        if let Some(other) = &mut other {
            left = left.max(extent.samples.saturating_sub(processes.len()));
            beside = Some(other.slice(plan, trips.processes, left, &mut slice)?);
            stats::add(&mut processes, &slice);
        }
        let middle = run_slice(&mut ends.channel, plan, trips.channel, left, &mut slice)?;
        stats::add(&mut channel, &slice);
        ends.channel.end(Turn::Switch)?;
        let after = run_slice(&mut ends.floor, plan, trips.floor, u64::MAX, &mut slice)?;
        stats::add(&mut floor, &slice);
        // A slice that was cut short has too few samples to be compared with its neighbours.
        if !stopped() {
            let tenth = |ns: f64| (ns * 10.0).round() / 10.0;
            slices_ns.push([before, middle, after].map(tenth));
            processes_ns.extend(beside.map(tenth));
        }
        before = after;
        side.look();
        let enough = channel.len() >= extent.samples && (other.is_none() || processes.len() >= extent.samples);
        if stopped() || enough || began.elapsed() >= extent.time {
            break;
        }
    }
    ends.floor.end(Turn::Quit)?;
    side.end();
    let Effects { migrated, preemptions } = side.effects();
    let held = Box::new(());
    let mut visit = Visit { trips, floor, channel, slices_ns, processes, processes_ns, migrated, preemptions, held };
    if let Some(other) = other {
        visit.add_effects(other.process.finish()?);
    }
    Ok((visit, ends))
}

/// Chooses how many round trips make a sample, from the shortest trip in a few short slices. Begins and ends with a turn of the floor.
fn pilot<L: Link<N>, const N: usize>(
    ends: &mut Ends<L, N>,
    mut other: Option<&mut Other>,
    plan: &Plan,
    slice: &mut Histogram<u64>,
) -> Result<Trips, StopReason> {
    const ROUNDS: u32 = 4;
    const TOGETHER: u32 = 8;
    let plan = &Plan { slice: Duration::from_micros(500), ..plan.clone() };
    let mut shortest = [f64::INFINITY; 3];
    for _ in 0..ROUNDS {
        run_slice(&mut ends.floor, plan, TOGETHER, u64::MAX, slice)?;
        shortest[0] = shortest[0].min(slice.min() as f64 / f64::from(TOGETHER));
        ends.floor.end(Turn::Switch)?;
        if let Some(other) = &mut other {
            other.slice(plan, TOGETHER, u64::MAX, slice)?;
            shortest[2] = shortest[2].min(slice.min() as f64 / f64::from(TOGETHER));
        }
        run_slice(&mut ends.channel, plan, TOGETHER, u64::MAX, slice)?;
        shortest[1] = shortest[1].min(slice.min() as f64 / f64::from(TOGETHER));
        ends.channel.end(Turn::Switch)?;
    }
    let [floor, channel, processes] = shortest.map(|ns| trips_per_sample(plan.quantum_ns, ns));
    Ok(Trips { floor, channel, processes })
}

/// Times samples of `trips` round trips for the length of a slice, at most `most`, into the emptied `samples`. Returns the
/// slice's figure in ns per round trip. Nothing in here allocates or prints.
pub(super) fn run_slice<S: RoundTrip>(
    subject: &mut S,
    plan: &Plan,
    trips: u32,
    most: u64,
    samples: &mut Histogram<u64>,
) -> Result<f64, StopReason> {
    samples.reset();
    subject.begin(Instant::now() + plan.slice + PATIENCE);
    let length = plan.slice.as_nanos() as u64;
    let began = plan.clock.raw();
    for _ in 0..WARM_UP {
        subject.trip()?;
        if plan.clock.ns(began, plan.clock.raw()) >= length {
            break;
        }
    }
    let began = plan.clock.raw();
    loop {
        let start = plan.clock.raw();
        for _ in 0..trips {
            subject.trip()?;
        }
        let end = plan.clock.raw();
        samples.saturating_record(plan.clock.ns(start, end));
        if plan.clock.ns(began, end) >= length || samples.len() >= most || plan.stop.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(stats::middle_mean(samples).unwrap_or(f64::NAN) / f64::from(trips))
}

/// What the kernel did to one side during a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effects {
    /// It was found on another core.
    pub(crate) migrated: bool,
    pub(crate) preemptions: Option<u64>,
}

/// Watches what the kernel does to the calling thread.
pub(super) struct Side {
    core: Option<usize>,
    moved: bool,
    switches: [Option<u64>; 2],
}

impl Side {
    pub(super) fn begin() -> Self {
        Self { core: current_core(), moved: false, switches: [involuntary_switches(), None] }
    }

    pub(super) fn look(&mut self) {
        self.moved |= current_core() != self.core;
    }

    pub(super) fn end(&mut self) {
        self.look();
        self.switches[1] = involuntary_switches();
    }

    pub(super) fn effects(&self) -> Effects {
        let [before, after] = self.switches;
        let preemptions = after.zip(before).map(|(after, before)| after.saturating_sub(before));
        Effects { migrated: self.moved, preemptions }
    }
}

/// Times that the kernel took the core from the calling thread; Linux only. Reads without allocating.
fn involuntary_switches() -> Option<u64> {
    let mut buffer = [0; 4096];
    let length = File::open("/proc/thread-self/status").ok()?.read(&mut buffer).ok()?;
    let status = std::str::from_utf8(&buffer[..length]).ok()?;
    status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?.trim().parse().ok()
}
