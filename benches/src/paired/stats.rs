//! The few statistics that a report needs, and the generator behind shuffles and bootstrap.

/// SplitMix64: a seed gives the same series everywhere.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// A series of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is above 0. The bias of the remainder is far below anything measured here.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_u64() % bound as u64) as usize
    }

    /// Puts `items` in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// Lower quartile, median, upper quartile; `None` of nothing.
pub fn quartiles(values: &[f64]) -> Option<[f64; 3]> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some([quantile(&sorted, 0.25)?, quantile(&sorted, 0.5)?, quantile(&sorted, 0.75)?])
}

/// The `q`-quantile of sorted values, interpolated; `None` of nothing.
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let position = q * (sorted.len().checked_sub(1)?) as f64;
    let (low, high) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    Some(low + (high - low) * position.fract())
}

/// Resamplings of a bootstrap.
const RESAMPLES: usize = 2000;

/// The 95 % interval of the median over `groups` (a group is one seed of one build).
///
/// With several groups, groups are resampled before values are: what one seed's children had in common then counts once,
/// not once a round. `None` of nothing.
pub fn median_interval(groups: &[Vec<f64>]) -> Option<[f64; 2]> {
    let groups: Vec<&Vec<f64>> = groups.iter().filter(|group| !group.is_empty()).collect();
    if groups.is_empty() {
        return None;
    }
    let mut rng = Rng::new(95);
    let mut medians = Vec::with_capacity(RESAMPLES);
    let mut sample = Vec::new();
    for _ in 0..RESAMPLES {
        sample.clear();
        for _ in 0..groups.len() {
            let group = groups[rng.below(groups.len())];
            sample.extend((0..group.len()).map(|_| group[rng.below(group.len())]));
        }
        sample.sort_by(f64::total_cmp);
        medians.push(quantile(&sample, 0.5)?);
    }
    medians.sort_by(f64::total_cmp);
    Some([quantile(&medians, 0.025)?, quantile(&medians, 0.975)?])
}

#[cfg(test)]
mod tests {
    use super::{Rng, median_interval, quartiles};

    #[test]
    fn quartiles_interpolate() {
        assert_eq!(quartiles(&[4.0, 1.0, 3.0, 2.0]), Some([1.75, 2.5, 3.25]));
        assert_eq!(quartiles(&[7.0]), Some([7.0, 7.0, 7.0]));
        assert_eq!(quartiles(&[]), None);
    }

    #[test]
    fn the_interval_holds_the_median_and_widens_when_groups_disagree() {
        let one: Vec<f64> = (0..100).map(|i| 1.0 + f64::from(i % 10) / 100.0).collect();
        let [low, high] = median_interval(std::slice::from_ref(&one)).unwrap();
        assert!(low <= 1.045 && 1.045 <= high && high - low < 0.05);
        let other = one.iter().map(|x| x + 1.0).collect();
        let [wide_low, wide_high] = median_interval(&[one, other]).unwrap();
        assert!(wide_high - wide_low > 0.9);
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..50).collect();
        Rng::new(3).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
