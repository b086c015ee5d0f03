//! The report: what one run measured. Every output format is drawn from this alone.
//!
//! Units are in the field names. Round trips are whole round trips, never halved. A figure that could not be measured is
//! absent (`null` in JSON), never zero.

use std::collections::HashMap;

use serde::Serialize;

/// Version of the JSON layout. It grows when a field changes its meaning or is removed, not when one is added.
pub(crate) const SCHEMA: u32 = 1;

/// One run of `ringmail latency`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) schema: u32,
    pub(crate) tool: Tool,
    /// Seconds since 1970-01-01 UTC when the run began.
    pub(crate) started_unix_s: u64,
    pub(crate) elapsed_s: f64,
    pub(crate) ended: RunEnd,
    pub(crate) settings: Settings,
    pub(crate) clock: ClockInfo,
    pub(crate) env: crate::env::Env,
    /// Cores under test, in the order in which matrices show them.
    pub(crate) cores: Vec<CoreInfo>,
    pub(crate) jitter: Vec<Jitter>,
    /// Pairs that the run meant to measure; `pairs` holds those it did.
    pub(crate) planned_pairs: usize,
    /// Visits that each pair was to get.
    pub(crate) planned_visits: u32,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) warnings: Vec<Warning>,
}

/// Who measured, and how it was called.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) rustc: Option<&'static str>,
    pub(crate) profile: Option<&'static str>,
    pub(crate) argv: Vec<String>,
}

/// Why the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RunEnd {
    /// Everything planned was tried.
    Complete,
    /// The time budget ran out first.
    TimeBudget,
    /// Ctrl-C, SIGTERM or SIGHUP.
    Interrupted,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// Whether the run measured between two processes as well as between two threads.
    pub(crate) between_processes: bool,
    /// Endpoints of the mesh that the messages went through; absent if each pair had channels of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mesh_shards: Option<usize>,
    pub(crate) payload_bytes: usize,
    pub(crate) capacity: usize,
    pub(crate) wait: &'static str,
    pub(crate) slice_ms: f64,
    pub(crate) time_budget_s: f64,
    /// Measuring time per pair, both subjects together; absent when `samples` rules.
    pub(crate) pair_duration_s: Option<f64>,
    pub(crate) samples: Option<u64>,
}

/// The clock behind every figure.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ClockInfo {
    pub(crate) name: String,
    /// Smallest step seen between two different readings.
    pub(crate) quantum_ns: f64,
    /// Cost of one reading. Each sample holds one; it is not subtracted.
    pub(crate) read_ns: f64,
}

/// A core under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CoreInfo {
    pub(crate) id: usize,
    pub(crate) smt_siblings: Vec<usize>,
    pub(crate) l3: Option<usize>,
    pub(crate) node: Option<usize>,
    pub(crate) package: Option<usize>,
    pub(crate) isolated: bool,
}

/// What a core did to a thread that only reads the clock.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Jitter {
    pub(crate) core: usize,
    pub(crate) watched_s: f64,
    /// Gaps of more than 1 µs between two readings.
    pub(crate) hiccups: u64,
    pub(crate) max_ns: u64,
    pub(crate) stolen_ns: u64,
}

impl Jitter {
    pub(crate) fn per_second(&self) -> f64 {
        self.hiccups as f64 / self.watched_s
    }

    /// Share of the watched time that went to hiccups, 0 to 1.
    pub(crate) fn stolen_share(&self) -> f64 {
        self.stolen_ns as f64 / (self.watched_s * 1e9)
    }
}

/// Two cores, and what a round trip between them costs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Pair {
    pub(crate) cores: [usize; 2],
    pub(crate) relation: String,
    pub(crate) channel: Figures,
    pub(crate) floor: Figures,
    pub(crate) ratio: Option<Ratio>,
    /// Absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) processes: Option<Processes>,
    /// Times that this pair was set up anew: threads, channels, memory.
    pub(crate) visits: u32,
    /// Times that the kernel took a core away from a measuring thread; absent where it does not say.
    pub(crate) preemptions: Option<u64>,
    pub(crate) flags: Vec<Flag>,
    /// Per slice: the floor just before, the channel, the floor just after; mean of the middle 80 % of the samples.
    pub(crate) slices_ns: Vec<[f64; 3]>,
}

