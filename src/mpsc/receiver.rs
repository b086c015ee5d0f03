//! The receiving end of a many-to-one ring, with the event count and the queue of its senders.

use crate::channel::RingReceiver;
use crate::channel::message::{Message, wake_sender};
use crate::error::BuildError;
use crate::ring::layout::Stats;
use crate::ring::mpsc::Consumer;
use crate::sync::OnDrop;
use crate::sync::order::mutant;
#[cfg(feature = "std")]
use crate::wait::QueueRegistration;
use crate::wait::panics::Panics;
use crate::wait::{EventCount, SenderQueue};
use alloc::vec::Vec;

/// Empty answers after which a receiver that only polls wakes a sender that waits behind a future which may never be polled.
#[cfg(feature = "std")]
const IDLE_LOOKS: u32 = 64;

/// The receiving end. Aligned as [`LaneSender`](crate::channel::lane::LaneSender).
#[allow(missing_debug_implementations, reason = "behind the handles, which have one")]
#[repr(align(128))]
pub struct MpscReceiver<T> {
    ring: Consumer<T>,
    senders: EventCount,
    /// The senders that wait for room.
    queue: SenderQueue,
    /// Looks of waits that found nothing, and empty answers.
    #[cfg(feature = "std")]
    idle: u32,
    /// Has the waiting senders woken before a sleep on an event count of the user's.
    #[cfg(feature = "std")]
    _registration: Option<QueueRegistration>,
}

impl<T> MpscReceiver<T> {
    /// `senders` and `receiver` are the event counts of the two sides.
    pub(super) fn new(
        ring: Consumer<T>,
        senders: EventCount,
        receiver: &EventCount,
        queue: SenderQueue,
    ) -> Result<Self, BuildError> {
        #[cfg(not(feature = "std"))]
        let _ = receiver;
        Ok(Self {
            ring,
            senders,
            #[cfg(feature = "std")]
            idle: 0,
            #[cfg(feature = "std")]
            _registration: receiver.register_queue(&queue)?,
            queue,
        })
    }

    /// Wakes a sender if one waits: there is room.
    #[inline(always)]
    fn freed(&self) {
        if self.senders.has_waiter() {
            wake_sender(&self.senders, self.ring.wakes());
        }
    }

    /// The same if places without a message were passed.
    #[inline(always)]
    fn freed_if_passed(&mut self) {
        if self.ring.take_passed() {
            self.freed();
        }
    }
}

impl<T> RingReceiver for MpscReceiver<T> {
    type Item = T;

    #[inline(always)]
    fn next(&mut self) -> Option<Message<'_, T>> {
        let ready = self.ring.next()?;
        Some(Message { ready, sender: &self.senders })
    }

    #[inline(always)]
    fn has_message(&mut self) -> bool {
        let found = self.ring.has_message();
        self.freed_if_passed();
        found
    }

    #[inline(always)]
    fn take<R>(&mut self, f: impl FnOnce(T) -> R) -> Option<R> {
        self.ring.take(f)
    }

    #[inline(always)]
    fn free(&mut self) {
        self.ring.release();
        self.freed();
    }

    #[inline(always)]
    fn available(&mut self, wanted: u64) -> u64 {
        let n = self.ring.available(wanted);
        self.freed_if_passed();
        n
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

    fn found_nothing(&mut self, _closed: bool) {
        if self.ring.free_leaked() | self.ring.take_passed() {
            self.freed();
        }
        #[cfg(feature = "std")]
        self.found_nothing_yet();
    }

    fn before_wait(&mut self) {
        if !mutant!(NoteAwaited) {
            self.ring.note_awaited();
        }
    }

    fn must_rearm(&self) -> bool {
        !self.ring.is_noted() && !mutant!(WaitAnew)
    }

    #[cfg(feature = "std")]
    #[inline(always)]
    fn found_nothing_yet(&mut self) {
        self.idle = self.idle.wrapping_add(1);
        if self.idle % IDLE_LOOKS == 0 && !mutant!(WakeBehindIdle) {
            self.queue.try_wake_behind();
        }
    }

    #[cfg(feature = "std")]
    fn before_sleep(&mut self) {
        if !mutant!(WakeBehind) {
            self.queue.wake_behind();
        }
    }

    fn is_over(&self) -> bool {
        self.ring.is_over()
    }

    fn close(&mut self, _own: &EventCount) {
        self.ring.close();
        if mutant!(ReceiverCloseNotifies) {
            return;
        }
        let mut panics = Panics::new();
        panics.catch(|| self.freed());
        if !mutant!(CloseWakesAll) {
            panics.catch(|| self.queue.wake_all());
        }
        panics.resume();
    }

    fn leave(&mut self, own: &EventCount) {
        self.ring.leave(|left| if left { own.announce_departure(1) } else { own.acknowledge_departure() });
    }

    fn peer_closed(&self) -> bool {
        self.ring.peer_closed()
    }

    fn len(&self) -> usize {
        self.ring.len()
    }

    fn is_empty(&self) -> bool {
        let empty = self.ring.len() == 0;
        // A receiver may poll by this alone.
        #[cfg(feature = "std")]
        if empty && SenderQueue::is_future(self.queue.first()) && !mutant!(EmptyWakesBehind) {
            self.queue.try_wake_behind();
        }
        empty
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
