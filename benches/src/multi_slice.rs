//! One slice of several senders and a receiver, or of several equal threads: as [`pair_slice`](crate::pair_slice::pair_slice), with more
//! threads than cores.
//!
//! ```text
//!   A  sender 0, 2, …      warm-up │ 0 probes, the rest sleep │ gate │ work ······ │ 0 probes, the rest sleep
//!   B  receiver, 1, 3, …   warm-up │ the receiver probes      │ gate │ work ······ │ the receiver probes
//!                                                                    ├── elapsed ──┤
//! ```

use std::sync::Barrier;
use std::time::{Duration, Instant};
use std::{hint, thread};

use crate::floor::{Floor, Probe};
use crate::pair_slice::{Counts, Env, Gate, Outcome, pin};
use crate::peers::share;

/// What a thread does after an attempt that found no room or no message: it tries a few times more, then it yields its core.
///
/// With more threads than cores, the thread that the spinning one waits for may itself wait for a core. Spinning alone would
/// measure how long the scheduler leaves a thread running. Every peer and both sides get the same, with one sender too, so
/// that rows compare.
#[derive(Debug, Default)]
pub struct Patience(u32);

impl Patience {
    /// Attempts before the core is yielded.
    pub const LOOKS: u32 = 16;

    /// Call it after each failed attempt. Each message needs a new value.
    #[inline]
    pub fn wait(&mut self) {
        if self.0 < Self::LOOKS {
            self.0 += 1;
            hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

/// Where the threads of a slice wait for each other.
struct Rendezvous {
    gate: Gate,
    /// The two threads that probe. A sender that is done sleeps here and not at the gate, so that the others have its core.
    probers: Barrier,
    all: Barrier,
}

impl Rendezvous {
    fn new(threads: usize) -> Self {
        let gate = Gate::new(threads as u32, Patience::LOOKS);
        Self { gate, probers: Barrier::new(2), all: Barrier::new(threads) }
    }

    /// The stop of a thread that does not probe. It sleeps, so that the two that probe have the cores alone.
    fn idle(&self) {
        self.gate.arrive();
        self.all.wait();
    }

    /// The same stop of a thread that probes, once all others are idle.
    fn probe<T>(&self, probe: impl FnOnce() -> T) -> T {
        self.probers.wait();
        self.gate.pass();
        let found = probe();
        self.all.wait();
        found
    }
}

/// What a thread measured in its part.
struct Part {
    start: Instant,
    end: Instant,
    counts: Counts,
}

/// One thread's slice: `stop` is what it does before and after its timed work.
fn part(rendezvous: &Rendezvous, mut stop: impl FnMut(), work: impl FnOnce()) -> Part {
    stop();
    let before = Counts::now();
    rendezvous.gate.pass();
    let start = Instant::now();
    work();
    let end = Instant::now();
    stop();
    Part { start, end, counts: Counts::now().since(before) }
}

/// Runs `senders` against `receiver`: first with `warm` messages, then with `n`, timed. Each sender is called with its
/// [`share`] of them, the receiver with all.
///
/// The receiver is on core B; senders are on A, B, A, B and so on. Timed is from the first thread through the gate to the
/// receiver's last message. Each closure must own its end of the queue. The calling thread becomes the first sender and
/// stays pinned.
///
/// With several senders [`Outcome::stolen`] is zero: a thread then also waits for its core because of the other threads, and
/// the kernel does not count that apart from other programs.
///
/// # Panics
/// If there is no sender.
pub fn multi_slice<S, R>(env: &Env, warm: u64, n: u64, senders: Vec<S>, mut receiver: R) -> Outcome
where
    S: FnMut(u64) + Send,
    R: FnMut(u64) + Send,
{
    let count = senders.len();
    let (rendezvous, floor) = (Rendezvous::new(count + 1), Floor::default());
    let probing = env.a != env.b;
    let mut senders = senders.into_iter().enumerate();
    let (_, mut first) = senders.next().expect("there is a sender");
    pin(env.a);
    thread::scope(|scope| {
        let (rendezvous, floor) = (&rendezvous, &floor);
        let receiving = scope.spawn(move || {
            pin(env.b);
            // Moved out of the box onto this thread's stack.
            let mut receive = move |n| receiver(n);
            let mut probe = Probe::new(floor);
            receive(warm);
            let stop = || {
                rendezvous.probe(|| {
                    if probing {
                        probe.answer()
                    }
                })
            };
            part(rendezvous, stop, || receive(n))
        });
        let others: Vec<_> = senders
            .map(|(sender, mut send)| {
                scope.spawn(move || {
                    pin(if sender % 2 == 0 { env.a } else { env.b });
                    send(share(warm, count, sender));
                    part(rendezvous, || rendezvous.idle(), || send(share(n, count, sender)))
                })
            })
            .collect();
        let (mut probe, mut found) = (Probe::new(floor), Vec::with_capacity(2));
        first(share(warm, count, 0));
        let stop = || found.push(rendezvous.probe(|| if probing { probe.measure() } else { 0.0 }));
        let mine = part(rendezvous, stop, || first(share(n, count, 0)));
        let received = receiving.join().expect("the receiving thread panicked");
        let others: Vec<Part> = others.into_iter().map(|t| t.join().expect("a sending thread panicked")).collect();
        let parts = || others.iter().chain([&mine, &received]);
        let start = parts().map(|part| part.start).min().unwrap_or(mine.start);
        let stolen = if count == 1 { parts().map(|part| part.counts.stolen).sum() } else { Duration::ZERO };
        Outcome {
            elapsed: received.end.saturating_duration_since(start),
            floor: [found[0], found[1]],
            stolen,
            parked: parts().map(|part| part.counts.parked).sum(),
            latency: 0.0,
        }
    })
}

/// Runs equal members against each other: first with `warm`, then with `n`, timed. Each is called with the whole number and knows its share.
///
/// Each member is built on its own thread and stays there; half of them are on core A, half on B. The time runs from the first thread
/// through the gate to the last to end. The calling thread becomes the first member and stays pinned.
///
/// [`Outcome::stolen`] is as in [`multi_slice`]: zero with more threads than cores.
///
/// # Panics
/// If there are fewer than two.
pub fn symmetric_slice<M, W>(env: &Env, warm: u64, n: u64, members: Vec<M>) -> Outcome
where
    M: FnOnce() -> W + Send,
    W: FnMut(u64),
{
    let count = members.len();
    assert!(count >= 2, "{count} members; two are needed");
    let (rendezvous, floor) = (Rendezvous::new(count), Floor::default());
    let probing = env.a != env.b;
    let mut members = members.into_iter().enumerate();
    let (_, first) = members.next().expect("there are two at least");
    pin(env.a);
    thread::scope(|scope| {
        let (rendezvous, floor) = (&rendezvous, &floor);
        let others: Vec<_> = members
            .map(|(at, member)| {
                scope.spawn(move || {
                    pin(if at % 2 == 0 { env.a } else { env.b });
                    let (mut work, mut probe) = (member(), Probe::new(floor));
                    work(warm);
                    let stop = || match at {
                        1 => rendezvous.probe(|| {
                            if probing {
                                probe.answer()
                            }
                        }),
                        _ => rendezvous.idle(),
                    };
                    part(rendezvous, stop, || work(n))
                })
            })
            .collect();
        let (mut work, mut probe, mut found) = (first(), Probe::new(floor), Vec::with_capacity(2));
        work(warm);
        let stop = || found.push(rendezvous.probe(|| if probing { probe.measure() } else { 0.0 }));
        let mine = part(rendezvous, stop, || work(n));
        let others: Vec<Part> =
            others.into_iter().map(|t| t.join().expect("a thread of the symmetric_slice panicked")).collect();
        let parts = || others.iter().chain([&mine]);
        let start = parts().map(|part| part.start).min().unwrap_or(mine.start);
        let end = parts().map(|part| part.end).max().unwrap_or(mine.end);
        let stolen = if count == 2 { parts().map(|part| part.counts.stolen).sum() } else { Duration::ZERO };
        Outcome {
            elapsed: end.saturating_duration_since(start),
            floor: [found[0], found[1]],
            stolen,
            parked: parts().map(|part| part.counts.parked).sum(),
            latency: 0.0,
        }
    })
}
