//! The clock that times samples, and what it cannot see.
//!
//! On x86-64 the time-stamp counter serves, but only when the kernel itself trusts it (its clocksource is `tsc`): CPUID
//! alone may promise an invariant counter that a hypervisor does not keep. On aarch64 it is the system counter. On all
//! other machines, and in doubt, it is the operating system's monotonic clock.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::report::ClockInfo;

/// Readings taken to find the quantum.
const READINGS: usize = 20_000;

/// A clock that threads may read at the same time.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Counter(quanta::Clock),
    Os(Instant),
}

impl Clock {
    /// Picks the clock. `kernel_clocksource` is what the kernel uses, when known.
    pub(crate) fn choose(kernel_clocksource: Option<&str>) -> Self {
        let trusted = if cfg!(target_arch = "x86_64") {
            kernel_clocksource == Some("tsc")
        } else {
            cfg!(target_arch = "aarch64")
        };
        let source = if trusted { Source::Counter(quanta::Clock::new()) } else { Source::Os(Instant::now()) };
        Self { source }
    }

    /// A reading, in ticks of this clock.
    #[inline]
    pub(crate) fn raw(&self) -> u64 {
        match &self.source {
            Source::Counter(clock) => clock.raw(),
            Source::Os(base) => base.elapsed().as_nanos() as u64,
        }
    }

