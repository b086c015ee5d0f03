//! `paired report`: the README's table and picture, from the JSON of one run or of several.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::analyse::{Ratio, Row, Summary, summarise};
use super::data::RunFile;
use super::svg::{Bar, picture};

/// What to read and where to write.
#[derive(Debug, Args)]
pub struct Options {
    /// JSON files that runs of `paired --json` wrote; those of one build are pooled, and of several builds
    /// each row shows the one in which the baseline does worst, with the ratio of each beside it.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// What ratios are relative to; the runs' own if it is not given.
    #[arg(long)]
    baseline: Option<String>,
    /// A contender that is no peer: it gets a column of its own.
    #[arg(long)]
    beside: Option<String>,
    /// Where to write the Markdown; without it, to standard output.
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Where to write the picture.
    #[arg(long)]
    svg: Option<PathBuf>,
}

impl Options {
    /// Writes the report.
    ///
    /// # Errors
    /// A file that is no run, runs that do not fit together, a file that cannot be written.
    pub fn execute(self) -> Result<(), String> {
        let runs = self.runs.iter().map(|path| read(path)).collect::<Result<Vec<RunFile>, String>>()?;
        let Some(first) = runs.first() else { return Err("no runs".into()) };
        let baseline = self.baseline.clone().unwrap_or_else(|| first.baseline.clone());
        let beside = self.beside.as_deref();
        let lines = lines(&runs, &baseline, beside);
        if lines.is_empty() {
            return Err(format!("no suite of these runs pairs `{baseline}` with a peer: nothing to report"));
        }
        let text = markdown(&lines, &runs, &baseline, beside);
        match &self.markdown {
            Some(path) => write(path, &text)?,
            None => print!("{text}"),
        }
        if let Some(path) = &self.svg {
            let bars: Vec<Bar> = lines.iter().map(Line::bar).collect();
            write(path, &picture(&bars, &baseline))?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<RunFile, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("reading {}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{} is not the JSON of a run: {e}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("writing {}: {e}", path.display()))
}

/// A suite, seen from the baseline.
struct Line {
    /// What each build shows, in the report's order of builds; nothing of a build in which no round paired the baseline with a peer.
    builds: Vec<Option<Seen>>,
    /// Index of the build in which the baseline does worst: what is published.
    worst: usize,
    own: String,
}

/// What one build shows.
struct Seen {
    summary: Summary,
    /// Index of the peer that comes closest to the baseline or passes it.
    best: usize,
}

impl Seen {
    fn of(summary: Summary, baseline: &str, beside: Option<&str>) -> Option<Self> {
        let rivals = summary.rows.iter().enumerate().filter(|(_, row)| is_peer(&row.contender, baseline, beside));
        let ratios = rivals.filter_map(|(i, row)| Some((i, row.ratio.as_ref()?.quartiles[1])));
        let best = ratios.min_by(|a, b| a.1.total_cmp(&b.1))?.0;
        Some(Self { summary, best })
    }

    fn best(&self) -> (&Row, &Ratio) {
        let row = &self.summary.rows[self.best];
        (row, row.ratio.as_ref().expect("the best peer was chosen by its ratio"))
    }

    fn row(&self, name: &str) -> Option<&Row> {
        self.summary.rows.iter().find(|row| row.contender == name)
    }
}

/// The builds of these runs, in the order of first appearance.
fn builds(runs: &[RunFile]) -> Vec<&str> {
    let mut builds: Vec<&str> = Vec::new();
    for run in runs {
        if !builds.contains(&run.build.as_str()) {
            builds.push(&run.build);
        }
    }
    builds
}

/// One line a suite, in the order of first appearance. Runs of one build are pooled, builds never are.
fn lines(runs: &[RunFile], baseline: &str, beside: Option<&str>) -> Vec<Line> {
    let mut suites: Vec<&str> = Vec::new();
    for suite in runs.iter().flat_map(|run| &run.suites) {
        if !suites.contains(&suite.suite.as_str()) {
            suites.push(&suite.suite);
        }
    }
    let of = |build: &str| summarise(&runs.iter().filter(|run| run.build == build).collect::<Vec<_>>(), baseline);
    let mut summaries: Vec<Vec<Summary>> = builds(runs).into_iter().map(of).collect();
    let line = |name: &str| {
        let seen = |all: &mut Vec<Summary>| {
            let at = all.iter().position(|summary| summary.suite == name)?;
            Seen::of(all.remove(at), baseline, beside)
        };
        let builds: Vec<Option<Seen>> = summaries.iter_mut().map(seen).collect();
        let ratios = builds.iter().enumerate().filter_map(|(i, seen)| Some((i, seen.as_ref()?.best().1.quartiles[1])));
        let worst = ratios.min_by(|a, b| a.1.total_cmp(&b.1))?.0;
        Some(Line { builds, worst, own: baseline.into() })
    };
    suites.into_iter().filter_map(line).collect()
}

impl Line {
    /// The build that is published.
    fn worst(&self) -> &Seen {
        self.builds[self.worst].as_ref().expect("the worst build was chosen by its ratio")
    }

    fn best(&self) -> (&Row, &Ratio) {
        self.worst().best()
    }

    fn row(&self, name: &str) -> Option<&Row> {
        self.worst().row(name)
    }

    /// The cell of a contender that is no peer.
    fn beside(&self, name: &str) -> String {
        let ratio = self.row(name).and_then(|row| row.ratio.as_ref());
        let cell = ratio.map(|r| format!("{:.2} ({:.2}–{:.2})", r.quartiles[1], r.interval[0], r.interval[1]));
        format!(" {} |", cell.unwrap_or_default())
    }

    /// A cell for each build; none if there is but one.
    fn each_build(&self) -> String {
        let cell = |seen: &Option<Seen>| match seen.as_ref().map(Seen::best) {
            Some((row, ratio)) => format!(" {:.2} ({}) |", ratio.quartiles[1], row.contender),
            None => " – |".into(),
        };
        if self.builds.len() > 1 { self.builds.iter().map(cell).collect() } else { String::new() }
    }

    fn bar(&self) -> Bar {
        let (row, ratio) = self.best();
        Bar {
            label: self.worst().summary.label.clone(),
            ratio: ratio.quartiles[1],
            interval: ratio.interval,
            note: format!("vs {}", row.contender),
        }
    }

    /// Beyond the ratio: how far from what the hardware or the kernel takes anyway.
    fn remark(&self) -> Option<String> {
        let median = |name: &str| self.row(name).and_then(|row| row.floors).map(|[_, mid, _]| mid);
        let (best, _) = self.best();
        if self.row("bare-lines").is_some() {
            let (own, peer) = (median(&self.own)?, median(&best.contender)?);
            let who = &best.contender;
            return Some(format!(
                "Round trip over the bare two-cache-line round trip: {} {own:.2}, {who} {peer:.2}.",
                self.own
            ));
        }
        let floors = [
            ("bare-futex", "Wake-up over a bare futex wake-up"),
            ("bare-yield", "A message on one core over a bare word that two threads yield for"),
        ];
        let (ratio, what) = floors.iter().find_map(|(name, what)| Some((self.row(name)?.ratio.as_ref()?, what)))?;
        Some(format!("{what} in the same rounds: {} {:.2}.", self.own, 1.0 / ratio.quartiles[1]))
    }
}

/// Neither the baseline, nor another way to use it, nor what is only beside it, nor the bare floor.
fn is_peer(name: &str, baseline: &str, beside: Option<&str>) -> bool {
    let own = name.strip_prefix(baseline).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '@']));
    !own && beside != Some(name) && !name.starts_with("bare-")
}

