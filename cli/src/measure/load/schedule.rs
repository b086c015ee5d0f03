//! When each message is due. The times depend on the rate, the arrival and the seed alone.

use super::Step;
use crate::measure::shuffle::Random;

/// How messages follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// At equal distances.
    Constant,
    /// At random distances, independent of each other, as from many sources.
    Poisson,
    /// So many at once, at equal distances.
    Bursts(u32),
}

impl Arrival {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
            Self::Bursts(_) => "bursts",
        }
    }

    /// Messages due at once.
    pub(crate) fn burst(self) -> u32 {
        match self {
            Self::Bursts(burst) => burst.max(1),
            Self::Constant | Self::Poisson => 1,
        }
    }
}

/// The times at which one sender's messages are due, without end, in ns since the epoch of the step.
#[derive(Debug)]
pub(super) struct Schedule {
    arrival: Arrival,
    start_ns: f64,
    gap_ns: f64,
    /// Messages so far.
    count: u64,
    /// Of the last one, for random distances.
    elapsed_ns: f64,
    random: Random,
}

impl Schedule {
    /// Of sender number `at` of so many, which share the rate. Their messages fall between each other's.
    pub(super) fn of_one(step: &Step, start_ns: u64, at: usize, senders: usize) -> Self {
        let gap_ns = 1e9 * senders as f64 / step.rate_per_s;
        let phase = gap_ns * f64::from(step.arrival.burst()) * at as f64 / senders as f64;
        let phase = if step.arrival == Arrival::Poisson { 0.0 } else { phase };
        let seed = Random::new(step.seed.wrapping_add(at as u64)).next();
        Self::new(step.arrival, gap_ns, start_ns as f64 + phase, seed)
    }

    fn new(arrival: Arrival, gap_ns: f64, start_ns: f64, seed: u64) -> Self {
        Self { arrival, start_ns, gap_ns, count: 0, elapsed_ns: 0.0, random: Random::new(seed) }
    }

    /// Mean distance of messages.
    pub(super) fn gap_ns(&self) -> f64 {
        self.gap_ns
    }

    /// Messages that are due before `end_ns` and were not asked for, where the last that was asked for is due at `due_ns`, and it itself. Of random
    /// distances as many as are to be expected.
    pub(super) fn left_until(&self, due_ns: u64, end_ns: u64) -> u64 {
        if due_ns >= end_ns {
            return 0;
        }
        let left_ns = (end_ns - due_ns) as f64;
        match self.arrival {
            Arrival::Bursts(burst) => {
                let burst = u64::from(burst.max(1));
                let begun = (self.count - 1) % burst;
                // Bursts that begin before the end, this one among them.
                let bursts = (left_ns / (self.gap_ns * burst as f64)).ceil() as u64;
                bursts * burst - begun
            }
            Arrival::Constant | Arrival::Poisson => 1 + (left_ns / self.gap_ns) as u64,
        }
    }

    /// When the next message is due.
    #[inline]
    pub(super) fn next(&mut self) -> u64 {
        let count = self.count;
        self.count += 1;
        // By multiplication: sums of rounded distances would drift.
        let after_ns = match self.arrival {
            Arrival::Constant => count as f64 * self.gap_ns,
            Arrival::Bursts(burst) => {
                let burst = u64::from(burst.max(1));
                (count / burst * burst) as f64 * self.gap_ns
            }
            Arrival::Poisson => {
                // Above 0 and at most 1, so that its logarithm is finite.
                let chance = ((self.random.next() >> 11) + 1) as f64 * (1.0 / (1_u64 << 53) as f64);
                self.elapsed_ns -= chance.ln() * self.gap_ns;
                self.elapsed_ns
            }
        };
        (self.start_ns + after_ns) as u64
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::load::Pacing;

    fn times(arrival: Arrival, gap_ns: f64, count: usize) -> Vec<u64> {
        let mut schedule = Schedule::new(arrival, gap_ns, 0.0, 7);
        (0..count).map(|_| schedule.next()).collect()
    }

    #[test]
    fn constant_messages_are_due_at_equal_distances_and_do_not_drift() {
        let times = times(Arrival::Constant, 333.333, 3_000_001);
        assert_eq!(times[..4], [0, 333, 666, 999]);
        assert_eq!(times[3_000_000], 999_999_000);
    }

    #[test]
    fn bursts_are_due_at_once_and_keep_the_rate() {
        let times = times(Arrival::Bursts(4), 100.0, 4_000);
        assert_eq!(times[..9], [0, 0, 0, 0, 400, 400, 400, 400, 800]);
        assert_eq!(times[3_999], 399_600);
    }

    #[test]
    fn what_is_left_of_a_burst_is_due_too() {
        let mut schedule = Schedule::new(Arrival::Bursts(4), 100.0, 0.0, 7);
        let due_ns = (0..6).map(|_| schedule.next()).last().unwrap();
        // The second burst is due at 400; one message of it was sent, and this one is its second. Then there are those at 800 and 1200.
        assert_eq!((due_ns, schedule.left_until(due_ns, 1201)), (400, 3 + 4 + 4));
        assert_eq!((schedule.left_until(due_ns, 1200), schedule.left_until(due_ns, 400)), (3 + 4, 0));
        let mut schedule = Schedule::new(Arrival::Constant, 100.0, 0.0, 7);
        assert_eq!((schedule.next(), schedule.next(), schedule.left_until(100, 450)), (0, 100, 4));
    }

    #[test]
    fn random_distances_have_the_mean_and_the_variance_of_poisson() {
        const COUNT: usize = 200_000;
        let times = times(Arrival::Poisson, 10_000.0, COUNT + 1);
        let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / COUNT as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / COUNT as f64;
        // Distances are exponential, so their standard deviation is their mean.
        assert!((mean / 10_000.0 - 1.0).abs() < 0.01, "{mean}");
        assert!((variance.sqrt() / 10_000.0 - 1.0).abs() < 0.02, "{}", variance.sqrt());
        // So are counts in windows of 100: variance as large as the mean.
        let mut counts = vec![0_f64; times[COUNT] as usize / 1_000_000];
        times
            .iter()
            .filter_map(|time| Some((*time / 1_000_000) as usize).filter(|&at| at < counts.len()))
            .collect::<Vec<_>>()
            .iter()
            .for_each(|&at| counts[at] += 1.0);
        let mean = counts.iter().sum::<f64>() / counts.len() as f64;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / counts.len() as f64;
        assert!((variance / mean - 1.0).abs() < 0.1, "mean {mean}, variance {variance}");
        // The seed repeats it.
        assert_eq!(times[..100], self::times(Arrival::Poisson, 10_000.0, 100));
    }

    #[test]
    fn senders_share_the_rate_and_fall_between_each_other() {
        let step = |arrival| Step {
            rate_per_s: 1e6,
            arrival,
            pacing: Pacing::Open,
            warm_up: Duration::ZERO,
            time: Duration::from_secs(1),
            seed: 1,
        };
        let first = |arrival, at| {
            let mut schedule = Schedule::of_one(&step(arrival), 5_000, at, 4);
            [schedule.next(), schedule.next(), schedule.next()]
        };
        assert_eq!(first(Arrival::Constant, 0), [5_000, 9_000, 13_000]);
        assert_eq!(first(Arrival::Constant, 3), [8_000, 12_000, 16_000]);
        assert_eq!(first(Arrival::Bursts(2), 1), [7_000, 7_000, 15_000]);
        assert_ne!(first(Arrival::Poisson, 0), first(Arrival::Poisson, 1));
    }
}
