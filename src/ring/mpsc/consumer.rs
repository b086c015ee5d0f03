//! The end that reads.

use super::{Found, Rest, Ring, Slots};
use crate::ring::cursor::Position;
use crate::ring::layout::Stats;
use crate::ring::{order, slot};
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
    /// Whether tombstones were passed since the last [`Consumer::take_passed`].
    passed: bool,
}

// SAFETY: used by one thread at a time (`&mut self`); the values it reads may come from another.
unsafe impl<T: Send> Send for Consumer<T> {}

impl<T> Consumer<T> {
    pub(super) fn new(ring: Arc<Ring<T>>) -> Self {
        let head = ring.head();
        Self { slots: ring.slots(), head, seen: head, over: false, closed: false, passed: false, ring }
    }

    /// The next message, if there is one now. Passes over tombstones; apart from that, wait-free.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Next<'_, T>> {
        if self.has_message() { Some(Next(self)) } else { None }
    }

    /// Takes the next value; its slot stays occupied until [`Consumer::release`].
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<T> {
        self.next().map(Next::read)
    }

    /// Publishes how far we have read: the slots before `head` are free.
    #[inline(always)]
    pub(crate) fn release(&mut self) {
        self.ring.head.store(self.head.open_word(), order::free_head());
    }

    #[inline(always)]
    pub(crate) fn has_message(&mut self) -> bool {
        self.head != self.seen || self.find_message()
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

    /// Whether tombstones were passed since the last call: senders may find room.
    pub(crate) fn take_passed(&mut self) -> bool {
        core::mem::take(&mut self.passed)
    }

    /// Frees what a leaked guard took without freeing it. Whether there was any.
    pub(crate) fn free_leaked(&mut self) -> bool {
        let leaked = self.ring.head.load(Ordering::Relaxed) != self.head.open_word();
        if leaked {
            self.release();
        }
        leaked
    }

    /// Whether the last look found nothing, nothing claimed, and no sender left.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Messages ready to read, up to `wanted`, up to the first hole.
    #[inline(always)]
    pub(crate) fn available(&mut self, wanted: u64) -> u64 {
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

    /// A message that [`Consumer::available`] has seen, in place.
    #[inline(always)]
    pub(crate) fn front(&self, offset: u64) -> Option<&T> {
        if offset >= self.seen.since(self.head) {
            return None;
        }
        let place = self.slots.at(self.head.plus(offset));
        // SAFETY: its stamp was seen (M2), and `&self` keeps `head` where it is.
        Some(unsafe { slot::borrow(&raw const place.value) })
    }

    /// Moves the next `n` messages to the end of `target` and frees their slots; fewer if fewer were seen.
    pub(crate) fn move_into(&mut self, target: &mut Vec<T>, n: u64) -> usize {
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

    /// Drops the next `n` messages and frees their slots; fewer if fewer were seen.
    pub(crate) fn skip(&mut self, n: u64) {
        /// Frees what was dropped, also by a panic.
        struct Freed<'a, T>(&'a mut Consumer<T>);
        impl<T> Drop for Freed<'_, T> {
            fn drop(&mut self) {
                self.0.release();
            }
        }
        let to = self.head.plus(self.seen.since(self.head).min(n));
        let this = Freed(self);
        let Consumer { slots, head, .. } = &mut *this.0;
        // SAFETY: the positions before `seen` are ours (M2).
        unsafe { Rest { slots, at: head, to, over_holes: false }.run() };
    }

    /// Notes which message this end is about to wait for, so that only its sender rings.
    #[cfg(feature = "std")]
    pub(crate) fn note_awaited(&self) {
        self.ring.consumer.awaited.store(self.head.open_word(), Ordering::Relaxed);
    }

    /// Whether the message noted last is still the next: tombstones may have been passed since.
    #[cfg(feature = "std")]
    pub(crate) fn is_noted(&self) -> bool {
        self.ring.consumer.awaited.load(Ordering::Relaxed) == self.head.open_word()
    }

    /// Accepts nothing more. What was claimed can still be read.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.ring.close_tail();
    }

    /// Whether the senders have sent their last message.
    pub(crate) fn peer_closed(&self) -> bool {
        self.ring.ended.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn len(&self) -> usize {
        self.ring.tail().since(self.head).min(self.ring.capacity) as usize
    }

    pub(crate) fn capacity(&self) -> usize {
        self.ring.capacity as usize
    }

    /// Places read so far.
    #[cfg(feature = "std")]
    pub(crate) fn received(&self) -> u64 {
        self.head.since(self.ring.start)
    }

    #[cfg(feature = "std")]
    pub(crate) fn count_parks(&self, n: u64) {
        self.ring.consumer.parks.add(n);
    }

    pub(crate) fn count_wake(&self) {
        self.ring.consumer.wakes.add(1);
    }

    pub(crate) fn stats(&self) -> Stats {
        self.ring.stats()
    }
}

impl<T> Drop for Consumer<T> {
    /// Drops what was published, up to the first open claim; the rest falls to the senders, or to the last owner.
    fn drop(&mut self) {
        /// Leaves, also by a panic.
        struct Gone<'a, T>(&'a mut Consumer<T>);
        impl<T> Drop for Gone<'_, T> {
            fn drop(&mut self) {
                self.0.ring.head.store(self.0.head.closed_word(), order::give_up_head());
            }
        }
        let to = self.ring.close_tail();
        let this = Gone(self);
        let Consumer { slots, head, .. } = &mut *this.0;
        // SAFETY: we are the consumer, and `head` has not been given up yet (M2, M5).
        unsafe { Rest { slots, at: head, to, over_holes: false }.run() };
    }
}

/// Proof that the slot at `head` holds its value.
pub(crate) struct Next<'a, T>(&'a mut Consumer<T>);

impl<T> Next<'_, T> {
    #[inline(always)]
    fn read(self) -> T {
        let at = self.0.head;
        // SAFETY: its stamp was seen (M2); `head` moves past it at once.
        let value = unsafe { slot::read(&raw const self.0.slots.at(at).value) };
        self.0.head = at.plus(1);
        value
    }

    /// Takes the message, frees its slot and then calls `freed`. As in `spsc`: the guard frees after the answer stands in place.
    #[inline(always)]
    pub(crate) fn take<E>(self, freed: impl Fn(&Consumer<T>)) -> Result<T, E> {
        let done = crate::ring::OnDrop(self.0, |consumer: &mut Consumer<T>| {
            consumer.release();
            freed(consumer);
        });
        Ok(Next(&mut *done.0).read())
    }
}
