//! The report for a person at a terminal: the answer first, then what it rests on.

use anstyle::{AnsiColor, Style};

use super::describe::{clock, environment, subject};
use super::text::{Look, Page, table};
use super::trust::{self, Level};
use super::{headline, matrix, pair_table, pairs, tables};
use crate::measure::jitter::HICCUP_NS;
use crate::options::Cell;
use crate::report::{Report, RunEnd};

/// Cores up to which each has a line on its jitter; beyond, those that lost most time.
const ALL_CORES: usize = 8;

/// Draws the whole report.
pub(crate) fn draw(report: &Report, cell: Cell, look: Look) -> String {
    if report.holds_only_jitter() {
        return super::jitter::draw(report, look);
    }
    if let Some(load) = &report.load {
        return super::load::draw(report, load, look);
    }
    if let Some(wake) = &report.wake {
        return super::wake::draw(report, wake, look);
    }
    let mut page = Page::new(look);
    if look.quiet {
        pairs::draw(&mut page, report, look);
        return page.finish();
    }
    answer(&mut page, report);
    if report.planned_pairs > 1 {
        matrix::draw(&mut page, report, cell, look);
    }
    if report.planned_pairs > 0 {
        page.heading(&heading(report));
        pairs::draw(&mut page, report, look);
    }
    if report.pairs.len() > 1 {
        clusters(&mut page, report, look);
    }
    jitter(&mut page, report, look);
    warnings(&mut page, report);
    method(&mut page, report);
    page.finish()
}

