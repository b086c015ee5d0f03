//! The end that reads.

use super::super::backend::{Backend, Geometry, Heap, drop_run};
use super::super::layout::{ConsumerBlock, Counter, GONE, LATE, ProducerBlock, RETIRED, Stats, TOLD};
use super::super::slip::Slip;
use super::super::slot::{self, Ready, Slot};
use super::stats;
use crate::sync::failpoint::point;
use crate::sync::order::{mutant, order};
use crate::sync::position::Position;
use crate::sync::{OnDrop, Ordering};
use alloc::vec::Vec;

/// The end that reads.
pub(crate) struct Consumer<B: Backend> {
    /// Next position to read; at or ahead of the published `head`.
    pub(super) head: Position,
    /// The last `tail` seen.
    pub(super) tail_seen: Position,
    /// Whether nothing will ever come: the last look said so, or this end has retired.
    pub(super) over: bool,
    /// Whether `gone` was set: the producer writes that word too from then on.
    pub(super) refused: bool,
    /// Whether it was set with TOLD, and that was not taken back.
    pub(super) told: bool,
    /// Whether this end gave its role up: then it touches nothing any more.
    pub(super) retired: bool,
    /// Whether the other side's position was impossible.
    pub(super) corrupt: bool,
    pub(super) slip: Slip,
    /// Whether looks wait at all. Not where the reader has other rings to look at, nor where a message is several places long: then one alone would be
    /// taken for a few.
    pub(crate) gathers: bool,
    /// The other side's session that this end is in: it sees no message of another.
    pub(super) session: u64,
    pub(super) geometry: Geometry<B::Item>,
    /// Keeps the memory of `geometry` alive.
    pub(super) backend: B,
}

// SAFETY: the end is used by one thread at a time (`&mut self`), and values that it reads may come from another.
unsafe impl<B: Backend> Send for Consumer<B> where B::Item: Send {}

impl<B: Backend> Consumer<B> {
    /// Resumes at the published position.
    ///
    /// # Safety
    /// No other consumer is attached to this ring (I4).
    pub(crate) unsafe fn attach(backend: B) -> Self {
        let geometry = backend.geometry();
        // SAFETY: a backend's blocks are valid while it lives.
        let own = unsafe { geometry.consumer.as_ref() };
        let head = Position::from_word(own.head.load(Ordering::Relaxed));
        // No message known yet: the first operation looks.
        Self {
            head,
            tail_seen: head,
            over: false,
            refused: false,
            told: false,
            retired: false,
            corrupt: false,
            slip: Slip::Vain,
            gathers: true,
            session: 0,
            geometry,
            backend,
        }
    }

    #[inline(always)]
    pub(super) fn own(&self) -> &ConsumerBlock {
        // SAFETY: the backend is alive and keeps its block valid.
        unsafe { self.geometry.consumer.as_ref() }
    }

    #[inline(always)]
    pub(super) fn peer(&self) -> &ProducerBlock {
        // SAFETY: the backend is alive and keeps its block valid.
        unsafe { self.geometry.producer.as_ref() }
    }

    #[inline(always)]
    pub(crate) fn slot(&self, at: Position) -> *const Slot<B::Item> {
        // SAFETY: the index is at most `mask`, inside the storage.
        unsafe { self.geometry.slots.add(at.slot(self.geometry.mask) as usize) }.as_ptr()
    }

    /// Messages that were seen and not taken.
    #[inline(always)]
    pub(crate) fn seen(&self) -> u64 {
        self.tail_seen.since(self.head)
    }

    /// Whether [`Consumer::refresh_tail_limited`] might find something: a message that was not seen, or the end. Orders nothing. For a receiver of
    /// many rings, most of which are empty.
    #[inline(always)]
    pub(crate) fn may_have_news(&self) -> bool {
        self.retired || self.tail_moved()
    }

    /// The same for an end that has not retired.
    #[inline(always)]
    pub(crate) fn tail_moved(&self) -> bool {
        self.peer().tail.load(Ordering::Relaxed) != self.head.open_word()
    }

