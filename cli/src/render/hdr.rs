//! Distributions for HdrHistogram's own tools: a `.hgrm` file each, as its plotters read them, and one interval log of all of them.
//!
//! Values are ns per round trip. The interval log holds whole ns; one interval is the whole run of one subject.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::histogram;
use crate::report::{Figures, Report};

/// Steps of the percentile for each halving of the distance to 100 %, as HdrHistogram's own tools have by default.
const TICKS: u32 = 5;

/// Name of the interval log.
pub(crate) const LOG: &str = "ringmail.hlog";

/// A distribution by name.
struct Named {
    name: String,
    samples: Histogram<u64>,
    trips: u32,
}

/// The files as (name, text). `None` if the report holds no histogram.
pub(crate) fn draw(report: &Report) -> Option<Vec<(String, String)>> {
    let all = distributions(report);
    let log = log(report, &all)?;
    let files = all.iter().map(|it| (format!("{}.hgrm", it.name), percentiles(&it.samples, it.trips)));
    Some(files.chain([(LOG.to_owned(), log)]).collect()).filter(|_| !all.is_empty())
}

fn distributions(report: &Report) -> Vec<Named> {
    let mut all = Vec::new();
    let mut put = |name: String, text: Option<&str>, trips: u32| {
        if let Some(Ok(samples)) = text.map(histogram::decode) {
            all.push(Named { name: file_name(&name), samples, trips });
        }
    };
    let mut figures = |name: String, of: &Figures| put(name, of.histogram.as_deref(), of.trips_per_sample);
    for pair in &report.pairs {
        let [a, b] = pair.cores;
        pair.subjects().into_iter().for_each(|(subject, of, _)| figures(format!("{a}-{b}.{subject}"), of));
        pair.yardstick.iter().for_each(|of| figures(format!("{a}-{b}.yardstick"), of));
    }
    if let Some(load) = &report.load {
        let [a, b] = load.cores;
        for step in &load.steps {
            let name = format!("{a}-{b}.{}.{:.0}-per-s", load.subject, step.planned_per_s);
            figures(format!("{name}.response"), &step.response);
            figures(format!("{name}.service"), &step.service);
        }
    }
    if let Some(wake) = &report.wake {
        let [a, b] = wake.cores;
        for row in &wake.rows {
            figures(format!("{a}-{b}.{}.{}.{:.0}-ns", row.subject, row.wait, row.idle_ns), &row.figures);
        }
    }
    for jitter in &report.jitter {
        put(format!("{}.jitter", jitter.core), jitter.histogram.as_deref(), 1);
    }
    all
}

/// A name that is one file on every system, and a tag of a log.
fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' }).collect()
}

/// The text of a `.hgrm` file.
fn percentiles(samples: &Histogram<u64>, trips: u32) -> String {
    let per_trip = |ns: f64| ns / f64::from(trips);
    let mut text = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut put = |row: std::fmt::Arguments<'_>| writeln!(text, "{row}").expect("a String takes everything");
    let mut count = 0;
    let mut last = None;
    for step in samples.iter_quantiles(TICKS) {
        count += step.count_since_last_iteration();
        let (value, quantile) = (per_trip(step.value_iterated_to() as f64), step.quantile_iterated_to());
        // The iterator names the end more than once.
        if last.replace((value, quantile)) == Some((value, quantile)) {
            continue;
        }
        if quantile < 1.0 {
            put(format_args!("{value:>12.3} {quantile:.12} {count:>10} {:>14.2}", 1.0 / (1.0 - quantile)));
        } else {
            put(format_args!("{value:>12.3} {quantile:.12} {count:>10}"));
        }
    }
    let [mean, deviation, max] = [samples.mean(), samples.stdev(), samples.max() as f64].map(per_trip);
    put(format_args!("#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]"));
    put(format_args!("#[Max     = {max:>12.3}, Total count    = {:>12}]", samples.len()));
    put(format_args!("#[Buckets = {:>12}, SubBuckets     = {:>12}]", samples.buckets(), 2048));
    text
}

