//! A shard before its thread has joined.

use super::Endpoint;
use super::error::JoinError;
use super::lanes::Lanes;
use super::shared::{PeerState, Shared};
use crate::drop_order::lend;
use crate::sync::Arc;
use crate::wait::panics::Panics;
use crate::wait::{EventCount, WaitStrategy, Waiter};
use alloc::sync::Arc as Text;
use core::any::Any;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::string::String;

/// A shard before its thread has joined: send it to the thread and [`join`](Seat::join) there.
///
/// A seat that is dropped is given up: its peers find its lanes closed, and [`Cause::NeverJoined`](super::Cause::NeverJoined).
pub struct Seat<T> {
    pub(super) id: usize,
    pub(super) core: Option<usize>,
    pub(super) shared: Arc<Shared>,
    /// `None` once the endpoint has them.
    pub(super) lanes: Option<Lanes<T>>,
    pub(super) event: EventCount,
    pub(super) wait: WaitStrategy,
    pub(super) watch_after: u32,
    pub(super) prefault: bool,
}

impl<T> Seat<T> {
    /// The shard's number: the seat's index in what [`Builder::build`](super::Builder::build) returned.
    pub fn id(&self) -> usize {
        self.id
    }

    /// The core that the thread will be pinned to, if the mesh was built for cores.
    pub fn core(&self) -> Option<usize> {
        self.core
    }

    /// Makes the calling thread the shard: pins it, if the mesh was built for cores, and moves the lanes' handles into its memory.
    ///
    /// Waits for no peer. Peers may have sent already, and this endpoint can send to peers that have not joined.
    ///
    /// # Errors
    /// The thread could not be pinned, or a peer has given up the seat because its time was over.
    pub fn join(mut self) -> Result<Endpoint<T>, JoinError> {
        #[cfg(feature = "affinity")]
        if let Some(core) = self.core {
            crate::affinity::pin_current(core).map_err(JoinError::Pin)?;
        }
        if !self.shared.join(self.id) {
            return Err(JoinError::TooLate);
        }
        let Some(mut lanes) = self.lanes.take() else { return Err(JoinError::TooLate) };
        lanes.rehome();
        if self.prefault {
            lanes.inbox.prefault();
        }
        let waiter = Waiter::new(self.event.clone(), self.wait);
        Ok(Endpoint::new(self.id, Arc::clone(&self.shared), lanes, waiter, self.watch_after))
    }

    /// Joins, runs `shard`, and drops the endpoint. If `shard` panics, the peers find [`Cause::Panicked`](super::Cause::Panicked) with the message of the
    /// panic, and the panic goes on.
    ///
    /// # Errors
    /// As [`Seat::join`]. `shard` has not run.
    pub fn run<R>(self, shard: impl FnOnce(&mut Endpoint<T>) -> R) -> Result<R, JoinError> {
        Ok(run_with(self.join()?, shard, Endpoint::poison))
    }
}

/// Runs `shard` and drops its endpoint. If `shard` panics, calls `poison` first; the panic goes on.
pub(super) fn run_with<E, R>(
    mut endpoint: E,
    shard: impl FnOnce(&mut E) -> R,
    poison: impl FnOnce(&mut E, Option<Text<str>>),
) -> R {
    match catch_unwind(AssertUnwindSafe(|| shard(&mut endpoint))) {
        // The messages that the endpoint has not received are dropped first, which may panic.
        Ok(result) => lend(endpoint, |_| result),
        Err(payload) => {
            poison(&mut endpoint, message(&*payload));
            // The wakers of peers may panic, too: the shard's own panic goes on.
            let mut panics = Panics::new();
            panics.catch(|| drop(endpoint));
            panics.ignore();
            resume_unwind(payload)
        }
    }
}

/// The text of a panic.
fn message(payload: &(dyn Any + Send)) -> Option<Text<str>> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).map(Text::from)
}

impl<T> Drop for Seat<T> {
    fn drop(&mut self) {
        if let Some(lanes) = &mut self.lanes {
            let panics = std::thread::panicking();
            self.shared.leave(self.id, if panics { PeerState::Panicked(None) } else { PeerState::NeverJoined });
            lanes.close(&self.event);
        }
    }
}

// A panic while a seat is lent leaves it usable, as its endpoint.
impl<T> UnwindSafe for Seat<T> {}
impl<T> RefUnwindSafe for Seat<T> {}

impl<T> fmt::Debug for Seat<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("id", &self.id).field("core", &self.core).finish_non_exhaustive()
    }
}