    /// Loads the producer's position, and sees at most `limit` messages. Whether there is one.
    #[inline(always)]
    pub(crate) fn refresh_tail_limited(&mut self, limit: u64) -> bool {
        let found = self.refresh_tail();
        if found && self.seen() > limit {
            self.tail_seen = self.head.plus(limit);
        }
        found
    }

    /// Loads the producer's position again, and sees no message from `limit` on. `limit` is at or ahead of what was seen.
    #[inline(always)]
    pub(crate) fn refresh_tail_until(&mut self, limit: Position) {
        if self.refresh_tail() && self.seen() > limit.since(self.head) {
            self.tail_seen = limit;
        }
    }

    /// The position of the next message.
    #[inline(always)]
    pub(crate) fn next_position(&self) -> Position {
        self.head
    }

    /// Prefetches the lines of the messages that were seen, a kilobyte of them: the producer's core has them, and the reader would wait for one
    /// after the other. (`paired --suite mesh`: 1.1 to 1.2 times as much one by one, 1.3 times in batches; between shards
    /// that share a core, and on `fan_in`, it makes no difference.)
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        let line = const {
            match size_of::<B::Item>() as u64 {
                0 => u64::MAX,
                size if size > 64 => 1,
                size => 64 / size,
            }
        };
        // Not a line that the producer may still write to.
        for ahead in (line..(self.seen() + 1).saturating_sub(line).min(line.saturating_mul(16))).step_by(line as usize)
        {
            slot::prefetch_for_read(self.slot(self.head.plus(ahead)));
        }
    }

    /// Loads the producer's position, after a short wait if that lets messages gather. Whether there is a message.
    #[inline(always)]
    fn look(&mut self) -> bool {
        if self.slip == Slip::Wait {
            Slip::wait();
        }
        if !self.refresh_tail() {
            // As little as can be: a round trip ends with the first look that is not in vain.
            self.slip = Slip::Vain;
            return false;
        }
        self.slip = if !B::SHARED || self.gathers { self.slip.after(self.seen()) } else { Slip::Found };
        true
    }

    /// Loads the producer's position. Whether there is a message. Inline and short: the more often a receiver looks, the sooner it sees a message,
    /// and it takes it without a call.
    #[inline(always)]
    pub(super) fn refresh_tail(&mut self) -> bool {
        let word = B::observe(&self.peer().tail, order!(observe_tail));
        let tail = Position::from_word(word);
        // The session after the position: a consumer that sees a message also sees that the message's session has begun.
        let is_other = || self.backend.producer_session(&self.geometry) != self.session;
        if B::SHARED && (tail.since(self.head) > self.geometry.capacity || is_other()) {
            return self.refuse_tail(tail);
        }
        // An end that has retired reads no more, also if a message has come since.
        if tail != self.head && !self.retired {
            self.tail_seen = tail;
            return true;
        }
        if Position::is_closed(word) {
            self.over = true;
        }
        false
    }

    /// The same if the other side wrote nonsense, or began another session: there is no message before [`BoundedReader::look_as_far`] was called.
    #[cold]
    #[inline(never)]
    fn refuse_tail(&mut self, tail: Position) -> bool {
        self.corrupt |= tail.since(self.head) > self.geometry.capacity;
        self.over = true;
        false
    }

    /// The slots of the next `n` messages, in order, as the two runs they form; fewer if fewer were seen.
    #[cfg(not(ringmail_loom))]
    #[inline(always)]
    pub(crate) fn runs(&self, n: u64) -> (Run<B::Item>, Run<B::Item>) {
        let n = self.tail_seen.since(self.head).min(n) as usize;
        let to_end = ((self.geometry.mask + 1 - self.head.slot(self.geometry.mask)) as usize).min(n);
        ((self.slot(self.head), to_end), (self.geometry.slots.as_ptr(), n - to_end))
    }

    /// The memory that this end is attached to.
    pub(crate) fn backend(&self) -> &B {
        &self.backend
    }

    /// Has the producer's next send refused. `tell`: the event count will say so. Whether this is the first time, and the producer is to be told.
    fn refuse(&mut self, tell: bool) -> bool {
        if core::mem::replace(&mut self.refused, true) && !B::SHARED {
            return false;
        }
        self.told = tell;
        point!();
        self.own().gone.0.store(if tell { GONE | TOLD } else { GONE }, Ordering::Relaxed);
        point!();
        tell
    }

    /// Gives the role up. If the producer has published its last message before that, takes what is left first.
    fn give_up(&mut self) {
        self.own().head.store(self.head.open_word(), order!(publish_head));
        let late = self.own().gone.0.fetch_or(RETIRED, order!(retire)) & LATE != 0;
        if late && !mutant!(RetireLooks) {
            self.refresh_tail();
        }
        let from = self.head;
        self.head = self.tail_seen;
        (self.retired, self.over) = (true, true);
        if late {
            // Before any value's own code runs. Only this end reads the word, and the memory's last owner after it.
            self.own().head.store(self.head.open_word(), Ordering::Relaxed);
            // SAFETY: the producer left the values in [from, head) to us (I3, I5), and `head` has passed them.
            unsafe { drop_run(self.geometry.slots, self.geometry.mask, from, self.head) };
        }
    }
}

