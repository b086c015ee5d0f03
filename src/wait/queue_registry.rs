//! The queues of senders whose channels notify one shared event count.
//!
//! A receiver with an event count of its own wakes the senders behind a future by its own verbs. On a shared event count a thread waits that
//! may not call them. So each such channel registers its queue here, and a waiter of the event count wakes those senders before it sleeps.

use super::{EventCount, SenderQueue};
use crate::error::BuildError;
use crate::sync::MutexGuard;
use crate::try_alloc::missing;
use alloc::vec::Vec;
use std::sync::PoisonError;

#[derive(Default)]
pub(super) struct QueueRegistry {
    /// Each with a number of its own, ascending.
    list: Vec<(u64, SenderQueue)>,
    /// Numbers given out.
    numbers: u64,
}

/// A queue is registered while this lives.
pub(crate) struct QueueRegistration {
    event: EventCount,
    number: u64,
}

impl Drop for QueueRegistration {
    fn drop(&mut self) {
        let mut queues = self.event.queues();
        if let Ok(at) = queues.list.binary_search_by_key(&self.number, |(number, _)| *number) {
            let gone = queues.list.remove(at);
            drop(queues);
            drop(gone);
        }
    }
}

impl EventCount {
    fn queues(&self) -> MutexGuard<'_, QueueRegistry> {
        self.inner.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers `queue`: waiters of this event count call [`SenderQueue::wake_behind`] before they sleep. `None` if the event count is not
    /// shared: then the receiver's verbs do that.
    pub(crate) fn register_queue(&self, queue: &SenderQueue) -> Result<Option<QueueRegistration>, BuildError> {
        if !self.inner.shared {
            return Ok(None);
        }
        let mut queues = self.queues();
        queues.list.try_reserve(1).map_err(|_| missing::<(u64, SenderQueue)>(1))?;
        queues.numbers += 1;
        let number = queues.numbers;
        queues.list.push((number, queue.clone()));
        drop(queues);
        Ok(Some(QueueRegistration { event: self.clone(), number }))
    }

    /// Wakes senders that stand behind a future in a registered queue. To be called between the last check and the sleep.
    pub(super) fn wake_behind(&self) {
        let mut after = 0;
        loop {
            // By number, not by index: queues may come and go while a waker runs, outside the lock.
            let queues = self.queues();
            let mut next =
                queues.list.iter().filter(|(number, queue)| *number > after && SenderQueue::is_future(queue.first()));
            let Some((number, queue)) = next.next().map(|(number, queue)| (*number, queue.clone())) else { return };
            drop(queues);
            after = number;
            queue.wake_behind();
        }
    }
}
