//! Which slices of two sides can be compared.
//!
//! The host of a virtual machine may move its cores: then the floor changes by a factor of four, and the ratio to it by a tenth. So a slice
//! is compared only with slices whose floor was alike, level by level.

use super::effect::{self, ENOUGH_VISITS, Run};
use super::statistic::{Statistic, Subject};
use crate::measure::stats::is_steady;
use crate::report::Pair;

/// Floors within this factor of the middle of a level belong to it.
const WIDTH: f64 = 1.25;

/// A level needs this share of each side's steady slices.
const SHARE: f64 = 0.05;

/// A slice whose p50 is above that of its run by more than this, 10 µs, is one of stalls.
const STALL_NS: f64 = 10_000.0;

/// Slices without which a visit, or a part of one, is no block.
const SLICES: usize = 3;

/// Blocks that a run is cut into that visited the pair too seldom.
const PARTS: usize = 6;

/// The floor of a slice, if it was steady. What the clock cannot resolve counts as `coarse`, so that it is one level, and times are compared there.
fn floor([before, channel, after]: &[f64; 3], coarse: f64) -> Option<f64> {
    let [before, after] = [before, after].map(|ns| ns.max(coarse));
    Some((before + after) / 2.0).filter(|floor| is_steady(&[before, *channel, after]) && *floor > 0.0)
}

/// Floors shorter than this are less than eight steps of the clock in one of the runs.
fn coarse<'a>(pairs: impl Iterator<Item = &'a &'a Pair>) -> f64 {
    pairs.map(|pair| 8.0 * pair.floor.resolution_ns).fold(0.0, f64::max)
}

/// A range of floors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Level {
    pub(super) floor_ns: f64,
    /// Of the slices of each side that had a steady floor.
    pub(super) shares: [f64; 2],
    /// Floors below this count as this.
    coarse_ns: f64,
}

impl Level {
    /// The levels that the two sides share, the one that they share most first.
    pub(super) fn shared(sides: [&[&Pair]; 2]) -> Vec<Self> {
        let coarse_ns = coarse(sides.iter().copied().flatten());
        let mut sides = sides.map(|side| {
            let mut floors: Vec<f64> = side
                .iter()
                .flat_map(|pair| pair.slices_ns.iter().filter_map(|slice| floor(slice, coarse_ns)))
                .collect();
            floors.sort_by(f64::total_cmp);
            floors
        });
        let all = sides.each_ref().map(|floors| floors.len().max(1) as f64);
        let mut levels: Vec<Self> = Vec::new();
        // What is left of each side after the levels found so far.
        while let Some(level) = Self::best(&sides, all, coarse_ns) {
            sides.iter_mut().for_each(|floors| floors.retain(|&floor| !level.holds(floor)));
            levels.push(level);
        }
        levels
    }

    /// The level that these sorted floors share most, if that is enough.
    fn best(sides: &[Vec<f64>; 2], all: [f64; 2], coarse_ns: f64) -> Option<Self> {
        let within = |floors: &Vec<f64>, middle: f64| {
            let below = |limit: f64| floors.partition_point(|floor| *floor < limit);
            (below(middle * WIDTH) - below(middle / WIDTH)) as f64
        };
        let middles = sides.iter().flat_map(|floors| floors.iter().step_by(floors.len().div_ceil(200).max(1)));
        let levels = middles.map(|&floor_ns| {
            let shares = [0, 1].map(|side: usize| within(&sides[side], floor_ns) / all[side]);
            Self { floor_ns, shares, coarse_ns }
        });
        let least = |level: &Self| level.shares[0].min(level.shares[1]);
        levels.max_by(|a, b| least(a).total_cmp(&least(b))).filter(|level| least(level) >= SHARE)
    }

    fn holds(&self, floor: f64) -> bool {
        (self.floor_ns / WIDTH..self.floor_ns * WIDTH).contains(&floor)
    }

    /// One run of the pair: blocks of its slices at this level, of a `value` of each slice and its floor. Visits are blocks, or parts of visits if there
    /// are few.
    pub(super) fn run(&self, pair: &Pair, value: impl Fn(usize, f64) -> Option<f64>) -> Run {
        let mut at = 0;
        let mut visits: Vec<Vec<f64>> = Vec::new();
        for length in visit_slices(pair) {
            let slices = pair.slices_ns.iter().enumerate().skip(at).take(length);
            let here = slices.filter_map(|(index, slice)| {
                Some((index, floor(slice, self.coarse_ns).filter(|floor| self.holds(*floor))?))
            });
            visits.push(here.filter_map(|(index, floor)| value(index, floor)).collect());
            at += length;
        }
        visits.retain(|visit| visit.len() >= SLICES);
        let count = visits.len();
        let parts = if count >= ENOUGH_VISITS { 1 } else { PARTS.div_ceil(count.max(1)) };
        let blocks = visits.iter().flat_map(|visit| {
            let length = visit.len().div_ceil(parts).max(SLICES);
            visit
                .chunks(length)
                .filter(|part| part.len() >= SLICES)
                .filter_map(|part| effect::median_log(part.iter().copied()))
        });
        Run { blocks: blocks.collect(), visits: count }
    }

    /// The same of a statistic: over the floor of the same slice, or in ns if `absolute`. Slices most of whose samples met a stall stay out.
    pub(super) fn statistic(&self, pair: &Pair, subject: Subject, statistic: Statistic, absolute: bool) -> Run {
        let usual = subject.figures(pair).map_or(f64::NAN, |figures| figures.p50_ns);
        self.run(pair, |index, floor| {
            subject.of_slice(pair, Statistic::P50, index).filter(|p50| *p50 <= usual + STALL_NS)?;
            subject.of_slice(pair, statistic, index).map(|ns| if absolute { ns } else { ns / floor })
        })
    }
}

