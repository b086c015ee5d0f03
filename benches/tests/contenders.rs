//! Every contender of every suite runs: what a slice delivers is checked inside it, and a failed check panics.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;
use std::{io, process, thread};

use ringmail_benches::catalog::{SUITES, select};
use ringmail_benches::pair_slice::{Env, end_on_panic};

/// Past the harness' capture, which a process that ends at once does not print.
fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Ends the process if no name comes for minutes: a peer that loses a wake-up would wait for ever, and this test with it.
fn watch() -> Sender<String> {
    let (now, started) = channel::<String>();
    thread::spawn(move || {
        let mut last = String::new();
        loop {
            match started.recv_timeout(Duration::from_secs(180)) {
                Ok(name) => last = name,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    say(&format!("{last} has not ended within three minutes: it hangs\n"));
                    process::exit(101);
                }
            }
        }
    });
    now
}

#[test]
fn every_contender_delivers_every_message_in_order() {
    let Ok(env) = Env::detect() else { return say("one core: there is nothing to run between\n") };
    end_on_panic();
    let now = watch();
    for suite in SUITES {
        // A sleeping receiver is left alone for a while before each message.
        let n = if suite.name == "wake" { 2 } else { suite.least.max(300) };
        for contender in suite.contenders {
            now.send(format!("{} / {}", suite.name, contender.name)).expect("the watch is on");
            let outcome = (contender.run)(&suite.env(env), n, contender.name);
            assert!(!outcome.elapsed.is_zero(), "{} / {} took no time", suite.name, contender.name);
        }
    }
}

#[test]
fn every_suite_has_ringmail_and_no_name_twice() {
    for suite in SUITES {
        let mut names: Vec<_> = suite.contenders.iter().map(|c| c.name).collect();
        assert!(names.contains(&"ringmail"), "{}", suite.name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{}: {names:?}", suite.name);
    }
}

#[test]
fn a_name_selects_itself_or_what_begins_with_it() {
    let names = |name| select(name).map(|suites| suites.iter().map(|s| s.name).collect::<Vec<_>>());
    assert_eq!(names("async"), Ok(vec!["async"]));
    assert_eq!(names("batch"), Ok(vec!["batch-8", "batch-32", "batch-128"]));
    assert_eq!(names("mpsc-block"), Ok(vec!["mpsc-block-1", "mpsc-block-2", "mpsc-block-4", "mpsc-block-8"]));
    assert_eq!(names("mpsc").map(|all| all.len()), Ok(11));
    assert_eq!(names("mesh").map(|all| all.len()), Ok(12));
    assert_eq!(names("all").map(|all| all.len()), Ok(SUITES.len()));
    assert!(names("bat").unwrap_err().contains("batch-8"));
}
