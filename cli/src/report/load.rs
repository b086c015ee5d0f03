//! What `latency load` measured.

use serde::{Deserialize, Serialize};

use super::Figures;

/// Messages at a rate over one channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) cores: [usize; 2],
    pub(crate) relation: String,
    /// `spsc`, `mpsc` …, or a peer's name.
    pub(crate) subject: String,
    /// `constant`, `poisson` or `bursts`.
    pub(crate) arrival: String,
    /// Messages that are due at once.
    pub(crate) burst: u32,
    /// Core of each sender: that of `cores` and further ones. Senders share a core where there are fewer.
    pub(crate) sender_cores: Vec<usize>,
    /// Of the two cores.
    pub(crate) clocks: Option<Clocks>,
    /// Whether rates were searched for the knee.
    pub(crate) sweep: bool,
    /// In the order of their rates.
    pub(crate) steps: Vec<LoadStep>,
    /// The highest rate before latency rises steeply or the rate is not reached; absent if no step was above it, or without a sweep.
    pub(crate) knee_per_s: Option<f64>,
}

/// How the clock of the receiver's core stands to that of the sender's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Clocks {
    /// Shortest time from a reading of the sender's to one of the receiver's, and the other way round. Below 0 if the clocks differ by more.
    pub(crate) there_min_ns: f64,
    pub(crate) back_min_ns: f64,
    /// By how much the receiver's is ahead if both ways take the same: half of the difference.
    pub(crate) offset_ns: f64,
    /// The true offset is not farther from `offset_ns` than this: half of the sum.
    pub(crate) bound_ns: f64,
}

/// One rate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoadStep {
    pub(crate) planned_per_s: f64,
    pub(crate) sent_per_s: f64,
    /// Messages that were due in the time that counts.
    pub(crate) planned: u64,
    /// How many of them were sent before its end. Those sent after it are in the figures too.
    pub(crate) sent: u64,
    /// Whether as many were sent as planned, but for a hundredth.
    pub(crate) reached: bool,
    /// The time that counts: without the warm-up, and shorter than asked for if the run was ended early.
    pub(crate) window_s: f64,
    /// Times that a sweep measured this rate: one that seems to be above the knee is measured again. These are the figures of the best.
    pub(crate) tries: u32,
    /// From the moment at which a message was to be sent until it was received.
    pub(crate) response: Figures,
    /// From the moment at which it was sent.
    pub(crate) service: Figures,
    /// The middle of the p90 that the intervals of `over_time` have: without stops of the machine, which are in few of them. A sweep goes by it.
    pub(crate) typical_p90_ns: f64,
    /// Messages that were received, by the clocks of the two cores, before they were sent.
    pub(crate) before_sent: u64,
    /// Times that the kernel took a core away from one of the threads; absent where it does not say.
    pub(crate) preemptions: Option<u64>,
    /// Whether a thread was found on another core.
    pub(crate) migrated: bool,
    /// Per interval of the step: its end in seconds, and p50 and maximum of its responses in ns.
    pub(crate) over_time: Vec<[f64; 3]>,
}
