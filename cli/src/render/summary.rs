//! The matrix in words: clusters of cores by what they share, and the extreme pairs.

use crate::measure::stats::percentile;
use crate::report::{Pair, Report};

/// Pairs of one relation, and how their medians spread.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cluster {
    pub(crate) relation: String,
    pub(crate) pairs: usize,
    pub(crate) lowest_ns: f64,
    pub(crate) median_ns: f64,
    pub(crate) highest_ns: f64,
    pub(crate) median_ratio: Option<f64>,
    /// The coarsest of its pairs' resolutions.
    pub(crate) resolution_ns: f64,
}

/// Clusters from the closest to the farthest.
pub(crate) fn clusters(report: &Report) -> Vec<Cluster> {
    let mut names: Vec<&str> = Vec::new();
    for pair in &report.pairs {
        if !names.contains(&pair.relation.as_str()) {
            names.push(&pair.relation);
        }
    }
    let mut clusters: Vec<Cluster> = names
        .into_iter()
        .filter_map(|relation| {
            let pairs: Vec<&Pair> = report.pairs.iter().filter(|pair| pair.relation == relation).collect();
            let mut p50: Vec<f64> = pairs.iter().map(|pair| pair.headline().0.p50_ns).collect();
            let mut ratios: Vec<f64> = pairs.iter().filter_map(|pair| Some(pair.headline().1?.median)).collect();
            Some(Cluster {
                relation: relation.to_owned(),
                pairs: pairs.len(),
                median_ns: percentile(&mut p50, 0.5)?,
                lowest_ns: *p50.first()?,
                highest_ns: *p50.last()?,
                median_ratio: percentile(&mut ratios, 0.5),
                resolution_ns: pairs.iter().map(|pair| pair.headline().0.resolution_ns).fold(0.0, f64::max),
            })
        })
        .collect();
    clusters.sort_by(|a, b| a.median_ns.total_cmp(&b.median_ns));
    clusters
}

/// Pairs by p50, lowest first.
pub(crate) fn by_p50(report: &Report) -> Vec<&Pair> {
    let mut pairs: Vec<&Pair> = report.pairs.iter().collect();
    pairs.sort_by(|a, b| a.headline().0.p50_ns.total_cmp(&b.headline().0.p50_ns));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn clusters_count_every_pair_once_and_come_in_order() {
        let report = fixture::report(8);
        let clusters = clusters(&report);
        assert_eq!(clusters.iter().map(|cluster| cluster.pairs).sum::<usize>(), 28);
        assert_eq!(clusters[0].relation, "SMT sibling");
        assert!(clusters.is_sorted_by(|a, b| a.median_ns <= b.median_ns));
        assert!(clusters.iter().all(|c| c.lowest_ns <= c.median_ns && c.median_ns <= c.highest_ns));
    }

    #[test]
    fn an_empty_report_has_no_clusters() {
        let mut report = fixture::report(4);
        report.pairs.clear();
        assert!(clusters(&report).is_empty() && by_p50(&report).is_empty());
    }
}
