//! What the two ends need in memory that another process maps too: sessions of the other side, words to sleep on, and a peer that may write
//! nonsense.

use super::super::backend::Backend;
use super::super::layout::{ConsumerBlock, ProducerBlock};
use super::super::reach::{BoundedReader, LeftRing, Reach};
use super::super::slot::Slot;
use super::{Consumer, Producer, Staging};
use crate::sync::failpoint::point;
use crate::sync::order::{mutant, order};
use crate::sync::position::Position;
use crate::sync::{AtomicU64, Ordering};

impl<B: Backend> Producer<B> {
    /// Where the other side's block lies: `mapped` finds the rest of its page from there.
    #[inline(always)]
    pub(crate) fn peer_block(&self) -> *const ConsumerBlock {
        self.geometry.consumer.as_ptr()
    }

    /// The word that this end publishes.
    #[inline(always)]
    pub(crate) fn position_word(&self) -> &AtomicU64 {
        &self.own().tail
    }

    /// Publishes the message that `write` puts into the vacancy. For memory that another process maps, or a model of it.
    #[inline(always)]
    pub(crate) fn fill(&mut self, write: impl FnOnce()) {
        #[cfg(ringmail_planted_early_publish)]
        if B::SHARED {
            // Wrong on purpose: `verify/killsweep/check` shows with it that the sweep would notice.
            self.publish(1);
            return write();
        }
        write();
        self.publish(1);
    }

    /// After this, finds room if `session` is the other side's last session, and that has not closed.
    pub(crate) fn meet(&mut self, session: u64) {
        self.session = session;
    }

    /// As [`Producer::vacancy`], with or without a receiver: between processes a message waits for the next receiver.
    #[inline(always)]
    pub(crate) fn vacancy_for_the_next(&mut self) -> Option<*const Slot<B::Item>> {
        (self.tail != self.full_at || self.find_room()).then(|| self.slot(self.tail))
    }

    /// Whether there is room and a receiver; looks again if none was known.
    #[inline(always)]
    pub(crate) fn has_room(&mut self) -> bool {
        self.vacancy().is_some()
    }

    /// As [`Producer::room`], with or without a receiver.
    pub(crate) fn room_for_the_next(&mut self, wanted: u64) -> u64 {
        if self.full_at.since(self.tail) < wanted {
            self.find_room();
        }
        self.full_at.since(self.tail).min(wanted)
    }

    /// As [`Producer::reserve`], with or without a receiver.
    pub(crate) fn reserve_for_the_next(&mut self, wanted: u64) -> Staging {
        let room = self.room_for_the_next(wanted);
        self.staging(room)
    }

    /// Writes staged values again, from the one at `offset` on; at most those that are staged.
    pub(crate) fn restage(&mut self, staging: &Staging, offset: u64, values: &[B::Item])
    where
        B::Item: Copy,
    {
        for (offset, &value) in (offset..staging.staged()).zip(values) {
            // SAFETY: one of the staged slots, ours until they are published (I2); a `Copy` value needs no drop.
            unsafe { B::put(self.slot(self.tail.plus(offset)), value) };
        }
    }

    /// Takes the closed bit back, which an earlier session may have set.
    pub(crate) fn reopen(&mut self) {
        point!();
        self.own().tail.store(self.tail.open_word(), order!(publish_tail));
        point!();
    }

    /// The next position to write.
    #[inline(always)]
    pub(crate) fn position(&self) -> Position {
        self.tail
    }

    /// The consumer's word: read it before a look, and sleep on that value if the look finds nothing.
    pub(crate) fn peer_word(&self) -> u64 {
        B::observe(&self.peer().head, Ordering::Relaxed)
    }

    /// Whether a later session of the receiver has begun than the one that this end knows: then there may be room that it does not find.
    pub(crate) fn is_behind(&self) -> bool {
        self.backend.consumer_session(&self.geometry) != self.session
    }

    /// Whether "no room" has another reason than a full ring: the receiver closed, wrote nonsense, or began a session that this end does not know.
    pub(crate) fn is_strange(&self) -> bool {
        self.corrupt || self.peer_gone() || self.is_behind()
    }

    /// The message that must be consumed before there is room for `n`.
    pub(crate) fn awaited(&self, n: u64) -> Position {
        self.tail.plus(n.wrapping_sub(1)).plus(self.geometry.capacity.wrapping_neg())
    }

    /// Whether all that was sent before `mark` was received, by whichever reader. Nothing else was written there then, so an impossible position says
    /// that as well.
    pub(crate) fn is_received(&self, mark: Position) -> bool {
        let head = Position::from_word(B::observe(&self.peer().head, order!(observe_head)));
        let (unread, behind) = (self.tail.since(head), self.tail.since(mark));
        mutant!(KeyWaits) || unread <= behind || unread > self.geometry.capacity
    }

