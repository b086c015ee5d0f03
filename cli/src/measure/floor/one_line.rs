//! One cache line that both sides change by compare-and-swap, tried all the time and without a pause: core-to-core-latency's first
//! measurement, with a count in place of its two states.
//!
//! The word is even when it is the timing side's turn. That side's next swap succeeds once the answer is there, so a round trip lasts from one
//! success to the next. The answer to the last swap of a sample comes while the sample is recorded; so one swap before each sample is not timed.
//! Relaxed, as nothing but the word is passed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{LOOKS, Line, QUIT, SWITCH};
use crate::measure::round_trip::{RoundTrip, StopReason, Turn};

/// One thread's side.
#[derive(Debug)]
pub(crate) struct OneLine {
    line: Arc<Line>,
    /// What the word holds when it is this side's turn next.
    mine: u64,
    deadline: Instant,
}

impl OneLine {
    pub(crate) fn timing(line: Arc<Line>) -> Self {
        Self { line, mine: 0, deadline: Instant::now() }
    }

    pub(crate) fn answering(line: Arc<Line>) -> Self {
        Self { line, mine: 1, deadline: Instant::now() }
    }

    /// Swaps this side's next value for the one after it as soon as it is there; or returns the value that ends the turn.
    #[inline]
    fn swap(&mut self) -> Result<Option<Turn>, StopReason> {
        loop {
            for _ in 0..LOOKS {
                match self.line.word().compare_exchange(self.mine, self.mine + 1, Ordering::Relaxed, Ordering::Relaxed)
                {
                    Ok(_) => {
                        self.mine += 2;
                        return Ok(None);
                    }
                    Err(SWITCH) => return Ok(Some(Turn::Switch)),
                    Err(QUIT) => return Ok(Some(Turn::Quit)),
                    Err(other) if other + 1 == self.mine => {}
                    Err(_) => return Err(StopReason::Corrupt),
                }
            }
            self.check_time()?;
        }
    }

    /// Waits until the word is `value`.
    fn await_value(&self, value: u64) -> Result<(), StopReason> {
        loop {
            for _ in 0..LOOKS {
                if self.line.word().load(Ordering::Relaxed) == value {
                    return Ok(());
                }
                std::hint::spin_loop();
            }
            self.check_time()?;
        }
    }

    fn check_time(&self) -> Result<(), StopReason> {
        if Instant::now() > self.deadline { Err(StopReason::Silent) } else { Ok(()) }
    }
}

impl RoundTrip for OneLine {
    fn begin(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    #[inline]
    fn ready(&mut self) -> Result<(), StopReason> {
        self.trip()
    }

    #[inline]
    fn trip(&mut self) -> Result<(), StopReason> {
        // Only the timing side ends turns.
        if self.swap()?.is_none() { Ok(()) } else { Err(StopReason::Corrupt) }
    }

    fn end(&mut self, turn: Turn) -> Result<(), StopReason> {
        // Once the last answer is there, the word is this side's.
        self.await_value(self.mine)?;
        self.line.word().store(if turn == Turn::Quit { QUIT } else { SWITCH }, Ordering::Relaxed);
        // The other side puts back what was there.
        self.await_value(self.mine)
    }

    fn echo(&mut self) -> Result<Turn, StopReason> {
        loop {
            if let Some(turn) = self.swap()? {
                self.line.word().store(self.mine - 1, Ordering::Relaxed);
                return Ok(turn);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ends() -> (OneLine, OneLine) {
        let line = Line::new();
        (OneLine::timing(Arc::clone(&line)), OneLine::answering(line))
    }

    #[test]
    fn turns_switch_and_quit_in_step() {
        let (mut timing, mut answering) = ends();
        let deadline = Instant::now() + Duration::from_secs(60);
        let answering = std::thread::spawn(move || {
            answering.begin(deadline);
            ([answering.echo(), answering.echo(), answering.echo()], answering.mine)
        });
        timing.begin(deadline);
        for (turn, trips) in [(Turn::Switch, 100), (Turn::Switch, 0), (Turn::Quit, 100)] {
            (0..trips).for_each(|_| timing.trip().unwrap());
            timing.end(turn).unwrap();
        }
        let (turns, mine) = answering.join().unwrap();
        assert_eq!(turns, [Ok(Turn::Switch), Ok(Turn::Switch), Ok(Turn::Quit)]);
        assert_eq!((timing.mine, mine), (400, 401), "every trip was answered once");
    }

    #[test]
    fn a_missing_peer_ends_the_wait_at_the_deadline() {
        let (mut timing, mut answering) = ends();
        assert_eq!(timing.trip(), Ok(()), "the first swap needs no answer");
        assert_eq!(timing.trip(), Err(StopReason::Silent));
        answering.mine = 7;
        assert_eq!(answering.echo(), Err(StopReason::Corrupt), "what arrived was not the number expected");
    }
}
