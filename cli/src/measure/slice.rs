//! One turn of one subject, timed; and what lies between two of them.

use std::time::Instant;

use hdrhistogram::Histogram;

use super::plan::{PATIENCE, Plan};
use super::round_trip::{RoundTrip, StopReason};
use super::stats::{self, STALL_NS};

/// Round trips at the start of a slice that are not timed: they bring the lines of the subject back into the caches, and wake the
/// answering side. On a busy machine there may be fewer: the warm-up ends after the length of a slice.
const WARM_UP: u32 = 64;

/// A turn as it was timed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    /// Per round trip.
    pub(super) p50_ns: f64,
    /// Readings of the clock: when its first sample began, and when its last ended.
    pub(super) span: [u64; 2],
    /// What stalls took between its samples, while one was recorded.
    pub(super) lost_ns: u64,
}

/// Times samples of `trips` round trips for the length of a slice, at most `most`, into the emptied `samples`. Nothing in here allocates or
/// prints.
pub(super) fn run_slice<S: RoundTrip>(
    subject: &mut S,
    plan: &Plan,
    trips: u32,
    most: u64,
    samples: &mut Histogram<u64>,
) -> Result<Slice, StopReason> {
    samples.reset();
    subject.begin(Instant::now() + plan.slice + PATIENCE);
    let length = plan.slice.as_nanos() as u64;
    let began = plan.clock.raw();
    for _ in 0..WARM_UP {
        subject.trip()?;
        if plan.clock.ns(began, plan.clock.raw()) >= length {
            break;
        }
    }
    let began = plan.clock.raw();
    let (mut last, mut lost_ns) = (began, 0);
    loop {
        subject.ready()?;
        let start = plan.clock.raw();
        let between = plan.clock.ns(last, start);
        if between > STALL_NS {
            lost_ns += between;
        }
        for _ in 0..trips {
            subject.trip()?;
        }
        last = plan.clock.raw();
        samples.saturating_record(plan.clock.ns(start, last));
        if plan.clock.ns(began, last) >= length || samples.len() >= most || plan.stopped() {
            break;
        }
    }
    let p50_ns = stats::median(samples, plan.quantum_ns).unwrap_or(f64::NAN) / f64::from(trips);
    Ok(Slice { p50_ns, span: [began, last], lost_ns })
}

/// Watches a timing thread over a whole visit for time that something else took, also where nothing is timed.
#[derive(Debug)]
pub(super) struct Watch {
    began: Option<u64>,
    last: u64,
    lost_ns: u64,
    unwatched_ns: u64,
    /// From the end of a slice to the beginning of the next, by what the next is: two lines, one line, channel.
    changes: [Vec<u64>; 3],
}

impl Watch {
    /// Has room for so many slices of each subject, so that it never allocates.
    pub(super) fn new(slices: usize) -> Self {
        let changes = std::array::from_fn(|_| Vec::with_capacity(slices));
        Self { began: None, last: 0, lost_ns: 0, unwatched_ns: 0, changes }
    }

    /// Takes note of a slice of the subject of this number, which followed the one noted before.
    pub(super) fn note(&mut self, plan: &Plan, subject: usize, slice: &Slice) {
        if self.began.is_some() {
            self.changes[subject].push(plan.clock.ns(self.last, slice.span[0]));
        } else {
            self.began = Some(slice.span[0]);
        }
        self.last = slice.span[1];
        self.lost_ns += slice.lost_ns;
    }

    /// The same of a slice before which a process was woken: that takes its time and is no stall.
    pub(super) fn note_woken(&mut self, plan: &Plan, slice: &Slice) {
        self.unwatched_ns += plan.clock.ns(self.last, slice.span[0]);
        self.last = slice.span[1];
        self.lost_ns += slice.lost_ns;
    }

    /// Time watched, and time that stalls took of it outside of samples. A change of turn that takes longer than usual by more than a stall has
    /// met one.
    pub(super) fn finish(self, plan: &Plan) -> [u64; 2] {
        let Some(began) = self.began else { return [0; 2] };
        let mut lost_ns = self.lost_ns;
        for mut changes in self.changes {
            changes.sort_unstable();
            let Some(&usual) = changes.get(changes.len() / 2) else { continue };
            lost_ns += changes.iter().map(|ns| stats::beyond(*ns, usual)).sum::<u64>();
        }
        [plan.clock.ns(began, self.last).saturating_sub(self.unwatched_ns), lost_ns]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::measure::clock::Clock;
    use crate::measure::round_trip::Turn;
    use crate::options::Wait;

    fn plan() -> Plan {
        Plan {
            capacity: 1,
            wait: Wait::Spin,
            slice: Duration::from_millis(20),
            clock: Clock::choose(None),
            quantum_ns: 1.0,
            read_ns: 1.0,
            stop: Arc::default(),
            processes: false,
            mesh: None,
            placement: crate::placement::Placement::default(),
        }
    }

    /// Sleeps in one trip of many.
    struct Stalls(u32);

    impl RoundTrip for Stalls {
        fn begin(&mut self, _: Instant) {}

        fn trip(&mut self) -> Result<(), StopReason> {
            self.0 += 1;
            if self.0 == 2 * WARM_UP {
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        }

        fn end(&mut self, _: Turn) -> Result<(), StopReason> {
            Ok(())
        }

        fn echo(&mut self) -> Result<Turn, StopReason> {
            Ok(Turn::Quit)
        }
    }

    #[test]
    fn a_stall_in_a_trip_is_in_its_samples() {
        let (plan, mut samples) = (plan(), stats::histogram());
        let slice = run_slice(&mut Stalls(0), &plan, 1, u64::MAX, &mut samples).unwrap();
        assert!(samples.max() >= 5_000_000 && slice.p50_ns < 100_000.0, "{slice:?}");
        assert!(plan.clock.ns(slice.span[0], slice.span[1]) >= 20_000_000);
        // A busy machine may stop any slice for so long.
        let few = |_| {
            let few = run_slice(&mut Stalls(0), &plan, 1, 3, &mut samples).unwrap();
            assert_eq!(samples.len(), 3);
            few.lost_ns < 1_000_000
        };
        assert!((0..20).any(few));
    }

    #[test]
    fn a_change_that_takes_longer_than_usual_is_lost_time() {
        // A clock that counts nanoseconds.
        let plan = plan();
        let mut watch = Watch::new(8);
        let slice = |from: u64, lost_ns: u64| Slice { p50_ns: 1.0, span: [from, from + 1_000_000], lost_ns };
        // Changes of 50 µs, but for one of 7 ms; and in one slice something between two samples.
        let mut at = 0;
        for (change, lost) in [(50_000, 0), (50_000, 0), (7_050_000, 0), (50_000, 300_000), (58_000, 0)] {
            at += change;
            watch.note(&plan, 0, &slice(at, lost));
            at += 1_000_000;
        }
        // Before this one a process was woken.
        watch.note_woken(&plan, &slice(at + 9_000_000, 0));
        assert_eq!(watch.finish(&plan), [at + 1_000_000 - 50_000, 6_992_000 + 300_000]);
        assert_eq!(Watch::new(1).finish(&plan), [0, 0]);
    }
}
