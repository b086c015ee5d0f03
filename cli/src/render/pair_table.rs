//! Figures of pairs as a table, for the terminal and for HTML: of few pairs a row for each way to pass a message, of many
//! pairs a row each.

use super::units::{Column, Value};
use super::{format, notes, summary};
use crate::report::{Figures, FloorKind, Pair, Report};

/// Columns, and what to say below their rows.
#[derive(Debug)]
pub(crate) struct PairTable {
    pub(crate) columns: Vec<Column>,
    /// So many columns hold words.
    pub(crate) words: usize,
    /// Per row.
    pub(crate) rows: Vec<RowEnd>,
}

/// What stands after a row.
#[derive(Debug, Default)]
pub(crate) struct RowEnd {
    pub(crate) is_floor: bool,
    pub(crate) notes: Vec<String>,
}

/// Long names say how a way works; short ones fit a narrow terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Long,
    Short,
}

/// A way to pass a message between the cores of a pair.
struct Way<'a> {
    name: String,
    figures: &'a Figures,
    is_floor: bool,
}

fn ways(pair: &Pair, names: Names) -> Vec<Way<'_>> {
    let mut ways = Vec::new();
    let mut put = |name: &str, figures, is_floor| ways.push(Way { name: name.to_owned(), figures, is_floor });
    match &pair.processes {
        Some(processes) => {
            put("channel, processes", &processes.figures, false);
            put("channel, threads", &pair.channel, false);
        }
        None => put("channel", &pair.channel, false),
    }
    put(&(bare(pair.floor_kind, names).to_owned() + " (floor)"), &pair.floor, true);
    if let Some(yardstick) = &pair.yardstick {
        put(bare(pair.floor_kind.other(), names), yardstick, false);
    }
    ways
}

fn bare(kind: FloorKind, names: Names) -> &'static str {
    match (kind, names) {
        (FloorKind::OneLine, Names::Long) => "one line, compare-and-swap",
        (FloorKind::TwoLines, Names::Long) => "two lines, loads and stores",
        (kind, Names::Short) => kind.name(),
    }
}

