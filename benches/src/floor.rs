//! The floor: what one round trip between the two cores costs with no queue at all.
//!
//! ```text
//!   ping line  ──── A writes n, B polls ────▶
//!   pong line  ◀─── B writes n, A polls ─────
//! ```
//!
//! A message each way cannot be faster, and the floor changes when the host moves the two virtual cores. So it is both the
//! reference of a latency figure and the test of whether two slices ran on the same hardware.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_utils::CachePadded;

/// Round trips timed together. Short enough that a preemption spoils one block of [`BLOCKS`], not the probe.
const BLOCK: u64 = 64;
/// Blocks in a probe; their median is the probe's value. 9 × 64 round trips take 60 µs at 100 ns each.
const BLOCKS: usize = 9;

/// The two lines.
#[derive(Debug, Default)]
pub struct Floor {
    ping: CachePadded<AtomicU64>,
    pong: CachePadded<AtomicU64>,
}

impl Floor {
    /// A's half of `n` round trips after `done` earlier ones.
    pub fn ping(&self, done: u64, n: u64) {
        for turn in done + 1..=done + n {
            self.ping.store(turn, Ordering::Release);
            out_of_step(turn);
            while self.pong.load(Ordering::Acquire) != turn {
                spin_loop();
            }
        }
    }

    /// B's half.
    pub fn pong(&self, done: u64, n: u64) {
        for turn in done + 1..=done + n {
            out_of_step(turn);
            while self.ping.load(Ordering::Acquire) != turn {
                spin_loop();
            }
            self.pong.store(turn, Ordering::Release);
        }
    }
}

/// Waits 0 to about 130 cycles, a different number each `turn`. That is less than a message takes to come back.
///
/// A waiting side pauses between two looks, for about 64 cycles on some machines. Two sides that answer each other soon keep step, and then
/// a message comes just before a look or just after one: the same code, compiled into 1, 4, 16 or 64 units, took 0.93 to 1.11 times
/// the floor by that alone (`paired --suite rtt` of builds with other `CARGO_PROFILE_RELEASE_CODEGEN_UNITS`). Out of step, a look comes at any
/// time, and the four agree.
#[inline(always)]
pub fn out_of_step(turn: u64) {
    for cycle in 0..(turn.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 57) {
        black_box(cycle);
    }
}

/// One side of a series of probes: both sides must make the same calls in the same order.
#[derive(Debug)]
pub struct Probe<'a> {
    floor: &'a Floor,
    done: u64,
}

impl<'a> Probe<'a> {
    /// A side that has made no probe yet.
    pub fn new(floor: &'a Floor) -> Self {
        Self { floor, done: 0 }
    }

    /// A's half of a probe: the median round trip in nanoseconds.
    pub fn measure(&mut self) -> f64 {
        let mut blocks = [0.0; BLOCKS];
        for block in &mut blocks {
            let start = Instant::now();
            self.floor.ping(self.done, BLOCK);
            *block = start.elapsed().as_nanos() as f64 / BLOCK as f64;
            self.done += BLOCK;
        }
        blocks.sort_by(f64::total_cmp);
        blocks[BLOCKS / 2]
    }

    /// B's half of a probe.
    pub fn answer(&mut self) {
        let n = BLOCK * BLOCKS as u64;
        self.floor.pong(self.done, n);
        self.done += n;
    }
}
