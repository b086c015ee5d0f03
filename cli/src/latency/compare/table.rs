//! A comparison as a table, and what it says about limits.

use anstyle::{AnsiColor, Style};

use super::effect::ENOUGH_RUNS;
use super::{Comparison, Limit, Row, Subject, Verdict};
use crate::failure::Failure;
use crate::render::format;
use crate::render::text::{Look, Page, table};
use crate::report::{Pair, Report};

/// Pairs up to which each has its rows; beyond, the pairs with a verdict have.
const ALL_PAIRS: usize = 12;

/// Rows whose whole interval lies above a limit, as text. Fails if a statistic with a limit was compared nowhere.
pub(super) fn over(comparison: &Comparison, limits: &[Limit]) -> Result<Vec<String>, Failure> {
    let mut over = Vec::new();
    for limit in limits {
        let name = limit.statistic.name();
        let rows: Vec<&Row> = comparison.rows.iter().filter(|row| row.statistic == limit.statistic).collect();
        if rows.is_empty() {
            let why = comparison.notes.first().map_or("the reports do not hold it for each slice", String::as_str);
            return Err(Failure::usage(format!("--fail-over {name}: {name} was compared for no pair: {why}")));
        }
        for row in rows.into_iter().filter(|row| row.interval[0] > 1.0 + limit.share) {
            let (who, least) = (who(row), percent(row.interval[0]));
            over.push(format!(
                "{who}: {name} is slower by at least {least}, the limit is {} %",
                (limit.share * 1e6).round() / 1e4
            ));
        }
    }
    Ok(over)
}

fn who(row: &Row) -> String {
    let subject = if row.subject == Subject::Processes { " processes" } else { "" };
    match row.cores {
        Some([a, b]) => format!("{a}-{b}{subject}"),
        None => format!("all pairs{subject}"),
    }
}

/// `1.104` is `+10.4 %`.
fn percent(ratio: f64) -> String {
    format!("{:+.1}%", (ratio - 1.0) * 100.0)
}

/// Draws the comparison of the `sides`, A and B; `over`: what exceeds its limit.
pub(super) fn draw(
    comparison: &Comparison,
    sides: [&[&Report]; 2],
    absolute: bool,
    over: &[String],
    look: Look,
) -> String {
    let mut page = Page::new(look);
    let runs = |side: &[&Report]| if side.len() == 1 { "1 run".to_owned() } else { format!("{} runs", side.len()) };
    let what = if absolute { "times" } else { "round trips over the floor of the same slice" };
    let head = format!("A ({}) and B ({}): {what}", runs(sides[0]), runs(sides[1]));
    page.wrapped(&head, 2, Style::new().bold());
    let mut rows = vec![["pair", "", "A", "B", "B / A", "interval", "verdict"].map(str::to_owned).to_vec()];
    let mut styles = vec![Style::new().underline()];
    let all = comparison.levels.len() <= ALL_PAIRS;
    let mut last = String::new();
    for row in comparison.rows.iter().filter(|row| all || row.cores.is_none() || row.verdict() != Verdict::NotShown) {
        let mut label = who(row);
        if std::mem::replace(&mut last, label.clone()) == label {
            label.clear();
        }
        let side = |side: &[&Report]| row.cores.map_or_else(String::new, |cores| value(side, cores, row));
        let (word, style) = match row.verdict() {
            Verdict::Slower => ("slower", AnsiColor::Red.on_default()),
            Verdict::Faster => ("faster", AnsiColor::Green.on_default()),
            Verdict::NotShown => ("no difference shown", Style::new()),
        };
        let [low, high] = row.interval.map(percent);
        let ratio = format!("{:.3}", row.effect.log.exp());
        rows.push(vec![
            label,
            row.statistic.name().into(),
            side(sides[0]),
            side(sides[1]),
            ratio,
            format!("{low} to {high}"),
            word.into(),
        ]);
        styles.push(style);
    }
    for (line, style) in table(&rows, 2, &["A", "B"], look.width).into_iter().zip(styles) {
        page.line(&vec![(line, style)]);
    }
    if !all {
        let shown =
            format!("{} pairs; beside all of them together, those with a verdict are shown.", comparison.levels.len());
        page.wrapped(&shown, 2, Style::new());
    }
    page.blank();
    for (cores, level) in comparison.levels.iter().take(if all { ALL_PAIRS } else { 0 }) {
        let at = level.iter().map(|level| {
            let [a, b] = level.shares.map(|share| share * 100.0);
            format!("{} ({a:.0} % of A, {b:.0} % of B)", format::time(level.floor_ns, 0.0))
        });
        let [a, b] = cores;
        let text = format!("{a}-{b}: compared where the floor was about {}.", at.collect::<Vec<_>>().join(", or "));
        page.wrapped(&text, 2, Style::new());
    }
    for note in &comparison.notes {
        page.wrapped(&format!("NOTE {note}"), 5, AnsiColor::Yellow.on_default());
    }
    page.wrapped(how(sides), 2, Style::new());
    for line in over {
        page.wrapped(&format!("OVER THE LIMIT {line}"), 5, AnsiColor::Red.on_default().bold());
    }
    page.finish()
}

