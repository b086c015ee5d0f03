//! `ringmail latency` on a terminal: what it shows of itself while it measures.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::time::{Duration, Instant};

use support::{two_cores, until_it_listens};
use terminal::Terminal;

/// What stays on a terminal's screen: a carriage return or an escape that clears the line takes what stood there.
fn left(screen: &str) -> String {
    let line = |line: &str| {
        let cleared = line.rsplit("\u{1b}[2K").next().unwrap_or_default();
        cleared.rsplit('\r').next().unwrap_or_default().to_owned()
    };
    screen.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn it_shows_what_it_does_from_the_first_second_and_leaves_only_the_report() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let args = ["latency", "pair", &a, &b, "--duration", "600ms", "--time-budget", "20s", "--color", "never"];
    let mut run = Terminal::start(&args, 100);
    let screen = run.screen();
    assert_eq!(run.code(), Some(0), "{screen}");
    let at = |part: &str| screen.find(part).unwrap_or_else(|| panic!("{part:?} is missing in:\n{screen}"));
    assert!(at("watching the cores for stalls; then ") < at("measuring "), "{screen}");
    assert!(at("measuring ") < at("watching the cores for stalls again"), "{screen}");
    let left = left(&screen);
    assert!(left.trim_start().starts_with(&format!("{a}↔{b}, ")), "{left:?}");
    assert!(!left.contains("watching the cores") && !left.contains("measuring "), "{left}");
}

#[test]
fn ctrl_c_leaves_a_clean_line() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let mut run = Terminal::start(&["latency", "pair", &a, &b, "--duration", "60s", "--quiet"], 100);
    until_it_listens(run.id());
    run.types(b"\x03");
    assert_eq!(run.code(), Some(130));
    assert!(!run.screen().contains("watching"), "quiet is quiet");
    let mut run = Terminal::start(&["latency", "pair", &a, &b, "--duration", "60s", "--color", "never"], 100);
    run.shows("measuring ");
    let asked = Instant::now();
    run.types(b"\x03");
    let screen = run.screen();
    assert_eq!(run.code(), Some(130), "{screen}");
    assert!(asked.elapsed() < Duration::from_secs(40));
    let left = left(&screen);
    assert!(!left.contains("watching the cores") && !left.contains("measuring "), "{left:?}");
    assert!(left.contains("interrupted"), "{left:?}");
}
