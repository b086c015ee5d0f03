//! Floor, channel and the channel between processes slice by slice, as SVG: it shows when the machine moved under the measurement.

use super::format;
use super::svg::Svg;
use crate::measure::stats::percentile;
use crate::report::Pair;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 16.0;
const FLOOR: &str = "#8a94a6";
const CHANNEL: &str = "#d9532c";
const PROCESSES: &str = "#2c7fd9";

/// Slices drawn at most; more are thinned evenly.
const MOST: usize = 1500;

/// `None` when there are too few slices to show anything.
pub(crate) fn draw(pair: &Pair) -> Option<String> {
    let step = pair.slices_ns.len().div_ceil(MOST).max(1);
    let column = |index: usize| pair.slices_ns.iter().step_by(step).map(|slice| slice[index]).collect::<Vec<_>>();
    let mut series = vec![("floor", FLOOR, column(0)), ("channel", CHANNEL, column(1))];
    if let Some(processes) = &pair.processes {
        series[1].0 = "threads";
        series.push(("processes", PROCESSES, processes.slices_ns.iter().step_by(step).copied().collect()));
    }
    let slices = series[0].2.len();
    if slices < 3 {
        return None;
    }
    let mut figures: Vec<f64> = series.iter().flat_map(|(_, _, ns)| ns).copied().filter(|ns| *ns > 0.0).collect();
    // A slice that was one long pause would flatten all others; it is drawn at the edge and counted.
    let (low, high) = (percentile(&mut figures, 0.02)? / 1.3, percentile(&mut figures, 0.98)? * 1.3);
    let outside = figures.iter().filter(|ns| !(low..=high).contains(*ns)).count();
    let x = |index: usize| LEFT + (WIDTH - LEFT - 8.0) * index as f64 / (slices - 1) as f64;
    let y = |ns: f64| TOP + (HEIGHT - TOP - 24.0) * (1.0 - (ns.clamp(low, high) / low).ln() / (high / low).ln());
    let mut svg = Svg(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" font-size=\"12\" \
         fill=\"currentColor\">\n"
    ));
    for ns in ticks(low, high) {
        let y = y(ns);
        svg.put(format_args!("<path d=\"M{LEFT} {y:.1}H{WIDTH}\" stroke=\"currentColor\" stroke-opacity=\".15\"/>"));
        svg.text(LEFT - 8.0, y + 4.0, "text-anchor=\"end\"", &format::time(ns, 0.0));
    }
    for (column, (name, color, figures)) in series.iter().enumerate() {
        let mut path = String::new();
        for (index, ns) in figures.iter().enumerate().filter(|(_, ns)| **ns > 0.0) {
            path += &format!("M{:.1} {:.1}h.01", x(index), y(*ns));
        }
        svg.put(format_args!(
            "<path d=\"{path}\" stroke=\"{color}\" stroke-width=\"4\" stroke-linecap=\"round\" stroke-opacity=\".75\"/>"
        ));
        let at = LEFT + 90.0 * column as f64;
        svg.put(format_args!("<circle cx=\"{:.0}\" cy=\"{:.0}\" r=\"4\" fill=\"{color}\"/>", at + 4.0, HEIGHT - 8.0));
        svg.text(at + 14.0, HEIGHT - 4.0, "", name);
    }
    let beyond = if outside > 0 { format!("; {outside} beyond the edges") } else { String::new() };
    let note = format!("one dot a slice, in the order measured; logarithmic{beyond}");
    svg.text(WIDTH - 8.0, HEIGHT - 4.0, "text-anchor=\"end\" opacity=\".7\"", &note);
    svg.0.push_str("</svg>\n");
    Some(svg.0)
}

/// 1, 2 and 5 times powers of ten within the range.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    (0..10)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
        .filter(|ns| (low..=high).contains(ns))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn every_slice_is_a_dot_inside_the_frame() {
        let pair = &fixture::report(2).pairs[0];
        let text = draw(pair).unwrap();
        assert_eq!(text.matches("h.01").count(), 200);
        assert!(!text.contains("NaN") && !text.contains("inf"));
    }

    #[test]
    fn a_long_pause_stands_at_the_edge_and_is_counted() {
        let mut pair = fixture::report(2).pairs[0].clone();
        assert!(!draw(&pair).unwrap().contains("beyond"));
        pair.slices_ns[50][1] = 20e6;
        let text = draw(&pair).unwrap();
        assert!(text.contains("; 1 beyond the edges") && !text.contains(" ms<"), "{text}");
    }

    #[test]
    fn many_slices_are_thinned_and_few_are_not_drawn() {
        let mut pair = fixture::report(2).pairs[0].clone();
        pair.slices_ns = vec![[30.0, 40.0, 30.0]; 10_000];
        assert!(draw(&pair).unwrap().matches("h.01").count() <= 2 * MOST);
        pair.slices_ns.truncate(2);
        assert!(draw(&pair).is_none());
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(30.0, 600.0), [50.0, 100.0, 200.0, 500.0]);
    }
}
