//! Which charts the page holds. Of many pairs only a few: the fastest, the middle and the slowest of each relation.

use super::chart::{STYLE, Shape};
use super::{over_time, rate, spectrum};
use crate::report::{Load, Pair, Report};

/// Pairs up to which each has its charts.
const ALL: usize = 3;

/// Relations of which pairs are chosen.
const RELATIONS: usize = 6;

/// The section with all charts; empty if there is nothing to draw.
pub(crate) fn draw(report: &Report) -> String {
    let mut charts = String::new();
    for (pair, which) in chosen(report) {
        charts += &of_pair(pair, &which);
    }
    if let Some(load) = &report.load {
        charts += &of_load(load);
    }
    if charts.is_empty() {
        return charts;
    }
    format!("<section id=\"charts\">\n<style>{STYLE}</style>\n<h2>Distributions and time</h2>\n{charts}</section>\n")
}

fn of_pair(pair: &Pair, which: &str) -> String {
    let [a, b] = pair.cores;
    let who = format!("Cores {a} and {b}, {}{which}", pair.relation);
    let mut subjects: Vec<spectrum::Subject<'_>> = pair
        .subjects()
        .into_iter()
        .map(|(name, figures, _)| {
            let color = if name == "threads" { "channel" } else { name };
            (name.to_owned(), color, if name == "floor" { Shape::Dashed } else { Shape::Line }, figures)
        })
        .collect();
    if let Some(floor) = subjects.last_mut() {
        floor.0 = format!("floor ({})", pair.floor_kind.name());
    }
    let by_percentile = spectrum::draw(format!("{who}: round trips by percentile"), &subjects, "round trip");
    let by_slice = over_time::slices(format!("{who}: over time"), pair);
    let drawn = [by_percentile.map(|chart| chart.draw("spectrum")), by_slice.map(|chart| chart.draw("over-time"))];
    drawn.into_iter().flatten().collect()
}

fn of_load(load: &Load) -> String {
    let [a, b] = load.cores;
    let who = format!("{} from core {a} to core {b}", load.subject);
    let sweep = rate::draw(format!("{who}: latency at each rate"), load).map(|chart| chart.draw("rate"));
    let mut charts = sweep.unwrap_or_default();
    for at in few(load.steps.len()) {
        let step = &load.steps[at];
        let what = format!("{who} at {:.0}/s", step.planned_per_s);
        let subjects = [
            ("from when it was to be sent".to_owned(), "channel", Shape::Line, &step.response),
            ("from when it was sent".to_owned(), "floor", Shape::Dashed, &step.service),
        ];
        let by_percentile = spectrum::draw(format!("{what}: by percentile"), &subjects, "one way");
        let by_time = over_time::load(format!("{what}: over time"), step);
        charts.extend(by_percentile.map(|chart| chart.draw("spectrum")));
        charts.extend(by_time.map(|chart| chart.draw("over-time")));
    }
    charts
}

/// Numbers of the first, the middle and the last of `count`, each once.
fn few(count: usize) -> Vec<usize> {
    let mut few: Vec<usize> = if count == 0 { vec![] } else { vec![0, (count - 1) / 2, count - 1] };
    few.dedup();
    few
}

/// Pairs to draw, and in words what each stands for.
fn chosen(report: &Report) -> Vec<(&Pair, String)> {
    if report.pairs.len() <= ALL {
        return report.pairs.iter().map(|pair| (pair, String::new())).collect();
    }
    let mut relations: Vec<(&str, Vec<&Pair>)> = Vec::new();
    for pair in super::summary::by_p50(report) {
        match relations.iter_mut().find(|(relation, _)| *relation == pair.relation) {
            Some((_, pairs)) => pairs.push(pair),
            None => relations.push((&pair.relation, vec![pair])),
        }
    }
    let of = |pairs: Vec<&'_ Pair>| -> Vec<(usize, usize)> {
        few(pairs.len()).into_iter().map(|at| (at, pairs.len())).collect()
    };
    let mut all = Vec::new();
    for (_, pairs) in relations.into_iter().take(RELATIONS) {
        for (at, count) in of(pairs.clone()) {
            let which = match at {
                _ if count == 1 => " (the only such pair)".to_owned(),
                0 => format!(" (the fastest of {count})"),
                _ if at == count - 1 => format!(" (the slowest of {count})"),
                _ => format!(" (the middle of {count})"),
            };
            all.push((pairs[at], which));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn a_pair_has_a_spectrum_and_its_time() {
        let text = draw(&fixture::between_processes());
        for part in [
            "<section id=\"charts\">",
            "chart spectrum",
            "chart over-time",
            "percentile",
            "floor (one line)",
            "threads",
            "processes",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        assert_eq!(text.matches("<figure").count(), 2);
        assert_eq!(text.matches("<style>").count(), 1);
    }

    #[test]
    fn of_many_pairs_a_few_are_drawn() {
        let report = fixture::report(32);
        let chosen: Vec<String> = chosen(&report).into_iter().map(|(_, which)| which).collect();
        assert_eq!(chosen.len(), 9, "{chosen:?}");
        assert_eq!(chosen[..3], ["fastest", "middle", "slowest"].map(|word| format!(" (the {word} of 16)")));
        assert!(draw(&report).len() < 500_000);
    }

    #[test]
    fn few_are_first_middle_and_last() {
        assert_eq!((few(0), few(1), few(2), few(9)), (vec![], vec![0], vec![0, 1], vec![0, 4, 8]));
    }

    #[test]
    fn a_load_has_its_curve_and_a_few_rates() {
        let text = draw(&fixture::load());
        assert_eq!(text.matches("chart rate").count(), 1);
        assert_eq!((text.matches("chart spectrum").count(), text.matches("chart over-time").count()), (3, 3));
    }

    #[test]
    fn a_report_of_nothing_has_no_section() {
        let mut report = fixture::report(2);
        report.pairs.clear();
        assert_eq!(draw(&report), "");
    }
}
