//! Runs `latency load` and `latency self-test` as users do. Machines with one core skip what needs two.

mod support;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
#[cfg(unix)]
use support::interrupted;
use support::{err, out, run, two_cores};

/// A report of `load` with more arguments, and the exit code.
fn measured(args: &[&str]) -> (Value, Option<i32>) {
    let output = run(&[&["latency", "load"], args, &["--json", "-"]].concat());
    let report = serde_json::from_slice(&output.stdout);
    (report.unwrap_or_else(|error| panic!("{args:?}: {error}: {}{}", out(&output), err(&output))), output.status.code())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_rate_has_percentiles_from_when_messages_were_due() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let (report, _) =
        measured(&[&a, &b, "--rate", "2k,5k", "--duration", "400ms", "--seed", "7", "--arrival", "poisson"]);
    assert_eq!((&report["schema"], &report["ended"]), (&1.into(), &"complete".into()));
    let (load, settings) = (&report["load"], &report["settings"]);
    assert_eq!((&load["subject"], &load["arrival"], &settings["seed"]), (&"spsc".into(), &"poisson".into(), &7.into()));
    let cores = [&a, &b].map(|core| core.parse::<u64>().unwrap());
    assert_eq!(load["cores"], serde_json::json!(cores));
    assert!(load["knee_per_s"].is_null(), "there was no sweep");
    let steps = load["steps"].as_array().unwrap();
    assert_eq!(steps.iter().map(|step| number(&step["planned_per_s"])).collect::<Vec<_>>(), [2e3, 5e3]);
    for step in steps {
        let planned = number(&step["planned"]) / 0.4 / number(&step["planned_per_s"]);
        assert!((0.85..1.15).contains(&planned), "{step}");
        for times in ["response", "service"] {
            let names = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"];
            let figures = names.map(|name| number(&step[times][name]));
            assert!(figures.is_sorted() && figures[5] > 0.0, "{times}: {figures:?}");
        }
        // What delays the sender counts in the response alone.
        assert!(number(&step["response"]["p99_ns"]) >= number(&step["service"]["p99_ns"]), "{step}");
        let over_time = step["over_time"].as_array().unwrap();
        assert!(!over_time.is_empty() && over_time.iter().all(|at| number(&at[2]) >= number(&at[1]) * 0.99));
    }
    assert!(number(&load["clocks"]["bound_ns"]) >= 0.0);
}

#[test]
fn a_rate_that_cannot_be_reached_is_a_failure() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let output = run(&["latency", "load", &a, &b, "--rate", "1G", "--duration", "200ms"]);
    assert_eq!(output.status.code(), Some(1), "{}{}", out(&output), err(&output));
    for text in [out(&output), err(&output)] {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("TARGET RATE NOT REACHED: planned 1,000,000,000/s, sent "), "{text}");
        assert!(text.contains("% short)"), "{text}");
    }
    let (report, code) = measured(&[&a, &b, "--rate", "1G", "--duration", "200ms"]);
    let step = &report["load"]["steps"][0];
    assert_eq!((code, &step["reached"]), (Some(1), &false.into()));
    assert!(number(&step["sent"]) < 0.99 * number(&step["planned"]), "{step}");
    assert!((number(&step["planned"]) / 2e8 - 1.0).abs() < 0.001, "{step}");
}

#[test]
fn a_sweep_doubles_rates_up_to_one_that_is_not_held() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let (report, code) = measured(&[&a, &b, "--duration", "20ms"]);
    assert_eq!(code, Some(0), "a sweep ends where a rate is not reached");
    let load = &report["load"];
    let steps = load["steps"].as_array().unwrap();
    let rates: Vec<f64> = steps.iter().map(|step| number(&step["planned_per_s"])).collect();
    assert!(rates[0] == 10e3 && rates.is_sorted(), "{rates:?}");
    // On a busy machine already the first may be above the knee, or none that was measured.
    if let Some(knee) = load["knee_per_s"].as_f64() {
        assert!(rates.contains(&knee) && rates.last().is_some_and(|&last| last > knee), "{knee} of {rates:?}");
    }
}

