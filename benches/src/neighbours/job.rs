//! The arguments of a slice and its figures.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::paired::stats::quantile;

/// One slice of one contender.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// How long nothing counts.
    pub(super) warm_up: Duration,
    /// How long it counts after that.
    pub(super) length: Duration,
    /// The cores that the process may use; at least two.
    pub(super) cores: Vec<usize>,
    /// The contender, for the message if it fails.
    pub(super) name: &'static str,
}

impl Job {
    /// The slice's time begins now.
    pub(super) fn begin(&self) -> Span {
        let start = Instant::now();
        let counted = start + self.warm_up;
        Span { counted, end: counted + self.length }
    }
}

/// A slice's time: warm-up, then what counts. All threads of a slice have the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    counted: Instant,
    end: Instant,
}

impl Span {
    /// Whether the warm-up is over.
    pub(super) fn counts(self, now: Instant) -> bool {
        now >= self.counted
    }

    /// Whether the slice is over.
    pub(super) fn over(self) -> bool {
        Instant::now() >= self.end
    }
}

/// What a slice gave: a value for each column of its row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Reply {
    /// In the order of the row's columns.
    pub(super) values: Vec<f64>,
    /// What the values are taken from: calls, ticks or messages.
    pub(super) samples: u64,
}

/// Times that were taken one by one.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<f64>);

impl Samples {
    pub(super) fn push(&mut self, took: Duration) {
        self.0.push(took.as_nanos() as f64);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The quantiles asked for, in nanoseconds.
    ///
    /// # Panics
    /// Of nothing: every slice has a sample.
    pub(super) fn reply(mut self, quantiles: &[f64]) -> Reply {
        self.0.sort_by(f64::total_cmp);
        let at = |&q: &f64| quantile(&self.0, q).expect("a slice has a sample");
        Reply { values: quantiles.iter().map(at).collect(), samples: self.0.len() as u64 }
    }
}

/// Nanoseconds between two moments; zero if they are the other way round.
pub(super) fn nanos(from: Instant, to: Instant) -> u64 {
    to.saturating_duration_since(from).as_nanos() as u64
}