impl<T> Consumer<Heap<T>> {
    /// The next message, if there is one now.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Ready<'_, T>> {
        if self.has_message() { Some(self.ready()) } else { None }
    }

    /// The same without a wait that lets messages gather.
    #[inline(always)]
    pub(crate) fn next_at_once(&mut self) -> Option<Ready<'_, T>> {
        if self.head != self.tail_seen || self.refresh_tail() { Some(self.ready()) } else { None }
    }

    /// The next of the messages that were seen, without looking for more.
    #[inline(always)]
    pub(crate) fn next_seen(&mut self) -> Option<Ready<'_, T>> {
        if self.seen() != 0 { Some(self.ready()) } else { None }
    }

    /// The next message, which was seen.
    #[inline(always)]
    fn ready(&mut self) -> Ready<'_, T> {
        debug_assert!(self.seen() != 0);
        let slot = self.slot(self.head);
        // SAFETY: the backend is alive and keeps its block valid.
        let own = unsafe { self.geometry.consumer.as_ref() };
        Ready {
            slot,
            head: &mut self.head,
            published: &own.head,
            order: order!(publish_head),
            wakes: &own.counters.0.wakes,
        }
    }

    /// The next `n` messages in place, in order, as the two runs they form; fewer if fewer were seen.
    #[cfg(not(ringmail_loom))]
    #[inline(always)]
    pub(crate) fn slices(&self, n: u64) -> (&[T], &[T]) {
        let (first, second) = self.runs(n);
        // SAFETY: these slots are ours and full (I3) while `self` is borrowed; a slot is `repr(transparent)` over its value.
        let first = unsafe { core::slice::from_raw_parts(first.0.cast::<T>(), first.1) };
        // SAFETY: as above.
        let second = unsafe { core::slice::from_raw_parts(second.0.cast::<T>(), second.1) };
        (first, second)
    }
}

/// Slots that lie behind each other.
#[cfg(not(ringmail_loom))]
type Run<T> = (*const Slot<T>, usize);

impl<B: Backend> Consumer<B> {
    /// Takes the next message, if there is one now, and hands it to `f`; its place stays occupied until [`Consumer::release`].
    #[inline(always)]
    pub(crate) fn take<R>(&mut self, f: impl FnOnce(B::Item) -> R) -> Option<R> {
        if !self.has_message() {
            return None;
        }
        let slot = self.slot(self.head);
        self.head = self.head.plus(1);
        // SAFETY: `head < tail` was seen with Acquire, so the slot is ours and full (I3); `head` has moved past it.
        Some(f(unsafe { B::get(slot) }))
    }

