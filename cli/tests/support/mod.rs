//! What the tests of `ringmail latency` share.
// Not every program of tests uses all of it.
#![allow(dead_code)]

use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringmail::affinity::Topology;

/// Runs spin on the same cores, so they take turns.
static TURN: Mutex<()> = Mutex::new(());

/// The first two cores this process may use, and the turn; `None` if there is only one.
pub(crate) fn two_cores() -> Option<([String; 2], MutexGuard<'static, ()>)> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let allowed = Topology::detect().unwrap().allowed();
    match allowed[..] {
        [a, b, ..] => Some(([a.to_string(), b.to_string()], turn)),
        _ => None,
    }
}

pub(crate) fn ringmail() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringmail"));
    for name in ["NO_COLOR", "COLORTERM", "LC_ALL", "LC_CTYPE", "LANG", "COLUMNS"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color").stdin(Stdio::null());
    command
}

pub(crate) fn run(args: &[&str]) -> Output {
    output(ringmail().args(args))
}

/// Runs it to its end. Where others have a core for longer than the command waits for an answer, it says so and ends: then once more.
pub(crate) fn output(command: &mut Command) -> Output {
    const TRIES: usize = 10;
    let mut output = command.output().unwrap();
    for _ in 1..TRIES {
        if output.status.success() || !err(&output).contains("stop other programs on its core") {
            break;
        }
        output = command.output().unwrap();
    }
    output
}

/// Runs what takes a minute with a report to standard output, interrupts it, and returns the report. A busy machine may have come to little by then:
/// the first report that `is_enough`, of ever longer runs.
#[cfg(unix)]
pub(crate) fn interrupted(args: &[&str], is_enough: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let mut after = Duration::from_millis(2500);
    loop {
        let report = interrupted_after(args, after);
        after *= 2;
        match report {
            Some(report) if is_enough(&report) => return report,
            report => assert!(after <= Duration::from_secs(20), "not enough was measured: {report:?}"),
        }
    }
}

/// `None` if nothing was measured.
#[cfg(unix)]
fn interrupted_after(args: &[&str], after: Duration) -> Option<serde_json::Value> {
    use std::io::Read;
    let args = [args, &["--duration", "60s", "--json", "-"]].concat();
    let mut child = ringmail().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(after);
    let asked = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let status = child.wait().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(30));
    assert_eq!(status.code(), Some(130));
    if text.is_empty() {
        return None;
    }
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["ended"], "interrupted");
    Some(report)
}

/// Waits until the process has a handler for an interrupt; without one it would end at once.
#[cfg(target_os = "linux")]
pub(crate) fn until_it_listens(process: u32) {
    const INTERRUPT: u64 = 1 << 1;
    let began = Instant::now();
    let caught = || {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let signals = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        u64::from_str_radix(signals.trim(), 16).ok()
    };
    while caught().is_none_or(|caught| caught & INTERRUPT == 0) {
        assert!(began.elapsed() < Duration::from_secs(60), "it never listens");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
