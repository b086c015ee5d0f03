//! A thread's own end of the mesh.

use super::error::{Cause, Disconnected};
use super::hub::{Hub, Standing};
use super::lanes::Lanes;
use crate::ring::layout::Stats;
use crate::sync::Arc;
use crate::sync::order::mutant;
use crate::wait::panics::{Panics, wake};
use crate::wait::{Deadline, TimedOut, WaitStrategy, Waiter};
use alloc::sync::Arc as Text;
use core::fmt;
use core::marker::PhantomData;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::task::Waker;

/// A thread's own end of the mesh: a lane to each peer, a lane from each, and one event count for all of them.
///
/// It stays on the thread that joined. Every verb takes `&mut self`: the endpoint is the only writer of its words. Dropping it closes
/// its lanes both ways; what lies in those to it is dropped. Dropped by a panic, it tells its peers so.
pub struct Endpoint<T> {
    pub(super) id: usize,
    pub(super) hub: Arc<Hub>,
    pub(super) lanes: Lanes<T>,
    pub(super) side: Waiter,
    /// Seats that were given up, as far as this endpoint has looked.
    pub(super) noticed: u64,
    /// Polls in vain since the last message, or since the event count was last asked to watch.
    pub(super) idle: u32,
    pub(super) watch_after: u32,
    /// Whether the event count notes what comes, and a look after it was told so found nothing.
    pub(super) watched: bool,
    /// The task that waits, if one does: verbs that wait meanwhile take the event count from it.
    pub(super) task: Option<Waker>,
    parks: u64,
    /// Whether a panic was under way already when this was made.
    panicking: bool,
    here: PhantomData<*mut ()>,
}

/// What one lane each way has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PeerStats {
    /// The lane to the peer, if there is one. `full`, `sender_parks` and `sender_wakes` are this endpoint's.
    pub to: Option<Stats>,
    /// The lane from the peer, if there is one. Sleeps of this endpoint are in [`Endpoint::parks`]: it sleeps for all lanes at once.
    pub from: Option<Stats>,
}

impl<T> Endpoint<T> {
    pub(super) fn new(id: usize, hub: Arc<Hub>, lanes: Lanes<T>, side: Waiter, watch_after: u32) -> Self {
        Self {
            id,
            // What was given up before is found by `notice`.
            noticed: 0,
            hub,
            lanes,
            side,
            idle: 0,
            watch_after,
            watched: false,
            task: None,
            parks: 0,
            panicking: std::thread::panicking(),
            here: PhantomData,
        }
    }

    /// The number by which the peers know this endpoint.
    pub fn id(&self) -> usize {
        self.id
    }

    /// Seats of the mesh, this one too: peers are numbered from 0 to one less.
    pub fn shards(&self) -> usize {
        self.hub.len()
    }

    /// The peers that there is a lane to, ascending, whatever has become of them.
    pub fn peers(&self) -> impl Iterator<Item = usize> {
        self.lanes.out.lanes.iter().map(|lane| lane.to)
    }

    /// The peers that may still send something, as far as this endpoint has looked, ascending.
    pub fn open_peers(&self) -> impl Iterator<Item = usize> {
        self.lanes.inbox.open_peers()
    }

    /// What the lanes to and from `peer` have done. Each look costs the peer one cache miss.
    pub fn stats(&self, peer: usize) -> PeerStats {
        let out = &self.lanes.out;
        PeerStats { to: out.at(peer).map(|at| out.lanes[at].end.ring.stats()), from: self.lanes.inbox.stats(peer) }
    }

    /// Times that this endpoint went to sleep, or announced that it would.
    pub fn parks(&self) -> u64 {
        self.parks
    }