/// What a round trip between two processes costs, on the cores of a pair and in the same run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Processes {
    #[serde(flatten)]
    pub(crate) figures: Figures,
    /// Over the floor.
    pub(crate) ratio: Option<Ratio>,
    /// Over the channel between threads.
    pub(crate) ratio_to_channel: Option<Ratio>,
    /// Each taken between the floor and the channel of the pair's slice of the same number.
    pub(crate) slices_ns: Vec<f64>,
}

impl Pair {
    /// The main figures and their ratio to the floor: those between processes if there are any, or else those between threads.
    pub(crate) fn headline(&self) -> (&Figures, Option<&Ratio>) {
        match &self.processes {
            Some(processes) => (&processes.figures, processes.ratio.as_ref()),
            None => (&self.channel, self.ratio.as_ref()),
        }
    }

    /// Everything measured, by name; the headline first, the floor last.
    pub(crate) fn subjects(&self) -> Vec<(&'static str, &Figures, Option<&Ratio>)> {
        let processes = self.processes.as_ref().map(|it| ("processes", &it.figures, it.ratio.as_ref()));
        let channel = if processes.is_some() { "threads" } else { "channel" };
        let others = [(channel, &self.channel, self.ratio.as_ref()), ("floor", &self.floor, None)];
        processes.into_iter().chain(others).collect()
    }
}

/// Doubts about a pair's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Flag {
    /// Too few slices had a steady floor on both sides; the ratio uses them all.
    UnsteadyFloor,
    /// A thread was found on a core other than its own.
    Migrated,
    /// Fewer samples than p99.9 needs: 1000.
    FewSamples,
    /// Round trips got so short that a sample spans fewer than eight clock quanta.
    CoarseClock,
    /// The channel took less time than its floor; `measure::floor` explains how that can happen.
    BelowFloor,
}

impl Flag {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::UnsteadyFloor => "unsteady floor",
            Self::Migrated => "migrated",
            Self::FewSamples => "few samples",
            Self::CoarseClock => "coarse clock",
            Self::BelowFloor => "below its floor",
        }
    }
}

/// Distribution of round trips. With `trips_per_sample` above 1, each sample is a mean of that many.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figures {
    pub(crate) samples: u64,
    pub(crate) trips_per_sample: u32,
    /// Clock quantum over `trips_per_sample`. A figure below it means only "less than this".
    pub(crate) resolution_ns: f64,
    pub(crate) min_ns: f64,
    pub(crate) p50_ns: f64,
    pub(crate) p90_ns: f64,
    pub(crate) p99_ns: f64,
    pub(crate) p999_ns: f64,
    pub(crate) max_ns: f64,
    /// 5th and 95th percentile of the slices' own figures: how far the machine moved during the run.
    pub(crate) slice_range_ns: [f64; 2],
}

/// Channel over floor: median of the slices' ratios, and their 5th to 95th percentile.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) range: [f64; 2],
    /// Slices whose floor was steady, out of all.
    pub(crate) slices_used: usize,
    pub(crate) slices: usize,
}

/// A pair that could not be measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Failure {
    pub(crate) cores: [usize; 2],
    pub(crate) reason: String,
}

/// Something that distorts figures, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Warning {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Warning {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

/// Pairs by their cores, in either order.
#[derive(Debug)]
pub(crate) struct Index<'a>(HashMap<[usize; 2], &'a Pair>);

impl Report {
    /// A look-up of pairs: a matrix asks for each of them twice.
    pub(crate) fn index(&self) -> Index<'_> {
        Index(self.pairs.iter().map(|pair| (sorted(pair.cores), pair)).collect())
    }
}

impl<'a> Index<'a> {
    pub(crate) fn pair(&self, a: usize, b: usize) -> Option<&'a Pair> {
        self.0.get(&sorted([a, b])).copied()
    }
}

fn sorted([a, b]: [usize; 2]) -> [usize; 2] {
    [a.min(b), a.max(b)]
}
