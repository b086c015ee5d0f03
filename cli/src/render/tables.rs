//! Clusters and jitter as tables, for the terminal and for HTML.

use super::units::{Column, Value};
use super::{format, pair_table, summary};
use crate::report::{Jitter, Report};

fn texts<T>(name: &str, rows: &[T], of: impl Fn(&T) -> String) -> Column {
    Column { name: name.into(), unit: None, cells: rows.iter().map(of).collect() }
}

/// A row for each relation, closest first; empty without pairs.
pub(crate) fn clusters(report: &Report) -> Vec<Column> {
    let rows = summary::clusters(report);
    // The three times have one unit, so that they can be compared.
    let [low, middle, high]: [fn(&summary::Cluster) -> f64; 3] =
        [|it| it.lowest_ns, |it| it.median_ns, |it| it.highest_ns];
    let all = [low, middle, high].into_iter().flat_map(|of| rows.iter().map(move |it| (of(it), it.resolution_ns)));
    let shown = Column::new("", &all.map(|(ns, resolution)| Value::Time(ns, resolution)).collect::<Vec<_>>());
    let mut cells = shown.cells.chunks(rows.len().max(1));
    let mut times =
        |name: &str| Column { name: name.into(), unit: shown.unit, cells: cells.next().unwrap_or_default().to_vec() };
    let mut columns = vec![
        texts("relation", &rows, |it| it.relation.clone()),
        texts("pairs", &rows, |it| it.pairs.to_string()),
        times("lowest p50"),
        times("median p50"),
        times("highest p50"),
        texts(pair_table::OVER_FLOOR, &rows, |it| it.median_ratio.map_or("-".to_owned(), format::ratio)),
    ];
    if rows.is_empty() {
        columns.clear();
    }
    columns
}

/// A row for each core.
pub(crate) fn jitter(cores: &[&Jitter]) -> Vec<Column> {
    let longest: Vec<Value> = cores.iter().map(|it| Value::Time(it.max_ns as f64, 0.0)).collect();
    vec![
        texts("core", cores, |it| it.core.to_string()),
        texts("gaps per s", cores, |it| format!("{:.0}", it.per_second())),
        Column::new("longest", &longest),
        texts("time lost %", cores, |it| format::percent(it.stolen_share()).trim_end_matches(" %").to_owned()),
        texts("watched s", cores, |it| format!("{:.1}", it.watched_s)),
    ]
}

/// Those that lost most time first, at most so many.
pub(crate) fn worst(report: &Report, most: usize) -> Vec<&Jitter> {
    let mut cores: Vec<&Jitter> = report.jitter.iter().collect();
    if cores.len() > most {
        cores.sort_by(|a, b| b.stolen_share().total_cmp(&a.stolen_share()));
        cores.truncate(most);
    }
    cores
}

/// Heads, and then the rows' cells.
pub(crate) fn cells(columns: &[Column]) -> Vec<Vec<String>> {
    let rows = columns.first().map_or(0, |column| column.cells.len());
    let row = |at: usize| columns.iter().map(|column| column.cells[at].clone()).collect();
    std::iter::once(columns.iter().map(Column::head).collect()).chain((0..rows).map(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn clusters_have_one_unit() {
        let mut report = fixture::report(4);
        let rows = cells(&clusters(&report));
        assert_eq!(rows[0].join("|"), "relation|pairs|lowest p50 ns|median p50 ns|highest p50 ns|× floor");
        assert_eq!((rows.len(), rows[1][0].as_str(), rows[1][1].as_str()), (3, "SMT sibling", "2"));
        report.pairs.iter_mut().for_each(|pair| pair.channel.p50_ns *= 1000.0);
        assert!(cells(&clusters(&report))[0].join("|").contains("lowest p50 µs|median p50 µs"));
        report.pairs.clear();
        assert!(clusters(&report).is_empty());
    }

    #[test]
    fn the_cores_that_lost_most_come_first_if_not_all_are_shown() {
        let mut report = fixture::report(8);
        report.jitter[5].stolen_ns *= 2;
        assert_eq!(worst(&report, 8)[0].core, 0);
        let rows = cells(&jitter(&worst(&report, 2)));
        assert_eq!(rows[0].join("|"), "core|gaps per s|longest µs|time lost %|watched s");
        assert_eq!(rows[1].join("|"), "5|123|81.3|0.1|2.0");
        assert_eq!(rows.len(), 3);
    }
}
