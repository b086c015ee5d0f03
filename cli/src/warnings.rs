//! What distorts figures on this machine, each with its remedy.

use crate::report::{Flag, Report, RunEnd, Warning};

/// Above this share of lost time, the tail figures of a core measure the machine.
const STOLEN: f64 = 0.01;

/// Everything in the report that a reader should know before trusting it.
pub(crate) fn find(report: &Report, reused_memory: bool) -> Vec<Warning> {
    let env = &report.env;
    let mut found = Vec::new();
    let mut warn = |what: String, remedy: &str| found.push(Warning::new(what, remedy));
    if report.tool.profile == Some("debug") {
        warn("debug build".into(), "build with --release; these figures say nothing about the library");
    }
    let load = env.load_1m.zip(env.online_cores);
    if let Some((load, cores)) = load.filter(|&(load, cores)| load > 0.25 * cores as f64) {
        warn(
            format!("load {load:.1} on {cores} cores before the run"),
            "stop other work, or name idle cores with --cores",
        );
    }
    if env.hypervisor == Some(true) {
        warn(
            "virtual machine: the host may move its cores at any time".into(),
            "pin the virtual cores on the host, or measure on bare metal; until then trust the ratio and the ranges more than any single figure",
        );
    }
    if let Some(governor) = env.governor.as_deref().filter(|&governor| governor != "performance") {
        warn(format!("governor {governor}"), "cpupower frequency-set -g performance");
    }
    if let Some(source) = env.clocksource.as_deref().filter(|&source| env.arch == "x86_64" && source != "tsc") {
        warn(
            format!("clocksource {source}: slower and coarser than tsc"),
            "boot with tsc=reliable if the machine's counter is sound",
        );
    }
    if let Some(quota) = env.cpu_quota.filter(|&quota| quota < report.cores.len() as f64) {
        warn(
            format!("control group limits this process to {quota} cores"),
            "raise cpu.max, or expect pauses of tens of ms",
        );
    }
    let siblings = |core: &&crate::report::CoreInfo| {
        core.smt_siblings.iter().any(|id| *id > core.id && report.cores.iter().any(|other| other.id == *id))
    };
    if let Some(core) = report.cores.iter().find(siblings) {
        warn(
            format!("SMT siblings under test (cores {})", list(&core.smt_siblings)),
            "leave them out with --cores physical",
        );
    }
    if let Some(share) = env.steal_share.filter(|&share| share > STOLEN) {
        warn(
            format!("the hypervisor gave {:.1} % of the time to other guests", share * 100.0),
            "measure when the host is quieter",
        );
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
            warn(
                format!("time budget spent: {measured} of {planned} pairs measured, {visits}"),
                "raise --time-budget, or name fewer --cores",
            );
        }
        RunEnd::Interrupted => {
            warn(
                format!("interrupted: {measured} of {} pairs measured, the last in part", report.planned_pairs),
                "run it again to measure the rest",
            );
        }
        RunEnd::Complete => {}
    }
    for failure in &report.failures {
        let [a, b] = failure.cores;
        warn(format!("pair {a}-{b} failed: {}", failure.reason), "see the reason; the other pairs are not affected");
    }
    for (flag, what, remedy) in FLAGS {
        let pairs: Vec<_> = report.pairs.iter().filter(|pair| pair.flags.contains(&flag)).collect();
        if let Some(first) = pairs.first() {
            let [a, b] = first.cores;
            let more = if pairs.len() > 1 { format!(" and {} more", pairs.len() - 1) } else { String::new() };
            warn(format!("pair {a}-{b}{more}: {what}"), remedy);
        }
    }
    found
}

const FLAGS: [(Flag, &str, &str); 5] = [
    (
        Flag::UnsteadyFloor,
        "the floor changed by more than a quarter within most slices, or there were too few slices",
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
        "the channel was faster than its floor: the floor's two polling loops fell into a slow rhythm",
        "run again; until then read this ratio as 1",
    ),
];

fn list(ids: &[usize]) -> String {
    ids.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn whats(report: &Report) -> String {
        find(report, false).iter().map(|warning| format!("{} -> {}\n", warning.what, warning.remedy)).collect()
    }

    #[test]
    fn a_quiet_machine_gives_no_warning() {
        let mut report = fixture::report(4);
        report.env = crate::env::Env { governor: Some("performance".into()), ..Default::default() };
        report.cores.iter_mut().for_each(|core| core.smt_siblings = vec![core.id]);
        assert_eq!(whats(&report), "");
    }

    #[test]
    fn every_trouble_names_its_remedy() {
        let mut report = fixture::report(4);
        report.env.load_1m = Some(2.3);
        report.env.online_cores = Some(4);
        report.env.governor = Some("powersave".into());
        report.env.hypervisor = Some(true);
        report.env.arch = "x86_64";
        report.env.clocksource = Some("hpet".into());
        report.env.cpu_quota = Some(1.5);
        report.env.steal_share = Some(0.2);
        report.jitter[0].stolen_ns = (report.jitter[0].watched_s * 5e7) as u64;
        report.ended = RunEnd::TimeBudget;
        report.planned_pairs = 12;
        report.pairs[0].flags = vec![Flag::FewSamples];
        let text = whats(&report);
        for part in [
            "load 2.3 on 4 cores",
            "governor powersave -> cpupower frequency-set -g performance",
            "virtual machine",
            "clocksource hpet",
            "limits this process to 1.5 cores",
            "SMT siblings under test (cores 0,1) -> leave them out with --cores physical",
            "20.0 % of the time",
            "cores 0 lose more than 1 %",
            "6 of 12 pairs",
            "p99.9 is the maximum",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
    }
}
