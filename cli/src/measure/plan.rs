//! What is the same for every visit of a run, and how far one visit goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::clock::Clock;
use crate::options::Wait;
use crate::placement::Placement;

/// How long a thread waits for its peer beyond the end of a slice before it gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How long the other process may take to start.
pub(super) const START: Duration = Duration::from_secs(10);

/// What is the same for every visit of a run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) capacity: usize,
    pub(crate) wait: Wait,
    pub(crate) slice: Duration,
    pub(crate) clock: Clock,
    pub(crate) quantum_ns: f64,
    /// Of one reading.
    pub(crate) read_ns: f64,
    pub(crate) stop: Arc<AtomicBool>,
    /// Whether to measure between two processes as well.
    pub(crate) processes: bool,
    /// The cores of the mesh to measure through, if it is one.
    pub(crate) mesh: Option<Arc<[usize]>>,
    pub(crate) placement: Placement,
}

impl Plan {
    /// How long a thread waits for its peer while both set up.
    pub(super) fn patience(&self) -> Duration {
        if self.processes { START + PATIENCE } else { PATIENCE }
    }

    /// Whether the run is to end early.
    #[inline]
    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The same with slices of half the length.
    pub(super) fn half(&self) -> Self {
        Self { slice: self.slice / 2, ..self.clone() }
    }
}

/// Where a visit ends, whichever comes first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) time: Duration,
    /// Of the channel, and of the one between processes.
    pub(crate) samples: u64,
}

/// Round trips per sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trips {
    /// Of each kind.
    pub(crate) floors: [u32; 2],
    pub(crate) channel: u32,
    pub(crate) processes: u32,
}
