//! concurrent-queue's bounded queue, which has `try` verbs only.

use std::sync::Arc;

use super::{Channel, TryRecv, TrySend};

/// `concurrent_queue::ConcurrentQueue::bounded`.
#[derive(Debug)]
pub struct ConcurrentQueue;

type Shared<T> = Arc<concurrent_queue::ConcurrentQueue<T>>;

impl<T: Send> Channel<T> for ConcurrentQueue {
    type Tx = Shared<T>;
    type Rx = Shared<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let queue = Arc::new(concurrent_queue::ConcurrentQueue::bounded(capacity));
        (Arc::clone(&queue), queue)
    }
}

impl<T> TrySend<T> for Shared<T> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        self.push(value).is_ok()
    }
}

impl<T> TryRecv<T> for Shared<T> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        self.pop().ok()
    }
}
