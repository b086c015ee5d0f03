//! A report that no machine measured, for the tests of renderers.

use crate::env::Env;
use crate::env::of_cores::OfCores;
use crate::report::{
    Band, ClockInfo, Clocks, CoreInfo, Figures, Flag, FloorKind, Gaps, Jitter, Load, LoadStep, Lost, Pair, Placement,
    Processes, Ratio, Report, RunEnd, SCHEMA, Settings, Tool, Warning,
};

/// How many cores share what, and how many slices each pair has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) cores: usize,
    pub(crate) smt: usize,
    pub(crate) l3: usize,
    pub(crate) node: usize,
    pub(crate) package: usize,
    pub(crate) slices: usize,
}

/// A machine of `cores` cores: two per SMT group, four per L3, one node.
pub(crate) fn report(cores: usize) -> Report {
    machine(Shape { cores, smt: 2, l3: 4, node: usize::MAX, package: usize::MAX, slices: 100 })
}

/// A machine of two sockets with two nodes each, and as many slices as a short run has.
pub(crate) fn sockets(cores: usize) -> Report {
    let (node, package) = ((cores / 4).max(1), (cores / 2).max(1));
    machine(Shape { cores, smt: 1, l3: 8.min(node), node, package, slices: 12 })
}

/// The same with figures that scatter by a third, as on a busy machine.
pub(crate) fn noisy(cores: usize) -> Report {
    let mut report = sockets(cores);
    let mut random = 7_u64;
    for pair in &mut report.pairs {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let factor = 0.67 + (random >> 40) as f64 / f64::from(1 << 24) * 0.66;
        let figures = &mut pair.channel;
        for ns in [&mut figures.p50_ns, &mut figures.p90_ns, &mut figures.p99_ns, &mut figures.p999_ns] {
            *ns *= factor;
        }
    }
    report
}

/// A machine with four fast cores of two threads each and eight slow ones in clusters of four.
pub(crate) fn hybrid() -> Report {
    let mut report = machine(Shape { cores: 16, smt: 1, l3: 16, node: 16, package: 16, slices: 12 });
    for core in report.cores.iter_mut().filter(|core| core.id < 8) {
        core.smt_siblings = vec![core.id & !1, core.id | 1];
    }
    report.pairs = (0..16)
        .flat_map(|b| (0..b).map(move |a| (a, b)))
        .map(|(a, b)| match () {
            () if b < 8 && a / 2 == b / 2 => pair(a, b, "SMT sibling", 9.0, 12),
            () if b < 8 => pair(a, b, "same L3", 52.0, 12),
            () if a >= 8 && a / 4 == b / 4 => pair(a, b, "same L3", 61.0, 12),
            () => pair(a, b, "same L3", 88.0, 12),
        })
        .collect();
    report
}

pub(crate) fn machine(shape: Shape) -> Report {
    let Shape { cores, smt, l3, node, package, slices } = shape;
    let core = |id: usize| CoreInfo {
        id,
        smt_siblings: (id / smt * smt..(id / smt + 1) * smt).collect(),
        l2: Some(id / smt * smt),
        l3: Some(id / l3 * l3),
        node: Some(id / node),
        package: Some(id / package),
        isolated: false,
    };
    let gaps = Gaps {
        min_ns: 1_100,
        mean_ns: 4_878.0,
        p50_ns: 2_200,
        p90_ns: 9_000,
        p99_ns: 41_000,
        p999_ns: 81_300,
        p9999_ns: 81_300,
        p99999_ns: 81_300,
    };
    let jitter = |core| Jitter {
        core,
        watched_s: 2.0,
        hiccups: 246,
        max_ns: 81_300,
        stolen_ns: 1_200_000,
        threshold_ns: 1_000,
        gaps: Some(gaps.clone()),
        histogram: None,
    };
    let related = |a: usize, b: usize| {
        let (relation, floor) = match () {
            () if a / smt == b / smt => ("SMT sibling", 7.0),
            () if a / l3 == b / l3 => ("same L3", 40.0),
            () if a / node == b / node => ("same node", 180.0),
            () if a / package == b / package => ("other node", 240.0),
            () => ("other node", 390.0),
        };
        pair(a, b, relation, floor + (a * 7 + b * 3) as f64 % 5.0, slices)
    };
    let pairs = (0..cores).flat_map(|b| (0..b).map(move |a| related(a, b))).collect::<Vec<_>>();
    Report {
        schema: SCHEMA,
        tool: Tool {
            name: "ringmail".into(),
            version: "9.9.9".into(),
            rustc: Some("rustc 1.99.0 (fixture)".into()),
            profile: Some("release".into()),
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
            wait: "spin".into(),
            slice_ms: 5.0,
            time_budget_s: 16.0,
            pair_duration_s: Some(1.0),
            samples: None,
            placement: Placement::default(),
        },
        clock: ClockInfo { name: "time-stamp counter, 2596 MHz".into(), quantum_ns: 10.0, read_ns: 9.6 },
        env: Env {
            cpu_model: Some("Some <CPU> & \u{1b}[31mmore".into()),
            os: "linux".into(),
            arch: "x86_64".into(),
            ..Env::default()
        },
        cores: (0..cores).map(core).collect(),
        cores_left_out: vec![],
        jitter: (0..cores).map(jitter).collect(),
        planned_pairs: pairs.len(),
        planned_visits: 2,
        pairs,
        left_out: None,
        full_run_s: None,
        failures: vec![],
        load: None,
        wake: None,
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
        let (ratio, ratio_to_channel) = (ratio(1.5), ratio(1.25));
        pair.processes =
            Some(Processes { figures, ratio, unsteady_ratio: None, ratio_to_channel, slices_ns, tails_ns: vec![] });
    }
    report
}

