//! The lanes that a shard receives from. They take turns.

use super::lane_index::LaneIndex;
use crate::channel::lane::LaneReceiver;
use crate::channel::message::Message;
use crate::channel::{Free, RingReceiver, look_at_next};
use crate::error::BuildError;
use crate::try_alloc::{room, slice};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The lanes that a shard receives from.
pub(super) struct Inbox<T> {
    index: LaneIndex,
    pub(super) lanes: Vec<InLane<T>>,
    /// The lane that has the turn, as long as it has messages that were seen.
    current: usize,
    /// Most messages of a turn.
    budget: u64,
    ends: Ends,
}

pub(super) struct InLane<T> {
    pub(super) end: LaneReceiver<T>,
    from: usize,
    /// Whether nothing will come, as far as this shard has looked.
    over: bool,
}

/// How many lanes are over, and which of these ends are to be reported.
struct Ends {
    /// Lanes that are not over.
    open: usize,
    /// The lanes that are over, in the order in which they were found to be: `noted` of them, of which `reported` were reported.
    lanes: Box<[u32]>,
    noted: usize,
    reported: usize,
}

impl Ends {
    /// Lane `at` is over. Makes no call, so that a look at all lanes keeps its registers.
    #[inline(always)]
    fn note(&mut self, at: usize, over: &mut bool) {
        if !core::mem::replace(over, true) {
            self.open -= 1;
            if let Some(lane) = self.lanes.get_mut(self.noted) {
                *lane = at as u32;
                self.noted += 1;
            }
        }
    }
}

impl<T> Inbox<T> {
    /// With room for `lanes`.
    pub(super) fn new(shards: usize, lanes: usize, budget: u32) -> Result<Self, BuildError> {
        let ends = Ends { open: 0, lanes: slice(lanes, |_| 0)?, noted: 0, reported: 0 };
        let (index, lanes, budget) = (LaneIndex::new(shards)?, room(lanes)?, u64::from(budget.max(1)));
        Ok(Self { index, lanes, current: 0, budget, ends })
    }

    pub(super) fn add(&mut self, from: usize, end: LaneReceiver<T>) {
        self.index.set(from, self.lanes.len());
        self.lanes.push(InLane { end, from, over: false });
        self.ends.open += 1;
    }

    /// Where the lane from `peer` is.
    pub(super) fn at(&self, peer: usize) -> Option<usize> {
        self.index.at(peer)
    }

    /// How many lanes may still have messages, as far as this shard has looked.
    #[inline(always)]
    pub(super) fn open(&self) -> usize {
        self.ends.open
    }

    /// Whether the lane that has the turn has messages that were seen.
    #[inline(always)]
    pub(super) fn has_seen(&self) -> bool {
        self.lanes.get(self.current).is_some_and(|lane| lane.end.ring.seen() != 0)
    }

    /// Whether there is a message. Passes the turn on if the lane that has it has none.
    #[inline(always)]
    pub(super) fn find(&mut self) -> bool {
        self.has_seen() || self.next_turn()
    }

    /// Passes the turn to the next lane that has a message. Whether there is one.
    #[inline(always)]
    pub(super) fn next_turn(&mut self) -> bool {
        let mut at = self.current;
        loop {
            at += 1;
            let lane = match self.lanes.get_mut(at) {
                Some(lane) => lane,
                None => {
                    at = 0;
                    let Some(first) = self.lanes.first_mut() else { return false };
                    first
                }
            };
            // A lane that is over may have its closed tail, which is another word than `head`.
            if lane.end.ring.tail_moved() && !lane.over {
                if lane.end.ring.refresh_tail_limited(self.budget) {
                    // Of one message it would prefetch nothing.
                    if lane.end.ring.seen() > 1 {
                        lane.end.ring.prefetch();
                    }
                    self.current = at;
                    return true;
                }
                if lane.end.ring.is_over() {
                    self.ends.note(at, &mut lane.over);
                }
            }
            if at == self.current {
                return false;
            }
        }
    }

