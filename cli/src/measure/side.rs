//! What the kernel does to the threads of a visit.

use std::fs::File;
use std::io::Read;

use ringmail::affinity::current_core;

use super::plan::Plan;
use crate::options::Wait;

/// What the kernel did to one side during a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effects {
    /// It was found on another core.
    pub(crate) migrated: bool,
    pub(crate) preemptions: Option<u64>,
    /// In its turns of the channel; absent unless the channel may sleep.
    pub(crate) sleeps: Option<u64>,
}

impl Effects {
    /// Of two sides.
    pub(crate) fn and(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a + b);
        Self {
            migrated: self.migrated | other.migrated,
            preemptions: sum(self.preemptions, other.preemptions),
            sleeps: sum(self.sleeps, other.sleeps),
        }
    }
}

/// Watches what the kernel does to the calling thread.
pub(super) struct Side {
    core: Option<usize>,
    moved: bool,
    preemptions: [Option<u64>; 2],
    sleeps: Option<u64>,
}

impl Side {
    pub(super) fn begin(plan: &Plan) -> Self {
        Self::begin_waiting(plan.wait)
    }

    /// The same of a side whose channel waits like this.
    pub(super) fn begin_waiting(wait: Wait) -> Self {
        let sleeps = (wait == Wait::Park).then_some(0);
        Self { core: current_core(), moved: false, preemptions: [switches(INVOLUNTARY), None], sleeps }
    }

    pub(super) fn look(&mut self) {
        self.moved |= current_core() != self.core;
    }

    /// Takes a turn of a channel, and counts how often this thread sleeps in it.
    pub(super) fn turn<R>(&mut self, turn: impl FnOnce() -> R) -> R {
        // Two readings of a file for each turn: only where there may be something to count.
        let before = self.sleeps.and_then(|_| switches(VOLUNTARY));
        let result = turn();
        if let Some(sleeps) = self.sleeps {
            let slept = before.and_then(|before| Some(switches(VOLUNTARY)?.saturating_sub(before)));
            self.sleeps = slept.map(|slept| sleeps + slept);
        }
        result
    }

    pub(super) fn end(&mut self) {
        self.look();
        self.preemptions[1] = switches(INVOLUNTARY);
    }

    pub(super) fn effects(&self) -> Effects {
        let [before, after] = self.preemptions;
        let preemptions = after.zip(before).map(|(after, before)| after.saturating_sub(before));
        Effects { migrated: self.moved, preemptions, sleeps: self.sleeps }
    }
}

/// What the kernel calls it when it takes the core from a thread, and when a thread gives it up to wait.
const INVOLUNTARY: &str = "nonvoluntary_ctxt_switches:";
const VOLUNTARY: &str = "voluntary_ctxt_switches:";

/// Times that the calling thread was switched away from in this manner; Linux only. Reads without allocating.
fn switches(manner: &str) -> Option<u64> {
    let mut buffer = [0; 4096];
    let length = File::open("/proc/thread-self/status").ok()?.read(&mut buffer).ok()?;
    let status = std::str::from_utf8(&buffer[..length]).ok()?;
    status.lines().find_map(|line| line.strip_prefix(manner))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn sleeps_are_counted_in_turns_and_only_of_channels_that_may_sleep() {
        let sleep = || std::thread::sleep(Duration::from_millis(2));
        let mut side = Side::begin_waiting(Wait::Park);
        sleep();
        side.turn(|| (0..3).for_each(|_| sleep()));
        sleep();
        side.end();
        assert_eq!(side.effects().sleeps, Some(3));
        let mut spinning = Side::begin_waiting(Wait::Spin);
        spinning.turn(sleep);
        assert_eq!(spinning.effects().sleeps, None);
    }
}
