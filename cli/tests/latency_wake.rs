//! Runs `ringmail latency wake` as users do, and the placement options that it shares with the other verbs.
#![cfg(target_os = "linux")]

mod support;

use serde_json::Value;
use support::{err, out, run, two_cores};

fn report(args: &[&str]) -> Value {
    let output = run(&[args, &["--json", "-"]].concat());
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", err(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_answer_stands_first_and_the_futex_beside_each_channel() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let output = run(&["latency", "wake", &a, &b, "--idle", "20us,1ms", "--duration", "1s"]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", err(&output));
    assert!(text.starts_with("A receiver asleep for ") && text.contains("× a bare futex"), "{text}");
    for part in ["futex", "spin", "yield", "park", "slept", "20.0 µs", "1.00 ms", "clocks differ by at most", "Clock: "]
    {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    assert_eq!(err(&output), "", "no progress into a pipe");
}

#[test]
fn a_receiver_that_sleeps_is_compared_with_the_futex_of_the_same_gap() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let args = ["latency", "wake", &a, &b, "--wait", "spin,park", "--idle", "2ms", "--duration", "2s"];
    let report = report(&args);
    let rows = report["wake"]["rows"].as_array().unwrap();
    let row = |wait: &str| rows.iter().find(|row| row["wait"] == wait).unwrap_or_else(|| panic!("{wait}: {rows:?}"));
    let [futex, spin, park] = ["futex", "spin", "park"].map(row);
    let slept = |row: &Value| row["slept_share"].as_f64().unwrap();
    assert!(slept(futex) > 0.5 && slept(park) > 0.5, "{rows:?}");
    assert_eq!(slept(spin), 0.0, "{spin}");
    // The futex has a slice beside each slice of both.
    let samples = |row: &Value| row["figures"]["samples"].as_u64().unwrap();
    assert_eq!(samples(futex), samples(spin) + samples(park));
    let ratio = &park["ratio"];
    let [low, high] = [0, 1].map(|index| ratio["range"][index].as_f64().unwrap());
    let median = ratio["median"].as_f64().unwrap();
    assert!(low <= median && median <= high && low > 0.0, "{ratio}");
    assert_eq!(ratio["slices"].as_u64().unwrap(), samples(park));
    assert!(futex["ratio"].is_null());
    let [least, most] = [0, 1].map(|index| report["wake"]["clock_offset_ns"][index].as_f64().unwrap());
    assert!(least <= most, "the clocks cannot be {least} to {most} ns apart");
}

#[test]
fn decades_fill_the_duration_and_csv_names_each_row() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let output = run(&["latency", "wake", &a, &b, "--wait", "park", "--duration", "600ms", "--csv", "-"]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    for part in [
        "wake futex futex 1000ns,p50,",
        "wake spsc park 1000000ns,slept_share,",
        "wake spsc park 1000000ns ratio,median,",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    let columns = text.lines().next().unwrap().matches(',').count();
    assert!(text.lines().all(|line| line.matches(',').count() == columns), "{text}");
}

#[test]
fn every_subject_and_way_is_measured() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    for (subjects, ways, rows) in
        [("spsc,mpsc,fan_in", "park-at-once,fd,async", 10), ("mesh,shm", "spin,yield,park", 7)]
    {
        let args = [
            "latency",
            "wake",
            &a,
            &b,
            "--subject",
            subjects,
            "--wait",
            ways,
            "--idle",
            "100us",
            "--duration",
            "500ms",
        ];
        assert_eq!(report(&args)["wake"]["rows"].as_array().unwrap().len(), rows, "{subjects} {ways}");
    }
}

#[test]
fn wrong_arguments_end_with_code_2_and_a_reason() {
    for (args, reason) in [
        (&["--idle", "1s"][..], "--duration"),
        (&["--idle", "5"], "500ms"),
        (&["--wait", "doze"], "park"),
        (&["--subject", "pipe"], "spsc"),
        (&["--subject", "shm", "--wait", "fd"], "cannot wait by 'fd'"),
        (&["0"], "<B>"),
        (&["0", "0"], "two different cores"),
        (&["0", "99999"], "99999"),
        (&["--svg", "x.svg"], "heat map"),
        (&["--huge-pages"], "smaller than a huge page"),
        (&["--memory", "node:4096"], "no such memory node"),
        (&["--memory", "here"], "node:0"),
        (&["--subject", "mesh", "--memory", "sender"], "receiver's"),
        (&["--rt-prio", "100"], "--rt-prio"),
    ] {
        let output = run(&[&["latency", "wake"], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(err(&output).contains(reason), "{args:?} does not say {reason:?}: {}", err(&output));
        assert!(!err(&output).contains("panicked"));
    }
}

#[test]
fn an_interrupted_run_reports_what_it_has() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    // In a gap of a second when the signal comes.
    support::interrupted(&["latency", "wake", &a, &b, "--wait", "park", "--idle", "100us,1s"], |report| {
        report["wake"]["rows"].as_array().is_some_and(|rows| !rows.is_empty())
    });
}
