//! Settings of the running kernel that take time from threads now and then.

use super::Under;
use super::boot::tickless_cores;
use crate::checks::Check;
use crate::env::root::Root;
use crate::topology::cores;

pub(super) fn checks(under: &Under<'_>) -> [Check; 6] {
    let root = under.root;
    [
        huge_pages(root),
        numa_balancing(root),
        timer_migration(under),
        watchdog(under),
        mitigations(root),
        preemption(root),
    ]
}

fn huge_pages(root: Root<'_>) -> Check {
    let name = "huge pages";
    let file = "sys/kernel/mm/transparent_hugepage/enabled";
    let Some(text) = root.text(file) else { return Check::unknown(name) };
    // `always [madvise] never`
    let chosen = text.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    match chosen {
        None => Check::unknown(name),
        Some("always") => Check::warn(
            name,
            "transparent huge pages for all: the kernel stops a thread to build one, and moves pages in the background",
            format!("echo madvise > /{file}"),
        ),
        Some(chosen) => Check::ok(name, format!("transparent huge pages: {chosen}")),
    }
}

fn numa_balancing(root: Root<'_>) -> Check {
    let name = "NUMA balancing";
    let nodes = root.names("sys/devices/system/node");
    let number = |name: &String| name.strip_prefix("node").is_some_and(|rest| rest.parse::<u32>().is_ok());
    let nodes = nodes.iter().filter(|name| number(name)).count();
    match (root.number::<u32>("proc/sys/kernel/numa_balancing"), nodes) {
        (None, _) => Check::unknown(name),
        (Some(0), _) => Check::ok(name, "off"),
        (Some(_), 1) => Check::ok(name, "on, but there is one node: it does nothing"),
        (Some(_), _) => Check::warn(
            name,
            "NUMA balancing is on: it takes pages away from threads to see who uses them",
            "sysctl kernel.numa_balancing=0",
        ),
    }
}

fn timer_migration(under: &Under<'_>) -> Check {
    let name = "timer migration";
    let tickless = tickless_cores(under.root).unwrap_or_default();
    match under.root.number::<u32>("proc/sys/kernel/timer_migration") {
        None => Check::unknown(name),
        Some(0) => Check::ok(name, "off"),
        Some(_) if under.ids.iter().all(|id| tickless.contains(id)) => {
            Check::ok(name, "on, but it spares tickless cores")
        }
        Some(_) => Check::warn(
            name,
            "timers of idle cores move to busy ones, such as those that are measured",
            "sysctl kernel.timer_migration=0",
        ),
    }
}

fn watchdog(under: &Under<'_>) -> Check {
    let name = "watchdog";
    let read = |file: &str| under.root.number::<u32>(&format!("proc/sys/kernel/{file}"));
    let (hard, soft) = match (read("nmi_watchdog"), read("soft_watchdog").or_else(|| read("watchdog"))) {
        (None, None) => return Check::unknown(name),
        (hard, soft) => (hard.is_some_and(|on| on > 0), soft.is_some_and(|on| on > 0)),
    };
    let watched = under.root.list("proc/sys/kernel/watchdog_cpumask");
    let on: Vec<usize> = match watched {
        Some(watched) => under.ids.iter().copied().filter(|id| watched.contains(id)).collect(),
        None => under.ids.clone(),
    };
    if on.is_empty() || !(hard || soft) {
        return Check::ok(name, "off on these cores");
    }
    let which = match (hard, soft) {
        (true, true) => "hard and soft",
        (true, false) => "hard",
        _ => "soft",
    };
    Check::warn(
        name,
        format!("the {which} lock-up watchdog interrupts {} every few seconds", cores(&on)),
        "sysctl kernel.watchdog=0, or leave these cores out of kernel.watchdog_cpumask",
    )
}

/// Shown, not judged: they make calls into the kernel slower, and round trips in user space do not make any.
fn mitigations(root: Root<'_>) -> Check {
    let name = "mitigations";
    let folder = "sys/devices/system/cpu/vulnerabilities";
    let names = root.names(folder);
    let in_force =
        |name: &&String| root.text(&format!("{folder}/{name}")).is_some_and(|text| text.starts_with("Mitigation"));
    let active: Vec<&str> = names.iter().filter(in_force).map(String::as_str).collect();
    match (names.len(), active.as_slice()) {
        (0, _) => Check::unknown(name),
        (_, []) => Check::ok(name, "none in force"),
        (_, active) => Check::ok(name, format!("in force: {}", active.join(", "))),
    }
}

/// Shown, not judged.
fn preemption(root: Root<'_>) -> Check {
    let name = "preemption";
    if root.text("sys/kernel/realtime").as_deref() == Some("1") {
        return Check::ok(name, "real-time kernel (PREEMPT_RT)");
    }
    // Only words of the kernel's own are taken: the rest names who built it, and where.
    let Some(version) = root.text("proc/version") else { return Check::unknown(name) };
    let kinds = ["PREEMPT_RT", "PREEMPT_DYNAMIC", "PREEMPT"];
    match version.split_whitespace().find_map(|word| kinds.into_iter().find(|kind| word == *kind)) {
        Some("PREEMPT_RT") => Check::ok(name, "real-time kernel (PREEMPT_RT)"),
        Some(kind) => Check::ok(name, format!("{kind}, no real-time kernel")),
        None => Check::ok(name, "no real-time kernel"),
    }
}
