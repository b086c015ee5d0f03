//! The command line of `neighbours`.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use clap::{Args, Parser, Subcommand};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::between::Receiver;
use super::child::Request;
use super::crew::Neighbours;
use super::data::RunFile;
use super::rounds::Plan;
use super::rows::{ROWS, Row, select};
use super::table::{self, Style};
use crate::paired::child::die_with_parent;
use crate::paired::cli::cpu;
use crate::paired::pool::Entrant;

/// How channels wait while threads that compute share their cores.
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
    /// Lists the rows and their contenders.
    List,
    /// Prints the tables of one or several runs, from their JSON.
    Report {
        /// Runs, whose rounds are taken together: of several builds, or at several times.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// As Markdown.
        #[arg(long)]
        markdown: bool,
    },
    /// One slice's process; the runner starts it.
    #[command(hide = true)]
    Child(Request),
    /// The computing process; the runner starts it.
    #[command(hide = true)]
    Compute { neighbours: Neighbours, cores: Vec<usize> },
    /// The receiving process of a row between processes; the slice's process starts it.
    #[command(hide = true)]
    Receiver(Receiver),
}

/// A run.
#[derive(Debug, Args)]
struct Run {
    /// Rows, or `all`; `flow` means every `flow-…`.
    #[arg(long, value_delimiter = ',', default_value = "all")]
    only: Vec<String>,
    /// What computes on each core: `none`; N threads of the same priority; `N-idle` of the lowest (SCHED_IDLE), `N-nice` of nice 19,
    /// `N-own` of the same priority in the contender's own process.
    #[arg(long, value_delimiter = ',', default_value = "none,1,2,1-idle")]
    neighbours: Vec<Neighbours>,
    /// Rounds; each runs every contender once beside each crew.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Length of a slice in seconds, 0.001 to 60, its warm-up not counted; by default 0.25, and 1 in rows that settle slowly.
    #[arg(long, value_parser = parse_seconds)]
    seconds: Option<Duration>,
    /// Seconds of warm-up before each slice; a quarter of its length by default. A policy that learns for seconds wants more.
    #[arg(long, value_parser = parse_time)]
    warm_up: Option<Duration>,
    /// Only these; `NAME@PROGRAM` runs NAME of another build of this program.
    #[arg(long, value_delimiter = ',')]
    contenders: Vec<String>,
    /// The cores that everything runs on, two at least; the first two that this process may use by default.
    #[arg(long, value_delimiter = ',')]
    cores: Vec<usize>,
    /// The order of contenders and crews.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Begin no round that would probably end after so many seconds.
    #[arg(long, value_parser = parse_time)]
    time_budget: Option<Duration>,
    /// Seconds beyond twice its length after which a slice is killed and reported.
    #[arg(long, default_value = "10", value_parser = parse_time)]
    patience: Duration,
    /// Where to write every figure of every slice as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// The same as lines of comma-separated values.
    #[arg(long)]
    csv: Option<PathBuf>,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|e| format!("seconds: {e}"))?;
    Duration::try_from_secs_f64(seconds).map_err(|e| format!("seconds: {e}"))
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let length = parse_time(text)?;
    let allowed = Duration::from_millis(1)..=Duration::from_secs(60);
    if allowed.contains(&length) { Ok(length) } else { Err("a slice takes 0.001 to 60 seconds".into()) }
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
                for row in ROWS {
                    let names: Vec<_> = row.contenders.iter().map(|entry| entry.name).collect();
                    println!("{:<16} {}\n                 {}", row.name, row.about, names.join(", "));
                }
                Ok(())
            }
            Some(Command::Report { files, markdown }) => report(&files, markdown),
            Some(Command::Child(request)) => request.execute(),
            Some(Command::Compute { neighbours, cores }) => neighbours.serve(&cores),
            Some(Command::Receiver(receiver)) => {
                die_with_parent();
                receiver.execute()
            }
        }
    }
}

