//! By how much one side differs from the other, and how sure that is.
//!
//! ```text
//!   run ─ visit ─ slice ─ sample        a block is a visit; with three runs a side or more, a run
//! ```
//!
//! Samples of one slice depend on one another, and so do the slices of a visit: they share threads, memory and the moment. So
//! neither is resampled. A visit starts anew. A block counts as one value, its median. With slices inside a block the upper level alone is resampled:
//! the values of the blocks already vary by what their slices vary (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section
//! 3.8).

use super::student;
use crate::measure::shuffle::Random;
use crate::measure::stats::percentile;

/// Resamples. The standard error that they give is good to 1 part in 35.
const RESAMPLES: usize = 600;

/// Share of the blocks at either end that a mean leaves out: one visit of an unlucky moment counts for little.
const TRIM: f64 = 0.15;

/// What a run of one program differs by from the next, as a standard deviation of the logarithm, beyond what its visits show: 1.5 %. One run
/// cannot tell it, so it is assumed until a side has [`ENOUGH_RUNS`].
const RUN: f64 = 0.015;

/// The same of a visit, for runs that visited a pair too seldom to tell.
const VISIT: f64 = 0.03;

/// Runs a side from which runs are the blocks.
pub(super) const ENOUGH_RUNS: usize = 3;

/// Visits from which they are the blocks of a run; below, parts of them are.
pub(super) const ENOUGH_VISITS: usize = 4;

/// Blocks that each side needs.
pub(super) const ENOUGH_BLOCKS: usize = 3;

/// One run of one side: the logarithms of its blocks' values, and how many visits they are of.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Run {
    pub(super) blocks: Vec<f64>,
    pub(super) visits: usize,
}

/// The logarithm of B over A: its estimate, its standard error, and the degrees of freedom of that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Effect {
    pub(super) log: f64,
    pub(super) error: f64,
    pub(super) freedom: f64,
}

/// The runs of both sides at one level of the floor. A run that never was there has no blocks.
pub(super) type AtLevel = [Vec<Run>; 2];

impl Effect {
    /// Over all levels; `None` if there are too few blocks on either side at each of them.
    pub(super) fn between(levels: &[AtLevel], random: &mut Random) -> Option<Self> {
        let seen = |side: usize| {
            let runs = levels.first().map_or(0, |level| level[side].len());
            (0..runs).filter(|&run| levels.iter().any(|level| !level[side][run].blocks.is_empty())).count()
        };
        let runs = [seen(0), seen(1)];
        let by_run = runs.iter().all(|&runs| runs >= ENOUGH_RUNS);
        if let Some(effect) = by_run.then(|| Self::over(levels, Run::mean, true, random)).flatten() {
            return Some(effect);
        }
        let effect = Self::over(levels, |run| run.blocks.clone(), false, random)?;
        let assumed = [0, 1].map(|side| {
            let visits = levels.iter().flat_map(|level| &level[side]).map(|run| run.visits).sum::<usize>().max(1);
            let unseen = if visits < ENOUGH_VISITS { VISIT.powi(2) / visits as f64 } else { 0.0 };
            RUN.powi(2) / runs[side].max(1) as f64 + unseen
        });
        let error = (effect.error.powi(2) + assumed[0] + assumed[1]).sqrt();
        // What is assumed has no end of freedom.
        Some(Self { error, freedom: welch(error, effect.error, effect.freedom), ..effect })
    }

    /// The weighted mean over levels; `blocks` names the blocks of a run. Errors that are `shared` by the levels do not even out.
    fn over(levels: &[AtLevel], blocks: impl Fn(&Run) -> Vec<f64>, shared: bool, random: &mut Random) -> Option<Self> {
        let mut side = |runs: &Vec<Run>| Side::of(&runs.iter().flat_map(&blocks).collect::<Vec<f64>>(), random);
        let levels: Vec<[Side; 2]> = levels.iter().filter_map(|[a, b]| Some([side(a)?, side(b)?])).collect();
        let pooled = Pooled::of(levels.iter().flatten());
        let weight = |[a, b]: &[Side; 2]| a.count * b.count / (a.count + b.count);
        let all: f64 = levels.iter().map(weight).sum();
        let share = |level: &[Side; 2]| weight(level) / all;
        let errors = levels.iter().map(|level| share(level) * level[0].error(&pooled).hypot(level[1].error(&pooled)));
        let error = if shared { errors.sum() } else { errors.map(|error| error * error).sum::<f64>().sqrt() };
        let log = levels.iter().map(|level| share(level) * (level[1].mean - level[0].mean)).sum();
        (!levels.is_empty()).then_some(Self { log, error, freedom: pooled.freedom })
    }

