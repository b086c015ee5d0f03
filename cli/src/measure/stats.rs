//! From samples to figures.

use std::sync::LazyLock;

use hdrhistogram::Histogram;

use crate::histogram;
use crate::report::{Figures, Ratio};

/// Longest sample that is recorded as it is: 10 s. Longer ones count as this.
pub(crate) const LONGEST_NS: u64 = 10_000_000_000;

/// A sample that takes longer than usual by more than this has met a stall: no round trip between two cores that run does.
pub(crate) const STALL_NS: u64 = 10_000;

/// Floors around a slice that differ by no more than this factor count as steady.
const STEADY: f64 = 1.25;

/// Steady slices without which there is no ratio.
const ENOUGH: usize = 3;

/// An empty histogram with all its memory, so that recording never allocates: 1 ns to 10 s, three significant digits. A copy, for a new one's
/// memory is not present before it is written to.
pub(crate) fn histogram() -> Histogram<u64> {
    static EMPTY: LazyLock<Histogram<u64>> = LazyLock::new(|| {
        Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are constants that hdrhistogram accepts")
    });
    EMPTY.clone()
}

/// Adds one slice's samples to a total.
pub(crate) fn add(total: &mut Histogram<u64>, slice: &Histogram<u64>) {
    for value in slice.iter_recorded() {
        total.saturating_record_n(value.value_iterated_to(), value.count_at_value());
    }
}

/// The median; `None` when there are no samples. A sample stands for all times that a clock of this step cannot tell from it, and the median is
/// where among them half of all samples is reached: the usual median of grouped data, which does not snap to the step. Between the least and
/// the greatest sample.
pub(crate) fn median(samples: &Histogram<u64>, quantum_ns: f64) -> Option<f64> {
    if samples.is_empty() {
        return None;
    }
    let middle = samples.median_equivalent(samples.value_at_quantile(0.5)) as f64;
    let step = quantum_ns.max(samples.equivalent_range(middle as u64) as f64);
    let (from, to) = (middle - step / 2.0, middle + step / 2.0);
    let (mut below, mut among) = (0.0, 0.0);
    for value in samples.iter_recorded() {
        let (ns, count) = (samples.median_equivalent(value.value_iterated_to()) as f64, value.count_at_value() as f64);
        if ns <= from {
            below += count;
        } else if ns <= to {
            among += count;
        } else {
            break;
        }
    }
    let inside = ((samples.len() as f64 / 2.0 - below) / among).clamp(0.0, 1.0);
    Some((from + step * inside).clamp(samples.min() as f64, samples.max() as f64))
}

/// What something took beyond its usual time, if that is a stall.
pub(crate) fn beyond(ns: u64, usual_ns: u64) -> u64 {
    Some(ns.saturating_sub(usual_ns)).filter(|&beyond| beyond > STALL_NS).unwrap_or(0)
}

/// Time of all samples, and what stalls took of it.
pub(crate) fn stalls(samples: &Histogram<u64>) -> [f64; 2] {
    let usual = samples.value_at_quantile(0.5);
    samples.iter_recorded().fold([0.0; 2], |[all, stalled], value| {
        let (ns, count) = (value.value_iterated_to(), value.count_at_value() as f64);
        [all + ns as f64 * count, stalled + beyond(ns, usual) as f64 * count]
    })
}

/// Mean, p90, p99 and p99.9 of a slice, in ns per round trip.
pub(crate) fn tails(slice: &Histogram<u64>, trips: u32) -> [f64; 4] {
    let at = |quantile: f64| slice.value_at_quantile(quantile) as f64;
    [slice.mean(), at(0.9), at(0.99), at(0.999)].map(|ns| (ns * 10.0 / f64::from(trips)).round() / 10.0)
}

/// Figures of all samples of one subject, with the histogram; `slices` are its slices' own figures, in ns per round trip.
pub(crate) fn figures(samples: &Histogram<u64>, trips: u32, quantum_ns: f64, slices: &[f64]) -> Figures {
    Figures { histogram: histogram::encode(samples), ..figures_only(samples, trips, quantum_ns, slices) }
}

/// The same without the histogram.
pub(crate) fn figures_only(samples: &Histogram<u64>, trips: u32, quantum_ns: f64, slices: &[f64]) -> Figures {
    let per_trip = |sample_ns: u64| sample_ns as f64 / f64::from(trips);
    let p50_ns = median(samples, quantum_ns).unwrap_or(0.0) / f64::from(trips);
    // The median may lie above the sample that stands for it.
    let at = |share: f64| per_trip(samples.value_at_quantile(share)).max(p50_ns);
    let [all, stalled] = stalls(samples);
    Figures {
        samples: samples.len(),
        trips_per_sample: trips,
        resolution_ns: quantum_ns / f64::from(trips),
        min_ns: per_trip(samples.min()),
        p50_ns,
        p90_ns: at(0.9),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        p9999_ns: at(0.9999),
        p99999_ns: at(0.99999),
        max_ns: per_trip(samples.max()),
        mean_ns: all / (samples.len() as f64 * f64::from(trips)).max(1.0),
        stalled_share: stalled / f64::max(all, 1.0),
        slice_range_ns: range(slices),
        visit_range_ns: None,
        histogram: None,
    }
}

