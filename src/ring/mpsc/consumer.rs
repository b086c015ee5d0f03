//! The end that reads.

use super::{DropOwner, Found, Rest, Ring, Slots};
use crate::ring::layout::{Counter, Stats};
use crate::ring::slip::Slip;
use crate::ring::slot::{self, Ready};
use crate::sync::OnDrop;
use crate::sync::order::order;
use crate::sync::position::Position;
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
    /// Where this end last saw none.
    run_from: Position,
    slip: Slip,
    /// Whether nothing will ever come.
    over: bool,
    /// Whether this end closed `tail`.
    closed: bool,
    /// Whether tombstones were passed since the last [`Consumer::take_passed`].
    passed: bool,
    /// Whether this end gave up its role.
    left: bool,
}

// SAFETY: used by one thread at a time (`&mut self`); the values it reads may come from another.
unsafe impl<T: Send> Send for Consumer<T> {}

impl<T> Consumer<T> {
    pub(super) fn new(ring: Arc<Ring<T>>) -> Self {
        let head = ring.head();
        let (run_from, slip) = (head, Slip::Vain);
        let (over, closed, passed, left) = (false, false, false, false);
        Self { slots: ring.slots(), head, seen: head, run_from, slip, over, closed, passed, left, ring }
    }

    #[inline(always)]
    fn refresh_seen(&mut self) -> bool {
        if !self.slots.is_full(self.head) {
            return self.look_again();
        }
        self.seen = self.head.plus(1);
        true
    }

    /// To be called where no message is.
    #[cold]
    #[inline(never)]
    fn look_again(&mut self) -> bool {
        if self.gathers() {
            self.seen = self.head.plus(1);
            return true;
        }
        // The slow path only if there is more to it than "nothing yet".
        let quiet = !self.closed && self.ring.ended.load(order!(observe_end)) == 0;
        !(quiet && self.slots.state_of(self.head) == Found::Nothing) && self.find_behind()
    }

    /// To be called where no message is: waits a little for some if they come close to each other. Whether there is one now.
    #[inline(always)]
    fn gathers(&mut self) -> bool {
        let run = self.head.since(core::mem::replace(&mut self.run_from, self.head));
        if !self.slip.waits_after(run) {
            return false;
        }
        Slip::wait();
        self.slots.is_full(self.head)
    }

