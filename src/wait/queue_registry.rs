//! The queues of senders whose channels notify one event count of the user's.

use super::{EventCount, SenderQueue};
use crate::error::BuildError;
use crate::room::missing;
use crate::sync::MutexGuard;
use alloc::vec::Vec;
use std::sync::PoisonError;

#[derive(Default)]
pub(super) struct QueueRegistry {
    /// Each with a number of its own, ascending.
    list: Vec<(u64, SenderQueue)>,
    numbers: u64,
}

/// Says that the sleepers of a event count call up a queue. Dropped, they do so no more.
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

    /// Has those who sleep on this event count call up `queue` before. The receiver's own verbs do that for a event count of its own: `None`.
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

    /// Wakes senders that could go on but do not know it. To be called between the last look and the sleep.
    pub(super) fn wake_behind(&self) {
        let mut after = 0;
        loop {
            // By number and not by place: others may come or go while wakers run, which is outside the lock.
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
