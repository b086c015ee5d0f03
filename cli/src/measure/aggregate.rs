//! Sums the visits of a pair, and keeps their memory.

use std::any::Any;

use super::pair::Visit;
use super::plan::Trips;
use super::stats;
use crate::report::{Flag, Pair, Processes, Ratio};

/// Memory of earlier visits that is kept, so that later ones cannot run on it.
const HELD_BYTES: usize = 256 << 20;

/// A ratio under this is more than a rounding error.
const BELOW: f64 = 0.97;

/// Memory of earlier visits: what is held cannot be handed out again.
#[derive(Default)]
pub(super) struct Held {
    visits: Vec<Box<dyn Any + Send>>,
    bytes: usize,
    pub(super) full: bool,
}

impl Held {
    pub(super) fn keep(&mut self, visit: Box<dyn Any + Send>, slots_bytes: usize) {
        // Two channels, two blocks of lines, two spacers.
        let bytes = 2 * slots_bytes + 64 * 1024;
        if self.bytes + bytes > HELD_BYTES {
            self.full = true;
            return;
        }
        self.bytes += bytes;
        self.visits.push(visit);
    }
}

/// Everything measured about one pair so far.
pub(super) struct Aggregate {
    pub(super) cores: [usize; 2],
    visits: Vec<Visit>,
    count: u32,
    pub(super) failure: Option<String>,
}

impl Aggregate {
    pub(super) fn new(cores: [usize; 2]) -> Self {
        Self { cores, visits: vec![], count: 0, failure: None }
    }

    pub(super) fn trips(&self) -> Option<Trips> {
        self.visits.first().map(|visit| visit.trips)
    }

    pub(super) fn add(&mut self, mut visit: Visit, held: &mut Held, slots_bytes: usize) {
        held.keep(std::mem::replace(&mut visit.held, Box::new(())), slots_bytes);
        self.count += 1;
        match self.visits.first_mut() {
            None => self.visits.push(visit),
            Some(sum) => {
                stats::add(&mut sum.floor, &visit.floor);
                stats::add(&mut sum.channel, &visit.channel);
                stats::add(&mut sum.processes, &visit.processes);
                sum.slices_ns.extend(visit.slices_ns);
                sum.processes_ns.extend(visit.processes_ns);
                sum.migrated |= visit.migrated;
                sum.preemptions = sum.preemptions.zip(visit.preemptions).map(|(a, b)| a + b);
            }
        }
    }