    /// The mean of the effects on several pairs, that are the blocks now.
    pub(super) fn of_pairs(effects: &[Self], runs: [usize; 2], random: &mut Random) -> Option<Self> {
        let logs: Vec<f64> = effects.iter().map(|effect| effect.log).collect();
        let side = Side::of(&logs, random).filter(|_| logs.len() >= ENOUGH_BLOCKS)?;
        let error = side.error(&Pooled::of([&side]));
        if runs.iter().all(|&runs| runs >= ENOUGH_RUNS) {
            // A run moves all of its pairs at once, so the spread of the pairs does not show it, and it does not even out: a mean over pairs is no surer
            // than one pair is, from runs as its blocks.
            let shared = effects.iter().map(|effect| effect.error).sum::<f64>() / effects.len() as f64;
            let freedom = effects.iter().map(|effect| effect.freedom).fold(f64::INFINITY, f64::min);
            return Some(Self { log: side.mean, error: error.hypot(shared), freedom });
        }
        let assumed = runs.iter().map(|&runs| RUN.powi(2) / runs.max(1) as f64).sum::<f64>().sqrt();
        let all = error.hypot(assumed);
        Some(Self { log: side.mean, error: all, freedom: welch(all, error, side.freedom) })
    }

    /// The interval for B over A that misses the true ratio with the probability `miss`.
    pub(super) fn interval(&self, miss: f64) -> [f64; 2] {
        let half = student::quantile(miss, self.freedom) * self.error;
        [(self.log - half).exp(), (self.log + half).exp()]
    }
}

/// A mean of blocks.
#[derive(Debug)]
struct Side {
    mean: f64,
    count: f64,
    /// What one block differs by: the mean's standard error, times the root of their number.
    spread: f64,
    freedom: f64,
}

/// The spread of all sides and levels together: that of three blocks alone is often far too small.
#[derive(Debug)]
struct Pooled {
    spread: f64,
    freedom: f64,
}

impl Pooled {
    fn of<'a>(sides: impl IntoIterator<Item = &'a Side>) -> Self {
        let (mut sum, mut freedom) = (0.0, 0.0);
        for side in sides {
            sum += side.spread.powi(2) * side.freedom;
            freedom += side.freedom;
        }
        Self { spread: (sum / f64::max(freedom, 1.0)).sqrt(), freedom }
    }
}

impl Run {
    /// All of it as one block, if it has enough of its own: a run that was hardly at a level tells little of that.
    fn mean(&self) -> Vec<f64> {
        if self.blocks.len() < ENOUGH_BLOCKS { vec![] } else { vec![trimmed_mean(&mut self.blocks.clone())] }
    }
}

/// Degrees of freedom of an error of which only a part was measured, with `freedom` (Welch and Satterthwaite).
fn welch(all: f64, measured: f64, freedom: f64) -> f64 {
    // Beyond this, Student's t is normal. A measured part of zero is no part.
    ((all / measured).powi(4) * freedom).min(1e6)
}

impl Side {
    fn of(blocks: &[f64], random: &mut Random) -> Option<Self> {
        let count = blocks.len();
        if count < ENOUGH_BLOCKS {
            return None;
        }
        let mut resample = vec![0.0; count];
        let (mut sum, mut squares) = (0.0, 0.0);
        let mean = trimmed_mean(&mut blocks.to_vec());
        for _ in 0..RESAMPLES {
            resample.iter_mut().for_each(|value| *value = blocks[random.below(count as u64) as usize]);
            let off = trimmed_mean(&mut resample) - mean;
            sum += off;
            squares += off * off;
        }
        let draws = RESAMPLES as f64;
        let variance = (squares / draws - (sum / draws).powi(2)).max(0.0);
        // A resample varies less than a sample by one part in `count`.
        let error = (variance * count as f64 / (count - 1) as f64).sqrt();
        let freedom = (count - 2 * (TRIM * count as f64) as usize - 1) as f64;
        Some(Self { mean, count: count as f64, spread: error * (count as f64).sqrt(), freedom })
    }

    /// Standard error of the mean, of the pooled spread.
    fn error(&self, pooled: &Pooled) -> f64 {
        pooled.spread / self.count.sqrt()
    }
}

