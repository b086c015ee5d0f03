//! From slices to ratios. Several runs of one build (other seeds, other times) may be pooled.

use std::collections::HashMap;

use super::band;
use super::data::{RunFile, Slice, SuiteRun};
use super::stats::{median_interval, quartiles};

/// A suite's table.
#[derive(Debug)]
pub struct Summary {
    /// The suite's name.
    pub suite: String,
    /// The name that readers see.
    pub label: String,
    /// What it measures.
    pub about: String,
    /// Unit of the figures.
    pub unit: String,
    /// Whether less is better.
    pub lower_is_better: bool,
    /// Best first.
    pub rows: Vec<Row>,
    /// How many seeds of how many runs.
    pub series: usize,
    /// The bands that slices had to lie in, one a run; none if the suite knows no band.
    pub bands: Vec<[f64; 2]>,
}

impl Summary {
    /// The bands as text, such as `88–133 ns`; empty if there are none.
    pub fn bands(&self) -> String {
        let mut bands: Vec<String> = self.bands.iter().map(|[low, high]| format!("{low:.0}–{high:.0}")).collect();
        bands.dedup();
        if bands.is_empty() { String::new() } else { format!("{} ns", bands.join(", ")) }
    }
}

/// A contender's line.
#[derive(Debug)]
pub struct Row {
    /// Who.
    pub contender: String,
    /// Quartiles of the figure, over kept slices.
    pub value: Option<[f64; 3]>,
    /// The baseline's advantage: above 1 means that the baseline is better. Absent for the baseline itself.
    pub ratio: Option<Ratio>,
    /// For latencies: quartiles of figure ÷ floor of the same slice.
    pub floors: Option<[f64; 3]>,
    /// Slices run.
    pub run: usize,
    /// Slices kept.
    pub kept: usize,
    /// Slices that were disturbed by other programs, kept or not.
    pub disturbed: usize,
    /// Voluntary context switches a message, over kept slices.
    pub parked: f64,
    /// Times it crashed or hung.
    pub failures: usize,
}

/// Ratios to the baseline, one a round.
#[derive(Debug)]
pub struct Ratio {
    /// Quartiles over rounds.
    pub quartiles: [f64; 3],
    /// 95 % interval of the median.
    pub interval: [f64; 2],
    /// Rounds in which both slices were kept.
    pub pairs: usize,
}

fn kept(run: &RunFile, suite: &SuiteRun, slice: &Slice) -> bool {
    !suite.banded || (suite.band.is_some_and(|band| band::holds(band, slice.floor)) && (!run.clean || slice.clean()))
}

/// One table a suite, in the order of first appearance.
pub fn summarise(runs: &[&RunFile], baseline: &str) -> Vec<Summary> {
    let mut names: Vec<&str> = Vec::new();
    for suite in runs.iter().flat_map(|run| &run.suites) {
        if !names.contains(&suite.suite.as_str()) {
            names.push(&suite.suite);
        }
    }
    names.into_iter().filter_map(|name| summary(runs, name, baseline)).collect()
}

fn summary(runs: &[&RunFile], name: &str, baseline: &str) -> Option<Summary> {
    let parts: Vec<(&RunFile, &SuiteRun)> =
        runs.iter().flat_map(|run| run.suites.iter().filter(|s| s.suite == name).map(move |s| (*run, s))).collect();
    let (_, first) = parts.first()?;
    let mut contenders: Vec<&str> = Vec::new();
    let named = parts.iter().flat_map(|(_, suite)| {
        suite.slices.iter().map(|s| s.contender.as_str()).chain(suite.failures.iter().map(|f| f.contender.as_str()))
    });
    for contender in named {
        if !contenders.contains(&contender) {
            contenders.push(contender);
        }
    }
    let mut rows: Vec<Row> = contenders.iter().map(|who| row(&parts, who, baseline)).collect();
    let key = |row: &Row| row.value.map_or(f64::INFINITY, |v| if first.lower_is_better { v[1] } else { -v[1] });
    rows.sort_by(|a, b| key(a).total_cmp(&key(b)));
    Some(Summary {
        suite: name.into(),
        label: if first.label.is_empty() { name } else { &first.label }.into(),
        about: first.about.clone(),
        unit: first.unit.clone(),
        lower_is_better: first.lower_is_better,
        rows,
        series: parts.iter().map(|(_, suite)| seeds(suite).len()).sum(),
        bands: parts.iter().filter_map(|(_, suite)| suite.band).collect(),
    })
}

