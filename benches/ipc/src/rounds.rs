//! The schedule: seeds, rounds, and within a round every contender once in random order. `ringmail_benches::paired` has the reasons.

use std::time::Duration;

use ringmail_benches::paired::band;
use ringmail_benches::paired::data::{Failure, Slice, SuiteRun};
use ringmail_benches::paired::stats::Rng;

use crate::catalog::{Kind, SILENCE, Suite};
use crate::pair::{Outcome, Pairs};

/// How a run is to be done.
#[derive(Debug)]
pub struct Plan<'a> {
    /// What runs a slice.
    pub pairs: Pairs<'a>,
    /// One series of rounds each.
    pub seeds: Vec<u64>,
    /// Rounds in a series.
    pub rounds: u32,
    /// Length of a slice.
    pub slice: Duration,
    /// A slice that will not count is run again in its round, up to so many times.
    pub retries: u32,
    /// Slices that were disturbed by other programs do not count.
    pub clean: bool,
}

/// Messages of a contender's first slice.
const FIRST: u64 = 16;
/// Slices to find the right length in: the length at most quadruples each time.
const AIMING: usize = 12;
/// After so many failures a contender is left out.
const TOLERANCE: usize = 3;
/// Probes that a band must be known from before a slice is run again for it, and how many of the latest it follows: the host may move
/// the cores for good.
const ENOUGH: usize = 20;
const RECENT: usize = 64;

/// A contender in a suite.
struct Entrant<'a> {
    name: &'a str,
    /// Messages for a slice of the intended length, by what the last one took; none before the first.
    n: Option<u64>,
    failures: usize,
}

impl Plan<'_> {
    /// Runs `suite` with `contenders`.
    pub fn run(&self, suite: &Suite, contenders: &[&str]) -> SuiteRun {
        let mut run = SuiteRun {
            suite: suite.name.into(),
            label: suite.name.into(),
            about: suite.about.into(),
            unit: match suite.kind {
                Kind::OneWay => "Mmsg/s",
                Kind::RoundTrip | Kind::Wake => "ns",
                Kind::Parked => "ppm of a core",
            }
            .into(),
            lower_is_better: suite.kind != Kind::OneWay,
            banded: !suite.is_asleep(),
            band: None,
            failures: Vec::new(),
            slices: Vec::new(),
        };
        let mut entrants: Vec<Entrant<'_>> =
            contenders.iter().map(|&name| Entrant { name, n: None, failures: 0 }).collect();
        for &seed in &self.seeds {
            let mut rng = Rng::new(seed);
            for round in 0..self.rounds {
                rng.shuffle(&mut entrants);
                for entrant in entrants.iter_mut().filter(|entrant| entrant.failures < TOLERANCE) {
                    if let Err(what) = self.turn(suite, entrant, seed, round, &mut run.slices) {
                        eprintln!("{} / {}: {what}", suite.name, entrant.name);
                        entrant.failures += 1;
                        run.failures.push(Failure { contender: entrant.name.into(), round, what });
                    }
                }
            }
        }
        run.band = band::commonest(&floors(&run.slices)).filter(|_| run.banded);
        run
    }

    /// A contender's turn in a round: one slice, or more if the first will not count.
    fn turn(
        &self,
        suite: &Suite,
        entrant: &mut Entrant<'_>,
        seed: u64,
        round: u32,
        slices: &mut Vec<Slice>,
    ) -> Result<(), String> {
        for _ in 0..=self.retries {
            let n = match entrant.n {
                Some(n) => n,
                None => self.aim(suite, entrant.name)?,
            };
            let outcome = self.pairs.slice(suite, entrant.name, n)?;
            entrant.n = Some(if suite.kind == Kind::Parked { n } else { self.next(n, &outcome) });
            let slice = Slice {
                contender: entrant.name.into(),
                seed,
                round,
                value: match suite.kind {
                    Kind::OneWay => n as f64 * 1e3 / outcome.elapsed.max(1) as f64,
                    Kind::RoundTrip => outcome.elapsed as f64 / n as f64,
                    Kind::Wake => outcome.latency[0],
                    Kind::Parked => outcome.worked as f64 * 1e6 / outcome.elapsed.max(1) as f64,
                },
                n,
                floor: match suite.kind {
                    Kind::OneWay | Kind::RoundTrip => outcome.floor,
                    Kind::Wake => [outcome.latency[1]; 2],
                    Kind::Parked => [0.0; 2],
                },
                stolen: outcome.stolen as f64 / outcome.elapsed.max(1) as f64,
                parked: outcome.parked,
            };
            let recent = floors(&slices[slices.len().saturating_sub(RECENT)..]);
            let known = if recent.len() < ENOUGH { None } else { band::commonest(&recent) };
            let good = suite.is_asleep()
                || known.is_none_or(|band| band::holds(band, slice.floor)) && (!self.clean || slice.clean());
            slices.push(slice);
            if good {
                break;
            }
        }
        Ok(())
    }

    /// How many messages make a slice, found with slices that do not count.
    fn aim(&self, suite: &Suite, name: &str) -> Result<u64, String> {
        if suite.kind == Kind::Parked {
            return Ok(SILENCE);
        }
        let mut n = FIRST;
        for _ in 0..AIMING {
            let outcome = self.pairs.slice(suite, name, n)?;
            n = self.next(n, &outcome);
            if u128::from(outcome.elapsed) * 2 > self.slice.as_nanos() {
                break;
            }
        }
        Ok(n)
    }

    /// The length of the next slice by what this one took: at most fourfold up or down at once, for one slice may have met a
    /// disturbance.
    fn next(&self, n: u64, outcome: &Outcome) -> u64 {
        let factor = self.slice.as_nanos() as f64 / outcome.elapsed.max(1) as f64;
        ((n as f64 * factor.clamp(0.25, 4.0)) as u64).max(FIRST)
    }
}

fn floors(slices: &[Slice]) -> Vec<[f64; 2]> {
    slices.iter().map(|slice| slice.floor).collect()
}
