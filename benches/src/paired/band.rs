//! The band of floor values that a slice must lie in to count.

/// Upper over lower edge. Wide enough for the jitter of one placement of the two cores, narrow enough to hold one
/// placement only: they differ by factors of three and more.
const WIDTH: f64 = 1.5;

/// Whether both probes lie in `band`.
pub fn holds(band: [f64; 2], floor: [f64; 2]) -> bool {
    floor.iter().all(|probe| (band[0]..=band[1]).contains(probe))
}

/// The band that holds the most slices, given each slice's two probes; `None` if none holds any.
pub fn commonest(floors: &[[f64; 2]]) -> Option<[f64; 2]> {
    let mut edges: Vec<f64> = floors.iter().flatten().copied().filter(|ns| *ns > 0.0).collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    let mut best = (None, 0);
    for low in edges {
        let band = [low, low * WIDTH];
        let held = floors.iter().filter(|floor| holds(band, **floor)).count();
        if held > best.1 {
            best = (Some(band), held);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::{commonest, holds};

    #[test]
    fn the_commonest_band_is_the_one_with_most_slices_not_most_probes() {
        // Five slices that straddle two placements outnumber neither group of whole slices.
        let mut floors = vec![[30.0, 31.0]; 4];
        floors.extend([[100.0, 110.0]; 6]);
        floors.extend([[31.0, 105.0]; 5]);
        let band = commonest(&floors).unwrap();
        assert_eq!(floors.iter().filter(|floor| holds(band, **floor)).count(), 6);
        assert!(holds(band, [100.0, 110.0]) && !holds(band, [31.0, 105.0]));
    }

    #[test]
    fn without_a_whole_slice_there_is_no_band() {
        assert_eq!(commonest(&[]), None);
        assert_eq!(commonest(&[[30.0, 100.0]]), None);
    }
}