    /// Changes how this endpoint waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.side.set_strategy(strategy);
    }

    /// Sends nothing more: each peer gets what was sent, and then finds this endpoint closed. Receiving goes on.
    pub fn close(&mut self) {
        self.lanes.close_out();
    }

    /// Tells the peers that this shard panicked, and how.
    pub(super) fn poison(&mut self, message: Option<Text<str>>) {
        self.hub.leave(self.id, Standing::Panicked(message));
    }

    /// Says how this endpoint ends, unless that was said before. To be called before the lanes close: who finds one closed asks why; and
    /// before others' code runs, whose panics are not this shard's.
    pub(super) fn say_why(&self) {
        let panics = std::thread::panicking() && !self.panicking;
        self.hub.leave(self.id, if panics { Standing::Panicked(None) } else { Standing::Left });
    }

    /// Waits until `ready`, which must look at everything that it waits for, or until the deadline.
    pub(super) fn wait(
        &mut self,
        deadline: Deadline,
        mut ready: impl FnMut(&mut Lanes<T>) -> bool,
    ) -> Result<(), TimedOut> {
        /// Also by a panic.
        struct HandBack<'a, T>(&'a mut Endpoint<T>);
        impl<T> Drop for HandBack<'_, T> {
            fn drop(&mut self) {
                self.0.hand_back();
            }
        }
        let waits = HandBack(self);
        let own = &mut *waits.0;
        own.unwatch();
        loop {
            let (moved, limit) = (own.lanes.moved(), deadline.earlier(own.hub.limit()));
            let (hub, noticed, lanes) = (&own.hub, own.noticed, &mut own.lanes);
            let ended = own.side.block(limit, moved, |_| ready(lanes) || hub.gave_up_since(noticed));
            own.count_parks();
            own.notice();
            if ready(&mut own.lanes) {
                return Ok(());
            }
            if ended.is_err() && deadline.passed() {
                return Err(TimedOut);
            }
        }
    }

    /// A verb that waited took the event count from a task: it looks again.
    pub(super) fn hand_back(&mut self) {
        if let Some(task) = self.task.take().filter(|_| !mutant!(HandBack)) {
            wake(task);
        }
    }

    pub(super) fn count_parks(&mut self) {
        self.parks += self.side.take_sleeps();
    }

    /// Gives up seats whose time is over, and finds those that others gave up.
    pub(super) fn notice(&mut self) {
        let mut panics = Panics::new();
        panics.catch(|| self.hub.give_up_late());
        let given_up = self.hub.given_up();
        if given_up != self.noticed {
            for peer in (0..self.hub.len()).filter(|&peer| peer != self.id) {
                if self.hub.was_given_up(peer) {
                    // A value that the peer left may panic.
                    panics.catch(|| self.lanes.give_up(peer));
                }
            }
            self.noticed = given_up;
        }
        panics.resume();
    }

    /// A peer that is lost, if there is one of which nobody was told: it panicked, or never joined, and all that it sent has been
    /// received. Those that closed in order are passed over.
    pub fn next_disconnected(&mut self) -> Option<Disconnected> {
        let lost = self.first_lost();
        self.lanes.inbox.forget_ended();
        lost
    }

    /// Whether there is one.
    #[cold]
    pub(super) fn has_lost(&mut self) -> bool {
        self.first_lost().is_some()
    }

    /// The first one, which stays to be told. Forgets those before it, which closed in order.
    fn first_lost(&mut self) -> Option<Disconnected> {
        while let Some(peer) = self.lanes.inbox.first_ended() {
            let gone = self.hub.gone(peer);
            if gone.cause != Cause::Closed {
                return Some(gone);
            }
            self.lanes.inbox.forget_ended();
        }
        None
    }
}

impl<T> Drop for Endpoint<T> {
    fn drop(&mut self) {
        if mutant!(CauseFirst) {
            self.lanes.close(self.side.event());
        }
        self.say_why();
        self.lanes.close(self.side.event());
    }
}

// A panic of the user's code, in a handler or a value's `drop`, leaves the endpoint usable.
impl<T> UnwindSafe for Endpoint<T> {}
impl<T> RefUnwindSafe for Endpoint<T> {}

// Nothing of it is ever pinned.
impl<T> Unpin for Endpoint<T> {}

impl<T> fmt::Debug for Endpoint<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("id", &self.id)
            .field("shards", &self.shards())
            .field("open", &self.lanes.inbox.open())
            .finish_non_exhaustive()
    }
}
