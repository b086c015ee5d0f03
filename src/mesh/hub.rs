//! What all seats of a mesh share: their event counts, and what has become of each. Touched when a seat is taken or left, when a verb
//! finds a lane closed, and when one goes to sleep while seats are missing; never by a message.

use super::error::{Cause, Disconnected};
use crate::error::BuildError;
use crate::room::slice;
use crate::sync::order::mutant;
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::wait::panics::each;
use crate::wait::{Deadline, EventCount};
use alloc::boxed::Box;
use alloc::sync::Arc as Text;
use std::sync::PoisonError;

/// The shared part of a mesh.
pub(super) struct Hub {
    places: Box<[Place]>,
    /// Seats that nobody has taken, dropped or given up. A hint.
    missing: AtomicU64,
    /// Seats that were given up. Whoever sees it change looks which.
    given_up: AtomicU64,
    /// When a seat that nobody has taken may be given up.
    until: Deadline,
}

/// One seat, as the others see it.
struct Place {
    event: EventCount,
    /// Behind a mutex, and written before the lanes close: who finds a lane closed and then takes the mutex finds why.
    standing: Mutex<Standing>,
}

/// What has become of a seat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Nobody has taken it yet.
    Empty,
    Joined,
    Left,
    /// Dropped without being taken, or not taken in time.
    NeverJoined,
    Panicked(Option<Text<str>>),
}

impl Hub {
    pub(super) fn new(events: &[EventCount], until: Deadline) -> Result<Self, BuildError> {
        let missing = AtomicU64::new(events.len() as u64);
        let places =
            slice(events.len(), |seat| Place { event: events[seat].clone(), standing: Mutex::new(Standing::Empty) })?;
        Ok(Self { places, missing, given_up: AtomicU64::new(0), until })
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Moves a seat on from where it stands, if `next` says how. Returns what it said.
    fn change(&self, seat: usize, next: impl FnOnce(&Standing) -> Option<Standing>) -> bool {
        let mut standing = self.places[seat].standing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(next) = next(&standing) else { return false };
        if *standing == Standing::Empty {
            self.missing.fetch_sub(1, Ordering::Relaxed);
        }
        *standing = next;
        true
    }

    /// Takes a seat, unless it was given up.
    pub(super) fn join(&self, seat: usize) -> bool {
        self.change(seat, |now| (*now == Standing::Empty).then_some(Standing::Joined))
    }

    /// The owner of a seat goes. To be called before its lanes close. What was said first stands.
    pub(super) fn leave(&self, seat: usize, how: Standing) {
        self.change(seat, |now| matches!(now, Standing::Empty | Standing::Joined).then_some(how));
    }

    /// Whether nobody took that seat, and nobody can any more.
    pub(super) fn was_given_up(&self, seat: usize) -> bool {
        *self.places[seat].standing.lock().unwrap_or_else(PoisonError::into_inner) == Standing::NeverJoined
    }

    /// What became of a peer whose lane is closed.
    pub(super) fn gone(&self, peer: usize) -> Disconnected {
        let cause = match &*self.places[peer].standing.lock().unwrap_or_else(PoisonError::into_inner) {
            Standing::Panicked(message) => Cause::Panicked(message.clone()),
            Standing::NeverJoined => Cause::NeverJoined,
            Standing::Empty | Standing::Joined | Standing::Left => Cause::Closed,
        };
        Disconnected { peer, cause }
    }

    /// When a sleep must end for the sake of seats that nobody has taken; [`Deadline::NEVER`] if none is missing.
    pub(super) fn limit(&self) -> Deadline {
        if self.is_missing() { self.until } else { Deadline::NEVER }
    }

    /// Whether there are seats that nobody has taken, dropped or given up.
    pub(super) fn is_missing(&self) -> bool {
        self.missing.load(Ordering::Relaxed) != 0
    }

    /// How many seats were given up so far. It changes before the event counts ring for it.
    pub(super) fn given_up(&self) -> u64 {
        // Relaxed: the event count's barriers order it for who announced itself, and the mutex of a seat what became of that.
        self.given_up.load(Ordering::Relaxed)
    }

    /// Whether there are more than `noticed`: to be asked between an announcement and the sleep, as the lanes are looked at.
    pub(super) fn gave_up_since(&self, noticed: u64) -> bool {
        !mutant!(GivenUpLooks) && self.given_up() != noticed
    }

    /// Gives up the seats that nobody has taken in time.
    pub(super) fn give_up_late(&self) {
        if !self.limit().passed() {
            return;
        }
        let late = |seat: &usize| self.change(*seat, |now| (*now == Standing::Empty).then_some(Standing::NeverJoined));
        let n = (0..self.places.len()).filter(late).count();
        if n != 0 {
            self.given_up.fetch_add(n as u64, Ordering::Relaxed);
            // A sleeper that announced itself before looks again; one that announces itself later sees the count.
            each(&*self.places, |place| _ = place.event.notify());
        }
    }
}
