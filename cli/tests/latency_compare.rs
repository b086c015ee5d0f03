//! Comparing runs: quiet on repeats of one build, loud on a tenth more.

mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::{err, out, run, two_cores};

/// A run of one pair whose channel takes `factor` times as long; `seed` chooses its noise.
fn simulated(base: &Value, factor: f64, seed: u64) -> Value {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut noise = move || {
        // Xorshift64* (Vigna: "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016), -1 to 1.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    let (mut slices, mut tails) = (vec![], vec![]);
    for _ in 0..12 {
        let visit = 1.0 + 0.02 * noise();
        for _ in 0..40 {
            let floor = 100.0 * (1.0 + 0.02 * noise());
            let channel = floor * 1.3 * factor * visit * (1.0 + 0.05 * noise());
            slices.push(json!([floor, channel, floor * (1.0 + 0.02 * noise())]));
            tails.push(json!([channel * 1.02, channel * 1.1, channel * 1.5, channel * 3.0 * (1.0 + 0.3 * noise())]));
        }
    }
    let mut report = base.clone();
    let pair = &mut report["pairs"][0];
    pair["visits"] = 12.into();
    pair["visit_slices"] = vec![40; 12].into();
    (pair["slices_ns"], pair["tails_ns"]) = (slices.into(), tails.into());
    pair["channel"]["samples"] = 5_000_000.into();
    report
}

/// Multiplies the channel of a measured run.
fn planted(report: &Value, factor: f64) -> Value {
    let mut report = report.clone();
    let scale = |value: &mut Value| *value = (value.as_f64().unwrap() * factor).into();
    for pair in report["pairs"].as_array_mut().unwrap() {
        pair["slices_ns"].as_array_mut().unwrap().iter_mut().for_each(|slice| scale(&mut slice[1]));
        for tails in pair["tails_ns"].as_array_mut().unwrap() {
            tails.as_array_mut().unwrap().iter_mut().for_each(scale);
        }
        for name in ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns", "p99999_ns", "max_ns", "mean_ns"] {
            scale(&mut pair["channel"][name]);
        }
    }
    report
}