fn markdown(lines: &[Line], runs: &[RunFile], baseline: &str, beside: Option<&str>) -> String {
    let (head, rule) = beside.map_or_else(Default::default, |name| (format!(" {baseline} ÷ {name} |"), "---:|"));
    let builds = builds(runs);
    let shown = if builds.len() > 1 { &builds[..] } else { &[] };
    let each: String = shown.iter().map(|build| format!(" {build} |")).collect();
    let each_rule = "---:|".repeat(shown.len());
    let mut out = format!(
        "| workload |{head} {baseline} ÷ best peer | 95 % interval | best peer |{each} {baseline} ÷ the others | slices kept (floor band) |\n\
         |---|{rule}---:|---:|---|{each_rule}---|---|\n"
    );
    for line in lines {
        let (best, ratio) = line.best();
        let summary = &line.worst().summary;
        let mut others: Vec<(f64, &str)> = summary
            .rows
            .iter()
            .filter(|row| is_peer(&row.contender, baseline, beside) && row.contender != best.contender)
            .filter_map(|row| Some((row.ratio.as_ref()?.quartiles[1], row.contender.as_str())))
            .collect();
        others.sort_by(|a, b| a.0.total_cmp(&b.0));
        let others: Vec<String> = others.iter().map(|(ratio, name)| format!("{name} {ratio:.2}")).collect();
        let (kept, run) = summary.rows.iter().fold((0, 0), |(kept, run), row| (kept + row.kept, run + row.run));
        let _ = writeln!(
            out,
            "| **{}**: {} |{} **{:.2}** | {:.2}–{:.2} | {} |{} {} | {:.0} %{} |",
            summary.label,
            summary.about,
            beside.map(|name| line.beside(name)).unwrap_or_default(),
            ratio.quartiles[1],
            ratio.interval[0],
            ratio.interval[1],
            best.contender,
            line.each_build(),
            others.join(", "),
            100.0 * kept as f64 / run.max(1) as f64,
            if summary.bands.is_empty() { String::new() } else { format!(" ({})", summary.bands()) }
        );
    }
    let _ = writeln!(out, "\n{}", conditions(lines, runs, baseline));
    for remark in lines.iter().filter_map(Line::remark) {
        let _ = writeln!(out, "{remark}");
    }
    for failure in failures(runs) {
        let _ = writeln!(out, "{failure}");
    }
    out
}

