//! The report: what one run measured. Every output format is drawn from this alone.
//!
//! Units are in the field names. Round trips are whole round trips, never halved. A figure that could not be measured is
//! absent (`null` in JSON), never zero.

mod load;
mod wake;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub(crate) use load::{Clocks, Load, LoadStep};
pub(crate) use wake::{Wake, WakeRow};

/// Version of the JSON layout. It grows when a field changes its meaning or is removed, not when one is added.
pub(crate) const SCHEMA: u32 = 1;

/// One run of `ringmail latency`.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// Cores of the ranges asked for that cannot be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cores_left_out: Vec<LeftOut>,
    pub(crate) jitter: Vec<Jitter>,
    /// Pairs that the run meant to measure; `pairs` holds those it did.
    pub(crate) planned_pairs: usize,
    /// Visits that each pair was to get.
    pub(crate) planned_visits: u32,
    pub(crate) pairs: Vec<Pair>,
    /// Why pairs hold neither histograms nor figures of slices beyond the median, if they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left_out: Option<String>,
    /// Time that it takes to measure every planned pair, if this run could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) full_run_s: Option<f64>,
    pub(crate) failures: Vec<Failure>,
    /// What `load` measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) load: Option<Load>,
    /// What `wake` measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wake: Option<Wake>,
    pub(crate) warnings: Vec<Warning>,
}

/// Who measured, and how it was called.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) rustc: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) argv: Vec<String>,
}

/// Why the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// Whether the run measured between two processes as well as between two threads.
    #[serde(default)]
    pub(crate) between_processes: bool,
    /// Endpoints of the mesh that the messages went through; absent if each pair had channels of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mesh_shards: Option<usize>,
    pub(crate) payload_bytes: usize,
    pub(crate) capacity: usize,
    pub(crate) wait: String,
    pub(crate) slice_ms: f64,
    pub(crate) time_budget_s: f64,
    /// Measuring time per pair, both subjects together; absent when `samples` rules.
    pub(crate) pair_duration_s: Option<f64>,
    pub(crate) samples: Option<u64>,
    #[serde(default, flatten)]
    pub(crate) placement: Placement,
}

impl Settings {
    /// Of a run that sends no messages.
    pub(crate) fn without_messages(time: std::time::Duration) -> Self {
        Self {
            seed: 0,
            between_processes: false,
            mesh_shards: None,
            payload_bytes: 0,
            capacity: 0,
            wait: "spin".into(),
            slice_ms: 0.0,
            time_budget_s: time.as_secs_f64(),
            pair_duration_s: None,
            samples: None,
            placement: Placement::default(),
        }
    }
}

/// Where threads and memory were put, as asked for and, where it says so, as found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Placement {
    /// Whose memory the channels are: `receiver`, `sender` or `node:N`. Absent unless asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<String>,
    /// The memory nodes on which pages of the channels were found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) memory_found_on_nodes: Option<Vec<usize>>,
    /// All of the process stays in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mlock: Option<bool>,
    /// The priority under `SCHED_FIFO` of the measuring threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rt_priority: Option<u32>,
    /// Least bytes of a channel that were found in huge pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) huge_page_bytes: Option<u64>,
}

/// The clock behind every figure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ClockInfo {
    pub(crate) name: String,
    /// The step that nearly all differences of readings are multiples of.
    pub(crate) quantum_ns: f64,
    /// Cost of one reading. Each sample of a channel or of two lines holds one; it is not subtracted.
    pub(crate) read_ns: f64,
}

/// A core under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CoreInfo {
    pub(crate) id: usize,
    pub(crate) smt_siblings: Vec<usize>,
    /// Cores of one L2 have the same number; absent where a physical core has its own.
    #[serde(default)]
    pub(crate) l2: Option<usize>,
    pub(crate) l3: Option<usize>,
    pub(crate) node: Option<usize>,
    pub(crate) package: Option<usize>,
    pub(crate) isolated: bool,
}

impl CoreInfo {
    /// The last cache before memory that several physical cores are known to share: the L3, or the L2 where there is no L3.
    pub(crate) fn last_level_cache(&self) -> Option<usize> {
        self.l3.or(self.l2)
    }
}

