//! Memory that may be swapped out, and what this process may ask for.

use crate::checks::Check;
use crate::env::root::Root;

/// Enough for the channels that are measured, and their threads' stacks.
const LOCKED: u64 = 64 << 20;

const CAP_IPC_LOCK: u32 = 14;
const CAP_SYS_NICE: u32 = 23;

pub(super) fn checks(root: Root<'_>) -> [Check; 3] {
    [swap(root), locked_memory(root), real_time(root)]
}

fn swap(root: Root<'_>) -> Check {
    let name = "swap";
    let Some(text) = root.text("proc/swaps") else { return Check::unknown(name) };
    // Filename Type Size Used Priority; names with spaces have them escaped.
    let used_kib = |line: &str| line.split_whitespace().nth(3)?.parse::<u64>().ok();
    let areas: Vec<u64> = text.lines().skip(1).filter_map(used_kib).collect();
    let used_mib = areas.iter().sum::<u64>().div_ceil(1024);
    match (areas.len(), used_mib) {
        (0, _) => Check::ok(name, "none"),
        (_, 0) => Check::ok(name, "not in use"),
        _ => Check::warn(
            name,
            format!("{used_mib} MiB are swapped out: a thread whose page is among them waits for the disk"),
            "swapoff -a, or lock what is measured in memory (mlockall)",
        ),
    }
}

/// The soft limit; `u64::MAX` is none.
fn limit(root: Root<'_>, name: &str) -> Option<u64> {
    let text = root.text("proc/self/limits")?;
    let soft = text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?;
    if soft == "unlimited" { Some(u64::MAX) } else { soft.parse().ok() }
}

fn may(root: Root<'_>, capability: u32) -> bool {
    let text = root.text("proc/self/status").unwrap_or_default();
    let set = text.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    set.is_some_and(|set| set >> capability & 1 == 1)
}

fn locked_memory(root: Root<'_>) -> Check {
    let name = "locked memory";
    let Some(limit) = limit(root, "Max locked memory") else { return Check::unknown(name) };
    let seen = if limit == u64::MAX { "no limit".to_owned() } else { format!("limit {} KiB", limit >> 10) };
    if may(root, CAP_IPC_LOCK) {
        return Check::ok(name, format!("{seen}, which does not bind this process (CAP_IPC_LOCK)"));
    }
    if limit >= LOCKED {
        return Check::ok(name, seen);
    }
    Check::warn(
        name,
        format!("locked memory: {seen}, too little to keep pages from being moved or swapped out"),
        "ulimit -l unlimited, LimitMEMLOCK=infinity of the systemd unit, docker run --ulimit memlock=-1",
    )
}

fn real_time(root: Root<'_>) -> Check {
    let name = "real-time priority";
    let Some(limit) = limit(root, "Max realtime priority") else { return Check::unknown(name) };
    if may(root, CAP_SYS_NICE) {
        return Check::ok(name, "allowed (CAP_SYS_NICE)");
    }
    if limit > 0 {
        return Check::ok(name, format!("allowed up to {limit}"));
    }
    Check::warn(
        name,
        "no real-time priority is allowed, so any thread of normal priority may take a core in turns",
        "ulimit -r 99, LimitRTPRIO=99 of the systemd unit, docker run --ulimit rtprio=99 --cap-add SYS_NICE",
    )
}
