//! Which contender runs which workload.

use std::time::Duration;

use super::bare::Futex;
use super::job::{Job, Reply};
use super::{arm, between, budget, flow, poll, request, slow, tick, timed, wake};
use crate::peers::{
    AsyncChannel, Crossbeam, CrossfireAsync, CrossfireBlocking, CrossfireMpsc, CrossfireMpscAsync, Flume, KanalAsync,
    KanalSync, Ringmail, RingmailAtOnce, RingmailFanIn, RingmailFanInAtOnce, RingmailMpsc, RingmailMpscAtOnce, StdSync,
    Tokio,
};

/// What a column's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Nanoseconds; less is better.
    Time,
    /// Messages a second; more is better.
    Rate,
    /// A number for each message; less is better.
    Count,
}

/// One figure of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    /// Of several rounds the worst stands, not the median.
    pub(super) worst: bool,
}

const fn time(name: &'static str) -> Column {
    Column { name, unit: Unit::Time, worst: false }
}

const fn count(name: &'static str) -> Column {
    Column { name, unit: Unit::Count, worst: false }
}

const WORST: Column = Column { name: "worst", unit: Unit::Time, worst: true };
const POLLS: &[Column] = &[time("median"), time("p99.9"), WORST, time("first"), count("yields")];
const TIMES: &[Column] = &[time("median"), time("p99"), WORST];
const LIMITS: &[Column] = &[time("median"), WORST];
const RATE: &[Column] = &[Column { name: "messages/s", unit: Unit::Rate, worst: false }];
const USAGE: &[Column] = &[
    time("CPU, both"),
    time("receiver"),
    time("sender"),
    count("parks"),
    count("preempted"),
    count("yields"),
    count("IPIs"),
];

/// What a contender is beside the others of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Of this crate.
    Ours,
    /// Of another.
    Peer,
    /// What the system gives without any channel.
    Bare,
}

/// A contender of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) standing: Standing,
    pub(super) run: fn(&Job) -> Reply,
}

/// A workload and its contenders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) columns: &'static [Column],
    /// How long a slice is, if the command line does not say.
    pub(super) length: Duration,
    pub(super) contenders: &'static [Entry],
}

impl Row {
    /// The contender of that label: `NAME`, or `NAME@PROGRAM` of another build.
    pub(super) fn find(&self, label: &str) -> Option<&'static Entry> {
        let name = label.split_once('@').map_or(label, |(name, _)| name);
        self.contenders.iter().find(|entry| entry.name == name)
    }
}

/// A row of calls that take microseconds.
const SHORT: Duration = Duration::from_millis(250);
/// A row that settles slowly: a flow of more threads than cores stays for long in one of several ways to take turns.
const LONG: Duration = Duration::from_secs(1);

/// `standing name => slice` rows.
macro_rules! entries {
    ($($standing:ident $name:literal => $run:expr),+ $(,)?) => {
        &[$(Entry { name: $name, standing: Standing::$standing, run: $run }),+]
    };
}

const IDLE: &[Entry] = entries![
    Ours "ringmail" => poll::idle::<Ringmail>,
    Ours "ringmail-at-once" => poll::idle::<RingmailAtOnce>,
    Peer "crossfire" => poll::idle::<CrossfireAsync>,
    Peer "kanal" => poll::idle::<KanalAsync>,
    Peer "flume" => poll::idle::<Flume>,
    Peer "tokio" => poll::idle::<Tokio>,
    Peer "async-channel" => poll::idle::<AsyncChannel>,
];

const IDLE_MANY: &[Entry] = entries![
    Ours "ringmail-mpsc" => poll::idle::<RingmailMpsc>,
    Ours "ringmail-mpsc-at-once" => poll::idle::<RingmailMpscAtOnce>,
    Ours "ringmail-fan-in" => poll::idle::<RingmailFanIn>,
    Ours "ringmail-fan-in-at-once" => poll::idle::<RingmailFanInAtOnce>,
    Ours "ringmail-mesh" => poll::mesh::<false>,
    Ours "ringmail-mesh-at-once" => poll::mesh::<true>,
    Peer "crossfire" => poll::idle::<CrossfireMpscAsync>,
    Peer "kanal" => poll::idle::<KanalAsync>,
    Peer "tokio" => poll::idle::<Tokio>,
];