#[test]
fn every_subject_is_measured_and_several_senders() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    for subject in ["spsc", "mpsc", "fan_in", "mesh", "shm"] {
        if subject == "shm" && !cfg!(all(target_os = "linux", target_pointer_width = "64")) {
            continue;
        }
        let args = [&a, &b, "--rate", "5k", "--duration", "100ms", "--subject", subject, "--wait", "park"];
        let (report, _) = measured(&args.map(AsRef::as_ref));
        assert_eq!(report["load"]["subject"], subject);
        assert!(number(&report["load"]["steps"][0]["response"]["samples"]) > 0.0, "{report}");
    }
    let list = format!("{a},{b}");
    let args = ["--cores", &list, "--rate", "5k", "--duration", "100ms", "--subject", "mpsc", "--senders", "3"];
    let (report, _) = measured(&args);
    assert_eq!(report["load"]["sender_cores"].as_array().unwrap().len(), 3);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains(&format!("3 senders share core {a}")), "{warnings}");
}

#[test]
fn the_terminal_gives_the_answer_first() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let output = run(&["latency", "load", &a, &b, "--rate", "1k", "--duration", "200ms", "--arrival", "bursts"]);
    let text = out(&output);
    assert!(text.starts_with(&format!("{a}→{b} spsc at 1 k/s: p50 ")), "{text}{}", err(&output));
    for part in ["service p50", "Bursts of 16", "over time:", "Clock: "] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour into a pipe");
    let quiet = run(&["latency", "load", &a, &b, "--rate", "1k", "--duration", "100ms", "--quiet"]);
    assert!(out(&quiet).trim_start().starts_with("rate"), "{}", out(&quiet));
}

