//! Known latencies and known stops through the harness of `load`: what it must report.
//!
//! ```text
//!   a receiver that stops for 10 ms in every 100, at a steady rate:
//!
//!     response                      1 in 10 messages is due during a stop; their responses fall from 10 ms to 0
//!      10 ms |\        |\           so p95 of all is 5 ms, and p99 is 9 ms
//!          0 | \_______| \_______
//! ```
//!
//! The channel is small: during a stop it fills, and the sender is held up. A harness that counts from when a message was sent, and waits a
//! gap after that for the next (a closed loop), sends nothing meanwhile and reports next to nothing. The last check makes sure of that.

use std::time::Duration;

use super::load::{Arrival, Job, Outcome, Pacing, Step};
use super::subject::inject::{DELAY, EVERY, Fault, STOP};
use super::subject::{self, Kind};

/// Messages per second: one every 50 µs, far below what any subject takes, and many per stop.
const RATE_PER_S: f64 = 20_000.0;
/// So many percent may be missing from what was expected, or be too much.
const TOLERANCE: f64 = 0.1;
/// Of a channel that a stop fills.
const SMALL: usize = 16;

/// One check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Each message is held back for so long.
    Delay(Kind),
    /// The receiver stops for a while, again and again.
    ReceiverStop(Kind),
    /// The sender does.
    SenderStop(Kind),
    /// A rate at which messages come faster than the delay lets them go.
    Unreachable(Kind),
    /// [`Check::ReceiverStop`] of a harness that is a closed loop: it must fail.
    ClosedLoop(Kind),
}

/// One figure: what it must be, and what it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Finding {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) expected: f64,
    pub(crate) seen: f64,
    /// It may be off by so much.
    slack: f64,
}

/// Of a [`Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Ns,
    PerSecond,
}

impl Finding {
    fn time(name: &'static str, expected_ns: f64, seen_ns: f64, quantum_ns: f64) -> Self {
        let slack = TOLERANCE * expected_ns + quantum_ns;
        Self { name, unit: Unit::Ns, expected: expected_ns, seen: seen_ns, slack }
    }

    fn is_right(&self) -> bool {
        (self.seen - self.expected).abs() <= self.slack
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) is_right: bool,
    pub(crate) findings: Vec<Finding>,
    /// Times that the kernel took a core away meanwhile, where it says so: reason enough for a wrong figure.
    pub(crate) preemptions: u64,
}

/// The checks of a run: all of every subject, or with `quick` the least that a change of the harness must pass.
pub(crate) fn checks(quick: bool) -> Vec<Check> {
    let all: Vec<Kind> = subject::OWN.into_iter().chain(subject::PEERS).filter(|kind| kind.is_built()).collect();
    let kinds = if quick { &all[..1] } else { &all };
    let mut checks: Vec<Check> =
        kinds.iter().flat_map(|&kind| [Check::Delay(kind), Check::ReceiverStop(kind)]).collect();
    checks.extend([Check::SenderStop(Kind::Spsc), Check::Unreachable(Kind::Spsc), Check::ClosedLoop(Kind::Spsc)]);
    checks
}

impl Check {
    /// What is done, in words.
    pub(crate) fn name(self) -> String {
        let (delay, stop, every) = (DELAY.as_micros(), STOP.as_millis(), EVERY.as_millis());
        match self {
            Self::Delay(kind) => format!("{}: each message is held back for {delay} µs", kind.name()),
            Self::ReceiverStop(kind) => format!("{}: the receiver stops for {stop} ms in every {every}", kind.name()),
            Self::SenderStop(kind) => format!("{}: the sender stops for {stop} ms in every {every}", kind.name()),
            Self::Unreachable(kind) => format!("{}: a rate that {delay} µs a message do not allow", kind.name()),
            Self::ClosedLoop(_) => "a closed loop is caught: it does not find the receiver's stops".to_owned(),
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Delay(kind)
            | Self::ReceiverStop(kind)
            | Self::SenderStop(kind)
            | Self::Unreachable(kind)
            | Self::ClosedLoop(kind) => kind,
        }
    }

