//! Wake latency: from a `send` to the return of a `recv` whose thread had gone to sleep.
//!
//! Most of it is time of the kernel and the hypervisor, so the figure is meaningful only beside that of a bare futex.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

use crate::pair_slice::{Env, Outcome, pair_slice};
use crate::peers::{BlockRecv, BlockSend, Channel};

/// How long the sender leaves the receiver alone before each message: many times longer than any peer spins before it
/// parks. The share that really parked is reported beside the figure.
const PAUSE: Duration = Duration::from_micros(400);

fn leave_alone() {
    let start = Instant::now();
    while start.elapsed() < PAUSE {
        spin_loop();
    }
}

fn nanos(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}

/// `n` messages to a receiver that is asleep each time; the message is the moment of its sending.
pub fn wake<P>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    P: Channel<u64>,
    P::Tx: BlockSend<u64>,
    P::Rx: BlockRecv<u64>,
{
    let (mut tx, mut rx) = P::pair(env.capacity);
    let epoch = Instant::now();
    let mut last = 0;
    let (turn, typical) = (CachePadded::new(AtomicU64::new(0)), AtomicU64::new(0));
    let (turn_seen, turn_done, result) = (&turn, &turn, &typical);
    let outcome = pair_slice(
        env,
        4,
        n,
        move |n| {
            for _ in 0..n {
                let before = turn_seen.load(Ordering::Acquire);
                leave_alone();
                tx.send(nanos(epoch));
                // Not before it has been received: the pause must begin with a receiver that is on its way to sleep.
                while turn_seen.load(Ordering::Acquire) == before {
                    spin_loop();
                }
            }
        },
        move |n| {
            let mut latencies = Vec::with_capacity(n as usize);
            for _ in 0..n {
                let sent = rx.recv();
                let now = nanos(epoch);
                assert!(last < sent && sent <= now, "{peer}: {sent} after {last} at {now} is no message of this slice");
                last = sent;
                latencies.push(now - sent);
                turn_done.fetch_add(1, Ordering::AcqRel);
            }
            result.store(median(latencies), Ordering::Relaxed);
        },
    );
    Outcome { latency: typical.load(Ordering::Relaxed) as f64, ..outcome }
}

fn median(mut latencies: Vec<u64>) -> u64 {
    latencies.sort_unstable();
    latencies.get(latencies.len() / 2).copied().unwrap_or(0)
}

/// The same with a bare futex.
#[cfg(target_os = "linux")]
pub fn futex_wake(env: &Env, n: u64, peer: &'static str) -> Outcome {
    wake::<Futex>(env, n, peer)
}

/// Without futexes: the nearest thing, the standard library's park and unpark.
#[cfg(not(target_os = "linux"))]
pub fn futex_wake(env: &Env, n: u64, peer: &'static str) -> Outcome {
    wake::<crate::peers::StdSync>(env, n, peer)
}

#[cfg(target_os = "linux")]
use bare::Futex;

#[cfg(target_os = "linux")]
mod bare {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    use rustix::thread::futex::{Flags, wait, wake};

    use crate::peers::{BlockRecv, BlockSend, Channel};

    /// One word to sleep on, one to carry the value.
    #[derive(Debug)]
    pub(super) struct Futex {
        full: AtomicU32,
        value: AtomicU64,
    }

    impl Channel<u64> for Futex {
        type Tx = Arc<Self>;
        type Rx = Arc<Self>;
        fn pair(_capacity: usize) -> (Arc<Self>, Arc<Self>) {
            let both = Arc::new(Self { full: AtomicU32::new(0), value: AtomicU64::new(0) });
            (Arc::clone(&both), both)
        }
    }

    impl BlockSend<u64> for Arc<Futex> {
        fn send(&mut self, value: u64) {
            self.value.store(value, Ordering::Relaxed);
            self.full.store(1, Ordering::Release);
            wake(&self.full, Flags::PRIVATE, 1).expect("futex wake");
        }
    }

    impl BlockRecv<u64> for Arc<Futex> {
        fn recv(&mut self) -> u64 {
            while self.full.load(Ordering::Acquire) == 0 {
                // `EAGAIN` and `EINTR` mean: look again.
                let _ = wait(&self.full, Flags::PRIVATE, 0, None);
            }
            self.full.store(0, Ordering::Relaxed);
            self.value.load(Ordering::Relaxed)
        }
    }
}
