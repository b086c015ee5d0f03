//! The shared words of a ring and where they lie. No logic.
//!
//! ```text
//! ProducerBlock  written by the producer only           ConsumerBlock  written by the consumer only
//!   0 ┌──────────────────────────────┐                    0 ┌──────────────────────────────┐
//!     │ tail: position, closed       │  hot                 │ head: position               │  hot
//! 128 ├──────────────────────────────┤                  128 ├──────────────────────────────┤
//!     │ full, parks, wakes           │  cold                │ gone                         │  read-mostly
//! 256 └──────────────────────────────┘                  256 ├──────────────────────────────┤
//!                                                           │ parks, wakes                 │  cold
//!                                                       384 └──────────────────────────────┘
//! ```
//!
//! Each row is 128 bytes: x86-64 prefetches cache lines in pairs and big ARM cores have 128-byte lines (the same
//! constant, with its sources, is `crossbeam_utils::CachePadded`'s). The alignment is spelled out here rather than
//! taken from that type because a mapped file needs the same bytes on every target.

use crate::sync::{AtomicU64, Ordering};
use core::fmt;

/// What only the producer writes.
#[repr(C, align(128))]
pub(crate) struct ProducerBlock {
    /// Position of the next message to publish, and whether it was the last.
    pub(crate) tail: AtomicU64,
    /// Cold counters, away from the line that the consumer polls.
    pub(crate) counters: Line<ProducerCounters>,
}

/// What only the consumer writes.
#[repr(C, align(128))]
pub(crate) struct ConsumerBlock {
    /// Position of the next message to take.
    pub(crate) head: AtomicU64,
    /// Not 0 once the consumer accepts nothing more: [`GONE`], and how the two sides part. On a line of its own: the producer reads it before
    /// each message.
    pub(crate) gone: Line<AtomicU64>,
    pub(crate) counters: Line<ConsumerCounters>,
}

/// The consumer accepts nothing more.
pub(crate) const GONE: u64 = 1;
/// The producer finds that out after its last message at the latest: its event count says so. Set together with [`GONE`].
pub(crate) const TOLD: u64 = 2;
/// The consumer has taken what it saw, and touches nothing more unless [`LATE`] was there before.
pub(crate) const RETIRED: u64 = 4;
/// The producer has published its last message. Set by the producer, once it has found [`GONE`]; in memory of one process only.
pub(crate) const LATE: u64 = 8;

/// One 128-byte row.
#[repr(C, align(128))]
pub(crate) struct Line<T>(pub(crate) T);

#[repr(C)]
pub(crate) struct ProducerCounters {
    /// Times that a non-blocking verb found the ring full.
    pub(crate) full: Counter,
    /// Times that this side went to sleep.
    pub(crate) parks: Counter,
    /// Times that this side woke the other.
    pub(crate) wakes: Counter,
}

#[repr(C)]
pub(crate) struct ConsumerCounters {
    pub(crate) parks: Counter,
    pub(crate) wakes: Counter,
}

/// A statistic, with any number of readers.
#[repr(transparent)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Only the owner calls this: load and store need not be one step.
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// For one that several senders count in, on cold paths.
    pub(crate) fn add_shared(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl ProducerBlock {
    pub(crate) fn new(word: u64) -> Self {
        let counters = ProducerCounters { full: Counter::new(), parks: Counter::new(), wakes: Counter::new() };
        Self { tail: AtomicU64::new(word), counters: Line(counters) }
    }
}

impl ConsumerBlock {
    pub(crate) fn new(word: u64) -> Self {
        let counters = ConsumerCounters { parks: Counter::new(), wakes: Counter::new() };
        Self { head: AtomicU64::new(word), gone: Line(AtomicU64::new(0)), counters: Line(counters) }
    }
}

/// What a channel has done so far, as one handle sees it at one moment.
///
/// The two positions are read one after the other while the other side runs, so `sent - received` is clamped, never
/// negative. Reading costs the owner of each word at most one cache miss; nothing is counted on the hot path for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Messages published since the channel was made.
    pub sent: u64,
    /// Messages taken out, or dropped because the receiver left.
    pub received: u64,
    /// Places of an `mpsc` ring that were claimed and then given up without a message; in no other count.
    pub tombstones: u64,
    /// Messages in the ring: `sent - received` at the moment of the look.
    pub depth: usize,
    /// Times that a send looked for room and found none; a send that blocks may look more than once. On `mpsc` the last 63 of each sender
    /// are not in what other handles see.
    pub full: u64,
    /// Times that the sender went to sleep, or announced that it would, waiting for room.
    pub sender_parks: u64,
    /// Times that the receiver went to sleep, or announced that it would, waiting for a message.
    pub receiver_parks: u64,
    /// Times that the sender woke the receiver.
    pub sender_wakes: u64,
    /// Times that the receiver woke the sender.
    pub receiver_wakes: u64,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "sent {} received {} depth {} full {} parks {}/{} wakes {}/{}",
            self.sent,
            self.received,
            self.depth,
            self.full,
            self.sender_parks,
            self.receiver_parks,
            self.sender_wakes,
            self.receiver_wakes
        )
    }
}

#[cfg(not(ringmail_loom))]
mod offsets {
    use super::*;
    use core::mem::offset_of;

    const _: () = assert!(size_of::<ProducerBlock>() == 256);
    const _: () = assert!(offset_of!(ProducerBlock, tail) == 0);
    const _: () = assert!(offset_of!(ProducerBlock, counters) == 128);
    const _: () = assert!(size_of::<ConsumerBlock>() == 384);
    const _: () = assert!(offset_of!(ConsumerBlock, head) == 0);
    const _: () = assert!(offset_of!(ConsumerBlock, gone) == 128);
    const _: () = assert!(offset_of!(ConsumerBlock, counters) == 256);
    const _: () = assert!(align_of::<ProducerBlock>() == 128 && align_of::<ConsumerBlock>() == 128);
}