#[test]
fn csv_has_rows_of_each_rate() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let text = out(&run(&["latency", "load", &a, &b, "--rate", "1k", "--duration", "100ms", "--csv", "-"]));
    for row in [",spsc@1000/s response,p50,", ",spsc@1000/s service,p99,", ",spsc@1000/s load,sent,"] {
        assert!(text.contains(row), "{row:?} is missing in:\n{text}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_reports_what_there_is() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let step = |report: &Value| report["load"]["steps"][0].clone();
    let report = interrupted(&["latency", "load", &a, &b, "--rate", "1k,2k"], |report| {
        step(report)["planned"].as_f64().is_some_and(|planned| planned >= 100.0)
    });
    assert_eq!(report["load"]["steps"].as_array().unwrap().len(), 1, "{report}");
    // Only what was due until then was planned, of 60,000.
    let planned = number(&step(&report)["planned"]);
    assert!(planned < 25_000.0, "{planned}");
    assert!(number(&step(&report)["response"]["samples"]) > 0.0);
}

#[test]
fn wrong_arguments_end_with_code_2_and_a_reason() {
    let peers_are_built = cfg!(feature = "peers");
    for (args, reason) in [
        (&["--rate", "0"][..], "between 1 and 1G"),
        (&["--rate", "fast"], "1.5M"),
        (&["--rate", "1k", "--sweep"], "--sweep"),
        (&["--burst", "4"], "--arrival bursts"),
        (&["--arrival", "often"], "poisson"),
        (&["--payload", "8"], "16 at least"),
        (&["--payload", "17"], "1024"),
        (&["--senders", "2"], "choose mpsc, fan_in or mesh"),
        (&["--senders", "0"], "--senders"),
        (&["--subject", "pipe"], "fan_in"),
        (&["--subject", "kanal"], "--features peers"),
        (&["--duration", "5"], "500ms"),
        (&["0"], "<B>"),
        (&["0", "0"], "two different cores"),
        (&["0", "99999"], "99999"),
        (&["--cores", "99999"], "--cores"),
        (&["--json", "-", "--csv", "-"], "another output"),
    ] {
        if args.contains(&"kanal") && peers_are_built || two_cores().is_none() && args.len() < 3 {
            continue;
        }
        let output = run(&[&["latency", "load"], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(err(&output).contains(reason), "{args:?} does not say {reason:?}: {}", err(&output));
        assert!(!err(&output).contains("panicked"));
    }
}

#[test]
fn peers_are_measured_beside_the_library() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    if !cfg!(feature = "peers") {
        return;
    }
    for peer in ["std", "crossbeam-channel", "rtrb", "kanal", "tokio"] {
        let wait = if peer == "rtrb" { "yield" } else { "park" };
        let args = [&a, &b, "--rate", "5k", "--duration", "100ms", "--subject", peer, "--wait", wait];
        let (report, _) = measured(&args.map(AsRef::as_ref));
        assert_eq!(report["load"]["subject"], peer);
        assert!(number(&report["load"]["steps"][0]["response"]["samples"]) > 0.0, "{report}");
    }
}

#[test]
fn the_help_explains_and_shows_examples() {
    for (verb, parts) in [
        ("load", &["open loop", "Examples:", "Exit codes:", "Nothing is corrected"][..]),
        ("self-test", &["closed loop", "Exit codes:"]),
    ] {
        let output = run(&["latency", verb, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        let text = out(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        for part in parts {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
    }
}

/// The whole command is stopped from outside: neither side can tell by itself.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn stops_from_outside_are_in_the_high_percentiles() {
    let Some((cores, _turn)) = two_cores() else { return };
    // A machine at work may hold up the one that stops, too.
    const TRIES: usize = 10;
    let tries: Vec<_> = (0..TRIES).map_while(|_| stopped_from_outside(&cores).err()).collect();
    assert!(tries.len() < TRIES, "{tries:#?}");
}

/// Fails with what was seen if the stops are not in the percentiles.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn stopped_from_outside([a, b]: &[String; 2]) -> Result<(), String> {
    let (stop, every) = (Duration::from_millis(10), Duration::from_millis(100));
    let args = ["latency", "load", a, b, "--rate", "10k", "--duration", "3s", "--json", "-"];
    let mut child = support::ringmail().args(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: `pid` is a child that has not been waited for, so it names no other process.
    let signal = |signal| assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    let (began, mut stops) = (Instant::now(), Vec::new());
    while child.try_wait().unwrap().is_none() {
        std::thread::sleep(every - stop);
        signal(libc::SIGSTOP);
        let from = Instant::now();
        std::thread::sleep(stop);
        // Before the signal: what goes on may take this thread's core.
        stops.push(from.elapsed().as_secs_f64());
        signal(libc::SIGCONT);
    }
    // On a busy machine a stop is longer than was asked for, and there are fewer. The middle one: a very long one may fall before or after the
    // time that counts.
    stops.sort_by(f64::total_cmp);
    let length = stops[stops.len() / 2];
    let share = length * stops.len() as f64 / began.elapsed().as_secs_f64();
    let report: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    let [p90, p99, max] =
        ["p90_ns", "p99_ns", "max_ns"].map(|name| number(&report["load"]["steps"][0]["response"][name]));
    // Of the messages that were due during a stop, the share that waited longer falls from all to none over its length. What else stops the
    // command makes it more.
    let p99_ns = 1e9 * length * (1.0 - 0.01 / share);
    if p99 > 0.8 * p99_ns && p90 < p99 && max > 0.8e9 * length {
        return Ok(());
    }
    Err(format!("p99 {p99_ns} expected; p90 {p90}, p99 {p99}, longest {max} seen, of stops {stops:?}"))
}

/// Its lines must say what its exit code says. They must all be right, unless the kernel says that it took the cores away.
#[test]
fn the_self_test_finds_what_it_must() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let (list, began) = (format!("{a},{b}"), Instant::now());
    let mut unexplained = String::new();
    for _ in 0..3 {
        let output = run(&["latency", "self-test", "--quick", "--cores", &list]);
        let (text, reason) = (out(&output), err(&output));
        assert!(began.elapsed() < Duration::from_secs(120));
        let wrong: Vec<&str> = text.lines().filter(|line| line.starts_with("WRONG")).collect();
        for part in ["held back for 5 µs: p50 expected", "the receiver stops for 10 ms", "a closed loop is caught"] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        if wrong.is_empty() {
            assert_eq!(output.status.code(), Some(0), "{text}{reason}");
            assert!(text.contains("all 5 checks are right"), "{text}");
            return;
        }
        assert_eq!(output.status.code(), Some(1), "{text}{reason}");
        assert!(reason.contains("of 5 checks are wrong") && reason.contains("--cores"), "{reason}");
        assert!(wrong.iter().all(|line| line.contains("(try 3 of 3)")), "{text}");
        if wrong.iter().all(|line| line.contains("a core was taken away")) {
            eprintln!("not decided: other programs had the cores");
            return;
        }
        unexplained += &text;
    }
    panic!("wrong three times, and not only where other programs had the cores:\n{unexplained}");
}