    /// Nothing more comes on lane `at`.
    pub(super) fn end(&mut self, at: usize) {
        self.ends.note(at, &mut self.lanes[at].over);
    }

    /// The first peer whose lane is over, which was not reported.
    pub(super) fn first_ended(&self) -> Option<usize> {
        self.has_ended().then(|| self.lanes[self.ends.lanes[self.ends.reported] as usize].from)
    }

    /// That peer has been reported, or needs no report.
    pub(super) fn forget_ended(&mut self) {
        self.ends.reported += usize::from(self.has_ended());
    }

    #[inline(always)]
    pub(super) fn has_ended(&self) -> bool {
        self.ends.reported != self.ends.noted
    }

    /// Whether a receiving verb has something to return other than "empty".
    pub(super) fn has_news(&mut self) -> bool {
        self.find() || self.has_ended() || self.ends.open == 0
    }

    /// The next message of the lane that has the turn, if one was seen, and the peer that sent it.
    #[inline(always)]
    pub(super) fn next_seen(&mut self) -> Option<(usize, Message<'_, T>)> {
        let lane = self.lanes.get_mut(self.current)?;
        let from = lane.from;
        Some((from, lane.end.next_seen()?))
    }

    /// Lends the next message of the lane that has the turn to `look`, if one was seen. Then drops it and frees its place.
    #[inline(always)]
    pub(super) fn look_at_next<R>(&mut self, look: impl FnOnce(usize, &T) -> R) -> Option<R> {
        let lane = self.lanes.get_mut(self.current)?;
        look_at_next(&mut lane.end, |message| look(lane.from, message))
    }

    /// Hands up to `limit` of the messages that were seen in the lane that has the turn to `f`, then frees their places together.
    pub(super) fn deliver(&mut self, limit: u64, f: &mut impl FnMut(usize, T)) -> u64 {
        let Some(lane) = self.lanes.get_mut(self.current) else { return 0 };
        let n = lane.end.ring.seen().min(limit);
        let freeing = Free(&mut lane.end);
        for _ in 0..n {
            freeing.0.take(|message| f(lane.from, message));
        }
        n
    }

    /// The next message of lane `at`, which need not have the turn.
    pub(super) fn next_of(&mut self, at: usize) -> Option<Message<'_, T>> {
        let lane = &mut self.lanes[at];
        if lane.end.ring.seen() == 0 && !lane.over {
            lane.end.ring.refresh_tail_limited(self.budget);
        }
        lane.end.next_seen()
    }

    /// Whether lane `at` has a message, or never will.
    pub(super) fn has_news_of(&mut self, at: usize) -> bool {
        self.next_of(at).is_some() || self.is_over(at)
    }

    pub(super) fn is_over(&self, at: usize) -> bool {
        self.lanes[at].over || self.lanes[at].end.is_over()
    }

    /// Peers whose lanes may still have messages, as far as this shard has looked.
    pub(super) fn open_peers(&self) -> impl Iterator<Item = usize> {
        self.lanes.iter().filter(|lane| !lane.over).map(|lane| lane.from)
    }

    /// Has the kernel make the slots of all lanes present, near this thread's core.
    pub(super) fn prefault(&self) {
        // A kernel that cannot do this makes them present when messages come.
        let _ = self.lanes.first().map(|lane| lane.end.ring.backend().prefault_row());
    }

    pub(super) fn stats(&self, peer: usize) -> Option<crate::Stats> {
        self.at(peer).map(|at| self.lanes[at].end.stats())
    }

    /// Moves the lanes into memory of the calling thread's, and reserves all memory that this will ever need.
    pub(super) fn rehome(&mut self) {
        let mut lanes = Vec::with_capacity(self.lanes.len());
        lanes.append(&mut self.lanes);
        self.lanes = lanes;
    }
}
