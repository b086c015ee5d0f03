//! The ends of a one-to-one ring, each with the bell of the other side.

use crate::channel::{Next, RecvEnd, SendEnd};
use crate::ring::backing::Heap;
use crate::ring::layout::Stats;
use crate::ring::order::mutant;
use crate::ring::spsc::{self as ring, Consumer, Producer};
use crate::wait::Bell;
use alloc::vec::Vec;
use crossbeam_utils::CachePadded;

/// The writing end of a ring, and the bell of whoever reads it.
pub(crate) struct Tx<T> {
    /// Padded: each side's private copies must not share a line with the other handle's, wherever the two are kept.
    pub(crate) ring: CachePadded<Producer<Heap<T>>>,
    pub(crate) receiver: Bell,
}

/// The reading end of a ring, and the bell of whoever writes it.
pub(crate) struct Rx<T> {
    /// Padded like the sender's.
    pub(crate) ring: CachePadded<Consumer<Heap<T>>>,
    pub(crate) sender: Bell,
}

/// Both ends of `memory`; each rings the other side's bell.
pub(crate) fn ends<T>(memory: Heap<T>, sender: Bell, receiver: Bell) -> (Tx<T>, Rx<T>) {
    let (producer, consumer) = ring::pair(memory);
    (Tx { ring: CachePadded::new(producer), receiver }, Rx { ring: CachePadded::new(consumer), sender })
}

impl<T> Tx<T> {
    /// Wakes the receiver if it sleeps.
    #[inline(always)]
    fn ring_receiver(&self) {
        if self.receiver.is_hung_up() {
            self.wake_receiver();
        }
    }

    #[cold]
    #[inline(never)]
    fn wake_receiver(&self) {
        if self.receiver.answer() {
            self.ring.count_wake();
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
            // The receiver may have left since the reservation, which may be long ago.
            self.0.ring.inherit_if_gone();
        }
    }
}

impl<T> SendEnd for Tx<T> {
    type Item = T;

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

    fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    fn settle(&mut self) {
        self.ring.inherit_if_gone();
    }

    fn close(&mut self) {
        self.ring.close();
        if !mutant!(SenderCloseRings) {
            self.ring_receiver();
        }
    }

    fn len(&self) -> usize {
        self.ring.len()
    }

    fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    fn stats(&self) -> Stats {
        self.ring.stats()
    }

    fn count_full(&mut self) {
        self.ring.count_full();
    }

    #[cfg(feature = "std")]
    fn count_parks(&mut self, n: u64) {
        self.ring.count_parks(n);
    }

    #[cfg(feature = "std")]
    fn moved(&self) -> u64 {
        self.ring.sent()
    }
}

impl<T> Rx<T> {
    /// The next of the messages that were seen.
    #[inline(always)]
    pub(crate) fn next_seen(&mut self) -> Option<NextOf<'_, T>> {
        let sender = &self.sender;
        self.ring.next_seen().map(|message| NextOf { message, sender })
    }

    /// Wakes the sender if it sleeps.
    #[inline(always)]
    fn ring_sender(&self) {
        freed(&self.ring, &self.sender);
    }

    /// The next `n` messages in place, as the two runs they form.
    #[cfg(not(ringmail_loom))]
    #[inline(always)]
    pub(crate) fn slices(&self, n: u64) -> (&[T], &[T]) {
        self.ring.slices(n)
    }
}

/// Wakes the sender if it sleeps: there is room.
#[inline(always)]
fn freed<T>(ring: &Consumer<Heap<T>>, sender: &Bell) {
    if sender.is_hung_up() {
        wake_sender(ring, sender);
    }
}

#[cold]
#[inline(never)]
fn wake_sender<T>(ring: &Consumer<Heap<T>>, sender: &Bell) {
    if sender.answer() {
        ring.count_wake();
    }
}

/// The next message and the bell to ring for its place.
pub(crate) struct NextOf<'a, T> {
    message: ring::Next<'a, Heap<T>>,
    sender: &'a Bell,
}

impl<T> Next for NextOf<'_, T> {
    type Item = T;

    #[inline(always)]
    fn take<E>(self) -> Result<T, E> {
        self.message.take(|ring| freed(ring, self.sender))
    }
}

/// Wakes the sender when dropped, also by a panic.
struct Wake<'a, T>(&'a mut Rx<T>);

impl<T> Drop for Wake<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.ring_sender();
    }
}

impl<T> RecvEnd for Rx<T> {
    type Item = T;
    type Next<'a>
        = NextOf<'a, T>
    where
        T: 'a;

    const MANY_RINGS: bool = false;

    #[inline(always)]
    fn next(&mut self) -> Option<NextOf<'_, T>> {
        let sender = &self.sender;
        self.ring.next().map(|message| NextOf { message, sender })
    }

    #[inline(always)]
    fn take(&mut self) -> Option<T> {
        self.ring.take()
    }

    #[inline(always)]
    fn free(&mut self) {
        self.ring.free();
        self.ring_sender();
    }

    #[inline(always)]
    fn has_message(&mut self) -> bool {
        self.ring.has_message()
    }

    #[inline(always)]
    fn available(&mut self, wanted: u64) -> u64 {
        self.ring.available(wanted)
    }

    #[inline(always)]
    fn front(&self, offset: u64) -> Option<&T> {
        self.ring.front(offset)
    }

    fn move_into(&mut self, target: &mut Vec<T>, n: u64) -> usize {
        let n = self.ring.move_into(target, n);
        self.ring_sender();
        n
    }

    #[inline(always)]
    fn skip(&mut self, n: u64) {
        let waking = Wake(self);
        waking.0.ring.skip(n);
    }

    fn found_nothing(&mut self, closed: bool) {
        if self.ring.free_leaked() {
            self.ring_sender();
        }
        if closed {
            // What raced with the close is dropped here or by the sender; from now on the answer cannot change.
            self.ring.retire();
        }
    }

    fn is_over(&self) -> bool {
        self.ring.is_over()
    }

    fn close(&mut self) {
        self.ring.announce_gone();
        if !mutant!(ReceiverCloseRings) {
            self.ring_sender();
        }
    }

    fn peer_closed(&self) -> bool {
        self.ring.peer_closed()
    }

    fn len(&self) -> usize {
        self.ring.len()
    }

    fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    fn stats(&self) -> Stats {
        self.ring.stats()
    }

    #[cfg(feature = "std")]
    fn count_parks(&mut self, n: u64) {
        self.ring.count_parks(n);
    }

    #[cfg(feature = "std")]
    fn moved(&self) -> u64 {
        self.ring.received()
    }
}
