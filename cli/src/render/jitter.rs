//! The gaps of each core for a person at a terminal: the answer, the table, the warnings.

use anstyle::{AnsiColor, Style};

use super::describe::{clock, environment};
use super::format;
use super::text::{Look, Page, table};
use crate::report::{Jitter, Report, RunEnd};

/// Draws a report that holds the jitter of cores and nothing else.
pub(crate) fn draw(report: &Report, look: Look) -> String {
    let mut page = Page::new(look);
    if !look.quiet {
        page.wrapped(&answer(report), 2, Style::new().bold());
        page.blank();
    }
    for (index, line) in table(&rows(report), 0, &DISPENSABLE, look.width).into_iter().enumerate() {
        let style = if index == 0 { Style::new().underline() } else { Style::new() };
        page.line(&vec![(line, style)]);
    }
    if look.quiet {
        return page.finish();
    }
    let threshold = report.jitter.first().map_or(0, |jitter| jitter.threshold_ns);
    let shortest = format::time(threshold as f64, 0.0);
    let about = format!(
        "Gaps of more than {shortest} between two readings of the clock, in a thread that does nothing else. A wait on these \
         cores, of any program, is at times as much longer."
    );
    page.wrapped(&about, 2, Style::new());
    if !report.warnings.is_empty() {
        page.blank();
    }
    for warning in &report.warnings {
        page.wrapped(&format!("WARN {} -> {}", warning.what, warning.remedy), 5, AnsiColor::Yellow.on_default());
    }
    page.blank();
    page.wrapped(&clock(report), 2, Style::new());
    let facts: Vec<String> = environment(report).into_iter().map(|(name, value)| format!("{name} {value}")).collect();
    page.wrapped(&facts.join("; "), 2, Style::new());
    page.finish()
}

/// How much was lost, and where.
fn answer(report: &Report) -> String {
    let shares = || report.jitter.iter().map(Jitter::stolen_share);
    let Some(longest) = report.jitter.iter().max_by_key(|jitter| jitter.max_ns) else {
        return "No core was watched.".to_owned();
    };
    let percent = |share: f64| format!("{:.3} %", share * 100.0);
    let [least, most] = [shares().fold(f64::INFINITY, f64::min), shares().fold(0.0, f64::max)].map(percent);
    let lost = match report.jitter.as_slice() {
        [only] => format!("Core {} lost {most} of its time", only.core),
        all => format!("{} cores lost {least} to {most} of their time", all.len()),
    };
    let end = if report.ended == RunEnd::Interrupted { "; interrupted" } else { "" };
    if longest.max_ns == 0 {
        return format!("{lost}: there was no gap{end}.");
    }
    let worst = format::time(longest.max_ns as f64, 0.0);
    let at = if report.jitter.len() == 1 { String::new() } else { format!(" on core {}", longest.core) };
    format!("{lost}; the longest gap was {worst}{at}{end}.")
}

const HEAD: [&str; 13] =
    ["core", "gaps/s", "min", "median", "mean", "90%", "99%", "99.9%", "99.99%", "99.999%", "max", "total", "total %"];

/// Left out in this order where the terminal is narrow.
const DISPENSABLE: [&str; 10] =
    ["99.999%", "99.99%", "min", "mean", "90%", "total", "99%", "99.9%", "median", "gaps/s"];

fn rows(report: &Report) -> Vec<Vec<String>> {
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    for jitter in &report.jitter {
        let time = |ns: f64| format::time(ns, 0.0);
        let mut row = vec![jitter.core.to_string(), format!("{:.1}", jitter.per_second())];
        match &jitter.gaps {
            Some(gaps) => {
                row.extend([gaps.min_ns as f64, gaps.p50_ns as f64, gaps.mean_ns].map(time));
                let tail = [gaps.p90_ns, gaps.p99_ns, gaps.p999_ns, gaps.p9999_ns, gaps.p99999_ns, jitter.max_ns];
                row.extend(tail.map(|ns| time(ns as f64)));
            }
            None => row.extend(std::iter::repeat_n("-".to_owned(), 9)),
        }
        row.extend([time(jitter.stolen_ns as f64), format!("{:.4}", jitter.stolen_share() * 100.0)]);
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::color::Depth;
    use crate::render::fixture;

    const PLAIN: Look = Look { width: 160, depth: Depth::None, ascii: false, quiet: false };

    fn report() -> Report {
        let mut report = fixture::report(4);
        (report.pairs, report.planned_pairs) = (vec![], 0);
        report
    }

    #[test]
    fn the_answer_stands_first() {
        let mut report = report();
        report.jitter[2].max_ns = 3_000_000;
        let text = draw(&report, PLAIN);
        assert!(
            text.starts_with("4 cores lost 0.060 % to 0.060 % of their time; the longest gap was 3.00 ms on core 2.")
        );
        report.jitter.truncate(1);
        assert!(draw(&report, PLAIN).starts_with("Core 0 lost 0.060 % of its time; the longest gap was 81.3 µs."));
        let mut still = report.jitter[0].clone();
        (still.hiccups, still.max_ns, still.stolen_ns, still.gaps) = (0, 0, 0, None);
        report.jitter = vec![still];
        let text = draw(&report, PLAIN);
        assert!(text.starts_with("Core 0 lost 0.000 % of its time: there was no gap."), "{text}");
    }

    #[test]
    fn every_column_is_there_and_narrow_terminals_get_fewer() {
        let text = draw(&report(), PLAIN);
        for column in HEAD {
            assert!(text.contains(column), "{column} is missing in:\n{text}");
        }
        for width in [10, 20, 40, 80, 160] {
            let text = draw(&report(), Look { width, ..PLAIN });
            assert!(text.lines().all(|line| line.chars().count() <= width), "wider than {width}:\n{text}");
        }
        assert!(draw(&report(), Look { ascii: true, ..PLAIN }).is_ascii());
    }

    #[test]
    fn quiet_is_the_table_alone() {
        let text = draw(&report(), Look { quiet: true, ..PLAIN });
        assert_eq!(text.lines().count(), 5, "{text}");
    }
}
