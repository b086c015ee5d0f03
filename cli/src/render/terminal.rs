//! The report for a person at a terminal.

use anstyle::{AnsiColor, Style};

use super::describe::{clock, environment, subject};
use super::text::{Look, Page, table};
use super::{format, matrix, summary};
use crate::measure::jitter::HICCUP_NS;
use crate::options::Cell;
use crate::report::{Flag, Jitter, Pair, Ratio, Report, RunEnd};

/// Pairs up to which the table shows them all; beyond, the extremes.
const ALL_PAIRS: usize = 12;
const EXTREMES: usize = 4;
/// Cores up to which each has a line on its jitter; beyond, those that lost most time.
const ALL_CORES: usize = 8;

/// Draws the whole report.
pub(crate) fn draw(report: &Report, cell: Cell, look: Look) -> String {
    let mut page = Page::new(look);
    if look.quiet {
        pairs(&mut page, report, look);
        return page.finish();
    }
    let plain = Style::new();
    page.wrapped(&subject(report), 2, Style::new().bold());
    page.wrapped(&clock(report), 2, plain);
    let facts: Vec<String> = environment(report).into_iter().map(|(name, value)| format!("{name} {value}")).collect();
    page.wrapped(&facts.join("; "), 2, plain);
    if !report.warnings.is_empty() {
        page.blank();
    }
    for warning in &report.warnings {
        let yellow = AnsiColor::Yellow.on_default();
        page.wrapped(&format!("WARN {} -> {}", warning.what, warning.remedy), 5, yellow);
    }
    matrix::draw(&mut page, report, cell, look);
    page.heading(&heading(report));
    pairs(&mut page, report, look);
    clusters(&mut page, report);
    jitter(&mut page, report);
    page.finish()
}

fn heading(report: &Report) -> String {
    let (measured, planned) = (report.pairs.len(), report.planned_pairs);
    let visits: u32 = report.pairs.iter().map(|pair| pair.visits).sum();
    let end = match report.ended {
        RunEnd::Complete => "",
        RunEnd::TimeBudget => ", time budget spent",
        RunEnd::Interrupted => ", interrupted",
    };
    format!("{measured} of {planned} pairs, {visits} visits, {:.1} s{end}", report.elapsed_s)
}

