//! The command line of `ipc`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use clap::{Args, Parser, Subcommand};
use ringmail_benches::pair_slice::Env;
use ringmail_benches::paired::analyse::{Summary, summarise};
use ringmail_benches::paired::data::{BUILD, RunFile, SuiteRun};
use ringmail_benches::paired::stats::{median_interval, quartiles};
use ringmail_benches::paired::table;

use crate::catalog::{CONTENDERS, MAPPED, ONE_PROCESS, SUITES, Suite, WAKE, select};
use crate::pair::Pairs;
use crate::rounds::Plan;
use crate::side;

/// Ringmail's mapped channel beside other ways to send a message to another process, in interleaved, floor-probed slices.
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
    /// One side of a slice; the runner starts it.
    #[command(hide = true)]
    Side { order: String },
}

/// A run.
#[derive(Debug, Args)]
struct Run {
    /// Suites, or `all`; `blocking` means every `blocking-…`.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "one-way,racing,blocking,rtt-8,rtt-256,rtt-racing,rtt-blocking"
    )]
    suite: Vec<String>,
    /// Only these, beside the baseline.
    #[arg(long, value_delimiter = ',')]
    contenders: Vec<String>,
    /// What ratios are relative to; above 1 means that the baseline is better.
    #[arg(long, default_value = MAPPED)]
    baseline: String,
    /// Rounds for each seed.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// One series of rounds for each.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    seeds: Vec<u64>,
    /// Length of a slice in milliseconds.
    #[arg(long, default_value_t = 20.0)]
    slice_ms: f64,
    /// Run a slice that will not count (outside the floor band, or not clean) again up to so many times.
    #[arg(long, default_value_t = 3)]
    retries: u32,
    /// Drop slices in which another program held one of the cores.
    #[arg(long)]
    clean: bool,
    /// The cores, SENDER,RECEIVER.
    #[arg(long, value_delimiter = ',', num_args = 2)]
    cores: Option<Vec<usize>>,
    /// Seconds after which a slice that has not ended is killed and reported.
    #[arg(long, default_value_t = 10.0)]
    patience: f64,
    /// Where to write the JSON; `paired report` reads it.
    #[arg(long)]
    json: Option<PathBuf>,
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
            Some(Command::Side { order }) => side::serve(&order),
            Some(Command::List) => {
                for suite in SUITES {
                    let names: Vec<_> = CONTENDERS.iter().copied().filter(|name| suite.has(name)).collect();
                    println!("{:<16} {}\n                 {}", suite.name, suite.about, names.join(", "));
                }
                Ok(())
            }
        }
    }
}

impl Run {
    fn execute(self) -> Result<(), String> {
        let mut suites: Vec<&Suite> = Vec::new();
        for name in &self.suite {
            let new = select(name)?.into_iter().filter(|new| suites.iter().all(|old| old.name != new.name));
            suites.extend(new.collect::<Vec<_>>());
        }
        for name in self.contenders.iter().chain([&self.baseline]) {
            if !CONTENDERS.contains(&name.as_str()) {
                return Err(format!("no contender `{name}`; there are {}", CONTENDERS.join(", ")));
            }
        }
        let program = env::current_exe().map_err(|e| format!("where is this program: {e}"))?;
        let plan = self.plan(&program)?;
        let mut file = RunFile {
            build: BUILD.into(),
            cores: plan.pairs.cores,
            cpu: cpu(),
            clean: self.clean,
            slice_ms: self.slice_ms,
            baseline: self.baseline.clone(),
            suites: Vec::new(),
        };
        for suite in suites {
            let wanted = |name: &str| {
                name == self.baseline || self.contenders.is_empty() || self.contenders.iter().any(|c| c == name)
            };
            let names: Vec<_> = CONTENDERS.iter().copied().filter(|name| suite.has(name) && wanted(name)).collect();
            let start = Instant::now();
            file.suites.push(plan.run(suite, &names));
            eprintln!("{} done in {:.1?}", suite.name, start.elapsed());
        }
        self.show(file)
    }

