//! The lanes that a shard sends on.

use super::lane_index::LaneIndex;
use crate::channel::RingSender;
use crate::channel::lane::LaneSender;
use crate::error::BuildError;
use crate::try_alloc::room;
use crate::wait::panics::each;
use alloc::vec::Vec;

/// The lanes that a shard sends on.
pub(super) struct Outbox<T> {
    index: LaneIndex,
    pub(super) lanes: Vec<OutLane<T>>,
    /// Lanes that were full at a send, and have had no room since.
    full: Vec<u32>,
    /// Whether one of them got room, which was not reported.
    room: bool,
}

pub(super) struct OutLane<T> {
    pub(super) end: LaneSender<T>,
    pub(super) to: usize,
    /// Whether it is one of [`Outbox::full`].
    full: bool,
    /// Whether the message of a broadcast is still to be sent on it.
    pub(super) pending: bool,
}

impl<T> Outbox<T> {
    /// With room for `lanes`.
    pub(super) fn new(shards: usize, lanes: usize) -> Result<Self, BuildError> {
        Ok(Self { index: LaneIndex::new(shards)?, lanes: room(lanes)?, full: Vec::new(), room: false })
    }

    pub(super) fn add(&mut self, to: usize, end: LaneSender<T>) {
        self.index.set(to, self.lanes.len());
        self.lanes.push(OutLane { end, to, full: false, pending: false });
    }

    /// Where the lane to `peer` is.
    pub(super) fn at(&self, peer: usize) -> Option<usize> {
        self.index.at(peer)
    }

    /// The lane to `peer`.
    #[inline(always)]
    pub(super) fn to(&mut self, peer: usize) -> Option<&mut OutLane<T>> {
        self.index.find(peer, &mut self.lanes)
    }

    /// Notes that a lane was full: [`Outbox::has_news`] is true once it has room.
    pub(super) fn note_full(&mut self, at: usize) {
        if !core::mem::replace(&mut self.lanes[at].full, true) {
            self.full.push(at as u32);
        }
    }

    /// Whether a lane that was full has room now, or never will.
    pub(super) fn has_news(&mut self) -> bool {
        let (lanes, room) = (&mut self.lanes, &mut self.room);
        self.full.retain(|&at| {
            let lane = &mut lanes[at as usize];
            lane.full = !lane.may_send();
            *room |= !lane.full;
            lane.full
        });
        self.room
    }

    /// The room that was found has been reported.
    pub(super) fn forget_room(&mut self) {
        self.room = false;
    }

    /// Whether a lane was full at a send, and has had no room since.
    pub(super) fn waits_for_room(&self) -> bool {
        !self.full.is_empty()
    }

    /// Moves the lanes into memory of the calling thread's, and reserves all memory that this will ever need.
    pub(super) fn rehome(&mut self) {
        let mut lanes = Vec::with_capacity(self.lanes.len());
        lanes.append(&mut self.lanes);
        self.lanes = lanes;
        self.full.reserve(self.lanes.len());
    }

    /// Sends nothing more, and waits for no room.
    pub(super) fn close(&mut self) {
        self.room = false;
        self.full.clear();
        each(&mut self.lanes, |lane| {
            lane.full = false;
            lane.end.close();
        });
    }
}

impl<T> OutLane<T> {
    /// Whether there is room, or never will be.
    pub(super) fn may_send(&mut self) -> bool {
        self.end.has_room() || self.end.is_closed()
    }
}
