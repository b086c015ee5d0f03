//! The floor: what a round trip costs without a channel.
//!
//! ```text
//!   thread a --store--> [ line b ] --load--> thread b
//!   thread a <--load--- [ line a ] <--store-- thread b
//! ```
//!
//! Two cache lines, one writer each, plain loads (Acquire) and stores (Release). A line belongs to the thread that reads
//! it, which also allocates and first touches it, just as a channel belongs to its receiver.
//!
//! Between two looks a thread pauses (`spin_loop`), as channels do. A reader that polls without a pause keeps taking the
//! line away from its writer: on one machine that made this loop slower than the channel it is to be the floor of.
//!
//! It is a reference, not a proven minimum: two loops that poll each other can fall into a slow rhythm, most often
//! between distant cores. A ratio below 1 is flagged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_utils::CachePadded;

use super::round_trip::{RoundTrip, StopReason, Turn};

/// Lines in a block: with 64 or 128 bytes each, at least a page on either side of the one in use.
const LINES: usize = 129;

/// Looks at a line between two looks at the time.
const LOOKS: u32 = 4096;

/// Values that end a subject's turn; sequence numbers never get there.
const SWITCH: u64 = u64::MAX;
const QUIT: u64 = u64::MAX - 1;

/// A cache line alone among fresh ones, so that it shares no page with another thread's data.
#[derive(Debug)]
pub(crate) struct Line(Vec<CachePadded<AtomicU64>>);

impl Line {
    /// Allocates and touches; call it on the thread that will read the line.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self((0..LINES).map(|_| CachePadded::new(AtomicU64::new(0))).collect()))
    }
}

/// One thread's side of the floor.
#[derive(Debug)]
pub(crate) struct FloorEnd {
    out: Arc<Line>,
    inbox: Arc<Line>,
    last: u64,
    deadline: Instant,
}

impl FloorEnd {
    pub(crate) fn new(out: Arc<Line>, inbox: Arc<Line>) -> Self {
        Self { out, inbox, last: 0, deadline: Instant::now() }
    }

    #[inline]
    fn put(&self, value: u64) {
        self.out.0[LINES / 2].store(value, Ordering::Release);
    }

    /// Spins until the inbox holds something else than `old`.
    #[inline]
    fn await_other_than(&self, old: u64) -> Result<u64, StopReason> {
        let inbox = &self.inbox.0[LINES / 2];
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

impl RoundTrip for FloorEnd {
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

    fn ends() -> (FloorEnd, FloorEnd) {
        let (a, b) = (Line::new(), Line::new());
        (FloorEnd::new(Arc::clone(&b), Arc::clone(&a)), FloorEnd::new(a, b))
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