    fn plan<'a>(&self, program: &'a Path) -> Result<Plan<'a>, String> {
        let cores = match self.cores.as_deref() {
            Some(&[a, b]) if a != b => [a, b],
            Some(_) => return Err("each side needs a core of its own".into()),
            None => Env::detect().map(|env| [env.a, env.b])?,
        };
        Ok(Plan {
            pairs: Pairs { program, cores, patience: seconds(self.patience, "--patience")? },
            seeds: self.seeds.clone(),
            rounds: self.rounds,
            slice: seconds(self.slice_ms / 1e3, "--slice-ms")?,
            retries: self.retries,
            clean: self.clean,
        })
    }

    fn show(&self, file: RunFile) -> Result<(), String> {
        let failed: usize = file.suites.iter().map(|suite| suite.failures.len()).sum();
        if let Some(path) = &self.json {
            let text = serde_json::to_string(&file).map_err(|e| e.to_string())?;
            fs::write(path, text).map_err(|e| format!("writing {}: {e}", path.display()))?;
        }
        println!("cores {}→{}, {}; build: {}", file.cores[0], file.cores[1], file.cpu, file.build);
        let beside: Vec<_> = file.suites.iter().filter(|suite| suite.suite == WAKE).flat_map(beside).collect();
        let summaries = summarise(&[&file], &self.baseline);
        for summary in &summaries {
            print!("{}", table::text(summary, &self.baseline));
        }
        if self.baseline == MAPPED {
            let lines: Vec<_> = summaries.iter().filter_map(mapping).collect();
            if !lines.is_empty() {
                println!(
                    "\nWhat the mapping costs: two processes ÷ one, median of the ratios of a round, 95 % interval"
                );
                lines.iter().for_each(|line| println!("{line}"));
            }
        }
        if !beside.is_empty() {
            println!(
                "\nWhat a wake takes, ÷ that of the bare futex in the same slice: median, 95 % interval, quartiles"
            );
            beside.iter().for_each(|line| println!("{line}"));
        }
        if failed > 0 { Err(format!("{failed} slices failed; see above")) } else { Ok(()) }
    }
}

/// The figure of two processes over that of one: of a throughput, or of a round trip.
fn mapping(summary: &Summary) -> Option<String> {
    let ratio = summary.rows.iter().find(|row| row.contender == ONE_PROCESS)?.ratio.as_ref()?;
    // The table's ratio says how much better the baseline is.
    let [low, mid, high] = [ratio.interval[0], ratio.quartiles[1], ratio.interval[1]];
    let (what, [low, mid, high]) = if summary.lower_is_better {
        ("round trip", [1.0 / high, 1.0 / mid, 1.0 / low])
    } else {
        ("throughput", [low, mid, high])
    };
    Some(format!("{:<16} {what} {mid:.2} ({low:.2}–{high:.2}), {} pairs", summary.suite, ratio.pairs))
}

/// Each contender's wakes over those of the bare futex, which took turns with it between the same two processes.
fn beside(suite: &SuiteRun) -> Vec<String> {
    let line = |&who: &&str| {
        let mine = || suite.slices.iter().filter(|slice| slice.contender == who && slice.floor[0] > 0.0);
        let mut seeds: Vec<u64> = mine().map(|slice| slice.seed).collect();
        seeds.dedup();
        let of = |seed: u64| mine().filter(move |slice| slice.seed == seed).map(|slice| slice.value / slice.floor[0]);
        let groups: Vec<Vec<f64>> = seeds.iter().map(|&seed| of(seed).collect()).collect();
        let all = groups.concat();
        let ([low, mid, high], [from, to]) = (quartiles(&all)?, median_interval(&groups)?);
        Some(format!("{who:<28} {mid:.3} ({from:.3}–{to:.3}), quartiles {low:.3}–{high:.3}, {} slices", all.len()))
    };
    CONTENDERS.iter().filter_map(line).collect()
}

fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name"));
    name.and_then(|rest| rest.split_once(':')).map_or("unknown processor", |(_, name)| name.trim()).to_owned()
}
