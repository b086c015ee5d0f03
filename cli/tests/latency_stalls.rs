//! Stops of a known length are told as lost time.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

mod support;

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{ringmail, two_cores};

const STOP: Duration = Duration::from_millis(10);
const EVERY: Duration = Duration::from_millis(100);
const TRIES: usize = 5;

/// Runs a pair for some seconds, with or without stops; the share of its time that stops took, and what it reports of the pair.
fn measured(cores: &[String; 2], stops: bool) -> (f64, Value) {
    let [a, b] = cores;
    let args = ["latency", "pair", a, b, "--time-budget", "6s", "--json", "-"];
    let mut child = ringmail().args(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: `pid` is a child that has not been waited for, so it names no other process.
    let signal = |signal| assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    let (began, mut stopped) = (Instant::now(), Duration::ZERO);
    while stops && child.try_wait().unwrap().is_none() {
        sleep(EVERY - STOP);
        signal(libc::SIGSTOP);
        let from = Instant::now();
        sleep(STOP);
        // On a busy machine a stop is longer than was asked for. Read before the signal: what goes on may take this thread's core.
        stopped += from.elapsed();
        signal(libc::SIGCONT);
    }
    let share = stopped.as_secs_f64() / began.elapsed().as_secs_f64();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    (share, report["pairs"][0].clone())
}

#[test]
fn a_stop_of_10_ms_every_100_ms_is_lost_time_and_in_no_percentile() {
    let Some((cores, _turn)) = two_cores() else { return };
    // A busy machine may stop both programs for as long as a stop, or make stops rare.
    let wrong: Vec<_> = (0..TRIES).map_while(|_| stops_are_lost_time(&cores).err()).collect();
    assert!(wrong.len() < TRIES, "{wrong:#?}");
}

fn stops_are_lost_time(cores: &[String; 2]) -> Result<(), String> {
    let lost = |pair: &Value| pair["lost"]["share"].as_f64().unwrap();
    let (_, quiet) = measured(cores, false);
    let (share, pair) = measured(cores, true);
    println!("stopped {share:.4}, lost {:.4}; without stops {:.4}", lost(&pair), lost(&quiet));
    // What else runs on the machine takes time too.
    let is_told = share > 0.08
        && lost(&pair) > 0.9 * share
        && (lost(&quiet) > 0.02 || lost(&pair) < 1.1 * share + lost(&quiet) + 0.02)
        && pair["channel"]["p999_ns"].as_f64().unwrap() < 5e6;
    if is_told { Ok(()) } else { Err(format!("{share} stopped, {quiet}, {pair}")) }
}
