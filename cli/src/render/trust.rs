//! How far a report's figures can be trusted, and why.
//!
//! A doubt is either grave or slight. One grave doubt, or three slight ones, make trust low; one slight one makes it
//! medium; none leaves it high. What the run did not measure, such as pairs for which there was no time, is no doubt.

use super::format::percent;
use super::{summary, units};
use crate::checks::{self, STOLEN, State};
use crate::env::of_cores::words;
use crate::report::{Flag, Pair, Report, RunEnd};
use crate::warnings::{self, STALLED};

/// Above this share of busy cores before the run, others take part in it; above the second, they rule it.
const BUSY: [f64; 2] = [0.25, 0.75];

/// A p50 that differs by more than this from one visit to the next is that of a set-up rather than of the cores.
const VISITS: [f64; 2] = [1.25, 2.0];

/// With fewer sleeps per round trip than this, a thread that was to sleep spun.
pub(crate) const SLEEPS: f64 = 0.5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Low,
    Medium,
    High,
}

impl Level {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Something that casts doubt on figures, and what to do about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Doubt {
    pub(crate) what: String,
    pub(crate) remedy: String,
    grave: bool,
}

/// The verdict.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trust {
    pub(crate) level: Level,
    /// Grave ones first.
    pub(crate) doubts: Vec<Doubt>,
    /// What speaks for the figures.
    support: String,
}

/// Judges a report.
pub(crate) fn judge(report: &Report) -> Trust {
    let mut doubts = Vec::new();
    let mut doubt = |grave: bool, what: String, remedy: &str| doubts.push(Doubt { what, remedy: remedy.into(), grave });
    of_machine(report, &mut doubt);
    of_pairs(report, &mut doubt);
    // Stable: among equals, the order in which they are listed above.
    doubts.sort_by_key(|doubt| !doubt.grave);
    let grave = doubts.first().is_some_and(|doubt| doubt.grave);
    let level = match doubts.len() {
        0 => Level::High,
        1 | 2 if !grave => Level::Medium,
        _ => Level::Low,
    };
    Trust { level, doubts, support: support(report) }
}

impl Trust {
    /// `trust: low: virtual machine, 2.5 % of the time lost`: the level and its one or two strongest reasons.
    pub(crate) fn line(&self) -> String {
        format!("trust: {}: {}", self.level.name(), self.reasons())
    }

    /// The one or two strongest reasons.
    pub(crate) fn reasons(&self) -> String {
        let shown: Vec<&str> = self.doubts.iter().take(2).map(|doubt| doubt.what.as_str()).collect();
        match self.doubts.len() {
            0 => self.support.clone(),
            1 | 2 => shown.join(", "),
            more => format!("{}, and {} more below", shown.join(", "), more - 2),
        }
    }

    /// What to do about the strongest doubt.
    pub(crate) fn remedy(&self) -> Option<&str> {
        Some(&self.doubts.first()?.remedy)
    }
}

type Put<'a> = dyn FnMut(bool, String, &str) + 'a;

fn of_machine(report: &Report, doubt: &mut Put<'_>) {
    let env = &report.env;
    if report.tool.profile.as_deref() == Some("debug") {
        doubt(true, "debug build".into(), "build with --release: these figures say nothing about the library");
    }
    if report.ended == RunEnd::Interrupted {
        doubt(false, "interrupted".into(), "run it again to the end");
    }
    if let Some(share) = lost(report).filter(|&share| share > STALLED) {
        let remedy = match env.hypervisor {
            Some(true) => {
                "measure when the host is quieter, or on bare metal; until then trust the ratio: a p50 may be another in the next run"
            }
            _ => "stop what else runs there, or use isolated cores (isolcpus=) and --cores isolated",
        };
        doubt(share > STOLEN, format!("{} of the time lost", percent(share)), remedy);
    }
    if let Some((load, cores)) = env.load_1m.zip(env.online_cores) {
        let busy = load / cores as f64;
        if busy > BUSY[0] {
            let what = format!("load {load:.1} on {cores} cores");
            doubt(busy > BUSY[1], what, "stop other work, or name idle cores with --cores");
        }
    }
    // In fewer words than the warnings of the same checks.
    let quota = env.quota.as_ref().map_or(String::new(), |quota| format!("CPU quota of {} cores", quota.cores));
    let governor = words(&env.governors).map_or(String::new(), |governor| format!("governor {governor}"));
    let stolen = format!("{} stolen by the host", percent(env.steal_share.unwrap_or(0.0)));
    for (check, what) in [
        (checks::steal(env), stolen),
        (checks::quota(env, warnings::busy_threads(report)), quota),
        (checks::throttling(env), "stopped by a CPU quota".into()),
        (checks::virtual_machine(env), "virtual machine".into()),
        (checks::governor(env), governor),
        (checks::clocksource(env), format!("clocksource {}", env.clocksource.as_deref().unwrap_or(""))),
    ] {
        if check.state == State::Warn {
            doubt(check.grave, what, check.remedy.as_deref().unwrap_or_default());
        }
    }
}

