//! The sending side of a channel of any kind.

use std::time::Duration;

use ringmail::shm::bytes::{SendTimeoutError, Sender};
use ringmail::shm::{self, Cause, OpenError, Peer};

use crate::failure::Failure;

/// The sending side of a channel.
pub(super) trait Outlet {
    /// Longest record.
    fn max_len(&self) -> usize;

    /// The option with which a channel takes longer ones.
    fn longer(&self) -> &'static str;

    /// Sends a record of at most [`Outlet::max_len`] bytes, waiting for room for at most `timeout`.
    fn send(&mut self, record: &[u8], timeout: Duration) -> Result<Sent, Failure>;

    /// Whether the channel's file is gone. A system call or more.
    fn is_removed(&self) -> bool;

    /// Receivers that are there; as many as any may wait for where that is not known.
    fn receivers(&self) -> usize {
        usize::MAX
    }

    /// Whether receivers have all that was sent and that they are to get.
    fn is_received(&self) -> bool;

    /// Reports what happened to receivers, if this side is not to end for it. To be called now and then.
    fn report(&mut self) {}

    /// Ends the session: in order, or not.
    fn end(self: Box<Self>, in_order: bool);
}

/// Whether `name` is no more that of the channel that this process sends to, for a side that cannot tell: then another process is its sender, or there is none.
pub(super) fn has_lost_name(name: &str) -> bool {
    match shm::inspect(name) {
        Ok(seen) => seen.lanes.iter().all(|lane| lane.sender.pid != std::process::id()),
        Err(error) => matches!(error, OpenError::NotFound { .. }),
    }
}

/// What became of a record.
pub(super) enum Sent {
    Yes,
    /// There was no room in time.
    NotYet,
    /// The same, as a receiver has ended.
    Ended(Cause),
}

/// To one receiver.
pub(super) struct ToOne {
    tx: Sender,
    /// Words that were sent before this session.
    began: u64,
}

impl ToOne {
    pub(super) fn new(tx: Sender) -> Self {
        let began = tx.stats().sent;
        Self { tx, began }
    }
}

impl Outlet for ToOne {
    fn max_len(&self) -> usize {
        self.tx.max_len()
    }

    fn longer(&self) -> &'static str {
        "--capacity"
    }

    fn send(&mut self, record: &[u8], timeout: Duration) -> Result<Sent, Failure> {
        let tx = &mut self.tx;
        match tx.send_timeout(record, timeout) {
            Ok(()) => Ok(Sent::Yes),
            Err(SendTimeoutError::Timeout) => Ok(Sent::NotYet),
            // That receiver belonged to the session before. It was about to leave when this command opened the channel.
            Err(SendTimeoutError::Disconnected(Cause::Closed)) if tx.stats().received <= self.began => Ok(Sent::NotYet),
            // A receiver that leaves because the file is gone closes in order.
            Err(SendTimeoutError::Disconnected(_)) if tx.peer() == Peer::Removed => Ok(Sent::Ended(Cause::Removed)),
            Err(SendTimeoutError::Disconnected(ended)) => Ok(Sent::Ended(ended)),
            Err(SendTimeoutError::TooLarge(error)) => Err(Failure::failed(error.to_string())),
            // No other errors exist.
            Err(error) => Err(Failure::failed(error.to_string())),
        }
    }

    fn is_removed(&self) -> bool {
        self.tx.peer() == Peer::Removed
    }

    fn is_received(&self) -> bool {
        let stats = self.tx.stats();
        stats.received >= stats.sent
    }

    fn end(mut self: Box<Self>, in_order: bool) {
        match in_order {
            true => self.tx.close(),
            false => self.tx.give_up(),
        }
    }
}