fn conditions(lines: &[Line], runs: &[RunFile], baseline: &str) -> String {
    let seen = || lines.iter().flat_map(|line| line.builds.iter().flatten());
    let series = seen().map(|seen| seen.summary.series).min().unwrap_or(0);
    let pairs = seen().map(|seen| seen.best().1.pairs).min().unwrap_or(0);
    let mut cpus: Vec<&str> = runs.iter().map(|run| run.cpu.as_str()).collect();
    cpus.sort_unstable();
    cpus.dedup();
    let names: Vec<String> = builds(runs).iter().map(|build| format!("`{build}`")).collect();
    let builds = match &names[..] {
        [one] => format!("Build: {one}"),
        all => format!("Builds: {}; each row shows the one in which {baseline} does worst", all.join(", ")),
    };
    format!(
        "Medians of ratios formed inside a round; above 1, {baseline} is the better one, in throughput or in latency. {builds}. At \
         least {series} series (a seed of a run each) and {pairs} pairs a row and build. {}. Where a floor band is \
         given, a slice counts only if the bare round trip between the two cores lay in it just before and just after.",
        cpus.join(", ")
    )
}

fn failures(runs: &[RunFile]) -> Vec<String> {
    let suites = runs.iter().flat_map(|run| &run.suites);
    suites
        .flat_map(|suite| {
            suite.failures.iter().map(move |f| format!("Failed: {} in {}: {}.", f.contender, suite.suite, f.what))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Line, lines, markdown};
    use crate::paired::data::{RunFile, Slice, SuiteRun};

    /// A suite's run in which each contender has the same figure in two rounds.
    fn suite(name: &str, lower_is_better: bool, figures: &[(&str, f64)]) -> SuiteRun {
        let slice = |round: u32, &(contender, value): &(&str, f64)| {
            let contender = contender.into();
            Slice { contender, seed: 1, round, value, n: 1000, floor: [100.0; 2], stolen: 0.0, parked: 0 }
        };
        SuiteRun {
            suite: name.into(),
            label: String::new(),
            about: "about".into(),
            unit: "u".into(),
            lower_is_better,
            banded: false,
            band: None,
            failures: Vec::new(),
            slices: (0..2).flat_map(|round| figures.iter().map(move |figure| slice(round, figure))).collect(),
        }
    }

    fn run(build: &str, suites: Vec<SuiteRun>) -> RunFile {
        let (build, cpu, baseline) = (build.into(), "c".into(), "own".into());
        RunFile { build, cores: [0, 1], cpu, clean: true, slice_ms: 8.0, baseline, suites }
    }

    fn published(lines: &[Line]) -> Vec<(&str, f64, &str)> {
        let of = |line: &'_ Line| (line.best().1.quartiles[1], line.worst);
        lines
            .iter()
            .map(|line| (line.worst().summary.suite.as_str(), of(line).0, ["release", "fat"][of(line).1]))
            .collect()
    }

    #[test]
    fn each_row_shows_the_build_in_which_the_baseline_does_worst() {
        let runs = [
            run(
                "release",
                vec![
                    suite("throughput", false, &[("own", 100.0), ("peer", 80.0), ("slow", 10.0)]),
                    suite("latency", true, &[("own", 100.0), ("peer", 90.0)]),
                ],
            ),
            // Another peer is the best one here.
            run(
                "fat",
                vec![
                    suite("throughput", false, &[("own", 200.0), ("peer", 100.0), ("slow", 250.0)]),
                    suite("latency", true, &[("own", 100.0), ("peer", 150.0)]),
                ],
            ),
        ];
        let lines = lines(&runs, "own", None);
        assert_eq!(published(&lines), [("throughput", 0.8, "fat"), ("latency", 0.9, "release")]);
        let text = markdown(&lines, &runs, "own", None);
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[0].contains("| best peer | release | fat | own ÷ the others |"), "{text}");
        assert_eq!(rows[0].matches('|').count(), rows[1].matches('|').count(), "{text}");
        assert!(rows[2].contains("| **0.80** | 0.80–0.80 | slow | 1.25 (peer) | 0.80 (slow) | peer 2.00 |"), "{text}");
        assert!(rows[3].contains("| **0.90** | 0.90–0.90 | peer | 0.90 (peer) | 1.50 (peer) |"), "{text}");
    }

    #[test]
    fn builds_are_never_pooled_and_runs_of_one_build_are() {
        let runs = [
            run("release", vec![suite("s", false, &[("own", 100.0), ("peer", 100.0)])]),
            run("fat", vec![suite("s", false, &[("own", 300.0), ("peer", 100.0)])]),
            run("release", vec![suite("s", false, &[("own", 200.0), ("peer", 100.0)])]),
        ];
        let lines = lines(&runs, "own", None);
        assert_eq!(published(&lines), [("s", 1.5, "release")]);
        let seen: Vec<_> = lines[0].builds.iter().flatten().collect();
        let of: Vec<_> = seen.iter().map(|seen| (seen.best().1.pairs, seen.summary.series)).collect();
        assert_eq!(of, [(4, 2), (2, 1)]);
    }

    #[test]
    fn a_suite_that_one_build_lacks_shows_it() {
        let both = |own| suite("s", false, &[("own", own), ("peer", 100.0)]);
        let alone = suite("t", false, &[("own", 300.0)]);
        let runs = [
            run("release", vec![both(200.0), suite("t", false, &[("own", 300.0), ("peer", 100.0)])]),
            run("fat", vec![both(250.0), alone]),
        ];
        let lines = lines(&runs, "own", None);
        assert_eq!(published(&lines), [("s", 2.0, "release"), ("t", 3.0, "release")]);
        let text = markdown(&lines, &runs, "own", None);
        assert!(text.contains("| 3.00 (peer) | – |"), "{text}");
    }

    #[test]
    fn one_build_has_no_column_of_its_own() {
        let runs = [run("release", vec![suite("s", false, &[("own", 100.0), ("peer", 50.0)])])];
        let lines = lines(&runs, "own", None);
        let text = markdown(&lines, &runs, "own", None);
        assert!(text.contains("| **2.00** | 2.00–2.00 | peer |  |"), "{text}");
        assert!(text.contains("Build: `release`."), "{text}");
    }
}
