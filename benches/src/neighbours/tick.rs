//! A ticker beside a receive, in one task of a runtime of one thread: how late the ticks come.
//!
//! A tick that is missed comes late, directly after the one before it. So a stall counts once for each tick that it delayed.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::time::interval;

use super::job::{Job, Reply, Samples};
use crate::paired::stats::Rng;
use crate::peers::{AsyncRecv, BlockSend, Channel, Check};

const CAPACITY: usize = 64;
const PERIOD: Duration = Duration::from_millis(2);
/// Ends the task; no message has this number.
const END: u64 = u64::MAX;

pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime of one thread")
}

/// Runs the ticker for the slice's time, beside `other`, which is made anew whenever one of both was ready.
///
/// A tick that is due and has not come when the time is over counts with the lateness that it has by then: a receive that is always
/// ready may keep the runtime from its timers.
async fn ticks(job: &Job, mut other: impl AsyncFnMut()) -> Samples {
    let (span, mut samples) = (job.begin(), Samples::default());
    let mut ticker = interval(PERIOD);
    let mut next = Instant::now();
    while !span.over() || samples.is_empty() && Instant::now() <= next {
        tokio::select! {
            due = ticker.tick() => {
                let now = Instant::now();
                if span.counts(now) {
                    samples.push(now.saturating_duration_since(due.into_std()));
                }
                next = due.into_std() + PERIOD;
            }
            () = other() => {}
        }
    }
    let now = Instant::now();
    if now > next {
        samples.push(now - next);
    }
    samples
}

/// A sender sends a few messages now and then.
pub(super) fn receiving<P>(job: &Job) -> Reply
where
    P: Channel<u64>,
    P::Tx: BlockSend<u64>,
    P::Rx: AsyncRecv<u64>,
{
    let (mut tx, mut rx) = P::pair(CAPACITY);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let stop = &stop;
        scope.spawn(move || {
            let (mut rng, mut seq) = (Rng::new(2), 0);
            while !stop.load(Ordering::Relaxed) {
                sleep(Duration::from_micros(200 + rng.below(4000) as u64));
                for _ in 0..=rng.below(3) {
                    tx.send(seq);
                    seq += 1;
                }
            }
            tx.send(END);
        });
        let mut check = Check::default();
        let samples = runtime().block_on(async {
            let samples = ticks(job, async || check.see(rx.recv().await)).await;
            stop.store(true, Ordering::Relaxed);
            loop {
                match rx.recv().await {
                    END => break samples,
                    message => check.see(message),
                }
            }
        });
        check.verify(job.name);
        samples.reply(&[0.5, 0.99, 1.0])
    })
}

/// The ticker alone.
pub(super) fn alone(job: &Job) -> Reply {
    runtime().block_on(ticks(job, async || pending().await)).reply(&[0.5, 0.99, 1.0])
}
