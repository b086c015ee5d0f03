//! Where threads and memory are put on request, through the built command.

mod support;

use serde_json::Value;
use support::{err, out, run, two_cores};

/// A short run of one pair, with these options.
fn pair(cores: &[String; 2], args: &[&str]) -> Result<Value, (Option<i32>, String)> {
    let [a, b] = cores;
    let short = ["latency", "pair", a, b, "--samples", "300", "--time-budget", "3s", "--json", "-"];
    let output = run(&[&short[..], args].concat());
    if output.status.code() != Some(0) {
        return Err((output.status.code(), err(&output)));
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn pairs_are_measured_in_the_direction_named() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let pairs = format!("{b}:{a},{a}:{b}");
    let output = run(&["latency", "--pairs", &pairs, "--samples", "200", "--time-budget", "4s", "--json", "-"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cores: Vec<String> = report["pairs"].as_array().unwrap().iter().map(|pair| pair["cores"].to_string()).collect();
    assert_eq!(cores, [format!("[{b},{a}]"), format!("[{a},{b}]")]);
}

#[test]
fn wrong_options_end_with_code_2_and_a_reason() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    for (args, reason) in [
        (&["latency", "--pairs", "0-1"][..], "0:1,8:0"),
        (&["latency", "--pairs", "0:0"], "two different cores"),
        (&["latency", "--pairs", "0:99999"], "99999"),
        (&["latency", "pair", &a, &b, "--pairs", "0:1"], "one pair"),
        (&["latency", "--memory", "node:4096"], "no such memory node"),
        (&["latency", "--memory", "elsewhere"], "receiver, sender"),
        (&["latency", "mesh", "--memory", "sender"], "memory of its own core"),
        (&["latency", "mesh", "--huge-pages"], "memory of its own core"),
        (&["latency", "--rt-prio", "0"], "--rt-prio"),
        (&["latency", "--payload", "65536", "--capacity", "1000000"], "MiB"),
        (&["latency", "--payload", "8192"], "16384"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(err(&output).contains(reason), "{args:?} does not say {reason:?}: {}", err(&output));
    }
}

#[test]
fn large_payloads_arrive_intact_in_every_way() {
    let Some((cores, _turn)) = two_cores() else { return };
    for payload in ["4096", "16384", "65536"] {
        for wait in ["spin", "yield", "park"] {
            let report = pair(&cores, &["--payload", payload, "--wait", wait, "--capacity", "2"]).unwrap();
            assert_eq!(report["settings"]["payload_bytes"].to_string(), payload);
            assert!(report["pairs"][0]["channel"]["samples"].as_u64().unwrap() > 0);
        }
    }
}

#[test]
fn large_payloads_pass_through_a_mesh() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    let list = format!("{a},{b}");
    let args = ["latency", "mesh", "--cores", &list, "--payload", "65536", "--samples", "100", "--time-budget", "3s"];
    let output = run(&args);
    assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn large_payloads_pass_between_processes() {
    let Some(([a, b], _turn)) = two_cores() else { return };
    for (payload, wait) in [("4096", "spin"), ("65536", "park")] {
        let args =
            ["latency", "ipc", &a, &b, "--payload", payload, "--wait", wait, "--samples", "100", "--time-budget", "6s"];
        let output = run(&args);
        assert_eq!(output.status.code(), Some(0), "{payload} {wait}: {}{}", out(&output), err(&output));
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;

    #[test]
    fn memory_lies_where_it_was_asked_for() {
        let Some((cores, _turn)) = two_cores() else { return };
        for memory in ["receiver", "sender", "node:0"] {
            match pair(&cores, &["--memory", memory, "--payload", "1024"]) {
                Ok(report) => {
                    assert_eq!(report["settings"]["memory"], memory);
                    let nodes = report["settings"]["memory_found_on_nodes"].as_array().unwrap();
                    assert!(!nodes.is_empty() && (memory != "node:0" || *nodes == [Value::from(0)]), "{nodes:?}");
                }
                // As in a container.
                Err((code, reason)) => {
                    assert!(
                        code == Some(1) && (reason.contains("move_pages") || reason.contains("set_mempolicy")),
                        "{reason}"
                    );
                }
            }
        }
        let plain = pair(&cores, &[]).unwrap();
        for name in ["memory", "memory_found_on_nodes", "mlock", "rt_priority", "huge_page_bytes"] {
            assert!(plain["settings"].get(name).is_none(), "{name}: only who asks for it gets it");
        }
    }

    #[test]
    fn rights_that_are_missing_are_named() {
        let Some((cores, _turn)) = two_cores() else { return };
        for (args, setting, limits) in
            [(["--mlock", "--quiet"], "mlock", "RLIMIT_MEMLOCK"), (["--rt-prio", "1"], "rt_priority", "RLIMIT_RTPRIO")]
        {
            match pair(&cores, &args) {
                Ok(report) => assert!(!report["settings"][setting].is_null(), "{}", report["settings"]),
                Err((code, reason)) => assert!(code == Some(1) && reason.contains(limits), "{reason}"),
            }
        }
    }

    /// As a user without rights, whatever this process may do.
    #[test]
    fn without_rights_nothing_is_measured() {
        let Some(([a, b], _turn)) = two_cores() else { return };
        for (option, limit) in [("--mlock", "RLIMIT_MEMLOCK"), ("--rt-prio=5", "RLIMIT_RTPRIO")] {
            let command = format!(
                "ulimit -l 64 -r 0 && exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \"$0\" latency pair {a} {b} {option}"
            );
            // A copy that any user may run, wherever the build lies.
            let folder = tempfile::tempdir().unwrap();
            let copy = folder.path().join("ringmail");
            std::fs::copy(env!("CARGO_BIN_EXE_ringmail"), &copy).unwrap();
            std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            let output = std::process::Command::new("bash").arg("-c").arg(command).arg(&copy).output().unwrap();
            // Only who may become another user can try.
            if err(&output).contains("setpriv") || err(&output).contains("Permission denied") {
                return;
            }
            assert_eq!(output.status.code(), Some(1), "{option}: {}{}", out(&output), err(&output));
            assert!(err(&output).contains(limit), "{option}: {}", err(&output));
        }
    }

    #[test]
    fn huge_pages_are_given_or_refused_with_a_reason() {
        let Some((cores, _turn)) = two_cores() else { return };
        match pair(&cores, &["--huge-pages", "--payload", "65536", "--capacity", "128"]) {
            Ok(report) => assert!(report["settings"]["huge_page_bytes"].as_u64().unwrap() >= 2 << 20),
            Err((code, reason)) => assert!(code == Some(1) && reason.contains("huge page"), "{reason}"),
        }
        let (code, reason) = pair(&cores, &["--huge-pages"]).unwrap_err();
        assert!(code == Some(1) && (reason.contains("--capacity") || reason.contains("are off")), "{reason}");
    }
}
