//! `ringmail latency env` as users run it. What it finds depends on the machine; that it says so does not.

mod support;

use serde_json::Value;
use support::{err, out, ringmail, run, two_cores};

const SHORT: [&str; 3] = ["latency", "env", "--window=50ms"];

fn env(more: &[&str]) -> std::process::Output {
    run(&[&SHORT[..], more].concat())
}

/// The report, and whether anything is warned of.
fn report(more: &[&str]) -> (Value, bool) {
    let output = env(&[&["--json", "-"], more].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let warned = report["checks"].as_array().unwrap().iter().any(|check| check["state"] == "warn");
    (report, warned)
}

#[test]
fn the_verdict_comes_first_and_each_check_has_a_line() {
    let output = env(&[]);
    let text = out(&output);
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""), "{text}");
    assert!(["fit for", "fit with doubts for", "unfit for"].iter().any(|words| text.starts_with(words)), "{text}");
    for name in ["CPU quota", "isolation", "interrupts", "governor", "clocksource", "swap", "watchdog", "preemption"] {
        let line =
            |line: &&str| line.contains(name) && ["ok ", "WARN ", "unknown "].iter().any(|it| line.starts_with(it));
        assert!(text.lines().any(|it| line(&it)), "{name} is missing in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour into a pipe");
}

#[test]
fn json_holds_every_check_with_its_state_and_remedy() {
    let (report, _) = report(&[]);
    assert_eq!((&report["schema"], &report["window_s"]), (&1.into(), &0.05.into()));
    let verdict = report["verdict"].as_str().unwrap();
    assert!(["fit", "fit-with-doubts", "unfit"].contains(&verdict), "{verdict}");
    assert!(report["sentence"].as_str().unwrap().starts_with(&verdict.replace('-', " ")));
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.len() > 20, "{report}");
    for check in checks {
        let state = check["state"].as_str().unwrap();
        assert!(["ok", "warn", "unknown"].contains(&state), "{check}");
        assert!(!check["name"].as_str().unwrap().is_empty() && !check["seen"].as_str().unwrap().is_empty(), "{check}");
        assert_eq!(check["remedy"].is_string(), state == "warn", "{check}");
    }
}

