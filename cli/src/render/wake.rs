//! How long sleeping receivers took, for a person at a terminal: the answer, the table, the warnings.

use anstyle::{AnsiColor, Style};

use super::describe::{clock, environment};
use super::format;
use super::text::{Look, Page, table};
use crate::report::{Report, RunEnd, Wake, WakeRow};

/// A row with at least this share of sleeps tells what a sleeper takes.
const SLEPT: f64 = 0.5;

/// The idle time that the answer is about, if a receiver slept then.
const USUAL_NS: f64 = 1e6;

pub(crate) fn draw(report: &Report, wake: &Wake, look: Look) -> String {
    let mut page = Page::new(look);
    if !look.quiet {
        page.wrapped(&answer(wake), 2, Style::new().bold());
        page.blank();
    }
    let (rows, last_of_idle) = rows(wake);
    for (index, line) in table(&rows, 3, &DISPENSABLE, look.width).into_iter().enumerate() {
        let style = if index == 0 { Style::new().underline() } else { Style::new() };
        page.line(&vec![(line, style)]);
        if last_of_idle.contains(&index) && index + 1 < rows.len() {
            page.blank();
        }
    }
    if look.quiet {
        return page.finish();
    }
    about(&mut page, report, wake);
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

/// One sentence: a sleeper, its ratio to the futex, and what spinning takes.
fn answer(wake: &Wake) -> String {
    let slept = |row: &&WakeRow| row.subject != "futex" && row.slept_share >= SLEPT;
    let distance = |row: &&WakeRow| (row.idle_ns / USUAL_NS).ln().abs();
    let nearest = wake.rows.iter().filter(slept).min_by(|a, b| distance(a).total_cmp(&distance(b)));
    let spinning = |idle_ns: f64| {
        let row = wake.rows.iter().find(|row| row.wait == "spin" && row.idle_ns == idle_ns)?;
        Some(format!("spinning takes {}", p50(row)))
    };
    let Some(row) = nearest else {
        let Some(row) = wake.rows.iter().rfind(|row| row.subject != "futex") else {
            return "Nothing was measured.".to_owned();
        };
        let (subject, way, idle) = (&row.subject, &row.wait, format::time(row.idle_ns, 0.0));
        return format!(
            "No receiver slept: after {idle} the one of {subject} that waits by '{way}' runs {} after the send.",
            p50(row)
        );
    };
    let mut text = format!("A receiver asleep for {} runs {} after the send", format::time(row.idle_ns, 0.0), p50(row));
    if let Some(ratio) = &row.ratio {
        text += &format!(", {} × a bare futex", format::ratio(ratio.median));
    }
    if let Some(spinning) = spinning(row.idle_ns) {
        text += &format!("; {spinning}");
    }
    let [a, b] = wake.cores;
    text + &format!(" ({} by '{}', core {a} to core {b}, {}).", row.subject, row.wait, wake.relation)
}

fn p50(row: &WakeRow) -> String {
    format::time(row.figures.p50_ns, row.figures.resolution_ns)
}

const HEAD: [&str; 12] =
    ["idle", "subject", "wait", "p50", "p90", "p99", "p99.9", "max", "slept", "× futex", "5-95%", "samples"];

/// Left out in this order where the terminal is narrow.
const DISPENSABLE: [&str; 8] = ["samples", "p99.9", "p90", "5-95%", "max", "slept", "p99", "subject"];

/// The table, and the rows that are the last of an idle time.
fn rows(wake: &Wake) -> (Vec<Vec<String>>, Vec<usize>) {
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    let mut last = Vec::new();
    for (index, row) in wake.rows.iter().enumerate() {
        let figures = &row.figures;
        let time = |ns| format::time(ns, figures.resolution_ns);
        let is_first = index.checked_sub(1).is_none_or(|before| wake.rows[before].idle_ns != row.idle_ns);
        let idle = if is_first { format::time(row.idle_ns, 0.0) } else { String::new() };
        let way = if row.wait == row.subject { String::new() } else { row.wait.clone() };
        let mut cells = vec![idle, row.subject.clone(), way];
        cells.extend([figures.p50_ns, figures.p90_ns, figures.p99_ns, figures.p999_ns, figures.max_ns].map(time));
        cells.push(format!("{:.0} %", row.slept_share * 100.0));
        match &row.ratio {
            Some(ratio) => {
                let [low, high] = ratio.range.map(format::ratio);
                cells.extend([format::ratio(ratio.median), format!("{low}–{high}")]);
            }
            None => cells.extend(["".to_owned(), "".to_owned()]),
        }
        cells.push(format::count(figures.samples));
        rows.push(cells);
        if wake.rows.get(index + 1).is_none_or(|next| next.idle_ns != row.idle_ns) {
            last.push(rows.len() - 1);
        }
    }
    (rows, last)
}

fn about(page: &mut Page, report: &Report, wake: &Wake) {
    page.blank();
    let [least, most] = wake.clock_offset_ns;
    let bound = format::time(least.abs().max(most.abs()), 0.0);
    let end = if report.ended == RunEnd::Interrupted { " The run was interrupted." } else { "" };
    let text = format!(
        "One way, from before the send until the receiver has the message. The two cores' clocks differ by at most {bound}, and each time may be off by \
         as much. 'slept': messages for which the receiver had slept. '× futex': median over slices that each stand beside one of the futex, and 5th to \
         95th percentile.{end}"
    );
    page.wrapped(&text, 2, Style::new());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::color::Depth;
    use crate::render::fixture;
    use crate::report::Ratio;

    const PLAIN: Look = Look { width: 140, depth: Depth::None, ascii: false, quiet: false };

    fn row(subject: &str, wait: &str, idle_ns: f64, p50_ns: f64, slept_share: f64) -> WakeRow {
        let ratio = Ratio { median: p50_ns / 6_000.0, range: [0.9, 1.3], slices_used: 40, slices: 40 };
        let mut figures = fixture::report(2).pairs.remove(0).channel;
        (figures.p50_ns, figures.resolution_ns) = (p50_ns, 10.0);
        let (subject, wait) = (subject.to_owned(), wait.to_owned());
        let ratio = (subject != "futex").then_some(ratio);
        WakeRow { subject, wait, idle_ns, figures, slept_share, ratio }
    }

    fn drawn(rows: Vec<WakeRow>, look: Look) -> String {
        let mut report = fixture::report(2);
        (report.pairs, report.planned_pairs) = (vec![], 0);
        let wake = Wake { cores: [0, 4], relation: "same L3".into(), clock_offset_ns: [-31.0, 42.0], rows };
        draw(&report, &wake, look)
    }

    fn rows_of_a_run() -> Vec<WakeRow> {
        let mut rows = Vec::new();
        for (idle_ns, slept) in [(1e3, 0.1), (1e6, 1.0), (1e8, 1.0)] {
            rows.push(row("futex", "futex", idle_ns, 6_000.0, slept));
            rows.push(row("spsc", "spin", idle_ns, 210.0, 0.0));
            rows.push(row("spsc", "park", idle_ns, 6_240.0, slept));
        }
        rows
    }

    #[test]
    fn the_answer_is_one_sentence_and_first() {
        let text = drawn(rows_of_a_run(), PLAIN).split_whitespace().collect::<Vec<_>>().join(" ");
        let wanted = "A receiver asleep for 1.00 ms runs 6.24 µs after the send, 1.04 × a bare futex; spinning takes 210 ns \
                      (spsc by 'park', core 0 to core 4, same L3).";
        assert!(text.starts_with(wanted), "{text}");
        assert!(text.contains("differ by at most 42 ns"), "{text}");
    }

    #[test]
    fn without_a_sleeper_it_says_so() {
        let text = drawn(vec![row("spsc", "spin", 1e6, 210.0, 0.0)], PLAIN);
        assert!(text.starts_with("No receiver slept: after 1.00 ms the one of spsc"), "{text}");
        assert!(drawn(vec![], PLAIN).starts_with("Nothing was measured."));
    }

    #[test]
    fn every_row_is_there_and_each_idle_time_once() {
        let text = drawn(rows_of_a_run(), Look { quiet: true, ..PLAIN });
        assert_eq!(text.lines().filter(|line| !line.is_empty()).count(), 10, "{text}");
        assert_eq!(text.matches("1.00 µs").count(), 1, "{text}");
        for width in [20, 40, 80, 140] {
            let text = drawn(rows_of_a_run(), Look { width, ..PLAIN });
            assert!(text.lines().all(|line| line.chars().count() <= width), "wider than {width}:\n{text}");
        }
        assert!(drawn(rows_of_a_run(), Look { ascii: true, ..PLAIN }).is_ascii());
    }
}
