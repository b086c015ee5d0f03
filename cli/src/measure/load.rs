//! Messages at a rate: an open loop.
//!
//! ```text
//!   schedule ──► due, due, due …          fixed before the step begins; nothing that happens in the step moves it
//!   sender       waits until a message is due, sends it; if it is late, at once
//!   receiver     now - due  = response time       now - sent = service time
//! ```
//!
//! A message carries when it was due and when it was sent. What delays the sender, a full channel or a stop of its core, counts in the
//! response times of all messages that were due meanwhile. No figure is corrected afterwards.
//!
//! Messages that were due before the end of the step and could not be sent in time are sent after it, for a short while: what waited longest
//! must not be missing. The rate counts only what was sent in time.
//!
//! Both times are of one clock, read on two cores: see [`clocks`].

pub(crate) mod clocks;
mod receiver;
mod schedule;
mod sender;
pub(crate) mod sweep;
mod threads;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, SyncSender};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::payload::with_words;
use super::plan::PATIENCE;
use super::round_trip::StopReason;
use super::side::{Effects, Side};
use super::stats;
use super::subject::inject::Fault;
use super::subject::{self, Kind, Setup, Ticket};
use crate::report::LoadStep;
pub(crate) use receiver::Samples;
pub(crate) use schedule::Arrival;
use schedule::Schedule;
use sender::Sent;
use threads::{Gate, Started, join, start};

/// Words of the smallest message: when it was due, and when it was sent.
pub(crate) const LEAST_PAYLOAD: usize = 16;

/// Payload sizes, in bytes, for which a loop is compiled. Fewer than of round trips: each is compiled for each subject.
pub(crate) const PAYLOADS: [usize; 5] = [LEAST_PAYLOAD, 64, 256, 1024, 4096];

/// What is the same for every rate.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) kind: Kind,
    pub(crate) payload: usize,
    pub(crate) setup: Setup,
    /// Core of each sender; some may share one.
    pub(crate) senders: Vec<usize>,
    pub(crate) receiver: usize,
    pub(crate) clock: Clock,
    pub(crate) stop: Arc<AtomicBool>,
}

/// One rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Of all senders together.
    pub(crate) rate_per_s: f64,
    pub(crate) arrival: Arrival,
    pub(crate) pacing: Pacing,
    /// Not counted.
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
    pub(crate) seed: u64,
}

/// What a message's time is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pacing {
    /// From when it was due, by the schedule.
    Open,
    /// From when it was sent, and the next one is due a gap after that: the mistake that the self-test must find.
    Closed,
}

/// What one step came to.
pub(crate) struct Outcome {
    pub(crate) samples: Samples,
    pub(crate) sent: Sent,
    pub(crate) effects: Effects,
}

/// Points in time of a step, in ns since its epoch. Every thread has the same.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// A reading of the clock.
    epoch: u64,
    start_ns: u64,
    /// Messages due from here on count.
    from_ns: u64,
    end_ns: u64,
    /// Until then, messages that were due before the end are still sent.
    late_ns: u64,
    /// Of every wait for the channel.
    deadline: Instant,
}

impl Times {
    fn new(step: &Step, clock: &Clock) -> Self {
        // Threads that wait for the start get it within a millisecond; what they miss is of the warm-up.
        const START: Duration = Duration::from_millis(1);
        const LATE: Duration = Duration::from_millis(100);
        let ends = [Duration::ZERO, step.warm_up, step.time, LATE].map(|time| time.as_nanos() as u64);
        let mut at = START.as_nanos() as u64;
        let [start_ns, from_ns, end_ns, late_ns] = ends.map(|length| {
            at += length;
            at
        });
        Self {
            epoch: clock.raw(),
            start_ns,
            from_ns,
            end_ns,
            late_ns,
            deadline: Instant::now() + Duration::from_nanos(late_ns) + PATIENCE,
        }
    }
}

impl Job {
    /// Measures one rate on threads and a channel of its own.
    pub(crate) fn run(&self, step: &Step) -> Result<Outcome, String> {
        with_words!(self.payload, WORDS => run::<WORDS>(self, step, Fault::None), 16 64 256 1024 4096)
    }

    /// The same with something wrong, for the self-test; in messages of the least payload.
    pub(crate) fn run_with(&self, step: &Step, fault: Fault) -> Result<Outcome, String> {
        run::<{ LEAST_PAYLOAD / 8 }>(self, step, fault)
    }

    /// Whether senders share a core, so that one that waits must let the others run.
    fn shares_cores(&self) -> bool {
        self.senders.iter().enumerate().any(|(at, core)| self.senders[..at].contains(core))
    }
}

