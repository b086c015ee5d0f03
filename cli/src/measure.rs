//! Measuring: which pair when, for how long, and when to stop.
//!
//! ```text
//!   jitter | visit, visit, visit … (shuffled; every pair once, then every pair again …) | jitter
//! ```
//!
//! A pair is visited several times when there is time for it. Each visit has new threads, channels and memory, so that a
//! pair's figures do not depend on where one allocation happened to lie.

mod aggregate;
pub(crate) mod channel;
pub(crate) mod clock;
pub(crate) mod floor;
pub(crate) mod jitter;
mod mesh;
pub(crate) mod pair;
pub(crate) mod payload;
pub(crate) mod plan;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) mod process;
mod round_trip;
pub(crate) mod shuffle;
pub(crate) mod stats;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::report::{Failure, Jitter, Pair, RunEnd};
use aggregate::{Aggregate, Held};
use pair::{Start, Visit};
use payload::with_words;
use plan::{Extent, Plan, Trips};

/// Visits last about this long; a pair with more time is visited more often.
const VISIT: Duration = Duration::from_secs(1);
/// A pair's share of the budget is never planned shorter; pairs that then do not fit are left out.
const SHORTEST_VISIT: Duration = Duration::from_millis(20);
/// A pair is not measured for longer, unless asked for: more samples of the same machine add little.
const LONGEST_PAIR: Duration = Duration::from_secs(12);
/// Slices are short enough for the machine to stay as it is during most of them, and long enough for hundreds of samples.
const SLICES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(5));

/// What to measure.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) plan: Plan,
    pub(crate) payload: usize,
    pub(crate) cores: Vec<usize>,
    pub(crate) pairs: Vec<[usize; 2]>,
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
}

/// Times of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// Before the pairs, and again after them.
    pub(crate) jitter: Duration,
    pub(crate) pair: Duration,
    pub(crate) visits: u32,
    pub(crate) slice: Duration,
}

impl Job {
    /// Plans the times. A pair costs more than its measuring time: threads start, memory is touched, a pilot runs.
    pub(crate) fn schedule(&self) -> Schedule {
        const OVERHEAD: Duration = Duration::from_millis(8);
        let jitter = (self.budget / 10).min(Duration::from_secs(1));
        let room = self.budget.saturating_sub(2 * jitter);
        if self.samples.is_some() {
            return Schedule { jitter, pair: room, visits: 1, slice: SLICES.1 };
        }
        let share = room.mul_f64(0.95 / self.pairs.len().max(1) as f64).saturating_sub(OVERHEAD);
        let pair = self.duration.unwrap_or(share.clamp(SHORTEST_VISIT, LONGEST_PAIR));
        let visits = (pair.as_secs_f64() / VISIT.as_secs_f64()).round().clamp(1.0, 1000.0) as u32;
        let slice = (pair / visits / 12).clamp(SLICES.0, SLICES.1);
        Schedule { jitter, pair, visits, slice }
    }

    /// Runs the job. `progress` is told after each visit, never during one.
    pub(crate) fn run(&self, mut progress: impl FnMut(u64)) -> Outcome {
        let Schedule { jitter: watch, pair: time, visits, .. } = self.schedule();
        let stop = &self.plan.stop;
        let began = Instant::now();
        let until = self.budget.saturating_sub(watch);
        let mut jitter = jitter::watch(&self.cores, watch, &self.plan.clock, stop);
        let mut aggregates: Vec<Aggregate> = self.pairs.iter().map(|&cores| Aggregate::new(cores)).collect();
        let mut held = Held::default();
        let mut order: Vec<usize> = (0..aggregates.len()).collect();
        let mut random = shuffle::Random::new(self.seed);
        let mut ended = RunEnd::Complete;
        'run: for round in 0..visits {
            random.shuffle(&mut order);
            for &index in &order {
                if stop.load(Ordering::Relaxed) {
                    break 'run;
                }
                // The first pair is always tried, however small the budget.
                let left = until.saturating_sub(began.elapsed());
                let needed = if self.samples.is_some() { SHORTEST_VISIT } else { time / visits };
                if left < needed && (round, index) != (0, order[0]) {
                    // Without a wish for so much time, later rounds only add to what every pair already has.
                    if round == 0 || self.duration.is_some() {
                        ended = RunEnd::TimeBudget;
                    }
                    break 'run;
                }
                let extent = match self.samples {
                    Some(samples) => Extent { time: left, samples },
                    None => Extent { time: (time / visits).min(left.max(SHORTEST_VISIT)), samples: u64::MAX },
                };
                let pair = &mut aggregates[index];
                if pair.failure.is_none() {
                    match visit(self.payload, &self.plan, pair.cores, pair.trips(), extent) {
                        Ok(visit) => pair.add(visit, &mut held, self.plan.capacity * self.payload),
                        Err(reason) => pair.failure = Some(reason),
                    }
                }
                progress(1);
            }
        }
        if stop.load(Ordering::Relaxed) {
            ended = RunEnd::Interrupted;
        } else {
            jitter::merge(&mut jitter, jitter::watch(&self.cores, watch, &self.plan.clock, stop));
        }
        let mut outcome = Outcome { ended, jitter, pairs: vec![], failures: vec![], reused_memory: held.full };
        for pair in aggregates {
            let cores = pair.cores;
            if let Some(reason) = pair.failure.clone() {
                outcome.failures.push(Failure { cores, reason });
            }
            outcome.pairs.extend(pair.finish(self.plan.quantum_ns));
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
            None => pair::visit(plan, cores, channel::wires::<WORDS>(), trips, extent, plan.processes.then_some(start)),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::options::Wait;

    fn job(pairs: usize, budget: Duration) -> Job {
        let plan = Plan {
            capacity: 64,
            wait: Wait::Spin,
            slice: Duration::ZERO,
            clock: clock::Clock::choose(None),
            quantum_ns: 10.0,
            stop: Arc::default(),
            processes: false,
            mesh: None,
        };
        let pairs = vec![[0, 1]; pairs];
        Job { plan, payload: 8, cores: vec![0, 1], pairs, budget, duration: None, samples: None, seed: 1 }
    }

    #[test]
    fn a_schedule_fits_its_budget_unless_pairs_are_too_many() {
        for pairs in [1, 2, 6, 28, 120, 400] {
            let budget = Duration::from_secs(16);
            let schedule = job(pairs, budget).schedule();
            assert!(schedule.pair * pairs as u32 + 2 * schedule.jitter < budget, "{pairs} pairs: {schedule:?}");
            assert!(schedule.pair / schedule.visits >= 4 * schedule.slice);
        }
        let crowded = job(100_000, Duration::from_secs(16)).schedule();
        assert_eq!((crowded.pair, crowded.visits), (SHORTEST_VISIT, 1));
    }

    #[test]
    fn long_pairs_are_visited_often() {
        let schedule = job(1, Duration::from_secs(3600)).schedule();
        assert_eq!((schedule.pair, schedule.visits), (LONGEST_PAIR, 12));
        let asked = Job { duration: Some(Duration::from_secs(90)), ..job(1, Duration::from_secs(120)) };
        assert_eq!(asked.schedule().visits, 90);
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
