//! When a message expires.

use core::time::Duration;

/// The time at which a message is not worth reading any more.
///
/// On Linux it is a time of `CLOCK_MONOTONIC`, so it means the same in every process of a machine (of a time namespace) until that starts again, and it does not run while the
/// machine is suspended. Elsewhere it means something in this process only. A message of plain data holds it as
/// [`to_bits`](Expiry::to_bits).
///
/// ```
/// use ringmail::broadcast::Expiry;
/// use std::time::Duration;
/// assert!(!Expiry::after(Duration::from_secs(60)).is_past());
/// assert!(Expiry::after(Duration::ZERO).is_past());
/// assert!(!Expiry::NEVER.is_past());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Expiry(u64);

impl Expiry {
    /// It does not expire.
    pub const NEVER: Self = Self(u64::MAX);

    /// In `age` from now. An age too long for the clock is for ever.
    ///
    /// Reads the clock: several messages that are sent together may have the same.
    pub fn after(age: Duration) -> Self {
        let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        Self(now().saturating_add(age))
    }

    /// Whether it has expired.
    pub fn is_past(self) -> bool {
        self != Self::NEVER && self.is_past_at(now())
    }

    /// As a number, for a field of a message that is plain data.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The one of which [`to_bits`](Expiry::to_bits) gave this number.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The same at a time that [`now`] gave.
    pub(super) const fn is_past_at(self, now: u64) -> bool {
        self.0 <= now
    }
}

/// [`Expiry::NEVER`].
impl Default for Expiry {
    fn default() -> Self {
        Self::NEVER
    }
}

/// Nanoseconds of the clock that [`Expiry`] names.
#[cfg(target_os = "linux")]
pub(super) fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // 584 years after the start of the machine it would end.
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(not(target_os = "linux"))]
pub(super) fn now() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_nanos() as u64
}
