//! What a reactor does before each sleep: announce it, look again, and take it back.

use std::pin::pin;
use std::time::{Duration, Instant};

use ringmail::Barrier;
use ringmail::wait::Bell;
use tokio::sync::Notify;

use super::job::{Job, Reply};
use super::poll::bursts;

/// A cycle of arm, confirm and drop. With `FENCE` the bell of a reactor that sleeps often.
pub(super) fn bell<const FENCE: bool>(job: &Job) -> Reply {
    let bell = Bell::with_notify(|| ());
    let bell = if FENCE { bell.with_barrier(Barrier::Fence) } else { bell };
    bursts(job, || {
        let start = Instant::now();
        let armed = bell.arm();
        let asleep = armed.confirm(|| false);
        let took = start.elapsed();
        assert!(asleep.is_some(), "{}: not asleep, where nothing rang", job.name);
        let start = Instant::now();
        drop(asleep);
        took + start.elapsed()
    })
}

/// The same with tokio's `Notify`.
pub(super) fn notify(job: &Job) -> Reply {
    let notify = Notify::new();
    bursts(job, || -> Duration {
        let start = Instant::now();
        {
            let mut waiting = pin!(notify.notified());
            assert!(!waiting.as_mut().enable(), "{}: woken, where nothing rang", job.name);
        }
        start.elapsed()
    })
}