fn write(folder: &Path, name: &str, report: &Value) -> String {
    let path = folder.join(name);
    fs::write(&path, report.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A report of one pair that was really measured, if there are two cores.
fn measured(folder: &Path) -> Option<Value> {
    let ([a, b], _turn) = two_cores()?;
    let path = folder.join("measured.json");
    let output = run(&[
        "latency",
        "pair",
        &a,
        &b,
        "--duration",
        "200ms",
        "--time-budget",
        "2s",
        "--quiet",
        "--json",
        path.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    Some(serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
}

#[test]
fn repeats_are_quiet_and_a_tenth_more_is_found_ten_times_of_ten() {
    let folder = tempfile::tempdir().unwrap();
    let Some(base) = measured(folder.path()) else { return };
    for seed in 0..10 {
        let a = write(folder.path(), "a.json", &simulated(&base, 1.0, 2 * seed + 1));
        let again = simulated(&base, 1.0, 2 * seed + 2);
        let b = write(folder.path(), "b.json", &again);
        let slower = write(folder.path(), "slower.json", &planted(&again, 1.1));
        let limits = ["--fail-over", "p50=3%", "--fail-over", "p99=3%"];
        let same = run(&[&["latency", "compare", &a, &b][..], &limits].concat());
        assert_eq!(same.status.code(), Some(0), "{}{}", out(&same), err(&same));
        assert!(!out(&same).contains("slower") && !out(&same).contains("faster"), "{}", out(&same));
        assert!(out(&same).contains("no difference shown"));
        let found = run(&[&["latency", "compare", &a, &slower][..], &limits].concat());
        assert_eq!(found.status.code(), Some(1), "{}{}", out(&found), err(&found));
        assert!(out(&found).contains("slower") && out(&found).contains("OVER THE LIMIT"), "{}", out(&found));
        // Without a limit it is said, and no failure. The other way round it is faster.
        let told = run(&["latency", "compare", &slower, &a]);
        assert_eq!(told.status.code(), Some(0));
        assert!(out(&told).contains("faster") && !out(&told).contains("slower"), "{}", out(&told));
    }
}

#[test]
fn several_runs_and_absolute_times_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let Some(base) = measured(folder.path()) else { return };
    let runs = |name: &str, factor: f64, from: u64| {
        let runs = (from..from + 3)
            .map(|seed| write(folder.path(), &format!("{name}{seed}.json"), &simulated(&base, factor, seed)));
        runs.collect::<Vec<String>>()
    };
    let (a, b) = (runs("a", 1.0, 1), runs("b", 1.2, 11));
    for absolute in [&[][..], &["--absolute"]] {
        let mut args = vec!["latency", "compare"];
        args.extend(a.iter().map(String::as_str));
        args.push("--against");
        args.extend(b.iter().map(String::as_str));
        args.extend(absolute);
        let output = run(&args);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        assert!(out(&output).contains("3 runs") && out(&output).contains("slower"), "{}", out(&output));
        assert!(!out(&output).contains("is assumed"), "{}", out(&output));
    }
}

#[test]
fn reports_that_are_not_alike_are_refused_with_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let Some(base) = measured(folder.path()) else { return };
    let a = write(folder.path(), "a.json", &simulated(&base, 1.0, 1));
    let mut other = simulated(&base, 1.0, 2);
    (other["settings"]["payload_bytes"], other["settings"]["wait"]) = (64.into(), "park".into());
    let b = write(folder.path(), "b.json", &other);
    let output = run(&["latency", "compare", &a, &b]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(2), ""));
    for part in ["payload: 8 B in", "64 B in", "wait: spin in", "park in", "--anyway"] {
        assert!(err(&output).contains(part), "{part:?} is missing in: {}", err(&output));
    }
    assert_eq!(run(&["latency", "compare", &a, &b, "--anyway"]).status.code(), Some(0));
    // A machine that was elsewhere all the time.
    let mut moved = simulated(&base, 1.0, 3);
    for slice in moved["pairs"][0]["slices_ns"].as_array_mut().unwrap() {
        slice.as_array_mut().unwrap().iter_mut().for_each(|ns| *ns = (ns.as_f64().unwrap() * 4.0).into());
    }
    let moved = write(folder.path(), "moved.json", &moved);
    let output = run(&["latency", "compare", &a, &moved]);
    assert!(output.status.code() == Some(2) && out(&output).contains("same floor"), "{}", out(&output));
    let output = run(&["latency", "compare", &a, &moved, "--fail-over", "p50=10%"]);
    assert_eq!(output.status.code(), Some(2), "a limit that could not be checked must not pass");
    assert!(err(&output).contains("same floor"), "{}", err(&output));
    let mut empty = base;
    empty["pairs"] = json!([]);
    let empty = write(folder.path(), "empty.json", &empty);
    let output = run(&["latency", "compare", &a, &empty, "--anyway"]);
    assert!(output.status.code() == Some(2) && err(&output).contains("no pairs"), "{}", err(&output));
}

#[test]
fn wrong_arguments_end_with_code_2_and_a_reason() {
    for (args, reason) in [
        (&["latency", "compare"][..], "RUN.json"),
        (&["latency", "compare", "a.json"], "two reports"),
        (&["latency", "compare", "a.json", "b.json", "c.json"], "--against"),
        (&["latency", "compare", "a.json", "b.json", "--fail-over", "p99"], "p99=10%"),
        (&["latency", "compare", "a.json", "b.json", "--fail-over", "p98=1%"], "p99.9"),
        (&["latency", "compare", "a.json", "b.json", "--fail-over", "p99=-5%"], "0%"),
        (&["latency", "compare", "/nonexistent/a.json", "b.json"], "/nonexistent/a.json"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(err(&output).contains(reason), "{args:?} does not say {reason:?}: {}", err(&output));
    }
}
