//! The schedule: seeds, rounds, and within a round every contender once in random order.

use std::time::{Duration, Instant};

use super::band;
use super::data::{Failure, Request, Slice, SuiteRun};
use super::pool::{Contestant, Entrant};
use super::stats::Rng;
use crate::catalog::{Kind, Suite};

/// How a run is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Sender's and receiver's core.
    pub cores: [usize; 2],
    /// One series of rounds each.
    pub seeds: Vec<u64>,
    /// Rounds in a series.
    pub rounds: u32,
    /// Length of a slice.
    pub slice: Duration,
    /// Replace the children after so many rounds.
    pub respawn: u32,
    /// A band, if it was given.
    pub band: Option<[f64; 2]>,
    /// Run a slice that will not count again, up to so many times in its round.
    pub retries: u32,
    /// Slices that were disturbed by other programs do not count.
    pub clean: bool,
    /// How long a slice may take before the child counts as wedged.
    pub patience: Duration,
}

/// Slices whose probes must be known before a band is chosen during the run: the probes of one contender make no band.
const ENOUGH_PROBES: usize = 20;
/// Slices to find the right length in: the length at most quadruples each time.
const AIMING: usize = 12;
/// After so many failures a contender is left out.
const TOLERANCE: usize = 3;
/// Padding is drawn below this: a few pages, so that both the offset in a page and the page differ.
const PADDING: usize = 1 << 15;

/// While a suite runs, its band follows this many of its latest probes: the host may have moved the cores for good, and
/// waiting for the old band would then take for ever.
const RECENT: usize = 64;

/// A suite under way. Each suite has a band of its own: ratios are formed within a suite, and a band common to a whole
/// run would throw away every suite that met the cores elsewhere.
#[derive(Debug)]
pub struct Runner {
    plan: Plan,
    floors: Vec<[f64; 2]>,
}

impl Runner {
    /// A run by this plan.
    pub fn new(plan: Plan) -> Self {
        Self { plan, floors: Vec::new() }
    }

    /// The band as far as it is known before the suite ends.
    fn known_band(&self) -> Option<[f64; 2]> {
        let recent = &self.floors[self.floors.len().saturating_sub(RECENT)..];
        self.plan.band.or_else(|| band::commonest(recent).filter(|_| recent.len() >= ENOUGH_PROBES))
    }

    /// Whether a slice need not be run again.
    fn good(&self, suite: &Suite, slice: &Slice) -> bool {
        let in_band = self.known_band().is_none_or(|band| band::holds(band, slice.floor));
        !suite.banded || (in_band && (!self.plan.clean || slice.clean()))
    }

    /// Runs one suite; stops early at `deadline`, but not before one round is done.
    pub fn suite(&mut self, suite: &Suite, entrants: &[Entrant], deadline: Option<Instant>) -> SuiteRun {
        let mut run = SuiteRun {
            suite: suite.name.into(),
            label: suite.label.into(),
            about: suite.about.into(),
            unit: if suite.kind == Kind::Latency { "ns" } else { "Mmsg/s" }.into(),
            lower_is_better: suite.kind == Kind::Latency,
            banded: suite.banded,
            band: None,
            failures: Vec::new(),
            slices: Vec::new(),
        };
        self.floors.clear();
        let seeds = self.plan.seeds.clone();
        for (done, seed) in seeds.iter().enumerate() {
            // Each seed gets its share of what time is left.
            let share = deadline.map(|end| {
                let now = Instant::now();
                now + end.saturating_duration_since(now) / (seeds.len() - done) as u32
            });
            self.series(suite, entrants, *seed, share, &mut run);
        }
        if suite.banded {
            run.band = self.plan.band.or_else(|| band::commonest(&self.floors));
        }
        run
    }

    fn series(&mut self, suite: &Suite, entrants: &[Entrant], seed: u64, end: Option<Instant>, run: &mut SuiteRun) {
        let mut rng = Rng::new(seed);
        let mut children: Vec<Option<Contestant>> = entrants.iter().map(|_| None).collect();
        let mut order: Vec<usize> = (0..entrants.len()).collect();
        for round in 0..self.plan.rounds {
            if round > 0 && end.is_some_and(|end| Instant::now() >= end) {
                break;
            }
            if round % self.plan.respawn.max(1) == 0 {
                children.iter_mut().for_each(|child| *child = None);
            }
            rng.shuffle(&mut order);
            for &who in &order {
                let entrant = &entrants[who];
                if run.failures.iter().filter(|f| f.contender == entrant.label).count() >= TOLERANCE {
                    continue;
                }
                for _ in 0..=self.plan.retries {
                    match self.slice(suite, entrant, &mut children[who], &mut rng) {
                        Ok(slice) => {
                            let slice = Slice { seed, round, ..slice };
                            let good = self.good(suite, &slice);
                            run.slices.push(slice);
                            if good {
                                break;
                            }
                        }
                        Err(what) => {
                            eprintln!("{} / {}: {what}", suite.name, entrant.label);
                            children[who] = None;
                            run.failures.push(Failure { contender: entrant.label.clone(), round, what });
                            break;
                        }
                    }
                }
            }
        }
    }

    fn slice(
        &mut self,
        suite: &Suite,
        entrant: &Entrant,
        child: &mut Option<Contestant>,
        rng: &mut Rng,
    ) -> Result<Slice, String> {
        let child = match child {
            Some(child) => child,
            none => none.insert(self.fresh(suite, entrant, rng)?),
        };
        let band = if suite.banded { self.known_band() } else { None };
        let n = child.n;
        let reply = child.run(Request { n, padding: rng.below(PADDING), band }, self.plan.patience)?;
        child.aim(&reply, self.plan.slice);
        if suite.banded {
            self.floors.push(reply.floor);
        }
        let value = match suite.kind {
            Kind::Latency => reply.latency,
            Kind::Throughput => n as f64 * 1e3 / reply.elapsed_ns.max(1) as f64,
        };
        Ok(Slice {
            contender: entrant.label.clone(),
            seed: 0,
            round: 0,
            value,
            n,
            floor: reply.floor,
            stolen: reply.stolen_ns as f64 / reply.elapsed_ns.max(1) as f64,
            parked: reply.parked,
        })
    }

    /// A child that knows how many messages make a slice.
    fn fresh(&self, suite: &Suite, entrant: &Entrant, rng: &mut Rng) -> Result<Contestant, String> {
        let mut child = Contestant::start(entrant, suite, self.plan.cores)?;
        for _ in 0..AIMING {
            let request = Request { n: child.n, padding: rng.below(PADDING), band: None };
            let reply = child.run(request, self.plan.patience)?;
            child.aim(&reply, self.plan.slice);
            if u128::from(reply.elapsed_ns) * 2 > self.plan.slice.as_nanos() {
                break;
            }
        }
        Ok(child)
    }
}
