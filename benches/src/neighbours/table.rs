//! The tables that a run prints: a row's contenders, each figure beside its ratio to the best peer's.

use std::fmt::Write;

use super::data::{Failure, RunFile, Slice};
use super::rows::{Column, ROWS, Row, Standing, Unit};
use crate::paired::stats::quartiles;
use crate::paired::table::figure;

/// Of one contender in one column: the figure of each round.
fn rounds<'a>(slices: &[&'a Slice], contender: &str, column: &Column) -> Vec<(u32, f64)> {
    let of = |slice: &&&'a Slice| slice.contender == contender;
    let value = |slice: &&Slice| {
        let found = slice.figures.iter().find(|figure| figure.name == column.name)?;
        Some((slice.round, found.value))
    };
    slices.iter().filter(of).filter_map(value).collect()
}

/// The figure that stands for all rounds.
fn fold(column: &Column, values: &[(u32, f64)]) -> Option<f64> {
    let plain: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    if column.worst { plain.into_iter().max_by(f64::total_cmp) } else { quartiles(&plain).map(|[_, middle, _]| middle) }
}

/// How many times the other's figure: the median of the rounds' ratios, or the ratio of the worst. `None` where the other's is zero.
fn ratio(column: &Column, mine: &[(u32, f64)], other: &[(u32, f64)]) -> Option<f64> {
    if column.worst {
        return Some(fold(column, mine)? / fold(column, other)?).filter(|ratio| ratio.is_finite());
    }
    let in_round = |(round, value): &(u32, f64)| {
        let (_, base) = other.iter().find(|(its, _)| its == round)?;
        Some(value / base).filter(|ratio| ratio.is_finite())
    };
    let ratios: Vec<f64> = mine.iter().filter_map(in_round).collect();
    quartiles(&ratios).map(|[_, middle, _]| middle)
}

fn show(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Time if value >= 1e9 => format!("{} s", figure(value / 1e9)),
        Unit::Time if value >= 1e6 => format!("{} ms", figure(value / 1e6)),
        Unit::Time if value >= 1e3 => format!("{} µs", figure(value / 1e3)),
        Unit::Time => format!("{value:.0} ns"),
        Unit::Rate if value >= 1e5 => format!("{} M", figure(value / 1e6)),
        Unit::Rate if value >= 1e3 => format!("{} k", figure(value / 1e3)),
        Unit::Rate => format!("{value:.0}"),
        Unit::Count => format!("{value:.2}"),
    }
}

fn times(ratio: Option<f64>) -> String {
    match ratio {
        None => "-".into(),
        Some(ratio) if ratio >= 1000.0 => format!("{:.0}k", ratio / 1000.0),
        Some(ratio) if ratio >= 10.0 => format!("{ratio:.0}"),
        Some(ratio) if ratio >= 0.01 => format!("{ratio:.2}"),
        Some(ratio) => format!("{ratio:.4}"),
    }
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// In columns of even width.
    Text,
    /// As Markdown.
    Markdown,
}

/// All tables of a run: for each row, one beside each crew.
pub(super) fn all(file: &RunFile, style: Style) -> String {
    let mut out = String::new();
    for row in ROWS {
        for neighbours in file.neighbours() {
            let labels = file.labels(row, &neighbours);
            if !labels.is_empty() {
                out.push_str(&table(file, row, &labels, &neighbours, style));
            }
        }
    }
    out
}

/// One row beside one crew.
fn table(file: &RunFile, row: &Row, labels: &[String], neighbours: &str, style: Style) -> String {
    let here = |slice: &&Slice| slice.row == row.name && slice.neighbours == neighbours;
    let slices: Vec<&Slice> = file.slices.iter().filter(here).collect();
    let standing = |label: &str| row.find(label).map_or(Standing::Peer, |entry| entry.standing);
    let best = |column: &Column| {
        let peers = labels.iter().filter(|label| standing(label) == Standing::Peer);
        let known = peers.filter_map(|peer| Some((fold(column, &rounds(&slices, peer, column))?, peer)));
        let best = if column.unit == Unit::Rate {
            known.max_by(|a, b| a.0.total_cmp(&b.0))
        } else {
            known.min_by(|a, b| a.0.total_cmp(&b.0))
        };
        best.map(|(_, peer)| peer)
    };
    let bare = labels.iter().find(|label| standing(label) == Standing::Bare);

    // What each figure is compared with: the best peer of its column, and what the system gives.
    let compared: Vec<_> = row
        .columns
        .iter()
        .map(|column| {
            let others: Vec<(&str, Option<&String>)> = match (column.unit, bare) {
                (Unit::Count, _) => vec![],
                (_, None) => vec![("× peer", best(column))],
                (_, Some(_)) => vec![("× peer", best(column)), ("× bare", bare)],
            };
            (column, others)
        })
        .collect();
    let mut lines = vec![vec!["contender".to_owned()]];
    for (column, others) in &compared {
        lines[0].push(column.name.into());
        lines[0].extend(others.iter().map(|(name, _)| (*name).to_owned()));
    }
    lines[0].extend(["samples", "others", "rounds"].map(str::to_owned));
    for label in labels {
        let mut line = vec![label.clone()];
        for (column, others) in &compared {
            let mine = rounds(&slices, label, column);
            line.push(fold(column, &mine).map_or("none".into(), |value| show(column.unit, value)));
            let beside = |other: &String| ratio(column, &mine, &rounds(&slices, other, column));
            line.extend(others.iter().map(|(_, other)| times(other.and_then(beside))));
        }
        let mine = || slices.iter().filter(|slice| slice.contender == *label);
        line.push(mine().map(|slice| slice.samples).sum::<u64>().to_string());
        let others = mine().map(|slice| slice.others).max_by(f64::total_cmp);
        line.push(others.map_or("-".into(), |share| format!("{:.0}%", share * 100.0)));
        let failed = |f: &&Failure| f.row == row.name && f.contender == *label && f.neighbours == neighbours;
        line.push(match file.failures.iter().filter(failed).count() {
            0 => mine().count().to_string(),
            n => format!("{}, FAILED {n} times", mine().count()),
        });
        lines.push(line);
    }

    let better = if row.columns[0].unit == Unit::Rate { "more is better" } else { "less is better" };
    let title = format!("{}, neighbours {neighbours}: {}; {better}", row.name, row.about);
    format!("\n{title}\n{}{}", if style == Style::Markdown { "\n" } else { "" }, layout(&lines, style))
}

