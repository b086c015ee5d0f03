//! A message whose words all say the same, so that a torn one is seen, and what a child tells its parent.

use ringmail::shm::{Message, Schema};
use std::io::Write;

/// A row of 64 bytes, five words, and three bytes: each of the ways in which a message is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, zerocopy::TryFromBytes, zerocopy::IntoBytes, zerocopy::Immutable)]
#[repr(transparent)]
pub(crate) struct Words([u8; 107]);

impl Message for Words {
    const SCHEMA: Schema = Schema::new("killsweep");
}

impl Words {
    pub(crate) fn new(number: u64) -> Self {
        Self(std::array::from_fn(|i| number.to_le_bytes()[i % 8]))
    }

    /// Its number, if it is whole.
    pub(crate) fn number(self) -> Result<u64, String> {
        let number = u64::from_le_bytes(std::array::from_fn(|i| self.0[i]));
        if self == Self::new(number) { Ok(number) } else { Err(format!("torn: {:?}", self.0)) }
    }
}

/// What a child says of itself, before and after each of its steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Told {
    /// Its side is open.
    Opened = 1,
    /// Begins to send up to this one.
    Sending,
    /// Has sent up to this one.
    Sent,
    /// Begins a receive.
    Receiving,
    /// That has returned this one.
    Received,
    /// Begins a receive by a handler.
    Handling,
    /// Which was given this one.
    Handled,
    /// Which has returned.
    Freed,
    /// Begins to close.
    Closing,
    /// Has closed.
    Closed,
    /// Has come to its end, past so many points.
    Finished,
    /// Saw what must not be: a code.
    Wrong,
}

impl Told {
    const ALL: [Self; 12] = [
        Self::Opened,
        Self::Sending,
        Self::Sent,
        Self::Receiving,
        Self::Received,
        Self::Handling,
        Self::Handled,
        Self::Freed,
        Self::Closing,
        Self::Closed,
        Self::Finished,
        Self::Wrong,
    ];

    pub(crate) fn decode(bytes: [u8; 8]) -> Option<(Self, u64)> {
        let word = u64::from_le_bytes(bytes);
        let told = Self::ALL.into_iter().find(|&told| told as u64 == word >> 56)?;
        Some((told, word & ((1 << 56) - 1)))
    }
}

/// Tells the parent, at once.
pub(crate) fn tell(what: Told, number: u64) {
    let mut out = std::io::stdout().lock();
    let word = (what as u64) << 56 | number;
    // A parent that is gone has no use for us.
    if out.write_all(&word.to_le_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(3);
    }
}