    /// Looks behind tombstones, and for the end.
    #[cold]
    #[inline(never)]
    fn find_behind(&mut self) -> bool {
        loop {
            // Before the slot: what was claimed before the end is then not missed.
            let ended = self.closed || self.ring.ended.load(order!(observe_end)) != 0;
            let tail = self.ring.tail();
            match self.slots.state_of(self.head) {
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

impl<T> Consumer<T> {
    /// The next message, if there is one now.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Ready<'_, T>> {
        if !self.has_message() {
            return None;
        }
        // The stamp at `head` was seen: the slot is ours and full (M2).
        let slot = &raw const self.slots.at(self.head).value;
        let (published, wakes) = (&*self.ring.head, &self.ring.consumer.wakes);
        Some(Ready { slot, head: &mut self.head, published, order: order!(free_head), wakes })
    }

    /// Takes the next message, if there is one now, and hands it to `f`; its place stays occupied until [`Consumer::release`].
    #[inline(always)]
    pub(crate) fn take<R>(&mut self, f: impl FnOnce(T) -> R) -> Option<R> {
        if !self.has_message() {
            return None;
        }
        let at = self.head;
        self.head = at.plus(1);
        // SAFETY: its stamp was seen (M2), and `head` has moved past it.
        Some(f(unsafe { slot::read(&raw const self.slots.at(at).value) }))
    }

    /// Whether a message is there; looks again if none was known.
    #[inline(always)]
    pub(crate) fn has_message(&mut self) -> bool {
        self.head != self.seen || self.refresh_seen()
    }

    /// Publishes how far this end has read: the places before are free.
    #[inline(always)]
    pub(crate) fn release(&mut self) {
        self.ring.head.store(self.head.open_word(), order!(free_head));
    }

    /// Whether places without a message were freed since the last call: senders may find room.
    pub(crate) fn take_passed(&mut self) -> bool {
        core::mem::take(&mut self.passed)
    }

    /// Messages ready to read in one run, up to `wanted`; looks again if fewer were known.
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

    /// Moves the next `n` messages to the end of `target` and frees their places; fewer if fewer were seen.
    pub(crate) fn move_into(&mut self, target: &mut Vec<T>, n: u64) -> usize {
        let n = self.seen.since(self.head).min(n) as usize;
        // May panic or abort; nothing has moved yet.
        target.reserve(n);
        let room = target.spare_capacity_mut().as_mut_ptr().cast::<T>();
        for i in 0..n {
            let at = self.head.plus(i as u64);
            // SAFETY: `i < n`, inside the spare capacity.
            let room = unsafe { room.add(i) };
            // SAFETY: its stamp was seen (M2), and `head` moves past it before it could be taken again.
            unsafe { slot::read_run(&raw const self.slots.at(at).value, room, 1) };
        }
        self.head = self.head.plus(n as u64);
        // SAFETY: `n` values were moved in behind `len`.
        unsafe { target.set_len(target.len() + n) };
        self.release();
        n
    }

    /// Drops the next `n` messages and frees their places; fewer if fewer were seen.
    pub(crate) fn skip(&mut self, n: u64) {
        let to = self.head.plus(self.seen.since(self.head).min(n));
        let this = OnDrop(self, Self::release);
        let Consumer { slots, head, .. } = &mut *this.0;
        // SAFETY: the positions before `seen` are ours (M2).
        unsafe { Rest { slots, at: head, to, over_holes: false }.run() };
    }

    /// Frees what a leaked guard took without freeing it. Whether there was any: then senders must be woken.
    ///
    /// To be called before the channel answers "empty" or waits: with places missing, a sender might wait as well.
    pub(crate) fn free_leaked(&mut self) -> bool {
        let leaked = self.ring.head.load(Ordering::Relaxed) != self.head.open_word();
        if leaked {
            self.release();
        }
        leaked
    }

    /// Whether the last look found nothing, and nothing will ever come.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Notes which message this end is about to wait for: only its sender wakes it.
    pub(crate) fn note_awaited(&self) {
        self.ring.consumer.awaited.store(self.head.open_word(), Ordering::Relaxed);
    }

    /// Whether the message noted last is still the next.
    pub(crate) fn is_noted(&self) -> bool {
        self.ring.consumer.awaited.load(Ordering::Relaxed) == self.head.open_word()
    }

    /// Accepts nothing more: ends the claims. What is claimed still comes; this end waits for it, or drops it when it leaves.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.ring.close_tail();
    }

    /// To be called once, by an end that goes. `tell(true)` has the event count of the senders say that they are to drop what they publish from
    /// now on, `tell(false)` takes that back.
    pub(crate) fn leave(&mut self, tell: impl Fn(bool)) {
        if core::mem::replace(&mut self.left, true) {
            return;
        }
        let to = self.ring.close_tail();
        // What an unfinished guard took was not freed.
        self.ring.head.store(self.head.open_word(), Ordering::Relaxed);
        let mut at = self.head;
        while at != to && core::mem::needs_drop::<T>() {
            if self.slots.state_of(at) == Found::Nothing {
                // An open claim: our last look may miss what is published there, so its producer must be told.
                self.ring.reader.told.store(1, Ordering::Relaxed);
                tell(true);
                break;
            }
            at = at.plus(1);
        }
        // SAFETY: we are the consumer, and have not given up our role before (M5).
        unsafe { DropOwner::new(&self.ring, &self.slots, || tell(false)) }.serve();
    }

    /// Whether the senders have sent their last message.
    pub(crate) fn peer_closed(&self) -> bool {
        self.ring.ended.load(Ordering::Relaxed) != 0
    }

    /// Places that are claimed and not read; senders may claim some meanwhile, so it is at least this.
    pub(crate) fn len(&self) -> usize {
        self.ring.tail().since(self.head).min(self.ring.capacity) as usize
    }

    pub(crate) fn capacity(&self) -> usize {
        self.ring.capacity as usize
    }

    /// Places read so far.
    pub(crate) fn received(&self) -> u64 {
        self.head.since(self.ring.start)
    }

    pub(crate) fn count_parks(&self, n: u64) {
        self.ring.consumer.parks.add(n);
    }

    /// How many senders this end has woken.
    pub(crate) fn wakes(&self) -> &Counter {
        &self.ring.consumer.wakes
    }

    pub(crate) fn stats(&self) -> Stats {
        self.ring.stats()
    }
}

impl<T> Drop for Consumer<T> {
    /// Drops what was published, up to the first open claim. Senders drop the rest, or the last owner of the memory.
    fn drop(&mut self) {
        self.leave(|_| ());
    }
}
