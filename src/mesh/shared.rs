//! What all shards of a mesh share: their event counts, and the state of each as its peers see it.
//!
//! No message touches it. A seat touches it when a thread joins it or when it is dropped, a verb when it finds a lane closed, and an endpoint when it
//! goes to sleep while threads are missing.

use super::error::{Cause, Disconnected};
use crate::error::BuildError;
use crate::sync::order::{mutant, order};
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::try_alloc::slice;
use crate::wait::panics::each;
use crate::wait::{Deadline, EventCount};
use alloc::boxed::Box;
use alloc::sync::Arc as Text;
use std::sync::PoisonError;

/// The shared part of a mesh.
pub(super) struct Shared {
    shards: Box<[Shard]>,
    /// Seats that are [`PeerState::Empty`]. A hint.
    missing: AtomicU64,
    /// Seats that were given up. An endpoint that sees it change looks which ones.
    given_up: AtomicU64,
    /// When a seat that is empty may be given up.
    join_deadline: Deadline,
}

/// One shard, as its peers see it.
struct Shard {
    event: EventCount,
    /// Wakes by threads that have no seat.
    wakes: AtomicU64,
    /// Behind a mutex, and written before the lanes close: a peer that finds a lane closed and then takes the mutex finds the cause.
    state: Mutex<PeerState>,
}

/// What has become of a shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum PeerState {
    /// No thread has joined the seat yet.
    Empty,
    Joined,
    /// The endpoint was dropped.
    Left,
    /// The seat was dropped, or no thread joined it in time.
    NeverJoined,
    Panicked(Option<Text<str>>),
}

impl Shared {
    pub(super) fn new(events: &[EventCount], join_deadline: Deadline) -> Result<Self, BuildError> {
        let missing = AtomicU64::new(events.len() as u64);
        let shards = slice(events.len(), |id| Shard {
            event: events[id].clone(),
            wakes: AtomicU64::new(0),
            state: Mutex::new(PeerState::Empty),
        })?;
        Ok(Self { shards, missing, given_up: AtomicU64::new(0), join_deadline })
    }

    pub(super) fn len(&self) -> usize {
        self.shards.len()
    }

    /// Sets the state of shard `id` to what `next` makes of it; to nothing else if that is `None`. Returns whether it was set.
    fn change(&self, id: usize, next: impl FnOnce(&PeerState) -> Option<PeerState>) -> bool {
        let mut state = self.shards[id].state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(next) = next(&state) else { return false };
        if *state == PeerState::Empty {
            self.missing.fetch_sub(1, Ordering::Relaxed);
        }
        *state = next;
        true
    }

    /// A thread joins seat `id`. `false` if the seat was given up.
    pub(super) fn join(&self, id: usize) -> bool {
        self.change(id, |state| (*state == PeerState::Empty).then_some(PeerState::Joined))
    }

    /// Shard `id` ends as `how`, unless it has ended before. To be called before its lanes close.
    pub(super) fn leave(&self, id: usize, how: PeerState) {
        self.change(id, |state| matches!(state, PeerState::Empty | PeerState::Joined).then_some(how));
    }

    /// Whether no thread joined that seat, and none can join it any more.
    pub(super) fn was_given_up(&self, id: usize) -> bool {
        *self.shards[id].state.lock().unwrap_or_else(PoisonError::into_inner) == PeerState::NeverJoined
    }

    /// Why a peer is disconnected whose lane is closed.
    pub(super) fn disconnected(&self, peer: usize) -> Disconnected {
        let cause = match &*self.shards[peer].state.lock().unwrap_or_else(PoisonError::into_inner) {
            PeerState::Panicked(message) => Cause::Panicked(message.clone()),
            PeerState::NeverJoined => Cause::NeverJoined,
            PeerState::Empty | PeerState::Joined | PeerState::Left => Cause::Closed,
        };
        Disconnected { peer, cause }
    }

    /// When a sleep must end so that empty seats can be given up; [`Deadline::NEVER`] if none is empty.
    pub(super) fn limit(&self) -> Deadline {
        if self.is_missing() { self.join_deadline } else { Deadline::NEVER }
    }

    /// Whether there are empty seats.
    pub(super) fn is_missing(&self) -> bool {
        self.missing.load(Ordering::Relaxed) != 0
    }

    /// How many seats were given up so far. It changes before the event counts are notified of that.
    pub(super) fn given_up(&self) -> u64 {
        // Relaxed: the event count's barriers order it for an endpoint that has announced its sleep, and the mutex of a shard the state of that.
        self.given_up.load(Ordering::Relaxed)
    }

    /// Whether there are more than `seen`. To be asked between an announcement and the sleep, as the lanes are looked at.
    pub(super) fn gave_up_since(&self, seen: u64) -> bool {
        !mutant!(GivenUpLooks) && self.given_up() != seen
    }

    /// A thread without a seat wakes shard `id`.
    pub(super) fn wake(&self, id: usize) {
        let shard = &self.shards[id];
        // A read-modify-write: a later wake carries on what an earlier one publishes.
        shard.wakes.fetch_add(1, order!(wake_shard));
        shard.event.notify();
    }

    /// Wakes of shard `id` so far. Between an announcement and the sleep it is to be asked as the lanes are looked at.
    pub(super) fn wakes(&self, id: usize) -> u64 {
        self.shards[id].wakes.load(order!(see_wakes))
    }

    /// Gives up the seats that no thread has joined in time.
    pub(super) fn give_up_late(&self) {
        if !self.limit().passed() {
            return;
        }
        let is_late =
            |id: &usize| self.change(*id, |state| (*state == PeerState::Empty).then_some(PeerState::NeverJoined));
        let n = (0..self.shards.len()).filter(is_late).count();
        if n != 0 {
            self.given_up.fetch_add(n as u64, Ordering::Relaxed);
            // An endpoint that announced its sleep before looks again; one that announces it later sees the count.
            each(&*self.shards, |shard| _ = shard.event.notify());
        }
    }
}
