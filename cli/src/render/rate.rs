//! Latency at each rate: where it rises, and where the rate is not reached.

use super::chart::{self, Axis, Chart, Series, Shape};
use crate::report::{Figures, Load};

/// `None` with fewer than two rates.
pub(crate) fn draw(title: String, load: &Load) -> Option<Chart> {
    type Line = (&'static str, &'static str, fn(&Figures) -> f64);
    let lines: [Line; 3] = [
        ("p50", "floor", |figures| figures.p50_ns),
        ("p99", "processes", |figures| figures.p99_ns),
        ("p99.9", "channel", |figures| figures.p999_ns),
    ];
    let mut series: Vec<Series> = lines
        .into_iter()
        .map(|(name, color, of)| {
            let points = load.steps.iter().map(|step| (step.planned_per_s, of(&step.response))).collect();
            Series { name: name.to_owned(), color, shape: Shape::Marks, points }
        })
        .collect();
    let service = load.steps.iter().map(|step| (step.planned_per_s, step.service.p50_ns)).collect();
    series.push(Series {
        name: "p50 from the sending".into(),
        color: "yardstick",
        shape: Shape::Dashed,
        points: service,
    });
    let all = || series.iter().flat_map(|series| &series.points);
    let x = Axis::log(load.steps.iter().map(|step| step.planned_per_s), "messages per second, as planned", per_s)?;
    let y = Axis::log(all().map(|(_, ns)| *ns), "response", chart::time)?;
    let missed = load.steps.iter().filter(|step| !step.reached);
    let missed: Vec<String> =
        missed.map(|step| format!("{}/s (sent {}/s)", per_s(step.planned_per_s), per_s(step.sent_per_s))).collect();
    let mut note = "From the moment at which a message was to be sent.".to_owned();
    if !missed.is_empty() {
        note += &format!(" Not reached: {}.", missed.join(", "));
    }
    let marks = load.knee_per_s.map(|knee| (knee, format!("knee: {}/s", per_s(knee)))).into_iter().collect();
    Some(Chart { title, note, x, y, series, marks })
}

/// `500`, `20k`, `1M`.
fn per_s(rate: f64) -> String {
    let (scaled, unit) = match rate {
        _ if rate < 999.5 => (rate, ""),
        _ if rate < 999_500.0 => (rate / 1e3, "k"),
        _ => (rate / 1e6, "M"),
    };
    format!("{}{unit}", (scaled * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn rates_are_short() {
        assert_eq!([500.0, 20_000.0, 999_900.0, 1_250_000.0].map(per_s), ["500", "20k", "1M", "1.25M"]);
    }

    #[test]
    fn a_sweep_shows_its_knee_and_what_was_not_reached() {
        let load = fixture::load().load.unwrap();
        let text = draw("0 and 1".into(), &load).unwrap().draw("rate");
        for part in ["knee: 3.2M/s", "Not reached: 6.4M/s (sent 5.2M/s)", "messages per second", ">p99.9<"] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        let one = Load { steps: load.steps[..1].to_vec(), ..load };
        assert!(draw(String::new(), &one).is_none());
    }
}
