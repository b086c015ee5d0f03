//! Subject, clock and machine of a report, in words.

use crate::report::Report;

/// One sentence on what was measured.
pub(crate) fn subject(report: &Report) -> String {
    let settings = &report.settings;
    let over = match settings.mesh_shards {
        None => "two SPSC channels".to_owned(),
        Some(2) => "a mesh of 2 cores".to_owned(),
        Some(shards) => format!("a mesh of {shards} cores, where the others poll"),
    };
    let lead = format!("Round trip (RTT, not halved) over {over}, one message in flight");
    let who = if settings.between_processes { ", between two processes and, beside that, two threads" } else { "" };
    let (bytes, capacity, wait) = (settings.payload_bytes, settings.capacity, settings.wait);
    format!("{lead}{who}: {bytes} B messages, capacity {capacity}, wait {wait}, seed {}.", settings.seed)
}

/// One sentence on the clock.
pub(crate) fn clock(report: &Report) -> String {
    let clock = &report.clock;
    let (quantum, read) = (clock.quantum_ns, clock.read_ns);
    format!(
        "Clock: {}; steps of {quantum} ns; every sample holds one reading of {read} ns, not subtracted.",
        clock.name
    )
}

/// The environment as `(name, value)`, without what is unknown.
pub(crate) fn environment(report: &Report) -> Vec<(&'static str, String)> {
    let env = &report.env;
    let caches = (!env.caches.is_empty()).then(|| env.caches.join(", "));
    let fields = [
        ("CPU", env.cpu_model.clone()),
        ("caches", caches),
        ("system", Some(format!("{} {} {}", env.os, env.kernel.as_deref().unwrap_or(""), env.arch).replace("  ", " "))),
        ("cores online", env.online_cores.map(|n| n.to_string())),
        ("governor", env.governor.clone()),
        ("SMT", env.smt.clone()),
        ("hypervisor", env.hypervisor.map(|is_vm| if is_vm { "yes" } else { "no" }.to_owned())),
        ("clocksource", env.clocksource.clone()),
        ("isolated cores", env.isolated.clone()),
        ("CPU quota", env.cpu_quota.map(|quota| format!("{quota} cores"))),
        ("load before", env.load_1m.map(|load| load.to_string())),
        ("stolen by host", env.steal_share.map(|share| format!("{:.2} %", share * 100.0))),
        ("ringmail", Some(report.tool.version.to_owned())),
        ("rustc", report.tool.rustc.map(|text| text.trim_start_matches("rustc ").to_owned())),
        ("profile", report.tool.profile.map(str::to_owned)),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
