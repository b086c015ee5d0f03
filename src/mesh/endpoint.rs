//! A shard's end of the mesh.

use super::error::{Cause, Disconnected};
use super::lanes::Lanes;
use super::shared::{PeerState, Shared};
use crate::ring::layout::Stats;
use crate::sync::Arc;
use crate::sync::OnDrop;
use crate::sync::order::mutant;
use crate::wait::panics::{Panics, wake};
use crate::wait::{Deadline, TimedOut, WaitStrategy, Waiter};
use alloc::sync::Arc as Text;
use core::fmt;
use core::marker::PhantomData;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::task::Waker;

/// A shard's end of the mesh: a lane to each peer, a lane from each, and one event count for all of them.
///
/// It stays on the thread that joined. Every verb takes `&mut self`, so that the endpoint is the only writer of its words.
///
/// Dropping it closes its lanes both ways, and drops the messages that it has not received. If a panic drops it, its peers find
/// [`Cause::Panicked`].
pub struct Endpoint<T> {
    pub(super) id: usize,
    pub(super) shared: Arc<Shared>,
    pub(super) lanes: Lanes<T>,
    pub(super) waiter: Waiter,
    /// Seats that were given up, as far as this endpoint has looked.
    pub(super) given_up_seen: u64,
    /// Wakes by threads without a seat, as far as they were reported.
    pub(super) wakes_seen: u64,
    /// Polls that found nothing since the last message, or since the event count last began to watch.
    pub(super) idle: u32,
    pub(super) watch_after: u32,
    /// Whether the event count watches the lanes: it notes that something has come, and a look after it began found nothing.
    pub(super) watched: bool,
    /// The task that waits, if one does. Another verb that waits meanwhile takes the event count from it.
    pub(super) task: Option<Waker>,
    parks: u64,
    /// Whether a panic was under way already when this was made.
    panicking: bool,
    not_send: PhantomData<*mut ()>,
}

/// Counters of the two lanes between an endpoint and a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PeerStats {
    /// The lane to the peer, if there is one. `full`, `sender_parks` and `sender_wakes` are this endpoint's.
    pub to: Option<Stats>,
    /// The lane from the peer, if there is one. `receiver_parks` stays 0: an endpoint sleeps for all lanes at once, see [`Endpoint::parks`].
    pub from: Option<Stats>,
}

impl<T> Endpoint<T> {
    pub(super) fn new(id: usize, shared: Arc<Shared>, lanes: Lanes<T>, waiter: Waiter, watch_after: u32) -> Self {
        Self {
            id,
            // `reap_late` finds the seats that were given up before.
            given_up_seen: 0,
            wakes_seen: 0,
            shared,
            lanes,
            waiter,
            idle: 0,
            watch_after,
            watched: false,
            task: None,
            parks: 0,
            panicking: std::thread::panicking(),
            not_send: PhantomData,
        }
    }

    /// The number by which the peers know this endpoint.
    pub fn id(&self) -> usize {
        self.id
    }

    /// The number of shards of the mesh, this one included: they are numbered from 0.
    pub fn shards(&self) -> usize {
        self.shared.len()
    }

    /// The peers that there is a lane to, ascending, also those that are disconnected.
    pub fn peers(&self) -> impl Iterator<Item = usize> {
        self.lanes.out.lanes.iter().map(|lane| lane.to)
    }

    /// The peers that may still send something, as far as this endpoint has looked, ascending.
    pub fn open_peers(&self) -> impl Iterator<Item = usize> {
        self.lanes.inbox.open_peers()
    }

    /// Counters of the lanes to and from `peer`. Each call costs the peer one cache miss.
    pub fn stats(&self, peer: usize) -> PeerStats {
        let out = &self.lanes.out;
        PeerStats { to: out.at(peer).map(|at| out.lanes[at].end.ring.stats()), from: self.lanes.inbox.stats(peer) }
    }

    /// How often this endpoint went to sleep, or announced that it would.
    pub fn parks(&self) -> u64 {
        self.parks
    }

