//! A lane: a ring with one sender and one receiver, each end with the event count of the other side.
//!
//! An `spsc` channel is one lane; `fan_in` and `mesh` join many.

use super::message::{Message, wake_sender};
use super::{RingReceiver, RingSender};
use crate::ring::backend::Heap;
use crate::ring::layout::Stats;
use crate::ring::spsc::{Consumer, Producer, pair};
use crate::sync::OnDrop;
use crate::sync::order::mutant;
use crate::wait::EventCount;
use crate::wait::panics::Panics;
use alloc::vec::Vec;

/// The sending end of a lane.
///
/// Aligned: its private copies must not share a line with another handle's. [`layout`](crate::ring::layout) says why
/// 128 bytes.
#[allow(missing_debug_implementations, reason = "behind the handles, which have one")]
#[repr(align(128))]
pub struct LaneSender<T> {
    pub(crate) ring: Producer<Heap<T>>,
    pub(crate) receiver: EventCount,
}

/// The receiving end of a lane. Aligned as [`LaneSender`].
#[allow(missing_debug_implementations, reason = "behind the handles, which have one")]
#[repr(align(128))]
pub struct LaneReceiver<T> {
    pub(crate) ring: Consumer<Heap<T>>,
    pub(crate) sender: EventCount,
}

/// Both ends of `memory`. `sender` and `receiver` are the event counts of the two sides.
pub(crate) fn lane<T>(memory: Heap<T>, sender: EventCount, receiver: EventCount) -> (LaneSender<T>, LaneReceiver<T>) {
    let (producer, consumer) = pair(memory);
    (LaneSender { ring: producer, receiver }, LaneReceiver { ring: consumer, sender })
}

impl<T> LaneSender<T> {
    /// Wakes the receiver if it sleeps.
    #[inline(always)]
    fn published(&mut self) {
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
            self.drop_orphans();
        }
    }

    /// A guard that publishes what is staged when it is dropped, also by a panic.
    #[inline(always)]
    pub(crate) fn publishing(&mut self) -> Publish<'_, T> {
        Publish(self)
    }
}

/// Publishes what is staged when dropped, also by a panic.
pub(crate) struct Publish<'a, T>(&'a mut LaneSender<T>);

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
            self.0.published();
            // The receiver may have left since the reservation, which may be long ago. With `std` the event count has said so.
            #[cfg(not(feature = "std"))]
            self.0.drop_orphans();
        }
    }
}

impl<T> RingSender for LaneSender<T> {
    type Item = T;

    #[inline(always)]
    fn push(&mut self, value: T) -> Result<(), T> {
        match self.ring.push(value) {
            Ok(()) => {
                self.published();
                Ok(())
            }
            Err(value) => Err(value),
        }
    }

    fn push_slice(&mut self, values: &[T]) -> usize
    where
        T: Copy,
    {
        if self.ring.reserve(values.len() as u64) == 0 {
            return 0;
        }
        let sending = self.publishing();
        sending.0.ring.stage_slice(values) as usize
    }

    fn has_room(&mut self) -> bool {
        self.ring.room(1) != 0
    }

    fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    fn close(&mut self) {
        let mut panics = Panics::new();
        self.ring.close();
        if !mutant!(SenderCloseNotifies) {
            panics.catch(|| self.published());
        }
        // Last: a value's own code may panic.
        panics.catch(|| self.drop_orphans());
        panics.resume();
    }

    #[inline(always)]
    fn drop_orphans(&mut self) {
        self.ring.drop_orphans(|| self.receiver.acknowledge_departure());
    }

    fn len(&self) -> usize {
        self.ring.len()
    }

    fn capacity(&self) -> usize {
        self.ring.capacity()
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

impl<T> LaneReceiver<T> {
    /// Wakes the sender if it waits: there is room.
    #[inline(always)]
    fn freed(&self) {
        if self.sender.has_waiter() {
            wake_sender(&self.sender, self.ring.wakes());
        }
    }

    /// Wakes the sender: nothing more is accepted.
    pub(crate) fn wake_to_close(&self) {
        if !mutant!(ReceiverCloseNotifies) {
            self.freed();
        }
    }

    /// The next of the messages that were seen.
    #[inline(always)]
    pub(crate) fn next_seen(&mut self) -> Option<Message<'_, T>> {
        let ready = self.ring.next_seen()?;
        Some(Message { ready, sender: &self.sender })
    }
}

/// Has the rings of all `lanes` accept nothing more, with one barrier for all, if one is needed. `own` is the event count of the side that reads
/// them. A look that comes after this finds what was published before; what is published later, its sender drops.
pub(crate) fn refuse<L, T>(lanes: &mut [L], ring: impl Fn(&mut L) -> &mut Consumer<Heap<T>>, own: &EventCount) {
    let told = lanes.iter_mut().map(|lane| u32::from(ring(lane).close())).sum();
    if told != 0 {
        own.announce_departure(told);
        lanes
            .iter_mut()
            .filter_map(|lane| ring(lane).take_back_told().then_some(()))
            .for_each(|()| own.acknowledge_departure());
    }
}

impl<T> RingReceiver for LaneReceiver<T> {
    type Item = T;

    #[inline(always)]
    fn next(&mut self) -> Option<Message<'_, T>> {
        let ready = self.ring.next()?;
        Some(Message { ready, sender: &self.sender })
    }

    #[inline(always)]
    fn has_message(&mut self) -> bool {
        self.ring.has_message()
    }

    #[inline(always)]
    fn take(&mut self) -> Option<T> {
        self.ring.take()
    }

    #[inline(always)]
    fn free(&mut self) {
        self.ring.free();
        self.freed();
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
        self.freed();
        n
    }

    #[inline(always)]
    fn skip(&mut self, n: u64) {
        // Also if the drop of a message panics.
        let waking = OnDrop(self, |this: &mut Self| this.freed());
        waking.0.ring.skip(n);
    }

    fn found_nothing(&mut self, closed: bool) {
        if self.ring.free_leaked() {
            self.freed();
        }
        if closed {
            self.ring.retire();
        }
    }

    #[inline(always)]
    fn is_idle(&self) -> bool {
        self.ring.is_idle()
    }

    fn is_over(&self) -> bool {
        self.ring.is_over()
    }

    fn close(&mut self, own: &EventCount) {
        refuse(core::slice::from_mut(self), |lane| &mut lane.ring, own);
        self.wake_to_close();
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

    fn count_parks(&mut self, n: u64) {
        self.ring.count_parks(n);
    }

    fn transferred(&self) -> u64 {
        self.ring.received()
    }
}
