//! Where workers join.

use super::Receiver;
use super::registry::{Opened, Registry};
use super::worker::Worker;
use crate::channel::lane::{LaneReceiver, lane};
use crate::error::BuildError;
use crate::ring::backend::Heap;
use crate::ring::spsc::pair;
use crate::sync::order::mutant;
use crate::sync::position::Position;
use crate::sync::{Arc, AtomicU64, share};
use crate::try_alloc::room;
use crate::wait::{EventCount, Waiter};
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use crossbeam_utils::CachePadded;

/// Where workers join a channel, from any thread. Clones are the same hub.
///
/// While a hub or a worker is there, a send that finds no worker waits for one. When the last of them is gone, the next send is answered `Disconnected`.
/// So drop hubs that are not needed any more.
///
/// ```
/// use ringmail::fan_out::Builder;
/// use std::thread;
/// let (mut tx, hub) = Builder::new(2).build_hub()?;
/// let crew = hub.clone();
/// let pool = thread::spawn(move || {
///     // A worker that is needed for two messages: the next one goes on with what this one leaves.
///     let few = |_| crew.join().map_or(vec![], |mut rx| rx.iter().take(2).collect());
///     (0..3).flat_map(few).collect::<Vec<u32>>()
/// });
/// drop(hub);
/// (0..6).try_for_each(|job| tx.send(job))?;
/// assert_eq!(pool.join().unwrap(), [0, 1, 2, 3, 4, 5]);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct Hub<T> {
    registry: Arc<Registry<T>>,
}

impl<T> Hub<T> {
    /// The hub that `registry` was made with.
    pub(super) fn first(registry: Arc<Registry<T>>) -> Self {
        Self { registry }
    }

    pub(super) fn of(registry: &Arc<Registry<T>>) -> Result<Self, BuildError> {
        registry.add_handle()?;
        Ok(Self { registry: Arc::clone(registry) })
    }

    /// Another worker, with a lane of its own. The sender uses the lane from its next message on.
    ///
    /// Takes a lock for a few list operations; the sender takes it once for each worker that comes or goes. Allocates the lane: the capacity rounded
    /// up to a power of two, times the size of `T`, and about two kilobytes.
    ///
    /// After the sender has closed, a worker may still join: it gets what others leave.
    ///
    /// # Errors
    /// No memory, or the sender has closed and all messages were received.
    pub fn join(&self) -> Result<Receiver<T>, BuildError> {
        self.join_as(None)
    }

    /// The same for a worker that waits on `event`, so that one thread can wait for several channels, or in a reactor.
    ///
    /// # Errors
    /// As [`Hub::join`].
    pub fn join_with_event(&self, event: EventCount) -> Result<Receiver<T>, BuildError> {
        self.join_as(Some(event))
    }

    pub(super) fn join_as(&self, event: Option<EventCount>) -> Result<Receiver<T>, BuildError> {
        let (registry, options) = (&self.registry, &self.registry.options);
        let event = event.map_or_else(|| EventCount::own(options.fence_mode), Ok)?;
        let waiter = Waiter::try_new(event.clone(), options.receiver_wait)?.yielding_first(options.has_backlog());
        let (end, own) =
            lane(Heap::new(options.capacity, Position::new(options.start))?, registry.sender.clone(), event.clone());
        let (fill, hand) = pair(Heap::new(1, Position::new(options.start))?);
        let mut lanes = room(2)?;
        lanes.push(own);
        lanes.push(LaneReceiver { ring: hand, sender: registry.sender.clone() });
        let idle = share(CachePadded::new(AtomicU64::new(0)))?;
        let opened = Opened { end, idle: Arc::clone(&idle), id: 0 };
        let id = registry.enter(opened, event)?;
        let worker = Worker::new(id, lanes, fill, idle, Arc::clone(registry));
        let rx = Receiver { end: worker, closed: false, waiter };
        // After the handle is made, as a waker may panic: the sender may wait for a worker.
        if !mutant!(JoinWakesSender) {
            registry.sender.notify();
        }
        Ok(rx)
    }

    /// Workers that have joined and not left. Takes a lock.
    pub fn worker_count(&self) -> usize {
        self.registry.worker_count()
    }
}

impl<T> Clone for Hub<T> {
    fn clone(&self) -> Self {
        // It does not fail: this hub is a handle.
        let _ = self.registry.add_handle();
        Self { registry: Arc::clone(&self.registry) }
    }
}

impl<T> Drop for Hub<T> {
    fn drop(&mut self) {
        self.registry.remove_handle();
    }
}

// A panic of a waker leaves the channel usable.
impl<T> UnwindSafe for Hub<T> {}
impl<T> RefUnwindSafe for Hub<T> {}

impl<T> fmt::Debug for Hub<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("workers", &self.worker_count()).finish_non_exhaustive()
    }
}
