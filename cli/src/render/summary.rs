//! The matrix in words: clusters of cores by what they share, and the extreme pairs.

use std::collections::HashMap;

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
    let packages: HashMap<usize, usize> =
        report.cores.iter().filter_map(|core| Some((core.id, core.package?))).collect();
    let mut groups: HashMap<&str, Vec<&Pair>> = HashMap::new();
    for pair in &report.pairs {
        groups.entry(relation(pair, &packages)).or_default().push(pair);
    }
    let mut clusters: Vec<Cluster> = groups
        .into_iter()
        .filter_map(|(relation, pairs)| {
            let mut p50: Vec<f64> = pairs.iter().map(|pair| usual_ns(pair)).collect();
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
    clusters.sort_by(|a, b| a.median_ns.total_cmp(&b.median_ns).then_with(|| a.relation.cmp(&b.relation)));
    clusters
}

/// How two cores relate; cores of two sockets are told apart from those of two nodes in one.
fn relation<'a>(pair: &'a Pair, packages: &HashMap<usize, usize>) -> &'a str {
    let [a, b] = pair.cores.map(|id| packages.get(&id));
    if pair.relation == "other node" && a.is_some() && b.is_some() && a != b { "other socket" } else { &pair.relation }
}

/// The same of one pair.
pub(crate) fn relation_of<'a>(report: &Report, pair: &'a Pair) -> &'a str {
    let of_pair = report.cores.iter().filter(|core| pair.cores.contains(&core.id));
    relation(pair, &of_pair.filter_map(|core| Some((core.id, core.package?))).collect())
}

/// What a round trip of the pair usually takes: its p50, or that of the level it kept to most, for a p50 of two levels belongs to neither.
pub(crate) fn usual_ns(pair: &Pair) -> f64 {
    let level = pair.bands.iter().max_by(|a, b| a.share.total_cmp(&b.share));
    level.map_or(pair.headline().0.p50_ns, |level| level.p50_ns)
}

/// Pairs by what they usually take, lowest first.
pub(crate) fn by_p50(report: &Report) -> Vec<&Pair> {
    let mut pairs: Vec<&Pair> = report.pairs.iter().collect();
    pairs.sort_by(|a, b| usual_ns(a).total_cmp(&usual_ns(b)));
    pairs
}

/// Median over the pairs of how far the p50 of their visits lie apart, as a share of the lowest.
pub(crate) fn spread_over_visits(report: &Report) -> Option<f64> {
    let spread = |pair: &Pair| pair.headline().0.visit_range_ns.map(|[low, high]| high / low - 1.0);
    let mut spreads: Vec<f64> = report.pairs.iter().filter_map(spread).collect();
    percentile(&mut spreads, 0.5)
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
    fn sockets_are_told_apart_from_nodes() {
        let report = fixture::sockets(32);
        let names: Vec<String> = clusters(&report).into_iter().map(|cluster| cluster.relation).collect();
        // SMT of one thread: a core is its own sibling, and no pair has that relation.
        assert_eq!(names, ["same L3", "other node", "other socket"]);
        let far = report.pairs.iter().find(|pair| pair.cores == [0, 31]).unwrap();
        assert_eq!(relation_of(&report, far), "other socket");
    }

    #[test]
    fn a_pair_of_two_levels_stands_for_the_one_it_kept_to_most() {
        let report = fixture::two_levels();
        assert_eq!(usual_ns(&report.pairs[0]), 100.0);
        assert_eq!(clusters(&report)[0].median_ns, 100.0);
    }

    #[test]
    fn an_empty_report_has_no_clusters() {
        let mut report = fixture::report(4);
        report.pairs.clear();
        assert!(clusters(&report).is_empty() && by_p50(&report).is_empty());
    }
}
