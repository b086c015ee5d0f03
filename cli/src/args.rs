//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::latency;
use crate::measure::payload::PAYLOADS;
use crate::options::{Output, Wait};
use crate::placement::Placement;

/// Measures ringmail channels on the cores you name, and uses those between processes.
#[derive(Debug, Parser)]
#[command(name = "ringmail", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Round-trip latency of a channel pair between pinned threads, beside what the hardware itself takes
    #[command(long_about = LATENCY_LONG)]
    Latency(Box<Latency>),
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    #[command(flatten)]
    Shm(crate::shm::Verb),
    /// Prints the completions for a shell
    Completions { shell: Shell },
    /// Prints a manual page as roff, or writes all of them
    Man {
        /// The verb whose page it is, and one of its own, such as 'latency load' [default: the page of `ringmail`]
        verb: Vec<String>,
        /// Write the pages of all verbs into this folder instead
        #[arg(long, value_name = "FOLDER", conflicts_with = "verb")]
        folder: Option<PathBuf>,
    },
    /// The answering side of `latency ipc`, which starts it
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    #[command(hide = true)]
    AnswerLatency(crate::measure::process::Answer),
}

const LATENCY_LONG: &str = "\
Round-trip latency of a channel pair between pinned threads, beside what the hardware itself takes.

Two threads, each pinned to a core, pass one message back and forth over two
SPSC channels (closed loop, one message in flight). Figures are whole round
trips: nothing is halved. Every pair also passes a value without a channel, in
two ways: over two cache lines by loads and stores, and over one by
compare-and-swap, which is what core-to-core-latency measures and shows half
of. The one that takes less is the pair's floor. Slices of the floors alternate
with slices of the channel. The ratio is the median over the slices.

Each pair runs on memory that no earlier pair has used. A channel is built on
the pinned thread of its receiver, so that thread touches it first. Lines of the
floors likewise belong to the thread that reads them, or answers.

`mesh` uses one mesh of all the cores instead of two channels: the message goes
from endpoint to endpoint, while the endpoints of the other cores poll. Its
memory is freed after each visit, so a later pair may get it again.

`ipc` adds a second process. Its slices, over two channels in shared memory,
alternate with those of the threads and of the floor on the same two cores, so
that all ratios are of one run.";

const LATENCY_EXAMPLES: &str = "\
Examples:
  ringmail latency                                 every pair of the cores this process may use
  ringmail latency --cores 0-7,16 --cell p99       some cores; p99 in the cells
  ringmail latency --cores physical --html r.html  one core per SMT group; a page to share
  ringmail latency pair 0 4 --duration 10s         two cores in depth
  ringmail latency mesh --cell ratio               every pair through one mesh; cells over the floor
  ringmail latency ipc                             two processes beside two threads and the floor
  ringmail latency --json - | jq '.pairs[0]'       the report as data
  ringmail latency --pairs 0:8,8:0 --memory node:1 two directions; channels on one memory node
  ringmail latency env                             what to change on this machine before
  taskset -c 2,3 ringmail latency --quiet          inside a smaller set of cores

Exit codes:
  0    measured; if only in part, the report says so
  1    a pair could not be measured, or an output could not be written
  2    bad arguments, or fewer than two cores
  130  interrupted; what was measured so far is reported";

#[derive(Debug, Args)]
#[command(after_help = LATENCY_EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Latency {
    #[command(subcommand)]
    pub(crate) what: Option<What>,
    #[command(flatten)]
    pub(crate) pairs: Pairs,
}

/// Options of the verbs that measure round trips of pairs.
#[derive(Debug, Args)]
pub(crate) struct Pairs {
    /// Cores to test: a list such as 0-3,7 or physical, isolated, llc:0, l2:0, node:1, all, !3 [default: all allowed]
    #[arg(long, value_name = "LIST")]
    pub(crate) cores: Option<String>,
    /// Pairs to test, each A:B, such as 0:1,8:0; A sends first and keeps the time [default: every two cores, once]
    #[arg(long, value_name = "LIST", value_parser = directed)]
    pub(crate) pairs: Option<Directed>,
    /// Samples of each channel per pair [default: as many as the time budget allows]
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) samples: Option<u64>,
    /// Measuring time per pair, floor and channels together, such as 500ms or 2s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Time for the whole run; pairs that do not fit are left out and counted [default: 16s; 60s with --samples; as long
    /// as needed with --duration]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) time_budget: Option<Duration>,
    /// Bytes per message, all written and all read: 8, 16, 64, 256, 1024, 4096, 16384 or 65536
    #[arg(long, value_name = "BYTES", value_parser = payload, default_value = "8")]
    pub(crate) payload: usize,
    /// Slots per channel
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 20), default_value = "64")]
    pub(crate) capacity: u32,
    /// How a thread waits for a message (the floor always spins)
    #[arg(long, value_enum, default_value_t = Wait::Spin)]
    pub(crate) wait: Wait,
    /// Seed of the order in which pairs are measured [default: from the clock; the report states it]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) placement: Placement,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Pairs in the order of their cores; one value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directed(pub(crate) Vec<[usize; 2]>);

