//! `ringmail latency mesh` as users run it. Machines with one core skip the tests that need two.

mod support;

use ringmail::affinity::Topology;
use serde_json::Value;
#[cfg(unix)]
use support::interrupted;
use support::{err, out, ringmail, run, two_cores};

#[test]
fn every_pair_of_cores_has_a_round_trip_a_floor_and_a_ratio() {
    let Some((_, _turn)) = two_cores() else { return };
    let mut cores = Topology::detect().unwrap().allowed();
    cores.truncate(4);
    let list = cores.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let args = [
        "latency",
        "mesh",
        "--cores",
        &list,
        "--duration",
        "1500ms",
        "--time-budget",
        "120s",
        "--seed",
        "7",
        "--json",
        "-",
    ];
    let output = run(&args);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["ended"], &report["settings"]["seed"]), (&"complete".into(), &7.into()));
    assert_eq!(report["settings"]["mesh_shards"], cores.len());
    assert_eq!(report["failures"].as_array().unwrap().len(), 0);
    let pairs = report["pairs"].as_array().unwrap();
    let mut measured: Vec<_> = pairs.iter().map(|pair| pair["cores"].clone()).collect();
    measured.sort_by_key(Value::to_string);
    let mut expected: Vec<Value> = Vec::new();
    for (at, a) in cores.iter().enumerate() {
        expected.extend(cores[at + 1..].iter().map(|b| Value::from(vec![*a, *b])));
    }
    expected.sort_by_key(Value::to_string);
    assert_eq!(measured, expected);
    for pair in pairs {
        for subject in ["channel", "floor"] {
            let names = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"];
            let figures = names.map(|name| pair[subject][name].as_f64().unwrap());
            assert!(figures.is_sorted() && figures[5] > 0.0, "{subject}: {figures:?}");
            // How many depends on the machine: with other programs on the cores a trip takes a time slice of the scheduler.
            assert!(pair[subject]["samples"].as_u64().unwrap() > 100);
        }
        // The latter without a steady floor, as on a busy machine.
        let ratios = ["ratio", "unsteady_ratio"].map(|name| pair[name]["median"].as_f64());
        assert!(matches!(ratios, [Some(ratio), None] | [None, Some(ratio)] if ratio > 0.1), "{ratios:?}");
        assert!(pair["slices_ns"].as_array().unwrap().len() >= 3);
    }
}

#[test]
fn channels_of_a_pair_have_no_mesh_in_the_report() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let output = run(&["latency", "pair", &a, &b, "--samples", "50", "--time-budget", "500ms", "--json", "-"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["settings"].get("mesh_shards").is_none());
}

#[test]
fn it_is_shown_beside_its_floor_in_every_output() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let list = format!("{a},{b}");
    let measure = ["latency", "mesh", "--cores", &list, "--samples", "500", "--time-budget", "1s"];
    let text = out(&run(&measure));
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in
        ["through a mesh of 2 cores", "over a mesh of 2 cores", "1 of 1 pairs", "p99.9", "channel / floor", "Jitter"]
    {
        assert!(words.contains(part), "{part:?} is missing in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour into a pipe");
    let narrow = support::output(ringmail().args(measure).arg("--ascii").env("COLUMNS", "40"));
    let text = out(&narrow);
    assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 40), "{text}");
    let colour = support::output(ringmail().args(measure).args(["--color", "auto"]).env("NO_COLOR", "1"));
    assert!(!out(&colour).contains('\u{1b}'));
    for (option, part) in [("--csv", ",channel,p50,"), ("--svg", "</svg>"), ("--html", "over a mesh of 2 cores")] {
        let output = run(&[&measure[..], &[option, "-"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        assert!(out(&output).contains(part), "{option}: {}", out(&output));
    }
}

#[test]
fn every_way_to_wait_and_every_size_arrives_intact() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let list = format!("{a},{b}");
    let mesh = ["latency", "mesh", "--cores", &list, "--samples", "300", "--time-budget", "2s", "--quiet"];
    let waits = ["spin", "yield", "park"].map(|wait| ["--wait", wait]);
    for variant in waits.into_iter().chain([["--capacity", "1"], ["--payload", "64"], ["--payload", "1024"]]) {
        let output = run(&[&mesh[..], &variant].concat());
        assert_eq!(output.status.code(), Some(0), "{variant:?}: {}{}", out(&output), err(&output));
        assert!(out(&output).starts_with("pair"), "{variant:?}: {}", out(&output));
    }
}

#[test]
fn one_core_is_explained() {
    let core = Topology::detect().unwrap().allowed()[0].to_string();
    let output = run(&["latency", "mesh", "--cores", &core]);
    assert_eq!(output.status.code(), Some(2));
    let text = err(&output);
    assert!(text.contains("needs two cores") && text.contains(&format!("only core {core} is")), "{text}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_reports_what_there_is() {
    let Some((_, _turn)) = two_cores() else { return };
    interrupted(&["latency", "mesh"], |_| true);
}
