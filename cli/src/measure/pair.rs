//! One visit to a pair: two pinned threads, fresh memory, slices of floor and channel in turn.
//!
//! ```text
//!   timing thread     two lines | one line | channel | two lines | one line | channel … one line quit
//!   answering thread  echo      | echo     | echo    | echo      | echo     | echo    … echo
//! ```
//!
//! With another process on the answering thread's core, each sleeps during the other's turn:
//!
//! ```text
//!   timing thread     two lines | one line | processes | channel | two lines …
//!   answering thread  echo      | echo     | asleep    | echo    | echo
//!   other process     asleep    | asleep   | echo      | asleep  | asleep
//! ```
//!
//! Only the timing thread decides: it ends a turn by a value that the other echoes before it turns to the next subject.
//! Every wait has a deadline, so that a lost peer ends a visit and never the run.

use std::any::Any;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use ringmail::affinity::spawn_pinned;

use super::channel::{Connect, Turns};
use super::clock::trips_per_sample;
use super::floor::{Line, OneLine, TwoLines};
use super::plan::{Extent, PATIENCE, Plan, Trips};
use super::round_trip::{RoundTrip, StopReason, Turn};
use super::side::{Effects, Side};
use super::slice::{Slice, Watch, run_slice};
use super::stats;
use crate::report::FloorKind;

/// What a visit measured. `held` keeps its memory from being used again.
pub(crate) struct Visit {
    pub(crate) trips: Trips,
    /// Of each [`FloorKind`].
    pub(crate) floors: [Histogram<u64>; 2],
    pub(crate) channel: Histogram<u64>,
    pub(crate) slices: Vec<Around>,
    /// Empty without another process, as is `processes_ns`. Otherwise each of `processes_ns` belongs to the slice of its number.
    pub(crate) processes: Histogram<u64>,
    pub(crate) processes_ns: Vec<f64>,
    /// Per slice, what [`stats::tails`] says: of the channel, and of the one between processes.
    pub(crate) tails_ns: [Vec<[f64; 4]>; 2],
    pub(crate) effects: Effects,
    /// Times that either side slept, and round trips with the warm-ups: of the channel, and of the one between processes.
    pub(crate) sleeps: [Sleeps; 2],
    /// Time that the timing thread was watched, and what stalls took of it outside of samples.
    pub(crate) watched_ns: u64,
    pub(crate) lost_ns: u64,
    pub(crate) held: Box<dyn Any + Send>,
}

/// How often a channel slept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sleeps {
    /// Absent where the kernel does not say, and of a channel that never sleeps.
    pub(crate) times: Option<u64>,
    pub(crate) trips: u64,
}

/// p50 of a slice of the channel, and of both floors just before it and just after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Around {
    pub(crate) before: [f64; 2],
    pub(crate) channel: f64,
    pub(crate) after: [f64; 2],
}

impl Around {
    /// With the floor of one kind.
    pub(crate) fn floor(&self, kind: FloorKind) -> [f64; 3] {
        [self.before[kind as usize], self.channel, self.after[kind as usize]]
    }
}

/// Another process that answers on the core of the answering thread.
pub(crate) trait Process {
    /// [`run_slice`] with it. It sleeps before and after.
    fn slice(&mut self, plan: &Plan, trips: u32, most: u64, samples: &mut Histogram<u64>) -> Result<Slice, StopReason>;
    /// Ends it. What the kernel did to it, and how many round trips there were.
    fn finish(self: Box<Self>) -> Result<(Effects, u64), StopReason>;
}

/// Starts a process on a core, from the timing thread.
pub(crate) type Start = fn(&Plan, usize) -> Result<Box<dyn Process>, StopReason>;

/// The other process, and what wakes the answering thread after its turn.
struct Other {
    process: Box<dyn Process>,
    event: mpsc::SyncSender<()>,
}

impl Other {
    fn slice(&mut self, plan: &Plan, trips: u32, most: u64, samples: &mut Histogram<u64>) -> Result<Slice, StopReason> {
        let slice = self.process.slice(plan, trips, most, samples)?;
        self.event.send(()).map_err(|_| StopReason::Gone)?;
        Ok(slice)
    }
}