/// How fast, how sure, and what to do next.
fn answer(page: &mut Page, report: &Report) {
    let bold = Style::new().bold();
    for line in headline::answer(report) {
        page.wrapped(&line, 2, bold);
    }
    if report.pairs.is_empty() {
        return;
    }
    let trust = trust::judge(report);
    let color = match trust.level {
        Level::Low => AnsiColor::Red,
        Level::Medium => AnsiColor::Yellow,
        Level::High => AnsiColor::Green,
    };
    page.wrapped(&trust.line(), 2, color.on_default().bold());
    let next = headline::next(report, &trust);
    for line in &next {
        page.wrapped(line, 2, Style::new());
    }
    if next.is_empty() {
        page.wrapped("next: nothing to repair; --html FILE makes a page of this to share", 2, Style::new());
    }
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

fn plain_table(page: &mut Page, columns: &[super::units::Column], dispensable: &[&str], look: Look) {
    let lines = table(&tables::cells(columns), 1, dispensable, look.width.saturating_sub(2));
    for (index, line) in lines.iter().enumerate() {
        let style = if index == 0 { Style::new().underline() } else { Style::new() };
        page.line(&vec![("  ".into(), Style::new()), (line.clone(), style)]);
    }
}

fn clusters(page: &mut Page, report: &Report, look: Look) {
    page.heading("Clusters of pairs");
    let dispensable = ["pairs", pair_table::OVER_FLOOR, "highest p50", "lowest p50"];
    plain_table(page, &tables::clusters(report), &dispensable, look);
}

fn jitter(page: &mut Page, report: &Report, look: Look) {
    if report.jitter.is_empty() {
        return;
    }
    let gap = format!("Jitter: gaps over {} µs in a thread that only reads the clock", HICCUP_NS / 1000);
    page.heading(&gap);
    let shown = tables::worst(report, ALL_CORES);
    plain_table(page, &tables::jitter(&shown), &["watched s", "gaps per s", "time lost %"], look);
    if shown.len() < report.jitter.len() {
        let text = format!("The {} of {} cores that lost most time.", shown.len(), report.jitter.len());
        page.wrapped(&text, 2, Style::new());
    }
    page.wrapped("A p99.9 or maximum of this size comes from the machine, not from the channel.", 2, Style::new());
}

fn warnings(page: &mut Page, report: &Report) {
    if !report.warnings.is_empty() {
        page.heading("Warnings");
    }
    for warning in &report.warnings {
        let yellow = AnsiColor::Yellow.on_default();
        page.wrapped(&format!("WARN {} -> {}", warning.what, warning.remedy), 5, yellow);
    }
}

/// What was measured, by which clock and on which machine.
fn method(page: &mut Page, report: &Report) {
    page.heading("Method and environment");
    page.wrapped(&subject(report), 2, Style::new());
    page.wrapped(&clock(report), 2, Style::new());
    let facts: Vec<String> = environment(report).into_iter().map(|(name, value)| format!("{name} {value}")).collect();
    page.wrapped(&facts.join("; "), 2, Style::new());
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
            "slices: 5th to 95th percentile",
            "SMT sibling: 12.0 ns (2 pairs)",
            "fastest 0↔1 12.0 ns, slowest 0↔3 53 ns; 1.20 × the bare lines",
            "trust: high",
            "0↔2   same L3          49",
            "SMT sibling      2           12.0",
            "3            123        81.3        0.060        2.0",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "the CPU's name must not reach the terminal unfiltered");
    }

    #[test]
    fn processes_threads_and_floor_stand_in_that_order() {
        let text = draw(&fixture::between_processes(), Cell::P50, PLAIN);
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} is missing in:\n{text}"));
        assert!(at("channel, processes  ") < at("channel, threads  ") && at("channel, threads  ") < at("(floor)  "));
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in
            ["between two processes", "processes / threads 1.25", "processes / floor 1.50", "threads / floor 1.20"]
        {
            assert!(words.contains(part), "{part:?} is missing in:\n{text}");
        }
        let narrow = draw(&fixture::between_processes(), Cell::P50, Look { width: 30, ..PLAIN });
        assert!(narrow.lines().all(|line| line.chars().count() <= 30), "{narrow}");
    }

    #[test]
    fn an_unsteady_floor_has_no_ratio_in_any_cell_or_median() {
        let mut report = fixture::report(4);
        fixture::unsettle(&mut report.pairs[0]);
        for cell in [Cell::P50, Cell::Ratio] {
            let text = draw(&report, cell, PLAIN);
            assert!(text.contains("0↔1: unsteady floor"), "{text}");
            assert!(!text.contains("99809") && !text.contains("99,809"), "{text}");
            assert!(!text.contains("NaN"), "{text}");
        }
        let json = crate::render::json::draw(&report).unwrap();
        assert!(json.contains("unsteady_ratio") && json.contains("99809"), "{json}");
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
        let rows = text.lines().filter(|line| line.contains('↔') && line.contains("1.20")).count();
        assert_eq!(rows, 1 + 2 * pairs::EXTREMES + 1, "and one in the answer: {text}");
        assert!(text.contains("--csv and --json contain all pairs"));
    }

    #[test]
    fn quiet_leaves_the_pairs() {
        let text = drawn(2, Look { quiet: true, ..PLAIN });
        assert!(text.starts_with("pair") && !text.contains("WARN") && !text.contains("Jitter"));
    }

    #[test]
    fn the_answer_comes_first_and_warnings_after_the_figures() {
        for report in [fixture::report(2), fixture::report(8), fixture::two_levels(), fixture::hybrid()] {
            let text = draw(&report, Cell::P50, PLAIN);
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines[0].contains("there and back"), "{text}");
            let trust = lines.iter().position(|line| line.starts_with("trust: ")).unwrap();
            assert!(trust <= 3 && lines[trust + 1].starts_with("next: "), "{text}");
            let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} is missing in:\n{text}"));
            let parts = ["pairs, ", "Jitter", "Warnings", "Method and environment"].map(at);
            assert!(parts.is_sorted(), "{parts:?}");
            if report.pairs.len() > 1 {
                assert!(at("Core by core") < parts[0] && parts[0] < at("Clusters") && at("Clusters") < parts[1]);
            }
        }
    }

    #[test]
    fn any_machine_fits_two_screens() {
        for cores in [64, 128, 512] {
            let mut report = fixture::sockets(cores);
            if cores == 512 {
                fixture::cut_short(&mut report, 20_000);
            }
            for depth in [Depth::None, Depth::True] {
                let text = draw(&report, Cell::P50, Look { width: 110, depth, ..PLAIN });
                assert!(text.lines().count() <= 100, "{} lines:\n{text}", text.lines().count());
            }
        }
    }

    #[test]
    fn a_report_without_pairs_says_so() {
        let mut report = fixture::report(2);
        report.pairs.clear();
        assert!(draw(&report, Cell::P50, PLAIN).contains("No pair was measured."));
    }
}
