//! The sending end of a many-to-one ring, with the event count of the receiver.

use crate::channel::RingSender;
use crate::ring::layout::Stats;
use crate::ring::mpsc::{Claim, Producer, Weak, Writer};
use crate::ring::place::{Filled, Place};
use crate::sync::order::mutant;
use crate::sync::position::Position;
#[cfg(feature = "std")]
use crate::wait::OvertakeBudget;
use crate::wait::{EventCount, SenderQueue};
#[cfg(feature = "std")]
use alloc::vec::Vec;

/// Items that [`Gather`] takes from an iterator before places are claimed for them.
#[cfg(feature = "std")]
const GATHERED: usize = 32;

/// A sending end. Aligned as [`LaneSender`](crate::channel::lane::LaneSender).
#[allow(missing_debug_implementations, reason = "behind the handles, which have one")]
#[repr(align(128))]
pub struct MpscSender<T> {
    ring: Producer<T>,
    receiver: EventCount,
    queue: SenderQueue,
    #[cfg(feature = "std")]
    budget: OvertakeBudget,
    /// What an iterator yielded and was not sent yet.
    #[cfg(feature = "std")]
    gathered: Vec<T>,
}

impl<T> MpscSender<T> {
    pub(super) fn new(producer: Producer<T>, receiver: EventCount, queue: SenderQueue) -> Self {
        queue.reserve_slot(producer.writer().alive());
        Self {
            ring: producer,
            receiver,
            queue,
            #[cfg(feature = "std")]
            budget: OvertakeBudget::default(),
            #[cfg(feature = "std")]
            gathered: Vec::new(),
        }
    }

    pub(super) fn another(&self) -> Self {
        Self::new(self.ring.another(), self.receiver.clone(), self.queue.clone())
    }

    pub(super) fn downgrade(&self) -> WeakMpscSender<T> {
        WeakMpscSender { ring: self.ring.downgrade(), receiver: self.receiver.clone(), queue: self.queue.clone() }
    }

    pub(super) fn alive(&self) -> usize {
        self.ring.writer().alive()
    }

    /// What a shared sender needs of this end: the ring, the receiver's event count, and the queue.
    #[cfg(feature = "std")]
    pub(super) fn parts(&self) -> (Writer<T>, EventCount, SenderQueue) {
        (self.ring.writer().clone(), self.receiver.clone(), self.queue.clone())
    }

    /// Wakes the receiver if it sleeps for one of the `n` messages from `at` on.
    #[inline(always)]
    fn published(&mut self, at: Position, n: u64) {
        if self.receiver.has_waiter() {
            wake_receiver(self.ring.writer(), &self.receiver, at, n);
        }
    }

    #[inline(always)]
    pub(super) fn hold(&mut self, n: usize) -> Option<Held<'_, T>> {
        let receiver = &self.receiver;
        self.ring.hold(n as u64).map(|claim| Held { claim, receiver })
    }
}

/// `n` places from `at` on hold messages, or never will.
#[cold]
#[inline(never)]
pub(super) fn wake_receiver<T>(ring: &Writer<T>, receiver: &EventCount, at: Position, n: u64) {
    let answer = receiver.notify_slow_if(|| ring.is_awaited(at, n));
    if answer.woke {
        ring.count_wake();
    }
    if answer.departed {
        ring.come_late(|| receiver.acknowledge_departure());
    }
}

/// Claimed places. What is not sent when it is dropped becomes tombstones.
pub struct Held<'a, T> {
    claim: Claim<'a, T>,
    receiver: &'a EventCount,
}

impl<T> Held<'_, T> {
    /// Places left.
    pub fn left(&self) -> usize {
        self.claim.unfilled().1 as usize
    }

    /// Publishes `value` in the next place.
    pub fn send(&mut self, value: T) {
        self.send_with(|place| place.write(value));
    }

    /// Publishes what `write` puts into the next place. If it panics, the place becomes a tombstone.
    #[inline(always)]
    fn send_with(&mut self, write: impl FnOnce(Place<'_, T>) -> Filled<'_>) {
        let (at, _) = self.claim.unfilled();
        self.claim.fill_with(write);
        self.published(at, 1);
    }

    #[inline(always)]
    fn published(&mut self, at: Position, n: u64) {
        if self.receiver.has_waiter() {
            wake_receiver(self.claim.writer(), self.receiver, at, n);
        }
    }
}

impl<T> Drop for Held<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        let (at, left) = self.claim.unfilled();
        self.claim.give_up();
        if left != 0 && !mutant!(TombstoneNotifies) {
            self.published(at, left);
        }
    }
}

impl<T> core::fmt::Debug for Held<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Held").field("left", &self.left()).finish()
    }
}

