//! Polling: what the shard of a runtime does all day.
//!
//! A poll looks at each lane, and most lanes of a mesh are idle. So an endpoint that has polled in vain for a while has its own event count note
//! whether anything comes, as a sleeper would, and from then on a poll is one look at the event count, whatever the number of peers: a line of
//! this endpoint's that nobody writes while nothing arrives. Whoever sends finds the event count hung up and takes the note off it, once; the
//! next poll then looks at the lanes again. It is the event count's protocol, barrier and all: what was sent before the poll is found by it.

use super::Endpoint;
use crate::sync::order::mutant;
use core::task::Waker;

/// Polls in vain before the event count watches. The barrier that it takes costs some microseconds, and other cores an interrupt: so
/// many polls of many lanes cost about as much (`tests/timing/idle_mesh.rs` prints the costs).
pub(super) const WATCH_AFTER: u32 = 256;

/// So few lanes are looked at as fast as the event. A model has no room for more.
const FEW: usize = if cfg!(ringmail_loom) { 0 } else { 2 };

/// What a poll did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Messages handed over.
    pub received: usize,
    /// Whether the budget ended before the messages did.
    pub more: bool,
    /// Whether a peer was lost: [`Endpoint::next_disconnected`] says which.
    pub lost: bool,
    /// Peers that may still send something. With none left, and no [`more`](Progress::more), nothing will ever come.
    pub open: usize,
}

impl<T> Endpoint<T> {
    /// Hands up to `budget` of the messages that are there to `f`, with the number of the peer that sent each.
    ///
    /// Peers take turns, each up to [`Builder::budget`](super::Builder::budget) messages, across polls too: one that sends without end holds up
    /// another for one turn at most. Places are freed, and senders woken, at the end of a turn. A message counts as received
    /// before `f` sees it: if `f` panics, that one is gone and the rest stay.
    ///
    /// Never waits. A poll in vain looks at each lane; after some hundred in vain it looks only at the endpoint's own event count, until
    /// something comes.
    #[inline]
    pub fn poll(&mut self, budget: usize, mut f: impl FnMut(usize, T)) -> Progress {
        let mut left = budget as u64;
        while left != 0 && self.find() {
            left -= self.lanes.inbox.hand_over(left, &mut f);
        }
        Progress {
            received: budget - left as usize,
            more: left == 0 && self.find(),
            lost: self.lanes.inbox.has_ended() && self.has_lost(),
            open: self.lanes.inbox.open(),
        }
    }

    /// Whether there is a message: finds whose turn it is.
    #[inline(always)]
    pub(super) fn find(&mut self) -> bool {
        self.lanes.inbox.has_seen() || !(self.watched && self.side.is_quiet()) && self.look()
    }

    /// Looks at all lanes.
    #[inline(never)]
    fn look(&mut self) -> bool {
        if self.watched {
            // Something rang, perhaps only for room: the barrier of the next watch must be earned anew.
            self.unwatch();
        }
        if self.lanes.inbox.next_turn() {
            self.idle = 0;
            return true;
        }
        if self.idle == 0 {
            self.side.polled(|| self.lanes.moved());
        }
        self.idle += 1;
        if self.idle < self.watch_after {
            return false;
        }
        self.idle = 0;
        self.watch()
    }

    /// The event count no longer watches, or is about to be used for something else.
    #[inline]
    pub(super) fn unwatch(&mut self) {
        (self.watched, self.idle) = (false, 0);
    }

    /// Has the event count watch, if that pays. Whether the look after that found something.
    #[cold]
    fn watch(&mut self) -> bool {
        self.notice();
        // A task that waits has its own waker in the event count; and while seats are missing somebody has to look at the clock.
        let pays = self.lanes.inbox.open() > FEW && self.task.is_none() && !self.hub.is_missing();
        if !pays || !self.side.watch(self.lanes.moved()) {
            return false;
        }
        let found = !mutant!(WatchLooks) && self.lanes.inbox.next_turn();
        // The last missing seat may have been given up since `notice`, and the event count rung for it before it watched.
        self.watched = !found && !self.hub.gave_up_since(self.noticed);
        if !self.watched {
            self.side.disarm(Waker::noop());
        }
        found
    }
}
