//! The report as CSV in long format: one row per pair, subject and statistic, so that a new statistic is a new row and
//! never a new column. Values are full precision; `below_resolution` says that a value means only "less than that".

use std::fmt::Write;

use crate::report::{Figures, FloorKind, Jitter, Pair, Ratio, Report, Wake};

const HEADER: &str = "core_a,core_b,relation,subject,statistic,value,unit,below_resolution,trips_per_sample,samples\n";

pub(crate) fn draw(report: &Report) -> String {
    let mut text = String::from(HEADER);
    for pair in &report.pairs {
        let key = format!("{},{},{}", pair.cores[0], pair.cores[1], quoted(&pair.relation));
        figures(&mut text, &key, "channel", &pair.channel);
        figures(&mut text, &key, "floor", &pair.floor);
        // The floor under the name of its kind as well, so that a reader who wants one kind finds all pairs.
        if let Some(yardstick) = &pair.yardstick {
            figures(&mut text, &key, subject(pair.floor_kind), &pair.floor);
            figures(&mut text, &key, subject(pair.floor_kind.other()), yardstick);
        }
        ratios(&mut text, &key, "ratio", pair.ratio.as_ref());
        if let Some(processes) = &pair.processes {
            figures(&mut text, &key, "processes", &processes.figures);
            ratios(&mut text, &key, "processes_ratio", processes.ratio.as_ref());
            ratios(&mut text, &key, "processes_to_channel", processes.ratio_to_channel.as_ref());
        }
        whole(&mut text, &key, pair);
    }
    if let Some(load) = &report.load {
        let key = format!("{},{},{}", load.cores[0], load.cores[1], quoted(&load.relation));
        for step in &load.steps {
            // The rate is in the subject, as columns are the same for all.
            let at = format!("{}@{:.0}/s", load.subject, step.planned_per_s);
            figures(&mut text, &key, &format!("{at} response"), &step.response);
            figures(&mut text, &key, &format!("{at} service"), &step.service);
            let rows = [
                ("planned", step.planned_per_s, "1/s"),
                ("sent", step.sent_per_s, "1/s"),
                ("reached", f64::from(u8::from(step.reached)), "1"),
            ];
            for (statistic, value, unit) in rows {
                put(&mut text, format_args!("{key},{at} load,{statistic},{value:.2},{unit},false,,{}", step.sent));
            }
        }
        if let Some(knee) = load.knee_per_s {
            put(&mut text, format_args!("{key},{} load,knee,{knee:.2},1/s,false,,", load.subject));
        }
    }
    for jitter in &report.jitter {
        gaps(&mut text, jitter);
    }
    if let Some(wake) = &report.wake {
        sleepers(&mut text, wake);
    }
    text
}

fn gaps(text: &mut String, jitter: &Jitter) {
    let mut rows = vec![
        ("hiccups_per_second", jitter.per_second(), "1/s"),
        ("longest", jitter.max_ns as f64, "ns"),
        ("stolen_share", jitter.stolen_share(), "1"),
        ("stolen", jitter.stolen_ns as f64, "ns"),
        ("threshold", jitter.threshold_ns as f64, "ns"),
    ];
    if let Some(gaps) = &jitter.gaps {
        rows.extend([("min", gaps.min_ns as f64, "ns"), ("mean", gaps.mean_ns, "ns")]);
        let percentiles = [
            ("p50", gaps.p50_ns),
            ("p90", gaps.p90_ns),
            ("p99", gaps.p99_ns),
            ("p99.9", gaps.p999_ns),
            ("p99.99", gaps.p9999_ns),
            ("p99.999", gaps.p99999_ns),
        ];
        rows.extend(percentiles.map(|(name, ns)| (name, ns as f64, "ns")));
    }
    for (statistic, value, unit) in rows {
        put(text, format_args!("{0},{0},same core,jitter,{statistic},{value:.6},{unit},false,,", jitter.core));
    }
}

/// The subject names what was measured, how it waited and for how long, such as `wake spsc park 1000000ns`.
fn sleepers(text: &mut String, wake: &Wake) {
    let key = format!("{},{},{}", wake.cores[0], wake.cores[1], quoted(&wake.relation));
    for row in &wake.rows {
        let subject = quoted(&format!("wake {} {} {:.0}ns", row.subject, row.wait, row.idle_ns));
        figures(text, &key, &subject, &row.figures);
        put(text, format_args!("{key},{subject},slept_share,{:.6},1,false,,{}", row.slept_share, row.figures.samples));
        ratios(text, &key, &format!("{subject} ratio"), row.ratio.as_ref());
    }
}

fn subject(kind: FloorKind) -> &'static str {
    match kind {
        FloorKind::OneLine => "one_line",
        FloorKind::TwoLines => "two_lines",
    }
}