/// Both ends of one thread, and an allocation that keeps them off pages that others have touched.
struct Ends {
    channel: Box<dyn Turns>,
    two_lines: TwoLines,
    one_line: OneLine,
    /// A line that serves neither side. Freed, its memory would serve the next visit.
    spare: Arc<Line>,
    spacer: Vec<u8>,
}

impl Ends {
    fn keep(self) -> Box<dyn Any + Send> {
        Box::new((self.channel.keep(), self.two_lines, self.one_line, self.spare, self.spacer))
    }
}

/// Measures the pair once, over the channels that the two wires make. `trips`: those of an earlier visit, if
/// there was one. `start`: how to start the other process, if there is to be one.
pub(crate) fn visit(
    plan: &Plan,
    [a, b]: [usize; 2],
    [wire_a, wire_b]: [Connect; 2],
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
        plan_b.placement.enter()?;
        let (side, ends) = answer(rendezvous(wire_b, &plan_b, to_a, from_a, Role::Answering)?, &plan_b, ring)?;
        Ok::<_, StopReason>((side, ends.keep()))
    })
    .map_err(|e| e.to_string())?;
    let timing = spawn_pinned(a, move || {
        plan_a.placement.enter()?;
        // While the answering thread sleeps: the process shares its core. Only this thread has touched the memory that this frees.
        let process = start.map(|start| start(&plan_a, b)).transpose()?;
        let other = process.map(|process| Other { process, event });
        let (visit, ends) =
            time(rendezvous(wire_a, &plan_a, to_b, from_b, Role::Timing)?, other, &plan_a, trips, extent, samples)?;
        Ok::<_, StopReason>((visit, ends.keep()))
    });
    // If the timing thread does not start, its half of the rendezvous is dropped and the answering thread ends by itself.
    let timed = timing.map(|thread| thread.join());
    let answered = answering.join();
    match (timed.map_err(|e| e.to_string())?, answered) {
        (Err(_), _) | (_, Err(_)) => Err("a measuring thread panicked; please report this".to_owned()),
        (Ok(Err(reason)), _) | (Ok(Ok(_)), Ok(Err(reason))) => Err(reason.to_string()),
        (Ok(Ok((mut visit, mine))), Ok(Ok((side, theirs)))) => {
            visit.add_answering(side.effects());
            visit.held = Box::new((mine, theirs));
            Ok(visit)
        }
    }
}

impl Visit {
    /// Adds what the kernel did to the answering thread.
    fn add_answering(&mut self, effects: Effects) {
        self.effects = self.effects.and(effects);
        let times = &mut self.sleeps[0].times;
        *times = times.zip(effects.sleeps).map(|(a, b)| a + b);
    }
}

/// The samples of a visit.
struct Samples {
    floors: [Histogram<u64>; 2],
    channel: Histogram<u64>,
    processes: Histogram<u64>,
    slice: Histogram<u64>,
    slices: Vec<Around>,
    processes_ns: Vec<f64>,
    tails_ns: [Vec<[f64; 4]>; 2],
    watch: Watch,
}

