//! From samples to figures.

use hdrhistogram::Histogram;

use crate::report::{Figures, Ratio};

/// Longest sample that is recorded as it is: 10 s. Longer ones count as this.
const LONGEST_NS: u64 = 10_000_000_000;

/// Floors around a slice that differ by no more than this factor count as steady.
const STEADY: f64 = 1.25;

/// Steady slices without which the ratio falls back to all of them.
const ENOUGH: usize = 3;

/// An empty histogram with all its memory, so that recording never allocates: 1 ns to 10 s, three significant digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are constants that hdrhistogram accepts")
}

/// Adds one slice's samples to a total.
pub(crate) fn add(total: &mut Histogram<u64>, slice: &Histogram<u64>) {
    for value in slice.iter_recorded() {
        total.saturating_record_n(value.value_iterated_to(), value.count_at_value());
    }
}

/// Mean of the middle 80 % of the samples: unlike a median it does not snap to the clock's quantum, unlike a mean it does
/// not follow a hiccup. `None` when there are no samples.
pub(crate) fn middle_mean(samples: &Histogram<u64>) -> Option<f64> {
    let count = samples.len();
    if count == 0 {
        return None;
    }
    let (low, high) = (count / 10, count - count / 10);
    let (mut seen, mut sum) = (0, 0.0);
    for value in samples.iter_recorded() {
        let next = seen + value.count_at_value();
        let inside = next.min(high).saturating_sub(seen.max(low));
        sum += inside as f64 * samples.median_equivalent(value.value_iterated_to()) as f64;
        seen = next;
    }
    Some(sum / (high - low) as f64)
}

/// Figures of all samples of one subject; `slices` are its slices' own figures, in ns per round trip.
pub(crate) fn figures(samples: &Histogram<u64>, trips: u32, quantum_ns: f64, slices: &[f64]) -> Figures {
    let per_trip = |sample_ns: u64| sample_ns as f64 / f64::from(trips);
    let at = |quantile: f64| per_trip(samples.value_at_quantile(quantile));
    Figures {
        samples: samples.len(),
        trips_per_sample: trips,
        resolution_ns: quantum_ns / f64::from(trips),
        min_ns: per_trip(samples.min()),
        p50_ns: at(0.5),
        p90_ns: at(0.9),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        max_ns: per_trip(samples.max()),
        slice_range_ns: range(slices),
    }
}

/// Channel over the mean of the floors around it, slice by slice. Slices during which the floor moved are left out, for
/// their ratio compares two different machines. `None` without slices.
pub(crate) fn ratio(slices: &[[f64; 3]]) -> Option<Ratio> {
    ratio_of(slices, |_, [before, channel, after]| channel / ((before + after) / 2.0))
}

/// The same of any ratio `of` a slice, given its number and itself.
pub(crate) fn ratio_of(slices: &[[f64; 3]], of: impl Fn(usize, &[f64; 3]) -> f64) -> Option<Ratio> {
    let steady = slices.iter().enumerate().filter(|(_, slice)| is_steady(slice));
    let mut ratios: Vec<f64> = steady.map(|(index, slice)| of(index, slice)).collect();
    if ratios.len() < ENOUGH.min(slices.len()) {
        ratios = slices.iter().enumerate().map(|(index, slice)| of(index, slice)).collect();
    }
    let slices_used = ratios.len();
    Some(Ratio { median: percentile(&mut ratios, 0.5)?, range: range(&ratios), slices_used, slices: slices.len() })
}

fn is_steady([before, _, after]: &[f64; 3]) -> bool {
    before.max(*after) <= STEADY * before.min(*after)
}

/// Whether too few slices had a steady floor for a ratio of only those.
pub(crate) fn floor_is_unsteady(slices: &[[f64; 3]]) -> bool {
    let steady = slices.iter().filter(|slice| is_steady(slice)).count();
    steady < ENOUGH || steady * 4 < slices.len()
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
    fn the_middle_mean_ignores_both_ends() {
        let mut samples = histogram();
        samples.record_n(100, 60).unwrap();
        samples.record_n(200, 40).unwrap();
        assert!((middle_mean(&samples).unwrap() - 137.5).abs() < 1e-9);
        samples.reset();
        samples.record_n(100, 95).unwrap();
        samples.record_n(5_000_000, 5).unwrap();
        assert_eq!(middle_mean(&samples), Some(100.0));
        samples.reset();
        assert_eq!(middle_mean(&samples), None);
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
        let ratio = ratio(&slices).unwrap();
        assert_eq!((ratio.slices_used, ratio.slices), (3, 5));
        assert!((ratio.median - 1.188).abs() < 0.01, "{ratio:?}");
        assert!(!floor_is_unsteady(&slices));
    }

    #[test]
    fn an_unsteady_floor_falls_back_to_all_slices() {
        let slices = [[100.0, 200.0, 300.0]; 5];
        assert_eq!(ratio(&slices).unwrap().slices_used, 5);
        assert!(floor_is_unsteady(&slices));
        assert!(ratio(&[]).is_none());
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
