//! How far the clocks of two cores are apart.
//!
//! ```text
//!   asking thread      t1 | ask ─┐             ┌─> sees it | t2
//!   answering thread             └─> t | tell ─┘
//! ```
//!
//! `t` was read between `t1` and `t2`, so the answering clock is ahead by at least `t - t2` and at most `t - t1`. What all round trips allow is a
//! range as narrow as the fastest of them (Cristian: "Probabilistic clock synchronization", 1989).

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use crate::measure::clock::Clock;
use crate::measure::plan::PATIENCE;
use crate::measure::round_trip::StopReason;

const ROUNDS: u64 = 2_000;

/// Where the two threads meet.
#[derive(Debug, Default)]
pub(super) struct Meeting {
    asked: CachePadded<AtomicU64>,
    told: CachePadded<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// Which question this answers; after the reading.
    round: AtomicU64,
    reading: AtomicU64,
}

impl Meeting {
    /// The answering side.
    pub(super) fn answer(&self, clock: &Clock) -> Result<(), StopReason> {
        for round in 1..=ROUNDS {
            await_value(&self.asked, round)?;
            self.told.reading.store(clock.raw_after_loads(), Ordering::Relaxed);
            self.told.round.store(round, Ordering::Release);
        }
        Ok(())
    }

    /// The asking side: least and most nanoseconds that the answering side's clock is ahead.
    pub(super) fn ask(&self, clock: &Clock) -> Result<[f64; 2], StopReason> {
        let mut bounds = [f64::NEG_INFINITY, f64::INFINITY];
        for round in 1..=ROUNDS {
            let before = clock.raw();
            self.asked.store(round, Ordering::Release);
            await_value(&self.told.round, round)?;
            let after = clock.raw_after_loads();
            let reading = self.told.reading.load(Ordering::Relaxed);
            let trip = [ahead(clock, after, reading), ahead(clock, before, reading)];
            bounds = [bounds[0].max(trip[0]), bounds[1].min(trip[1])];
        }
        Ok(bounds)
    }
}

/// Nanoseconds from one reading to another, negative if that is earlier.
fn ahead(clock: &Clock, from: u64, to: u64) -> f64 {
    clock.ns(from, to) as f64 - clock.ns(to, from) as f64
}

/// Spins until the word holds the value.
fn await_value(word: &AtomicU64, value: u64) -> Result<(), StopReason> {
    const LOOKS: u32 = 4096;
    let began = std::time::Instant::now();
    loop {
        for _ in 0..LOOKS {
            if word.load(Ordering::Acquire) == value {
                return Ok(());
            }
            std::hint::spin_loop();
        }
        if began.elapsed() > PATIENCE {
            return Err(StopReason::Silent);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn one_clock_is_not_ahead_of_itself() {
        let (meeting, clock) = (Arc::new(Meeting::default()), Clock::choose(None));
        let (there, its_clock) = (Arc::clone(&meeting), clock.clone());
        let answering = std::thread::spawn(move || there.answer(&its_clock));
        let [least, most] = meeting.ask(&clock).unwrap();
        answering.join().unwrap().unwrap();
        assert!(least <= 0.0 && 0.0 <= most, "between {least} and {most} ns");
        assert!(least > -1e9 && most < 1e9);
    }

    #[test]
    fn a_missing_side_ends_the_wait() {
        assert_eq!(Meeting::default().ask(&Clock::choose(None)), Err(StopReason::Silent));
    }
}
