//! A report that no machine measured, for the tests of renderers.

use crate::env::Env;
use crate::report::{
    ClockInfo, CoreInfo, Figures, Jitter, Pair, Processes, Ratio, Report, RunEnd, SCHEMA, Settings, Tool, Warning,
};

/// A machine of `cores` cores: two per SMT group, four per L3.
pub(crate) fn report(cores: usize) -> Report {
    let core = |id: usize| CoreInfo {
        id,
        smt_siblings: vec![id & !1, id | 1],
        l3: Some(id & !3),
        node: Some(0),
        package: Some(0),
        isolated: false,
    };
    let jitter = |core| Jitter { core, watched_s: 2.0, hiccups: 246, max_ns: 81_300, stolen_ns: 1_200_000 };
    let pairs = (0..cores).flat_map(|b| (0..b).map(move |a| pair(a, b))).collect::<Vec<_>>();
    Report {
        schema: SCHEMA,
        tool: Tool {
            name: "ringmail",
            version: "9.9.9",
            rustc: Some("rustc 1.99.0 (fixture)"),
            profile: Some("release"),
            argv: vec!["ringmail".into(), "latency".into()],
        },
        started_unix_s: 1_800_000_000,
        elapsed_s: 15.5,
        ended: RunEnd::Complete,
        settings: Settings {
            seed: 42,
            between_processes: false,
            mesh_shards: None,
            payload_bytes: 8,
            capacity: 64,
            wait: "spin",
            slice_ms: 5.0,
            time_budget_s: 16.0,
            pair_duration_s: Some(1.0),
            samples: None,
        },
        clock: ClockInfo { name: "time-stamp counter, 2596 MHz".into(), quantum_ns: 10.0, read_ns: 9.6 },
        env: Env {
            cpu_model: Some("Some <CPU> & \u{1b}[31mmore".into()),
            os: "linux",
            arch: "x86_64",
            ..Env::default()
        },
        cores: (0..cores).map(core).collect(),
        jitter: (0..cores).map(jitter).collect(),
        planned_pairs: pairs.len(),
        planned_visits: 1,
        pairs,
        failures: vec![],
        warnings: vec![Warning::new("load 2.3 on 2 cores", "stop other work")],
    }
}

/// The same of one pair, between processes.
pub(crate) fn between_processes() -> Report {
    let mut report = report(2);
    report.settings.between_processes = true;
    for pair in &mut report.pairs {
        let ratio = |median| Some(Ratio { median, range: [1.0, 1.7], slices_used: 80, slices: 100 });
        let slices_ns = pair.slices_ns.iter().map(|[_, channel, _]| channel * 1.25).collect();
        let figures = figures(pair.channel.p50_ns * 1.25);
        pair.processes = Some(Processes { figures, ratio: ratio(1.5), ratio_to_channel: ratio(1.25), slices_ns });
    }
    report
}

fn pair(a: usize, b: usize) -> Pair {
    let (relation, floor) = match () {
        () if a / 2 == b / 2 => ("SMT sibling", 7.0),
        () if a / 4 == b / 4 => ("same L3", 40.0),
        () => ("same node", 180.0),
    };
    let floor = floor + (a * 7 + b * 3) as f64 % 5.0;
    Pair {
        cores: [a, b],
        relation: relation.into(),
        channel: figures(floor * 1.2),
        floor: figures(floor),
        ratio: Some(Ratio { median: 1.2, range: [1.1, 1.4], slices_used: 90, slices: 100 }),
        processes: None,
        visits: 1,
        preemptions: Some(3),
        flags: vec![],
        slices_ns: (0..100).map(|i| [floor, floor * 1.2 + f64::from(i % 7), floor]).collect(),
    }
}

fn figures(p50: f64) -> Figures {
    let trips = (160.0 / p50).ceil();
    Figures {
        samples: 123_456,
        trips_per_sample: trips as u32,
        resolution_ns: 10.0 / trips,
        min_ns: p50 * 0.9,
        p50_ns: p50,
        p90_ns: p50 * 1.1,
        p99_ns: p50 * 1.5,
        p999_ns: p50 * 3.0,
        max_ns: 81_234.0,
        slice_range_ns: [p50 * 0.95, p50 * 1.3],
    }
}