impl Run {
    fn execute(self) -> Result<(), String> {
        let this = env::current_exe().map_err(|e| format!("where is this program: {e}"))?;
        let plan = self.plan(&this)?;
        stay_on(&plan.cores)?;
        let mut file = RunFile {
            arguments: env::args().skip(1).collect(),
            cpu: cpu(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            cores: plan.cores.clone(),
            seed: plan.seed,
            ..RunFile::default()
        };
        eprintln!("{} rounds of about {:.0?} each", plan.rounds, plan.round_length());
        plan.run(&this, &mut file)?;
        if let Some(path) = &self.json {
            let text = serde_json::to_string(&file).map_err(|e| e.to_string())?;
            write(path, &text)?;
        }
        if let Some(path) = &self.csv {
            write(path, &file.csv())?;
        }
        print!("{}{}", header(&file), table::all(&file, Style::Text));
        match file.failures.len() {
            0 => Ok(()),
            failed => Err(format!("{failed} slices failed; see above")),
        }
    }

    fn plan(&self, this: &Path) -> Result<Plan, String> {
        let mut rows: Vec<(&Row, Vec<Entrant>)> = Vec::new();
        for name in &self.only {
            for row in select(name)? {
                if rows.iter().all(|(chosen, _)| chosen.name != row.name) {
                    rows.push((row, self.entrants(row, this)));
                }
            }
        }
        for label in &self.contenders {
            if !rows.iter().any(|(_, entrants)| entrants.iter().any(|entrant| entrant.label == *label)) {
                return Err(format!("`{label}` runs in none of these rows; see `list`"));
            }
        }
        rows.retain(|(_, entrants)| !entrants.is_empty());
        let mut neighbours: Vec<Neighbours> = Vec::new();
        for wanted in &self.neighbours {
            if !neighbours.contains(wanted) {
                neighbours.push(*wanted);
            }
        }
        Ok(Plan {
            rows,
            neighbours,
            cores: self.cores()?,
            rounds: self.rounds,
            seed: self.seed,
            warm_up: self.warm_up,
            length: self.seconds,
            budget: self.time_budget,
            patience: self.patience,
        })
    }

    /// The contenders of the row, or those of it that were named.
    fn entrants(&self, row: &Row, this: &Path) -> Vec<Entrant> {
        let has = |entrant: &Entrant| row.find(&entrant.contender).is_some();
        if self.contenders.is_empty() {
            return row.contenders.iter().map(|entry| Entrant::parse(entry.name, this)).collect();
        }
        self.contenders.iter().map(|label| Entrant::parse(label, this)).filter(has).collect()
    }

    fn cores(&self) -> Result<Vec<usize>, String> {
        let allowed: Vec<usize> =
            core_affinity::get_core_ids().unwrap_or_default().iter().map(|core| core.id).collect();
        let mut cores = self.cores.clone();
        if cores.is_empty() {
            cores.extend(allowed.iter().take(2));
        }
        cores.sort_unstable();
        cores.dedup();
        if let Some(core) = cores.iter().find(|core| !allowed.contains(core)) {
            return Err(format!("this process may not use core {core}, only {allowed:?}"));
        }
        if cores.len() < 2 {
            return Err(format!("two cores are needed, not {cores:?} only"));
        }
        Ok(cores)
    }
}

fn header(file: &RunFile) -> String {
    let RunFile { arguments, cpu, kernel, cores, .. } = file;
    format!("cores {cores:?}, {cpu}, Linux {kernel}: {}\n", arguments.join(" "))
}

fn report(files: &[PathBuf], markdown: bool) -> Result<(), String> {
    let mut all = RunFile::default();
    for path in files {
        let text = fs::read_to_string(path).map_err(|e| format!("reading {}: {e}", path.display()))?;
        let file: RunFile = serde_json::from_str(&text).map_err(|e| format!("{} is no run: {e}", path.display()))?;
        print!("{}", header(&file));
        all.add(file);
    }
    print!("{}", table::all(&all, if markdown { Style::Markdown } else { Style::Text }));
    Ok(())
}

/// Keeps this process, and those that it starts, on these cores.
fn stay_on(cores: &[usize]) -> Result<(), String> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None, &set).map_err(|e| format!("the cores {cores:?}: {e}"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("writing {}: {e}", path.display()))
}
