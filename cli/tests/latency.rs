//! Runs the built command as users do. Machines with one core skip the tests that need two.

mod support;

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ringmail::affinity::{Topology, pin_current};
use serde_json::Value;
#[cfg(unix)]
use support::interrupted;
use support::{err, out, ringmail, run, two_cores};

/// A folder of its own for a test, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ringmail-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_pair_is_measured_and_shown_beside_its_floor() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let output = run(&["latency", "pair", &a, &b, "--samples", "2000", "--time-budget", "4s"]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", err(&output));
    for part in
        ["there and back", "trust: ", "(floor)", "p99.9", "channel / floor", "Jitter", "1 of 1 pairs", "Clock: "]
    {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour into a pipe");
    assert_eq!(err(&output), "", "no progress into a pipe");
}

#[test]
fn json_on_standard_output_is_all_of_it() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let list = format!("{a},{b}");
    let output = run(&[
        "latency",
        "--cores",
        &list,
        "--duration",
        "300ms",
        "--time-budget",
        "60s",
        "--seed",
        "7",
        "--json",
        "-",
    ]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        (&report["schema"], &report["ended"], &report["settings"]["seed"]),
        (&1.into(), &"complete".into(), &7.into())
    );
    assert_eq!(report["jitter"].as_array().unwrap().len(), 2);
    assert!(report["clock"]["quantum_ns"].as_f64().unwrap() > 0.0);
    let pair = &report["pairs"][0];
    for subject in ["channel", "floor"] {
        let names = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"];
        let figures = names.map(|name| pair[subject][name].as_f64().unwrap());
        assert!(figures.is_sorted() && figures[5] > 0.0, "{subject}: {figures:?}");
        // How many depends on the machine: where others have the cores meanwhile, a trip takes a turn of the scheduler's.
        assert!(pair[subject]["samples"].as_u64().unwrap() > 0);
    }
    let slices = pair["slices_ns"].as_array().unwrap();
    // Without a steady floor, as on a busy machine, there is one of all slices, by another name.
    let unsteady = pair["flags"].as_array().unwrap().contains(&"unsteady-floor".into());
    assert_eq!((pair["ratio"].is_null(), pair["unsteady_ratio"].is_null()), (unsteady, !unsteady), "{pair}");
    let shown = &pair[if unsteady { "unsteady_ratio" } else { "ratio" }];
    assert!(!slices.is_empty() && slices.len() as u64 == shown["slices"].as_u64().unwrap());
    // The middle of ratios that its own slices have.
    let ratio = |slice: &Value| {
        let [before, channel, after] = [0, 1, 2].map(|i| slice[i].as_f64().unwrap());
        channel / ((before + after) / 2.0)
    };
    let (least, most) = slices.iter().map(ratio).fold((f64::MAX, 0.0), |(a, b), r| (r.min(a), r.max(b)));
    let median = shown["median"].as_f64().unwrap();
    assert!((least * 0.999..=most * 1.001).contains(&median), "{median} of {slices:?}");
}

#[test]
fn every_payload_and_every_way_to_wait_arrives_intact() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let pair = ["latency", "pair", a.as_str(), b.as_str(), "--samples", "300", "--time-budget", "3s", "--quiet"];
    let variants = ["8", "16", "64", "256", "1024"].map(|bytes| ["--payload", bytes]);
    let waits = ["spin", "yield", "park"].map(|wait| ["--wait", wait]);
    for variant in variants.into_iter().chain(waits).chain([["--capacity", "1"]]) {
        let output = run(&[&pair[..], &variant].concat());
        assert_eq!(output.status.code(), Some(0), "{variant:?}: {}{}", out(&output), err(&output));
        assert!(out(&output).starts_with("pair"), "{variant:?}: {}", out(&output));
    }
}

