//! The command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::measure::payload::PAYLOADS;
use crate::options::{Output, Wait};

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
    /// Prints a manual page as roff
    Man {
        /// The verb whose page it is [default: the page of `ringmail`]
        verb: Option<String>,
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
trips: nothing is halved. Every pair also gets its floor: two cache lines, plain
loads and stores, no channel. Slices of the floor alternate with slices of the
channel. The ratio is the median over the slices.

Each pair runs on memory that no earlier pair has used. A channel is built on
the pinned thread of its receiver, so that thread touches it first. A line of
the floor is likewise allocated by the thread that reads it.

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
  taskset -c 2,3 ringmail latency --quiet          inside a smaller set of cores

Exit codes:
  0    measured; if only in part, the report says so
  1    a pair could not be measured, or an output could not be written
  2    bad arguments, or fewer than two cores
  130  interrupted; what was measured so far is reported";

#[derive(Debug, Args)]
#[command(after_help = LATENCY_EXAMPLES, args_conflicts_with_subcommands = false)]
pub(crate) struct Latency {
    #[command(subcommand)]
    pub(crate) what: Option<What>,
    /// Cores to test: a list such as 0-3,7 or physical, isolated, llc:0, node:1, all, !3 [default: all allowed]
    #[arg(long, value_name = "LIST", global = true)]
    pub(crate) cores: Option<String>,
    /// Samples of each channel per pair [default: as many as the time budget allows]
    #[arg(long, value_name = "N", global = true, conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) samples: Option<u64>,
    /// Measuring time per pair, floor and channels together, such as 500ms or 2s
    #[arg(long, value_name = "TIME", global = true, value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Time for the whole run; pairs that do not fit are left out and counted [default: 16s; 60s with --samples; as long
    /// as needed with --duration]
    #[arg(long, value_name = "TIME", global = true, value_parser = duration)]
    pub(crate) time_budget: Option<Duration>,
    /// Bytes per message, all written and all read: 8, 16, 32, 64, 128, 256, 512 or 1024
    #[arg(long, value_name = "BYTES", global = true, value_parser = payload, default_value = "8")]
    pub(crate) payload: usize,
    /// Slots per channel
    #[arg(long, value_name = "N", global = true, value_parser = clap::value_parser!(u32).range(1..=1 << 20), default_value = "64")]
    pub(crate) capacity: u32,
    /// How a thread waits for a message (the floor always spins)
    #[arg(long, global = true, value_enum, default_value_t = Wait::Spin)]
    pub(crate) wait: Wait,
    /// Seed of the order in which pairs are measured [default: from the clock; the report states it]
    #[arg(long, value_name = "N", global = true)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Through a mesh of all the cores: endpoint to endpoint of each pair, while the others poll
    Mesh,
    /// One pair only
    Pair {
        /// Core of the thread that sends first and keeps the time
        a: usize,
        /// Core of the thread that answers
        b: usize,
    },
    /// Between two processes, beside two threads on the same cores
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    Ipc {
        /// Core of the process that sends first and keeps the time [default: the first two cores]
        #[arg(requires = "b")]
        a: Option<usize>,
        /// Core of the process that answers
        b: Option<usize>,
    },
}

impl What {
    /// The subcommand, and the cores that it names.
    pub(crate) fn cores(&self) -> (&'static str, Option<[usize; 2]>) {
        match self {
            Self::Mesh => ("mesh", None),
            Self::Pair { a, b } => ("pair", Some([*a, *b])),
            #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
            Self::Ipc { a, b } => ("ipc", a.zip(*b).map(|(a, b)| [a, b])),
        }
    }
}

impl Latency {
    /// Whether to measure also between two processes.
    pub(crate) fn between_processes(&self) -> bool {
        self.what.as_ref().is_some_and(|what| what.cores().0 == "ipc")
    }

    /// Whether to measure through a mesh of all cores.
    pub(crate) fn through_a_mesh(&self) -> bool {
        matches!(self.what, Some(What::Mesh))
    }
}

/// Reads `250us`, `500ms`, `2s` or `1m`; fractions such as `1.5s` too. Zero and more than a day are refused.
fn duration(text: &str) -> Result<Duration, String> {
    const HELP: &str = "expected a number and a unit, such as 500ms or 2s (units: us, ms, s, m)";
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(HELP)?;
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| HELP)?;
    let scale = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(HELP.into()),
    };
    let seconds = number * scale;
    if !(1e-6..=86_400.0).contains(&seconds) {
        return Err("must lie between 1us and one day (1440m)".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn payload(text: &str) -> Result<usize, String> {
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
        assert_eq!(duration("250us"), Ok(Duration::from_micros(250)));
        for bad in ["", "5", "s", "-1s", "1.2.3s", "1h", "0s", "0.1us", "99999999s", "nans", "1e3s", "1 s", "٣s"] {
            assert!(duration(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn payload_must_be_a_compiled_size() {
        for bytes in PAYLOADS {
            assert_eq!(payload(&bytes.to_string()), Ok(bytes));
        }
        for bad in ["0", "7", "2048", "-8", "x"] {
            assert!(payload(bad).unwrap_err().contains("1024"));
        }
    }

    #[test]
    fn flags_may_stand_before_or_after_pair() {
        for line in ["ringmail latency pair 0 4 --seed 7", "ringmail latency --seed 7 pair 0 4"] {
            let Command::Latency(latency) = Cli::try_parse_from(line.split(' ')).unwrap().command else {
                panic!("{line} is another verb");
            };
            assert_eq!(latency.seed, Some(7));
            assert!(matches!(latency.what, Some(What::Pair { a: 0, b: 4 })));
        }
    }

    #[test]
    fn mesh_takes_cores_by_the_list_alone() {
        let mesh = |line: &str| {
            let cli = Cli::try_parse_from(line.split(' ')).ok()?;
            let Command::Latency(latency) = cli.command else { panic!("{line} is another verb") };
            assert!(latency.through_a_mesh() && !latency.between_processes());
            Some(latency.cores)
        };
        assert_eq!(mesh("ringmail latency mesh"), Some(None));
        assert_eq!(mesh("ringmail latency mesh --cores 0-3"), Some(Some("0-3".into())));
        assert_eq!(mesh("ringmail latency mesh 0 1"), None);
    }

    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    #[test]
    fn ipc_takes_two_cores_or_none_beside_the_list() {
        let cores = |line: &str| {
            let cli = Cli::try_parse_from(line.split(' ')).ok()?;
            let Command::Latency(latency) = cli.command else { panic!("{line} is another verb") };
            assert!(latency.between_processes());
            Some((latency.what?.cores().1, latency.cores))
        };
        assert_eq!(cores("ringmail latency ipc"), Some((None, None)));
        assert_eq!(cores("ringmail latency ipc 4 0"), Some((Some([4, 0]), None)));
        assert_eq!(cores("ringmail latency ipc --cores 0-3"), Some((None, Some("0-3".into()))));
        assert_eq!(cores("ringmail latency ipc 4"), None);
        assert_eq!(cores("ringmail latency ipc 4 0 1"), None);
    }

    #[test]
    fn samples_and_duration_exclude_each_other() {
        assert!(Cli::try_parse_from("ringmail latency --samples 5 --duration 1s".split(' ')).is_err());
    }
}