const USED: &[Entry] = entries![
    Ours "ringmail" => poll::used::<Ringmail>,
    Ours "ringmail-at-once" => poll::used::<RingmailAtOnce>,
    Ours "ringmail-mpsc" => poll::used::<RingmailMpsc>,
    Ours "ringmail-fan-in" => poll::used::<RingmailFanIn>,
    Peer "crossfire" => poll::used::<CrossfireAsync>,
    Peer "kanal" => poll::used::<KanalAsync>,
    Peer "flume" => poll::used::<Flume>,
    Peer "tokio" => poll::used::<Tokio>,
    Peer "async-channel" => poll::used::<AsyncChannel>,
];

const FULL: &[Entry] = entries![
    Ours "ringmail" => poll::full::<Ringmail>,
    Ours "ringmail-at-once" => poll::full::<RingmailAtOnce>,
    Ours "ringmail-mpsc" => poll::full::<RingmailMpsc>,
    Ours "ringmail-fan-in" => poll::full::<RingmailFanIn>,
    Peer "crossfire" => poll::full::<CrossfireAsync>,
    Peer "kanal" => poll::full::<KanalAsync>,
    Peer "flume" => poll::full::<Flume>,
    Peer "tokio" => poll::full::<Tokio>,
    Peer "async-channel" => poll::full::<AsyncChannel>,
];

const MILLI: &[Entry] = entries![
    Bare "sleep" => timed::bare_sleep,
    Ours "ringmail" => timed::one_milli::<Ringmail>,
    Ours "ringmail-at-once" => timed::one_milli::<RingmailAtOnce>,
    Ours "ringmail-mpsc" => timed::one_milli::<RingmailMpsc>,
    Ours "ringmail-fan-in" => timed::one_milli::<RingmailFanIn>,
    Peer "std" => timed::one_milli::<StdSync>,
    Peer "crossbeam" => timed::one_milli::<Crossbeam>,
    Peer "crossfire" => timed::one_milli::<CrossfireBlocking>,
    Peer "flume" => timed::one_milli::<Flume>,
    Peer "kanal" => timed::one_milli::<KanalSync>,
];

const ZERO: &[Entry] = entries![
    Ours "ringmail" => timed::zero::<Ringmail>,
    Ours "ringmail-at-once" => timed::zero::<RingmailAtOnce>,
    Ours "ringmail-mpsc" => timed::zero::<RingmailMpsc>,
    Ours "ringmail-fan-in" => timed::zero::<RingmailFanIn>,
    Peer "std" => timed::zero::<StdSync>,
    Peer "crossbeam" => timed::zero::<Crossbeam>,
    Peer "crossfire" => timed::zero::<CrossfireBlocking>,
    Peer "flume" => timed::zero::<Flume>,
    Peer "kanal" => timed::zero::<KanalSync>,
];

const REQUESTS: &[Entry] = entries![
    Ours "ringmail" => request::blocking::<Ringmail>,
    Ours "ringmail-at-once" => request::blocking::<RingmailAtOnce>,
    Ours "ringmail-mpsc" => request::blocking::<RingmailMpsc>,
    Ours "ringmail-fan-in" => request::blocking::<RingmailFanIn>,
    Peer "std" => request::blocking::<StdSync>,
    Peer "crossbeam" => request::blocking::<Crossbeam>,
    Peer "crossfire" => request::blocking::<CrossfireBlocking>,
    Peer "flume" => request::blocking::<Flume>,
    Peer "kanal" => request::blocking::<KanalSync>,
    Peer "tokio" => request::blocking::<Tokio>,
];

