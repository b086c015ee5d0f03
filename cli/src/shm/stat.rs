//! `ringmail stat`: the state of a channel.

use std::fmt::Write;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use ringmail::shm::{self, ChannelInfo, Kind, SessionView};

use super::exit::{refused, show};
use super::json;
use crate::failure::Failure;

pub(super) const HELP: &str = "\
Terms:
  never           no process has had this side open yet
  here            a process has this side open, by what the kernel says
  left            the last process closed it in order
  gave up         the last process ended early, and reported that
  died            the last process was killed, or ended without closing it
  session         from the opening of a side to its end; the first is 1
  untaken         sessions whose end was not reported to a receiver yet
  asleep          the process waits, and is woken when there is something
  sent, received  messages (of records: words of 8 bytes) since the channel was
                  made; depth: those in it
  behind          messages that a receiver of a broadcast has not taken
  full            how often a sender found no room
  parks, wakes    how often sender/receiver went to sleep, and woke the other

RINGMAIL_DIR names the directory of channels with plain names.";

#[derive(Debug, Args)]
pub(crate) struct Stat {
    /// Name of the channel; with a '/', the path of its file
    name: String,
    /// The seconds after `--watch`, or the name if those came first
    #[arg(hide = true, requires = "watch")]
    other: Option<String>,
    /// Show it again every SECONDS [default: 1], with rates, until interrupted
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, value_parser = seconds)]
    watch: Option<Option<Duration>>,
    /// As JSON: one object; with --watch, one per line
    #[arg(long)]
    json: bool,
}

/// Sessions of a lane that are shown; all that are kept are in the JSON.
const SHOWN: usize = 5;

pub(super) fn run(args: &Stat) -> Result<ExitCode, Failure> {
    let (name, pause) = asked(args)?;
    let mut before = None::<(Instant, u64)>;
    loop {
        let seen = shm::inspect(name).map_err(refused)?;
        let (now, sent) = (Instant::now(), seen.sent());
        let rate = before.map(|(then, earlier)| sent.saturating_sub(earlier) as f64 / (now - then).as_secs_f64());
        before = Some((now, sent));
        let text = if args.json {
            json::line(&json::Channel::new(name, &seen, rate))?
        } else {
            describe(&seen, rate) + if pause.is_some() { "\n" } else { "" }
        };
        match (show(&text)?, pause) {
            // A signal ends it as it ends any program: there is nothing to close.
            (true, Some(pause)) => sleep(pause),
            _ => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// The channel's name, and the time between two readings. The number after `--watch` may come before or after the name.
fn asked(args: &Stat) -> Result<(&str, Option<Duration>), Failure> {
    let default = Duration::from_secs(1);
    let pause = args.watch.map(|pause| pause.unwrap_or(default));
    let Some(other) = &args.other else { return Ok((&args.name, pause)) };
    // A channel whose name is a number needs `--watch=2`.
    match (seconds(&args.name), seconds(other)) {
        (Ok(pause), _) => Ok((other, Some(pause))),
        (_, Ok(pause)) => Ok((&args.name, Some(pause))),
        (_, Err(why)) => Err(Failure::usage(format!("{other:?} after --watch: {why}"))),
    }
}

fn describe(seen: &ChannelInfo, rate: Option<f64>) -> String {
    let mut text = format!("{seen}\n");
    let is_bytes = matches!(seen.kind, Kind::Bytes | Kind::BytesFanIn);
    if let Some(rate) = rate {
        let unit = if is_bytes { "records" } else { "messages" };
        let _ = writeln!(text, "rate      {rate:.0} {unit}/s sent since the last reading");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    // Of a fan-out the sender has all lanes in each session.
    let is_fan_out = seen.kind == Kind::FanOut;
    let lanes = seen.lanes.iter().take(if is_fan_out { 1 } else { seen.lanes.len() }).enumerate();
    for (number, lane) in lanes.filter(|(_, lane)| !lane.sessions.is_empty()) {
        let of = if seen.lanes.len() == 1 || is_fan_out { String::new() } else { format!("lane {number}, ") };
        let untaken = lane.sender.epoch.saturating_sub(lane.taken);
        // Receivers that only read note nothing, and each of many receivers has its own notes.
        let is_noted = !matches!(seen.kind, Kind::Lossy | Kind::Broadcast | Kind::FanOut);
        let untaken = if !is_noted { String::new() } else { format!(", {untaken} untaken") };
        let _ = writeln!(text, "sessions  {of}{} so far{untaken}; the last:", lane.sender.epoch);
        for SessionView { info, ended, .. } in lane.sessions.iter().rev().take(SHOWN) {
            let how = ended.map_or("goes on", json::word);
            let age = now.saturating_sub(info.began.into()) / 1_000_000;
            let taken = if is_noted && ended.is_some() && info.number > lane.taken { ", untaken" } else { "" };
            let (number, pid) = (info.number, info.pid);
            let _ = writeln!(text, "  {number:>6}  {how}{taken}; process {pid}, began {} ago", ago(age));
        }
    }
    text
}

/// So many milliseconds, for people.
fn ago(millis: u128) -> String {
    match millis / 1000 {
        0 => format!("{millis} ms"),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds, such as 2 or 0.5")?;
    match (0.01..=86_400.0).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err("must lie between 0.01 and 86400 seconds".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_a_number_of_a_sane_size() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["", "0", "-1", "1s", "nan", "inf", "1e9", "quotes"] {
            assert!(seconds(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
