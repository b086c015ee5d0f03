//! The levels that a channel kept to. A virtual machine whose host moves its cores between two places has a p50 that belongs to neither.

use super::pair::Around;
use super::stats::percentile;
use crate::report::{Band, FloorKind};

/// The medians of two bands differ by this factor at least.
const APART: f64 = 1.4;
/// Between nine tenths of the lower band and nine tenths of the upper one lies this part of the way from median to median at least, on a
/// logarithmic scale. Of a level that is merely wide it is a fifth.
const GAP: f64 = 0.4;
/// A band has this share of the slices at least, and so many of them.
const SHARE: f64 = 0.05;
const SLICES: usize = 5;
/// A slice with a longer p50 stood still: two threads that both run need no such time, and who sleeps as a rule has his stalls told as lost time.
const STILL_NS: f64 = 1_000_000.0;
/// More are not told apart.
const MOST: usize = 4;

/// The bands of the figures `of` the slices, lowest first; none if the slices keep to one level.
pub(super) fn find(slices: &[Around], of: impl Fn(usize, &Around) -> f64, floor: FloorKind) -> Vec<Band> {
    let mut figures: Vec<(f64, f64)> = slices
        .iter()
        .enumerate()
        .map(|(index, slice)| {
            let [before, _, after] = slice.floor(floor);
            (of(index, slice), (before + after) / 2.0)
        })
        .filter(|(ns, floor)| *ns > 0.0 && *ns < STILL_NS && floor.is_finite())
        .collect();
    figures.sort_by(|a, b| a.0.total_cmp(&b.0));
    let least = SLICES.max((SHARE * figures.len() as f64).ceil() as usize);
    let mut bands = vec![figures.as_slice()];
    while bands.len() < MOST {
        // The widest split of any band.
        let best = (0..bands.len())
            .filter_map(|at| Some((at, split(bands[at], least)?)))
            .max_by(|a, b| a.1.1.total_cmp(&b.1.1));
        let Some((at, (cut, _))) = best else { break };
        let (low, high) = bands[at].split_at(cut);
        bands.splice(at..=at, [low, high]);
    }
    if bands.len() == 1 {
        return Vec::new();
    }
    let all = figures.len() as f64;
    bands.into_iter().map(|band| describe(band, all)).collect()
}

/// Where a sorted band falls into two, and by which factor their medians differ: at the cut that leaves the least variance of logarithms within
/// both parts (Otsu's threshold), if they are far enough apart.
fn split(band: &[(f64, f64)], least: usize) -> Option<(usize, f64)> {
    let logs: Vec<f64> = band.iter().map(|(ns, _)| ns.ln()).collect();
    let (all, total) = (logs.len() as f64, logs.iter().sum::<f64>());
    let (mut sum, mut best) = (0.0, (0, 0.0));
    for (cut, log) in logs.iter().enumerate() {
        // The part below the cut has `cut` slices, which sum up to `sum`.
        if cut >= least && cut + least <= logs.len() {
            let n = cut as f64;
            let between = n * (all - n) * (sum / n - (total - sum) / (all - n)).powi(2);
            if between > best.1 {
                best = (cut, between);
            }
        }
        sum += log;
    }
    let (low, high) = band.split_at(best.0);
    let at =
        |part: &[(f64, f64)], share: f64| part.get(((part.len() as f64 - 1.0) * share).round() as usize).map(|it| it.0);
    let factor = at(high, 0.5)? / at(low, 0.5)?;
    let gap = at(high, 0.1)? / at(low, 0.9)?;
    (factor >= APART && gap.ln() >= GAP * factor.ln()).then_some((best.0, factor))
}

fn describe(band: &[(f64, f64)], all: f64) -> Band {
    let tenth = |ns: f64| (ns * 10.0).round() / 10.0;
    let mut p50: Vec<f64> = band.iter().map(|it| it.0).collect();
    let mut floor: Vec<f64> = band.iter().map(|it| it.1).collect();
    let [low, p50_ns, high] = [0.05, 0.5, 0.95].map(|share| tenth(percentile(&mut p50, share).unwrap_or(0.0)));
    let floor_ns = tenth(percentile(&mut floor, 0.5).unwrap_or(0.0));
    Band { share: band.len() as f64 / all, p50_ns, range_ns: [low, high], floor_ns }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::shuffle::Random;

    /// Slices around these levels, each with its share, with noise of this factor.
    fn slices(levels: &[(f64, usize)], noise: f64) -> Vec<Around> {
        let mut random = Random::new(7);
        let mut noisy = |ns: f64| ns * (1.0 + noise * (random.below(2001) as f64 / 1000.0 - 1.0));
        let mut slices = Vec::new();
        for &(level, count) in levels {
            for _ in 0..count {
                let floor = noisy(level * 0.8);
                slices.push(Around {
                    before: [floor, floor * 0.9],
                    channel: noisy(level),
                    after: [floor, floor * 0.9],
                });
            }
        }
        slices
    }

    fn bands(slices: &[Around]) -> Vec<Band> {
        find(slices, |_, slice| slice.channel, FloorKind::TwoLines)
    }

    #[test]
    fn two_placements_are_two_bands_with_their_shares() {
        let found = bands(&slices(&[(100.0, 60), (420.0, 40)], 0.15));
        assert_eq!(found.iter().map(|band| (band.share * 100.0).round()).collect::<Vec<_>>(), [60.0, 40.0]);
        assert!((found[0].p50_ns - 100.0).abs() < 5.0 && (found[1].p50_ns - 420.0).abs() < 20.0, "{found:?}");
        assert!((found[0].floor_ns - 80.0).abs() < 5.0 && (found[1].floor_ns - 336.0).abs() < 20.0, "{found:?}");
        assert!(found[0].range_ns[1] < 120.0 && found[1].range_ns[0] > 350.0);
    }

    #[test]
    fn three_placements_are_three() {
        let found = bands(&slices(&[(50.0, 30), (120.0, 30), (400.0, 40)], 0.1));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.is_sorted_by(|a, b| a.p50_ns < b.p50_ns));
    }

    #[test]
    fn one_level_is_no_band_however_wide_and_whatever_strays() {
        assert_eq!(bands(&slices(&[(100.0, 200)], 0.02)), []);
        assert_eq!(bands(&slices(&[(100.0, 200)], 0.4)), [], "evenly spread is not two levels");
        assert_eq!(bands(&slices(&[(100.0, 200), (1000.0, 4)], 0.1)), [], "some stalls are no level");
        assert_eq!(bands(&slices(&[(100.0, 200), (8e6, 60)], 0.1)), [], "threads that do not run are no level");
        assert_eq!(bands(&slices(&[(100.0, 50), (120.0, 50)], 0.02)), [], "too close");
        assert_eq!(bands(&[]), []);
        assert_eq!(bands(&slices(&[(100.0, 3), (400.0, 3)], 0.01)), [], "too few");
    }
}
