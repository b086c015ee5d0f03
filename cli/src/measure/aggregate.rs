//! Sums the visits of a pair, and keeps their memory.

use std::any::Any;

use hdrhistogram::Histogram;

use super::bands;
use super::counts::Counts;
use super::pair::{Around, Sleeps, Visit};
use super::plan::Trips;
use super::side::Effects;
use super::stats::{self, Ratios};
use crate::report::{Figures, Flag, FloorKind, Lost, Pair, Processes, Ratio};

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
        // Two channels with two buffers, four blocks of lines, two spacers.
        let bytes = 2 * slots_bytes + 128 * 1024;
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
    sum: Option<Sum>,
    /// p50 of each visit: of the channel, of both floors, and of the channel between processes.
    visits: Vec<[f64; 4]>,
    visit_slices: Vec<usize>,
    pub(super) failure: Option<String>,
}

/// What the visits of a pair add up to.
struct Sum {
    trips: Trips,
    floors: [Counts; 2],
    channel: Counts,
    processes: Counts,
    slices: Vec<Around>,
    processes_ns: Vec<f64>,
    tails_ns: [Vec<[f64; 4]>; 2],
    effects: Effects,
    sleeps: [Sleeps; 2],
    watched_ns: u64,
    lost_ns: u64,
}

impl Sum {
    /// Of no visit, but as if of one like this.
    fn like(visit: &Visit) -> Self {
        let none = |times: Option<u64>| times.map(|_| 0);
        let Effects { preemptions, sleeps, .. } = visit.effects;
        Self {
            trips: visit.trips,
            floors: Default::default(),
            channel: Counts::default(),
            processes: Counts::default(),
            slices: vec![],
            processes_ns: vec![],
            tails_ns: Default::default(),
            effects: Effects { migrated: false, preemptions: none(preemptions), sleeps: none(sleeps) },
            sleeps: visit.sleeps.map(|sleeps| Sleeps { times: none(sleeps.times), trips: 0 }),
            watched_ns: 0,
            lost_ns: 0,
        }
    }

    fn add(&mut self, visit: Visit) {
        self.floors.iter_mut().zip(&visit.floors).for_each(|(sum, floor)| sum.add(floor));
        self.channel.add(&visit.channel);
        self.processes.add(&visit.processes);
        self.slices.extend(visit.slices);
        self.processes_ns.extend(visit.processes_ns);
        self.tails_ns.iter_mut().zip(visit.tails_ns).for_each(|(sum, more)| sum.extend(more));
        self.effects = self.effects.and(visit.effects);
        for (sum, more) in self.sleeps.iter_mut().zip(visit.sleeps) {
            *sum = Sleeps { times: sum.times.zip(more.times).map(|(a, b)| a + b), trips: sum.trips + more.trips };
        }
        self.watched_ns += visit.watched_ns;
        self.lost_ns += visit.lost_ns;
    }
}

impl Aggregate {
    pub(super) fn new(cores: [usize; 2]) -> Self {
        Self { cores, sum: None, visits: vec![], visit_slices: vec![], failure: None }
    }

    /// Of the channel, so far.
    pub(super) fn samples(&self) -> u64 {
        self.sum.as_ref().map_or(0, |sum| sum.channel.len())
    }

    pub(super) fn trips(&self) -> Option<Trips> {
        self.sum.as_ref().map(|visit| visit.trips)
    }

    pub(super) fn add(&mut self, mut visit: Visit, quantum_ns: f64, held: &mut Held, slots_bytes: usize) {
        held.keep(std::mem::replace(&mut visit.held, Box::new(())), slots_bytes);
        let p50 = |samples: &Histogram<u64>, trips: u32| {
            stats::median(samples, quantum_ns).map_or(f64::NAN, |ns| ns / f64::from(trips))
        };
        let Trips { floors: [two_lines, one_line], channel, processes } = visit.trips;
        self.visits.push([
            p50(&visit.channel, channel),
            p50(&visit.floors[0], two_lines),
            p50(&visit.floors[1], one_line),
            p50(&visit.processes, processes),
        ]);
        self.visit_slices.push(visit.slices.len());
        self.sum.get_or_insert_with(|| Sum::like(&visit)).add(visit);
    }

