//! Saving power: how deep cores sleep, how fast they run.

use super::Under;
use crate::checks::Check;
use crate::env::of_cores::{group, words};

/// Waking from a state takes a thread no longer than this without harm: C1 of all makers.
const SHALLOW_US: u64 = 5;

/// A state that a core may sleep in.
struct Idle {
    name: String,
    latency_us: u64,
}

pub(super) fn idle_states(under: &Under<'_>) -> Check {
    let name = "idle states";
    let root = under.root;
    let driver = root.text("sys/devices/system/cpu/cpuidle/current_driver");
    // Not a text: four bytes, the longest latency in µs that all programs together allow. Root may read it.
    let bytes = std::fs::read(root.path("dev/cpu_dma_latency")).ok();
    let limit = bytes.and_then(|bytes| Some(i32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?)));
    let limit = limit.and_then(|limit| u64::try_from(limit).ok()).unwrap_or(u64::MAX);
    let states = group(&under.ids, |core| {
        let deepest = deepest(under, core, limit)?;
        Some(format!("{} ({} µs to wake)", deepest.name, deepest.latency_us))
    });
    let slow = under.ids.iter().any(|&core| deepest(under, core, limit).is_some_and(|it| it.latency_us > SHALLOW_US));
    let Some(deepest) = words(&states) else {
        return match driver {
            Some(driver) => Check::ok(name, format!("cpuidle driver {driver}, no states")),
            None => Check::unknown(name),
        };
    };
    let driver = driver.unwrap_or_else(|| "unknown".into());
    let seen = format!("idle cores sleep as deep as {deepest}, cpuidle driver {driver}");
    if slow {
        let remedy = "hold /dev/cpu_dma_latency at 0 (tuned-adm profile latency-performance), or cpupower idle-set -D 5; \
                      threads that spin are not affected, sleepers and their wake-ups are";
        Check::warn(name, seen, remedy)
    } else {
        Check::ok(name, seen)
    }
}

/// The deepest state that is neither disabled nor beyond the limit; `None` if the core tells of no state.
fn deepest(under: &Under<'_>, core: usize, limit_us: u64) -> Option<Idle> {
    let file = |state: &str, file: &str| under.root.of_core(core, &format!("cpuidle/{state}/{file}"));
    let states = under.root.names(&format!("sys/devices/system/cpu/cpu{core}/cpuidle"));
    let known = states.iter().filter_map(|state| {
        let enabled = file(state, "disable").is_none_or(|text| text == "0");
        let latency_us = file(state, "latency")?.parse().ok()?;
        Some(Idle { name: file(state, "name")?, latency_us }).filter(|_| enabled && latency_us <= limit_us)
    });
    known.max_by_key(|idle| idle.latency_us)
}

pub(super) fn preference(under: &Under<'_>) -> Check {
    let name = "energy preference";
    let groups = group(&under.ids, |core| under.root.of_core(core, "cpufreq/energy_performance_preference"));
    let Some(seen) = words(&groups) else { return Check::unknown(name) };
    if groups.iter().all(|group| ["performance", "0"].contains(&group.value.as_str())) {
        return Check::ok(name, seen);
    }
    Check::warn(
        name,
        format!("energy preference {seen}"),
        "echo performance > /sys/devices/system/cpu/cpuN/cpufreq/energy_performance_preference for each",
    )
}

pub(super) fn boost(under: &Under<'_>) -> Check {
    let name = "boost";
    const INTEL: &str = "sys/devices/system/cpu/intel_pstate/no_turbo";
    const OTHERS: &str = "sys/devices/system/cpu/cpufreq/boost";
    let read = |path| under.root.text(path);
    let (on, remedy) = match (read(INTEL).as_deref(), read(OTHERS).as_deref()) {
        (Some(off), _) => (off == "0", format!("echo 1 > /{INTEL}")),
        (None, Some(on)) => (on == "1", format!("echo 0 > /{OTHERS}")),
        (None, None) => return Check::unknown(name),
    };
    if on {
        let seen = "boost is on: the clock rate follows heat and the load of other cores";
        Check::warn(name, seen, format!("for figures that repeat: {remedy}"))
    } else {
        Check::ok(name, "off")
    }
}
