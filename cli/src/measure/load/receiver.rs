//! The receiving side, and what it records.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::Times;
use super::sender::{END, times_of};
use crate::measure::clock::Clock;
use crate::measure::round_trip::StopReason;
use crate::measure::stats;
use crate::measure::subject::ReceivingEnd;

/// Intervals are about this long, and not more than so many.
const INTERVAL: Duration = Duration::from_millis(20);
const INTERVALS: u128 = 100;

/// What a receiver records. All memory is there before the step.
pub(crate) struct Samples {
    /// From when a message was due.
    pub(crate) response: Histogram<u64>,
    /// From when it was sent.
    pub(crate) service: Histogram<u64>,
    /// Responses of the messages that were due in each interval.
    intervals: Vec<Histogram<u64>>,
    interval_ns: u64,
    /// Messages that arrived, by their clocks, before they were sent.
    pub(crate) before_sent: u64,
    /// All messages, also those of the warm-up.
    pub(super) received: u64,
}

impl Samples {
    pub(super) fn new(time: Duration) -> Self {
        let count = (time.as_nanos() / INTERVAL.as_nanos()).clamp(1, INTERVALS);
        // Two digits are enough for a curve, and small enough for the caches.
        let small = || Histogram::new_with_bounds(1, stats::LONGEST_NS, 2);
        let small = || small().expect("the bounds are constants that hdrhistogram accepts");
        Self {
            response: stats::histogram(),
            service: stats::histogram(),
            intervals: (0..count).map(|_| small()).collect(),
            interval_ns: (time.as_nanos().div_ceil(count) as u64).max(1),
            before_sent: 0,
            received: 0,
        }
    }

    /// Makes all memory present, on the thread that will write it.
    pub(super) fn touch(&mut self) {
        self.response.reset();
        self.service.reset();
        self.intervals.iter_mut().for_each(Histogram::reset);
    }

    #[inline]
    fn record(&mut self, since_from_ns: u64, response_ns: u64, service_ns: u64) {
        self.response.saturating_record(response_ns);
        self.service.saturating_record(service_ns);
        if let Some(interval) = self.intervals.get_mut((since_from_ns / self.interval_ns) as usize) {
            interval.saturating_record(response_ns);
        }
    }

    /// Per interval that has any: its end in seconds, p50 and maximum in ns.
    pub(super) fn over_time(&self) -> Vec<[f64; 3]> {
        let filled = self.intervals.iter().enumerate().filter(|(_, interval)| !interval.is_empty());
        filled
            .map(|(at, interval)| {
                let end_s = (at as u64 + 1) as f64 * self.interval_ns as f64 / 1e9;
                [end_s, interval.value_at_quantile(0.5) as f64, interval.max() as f64]
            })
            .collect()
    }

    /// The middle of the intervals' p90. A stop of the machine is in one or two of them, and a queue that grows is in all.
    pub(super) fn typical_p90_ns(&self) -> f64 {
        let filled = self.intervals.iter().filter(|interval| !interval.is_empty());
        let mut each: Vec<f64> = filled.map(|interval| interval.value_at_quantile(0.9) as f64).collect();
        stats::percentile(&mut each, 0.5).unwrap_or(0.0)
    }
}

/// Receives until every sender has sent its last. Nothing in here allocates or prints.
pub(super) fn receive<const N: usize>(
    end: &mut dyn ReceivingEnd<N>,
    senders: usize,
    times: &Times,
    clock: &Clock,
    samples: &mut Samples,
) -> Result<(), StopReason> {
    let mut open = senders;
    while open > 0 {
        let message = end.receive(times.deadline)?;
        let now_ns = clock.ns(times.epoch, clock.raw_after_loads());
        let (start_ns, sent_ns) = times_of(&message)?;
        if start_ns == END {
            open -= 1;
            continue;
        }
        samples.received += 1;
        if let Some(since_from_ns) = start_ns.checked_sub(times.from_ns) {
            samples.before_sent += u64::from(now_ns < sent_ns);
            samples.record(since_from_ns, now_ns.saturating_sub(start_ns), now_ns.saturating_sub(sent_ns));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message each 50 µs for a second.
    fn recorded(response_ns: impl Fn(u64) -> u64) -> Samples {
        let mut samples = Samples::new(Duration::from_secs(1));
        samples.touch();
        (0..20_000).map(|at| at * 50_000).for_each(|due_ns| samples.record(due_ns, response_ns(due_ns), 100));
        samples
    }

    #[test]
    fn one_stop_is_in_p99_and_not_in_the_typical_p90() {
        let stop = |due_ns: u64| 100 + 515_000_000_u64.saturating_sub(due_ns) * u64::from(due_ns >= 500_000_000);
        let samples = recorded(stop);
        assert!(samples.response.value_at_quantile(0.99) > 4_000_000);
        assert!(samples.typical_p90_ns() < 110.0, "{}", samples.typical_p90_ns());
        let over_time = samples.over_time();
        assert_eq!(over_time.len(), 50);
        let longest = over_time.iter().position(|[_, _, max]| *max > 14e6).unwrap();
        assert_eq!((longest, over_time[longest][0]), (25, 0.52));
        // A queue that grows is in both.
        assert!(recorded(|due_ns| due_ns / 10).typical_p90_ns() > 49e6);
    }

    #[test]
    fn what_is_late_beyond_the_last_interval_still_counts() {
        let mut samples = Samples::new(Duration::from_millis(70));
        samples.record(69_999_999, 5, 5);
        samples.record(70_000_001, 20_000_000_000, 5);
        assert_eq!((samples.response.len(), samples.over_time().len()), (2, 1));
        assert!((samples.response.max() as f64 / 1e10 - 1.0).abs() < 1e-3);
    }
}