const WAKES: &[Entry] = entries![
    Bare "futex" => wake::blocking::<Futex>,
    Ours "ringmail" => wake::blocking::<Ringmail>,
    Ours "ringmail-at-once" => wake::blocking::<RingmailAtOnce>,
    Ours "ringmail-mpsc" => wake::blocking::<RingmailMpsc>,
    Ours "ringmail-fan-in" => wake::blocking::<RingmailFanIn>,
    Peer "std" => wake::blocking::<StdSync>,
    Peer "crossbeam" => wake::blocking::<Crossbeam>,
    Peer "crossfire" => wake::blocking::<CrossfireBlocking>,
    Peer "flume" => wake::blocking::<Flume>,
    Peer "kanal" => wake::blocking::<KanalSync>,
    Peer "tokio" => wake::blocking::<Tokio>,
];

const TICKS: &[Entry] = entries![
    Bare "ticker-alone" => tick::alone,
    Ours "ringmail" => tick::receiving::<Ringmail>,
    Ours "ringmail-at-once" => tick::receiving::<RingmailAtOnce>,
    Ours "ringmail-mpsc" => tick::receiving::<RingmailMpsc>,
    Ours "ringmail-fan-in" => tick::receiving::<RingmailFanIn>,
    Peer "flume" => tick::receiving::<Flume>,
    Peer "tokio" => tick::receiving::<Tokio>,
    Peer "async-channel" => tick::receiving::<AsyncChannel>,
];

const fn flows<const CAPACITY: usize>() -> &'static [Entry] {
    entries![
        Ours "ringmail-mpsc" => flow::blocking::<RingmailMpsc, 4, CAPACITY>,
        Ours "ringmail-mpsc-at-once" => flow::blocking::<RingmailMpscAtOnce, 4, CAPACITY>,
        Ours "ringmail-fan-in" => flow::blocking::<RingmailFanIn, 4, CAPACITY>,
        Ours "ringmail-fan-in-at-once" => flow::blocking::<RingmailFanInAtOnce, 4, CAPACITY>,
        Peer "std" => flow::blocking::<StdSync, 4, CAPACITY>,
        Peer "crossbeam" => flow::blocking::<Crossbeam, 4, CAPACITY>,
        Peer "crossfire" => flow::blocking::<CrossfireMpsc, 4, CAPACITY>,
        Peer "flume" => flow::blocking::<Flume, 4, CAPACITY>,
        Peer "kanal" => flow::blocking::<KanalSync, 4, CAPACITY>,
        Peer "tokio" => flow::blocking::<Tokio, 4, CAPACITY>,
    ]
}

const fn streams<const MICROS: u64>() -> &'static [Entry] {
    entries![
        Bare "futex" => slow::in_process::<Futex, MICROS>,
        Ours "ringmail" => slow::in_process::<Ringmail, MICROS>,
        Ours "ringmail-at-once" => slow::in_process::<RingmailAtOnce, MICROS>,
        Ours "ringmail-mpsc" => slow::in_process::<RingmailMpsc, MICROS>,
        Peer "std" => slow::in_process::<StdSync, MICROS>,
        Peer "crossbeam" => slow::in_process::<Crossbeam, MICROS>,
        Peer "flume" => slow::in_process::<Flume, MICROS>,
        Peer "tokio" => slow::in_process::<Tokio, MICROS>,
    ]
}

const fn between_processes<const MICROS: u64>() -> &'static [Entry] {
    entries![
        Ours "ringmail-shm" => between::stream::<1, MICROS>,
        Ours "ringmail-shm-at-once" => between::stream::<2, MICROS>,
        Peer "pipe" => between::stream::<0, MICROS>,
    ]
}

const BUDGETS: &[Entry] = entries![
    Ours "ringmail" => budget::receiving::<Ringmail>,
    Ours "ringmail-mpsc" => budget::receiving::<RingmailMpsc>,
    Ours "ringmail-fan-in" => budget::receiving::<RingmailFanIn>,
    Peer "tokio" => budget::receiving::<Tokio>,
    Peer "flume" => budget::receiving::<Flume>,
    Peer "async-channel" => budget::receiving::<AsyncChannel>,
];

const ARMS: &[Entry] = entries![
    Ours "ringmail" => arm::event::<false>,
    Ours "ringmail-fence" => arm::event::<true>,
    Peer "tokio-notify" => arm::notify::<false>,
];

