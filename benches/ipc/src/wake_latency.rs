//! A receiver that is asleep: how soon a message wakes it, and what its sleep costs.
//!
//! ```text
//!   wake     A  pause │ futex │ pause │ channel │ pause │ channel │ pause │ futex …     each carries the moment of its sending
//!            B  ····· asleep ·│····· asleep ····│····· asleep ····│····· asleep ·│…     and is subtracted from that of its arrival
//!   parked   A  sleeps ·············· for n ms ·············· one message
//!            B  asleep; its processor time over all of that
//! ```
//!
//! Most of a wake is time of the kernel and the host. So a bare shared futex takes turns with the channel, message for message, between the
//! same two processes, and only the ratio is meaningful.

use std::cell::Cell;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use rustix::thread::futex::{Flags, wait, wake};

use crate::catalog::Kind;
use crate::endpoint::{Endpoint, EndpointReport, now};

/// How long the sender leaves the receiver alone before each message: many times longer than any contender spins before it sleeps. The share
/// that really slept is in the table.
const PAUSE: Duration = Duration::from_micros(400);

/// A word to sleep on and one to carry the value, for one message at a time; all zero at first.
#[derive(Debug, Default)]
pub struct Futex {
    full: CachePadded<AtomicU32>,
    value: AtomicU64,
}

impl Futex {
    fn send(&self, value: u64) {
        self.value.store(value, Ordering::Relaxed);
        // Partner: the load in `recv`.
        self.full.store(1, Ordering::Release);
        wake(&self.full, Flags::empty(), 1).expect("futex wake");
    }

    fn recv(&self) -> u64 {
        while self.full.load(Ordering::Acquire) == 0 {
            // `EAGAIN` and `EINTR` mean: look again.
            let _ = wait(&self.full, Flags::empty(), 0, None);
        }
        self.full.store(0, Ordering::Relaxed);
        self.value.load(Ordering::Relaxed)
    }
}

/// What both sides of these suites share beside the links. All zero is its beginning.
#[derive(Debug, Default)]
pub struct WakeWords {
    /// Takes turns with the channel.
    pub beside: Futex,
    /// The channel of the contender `bare-futex`.
    pub bare: Futex,
    /// Messages that have been received.
    turn: CachePadded<AtomicU64>,
}

impl Futex {
    /// The verbs of a contender.
    pub fn verbs(&self) -> (impl FnMut(u64), impl FnMut() -> u64) {
        (|value| self.send(value), || self.recv())
    }
}

/// Whether message `i` goes over the futex: one of every two does, alternately the first and the second.
fn over_futex(i: u64) -> bool {
    (i ^ i >> 1) & 1 == 0
}

/// A's part of the slice.
pub fn send_to_sleeper(kind: Kind, endpoint: Endpoint<'_>, mut send: impl FnMut(u64)) -> EndpointReport {
    let words = &endpoint.page.wake;
    if kind == Kind::Parked {
        return endpoint.run(|millis| {
            sleep(Duration::from_millis(millis));
            send(now());
        });
    }
    let mut turn = 0;
    endpoint.run(|n| {
        for i in 0..2 * n {
            let start = Instant::now();
            while start.elapsed() < PAUSE {
                spin_loop();
            }
            if over_futex(i) {
                words.beside.send(now())
            } else {
                send(now())
            }
            turn += 1;
            // The pause must begin with a receiver that is on its way to sleep.
            while words.turn.load(Ordering::Acquire) != turn {
                spin_loop();
            }
        }
    })
}

/// B's part of the slice.
///
/// # Panics
/// What came is no message of this slice.
pub fn receive_asleep(kind: Kind, endpoint: Endpoint<'_>, who: &str, mut recv: impl FnMut() -> u64) -> EndpointReport {
    let words = &endpoint.page.wake;
    let mut last = 0;
    let mut latency = |sent: u64| {
        let now = now();
        assert!(last < sent && sent <= now, "{who}: {sent} after {last} at {now} is no message of this slice");
        last = sent;
        now - sent
    };
    if kind == Kind::Parked {
        return endpoint.run(|_| {
            latency(recv());
        });
    }
    let (mut turn, typical) = (0, Cell::new([0.0; 2]));
    let report = endpoint.run(|n| {
        let mut latencies = [Vec::with_capacity(n as usize), Vec::with_capacity(n as usize)];
        for i in 0..2 * n {
            let (which, sent) = if over_futex(i) { (1, words.beside.recv()) } else { (0, recv()) };
            latencies[which].push(latency(sent));
            turn += 1;
            words.turn.store(turn, Ordering::Release);
        }
        typical.set(latencies.map(median));
    });
    EndpointReport { latency: typical.get(), ..report }
}

fn median(mut latencies: Vec<u64>) -> f64 {
    latencies.sort_unstable();
    latencies.get(latencies.len() / 2).map_or(0.0, |&middle| middle as f64)
}