/// Channel over the mean of the floors around it, slice by slice. Slices during which the floor moved are left out, for
/// their ratio compares two different machines.
pub(crate) fn ratio(slices: &[[f64; 3]]) -> Ratios {
    ratio_of(slices, |_, [before, channel, after]| channel / ((before + after) / 2.0))
}

/// The same of any ratio `of` a slice, given its number and itself.
pub(crate) fn ratio_of(slices: &[[f64; 3]], of: impl Fn(usize, &[f64; 3]) -> f64) -> Ratios {
    let unsteady = floor_is_unsteady(slices);
    let (steady, all) = (slices.iter().filter(|slice| is_steady(slice)).count(), slices.len());
    let counted = slices.iter().enumerate().filter(|(_, slice)| unsteady || is_steady(slice));
    let mut ratios: Vec<f64> = counted.map(|(index, slice)| of(index, slice)).collect();
    let median = percentile(&mut ratios, 0.5);
    let ratio = median.map(|median| Ratio { median, range: range(&ratios), slices_used: steady, slices: all });
    if unsteady { Ratios { steady: None, unsteady: ratio } } else { Ratios { steady: ratio, unsteady: None } }
}

/// Median and range of ratios that each compare two slices next to each other, all of them. `None` if there are too few.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(crate) fn ratio_of_pairs(mut ratios: Vec<f64>) -> Option<Ratio> {
    let slices = ratios.len();
    let median = percentile(&mut ratios, 0.5).filter(|_| slices >= ENOUGH)?;
    Some(Ratio { median, range: range(&ratios), slices_used: slices, slices })
}

/// A ratio of slices with a steady floor. If there are too few of them, one of all slices instead, that says little. Neither without slices.
#[derive(Debug)]
pub(crate) struct Ratios {
    pub(crate) steady: Option<Ratio>,
    pub(crate) unsteady: Option<Ratio>,
}

/// Whether the floors before and after a slice are alike.
pub(crate) fn is_steady([before, _, after]: &[f64; 3]) -> bool {
    before.max(*after) <= STEADY * before.min(*after)
}

/// Whether too few slices had a steady floor for a ratio of only those.
pub(crate) fn floor_is_unsteady(slices: &[[f64; 3]]) -> bool {
    let steady = slices.iter().filter(|slice| is_steady(slice)).count();
    steady < steady_slices_needed(slices.len())
}

/// So many of all slices must have had a steady floor for a ratio.
pub(crate) fn steady_slices_needed(slices: usize) -> usize {
    slices.div_ceil(4).max(ENOUGH)
}

/// Sorts, and returns the value at `share` (0 to 1), between the two nearest if it falls between. `None` when empty.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let position = share * values.len().checked_sub(1)? as f64;
    let (low, high) = (values[position.floor() as usize], values[position.ceil() as usize]);
    Some(low + (high - low) * position.fract())
}