const FRESH_ARMS: &[Entry] = entries![
    Ours "ringmail" => arm::fresh::<false>,
    Ours "ringmail-fence" => arm::fresh::<true>,
    Peer "tokio-notify" => arm::notify::<true>,
];

const fn row(
    name: &'static str,
    about: &'static str,
    columns: &'static [Column],
    length: Duration,
    contenders: &'static [Entry],
) -> Row {
    Row { name, about, columns, length, contenders }
}

/// Every row.
pub(super) const ROWS: &[Row] = &[
    row("poll", "a pending poll of a receive, on a channel that stays empty", POLLS, SHORT, IDLE),
    row("poll-many", "the same, of channels with several senders", POLLS, SHORT, IDLE_MANY),
    row("poll-used", "a pending poll of a receive, after one that found a message", POLLS, SHORT, USED),
    row("poll-send", "a pending poll of a send, on a channel that stays full", POLLS, SHORT, FULL),
    row("timed", "recv_timeout(1 ms) on an empty channel", TIMES, SHORT, MILLI),
    row("timed-zero", "recv_timeout(0) on an empty channel", POLLS, SHORT, ZERO),
    row("request", "request and answer with 20 µs of work", TIMES, SHORT, REQUESTS),
    row("wake", "wake of a sleeping receiver, both sides pinned", TIMES, SHORT, WAKES),
    row("tick", "lateness of a ticker of 2 ms beside a receive, one thread", TIMES, SHORT, TICKS),
    row("flow-1", "4 blocking senders, capacity 1", RATE, LONG, flows::<1>()),
    row("flow-16", "4 blocking senders, capacity 16", RATE, LONG, flows::<16>()),
    row("flow-1024", "4 blocking senders, capacity 1024", RATE, LONG, flows::<1024>()),
    row("slow-1ms", "CPU a message, 1 message a ms, blocking receiver", USAGE, SHORT, streams::<1000>()),
    row("slow-100ms", "the same, 1 message each 100 ms", USAGE, LONG, streams::<100_000>()),
    row("slow-shm-1ms", "the same between processes, 1 message a ms", USAGE, SHORT, between_processes::<1000>()),
    row(
        "slow-shm-100ms",
        "the same between processes, 1 message each 100 ms",
        USAGE,
        LONG,
        between_processes::<100_000>(),
    ),
    row("budget", "timeout(50 ms) around a receive loop on a busy channel", LIMITS, SHORT, BUDGETS),
    row("arm", "EventCount::arm, confirm and drop", POLLS, SHORT, ARMS),
    row(
        "arm-fresh",
        "the same on an event count not armed before, as another thread does too",
        POLLS,
        SHORT,
        FRESH_ARMS,
    ),
];

/// The rows of that name, or all whose names begin with it and a dash.
///
/// # Errors
/// There is none; the message lists all.
pub(super) fn select(name: &str) -> Result<Vec<&'static Row>, String> {
    let family = format!("{name}-");
    let wanted = |row: &&Row| name == "all" || row.name == name || row.name.starts_with(&family);
    let found: Vec<_> = ROWS.iter().filter(wanted).collect();
    if found.is_empty() {
        let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        return Err(format!("no row `{name}`; there are {}", names.join(", ")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{ROWS, Standing, select};

    #[test]
    fn each_row_has_this_crate_and_a_peer_and_no_name_twice() {
        for row in ROWS {
            for standing in [Standing::Ours, Standing::Peer] {
                assert!(row.contenders.iter().any(|entry| entry.standing == standing), "{}: no {standing:?}", row.name);
            }
            let mut names: Vec<_> = row.contenders.iter().map(|entry| entry.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{}: {names:?}", row.name);
        }
    }

    #[test]
    fn a_name_selects_its_row_and_its_family() {
        let names = |name| select(name).map(|rows| rows.iter().map(|row| row.name).collect::<Vec<_>>());
        assert_eq!(names("timed"), Ok(vec!["timed", "timed-zero"]));
        assert_eq!(names("flow"), Ok(vec!["flow-1", "flow-16", "flow-1024"]));
        assert_eq!(names("all").map(|all| all.len()), Ok(ROWS.len()));
        assert!(names("flo").unwrap_err().contains("flow-16"));
    }
}
