//! When a wait gives up.

use core::time::Duration;
use std::time::Instant;

/// When to give up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NEVER: Self = Self(None);

    pub(crate) fn at(instant: Instant) -> Self {
        Self(Some(instant))
    }

    /// A timeout so long that the clock cannot express its end is for ever.
    pub(crate) fn after(timeout: Option<Duration>) -> Self {
        Self(timeout.and_then(|t| Instant::now().checked_add(t)))
    }

    /// The first of the two.
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