fn run<const N: usize>(job: &Job, step: &Step, fault: Fault) -> Result<Outcome, String> {
    let (ready, is_ready) = mpsc::sync_channel(job.senders.len() + 1);
    let (give, tickets) = mpsc::sync_channel(1);
    let (kind, setup) = (job.kind, job.setup);
    let (senders, clock) = (job.senders.len(), job.clock.clone());
    let mut samples = Samples::new(step.time);
    let receive = move |gate: Gate| {
        let subject::Opened { receiver: mut end, tickets } = fault.into(subject::open::<N>(kind, setup)?);
        give.send(tickets).map_err(|_| StopReason::Gone)?;
        samples.touch();
        let times = gate.for_start()?;
        let mut side = Side::begin_waiting(setup.wait);
        receiver::receive(&mut *end, senders, &times, &clock, &mut samples)?;
        side.end();
        Ok((samples, side.effects()))
    };
    let receiver = start(job.receiver, Box::new(receive))?;
    let begun = tickets.recv_timeout(PATIENCE).map_err(|_| StopReason::Gone.to_string()).and_then(|tickets| {
        let tickets = tickets.into_iter().zip(&job.senders).enumerate();
        tickets.map(|(at, (ticket, &core))| start_sender::<N>(job, step, at, core, ticket, &ready)).collect()
    });
    drop(ready);
    let threads: Result<Vec<Started<Sent>>, String> = begun;
    let everyone = || (0..senders).try_for_each(|_| is_ready.recv_timeout(PATIENCE).map_err(|_| StopReason::Gone));
    if threads.is_ok() && everyone().is_ok() {
        let times = Times::new(step, &job.clock);
        for start in threads.iter().flatten().map(|sender| &sender.start).chain([&receiver.start]) {
            // A thread that has ended meanwhile says why when it is joined.
            let _ = start.send(times);
        }
    }
    finish(receiver, threads)
}

/// Joins all of them; the reason of the first that failed for one of its own.
fn finish(receiver: Started<Samples>, senders: Result<Vec<Started<Sent>>, String>) -> Result<Outcome, String> {
    let (senders, unstarted) = match senders {
        Ok(senders) => (senders, None),
        Err(reason) => (vec![], Some(reason)),
    };
    // Dropping what would have started them ends those that still wait for it.
    let threads: Vec<_> = senders.into_iter().map(|sender| sender.thread).collect();
    drop(receiver.start);
    let sent: Vec<_> = threads.into_iter().map(join).collect();
    let received = join(receiver.thread);
    let mut reasons: Vec<&StopReason> = sent.iter().filter_map(|sent| sent.as_ref().err()).collect();
    reasons.extend(received.as_ref().err());
    let own = reasons.iter().find(|reason| ***reason != StopReason::Gone).map(ToString::to_string);
    if let Some(reason) = own.or(unstarted).or(reasons.first().map(ToString::to_string)) {
        return Err(reason);
    }
    let (samples, mut effects) = received.map_err(|reason| reason.to_string())?;
    let mut total = Sent::default();
    for (sent, more) in sent.into_iter().flatten() {
        total.add(sent);
        effects = effects.and(more);
    }
    if samples.received != total.all {
        return Err(format!(
            "{} messages were sent and {} arrived: this is a bug, please report it",
            total.all, samples.received
        ));
    }
    Ok(Outcome { samples, sent: total, effects })
}

fn start_sender<const N: usize>(
    job: &Job,
    step: &Step,
    at: usize,
    core: usize,
    ticket: Ticket<N>,
    ready: &SyncSender<()>,
) -> Result<Started<Sent>, String> {
    let (step, setup, clock) = (*step, job.setup, job.clock.clone());
    let (ready, stop, senders) = (ready.clone(), Arc::clone(&job.stop), job.senders.len());
    let yields = job.shares_cores();
    let send = move |gate: Gate| {
        let mut end = ticket()?;
        ready.send(()).map_err(|_| StopReason::Gone)?;
        let times = gate.for_start()?;
        let [warm_up, schedule] = [times.start_ns, times.from_ns].map(|ns| Schedule::of_one(&step, ns, at, senders));
        let mut side = Side::begin_waiting(setup.wait);
        let way = sender::Way { clock, stop, yields };
        let sender = sender::Loop { end: &mut *end, step: &step, times: &times, way: &way, sent: Sent::default() };
        let sent = sender.run(warm_up, schedule)?;
        side.end();
        Ok((sent, side.effects()))
    };
    start(core, Box::new(send))
}

impl Outcome {
    /// As the report has it; `None` if nothing was received that counts.
    pub(crate) fn report(&self, step: &Step, tries: u32, quantum_ns: f64) -> Option<LoadStep> {
        let samples = &self.samples;
        if samples.response.is_empty() {
            return None;
        }
        let over_time = samples.over_time();
        let middles: Vec<f64> = over_time.iter().map(|[_, p50, _]| *p50).collect();
        Some(LoadStep {
            planned_per_s: step.rate_per_s,
            sent_per_s: self.sent.in_time as f64 / self.sent.window_s.max(1e-9),
            planned: self.sent.planned,
            sent: self.sent.in_time,
            reached: self.sent.is_reached(),
            window_s: self.sent.window_s,
            tries,
            response: stats::figures(&samples.response, 1, quantum_ns, &middles),
            service: stats::figures(&samples.service, 1, quantum_ns, &[]),
            typical_p90_ns: samples.typical_p90_ns(),
            before_sent: samples.before_sent,
            preemptions: self.effects.preemptions,
            migrated: self.effects.migrated,
            over_time,
        })
    }
}

#[cfg(test)]
mod tests;
