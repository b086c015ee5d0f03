//! Measuring: which pair when, for how long, and when to stop.
//!
//! ```text
//!   jitter | visit, visit, visit … (every pair once, then every pair again, shuffled …) | jitter
//! ```
//!
//! The first round begins with a pair of each kind, so that a run that is too short for all shows every kind. A pair is visited several times when there is time for it. Each visit has new threads, channels and memory, so that a
//! pair's figures do not depend on where one allocation happened to lie.

mod aggregate;
mod bands;
pub(crate) mod channel;
pub(crate) mod clock;
mod counts;
pub(crate) mod floor;
pub(crate) mod jitter;
pub(crate) mod load;
#[cfg(test)]
mod machines;
mod mesh;
pub(crate) mod pair;
pub(crate) mod payload;
pub(crate) mod plan;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) mod process;
pub(crate) mod round_trip;
mod schedule;
pub(crate) mod self_test;
pub(crate) mod shuffle;
mod side;
mod slice;
pub(crate) mod stats;
pub(crate) mod subject;
mod touch;
#[cfg(target_os = "linux")]
pub(crate) mod wake;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::histogram;
use crate::report::{Failure, Jitter, Pair, RunEnd};
use aggregate::{Aggregate, Held};
use jitter::{HICCUP_NS, Watched};
use pair::{Start, Visit};
use payload::with_words;
use plan::{Extent, Plan, Trips};
pub(crate) use schedule::Class;
use schedule::{SHORTEST_VISIT, Schedule, first_round};

/// What to measure.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) plan: Plan,
    pub(crate) payload: usize,
    pub(crate) cores: Vec<usize>,
    pub(crate) pairs: Vec<[usize; 2]>,
    /// Of each pair.
    pub(crate) classes: Vec<Class>,
    pub(crate) budget: Duration,
    /// Per pair; `None` spreads the budget.
    pub(crate) duration: Option<Duration>,
    pub(crate) samples: Option<u64>,
    pub(crate) seed: u64,
}

/// What was measured.
pub(crate) struct Outcome {
    pub(crate) ended: RunEnd,
    pub(crate) jitter: Vec<Jitter>,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) failures: Vec<Failure>,
    /// Memory of early visits had to be given back.
    pub(crate) reused_memory: bool,
    /// What it takes to measure every pair as planned, if this run could not.
    pub(crate) full_run: Option<Duration>,
}

/// Where a run takes place.
trait Machine {
    /// Since the run began.
    fn elapsed(&self) -> Duration;
    fn watch(&mut self, job: &Job, time: Duration) -> Vec<Watched>;
    fn visit(&mut self, job: &Job, cores: [usize; 2], trips: Option<Trips>, extent: Extent) -> Result<Visit, String>;
}

/// This machine.
struct Here(Instant);

impl Machine for Here {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn watch(&mut self, job: &Job, time: Duration) -> Vec<Watched> {
        jitter::watch(&job.cores, time, HICCUP_NS, &job.plan.clock, &job.plan.stop)
    }

    fn visit(&mut self, job: &Job, cores: [usize; 2], trips: Option<Trips>, extent: Extent) -> Result<Visit, String> {
        visit(job.payload, &job.plan, cores, trips, extent)
    }
}

impl Job {
    pub(crate) fn schedule(&self) -> Schedule {
        Schedule::plan(self.pairs.len(), self.budget, self.duration, self.samples.is_some())
    }

    /// Runs the job. `progress` is told after each visit, never during one.
    pub(crate) fn run(&self, progress: impl FnMut(u64)) -> Outcome {
        self.run_on(&mut Here(Instant::now()), progress)
    }