/// The text of the interval log.
fn log(report: &Report, all: &[Named]) -> Option<String> {
    let (mut bytes, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let began = UNIX_EPOCH.checked_add(Duration::from_secs(report.started_unix_s))?;
    let length = Duration::try_from_secs_f64(report.elapsed_s).ok()?;
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment(&format!(
            "[ringmail {}: ns per round trip; one interval is a whole run]",
            file_name(&report.tool.version)
        ))
        .add_comment("[Histogram log format version 1.3]")
        .with_start_time(began)
        .with_base_time(began)
        .begin_log_with(&mut bytes, &mut serializer)
        .ok()?;
    for it in all {
        let samples = histogram::per_trip(&it.samples, it.trips);
        writer.write_histogram(&samples, Duration::ZERO, length, Some(Tag::new(&it.name)?)).ok()?;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::measure::stats;
    use crate::render::fixture;

    fn samples() -> Histogram<u64> {
        let mut samples = stats::histogram();
        (0..10_000_u64).for_each(|i| samples.record(100 + i % 97 + if i % 1000 == 0 { 5_000 } else { 0 }).unwrap());
        samples
    }

    fn report() -> Report {
        let mut report = fixture::report(2);
        let figures = |trips| stats::figures(&samples(), trips, 10.0, &[]);
        (report.pairs[0].channel, report.pairs[0].floor) = (figures(1), figures(4));
        report
    }

    /// What HdrHistogram's plotFiles.html takes as a point: four numbers, the first and the last of which it plots.
    fn points(text: &str) -> Vec<[f64; 4]> {
        let rows = text.lines().filter(|line| !line.starts_with('#'));
        rows.filter_map(|line| {
            let row: Vec<f64> = line.split_whitespace().map_while(|cell| cell.parse().ok()).collect();
            row.try_into().ok()
        })
        .collect()
    }

    #[test]
    fn a_percentile_file_has_the_format_that_plotters_read() {
        let text = percentiles(&samples(), 1);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
        assert_eq!(lines[1], "");
        let end = lines.iter().position(|line| line.starts_with('#')).unwrap();
        for (at, line) in lines[2..end].iter().enumerate() {
            let cells: Vec<&str> = line.split_whitespace().collect();
            let is_last = at + 3 == end;
            assert_eq!(cells.len(), if is_last { 3 } else { 4 }, "{line}");
            assert_eq!((cells[0].split_once('.').unwrap().1.len(), cells[1].split_once('.').unwrap().1.len()), (3, 12));
            assert!(cells[2].parse::<u64>().is_ok(), "{line}");
        }
        assert!(lines[end - 1].contains(" 1.000000000000      10000"), "{}", lines[end - 1]);
        assert!(lines[end].starts_with("#[Mean    =") && lines[end].contains(", StdDeviation   ="));
        assert!(
            lines[end + 1].starts_with("#[Max     =") && lines[end + 1].ends_with("Total count    =        10000]")
        );
        assert!(
            lines[end + 2].starts_with("#[Buckets =") && lines[end + 2].ends_with("SubBuckets     =         2048]")
        );
        assert_eq!(lines.len(), end + 3);
    }

    #[test]
    fn points_rise_and_meet_the_percentiles() {
        let (samples, text) = (samples(), percentiles(&samples(), 4));
        let points = points(&text);
        assert!(points.len() > 20 && points.is_sorted_by(|a, b| (0..4).all(|at| a[at] <= b[at])), "{text}");
        for [value, quantile, count, inverse] in points {
            let want = samples.value_at_quantile(quantile) as f64 / 4.0;
            assert!((value / want - 1.0).abs() < 0.02, "{value} at {quantile}, not {want}");
            assert!((inverse * (1.0 - quantile) - 1.0).abs() < 0.01 && count <= 10_000.0);
        }
    }

    #[test]
    fn the_log_is_read_back_by_the_crates_own_parser() {
        let files = draw(&report()).unwrap();
        let (name, log) = files.last().unwrap();
        assert_eq!(name, LOG);
        let mut found = Vec::new();
        let mut times = Vec::new();
        for entry in IntervalLogIterator::new(log.as_bytes()) {
            match entry.unwrap() {
                LogEntry::Interval(it) => {
                    let samples = histogram::decode(it.encoded_histogram()).unwrap();
                    assert_eq!((it.start_timestamp(), it.duration()), (Duration::ZERO, Duration::from_millis(15_500)));
                    found.push((it.tag().unwrap().as_str().to_owned(), samples.len(), samples.value_at_quantile(0.5)));
                }
                LogEntry::StartTime(at) | LogEntry::BaseTime(at) => times.push(at.as_secs()),
            }
        }
        assert_eq!(times, [1_800_000_000; 2]);
        let p50 = samples().value_at_quantile(0.5);
        assert_eq!(found[0], ("0-1.channel".into(), 10_000, p50));
        assert_eq!((found[1].0.as_str(), found[1].1), ("0-1.floor", 10_000));
        assert!(found[1].2.abs_diff(p50 / 4) <= 1);
    }

    #[test]
    fn each_subject_has_a_file_and_a_name_is_one_file() {
        let names: Vec<String> = draw(&report()).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["0-1.channel.hgrm", "0-1.floor.hgrm", LOG]);
        assert_eq!(file_name("../a b,c"), ".._a_b_c");
        assert!(draw(&fixture::report(2)).is_none());
    }
}
