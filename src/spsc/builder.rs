//! How a channel is made.

use super::{Receiver, Sender, Spsc};
use crate::channel::{self, lane::lane};
use crate::error::BuildError;
use crate::ring::backend::Heap;
use crate::sync::position::Position;
#[cfg(feature = "std")]
use crate::wait::{EventCount, Waiter};

/// A channel for exactly `capacity` messages, 1 to 2^30.
///
/// All memory is allocated here: `capacity` rounded up to a power of two, times the size of `T`, and about a
/// kilobyte. The first message touches the slots first, so on a NUMA machine they lie where the sender runs then.
///
/// # Errors
/// Capacity 0 or above the limit, or no memory.
pub fn channel<T>(capacity: usize) -> Result<(Sender<T>, Receiver<T>), BuildError> {
    Builder::new(capacity).build()
}

/// Options of a channel.
pub type Builder = channel::Builder<Spsc>;

impl Builder {
    /// Allocates the channel.
    ///
    /// # Errors
    /// Capacity 0 or above 2^30, or no memory.
    pub fn build<T>(self) -> Result<(Sender<T>, Receiver<T>), BuildError> {
        let memory = Heap::new(self.capacity, Position::new(self.start))?;
        #[cfg(not(feature = "std"))]
        {
            let (tx, rx) = lane(memory, crate::wait::EventCount, crate::wait::EventCount);
            Ok((Sender { end: tx, membership: () }, Receiver { end: rx, closed: false }))
        }
        #[cfg(feature = "std")]
        {
            let event = |given: Option<EventCount>| given.map_or_else(|| EventCount::own(self.fence_mode), Ok);
            let (sender, receiver) = (event(self.sender_event)?, event(self.receiver_event)?);
            let (tx, rx) = lane(memory, sender.clone(), receiver.clone());
            Ok((
                Sender { end: tx, membership: (), waiter: Waiter::try_new(sender, self.sender_wait)? },
                Receiver { end: rx, closed: false, waiter: Waiter::try_new(receiver, self.receiver_wait)? },
            ))
        }
    }
}
