//! The names of reserved seats. Touched when a reserved seat is made, taken or given up, and when a name is asked for.

use super::consumer::Consumer;
use super::join::Start;
use super::memory::{Member, Memory};
use super::seat::SeatRef;
use crate::error::BuildError;
use crate::sync::{Mutex, MutexGuard};
use crate::try_alloc::{missing, room};
use crate::wait::EventCount;
use alloc::string::String;
use alloc::vec::Vec;
use std::sync::PoisonError;

/// Reserved seats, in the order in which they were made.
pub(super) struct Names(Mutex<Vec<Named>>);

struct Named {
    name: String,
    seat: SeatRef,
    before: Vec<SeatRef>,
}

/// Why a reserved seat was not given.
pub(crate) enum Refused {
    Taken,
    Unknown,
    Occupied,
    OtherEvent,
    Build(BuildError),
}

impl From<BuildError> for Refused {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}

impl Names {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Named>> {
        // A panic under the lock leaves the list as it was.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Consumer<T> {
    /// A consumer on a seat that stays when it leaves, under a name that no other such seat has.
    pub(crate) fn reserve(
        member: Member<T>,
        name: &str,
        start: Start<'_>,
        before: &[SeatRef],
    ) -> Result<Self, Refused> {
        let mut kept = room(before.len())?;
        kept.extend_from_slice(before);
        let mut text = String::new();
        text.try_reserve_exact(name.len()).map_err(|_| missing::<u8>(name.len()))?;
        text.push_str(name);
        let other = member.clone();
        let mut names = other.memory().names.lock();
        if names.iter().any(|named| named.name == name) {
            return Err(Refused::Taken);
        }
        names.try_reserve(1).map_err(|_| missing::<Named>(1))?;
        let mut consumer = Self::join(member, start, before)?.ok_or(Refused::Occupied)?;
        names.push(Named { name: text, seat: consumer.seat_ref(), before: kept });
        consumer.reserved = true;
        // A waker may use the names, and panic: the seat is reserved by now.
        drop(names);
        consumer.tell_join();
        Ok(consumer)
    }

    /// A consumer on the vacant seat of this name.
    pub(crate) fn take_reserved(member: Member<T>, name: &str, event: Option<&EventCount>) -> Result<Self, Refused> {
        let other = member.clone();
        let names = other.memory().names.lock();
        let named = names.iter().find(|named| named.name == name).ok_or(Refused::Unknown)?;
        if event.is_some_and(|event| !event.is_same(&other.memory().seat(named.seat.seat).event)) {
            return Err(Refused::OtherEvent);
        }
        let mut consumer = Self::join(member, Start::At(named.seat), &named.before)?.ok_or(Refused::Occupied)?;
        consumer.reserved = true;
        drop(names);
        consumer.tell_join();
        Ok(consumer)
    }

    /// Has the seat freed when this end leaves; now, if this end has left and no other sits there.
    pub(crate) fn forget_name(&mut self) {
        if !core::mem::take(&mut self.reserved) {
            return;
        }
        let (seat, memory) = (self.seat_ref(), self.member().memory());
        let mut names = memory.names.lock();
        let has_left = self.has_left();
        if has_left && !memory.take_vacant(seat) {
            return;
        }
        names.retain(|named| named.seat != seat);
        drop(names);
        if has_left {
            memory.free_taken(seat);
        }
    }
}

impl<T> Memory<T> {
    /// Frees the vacant seat of this name.
    pub(crate) fn release_reserved(&self, name: &str) -> Result<(), Refused> {
        let mut names = self.names.lock();
        let at = names.iter().position(|named| named.name == name).ok_or(Refused::Unknown)?;
        if !self.take_vacant(names[at].seat) {
            return Err(Refused::Occupied);
        }
        let named = names.remove(at);
        // A waker may use the names.
        drop(names);
        self.free_taken(named.seat);
        Ok(())
    }

    /// The name of a reserved seat.
    pub(crate) fn name_of(&self, seat: SeatRef) -> Option<String> {
        self.names.lock().iter().find(|named| named.seat == seat).map(|named| named.name.clone())
    }
}