#[test]
fn strict_fails_where_anything_is_warned_of_and_only_there() {
    // Other tests' threads make their cores busy.
    let _turn = two_cores();
    let output = env(&["--strict", "--json", "-"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let warned = report["checks"].as_array().unwrap().iter().any(|check| check["state"] == "warn");
    assert_eq!(output.status.code(), Some(i32::from(warned)), "{report}");
    assert_eq!(env(&["--json", "-"]).status.code(), Some(0), "without --strict");
}

#[test]
fn a_file_takes_the_json_and_the_terminal_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("env.json");
    let output = env(&["--json", path.to_str().unwrap(), "--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let report: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let sentence = report["sentence"].as_str().unwrap();
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(squeeze(&out(&output)).starts_with(&squeeze(sentence)), "{}", out(&output));
    assert!(!out(&output).lines().any(|line| line.starts_with("ok ")), "{}", out(&output));
    let output = env(&["--json", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("--json"), "{}", err(&output));
}

#[test]
fn cores_are_those_that_are_named() {
    let (all, _) = report(&[]);
    let first = all["cores"][0].as_u64().unwrap().to_string();
    let (one, _) = report(&["--cores", &first]);
    assert_eq!(one["cores"].as_array().unwrap().len(), 1);
    assert!(one["sentence"].as_str().unwrap().contains(&format!("on core {first}: ")), "{one}");
    for (args, part) in [
        (&["--cores", "99999"][..], "core 99999"),
        (&["--cores", "x"], "cannot read"),
        (&["--window", "5"], "500ms"),
        (&["--nonsense"], "--nonsense"),
    ] {
        let output = run(&[&SHORT[..2], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(err(&output).contains(part) && !err(&output).contains("panicked"), "{args:?}: {}", err(&output));
    }
}

/// The mask of a thread goes to the programs that it starts.
#[cfg(target_os = "linux")]
#[test]
fn a_core_that_is_not_allowed_is_left_out_of_a_range_and_refused_alone() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    if b.parse::<usize>().unwrap() != a.parse::<usize>().unwrap() + 1 {
        return;
    }
    let pinned = std::thread::spawn(move || {
        ringmail::affinity::pin_current(a.parse().unwrap()).unwrap();
        let (report, warned) = report(&["--cores", &format!("{a}-{b}")]);
        let cores = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "cores").unwrap().clone();
        assert_eq!((warned, &cores["state"]), (true, &"warn".into()));
        assert!(cores["seen"].as_str().unwrap().ends_with(&format!("left out: {b} (not allowed)")), "{cores}");
        assert_eq!(report["cores"], serde_json::json!([a.parse::<u32>().unwrap()]));
        let output = env(&["--cores", &b]);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            err(&output).contains(&format!("core {b} is outside of this thread's affinity mask")),
            "{}",
            err(&output)
        );
    });
    pinned.join().unwrap();
}

#[test]
fn colour_and_width_follow_the_environment() {
    let drawn = |vars: &[(&str, &str)], more: &[&str]| {
        let output = ringmail().args(SHORT).args(more).envs(vars.iter().copied()).output().unwrap();
        out(&output)
    };
    assert!(drawn(&[], &["--color", "always"]).contains('\u{1b}'));
    assert!(!drawn(&[("NO_COLOR", "1")], &[]).contains('\u{1b}'));
    let narrow = drawn(&[("COLUMNS", "40")], &["--ascii"]);
    assert!(narrow.is_ascii() && narrow.lines().all(|line| line.len() <= 40), "{narrow}");
}

/// A name that no word of an output holds.
#[cfg(target_os = "linux")]
const HOST: &str = "planted-host-7";

/// The command on a machine of that name; `None` where no program may give itself one.
#[cfg(target_os = "linux")]
fn on_planted_host() -> Option<std::process::Command> {
    use std::process::Command;
    let own = |user: &[&str], script: &str| {
        let mut command = Command::new("unshare");
        command.args(user).args(["--uts", "sh", "-c", script, env!("CARGO_BIN_EXE_ringmail")]);
        command.env("HOSTNAME", HOST).env("TERM", "dumb").stdin(std::process::Stdio::null());
        command
    };
    let users = [&[][..], &["--user", "--map-root-user"]];
    let script = format!("echo {HOST} > /proc/sys/kernel/hostname");
    let works = |user: &&&[&str]| own(user, &script).output().is_ok_and(|output| output.status.success());
    let user = users.iter().find(works)?;
    Some(own(user, &format!("{script} && exec \"$0\" \"$@\"")))
}

/// Reports are passed on.
#[cfg(target_os = "linux")]
#[test]
fn no_output_tells_the_name_of_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join(HOST);
    std::fs::create_dir(&inside).unwrap();
    let file = |name: &str| inside.join(name).to_str().unwrap().to_owned();
    let clean = |text: &str| assert!(!text.to_lowercase().contains(HOST), "{text}");

    let Some(mut command) = on_planted_host() else { return };
    let json = file("env.json");
    let output = command.args(SHORT).args(["--json", &json]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    clean(&out(&output));
    clean(&std::fs::read_to_string(&json).unwrap());

    let Some(([a, b], _turn)) = two_cores() else { return };
    let mut command = on_planted_host().expect("as before");
    let [json, html, csv, svg] = ["r.json", "r.html", "r.csv", "r.svg"].map(file);
    command.args(["latency", "pair", &a, &b, "--samples", "300", "--time-budget", "2s"]);
    command.args(["--json", &json, "--html", &html, "--csv", &csv, "--svg", &svg]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    clean(&out(&output));
    for path in [json, html, csv, svg] {
        clean(&std::fs::read_to_string(&path).unwrap());
    }
}