impl Samples {
    fn new(plan: &Plan, extent: Extent) -> Self {
        let slices = extent.time.as_secs_f64() / (2.0 * plan.slice.as_secs_f64()).max(1e-4) + 2.0;
        let slices = slices.min(100_000.0) as usize;
        let beside = if plan.processes { slices } else { 0 };
        Self {
            floors: [stats::histogram(), stats::histogram()],
            channel: stats::histogram(),
            processes: stats::histogram(),
            slice: stats::histogram(),
            slices: Vec::with_capacity(slices),
            processes_ns: Vec::with_capacity(beside),
            tails_ns: [slices, beside].map(Vec::with_capacity),
            watch: Watch::new(slices),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Timing,
    Answering,
}

/// Builds what this thread owns, on this thread, and swaps the far ends with the peer.
fn rendezvous(
    connect: Connect,
    plan: &Plan,
    give: mpsc::SyncSender<[Arc<Line>; 2]>,
    take: mpsc::Receiver<[Arc<Line>; 2]>,
    role: Role,
) -> Result<Ends, StopReason> {
    // Two pages off what came before: the thread that sets up a pair must also be the first to touch its pages.
    let spacer = vec![1_u8; 8192];
    let channel = connect(plan)?;
    let [inbox, shared] = [Line::new(), Line::new()];
    give.send([Arc::clone(&inbox), Arc::clone(&shared)]).map_err(|_| StopReason::Gone)?;
    let [out, of_peer] = take.recv_timeout(plan.patience()).map_err(|_| StopReason::Gone)?;
    let (one_line, spare) = match role {
        // The line that both change lies in the answering thread's memory.
        Role::Timing => (OneLine::timing(of_peer), shared),
        Role::Answering => (OneLine::answering(shared), of_peer),
    };
    Ok(Ends { channel, two_lines: TwoLines::new(out, inbox), one_line, spare, spacer })
}

/// The answering thread; it waits for the `event`, if there is one, while another process answers on its core.
fn answer(mut ends: Ends, plan: &Plan, event: Option<mpsc::Receiver<()>>) -> Result<(Side, Ends), StopReason> {
    let mut side = Side::begin(plan);
    let deadline = || Instant::now() + plan.slice + PATIENCE;
    loop {
        ends.two_lines.begin(deadline());
        ends.two_lines.echo()?;
        ends.one_line.begin(deadline());
        if ends.one_line.echo()? == Turn::Quit {
            side.end();
            return Ok((side, ends));
        }
        if let Some(event) = &event {
            // Longer than the timing thread waits for that process, so that the timing thread reports what is wrong.
            event.recv_timeout(plan.slice + 2 * PATIENCE).map_err(|_| StopReason::Gone)?;
        }
        ends.channel.begin(deadline());
        side.turn(|| ends.channel.echo())?;
        side.look();
    }
}

/// Numbers of the subjects of a [`Watch`].
const CHANNEL: usize = 2;

/// The timing thread.
fn time(
    mut ends: Ends,
    mut other: Option<Other>,
    plan: &Plan,
    trips: Option<Trips>,
    extent: Extent,
    samples: Samples,
) -> Result<(Visit, Ends), StopReason> {
    let Samples { mut floors, mut channel, mut processes, mut slice, mut slices, .. } = samples;
    let Samples { mut processes_ns, mut tails_ns, mut watch, .. } = samples;
    let (mut side, mut side_of_processes) = (Side::begin(plan), Side::begin(plan));
    let trips = match trips {
        Some(trips) => trips,
        None => pilot(&mut ends, other.as_mut(), plan, &mut slice, [&mut side, &mut side_of_processes])?,
    };
    let began = Instant::now();
    let mut before = both_floors(&mut ends, plan, &trips, &mut floors, &mut slice, &mut watch)?;
    loop {
        ends.one_line.end(Turn::Switch)?;
        let mut left = extent.samples.saturating_sub(channel.len());
        let mut beside = None;
        if let Some(other) = &mut other {
            left = left.max(extent.samples.saturating_sub(processes.len()));
            let of_processes = side_of_processes.turn(|| other.slice(plan, trips.processes, left, &mut slice))?;
            watch.note_woken(plan, &of_processes);
            beside = Some((of_processes.p50_ns, stats::tails(&slice, trips.processes)));
            stats::add(&mut processes, &slice);
        }
        let middle = side.turn(|| {
            let middle = ends.channel.slice(plan, trips.channel, left, &mut slice)?;
            ends.channel.end(Turn::Switch)?;
            Ok(middle)
        })?;
        // The answering thread slept until now.
        if other.is_some() {
            watch.note_woken(plan, &middle)
        } else {
            watch.note(plan, CHANNEL, &middle)
        }
        stats::add(&mut channel, &slice);
        let tails = stats::tails(&slice, trips.channel);
        let after = both_floors(&mut ends, plan, &trips, &mut floors, &mut slice, &mut watch)?;
        // A slice that was cut short has too few samples to be compared with its neighbours.
        if !plan.stopped() {
            let tenth = |ns: f64| (ns * 10.0).round() / 10.0;
            let [before, after] = [before, after].map(|floors| floors.map(tenth));
            slices.push(Around { before, channel: tenth(middle.p50_ns), after });
            processes_ns.extend(beside.map(|(ns, _)| tenth(ns)));
            tails_ns[0].push(tails);
            tails_ns[1].extend(beside.map(|(_, tails)| tails));
        }
        before = after;
        side.look();
        let enough = channel.len() >= extent.samples && (other.is_none() || processes.len() >= extent.samples);
        if plan.stopped() || enough || began.elapsed() >= extent.time {
            break;
        }
    }
    ends.one_line.end(Turn::Quit)?;
    side.end();
    let mut effects = side.effects();
    let mut sleeps = [Sleeps { times: effects.sleeps, trips: ends.channel.trips() }; 2];
    if let Some(other) = other {
        let (of_process, trips) = other.process.finish()?;
        let times = side_of_processes.effects().sleeps.zip(of_process.sleeps).map(|(a, b)| a + b);
        sleeps[1] = Sleeps { times, trips };
        effects = effects.and(of_process);
    }
    let ([watched_ns, lost_ns], held) = (watch.finish(plan), Box::new(()));
    let visit = Visit {
        trips,
        floors,
        channel,
        slices,
        processes,
        processes_ns,
        tails_ns,
        effects,
        sleeps,
        watched_ns,
        lost_ns,
        held,
    };
    Ok((visit, ends))
}

/// A turn of each floor, half as long as one of a channel; p50 of each. The turn of the second is not ended.
fn both_floors(
    ends: &mut Ends,
    plan: &Plan,
    trips: &Trips,
    floors: &mut [Histogram<u64>; 2],
    slice: &mut Histogram<u64>,
    watch: &mut Watch,
) -> Result<[f64; 2], StopReason> {
    let half = plan.half();
    let two_lines = run_slice(&mut ends.two_lines, &half, trips.floors[0], u64::MAX, slice)?;
    stats::add(&mut floors[0], slice);
    watch.note(plan, FloorKind::TwoLines as usize, &two_lines);
    ends.two_lines.end(Turn::Switch)?;
    let one_line = run_slice(&mut ends.one_line, &half, trips.floors[1], u64::MAX, slice)?;
    stats::add(&mut floors[1], slice);
    watch.note(plan, FloorKind::OneLine as usize, &one_line);
    Ok([two_lines.p50_ns, one_line.p50_ns])
}

/// Chooses how many round trips make a sample, from the shortest trip in a few short slices. Begins and ends with a turn of the floors.
fn pilot(
    ends: &mut Ends,
    mut other: Option<&mut Other>,
    plan: &Plan,
    slice: &mut Histogram<u64>,
    [side, side_of_processes]: [&mut Side; 2],
) -> Result<Trips, StopReason> {
    const ROUNDS: u32 = 4;
    const TOGETHER: u32 = 8;
    let plan = &Plan { slice: Duration::from_micros(500), ..plan.clone() };
    let mut shortest = [f64::INFINITY; 4];
    let mut see = |subject: usize, slice: &Histogram<u64>| {
        shortest[subject] = shortest[subject].min(slice.min() as f64 / f64::from(TOGETHER));
    };
    for _ in 0..ROUNDS {
        run_slice(&mut ends.two_lines, plan, TOGETHER, u64::MAX, slice)?;
        see(0, slice);
        ends.two_lines.end(Turn::Switch)?;
        run_slice(&mut ends.one_line, plan, TOGETHER, u64::MAX, slice)?;
        see(1, slice);
        ends.one_line.end(Turn::Switch)?;
        if let Some(other) = &mut other {
            side_of_processes.turn(|| other.slice(plan, TOGETHER, u64::MAX, slice))?;
            see(3, slice);
        }
        side.turn(|| {
            ends.channel.slice(plan, TOGETHER, u64::MAX, slice)?;
            ends.channel.end(Turn::Switch)
        })?;
        see(2, slice);
    }
    // A sample of a channel or of two lines holds a reading as well, so that is to be a small part of it too.
    let least_ns = plan.quantum_ns.max(plan.read_ns);
    let [two_lines, one_line, channel, processes] = shortest.map(|ns| trips_per_sample(least_ns, ns));
    Ok(Trips { floors: [two_lines, one_line], channel, processes })
}
