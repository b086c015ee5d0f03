//! The command line of `paired`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use clap::{Args, Parser, Subcommand};

use super::data::{BUILD, RunFile};
use super::pool::Entrant;
use super::rounds::{Plan, Runner};
use super::{analyse, child, report, table};
use crate::catalog::{SUITES, Suite, select};
use crate::pair_slice::Env;

/// Ringmail beside its peers, measured in interleaved, floor-probed slices.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true, version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the suites and their contenders.
    List,
    /// Turns the JSON of one or several runs into a Markdown table and an SVG picture.
    Report(report::Options),
    /// One contender's process; the runner starts it.
    #[command(hide = true)]
    Child { suite: String, contender: String, a: usize, b: usize },
}

/// A run.
#[derive(Debug, Args)]
struct Run {
    /// Suites, or `all`; `batch` means every `batch-…`.
    #[arg(long, value_delimiter = ',', default_value = "try,poll,blocking,batch,rtt,async")]
    suite: Vec<String>,
    /// Rounds for each seed.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// One series of rounds for each.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    seeds: Vec<u64>,
    /// Only these, beside the baseline; `NAME@PROGRAM` runs NAME of another build of this program.
    #[arg(long, value_delimiter = ',')]
    contenders: Vec<String>,
    /// What ratios are relative to; above 1 means that the baseline is better.
    #[arg(long, default_value = "ringmail")]
    baseline: String,
    /// Length of a slice in milliseconds.
    #[arg(long, default_value_t = 8.0)]
    slice_ms: f64,
    /// Keep only slices whose floor probes lie in LOW:HIGH nanoseconds; without it, in the commonest band of the suite.
    #[arg(long, value_parser = parse_band)]
    band: Option<(f64, f64)>,
    /// Drop slices in which another program held one of the cores (not where both threads share a core).
    #[arg(long)]
    clean: bool,
    /// Replace the child processes after so many rounds.
    #[arg(long, default_value_t = 10)]
    respawn: u32,
    /// Run a slice that will not count (outside the band, or not clean) again up to so many times.
    #[arg(long, default_value_t = 3)]
    retries: u32,
    /// The cores, SENDER,RECEIVER.
    #[arg(long, value_delimiter = ',', num_args = 2)]
    cores: Option<Vec<usize>>,
    /// Stop after so many seconds, even if rounds are left; every suite and seed gets its share.
    #[arg(long)]
    time_budget: Option<f64>,
    /// Seconds after which a child that does not answer is killed and reported.
    #[arg(long, default_value_t = 10.0)]
    patience: f64,
    /// Where to write the JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn parse_band(text: &str) -> Result<(f64, f64), String> {
    let (low, high) = text.split_once(':').ok_or("a band is LOW:HIGH in nanoseconds, such as 85:130")?;
    let number = |part: &str| part.trim().parse::<f64>().map_err(|e| format!("`{part}`: {e}"));
    let (low, high) = (number(low)?, number(high)?);
    if !(0.0 < low && low < high) {
        return Err(format!("a band needs 0 < LOW < HIGH, not {low}:{high}"));
    }
    Ok((low, high))
}

fn seconds(value: f64, option: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(value).map_err(|e| format!("{option} {value}: {e}"))
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// A name that does not exist, a file that cannot be written, a contender that failed; the message says which.
    pub fn execute(self) -> Result<(), String> {
        match self.command {
            None => self.run.execute(),
            Some(Command::List) => {
                for suite in SUITES {
                    let names: Vec<_> = suite.contenders.iter().map(|c| c.name).collect();
                    println!("{:<16} {}\n                 {}", suite.name, suite.about, names.join(", "));
                }
                Ok(())
            }
            Some(Command::Report(options)) => options.execute(),
            Some(Command::Child { suite, contender, a, b }) => {
                let suite = SUITES.iter().find(|s| s.name == suite).ok_or_else(|| format!("no suite `{suite}`"))?;
                let who = suite.contenders.iter().find(|c| c.name == contender);
                let who = who.ok_or_else(|| format!("no contender `{contender}` in suite `{}`", suite.name))?;
                child::serve(suite, who, Env { a, b, capacity: suite.capacity })
            }
        }
    }
}