/// The first cell of a line to the left, the others to the right.
fn layout(lines: &[Vec<String>], style: Style) -> String {
    let width = |cell: &str| cell.chars().count();
    let columns = lines.first().map_or(0, Vec::len);
    let wide: Vec<usize> =
        (0..columns).map(|at| lines.iter().map(|line| width(&line[at])).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        if style == Style::Markdown {
            let _ = writeln!(out, "| {} |", line.join(" | "));
            if number == 0 {
                let _ = writeln!(out, "|---|{}", "--:|".repeat(columns.saturating_sub(1)));
            }
            continue;
        }
        for (at, (cell, wide)) in line.iter().zip(&wide).enumerate() {
            let padding = " ".repeat(wide - width(cell));
            let _ = if at == 0 { write!(out, "{cell}{padding}") } else { write!(out, "  {padding}{cell}") };
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::data::{Figure, RunFile, Slice};
    use super::{Column, Style, Unit, all, fold, ratio};

    const MEDIAN: Column = Column { name: "median", unit: Unit::Time, worst: false };
    const WORST: Column = Column { name: "worst", unit: Unit::Time, worst: true };

    #[test]
    fn a_ratio_is_formed_within_its_round() {
        // The second round ran on a slower machine: both took ten times as long.
        let (mine, other) = ([(0, 2.0), (1, 20.0), (2, 2.0)], [(0, 1.0), (1, 10.0)]);
        assert_eq!(ratio(&MEDIAN, &mine, &other), Some(2.0));
        assert_eq!(ratio(&WORST, &mine, &other), Some(2.0));
        assert_eq!(ratio(&MEDIAN, &mine, &[]), None);
        assert_eq!(ratio(&MEDIAN, &mine, &[(0, 0.0)]), None);
    }

    #[test]
    fn of_several_rounds_the_median_stands_or_the_worst() {
        let values = [(0, 1.0), (1, 9.0), (2, 3.0)];
        assert_eq!((fold(&MEDIAN, &values), fold(&WORST, &values)), (Some(3.0), Some(9.0)));
        assert_eq!(fold(&WORST, &[]), None);
    }

    #[test]
    fn a_table_compares_with_the_best_peer_and_with_what_the_system_gives() {
        let slice = |contender: &str, nanos: f64| Slice {
            neighbours: "1".into(),
            row: "wake".into(),
            contender: contender.into(),
            round: 0,
            samples: 10,
            others: 0.0,
            figures: ["median", "p99", "worst"].map(|name| Figure { name: name.into(), value: nanos }).into(),
        };
        let named =
            [("futex", 1000.0), ("ringmail", 4000.0), ("ringmail@/other", 2000.0), ("std", 2000.0), ("kanal", 8000.0)];
        let slices = named.map(|(name, nanos)| slice(name, nanos)).into();
        let file = RunFile { slices, ..RunFile::default() };
        let markdown = all(&file, Style::Markdown);
        assert!(markdown.contains("| ringmail | 4.00 µs | 2.00 | 4.00 | 4.00 µs |"), "{markdown}");
        assert!(markdown.contains("| kanal | 8.00 µs | 4.00 | 8.00 |"), "{markdown}");
        let text = all(&file, Style::Text);
        let starts = |name: &str| text.lines().position(|line| line.starts_with(name));
        assert!(starts("futex") < starts("ringmail ") && starts("ringmail ") < starts("ringmail@/other"), "{text}");
    }
}
