//! Simulated runs of a machine with two placements: how often a comparison is wrong.
//!
//! Of a thousand comparisons of a build with itself, about ten find any difference where runs differ by 0.6 % from one to the next, thirteen at 1 %, and ninety
//! at 2 %: more than is assumed of one run. With three runs a side there are fifty at most, as the intervals promise.

use super::*;
use crate::render::fixture;

/// A source of noise.
struct Noise(Random);

impl Noise {
    fn uniform(&mut self) -> f64 {
        (self.0.below(1 << 30) as f64 + 0.5) / f64::from(1 << 30)
    }

    /// Standard normal (Box and Muller).
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Spreads, as standard deviations of the logarithm: what a run, a visit and a slice differ by.
struct Machine {
    run: f64,
    visit: f64,
    slice: f64,
    visits: usize,
    slices: usize,
    /// Probability that the host moves the cores between two visits.
    moves: f64,
}

/// About what a virtual machine with two cores shows in the default 16 s.
const USUAL: Machine = Machine { run: 0.006, visit: 0.02, slice: 0.05, visits: 12, slices: 60, moves: 0.15 };

/// Floors of the two placements, and channel over floor there.
const PLACEMENTS: [(f64, f64); 2] = [(88.0, 1.33), (380.0, 1.2)];

/// A run whose channel takes `factor` times as long as that of the base.
fn run(machine: &Machine, factor: f64, noise: &mut Noise) -> Report {
    let mut report = fixture::report(2);
    let of_run = noise.normal() * machine.run;
    let mut placement = noise.0.below(2) as usize;
    let (mut slices_ns, mut tails_ns) = (vec![], vec![]);
    for _ in 0..machine.visits {
        if noise.uniform() < machine.moves {
            placement = 1 - placement;
        }
        let (floor, ratio) = PLACEMENTS[placement];
        let floor = floor * (noise.normal() * 0.02).exp();
        let of_visit = of_run + noise.normal() * machine.visit;
        // Slices near in time are alike: an autoregression with 0.8.
        let mut of_slice = 0.0;
        for _ in 0..machine.slices {
            of_slice = 0.8 * of_slice + 0.6 * machine.slice * noise.normal();
            let [before, after] = [0.02, 0.02].map(|spread| floor * (noise.normal() * spread).exp());
            let channel = floor * ratio * factor * (of_visit + of_slice).exp();
            let mut tail = |times: f64, spread: f64| channel * times * (noise.normal() * spread).exp();
            tails_ns.push([tail(1.04, 0.02), tail(1.1, 0.03), tail(1.5, 0.1), tail(3.0, 0.3)]);
            slices_ns.push([before, channel, after]);
        }
    }
    let pair = &mut report.pairs[0];
    (pair.visits, pair.visit_slices) = (machine.visits as u32, vec![machine.slices; machine.visits]);
    (pair.slices_ns, pair.tails_ns, pair.channel.samples) = (slices_ns, tails_ns, 20_000_000);
    report
}

/// Of `count` comparisons of `runs` a side with B at `factor`: how many call any statistic slower or faster, and p50 slower. Those that met no common
/// placement compare nothing, and are made again, as the tool says.
fn verdicts(machine: &Machine, factor: f64, runs: usize, count: usize, seed: u64) -> (usize, usize) {
    let mut noise = Noise(Random::new(seed));
    let (mut any, mut slower) = (0, 0);
    let mut made = 0;
    while made < count {
        let mut side = |factor: f64| (0..runs).map(|_| run(machine, factor, &mut noise)).collect::<Vec<_>>();
        let (a, b) = (side(1.0), side(factor));
        let found = compare(&a.iter().collect::<Vec<_>>(), &b.iter().collect::<Vec<_>>(), false);
        if found.rows.is_empty() {
            continue;
        }
        made += 1;
        any += usize::from(found.rows.iter().any(|row| row.verdict() != Verdict::NotShown));
        slower += usize::from(
            found.rows.iter().any(|row| row.statistic == Statistic::P50 && row.verdict() == Verdict::Slower),
        );
    }
    (any, slower)
}

#[test]
fn two_runs_of_one_build_show_no_difference() {
    let (any, _) = verdicts(&USUAL, 1.0, 1, 200, 7);
    assert!(any <= 2, "{any} of 200 comparisons of a build with itself found a difference");
}

#[test]
fn a_tenth_more_is_found() {
    let (_, slower) = verdicts(&USUAL, 1.1, 1, 200, 8);
    assert!(slower >= 190, "10 % was found in {slower} of 200");
}

#[test]
fn several_runs_need_no_assumption() {
    // Runs that differ by 3 %: more than is assumed of one.
    let restless = Machine { run: 0.03, visits: 4, slices: 20, ..USUAL };
    let (any, _) = verdicts(&restless, 1.0, 5, 60, 9);
    assert!(any <= 3, "{any} of 60 comparisons found a difference");
    let steady = Machine { visits: 12, slices: 20, ..USUAL };
    let (_, slower) = verdicts(&steady, 1.1, 5, 40, 10);
    assert!(slower >= 38, "10 % was found in {slower} of 40");
}

#[test]
fn runs_that_move_all_of_their_pairs_at_once_are_no_difference_over_all_pairs() {
    const PAIRS: usize = 10;
    let each = Machine { run: 0.0, visit: 0.004, slice: 0.02, visits: 4, slices: 20, moves: 0.0 };
    let mut noise = Noise(Random::new(13));
    let mut of_all = || {
        let factor = (noise.normal() * 0.015).exp();
        let mut all = run(&each, factor, &mut noise);
        for other in 1..PAIRS {
            let mut pair = run(&each, factor, &mut noise).pairs.remove(0);
            pair.cores = [0, other + 1];
            all.pairs.push(pair);
        }
        all
    };
    let any = (0..40).filter(|_| {
        let [a, b] = [(); 2].map(|()| (0..3).map(|_| of_all()).collect::<Vec<_>>());
        let found = compare(&a.iter().collect::<Vec<_>>(), &b.iter().collect::<Vec<_>>(), false);
        assert!(found.rows.iter().any(|row| row.cores.is_none()), "there is a row of all pairs");
        found.rows.iter().any(|row| row.verdict() != Verdict::NotShown)
    });
    let any = any.count();
    assert!(any <= 4, "{any} of 40 comparisons found a difference");
}

#[test]
fn a_run_of_one_visit_says_little_and_nothing_false() {
    let short = Machine { visits: 1, slices: 40, ..USUAL };
    let (any, _) = verdicts(&short, 1.0, 1, 200, 11);
    assert!(any <= 4, "{any} of 200 comparisons found a difference");
    let (_, slower) = verdicts(&short, 1.5, 1, 60, 12);
    assert!(slower >= 57, "half more was found in {slower} of 60");
}
