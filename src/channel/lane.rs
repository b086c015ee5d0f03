//! A lane: a ring with one sender and one receiver, each end with the event count of the other side.
//!
//! An `spsc` channel is one lane; `fan_in` and `mesh` join many.

use super::message::{Message, wake_sender};
use super::{RingReceiver, RingSender};
use crate::ring::backend::Heap;
use crate::ring::layout::Stats;
use crate::ring::place::{Filled, Place};
use crate::ring::spsc::{Consumer, Producer, Staging, pair};
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

    /// Sends from `values` until it or the room ends, and publishes that together. Returns for how many there was room, and how many were sent. If the
    /// iterator panics, the values before are sent.
    #[inline(always)]
    pub(crate) fn push_iter(&mut self, values: &mut impl Iterator<Item = T>) -> (u64, u64) {
        // No more than it can need: if enough room is known, the receiver's line is not read.
        let most = values.size_hint().1.unwrap_or(usize::MAX).clamp(1, self.ring.capacity());
        let mut run = Publish(self.reserve(most as u64));
        (run.0.staging.room(), run.0.stage_iter(values))
    }

    /// A reservation of up to `wanted` places.
    #[inline(always)]
    fn reserve(&mut self, wanted: u64) -> Reserved<'_, T> {
        let room = self.ring.room(wanted);
        self.reserved(room)
    }

    /// A reservation of `room` places, of those that are known to be free.
    #[inline(always)]
    pub(super) fn reserved(&mut self, room: u64) -> Reserved<'_, T> {
        let staging = self.ring.staging(room);
        Reserved { end: self, staging }
    }
}

/// A reservation with the end that it is of. Dropped, it sends nothing and drops what was written.
pub(crate) struct Reserved<'a, T> {
    pub(crate) end: &'a mut LaneSender<T>,
    pub(crate) staging: Staging,
}

impl<T> Reserved<'_, T> {
    /// Writes values until the iterator or the reservation ends. Returns how many.
    #[inline(always)]
    pub(crate) fn stage_iter(&mut self, values: &mut impl Iterator<Item = T>) -> u64 {
        self.end.ring.stage_iter(&mut self.staging, values)
    }

    /// Publishes what was written, and wakes the receiver if it sleeps. Returns how many messages that was.
    #[inline(always)]
    pub(crate) fn publish(&mut self) -> u64 {
        let n = self.end.ring.publish_staged(&mut self.staging);
        if n != 0 {
            self.end.published();
            // The receiver may have left since the reservation, which may be long ago. With `std` the event count has said so.
            #[cfg(not(feature = "std"))]
            self.end.drop_orphans();
        }
        n
    }
}

impl<T> Drop for Reserved<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        if core::mem::needs_drop::<T>() && self.staging.staged() != 0 {
            self.discard();
        }
    }
}

impl<T> Reserved<'_, T> {
    #[cold]
    #[inline(never)]
    fn discard(&mut self) {
        self.end.ring.discard_staged(&mut self.staging);
    }
}

/// Publishes what was written when dropped, also by a panic.
struct Publish<'a, T>(Reserved<'a, T>);

impl<T> Drop for Publish<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.publish();
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

    #[inline(always)]
    fn push_with<F>(&mut self, write: F) -> Result<(), F>
    where
        F: FnOnce(Place<'_, T>) -> Filled<'_>,
    {
        self.ring.push_with(write)?;
        self.published();
        Ok(())
    }

    fn push_slice(&mut self, values: &[T]) -> usize
    where
        T: Copy,
    {
        let mut run = self.reserve(values.len() as u64);
        run.end.ring.stage_slice(&mut run.staging, values);
        run.publish() as usize
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

    // Messages gather while it waits. With a wait of the ring's as well a stream between blocking verbs was slower (`paired --suite blocking`: 0.9).
    #[inline(always)]
    fn next_or_wait(&mut self) -> Option<Message<'_, T>> {
        let ready = self.ring.next_at_once()?;
        Some(Message { ready, sender: &self.sender })
    }

    #[inline(always)]
    fn has_message(&mut self) -> bool {
        self.ring.has_message()
    }

    #[inline(always)]
    fn take<R>(&mut self, f: impl FnOnce(T) -> R) -> Option<R> {
        self.ring.take(f)
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
        if !core::mem::needs_drop::<T>() {
            self.ring.skip(n);
            return self.freed();
        }
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