#[cfg(feature = "std")]
impl<T> MpscSender<T> {
    /// A guard that gathers items for [`MpscSender::push_gathered`]. If the iterator panics, it sends those for which there is room and drops the
    /// others.
    pub(super) fn gather(&mut self) -> Gather<'_, T> {
        self.gathered.reserve_exact(GATHERED);
        Gather(self, false)
    }

    pub(super) fn gathered(&self) -> usize {
        self.gathered.len()
    }

    /// Sends as many of them as there is room for.
    pub(super) fn push_gathered(&mut self) -> usize {
        let Some((at, n)) = self.ring.push_all(&mut self.gathered) else { return 0 };
        self.published(at, n);
        n as usize
    }

    /// Drops them all.
    pub(super) fn drop_gathered(&mut self) {
        self.gathered.clear();
    }

    /// Takes the first and drops the others. If the drop of one panics, all are dropped.
    pub(super) fn take_gathered(&mut self) -> Option<T> {
        let mut gathered = self.gathered.drain(..);
        // In a local while the others are dropped: if one of them panics, an answer already in its place would leak.
        let first = gathered.next();
        drop(gathered);
        first
    }
}

#[cfg(feature = "std")]
pub(super) struct Gather<'a, T>(&'a mut MpscSender<T>, bool);

#[cfg(feature = "std")]
impl<T> Gather<'_, T> {
    pub(super) fn fill(&mut self, values: &mut impl Iterator<Item = T>) {
        while self.0.gathered.len() < GATHERED {
            let Some(value) = values.next() else { break };
            self.0.gathered.push(value);
        }
        self.1 = true;
    }
}

#[cfg(feature = "std")]
impl<T> Drop for Gather<'_, T> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.push_gathered();
            self.0.gathered.clear();
        }
    }
}

impl<T> RingSender for MpscSender<T> {
    type Item = T;

    #[inline(always)]
    fn push(&mut self, value: T) -> Result<(), T> {
        match self.ring.push(value) {
            Ok(at) => {
                self.published(at, 1);
                Ok(())
            }
            Err(value) => Err(value),
        }
    }

    /// Each attempt that overtakes is counted. Behind a future, which may never be polled, a sender that finds the ring empty may go: the receiver may
    /// be about to sleep.
    #[cfg(feature = "std")]
    #[inline(always)]
    fn may_overtake(&mut self) -> bool {
        let first = self.queue.first();
        first == 0 || self.budget.spend(first) || SenderQueue::is_future(first) && self.ring.writer().looks_empty()
    }

    #[cfg(feature = "std")]
    fn after_wait(&self) {
        self.queue.wake_behind_if(|| self.ring.writer().looks_empty());
    }

    #[inline(always)]
    fn push_with<F>(&mut self, write: F) -> Result<(), F>
    where
        F: FnOnce(Place<'_, T>) -> Filled<'_>,
    {
        let Some(mut held) = self.hold(1) else { return Err(write) };
        held.send_with(write);
        Ok(())
    }

    fn push_slice(&mut self, values: &[T]) -> usize
    where
        T: Copy,
    {
        let Some((at, n)) = self.ring.push_slice(values) else { return 0 };
        self.published(at, n);
        n as usize
    }

    fn drop_orphans(&mut self) {
        self.ring.writer().drop_orphans(|| self.receiver.acknowledge_departure());
    }

    fn close(&mut self) {
        let Some(left) = self.ring.close(|| self.receiver.acknowledge_departure()) else { return };
        if left == 0 && !mutant!(SenderCloseNotifies) {
            self.receiver.notify();
        }
        self.queue.shrink(left, || self.ring.writer().alive());
    }

    fn has_room(&mut self) -> bool {
        self.ring.has_room()
    }

    fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    fn len(&self) -> usize {
        self.ring.writer().len()
    }

    fn capacity(&self) -> usize {
        self.ring.writer().capacity()
    }

    fn transferred(&self) -> u64 {
        self.ring.sent()
    }

    fn stats(&self) -> Stats {
        self.ring.stats()
    }

    fn count_full(&mut self) {
        self.ring.count_full();
    }

    fn count_parks(&self, n: u64) {
        self.ring.count_parks(n);
    }
}

/// A reference to the sending end's parts that does not count as a sender.
pub(super) struct WeakMpscSender<T> {
    ring: Weak<T>,
    receiver: EventCount,
    pub(super) queue: SenderQueue,
}

impl<T> Clone for WeakMpscSender<T> {
    fn clone(&self) -> Self {
        Self { ring: self.ring.clone(), receiver: self.receiver.clone(), queue: self.queue.clone() }
    }
}

impl<T> WeakMpscSender<T> {
    pub(super) fn upgrade(&self) -> Option<MpscSender<T>> {
        Some(MpscSender::new(self.ring.upgrade()?, self.receiver.clone(), self.queue.clone()))
    }
}
