//! Every contender of every suite delivers; what hangs or dies is noticed. What arrives is checked inside each slice, message for message.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{process, thread};

use ringmail_benches::pair_slice::Env;
use ringmail_ipc_bench::catalog::{CONTENDERS, Kind, MAPPED, SUITES, select};
use ringmail_ipc_bench::pair::Pairs;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ipc");

/// Ends the process should a test not end by itself: then the time limit of a slice is broken.
fn watch() -> Sender<()> {
    let (done, ended) = channel();
    thread::spawn(move || {
        if ended.recv_timeout(Duration::from_secs(300)) == Err(RecvTimeoutError::Timeout) {
            eprintln!("a slice outlived its time limit by far");
            process::exit(101);
        }
    });
    done
}

fn pairs(program: &Path, patience: Duration) -> Option<Pairs<'_>> {
    let Ok(env) = Env::detect() else {
        eprintln!("one core: there is nothing to run between");
        return None;
    };
    Some(Pairs { program, cores: [env.a, env.b], patience })
}

#[test]
fn every_contender_delivers_every_message_in_order() {
    let _watch = watch();
    let Some(pairs) = pairs(Path::new(PROGRAM), Duration::from_secs(30)) else { return };
    for suite in SUITES {
        for contender in CONTENDERS.iter().filter(|name| suite.has(name)) {
            let outcome = pairs.slice(suite, contender, 100);
            let outcome = outcome.unwrap_or_else(|e| panic!("{} / {contender}: {e}", suite.name));
            assert_eq!(
                outcome.latency.iter().all(|ns| *ns > 0.0),
                suite.kind == Kind::Wake,
                "{} / {contender}",
                suite.name
            );
            assert!(outcome.elapsed > 0 && outcome.floor.iter().all(|ns| *ns > 0.0), "{} / {contender}", suite.name);
        }
    }
}

#[test]
fn a_slice_that_hangs_is_killed_and_names_who_is_silent() {
    let _watch = watch();
    // Far more than fits into the time.
    let Some(pairs) = pairs(Path::new(PROGRAM), Duration::from_millis(300)) else { return };
    let suite = select("one-way-8").expect("a suite")[0];
    let start = Instant::now();
    let error = pairs.slice(suite, MAPPED, 1 << 40).expect_err("it cannot have ended");
    assert!(error.contains("side A and B") && error.contains("killed"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_side_that_dies_ends_the_slice_at_once() {
    let _watch = watch();
    let Some(pairs) = pairs(Path::new("/bin/false"), Duration::from_secs(100)) else { return };
    let start = Instant::now();
    let error = pairs.slice(&SUITES[0], "pipe", 100).expect_err("there is no such side");
    assert!(error.contains("died"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn every_suite_has_a_name_of_its_own_and_the_baseline() {
    for suite in SUITES {
        assert!(suite.has(MAPPED));
        assert_eq!(SUITES.iter().filter(|other| other.name == suite.name).count(), 1, "{}", suite.name);
        assert_eq!(select(suite.name).expect("it is there")[0].name, suite.name);
    }
    assert_eq!(select("one-way").expect("three").len(), 3);
    assert!(select("one-wa").is_err());
}
