//! The end that reads.

use super::{Found, Heir, Rest, Ring, Slots};
use crate::ring::cursor::Position;
use crate::ring::ends::Reader;
use crate::ring::layout::Stats;
use crate::ring::{OnDrop, order, slot};
use crate::sync::{Arc, Ordering};
use alloc::vec::Vec;

/// The end that reads.
pub(crate) struct Consumer<T> {
    ring: Arc<Ring<T>>,
    slots: Slots<T>,
    /// Next position to read; at or ahead of the published `head`.
    head: Position,
    /// Everything before this and from `head` on was seen to hold a value.
    seen: Position,
    /// Whether nothing will ever come.
    over: bool,
    /// Whether this end closed `tail`.
    closed: bool,
    /// Whether tombstones were passed since the last [`Reader::take_passed`].
    passed: bool,
    /// Whether this end gave up its role.
    left: bool,
}

// SAFETY: used by one thread at a time (`&mut self`); the values it reads may come from another.
unsafe impl<T: Send> Send for Consumer<T> {}

impl<T> Consumer<T> {
    pub(super) fn new(ring: Arc<Ring<T>>) -> Self {
        let head = ring.head();
        Self { slots: ring.slots(), head, seen: head, over: false, closed: false, passed: false, left: false, ring }
    }

    #[inline(always)]
    fn find_message(&mut self) -> bool {
        if self.slots.is_full(self.head) {
            self.seen = self.head.plus(1);
            return true;
        }
        // The rest only if there is more to it than "nothing yet".
        let quiet = !self.closed && self.ring.ended.load(order::observe_end()) == 0;
        !(quiet && self.slots.look(self.head) == Found::Nothing) && self.find_later()
    }

    /// A tombstone, or the end: perhaps a message behind it, perhaps nothing ever.
    #[cold]
    #[inline(never)]
    fn find_later(&mut self) -> bool {
        loop {
            // Before the slot: what was claimed before the end is then not missed.
            let ended = self.closed || self.ring.ended.load(order::observe_end()) != 0;
            let tail = self.ring.tail();
            match self.slots.look(self.head) {
                Found::Value => {
                    self.seen = self.head.plus(1);
                    return true;
                }
                Found::Tombstone => {
                    self.head = self.head.plus(1);
                    self.seen = self.head;
                    self.ring.consumer.tombstones.add(1);
                    self.passed = true;
                    self.release();
                }
                Found::Nothing => {
                    self.over = ended && tail == self.head;
                    return false;
                }
            }
        }
    }
}

// SAFETY: `has_message` is whether the stamp at `head` was seen: then the slot is ours and full (M2).
unsafe impl<T> Reader for Consumer<T> {
    type Item = T;

    #[inline(always)]
    unsafe fn read(&mut self) -> T {
        let at = self.head;
        // SAFETY: its stamp was seen (M2), by the caller's promise; `head` moves past it at once.
        let value = unsafe { slot::read(&raw const self.slots.at(at).value) };
        self.head = at.plus(1);
        value
    }

    #[inline(always)]
    fn has_message(&mut self) -> bool {
        self.head != self.seen || self.find_message()
    }

    #[inline(always)]
    fn release(&mut self) {
        self.ring.head.store(self.head.open_word(), order::free_head());
    }

    fn take_passed(&mut self) -> bool {
        core::mem::take(&mut self.passed)
    }

    #[inline(always)]
    fn available(&mut self, wanted: u64) -> u64 {
        if wanted == 0 || !self.has_message() {
            return 0;
        }
        let mut n = self.seen.since(self.head);
        while n < wanted && self.slots.is_full(self.seen) {
            self.seen = self.seen.plus(1);
            n += 1;
        }
        n.min(wanted)
    }

    #[inline(always)]
    fn front(&self, offset: u64) -> Option<&T> {
        if offset >= self.seen.since(self.head) {
            return None;
        }
        let place = self.slots.at(self.head.plus(offset));
        // SAFETY: its stamp was seen (M2), and `&self` keeps `head` where it is.
        Some(unsafe { slot::borrow(&raw const place.value) })
    }

    fn move_into(&mut self, target: &mut Vec<T>, n: u64) -> usize {
        let n = self.seen.since(self.head).min(n) as usize;
        // May panic or abort; nothing has moved yet.
        target.reserve(n);
        for _ in 0..n {
            let Some(value) = self.take() else { break };
            target.push(value);
        }
        self.release();
        n
    }

    fn skip(&mut self, n: u64) {
        let to = self.head.plus(self.seen.since(self.head).min(n));
        let this = OnDrop(self, Self::release);
        let Consumer { slots, head, .. } = &mut *this.0;
        // SAFETY: the positions before `seen` are ours (M2).
        unsafe { Rest { slots, at: head, to, over_holes: false }.run() };
    }

    fn free_leaked(&mut self) -> bool {
        let leaked = self.ring.head.load(Ordering::Relaxed) != self.head.open_word();
        if leaked {
            self.release();
        }
        leaked
    }

    fn is_over(&self) -> bool {
        self.over
    }

    #[cfg(feature = "std")]
    fn note_awaited(&self) {
        self.ring.consumer.awaited.store(self.head.open_word(), Ordering::Relaxed);
    }

    #[cfg(feature = "std")]
    fn is_noted(&self) -> bool {
        self.ring.consumer.awaited.load(Ordering::Relaxed) == self.head.open_word()
    }

    fn close(&mut self) -> bool {
        self.closed = true;
        self.ring.close_tail();
        // What is claimed still comes: this end waits for it, or sees to it when it leaves.
        false
    }

    fn leave(&mut self, tell: impl Fn(bool)) {
        if core::mem::replace(&mut self.left, true) {
            return;
        }
        let to = self.ring.close_tail();
        // What an unfinished guard took was not freed.
        self.ring.head.store(self.head.open_word(), Ordering::Relaxed);
        let mut at = self.head;
        while at != to && core::mem::needs_drop::<T>() {
            if self.slots.look(at) == Found::Nothing {
                // An open claim: what is published there comes behind our last look, or is told of that.
                self.ring.reader.told.store(1, Ordering::Relaxed);
                tell(true);
                break;
            }
            at = at.plus(1);
        }
        // SAFETY: we are the consumer, and have not given up our role before (M5).
        unsafe { Heir::new(&self.ring, &self.slots, || tell(false)) }.serve();
    }

    fn peer_closed(&self) -> bool {
        self.ring.ended.load(Ordering::Relaxed) != 0
    }

    fn len(&self) -> usize {
        self.ring.tail().since(self.head).min(self.ring.capacity) as usize
    }

    fn capacity(&self) -> usize {
        self.ring.capacity as usize
    }

    #[cfg(feature = "std")]
    fn received(&self) -> u64 {
        self.head.since(self.ring.start)
    }

    #[cfg(feature = "std")]
    fn count_parks(&self, n: u64) {
        self.ring.consumer.parks.add(n);
    }

    fn count_wake(&self) {
        self.ring.consumer.wakes.add(1);
    }

    fn stats(&self) -> Stats {
        self.ring.stats()
    }
}

impl<T> Drop for Consumer<T> {
    /// Drops what was published, up to the first open claim; the rest falls to the senders, or to the last owner.
    fn drop(&mut self) {
        self.leave(|_| ());
    }
}