    /// Does it once, for about `time`, on the cores of `job`.
    pub(crate) fn run(self, job: &Job, time: Duration, quantum_ns: f64) -> Result<Verdict, String> {
        let job = &Job { kind: self.kind(), ..job.clone() };
        let warm_up = Duration::from_millis(20);
        let step =
            Step { rate_per_s: RATE_PER_S, arrival: Arrival::Constant, pacing: Pacing::Open, warm_up, time, seed: 1 };
        let short = Step { time: time / 4, ..step };
        let mut preemptions = 0;
        let mut run = |job: &Job, step: &Step, fault| {
            let outcome = job.run_with(step, fault)?;
            preemptions += outcome.effects.preemptions.unwrap_or(0);
            Ok::<_, String>(outcome)
        };
        let (is_right, findings) = match self {
            Self::Delay(_) => {
                let (own, delay_ns) = (run(job, &short, Fault::None)?, DELAY.as_nanos() as f64);
                let seen_ns = at(&run(job, &short, Fault::Delayed)?, 0.5);
                let found = Finding::time("p50", at(&own, 0.5) + delay_ns, seen_ns, quantum_ns);
                // Otherwise the delay would be too little of the whole to be seen.
                (found.is_right() && at(&own, 0.5) < delay_ns, vec![found])
            }
            Self::ReceiverStop(_) => all_right(stops(&run(&small(job), &step, Fault::ReceiverStops)?, quantum_ns)),
            Self::SenderStop(_) => all_right(stops(&run(job, &step, Fault::SenderStops)?, quantum_ns)),
            Self::ClosedLoop(_) => {
                let closed = Step { pacing: Pacing::Closed, ..step };
                let findings = stops(&run(&small(job), &closed, Fault::ReceiverStops)?, quantum_ns);
                // Wrong, and for the reason that it must be: too little is seen.
                let hides = findings[0].seen < findings[0].expected / 2.0;
                (hides && !findings[0].is_right(), findings)
            }
            Self::Unreachable(_) => {
                let most_per_s = 1.0 / DELAY.as_secs_f64();
                let asked = Step { rate_per_s: 2.0 * most_per_s, ..short };
                let step =
                    run(job, &asked, Fault::Delayed)?.report(&asked, 1, quantum_ns).ok_or("no message arrived")?;
                // What the harness itself takes comes on top of the delay.
                let slack = 2.0 * TOLERANCE * most_per_s;
                let (expected, seen) = (most_per_s, step.sent_per_s);
                let rate = Finding { name: "sent", unit: Unit::PerSecond, expected, seen, slack };
                (rate.is_right() && !step.reached, vec![rate])
            }
        };
        Ok(Verdict { is_right, findings, preemptions })
    }
}

fn all_right(findings: Vec<Finding>) -> (bool, Vec<Finding>) {
    (findings.iter().all(Finding::is_right), findings)
}

fn small(job: &Job) -> Job {
    let mut job = job.clone();
    job.setup.capacity = SMALL;
    job
}

fn at(outcome: &Outcome, quantile: f64) -> f64 {
    outcome.samples.response.value_at_quantile(quantile) as f64
}

/// What stops must show.
fn stops(outcome: &Outcome, quantum_ns: f64) -> Vec<Finding> {
    let share = STOP.as_secs_f64() / EVERY.as_secs_f64();
    let of = |name, quantile: f64| {
        let expected_ns = STOP.as_nanos() as f64 * (1.0 - (1.0 - quantile) / share);
        Finding::time(name, expected_ns, at(outcome, quantile), quantum_ns)
    };
    vec![of("p95", 0.95), of("p99", 0.99)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_checked_and_a_closed_loop_last() {
        let all = checks(false);
        for kind in subject::OWN.into_iter().filter(|kind| kind.is_built()) {
            assert!(all.contains(&Check::Delay(kind)) && all.contains(&Check::ReceiverStop(kind)), "{kind:?}");
        }
        assert_eq!(all.last(), Some(&Check::ClosedLoop(Kind::Spsc)));
        assert!(checks(true).len() < all.len());
    }

    #[test]
    fn a_finding_is_right_within_a_tenth_and_a_step_of_the_clock() {
        let of = |seen| Finding::time("p50", 5_000.0, seen, 10.0).is_right();
        assert!(of(5_000.0) && of(5_510.0) && of(4_490.0));
        assert!(!of(5_511.0) && !of(4_489.0) && !of(0.0));
    }
}