fn how(sides: [&[&Report]; 2]) -> &'static str {
    if sides.iter().all(|side| side.len() >= ENOUGH_RUNS) {
        "Intervals: all together 95 %, from the spread of the runs."
    } else {
        "Intervals: all together 95 %, from the spread of the visits, and 1.5 % that a run is assumed to differ by from the next. \
         Three runs a side or more show what they really differ by."
    }
}

/// The statistic of the whole run in ns; the middle one of several runs.
fn value(side: &[&Report], cores: [usize; 2], row: &Row) -> String {
    let pairs = side.iter().filter_map(|report| report.pairs.iter().find(|pair| pair.cores == cores));
    let of = |pair: &Pair| {
        let figures = row.subject.figures(pair)?;
        Some((row.statistic.of(figures), figures.resolution_ns))
    };
    let mut values: Vec<(f64, f64)> = pairs.filter_map(of).collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    values.get(values.len() / 2).map_or_else(String::new, |&(ns, resolution)| format::time(ns, resolution))
}

#[cfg(test)]
mod tests {
    use super::super::{compare, limit};
    use super::*;
    use crate::render::color::Depth;
    use crate::render::fixture;

    const LOOK: Look = Look { width: 110, depth: Depth::None, ascii: false, quiet: false };

    fn slower(factor: f64) -> Report {
        let mut report = fixture::report(2);
        let pair = &mut report.pairs[0];
        pair.slices_ns.iter_mut().for_each(|slice| slice[1] *= factor);
        pair.tails_ns.iter_mut().flatten().for_each(|ns| *ns *= factor);
        report
    }

    #[test]
    fn a_table_says_how_much_and_how_sure() {
        let (a, b) = (fixture::report(2), slower(1.5));
        let comparison = compare(&[&a], &[&b], false);
        let over = over(&comparison, &[limit("p50=10%").unwrap(), limit("p90=400%").unwrap()]).unwrap();
        assert_eq!(over.len(), 1);
        let text = draw(&comparison, [&[&a], &[&b]], false, &over, LOOK);
        for part in [
            "0-1",
            "p50",
            "1.500",
            "slower",
            "OVER THE LIMIT 0-1: p50",
            "the limit is 10 %",
            "100 % of A",
            "1.5 % that a",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        let text = draw(&compare(&[&a], &[&a], false), [&[&a], &[&a]], false, &[], LOOK);
        assert!(text.contains("no difference shown") && !text.contains("slower") && !text.contains("OVER"), "{text}");
        let text = draw(&compare(&[&b], &[&a], false), [&[&b], &[&a]], false, &[], LOOK);
        assert!(text.contains("faster") && !text.contains("slower"), "{text}");
    }

    #[test]
    fn a_limit_of_what_was_not_compared_is_an_error() {
        let mut a = fixture::report(2);
        a.pairs[0].tails_ns.clear();
        let comparison = compare(&[&a], &[&a], false);
        let error = over(&comparison, &[limit("p99=10%").unwrap()]).unwrap_err();
        assert!(error.code == 2 && error.message.contains("p99 was compared for no pair"), "{}", error.message);
    }

    #[test]
    fn many_pairs_have_rows_together() {
        let a = fixture::report(8);
        let comparison = compare(&[&a], &[&a], false);
        let text = draw(&comparison, [&[&a], &[&a]], false, &[], LOOK);
        assert!(text.contains("all pairs") && text.contains("28 pairs") && text.lines().count() < 15, "{text}");
    }

    #[test]
    fn sides_without_a_common_floor_are_not_compared() {
        let (a, mut b) = (fixture::report(2), fixture::report(2));
        b.pairs[0].slices_ns.iter_mut().flatten().for_each(|ns| *ns *= 4.0);
        let comparison = compare(&[&a], &[&b], false);
        assert!(comparison.rows.is_empty() && comparison.notes[0].contains("same floor"), "{comparison:?}");
    }
}
