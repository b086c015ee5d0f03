//! Percentile spectrum: which share of the round trips took how long, with room for the tail.

use super::chart::{self, Axis, Chart, Series, Shape};
use crate::histogram;
use crate::report::Figures;

/// Points of the line for each halving of the distance to 100 %.
const TICKS: u32 = 8;

/// A distribution to draw: its name, the CSS variable of its colour, and whether it is dashed.
pub(crate) type Subject<'a> = (String, &'static str, Shape, &'a Figures);

/// The subjects in one picture, by percentile. `None` if there is nothing to draw.
pub(crate) fn draw(title: String, subjects: &[Subject<'_>], label: &'static str) -> Option<Chart> {
    let series: Vec<Series> = subjects
        .iter()
        .map(|(name, color, shape, figures)| Series {
            name: name.clone(),
            color,
            shape: *shape,
            points: points(figures),
        })
        .collect();
    let all = || series.iter().flat_map(|series| &series.points);
    let y = Axis::log(all().map(|(_, ns)| *ns), label, chart::time)?;
    let most = subjects.iter().map(|(.., figures)| figures.samples).max()?.max(100);
    let high = 10_f64.powf((most as f64).log10().ceil());
    let decades = 0..=high.log10() as i32;
    let ticks = decades.map(|nines| (10_f64.powi(nines), percentile(nines), nines % 2 == 0 && nines > 0)).collect();
    let x = Axis { low: 1.0, high, is_log: true, ticks, label: "percentile" };
    let trips = subjects.iter().map(|(.., figures)| figures.trips_per_sample).max()?;
    let mut note = "The line ends at the longest of all. Both scales are logarithmic.".to_owned();
    if trips > 1 {
        note += &format!(" Samples are means of up to {trips} round trips, which hides part of the tail.");
    }
    Some(Chart { title, note, x, y, series, marks: vec![] })
}

/// `0 %`, `90 %`, `99 %`, `99.9 %` …
fn percentile(nines: i32) -> String {
    match nines {
        0 => "0 %".to_owned(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        more => format!("99.{} %", "9".repeat(more as usize - 2)),
    }
}

/// Points as (1/(1-q), ns). Without a histogram: those percentiles that the report holds.
fn points(figures: &Figures) -> Vec<(f64, f64)> {
    let at = |quantile: f64| 1.0 / (1.0 - quantile);
    let last = (figures.samples.max(2)) as f64;
    let Some(Ok(samples)) = figures.histogram.as_deref().map(histogram::decode) else {
        let known = [
            (1.0, figures.min_ns),
            (at(0.5), figures.p50_ns),
            (at(0.9), figures.p90_ns),
            (at(0.99), figures.p99_ns),
            (at(0.999), figures.p999_ns),
            (at(0.9999), figures.p9999_ns),
            (at(0.99999), figures.p99999_ns),
        ];
        let known = known.into_iter().filter(|(inverse, ns)| *inverse <= last && ns.is_finite());
        return known.chain([(last, figures.max_ns)]).collect();
    };
    let per_trip = |ns: u64| ns as f64 / f64::from(figures.trips_per_sample);
    let steps = samples.iter_quantiles(TICKS).take_while(|step| at(step.quantile_iterated_to()) < last);
    let mut points: Vec<(f64, f64)> =
        steps.map(|step| (at(step.quantile_iterated_to()), per_trip(step.value_iterated_to()))).collect();
    points.push((last, figures.max_ns));
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::stats;
    use crate::render::fixture;

    #[test]
    fn the_line_goes_through_the_percentiles() {
        let mut samples = stats::histogram();
        (1..=100_000_u64).for_each(|i| samples.record(i).unwrap());
        let figures = stats::figures(&samples, 2, 10.0, &[]);
        let points = points(&figures);
        assert!(points.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1), "{points:?}");
        let (inverse, ns) = *points.iter().min_by(|a, b| (a.0 - 100.0).abs().total_cmp(&(b.0 - 100.0).abs())).unwrap();
        assert!((ns / (50_000.0 * (1.0 - 1.0 / inverse)) - 1.0).abs() < 0.01, "{inverse} {ns}");
        assert_eq!(points.last(), Some(&(1e5, figures.max_ns)));
        assert!(points.len() < 200);
    }

    #[test]
    fn without_a_histogram_the_percentiles_are_the_line() {
        let figures = &fixture::report(2).pairs[0].channel;
        let points = points(figures);
        assert_eq!(points.len(), 8);
        assert!((points[3].0 - 100.0).abs() < 1e-6 && points[3].1 == figures.p99_ns);
    }

    #[test]
    fn the_axis_has_the_nines() {
        let figures = fixture::report(2).pairs[0].channel.clone();
        let subjects = [("channel".to_owned(), "channel", Shape::Line, &figures)];
        let chart = draw("cores 0 and 1".into(), &subjects, "round trip").unwrap();
        let ticks: Vec<&str> = chart.x.ticks.iter().map(|(_, text, _)| text.as_str()).collect();
        assert_eq!(ticks, ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"]);
        assert!(draw(String::new(), &[], "").is_none());
    }
}