/// 5th and 95th percentile; zeros when empty.
fn range(values: &[f64]) -> [f64; 2] {
    let mut values = values.to_vec();
    [0.05, 0.95].map(|share| percentile(&mut values, share).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_samples() {
        let mut samples = histogram();
        (1..=10_000).for_each(|ns| samples.record(ns).unwrap());
        let figures = figures(&samples, 1, 10.0, &[100.0, 200.0]);
        for (got, want) in [(figures.p50_ns, 5_000.0), (figures.p99_ns, 9_900.0), (figures.p999_ns, 9_990.0)] {
            assert!((got / want - 1.0_f64).abs() < 2e-3, "{got} for {want}");
        }
        assert_eq!(figures.samples, 10_000);
        assert!((figures.max_ns / 1e4 - 1.0).abs() < 1e-3);
        assert_eq!(figures.slice_range_ns, [105.0, 195.0]);
    }

    #[test]
    fn a_sample_of_many_trips_is_divided_and_so_is_the_resolution() {
        let mut samples = histogram();
        samples.record_n(160, 100).unwrap();
        let figures = figures(&samples, 4, 10.0, &[]);
        assert_eq!((figures.p50_ns, figures.resolution_ns, figures.trips_per_sample), (40.0, 2.5, 4));
    }

    #[test]
    fn figures_hold_all_samples() {
        let mut samples = histogram();
        samples.record_n(160, 100).unwrap();
        let text = figures(&samples, 4, 10.0, &[]).histogram.unwrap();
        assert_eq!(histogram::decode(&text).unwrap(), samples);
        assert_eq!(figures_only(&samples, 4, 10.0, &[]).histogram, None);
    }

    #[test]
    fn tails_are_those_of_a_round_trip() {
        let mut samples = histogram();
        (1..=1000).for_each(|ns| samples.record(2 * ns).unwrap());
        let tails = tails(&samples, 2);
        for (got, want) in tails.into_iter().zip([500.5, 900.0, 990.0, 999.0]) {
            assert!((got / want - 1.0).abs() < 2e-3, "{tails:?}");
        }
    }

    #[test]
    fn stalls_are_told_by_the_time_they_take() {
        // 20 stops of 10 ms in 4 s: one sample in two million, and a twentieth of the time.
        for trips in [1, 16] {
            let mut samples = histogram();
            samples.record_n(100 * u64::from(trips), 38_000_000 / u64::from(trips)).unwrap();
            samples.record_n(10_000_000 + 100 * u64::from(trips), 20).unwrap();
            let figures = figures(&samples, trips, 10.0, &[]);
            assert_eq!((figures.p50_ns.round(), figures.p999_ns.round()), (100.0, 100.0));
            assert!((figures.stalled_share / 0.05 - 1.0).abs() < 0.01, "{figures:?}");
            assert!((figures.mean_ns / 105.3 - 1.0).abs() < 0.01, "{figures:?}");
        }
        // A wait that always takes long is no stall.
        let mut samples = histogram();
        samples.record_n(50_000, 1000).unwrap();
        samples.record_n(59_000, 1000).unwrap();
        assert_eq!(figures(&samples, 1, 10.0, &[]).stalled_share, 0.0);
        assert_eq!(figures(&histogram(), 1, 10.0, &[]).stalled_share, 0.0);
    }

    #[test]
    fn the_median_does_not_snap_to_the_step_of_the_clock() {
        let of = |counts: &[(u64, u64)], quantum_ns| {
            let mut samples = histogram();
            counts.iter().for_each(|&(ns, count)| samples.record_n(ns, count).unwrap());
            median(&samples, quantum_ns)
        };
        // Half of the samples lie 5 parts of 6 into the step around 100.
        assert!((of(&[(100, 60), (110, 40)], 10.0).unwrap() - (95.0 + 10.0 * 5.0 / 6.0)).abs() < 1e-9);
        // A step of 10.015 ns gives neighbouring numbers for what are the same ticks.
        assert!((of(&[(90, 20), (100, 30), (101, 30), (111, 20)], 10.0).unwrap() - 100.5).abs() < 0.6);
        assert_eq!(of(&[(100, 60), (5_000_000, 40)], 10.0), Some(100.0 - 5.0 + 10.0 * 5.0 / 6.0));
        assert_eq!((of(&[(100, 60)], 10.0), of(&[(100, 60)], 0.4)), (Some(100.0), Some(100.0)));
        assert_eq!(of(&[(100, 1), (300, 1)], 0.4), Some(100.5), "between neighbours there is nothing to spread");
        assert_eq!(of(&[], 10.0), None);
    }

    #[test]
    fn slices_with_a_moving_floor_stay_out_of_the_ratio() {
        let slices = [
            [100.0, 120.0, 100.0],
            [100.0, 400.0, 500.0],
            [30.0, 36.0, 31.0],
            [500.0, 600.0, 510.0],
            [30.0, 9.0, 99.0],
        ];
        let ratio = ratio(&slices).steady.unwrap();
        assert_eq!((ratio.slices_used, ratio.slices), (3, 5));
        assert!((ratio.median - 1.188).abs() < 0.01, "{ratio:?}");
        assert!(!floor_is_unsteady(&slices));
    }

    #[test]
    fn an_unsteady_floor_has_no_ratio_and_tells_how_many_slices_were_steady() {
        let mut slices = [[100.0, 200.0, 300.0]; 5];
        slices[0][2] = 100.0;
        assert!(floor_is_unsteady(&slices));
        let Ratios { steady, unsteady } = ratio(&slices);
        assert!(steady.is_none(), "{steady:?}");
        let unsteady = unsteady.unwrap();
        assert_eq!((unsteady.median, unsteady.slices_used, unsteady.slices), (1.0, 1, 5));
        // One slice, and that not steady.
        let one = ratio(&[[100.0, 9_980_900.0, 100_000.0]]);
        assert_eq!((one.steady.is_none(), one.unsteady.unwrap().slices_used), (true, 0));
        let none = ratio(&[]);
        assert!(none.steady.is_none() && none.unsteady.is_none());
    }

    #[test]
    fn pairs_of_slices_all_count() {
        let ratio = ratio_of_pairs(vec![1.0, 3.0, 2.0, 100.0, 1.5]).unwrap();
        assert_eq!((ratio.median, ratio.slices_used, ratio.slices), (2.0, 5, 5));
        assert!(ratio_of_pairs(vec![1.0, 2.0]).is_none());
    }

    #[test]
    fn adding_a_slice_keeps_every_sample() {
        let (mut total, mut slice) = (histogram(), histogram());
        slice.record_n(1_234, 7).unwrap();
        slice.record_n(9_876_543_210, 1).unwrap();
        add(&mut total, &slice);
        add(&mut total, &slice);
        assert_eq!(total.len(), 16);
        assert_eq!(total.value_at_quantile(0.5), slice.value_at_quantile(0.5));
    }

    #[test]
    fn percentile_interpolates() {
        assert_eq!(percentile(&mut [3.0, 1.0], 0.5), Some(2.0));
        assert_eq!(percentile(&mut [7.0], 0.95), Some(7.0));
        assert_eq!(percentile(&mut [], 0.5), None);
    }
}
