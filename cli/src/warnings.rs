//! What distorts figures on this machine, each with its remedy.

mod load;

use crate::checks::{self, STOLEN, State};
use crate::report::{Flag, Report, RunEnd, Warning};
use crate::topology::list;

/// Above this share of time in stalls, percentiles flatter a pair.
pub(crate) const STALLED: f64 = 0.001;

/// Everything in the report that a reader should know before trusting it.
pub(crate) fn find(report: &Report, reused_memory: bool) -> Vec<Warning> {
    let env = &report.env;
    let mut found = Vec::new();
    let mut warn = |what: String, remedy: &str| found.push(Warning::new(what, remedy));
    if report.tool.profile.as_deref() == Some("debug") {
        warn("debug build".into(), "build with --release; these figures say nothing about the library");
    }
    let checks = [
        checks::left_out(&report.cores_left_out),
        checks::load(env),
        checks::virtual_machine(env),
        checks::governor(env),
        checks::clocksource(env),
        checks::quota(env, busy_threads(report)),
        checks::throttling(env),
        checks::smt_pairs(&report.cores),
        checks::steal(env),
    ];
    for check in checks.iter().filter(|check| check.state == State::Warn) {
        warn(check.seen.clone(), check.remedy.as_deref().unwrap_or_default());
    }
    let restless: Vec<usize> =
        report.jitter.iter().filter(|jitter| jitter.stolen_share() > STOLEN).map(|jitter| jitter.core).collect();
    if !restless.is_empty() {
        warn(
            format!("cores {} lose more than 1 % of their time", list(&restless)),
            "isolate cores (isolcpus=, nohz_full=, irqaffinity=) and use --cores isolated; until then p99.9 and max measure the machine",
        );
    }
    if reused_memory {
        warn(
            "later pairs may run on memory of earlier ones".into(),
            "use a smaller --capacity or --payload, or fewer --cores",
        );
    }
    let measured = report.pairs.len() + report.failures.len();
    match report.ended {
        RunEnd::TimeBudget => {
            let (visits, planned) = (report.pairs.iter().map(|pair| pair.visits).sum::<u32>(), report.planned_pairs);
            let visits = format!("{visits} of {} visits", planned as u64 * u64::from(report.planned_visits));
            let all = report.full_run_s.map(crate::render::format::budget);
            let remedy = match all {
                Some(all) => format!("all of them need --time-budget {all}; or name fewer --cores"),
                None => "raise --time-budget, or name fewer --cores".to_owned(),
            };
            warn(format!("time budget spent: {measured} of {planned} pairs measured, {visits}"), &remedy);
        }
        RunEnd::Interrupted if report.planned_pairs == 0 => {
            warn("interrupted: measured in part".into(), "run it again to measure all of it");
        }
        RunEnd::Interrupted => {
            warn(
                format!("interrupted: {measured} of {} pairs measured, the last in part", report.planned_pairs),
                "run it again to measure the rest",
            );
        }
        RunEnd::Complete => {}
    }
    let alone = report.planned_pairs < 2;
    for failure in &report.failures {
        let [a, b] = failure.cores;
        warn(
            format!("pair {a}-{b} failed: {}", failure.reason),
            if alone { "see the reason" } else { "see the reason; the other pairs are not affected" },
        );
    }
    // Of the whole visit where that is known, or else of the samples.
    let share = |pair: &&crate::report::Pair| pair.lost.map_or(pair.headline().0.stalled_share, |lost| lost.share);
    let stalled: Vec<_> = report.pairs.iter().filter(|pair| share(pair) > STALLED).collect();
    if let Some(worst) = stalled.iter().max_by(|a, b| share(a).total_cmp(&share(b))) {
        let [a, b] = worst.cores;
        let more = if stalled.len() > 1 { format!(" (and {} more pairs)", stalled.len() - 1) } else { String::new() };
        warn(
            format!("pair {a}-{b}{more}: {:.1} % of the time lost in stalls of more than 10 µs", share(worst) * 100.0),
            "percentiles do not show it, as a stall is one sample however long: stop what else runs there, or use --cores isolated",
        );
    }
    for (flag, what, remedy) in FLAGS {
        let pairs: Vec<_> = report.pairs.iter().filter(|pair| pair.flags.contains(&flag)).collect();
        if let Some(first) = pairs.first() {
            let [a, b] = first.cores;
            let more = if pairs.len() > 1 { format!(" and {} more", pairs.len() - 1) } else { String::new() };
            warn(format!("pair {a}-{b}{more}: {what}"), remedy);
        }
    }
    if let Some(load) = &report.load {
        load::find(load, &mut found);
    }
    found
}

