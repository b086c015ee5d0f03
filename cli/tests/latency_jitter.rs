//! Runs `ringmail latency jitter` as users do.

mod support;

use serde_json::Value;
use support::{err, out, run, two_cores};

#[test]
fn each_core_has_a_row_and_the_answer_stands_first() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let output = run(&["latency", "jitter", "--cores", &format!("{a},{b}"), "--duration", "200ms"]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", err(&output));
    assert!(text.starts_with("2 cores lost "), "{text}");
    for part in ["gaps/s", "median", "99.9%", "total %", "Gaps of more than 1.00 µs", "Clock: "] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    for core in [a, b] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(&format!("{core} "))), "core {core}:\n{text}");
    }
}

#[test]
fn one_core_is_enough_and_json_has_its_distribution() {
    let Some(([a, _], _turn)) = two_cores() else { return };
    let args = ["latency", "jitter", "--cores", &a, "--duration", "300ms", "--threshold", "1us", "--json", "-"];
    let output = run(&args);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let jitter = &report["jitter"][0];
    assert!(report["jitter"].as_array().unwrap().len() == 1 && report["pairs"].as_array().unwrap().is_empty());
    assert!(jitter["watched_s"].as_f64().unwrap() >= 0.3);
    assert_eq!((jitter["threshold_ns"].as_u64(), jitter["core"].to_string()), (Some(1000), a));
    // A core without a single gap in a third of a second is possible, with its timer off.
    if jitter["hiccups"].as_u64().unwrap() > 0 {
        let names = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns", "p99999_ns"];
        let figures = names.map(|name| jitter["gaps"][name].as_u64().unwrap());
        assert!(figures.is_sorted() && figures[0] >= 1000, "{jitter}");
        assert!(figures[6] <= jitter["max_ns"].as_u64().unwrap(), "{jitter}");
    }
}

#[test]
fn csv_has_the_columns_of_every_statistic() {
    let Some(([a, _], _turn)) = two_cores() else { return };
    let output = run(&["latency", "jitter", "--cores", &a, "--duration", "100ms", "--csv", "-"]);
    let text = out(&output);
    assert!(text.contains(&format!("{a},{a},same core,jitter,stolen_share,")), "{text}");
}

