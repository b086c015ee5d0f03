//! Which rates to measure, and where latency begins to rise steeply.
//!
//! ```text
//!   10 k  20 k  40 k … 2.56 M  5.12 M                 double until a rate is above the knee
//!                            └ 3.6 M … ┘              then halve the distance, as a ratio
//! ```

use crate::report::LoadStep;

/// The first rate.
pub(crate) const FIRST_PER_S: f64 = 10_000.0;
/// No rate is above it: one message a nanosecond.
pub(crate) const LAST_PER_S: f64 = 1e9;
/// Rates measured between the last below the knee and the first above it. The last two are then 4 % apart.
const REFINEMENTS: u32 = 4;
/// p90 has risen steeply when it is so many times the lowest of all rates below.
const STEEP: f64 = 10.0;

/// What matters of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seen {
    pub(crate) reached: bool,
    /// The typical one: see [`LoadStep::typical_p90_ns`].
    pub(crate) p90_ns: f64,
}

impl Seen {
    pub(crate) fn of(step: &LoadStep) -> Self {
        Self { reached: step.reached, p90_ns: step.typical_p90_ns }
    }
}

/// A search for the knee.
#[derive(Debug)]
pub(crate) struct Sweep {
    next_per_s: f64,
    below_per_s: Option<f64>,
    above_per_s: Option<f64>,
    lowest_p90_ns: f64,
    refinements: u32,
}

impl Sweep {
    pub(crate) fn new() -> Self {
        Self {
            next_per_s: FIRST_PER_S,
            below_per_s: None,
            above_per_s: None,
            lowest_p90_ns: f64::INFINITY,
            refinements: 0,
        }
    }

    /// The rate to measure; `None` when the search is over.
    pub(crate) fn next(&self) -> Option<f64> {
        match (self.below_per_s, self.above_per_s) {
            (None, Some(_)) => None,
            (_, None) => Some(self.next_per_s).filter(|&rate| rate <= LAST_PER_S),
            (Some(below), Some(above)) => (self.refinements < REFINEMENTS).then(|| round((below * above).sqrt())),
        }
    }

    /// Whether such a step would be above the knee.
    pub(crate) fn is_above(&self, seen: Seen) -> bool {
        !seen.reached || seen.p90_ns > STEEP * self.lowest_p90_ns
    }

    /// Takes what was seen at the rate of [`Sweep::next`].
    pub(crate) fn add(&mut self, seen: Seen) {
        let Some(rate) = self.next() else { return };
        self.refinements += u32::from(self.above_per_s.is_some());
        if self.is_above(seen) {
            self.above_per_s = Some(rate);
            return;
        }
        self.below_per_s = Some(rate);
        self.lowest_p90_ns = self.lowest_p90_ns.min(seen.p90_ns);
        self.next_per_s = 2.0 * rate;
    }

    /// The highest rate below the knee, once there is one above.
    pub(crate) fn knee_per_s(&self) -> Option<f64> {
        self.below_per_s.filter(|_| self.above_per_s.is_some())
    }
}

/// To three digits: nobody asks for 3,620,386.7 a second.
fn round(rate: f64) -> f64 {
    let scale = 10_f64.powf(rate.log10().floor() - 2.0);
    (rate / scale).round() * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A channel that takes `most_per_s`: latency is that of a queue below, and what a whole step piles up above.
    fn simulated(most_per_s: f64, rate: f64) -> Seen {
        let load = rate / most_per_s;
        if load < 1.0 {
            Seen { reached: true, p90_ns: 200.0 / (1.0 - load) }
        } else {
            Seen { reached: load < 1.01, p90_ns: 4e8 * (1.0 - 1.0 / load) }
        }
    }

    fn searched(seen: impl Fn(f64) -> Seen) -> (Sweep, Vec<f64>) {
        let (mut sweep, mut rates) = (Sweep::new(), vec![]);
        while let Some(rate) = sweep.next() {
            rates.push(rate);
            sweep.add(seen(rate));
            assert!(rates.len() < 100);
        }
        (sweep, rates)
    }

    #[test]
    fn the_knee_is_found_within_five_percent() {
        for most_per_s in [30e3, 123e3, 1e6, 3.3e6, 47e6, 400e6] {
            // With the simulated queue, p90 is ten times as high at nine tenths of what it takes.
            let (sweep, rates) = searched(|rate| simulated(most_per_s, rate));
            let knee = sweep.knee_per_s().unwrap();
            assert!((0.85 * most_per_s..0.905 * most_per_s).contains(&knee), "{knee} of {most_per_s}: {rates:?}");
            assert!(rates.len() < 25, "{rates:?}");
        }
    }

    #[test]
    fn a_rate_that_is_not_reached_is_above_however_low_its_latency() {
        let (sweep, _) = searched(|rate| Seen { reached: rate < 1e6, p90_ns: 200.0 });
        let knee = sweep.knee_per_s().unwrap();
        assert!((0.95e6..1e6).contains(&knee), "{knee}");
    }

    #[test]
    fn there_is_no_knee_below_the_first_rate_or_above_the_last() {
        let (sweep, rates) = searched(|_| Seen { reached: false, p90_ns: 1e9 });
        assert_eq!((sweep.knee_per_s(), rates), (None, vec![FIRST_PER_S]));
        let (sweep, rates) = searched(|_| Seen { reached: true, p90_ns: 100.0 });
        assert_eq!(sweep.knee_per_s(), None);
        assert!(rates.last().is_some_and(|&rate| rate > LAST_PER_S / 2.0));
    }

    #[test]
    fn a_slow_first_rate_does_not_hide_the_knee() {
        // Cold caches at low rates: p90 falls first.
        let (sweep, _) = searched(|rate| match rate {
            ..50e3 => Seen { reached: true, p90_ns: 5_000.0 },
            _ => simulated(2e6, rate),
        });
        let knee = sweep.knee_per_s().unwrap();
        assert!((1.7e6..1.81e6).contains(&knee), "{knee}");
    }

    #[test]
    fn rates_are_round() {
        assert_eq!(round(3_620_386.7), 3_620_000.0);
        assert_eq!(round(14_142.1), 14_100.0);
    }
}