/// Reads `0:1,8:0`. A pair may come once; the same two cores the other way round are another pair.
fn directed(text: &str) -> Result<Directed, String> {
    const HELP: &str = "expected pairs of cores, such as 0:1,8:0";
    let mut pairs = Vec::new();
    for part in text.split(',') {
        let (a, b) = part.split_once(':').ok_or(HELP)?;
        let core = |text: &str| text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let pair = [core(a).ok_or(HELP)?, core(b).ok_or(HELP)?];
        if pairs.contains(&pair) {
            return Err(format!("{part} is there twice"));
        }
        pairs.push(pair);
    }
    Ok(Directed(pairs))
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Through a mesh of all the cores: endpoint to endpoint of each pair, while the others poll
    Mesh(Pairs),
    /// One pair only
    Pair {
        /// Core of the thread that sends first and keeps the time
        a: usize,
        /// Core of the thread that answers
        b: usize,
        #[command(flatten)]
        of: Pairs,
    },
    /// Between two processes, beside two threads on the same cores
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    Ipc {
        /// Core of the process that sends first and keeps the time [default: the first two cores]
        #[arg(requires = "b")]
        a: Option<usize>,
        /// Core of the process that answers
        b: Option<usize>,
        #[command(flatten)]
        of: Pairs,
    },
    /// Latency at a rate of messages, from the moment at which each was to be sent
    #[command(long_about = latency::LOAD_LONG)]
    Load(Box<latency::Load>),
    /// Time until a sleeping receiver runs
    Wake(Box<latency::Wake>),
    /// What each core does to a thread that only reads the clock
    Jitter(Box<latency::Jitter>),
    /// Whether this machine is fit to measure on, and what to change
    Env(latency::Fitness),
    /// Draws the report of an earlier run anew
    Report(Box<latency::Redraw>),
    /// Compares two runs
    Compare(Box<latency::Compare>),
    /// Tests this tool with latencies and stalls that are known
    #[command(long_about = latency::SELF_TEST_LONG)]
    SelfTest(latency::SelfTest),
}

/// Reads `100ns`, `250us`, `500ms`, `2s`, `1m` or `1h`; fractions such as `1.5s` too. Less than a microsecond and more than a day are refused.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const HELP: &str = "expected a number and a unit, such as 500ms or 2s (units: ns, us, ms, s, m, h)";
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(HELP)?;
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| HELP)?;
    let scale = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(HELP.into()),
    };
    let seconds = number * scale;
    if !(1e-6..=86_400.0).contains(&seconds) {
        return Err("must lie between 1us and one day (24h)".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

pub(crate) fn payload(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|bytes| PAYLOADS.contains(bytes))
        .ok_or_else(|| format!("must be one of {}", PAYLOADS.map(|bytes| bytes.to_string()).join(", ")))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_need_a_unit_and_a_sane_size() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(duration("2500ns"), Ok(Duration::from_nanos(2500)));
        assert_eq!(duration("250us"), Ok(Duration::from_micros(250)));
        for bad in
            ["", "5", "s", "-1s", "1.2.3s", "25h", "0s", "100ns", "0.1us", "99999999s", "nans", "1e3s", "1 s", "٣s"]
        {
            assert!(duration(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn pairs_have_a_direction() {
        assert_eq!(directed("0:1,8:0"), Ok(Directed(vec![[0, 1], [8, 0]])));
        assert_eq!(directed("0:1,1:0").unwrap().0.len(), 2);
        for bad in ["", "0", "0:", ":1", "0:1,", "0-1", "0:1:2", "+0:1", "0:1,0:1", "a:b", "99999999999999999999:0"] {
            assert!(directed(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn payload_must_be_a_compiled_size() {
        for bytes in PAYLOADS {
            assert_eq!(payload(&bytes.to_string()), Ok(bytes));
        }
        for bad in ["0", "7", "8192", "131072", "-8", "x"] {
            assert!(payload(bad).unwrap_err().contains("65536"));
        }
    }

    #[test]
    fn options_stand_behind_their_verb() {
        let what = |line: &str| {
            let cli = Cli::try_parse_from(line.split(' ')).ok()?;
            let Command::Latency(latency) = cli.command else { panic!("{line} is another verb") };
            latency.what
        };
        assert!(
            matches!(what("ringmail latency pair 0 4 --seed 7"), Some(What::Pair { a: 0, b: 4, of }) if of.seed == Some(7))
        );
        let error = Cli::try_parse_from("ringmail latency --seed 7 pair 0 4".split(' ')).unwrap_err();
        assert!(error.to_string().contains("--seed"), "{error}");
        assert!(
            matches!(what("ringmail latency mesh --cores 0-3"), Some(What::Mesh(of)) if of.cores.as_deref() == Some("0-3"))
        );
        assert!(what("ringmail latency mesh 0 1").is_none());
    }

    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    #[test]
    fn ipc_takes_two_cores_or_none_beside_the_list() {
        let cores = |line: &str| {
            let cli = Cli::try_parse_from(line.split(' ')).ok()?;
            let Command::Latency(latency) = cli.command else { panic!("{line} is another verb") };
            let What::Ipc { a, b, of } = latency.what? else { panic!("{line} is another verb") };
            Some((a.zip(b), of.cores))
        };
        assert_eq!(cores("ringmail latency ipc"), Some((None, None)));
        assert_eq!(cores("ringmail latency ipc 4 0"), Some((Some((4, 0)), None)));
        assert_eq!(cores("ringmail latency ipc --cores 0-3"), Some((None, Some("0-3".into()))));
        assert_eq!(cores("ringmail latency ipc 4"), None);
        assert_eq!(cores("ringmail latency ipc 4 0 1"), None);
    }

    #[test]
    fn samples_and_duration_exclude_each_other() {
        assert!(Cli::try_parse_from("ringmail latency --samples 5 --duration 1s".split(' ')).is_err());
    }
}
