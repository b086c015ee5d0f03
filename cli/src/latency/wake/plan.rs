//! Which idle times are measured, and for how long each.

use std::time::Duration;

use crate::failure::Failure;
use crate::measure::wake::{FEWEST_ROUNDS, Step, messages_per_slice};

/// Idle times unless the user names some.
const DECADES: [Duration; 7] = [
    Duration::from_micros(1),
    Duration::from_micros(10),
    Duration::from_micros(100),
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_secs(1),
];

/// Rounds that each idle time is to get, if there is time.
const ROUNDS: u32 = 10;

/// What the plan has to fit in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) duration: Duration,
    pub(super) contenders: usize,
}

impl Limits {
    /// A slice of each contender and one of the futex before each of these. A message that wakes costs more than its idle time.
    fn round(self, idle: Duration) -> Duration {
        const WAKE: Duration = Duration::from_micros(20);
        (idle + WAKE) * messages_per_slice(idle) * 2 * u32::try_from(self.contenders).unwrap_or(u32::MAX)
    }
}

/// The idle times in ascending order; those of the user, or the decades that fit. Fails if the user's do not fit.
pub(super) fn steps(asked: &[Duration], limits: Limits) -> Result<Vec<Step>, Failure> {
    let idles = if asked.is_empty() {
        let fits = |&idle: &Duration| ROUNDS * limits.round(idle) <= limits.duration / 2;
        let fitting: Vec<Duration> = DECADES.into_iter().take_while(fits).collect();
        // The shortest is always tried, however short the run.
        if fitting.is_empty() { vec![DECADES[0]] } else { fitting }
    } else {
        let mut asked = asked.to_vec();
        asked.sort_unstable();
        asked.dedup();
        let needed: Duration = asked.iter().map(|&idle| FEWEST_ROUNDS * limits.round(idle)).sum();
        if needed > limits.duration {
            let (slices, seconds) = (2 * limits.contenders, needed.as_secs_f64().ceil());
            return Err(Failure::usage(format!(
                "--idle: {FEWEST_ROUNDS} rounds of {slices} messages with so much idle time take {seconds} s: raise --duration to that, \
                 or name shorter times or fewer ways to --wait"
            )));
        }
        asked
    };
    Ok(share(&idles, limits))
}

/// Gives each idle time an equal part of the duration, and a long one more, so that it too gets its rounds.
fn share(idles: &[Duration], limits: Limits) -> Vec<Step> {
    let mut left = limits.duration;
    let mut steps: Vec<Step> = Vec::new();
    // The longest first: what it does not need is the others'.
    for (at, &idle) in idles.iter().enumerate().rev() {
        let equal = left / (at as u32 + 1);
        let time = (ROUNDS * limits.round(idle)).min(left * 2 / 3).max(equal);
        left = left.saturating_sub(time);
        steps.push(Step { idle, time });
    }
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(seconds: u64, contenders: usize) -> Limits {
        Limits { duration: Duration::from_secs(seconds), contenders }
    }

    fn longest(seconds: u64, contenders: usize) -> Duration {
        steps(&[], limits(seconds, contenders)).unwrap().last().unwrap().idle
    }

    #[test]
    fn decades_go_as_far_as_there_is_time() {
        assert_eq!(longest(15, 3), Duration::from_millis(100));
        assert_eq!(longest(5, 3), Duration::from_millis(10));
        assert_eq!(longest(150, 3), Duration::from_secs(1));
        assert_eq!(longest(1, 1000), Duration::from_micros(1));
    }

    #[test]
    fn a_plan_lasts_as_long_as_it_may() {
        for (seconds, contenders) in [(1, 1), (5, 3), (15, 3), (15, 6), (300, 3)] {
            let steps = steps(&[], limits(seconds, contenders)).unwrap();
            let sum: Duration = steps.iter().map(|step| step.time).sum();
            let duration = Duration::from_secs(seconds);
            assert!(sum <= duration && sum > duration * 9 / 10, "{sum:?} of {duration:?}: {steps:?}");
            assert!(steps.is_sorted_by_key(|step| step.idle));
            for step in steps {
                assert!(step.time >= limits(seconds, contenders).round(step.idle) * 5, "{step:?}");
            }
        }
    }

    #[test]
    fn times_that_do_not_fit_are_refused_and_say_what_they_need() {
        let error = steps(&[Duration::from_secs(1)], limits(15, 3)).unwrap_err();
        assert!(error.code == 2 && error.message.contains("19 s"), "{}", error.message);
        assert_eq!(steps(&[Duration::from_secs(1)], limits(20, 3)).unwrap().len(), 1);
    }

    #[test]
    fn idle_times_come_once_and_in_order() {
        let [a, b] = [Duration::from_micros(5), Duration::from_millis(2)];
        let idles: Vec<_> = steps(&[b, a, b], limits(15, 3)).unwrap().iter().map(|step| step.idle).collect();
        assert_eq!(idles, [a, b]);
    }
}
