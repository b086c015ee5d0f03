//! What can go wrong with cores, and what to do then.

use std::error::Error;
use std::fmt;
use std::string::String;
use std::vec::Vec;

use super::ids::compact;

/// Why cores could not be read, chosen or pinned. `Display` says what to do about it.
///
/// `allowed` is always the set of cores that the thread was allowed to use at the time, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AffinityError {
    /// There is no core to work with, or the system does not say which cores this thread may use.
    NoCores {
        /// What the system said.
        reason: String,
    },
    /// The core list is empty.
    EmptyList {
        /// The cores that could be named.
        allowed: Vec<usize>,
    },
    /// A part of the core list cannot be read.
    BadItem {
        /// That part, cut short if it is long.
        item: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The core list names a core that this thread cannot use.
    NotUsable {
        /// The core.
        core: usize,
        /// Why it cannot be used.
        why: Unusable,
        /// The cores that could be named instead.
        allowed: Vec<usize>,
    },
    /// A part of the core list can be read, but no core remains of it.
    NothingSelected {
        /// That part, cut short if it is long.
        item: String,
        /// Why nothing remains.
        reason: String,
        /// The cores that could be named instead.
        allowed: Vec<usize>,
    },
    /// The system refused the pin. The thread may still run where it could before.
    PinRefused {
        /// The core.
        core: usize,
        /// What the system said.
        reason: String,
        /// The cores the thread may use.
        allowed: Vec<usize>,
    },
    /// The system accepted the pin, but the thread's mask or whereabouts say otherwise.
    PinNotHeld {
        /// The core.
        core: usize,
        /// The thread's mask as read back after the pin.
        mask: Vec<usize>,
        /// The core that the thread ran on after the pin.
        running_on: usize,
        /// The cores the thread was allowed to use before the pin.
        allowed: Vec<usize>,
    },
    /// The thread could not be started, or ended before it could pin itself.
    Spawn {
        /// What the system said.
        reason: String,
    },
}

/// Why a core cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unusable {
    /// The machine has it, and it is offline.
    Offline,
    /// The machine has no such core.
    Absent,
    /// It is offline, or there is no such core: the machine does not say which cores it has.
    OfflineOrAbsent,
    /// It is online, and outside of the affinity mask of the thread that read the topology.
    NotAllowed,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Offline => "offline",
            Self::Absent => "not there",
            Self::OfflineOrAbsent => "offline or not there",
            Self::NotAllowed => "not allowed",
        })
    }
}

impl fmt::Display for AffinityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCores { reason } => {
                write!(f, "no core to work with: {reason}; check this process's affinity mask, e.g. with `taskset -p`")
            }
            Self::EmptyList { allowed } => {
                write!(f, "the core list is empty; name cores, e.g. `{}`, or write `all`", compact(allowed))
            }
            Self::BadItem { item, reason } => write!(
                f,
                "cannot read {item:?} in the core list: {reason}; write cores as `3` or `0-3`, or `all`, `physical`, \
                 `isolated`, `llc:0`, `l2:0`, `node:0`, with commas between and `!` before what to leave out"
            ),
            Self::NotUsable { core, why, allowed } => {
                let (what, remedy) = match why {
                    Unusable::Offline => ("is offline", ", or bring it online"),
                    Unusable::Absent => ("does not exist", ""),
                    Unusable::OfflineOrAbsent => ("is offline or does not exist", ""),
                    Unusable::NotAllowed => (
                        "is outside of this thread's affinity mask",
                        ", or widen the mask (`taskset`, cpuset, container settings)",
                    ),
                };
                write!(f, "core {core} {what}; choose from {}{remedy}", compact(allowed))
            }
            Self::NothingSelected { item, reason, allowed } => {
                write!(f, "{item:?} selects no core: {reason}; choose from {}", compact(allowed))
            }
            Self::PinRefused { core, reason, allowed } => {
                write!(f, "cannot pin to core {core}: {reason}; this thread may use {}", compact(allowed))
            }
            Self::PinNotHeld { core, mask, running_on, allowed } => write!(
                f,
                "the pin to core {core} did not hold: the thread's mask is {} and it runs on core {running_on}; choose \
                 from {}, and check that nothing else sets this thread's affinity or takes cores offline",
                compact(mask),
                compact(allowed)
            ),
            Self::Spawn { reason } => {
                write!(f, "cannot start the pinned thread: {reason}; check the limits on threads and memory")
            }
        }
    }
}

impl Error for AffinityError {}
