//! How far the clock of one core can be from that of another.
//!
//! ```text
//!   there = receiver's reading - sender's reading = way there + offset
//!   back  = sender's reading - receiver's reading = way back  - offset
//! ```
//!
//! Two cache lines, each written by one thread, carry readings there and back. No way takes less than nothing, so the offset lies between
//! `-back` and `there`. If both ways take the same, it is half of their difference. The shortest of many are taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use ringmail::affinity::spawn_pinned;

use crate::measure::clock::Clock;
use crate::measure::plan::PATIENCE;
use crate::measure::round_trip::StopReason;
use crate::report::Clocks;

/// Readings that each side sends.
const ROUNDS: u64 = 20_000;
/// Enough for the shortest, on a machine that lets both run.
const TIME: Duration = Duration::from_millis(50);
/// Looks at a line between two looks at the time.
const LOOKS: u32 = 4096;
/// In the place of a reading: the other side has ended.
const QUIT: u64 = u64::MAX;

/// A line of its own for each direction. 0 is no reading yet.
#[derive(Debug, Default)]
struct Lines([CachePadded<AtomicU64>; 2]);

/// One side.
struct Side {
    lines: Arc<Lines>,
    out: usize,
    clock: Clock,
    /// Readings are of the time since then, which is long enough ago for all of them to be above 0.
    epoch: u64,
    deadline: Instant,
    shortest_ns: i64,
    last: u64,
}

impl Side {
    fn now_ns(&self) -> u64 {
        1 + self.clock.ns(self.epoch, self.clock.raw_after_loads())
    }

    fn put(&self, value: u64) {
        self.lines.0[self.out].store(value, Ordering::Release);
    }

    /// Waits for a reading and keeps the way that it took. Returns false when the other side has ended.
    fn take(&mut self) -> Result<bool, StopReason> {
        let inbox = &self.lines.0[1 - self.out];
        loop {
            for _ in 0..LOOKS {
                let value = inbox.load(Ordering::Acquire);
                if value == QUIT {
                    return Ok(false);
                }
                if value != self.last {
                    self.last = value;
                    self.shortest_ns = self.shortest_ns.min(self.now_ns() as i64 - value as i64);
                    return Ok(true);
                }
                std::hint::spin_loop();
            }
            if Instant::now() > self.deadline {
                return Err(StopReason::Silent);
            }
        }
    }

    /// A reading that differs from the one before, as a coarse clock's may not.
    fn put_now(&mut self, before: u64) -> u64 {
        let now = self.now_ns();
        // A nanosecond more than the clock says, at most once in each of its steps.
        let value = now.max(before + 1);
        self.put(value);
        value
    }
}

/// Measures it for two cores.
pub(crate) fn compare([sender, receiver]: [usize; 2], clock: &Clock) -> Result<Clocks, String> {
    let lines = Arc::<Lines>::default();
    let epoch = clock.raw();
    let side = |out: usize| Side {
        lines: Arc::clone(&lines),
        out,
        clock: clock.clone(),
        epoch,
        deadline: Instant::now() + PATIENCE,
        shortest_ns: i64::MAX,
        last: 0,
    };
    let (mut mine, mut theirs) = (side(0), side(1));
    let answering = spawn_pinned(receiver, move || {
        let mut before = 0;
        while theirs.take()? {
            before = theirs.put_now(before);
        }
        Ok::<_, StopReason>(theirs.shortest_ns)
    })
    .map_err(|error| error.to_string())?;
    let asking = spawn_pinned(sender, move || {
        let (began, mut before) = (Instant::now(), 0);
        let mut rounds = 0;
        let mut run = || -> Result<(), StopReason> {
            while rounds < ROUNDS && (rounds < 100 || began.elapsed() < TIME) {
                before = mine.put_now(before);
                mine.take()?;
                rounds += 1;
            }
            Ok(())
        };
        let ran = run();
        mine.put(QUIT);
        ran.map(|()| mine.shortest_ns)
    });
    if asking.is_err() {
        lines.0[0].store(QUIT, Ordering::Release);
    }
    let back = asking.map_err(|error| error.to_string()).map(|thread| thread.join());
    let there = answering.join();
    match (there, back?) {
        (Ok(there), Ok(back)) => {
            let (there, back) = (there.map_err(|it| it.to_string())?, back.map_err(|it| it.to_string())?);
            Ok(of(there as f64, back as f64))
        }
        _ => Err("a measuring thread panicked; please report this".to_owned()),
    }
}

/// From the shortest time each way.
fn of(there_ns: f64, back_ns: f64) -> Clocks {
    Clocks {
        there_min_ns: there_ns,
        back_min_ns: back_ns,
        offset_ns: (there_ns - back_ns) / 2.0,
        bound_ns: (there_ns + back_ns) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use ringmail::affinity::Topology;

    use super::*;

    #[test]
    fn the_offset_is_half_of_the_difference_and_bounded_by_half_of_the_sum() {
        // Ways of 40 ns; the receiver's clock is 15 ns ahead.
        let clocks = of(55.0, 25.0);
        assert_eq!((clocks.offset_ns, clocks.bound_ns), (15.0, 40.0));
        // The clock of the receiver is so far behind that messages arrive before they were sent.
        assert_eq!(of(-60.0, 140.0).offset_ns, -100.0);
    }

    #[test]
    fn two_cores_of_this_machine_are_compared() {
        let Some(&cores) = Topology::detect().unwrap().allowed().first_chunk() else { return };
        let clocks = compare(cores, &Clock::choose(None)).unwrap();
        assert!(clocks.bound_ns >= 0.0 && clocks.bound_ns < 1e9, "{clocks:?}");
        assert!(compare([cores[0], 100_000], &Clock::choose(None)).is_err());
        assert!(compare([100_000, cores[0]], &Clock::choose(None)).is_err());
    }
}
