//! What a thread has used of its cores.

use std::cell::Cell;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::job::Reply;
use crate::duel::Counts;

thread_local! {
    static YIELDS: Cell<u64> = const { Cell::new(0) };
}

/// To be called by what stands in for `sched_yield` in this program: the kernel counts a yield only if another thread ran, and
/// then among the switches of a thread that was preempted.
pub fn count_yield() {
    // A thread that ends may yield once more after its counters are gone.
    let _ = YIELDS.try_with(|yields| yields.set(yields.get() + 1));
}

/// Of one thread, or of several together.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Usage {
    cpu: Duration,
    parked: u64,
    preempted: u64,
    yields: u64,
}

impl Usage {
    /// Of the calling thread, until now.
    pub(super) fn now() -> Self {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let cpu = Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32);
        let counts = Counts::now();
        Self { cpu, parked: counts.parked, preempted: counts.preempted, yields: YIELDS.get() }
    }

    /// Of the calling thread, after `earlier`.
    pub(super) fn since(earlier: Self) -> Self {
        let now = Self::now();
        Self {
            cpu: now.cpu.saturating_sub(earlier.cpu),
            parked: now.parked - earlier.parked,
            preempted: now.preempted - earlier.preempted,
            yields: now.yields - earlier.yields,
        }
    }

    /// Two threads' usage for each of `n` messages: time of both, of the receiver, of the sender; then what both counted.
    pub(super) fn each(receiver: Self, sender: Self, n: u64) -> Reply {
        let per = |total: f64| total / n.max(1) as f64;
        let times = [receiver.cpu + sender.cpu, receiver.cpu, sender.cpu].map(|cpu| per(cpu.as_nanos() as f64));
        let counts =
            [receiver.parked + sender.parked, receiver.preempted + sender.preempted, receiver.yields + sender.yields];
        let values = times.into_iter().chain(counts.map(|count| per(count as f64))).collect();
        Reply { values, samples: n }
    }
}
