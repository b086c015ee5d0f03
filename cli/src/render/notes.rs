//! What a table cannot hold about a pair, in sentences.

use super::format::{self, percent};
use super::{headline, summary, units};
use crate::measure::stats;
use crate::report::{Figures, FloorKind, Pair, Ratio, Report};

/// What the two ranges of a table are.
pub(crate) const RANGES: &str =
    "slices: 5th to 95th percentile of the slices' p50; visits: lowest to highest p50 of the visits.";
/// What else a table of many pairs holds.
pub(crate) const COLUMNS: &str = "1 / 2 lines: p50 over one line by compare-and-swap, and over two lines by loads and \
                                  stores, without a channel; the lower is the floor. lost %: of the time, in stalls.";

/// Everything to say about a pair that stands alone.
pub(crate) fn of_pair(report: &Report, pair: &Pair) -> Vec<String> {
    let mut notes = vec![format!("{}: {}", summary::relation_of(report, pair), facts(pair).join("; "))];
    notes.extend(levels(pair));
    if let Some(ns) = pair.core_to_core_ns() {
        let ns = units::time(ns, bare(pair, FloorKind::OneLine).map_or(0.0, |figures| figures.resolution_ns / 2.0));
        notes.push(format!(
            "core-to-core-latency would show {ns}: half of the mean round trip over one line, without stalls"
        ));
    }
    notes.extend(sleeps(report, pair));
    notes
}

/// Only what is out of the ordinary.
pub(crate) fn odd(pair: &Pair) -> Option<String> {
    let flags: Vec<&str> = pair.flags.iter().map(|flag| flag.name()).collect();
    let parts: Vec<String> = levels(pair).into_iter().chain((!flags.is_empty()).then(|| flags.join("; "))).collect();
    let [a, b] = pair.cores;
    (!parts.is_empty()).then(|| format!("{a}↔{b}: {}", parts.join("; ")))
}

/// The figures of a bare way, if it was measured.
pub(crate) fn bare(pair: &Pair, kind: FloorKind) -> Option<&Figures> {
    if pair.floor_kind == kind { Some(&pair.floor) } else { pair.yardstick.as_ref() }
}

/// What core-to-core-latency would show for the pairs of a matrix.
pub(crate) fn core_to_core(pairs: &[&Pair]) -> Option<String> {
    let all: Vec<f64> = pairs.iter().filter_map(|pair| pair.core_to_core_ns()).collect();
    let (low, high) = all.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &ns| (low.min(ns), high.max(ns)));
    (!all.is_empty()).then(|| {
        let one_line = |pair: &&Pair| Some(bare(pair, FloorKind::OneLine)?.resolution_ns / 2.0);
        let range = units::times([low, high], pairs.iter().filter_map(one_line).fold(0.0, f64::max));
        format!("core-to-core-latency would show {range}: half of the mean round trips over one line, without stalls.")
    })
}

/// What "mean of k" means, if a figure is one.
pub(crate) fn of_samples(pairs: &[&Pair]) -> Option<&'static str> {
    let several = |pair: &&Pair| {
        let measured = pair.subjects().into_iter().map(|(_, figures, _)| figures);
        measured.chain(&pair.yardstick).any(|figures| figures.trips_per_sample > 1)
    };
    pairs.iter().any(several).then_some(
        "'mean of k': the clock is too coarse for single round trips, so each sample is the mean of k of them. That hides \
         part of the tail: a maximum may stand for one trip up to k times as long.",
    )
}

fn facts(pair: &Pair) -> Vec<String> {
    let mut facts = Vec::new();
    let mut put = |name: &str, ratio: Option<&Ratio>| {
        let Some(ratio) = ratio else { return };
        let [low, high] = ratio.range.map(format::ratio);
        let (median, used, all) = (format::ratio(ratio.median), ratio.slices_used, ratio.slices);
        facts.push(format!("{name} {median} ({low}–{high}, {used} of {all} slices with a steady floor)"));
    };
    if let Some(processes) = &pair.processes {
        put("processes / threads", processes.ratio_to_channel.as_ref());
        put("processes / floor", processes.ratio.as_ref());
        put("threads / floor", pair.ratio.as_ref());
    } else {
        put("channel / floor", pair.ratio.as_ref());
    }
    if let Some(Ratio { slices_used, slices, .. }) = &pair.unsteady_ratio {
        let needed = stats::steady_slices_needed(*slices);
        facts.push(format!(
            "no channel / floor: {slices_used} of {slices} slices had a steady floor, {needed} are needed"
        ));
    }
    match pair.lost {
        Some(lost) => facts.push(format!("{} of the time lost in stalls", percent(lost.share))),
        None => facts.push(format!("{} of the time in stalls", percent(pair.headline().0.stalled_share))),
    }
    if pair.visits > 1 {
        facts.push(format!("{} visits", pair.visits));
    }
    if let Some(preemptions) = pair.preemptions {
        facts.push(format!("preempted {preemptions}×"));
    }
    facts.extend(pair.flags.iter().map(|flag| flag.name().to_owned()));
    facts
}

