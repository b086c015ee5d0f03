//! What a reactor does before each sleep: announce it, look again, and take it back.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use ringmail::FenceMode;
use ringmail::wait::{EventCount, waker_fn};
use tokio::sync::Notify;

use super::job::{Job, Reply};
use super::poll::bursts;

/// A cycle of arm, confirm and drop. With `FENCE` the event count of a reactor that sleeps often.
pub(super) fn event<const FENCE: bool>(job: &Job) -> Reply {
    let event = make(FENCE);
    bursts(job, || cycle(job.name, &event))
}

/// The same on an event count that was not armed before, so that each passes the barrier of a first arming; another thread does the same.
pub(super) fn fresh<const FENCE: bool>(job: &Job) -> Reply {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                cycle(job.name, &make(FENCE));
                sleep(Duration::from_micros(50));
            }
        });
        let reply = bursts(job, || cycle(job.name, &make(FENCE)));
        stop.store(true, Ordering::Relaxed);
        reply
    })
}

fn make(fence: bool) -> EventCount {
    let event = EventCount::with_waker(waker_fn(|| ()));
    if fence { event.with_fence_mode(FenceMode::Fence) } else { event }
}

/// How long one cycle takes.
fn cycle(who: &str, event: &EventCount) -> Duration {
    let start = Instant::now();
    let armed = event.arm();
    let asleep = armed.confirm(|| false);
    let took = start.elapsed();
    assert!(asleep.is_some(), "{who}: not asleep, and nothing was notified");
    let start = Instant::now();
    drop(asleep);
    took + start.elapsed()
}

/// A cycle of tokio's `Notify`, the same one or one made for each.
pub(super) fn notify<const FRESH: bool>(job: &Job) -> Reply {
    let mut notify = Notify::new();
    bursts(job, || -> Duration {
        if FRESH {
            notify = Notify::new();
        }
        let start = Instant::now();
        {
            let mut waiting = pin!(notify.notified());
            assert!(!waiting.as_mut().enable(), "{}: woken, and nothing was notified", job.name);
        }
        start.elapsed()
    })
}
