//! One sender, several workers, a lane for each worker.

mod builder;
mod hub;
mod keyed;
mod lanes;
mod registry;
mod worker;

pub use builder::{Builder, channel};
pub use hub::Hub;
pub use keyed::SendByKeyFuture;

use crate::channel::{self, Flavor, Sealed};
use crate::error::{BuildError, SendError};
use core::fmt;

/// One sender, several workers, a lane for each.
#[derive(Debug)]
pub enum FanOut {}

/// The sending half: the only writer of all lanes.
pub type Sender<T> = channel::Sender<T, FanOut>;

/// A worker: the only reader of its lane.
pub type Receiver<T> = channel::Receiver<T, FanOut>;

impl Flavor for FanOut {
    const SEALED: Sealed = Sealed(());

    type Sender<T> = lanes::Lanes<T>;
    type Receiver<T> = worker::Worker<T>;
    type Membership<T> = ();

    fn leave<T>((): &mut ()) {}
}

impl<T> Sender<T> {
    /// A hub of this channel, by which workers join.
    ///
    /// # Errors
    /// No worker and no hub is left: the channel is closed.
    pub fn hub(&self) -> Result<Hub<T>, BuildError> {
        Hub::of(&self.end.registry)
    }

    /// Sends everything that `values` yields, waiting for room as often as need be. Returns how many.
    ///
    /// # Errors
    /// The channel is closed; carries the item that was next. The iterator, if lent by `&mut`, still has the rest.
    pub fn send_iter(&mut self, values: impl IntoIterator<Item = T>) -> Result<usize, SendError<T>> {
        crate::drop_order::lend(values.into_iter(), |values| {
            let mut sent = 0;
            for value in values {
                self.send(value)?;
                sent += 1;
            }
            Ok(sent)
        })
    }

    /// Takes back messages that workers have left and no other has received: an iterator, the oldest first.
    pub fn take_back(&mut self) -> TakeBack<'_, T> {
        TakeBack { tx: self }
    }

    /// Workers that have joined and not left.
    pub fn worker_count(&self) -> usize {
        self.end.registry.worker_count()
    }
}

impl<T> Receiver<T> {
    /// Another worker, with a lane of its own. As [`Hub::join`].
    ///
    /// # Errors
    /// As there; and this worker has closed, and it was the last.
    pub fn join(&self) -> Result<Self, BuildError> {
        self.hub()?.join()
    }

    /// A hub of this channel, by which workers join from other threads.
    ///
    /// # Errors
    /// No worker and no hub is left: the channel is closed.
    pub fn hub(&self) -> Result<Hub<T>, BuildError> {
        Hub::of(self.end.registry())
    }
}

/// Messages that workers have left. From [`Sender::take_back`].
pub struct TakeBack<'a, T> {
    tx: &'a mut Sender<T>,
}

impl<T> Iterator for TakeBack<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.tx.end.registry.take(|message| message, None)
    }
}

impl<T> fmt::Debug for TakeBack<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeBack").finish_non_exhaustive()
    }
}
