//! Every row of the suite of busy neighbours runs, with every contender: a slice checks that its messages arrived in order, and fails
//! if not.

#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::process::{Command, Output};
use std::{env, fs, process};

use serde_json::Value;

fn neighbours(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_neighbours");
    Command::new(program).args(arguments).output().expect("the program starts")
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What `list` prints: each row with its contenders.
fn rows() -> Vec<(String, Vec<String>)> {
    let listed = said(&neighbours(&["list"]).stdout);
    let lines: Vec<&str> = listed.lines().collect();
    let row = |pair: &[&str]| {
        let name = pair[0].split_whitespace().next().expect("a row has a name").to_owned();
        (name, pair[1].trim().split(", ").map(str::to_owned).collect())
    };
    lines.chunks(2).map(row).collect()
}

/// Whether there is anything to run on.
fn two_cores() -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        eprintln!("one core: there is nothing to run between");
    }
    cores >= 2
}

fn scratch(name: &str) -> PathBuf {
    env::temp_dir().join(format!("{name}-{}", process::id()))
}

/// Runs all rows beside `crew`, and checks each contender's figures.
fn run_beside(crew: &str) {
    let (json, csv) = (scratch(&format!("neighbours-{crew}.json")), scratch(&format!("neighbours-{crew}.csv")));
    let [json_text, csv_text] = [&json, &csv].map(|path| path.to_str().expect("a path of letters"));
    let output = neighbours(&[
        "--neighbours",
        crew,
        "--rounds",
        "1",
        "--seconds",
        "0.004",
        "--patience",
        "120",
        "--json",
        json_text,
        "--csv",
        csv_text,
    ]);
    let (table, errors) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{table}\n{errors}");
    let read = |path: &PathBuf| fs::read_to_string(path).expect("the run wrote its file");
    let (run, lines): (Value, String) = (serde_json::from_str(&read(&json)).expect("JSON"), read(&csv));
    for path in [&json, &csv] {
        fs::remove_file(path).expect("the file is this test's own");
    }
    let slices = run["slices"].as_array().expect("slices");
    for (row, contenders) in rows() {
        assert!(table.contains(&format!("\n{row}, neighbours {crew}:")), "{row} is not in the table:\n{table}");
        for contender in contenders {
            let mine = |slice: &&Value| slice["row"] == row.as_str() && slice["contender"] == contender.as_str();
            let mine: Vec<&Value> = slices.iter().filter(mine).collect();
            let [slice] = mine[..] else { panic!("{row} / {contender}: {} slices", mine.len()) };
            assert_eq!(slice["neighbours"], crew);
            assert!(slice["samples"].as_u64().is_some_and(|n| n > 0), "{slice}");
            sane(&row, slice);
            assert!(lines.contains(&format!("\n{crew},{row},{contender},0,")), "{row} / {contender} is not in the CSV");
        }
    }
}

fn sane(row: &str, slice: &Value) {
    let figures = slice["figures"].as_array().expect("figures");
    let value = |name: &str| {
        let found = figures.iter().find(|figure| figure["name"] == name);
        found.and_then(|figure| figure["value"].as_f64()).unwrap_or_else(|| panic!("no {name} in {slice}"))
    };
    let first = figures[0]["name"].as_str().expect("a name");
    assert!(value(first) > 0.0, "{slice}");
    assert!(figures.iter().all(|figure| figure["value"].as_f64().is_some_and(|v| v >= 0.0)), "{slice}");
    if first == "median" {
        assert!(value("median") <= value("worst"), "{slice}");
    }
    match row {
        "timed" => assert!(value("median") >= 1e6, "earlier than asked: {slice}"),
        "request" => assert!(value("median") >= 10e3, "the server has hardly computed: {slice}"),
        "budget" => assert!(value("median") >= 50e6, "the limit came early: {slice}"),
        "slow-1ms" | "slow-shm-1ms" => assert!(value("receiver") > 0.0 && value("sender") > 0.0, "{slice}"),
        _ => {}
    }
}

#[test]
fn every_contender_of_every_row_delivers_without_neighbours() {
    if two_cores() {
        run_beside("none");
    }
}

#[test]
fn every_contender_of_every_row_delivers_beside_idle_neighbours() {
    if two_cores() {
        run_beside("1-idle");
    }
}

#[test]
fn a_wrong_flag_says_what_is_wrong() {
    let cases: [(&[&str], &str); 9] = [
        (&["--only", "flo"], "no row `flo`"),
        (&["--neighbours", "3-low"], "`3-low`"),
        (&["--neighbours", "0"], "N from 1 to 16"),
        (&["--rounds", "0"], "--rounds"),
        (&["--seconds", "0"], "0.001 to 60"),
        (&["--seconds", "soon"], "--seconds"),
        (&["--contenders", "nothing"], "`nothing`"),
        (&["--cores", "0"], "two cores are needed"),
        (&["--cores", "0,99999"], "may not use core 99999"),
    ];
    for (arguments, expected) in cases {
        let output = neighbours(arguments);
        let errors = said(&output.stderr);
        assert!(!output.status.success() && errors.contains(expected), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_contender_that_cannot_run_is_reported_and_fails_the_run() {
    if !two_cores() {
        return;
    }
    let arguments = ["--only", "arm", "--neighbours", "none", "--rounds", "1", "--seconds", "0.002"];
    let output = neighbours(&[&arguments[..], &["--contenders", "ringmail,ringmail@/no/such/program"]].concat());
    let (table, errors) = (said(&output.stdout), said(&output.stderr));
    assert!(!output.status.success() && errors.contains("/no/such/program"), "{errors}");
    assert!(table.contains("FAILED 1 times"), "{table}");
}
