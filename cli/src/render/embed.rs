//! The data inside an HTML page: the whole report, or what of it keeps the page at a size that opens.

use serde_json::{Value, json};

use crate::report::{Pair, Report};

/// Bytes of data up to which nothing more is left out.
const ENOUGH: usize = 1_500_000;

/// Pairs up to which each has a row of figures, if there is room for nothing else.
const ROWS: usize = 150_000;

/// The data as JSON, and what was left out of it.
pub(crate) struct Embedded {
    pub(crate) json: String,
    pub(crate) left_out: Option<&'static str>,
}

pub(crate) fn embed(report: &Report) -> Result<Embedded, serde_json::Error> {
    let whole: usize = report.pairs.iter().map(bytes).sum::<usize>() + histograms(report);
    if whole <= ENOUGH {
        return Ok(Embedded { json: serde_json::to_string(report)?, left_out: None });
    }
    let rest = Report { pairs: vec![], ..without_histograms(report) };
    let mut value = serde_json::to_value(&rest)?;
    let figures = report.pairs.len() * FIGURES;
    let left_out = if figures <= ENOUGH {
        let thin = |pair: &Pair| serde_json::to_value(thinned(pair));
        value["pairs"] = report.pairs.iter().map(thin).collect::<Result<_, _>>()?;
        "slices and histograms are left out; --json writes them"
    } else if report.pairs.len() <= ROWS {
        value["pair_columns"] = json!(["core_a", "core_b", "p50_ns", "p99_ns", "floor_p50_ns"]);
        value["pair_rows"] = report.pairs.iter().map(row).collect();
        "of each pair it has p50, p99 and floor, as pair_rows; --json writes all figures"
    } else {
        "pairs are left out; --json writes them"
    };
    value["left_out"] = left_out.into();
    Ok(Embedded { json: serde_json::to_string(&value)?, left_out: Some(left_out) })
}

/// About so many bytes are the figures of a pair.
const FIGURES: usize = 2_000;

fn bytes(pair: &Pair) -> usize {
    let histogram = |figures: &crate::report::Figures| figures.histogram.as_ref().map_or(0, String::len);
    let processes = pair.processes.as_ref();
    let histograms = histogram(&pair.channel)
        + histogram(&pair.floor)
        + pair.yardstick.as_ref().map_or(0, histogram)
        + processes.map_or(0, |processes| {
            histogram(&processes.figures) + 8 * processes.slices_ns.len() + 32 * processes.tails_ns.len()
        });
    FIGURES + histograms + 24 * pair.slices_ns.len() + 32 * pair.tails_ns.len()
}

fn histograms(report: &Report) -> usize {
    report.jitter.iter().filter_map(|jitter| jitter.histogram.as_ref()).map(String::len).sum()
}

/// Everything but the pairs; the cores' histograms stay out.
fn without_histograms(report: &Report) -> Report {
    let mut jitter = report.jitter.clone();
    jitter.iter_mut().for_each(|jitter| jitter.histogram = None);
    Report {
        schema: report.schema,
        tool: report.tool.clone(),
        started_unix_s: report.started_unix_s,
        elapsed_s: report.elapsed_s,
        ended: report.ended,
        settings: report.settings.clone(),
        clock: report.clock.clone(),
        env: report.env.clone(),
        cores: report.cores.clone(),
        cores_left_out: report.cores_left_out.clone(),
        jitter,
        planned_pairs: report.planned_pairs,
        planned_visits: report.planned_visits,
        pairs: vec![],
        left_out: report.left_out.clone(),
        full_run_s: report.full_run_s,
        failures: report.failures.clone(),
        load: report.load.clone(),
        wake: report.wake.clone(),
        warnings: report.warnings.clone(),
    }
}

fn thinned(pair: &Pair) -> Pair {
    let mut pair = pair.clone();
    (pair.slices_ns, pair.tails_ns, pair.visit_slices) = (vec![], vec![], vec![]);
    (pair.channel.histogram, pair.floor.histogram) = (None, None);
    if let Some(yardstick) = &mut pair.yardstick {
        yardstick.histogram = None;
    }
    if let Some(processes) = &mut pair.processes {
        (processes.figures.histogram, processes.slices_ns, processes.tails_ns) = (None, vec![], vec![]);
    }
    pair
}

fn row(pair: &Pair) -> Value {
    let [a, b] = pair.cores;
    let (figures, _) = pair.headline();
    // Whole numbers take half of the bytes.
    let short = |ns: f64| if ns < 100.0 { json!((ns * 10.0).round() / 10.0) } else { json!(ns.round() as i64) };
    json!([a, b, short(figures.p50_ns), short(figures.p99_ns), short(pair.floor.p50_ns)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn value(report: &Report) -> Value {
        serde_json::from_str(&embed(report).unwrap().json).unwrap()
    }

    #[test]
    fn a_small_report_is_whole_and_can_be_read_back() {
        let report = fixture::report(8);
        let embedded = embed(&report).unwrap();
        let back: Report = serde_json::from_str(&embedded.json).unwrap();
        assert_eq!((back.pairs.len(), back.pairs[0].slices_ns.len(), embedded.left_out), (28, 100, None));
    }

    #[test]
    fn slices_go_first_and_then_figures_and_what_is_left_out_is_said() {
        let mut report = fixture::report(8);
        report.pairs[3].slices_ns = vec![[1.0; 3]; 100_000];
        let thin = value(&report);
        assert!(thin["left_out"].as_str().unwrap().contains("slices and histograms"));
        assert_eq!(
            (thin["pairs"].as_array().unwrap().len(), &thin["pairs"][0]["channel"]["samples"]),
            (28, &json!(123_456))
        );
        let back: Report = serde_json::from_value(thin).unwrap();
        assert!(back.pairs.iter().all(|pair| pair.slices_ns.is_empty()));
        let rows = value(&fixture::sockets(128));
        assert!(rows["left_out"].as_str().unwrap().contains("pair_rows"));
        assert_eq!(rows["pair_rows"].as_array().unwrap().len(), 128 * 127 / 2);
        assert_eq!(rows["pair_rows"][0], json!([0, 1, 51.6, 77.4, 43.0]));
        assert_eq!((&rows["pairs"], &rows["settings"]["seed"]), (&json!([]), &json!(42)));
    }

    #[test]
    fn too_many_pairs_are_left_out() {
        let mut report = fixture::report(2);
        report.pairs = vec![report.pairs[0].clone(); ROWS + 1];
        let embedded = embed(&report).unwrap();
        assert!(embedded.json.len() < 10_000 && embedded.left_out.unwrap().starts_with("pairs are left out"));
    }
}
