//! How a channel is made.

use super::hub::Hub;
use super::lanes::Lanes;
use super::registry::{Options, Registry};
use super::{FanOut, Receiver, Sender};
use crate::channel;
use crate::error::BuildError;
use crate::ring::backend::check;
use crate::sync::{Arc, share};
use crate::wait::{EventCount, Waiter};

/// A channel whose lanes hold exactly `capacity` messages each, 1 to 2^30, and its first worker.
///
/// # Errors
/// Capacity 0 or above the limit, or no memory.
pub fn channel<T>(capacity: usize) -> Result<(Sender<T>, Receiver<T>), BuildError> {
    Builder::new(capacity).build()
}

/// Options of a channel. [`receiver_event`](Builder::receiver_event) is for the first worker; others bring theirs by
/// [`Hub::join_with_event`].
pub type Builder = channel::Builder<FanOut>;

impl Builder {
    /// Allocates the channel with its first worker.
    ///
    /// # Errors
    /// Capacity 0 or above 2^30, or no memory.
    pub fn build<T>(mut self) -> Result<(Sender<T>, Receiver<T>), BuildError> {
        let first = self.receiver_event.take();
        let (mut tx, hub) = self.build_hub()?;
        // The hub goes: the workers are the handles.
        let rx = hub.join_as(first)?;
        tx.end.look();
        Ok((tx, rx))
    }

    /// Allocates the channel without a worker: sends wait until one joins.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn build_hub<T>(self) -> Result<(Sender<T>, Hub<T>), BuildError> {
        check(self.capacity)?;
        let event = self.sender_event.map_or_else(|| EventCount::own(self.fence_mode), Ok)?;
        let options = Options {
            capacity: self.capacity,
            start: self.start,
            receiver_wait: self.receiver_wait,
            fence_mode: self.fence_mode,
        };
        let registry = share(Registry::new(event.clone(), options))?;
        let hub = Hub::first(Arc::clone(&registry));
        let waiter = Waiter::try_new(event, self.sender_wait)?.yielding_first(registry.options.has_backlog());
        Ok((Sender { end: Lanes::new(registry)?, membership: (), waiter }, hub))
    }
}