fn seeds(suite: &SuiteRun) -> Vec<u64> {
    let mut seeds: Vec<u64> = suite.slices.iter().map(|slice| slice.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    seeds
}

fn row(parts: &[(&RunFile, &SuiteRun)], who: &str, baseline: &str) -> Row {
    let mine = || parts.iter().flat_map(|(r, s)| s.slices.iter().map(move |slice| (*r, *s, slice)));
    let all: Vec<_> = mine().filter(|(_, _, slice)| slice.contender == who).collect();
    let good: Vec<&Slice> = all.iter().filter(|(r, s, slice)| kept(r, s, slice)).map(|(_, _, slice)| *slice).collect();
    let values: Vec<f64> = good.iter().map(|slice| slice.value).collect();
    let latency = parts.first().is_some_and(|(_, suite)| suite.lower_is_better);
    let over_floor: Vec<f64> = good
        .iter()
        .filter(|slice| latency && slice.floor[0] > 0.0)
        .map(|slice| slice.value * 2.0 / (slice.floor[0] + slice.floor[1]))
        .collect();
    let messages: u64 = good.iter().map(|slice| slice.n).sum();
    Row {
        contender: who.into(),
        value: quartiles(&values),
        ratio: if who == baseline { None } else { ratio(parts, who, baseline) },
        floors: quartiles(&over_floor),
        run: all.len(),
        kept: good.len(),
        disturbed: all.iter().filter(|(_, _, slice)| !slice.clean()).count(),
        parked: good.iter().map(|slice| slice.parked).sum::<u64>() as f64 / messages.max(1) as f64,
        failures: parts.iter().flat_map(|(_, s)| &s.failures).filter(|f| f.contender == who).count(),
    }
}

fn ratio(parts: &[(&RunFile, &SuiteRun)], who: &str, baseline: &str) -> Option<Ratio> {
    let mut groups = Vec::new();
    for (run, suite) in parts {
        let of = |name: &str, seed: u64| -> HashMap<u32, f64> {
            let wanted = |slice: &&Slice| slice.contender == name && slice.seed == seed && kept(run, suite, slice);
            suite.slices.iter().filter(wanted).map(|slice| (slice.round, slice.value)).collect()
        };
        for seed in seeds(suite) {
            let (base, peer) = (of(baseline, seed), of(who, seed));
            let advantage = |b: f64, p: f64| if suite.lower_is_better { p / b } else { b / p };
            let mut rounds: Vec<_> = base.keys().copied().collect();
            rounds.sort_unstable();
            let pairs = rounds.iter().filter_map(|round| Some(advantage(base[round], *peer.get(round)?)));
            groups.push(pairs.collect::<Vec<f64>>());
        }
    }
    let all = groups.concat();
    Some(Ratio { quartiles: quartiles(&all)?, interval: median_interval(&groups)?, pairs: all.len() })
}

#[cfg(test)]
mod tests {
    use super::summarise;
    use crate::paired::data::{RunFile, Slice, SuiteRun};

    fn slice(contender: &str, round: u32, value: f64, floor: f64, stolen: f64) -> Slice {
        let contender = contender.into();
        Slice { contender, seed: 1, round, value, n: 1000, floor: [floor, floor], stolen, parked: 0 }
    }

    fn run(lower_is_better: bool, slices: Vec<Slice>) -> RunFile {
        let suite = SuiteRun {
            suite: "s".into(),
            label: String::new(),
            about: "s".into(),
            unit: "u".into(),
            lower_is_better,
            banded: true,
            band: Some([90.0, 130.0]),
            failures: Vec::new(),
            slices,
        };
        RunFile {
            build: "b".into(),
            cores: [0, 1],
            cpu: "c".into(),
            clean: true,
            slice_ms: 8.0,
            baseline: "own".into(),
            suites: vec![suite],
        }
    }

    #[test]
    fn ratios_pair_slices_of_one_round_that_both_count() {
        let slices = vec![
            slice("own", 0, 200.0, 100.0, 0.0),
            slice("peer", 0, 100.0, 100.0, 0.0),
            // The peer's slice lies outside the band.
            slice("own", 1, 200.0, 100.0, 0.0),
            slice("peer", 1, 900.0, 40.0, 0.0),
            // The own slice was disturbed, and run again.
            slice("own", 2, 1.0, 100.0, 0.5),
            slice("own", 2, 400.0, 100.0, 0.0),
            slice("peer", 2, 100.0, 100.0, 0.0),
        ];
        let summary = &summarise(&[&run(false, slices)], "own")[0];
        let row = summary.rows.iter().find(|row| row.contender == "peer").unwrap();
        let ratio = row.ratio.as_ref().unwrap();
        assert_eq!((ratio.pairs, ratio.quartiles), (2, [2.5, 3.0, 3.5]));
        assert_eq!((row.run, row.kept), (3, 2));
        assert_eq!(summary.rows[0].contender, "own");
    }

    #[test]
    fn a_shorter_latency_is_a_ratio_above_one() {
        let slices = vec![slice("own", 0, 100.0, 100.0, 0.0), slice("peer", 0, 150.0, 100.0, 0.0)];
        let summary = &summarise(&[&run(true, slices)], "own")[0];
        let row = summary.rows.iter().find(|row| row.contender == "peer").unwrap();
        assert_eq!(row.ratio.as_ref().unwrap().quartiles[1], 1.5);
        assert_eq!(row.floors.unwrap()[1], 1.5);
    }
}
