//! One slice: two pinned threads, warmed up, started together, timed, with the floor probed on either side.
//!
//! ```text
//!   A  warm-up │ probe │ gate │ work ······ │ gate │ probe
//!   B  warm-up │ probe │ gate │ work ······ │ gate │ probe
//!                             ├── elapsed ──┤
//! ```

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, hint, panic, process, thread};

use core_affinity::CoreId;
use crossbeam_utils::CachePadded;

use crate::floor::{Floor, Probe};

/// Where a slice runs, and what room its queue has.
#[derive(Clone, Copy, Debug)]
pub struct Env {
    /// The core of A, the sender.
    pub a: usize,
    /// The core of B, the receiver.
    pub b: usize,
    /// Messages the queue holds.
    pub capacity: usize,
}

impl Env {
    /// Sender on the first core that this process may use, receiver on the second, capacity 1024.
    ///
    /// # Errors
    /// Fewer than two cores: there is nothing to measure between.
    pub fn detect() -> Result<Self, String> {
        let cores: Vec<usize> = core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|c| c.id).collect();
        match cores[..] {
            [a, b, ..] => Ok(Self { a, b, capacity: 1024 }),
            _ => Err(format!("this process may use cores {cores:?} only; two are needed: widen its affinity mask")),
        }
    }

    /// The same with another capacity.
    pub fn with_capacity(self, capacity: usize) -> Self {
        Self { capacity, ..self }
    }

    /// The same with both threads on A's core: more threads than cores.
    pub fn on_one_core(self) -> Self {
        Self { b: self.a, ..self }
    }
}

/// What one slice gave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// From the gate to the end of the later thread's work.
    pub elapsed: Duration,
    /// The floor just before and just after, in nanoseconds; zero where both threads share a core.
    pub floor: [f64; 2],
    /// How long the threads together were ready to run while another program had their core, probes included.
    pub stolen: Duration,
    /// How often a thread gave its core up by itself: parked, slept or waited.
    pub parked: u64,
    /// A latency that the workload timed itself, in nanoseconds; zero if `elapsed` is the figure.
    pub latency: f64,
}

/// Pins the calling thread.
///
/// # Panics
/// If the system refuses: a figure from an unpinned thread would mislead.
pub fn pin(core: usize) {
    assert!(core_affinity::set_for_current(CoreId { id: core }), "core {core} refused the thread");
}

/// Makes a panic of any thread end the process with its message: the other thread of a slice would spin for ever, waiting
/// for a message that no thread is left to send.
pub fn end_on_panic() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        report(info);
        process::exit(101);
    }));
}

/// What the kernel has counted of a thread so far; all zero where it does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Switches because the thread had to wait for something.
    pub parked: u64,
    /// Switches of a thread that could have run on: preempted, or it yielded.
    pub preempted: u64,
    /// Time spent ready to run, without a core.
    pub stolen: Duration,
}

impl Counts {
    /// Of the calling thread. The number of involuntary switches would not do for `stolen`: the kernel counts a thread
    /// that yields among them.
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let switches = |name: &str| {
            let number = status.lines().find_map(|line| line.strip_prefix(name));
            number.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
        };
        let times = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let waited = times.split_whitespace().nth(1);
        Self {
            parked: switches("voluntary_ctxt_switches:"),
            preempted: switches("nonvoluntary_ctxt_switches:"),
            stolen: Duration::from_nanos(waited.and_then(|n| n.parse().ok()).unwrap_or(0)),
        }
    }

    /// What was added since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            parked: self.parked - earlier.parked,
            preempted: self.preempted - earlier.preempted,
            stolen: self.stolen.saturating_sub(earlier.stolen),
        }
    }
}

/// Lets its threads through together, any number of times.
#[derive(Debug)]
pub(crate) struct Gate {
    arrivals: CachePadded<AtomicU32>,
    threads: u32,
    /// Checks before a waiting thread yields its core: another thread may need the same core, or not be running yet.
    looks: u32,
}

impl Gate {
    pub(crate) fn new(threads: u32, looks: u32) -> Self {
        Self { arrivals: CachePadded::default(), threads, looks }
    }

    /// Counts as one thread without waiting for the others; returns how many arrivals open the gate.
    pub(crate) fn arrive(&self) -> u32 {
        let arrival = self.arrivals.fetch_add(1, Ordering::AcqRel);
        (arrival / self.threads + 1) * self.threads
    }

    pub(crate) fn pass(&self) {
        let all = self.arrive();
        let mut turns = 0_u32;
        while self.arrivals.load(Ordering::Acquire) < all {
            turns = turns.saturating_add(1);
            if turns > self.looks { thread::yield_now() } else { hint::spin_loop() }
        }
    }
}

/// Runs `a` and `b` against each other: first each with `warm`, then each with `n`, timed.
///
/// Each must own its end of the queue: several peers cache the other side's position in the end itself, and two ends side by
/// side in one frame would share a cache line that both threads write.
///
/// The calling thread becomes A and stays pinned.
pub fn pair_slice<A, B>(env: &Env, warm: u64, n: u64, mut a: A, b: B) -> Outcome
where
    A: FnMut(u64),
    B: FnMut(u64) + Send,
{
    let (gate, floor) = (Gate::new(2, 10_000), Floor::default());
    let probing = env.a != env.b;
    pin(env.a);
    thread::scope(|scope| {
        let (gate, floor) = (&gate, &floor);
        let other = scope.spawn(move || {
            pin(env.b);
            // Moved out of the box onto this thread's stack.
            let mut b = b;
            let mut probe = Probe::new(floor);
            b(warm);
            let before = Counts::now();
            gate.pass();
            if probing {
                probe.answer();
            }
            gate.pass();
            b(n);
            let end = Instant::now();
            gate.pass();
            if probing {
                probe.answer();
            }
            (end, Counts::now().since(before))
        });
        let mut probe = Probe::new(floor);
        let mut outcome = Outcome::default();
        a(warm);
        let before = Counts::now();
        gate.pass();
        if probing {
            outcome.floor[0] = probe.measure();
        }
        gate.pass();
        let start = Instant::now();
        a(n);
        let end = Instant::now();
        gate.pass();
        if probing {
            outcome.floor[1] = probe.measure();
        }
        let mine = Counts::now().since(before);
        let (other_end, others) = other.join().expect("the receiving thread panicked");
        outcome.elapsed = end.max(other_end).saturating_duration_since(start);
        outcome.parked = mine.parked + others.parked;
        outcome.stolen = mine.stolen + others.stolen;
        outcome
    })
}