    fn run_on(&self, machine: &mut impl Machine, mut progress: impl FnMut(u64)) -> Outcome {
        let Schedule { jitter: watch, pair: time, visits, .. } = self.schedule();
        let stop = &self.plan.stop;
        let until = self.budget.saturating_sub(watch);
        let mut jitter = machine.watch(self, watch);
        let watched = machine.elapsed();
        let mut aggregates: Vec<Aggregate> = self.pairs.iter().map(|&cores| Aggregate::new(cores)).collect();
        let mut held = Held::default();
        let mut random = shuffle::Random::new(self.seed);
        let mut order = first_round(&self.classes, &mut random);
        let (mut ended, mut full_run, mut tried) = (RunEnd::Complete, None, 0);
        'run: for round in 0..visits {
            if round > 0 {
                random.shuffle(&mut order);
            }
            for &index in &order {
                if stop.load(Ordering::Relaxed) {
                    break 'run;
                }
                // The first pair is always tried, however small the budget.
                let left = until.saturating_sub(machine.elapsed());
                let needed = if self.samples.is_some() { SHORTEST_VISIT } else { time / visits };
                if left < needed && tried > 0 {
                    // Without a wish for so much time, later rounds only add to what every pair already has.
                    if round == 0 || self.duration.is_some() {
                        ended = RunEnd::TimeBudget;
                        let each = machine.elapsed().saturating_sub(watched) / tried;
                        // A little more, as visits do not take the same time each.
                        full_run = Some((each * (order.len() as u32 * visits)).mul_f64(1.05) + 2 * watch);
                    }
                    break 'run;
                }
                let extent = match self.samples {
                    Some(samples) => Extent { time: left, samples },
                    None => Extent { time: (time / visits).min(left.max(SHORTEST_VISIT)), samples: u64::MAX },
                };
                let pair = &mut aggregates[index];
                if pair.failure.is_none() {
                    match machine.visit(self, pair.cores, pair.trips(), extent) {
                        Ok(visit) => {
                            pair.add(visit, self.plan.quantum_ns, &mut held, self.plan.capacity * self.payload);
                        }
                        Err(reason) => pair.failure = Some(reason),
                    }
                }
                tried += 1;
                progress(1);
            }
        }
        if stop.load(Ordering::Relaxed) {
            ended = RunEnd::Interrupted;
        } else {
            jitter::merge(&mut jitter, machine.watch(self, watch));
        }
        let jitter = jitter.iter().map(Watched::report).collect();
        let short = |pair: &Aggregate| pair.failure.is_none() && pair.samples() < self.samples.unwrap_or(0);
        if ended == RunEnd::Complete && aggregates.iter().any(short) {
            ended = RunEnd::TimeBudget;
        }
        let (pairs, failures) = (vec![], vec![]);
        let mut outcome = Outcome { ended, jitter, pairs, failures, reused_memory: held.full, full_run };
        for pair in aggregates {
            let cores = pair.cores;
            if let Some(reason) = pair.failure.clone() {
                outcome.failures.push(Failure { cores, reason });
            }
            outcome.pairs.extend(pair.finish(self.plan.quantum_ns, self.pairs.len() <= histogram::MOST_PAIRS));
        }
        outcome
    }
}

/// Visits the pair with messages of `payload` bytes.
fn visit(
    payload: usize,
    plan: &Plan,
    cores: [usize; 2],
    trips: Option<Trips>,
    extent: Extent,
) -> Result<Visit, String> {
    with_words!(payload, WORDS => {
        #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
        let start: Start = process::start::<WORDS>;
        #[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
        let start: Start = |_, _| Err(round_trip::StopReason::Process("there are no channels between processes on this system".into()));
        match &plan.mesh {
            Some(all) => mesh::visit::<WORDS>(plan, all, cores, trips, extent),
            None => pair::visit(plan, cores, channel::wires::<WORDS>().map(channel::connects), trips, extent, plan.processes.then_some(start)),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::options::Wait;
    use crate::placement::Placement;

    fn job(pairs: usize, budget: Duration) -> Job {
        let plan = Plan {
            capacity: 64,
            wait: Wait::Spin,
            slice: Duration::ZERO,
            clock: clock::Clock::choose(None),
            quantum_ns: 10.0,
            read_ns: 10.0,
            stop: Arc::default(),
            processes: false,
            mesh: None,
            placement: Placement::default(),
        };
        let (pairs, classes) = (vec![[0, 1]; pairs], vec![Class { relation: 0, caches: [0; 2] }; pairs]);
        Job { plan, payload: 8, cores: vec![0, 1], pairs, classes, budget, duration: None, samples: None, seed: 1 }
    }

    #[test]
    fn cores_that_do_not_exist_fail_their_pair_and_not_the_run() {
        let mut job = Job { samples: Some(10), ..job(1, Duration::from_millis(200)) };
        job.plan.slice = Duration::from_millis(1);
        (job.pairs, job.cores) = (vec![[100_000, 100_001]], vec![100_000, 100_001]);
        let outcome = job.run(|_| ());
        assert_eq!((outcome.pairs.len(), outcome.failures.len(), outcome.jitter.len()), (0, 1, 0));
        assert_eq!(outcome.ended, RunEnd::Complete);
    }
}