/// What is known of a pair as a whole, and of the levels that its channel kept to.
fn whole(text: &mut String, key: &str, pair: &Pair) {
    let rows = [
        ("visits", Some(f64::from(pair.visits)), "1"),
        ("lost_share", pair.lost.map(|lost| lost.share), "1"),
        ("sleeps_per_trip", pair.sleeps_per_trip, "1"),
        ("preemptions", pair.preemptions.map(|count| count as f64), "1"),
        ("core_to_core", pair.core_to_core_ns(), "ns"),
    ];
    for (statistic, value, unit) in rows {
        let Some(value) = value else { continue };
        put(text, format_args!("{key},pair,{statistic},{value:.6},{unit},false,,"));
    }
    for (index, band) in pair.bands.iter().enumerate() {
        let [p5, p95] = band.range_ns;
        let rows = [
            ("share", band.share, "1"),
            ("p50", band.p50_ns, "ns"),
            ("slice_p5", p5, "ns"),
            ("slice_p95", p95, "ns"),
            ("floor_p50", band.floor_ns, "ns"),
        ];
        for (statistic, value, unit) in rows {
            put(text, format_args!("{key},level_{},{statistic},{value:.4},{unit},false,,", index + 1));
        }
    }
}

fn figures(text: &mut String, key: &str, subject: &str, figures: &Figures) {
    let visits = figures.visit_range_ns.map_or([None; 2], |range| range.map(Some));
    let rows = [
        ("min", Some(figures.min_ns)),
        ("p50", Some(figures.p50_ns)),
        ("p90", Some(figures.p90_ns)),
        ("p99", Some(figures.p99_ns)),
        ("p99.9", Some(figures.p999_ns)),
        ("p99.99", Some(figures.p9999_ns)),
        ("p99.999", Some(figures.p99999_ns)),
        ("max", Some(figures.max_ns)),
        ("mean", Some(figures.mean_ns)),
        ("slice_p5", Some(figures.slice_range_ns[0])),
        ("slice_p95", Some(figures.slice_range_ns[1])),
        ("visit_lowest", visits[0]),
        ("visit_highest", visits[1]),
    ];
    for (statistic, value) in rows {
        let Some(value) = value else { continue };
        let below = value < figures.resolution_ns;
        let (trips, samples) = (figures.trips_per_sample, figures.samples);
        put(text, format_args!("{key},{subject},{statistic},{value:.2},ns,{below},{trips},{samples}"));
    }
    let (stalled, trips, samples) = (figures.stalled_share, figures.trips_per_sample, figures.samples);
    put(text, format_args!("{key},{subject},stalled_share,{stalled:.6},1,false,{trips},{samples}"));
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
        assert_eq!(text.lines().count(), 1 + 6 * (4 * 14 + 3 + 5) + 4 * 13);
        assert!(text.contains("0,1,SMT sibling,channel,p50,"));
        assert!(text.contains("0,1,SMT sibling,ratio,median,1.2000,1,false,,90"));
    }

    #[test]
    fn both_bare_ways_the_levels_and_the_pair_have_rows() {
        let text = draw(&fixture::report(2));
        for row in ["one_line,p50,10.00,", "two_lines,p50,15.00,", "floor,p50,10.00,", "channel,visit_highest,13.20,"] {
            assert!(text.contains(&format!("0,1,SMT sibling,{row}")), "{row:?} is missing in:\n{text}");
        }
        for row in ["pair,lost_share,0.000400,1,", "pair,core_to_core,5.250000,ns,", "pair,visits,2.000000,1,"] {
            assert!(text.contains(&format!("0,1,SMT sibling,{row}")), "{row:?} is missing in:\n{text}");
        }
        let levels = draw(&fixture::two_levels());
        assert!(levels.contains("level_1,share,0.7000,1,") && levels.contains("level_2,floor_p50,350.0000,ns,"));
        assert!(!levels.contains("one_line") && !levels.contains("core_to_core"), "it was not measured");
    }

    #[test]
    fn processes_have_rows_of_their_own() {
        let text = draw(&fixture::between_processes());
        let columns = HEADER.matches(',').count();
        assert!(text.lines().all(|line| line.matches(',').count() == columns), "{text}");
        assert_eq!(text.lines().count(), 1 + 5 * 14 + 3 * 3 + 5 + 2 * 13);
        assert!(text.contains("0,1,SMT sibling,processes_to_channel,median,1.2500,1,false,,80"));
    }

    #[test]
    fn rates_have_rows_of_their_own() {
        let text = draw(&fixture::load());
        let columns = HEADER.matches(',').count();
        assert!(text.lines().all(|line| line.matches(',').count() == columns), "{text}");
        assert_eq!(text.lines().count(), 1 + 3 * (2 * 14 + 3) + 1);
        for row in [
            "0,1,SMT sibling,spsc@3200000/s response,p50,210.00,ns,false,1,",
            "0,1,SMT sibling,spsc@6400000/s load,reached,0.00,1,false,,",
            "0,1,SMT sibling,spsc load,knee,3200000.00,1/s,false,,",
        ] {
            assert!(text.contains(row), "{row:?} is missing in:\n{text}");
        }
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
