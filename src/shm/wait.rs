//! Sleep of a side: on a word of the other side's page, or in a reactor by a descriptor.

pub(crate) mod futex;
pub(crate) mod wake_fd;

use crate::shm::peer::session::End;
use crate::shm::wait::wake_fd::Watch;
use crate::wait::park_word::WordParkSlot;
use crate::wait::wait_policy::WaitPolicy;
use crate::wait::{CheckPhase, Deadline, TimedOut};
use core::time::Duration;
/// Longest sleep without a look at the other side: a death is to be noticed within 100 ms. Not shorter: each takes a timer of the kernel's,
/// which on a virtual machine is most of what a sleeper uses of its core (`ipc --suite parked`).
pub(crate) const LIVENESS_INTERVAL: Duration = Duration::from_millis(90);
/// The same where a wake may be lost: no barrier is to be had.
pub(crate) const UNREACHED_INTERVAL: Duration = Duration::from_millis(1);
/// Checks of a side that stays awake between two calls of the kernel about the other side.
const LOOKS_PER_CALL: u32 = 4096;
/// The same where each look is a yield, which is a call itself; and on a machine with more to do than it has cores for it is a turn of
/// all other threads.
const YIELDS_PER_CALL: u32 = 16;

/// Says which looks of a wait ask the kernel about the other side as well: now and then one of a side that stays awake, and each before a
/// sleep. (Not only after it: the end of one that published last and died then would be found two sleeps later.)
#[derive(Default)]
pub(crate) struct LivenessChecks {
    weight: u32,
    asked: bool,
}

impl LivenessChecks {
    /// Whether one has. A wait whose time is over before one does asks at its end: else short ones, one after the other, would never.
    pub(crate) fn asked(&self) -> bool {
        self.asked
    }

    pub(crate) fn asks(&mut self, look: CheckPhase) -> bool {
        let weight = match look {
            CheckPhase::AtFront => return false,
            CheckPhase::BeforeSleep => LOOKS_PER_CALL,
            CheckPhase::Yielded => LOOKS_PER_CALL / YIELDS_PER_CALL,
            CheckPhase::Polling => 1,
        };
        self.weight += weight;
        let due = self.weight >= LOOKS_PER_CALL;
        if due {
            (self.weight, self.asked) = (0, true);
        }
        due
    }
}

/// Where a side sleeps.
#[derive(Clone, Copy)]
pub(crate) enum Sleep<'a> {
    /// In the wait, until the deadline.
    Here(Deadline),
    /// In a reactor, which the wait prepares.
    Elsewhere(&'a Watch),
}

impl Sleep<'_> {
    /// Whether the kernel is to be asked before it: not if that was before the last one, whose timer still runs.
    pub(crate) fn asks(self) -> bool {
        match self {
            Self::Here(_) => true,
            Self::Elsewhere(watch) => !watch.runs(),
        }
    }

    /// Waits in `bed`; `None` if the sleep is prepared.
    pub(crate) fn wait<R, B, N, S>(
        self,
        waiter: &mut WaitPolicy,
        bed: WordParkSlot<'_, B, N, S>,
        passed: u64,
        look: impl FnMut(CheckPhase) -> Option<R>,
    ) -> Result<Option<R>, TimedOut>
    where
        B: FnMut() -> bool,
        N: FnMut(bool, Option<Duration>),
        S: FnMut(usize) -> bool,
    {
        let mut bed = bed.by_descriptor(matches!(self, Self::Elsewhere(_)));
        match self {
            Self::Here(deadline) => waiter.wait(&mut bed, deadline, passed, look).map(Some),
            Self::Elsewhere(_) => Ok(waiter.arm(&mut bed, passed, look)),
        }
    }
}

/// How long a sleep may last: `reached` says whether a wake is sure to end it.
pub(crate) fn shortest(reached: bool, limit: Option<Duration>) -> Duration {
    let longest = if reached { LIVENESS_INTERVAL } else { UNREACHED_INTERVAL };
    limit.map_or(longest, |limit| limit.min(longest))
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waited {
    Ready,
    TimedOut,
    /// The sleep is prepared.
    Armed,
    /// The session that this side is in is over, and it ended so.
    Over(End),
    /// The file is gone.
    Removed,
    /// The other side's words say what cannot be.
    Impossible,
}