fn levels(pair: &Pair) -> Option<String> {
    let (figures, _) = pair.headline();
    let p50 = figures.p50_ns;
    let belongs = pair.bands.iter().any(|band| (band.range_ns[0]..=band.range_ns[1]).contains(&p50));
    let stray = if belongs {
        String::new()
    } else {
        format!("; the p50 of {} belongs to no level", units::time(p50, figures.resolution_ns))
    };
    let note = "; shares are of time: percentiles count trips, of which more fit into the faster part";
    (!pair.bands.is_empty()).then(|| headline::levels(pair) + &stray + note)
}

/// Only where a thread was to sleep.
fn sleeps(report: &Report, pair: &Pair) -> Option<String> {
    let sleeps = pair.sleeps_per_trip.filter(|_| report.settings.wait == "park")?;
    let shown = match sleeps {
        0.0 => "0".to_owned(),
        _ if sleeps < 0.000_01 => "less than 0.00001".to_owned(),
        _ if sleeps < 0.01 => format!("{sleeps:.5}"),
        _ => format!("{sleeps:.2}"),
    };
    Some(if sleeps < super::trust::SLEEPS {
        format!("slept {shown} times a trip: this measures spinning; ringmail latency wake measures sleeping")
    } else {
        format!("slept {shown} times a trip")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn of(report: &Report) -> String {
        of_pair(report, &report.pairs[0]).join("\n")
    }

    #[test]
    fn a_pair_tells_its_relation_its_ratio_and_the_peers_figure() {
        let text = of(&fixture::report(2));
        let first = "SMT sibling: channel / floor 1.20 (1.10–1.40, 90 of 100 slices with a steady floor)";
        assert!(text.starts_with(first), "{text}");
        for part in ["0.040 % of the time lost", "preempted 3×", "core-to-core-latency would show 5.2 ns: half of"] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        assert!(!text.contains("slept"));
    }

    #[test]
    fn an_unsteady_floor_has_no_ratio() {
        let mut report = fixture::report(2);
        fixture::unsettle(&mut report.pairs[0]);
        let text = of(&report);
        assert!(text.contains("no channel / floor: 0 of 100 slices had a steady floor, 25 are needed"), "{text}");
        assert!(text.contains("unsteady floor") && !text.contains("99809"), "{text}");
    }

    #[test]
    fn a_p50_between_two_levels_is_disowned() {
        let mut report = fixture::two_levels();
        let text = of(&report);
        assert!(text.contains("70 % of the time 100 ns"), "{text}");
        assert!(text.contains("the p50 of 210 ns belongs to no level"), "{text}");
        assert!(!text.contains("core-to-core"), "one line was not measured");
        report.pairs[0].channel.p50_ns = 101.0;
        assert!(!of(&report).contains("belongs to no level"));
        assert!(odd(&report.pairs[0]).unwrap().starts_with("0↔1: 70 % of the time"));
        assert_eq!(odd(&fixture::report(2).pairs[0]), None);
    }

    #[test]
    fn a_thread_that_was_to_sleep_and_spun_is_told() {
        let mut report = fixture::report(2);
        report.settings.wait = "park".into();
        for (sleeps, text) in [
            (0.000_01, "slept 0.00001 times a trip: this measures spinning; ringmail latency wake measures sleeping"),
            (0.000_001, "slept less than 0.00001 times a trip: this"),
            (0.0, "slept 0 times a trip: this"),
        ] {
            report.pairs[0].sleeps_per_trip = Some(sleeps);
            assert!(of(&report).contains(text), "{}", of(&report));
        }
        report.pairs[0].sleeps_per_trip = Some(1.98);
        assert!(of(&report).ends_with("slept 1.98 times a trip"));
        report.pairs[0].sleeps_per_trip = None;
        assert!(!of(&report).contains("slept"));
    }

    #[test]
    fn a_matrix_tells_the_range_that_the_peer_would_show() {
        let report = fixture::report(4);
        let pairs: Vec<&Pair> = report.pairs.iter().collect();
        assert!(core_to_core(&pairs).unwrap().contains("would show 5–23 ns"), "{:?}", core_to_core(&pairs));
        assert_eq!(core_to_core(&[&fixture::two_levels().pairs[0]]), None);
    }
}
