//! What a run leaves behind.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// A whole run, as JSON.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct RunFile {
    /// The processor's name, as the system gives it.
    pub(super) cpu: String,
    /// The kernel's version.
    pub(super) kernel: String,
    /// The cores that everything ran on.
    pub(super) cores: Vec<usize>,
    pub(super) seed: u64,
    pub(super) slices: Vec<Slice>,
    pub(super) failures: Vec<Failure>,
}

/// One slice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Slice {
    pub(super) neighbours: String,
    pub(super) row: String,
    pub(super) contender: String,
    pub(super) round: u32,
    /// How many calls, ticks or messages the figures are taken from.
    pub(super) samples: u64,
    pub(super) figures: Vec<Figure>,
}

/// One figure of a slice: nanoseconds, messages a second, or a number for each message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: f64,
}

/// A slice that failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) neighbours: String,
    pub(super) row: String,
    pub(super) contender: String,
    pub(super) round: u32,
    pub(super) what: String,
}

impl RunFile {
    /// A line for each figure.
    pub(super) fn csv(&self) -> String {
        let mut out = String::from("neighbours,row,contender,round,samples,figure,value\n");
        for slice in &self.slices {
            for figure in &slice.figures {
                let Slice { neighbours, row, contender, round, samples, .. } = slice;
                let Figure { name, value } = figure;
                let _ = writeln!(out, "{neighbours},{row},{contender},{round},{samples},{name},{value}");
            }
        }
        out
    }
}