/// Columns of figures, by name, in order.
type Statistic = (&'static str, fn(&Figures) -> Value);

const STATISTICS: [Statistic; 12] = [
    ("min", |it| Value::Time(it.min_ns, it.resolution_ns)),
    ("p50", |it| Value::Time(it.p50_ns, it.resolution_ns)),
    ("p90", |it| Value::Time(it.p90_ns, it.resolution_ns)),
    ("p99", |it| Value::Time(it.p99_ns, it.resolution_ns)),
    ("p99.9", |it| Value::Time(it.p999_ns, it.resolution_ns)),
    ("p99.99", |it| Value::Time(it.p9999_ns, it.resolution_ns)),
    ("p99.999", |it| Value::Time(it.p99999_ns, it.resolution_ns)),
    ("max", |it| Value::Time(it.max_ns, it.resolution_ns)),
    ("mean", |it| Value::Time(it.mean_ns, it.resolution_ns)),
    (SLICES, |it| Value::Range(it.slice_range_ns, it.resolution_ns)),
    (VISITS, |it| it.visit_range_ns.map_or(Value::None, |range| Value::Range(range, it.resolution_ns))),
    ("sample", |it| Value::Text(format::per_sample(it.trips_per_sample))),
];

/// Both ranges are of p50.
pub(crate) const SLICES: &str = "slices";
pub(crate) const VISITS: &str = "visits";

fn statistics(figures: &[&Figures]) -> impl Iterator<Item = Column> {
    let of = |(name, value): Statistic| Column::new(name, &figures.iter().map(|it| value(it)).collect::<Vec<_>>());
    STATISTICS.map(of).into_iter()
}

fn texts(name: &'static str, cells: Vec<String>) -> Column {
    Column { name: name.into(), unit: None, cells }
}

fn name(pair: &Pair) -> String {
    let [a, b] = pair.cores;
    format!("{a}↔{b}")
}

/// A row for each way to pass a message.
pub(crate) fn detailed(report: &Report, pairs: &[&Pair], names: Names) -> PairTable {
    let (mut labels, mut subjects, mut figures, mut rows) = (vec![], vec![], vec![], vec![]);
    for pair in pairs {
        let mut label = name(pair);
        for way in ways(pair, names) {
            labels.push(std::mem::take(&mut label));
            subjects.push(way.name);
            figures.push(way.figures);
            rows.push(RowEnd { is_floor: way.is_floor, notes: vec![] });
        }
        if let Some(last) = rows.last_mut() {
            last.notes = notes::of_pair(report, pair);
        }
    }
    let samples = figures.iter().map(|it| format::count(it.samples)).collect();
    let mut columns = vec![texts("pair", labels), texts("", subjects)];
    columns.extend(statistics(&figures));
    columns.push(texts("samples", samples));
    columns.retain(|column| !column.is_empty());
    PairTable { columns, words: 2, rows }
}

/// A row for each pair.
pub(crate) fn compact(report: &Report, pairs: &[&Pair]) -> PairTable {
    let figures: Vec<&Figures> = pairs.iter().map(|pair| pair.headline().0).collect();
    let each = |of: &dyn Fn(&Pair) -> String| pairs.iter().map(|pair| of(pair)).collect::<Vec<_>>();
    let mut columns = vec![
        texts("pair", each(&name)),
        texts("relation", each(&|pair| summary::relation_of(report, pair).to_owned())),
    ];
    columns.extend(statistics(&figures));
    let bare = |pair: &&Pair| {
        let p50 = |kind| notes::bare(pair, kind).map_or(f64::NAN, |figures| figures.p50_ns);
        Value::Both([FloorKind::OneLine, FloorKind::TwoLines].map(p50), pair.floor.resolution_ns)
    };
    columns.push(Column::new(BARE, &pairs.iter().map(bare).collect::<Vec<_>>()));
    columns.push(texts(
        OVER_FLOOR,
        each(&|pair| match pair.headline().1 {
            Some(ratio) => format::ratio(ratio.median),
            None => "-".to_owned(),
        }),
    ));
    columns.push(texts(
        "lost %",
        each(&|pair| {
            let share = pair.lost.map_or(pair.headline().0.stalled_share, |lost| lost.share);
            format::percent(share).trim_end_matches(" %").to_owned()
        }),
    ));
    columns.retain(|column| !column.is_empty());
    let rows = pairs.iter().map(|pair| RowEnd { is_floor: false, notes: notes::odd(pair).into_iter().collect() });
    PairTable { columns, words: 2, rows: rows.collect() }
}

/// p50 over one line and over two lines.
pub(crate) const BARE: &str = "1 / 2 lines";
pub(crate) const OVER_FLOOR: &str = "× floor";

impl PairTable {
    /// Heads, and then the rows' cells.
    pub(crate) fn cells(&self) -> Vec<Vec<String>> {
        let head = self.columns.iter().map(Column::head).collect();
        let row = |at: usize| self.columns.iter().map(|column| column.cells[at].clone()).collect();
        std::iter::once(head).chain((0..self.rows.len()).map(row)).collect()
    }

    /// Leaves out the columns of these names.
    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.columns.retain(|column| !names.contains(&column.name.as_str()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn rows(table: &PairTable) -> Vec<String> {
        table.cells().iter().map(|row| row.join("|")).collect()
    }

    fn detailed_of(report: &Report) -> PairTable {
        detailed(report, &report.pairs.iter().collect::<Vec<_>>(), Names::Long)
    }

    #[test]
    fn each_way_has_a_row_and_the_lower_bare_one_is_the_floor() {
        let table = detailed_of(&fixture::report(2));
        let rows = rows(&table);
        assert!(rows[0].starts_with("pair||min ns|p50 ns|p90 ns|"), "{}", rows[0]);
        assert!(rows[0].contains("|max µs|") && rows[0].contains("|slices ns|visits ns|"), "{}", rows[0]);
        for (row, name) in rows[1..].iter().zip([
            "0↔1|channel|",
            "|one line, compare-and-swap (floor)|",
            "|two lines, loads and stores|",
        ]) {
            assert!(row.starts_with(name), "{row}");
        }
        assert_eq!(table.rows.iter().map(|row| row.is_floor).collect::<Vec<_>>(), [false, true, false]);
        assert!(table.rows[0].notes.is_empty() && !table.rows[2].notes.is_empty());
    }

    #[test]
    fn a_way_that_was_not_measured_has_no_row_and_an_empty_column_is_left_out() {
        let mut report = fixture::report(2);
        report.pairs[0].yardstick = None;
        report.pairs[0].floor_kind = FloorKind::TwoLines;
        report.pairs[0].channel.visit_range_ns = None;
        report.pairs[0].floor.visit_range_ns = None;
        let table = detailed_of(&report);
        let rows = rows(&table);
        assert_eq!(rows.len(), 3);
        assert!(rows[2].contains("two lines, loads and stores (floor)") && !rows[0].contains("visits"), "{rows:?}");
        let one = compact(&report, &report.pairs.iter().collect::<Vec<_>>());
        let bare = one.columns.iter().find(|column| column.name == BARE).unwrap();
        assert_eq!(bare.cells, ["- / 10.0"]);
    }

    #[test]
    fn processes_come_first() {
        let rows = rows(&detailed_of(&fixture::between_processes()));
        assert!(rows[1].starts_with("0↔1|channel, processes|") && rows[2].starts_with("|channel, threads|"));
    }

    #[test]
    fn many_pairs_have_a_row_each_with_both_bare_ways() {
        let mut report = fixture::sockets(16);
        report.pairs.iter_mut().take(1).for_each(fixture::unsettle);
        let table = compact(&report, &report.pairs.iter().collect::<Vec<_>>());
        let rows = rows(&table);
        assert_eq!(rows.len(), 1 + 120);
        assert!(rows[0].contains("|1 / 2 lines ns|× floor|lost %"), "{}", rows[0]);
        assert!(rows[1].ends_with("|-|0.040"), "{}", rows[1]);
        assert!(table.rows[0].notes[0].contains("unsteady floor") && table.rows[1].notes.is_empty());
        assert!(!table.without(&["min"]).cells()[0].contains(&"min ns".to_owned()));
    }
}
