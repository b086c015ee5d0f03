//! How a channel is made.

use super::receiver::MpscReceiver;
use super::sender::MpscSender;
use super::{Mpsc, Receiver, Sender};
use crate::channel;
use crate::error::BuildError;
use crate::ring::mpsc::pair;
use crate::sync::position::Position;
#[cfg(feature = "std")]
use crate::wait::{EventCount, SenderQueue, Waiter};

/// A channel for exactly `capacity` messages, 1 to 2^30.
///
/// All memory is allocated here: `capacity` rounded up to a power of two, times the size of `T` and of a stamp of 8 bytes, and
/// about a kilobyte. The stamps are written at once, so on a NUMA machine the ring lies where this is called.
///
/// # Errors
/// Capacity 0 or above the limit, or no memory.
pub fn channel<T>(capacity: usize) -> Result<(Sender<T>, Receiver<T>), BuildError> {
    Builder::new(capacity).build()
}

/// Options of a channel.
pub type Builder = channel::Builder<Mpsc>;

impl Builder {
    /// Allocates the channel.
    ///
    /// # Errors
    /// Capacity 0 or above 2^30, or no memory.
    pub fn build<T>(self) -> Result<(Sender<T>, Receiver<T>), BuildError> {
        let (producer, consumer) = pair(self.capacity, Position::new(self.start))?;
        #[cfg(not(feature = "std"))]
        {
            use crate::wait::{EventCount, SenderQueue};
            let rx = MpscReceiver::new(consumer, EventCount, &EventCount, SenderQueue)?;
            let tx = MpscSender::new(producer, EventCount, SenderQueue);
            Ok((Sender { end: tx, membership: () }, Receiver { end: rx, closed: false }))
        }
        #[cfg(feature = "std")]
        {
            let event = |given: Option<EventCount>| given.map_or_else(|| EventCount::own(self.fence_mode), Ok);
            let (senders, receiver) = (event(self.sender_event)?, event(self.receiver_event)?);
            let queue = SenderQueue::new()?;
            let rx = MpscReceiver::new(consumer, senders.clone(), &receiver, queue.clone())?;
            let tx = MpscSender::new(producer, receiver.clone(), queue.clone());
            Ok((
                Sender { end: tx, membership: (), waiter: Waiter::try_new(senders, self.sender_wait)?.queued(queue) },
                Receiver { end: rx, closed: false, waiter: Waiter::try_new(receiver, self.receiver_wait)? },
            ))
        }
    }
}
