//! What a run leaves behind, as JSON: every slice, kept or not, so that any table can be formed again.

use serde::{Deserialize, Serialize};

/// The build of this program: its profile, how it panics, and which compiler settings came from the environment.
pub const BUILD: &str =
    if cfg!(panic = "abort") { concat!(env!("RINGMAIL_BUILD"), ", panic=abort") } else { env!("RINGMAIL_BUILD") };

/// A whole run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunFile {
    /// The build that ran, as its build script named it: see [`BUILD`].
    pub build: String,
    /// The two cores: sender, receiver.
    pub cores: [usize; 2],
    /// Name of the processor, as the system gives it.
    pub cpu: String,
    /// Slices that were disturbed by other programs were dropped too.
    pub clean: bool,
    /// The intended length of a slice, in milliseconds.
    pub slice_ms: f64,
    /// What ratios are relative to.
    pub baseline: String,
    /// One entry a suite.
    pub suites: Vec<SuiteRun>,
}

/// One suite of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SuiteRun {
    /// The suite's name in the catalogue.
    pub suite: String,
    /// The name that readers see; empty in older files, which have none beside `suite`.
    #[serde(default)]
    pub label: String,
    /// What it measures.
    pub about: String,
    /// `Mmsg/s` or `ns`.
    pub unit: String,
    /// Whether less is better.
    pub lower_is_better: bool,
    /// Whether the figure moves with the distance of the cores, so that only slices inside the band count.
    pub banded: bool,
    /// The band of floor values in nanoseconds; none if the suite is not banded, or if no slice lay in any.
    pub band: Option<[f64; 2]>,
    /// Contenders that crashed or hung, with what they said.
    pub failures: Vec<Failure>,
    /// Every slice.
    pub slices: Vec<Slice>,
}

/// A contender that did not deliver a slice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// Who.
    pub contender: String,
    /// In which round.
    pub round: u32,
    /// What happened.
    pub what: String,
}

/// One slice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Slice {
    /// Who ran.
    pub contender: String,
    /// The seed of the series that the round belongs to.
    pub seed: u64,
    /// The round within the series; slices of one seed and round form pairs.
    pub round: u32,
    /// The figure, in the suite's unit.
    pub value: f64,
    /// Messages or round trips.
    pub n: u64,
    /// The floor before and after, in nanoseconds.
    pub floor: [f64; 2],
    /// Share of the slice that its threads, taken together, spent ready to run while another program had their core.
    #[serde(alias = "robbed")]
    pub stolen: f64,
    /// Voluntary context switches during the slice.
    pub parked: u64,
}

/// The share of a slice that may be lost to other programs before the slice counts as disturbed.
const DISTURBED: f64 = 0.02;

impl Slice {
    /// Whether other programs had no part in the figure.
    pub fn clean(&self) -> bool {
        self.stolen <= DISTURBED
    }
}

/// What the parent asks of a child, one JSON line each.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Request {
    /// Messages or round trips.
    pub n: u64,
    /// Bytes to allocate beforehand, so that the queue's memory lies elsewhere each time.
    pub padding: usize,
    /// Wait for the floor to lie in here before starting, for a while.
    pub band: Option<[f64; 2]>,
}

/// What the child answers, one JSON line each.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Reply {
    /// From the gate to the end, in nanoseconds.
    pub elapsed_ns: u64,
    /// See [`Slice::floor`].
    pub floor: [f64; 2],
    /// Time that the threads spent ready to run while another program had their core, in nanoseconds.
    pub stolen_ns: u64,
    /// See [`Slice::parked`].
    pub parked: u64,
    /// A latency that the workload timed itself, in nanoseconds; zero if there is none.
    pub latency: f64,
}
