//! The ends of a many-to-one ring, each with the event count of the other side.

use crate::channel::{SendEnd, rx};
use crate::error::BuildError;
use crate::ring::cursor::Position;
use crate::ring::ends::Writer;
use crate::ring::mpsc::{self as ring, Claim, Consumer, Producer};
use crate::ring::order::mutant;
use crate::wait::{EventCount, SenderQueue};
#[cfg(feature = "std")]
use crate::wait::{OvertakeBudget, QueueRegistration};
#[cfg(feature = "std")]
use alloc::vec::Vec;
use crossbeam_utils::CachePadded;

/// Items that [`Gather`] takes from an iterator before places are claimed for them.
#[cfg(feature = "std")]
const GATHERED: usize = 32;

/// Empty answers after which a receiver that only polls looks whether a sender waits behind one that does not come.
#[cfg(feature = "std")]
const IDLE_LOOKS: u32 = 64;

/// A writing end, and the event count of the receiver.
pub(crate) struct Tx<T> {
    /// Padded: a handle's private copies must not share a line with another handle's, wherever the two are kept.
    ring: CachePadded<Producer<T>>,
    receiver: EventCount,
    queue: SenderQueue,
    #[cfg(feature = "std")]
    budget: OvertakeBudget,
    /// What an iterator yielded and was not sent yet.
    #[cfg(feature = "std")]
    gathered: Vec<T>,
}

/// The reading end, and the senders.
pub(crate) type Rx<T> = rx::Rx<Consumer<T>, Senders>;

/// The event count of the senders, and those of them that wait.
pub(crate) struct Senders {
    event: EventCount,
    queue: SenderQueue,
    #[cfg(feature = "std")]
    idle: u32,
    /// Has those called up who wait, before a sleep on a event count of the user's.
    #[cfg(feature = "std")]
    _registration: Option<QueueRegistration>,
}

impl rx::Senders for Senders {
    #[inline(always)]
    fn event(&self) -> &EventCount {
        &self.event
    }

    #[cfg(feature = "std")]
    fn found_nothing_yet(&mut self) {
        self.idle = self.idle.wrapping_add(1);
        if self.idle % IDLE_LOOKS == 0 && !mutant!(WakeBehindIdle) {
            self.queue.try_wake_behind();
        }
    }

    #[cfg(feature = "std")]
    fn before_sleep(&self) {
        if !mutant!(WakeBehind) {
            self.queue.wake_behind();
        }
    }

    #[cfg(feature = "std")]
    #[inline(always)]
    fn found_empty(&self) {
        if SenderQueue::is_future(self.queue.first()) {
            self.queue.try_wake_behind();
        }
    }

    fn wake_all(&self) {
        if !mutant!(CloseWakesAll) {
            self.queue.wake_all();
        }
    }
}

/// Both ends; each rings the other side's event.
pub(super) fn ends<T>(
    producer: Producer<T>,
    consumer: Consumer<T>,
    senders: EventCount,
    receiver: EventCount,
    queue: SenderQueue,
) -> Result<(Tx<T>, Rx<T>), BuildError> {
    let senders = Senders {
        event: senders,
        queue: queue.clone(),
        #[cfg(feature = "std")]
        idle: 0,
        #[cfg(feature = "std")]
        _registration: receiver.register_queue(&queue)?,
    };
    Ok((Tx::new(producer, receiver, queue), Rx::new(consumer, senders)))
}

