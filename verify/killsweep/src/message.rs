//! A message whose words all hold the same number, so that a torn one is seen; and the events that a child reports to the driver.

use ringmail::shm::bytes::RecordInfo;
use ringmail::shm::{Message, Schema};
use std::io::Write;

/// A row of 64 bytes, five words, and three bytes: each of the ways in which a message is stored in more than one step.
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

/// Bytes of a ring of 15 words, of 16 in the storage: any three records fit, and no four.
pub(crate) const RECORDS: usize = 15 * 8;

/// The body of a record of this number: a whole word, or less, or both; four or five words with what is before it.
pub(crate) fn body(number: u64) -> Vec<u8> {
    (0..1 + number as usize * 5 % 16).map(|i| number.to_le_bytes()[i % 8]).collect()
}

/// The number of a record, if it is whole: all parts of it say the same.
pub(crate) fn check_record(info: &RecordInfo, found: &[u8]) -> Result<u64, String> {
    let number = info.sequence + 1;
    let whole = info.kind == number as u16 && info.version == number as u32 && info.len == found.len();
    if whole && found == body(number) { Ok(number) } else { Err(format!("torn: {info:?} {found:?}")) }
}

/// What a child reports before and after each of its steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Event {
    /// Its side is open: of a sender, with the lane's session.
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
    /// Begins to remove the channel.
    Removing,
    /// Was told that the file is gone; closes in order.
    Removed,
    /// Its side is of another file than the driver's; closes in order.
    Apart,
    /// Has come to its end, past so many points.
    Finished,
    /// Saw what must not be: a code.
    Wrong,
}

impl Event {
    const ALL: [Self; 15] = [
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
        Self::Removing,
        Self::Removed,
        Self::Apart,
        Self::Finished,
        Self::Wrong,
    ];

    pub(crate) fn decode(bytes: [u8; 8]) -> Option<(Self, u64)> {
        let word = u64::from_le_bytes(bytes);
        let event = Self::ALL.into_iter().find(|&event| event as u64 == word >> 56)?;
        Some((event, word & ((1 << 56) - 1)))
    }
}

/// A number and its lane, packed into the number of an event.
pub(crate) fn on_lane(lane: usize, number: u64) -> u64 {
    (lane as u64) << 48 | number
}

/// The two again.
pub(crate) fn of_lane(told: u64) -> (usize, u64) {
    ((told >> 48) as usize, told & ((1 << 48) - 1))
}

/// Reports an event to the driver, at once.
pub(crate) fn report(what: Event, number: u64) {
    let mut out = std::io::stdout().lock();
    let word = (what as u64) << 56 | number;
    // Without a driver there is nothing to do.
    if out.write_all(&word.to_le_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(3);
    }
}