fn of_pairs(report: &Report, doubt: &mut Put<'_>) {
    let pairs = &report.pairs;
    let some = |of: &dyn Fn(&Pair) -> bool| Some(pairs.iter().filter(|pair| of(pair)).count()).filter(|&n| n > 0);
    let most = |count: usize| 2 * count > pairs.len();
    let named = |what: &str, count: usize| match pairs.len() {
        1 => what.to_owned(),
        all => format!("{what} at {count} of {all} pairs"),
    };
    let flagged = |flag: Flag| some(&|pair: &Pair| pair.flags.contains(&flag));
    if let Some(count) = flagged(Flag::Migrated) {
        doubt(true, named("a thread left its core", count), "keep other tools from changing this process's affinity");
    }
    if let Some(count) = some(&|pair| !pair.bands.is_empty()) {
        let remedy =
            "the machine moved between two placements: pin its cores on the host, and read each level on its own";
        doubt(most(count), named("two levels", count), remedy);
    }
    if let Some(count) = flagged(Flag::UnsteadyFloor) {
        let remedy = "measure longer with --duration, on a quieter machine";
        doubt(most(count), named("unsteady floor", count), remedy);
    }
    let moved = |pair: &Pair| {
        let [low, high] = pair.headline().0.visit_range_ns.filter(|_| pair.bands.is_empty())?;
        Some((high / low, [low, high])).filter(|(factor, _)| *factor > VISITS[0])
    };
    if let Some(count) = some(&|pair| moved(pair).is_some()) {
        let worst = pairs.iter().filter_map(moved).max_by(|a, b| a.0.total_cmp(&b.0));
        let (factor, range) = worst.unwrap_or_default();
        let what = match pairs.len() {
            1 => format!("p50 of its visits {}", units::times(range, 0.0)),
            _ => named("p50 moves from visit to visit", count),
        };
        doubt(
            factor > VISITS[1] && most(count),
            what,
            "measure longer: --duration 10s sets each pair up ten times; quote the range over visits",
        );
    }
    if let Some(count) = flagged(Flag::FewSamples) {
        doubt(false, named("few samples", count), "raise --samples, --duration or --time-budget");
    }
    if let Some(count) = flagged(Flag::CoarseClock) {
        doubt(false, named("coarse clock", count), "run again; percentiles move in steps of the clock");
    }
    if let Some(count) = flagged(Flag::BelowFloor) {
        doubt(false, named("faster than the bare lines", count), "run again; until then read this ratio as 1");
    }
    let spun = |pair: &Pair| pair.sleeps_per_trip.is_some_and(|sleeps| sleeps < SLEEPS);
    if report.settings.wait == "park" && some(&spun).is_some() {
        doubt(false, "hardly ever slept".into(), "ringmail latency wake measures sleeping; this measures spinning");
    }
}

/// Share of the time that stalls took, over all pairs; without pairs, over all cores.
fn lost(report: &Report) -> Option<f64> {
    let of_pair = |pair: &Pair| match pair.lost {
        Some(lost) => (lost.share * lost.watched_s, lost.watched_s),
        None => (pair.headline().0.stalled_share, 1.0),
    };
    let of_core = |jitter: &crate::report::Jitter| (jitter.stolen_ns as f64 / 1e9, jitter.watched_s);
    let sum = |(lost, all): (f64, f64), (more, time): (f64, f64)| (lost + more, all + time);
    let pairs = report.pairs.iter().map(of_pair).fold((0.0, 0.0), sum);
    let cores = report.jitter.iter().map(of_core).fold((0.0, 0.0), sum);
    let (lost, all) = if pairs.1 > 0.0 { pairs } else { cores };
    (all > 0.0).then(|| lost / all)
}

