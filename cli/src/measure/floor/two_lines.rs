//! Two cache lines, one writer each, plain loads (Acquire) and stores (Release). A line belongs to the thread that reads it, which also
//! allocates and first touches it, just as a channel belongs to its receiver.
//!
//! Between two looks a thread pauses (`spin_loop`), as channels do. A reader that polls without a pause keeps taking the line away from its
//! writer: on one machine that made this loop slower than a channel.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{LOOKS, Line, QUIT, SWITCH};
use crate::measure::round_trip::{RoundTrip, StopReason, Turn};

/// One thread's side.
#[derive(Debug)]
pub(crate) struct TwoLines {
    out: Arc<Line>,
    inbox: Arc<Line>,
    last: u64,
    deadline: Instant,
}

impl TwoLines {
    pub(crate) fn new(out: Arc<Line>, inbox: Arc<Line>) -> Self {
        Self { out, inbox, last: 0, deadline: Instant::now() }
    }

    #[inline]
    fn put(&self, value: u64) {
        self.out.word().store(value, Ordering::Release);
    }

    /// Spins until the inbox holds something else than `old`.
    #[inline]
    fn await_other_than(&self, old: u64) -> Result<u64, StopReason> {
        let inbox = self.inbox.word();
        loop {
            for _ in 0..LOOKS {
                let value = inbox.load(Ordering::Acquire);
                if value != old {
                    return Ok(value);
                }
                std::hint::spin_loop();
            }
            if Instant::now() > self.deadline {
                return Err(StopReason::Silent);
            }
        }
    }
}

impl RoundTrip for TwoLines {
    fn begin(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    #[inline]
    fn trip(&mut self) -> Result<(), StopReason> {
        let old = self.last;
        self.last += 1;
        self.put(self.last);
        if self.await_other_than(old)? == self.last { Ok(()) } else { Err(StopReason::Corrupt) }
    }

    fn end(&mut self, turn: Turn) -> Result<(), StopReason> {
        let value = if turn == Turn::Quit { QUIT } else { SWITCH };
        self.put(value);
        let answer = self.await_other_than(self.last)?;
        // The next turn counts on from here, and must find an inbox that holds the count.
        self.put(self.last);
        if answer == value && (turn == Turn::Quit || self.await_other_than(value)? == self.last) {
            Ok(())
        } else {
            Err(StopReason::Corrupt)
        }
    }

    fn echo(&mut self) -> Result<Turn, StopReason> {
        loop {
            let value = self.await_other_than(self.last)?;
            self.put(value);
            match value {
                QUIT => return Ok(Turn::Quit),
                SWITCH => {
                    let count = self.await_other_than(SWITCH)?;
                    self.put(count);
                    return Ok(Turn::Switch);
                }
                next if next == self.last + 1 => self.last = next,
                _ => return Err(StopReason::Corrupt),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ends() -> (TwoLines, TwoLines) {
        let (a, b) = (Line::new(), Line::new());
        (TwoLines::new(Arc::clone(&b), Arc::clone(&a)), TwoLines::new(a, b))
    }

    #[test]
    fn turns_switch_and_quit_in_step() {
        let (mut timing, mut answering) = ends();
        let deadline = Instant::now() + Duration::from_secs(60);
        let answering = std::thread::spawn(move || {
            answering.begin(deadline);
            [answering.echo(), answering.echo(), answering.echo()]
        });
        timing.begin(deadline);
        for turn in [Turn::Switch, Turn::Switch, Turn::Quit] {
            (0..100).for_each(|_| timing.trip().unwrap());
            timing.end(turn).unwrap();
        }
        assert_eq!(answering.join().unwrap(), [Ok(Turn::Switch), Ok(Turn::Switch), Ok(Turn::Quit)]);
    }

    #[test]
    fn a_missing_peer_ends_the_wait_at_the_deadline() {
        let (mut timing, mut answering) = ends();
        assert_eq!(timing.trip(), Err(StopReason::Silent));
        answering.last = 5;
        assert_eq!(answering.echo(), Err(StopReason::Corrupt), "what arrived was not the number expected");
    }
}
