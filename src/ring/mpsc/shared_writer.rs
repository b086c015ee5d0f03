//! One end that many threads use at once.

use super::Writer;
use crate::sync::order::{mutant, order};
use crate::sync::position::Position;
use crate::sync::{AtomicU64, Ordering};
use core::ops::Deref;
use crossbeam_utils::CachePadded;

/// A writer that many threads use at once. Does not count as an end.
///
/// They share a copy of the consumer's position, as an end keeps one for itself: `head` is read once a lap, not for each message.
pub(crate) struct SharedWriter<T> {
    writer: Writer<T>,
    /// The last `head` seen by one of them. A thread that is late may put an older one here: then the ring looks fuller than it is, and the next
    /// thread looks again.
    head_seen: CachePadded<AtomicU64>,
}

// SAFETY: each position is claimed by one thread (M1), which alone writes its slot (M2); the rest is atomic, or never changes.
unsafe impl<T: Send> Sync for SharedWriter<T> {}

impl<T> SharedWriter<T> {
    pub(crate) fn new(writer: Writer<T>) -> Self {
        let head = writer.ring.head.load(order!(find_head));
        Self { writer, head_seen: CachePadded::new(AtomicU64::new(head)) }
    }

    /// Sends one value and returns its position; returns the value if there is no room or no receiver. Lock-free.
    #[inline(always)]
    pub(crate) fn push(&self, value: T) -> Result<Position, T> {
        let Some((at, head)) = self.claim() else { return Err(value) };
        // SAFETY: we just claimed it.
        unsafe { self.writer.publish(at, value) };
        self.writer.prepare(at, || self.writer.ring.capacity - at.since(head));
        Ok(at)
    }

    /// Claims a position as `Producer::claim`. Returns it, and the `head` that the claim relied on.
    #[inline(always)]
    fn claim(&self) -> Option<(Position, Position)> {
        let ring = &*self.writer.ring;
        let mut word = ring.tail.load(Ordering::Relaxed);
        // Acquire: the thread that put it here had loaded `head` with Acquire (M1).
        let mut head = Position::from_word(self.head_seen.load(order!(find_shared_head)));
        loop {
            let tail = Position::from_word(word);
            if tail.since(head) >= ring.capacity {
                (word, head) = self.find_room()?;
                continue;
            }
            // As there: from the open word, and Release for `find_room` alone.
            match ring.tail.compare_exchange_weak(
                tail.open_word(),
                tail.plus(1).open_word(),
                order!(claim_tail),
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some((tail, head)),
                Err(now) if Position::is_closed(now) => return None,
                Err(now) => word = now,
            }
        }
    }

    /// Looks how far the consumer has come, as `Producer::find_room`. A word of `tail` to claim from and the `head` seen, if there is room.
    #[cold]
    #[inline(never)]
    fn find_room(&self) -> Option<(u64, Position)> {
        let ring = &*self.writer.ring;
        let word = ring.tail.load(order!(observe_claim));
        let head = Position::from_word(ring.head.load(order!(find_head)));
        // Not in vain: the others read this line for each message.
        if self.head_seen.load(Ordering::Relaxed) != head.open_word() {
            self.head_seen.store(head.open_word(), order!(share_head));
        }
        let used = Position::from_word(word).since(head);
        if used < ring.capacity {
            Some((word, head))
        } else if used == ring.capacity || Position::is_closed(word) || mutant!(StaleTail) {
            None
        } else {
            // This `tail` is behind `head`; the next load is not.
            Some((ring.tail.load(Ordering::Relaxed), head))
        }
    }
}

impl<T> Deref for SharedWriter<T> {
    type Target = Writer<T>;

    #[inline(always)]
    fn deref(&self) -> &Writer<T> {
        &self.writer
    }
}