    /// Whether a message is there; looks again if none was known.
    #[inline(always)]
    pub(crate) fn has_message(&mut self) -> bool {
        self.head != self.tail_seen || self.look()
    }

    /// Publishes how far this end has read: the places before are free.
    #[inline(always)]
    pub(crate) fn release(&mut self) {
        point!();
        self.own().head.store(self.head.open_word(), order!(publish_head));
        point!();
    }

    /// The same for guards that may have taken nothing.
    #[inline(always)]
    pub(crate) fn free(&mut self) {
        // An end that has retired writes no more (I5).
        if !self.retired {
            self.release();
        }
    }

    /// Messages ready to read in one run, up to `wanted`; looks again if fewer were known.
    #[inline(always)]
    pub(crate) fn available(&mut self, wanted: u64) -> u64 {
        if self.tail_seen.since(self.head) < wanted {
            self.look();
        }
        self.tail_seen.since(self.head).min(wanted)
    }

    /// A message that [`Consumer::available`] has seen, in place.
    #[inline(always)]
    pub(crate) fn front(&self, offset: u64) -> Option<&B::Item> {
        if B::SHARED || offset >= self.tail_seen.since(self.head) {
            return None;
        }
        // SAFETY: `head + offset < tail`: ours and full (I3), and `&self` keeps `head` where it is.
        Some(unsafe { slot::borrow(self.slot(self.head.plus(offset))) })
    }

    /// Moves the next `n` messages to the end of `target` and frees their places; fewer if fewer were seen.
    pub(crate) fn move_into(&mut self, target: &mut Vec<B::Item>, n: u64) -> usize {
        let n = self.tail_seen.since(self.head).min(n) as usize;
        let to_end = ((self.geometry.mask + 1 - self.head.slot(self.geometry.mask)) as usize).min(n);
        let len = target.len();
        // May panic or abort; nothing has moved yet.
        target.reserve(n);
        if B::SHARED {
            for _ in 0..n {
                target.extend(self.take(|message| message));
            }
            self.release();
            return n;
        }
        let room = target.spare_capacity_mut().as_mut_ptr().cast::<B::Item>();
        // SAFETY: `to_end` slots from `head` on are ours and full (I3); `room` has space for `n`.
        unsafe { slot::read_run(self.slot(self.head), room, to_end) };
        // SAFETY: `to_end ≤ n`, inside the spare capacity.
        let rest = unsafe { room.add(to_end) };
        // SAFETY: the other slots of the run lie from the storage's start on.
        unsafe { slot::read_run(self.geometry.slots.as_ptr(), rest, n - to_end) };
        self.head = self.head.plus(n as u64);
        // SAFETY: `n` values were moved in behind `len`.
        unsafe { target.set_len(len + n) };
        self.release();
        n
    }

    /// Drops the next `n` messages and frees their places; fewer if fewer were seen.
    #[inline(always)]
    pub(crate) fn skip(&mut self, n: u64) {
        let n = n.min(self.seen());
        if n == 0 {
            // What a leaked guard took may still have to be freed.
            return self.free();
        }
        if core::mem::needs_drop::<B::Item>() {
            return self.drop_next(n);
        }
        // An end that has retired has seen no message.
        self.head = self.head.plus(n);
        self.release();
    }

    /// The same of messages with a drop of their own; `n` were seen.
    fn drop_next(&mut self, n: u64) {
        let from = self.head;
        self.head = from.plus(n.min(self.seen()));
        let (slots, mask, to) = (self.geometry.slots, self.geometry.mask, self.head);
        let free = OnDrop(self, Self::free);
        // SAFETY: the values in [from, to) are ours (I3), and `head` has passed them.
        unsafe { drop_run(slots, mask, from, to) };
        drop(free);
    }

