//! What a core does to a thread that never waits.
//!
//! The thread reads the clock in a tight loop. A gap between two readings that is longer than a reading was taken by
//! something else: an interrupt, the scheduler, the firmware, the hypervisor. A channel's p99.9 cannot be better than
//! this, so the report shows both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use ringmail::affinity::spawn_pinned;

use super::clock::Clock;
use super::stats;
use crate::report::{Gaps, Jitter};

/// Gaps above this count as hiccups. Well above a reading, well below the shortest interrupt.
pub(crate) const HICCUP_NS: u64 = 1_000;

/// The gaps that one core was watched to have.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) core: usize,
    threshold_ns: u64,
    watched_ns: u64,
    gaps: Histogram<u64>,
    // Exact, also of gaps longer than the histogram's bound.
    stolen_ns: u64,
    max_ns: u64,
}

/// Watches all `cores` at the same time for `time`. Cores that cannot be pinned to are left out: their pairs will say why.
pub(crate) fn watch(
    cores: &[usize],
    time: Duration,
    threshold_ns: u64,
    clock: &Clock,
    stop: &Arc<AtomicBool>,
) -> Vec<Watched> {
    let threads: Vec<_> = cores
        .iter()
        .filter_map(|&core| {
            let (clock, stop) = (clock.clone(), Arc::clone(stop));
            spawn_pinned(core, move || watch_this(core, time, threshold_ns, &clock, &stop)).ok()
        })
        .collect();
    threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
}

fn watch_this(core: usize, time: Duration, threshold_ns: u64, clock: &Clock, stop: &AtomicBool) -> Watched {
    let limit = time.as_nanos() as u64;
    let mut gaps = stats::histogram();
    // Writes to all of it: the first gap of a size must not cost a page fault, which is a gap.
    gaps.reset();
    let (mut stolen_ns, mut max_ns) = (0, 0);
    let first = clock.raw();
    let mut last = first;
    loop {
        let now = clock.raw();
        let gap = clock.ns(last, now);
        last = now;
        if gap > threshold_ns {
            gaps.saturating_record(gap);
            stolen_ns += gap;
            max_ns = max_ns.max(gap);
        }
        let watched_ns = clock.ns(first, now);
        if watched_ns >= limit || stop.load(Ordering::Relaxed) {
            return Watched { core, threshold_ns, watched_ns, gaps, stolen_ns, max_ns };
        }
    }
}

/// Adds a second watch of the same cores to a first.
pub(crate) fn merge(into: &mut Vec<Watched>, more: Vec<Watched>) {
    for new in more {
        match into.iter_mut().find(|old| old.core == new.core) {
            Some(old) => {
                old.watched_ns += new.watched_ns;
                old.stolen_ns += new.stolen_ns;
                old.max_ns = old.max_ns.max(new.max_ns);
                if !new.gaps.is_empty() {
                    stats::add(&mut old.gaps, &new.gaps);
                }
            }
            None => into.push(new),
        }
    }
}

impl Watched {
    pub(crate) fn report(&self) -> Jitter {
        let at = |quantile: f64| self.gaps.value_at_quantile(quantile).min(self.max_ns);
        let gaps = (!self.gaps.is_empty()).then(|| Gaps {
            min_ns: self.gaps.min(),
            mean_ns: self.stolen_ns as f64 / self.gaps.len() as f64,
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            p9999_ns: at(0.9999),
            p99999_ns: at(0.99999),
        });
        Jitter {
            core: self.core,
            // Never zero, for rates are formed by dividing by it.
            watched_s: self.watched_ns.max(1) as f64 / 1e9,
            hiccups: self.gaps.len(),
            max_ns: self.max_ns,
            stolen_ns: self.stolen_ns,
            threshold_ns: self.threshold_ns,
            gaps,
            histogram: crate::histogram::encode(&self.gaps),
        }
    }
}

#[cfg(test)]
impl Watched {
    /// A core that had these gaps.
    pub(crate) fn of(core: usize, time: Duration, gaps_ns: &[u64]) -> Self {
        let mut gaps = stats::histogram();
        gaps_ns.iter().for_each(|&ns| gaps.saturating_record(ns));
        let (stolen_ns, max_ns) = (gaps_ns.iter().sum(), gaps_ns.iter().copied().max().unwrap_or(0));
        Self { core, threshold_ns: HICCUP_NS, watched_ns: time.as_nanos() as u64, gaps, stolen_ns, max_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(core: usize, gaps_ns: &[u64]) -> Watched {
        Watched::of(core, Duration::from_secs(1), gaps_ns)
    }

    #[test]
    fn two_watches_of_a_core_add_up() {
        let mut sum = vec![of(0, &[2_000, 5_000])];
        merge(&mut sum, vec![of(0, &[9_000]), of(1, &[])]);
        assert_eq!(sum.len(), 2);
        let [first, second] = [sum[0].report(), sum[1].report()];
        assert_eq!((first.hiccups, first.max_ns, first.stolen_ns), (3, 9_000, 16_000));
        assert_eq!(first.per_second(), 1.5);
        assert!((first.stolen_share() - 8e-6).abs() < 1e-12);
        assert_eq!((second.hiccups, second.gaps), (0, None));
    }

    #[test]
    fn the_distribution_is_that_of_the_gaps() {
        let gaps_ns: Vec<u64> = (1..=1000).map(|i| 10_000 * i).collect();
        let gaps = of(0, &gaps_ns).report().gaps.unwrap();
        for (got, want) in [
            (gaps.min_ns as f64, 1e4),
            (gaps.mean_ns, 5.005e6),
            (gaps.p50_ns as f64, 5e6),
            (gaps.p90_ns as f64, 9e6),
            (gaps.p99_ns as f64, 9.9e6),
            (gaps.p99999_ns as f64, 1e7),
        ] {
            assert!((got / want - 1.0).abs() < 2e-3, "{got} for {want}");
        }
        assert!(gaps.p99999_ns <= 10_000_000, "a percentile is beyond the maximum");
    }

    #[test]
    fn a_gap_beyond_the_histogram_keeps_its_length() {
        let jitter = of(0, &[20_000_000_000]).report();
        assert_eq!((jitter.max_ns, jitter.stolen_ns), (20_000_000_000, 20_000_000_000));
        assert_eq!(jitter.gaps.unwrap().mean_ns, 2e10);
    }

    #[test]
    fn only_gaps_above_the_threshold_count() {
        let clock = Clock::choose(None);
        let stop = AtomicBool::new(false);
        let jitter = watch_this(0, Duration::from_millis(20), HICCUP_NS, &clock, &stop).report();
        assert!(jitter.watched_s >= 0.02);
        assert!(jitter.max_ns == 0 || jitter.max_ns > HICCUP_NS);
        assert!(jitter.stolen_ns >= jitter.max_ns);
        assert_eq!(watch_this(0, Duration::from_millis(5), u64::MAX, &clock, &stop).report().hiccups, 0);
    }

    #[test]
    fn a_stop_ends_the_watch_at_once() {
        let stop = AtomicBool::new(true);
        let jitter = watch_this(0, Duration::from_secs(60), HICCUP_NS, &Clock::choose(None), &stop).report();
        assert!(jitter.watched_s < 30.0);
    }
}