    /// The pair. With `all`, also histograms and what `compare` needs of each slice.
    pub(super) fn finish(self, quantum_ns: f64, all: bool) -> Option<Pair> {
        let (visits, sum) = (self.visits, self.sum?);
        let [tails_ns, processes_tails_ns] = if all { sum.tails_ns } else { Default::default() };
        let figures = if all { stats::figures } else { stats::figures_only };
        let range = |column: usize| {
            let mut p50: Vec<f64> = visits.iter().map(|visit| visit[column]).filter(|ns| ns.is_finite()).collect();
            let [low, high] = [0.0, 1.0].map(|share| stats::percentile(&mut p50, share));
            low.zip(high).filter(|_| p50.len() > 1).map(<[f64; 2]>::from)
        };
        let figures = |samples: &Histogram<u64>, trips: u32, slices: &[f64], column: usize| Figures {
            visit_range_ns: range(column),
            ..figures(samples, trips, quantum_ns, slices)
        };
        let column = |of: fn(&Around) -> f64| sum.slices.iter().map(of).collect::<Vec<_>>();
        let [channel_samples, processes_samples] = [&sum.channel, &sum.processes].map(Counts::histogram);
        let floor_samples = sum.floors.each_ref().map(Counts::histogram);
        let channel = figures(&channel_samples, sum.trips.channel, &column(|slice| slice.channel), 0);
        let two_lines = figures(&floor_samples[0], sum.trips.floors[0], &column(|slice| slice.before[0]), 1);
        let one_line = figures(&floor_samples[1], sum.trips.floors[1], &column(|slice| slice.before[1]), 2);
        let (floor_kind, floor, yardstick) = if one_line.p50_ns < two_lines.p50_ns {
            (FloorKind::OneLine, one_line, two_lines)
        } else {
            (FloorKind::TwoLines, two_lines, one_line)
        };
        let slices_ns: Vec<[f64; 3]> = sum.slices.iter().map(|slice| slice.floor(floor_kind)).collect();
        let is_coarse = |figures: &Figures| figures.p50_ns < 8.0 * figures.resolution_ns;
        let mut coarse = is_coarse(&channel) || is_coarse(&floor);
        let mut few = channel.samples < 1000;
        let Ratios { steady: ratio, unsteady: unsteady_ratio } = stats::ratio(&slices_ns);
        let is_below = |ratio: &Option<Ratio>| ratio.as_ref().is_some_and(|ratio| ratio.median < BELOW);
        let mut below = is_below(&ratio);
        let mut bands = bands::find(&sum.slices, |_, slice| slice.channel, floor_kind);
        let mut sleeps = sum.sleeps[0];
        let processes = (!processes_samples.is_empty()).then(|| {
            let figures = figures(&processes_samples, sum.trips.processes, &sum.processes_ns, 3);
            let of = |index: usize| sum.processes_ns[index];
            let to_floor =
                stats::ratio_of(&slices_ns, |index, [before, _, after]| of(index) / ((before + after) / 2.0));
            let Ratios { steady: ratio, unsteady: unsteady_ratio } = to_floor;
            let ratio_to_channel = stats::ratio_of(&slices_ns, |index, [_, channel, _]| of(index) / channel).steady;
            coarse |= is_coarse(&figures);
            few |= figures.samples < 1000;
            below |= is_below(&ratio);
            bands = bands::find(&sum.slices, |index, _| of(index), floor_kind);
            sleeps = sum.sleeps[1];
            Processes {
                figures,
                ratio,
                unsteady_ratio,
                ratio_to_channel,
                slices_ns: sum.processes_ns.clone(),
                tails_ns: processes_tails_ns,
            }
        });
        let flags = [
            (stats::floor_is_unsteady(&slices_ns), Flag::UnsteadyFloor),
            (sum.effects.migrated, Flag::Migrated),
            (few, Flag::FewSamples),
            (coarse, Flag::CoarseClock),
            (below, Flag::BelowFloor),
        ];
        let in_samples =
            floor_samples.iter().chain([&channel_samples, &processes_samples]).map(|samples| stats::stalls(samples)[1]);
        let lost_ns = sum.lost_ns as f64 + in_samples.sum::<f64>();
        let watched_ns = sum.watched_ns as f64;
        Some(Pair {
            cores: self.cores,
            relation: String::new(),
            ratio,
            unsteady_ratio,
            channel,
            floor,
            floor_kind,
            yardstick: Some(yardstick),
            processes,
            bands,
            lost: (watched_ns > 0.0)
                .then(|| Lost { watched_s: watched_ns / 1e9, share: (lost_ns / watched_ns).min(1.0) }),
            sleeps_per_trip: sleeps.times.filter(|_| sleeps.trips > 0).map(|times| times as f64 / sleeps.trips as f64),
            visits: visits.len() as u32,
            preemptions: sum.effects.preemptions,
            flags: flags.into_iter().filter_map(|(is_set, flag)| is_set.then_some(flag)).collect(),
            slices_ns,
            tails_ns,
            visit_slices: self.visit_slices,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::stats::histogram;

    fn visit(floor_ns: u64, channel_ns: u64, samples: u64) -> Visit {
        let of = |ns: u64| {
            let mut histogram = histogram();
            histogram.record_n(ns, samples).unwrap();
            histogram
        };
        let floors = [floor_ns as f64, 2.0 * floor_ns as f64];
        let effects = Effects { migrated: false, preemptions: Some(2), sleeps: Some(6) };
        Visit {
            trips: Trips { floors: [1, 1], channel: 1, processes: 1 },
            floors: [of(floor_ns), of(2 * floor_ns)],
            channel: of(channel_ns),
            slices: vec![Around { before: floors, channel: channel_ns as f64, after: floors }; 10],
            processes: histogram(),
            processes_ns: vec![],
            tails_ns: [vec![[channel_ns as f64; 4]; 10], vec![]],
            effects,
            sleeps: [Sleeps { times: effects.sleeps, trips: samples }; 2],
            watched_ns: 1_000_000_000,
            lost_ns: 10_000_000,
            held: Box::new(()),
        }
    }

    fn aggregated(visits: Vec<Visit>) -> Pair {
        let (mut pair, mut held) = (Aggregate::new([0, 1]), Held::default());
        visits.into_iter().for_each(|visit| pair.add(visit, 10.0, &mut held, 512));
        pair.finish(10.0, true).unwrap()
    }

    #[test]
    fn visits_add_up() {
        let pair = aggregated(vec![visit(100, 120, 600), visit(200, 240, 600)]);
        assert_eq!((pair.visits, pair.channel.samples, pair.preemptions), (2, 1200, Some(4)));
        assert_eq!((pair.channel.min_ns, pair.channel.max_ns, pair.slices_ns.len()), (120.0, 240.0, 20));
        assert_eq!(pair.ratio.unwrap().median, 1.2);
        assert_eq!(pair.flags, []);
        assert_eq!((pair.visit_slices, pair.tails_ns.len()), (vec![10, 10], 20));
        assert_eq!((pair.channel.visit_range_ns, pair.sleeps_per_trip), (Some([120.0, 240.0]), Some(0.01)));
        assert_eq!(
            pair.bands.iter().map(|band| (band.share, band.p50_ns)).collect::<Vec<_>>(),
            [(0.5, 120.0), (0.5, 240.0)]
        );
        assert_eq!(aggregated(vec![visit(100, 120, 600)]).channel.visit_range_ns, None, "one visit has no range");
    }

    #[test]
    fn a_pair_of_many_has_figures_only() {
        let mut pair = Aggregate::new([0, 1]);
        pair.add(visit(100, 120, 2000), 10.0, &mut Held::default(), 512);
        let pair = pair.finish(10.0, false).unwrap();
        assert!(pair.channel.histogram.is_none() && pair.floor.histogram.is_none() && pair.tails_ns.is_empty());
        assert_eq!((pair.channel.samples, pair.slices_ns.len()), (2000, 10));
    }

    #[test]
    fn the_lower_of_the_two_floors_is_the_floor() {
        let pair = aggregated(vec![visit(100, 120, 600)]);
        assert_eq!((pair.floor_kind, pair.floor.p50_ns), (FloorKind::TwoLines, 100.0));
        assert_eq!((pair.yardstick.as_ref().unwrap().p50_ns, pair.core_to_core_ns()), (200.0, Some(100.0)));
        let mut visit = visit(100, 120, 600);
        visit.floors.swap(0, 1);
        for slice in &mut visit.slices {
            slice.before.swap(0, 1);
            slice.after.swap(0, 1);
        }
        let pair = aggregated(vec![visit]);
        assert_eq!(
            (pair.floor_kind, pair.floor.p50_ns, pair.core_to_core_ns()),
            (FloorKind::OneLine, 100.0, Some(50.0))
        );
        assert_eq!((pair.slices_ns[0], pair.ratio.unwrap().median), ([100.0, 120.0, 100.0], 1.2));
    }

    #[test]
    fn lost_time_is_that_of_samples_and_that_between_them() {
        let mut stalled = visit(100, 120, 600);
        stalled.channel.record_n(40_000_120, 2).unwrap();
        let lost = aggregated(vec![stalled, visit(100, 120, 600)]).lost.unwrap();
        assert_eq!(lost.watched_s, 2.0);
        // Two of 40 ms in samples, and 10 ms of each visit between them.
        assert!((lost.share - 0.05).abs() < 1e-4, "{lost:?}");
    }

    #[test]
    fn doubts_are_flagged() {
        assert_eq!(aggregated(vec![visit(100, 120, 999)]).flags, [Flag::FewSamples]);
        assert_eq!(aggregated(vec![visit(100, 90, 2000)]).flags, [Flag::BelowFloor]);
        assert_eq!(aggregated(vec![visit(70, 84, 2000)]).flags, [Flag::CoarseClock]);
        let effects = Effects { migrated: true, preemptions: None, sleeps: None };
        let slices = vec![Around { before: [100.0; 2], channel: 120.0, after: [300.0; 2] }; 10];
        let moved = Visit { effects, slices, ..visit(100, 120, 2000) };
        assert_eq!(aggregated(vec![moved]).flags, [Flag::UnsteadyFloor, Flag::Migrated]);
        assert!(Aggregate::new([0, 1]).finish(10.0, true).is_none());
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