fn pairs(page: &mut Page, report: &Report, look: Look) {
    let ordered = summary::by_p50(report);
    if ordered.is_empty() {
        page.wrapped("No pair was measured.", 0, Style::new());
        return;
    }
    let few = ordered.len() <= ALL_PAIRS;
    let shown: Vec<&Pair> = if few {
        ordered
    } else {
        let mut shown = ordered[..EXTREMES].to_vec();
        shown.push(ordered[ordered.len() / 2]);
        shown.extend(&ordered[ordered.len() - EXTREMES..]);
        shown
    };
    let head = ["pair", "", "p50", "p90", "p99", "p99.9", "max", "slices 5-95%", "sample", "samples"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut last = Vec::new();
    for pair in &shown {
        let [a, b] = pair.cores;
        let mut label = format!("{a}-{b}");
        for (name, figures, _) in pair.subjects() {
            let time = |ns| format::time(ns, figures.resolution_ns);
            let [low, high] = figures.slice_range_ns;
            let name = match name {
                "channel" => "RTT".to_owned(),
                "floor" => name.to_owned(),
                side => format!("RTT {side}"),
            };
            let mut row = vec![std::mem::take(&mut label), name];
            row.extend([figures.p50_ns, figures.p90_ns, figures.p99_ns, figures.p999_ns, figures.max_ns].map(time));
            row.push(format!("{}–{}", format::short(low, figures.resolution_ns), time(high)));
            row.extend([format::per_sample(figures.trips_per_sample), format::count(figures.samples)]);
            rows.push(row);
        }
        last.push((rows.len() - 1, *pair));
    }
    let dispensable = ["samples", "p90", "slices 5-95%", "p99.9", "sample", "max", "p99", ""];
    let lines = table(&rows, 2, &dispensable, look.width);
    for (index, line) in lines.iter().enumerate() {
        let style = if index == 0 { Style::new().underline() } else { Style::new() };
        page.line(&vec![(line.clone(), style)]);
        if let Some((_, pair)) = last.iter().find(|(end, _)| *end == index) {
            ratios(page, pair);
        }
    }
    if !few {
        let text = format!(
            "Lowest {EXTREMES}, middle and highest {EXTREMES} by p50; --csv, --json and --html contain all pairs."
        );
        page.wrapped(&text, 2, Style::new());
    }
    if shown.iter().flat_map(|pair| pair.subjects()).any(|(_, figures, _)| figures.trips_per_sample > 1) {
        let text = "'mean of k': the clock is too coarse for single round trips, so each sample is the mean of k of them. That \
                    hides part of the tail: a maximum may stand for one trip up to k times as long.";
        page.wrapped(text, 2, Style::new());
    }
}

fn ratios(page: &mut Page, pair: &Pair) {
    let mut text = format!("      {}", pair.relation);
    let mut put = |name: &str, ratio: Option<&Ratio>| {
        let Some(ratio) = ratio else { return };
        let [low, high] = ratio.range.map(format::ratio);
        let (median, used, all) = (format::ratio(ratio.median), ratio.slices_used, ratio.slices);
        // Without enough slices with a steady floor the ratio is over all of them.
        let slices = match pair.flags.contains(&Flag::UnsteadyFloor) {
            true => format!("all {all} slices"),
            false => format!("{used} of {all} slices with a steady floor"),
        };
        text += &format!("; {name} {median} ({low}–{high}, {slices})");
    };
    if let Some(processes) = &pair.processes {
        put("RTT processes / threads", processes.ratio_to_channel.as_ref());
        put("RTT processes / floor", processes.ratio.as_ref());
        put("RTT threads / floor", pair.ratio.as_ref());
    } else {
        put("RTT / floor", pair.ratio.as_ref());
    }
    if let Some(preemptions) = pair.preemptions {
        text += &format!("; preempted {preemptions}×");
    }
    for flag in &pair.flags {
        text += &format!("; {}", flag.name());
    }
    page.wrapped(&text, 8, Style::new().bold());
}

fn clusters(page: &mut Page, report: &Report) {
    let clusters = summary::clusters(report);
    if clusters.is_empty() {
        return;
    }
    page.heading("Clusters, p50 lowest / median / highest");
    for cluster in &clusters {
        let [low, median, high] = [cluster.lowest_ns, cluster.median_ns, cluster.highest_ns]
            .map(|ns| format::time(ns, cluster.resolution_ns));
        let plural = if cluster.pairs == 1 { "" } else { "s" };
        let mut text = format!("{}: {} pair{plural}, {low} / {median} / {high}", cluster.relation, cluster.pairs);
        if let Some(ratio) = cluster.median_ratio {
            text += &format!(", {} × floor", format::ratio(ratio));
        }
        page.wrapped(&text, 2, Style::new());
    }
    let ordered = summary::by_p50(report);
    if let ([lowest, .., highest], middle) = (ordered.as_slice(), ordered[ordered.len() / 2]) {
        let show = |pair: &Pair| {
            let [a, b] = pair.cores;
            let (figures, _) = pair.headline();
            format!("{a}-{b} ({})", format::time(figures.p50_ns, figures.resolution_ns))
        };
        let text = format!("Lowest pair {}, middle {}, highest {}.", show(lowest), show(middle), show(highest));
        page.wrapped(&text, 2, Style::new());
    }
}

fn jitter(page: &mut Page, report: &Report) {
    if report.jitter.is_empty() {
        return;
    }
    let gap = format!("Jitter: gaps over {} µs in a thread that only reads the clock", HICCUP_NS / 1000);
    page.heading(&gap);
    let mut shown: Vec<&Jitter> = report.jitter.iter().collect();
    if shown.len() > ALL_CORES {
        shown.sort_by(|a, b| b.stolen_share().total_cmp(&a.stolen_share()));
        shown.truncate(ALL_CORES);
    }
    for jitter in &shown {
        let text = format!(
            "core {}: {:.0}/s, longest {}, {:.3} % of {:.1} s stolen",
            jitter.core,
            jitter.per_second(),
            format::time(jitter.max_ns as f64, 0.0),
            jitter.stolen_share() * 100.0,
            jitter.watched_s
        );
        page.wrapped(&text, 2, Style::new());
    }
    if shown.len() < report.jitter.len() {
        let text = format!("The {} of {} cores that lost most time.", shown.len(), report.jitter.len());
        page.wrapped(&text, 2, Style::new());
    }
    page.wrapped("A p99.9 or maximum of this size comes from the machine, not from the channel.", 2, Style::new());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::color::Depth;
    use crate::render::fixture;

    fn drawn(cores: usize, look: Look) -> String {
        draw(&fixture::report(cores), Cell::P50, look)
    }

    const PLAIN: Look = Look { width: 120, depth: Depth::None, ascii: false, quiet: false };

    #[test]
    fn every_part_is_there() {
        let text = drawn(4, PLAIN);
        for part in [
            "RTT, not halved",
            "steps of 10 ns",
            "WARN load 2.3 on 2 cores -> stop other work",
            "6 of 6 pairs",
            "slices 5-95%",
            "RTT / floor 1.20 (1.10–1.40, 90 of 100 slices",
            "SMT sibling: 2 pairs",
            "core 3: 123/s, longest 81.3 µs, 0.060 % of 2.0 s stolen",
            "mean of",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "the CPU's name must not reach the terminal unfiltered");
    }

    #[test]
    fn processes_threads_and_floor_stand_in_that_order() {
        let text = draw(&fixture::between_processes(), Cell::P50, PLAIN);
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} is missing in:\n{text}"));
        assert!(at("RTT processes  ") < at("RTT threads  ") && at("RTT threads  ") < at("floor  "));
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "between two processes",
            "RTT processes / threads 1.25",
            "RTT processes / floor 1.50",
            "RTT threads / floor 1.20",
        ] {
            assert!(words.contains(part), "{part:?} is missing in:\n{text}");
        }
        let narrow = draw(&fixture::between_processes(), Cell::P50, Look { width: 30, ..PLAIN });
        assert!(narrow.lines().all(|line| line.chars().count() <= 30), "{narrow}");
    }

    #[test]
    fn a_ratio_over_all_slices_claims_no_steady_floor() {
        let mut report = fixture::report(2);
        report.pairs[0].flags = vec![Flag::UnsteadyFloor];
        let text = draw(&report, Cell::P50, PLAIN);
        assert!(text.contains("RTT / floor 1.20 (1.10–1.40, all 100 slices)"), "{text}");
    }

    #[test]
    fn a_mesh_is_named_with_its_size() {
        let mut report = fixture::report(4);
        for (shards, words) in
            [(2, "over a mesh of 2 cores, one"), (4, "over a mesh of 4 cores, where the others poll, one")]
        {
            report.settings.mesh_shards = Some(shards);
            let text = draw(&report, Cell::P50, Look { width: 200, ..PLAIN });
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn no_line_exceeds_any_width() {
        for cores in [2, 4, 12] {
            for width in [10, 20, 33, 60, 80, 100, 200] {
                let text = drawn(cores, Look { width, ..PLAIN });
                let longest = text.lines().max_by_key(|line| line.chars().count()).unwrap();
                assert!(longest.chars().count() <= width, "wider than {width}: {longest:?}");
            }
        }
    }

    #[test]
    fn ascii_is_ascii() {
        assert!(drawn(4, Look { ascii: true, ..PLAIN }).is_ascii());
    }

    #[test]
    fn many_pairs_and_cores_are_summed_up() {
        let text = drawn(16, PLAIN);
        assert!(text.contains("The 8 of 16 cores that lost most time."));
        assert_eq!(text.matches("RTT / floor").count(), 2 * EXTREMES + 1);
        assert!(text.contains("--csv, --json and --html contain all pairs"));
    }

    #[test]
    fn quiet_leaves_the_pairs() {
        let text = drawn(2, Look { quiet: true, ..PLAIN });
        assert!(text.starts_with("pair") && !text.contains("WARN") && !text.contains("Jitter"));
    }

    #[test]
    fn a_report_without_pairs_says_so() {
        let mut report = fixture::report(2);
        report.pairs.clear();
        assert!(draw(&report, Cell::P50, PLAIN).contains("No pair was measured."));
    }
}
