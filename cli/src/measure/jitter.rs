//! What a core does to a thread that never waits.
//!
//! The thread reads the clock in a tight loop. A gap between two readings that is longer than a reading was taken by
//! something else: an interrupt, the scheduler, the firmware, the hypervisor. A channel's p99.9 cannot be better than
//! this, so the report shows both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ringmail::affinity::spawn_pinned;

use super::clock::Clock;
use crate::report::Jitter;

/// Gaps above this count as hiccups. Well above a reading, well below the shortest interrupt.
pub(crate) const HICCUP_NS: u64 = 1_000;

/// Watches all `cores` at the same time for `time`. Cores that cannot be pinned to are left out: their pairs will say why.
pub(crate) fn watch(cores: &[usize], time: Duration, clock: &Clock, stop: &Arc<AtomicBool>) -> Vec<Jitter> {
    let threads: Vec<_> = cores
        .iter()
        .filter_map(|&core| {
            let (clock, stop) = (clock.clone(), Arc::clone(stop));
            spawn_pinned(core, move || watch_this(core, time, &clock, &stop)).ok()
        })
        .collect();
    threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
}

fn watch_this(core: usize, time: Duration, clock: &Clock, stop: &AtomicBool) -> Jitter {
    let limit = time.as_nanos() as u64;
    let mut jitter = Jitter { core, watched_s: 0.0, hiccups: 0, max_ns: 0, stolen_ns: 0 };
    let first = clock.raw();
    let mut last = first;
    loop {
        let now = clock.raw();
        let gap = clock.ns(last, now);
        last = now;
        if gap > HICCUP_NS {
            jitter.hiccups += 1;
            jitter.stolen_ns += gap;
            jitter.max_ns = jitter.max_ns.max(gap);
        }
        let watched = clock.ns(first, now);
        if watched >= limit || stop.load(Ordering::Relaxed) {
            // Never zero, for rates are formed by dividing by it.
            jitter.watched_s = watched.max(1) as f64 / 1e9;
            return jitter;
        }
    }
}

/// Adds a second watch of the same cores to a first.
pub(crate) fn merge(into: &mut Vec<Jitter>, more: Vec<Jitter>) {
    for new in more {
        match into.iter_mut().find(|old| old.core == new.core) {
            Some(old) => {
                old.watched_s += new.watched_s;
                old.hiccups += new.hiccups;
                old.stolen_ns += new.stolen_ns;
                old.max_ns = old.max_ns.max(new.max_ns);
            }
            None => into.push(new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(core: usize, watched_s: f64, hiccups: u64, max_ns: u64) -> Jitter {
        Jitter { core, watched_s, hiccups, max_ns, stolen_ns: hiccups * 2_000 }
    }

    #[test]
    fn two_watches_of_a_core_add_up() {
        let mut sum = vec![of(0, 1.0, 10, 5_000)];
        merge(&mut sum, vec![of(0, 1.0, 30, 9_000), of(1, 1.0, 1, 2_000)]);
        assert_eq!(sum.len(), 2);
        assert_eq!((sum[0].hiccups, sum[0].max_ns), (40, 9_000));
        assert_eq!(sum[0].per_second(), 20.0);
        assert!((sum[0].stolen_share() - 4e-5).abs() < 1e-12);
    }

    #[test]
    fn a_pause_is_seen_as_a_hiccup_of_its_length() {
        let clock = Clock::choose(None);
        let stop = AtomicBool::new(false);
        let jitter = watch_this(0, Duration::from_millis(20), &clock, &stop);
        assert!(jitter.watched_s >= 0.02);
        assert!(jitter.max_ns == 0 || jitter.max_ns > HICCUP_NS);
        assert!(jitter.stolen_ns >= jitter.max_ns);
    }

    #[test]
    fn a_stop_ends_the_watch_at_once() {
        let jitter = watch_this(0, Duration::from_secs(60), &Clock::choose(None), &AtomicBool::new(true));
        assert!(jitter.watched_s < 1.0);
    }
}