    /// Changes how this endpoint waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.waiter.set_strategy(strategy);
    }

    /// Sends nothing more: each peer receives what was sent, and then finds this endpoint closed. This endpoint can still receive.
    pub fn close(&mut self) {
        self.lanes.out.close();
    }

    /// Reports to the peers that this shard panicked, and the message of the panic.
    pub(super) fn poison(&mut self, message: Option<Text<str>>) {
        self.shared.leave(self.id, PeerState::Panicked(message));
    }

    /// Records how this endpoint ends, unless that was recorded before. To be called before the lanes close, as a peer that finds a lane closed
    /// asks for the cause; and before code of wakers and messages runs, whose panics are not this shard's.
    pub(super) fn record_end(&self) {
        let panics = std::thread::panicking() && !self.panicking;
        self.shared.leave(self.id, if panics { PeerState::Panicked(None) } else { PeerState::Left });
    }

    /// Waits until `ready`, which must look at everything that it waits for, or until the deadline.
    pub(super) fn wait(
        &mut self,
        deadline: Deadline,
        mut ready: impl FnMut(&mut Lanes<T>) -> bool,
    ) -> Result<(), TimedOut> {
        self.wait_for(deadline, |lanes, _| ready(lanes))
    }

    /// The same where `ready` looks at what the shards share, too.
    pub(super) fn wait_for(
        &mut self,
        deadline: Deadline,
        mut ready: impl FnMut(&mut Lanes<T>, &Shared) -> bool,
    ) -> Result<(), TimedOut> {
        // Also by a panic.
        let waking = OnDrop(self, Self::wake_task);
        let own = &mut *waking.0;
        own.unwatch();
        loop {
            let (moved, limit) = (own.lanes.transferred(), deadline.earlier(own.shared.limit()));
            let (shared, seen, lanes) = (&own.shared, own.given_up_seen, &mut own.lanes);
            let ended = own.waiter.block(limit, moved, |_| ready(lanes, shared) || shared.gave_up_since(seen));
            own.count_parks();
            own.reap_late();
            if ready(&mut own.lanes, &own.shared) {
                return Ok(());
            }
            if ended.is_err() && deadline.passed() {
                return Err(TimedOut);
            }
        }
    }

    /// Wakes the task from which a verb that waited took the event count: the task looks again.
    pub(super) fn wake_task(&mut self) {
        if let Some(task) = self.task.take().filter(|_| !mutant!(HandBack)) {
            wake(task);
        }
    }

    pub(super) fn count_parks(&mut self) {
        self.parks += self.waiter.take_sleeps();
    }

    /// Gives up the seats that no thread joined in time, and finds those that peers gave up.
    pub(super) fn reap_late(&mut self) {
        let mut panics = Panics::new();
        panics.catch(|| self.shared.give_up_late());
        let given_up = self.shared.given_up();
        if given_up != self.given_up_seen {
            for peer in (0..self.shared.len()).filter(|&peer| peer != self.id) {
                if self.shared.was_given_up(peer) {
                    // A value that the peer left may panic.
                    panics.catch(|| self.lanes.give_up(peer));
                }
            }
            self.given_up_seen = given_up;
        }
        panics.resume();
    }

    /// The next peer that panicked or never joined, if there is one that was not reported before. All that the peer sent has been received.
    ///
    /// Each such peer is reported once, by this or by a receiving verb. Peers that closed in order are not reported.
    pub fn next_disconnected(&mut self) -> Option<Disconnected> {
        let disconnected = self.first_disconnected();
        self.lanes.inbox.forget_ended();
        disconnected
    }

    /// Whether there is one.
    #[cold]
    pub(super) fn has_disconnected(&mut self) -> bool {
        self.first_disconnected().is_some()
    }

    /// The first one, which stays unreported. Forgets the peers before it, which closed in order.
    fn first_disconnected(&mut self) -> Option<Disconnected> {
        while let Some(peer) = self.lanes.inbox.first_ended() {
            let gone = self.shared.disconnected(peer);
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
            self.lanes.close(self.waiter.event());
        }
        self.record_end();
        self.lanes.close(self.waiter.event());
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
