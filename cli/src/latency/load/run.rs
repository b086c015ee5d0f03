//! The rates of a run, one after the other.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::latency::session::Session;
use crate::measure::load::sweep::{Seen, Sweep};
use crate::measure::load::{Arrival, Job, Pacing, Step};
use crate::render::format;
use crate::report::LoadStep;

/// A rate of a sweep that seems to be above the knee is measured so often: on a machine that others use, one of them may have stopped it.
const TRIES: u32 = 3;

/// Drawn only between rates: on a small machine, drawing takes a core that is being measured.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        let hidden = quiet || !std::io::stderr().is_terminal();
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Self(ProgressBar::with_draw_target(None, target))
    }

    fn show(&self, rate_per_s: f64) {
        self.0.set_message(format!("measuring at {}", format::rate(rate_per_s)));
        self.0.tick();
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// What was measured; with a reason if it ended early because of one.
pub(super) struct Measured {
    pub(super) steps: Vec<LoadStep>,
    pub(super) knee_per_s: Option<f64>,
    pub(super) failure: Option<String>,
}

pub(super) struct Run<'a> {
    pub(super) job: &'a Job,
    pub(super) session: &'a Session,
    pub(super) arrival: Arrival,
    pub(super) time: Duration,
    pub(super) seed: u64,
    pub(super) progress: Progress,
}

impl Run<'_> {
    /// `None` if nothing arrived, as after an early Ctrl-C.
    fn step(&self, rate_per_s: f64, tries: u32) -> Result<Option<LoadStep>, String> {
        self.progress.show(rate_per_s);
        let warm_up = (self.time / 5).clamp(Duration::from_millis(10), Duration::from_millis(200));
        let (arrival, time, seed) = (self.arrival, self.time, self.seed);
        let step = Step { rate_per_s, arrival, pacing: Pacing::Open, warm_up, time, seed };
        let outcome = self.job.run(&step).map_err(|reason| format!("at {}: {reason}", format::rate(rate_per_s)))?;
        let report = outcome.report(&step, tries, self.session.clock_info.quantum_ns);
        if report.is_none() && !self.session.is_stopped() {
            let reason = "no message was due; raise --duration or --rate";
            return Err(format!("at {}: {reason}", format::rate(rate_per_s)));
        }
        Ok(report)
    }

    pub(super) fn rates(&self, rates: &[f64]) -> Measured {
        let mut rates = rates.to_vec();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let mut measured = Measured { steps: vec![], knee_per_s: None, failure: None };
        for rate in rates {
            match self.step(rate, 1) {
                Ok(step) => measured.steps.extend(step),
                Err(reason) => measured.failure = Some(reason),
            }
            if measured.failure.is_some() || self.session.is_stopped() {
                break;
            }
        }
        measured
    }

    pub(super) fn sweep(&self) -> Measured {
        let mut sweep = Sweep::new();
        let mut measured = Measured { steps: vec![], knee_per_s: None, failure: None };
        while let Some(rate) = sweep.next() {
            match self.best_of(&sweep, rate) {
                Ok(Some(step)) => {
                    // A step that was cut short says nothing about its rate.
                    if !self.session.is_stopped() {
                        sweep.add(Seen::of(&step));
                    }
                    measured.steps.push(step);
                }
                Ok(None) => break,
                Err(reason) => measured.failure = Some(reason),
            }
            if measured.failure.is_some() || self.session.is_stopped() {
                break;
            }
        }
        measured.steps.sort_by(|a, b| a.planned_per_s.total_cmp(&b.planned_per_s));
        measured.knee_per_s = sweep.knee_per_s();
        measured
    }

    /// The first try that is below the knee, or else that with the lowest p90 of those that were reached, if any was.
    fn best_of(&self, sweep: &Sweep, rate: f64) -> Result<Option<LoadStep>, String> {
        let mut best: Option<LoadStep> = None;
        for tries in 1..=TRIES {
            let Some(step) = self.step(rate, tries)? else { break };
            let seen = Seen::of(&step);
            let key = |seen: Seen| (!seen.reached, seen.p90_ns);
            if best.as_ref().is_none_or(|best| key(seen) < key(Seen::of(best))) {
                best = Some(step);
            }
            if !sweep.is_above(seen) || self.session.is_stopped() {
                break;
            }
        }
        Ok(best)
    }
}
