//! Times of a run, and the order in which pairs get theirs.

use std::collections::HashSet;
use std::time::Duration;

use super::shuffle::Random;

/// Visits last about this long; a pair with more time is visited more often. Figures move more from one visit to the next than within one.
const VISIT: Duration = Duration::from_millis(500);
/// A visit is never planned shorter; pairs that then do not fit are left out.
pub(super) const SHORTEST_VISIT: Duration = Duration::from_millis(20);
/// Visits of a pair that has time for them.
const FEW: u32 = 3;
/// A pair is not measured for longer, unless asked for: more samples of the same machine add little.
pub(super) const LONGEST_PAIR: Duration = Duration::from_secs(12);
/// Slices are short enough for the machine to stay as it is during most of them, and long enough for hundreds of samples.
const SLICES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(5));
/// What a visit costs besides: threads start, memory is touched, a pilot runs.
const OVERHEAD: Duration = Duration::from_millis(8);

/// Times of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// Before the pairs, and again after them.
    pub(crate) jitter: Duration,
    pub(crate) pair: Duration,
    pub(crate) visits: u32,
    pub(crate) slice: Duration,
}

impl Schedule {
    /// For this many pairs. `duration` is that of a pair, if it was asked for; `sampled` says that a number of samples was.
    pub(super) fn plan(pairs: usize, budget: Duration, duration: Option<Duration>, sampled: bool) -> Self {
        let jitter = (budget / 10).min(Duration::from_secs(1));
        let room = budget.saturating_sub(2 * jitter);
        if sampled {
            return Self { jitter, pair: room, visits: 1, slice: SLICES.1 };
        }
        let share = room.mul_f64(0.95 / pairs.max(1) as f64);
        let most = duration.unwrap_or(share.saturating_sub(OVERHEAD).clamp(SHORTEST_VISIT, LONGEST_PAIR));
        let wanted = (most.as_secs_f64() / VISIT.as_secs_f64()).round().clamp(f64::from(FEW), 1000.0) as u32;
        // Each visit but the first takes its overhead from the measuring, unless the time was asked for.
        let beside = if duration.is_some() { Duration::ZERO } else { OVERHEAD };
        let fitting = (most + beside).as_nanos() / (SHORTEST_VISIT + beside).as_nanos();
        let visits = wanted.min(fitting as u32).max(1);
        let pair = most - (beside * (visits - 1)).min(most);
        let slice = (pair / visits / 12).clamp(SLICES.0, SLICES.1);
        Self { jitter, pair, visits, slice }
    }
}

/// What pairs have in common: how their cores relate, and which caches they join. Numbers that stand for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Class {
    pub(crate) relation: usize,
    pub(crate) caches: [usize; 2],
}

/// The order of the first round, which may not come to its end: one pair of each relation, then one of each two caches, then the rest, and in all
/// of that the relations in turn, so that the small ones are measured as well as the large.
pub(super) fn first_round(classes: &[Class], random: &mut Random) -> Vec<usize> {
    let mut shuffled: Vec<usize> = (0..classes.len()).collect();
    random.shuffle(&mut shuffled);
    let relations = classes.iter().map(|class| class.relation + 1).max().unwrap_or(0);
    let mut seen = HashSet::new();
    // Per relation: those that show two caches for the first time, and the rest.
    let mut queues = [vec![Vec::new(); relations], vec![Vec::new(); relations]];
    for index in shuffled {
        let class = classes[index];
        let rest = usize::from(!seen.insert(class));
        queues[rest][class.relation].push(index);
    }
    queues.into_iter().flat_map(in_turn).collect()
}

/// One of each queue, then the next of each, and so on.
fn in_turn(queues: Vec<Vec<usize>>) -> Vec<usize> {
    let longest = queues.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|at| queues.iter().filter_map(move |queue| queue.get(at))).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(pairs: usize, budget: Duration) -> Schedule {
        Schedule::plan(pairs, budget, None, false)
    }

    #[test]
    fn a_schedule_fits_its_budget_unless_pairs_are_too_many() {
        for pairs in [1, 2, 6, 28, 120, 400] {
            let budget = Duration::from_secs(16);
            let schedule = plan(pairs, budget);
            let took = (schedule.pair + OVERHEAD * schedule.visits) * pairs as u32 + 2 * schedule.jitter;
            assert!(took < budget, "{pairs} pairs: {schedule:?}");
            assert!(schedule.pair / schedule.visits >= 4 * schedule.slice, "{pairs} pairs: {schedule:?}");
        }
        let crowded = plan(100_000, Duration::from_secs(16));
        assert_eq!((crowded.pair, crowded.visits), (SHORTEST_VISIT, 1));
    }

    #[test]
    fn pairs_are_visited_several_times_where_there_is_time() {
        let schedule = plan(1, Duration::from_secs(3600));
        assert_eq!(schedule.visits, 24);
        for (pairs, visits) in [(6, 5), (28, 3), (120, 3)] {
            assert!(plan(pairs, Duration::from_secs(16)).visits.abs_diff(visits) <= 1, "{pairs} pairs");
        }
        let asked = Schedule::plan(1, Duration::from_secs(120), Some(Duration::from_secs(90)), false);
        assert_eq!((asked.visits, asked.pair), (180, Duration::from_secs(90)));
        let short = Schedule::plan(1, Duration::from_secs(1), Some(Duration::from_millis(5)), false);
        assert_eq!((short.visits, short.pair), (1, Duration::from_millis(5)));
    }

    #[test]
    fn the_first_round_shows_each_relation_and_each_two_caches_first() {
        // Two relations within four caches of eight cores each, and one across.
        let cores: Vec<usize> = (0..32).collect();
        let mut classes = Vec::new();
        for &b in &cores {
            for a in 0..b {
                let caches = [a / 8, b / 8];
                let relation = if a / 2 == b / 2 {
                    0
                } else if caches[0] == caches[1] {
                    1
                } else {
                    2
                };
                classes.push(Class { relation, caches });
            }
        }
        let order = first_round(&classes, &mut Random::new(3));
        let mut all = order.clone();
        all.sort_unstable();
        assert_eq!(all, (0..classes.len()).collect::<Vec<_>>(), "every pair once");
        let relations: HashSet<usize> = order[..3].iter().map(|&index| classes[index].relation).collect();
        assert_eq!(relations.len(), 3);
        let kinds: HashSet<Class> = classes.iter().copied().collect();
        let shown: HashSet<Class> = order[..kinds.len()].iter().map(|&index| classes[index]).collect();
        assert_eq!((shown.len(), kinds.len()), (14, 14));
        // All 16 of the smallest relation are done early.
        let last = order.iter().rposition(|&index| classes[index].relation == 0).unwrap();
        assert!(last < 60, "{last}");
        assert_ne!(order, first_round(&classes, &mut Random::new(4)), "the seed decides within them");
        assert!(first_round(&[], &mut Random::new(1)).is_empty());
    }
}