    /// A reading that is not taken before what the loads before it have loaded is known. The processor may read its counter early, by as much as a
    /// load from another core takes.
    #[inline]
    pub(crate) fn raw_after_loads(&self) -> u64 {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 processor has it, and it touches no memory.
        #[allow(unused_unsafe, reason = "newer compilers know that it is safe")]
        unsafe {
            std::arch::x86_64::_mm_lfence();
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: it only waits for the instructions before it.
        unsafe {
            std::arch::asm!("isb", options(nostack, preserves_flags));
        }
        self.raw()
    }

    /// Nanoseconds from one reading to a later one; 0 if it is not later.
    #[inline]
    pub(crate) fn ns(&self, from: u64, to: u64) -> u64 {
        match &self.source {
            Source::Counter(clock) => clock.delta_as_nanos(from, to),
            Source::Os(_) => to.saturating_sub(from),
        }
    }

    /// Measures name, quantum and read cost. Takes some 10 ms.
    pub(crate) fn info(&self) -> ClockInfo {
        let started = (Instant::now(), self.raw());
        let mut read_ns = f64::INFINITY;
        // The best of several batches: a batch that the kernel interrupts costs more than reading does.
        for _ in 0..10 {
            let first = self.raw();
            let mut last = first;
            for _ in 0..READINGS / 10 {
                last = black_box(self.raw());
            }
            read_ns = read_ns.min(self.ns(first, last) as f64 / (READINGS / 10) as f64);
        }
        let quantum = grid(&mut self.differences());
        while started.0.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        let ticks = self.raw().saturating_sub(started.1) as f64;
        let ticks_per_ns = (ticks / started.0.elapsed().as_nanos() as f64).max(f64::MIN_POSITIVE);
        let name = match &self.source {
            Source::Os(_) => "operating system's monotonic clock".to_owned(),
            Source::Counter(_) if cfg!(target_arch = "aarch64") => {
                format!("system counter, {:.0} MHz", ticks_per_ns * 1e3)
            }
            Source::Counter(_) => format!("time-stamp counter, {:.0} MHz", ticks_per_ns * 1e3),
        };
        // Stated to a tenth: a longer fraction would claim what the estimate of the frequency cannot hold.
        let quantum_ns = ((quantum as f64 / ticks_per_ns) * 10.0).round().max(1.0) / 10.0;
        ClockInfo { name, quantum_ns, read_ns: (read_ns * 10.0).round() / 10.0 }
    }
}

impl Clock {
    /// Differences of readings that different amounts of work lie between. Between readings as close as can be they would all be what a reading
    /// takes, also of a clock of fine steps.
    fn differences(&self) -> Vec<u64> {
        let mut differences = Vec::with_capacity(READINGS);
        for reading in 0..READINGS {
            let before = self.raw();
            for work in 0..reading % 32 {
                black_box(work);
            }
            differences.extend(self.raw().checked_sub(before).filter(|&ticks| ticks != 0));
        }
        // A clock that stood still through nearly all readings is coarser than they took; waiting shows its step.
        let (patience, mut last) = (Instant::now(), self.raw());
        while differences.len() < 64 && patience.elapsed() < Duration::from_secs(1) {
            let now = self.raw();
            differences.extend(now.checked_sub(last).filter(|&ticks| ticks != 0));
            last = now;
        }
        differences
    }
}

/// The step of a clock that gave these differences, none of them 0: the largest that most are multiples of. A tick more or less is none less of a
/// multiple, and some may be anything: a hypervisor that scales a counter adds single ticks, now and then, and on a busy machine often.
/// `u64::MAX` without differences.
fn grid(differences: &mut [u64]) -> u64 {
    // Of a clock of single ticks no more than half are multiples of anything.
    const MOST: f64 = 0.8;
    differences.sort_unstable();
    // The commonest is a multiple of the step; the shortest may be anything.
    let commonest = differences.chunk_by(|a, b| a == b).max_by_key(|same| same.len());
    let Some(&[commonest, ..]) = commonest else { return u64::MAX };
    let is_grid = |step: u64| {
        // A step of many ticks may be off by as many as the counter's frequency is known to.
        let slack = if step < 8 { 0 } else { (step / 64).max(1) };
        let fits = |&&ticks: &&u64| (ticks + slack) % step <= 2 * slack;
        differences.iter().filter(fits).count() as f64 >= MOST * differences.len() as f64
    };
    let parts = (1..=64).map(|parts| commonest.div_ceil(parts)).filter(|&step| step >= 8);
    parts.chain((2..8).rev()).find(|&step| is_grid(step)).unwrap_or(1)
}

/// Round trips to time as one sample so that it spans 16 quanta, given the shortest trip seen.
pub(crate) fn trips_per_sample(quantum_ns: f64, shortest_trip_ns: f64) -> u32 {
    const QUANTA: f64 = 16.0;
    const MOST: f64 = 4096.0;
    // A trip that reads as zero means only that many are needed.
    let trips = QUANTA * quantum_ns / shortest_trip_ns.max(QUANTA * quantum_ns / MOST);
    trips.ceil().clamp(1.0, MOST) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_os_clock_is_used_unless_the_kernel_trusts_the_counter() {
        if cfg!(target_arch = "x86_64") {
            assert!(matches!(Clock::choose(None).source, Source::Os(_)));
            assert!(matches!(Clock::choose(Some("hpet")).source, Source::Os(_)));
            assert!(matches!(Clock::choose(Some("tsc")).source, Source::Counter(_)));
        }
    }

    #[test]
    fn both_clocks_agree_with_the_wall() {
        for source in [None, Some("tsc")] {
            let clock = Clock::choose(source);
            // A busy machine may come between the two.
            let agree = |_| {
                let (raw, wall) = (clock.raw(), Instant::now());
                std::thread::sleep(Duration::from_millis(30));
                let (ns, wall) = (clock.ns(raw, clock.raw()) as f64, wall.elapsed().as_nanos() as f64);
                println!("{ns} against {wall} ns");
                (ns / wall - 1.0).abs() < 0.05
            };
            assert!((0..20).any(agree), "{clock:?}");
        }
    }

    #[test]
    fn quantum_and_read_cost_are_measured() {
        let info = Clock::choose(Some("tsc")).info();
        assert!(info.quantum_ns > 0.0 && info.quantum_ns < 1e7, "{info:?}");
        assert!(info.read_ns > 0.0 && info.read_ns < 1e5, "{info:?}");
    }

    #[test]
    fn the_step_is_the_grid_and_not_the_shortest_difference() {
        // As a hypervisor's scaled counter gives them: steps of 26 ticks, one more now and then.
        let scaled = |rare: usize| {
            let common = (0..1000).map(|i| [26, 52, 51, 78, 26, 104][i % 6]);
            common.chain(std::iter::repeat_n(1, rare)).collect::<Vec<u64>>()
        };
        assert_eq!(grid(&mut scaled(0)), 26);
        assert_eq!(grid(&mut scaled(40)), 26);
        // On a busy machine.
        assert_eq!(grid(&mut scaled(150)), 26);
        let busy =
            |shares: [(u64, usize); 5]| shares.iter().flat_map(|&(ticks, n)| std::iter::repeat_n(ticks, n)).collect();
        assert_eq!(grid(&mut busy([(52, 13), (26, 892), (1, 43), (25, 40), (51, 11)]) as &mut Vec<u64>), 26);
        assert_eq!(grid(&mut busy([(52, 620), (26, 300), (1, 30), (25, 150), (78, 20)]) as &mut Vec<u64>), 26);
        // A counter of single ticks, and one of pairs of them.
        assert_eq!(grid(&mut (24..600).collect::<Vec<u64>>()), 1);
        assert_eq!(grid(&mut (12..300).map(|ticks| 2 * ticks).collect::<Vec<u64>>()), 2);
        // A clock of the system that steps by a millisecond.
        assert_eq!(grid(&mut (0..100).map(|i| 1_000_000 * (1 + i % 3)).collect::<Vec<u64>>()), 1_000_000);
        assert_eq!(grid(&mut []), u64::MAX);
    }

    #[test]
    fn short_trips_are_timed_together() {
        assert_eq!(trips_per_sample(10.0, 500.0), 1);
        assert_eq!(trips_per_sample(10.0, 160.0), 1);
        assert_eq!(trips_per_sample(10.0, 159.0), 2);
        assert_eq!(trips_per_sample(10.0, 30.0), 6);
        assert_eq!(trips_per_sample(1000.0, 100.0), 160);
        assert_eq!(trips_per_sample(1000.0, 0.0), 4096);
    }
}
