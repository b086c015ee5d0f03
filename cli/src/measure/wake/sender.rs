//! The thread that sends, keeps the time, and says which subject comes next.

use std::iter;
use std::mem::replace;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::subject::Sends;
use super::{FEWEST_ROUNDS, Job, Outcome, QUIT, Shared, Step, messages_per_slice, pack};
use crate::measure::plan::PATIENCE;
use crate::measure::round_trip::StopReason;
use crate::measure::side::Side;
use crate::measure::stats;
use crate::options::Wait;
use crate::report::WakeRow;

/// Among the subjects, the futex of a contender.
fn futex_of(contender: usize) -> usize {
    2 * contender
}

/// Its channel.
fn channel_of(contender: usize) -> usize {
    2 * contender + 1
}

/// The sender's thread.
pub(super) struct Sending<'a> {
    job: &'a Job,
    subjects: Vec<Box<dyn Sends>>,
    shared: &'a Shared,
    /// The subject on which the receiver waits.
    at: u8,
    number: u64,
    sleeps: u64,
    /// When the last answer was seen.
    free: u64,
}

/// One message.
struct Sample {
    ns: u64,
    slept: bool,
}

/// The samples of one subject after one gap.
struct Samples {
    all: Histogram<u64>,
    slices_ns: Vec<f64>,
    /// Of each slice over the futex's just before it; none of the futex itself.
    ratios: Vec<f64>,
    slept: u64,
}

impl Samples {
    fn new() -> Self {
        Self { all: stats::histogram(), slices_ns: vec![], ratios: vec![], slept: 0 }
    }
}

impl<'a> Sending<'a> {
    pub(super) fn new(job: &'a Job, subjects: Vec<Box<dyn Sends>>, shared: &'a Shared) -> Self {
        Self { job, subjects, shared, at: 0, number: 0, sleeps: 0, free: 0 }
    }

    fn stopped(&self) -> bool {
        self.job.stop.load(Ordering::Relaxed)
    }

    pub(super) fn run(mut self) -> Result<Outcome, StopReason> {
        let mut side = Side::begin_waiting(Wait::Spin);
        let clock_offset_ns = self.shared.meeting.ask(&self.job.clock)?;
        self.free = self.job.clock.raw();
        let mut rows = Vec::new();
        for step in &self.job.steps {
            if !self.stopped() {
                rows.extend(self.step(step)?);
                side.look();
            }
        }
        self.exchange(Duration::ZERO, QUIT)?;
        side.end();
        Ok(Outcome { clock_offset_ns, rows, migrated: side.effects().migrated })
    }

    /// All subjects after one gap, each next to the futex, over and over.
    fn step(&mut self, step: &Step) -> Result<Vec<WakeRow>, StopReason> {
        let contenders = self.job.contenders.len();
        let mut futexes = Samples::new();
        let mut channels: Vec<Samples> = (0..contenders).map(|_| Samples::new()).collect();
        let mut slice = stats::histogram();
        let began = Instant::now();
        let mut rounds = 0;
        while !self.stopped() && (rounds < FEWEST_ROUNDS || began.elapsed() < step.time) {
            for (index, channel) in channels.iter_mut().enumerate() {
                let futex = self.slice(step.idle, channel_of(index), &mut slice, &mut futexes)?;
                let own = self.slice(step.idle, futex_of((index + 1) % contenders), &mut slice, channel)?;
                if let (Some(futex), Some(own)) = (futex, own) {
                    channel.ratios.push(own / futex.max(1.0));
                }
            }
            rounds += 1;
        }
        let named = self.job.contenders.iter().map(|(subject, way)| (subject.name(), way.name()));
        let all = iter::once((("futex", "futex"), futexes)).chain(named.zip(channels));
        let measured = all.filter(|(_, samples)| !samples.all.is_empty());
        Ok(measured
            .map(|((subject, wait), samples)| WakeRow {
                subject: subject.to_owned(),
                wait: wait.to_owned(),
                idle_ns: step.idle.as_nanos() as f64,
                slept_share: samples.slept as f64 / samples.all.len() as f64,
                ratio: stats::ratio_of_pairs(samples.ratios),
                figures: stats::figures(&samples.all, 1, self.job.quantum_ns, &samples.slices_ns),
            })
            .collect())
    }

    /// Messages over the subject that the receiver waits on; the last says to wait on `then`. The slice's own figure, unless it was cut short.
    fn slice(
        &mut self,
        idle: Duration,
        then: usize,
        slice: &mut Histogram<u64>,
        sum: &mut Samples,
    ) -> Result<Option<f64>, StopReason> {
        let messages = messages_per_slice(idle);
        // The first message of many finds the other subject's lines in the caches. Where there are few it counts, for then it is what users get.
        let untimed = u32::from(messages >= 8);
        slice.reset();
        let mut slept = 0;
        for index in 0..messages {
            let next = if index + 1 < messages { self.at } else { then as u8 };
            let Some(sample) = self.exchange(idle, next)? else { return Ok(None) };
            if index >= untimed {
                slice.saturating_record(sample.ns);
                slept += u64::from(sample.slept);
            }
        }
        stats::add(&mut sum.all, slice);
        sum.slept += slept;
        let middle = stats::median(slice, self.job.quantum_ns);
        sum.slices_ns.extend(middle);
        Ok(middle)
    }

    /// One message, `idle` after the last answer was seen. `None` if the run is to end: then nothing was sent.
    fn exchange(&mut self, idle: Duration, next: u8) -> Result<Option<Sample>, StopReason> {
        let (clock, gap) = (&self.job.clock, idle.as_nanos() as u64);
        while clock.ns(self.free, clock.raw()) < gap {
            if next != QUIT && self.stopped() {
                return Ok(None);
            }
            std::hint::spin_loop();
        }
        let subject = self.subjects.get_mut(usize::from(self.at)).ok_or(StopReason::Corrupt)?;
        self.number += 1;
        let message = pack(self.number, next);
        let sent = clock.raw();
        subject.send(message)?;
        let answer = &self.shared.answer;
        while answer.number.load(Ordering::Acquire) != self.number {
            if clock.ns(sent, clock.raw()) > PATIENCE.as_nanos() as u64 {
                return Err(StopReason::Silent);
            }
            std::hint::spin_loop();
        }
        self.free = clock.raw();
        let sleeps = answer.sleeps.load(Ordering::Relaxed);
        let slept = sleeps > replace(&mut self.sleeps, sleeps);
        self.at = next;
        Ok(Some(Sample { ns: clock.ns(sent, answer.received.load(Ordering::Relaxed)), slept }))
    }
}
