//! `ringmail latency ipc` as users run it. Machines with one core skip the tests that need two.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

mod support;

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ringmail::affinity::{Topology, pin_current};
use serde_json::Value;
use support::{err, out, ringmail, run, two_cores};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// A run of one long visit, killed if the test ends before it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// In a process group of its own, as a shell starts it.
    fn start(more: &[&str]) -> Self {
        let mut command = ringmail();
        command.args(["latency", "ipc", "--samples", "1000000000", "--time-budget", "50s"]).args(more).process_group(0);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// The other process, once it has opened its channels and has had some turns.
    fn other(&self) -> u32 {
        self.other_after(Duration::from_millis(500))
    }

    fn other_after(&self, turns: Duration) -> u32 {
        let deadline = Instant::now() + LIMIT;
        loop {
            let child = child_of(self.0.id());
            if let (Some(child), true) = (child, leftovers(self.0.id()).is_empty()) {
                sleep(turns);
                return child;
            }
            assert!(Instant::now() < deadline, "there is no other process");
            sleep(Duration::from_millis(2));
        }
    }

    fn end(&mut self) -> (ExitStatus, String, String) {
        let mut texts = [String::new(), String::new()];
        self.0.stdout.take().unwrap().read_to_string(&mut texts[0]).unwrap();
        self.0.stderr.take().unwrap().read_to_string(&mut texts[1]).unwrap();
        let status = self.0.wait().unwrap();
        let [out, err] = texts;
        (status, out, err)
    }
}

fn signal(signal: &str, to: &str) {
    assert!(Command::new("kill").args([signal, "--", to]).status().unwrap().success());
}

/// State and parent of a process; `None` if there is none of that number.
fn state(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything.
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn child_of(pid: u32) -> Option<u32> {
    let entries = std::fs::read_dir("/proc").unwrap();
    let mut pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.find(|&other| state(other).is_some_and(|(state, parent)| parent == pid && state != 'Z'))
}

/// What the run of that process has in shared memory.
fn leftovers(pid: u32) -> Vec<String> {
    let names = std::fs::read_dir("/dev/shm").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.starts_with(&format!("ringmail-latency-{pid}-"))).collect()
}

