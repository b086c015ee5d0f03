//! What a reactor does before each sleep: announce it, look again, and take it back.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use ringmail::Barrier;
use ringmail::wait::Bell;
use tokio::sync::Notify;

use super::job::{Job, Reply};
use super::poll::bursts;

/// A cycle of arm, confirm and drop. With `FENCE` the bell of a reactor that sleeps often.
pub(super) fn bell<const FENCE: bool>(job: &Job) -> Reply {
    let bell = make(FENCE);
    bursts(job, || cycle(job.name, &bell))
}

/// The same on a bell that was not armed before, so that each passes the barrier of its first time; another thread does so too.
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

fn make(fence: bool) -> Bell {
    let bell = Bell::with_notify(|| ());
    if fence { bell.with_barrier(Barrier::Fence) } else { bell }
}

/// How long one cycle takes.
fn cycle(who: &str, bell: &Bell) -> Duration {
    let start = Instant::now();
    let armed = bell.arm();
    let asleep = armed.confirm(|| false);
    let took = start.elapsed();
    assert!(asleep.is_some(), "{who}: not asleep, where nothing rang");
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
            assert!(!waiting.as_mut().enable(), "{}: woken, where nothing rang", job.name);
        }
        start.elapsed()
    })
}