    /// Sends nothing more: the other side wrote nonsense elsewhere.
    pub(crate) fn spoil(&mut self) {
        (self.full_at, self.corrupt) = (self.tail, true);
    }

    /// Whether the consumer's position was impossible.
    pub(crate) fn is_corrupt(&self) -> bool {
        self.corrupt
    }
}

impl<B: Backend> Consumer<B> {
    /// Where the other side's block lies: `mapped` finds the rest of its page from there.
    #[inline(always)]
    pub(crate) fn peer_block(&self) -> *const ProducerBlock {
        self.geometry.producer.as_ptr()
    }

    /// The word that this end publishes.
    #[inline(always)]
    pub(crate) fn position_word(&self) -> &AtomicU64 {
        &self.own().head
    }

    /// Takes `gone` back, which an earlier session may have set.
    pub(crate) fn reopen(&mut self) {
        point!();
        self.own().gone.0.store(0, Ordering::Relaxed);
        point!();
    }

    /// Begins with what is published from now on, as one of many readers of a broadcast. The caller has said that a reader comes, and has passed a fence
    /// since: see `shm::ring::gate`.
    pub(crate) fn join(&mut self) {
        let now = Position::from_word(B::observe(&self.peer().tail, order!(observe_tail)));
        point!();
        self.own().head.store(now.open_word(), order!(publish_head));
        point!();
        (self.head, self.tail_seen) = (now, now);
    }

    /// The producer's word: read it before a look, and sleep on that value if the look finds nothing.
    pub(crate) fn peer_word(&self) -> u64 {
        B::observe(&self.peer().tail, Ordering::Relaxed)
    }

    /// Where the producer stands while there is no message.
    pub(crate) fn awaited(&self) -> Position {
        self.head
    }

    /// Receives nothing more; what is in the ring stays there.
    pub(crate) fn halt(&mut self) {
        (self.tail_seen, self.retired, self.over) = (self.head, true, true);
    }

    /// The next message, as [`Consumer::rewind`] takes it.
    pub(crate) fn position(&self) -> Position {
        self.head
    }

    /// Takes a message without a look at it.
    ///
    /// # Safety
    /// One was seen and not taken. Otherwise the positions would say that unwritten slots hold messages.
    #[inline(always)]
    pub(crate) unsafe fn advance(&mut self) {
        debug_assert!(self.seen() != 0);
        self.head = self.head.plus(1);
    }

    /// Takes the next `n` messages without a look at them; fewer if fewer were seen.
    pub(crate) fn pass(&mut self, n: u64) {
        self.head = self.head.plus(n.min(self.seen()));
    }

    /// Takes back the messages that were taken since `to` and not released. Forgets what was seen: counted from `to` that may be more than a ring
    /// holds, if the other side has written nonsense meanwhile, so the position is loaded and checked again.
    pub(crate) fn rewind(&mut self, to: Position) {
        (self.head, self.tail_seen) = (to, to);
    }

    /// Whether the producer's position was impossible.
    pub(crate) fn is_corrupt(&self) -> bool {
        self.corrupt
    }

    /// Counts a sender that this end has woken.
    pub(crate) fn count_wake(&self) {
        self.own().counters.0.wakes.add(1);
        point!();
    }
}

impl<B: Backend> BoundedReader for Consumer<B> {
    fn look_as_far(&mut self, reach: Reach) -> bool {
        if self.retired || self.corrupt {
            return false;
        }
        self.over = false;
        let end = match reach {
            Reach::All(session) => {
                self.session = session;
                return self.has_message();
            }
            Reach::Nowhere => self.head,
            Reach::Until(count) => Position::new(count),
        };
        let tail = Position::from_word(B::observe(&self.peer().tail, order!(observe_tail)));
        let (there, ahead) = (tail.since(self.head), end.since(self.head));
        // The next session begins where this one ended: not behind what was published since.
        self.corrupt = there > self.geometry.capacity || ahead > there;
        (self.tail_seen, self.over) = (if self.corrupt { self.head } else { end }, true);
        self.seen() != 0 || (reach == Reach::Nowhere && there != 0)
    }

    fn count(&self) -> u64 {
        self.head.count()
    }

    fn has_freed(&self) -> bool {
        self.own().head.load(Ordering::Relaxed) == self.head.open_word()
    }
}

impl<B: Backend> LeftRing for Consumer<B> {
    fn refuse(&mut self) {
        // Between processes the word tells nothing more.
        let _ = self.close();
    }

    fn look_at_all(&mut self) -> u64 {
        let tail = Position::from_word(B::observe(&self.peer().tail, order!(observe_tail)));
        self.corrupt |= tail.since(self.head) > self.geometry.capacity;
        self.tail_seen = if self.corrupt { self.head } else { tail };
        self.seen()
    }
}
