//! Every row of the suite of busy neighbours runs, with every contender: a slice checks that its messages arrived in order, and fails
//! if not.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;
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
    let again = said(&neighbours(&["report", json_text]).stdout);
    assert_eq!(again, table, "a report of one run is what the run printed");
    let twice = said(&neighbours(&["report", "--markdown", json_text, json_text]).stdout);
    assert!(twice.contains("\n| contender | median |") && twice.contains(" | 2 |\n"), "{twice}");
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
        "timed" => assert!(value("median") >= 0.99e6, "earlier than asked: {slice}"),
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
    let cases: [(&[&str], &str); 10] = [
        (&["report", "/no/such/run"], "/no/such/run"),
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

/// Of each thread of a process: its scheduling policy, its nice value, the cores that it may use, and its ticks of computing.
fn threads(pid: u32) -> Vec<(u32, i32, String, u64)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    tasks
        .map(|task| {
            let task = task.expect("a task").path();
            let read = |name: &str| fs::read_to_string(task.join(name)).expect("the task runs");
            let stat = read("stat");
            let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
            let fields: Vec<&str> = fields.split_whitespace().collect();
            let status = read("status");
            let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
            // The first of these fields is the third in proc(5).
            let [policy, nice, ticks] = [41, 19, 14].map(|number| fields[number - 3]);
            let number = "a number";
            (
                policy.parse().expect(number),
                nice.parse().expect(number),
                cores.expect("cores").trim().into(),
                ticks.parse().expect(number),
            )
        })
        .collect()
}

#[test]
fn neighbours_compute_on_their_cores_at_their_priority_until_they_are_let_go() {
    const OTHER: u32 = 0;
    const IDLE: u32 = 5;
    let cores: Vec<String> =
        core_affinity::get_core_ids().unwrap_or_default().iter().map(|c| c.id.to_string()).collect();
    // Nice values are inherited: what runs this test may be nice itself.
    let own_nice = threads(process::id())[0].1;
    for (name, per_core, policy, nice) in
        [("1", 1, OTHER, own_nice), ("2", 2, OTHER, own_nice), ("1-nice", 1, OTHER, 19), ("2-idle", 2, IDLE, own_nice)]
    {
        let mut crew = Command::new(env!("CARGO_BIN_EXE_neighbours"))
            .args(["compute", name])
            .args(&cores)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(crew.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        for core in &cores {
            let here: Vec<_> = threads(crew.id()).into_iter().filter(|thread| thread.2 == *core).collect();
            assert_eq!(here.len(), per_core, "{name}, core {core}");
            assert!(here.iter().all(|thread| (thread.0, thread.1) == (policy, nice)), "{name}, core {core}: {here:?}");
        }
        let computed = |pid| threads(pid).iter().map(|thread| thread.3).sum::<u64>();
        while computed(crew.id()) < 3 {
            sleep(Duration::from_millis(10));
        }
        drop(crew.stdin.take());
        assert!(crew.wait().expect("the process ends").success(), "{name}");
    }
}
