//! The ends of a one-to-one ring, each with the event count of the other side.

use crate::channel::SendEnd;
use crate::channel::rx::{self, Next};
use crate::ring::backing::Heap;
use crate::ring::ends::Writer;
use crate::ring::order::mutant;
use crate::ring::spsc::{self as ring, Consumer, Producer};
use crate::wait::EventCount;
use crate::wait::panics::Panics;
use crossbeam_utils::CachePadded;

/// The writing end of a ring, and the event count of whoever reads it.
pub(crate) struct Tx<T> {
    /// Padded: each side's private copies must not share a line with the other handle's, wherever the two are kept.
    pub(crate) ring: CachePadded<Producer<Heap<T>>>,
    pub(crate) receiver: EventCount,
}

/// The reading end of a ring, and the event count of whoever writes it.
pub(crate) type Rx<T> = rx::Rx<Consumer<Heap<T>>>;

/// Both ends of `memory`; each rings the other side's event.
pub(crate) fn ends<T>(memory: Heap<T>, sender: EventCount, receiver: EventCount) -> (Tx<T>, Rx<T>) {
    let (producer, consumer) = ring::pair(memory);
    (Tx { ring: CachePadded::new(producer), receiver }, Rx::new(consumer, sender))
}

impl<T> Tx<T> {
    /// Wakes the receiver if it sleeps.
    #[inline(always)]
    fn ring_receiver(&mut self) {
        if self.receiver.has_waiter() {
            self.wake_receiver();
        }
    }

    #[cold]
    #[inline(never)]
    fn wake_receiver(&mut self) {
        let answer = self.receiver.notify_slow_if(|| true);
        if answer.woke {
            self.ring.count_wake();
        }
        if answer.departed {
            self.settle();
        }
    }

    /// Begins a reservation of up to `wanted` places and returns how many.
    #[inline(always)]
    pub(crate) fn reserve(&mut self, wanted: u64) -> u64 {
        self.ring.reserve(wanted)
    }

    /// A reservation that is published when dropped, also by a panic.
    #[inline(always)]
    pub(crate) fn publishing(&mut self) -> Publish<'_, T> {
        Publish(self)
    }
}

/// Publishes what is staged when dropped, also by a panic.
pub(crate) struct Publish<'a, T>(&'a mut Tx<T>);

impl<T> Publish<'_, T> {
    /// Writes values until the iterator or the reservation ends. Returns how many.
    #[inline(always)]
    pub(crate) fn stage_iter(&mut self, values: &mut impl Iterator<Item = T>) -> usize {
        self.0.ring.stage_iter(values) as usize
    }
}

impl<T> Drop for Publish<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.0.ring.publish_staged() != 0 {
            self.0.ring_receiver();
            // The receiver may have left since the reservation, which may be long ago. With `std` the event count has said so.
            #[cfg(not(feature = "std"))]
            self.0.settle();
        }
    }
}

impl<T> SendEnd for Tx<T> {
    type Item = T;
    type Ring = Producer<Heap<T>>;

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
            Ok(()) => {
                self.ring_receiver();
                Ok(())
            }
            Err(value) => Err(value),
        }
    }

    fn push_slice(&mut self, values: &[T]) -> usize
    where
        T: Copy,
    {
        if self.reserve(values.len() as u64) == 0 {
            return 0;
        }
        let sending = self.publishing();
        sending.0.ring.stage_slice(values) as usize
    }

    #[inline(always)]
    fn settle(&mut self) {
        self.ring.settle(|| self.receiver.acknowledge_departure());
    }

    fn close(&mut self) {
        let mut panics = Panics::new();
        self.ring.close();
        if !mutant!(SenderCloseNotifies) {
            panics.catch(|| self.ring_receiver());
        }
        // Last: a value's own code may panic.
        panics.catch(|| self.settle());
        panics.resume();
    }
}

impl<T> Rx<T> {
    /// The next of the messages that were seen.
    #[inline(always)]
    pub(crate) fn next_seen(&mut self) -> Option<Next<'_, Consumer<Heap<T>>>> {
        let senders = &self.senders;
        self.ring.next_seen().map(|message| Next { message, senders })
    }

    /// The next `n` messages in place, as the two runs they form.
    #[cfg(not(ringmail_loom))]
    #[inline(always)]
    pub(crate) fn slices(&self, n: u64) -> (&[T], &[T]) {
        self.ring.slices(n)
    }
}
