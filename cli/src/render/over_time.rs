//! Latency over time: it shows when the machine moved under the measurement.

use super::chart::{self, Axis, Chart, Series, Shape};
use crate::measure::stats::percentile;
use crate::report::{LoadStep, Pair};

/// Slices drawn at most; more are thinned evenly.
const MOST: usize = 1500;

/// Floor, channel and the channel between processes slice by slice. `None` when there are too few slices to show anything.
pub(crate) fn slices(title: String, pair: &Pair) -> Option<Chart> {
    let step = pair.slices_ns.len().div_ceil(MOST).max(1);
    let column = |index: usize| pair.slices_ns.iter().map(|slice| slice[index]).collect::<Vec<f64>>();
    let mut columns = vec![("floor", "floor", column(0)), ("channel", "channel", column(1))];
    if let Some(processes) = &pair.processes {
        columns[1].0 = "threads";
        columns.push(("processes", "processes", processes.slices_ns.clone()));
    }
    let count = pair.slices_ns.len();
    if count < 3 {
        return None;
    }
    let mut figures: Vec<f64> = columns.iter().flat_map(|(.., ns)| ns).copied().filter(|ns| *ns > 0.0).collect();
    // A slice that was one long pause would flatten all others; it is drawn at the edge and counted.
    let (low, high) = (percentile(&mut figures, 0.02)? / 1.2, percentile(&mut figures, 0.98)? * 1.2);
    let outside = figures.iter().filter(|ns| !(low..=high).contains(*ns)).count();
    let y = Axis::log([low, high].into_iter(), "p50 of a slice", chart::time)?;
    let series = columns.into_iter().map(|(name, color, ns)| Series {
        name: name.to_owned(),
        color,
        shape: Shape::Dots,
        points: ns.into_iter().enumerate().step_by(step).map(|(index, ns)| (index as f64, ns)).collect(),
    });
    let series = series.collect();
    let beyond = if outside > 0 { format!(" {outside} lie beyond the edges.") } else { String::new() };
    let visits = if pair.visits > 1 { format!(" in {} visits", pair.visits) } else { String::new() };
    let note = format!("One dot a slice and subject: {count} slices{visits}, in the order measured.{beyond}");
    let x = Axis { low: 0.0, high: (count - 1) as f64, is_log: false, ticks: even_ticks(count), label: "slice" };
    Some(Chart { title, note, x, y, series, marks: vec![] })
}

/// Round numbers of slices.
fn even_ticks(count: usize) -> Vec<(f64, String, bool)> {
    let unit = 10_usize.pow((count.max(1)).ilog10());
    let step =
        [unit / 5, unit / 2, unit].into_iter().find(|step| *step > 0 && count / step <= 6).unwrap_or(unit.max(1) * 2);
    let ticks = (0..count).step_by(step);
    ticks.map(|slice| (slice as f64, slice.to_string(), slice / step % 2 == 1)).collect()
}

/// A rate as it went: median and maximum of each interval.
pub(crate) fn load(title: String, step: &LoadStep) -> Option<Chart> {
    let column = |index: usize| step.over_time.iter().map(|row| (row[0], row[index])).collect::<Vec<_>>();
    let y = Axis::log(step.over_time.iter().flat_map(|row| [row[1], row[2]]), "response", chart::time)?;
    let end = step.over_time.last()?[0];
    let unit = 10_f64.powf(end.log10().floor());
    let tick = [unit / 5.0, unit / 2.0, unit].into_iter().find(|tick| end / tick <= 8.0).unwrap_or(unit * 2.0);
    let ticks = (0..=(end / tick) as u32).map(|n| f64::from(n) * tick);
    let ticks = ticks.map(|s| (s, format!("{} s", (s * 1e6).round() / 1e6), false)).collect();
    let series = [("p50 of an interval", "channel", 1), ("longest of an interval", "processes", 2)];
    let series = series.map(|(name, color, index)| Series {
        name: name.to_owned(),
        color,
        shape: Shape::Line,
        points: column(index),
    });
    let note = format!("From the moment at which a message was to be sent. {} intervals.", step.over_time.len());
    let x = Axis { low: 0.0, high: end.max(1e-9), is_log: false, ticks, label: "time" };
    Some(Chart { title, note, x, y, series: series.into(), marks: vec![] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn drawn(pair: &Pair) -> String {
        slices("cores".into(), pair).unwrap().draw("slices")
    }

    #[test]
    fn every_slice_is_a_dot_inside_the_frame() {
        let text = drawn(&fixture::report(2).pairs[0]);
        assert_eq!(text.matches("h.01").count(), 200);
        assert!(!text.contains("NaN") && !text.contains("inf"));
        assert_eq!(drawn(&fixture::between_processes().pairs[0]).matches("h.01").count(), 300);
    }

    #[test]
    fn a_long_pause_stands_at_the_edge_and_is_counted() {
        let mut pair = fixture::report(2).pairs[0].clone();
        assert!(!drawn(&pair).contains("beyond"));
        pair.slices_ns[50][1] = 20e6;
        let text = drawn(&pair);
        assert!(text.contains(" 1 lie beyond the edges") && !text.contains(" ms<"), "{text}");
    }

    #[test]
    fn many_slices_are_thinned_and_few_are_not_drawn() {
        let mut pair = fixture::report(2).pairs[0].clone();
        pair.slices_ns = vec![[30.0, 40.0, 30.0]; 10_000];
        assert!(drawn(&pair).matches("h.01").count() <= 2 * MOST);
        pair.slices_ns.truncate(2);
        assert!(slices(String::new(), &pair).is_none());
    }

    #[test]
    fn slices_are_counted_in_round_numbers() {
        let texts = |count| even_ticks(count).into_iter().map(|(_, text, _)| text).collect::<Vec<_>>().join(" ");
        assert_eq!(texts(1234), "0 200 400 600 800 1000 1200");
        assert_eq!(texts(5), "0 1 2 3 4");
        assert_eq!(texts(600), "0 100 200 300 400 500");
        assert!((1..5_000).all(|count| (1..=8).contains(&even_ticks(count).len())));
    }

    #[test]
    fn a_load_shows_its_intervals() {
        let step = &fixture::load().load.unwrap().steps[1];
        let text = load("at a rate".into(), step).unwrap().draw("over-time");
        assert!(
            text.contains("longest of an interval")
                && text.contains(">0.02 s<")
                && text.matches("<polyline").count() == 2
        );
        let empty = LoadStep { over_time: vec![], ..step.clone() };
        assert!(load(String::new(), &empty).is_none());
    }
}
