//! What `latency wake` measured.

use serde::{Deserialize, Serialize};

use super::{Figures, Ratio};

/// How long a receiver that sleeps takes to run again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Wake {
    /// The sender's and the receiver's.
    pub(crate) cores: [usize; 2],
    pub(crate) relation: String,
    /// The receiver's clock is ahead of the sender's by between these, as round trips over two cache lines show. One-way times are off by as much.
    pub(crate) clock_offset_ns: [f64; 2],
    pub(crate) rows: Vec<WakeRow>,
}

/// One way to wait, after one idle time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WakeRow {
    /// `spsc` …, a peer's name, or `futex` for the floor.
    pub(crate) subject: String,
    pub(crate) wait: String,
    /// From the moment at which the receiver had dealt with the message before to the sending.
    pub(crate) idle_ns: f64,
    /// From the sending to the receiving.
    pub(crate) figures: Figures,
    /// Share of the messages whose receiver slept when they were sent, 0 to 1.
    pub(crate) slept_share: f64,
    /// Over a bare futex after the same idle time, in the same run: of each slice to the futex's slice just before it.
    pub(crate) ratio: Option<Ratio>,
}
