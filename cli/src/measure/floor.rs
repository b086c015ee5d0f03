//! The floor: what a round trip costs without a channel, in two ways.
//!
//! ```text
//!   two lines   thread a --store--> [ line b ] --load--> thread b        one writer a line
//!               thread a <--load--- [ line a ] <--store-- thread b
//!
//!   one line    thread a --compare-and-swap--> [ line ] <--compare-and-swap-- thread b
//! ```
//!
//! Which of them takes less depends on the processor: a store to a line that another core reads first asks for the line, a compare-and-swap
//! that is tried all the time has it as soon as it is free. The one with the lower median is the floor of a pair, the other stands beside it. The
//! second is what core-to-core-latency measures, which shows half of it.
//!
//! Both are references and no proven minimum. A ratio below 1 is flagged.

mod one_line;
mod two_lines;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crossbeam_utils::CachePadded;

pub(crate) use one_line::OneLine;
pub(crate) use two_lines::TwoLines;

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
    /// Allocates and touches; call it on the thread whose memory it is to be.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self((0..LINES).map(|_| CachePadded::new(AtomicU64::new(0))).collect()))
    }

    #[inline]
    fn word(&self) -> &AtomicU64 {
        &self.0[LINES / 2]
    }
}
