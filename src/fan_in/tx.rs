//! A sender: the writing end of a lane, and the way to open others.

use super::registry::{LaneId, LaneOptions, Registry};
use super::{FanIn, Sender};
use crate::channel::SendEnd;
use crate::error::BuildError;
use crate::ring::backing::Heap;
use crate::ring::order::mutant;
use crate::ring::spsc::Producer;
use crate::spsc::end;
use crate::sync::Arc;
use crate::wait::EventCount;
#[cfg(feature = "std")]
use crate::wait::Waiter;
use crate::wait::panics::Panics;

/// The writing end of a lane.
pub(crate) struct Tx<T> {
    pub(super) lane: end::Tx<T>,
    pub(super) id: LaneId,
    registry: Arc<Registry<T>>,
    /// Whether this end still counts as a sender.
    open: bool,
}

impl<T> Tx<T> {
    /// Another sender, unless this one is closed.
    pub(super) fn open(&self, options: LaneOptions) -> Result<Sender<T>, BuildError> {
        if self.open { first(&self.registry, options) } else { Err(BuildError::Disconnected) }
    }
}

/// A sender of the channel.
pub(super) fn first<T>(registry: &Arc<Registry<T>>, options: LaneOptions) -> Result<Sender<T>, BuildError> {
    #[cfg(feature = "std")]
    let event = EventCount::own(registry.options.fence_mode)?;
    // First what may fail: a lane that was opened counts.
    #[cfg(feature = "std")]
    let side = Waiter::try_new(event.clone(), registry.options.sender_wait)?;
    #[cfg(not(feature = "std"))]
    let event = EventCount;
    let (lane, id) = registry.open(options, event)?;
    Ok(crate::channel::Sender::<T, FanIn> {
        end: Tx { lane, id, registry: Arc::clone(registry), open: true },
        #[cfg(feature = "std")]
        side,
    })
}

impl<T> SendEnd for Tx<T> {
    type Item = T;
    type Ring = Producer<Heap<T>>;

    #[inline(always)]
    fn ring(&self) -> &Self::Ring {
        &self.lane.ring
    }

    #[inline(always)]
    fn ring_mut(&mut self) -> &mut Self::Ring {
        &mut self.lane.ring
    }

    #[inline(always)]
    fn push(&mut self, value: T) -> Result<(), T> {
        self.lane.push(value)
    }

    fn push_slice(&mut self, values: &[T]) -> usize
    where
        T: Copy,
    {
        self.lane.push_slice(values)
    }

    fn settle(&mut self) {
        self.lane.settle();
    }

    fn close(&mut self) {
        let mut panics = Panics::new();
        panics.catch(|| self.lane.close());
        if core::mem::take(&mut self.open) && self.registry.leave() && !mutant!(LastLaneNotifies) {
            // The close of the lane rang too early: only now is there no sender.
            panics.catch(|| _ = self.registry.receiver.notify());
        }
        panics.resume();
    }
}
