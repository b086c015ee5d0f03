//! The report as CSV in long format: one row per pair, subject and statistic, so that a new statistic is a new row and
//! never a new column. Values are full precision; `below_resolution` says that a value means only "less than that".

use std::fmt::Write;

use crate::report::{Figures, Ratio, Report};

const HEADER: &str = "core_a,core_b,relation,subject,statistic,value,unit,below_resolution,trips_per_sample,samples\n";

pub(crate) fn draw(report: &Report) -> String {
    let mut text = String::from(HEADER);
    for pair in &report.pairs {
        let key = format!("{},{},{}", pair.cores[0], pair.cores[1], quoted(&pair.relation));
        figures(&mut text, &key, "channel", &pair.channel);
        figures(&mut text, &key, "floor", &pair.floor);
        ratios(&mut text, &key, "ratio", pair.ratio.as_ref());
        if let Some(processes) = &pair.processes {
            figures(&mut text, &key, "processes", &processes.figures);
            ratios(&mut text, &key, "processes_ratio", processes.ratio.as_ref());
            ratios(&mut text, &key, "processes_to_channel", processes.ratio_to_channel.as_ref());
        }
    }
    for jitter in &report.jitter {
        let rows = [
            ("hiccups_per_second", jitter.per_second(), "1/s"),
            ("longest", jitter.max_ns as f64, "ns"),
            ("stolen_share", jitter.stolen_share(), "1"),
        ];
        for (statistic, value, unit) in rows {
            put(&mut text, format_args!("{0},{0},same core,jitter,{statistic},{value:.6},{unit},false,,", jitter.core));
        }
    }
    text
}

fn figures(text: &mut String, key: &str, subject: &str, figures: &Figures) {
    let rows = [
        ("min", figures.min_ns),
        ("p50", figures.p50_ns),
        ("p90", figures.p90_ns),
        ("p99", figures.p99_ns),
        ("p99.9", figures.p999_ns),
        ("max", figures.max_ns),
        ("slice_p5", figures.slice_range_ns[0]),
        ("slice_p95", figures.slice_range_ns[1]),
    ];
    for (statistic, value) in rows {
        let below = value < figures.resolution_ns;
        let (trips, samples) = (figures.trips_per_sample, figures.samples);
        put(text, format_args!("{key},{subject},{statistic},{value:.2},ns,{below},{trips},{samples}"));
    }
}

fn ratios(text: &mut String, key: &str, subject: &str, ratio: Option<&Ratio>) {
    let Some(ratio) = ratio else { return };
    let rows = [("median", ratio.median), ("p5", ratio.range[0]), ("p95", ratio.range[1])];
    for (statistic, value) in rows {
        put(text, format_args!("{key},{subject},{statistic},{value:.4},1,false,,{}", ratio.slices_used));
    }
}

fn put(text: &mut String, row: std::fmt::Arguments<'_>) {
    writeln!(text, "{row}").expect("a String takes everything");
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn every_row_has_the_headers_columns() {
        let text = draw(&fixture::report(4));
        let columns = HEADER.matches(',').count();
        assert!(text.lines().all(|line| line.matches(',').count() == columns), "{text}");
        assert_eq!(text.lines().count(), 1 + 6 * 19 + 4 * 3);
        assert!(text.contains("0,1,SMT sibling,channel,p50,"));
        assert!(text.contains("0,1,SMT sibling,ratio,median,1.2000,1,false,,90"));
    }

    #[test]
    fn processes_have_rows_of_their_own() {
        let text = draw(&fixture::between_processes());
        let columns = HEADER.matches(',').count();
        assert!(text.lines().all(|line| line.matches(',').count() == columns), "{text}");
        assert_eq!(text.lines().count(), 1 + 19 + 8 + 2 * 3 + 2 * 3);
        assert!(text.contains("0,1,SMT sibling,processes_to_channel,median,1.2500,1,false,,80"));
    }

    #[test]
    fn what_the_clock_cannot_resolve_is_marked() {
        let mut report = fixture::report(2);
        report.pairs[0].channel.min_ns = 0.0;
        report.pairs[0].channel.resolution_ns = 2.0;
        assert!(draw(&report).contains("channel,min,0.00,ns,true,"));
    }

    #[test]
    fn fields_with_separators_are_quoted() {
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