const FLAGS: [(Flag, &str, &str); 5] = [
    (
        Flag::UnsteadyFloor,
        "the floor changed by more than a quarter within most slices, or there were too few slices: no ratio to it is shown",
        "measure longer with --duration, on a quieter machine",
    ),
    (Flag::Migrated, "a thread was found on another core", "keep other tools from changing this process's affinity"),
    (Flag::FewSamples, "fewer than 1000 samples, so p99.9 is the maximum", "raise --samples or --duration"),
    (
        Flag::CoarseClock,
        "round trips became so short that a sample spans fewer than 8 clock quanta",
        "run again; percentiles move in steps of the resolution",
    ),
    (
        Flag::BelowFloor,
        "the channel was faster than both of its floors, which two loops that poll each other can fall behind",
        "run again; until then read this ratio as 1",
    ),
];

/// Threads that ran at once while pairs were measured: a mesh has one for each core.
pub(crate) fn busy_threads(report: &Report) -> usize {
    // `load` lists only the cores that it uses.
    let of_load = report.load.as_ref().map(|_| report.cores.len());
    report.settings.mesh_shards.or(of_load).unwrap_or(2).min(report.cores.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::cgroup::{Quota, Throttled};
    use crate::env::of_cores::OfCores;
    use crate::render::fixture;
    use crate::report::LeftOut;

    fn whats(report: &Report) -> String {
        find(report, false).iter().map(|warning| format!("{} -> {}\n", warning.what, warning.remedy)).collect()
    }

    #[test]
    fn a_quiet_machine_gives_no_warning() {
        let mut report = fixture::report(4);
        let cores = vec![0, 1, 2, 3];
        let governors = vec![OfCores { value: "performance".into(), cores }];
        // As large as what runs at once, which is two threads.
        let quota = Some(Quota { cores: 2.0, period_ms: 100.0, file: "/cpu.max".into() });
        let throttled = Some(Throttled { times: 0, s: 0.0 });
        report.env = crate::env::Env { governors, quota, throttled, ..Default::default() };
        report.cores.iter_mut().for_each(|core| core.smt_siblings = vec![core.id]);
        assert_eq!(whats(&report), "");
    }

    #[test]
    fn every_trouble_names_its_remedy() {
        let mut report = fixture::report(4);
        report.env.load_1m = Some(2.3);
        report.env.online_cores = Some(4);
        report.env.governors = vec![
            OfCores { value: "performance".into(), cores: vec![0, 1] },
            OfCores { value: "powersave".into(), cores: vec![2, 3] },
        ];
        report.env.hypervisor = Some(true);
        report.env.arch = "x86_64".into();
        report.env.clocksource = Some("hpet".into());
        report.env.quota = Some(Quota { cores: 1.5, period_ms: 100.0, file: "/sys/fs/cgroup/a/cpu.max".into() });
        report.env.throttled = Some(Throttled { times: 7, s: 0.25 });
        report.cores_left_out = [(5, "offline"), (6, "offline"), (9, "not allowed")]
            .map(|(core, why)| LeftOut { core, why: why.into() })
            .to_vec();
        report.env.steal_share = Some(0.2);
        report.jitter[0].stolen_ns = (report.jitter[0].watched_s * 5e7) as u64;
        report.ended = RunEnd::TimeBudget;
        report.planned_pairs = 12;
        report.pairs[0].flags = vec![Flag::FewSamples];
        report.pairs[1].lost = Some(crate::report::Lost { watched_s: 1.0, share: 0.05 });
        report.full_run_s = Some(3700.0);
        let text = whats(&report);
        for part in [
            "load 2.3 on 4 cores",
            "governor powersave on cores 2-3 -> cpupower -c 2-3 frequency-set -g performance",
            "virtual machine",
            "clocksource hpet",
            "CPU quota of 1.5 cores (/sys/fs/cgroup/a/cpu.max) for 2 busy threads",
            "docker run --cpus=2",
            "in 7 periods, for 250 ms",
            "cannot be used and are left out: 5-6 (offline), 9 (not allowed)",
            "SMT siblings under test (cores 0-1) -> leave them out with --cores physical",
            "20.0 % of the time",
            "cores 0 lose more than 1 %",
            "6 of 12 pairs",
            "all of them need --time-budget 62m",
            "p99.9 is the maximum",
            "5.0 % of the time lost in stalls",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
    }
}