/// What speaks for figures that nothing speaks against.
fn support(report: &Report) -> String {
    let mut parts = Vec::new();
    if let Some(share) = lost(report) {
        parts.push(format!("{} of the time lost", percent(share)));
    }
    let visits = report.pairs.iter().map(|pair| pair.visits).min().unwrap_or(0);
    if let [pair] = report.pairs.as_slice() {
        if let Some(range) = pair.headline().0.visit_range_ns {
            parts.push(format!("p50 of {visits} visits {}", units::times(range, pair.headline().0.resolution_ns)));
        }
    } else if let Some(spread) = summary::spread_over_visits(report).filter(|_| visits > 1) {
        parts.push(format!("p50 within {} from visit to visit", percent(spread)));
    }
    if parts.is_empty() { "nothing speaks against these figures".into() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::cgroup::Quota;
    use crate::env::of_cores::OfCores;
    use crate::render::fixture;

    fn quiet(cores: usize) -> Report {
        let mut report = fixture::report(cores);
        fixture::quiet(&mut report);
        report
    }

    fn governor(value: &str) -> OfCores {
        OfCores { value: value.into(), cores: vec![0, 1] }
    }

    fn quota(cores: f64) -> Quota {
        Quota { cores, period_ms: 100.0, file: "/sys/fs/cgroup/cpu.max".into() }
    }

    fn line(change: impl Fn(&mut Report)) -> String {
        let mut report = quiet(4);
        change(&mut report);
        judge(&report).line()
    }

    #[test]
    fn a_quiet_machine_earns_high_trust_and_says_why() {
        let text = line(|_| ());
        assert!(text.starts_with("trust: high: 0.002 % of the time lost"), "{text}");
        assert_eq!(judge(&quiet(4)).remedy(), None);
        let one = judge(&quiet(2)).line();
        assert!(one.contains("p50 of 2 visits 11.6–13.2 ns"), "{one}");
    }

    #[test]
    fn one_grave_doubt_or_three_slight_ones_make_it_low() {
        assert_eq!(line(|report| report.env.hypervisor = Some(true)), "trust: medium: virtual machine");
        let low = line(|report| {
            report.env.hypervisor = Some(true);
            report.pairs.iter_mut().for_each(|pair| pair.lost.as_mut().unwrap().share = 0.025);
        });
        assert_eq!(low, "trust: low: 2.5 % of the time lost, virtual machine");
        let three = line(|report| {
            report.env.hypervisor = Some(true);
            report.env.governors = vec![governor("powersave")];
            report.pairs[0].flags.push(Flag::CoarseClock);
        });
        assert_eq!(three, "trust: low: virtual machine, governor powersave, and 1 more below");
    }

    #[test]
    fn every_doubt_is_named_and_has_a_remedy() {
        type Change = (fn(&mut Report), Level, &'static str, &'static str);
        let changes: [Change; 13] = [
            (|r| r.tool.profile = Some("debug".into()), Level::Low, "debug build", "--release"),
            (|r| r.ended = RunEnd::Interrupted, Level::Medium, "interrupted", "again"),
            (|r| r.env.steal_share = Some(0.2), Level::Low, "20 % stolen", "host"),
            (|r| (r.env.load_1m, r.env.online_cores) = (Some(1.2), Some(4)), Level::Medium, "load 1.2 on 4", "--cores"),
            (|r| (r.env.load_1m, r.env.online_cores) = (Some(4.2), Some(4)), Level::Low, "load 4.2 on 4", "--cores"),
            (|r| r.env.quota = Some(quota(1.5)), Level::Low, "CPU quota of 1.5 cores", "lift it"),
            (|r| r.pairs[0].flags.push(Flag::Migrated), Level::Low, "left its core at 1 of 6 pairs", "affinity"),
            (|r| fixture::unsettle(&mut r.pairs[1]), Level::Medium, "unsteady floor at 1 of 6", "--duration"),
            (|r| r.pairs.iter_mut().for_each(fixture::unsettle), Level::Low, "unsteady floor at 6 of 6", "--duration"),
            (|r| r.pairs[0].flags.push(Flag::FewSamples), Level::Medium, "few samples", "--samples"),
            (|r| r.pairs[0].flags.push(Flag::BelowFloor), Level::Medium, "faster than the bare lines", "again"),
            (|r| r.pairs[0].channel.visit_range_ns = Some([50.0, 80.0]), Level::Medium, "visit to visit", "--duration"),
            (|r| r.settings.wait = "park".into(), Level::Medium, "hardly ever slept", "latency wake"),
        ];
        for (change, level, what, remedy) in changes {
            let mut report = quiet(4);
            change(&mut report);
            let trust = judge(&report);
            assert_eq!(trust.level, level, "{trust:?}");
            assert!(trust.line().contains(what), "{what:?} is not in {}", trust.line());
            assert!(trust.remedy().unwrap().contains(remedy), "{remedy:?} is not in {trust:?}");
        }
    }

    #[test]
    fn two_levels_are_a_doubt_and_their_visits_are_not_another() {
        let mut report = fixture::two_levels();
        fixture::quiet(&mut report);
        report.pairs[0].channel.visit_range_ns = Some([100.0, 410.0]);
        assert_eq!(judge(&report).line(), "trust: low: two levels");
    }

    #[test]
    fn a_report_without_pairs_is_judged_by_its_machine() {
        let mut report = quiet(4);
        report.pairs.clear();
        report.jitter.iter_mut().for_each(|jitter| jitter.stolen_ns = 100_000_000);
        assert_eq!(judge(&report).line(), "trust: low: 5.0 % of the time lost");
        report.jitter.clear();
        assert_eq!(judge(&report).line(), "trust: high: nothing speaks against these figures");
    }
}
