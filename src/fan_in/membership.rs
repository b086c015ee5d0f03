//! A sender's membership of its channel: it counts as a sender, and may open lanes for others.

use super::registry::{LaneId, LaneOptions, Registry};
use super::{FanIn, Sender};
use crate::error::BuildError;
use crate::sync::Arc;
use crate::sync::order::mutant;
use crate::wait::EventCount;
#[cfg(feature = "std")]
use crate::wait::Waiter;

/// What a sender is part of.
#[allow(missing_debug_implementations, reason = "behind the handles, which have one")]
pub struct Membership<T> {
    pub(super) id: LaneId,
    registry: Arc<Registry<T>>,
    /// Whether it still counts as a sender.
    open: bool,
}

impl<T> Membership<T> {
    /// Another sender, unless this one is closed.
    pub(super) fn open(&self, options: LaneOptions, event: Option<EventCount>) -> Result<Sender<T>, BuildError> {
        if self.open { join(&self.registry, options, event) } else { Err(BuildError::Disconnected) }
    }

    /// Ends it, once the lane is closed.
    pub(super) fn leave(&mut self) {
        if core::mem::take(&mut self.open) && self.registry.leave() && !mutant!(LastLaneNotifies) {
            // The close of the lane notified too early: only now is there no sender.
            self.registry.receiver.notify();
        }
    }
}

/// A sender of the channel, which waits on `event`, or on one of its own.
pub(super) fn join<T>(
    registry: &Arc<Registry<T>>,
    options: LaneOptions,
    event: Option<EventCount>,
) -> Result<Sender<T>, BuildError> {
    #[cfg(feature = "std")]
    let event = event.map_or_else(|| EventCount::own(registry.options.fence_mode), Ok)?;
    // First what may fail: a lane that was opened counts.
    #[cfg(feature = "std")]
    let waiter = Waiter::try_new(event.clone(), registry.options.sender_wait)?;
    #[cfg(not(feature = "std"))]
    let event = event.unwrap_or(EventCount);
    let (lane, id) = registry.open(options, event)?;
    Ok(crate::channel::Sender::<T, FanIn> {
        end: lane,
        membership: Membership { id, registry: Arc::clone(registry), open: true },
        #[cfg(feature = "std")]
        waiter,
    })
}
