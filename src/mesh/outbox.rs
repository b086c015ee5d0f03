//! The lanes that a seat sends on.

use super::lanes::{lane_at, no_lanes};
use crate::channel::RingSender;
use crate::channel::lane::LaneSender;
use crate::error::BuildError;
use crate::room::room;
use crate::wait::panics::each;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The lanes that a seat sends on.
pub(super) struct Outbox<T> {
    /// By peer: the lane's index, if there is one.
    index: Box<[u32]>,
    pub(super) lanes: Vec<OutLane<T>>,
    /// Lanes that answered "full" and have not shown room since.
    full: Vec<u32>,
    /// Whether one of them has shown room, and nobody was told.
    room: bool,
}

pub(super) struct OutLane<T> {
    pub(super) end: LaneSender<T>,
    pub(super) to: usize,
    /// Whether it is among those that are full.
    full: bool,
    /// Whether a broadcast still owes it a message.
    pub(super) owed: bool,
}

impl<T> Outbox<T> {
    /// With room for `lanes`.
    pub(super) fn new(shards: usize, lanes: usize) -> Result<Self, BuildError> {
        Ok(Self { index: no_lanes(shards)?, lanes: room(lanes)?, full: Vec::new(), room: false })
    }

    pub(super) fn add(&mut self, to: usize, end: LaneSender<T>) {
        self.index[to] = self.lanes.len() as u32;
        self.lanes.push(OutLane { end, to, full: false, owed: false });
    }

    /// Where the lane to `peer` is.
    #[inline(always)]
    pub(super) fn at(&self, peer: usize) -> Option<usize> {
        lane_at(&self.index, peer)
    }

    #[inline(always)]
    pub(super) fn to(&mut self, peer: usize) -> Option<&mut OutLane<T>> {
        let at = self.at(peer)?;
        self.lanes.get_mut(at)
    }

    /// Notes that a lane answered "full": [`Outbox::has_news`] is true once it has room.
    pub(super) fn note_full(&mut self, at: usize) {
        if !core::mem::replace(&mut self.lanes[at].full, true) {
            self.full.push(at as u32);
        }
    }

    /// Whether a lane that answered "full" has room now, or never will.
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

    /// The room that was found has been told.
    pub(super) fn forget_room(&mut self) {
        self.room = false;
    }

    /// Whether a lane that answered "full" has not shown room since.
    pub(super) fn waits_for_room(&self) -> bool {
        !self.full.is_empty()
    }

    /// Makes room for all that it will ever note.
    pub(super) fn reserve(&mut self) {
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
        self.end.ring.room(1) != 0 || self.end.ring.is_closed()
    }
}
