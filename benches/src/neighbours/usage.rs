//! What a thread has used of its cores.

use std::cell::Cell;
use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::job::Reply;
use crate::pair_slice::Counts;

thread_local! {
    static YIELDS: Cell<u64> = const { Cell::new(0) };
}

/// Called by the replacement of `sched_yield` in this program: the kernel counts a yield only if another thread ran, and then
/// among the switches of a preempted thread.
pub fn count_yield() {
    // A thread that ends may yield once more after its counters are gone.
    let _ = YIELDS.try_with(|yields| yields.set(yields.get() + 1));
}

/// How often the calling thread has yielded.
pub(super) fn yields() -> u64 {
    YIELDS.get()
}

/// Of one thread, or of several together.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Usage {
    cpu: Duration,
    parked: u64,
    preempted: u64,
    yields: u64,
    /// Of the whole machine: what a `membarrier` costs others shows here, and so does the rest of the machine.
    calls: u64,
}

/// How often the kernel has interrupted a core to have it call a function: for a `membarrier`, for one. Zero where it does not say.
fn calls() -> u64 {
    let interrupts = fs::read_to_string("/proc/interrupts").unwrap_or_default();
    let line = interrupts.lines().find_map(|line| line.trim_start().strip_prefix("CAL:")).unwrap_or_default();
    line.split_whitespace().map_while(|word| word.parse::<u64>().ok()).sum()
}

impl Usage {
    /// Of the calling thread, until now.
    pub(super) fn now() -> Self {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let cpu = Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32);
        let counts = Counts::now();
        Self { cpu, parked: counts.parked, preempted: counts.preempted, yields: yields(), calls: calls() }
    }

    /// Of the calling thread, after `earlier`.
    pub(super) fn since(earlier: Self) -> Self {
        let now = Self::now();
        Self {
            cpu: now.cpu.saturating_sub(earlier.cpu),
            parked: now.parked - earlier.parked,
            preempted: now.preempted - earlier.preempted,
            yields: now.yields - earlier.yields,
            calls: now.calls - earlier.calls,
        }
    }

    /// Two threads' usage for each of `n` messages: time of both, of the receiver, of the sender; then what both counted,
    /// and the interrupts of the machine meanwhile.
    pub(super) fn each(receiver: Self, sender: Self, n: u64) -> Reply {
        let per = |total: f64| total / n.max(1) as f64;
        let times = [receiver.cpu + sender.cpu, receiver.cpu, sender.cpu].map(|cpu| per(cpu.as_nanos() as f64));
        let counts = [
            receiver.parked + sender.parked,
            receiver.preempted + sender.preempted,
            receiver.yields + sender.yields,
            receiver.calls,
        ];
        let values = times.into_iter().chain(counts.map(|count| per(count as f64))).collect();
        Reply { values, samples: n }
    }
}
