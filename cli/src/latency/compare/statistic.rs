//! What is compared, and where a report holds it for a run and for each slice.

use crate::report::{Figures, Pair};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Statistic {
    P50,
    Mean,
    P90,
    P99,
    P999,
}

impl Statistic {
    pub(super) const ALL: [Self; 5] = [Self::P50, Self::Mean, Self::P90, Self::P99, Self::P999];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::Mean => "mean",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
        }
    }

    /// Of a whole run, in ns.
    pub(super) fn of(self, figures: &Figures) -> f64 {
        match self {
            Self::P50 => figures.p50_ns,
            Self::Mean => figures.mean_ns,
            Self::P90 => figures.p90_ns,
            Self::P99 => figures.p99_ns,
            Self::P999 => figures.p999_ns,
        }
    }

    /// Place in [`Pair::tails_ns`].
    fn column(self) -> Option<usize> {
        match self {
            Self::P50 => None,
            Self::Mean => Some(0),
            Self::P90 => Some(1),
            Self::P99 => Some(2),
            Self::P999 => Some(3),
        }
    }

    /// Samples that a slice needs for it.
    fn samples(self) -> u64 {
        match self {
            Self::P50 | Self::Mean => 1,
            Self::P90 => 10,
            Self::P99 => 100,
            Self::P999 => 1000,
        }
    }
}

/// A channel of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Channel,
    Processes,
}

impl Subject {
    pub(super) fn figures(self, pair: &Pair) -> Option<&Figures> {
        match self {
            Self::Channel => Some(&pair.channel),
            Self::Processes => pair.processes.as_ref().map(|it| &it.figures),
        }
    }

    /// The statistic of a slice in ns; `None` if the report does not hold it, or it would be of too few samples.
    pub(super) fn of_slice(self, pair: &Pair, statistic: Statistic, slice: usize) -> Option<f64> {
        let tails = match self {
            Self::Channel => &pair.tails_ns,
            Self::Processes => &pair.processes.as_ref()?.tails_ns,
        };
        match (self, statistic.column()) {
            (_, Some(column)) => {
                let per_slice = self.figures(pair)?.samples / pair.slices_ns.len().max(1) as u64;
                Some(tails.get(slice)?[column]).filter(|_| per_slice >= statistic.samples())
            }
            (Self::Channel, None) => Some(pair.slices_ns.get(slice)?[1]),
            (Self::Processes, None) => pair.processes.as_ref()?.slices_ns.get(slice).copied(),
        }
    }
}
