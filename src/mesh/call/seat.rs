//! A place on a mesh of calls.

use super::shared::Shared;
use super::{Endpoint, Envelope};
use crate::mesh::seat::run_with;
use crate::mesh::{BuildError, Builder, JoinError, seat};
use crate::room::room;
use crate::sync::order::mutant;
use alloc::vec::Vec;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// Most credits: a lane has twice as many places and one, and at most 2^30.
const MAX_CREDITS: usize = (1 << 29) - 1;

impl Builder {
    /// Allocates a mesh of [calls](super): each shard may have up to `credits` calls to each other in flight, 1 to 2^29 - 1. All options
    /// apply, but for [`Builder::capacity`]: the lanes have exactly the room that calls and their answers need.
    ///
    /// # Errors
    /// As [`Builder::build`], for a number of credits instead of a capacity.
    pub fn build_calls<Req, Rep>(self, credits: usize) -> Result<Vec<Seat<Req, Rep>>, BuildError> {
        if credits == 0 {
            return Err(crate::BuildError::ZeroCapacity.into());
        }
        if credits > MAX_CREDITS {
            return Err(crate::BuildError::CapacityTooLarge { requested: credits, max: MAX_CREDITS }.into());
        }
        let places = if mutant!(RoomForAnswers) { credits } else { 2 * credits + 1 };
        let seats = self.capacity(places).build::<Envelope<Req, Rep>>()?;
        let shards = seats.len();
        let mut all = room(shards)?;
        for seat in seats {
            let shared = Shared::new(shards, shards - 1, credits as u32)?;
            all.push(Seat { seat, shared });
        }
        Ok(all)
    }
}

/// A place on a mesh of calls: send it to its thread and [`join`](Seat::join) there. As a [mesh's seat](crate::mesh::Seat).
pub struct Seat<Req, Rep> {
    seat: seat::Seat<Envelope<Req, Rep>>,
    shared: Shared<Rep>,
}

impl<Req, Rep> Seat<Req, Rep> {
    /// The number of this seat, and of its endpoint: its place in what [`Builder::build_calls`] returned.
    pub fn id(&self) -> usize {
        self.seat.id()
    }

    /// The core that it belongs to, if the mesh was built for cores.
    pub fn core(&self) -> Option<usize> {
        self.seat.core()
    }

    /// Makes the calling thread this seat's; see [`mesh::Seat::join`](crate::mesh::Seat::join). Waits for nobody.
    ///
    /// # Errors
    /// The thread could not be pinned, or the seat was given up because its time was over.
    pub fn join(self) -> Result<Endpoint<Req, Rep>, JoinError> {
        Ok(Endpoint::new(self.seat.join()?, self.shared))
    }

    /// Joins, runs `shard`, and drops the endpoint. If it panics, the calls to it fail with the message of the panic
    /// ([`Cause::Panicked`](crate::mesh::Cause::Panicked)), and the panic goes on.
    ///
    /// # Errors
    /// As [`Seat::join`]; `shard` has not run then.
    pub fn run<R>(self, shard: impl FnOnce(&mut Endpoint<Req, Rep>) -> R) -> Result<R, JoinError> {
        Ok(run_with(self.join()?, shard, |endpoint, message| endpoint.mesh.poison(message)))
    }
}

// As its endpoint.
impl<Req, Rep> UnwindSafe for Seat<Req, Rep> {}
impl<Req, Rep> RefUnwindSafe for Seat<Req, Rep> {}

impl<Req, Rep> fmt::Debug for Seat<Req, Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("id", &self.id()).field("core", &self.core()).finish_non_exhaustive()
    }
}
