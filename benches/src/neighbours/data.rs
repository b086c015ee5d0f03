//! What a run leaves behind.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::rows::Row;

/// A whole run, as JSON.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct RunFile {
    /// What it was called with.
    pub(super) arguments: Vec<String>,
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
    /// The share of the cores that other programs had meanwhile.
    #[serde(default)]
    pub(super) others: f64,
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
    /// Adds another run, whose rounds come after this one's: a ratio is formed within its round.
    pub(super) fn add(&mut self, other: Self) {
        let done = self.slices.iter().map(|slice| slice.round + 1).max().unwrap_or(0);
        self.slices.extend(other.slices.into_iter().map(|slice| Slice { round: slice.round + done, ..slice }));
        self.failures.extend(other.failures.into_iter().map(|f| Failure { round: f.round + done, ..f }));
    }

    /// The crews, in the order of their names, with `none` first.
    pub(super) fn neighbours(&self) -> Vec<String> {
        let slices = self.slices.iter().map(|slice| &slice.neighbours);
        let mut names: Vec<String> = slices.chain(self.failures.iter().map(|f| &f.neighbours)).cloned().collect();
        names.sort_by_key(|name| (name != "none", name.clone()));
        names.dedup();
        names
    }

    /// Who ran in a row beside a crew: in the order of the row, other builds after the first of the same name.
    pub(super) fn labels(&self, row: &Row, neighbours: &str) -> Vec<String> {
        let ran = self.slices.iter().filter(|slice| slice.row == row.name && slice.neighbours == neighbours);
        let failed = self.failures.iter().filter(|f| f.row == row.name && f.neighbours == neighbours);
        let mut labels: Vec<String> =
            ran.map(|slice| &slice.contender).chain(failed.map(|f| &f.contender)).cloned().collect();
        let place = |label: &String| {
            let found = row.find(label);
            row.contenders.iter().position(|entry| found.is_some_and(|found| found.name == entry.name))
        };
        labels.sort_by_key(|label| (place(label).unwrap_or(usize::MAX), label.clone()));
        labels.dedup();
        labels
    }

    /// A line for each figure.
    pub(super) fn csv(&self) -> String {
        let mut out = String::from("neighbours,row,contender,round,samples,others,figure,value\n");
        for slice in &self.slices {
            for figure in &slice.figures {
                let Slice { neighbours, row, contender, round, samples, others, .. } = slice;
                let Figure { name, value } = figure;
                let _ = writeln!(out, "{neighbours},{row},{contender},{round},{samples},{others},{name},{value}");
            }
        }
        out
    }
}
