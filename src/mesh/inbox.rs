//! The lanes that a seat receives from, in turn.

use super::lanes::{lane_at, no_lanes};
use crate::channel::lane::LaneReceiver;
use crate::channel::message::Message;
use crate::channel::{Free, RingReceiver};
use crate::error::BuildError;
use crate::room::room;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// The lanes that a seat receives from.
pub(super) struct Inbox<T> {
    /// By peer: the lane's index, if there is one.
    index: Box<[u32]>,
    pub(super) lanes: Vec<InLane<T>>,
    /// Whose turn it is: as long as it has messages that it has seen.
    current: usize,
    /// Most messages of a turn.
    turn: u64,
    /// Lanes that may still bring something.
    open: usize,
    /// Lanes that are over, and nobody was told.
    ended: VecDeque<u32>,
}

pub(super) struct InLane<T> {
    pub(super) end: LaneReceiver<T>,
    from: usize,
    over: bool,
}

impl<T> Inbox<T> {
    /// With room for `lanes`.
    pub(super) fn new(shards: usize, lanes: usize, turn: u32) -> Result<Self, BuildError> {
        let (index, lanes, turn) = (no_lanes(shards)?, room(lanes)?, u64::from(turn.max(1)));
        Ok(Self { index, lanes, current: 0, turn, open: 0, ended: VecDeque::new() })
    }

    pub(super) fn add(&mut self, from: usize, end: LaneReceiver<T>) {
        self.index[from] = self.lanes.len() as u32;
        self.lanes.push(InLane { end, from, over: false });
        self.open += 1;
    }

    /// Where the lane from `peer` is.
    pub(super) fn at(&self, peer: usize) -> Option<usize> {
        lane_at(&self.index, peer)
    }

    /// Lanes that may still bring something.
    #[inline(always)]
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Whether the lane whose turn it is has messages that were seen.
    #[inline(always)]
    pub(super) fn has_seen(&self) -> bool {
        self.lanes.get(self.current).is_some_and(|lane| lane.end.ring.seen() != 0)
    }

    /// Whether there is a message: finds whose turn it is.
    #[inline(always)]
    pub(super) fn find(&mut self) -> bool {
        self.has_seen() || self.next_turn()
    }

    /// Gives the turn to the next lane that has a message. Whether there is one.
    #[inline(never)]
    pub(super) fn next_turn(&mut self) -> bool {
        for _ in 0..self.lanes.len() {
            self.current = if self.current + 1 < self.lanes.len() { self.current + 1 } else { 0 };
            let lane = &mut self.lanes[self.current];
            if lane.over || !lane.end.ring.may_have_news() {
                continue;
            }
            // A turn is what the lane sees of its messages.
            if lane.end.ring.refresh_tail_limited(self.turn) {
                lane.end.ring.prefetch();
                return true;
            }
            if lane.end.is_over() {
                self.end(self.current);
            }
        }
        false
    }

    /// The lane brings nothing more.
    pub(super) fn end(&mut self, at: usize) {
        if !core::mem::replace(&mut self.lanes[at].over, true) {
            self.open -= 1;
            self.ended.push_back(at as u32);
        }
    }

    /// A peer whose lane is over, of which nobody was told.
    pub(super) fn first_ended(&self) -> Option<usize> {
        self.ended.front().map(|&at| self.lanes[at as usize].from)
    }

    /// It was told.
    pub(super) fn forget_ended(&mut self) {
        self.ended.pop_front();
    }

    pub(super) fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Whether a receiving verb has something to say.
    pub(super) fn has_news(&mut self) -> bool {
        self.find() || self.has_ended() || self.open == 0
    }

    /// The next message of the lane whose turn it is, and from whom, if one was seen.
    #[inline(always)]
    pub(super) fn next_seen(&mut self) -> Option<(usize, Message<'_, T>)> {
        let lane = self.lanes.get_mut(self.current)?;
        let from = lane.from;
        Some((from, lane.end.next_seen()?))
    }

    /// Hands up to `limit` of the messages that the lane whose turn it is has seen to `f`, then frees their places together.
    pub(super) fn hand_over(&mut self, limit: u64, f: &mut impl FnMut(usize, T)) -> u64 {
        let Some(lane) = self.lanes.get_mut(self.current) else { return 0 };
        let n = lane.end.ring.seen().min(limit);
        let freeing = Free(&mut lane.end);
        for _ in 0..n {
            let Some(value) = freeing.0.take() else { break };
            f(lane.from, value);
        }
        n
    }

    /// The next message of one lane, which does not have to have the turn.
    pub(super) fn next_of(&mut self, at: usize) -> Option<Message<'_, T>> {
        let lane = &mut self.lanes[at];
        if lane.end.ring.seen() == 0 && !lane.over {
            lane.end.ring.refresh_tail_limited(self.turn);
        }
        lane.end.next_seen()
    }

    /// Whether one lane has a message, or never will.
    pub(super) fn has_news_of(&mut self, at: usize) -> bool {
        self.next_of(at).is_some() || self.is_over(at)
    }

    pub(super) fn is_over(&self, at: usize) -> bool {
        self.lanes[at].over || self.lanes[at].end.is_over()
    }

    /// Peers that may still bring something.
    pub(super) fn open_peers(&self) -> impl Iterator<Item = usize> {
        self.lanes.iter().filter(|lane| !lane.over).map(|lane| lane.from)
    }

    /// Has the kernel make the slots of all lanes present, near this thread's core.
    pub(super) fn prefault(&self) {
        // A kernel that does not do it makes them present when messages come.
        let _ = self.lanes.first().map(|lane| lane.end.ring.backing().prefault_row());
    }

    pub(super) fn stats(&self, peer: usize) -> Option<crate::Stats> {
        self.at(peer).map(|at| self.lanes[at].end.stats())
    }

    /// Makes room for all that it will ever note.
    pub(super) fn reserve(&mut self) {
        self.ended.reserve(self.lanes.len());
    }
}
