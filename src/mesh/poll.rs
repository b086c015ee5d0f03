//! Polling.
//!
//! A poll looks at each lane, and most lanes of a mesh are idle. So after some polls that found nothing, the endpoint has its event count *watch*:
//! it announces itself there, as before a sleep. From then on a poll is one load of the event count's word, for any number of peers. No other thread
//! writes that word until a message comes. The first peer that sends finds the announcement and takes it back; the next poll looks at the lanes again.
//! The event count's protocol holds, with its fences: a poll finds every message that was sent before it.

use super::Endpoint;
use crate::sync::order::mutant;
use core::task::Waker;

/// Polls that find nothing before the event count watches. To begin takes a fence of some microseconds, and other cores an interrupt: so
/// many polls of many lanes cost about as much (`cargo test --release --test idle_mesh -- --nocapture` prints the costs).
pub(super) const WATCH_AFTER: u32 = 256;

/// A look at so few lanes takes no longer than one at the event count. A model has no room for more lanes.
const FEW: usize = if cfg!(ringmail_loom) { 0 } else { 2 };

/// The result of a poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Messages that were handed to the closure.
    pub received: usize,
    /// Whether the budget ended before the messages did.
    pub more: bool,
    /// Whether a peer panicked or never joined: [`Endpoint::next_disconnected`] returns it.
    pub disconnected: bool,
    /// How many peers may still send. If none, and there is no [`more`](Progress::more), no message will come.
    pub open: usize,
}

impl<T> Endpoint<T> {
    /// Hands up to `budget` of the messages that are there to `f`, with the number of the peer that sent each.
    ///
    /// Peers take turns, each of up to [`Builder::budget`](super::Builder::budget) messages. A turn may extend over several polls. So a peer that
    /// sends without end holds up another one for at most one turn. Places are freed, and senders woken, at the end of a turn. A message counts
    /// as received before `f` gets it: if `f` panics, that message is dropped and the others stay.
    ///
    /// Wait-free, if `f` is. A poll that finds nothing looks at each lane. After 256 such polls it loads one word of the endpoint's event count instead,
    /// until a message comes.
    #[inline]
    pub fn poll(&mut self, budget: usize, mut f: impl FnMut(usize, T)) -> Progress {
        let mut left = budget as u64;
        while left != 0 && self.find() {
            left -= self.lanes.inbox.deliver(left, &mut f);
        }
        Progress {
            received: budget - left as usize,
            more: left == 0 && self.find(),
            disconnected: self.lanes.inbox.has_ended() && self.has_disconnected(),
            open: self.lanes.inbox.open(),
        }
    }

    /// Whether there is a message. Passes the turn on if the lane that has it has none.
    #[inline(always)]
    pub(super) fn find(&mut self) -> bool {
        self.lanes.inbox.has_seen() || self.find_next()
    }

    /// The same where the lane that has the turn has no message that was seen.
    #[inline(always)]
    pub(super) fn find_next(&mut self) -> bool {
        if self.watched { !self.waiter.is_quiet() && self.find_woken() } else { self.look() }
    }

    /// Looks at all lanes. Not inlined: a call costs less than the registers that it would take from the caller. All that is rare is a call of
    /// its own, so that this saves no registers either.
    #[inline(never)]
    fn look(&mut self) -> bool {
        if self.lanes.inbox.next_turn() {
            self.idle = 0;
            return true;
        }
        self.idle += 1;
        if self.idle == 1 && self.waiter.is_often() {
            return self.look_fenced();
        }
        self.idle >= self.watch_after && self.watch()
    }

    /// The same once a peer has notified the event count, perhaps only of room. The next watch begins after as many polls again.
    #[cold]
    #[inline(never)]
    fn find_woken(&mut self) -> bool {
        self.unwatch();
        self.look()
    }

    /// The end of a look that found nothing where senders pay for fences.
    #[cold]
    #[inline(never)]
    fn look_fenced(&mut self) -> bool {
        self.waiter.polled(self.lanes.transferred());
        self.idle >= self.watch_after && self.watch()
    }

    /// The event count no longer watches, or is about to be used otherwise.
    #[inline]
    pub(super) fn unwatch(&mut self) {
        (self.watched, self.idle) = (false, 0);
    }

    /// Has the event count watch, if that pays. Whether the look after that found a message.
    #[cold]
    #[inline(never)]
    fn watch(&mut self) -> bool {
        self.idle = 0;
        self.reap_late();
        // A task that waits has its own waker in the event count; and while threads are missing a poll has to look at the clock.
        let pays = self.lanes.inbox.open() > FEW && self.task.is_none() && !self.shared.is_missing();
        if !pays || !self.waiter.watch(self.lanes.transferred()) {
            return false;
        }
        let found = !mutant!(WatchLooks) && self.lanes.inbox.next_turn();
        // The last empty seat may have been given up since `reap_late`, and the event count been notified of that before it watched.
        self.watched = !found && !self.shared.gave_up_since(self.given_up_seen);
        if !self.watched {
            self.waiter.disarm(Waker::noop());
        }
        found
    }
}