#[test]
fn cores_are_watched_one_by_one_on_request() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let began = std::time::Instant::now();
    let list = format!("{a},{b}");
    let output = run(&["latency", "jitter", "--cores", &list, "--duration", "500ms", "--one-by-one", "--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(began.elapsed() >= std::time::Duration::from_secs(1));
    assert_eq!(out(&output).lines().count(), 3, "{}", out(&output));
}

#[test]
fn wrong_arguments_end_with_code_2_and_a_reason() {
    for (args, reason) in [
        (&["--threshold", "0us"][..], "--threshold"),
        (&["--duration", "5"], "500ms"),
        (&["--cores", "99999"], "--cores"),
        (&["--svg", "x.svg"], "heat map"),
        (&["--html", "x.html"], "heat map"),
        (&["0"], "unexpected argument"),
    ] {
        let output = run(&[&["latency", "jitter"], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(err(&output).contains(reason), "{args:?} does not say {reason:?}: {}", err(&output));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_watch_reports_what_it_has() {
    let Some(([a, _], _turn)) = two_cores() else { return };
    let watched = |report: &Value| report["jitter"][0]["watched_s"].as_f64();
    let report = support::interrupted(&["latency", "jitter", "--cores", &a], |report| {
        watched(report).is_some_and(|watched| watched > 0.5)
    });
    assert!(watched(&report).unwrap() < 30.0, "{report}");
    assert!(report["warnings"].to_string().contains("interrupted"), "{}", report["warnings"]);
}

/// Stops the process for 10 ms every 100 ms while it watches. What it tells of gaps above 5 ms is what was injected.
#[cfg(target_os = "linux")]
#[test]
fn injected_stops_are_told_within_a_tenth() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let (mut disturbed, mut possible) = (false, false);
    for _ in 0..8 {
        let attempt = stops::inject(&a, b.parse().unwrap());
        eprintln!("{attempt:?}");
        if attempt.is_told() {
            return;
        }
        // A busy machine may begin to watch late, or stop when the watch is over.
        possible |= attempt.is_possible();
        // Where other programs take the core for longer than 5 ms too, stops are not the only gaps. Otherwise they are, but for the hypervisor.
        disturbed |= attempt.was_disturbed();
    }
    assert!(possible, "stops are missing, or gaps that nothing explains are there");
    assert!(disturbed, "the core was free, and yet the stops were not told");
}

#[cfg(target_os = "linux")]
mod stops {
    use std::io::Read;
    use std::process::Stdio;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use ringmail::affinity::spawn_pinned;
    use serde_json::Value;

    use super::support::ringmail;

    /// What was injected, and what was told.
    #[derive(Debug)]
    pub(super) struct Attempt {
        injected_ns: Vec<f64>,
        /// What the thread waited for its core meanwhile, as the kernel counts it.
        waited_ns: f64,
        told_count: u64,
        told_ns: f64,
        told_p50_ns: f64,
    }

    impl Attempt {
        fn injected(&self) -> f64 {
            self.injected_ns.iter().sum()
        }

        /// Whether number, sum and middle of the gaps are those of the stops.
        pub(super) fn is_told(&self) -> bool {
            let mut sorted = self.injected_ns.clone();
            sorted.sort_by(f64::total_cmp);
            let near = |told: f64, injected: f64| (told / injected - 1.0).abs() < 0.1;
            self.told_count == sorted.len() as u64
                && near(self.told_ns, self.injected())
                && near(self.told_p50_ns, sorted[sorted.len() / 2])
        }

        /// Whether the gaps hold the stops, and nothing but the stops and what the thread waited for its core. True on any machine, but for what a
        /// hypervisor takes.
        pub(super) fn is_possible(&self) -> bool {
            let injected = self.injected();
            self.told_count >= self.injected_ns.len() as u64
                && (0.9 * injected..=1.5 * injected + 1.1 * self.waited_ns).contains(&self.told_ns)
        }

        /// Whether other programs had the core often enough to add to the gaps.
        pub(super) fn was_disturbed(&self) -> bool {
            self.waited_ns > 0.05 * self.injected()
        }
    }

    /// Watches one core, and stops the watch from the other.
    pub(super) fn inject(core: &str, other: usize) -> Attempt {
        let args = ["latency", "jitter", "--cores", core, "--duration", "3s", "--threshold", "5ms", "--json", "-"];
        let mut child = ringmail().args(args).stdout(Stdio::piped()).spawn().unwrap();
        let id = i32::try_from(child.id()).unwrap();
        let waiting = std::thread::spawn(move || waited_ns(id));
        let injected_ns = spawn_pinned(other, move || stop_over_and_over(id)).unwrap().join().unwrap();
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success());
        let report: Value = serde_json::from_str(&text).unwrap();
        let jitter = &report["jitter"][0];
        Attempt {
            injected_ns,
            waited_ns: waiting.join().unwrap(),
            told_count: jitter["hiccups"].as_u64().unwrap(),
            told_ns: jitter["stolen_ns"].as_f64().unwrap(),
            told_p50_ns: jitter["gaps"]["p50_ns"].as_f64().unwrap_or(0.0),
        }
    }

    /// What the watching thread of the process waited for its core until it ended; 0 if the kernel does not say.
    fn waited_ns(process: i32) -> f64 {
        let tasks = format!("/proc/{process}/task");
        let read = || {
            let threads = std::fs::read_dir(&tasks).ok()?;
            let mut files = threads.filter_map(|thread| Some(thread.ok()?.path()));
            let watching = files.find(|thread| {
                let name = std::fs::read_to_string(thread.join("comm"));
                name.is_ok_and(|name| name.starts_with("core-"))
            })?;
            let counts = std::fs::read_to_string(watching.join("schedstat")).ok()?;
            counts.split(' ').nth(1)?.parse::<f64>().ok()
        };
        let (began, mut last) = (Instant::now(), 0.0);
        while began.elapsed() < Duration::from_secs(60) {
            match read() {
                Some(waited) => last = waited,
                None if began.elapsed() > Duration::from_millis(700) => break,
                None => {}
            }
            sleep(Duration::from_millis(5));
        }
        last
    }

    /// 15 times 10 ms, one every 100 ms; how long each was.
    fn stop_over_and_over(id: i32) -> Vec<f64> {
        let signal = |signal: i32| {
            // SAFETY: no memory is passed. The process is a child that has not been waited for, so its id is not another's.
            assert_eq!(unsafe { libc::kill(id, signal) }, 0);
        };
        // It measures its clock first.
        sleep(Duration::from_millis(700));
        let stop = |_| {
            signal(libc::SIGSTOP);
            let stopped = Instant::now();
            sleep(Duration::from_millis(10));
            // Before the signal: the process that it lets go on may take this thread's core.
            let injected = stopped.elapsed();
            signal(libc::SIGCONT);
            sleep(Duration::from_millis(90));
            injected.as_nanos() as f64
        };
        (0..15).map(stop).collect()
    }
}