/// A sweep of three rates; the last one is above the knee.
pub(crate) fn load() -> Report {
    let mut report = report(2);
    report.pairs.clear();
    report.jitter.clear();
    report.planned_pairs = 0;
    let step = |per_s: f64, share: f64, p50: f64| LoadStep {
        planned_per_s: per_s,
        sent_per_s: per_s * share,
        planned: (per_s * 0.4) as u64,
        sent: (per_s * 0.4 * share).round() as u64,
        reached: share > 0.99,
        window_s: 0.4,
        tries: 1,
        response: Figures { p999_ns: p50 * 20.0 / 3.0, trips_per_sample: 1, resolution_ns: 10.0, ..figures(p50) },
        service: Figures { trips_per_sample: 1, resolution_ns: 10.0, ..figures(p50) },
        typical_p90_ns: p50 * 1.5,
        before_sent: 0,
        preemptions: Some(0),
        migrated: false,
        over_time: vec![[0.02, p50 - 20.0, 900.0], [0.04, p50 + 20.0, 5_000.0], [0.06, p50, 800.0]],
    };
    report.load = Some(Load {
        cores: [0, 1],
        relation: "SMT sibling".into(),
        subject: "spsc".into(),
        arrival: "constant".into(),
        burst: 1,
        sender_cores: vec![0],
        clocks: Some(Clocks { there_min_ns: 43.0, back_min_ns: 37.0, offset_ns: 3.0, bound_ns: 40.0 }),
        sweep: true,
        steps: vec![step(10e3, 1.0, 200.0), step(3.2e6, 1.0, 210.0), step(6.4e6, 0.812, 4e7)],
        knee_per_s: Some(3.2e6),
    });
    report
}

/// A report of one pair on two placements of a virtual machine.
pub(crate) fn two_levels() -> Report {
    let mut report = report(2);
    report.env.hypervisor = Some(true);
    let pair = &mut report.pairs[0];
    pair.relation = "same L3".into();
    (pair.channel, pair.floor, pair.yardstick) = (figures(210.0), figures(160.0), None);
    pair.floor_kind = FloorKind::TwoLines;
    let band = |share, p50_ns, floor_ns| Band { share, p50_ns, range_ns: [p50_ns * 0.95, p50_ns * 1.1], floor_ns };
    pair.bands = vec![band(0.7, 100.0, 80.0), band(0.3, 410.0, 350.0)];
    report
}

/// Leaves out the pairs after the first `measured`, as a spent time budget does.
pub(crate) fn cut_short(report: &mut Report, measured: usize) {
    report.pairs.truncate(measured);
    report.ended = RunEnd::TimeBudget;
    report.full_run_s = Some(150.0);
}

/// Takes away all that casts doubt on the figures.
pub(crate) fn quiet(report: &mut Report) {
    let governors =
        vec![OfCores { value: "performance".into(), cores: report.cores.iter().map(|core| core.id).collect() }];
    report.env = Env { governors, hypervisor: Some(false), ..Env::default() };
    report.warnings.clear();
    report.jitter.iter_mut().for_each(|jitter| jitter.stolen_ns = 0);
    report.pairs.iter_mut().for_each(|pair| pair.lost = Some(Lost { watched_s: 1.0, share: 0.000_02 }));
}

/// Makes a pair's floor an unsteady one.
pub(crate) fn unsettle(pair: &mut Pair) {
    pair.flags.push(Flag::UnsteadyFloor);
    pair.unsteady_ratio = pair.ratio.take().map(|ratio| Ratio { median: 99_809.0, slices_used: 0, ..ratio });
}

fn pair(a: usize, b: usize, relation: &str, floor: f64, slices: usize) -> Pair {
    Pair {
        cores: [a, b],
        relation: relation.into(),
        channel: figures(floor * 1.2),
        floor: figures(floor),
        floor_kind: FloorKind::OneLine,
        yardstick: Some(figures(floor * 1.5)),
        ratio: Some(Ratio { median: 1.2, range: [1.1, 1.4], slices_used: 90, slices: 100 }),
        unsteady_ratio: None,
        processes: None,
        bands: vec![],
        lost: Some(Lost { watched_s: 1.0, share: 0.0004 }),
        sleeps_per_trip: Some(0.0),
        visits: 2,
        preemptions: Some(3),
        flags: vec![],
        slices_ns: (0..slices).map(|i| [floor, floor * 1.2 + (i % 7) as f64, floor]).collect(),
        tails_ns: (0..slices).map(|i| [1.25, 1.3, 1.5, 3.0].map(|tail| floor * tail + (i % 7) as f64)).collect(),
        visit_slices: vec![slices],
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
        p9999_ns: p50 * 5.0,
        p99999_ns: p50 * 9.0,
        mean_ns: p50 * 1.05,
        stalled_share: 0.0,
        max_ns: 81_234.0,
        slice_range_ns: [p50 * 0.95, p50 * 1.3],
        visit_range_ns: Some([p50 * 0.97, p50 * 1.1]),
        histogram: None,
    }
}
