//! What a cell of a heat map shows, and what all cells span.

use super::summary;
use crate::options::Cell;
use crate::report::{Pair, Report};

/// A figure for a heat map's cell, and what it cannot resolve. `None` when the pair has none.
pub(crate) fn cell_value(pair: &Pair, cell: Cell) -> Option<(f64, f64)> {
    let (figures, ratio) = pair.headline();
    let value = match cell {
        // Of a pair of two levels, the one it kept to most.
        Cell::P50 => summary::usual_ns(pair),
        Cell::P90 => figures.p90_ns,
        Cell::P99 => figures.p99_ns,
        Cell::P999 => figures.p999_ns,
        Cell::Max => figures.max_ns,
        Cell::Floor => return Some((pair.floor.p50_ns, pair.floor.resolution_ns)),
        Cell::Ratio => return ratio.map(|ratio| (ratio.median, 0.0)),
    };
    Some((value, figures.resolution_ns))
}

/// What the cells of a heat map show.
pub(crate) fn cell_title(cell: Cell) -> &'static str {
    match cell {
        Cell::P50 => "round trip, p50, ns",
        Cell::P90 => "round trip, p90, ns",
        Cell::P99 => "round trip, p99, ns",
        Cell::P999 => "round trip, p99.9, ns",
        Cell::Max => "round trip, longest, ns",
        Cell::Floor => "floor round trip, p50, ns",
        Cell::Ratio => "channel / floor, median of slices",
    }
}

/// Smallest and largest cell, and the coarsest resolution of any; `None` when no pair has a figure.
pub(crate) fn cell_range(report: &Report, cell: Cell) -> Option<Range> {
    let cells = report.pairs.iter().filter_map(|pair| cell_value(pair, cell));
    cells.fold(None, |range, (value, resolution)| Some(Range::with(range, value, resolution)))
}

/// What the cells of a heat map span.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) coarsest: f64,
}

impl Range {
    /// Widens a range, or begins one.
    pub(crate) fn with(range: Option<Self>, value: f64, resolution: f64) -> Self {
        let Self { low, high, coarsest } = range.unwrap_or(Self { low: value, high: value, coarsest: 0.0 });
        Self { low: low.min(value), high: high.max(value), coarsest: coarsest.max(resolution) }
    }
}
