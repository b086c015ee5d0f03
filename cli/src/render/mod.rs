//! Every way to show a report. Nothing in here measures, and nothing shows what the report does not hold.

pub(crate) mod color;
pub(crate) mod csv;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod format;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod matrix;
pub(crate) mod slices;
pub(crate) mod summary;
pub(crate) mod svg;
pub(crate) mod terminal;
pub(crate) mod text;

use crate::args::Cell;
use crate::report::{Pair, Report};

/// A figure for a heat map's cell, and what it cannot resolve. `None` when the pair has none.
pub(crate) fn cell_value(pair: &Pair, cell: Cell) -> Option<(f64, f64)> {
    let (figures, ratio) = pair.headline();
    let value = match cell {
        Cell::P50 => figures.p50_ns,
        Cell::P90 => figures.p90_ns,
        Cell::P99 => figures.p99_ns,
        Cell::P999 => figures.p999_ns,
        Cell::Max => figures.max_ns,
        Cell::Floor => return Some((pair.floor.p50_ns, pair.floor.resolution_ns)),
        Cell::Ratio => return ratio.map(|ratio| (ratio.median, 0.0)),
    };
    Some((value, figures.resolution_ns))
}

/// What the cells of a heat map show.
pub(crate) fn cell_title(cell: Cell) -> &'static str {
    match cell {
        Cell::P50 => "round trip, p50, ns",
        Cell::P90 => "round trip, p90, ns",
        Cell::P99 => "round trip, p99, ns",
        Cell::P999 => "round trip, p99.9, ns",
        Cell::Max => "round trip, longest, ns",
        Cell::Floor => "floor round trip, p50, ns",
        Cell::Ratio => "channel / floor, median of slices",
    }
}

/// Smallest and largest cell, and the coarsest resolution of any; `None` when no pair has a figure.
pub(crate) fn cell_range(report: &Report, cell: Cell) -> Option<Range> {
    let cells = report.pairs.iter().filter_map(|pair| cell_value(pair, cell));
    cells.fold(None, |range, (value, resolution)| {
        let Range { low, high, coarsest } = range.unwrap_or(Range { low: value, high: value, coarsest: 0.0 });
        Some(Range { low: low.min(value), high: high.max(value), coarsest: coarsest.max(resolution) })
    })
}

/// What the cells of a heat map span.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) coarsest: f64,
}

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
