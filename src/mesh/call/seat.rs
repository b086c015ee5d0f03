//! A shard of a mesh of calls before its thread has joined.

use super::tables::Tables;
use super::{Endpoint, Envelope};
use crate::mesh::seat::run_with;
use crate::mesh::{BuildError, Builder, JoinError, seat};
use crate::sync::order::mutant;
use crate::try_alloc::room;
use alloc::vec::Vec;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// Most credits: a lane has `2k + 1` places for `k` credits, and at most 2^30.
const MAX_CREDITS: usize = (1 << 29) - 1;

impl Builder {
    /// Allocates a mesh of [calls](super): each shard may have up to `credits` calls to each peer in flight, 1 to 2^29 - 1. All options apply except
    /// [`Builder::capacity`]: the lanes have the room that calls and their answers need.
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
            let tables = Tables::new(shards, shards - 1, credits as u32)?;
            all.push(Seat { seat, tables });
        }
        Ok(all)
    }
}

/// A shard before its thread has joined: send it to the thread and [`join`](Seat::join) there. As a [mesh's seat](crate::mesh::Seat).
pub struct Seat<Req, Rep> {
    seat: seat::Seat<Envelope<Req, Rep>>,
    tables: Tables<Rep>,
}

impl<Req, Rep> Seat<Req, Rep> {
    /// The shard's number: the seat's index in what [`Builder::build_calls`] returned.
    pub fn id(&self) -> usize {
        self.seat.id()
    }

    /// The core that the thread will be pinned to, if the mesh was built for cores.
    pub fn core(&self) -> Option<usize> {
        self.seat.core()
    }

    /// Makes the calling thread the shard; see [`mesh::Seat::join`](crate::mesh::Seat::join). Waits for no peer.
    ///
    /// # Errors
    /// The thread could not be pinned, or a peer has given up the seat because its time was over.
    pub fn join(self) -> Result<Endpoint<Req, Rep>, JoinError> {
        Ok(Endpoint::new(self.seat.join()?, self.tables))
    }

    /// Joins, runs `shard`, and drops the endpoint. If `shard` panics, the calls to it fail with [`Cause::Panicked`](crate::mesh::Cause::Panicked) and the
    /// message of the panic, and the panic goes on.
    ///
    /// # Errors
    /// As [`Seat::join`]. `shard` has not run.
    pub fn run<R>(self, shard: impl FnOnce(&mut Endpoint<Req, Rep>) -> R) -> Result<R, JoinError> {
        Ok(run_with(self.join()?, shard, |endpoint, message| endpoint.mesh.poison(message)))
    }
}

// A panic while a seat is lent leaves it usable, as its endpoint.
impl<Req, Rep> UnwindSafe for Seat<Req, Rep> {}
impl<Req, Rep> RefUnwindSafe for Seat<Req, Rep> {}

impl<Req, Rep> fmt::Debug for Seat<Req, Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("id", &self.id()).field("core", &self.core()).finish_non_exhaustive()
    }
}