/// A core that was asked for as part of a range, and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    pub(crate) core: usize,
    /// `offline`, `not allowed` or `not there`.
    pub(crate) why: String,
}

/// What a core did to a thread that only reads the clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Jitter {
    pub(crate) core: usize,
    pub(crate) watched_s: f64,
    /// Gaps of more than `threshold_ns` between two readings.
    pub(crate) hiccups: u64,
    pub(crate) max_ns: u64,
    pub(crate) stolen_ns: u64,
    #[serde(default = "usual_threshold")]
    pub(crate) threshold_ns: u64,
    /// How long the gaps were; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gaps: Option<Gaps>,
    /// The gaps; encoded as [`Figures::histogram`] is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) histogram: Option<String>,
}

/// Of reports that do not name theirs.
fn usual_threshold() -> u64 {
    crate::measure::jitter::HICCUP_NS
}

/// Distribution of the gaps of one core.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gaps {
    pub(crate) min_ns: u64,
    pub(crate) mean_ns: f64,
    pub(crate) p50_ns: u64,
    pub(crate) p90_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) p9999_ns: u64,
    pub(crate) p99999_ns: u64,
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
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) cores: [usize; 2],
    pub(crate) relation: String,
    pub(crate) channel: Figures,
    /// Of the two ways to pass a value without a channel, the one that took less; `floor_kind` says which.
    pub(crate) floor: Figures,
    #[serde(default)]
    pub(crate) floor_kind: FloorKind,
    /// The other way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) yardstick: Option<Figures>,
    /// Absent if too few slices had a steady floor.
    pub(crate) ratio: Option<Ratio>,
    /// Then only, of all slices: most compare a channel and a floor of two different moments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unsteady_ratio: Option<Ratio>,
    /// Absent unless asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) processes: Option<Processes>,
    /// The levels between which the headline moved, lowest first; empty if it kept to one. A p50 of two levels belongs to neither.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) bands: Vec<Band>,
    /// Time that stalls took from the timing thread, warm-ups and changes of turn included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<Lost>,
    /// Times that either side slept, per round trip of the channel; absent where the kernel does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sleeps_per_trip: Option<f64>,
    /// Times that this pair was set up anew: threads, channels, memory.
    pub(crate) visits: u32,
    /// Times that the kernel took a core away from a measuring thread; absent where it does not say.
    pub(crate) preemptions: Option<u64>,
    pub(crate) flags: Vec<Flag>,
    /// Per slice: p50 of the floor just before, of the channel, of the floor just after.
    pub(crate) slices_ns: Vec<[f64; 3]>,
    /// Per slice of the channel: mean, p90, p99 and p99.9.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tails_ns: Vec<[f64; 4]>,
    /// Slices of each visit, in the order of `slices_ns`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) visit_slices: Vec<usize>,
}

/// A way to pass a value back and forth without a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FloorKind {
    /// A line each way, one writer a line, loads and stores.
    #[default]
    TwoLines,
    /// One line that both sides change by compare-and-swap.
    OneLine,
}

impl FloorKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TwoLines => "two lines",
            Self::OneLine => "one line",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::TwoLines => Self::OneLine,
            Self::OneLine => Self::TwoLines,
        }
    }
}

/// A level that a channel's slices kept to for a part of the time, as on two placements of a virtual machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Band {
    /// Of the slices, 0 to 1.
    pub(crate) share: f64,
    /// Median of the p50 of its slices, and their 5th to 95th percentile.
    pub(crate) p50_ns: f64,
    pub(crate) range_ns: [f64; 2],
    /// Median of the floors around them.
    pub(crate) floor_ns: f64,
}

/// Time that stalls took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lost {
    pub(crate) watched_s: f64,
    /// Of the watched time, 0 to 1: what a sample, a warm-up or a change of turn took beyond its usual time where that is more than 10 µs.
    pub(crate) share: f64,
}

