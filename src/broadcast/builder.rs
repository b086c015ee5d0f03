//! How a channel is made.

use super::sender::CastSender;
use super::{Broadcast, Hub, Sender};
use crate::channel;
use crate::error::BuildError;
use crate::ring::broadcast::{Member, Memory, Options, Producer};
#[cfg(feature = "std")]
use crate::wait::{EventCount, Waiter};

/// A channel for exactly `capacity` messages, 1 to 2^30, and the hub where receivers join. There is no receiver yet.
///
/// The ring is allocated here: `capacity` rounded up to a power of two, times the size of `T`, and about a kilobyte. Each receiver allocates about
/// another half; the memory of one that left serves the next.
///
/// # Errors
/// Capacity 0 or above the limit, or no memory.
pub fn channel<T>(capacity: usize) -> Result<(Sender<T>, Hub<T>), BuildError> {
    Builder::new(capacity).build()
}

/// Options of a channel.
pub type Builder = channel::Builder<Broadcast>;

/// What becomes of messages while there is no seat: no receiver, and none reserved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NoReceiver {
    /// There is no room for them: no message that was accepted is lost.
    #[default]
    Wait,
    /// They are sent, and no receiver sees them. [`Sender::passed`] counts them.
    Pass,
}

impl Builder {
    /// What becomes of messages while there is no seat.
    ///
    /// ```
    /// use ringmail::broadcast::{Builder, NoReceiver, channel};
    /// let (mut tx, hub) = channel(4)?;
    /// assert!(tx.try_send(1).unwrap_err().is_full());
    /// # drop(hub);
    /// let (mut tx, hub) = Builder::new(4).no_receiver(NoReceiver::Pass).build()?;
    /// tx.try_send(1).unwrap();
    /// let mut rx = hub.join()?;
    /// tx.try_send(2).unwrap();
    /// assert_eq!(rx.try_recv(), Ok(2));
    /// assert_eq!(tx.passed(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn no_receiver(mut self, choice: NoReceiver) -> Self {
        self.pass = choice == NoReceiver::Pass;
        self
    }

    /// Allocates the channel.
    ///
    /// # Errors
    /// Capacity 0 or above 2^30, or no memory.
    pub fn build<T>(self) -> Result<(Sender<T>, Hub<T>), BuildError> {
        #[cfg(not(feature = "std"))]
        let (sender, event) = (crate::wait::EventCount, None);
        #[cfg(feature = "std")]
        let (sender, event) =
            (self.sender_event.map_or_else(|| EventCount::own(self.fence_mode), Ok)?, self.receiver_event);
        let options = Options {
            start: self.start,
            pass: self.pass,
            event,
            #[cfg(feature = "std")]
            fence_mode: self.fence_mode,
            #[cfg(feature = "std")]
            receiver_wait: self.receiver_wait,
        };
        let memory = Memory::new(self.capacity, sender.clone(), options)?;
        let hub = Hub::new(Member::new(&memory));
        let tx = Sender {
            end: CastSender { ring: Producer::new(memory) },
            membership: (),
            #[cfg(feature = "std")]
            waiter: Waiter::try_new(sender, self.sender_wait)?,
        };
        Ok((tx, hub))
    }
}