/// Waits until the process has ended. Its parent may not have waited for it yet.
fn wait_for_end(pid: u32) {
    let deadline = Instant::now() + LIMIT;
    while state(pid).is_some_and(|(state, _)| state != 'Z') {
        assert!(Instant::now() < deadline, "process {pid} lingers");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn three_rows_and_their_ratios_are_shown() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let output = run(&["latency", "ipc", &a, &b, "--duration", "400ms", "--time-budget", "60s"]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", err(&output));
    let table: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("pair  ")).skip(1).take(4).collect();
    for (row, name) in table.iter().zip(["channel, processes  ", "channel, threads  ", " (floor)  "]) {
        assert!(row.contains(name), "{name:?} is not in {row:?} of\n{text}");
    }
    assert!(table[3].contains("two lines  ") || table[3].contains("one line  "), "{text}");
    // Words may be on lines of their own.
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["RTT, not halved", "between two processes and, beside that, two threads", "steps of"] {
        assert!(words.contains(part), "{part:?} is missing in:\n{text}");
    }
    // Where others have the cores meanwhile, a trip takes a turn of the scheduler's.
    let head = |unit| words.contains(&format!("p50 {unit} p90 {unit}"));
    assert!(["ns", "µs", "ms"].into_iter().any(head), "{text}");
    // Without a steady floor, as on a busy machine, there is none of them.
    let steady = !words.contains("no channel / floor");
    for ratio in ["processes / threads ", "; processes / floor ", "; threads / floor "] {
        assert_eq!(words.contains(ratio), steady, "{ratio:?} in:\n{text}");
    }
    assert!(!text.contains('\u{1b}') && err(&output).is_empty(), "{text}{}", err(&output));
}

#[test]
fn the_data_hold_both_channels_and_the_floor() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    // Without a word on cores: the first two.
    let output = run(&["latency", "ipc", "--duration", "2s", "--time-budget", "60s", "--json", "-"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!((&report["ended"], &report["settings"]["between_processes"]), (&"complete".into(), &true.into()));
    let pair = &report["pairs"][0];
    assert_eq!(pair["cores"], serde_json::json!([a.parse::<u64>().unwrap(), b.parse::<u64>().unwrap()]));
    assert_eq!(pair["visits"], 4, "each with a process of its own");
    for subject in ["processes", "channel", "floor"] {
        let names = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"];
        let figures = names.map(|name| pair[subject][name].as_f64().unwrap());
        assert!(figures.is_sorted() && figures[5] > 0.0, "{subject}: {figures:?}");
        assert!(pair[subject]["samples"].as_u64().unwrap() > 100, "{subject}");
    }
    let slices = |of: &Value| of["slices_ns"].as_array().unwrap().len();
    assert!(slices(pair) >= 3 && slices(pair) == slices(&pair["processes"]));
    let unsteady = pair["flags"].as_array().unwrap().contains(&"unsteady-floor".into());
    for (name, ratio) in [
        ("processes / floor", &pair["processes"]["ratio"]),
        ("processes / threads", &pair["processes"]["ratio_to_channel"]),
        ("threads / floor", &pair["ratio"]),
    ] {
        // How large it is depends on who else uses the cores, and whether there is one.
        let ratio = ratio["median"].as_f64();
        assert_eq!(ratio.is_none(), unsteady, "{name}");
        assert!(ratio.is_none_or(|ratio| ratio.is_finite() && ratio > 0.0), "{name}: {ratio:?}");
    }
}

#[test]
fn every_way_to_wait_and_size_of_message_arrives_intact() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let ipc = ["latency", "ipc", a.as_str(), b.as_str(), "--samples", "300", "--time-budget", "3s", "--quiet"];
    for variant in [
        ["--wait", "spin"],
        ["--wait", "yield"],
        ["--wait", "park"],
        ["--payload", "64"],
        ["--payload", "1024"],
        ["--capacity", "1"],
    ] {
        let output = run(&[&ipc[..], &variant].concat());
        assert_eq!(output.status.code(), Some(0), "{variant:?}: {}{}", out(&output), err(&output));
        assert!(out(&output).contains("channel, processes"), "{variant:?}: {}", out(&output));
    }
}

#[test]
fn every_output_shows_the_processes() {
    let Some((_, _turn)) = two_cores() else { return };
    let ipc = ["latency", "ipc", "--duration", "300ms", "--time-budget", "2s"];
    for (flag, part) in [
        ("--csv", ",processes,p50,"),
        ("--html", ">channel, processes</td>"),
        ("--html", ">channel, threads</td>"),
        ("--svg", "</svg>"),
    ] {
        let output = run(&[&ipc[..], &[flag, "-"]].concat());
        assert_eq!(output.status.code(), Some(0), "{flag}: {}", err(&output));
        assert!(out(&output).contains(part), "{flag} has no {part:?}: {}", out(&output));
    }
    let narrow = support::output(ringmail().args(ipc).args(["--ascii", "--color", "never"]).env("COLUMNS", "40"));
    let text = out(&narrow);
    assert!(text.is_ascii() && text.contains("channel, processes"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 40), "{text}");
}

#[test]
fn wrong_cores_end_with_code_2_and_a_reason() {
    for (args, reason) in [
        (&["latency", "ipc", "0"][..], "<B>"),
        (&["latency", "ipc", "0", "0"], "two different cores"),
        (&["latency", "ipc", "0", "99999"], "99999"),
        (&["latency", "ipc", "0", "one"], "one"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(err(&output).contains(reason), "{args:?} does not say {reason:?}: {}", err(&output));
    }
    let core = Topology::detect().unwrap().allowed()[0];
    // A child inherits the mask of the thread that starts it.
    let limited = std::thread::spawn(move || {
        pin_current(core).unwrap();
        run(&["latency", "ipc"])
    });
    let output = limited.join().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("needs two cores") && err(&output).contains(&format!("only core {core} is")));
}

#[test]
fn a_killed_process_is_told_and_leaves_nothing() {
    let Some((_, _turn)) = two_cores() else { return };
    // A side that parks learns of it in another way than one that spins.
    for wait in ["spin", "park"] {
        let mut running = Running::start(&["--wait", wait]);
        let pid = running.0.id();
        signal("-KILL", &running.other().to_string());
        let asked = Instant::now();
        let (status, out, err) = running.end();
        assert_eq!(status.code(), Some(1), "{out}{err}");
        assert!(err.contains("ended early (signal: 9"), "{err}");
        assert!(out.contains("No pair was measured."), "{out}");
        assert!(asked.elapsed() < Duration::from_secs(30));
        assert_eq!((leftovers(pid), child_of(pid)), (vec![], None));
    }
}

#[test]
fn an_interrupt_reports_what_there_is_and_ends_the_process() {
    let Some((_, _turn)) = two_cores() else { return };
    // On a busy machine nothing may have come back by then.
    let samples = |turns| interrupted(Duration::from_millis(turns))["pairs"][0]["processes"]["samples"].as_u64();
    let mut turns = [500, 1000, 2000, 4000, 8000].into_iter();
    assert!(turns.any(|turns| samples(turns).is_some_and(|samples| samples > 0)));
}

/// The report of a run that is interrupted so long after its other process began.
fn interrupted(turns: Duration) -> Value {
    let mut running = Running::start(&["--json", "-"]);
    let (pid, other) = (running.0.id(), running.other_after(turns));
    // To the group, as a terminal sends it.
    signal("-INT", &format!("-{pid}"));
    let asked = Instant::now();
    let (status, out, err) = running.end();
    assert_eq!((status.code(), err.as_str()), (Some(130), ""));
    assert!(asked.elapsed() < Duration::from_secs(30));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["ended"], "interrupted");
    wait_for_end(other);
    assert_eq!(leftovers(pid), Vec::<String>::new());
    report
}

#[test]
fn the_process_ends_when_its_starter_is_killed() {
    let Some((_, _turn)) = two_cores() else { return };
    let mut running = Running::start(&[]);
    let (pid, other) = (running.0.id(), running.other());
    signal("-KILL", &pid.to_string());
    running.0.wait().unwrap();
    wait_for_end(other);
    assert_eq!(leftovers(pid), Vec::<String>::new());
}

#[test]
fn names_are_gone_whenever_the_starter_is_killed() {
    let Some((_, _turn)) = two_cores() else { return };
    for after_ms in [0, 1, 2, 4, 8, 16] {
        let mut running = Running::start(&[]);
        let pid = running.0.id();
        let deadline = Instant::now() + LIMIT;
        // From the moment on at which there is something that could stay.
        while leftovers(pid).is_empty() && child_of(pid).is_none() {
            assert!(Instant::now() < deadline, "it never starts");
        }
        let deadline = Instant::now() + LIMIT;
        while child_of(pid).is_none() {
            assert!(Instant::now() < deadline, "there is no other process");
        }
        let other = child_of(pid).unwrap();
        sleep(Duration::from_millis(after_ms));
        signal("-KILL", &pid.to_string());
        running.0.wait().unwrap();
        wait_for_end(other);
        assert_eq!(leftovers(pid), Vec::<String>::new(), "killed {after_ms} ms after the start of the other");
    }
}
