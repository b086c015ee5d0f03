//! All lanes of one seat.

use super::inbox::Inbox;
use super::outbox::Outbox;
use crate::channel::RingSender;
use crate::channel::lane::refuse;
use crate::error::BuildError;
use crate::room::slice;
use crate::sync::order::mutant;
use crate::wait::EventCount;
use crate::wait::panics::{Panics, each};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// No lane, where a lane's index is expected.
const NONE: u32 = u32::MAX;

/// All lanes of a seat.
pub(super) struct Lanes<T> {
    pub(super) out: Outbox<T>,
    pub(super) inbox: Inbox<T>,
}

impl<T> Lanes<T> {
    /// Moves the handles into memory of the calling thread's, with all the room that they will ever need.
    pub(super) fn settle_here(&mut self) {
        fn here<L>(lanes: &mut Vec<L>) {
            let mut fresh = Vec::with_capacity(lanes.len());
            fresh.append(lanes);
            *lanes = fresh;
        }
        here(&mut self.out.lanes);
        here(&mut self.inbox.lanes);
        self.out.reserve();
        self.inbox.reserve();
    }

    /// Whether there may be something to do: a lane that is over counts.
    pub(super) fn is_ready(&mut self) -> bool {
        self.inbox.find() || self.inbox.has_ended() || self.out.has_news() || self.is_over()
    }

    /// Whether nothing will ever happen.
    pub(super) fn is_over(&self) -> bool {
        self.inbox.open() == 0 && !self.out.waits_for_room()
    }

    /// Messages that this seat has sent and received, for measuring how often it sleeps.
    pub(super) fn moved(&self) -> u64 {
        let sent = self.out.lanes.iter().map(|lane| lane.end.ring.sent());
        let received = self.inbox.lanes.iter().map(|lane| lane.end.ring.received());
        sent.chain(received).fold(0, u64::wrapping_add)
    }

    /// Sends nothing more, and waits for no room.
    pub(super) fn close_out(&mut self) {
        self.out.close();
    }

    /// Accepts nothing more, and sends nothing more. In this order: a peer that finds no more messages from here is refused, too. `own` is the
    /// event count of this seat.
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

    /// A peer's seat was given up: nothing comes from there, and nothing goes.
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

/// By peer: no lane yet.
pub(super) fn no_lanes(shards: usize) -> Result<Box<[u32]>, BuildError> {
    slice(shards, |_| NONE)
}

/// Where in a table made by [`no_lanes`] the lane of a peer is.
#[inline(always)]
pub(super) fn lane_at(index: &[u32], peer: usize) -> Option<usize> {
    index.get(peer).filter(|&&at| at != NONE).map(|&at| at as usize)
}
