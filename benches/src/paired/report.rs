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
    /// JSON files that runs of `paired --json` wrote; several are pooled (other seeds, other builds).
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
        let lines: Vec<Line> = summarise(&runs, &baseline)
            .into_iter()
            .filter_map(|summary| Line::of(summary, &baseline, beside))
            .collect();
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
    summary: Summary,
    /// Index of the peer that comes closest to the baseline or passes it.
    best: usize,
    own: String,
}

impl Line {
    fn of(summary: Summary, baseline: &str, beside: Option<&str>) -> Option<Self> {
        let rivals = summary.rows.iter().enumerate().filter(|(_, row)| is_peer(&row.contender, baseline, beside));
        let ratios = rivals.filter_map(|(i, row)| Some((i, row.ratio.as_ref()?.quartiles[1])));
        let best = ratios.min_by(|a, b| a.1.total_cmp(&b.1))?.0;
        Some(Self { summary, best, own: baseline.into() })
    }

    fn best(&self) -> (&Row, &Ratio) {
        let row = &self.summary.rows[self.best];
        (row, row.ratio.as_ref().expect("the best peer was chosen by its ratio"))
    }

    fn row(&self, name: &str) -> Option<&Row> {
        self.summary.rows.iter().find(|row| row.contender == name)
    }

    /// The cell of a contender that is no peer.
    fn beside(&self, name: &str) -> String {
        let ratio = self.row(name).and_then(|row| row.ratio.as_ref());
        let cell = ratio.map(|r| format!("{:.2} ({:.2}–{:.2})", r.quartiles[1], r.interval[0], r.interval[1]));
        format!(" {} |", cell.unwrap_or_default())
    }

    fn bar(&self) -> Bar {
        let (row, ratio) = self.best();
        Bar {
            label: self.summary.label.clone(),
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
        let futex = self.row("bare-futex")?.ratio.as_ref()?;
        let over = 1.0 / futex.quartiles[1];
        Some(format!("Wake-up over a bare futex wake-up in the same rounds: {} {over:.2}.", self.own))
    }
}

/// Neither the baseline, nor another way to use it, nor what is only beside it, nor the bare floor.
fn is_peer(name: &str, baseline: &str, beside: Option<&str>) -> bool {
    let own = name.strip_prefix(baseline).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '@']));
    !own && beside != Some(name) && !name.starts_with("bare-")
}

fn markdown(lines: &[Line], runs: &[RunFile], baseline: &str, beside: Option<&str>) -> String {
    let (head, rule) = beside.map_or_else(Default::default, |name| (format!(" {baseline} ÷ {name} |"), "---:|"));
    let mut out = format!(
        "| workload |{head} {baseline} ÷ best peer | 95 % interval | best peer | {baseline} ÷ the others | slices kept (floor band) |\n\
         |---|{rule}---:|---:|---|---|---|\n"
    );
    for line in lines {
        let (best, ratio) = line.best();
        let mut others: Vec<(f64, &str)> = line
            .summary
            .rows
            .iter()
            .filter(|row| is_peer(&row.contender, baseline, beside) && row.contender != best.contender)
            .filter_map(|row| Some((row.ratio.as_ref()?.quartiles[1], row.contender.as_str())))
            .collect();
        others.sort_by(|a, b| a.0.total_cmp(&b.0));
        let others: Vec<String> = others.iter().map(|(ratio, name)| format!("{name} {ratio:.2}")).collect();
        let (kept, run) = line.summary.rows.iter().fold((0, 0), |(kept, run), row| (kept + row.kept, run + row.run));
        let _ = writeln!(
            out,
            "| **{}**: {} |{} **{:.2}** | {:.2}–{:.2} | {} | {} | {:.0} %{} |",
            line.summary.label,
            line.summary.about,
            beside.map(|name| line.beside(name)).unwrap_or_default(),
            ratio.quartiles[1],
            ratio.interval[0],
            ratio.interval[1],
            best.contender,
            others.join(", "),
            100.0 * kept as f64 / run.max(1) as f64,
            if line.summary.bands.is_empty() { String::new() } else { format!(" ({})", line.summary.bands()) }
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
    let series = lines.iter().map(|line| line.summary.series).min().unwrap_or(0);
    let builds = lines.iter().map(|line| line.summary.builds).min().unwrap_or(0);
    let pairs = lines.iter().map(|line| line.best().1.pairs).min().unwrap_or(0);
    let mut cpus: Vec<&str> = runs.iter().map(|run| run.cpu.as_str()).collect();
    cpus.sort_unstable();
    cpus.dedup();
    format!(
        "Medians of ratios formed inside a round; above 1, {baseline} is the better one, in throughput or in latency. At \
         least {series} series (a seed of a build each), {builds} builds, {pairs} pairs a row. {}. Where a floor band is \
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