impl Run {
    fn execute(self) -> Result<(), String> {
        let this = env::current_exe().map_err(|e| format!("where is this program: {e}"))?;
        let mut suites = Vec::new();
        for name in &self.suite {
            for suite in select(name)? {
                suites.push((suite, self.entrants(suite, &this)?));
            }
        }
        self.check_names(&suites)?;
        suites.retain(|(suite, entrants)| {
            let enough = entrants.len() > 1;
            if !enough {
                eprintln!("{} left out: it has not both `{}` and another of the contenders", suite.name, self.baseline);
            }
            enough
        });
        if suites.is_empty() {
            return Err(format!("no suite here has both `{}` and another of the contenders", self.baseline));
        }
        let cores = match self.cores.as_deref() {
            Some(&[a, b]) => [a, b],
            _ => Env::detect().map(|env| [env.a, env.b])?,
        };
        let mut runner = Runner::new(Plan {
            cores,
            seeds: self.seeds.clone(),
            rounds: self.rounds,
            slice: seconds(self.slice_ms / 1e3, "--slice-ms")?,
            respawn: self.respawn,
            band: self.band.map(|(low, high)| [low, high]),
            retries: self.retries,
            clean: self.clean,
            patience: seconds(self.patience, "--patience")?,
        });
        let end = self.time_budget.map(|s| seconds(s, "--time-budget")).transpose()?.map(|d| Instant::now() + d);
        let mut file = RunFile {
            build: BUILD.into(),
            cores,
            cpu: cpu(),
            clean: self.clean,
            slice_ms: self.slice_ms,
            baseline: self.baseline.clone(),
            suites: Vec::new(),
        };
        for (done, (suite, entrants)) in suites.iter().enumerate() {
            let now = Instant::now();
            let share = end.map(|end| now + end.saturating_duration_since(now) / (suites.len() - done) as u32);
            file.suites.push(runner.suite(suite, entrants, share));
            eprintln!("{} done in {:.1?}", suite.name, now.elapsed());
        }
        self.show(file)
    }

    fn show(&self, file: RunFile) -> Result<(), String> {
        let failed: usize = file.suites.iter().map(|suite| suite.failures.len()).sum();
        if let Some(path) = &self.json {
            let text = serde_json::to_string(&file).map_err(|e| e.to_string())?;
            fs::write(path, text).map_err(|e| format!("writing {}: {e}", path.display()))?;
        }
        println!("cores {}→{}, {}; build: {}", file.cores[0], file.cores[1], file.cpu, file.build);
        for summary in analyse::summarise(&[&file], &self.baseline) {
            print!("{}", table::text(&summary, &self.baseline));
        }
        if failed > 0 { Err(format!("{failed} slices failed; see above")) } else { Ok(()) }
    }

    /// Who runs in `suite`: the baseline and, of the named contenders, those that the suite has.
    fn entrants(&self, suite: &Suite, this: &Path) -> Result<Vec<Entrant>, String> {
        let has = |label: &str| {
            let name = label.split_once('@').map_or(label, |(name, _)| name);
            suite.contenders.iter().any(|c| c.name == name)
        };
        let mut labels: Vec<&str> = vec![&self.baseline];
        if self.contenders.is_empty() {
            labels.extend(suite.contenders.iter().map(|c| c.name));
        } else {
            labels.extend(self.contenders.iter().map(String::as_str));
        }
        let mut entrants: Vec<Entrant> = Vec::new();
        for label in labels.into_iter().filter(|label| has(label)) {
            if entrants.iter().all(|e| e.label != label) {
                entrants.push(Entrant::parse(label, this));
            }
        }
        if !has(&self.baseline) {
            entrants.clear();
        }
        Ok(entrants)
    }

    fn check_names(&self, suites: &[(&Suite, Vec<Entrant>)]) -> Result<(), String> {
        for label in self.contenders.iter().chain([&self.baseline]) {
            if !suites.iter().any(|(_, entrants)| entrants.iter().any(|e| e.label == *label)) {
                return Err(format!("`{label}` runs in none of these suites beside `{}`; see `list`", self.baseline));
            }
        }
        Ok(())
    }
}

pub(crate) fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name"));
    name.and_then(|rest| rest.split_once(':')).map_or("unknown processor", |(_, name)| name.trim()).to_owned()
}
