//! `ringmail latency env`: whether this machine is fit to measure tail latencies on, and what to change.
//!
//! ```text
//!   Fitness ──> Under (cores, root) ──> look once: boot, power, kernel, limits ──┐
//!                      └──> Observation, window, Observation: sharing ───────────┴──> checks ──> verdict ──> draw, JSON
//! ```

mod boot;
mod draw;
mod kernel;
mod limits;
mod observe;
mod power;
mod sharing;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use ringmail::affinity::Topology;
use serde::Serialize;

use crate::args::duration;
use crate::checks::{self, Check, State};
use crate::env::Env;
use crate::env::cgroup::{Throttling, is_visible};
use crate::env::root::Root;
use crate::failure::Failure;
use crate::options::When;
use crate::output;
use crate::report::{CoreInfo, LeftOut};
use crate::topology::{choose, ordered};
use observe::Observation;
use verdict::Verdict;

/// Version of the JSON layout. It grows when a field changes its meaning or is removed, not when one is added.
const SCHEMA: u32 = 1;

/// The machine is read, and watched for a moment. Nothing is measured, and nothing changed.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Fitness {
    /// Cores to judge: a list as of `ringmail latency --cores` [default: all allowed]
    #[arg(long, value_name = "LIST")]
    cores: Option<String>,
    /// How long to watch interrupts and other work on the cores
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1s")]
    window: Duration,
    /// Exit with code 1 if anything is warned of
    #[arg(long)]
    strict: bool,
    /// Write the checks as JSON ('-' is standard output)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    json: Option<PathBuf>,
    /// Colour on the terminal; NO_COLOR is honoured when auto
    #[arg(long, value_enum, default_value_t = When::Auto, help_heading = "Output")]
    color: When,
    /// ASCII characters only
    #[arg(long, help_heading = "Output")]
    ascii: bool,
    /// The verdict, and what is warned of
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

const HELP: &str = "\
A check is ok, warn or unknown. What the system does not say, as in many
containers, is unknown, and no failure.

Examples:
  ringmail latency env                             the cores this process may use
  ringmail latency env --cores 2-3 --window 10s    two cores, watched for longer
  ringmail latency env --strict --quiet            before a run in a script
  ringmail latency env --json - | jq '.checks[] | select(.state == \"warn\")'

Exit codes:
  0  judged; with --strict, nothing is warned of
  1  with --strict, something is; or the output could not be written
  2  bad arguments";

/// What was found. It holds no name of the machine, its users or its files but those of the kernel.
#[derive(Debug, Serialize)]
struct Findings {
    schema: u32,
    version: &'static str,
    /// Seconds since 1970-01-01 UTC.
    started_unix_s: u64,
    window_s: f64,
    cores: Vec<usize>,
    verdict: Verdict,
    /// What limits it, in one sentence.
    sentence: String,
    checks: Vec<Check>,
}

/// The cores that are judged.
struct Under<'a> {
    root: Root<'a>,
    cores: Vec<CoreInfo>,
    /// Ascending.
    ids: Vec<usize>,
    left_out: Vec<LeftOut>,
}

pub(crate) fn run(args: &Fitness) -> Result<ExitCode, Failure> {
    let topology = Topology::detect().map_err(|error| Failure::failed(error.to_string()))?;
    let (ids, left_out) = choose(&topology, args.cores.as_deref())?;
    let under = Under { root: Root(Path::new("/")), cores: ordered(&topology, &ids), ids, left_out };
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let checks = under.checks(|| std::thread::sleep(args.window));
    let (verdict, sentence) = verdict::find(&checks, &under.ids);
    let findings = Findings {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        started_unix_s: since_epoch.as_secs(),
        window_s: args.window.as_secs_f64(),
        cores: under.ids,
        verdict,
        sentence,
        checks,
    };
    let mut stdout_is_free = true;
    if let Some(path) = &args.json {
        let mut text = serde_json::to_string_pretty(&findings)
            .map_err(|error| Failure::failed(format!("the checks could not be put into JSON: {error}")))?;
        text.push('\n');
        stdout_is_free = !output::write_one("--json", path, &text)?;
    }
    if stdout_is_free {
        let text = draw::draw(&findings, output::look(args.color, args.ascii, args.quiet));
        output::to_stdout(&text)
            .map_err(|error| Failure::failed(format!("cannot write to standard output: {error}")))?;
    }
    let warned = findings.checks.iter().any(|check| check.state == State::Warn);
    Ok(ExitCode::from(u8::from(args.strict && warned)))
}

impl Under<'_> {
    /// Every check, those that harm most first. `wait` lets the window go by.
    fn checks(&self, wait: impl FnOnce()) -> Vec<Check> {
        let root = self.root;
        let mut env = Env::read(root);
        env.read_cores(root, &self.ids);
        let (before, throttling) = (Observation::read(root), Throttling::read(root));
        wait();
        let meanwhile = Observation::read(root).since(&before);
        env.throttled = Throttling::read(root).since(&throttling);
        env.steal_share = meanwhile.steal_share;
        let (quota, throttling) = match (is_visible(root), &env.quota) {
            (false, _) => (Check::unknown("CPU quota"), Check::unknown("throttling")),
            (true, None) if env.throttled.is_none() => {
                (checks::quota(&env, 0), Check::ok("throttling", "no quota, no throttling"))
            }
            // Two threads are what a round trip takes.
            (true, _) => (checks::quota(&env, self.ids.len().min(2)), checks::throttling(&env)),
        };
        let mut all = vec![
            checks::left_out(&self.left_out),
            quota,
            throttling,
            checks::virtual_machine(&env),
            checks::steal(&env),
            sharing::other_work(self, &meanwhile),
            checks::load(&env),
            checks::smt_pairs(&self.cores),
            sharing::busy_siblings(self, &meanwhile),
            boot::isolation(self),
            boot::tickless(self),
            boot::rcu(self),
            sharing::interrupts(self, &meanwhile),
            boot::interrupt_affinity(self, &meanwhile),
            power::idle_states(self),
            checks::governor(&env),
            power::preference(self),
            power::boost(self),
            checks::clocksource(&env),
        ];
        all.extend(limits::checks(root));
        all.extend(kernel::checks(self));
        all
    }
}

#[cfg(test)]
mod tests;
