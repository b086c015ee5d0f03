//! The tables that a run prints: a row's contenders, each figure beside its ratio to the best peer's.

use std::fmt::Write;

use super::data::{RunFile, Slice};
use super::rows::{Column, Row, Standing, Unit};
use crate::paired::pool::Entrant;
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

/// One row beside one crew, as text.
pub(super) fn text(file: &RunFile, row: &Row, entrants: &[Entrant], neighbours: &str) -> String {
    let here = |slice: &&Slice| slice.row == row.name && slice.neighbours == neighbours;
    let slices: Vec<&Slice> = file.slices.iter().filter(here).collect();
    let standing = |entrant: &Entrant| {
        let entry = row.contenders.iter().find(|entry| entry.name == entrant.contender);
        entry.map_or(Standing::Peer, |entry| entry.standing)
    };
    // The best peer of each column, and what the system gives.
    let best: Vec<Option<&Entrant>> = row
        .columns
        .iter()
        .map(|column| {
            let peers = entrants.iter().filter(|entrant| standing(entrant) == Standing::Peer);
            let known = peers.filter_map(|peer| Some((fold(column, &rounds(&slices, &peer.label, column))?, peer)));
            let best = if column.unit == Unit::Rate {
                known.max_by(|a, b| a.0.total_cmp(&b.0))
            } else {
                known.min_by(|a, b| a.0.total_cmp(&b.0))
            };
            best.map(|(_, peer)| peer)
        })
        .collect();
    let bare = entrants.iter().find(|entrant| standing(entrant) == Standing::Bare);

    let mut out = String::new();
    let better = if row.columns[0].unit == Unit::Rate { "more is better" } else { "less is better" };
    let _ = writeln!(out, "\n{}, neighbours {neighbours}: {}; {better}", row.name, row.about);
    let _ = write!(out, "{:<28}", "contender");
    for column in row.columns {
        if column.unit == Unit::Count {
            let _ = write!(out, " {:>9}", column.name);
            continue;
        }
        let _ = write!(out, " {:>10} {:>7}", column.name, "× peer");
        if bare.is_some() {
            let _ = write!(out, " {:>7}", "× bare");
        }
    }
    let _ = writeln!(out, " {:>9} {:>6}", "samples", "rounds");
    for entrant in entrants {
        let _ = write!(out, "{:<28}", entrant.label);
        for (column, best) in row.columns.iter().zip(&best) {
            let mine = rounds(&slices, &entrant.label, column);
            let value = fold(column, &mine).map_or("none".into(), |value| show(column.unit, value));
            if column.unit == Unit::Count {
                let _ = write!(out, " {value:>9}");
                continue;
            }
            let beside = |other: &Entrant| ratio(column, &mine, &rounds(&slices, &other.label, column));
            let _ = write!(out, " {value:>10} {:>7}", times(best.and_then(beside)));
            if let Some(bare) = bare {
                let _ = write!(out, " {:>7}", times(beside(bare)));
            }
        }
        let mine = || slices.iter().filter(|slice| slice.contender == entrant.label);
        let samples: u64 = mine().map(|slice| slice.samples).sum();
        let _ = write!(out, " {samples:>9} {:>6}", mine().count());
        let failed =
            |f: &&super::data::Failure| f.row == row.name && f.contender == entrant.label && f.neighbours == neighbours;
        match file.failures.iter().filter(failed).count() {
            0 => out.push('\n'),
            n => {
                let _ = writeln!(out, "  FAILED {n} times");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Column, Unit, fold, ratio};

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
}