/// Slices of each visit. A report that does not say had visits of one length.
fn visit_slices(pair: &Pair) -> Vec<usize> {
    let slices = pair.slices_ns.len();
    if pair.visit_slices.iter().sum::<usize>() == slices {
        return pair.visit_slices.clone();
    }
    let visits = (pair.visits as usize).clamp(1, slices.max(1));
    (0..visits).map(|visit| slices * (visit + 1) / visits - slices * visit / visits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn pair(slices_ns: Vec<[f64; 3]>, visit_slices: Vec<usize>) -> Pair {
        let visits = visit_slices.len() as u32;
        Pair { slices_ns, visit_slices, visits, ..fixture::report(2).pairs[0].clone() }
    }

    #[test]
    fn only_slices_at_a_shared_level_are_compared() {
        let a = pair([vec![[100.0, 130.0, 100.0]; 30], vec![[400.0, 440.0, 400.0]; 10]].concat(), vec![20, 20]);
        let b = pair([vec![[101.0, 130.0, 103.0]; 10], vec![[400.0, 440.0, 404.0]; 30]].concat(), vec![20, 20]);
        let levels = Level::shared([&[&a], &[&b]]);
        assert_eq!(levels.len(), 2);
        for level in levels {
            let (shares, ratio) = if level.floor_ns > 300.0 { ([0.25, 0.75], 1.1_f64) } else { ([0.75, 0.25], 1.3) };
            assert_eq!(level.shares, shares);
            let run = level.statistic(&a, Subject::Channel, Statistic::P50, false);
            assert!(run.blocks.iter().all(|log| (log - ratio.ln()).abs() < 1e-9) && !run.blocks.is_empty(), "{run:?}");
        }
    }

    #[test]
    fn slices_of_stalls_stay_out() {
        let mut a = pair(vec![[100.0, 130.0, 100.0]; 40], vec![40]);
        a.slices_ns[3..30].iter_mut().for_each(|slice| slice[1] = 4e6);
        let run = Level::shared([&[&a], &[&a]])[0].statistic(&a, Subject::Channel, Statistic::P50, true);
        assert!(run.blocks.iter().all(|log| (log.exp() - 130.0).abs() < 1e-6) && !run.blocks.is_empty(), "{run:?}");
    }

    #[test]
    fn two_placements_share_no_level() {
        let at = |floor: f64| pair(vec![[floor, floor * 1.2, floor]; 40], vec![40]);
        assert_eq!(Level::shared([&[&at(90.0)], &[&at(380.0)]]), []);
        let moving = pair(vec![[90.0, 120.0, 380.0]; 40], vec![40]);
        assert_eq!(Level::shared([&[&moving], &[&moving]]), [], "no floor was steady");
        assert_eq!(Level::shared([&[], &[]]), []);
    }

    #[test]
    fn floors_below_what_the_clock_resolves_are_one_level() {
        let mut a = pair([[10.0, 110.0, 13.0], [7.0, 110.0, 16.0]].repeat(20), vec![40]);
        let b = pair(vec![[10.0, 110.0, 10.0]; 40], vec![40]);
        a.floor.resolution_ns = 10.0;
        let levels = Level::shared([&[&a], &[&b]]);
        assert_eq!(levels.len(), 1);
        let blocks = [&a, &b].map(|pair| levels[0].statistic(pair, Subject::Channel, Statistic::P50, false).blocks);
        assert_eq!(blocks[0], blocks[1], "the channel took as long");
        assert_eq!(blocks[0].len(), 6);
    }

    #[test]
    fn visits_are_blocks_and_few_visits_are_cut() {
        let of = |visits: usize, slices: usize| {
            let pair = pair(vec![[100.0, 120.0, 100.0]; visits * slices], vec![slices; visits]);
            let level = Level::shared([&[&pair], &[&pair]])[0];
            let run = level.statistic(&pair, Subject::Channel, Statistic::P50, true);
            assert!(run.blocks.iter().all(|log| (log.exp() - 120.0).abs() < 1e-6));
            (run.visits, run.blocks.len())
        };
        assert_eq!(of(12, 50), (12, 12));
        assert_eq!(of(1, 60), (1, 6));
        assert_eq!(of(2, 30), (2, 6));
        assert_eq!(of(1, 7), (1, 2));
        assert_eq!(of(12, 2), (0, 0));
    }

    #[test]
    fn a_tail_of_too_few_samples_is_none() {
        let mut pair = fixture::report(2).pairs[0].clone();
        pair.channel.samples = 100 * 500;
        let level = Level::shared([&[&pair], &[&pair]])[0];
        let blocks = |statistic| level.statistic(&pair, Subject::Channel, statistic, false).blocks.len();
        assert_eq!((blocks(Statistic::P99), blocks(Statistic::P999)), (6, 0));
        assert!(level.statistic(&pair, Subject::Processes, Statistic::P50, false).blocks.is_empty());
    }

    #[test]
    fn a_report_without_the_lengths_of_visits_had_equal_ones() {
        let mut of = pair(vec![[1.0; 3]; 10], vec![]);
        of.visits = 3;
        assert_eq!(visit_slices(&of), [3, 3, 4]);
        of.visits = 0;
        assert_eq!(visit_slices(&of), [10]);
    }
}