/// Mean without the lowest and the highest seventh. `values` is not empty; it gets sorted.
fn trimmed_mean(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let trim = (TRIM * values.len() as f64) as usize;
    let kept = &values[trim..values.len() - trim];
    kept.iter().sum::<f64>() / kept.len() as f64
}

/// Median of the logarithms of what is positive. `None` if nothing is.
pub(super) fn median_log(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut logs: Vec<f64> = values.filter(|value| value.is_finite() && *value > 0.0).map(f64::ln).collect();
    percentile(&mut logs, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(blocks: &[f64]) -> Run {
        Run { blocks: blocks.to_vec(), visits: blocks.len() }
    }

    fn between(a: &[Run], b: &[Run]) -> Option<Effect> {
        Effect::between(&[[a.to_vec(), b.to_vec()]], &mut Random::new(1))
    }

    const BLOCKS: [f64; 8] = [0.00, 0.02, 0.01, -0.01, 0.00, 0.03, 0.01, 0.02];

    #[test]
    fn an_effect_is_the_difference_of_means_and_knows_its_error() {
        let effect = between(&[run(&BLOCKS)], &[run(&BLOCKS.map(|log| log + 0.1))]).unwrap();
        assert!((effect.log - 0.1).abs() < 1e-12);
        // 1.5 % of each run, and of the blocks 0.5 % or so.
        assert!((0.0215..0.026).contains(&effect.error), "{effect:?}");
        let [low, high] = effect.interval(0.05);
        assert!(low > 1.05 && high < 1.165 && low < 1.1_f64.exp(), "{low} {high}");
    }

    #[test]
    fn levels_are_compared_each_with_itself() {
        let at = |log: f64| run(&BLOCKS.map(|block| block + log));
        // A was mostly at the one level, B at the other, where everything takes three times as long.
        let levels = [[vec![at(0.0)], vec![at(0.1)]], [vec![at(1.1)], vec![at(1.2)]]];
        let effect = Effect::between(&levels, &mut Random::new(1)).unwrap();
        assert!((effect.log - 0.1).abs() < 1e-9 && effect.error < 0.025, "{effect:?}");
        // A level that one side was hardly at says nothing.
        let rare = [levels[0].clone(), [vec![run(&[0.0])], vec![at(9.0)]]];
        assert!((Effect::between(&rare, &mut Random::new(1)).unwrap().log - 0.1).abs() < 1e-9);
    }

    #[test]
    fn three_runs_a_side_are_blocks_themselves() {
        let near = [run(&[0.0; 8]), run(&[0.001; 8]), run(&[-0.001; 8])];
        let far = [run(&[0.0; 8]), run(&[0.2; 8]), run(&[-0.2; 8])];
        let error = |a: &[Run], b: &[Run]| between(a, b).unwrap().error;
        assert!(error(&near, &near) < 0.002, "nothing is assumed of runs that were seen");
        assert!(error(&far, &near) > 0.08);
        assert!(error(&far[..1], &near) > 0.015);
    }

    #[test]
    fn a_run_that_was_hardly_there_does_not_count_as_one() {
        let near = [run(&[0.0; 8]), run(&[0.001; 8]), run(&[-0.001; 8])];
        let stray = [near.to_vec(), vec![run(&[1.5])]].concat();
        assert!(between(&near, &stray).unwrap().log.abs() < 0.002);
    }

    #[test]
    fn too_few_blocks_give_no_effect() {
        assert_eq!(between(&[run(&[0.0, 0.1])], &[run(&[0.0; 9])]), None);
        assert_eq!(between(&[], &[run(&[0.0; 9])]), None);
        assert_eq!(Effect::between(&[], &mut Random::new(1)), None);
    }

    #[test]
    fn blocks_without_spread_leave_what_is_assumed() {
        let effect = between(&[run(&[0.0; 9])], &[run(&[0.0; 9])]).unwrap();
        assert!((effect.error - RUN * 2_f64.sqrt()).abs() < 1e-12 && effect.freedom > 1.0, "{effect:?}");
    }

    #[test]
    fn one_visit_far_off_moves_a_mean_little() {
        let mut logs = [0.0, 0.01, -0.01, 0.0, 0.02, -0.02, 0.0, 0.01, -0.01, 5.0];
        assert!(trimmed_mean(&mut logs).abs() < 0.011);
    }
}