impl<T> Tx<T> {
    fn new(producer: Producer<T>, receiver: EventCount, queue: SenderQueue) -> Self {
        queue.reserve_slot(producer.alive());
        Self {
            ring: CachePadded::new(producer),
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

    pub(super) fn downgrade(&self) -> WeakTx<T> {
        WeakTx { ring: self.ring.downgrade(), receiver: self.receiver.clone(), queue: self.queue.clone() }
    }

    pub(super) fn alive(&self) -> usize {
        self.ring.alive()
    }

    /// Wakes the receiver if it sleeps for one of the `n` messages from `at` on.
    #[inline(always)]
    fn ring_receiver(&mut self, at: Position, n: u64) {
        if self.receiver.has_waiter() {
            self.wake_receiver(at, n);
        }
    }

    #[cold]
    #[inline(never)]
    fn wake_receiver(&mut self, at: Position, n: u64) {
        let answer = self.receiver.notify_slow_if(|| self.ring.is_awaited(at, n));
        if answer.woke {
            self.ring.count_wake();
        }
        if answer.departed {
            self.ring.come_late(|| self.receiver.acknowledge_departure());
        }
    }

    pub(super) fn hold(&mut self, n: usize) -> Option<Held<'_, T>> {
        let receiver = &self.receiver;
        self.ring.hold(n as u64).map(|claim| Held { claim, receiver })
    }
}

/// Claimed places, from the hidden test hook `Sender::hold`. What is not sent when it is dropped becomes tombstones.
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
        self.claim.fill(value);
        self.ring_receiver();
    }

    fn ring_receiver(&mut self) {
        if self.receiver.has_waiter() && self.receiver.notify_slow_if(|| true).departed {
            self.claim.come_late(|| self.receiver.acknowledge_departure());
        }
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.claim.give_up();
        if !mutant!(TombstoneNotifies) {
            self.ring_receiver();
        }
    }
}

impl<T> core::fmt::Debug for Held<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Held").field("left", &self.left()).finish()
    }
}

#[cfg(feature = "std")]
impl<T> Tx<T> {
    /// Gathers items for [`Tx::push_gathered`]. Should the iterator panic, sends what there is room for and drops the rest.
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
        self.ring_receiver(at, n);
        n as usize
    }

    /// Drops them all.
    pub(super) fn drop_gathered(&mut self) {
        self.gathered.clear();
    }

    /// Drops them but for the first. Should the drop of one panic, all are dropped.
    pub(super) fn take_gathered(&mut self) -> Option<T> {
        let mut gathered = self.gathered.drain(..);
        // In a local while the others are dropped: what stands in the place of the answer when one of them panics is leaked.
        let first = gathered.next();
        drop(gathered);
        first
    }
}

#[cfg(feature = "std")]
pub(super) struct Gather<'a, T>(&'a mut Tx<T>, bool);

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

impl<T> SendEnd for Tx<T> {
    type Item = T;
    type Ring = Producer<T>;

    #[inline(always)]
    fn ring(&self) -> &Self::Ring {
        &self.ring
    }

    #[inline(always)]
    fn ring_mut(&mut self) -> &mut Self::Ring {
        &mut self.ring
    }

    #[inline(always)]
    fn push(&mut self, value: T) -> Result<(), T> {
        match self.ring.push(value) {
            Ok(at) => {
                self.ring_receiver(at, 1);
                Ok(())
            }
            Err(value) => Err(value),
        }
    }

    /// Each attempt that overtakes is counted. Behind a future that may not come, whoever finds the ring empty goes: its receiver may be about
    /// to sleep.
    #[cfg(feature = "std")]
    #[inline(always)]
    fn may_go(&mut self) -> bool {
        let first = self.queue.first();
        first == 0 || self.budget.spend(first) || SenderQueue::is_future(first) && self.ring.looks_empty()
    }

    #[cfg(feature = "std")]
    fn waited(&self) {
        self.queue.wake_behind_if(|| self.ring.looks_empty());
    }

    fn push_slice(&mut self, values: &[T]) -> usize
    where
        T: Copy,
    {
        let Some((at, n)) = self.ring.push_slice(values) else { return 0 };
        self.ring_receiver(at, n);
        n as usize
    }

    fn settle(&mut self) {
        self.ring.settle(|| self.receiver.acknowledge_departure());
    }

    fn close(&mut self) {
        let Some(left) = self.ring.close(|| self.receiver.acknowledge_departure()) else { return };
        if left == 0 && !mutant!(SenderCloseNotifies) {
            self.receiver.notify();
        }
        self.queue.shrink(left, || self.ring.alive());
    }
}

/// A writing end that does not count as one.
pub(super) struct WeakTx<T> {
    ring: ring::Weak<T>,
    receiver: EventCount,
    pub(super) queue: SenderQueue,
}

impl<T> Clone for WeakTx<T> {
    fn clone(&self) -> Self {
        Self { ring: self.ring.clone(), receiver: self.receiver.clone(), queue: self.queue.clone() }
    }
}

impl<T> WeakTx<T> {
    pub(super) fn upgrade(&self) -> Option<Tx<T>> {
        Some(Tx::new(self.ring.upgrade()?, self.receiver.clone(), self.queue.clone()))
    }
}
