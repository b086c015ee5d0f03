//! The pairs' figures on a terminal.

use anstyle::Style;

use super::pair_table::{self, Names, PairTable};
use super::text::{Look, Page, fits, table};
use super::{notes, summary};
use crate::report::{Pair, Report};

/// Pairs up to which each has a row for each way to pass a message; beyond, one row.
const IN_DEPTH: usize = 3;
/// Pairs up to which the table shows them all; beyond, the extremes.
const ALL_PAIRS: usize = 12;
pub(crate) const EXTREMES: usize = 4;
/// The table, and what it does not say by itself.
pub(crate) fn draw(page: &mut Page, report: &Report, look: Look) {
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
    let in_depth = shown.len() <= IN_DEPTH;
    let drawn = if in_depth {
        let long = pair_table::detailed(report, &shown, Names::Long).without(&NOT_SHOWN);
        let has_room = fits(&long.cells(), look.width);
        if has_room { long } else { pair_table::detailed(report, &shown, Names::Short).without(&NOT_SHOWN) }
    } else {
        pair_table::compact(report, &shown).without(&NOT_SHOWN)
    };
    let head = rows(page, &drawn, look);
    if !few {
        let text =
            format!("Lowest {EXTREMES}, middle and highest {EXTREMES} by p50; --csv and --json contain all pairs.");
        page.wrapped(&text, 2, Style::new());
    }
    for (column, text) in [(pair_table::SLICES, notes::RANGES), (pair_table::BARE, notes::COLUMNS)] {
        if head.contains(column) {
            page.wrapped(text, 2, Style::new());
        }
    }
    if let Some(text) = notes::core_to_core(&shown).filter(|_| !in_depth) {
        page.wrapped(&text, 2, Style::new());
    }
    if let Some(text) = notes::of_samples(&shown) {
        page.wrapped(text, 2, Style::new());
    }
}

/// Statistics for which the terminal has no room.
const NOT_SHOWN: [&str; 2] = ["min", "p99.999"];

/// Returns the heads of the columns for which there was room.
fn rows(page: &mut Page, drawn: &PairTable, look: Look) -> String {
    const DISPENSABLE: [&str; 16] = [
        "mean",
        "p99.99",
        "samples",
        "sample",
        "p90",
        pair_table::BARE,
        pair_table::VISITS,
        "lost %",
        pair_table::SLICES,
        "p99.9",
        "max",
        "relation",
        pair_table::OVER_FLOOR,
        "p99",
        "",
        "pair",
    ];
    let lines = table(&drawn.cells(), drawn.words, &DISPENSABLE, look.width);
    for (index, line) in lines.iter().enumerate() {
        let Some(row) = index.checked_sub(1).map(|at| &drawn.rows[at]) else {
            page.line(&vec![(line.clone(), Style::new().underline())]);
            continue;
        };
        page.line(&vec![(line.clone(), Style::new())]);
        for note in &row.notes {
            page.wrapped(&format!("  {note}"), 4, Style::new());
        }
    }
    lines.into_iter().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::color::Depth;
    use crate::render::fixture;

    fn drawn(report: &Report, width: usize) -> String {
        let look = Look { width, depth: Depth::None, ascii: false, quiet: false };
        let mut page = Page::new(look);
        draw(&mut page, report, look);
        page.finish()
    }

    #[test]
    fn names_are_long_where_there_is_room_and_only_columns_shown_are_explained() {
        let report = fixture::report(2);
        let (wide, narrow) = (drawn(&report, 200), drawn(&report, 40));
        assert!(wide.contains("one line, compare-and-swap (floor)") && wide.contains("p99.99 ns"), "{wide}");
        assert!(wide.contains("slices: 5th") && !narrow.contains("slices: 5th"), "{narrow}");
        assert!(narrow.contains("one line (floor)") && narrow.contains("p50 ns"), "{narrow}");
    }

    #[test]
    fn up_to_three_pairs_are_shown_in_depth() {
        let (three, six) = (drawn(&fixture::report(3), 120), drawn(&fixture::report(4), 120));
        assert_eq!((three.matches("channel  ").count(), three.matches("(floor)").count()), (3, 3), "{three}");
        assert!(six.contains("× floor") && !six.contains("(floor)"), "{six}");
        assert_eq!(six.lines().filter(|line| line.contains('↔')).count(), 6, "{six}");
    }
}