    pub(super) fn finish(mut self, quantum_ns: f64) -> Option<Pair> {
        let sum = self.visits.pop()?;
        let column = |index: usize| sum.slices_ns.iter().map(|slice| slice[index]).collect::<Vec<_>>();
        let channel = stats::figures(&sum.channel, sum.trips.channel, quantum_ns, &column(1));
        let floor = stats::figures(&sum.floor, sum.trips.floor, quantum_ns, &column(0));
        let is_coarse = |p50_ns: f64, trips: u32| p50_ns * f64::from(trips) < 8.0 * quantum_ns;
        let mut coarse = is_coarse(channel.p50_ns, sum.trips.channel) || is_coarse(floor.p50_ns, sum.trips.floor);
        let mut few = channel.samples < 1000;
        let ratio = stats::ratio(&sum.slices_ns);
        let is_below = |ratio: &Option<Ratio>| ratio.as_ref().is_some_and(|ratio| ratio.median < BELOW);
        let mut below = is_below(&ratio);
        let processes = (!sum.processes.is_empty()).then(|| {
            let figures = stats::figures(&sum.processes, sum.trips.processes, quantum_ns, &sum.processes_ns);
            let of = |index: usize| sum.processes_ns[index];
            let ratio =
                stats::ratio_of(&sum.slices_ns, |index, [before, _, after]| of(index) / ((before + after) / 2.0));
            let ratio_to_channel = stats::ratio_of(&sum.slices_ns, |index, [_, channel, _]| of(index) / channel);
            coarse |= is_coarse(figures.p50_ns, sum.trips.processes);
            few |= figures.samples < 1000;
            below |= is_below(&ratio);
            Processes { figures, ratio, ratio_to_channel, slices_ns: sum.processes_ns }
        });
        let flags = [
            (stats::floor_is_unsteady(&sum.slices_ns), Flag::UnsteadyFloor),
            (sum.migrated, Flag::Migrated),
            (few, Flag::FewSamples),
            (coarse, Flag::CoarseClock),
            (below, Flag::BelowFloor),
        ];
        Some(Pair {
            cores: self.cores,
            relation: String::new(),
            ratio,
            channel,
            floor,
            processes,
            visits: self.count,
            preemptions: sum.preemptions,
            flags: flags.into_iter().filter_map(|(is_set, flag)| is_set.then_some(flag)).collect(),
            slices_ns: sum.slices_ns,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::stats::histogram;

    fn visit(floor_ns: u64, channel_ns: u64, samples: u64) -> Visit {
        let (mut floor, mut channel) = (histogram(), histogram());
        floor.record_n(floor_ns, samples).unwrap();
        channel.record_n(channel_ns, samples).unwrap();
        let slices_ns = vec![[floor_ns as f64, channel_ns as f64, floor_ns as f64]; 10];
        let trips = Trips { floor: 1, channel: 1, processes: 1 };
        let (processes, processes_ns, held) = (histogram(), vec![], Box::new(()));
        Visit { trips, floor, channel, slices_ns, processes, processes_ns, migrated: false, preemptions: Some(2), held }
    }

    fn aggregated(visits: Vec<Visit>) -> Pair {
        let (mut pair, mut held) = (Aggregate::new([0, 1]), Held::default());
        visits.into_iter().for_each(|visit| pair.add(visit, &mut held, 512));
        pair.finish(10.0).unwrap()
    }

    #[test]
    fn visits_add_up() {
        let pair = aggregated(vec![visit(100, 120, 600), visit(200, 240, 600)]);
        assert_eq!((pair.visits, pair.channel.samples, pair.preemptions), (2, 1200, Some(4)));
        assert_eq!((pair.channel.min_ns, pair.channel.max_ns, pair.slices_ns.len()), (120.0, 240.0, 20));
        assert_eq!(pair.ratio.unwrap().median, 1.2);
        assert_eq!(pair.flags, []);
    }

    #[test]
    fn doubts_are_flagged() {
        assert_eq!(aggregated(vec![visit(100, 120, 999)]).flags, [Flag::FewSamples]);
        assert_eq!(aggregated(vec![visit(100, 90, 2000)]).flags, [Flag::BelowFloor]);
        assert_eq!(aggregated(vec![visit(70, 84, 2000)]).flags, [Flag::CoarseClock]);
        let moved = Visit { migrated: true, slices_ns: vec![[100.0, 120.0, 300.0]; 10], ..visit(100, 120, 2000) };
        assert_eq!(aggregated(vec![moved]).flags, [Flag::UnsteadyFloor, Flag::Migrated, Flag::BelowFloor]);
        assert!(Aggregate::new([0, 1]).finish(10.0).is_none());
    }

    #[test]
    fn a_process_has_figures_of_its_own_and_ratios_to_both() {
        let beside = |ns: u64| {
            let mut processes = histogram();
            processes.record_n(ns, 600).unwrap();
            Visit { processes, processes_ns: vec![ns as f64; 10], ..visit(100, 120, 600) }
        };
        let pair = aggregated(vec![beside(150), beside(150)]);
        let processes = pair.processes.unwrap();
        assert_eq!((processes.figures.samples, processes.slices_ns.len()), (1200, 20));
        assert_eq!((processes.figures.p50_ns, pair.channel.p50_ns), (150.0, 120.0));
        assert_eq!((processes.ratio.unwrap().median, processes.ratio_to_channel.unwrap().median), (1.5, 1.25));
        assert_eq!(pair.flags, []);
        assert_eq!(aggregated(vec![beside(90), beside(90)]).flags, [Flag::BelowFloor]);
        assert!(aggregated(vec![visit(100, 120, 600)]).processes.is_none());
    }

    #[test]
    fn memory_is_kept_up_to_a_limit() {
        let mut held = Held::default();
        (0..3).for_each(|_| held.keep(Box::new(()), 40 << 20));
        assert_eq!((held.visits.len(), held.full), (3, false));
        held.keep(Box::new(()), 40 << 20);
        assert_eq!((held.visits.len(), held.full), (3, true));
    }
}
