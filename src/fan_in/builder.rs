//! How a channel is made.

use super::lanes::Lanes;
use super::registry::{LaneOptions, Options, Registry};
use super::{FanIn, Receiver, Sender, membership};
use crate::channel;
use crate::error::BuildError;
use crate::sync::{Arc, share};
#[cfg(feature = "std")]
use crate::wait::{EventCount, Waiter};

/// A channel whose lanes hold exactly `capacity` messages each, 1 to 2^30, and its first sender.
///
/// Memory is allocated lane by lane: `capacity` rounded up to a power of two, times the size of `T`, and about a kilobyte.
///
/// # Errors
/// Capacity 0 or above the limit, or no memory.
pub fn channel<T>(capacity: usize) -> Result<(Sender<T>, Receiver<T>), BuildError> {
    Builder::new(capacity).build()
}

/// Options of a channel.
pub type Builder = channel::Builder<FanIn>;

impl Builder {
    /// The most messages that the receiver takes from a lane in one turn, times the lane's weight. 0 is taken for 1; the
    /// default is 64.
    pub fn budget(mut self, messages: u32) -> Self {
        self.budget = messages.max(1);
        self
    }

    /// Allocates the channel with its first lane.
    ///
    /// # Errors
    /// Capacity 0 or above 2^30, or no memory.
    pub fn build<T>(self) -> Result<(Sender<T>, Receiver<T>), BuildError> {
        #[cfg(feature = "std")]
        let event = self.receiver_event.map_or_else(|| EventCount::own(self.fence_mode), Ok)?;
        #[cfg(not(feature = "std"))]
        let event = crate::wait::EventCount;
        let options = Options {
            capacity: self.capacity,
            start: self.start,
            #[cfg(feature = "std")]
            sender_wait: self.sender_wait,
            #[cfg(feature = "std")]
            fence_mode: self.fence_mode,
        };
        let registry = share(Registry::new(event.clone(), options))?;
        let mut lanes = Lanes::new(Arc::clone(&registry), u64::from(self.budget))?;
        #[cfg(feature = "std")]
        let waiter = Waiter::try_new(event, self.receiver_wait)?;
        #[cfg(feature = "std")]
        let tx = membership::join(&registry, LaneOptions::new(), self.sender_event)?;
        #[cfg(not(feature = "std"))]
        let tx = membership::join(&registry, LaneOptions::new(), None)?;
        lanes.adopt();
        let rx = Receiver {
            end: lanes,
            closed: false,
            #[cfg(feature = "std")]
            waiter,
        };
        Ok((tx, rx))
    }
}
