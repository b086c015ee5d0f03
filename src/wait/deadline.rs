//! When a wait times out.

use core::time::Duration;
use std::time::Instant;

/// When a wait times out, if ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NEVER: Self = Self(None);

    pub(crate) fn at(instant: Instant) -> Self {
        Self(Some(instant))
    }

    /// A timeout whose end the clock cannot express never passes.
    pub(crate) fn after(timeout: Option<Duration>) -> Self {
        Self(timeout.and_then(|t| Instant::now().checked_add(t)))
    }

    /// The earlier of the two.
    pub(crate) fn earlier(self, other: Self) -> Self {
        Self(match (self.0, other.0) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        })
    }

    /// Reads the clock only if there is a deadline.
    pub(crate) fn passed(self) -> bool {
        self.0.is_some_and(|at| Instant::now() >= at)
    }

    /// Whether it had passed at `now`.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn passed_at(self, now: Instant) -> bool {
        self.0.is_some_and(|at| now >= at)
    }

    pub(crate) fn left(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }
}

/// The deadline passed.
#[derive(Debug)]
pub(crate) struct TimedOut;