    /// Frees what a leaked guard took without freeing it. Whether there was any: then senders must be woken.
    ///
    /// To be called before the channel answers "empty" or waits: with places missing, a sender might wait as well.
    pub(crate) fn free_leaked(&mut self) -> bool {
        let leaked = self.own().head.load(Ordering::Relaxed) != self.head.open_word();
        if leaked {
            self.free();
        }
        leaked && !self.retired
    }

    /// Whether there is nothing to do after a look that found nothing: no place to free, and no end to report.
    #[inline(always)]
    pub(crate) fn is_idle(&self) -> bool {
        !self.over && self.own().head.load(Ordering::Relaxed) == self.head.open_word()
    }

    /// Whether the last look found nothing, and nothing will ever come.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Accepts nothing more. What was sent before can still be read. `true`: a message may come that a look soon after does not see. Then
    /// the event count that the sender reads must say so, and a barrier must pass, before such a look.
    #[must_use]
    pub(crate) fn close(&mut self) -> bool {
        // A message without a drop of its own need not be dropped, and a producer that has closed sends nothing more.
        let tell = !B::SHARED && core::mem::needs_drop::<B::Item>() && !self.peer_closed();
        self.refuse(tell)
    }

    /// The same where this end goes to another reader with what is left: a message without a drop must not stay unseen either.
    #[must_use]
    pub(crate) fn close_to_hand_on(&mut self) -> bool {
        let tell = !self.peer_closed();
        self.refuse(tell)
    }

    /// To be called after that barrier: whether the sender closed before it, so that the event count need not tell it.
    pub(crate) fn take_back_told(&mut self) -> bool {
        // One of the two takes TOLD back: a producer that closes sets LATE if it finds GONE.
        core::mem::take(&mut self.told)
            && self.peer_closed()
            && self.own().gone.0.fetch_and(!TOLD, Ordering::Relaxed) & LATE == 0
    }

    /// To be called once a closed end found nothing: drops what raced with the close, so that the answer cannot change. See [`super`], I5.
    pub(crate) fn retire(&mut self) {
        if self.retired {
            return;
        }
        self.refresh_tail();
        let from = self.head;
        self.head = self.tail_seen;
        let (slots, mask, to) = (self.geometry.slots, self.geometry.mask, self.head);
        let last = OnDrop(self, Self::give_up);
        // SAFETY: the values in [from, to) are ours (I3), and `head` has passed them.
        unsafe { drop_run(slots, mask, from, to) };
        drop(last);
    }

    /// Whether the sender has sent its last message.
    pub(crate) fn peer_closed(&self) -> bool {
        Position::is_closed(B::observe(&self.peer().tail, Ordering::Relaxed))
    }

    /// Messages in the ring; the sender may add some meanwhile, so it is at least this.
    pub(crate) fn len(&self) -> usize {
        if self.retired {
            return 0;
        }
        let tail = Position::from_word(B::observe(&self.peer().tail, Ordering::Relaxed));
        tail.since(self.head).min(self.geometry.capacity) as usize
    }

    pub(crate) fn capacity(&self) -> usize {
        self.geometry.capacity as usize
    }

    /// Messages received so far.
    pub(crate) fn received(&self) -> u64 {
        self.head.since(self.geometry.start)
    }

    pub(crate) fn count_parks(&self, n: u64) {
        self.own().counters.0.parks.add(n);
        point!();
    }

    /// How many senders this end has woken.
    pub(crate) fn wakes(&self) -> &Counter {
        &self.own().counters.0.wakes
    }

    pub(crate) fn stats(&self) -> Stats {
        let tail = Position::from_word(B::observe(&self.peer().tail, Ordering::Relaxed));
        stats(self.peer(), self.own(), self.geometry.start, self.head, tail, self.geometry.capacity)
    }
}

impl<B: Backend> Drop for Consumer<B> {
    fn drop(&mut self) {
        // In shared memory the word is this end's while it has the role's lock, which it may have given back since it refused.
        if !self.backend.is_here() || (B::SHARED && self.refused) {
            return;
        }
        self.refuse(false);
        if !B::SHARED {
            self.retire();
        }
    }
}