#[test]
fn wrong_arguments_end_with_code_2_and_a_reason() {
    for (args, reason) in [
        (&["latency", "--nonsense"][..], "--nonsense"),
        (&["latency", "--duration", "5"], "500ms"),
        (&["latency", "--payload", "7"], "1024"),
        (&["latency", "--samples", "0"], "--samples"),
        (&["latency", "--wait", "sleep"], "spin"),
        (&["latency", "--cores", "0-"], "--cores"),
        (&["latency", "--cores", "99999"], "--cores"),
        (&["latency", "pair", "0"], "<B>"),
        (&["latency", "pair", "0", "0"], "two different cores"),
        (&["latency", "pair", "0", "99999"], "99999"),
        (&["latency", "--json", "-", "--csv", "-"], "another output"),
        (&["elsewhere"], "elsewhere"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(err(&output).contains(reason), "{args:?} does not say {reason:?}: {}", err(&output));
        assert!(!err(&output).contains("panicked"));
    }
}

#[test]
fn one_core_is_explained() {
    let core = Topology::detect().unwrap().allowed()[0];
    // A child inherits the mask of the thread that starts it.
    let limited = std::thread::spawn(move || {
        pin_current(core).unwrap();
        run(&["latency"])
    });
    let listed = run(&["latency", "--cores", &core.to_string()]);
    for output in [limited.join().unwrap(), listed] {
        assert_eq!(output.status.code(), Some(2));
        let text = err(&output);
        assert!(text.contains("needs two cores") && text.contains(&format!("only core {core} is")), "{text}");
    }
}

#[test]
fn colour_needs_to_be_asked_for_and_no_color_is_heard() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let measure = |color: &str, no_color: &str| {
        let args = ["latency", "pair", &a, &b, "--samples", "50", "--time-budget", "500ms", "--color", color];
        out(&support::output(ringmail().args(args).env("NO_COLOR", no_color)))
    };
    assert!(!measure("auto", "1").contains('\u{1b}'));
    assert!(!measure("never", "").contains('\u{1b}'));
    assert!(measure("always", "").contains("\u{1b}[1m"));
}

#[test]
fn ascii_and_narrow_output_keep_their_word() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let args = ["latency", "pair", &a, &b, "--samples", "50", "--time-budget", "500ms", "--ascii"];
    let text = out(&support::output(ringmail().args(args).env("COLUMNS", "40")));
    assert!(text.is_ascii() && text.contains("floor"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 40), "{text}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let args = ["latency", "pair", &a, &b, "--samples", "50", "--time-budget", "500ms"];
    let mut child = ringmail().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
}

#[test]
fn an_unwritable_file_is_found_before_measuring() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let began = Instant::now();
    let output = run(&["latency", "pair", &a, &b, "--duration", "20s", "--json", "/nonexistent/report.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("/nonexistent/report.json") && err(&output).contains("nothing was measured"));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn all_files_are_written_and_replace_earlier_ones() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let folder = Folder::new("files");
    let [json, csv, svg, html] = ["r.json", "r.csv", "r.svg", "r.html"].map(|name| folder.file(name));
    std::fs::write(&json, "x".repeat(1_000_000)).unwrap();
    let measure = ["latency", "pair", &a, &b, "--samples", "500", "--time-budget", "1s"];
    let files = ["--json", &json, "--csv", &csv, "--svg", &svg, "--html", &html];
    let output = run(&[&measure[..], &files].concat());
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("channel / floor"), "files do not silence the terminal");
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let report: Value = serde_json::from_str(&read(&json)).unwrap();
    assert_eq!(report["pairs"].as_array().unwrap().len(), 1);
    assert!(read(&csv).lines().any(|line| line.contains(",channel,p50,")));
    assert!(read(&svg).trim_end().ends_with("</svg>") && read(&html).trim_end().ends_with("</html>"));
    let twice = run(&["latency", "--json", &json, "--csv", &json]);
    assert_eq!(twice.status.code(), Some(2), "{}", err(&twice));
    let nowhere = folder.file("new.json");
    let twice = run(&["latency", "--json", &nowhere, "--csv", &nowhere]);
    assert_eq!((twice.status.code(), std::path::Path::new(&nowhere).exists()), (Some(2), false), "{}", err(&twice));
}

#[test]
fn the_time_budget_holds() {
    let Some((_, _turn)) = two_cores() else { return };
    let began = Instant::now();
    let output = run(&["latency", "--samples", "1000000000", "--time-budget", "1s", "--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(began.elapsed() < Duration::from_secs(60), "a thousand million would take far longer");
}

#[cfg(unix)]
#[test]
fn an_interrupt_reports_what_there_is() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    interrupted(&["latency", "pair", &a, &b], |report| {
        report["pairs"][0]["channel"]["samples"].as_u64().is_some_and(|samples| samples > 0)
    });
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let output = run(&["latency", "--help"]);
    assert_eq!(output.status.code(), Some(0));
    for part in ["nothing is halved", "Examples:", "Exit codes:"] {
        assert!(out(&output).contains(part), "{part:?} is missing in:\n{}", out(&output));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_before_anything_was_measured_leaves_the_earlier_report() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let folder = Folder::new("early");
    let [json, svg] = ["r.json", "r.svg"].map(|name| folder.file(name));
    std::fs::write(&json, "an earlier report").unwrap();
    let args = ["latency", "pair", &a, &b, "--duration", "60s", "--json", &json, "--svg", &svg];
    let child = ringmail().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The first second watches the cores.
    support::until_it_listens(child.id());
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", err(&output));
    assert!(err(&output).contains("nothing was measured") && err(&output).contains("r.json"), "{}", err(&output));
    assert_eq!(std::fs::read_to_string(&json).unwrap(), "an earlier report");
    let left: Vec<_> = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["r.json"]);
}
