//! All lanes of one shard.

use super::inbox::Inbox;
use super::outbox::Outbox;
use crate::channel::RingSender;
use crate::channel::lane::refuse;
use crate::sync::order::mutant;
use crate::wait::EventCount;
use crate::wait::panics::{Panics, each};

/// All lanes of one shard.
pub(super) struct Lanes<T> {
    pub(super) out: Outbox<T>,
    pub(super) inbox: Inbox<T>,
}

impl<T> Lanes<T> {
    /// Moves the handles into memory of the calling thread's, and reserves all memory that they will ever need.
    pub(super) fn rehome(&mut self) {
        self.out.rehome();
        self.inbox.rehome();
    }

    /// Whether there may be something to do. A lane that is over counts.
    pub(super) fn is_ready(&mut self) -> bool {
        self.inbox.find() || self.inbox.has_ended() || self.out.has_news() || self.is_over()
    }

    /// Whether nothing will ever be to do.
    pub(super) fn is_over(&self) -> bool {
        self.inbox.open() == 0 && !self.out.waits_for_room()
    }

    /// Messages that this shard has sent and received, for measuring how often it sleeps.
    pub(super) fn transferred(&self) -> u64 {
        let sent = self.out.lanes.iter().map(|lane| lane.end.ring.sent());
        let received = self.inbox.lanes.iter().map(|lane| lane.end.ring.received());
        sent.chain(received).fold(0, u64::wrapping_add)
    }

    /// Accepts nothing more, and then sends nothing more. In this order: a peer that finds the lane from this shard closed finds the lane to it
    /// closed too. `own` is the event count of this shard.
    pub(super) fn close(&mut self, own: &EventCount) {
        if mutant!(LeaveRefuses) {
            self.out.close();
        }
        // One barrier for all lanes.
        refuse(&mut self.inbox.lanes, |lane| &mut lane.end.ring, own);
        let mut panics = Panics::new();
        panics.catch(|| each(&self.inbox.lanes, |lane| lane.end.wake_to_close()));
        panics.catch(|| self.out.close());
        panics.resume();
    }

    /// A peer's seat was given up: no message comes from there, and none can be sent there.
    pub(super) fn give_up(&mut self, peer: usize) {
        let mut panics = Panics::new();
        if let Some(lane) = self.out.to(peer) {
            panics.catch(|| lane.end.close());
        }
        if let Some(at) = self.inbox.at(peer) {
            self.inbox.end(at);
        }
        panics.resume();
    }
}
