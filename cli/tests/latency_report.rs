//! A report that is drawn anew, and the files of its distributions.

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use support::{err, out, ringmail, run, two_cores};

/// Measures a pair with all outputs in `folder`, and what the terminal showed.
fn measured(folder: &Path, a: &str, b: &str, more: &[&str]) -> String {
    let files = outputs(folder);
    let run = ["latency", "pair", a, b, "--duration", "300ms", "--time-budget", "3s"];
    let output = support::output(ringmail().args(run).args(more).args(files));
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    out(&output)
}

/// Options that write every output into `folder`.
fn outputs(folder: &Path) -> Vec<String> {
    let files = ["json", "csv", "svg", "html", "hdr"];
    files.iter().flat_map(|kind| [format!("--{kind}"), path(folder, &format!("r.{kind}"))]).collect()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

/// Names of what is in a folder, sorted.
fn names(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

#[test]
fn what_is_drawn_anew_is_what_the_run_drew() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for look in [&["--color", "always", "--cell", "p99"][..], &["--ascii", "--quiet"]] {
        let shown = measured(first.path(), &a, &b, look);
        let report = path(first.path(), "r.json");
        let redraw =
            ringmail().args(["latency", "report", &report]).args(look).args(outputs(second.path())).output().unwrap();
        assert_eq!(redraw.status.code(), Some(0), "{}", err(&redraw));
        assert_eq!(out(&redraw), shown);
        for kind in ["json", "csv", "svg", "html"] {
            let [old, new] =
                [first.path(), second.path()].map(|folder| fs::read(path(folder, &format!("r.{kind}"))).unwrap());
            assert!(!old.is_empty() && old == new, "{kind} differs");
        }
        let [old, new] = [first.path(), second.path()].map(|folder| {
            names(&folder.join("r.hdr"))
                .iter()
                .map(|file| (file.file_name().unwrap().to_owned(), fs::read(file).unwrap()))
                .collect::<Vec<_>>()
        });
        // The channel, both floors, and the log of all.
        assert!(old.len() >= 4 && old == new, "the files of the distributions differ");
    }
    // From standard input, and over itself.
    let report = path(first.path(), "r.json");
    let before = fs::read(&report).unwrap();
    let mut child = ringmail();
    child.args(["latency", "report", "-", "--json", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&before).unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, before);
    assert_eq!(run(&["latency", "report", &report, "--json", &report]).status.code(), Some(0));
    assert_eq!(fs::read(&report).unwrap(), before);
}

#[test]
fn every_subject_has_its_histogram_and_each_slice_its_tails() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let folder = tempfile::tempdir().unwrap();
    measured(folder.path(), &a, &b, &[]);
    let report: Value = serde_json::from_slice(&fs::read(path(folder.path(), "r.json")).unwrap()).unwrap();
    let pair = &report["pairs"][0];
    for subject in ["channel", "floor", "yardstick"] {
        let text = pair[subject]["histogram"].as_str().unwrap();
        // hdrhistogram's V2 format, deflated, begins with the cookie 0x1c849314.
        assert!(text.starts_with("HISTFA") && text.len() < 20_000, "{subject}: {} bytes", text.len());
    }
    let slices = pair["slices_ns"].as_array().unwrap().len();
    assert_eq!(pair["tails_ns"].as_array().unwrap().len(), slices);
    let visits = pair["visit_slices"].as_array().unwrap();
    assert_eq!(visits.iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), slices as u64);
    assert!(report.get("left_out").is_none());
    // The percentile file agrees with the report.
    let file = fs::read_to_string(folder.path().join("r.hdr").join(format!("{a}-{b}.channel.hgrm"))).unwrap();
    let samples = pair["channel"]["samples"].as_u64().unwrap();
    assert!(file.contains(&format!("Total count    = {samples:>12}]")), "{file}");
    let p50 = pair["channel"]["p50_ns"].as_f64().unwrap();
    let half: Vec<f64> = file
        .lines()
        .find(|line| line.contains(" 0.500000000000 "))
        .unwrap()
        .split_whitespace()
        .map(|cell| cell.parse().unwrap())
        .collect();
    // The report's p50 lies between two steps of the clock; the file holds the step.
    let quantum = report["clock"]["quantum_ns"].as_f64().unwrap();
    assert!((half[0] - p50).abs() <= quantum + 0.01 * p50, "{half:?} for {p50}");
}

#[test]
fn what_is_no_report_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        path(folder.path(), name)
    };
    for (path, part) in [
        (path(folder.path(), "missing.json"), "name a file that --json wrote"),
        (file("empty.json", ""), "empty"),
        (file("cut.json", "{\"schema\":1,\"tool\":{"), "cut short"),
        (file("other.json", "{\"name\":\"x\"}"), "no field 'schema'"),
        (file("newer.json", "{\"schema\":99}"), "schema 99"),
        (file("damaged.json", "{\"schema\":1,\"tool\":5}"), "damaged at tool"),
        (file("part.json", "{\"schema\":1}"), "missing field `tool`"),
        (path(folder.path(), ""), "directory"),
    ] {
        let target = folder.path().join("r.svg");
        for args in [
            &["latency", "report", &path, "--svg", target.to_str().unwrap()][..],
            &["latency", "compare", &path, &path],
        ] {
            let output = run(args);
            assert_eq!(output.status.code(), Some(2), "{path}: {}", err(&output));
            assert!(err(&output).to_lowercase().contains(part), "{part:?} is missing in: {}", err(&output));
            assert!(!err(&output).contains("panicked") && !target.exists());
        }
    }
}

#[test]
fn distributions_need_a_folder_that_can_be_written() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "file");
    fs::write(&file, "").unwrap();
    for target in [file.as_str(), "-", "/nonexistent/r.hdr"] {
        let output = run(&["latency", "pair", &a, &b, "--duration", "20s", "--hdr", target]);
        assert_eq!(output.status.code(), Some(1), "{target}: {}", err(&output));
        assert!(err(&output).contains("--hdr") && err(&output).contains("nothing was measured"), "{}", err(&output));
    }
}
