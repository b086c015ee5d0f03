//! The text tables that a run prints.

use std::fmt::Write;

use super::analyse::{Row, Summary};

/// One suite as text.
pub fn text(summary: &Summary, baseline: &str) -> String {
    let mut out = String::new();
    let better = if summary.lower_is_better { "less is better" } else { "more is better" };
    let floor = if summary.bands.is_empty() { "no floor band".into() } else { format!("floor {}", summary.bands()) };
    let label = if summary.label == summary.suite { String::new() } else { format!(" {}:", summary.label) };
    let _ = writeln!(
        out,
        "\n{}:{label} {}; {}, {better}; {} seeds; {floor}",
        summary.suite, summary.about, summary.unit, summary.series
    );
    let _ = writeln!(
        out,
        "{:<28} {:>9} {:>17}  {:>9} {:>15} {:>13} {:>6} {:>5} {:>6} {:>8} {:>7}",
        "contender",
        "median",
        "quartiles",
        "× better",
        "95 % interval",
        "quartiles",
        "pairs",
        "kept",
        "stolen",
        "parks/m",
        "× floor"
    );
    for row in &summary.rows {
        let _ = writeln!(out, "{}", line(row, baseline));
    }
    out
}

fn line(row: &Row, baseline: &str) -> String {
    let mut out = format!("{:<28} ", row.contender);
    match row.value {
        Some([low, mid, high]) => {
            let _ = write!(out, "{:>9} {:>17}  ", figure(mid), format!("{}–{}", figure(low), figure(high)));
        }
        None => {
            let _ = write!(out, "{:>9} {:>17}  ", "none", "");
        }
    }
    match &row.ratio {
        Some(r) => {
            let [low, mid, high] = r.quartiles;
            let interval = format!("{:.2}–{:.2}", r.interval[0], r.interval[1]);
            let _ = write!(out, "{mid:>9.2} {interval:>15} {:>13} {:>6} ", format!("{low:.2}–{high:.2}"), r.pairs);
        }
        None if row.contender == baseline => {
            let _ = write!(out, "{:>9} {:>15} {:>13} {:>6} ", "baseline", "", "", "");
        }
        None => {
            let _ = write!(out, "{:>9} {:>15} {:>13} {:>6} ", "no pairs", "", "", "");
        }
    }
    let share = |part: usize| format!("{:.0}%", 100.0 * part as f64 / row.run.max(1) as f64);
    let _ = write!(out, "{:>5} {:>6} {:>8.3}", share(row.kept), share(row.disturbed), row.parked);
    match row.floors {
        Some([_, mid, _]) => {
            let _ = write!(out, " {mid:>7.2}");
        }
        None => out.push_str(&" ".repeat(8)),
    }
    if row.failures > 0 {
        let _ = write!(out, "  FAILED {} times", row.failures);
    }
    out
}

/// Three significant digits.
pub fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
