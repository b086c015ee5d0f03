//! A matrix of cores, or of groups of cores where there are too many for a terminal: medians of the groups' pairs.

use std::collections::HashMap;

use super::cell::{Range, cell_value};
use crate::measure::stats::percentile;
use crate::options::Cell;
use crate::report::{CoreInfo, Report};
use crate::topology::list;

/// How cores are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Core,
    /// The last-level cache.
    Cache,
    /// Neighbours in the order of the matrix, so many at a time.
    Run(usize),
}

/// Groups of cores in the order of the matrix, and a figure for each two of them.
#[derive(Debug)]
pub(crate) struct Grid {
    /// Ids of the cores of each group.
    pub(crate) groups: Vec<Vec<usize>>,
    /// Whether a group shares less with the one before than groups usually do.
    pub(crate) starts: Vec<bool>,
    pub(crate) by: By,
    /// Row by row: a figure, and what it cannot resolve.
    values: Vec<Option<(f64, f64)>>,
}

impl Grid {
    pub(crate) fn new(report: &Report, cell: Cell, by: By) -> Self {
        let cores = &report.cores;
        let parts: Vec<&[CoreInfo]> = match by {
            By::Core => cores.chunks(1).collect(),
            By::Cache => {
                let cache =
                    |core: &CoreInfo| core.last_level_cache().map(|cache| (core.package, core.l3.is_some(), cache));
                cores.chunk_by(|a, b| cache(a).is_some() && cache(a) == cache(b)).collect()
            }
            By::Run(length) => cores.chunks(length.max(1)).collect(),
        };
        let shared = |core: &CoreInfo| match by {
            By::Core => (core.package, core.node, core.last_level_cache()),
            _ => (core.package, core.node, None),
        };
        let starts = (0..parts.len()).map(|at| at > 0 && shared(&parts[at - 1][0]) != shared(&parts[at][0])).collect();
        let group: HashMap<usize, usize> =
            parts.iter().enumerate().flat_map(|(at, part)| part.iter().map(move |core| (core.id, at))).collect();
        let count = parts.len();
        let mut gathered: Vec<(Vec<f64>, f64)> = vec![(Vec::new(), 0.0); count * count];
        for pair in &report.pairs {
            let [Some(&a), Some(&b)] = pair.cores.map(|id| group.get(&id)) else { continue };
            let Some((value, resolution)) = cell_value(pair, cell) else { continue };
            let (values, coarsest) = &mut gathered[a.max(b) * count + a.min(b)];
            values.push(value);
            *coarsest = coarsest.max(resolution);
        }
        let mut values = vec![None; count * count];
        for (at, (mut of, resolution)) in gathered.into_iter().enumerate() {
            let Some(median) = percentile(&mut of, 0.5) else { continue };
            values[at] = Some((median, resolution));
            values[at % count * count + at / count] = values[at];
        }
        Self {
            groups: parts.iter().map(|part| part.iter().map(|core| core.id).collect()).collect(),
            starts,
            by,
            values,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(crate) fn value(&self, row: usize, column: usize) -> Option<(f64, f64)> {
        self.values[row * self.len() + column]
    }

    /// A core with itself, for which there is no figure.
    pub(crate) fn is_diagonal(&self, row: usize, column: usize) -> bool {
        row == column && self.groups[row].len() == 1
    }

    /// Whether some figure is missing.
    pub(crate) fn has_gaps(&self) -> bool {
        let all = (0..self.len()).flat_map(|row| (0..self.len()).map(move |column| (row, column)));
        all.into_iter().any(|(row, column)| !self.is_diagonal(row, column) && self.value(row, column).is_none())
    }

    /// What the figures span; `None` without figures.
    pub(crate) fn range(&self) -> Option<Range> {
        self.values
            .iter()
            .flatten()
            .fold(None, |range, &(value, resolution)| Some(Range::with(range, value, resolution)))
    }

    /// A row's label.
    pub(crate) fn name(&self, group: usize) -> String {
        let mut ids = self.groups[group].clone();
        ids.sort_unstable();
        list(&ids)
    }

    /// A column's label.
    pub(crate) fn first(&self, group: usize) -> String {
        self.groups[group].first().map(usize::to_string).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn a_grid_of_cores_holds_every_pair_twice() {
        let report = fixture::report(6);
        let grid = Grid::new(&report, Cell::P50, By::Core);
        assert_eq!(grid.values.iter().flatten().count(), 30);
        assert!((0..6).all(|a| (0..6).all(|b| grid.value(a, b) == grid.value(b, a))));
        assert_eq!((grid.is_diagonal(2, 2), grid.has_gaps()), (true, false));
        assert_eq!(grid.starts, [false, false, false, false, true, false]);
    }

    #[test]
    fn groups_have_the_median_of_their_pairs_also_among_themselves() {
        let report = fixture::sockets(64);
        let grid = Grid::new(&report, Cell::P50, By::Cache);
        assert_eq!((grid.len(), grid.name(1).as_str(), grid.first(1).as_str()), (8, "8-15", "8"));
        let (near, far) = (grid.value(0, 0).unwrap().0, grid.value(0, 7).unwrap().0);
        assert!((48.0..53.0).contains(&near) && (468.0..474.0).contains(&far), "{near} {far}");
        assert_eq!(grid.starts.iter().filter(|starts| **starts).count(), 3);
        let runs = Grid::new(&report, Cell::P50, By::Run(32));
        assert_eq!((runs.len(), runs.has_gaps()), (2, false));
    }

    #[test]
    fn what_was_not_measured_is_a_gap_and_no_zero() {
        let mut report = fixture::report(8);
        fixture::cut_short(&mut report, 6);
        let grid = Grid::new(&report, Cell::P50, By::Cache);
        assert_eq!((grid.value(1, 1), grid.value(0, 1), grid.has_gaps()), (None, None, true));
        assert!(grid.range().unwrap().low > 5.0);
        report.pairs.clear();
        assert!(Grid::new(&report, Cell::P50, By::Core).range().is_none());
    }

    #[test]
    fn cores_whose_cache_is_unknown_stand_alone() {
        let mut report = fixture::report(4);
        report.cores.iter_mut().for_each(|core| core.l3 = None);
        assert_eq!(Grid::new(&report, Cell::P50, By::Cache).len(), 2, "the L2 is the last one then");
        report.cores.iter_mut().for_each(|core| core.l2 = None);
        assert_eq!(Grid::new(&report, Cell::P50, By::Cache).len(), 4);
    }
}