/// What a round trip between two processes costs, on the cores of a pair and in the same run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Processes {
    #[serde(flatten)]
    pub(crate) figures: Figures,
    /// Over the floor; absent as [`Pair::ratio`] is.
    pub(crate) ratio: Option<Ratio>,
    /// As [`Pair::unsteady_ratio`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unsteady_ratio: Option<Ratio>,
    /// Over the channel between threads.
    pub(crate) ratio_to_channel: Option<Ratio>,
    /// Each taken between the floor and the channel of the pair's slice of the same number.
    pub(crate) slices_ns: Vec<f64>,
    /// As [`Pair::tails_ns`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tails_ns: Vec<[f64; 4]>,
}

impl Pair {
    /// What core-to-core-latency, a tool that many results are posted from, shows for such a pair: half of the mean of the round
    /// trips over one line, here without what stalls took.
    pub(crate) fn core_to_core_ns(&self) -> Option<f64> {
        let one_line = match self.floor_kind {
            FloorKind::OneLine => Some(&self.floor),
            FloorKind::TwoLines => self.yardstick.as_ref(),
        };
        one_line.map(|figures| figures.mean_ns * (1.0 - figures.stalled_share) / 2.0)
    }

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Flag {
    /// Too few slices had a steady floor on both sides: there is no ratio.
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
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    #[serde(default = "unknown", deserialize_with = "number_or_unknown")]
    pub(crate) p9999_ns: f64,
    #[serde(default = "unknown", deserialize_with = "number_or_unknown")]
    pub(crate) p99999_ns: f64,
    pub(crate) max_ns: f64,
    #[serde(default = "unknown", deserialize_with = "number_or_unknown")]
    pub(crate) mean_ns: f64,
    /// Share of the time of all samples that went to stalls, 0 to 1: to what a sample took beyond its usual time where that is more than 10 µs. Percentiles
    /// count samples, and a stall is one of them, however long.
    #[serde(default = "unknown", deserialize_with = "number_or_unknown")]
    pub(crate) stalled_share: f64,
    /// 5th and 95th percentile of the slices' own p50: how far the machine moved during the run.
    pub(crate) slice_range_ns: [f64; 2],
    /// Lowest and highest p50 of the visits, if there were at least two: how far it moves from one set-up to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) visit_range_ns: Option<[f64; 2]>,
    /// All samples, each of `trips_per_sample` round trips, in ns. In hdrhistogram's own encoding: V2, deflated, base64. Absent from runs of many pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) histogram: Option<String>,
}

/// A figure that an earlier version did not measure.
fn unknown() -> f64 {
    f64::NAN
}

/// JSON has no word for a figure that is not known but `null`.
fn number_or_unknown<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}

/// Channel over floor: median of the slices' ratios, and their 5th to 95th percentile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) range: [f64; 2],
    /// Slices whose floor was steady, out of all.
    pub(crate) slices_used: usize,
    pub(crate) slices: usize,
}

/// A pair that could not be measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) cores: [usize; 2],
    pub(crate) reason: String,
}

/// Something that distorts figures, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Warning {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Warning {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

/// Pairs by their cores.
#[derive(Debug)]
pub(crate) struct Index<'a>(HashMap<[usize; 2], &'a Pair>);

impl Report {
    /// Whether nothing was measured.
    pub(crate) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
            && self.load.as_ref().is_none_or(|load| load.steps.is_empty())
            && self.wake.is_none()
            && !self.holds_only_jitter()
    }

    /// Whether cores were watched and no messages sent.
    pub(crate) fn holds_only_jitter(&self) -> bool {
        let planned = self.planned_pairs > 0 || self.load.is_some() || self.wake.is_some();
        !planned && !self.jitter.is_empty()
    }

    /// A look-up of pairs: a matrix asks for each of them twice.
    pub(crate) fn index(&self) -> Index<'_> {
        Index(self.pairs.iter().map(|pair| (pair.cores, pair)).collect())
    }
}

impl<'a> Index<'a> {
    /// The pair in this direction; if there is none, the one in the other.
    pub(crate) fn pair(&self, a: usize, b: usize) -> Option<&'a Pair> {
        self.0.get(&[a, b]).or_else(|| self.0.get(&[b, a])).copied()
    }
}
