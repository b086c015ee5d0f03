//! Subject, clock and machine of a report, in words.

use super::{format, load};
use crate::env::of_cores::words;
use crate::report::{CoreInfo, Report, RunEnd};

/// One sentence on what was measured.
pub(crate) fn subject(report: &Report) -> String {
    if let Some(load) = &report.load {
        return load::method(report, load);
    }
    let settings = &report.settings;
    let over = match settings.mesh_shards {
        None => "two SPSC channels".to_owned(),
        Some(2) => "a mesh of 2 cores".to_owned(),
        Some(shards) => format!("a mesh of {shards} cores, where the others poll"),
    };
    let lead = format!("Round trip (RTT, not halved) over {over}, one message in flight");
    let who = if settings.between_processes { ", between two processes and, beside that, two threads" } else { "" };
    let (bytes, capacity, wait) = (settings.payload_bytes, settings.capacity, &settings.wait);
    format!("{lead}{who}: {bytes} B messages, capacity {capacity}, wait {wait}, seed {}.", settings.seed)
}

/// How messages went, in few words.
pub(crate) fn settings(report: &Report) -> String {
    let settings = &report.settings;
    let over = match settings.mesh_shards {
        _ if report.load.is_some() => "one channel at a rate".to_owned(),
        None => "two channels".to_owned(),
        Some(shards) => format!("a mesh of {shards} cores"),
    };
    let (bytes, capacity, wait) = (settings.payload_bytes, settings.capacity, &settings.wait);
    format!("{over}, {bytes} B messages, capacity {capacity}, wait {wait}, seed {}", settings.seed)
}

/// The machine in few words: CPU, cores under test, system.
pub(crate) fn machine(report: &Report) -> String {
    let env = &report.env;
    let cores = report.cores.len();
    let of = env.online_cores.filter(|&online| online > cores).map_or(String::new(), |online| format!(" of {online}"));
    let mut parts = vec![env.cpu_model.clone().unwrap_or("unknown CPU".into()), format!("{cores}{of} cores")];
    let nodes = |of: fn(&CoreInfo) -> Option<usize>| {
        report.cores.iter().filter_map(of).collect::<std::collections::BTreeSet<_>>().len()
    };
    let (sockets, nodes) = (nodes(|core| core.package), nodes(|core| core.node));
    if sockets > 1 {
        parts.push(format!("{sockets} sockets"));
    }
    if nodes > sockets {
        parts.push(format!("{nodes} NUMA nodes"));
    }
    parts.push(system(report));
    if env.hypervisor == Some(true) {
        parts.push("virtual machine".into());
    }
    parts.join(", ")
}

/// When, by which version, in what state.
pub(crate) fn made(report: &Report) -> String {
    let (pairs, planned) = (report.pairs.len(), report.planned_pairs);
    let measured = match &report.load {
        Some(load) => format!("{} rates", load.steps.len()),
        None => format!("{pairs} of {planned} pairs"),
    };
    let ended = match report.ended {
        RunEnd::Complete => "",
        RunEnd::TimeBudget => ", stopped at the time budget",
        RunEnd::Interrupted => ", interrupted",
    };
    format!(
        "ringmail {}, {}: {measured} in {:.1} s{ended}",
        report.tool.version,
        format::utc(report.started_unix_s),
        report.elapsed_s
    )
}

fn system(report: &Report) -> String {
    let env = &report.env;
    [&env.os, env.kernel.as_deref().unwrap_or(""), &env.arch].map(str::trim).join(" ").replace("  ", " ")
}

/// One sentence on the clock.
pub(crate) fn clock(report: &Report) -> String {
    if let Some(load) = &report.load {
        return load::clocks(report, load);
    }
    let clock = &report.clock;
    let (quantum, read) = (clock.quantum_ns, clock.read_ns);
    format!(
        "Clock: {}; steps of {quantum} ns; each sample of a channel or of two lines holds one reading of {read} ns, not subtracted.",
        clock.name
    )
}

/// The environment as `(name, value)`, without what is unknown.
pub(crate) fn environment(report: &Report) -> Vec<(&'static str, String)> {
    let env = &report.env;
    let quota = env.quota.as_ref().map(|quota| format!("{} cores", quota.cores));
    let fields = [
        ("CPU", env.cpu_model.clone()),
        ("caches", words(&env.caches)),
        ("system", Some(system(report))),
        ("cores online", env.online_cores.map(|n| n.to_string())),
        ("governor", words(&env.governors)),
        ("SMT", env.smt.clone()),
        ("hypervisor", env.hypervisor.map(|is_vm| if is_vm { "yes" } else { "no" }.to_owned())),
        ("clocksource", env.clocksource.clone()),
        ("isolated cores", env.isolated.clone()),
        ("CPU quota", quota),
        ("load before", env.load_1m.map(|load| load.to_string())),
        ("stolen by host", env.steal_share.map(|share| format!("{:.2} %", share * 100.0))),
        ("measured", Some(format::utc(report.started_unix_s))),
        ("ringmail", Some(report.tool.version.to_owned())),
        ("rustc", report.tool.rustc.as_deref().map(|text| text.trim_start_matches("rustc ").to_owned())),
        ("profile", report.tool.profile.clone()),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
