//! The receiving end of one ring, whichever it is.

use super::RecvEnd;
use crate::ring::ends::{self, Reader};
use crate::ring::layout::Stats;
use crate::ring::order::mutant;
use crate::wait::EventCount;
use crate::wait::panics::Panics;
use alloc::vec::Vec;
use crossbeam_utils::CachePadded;

/// The reading end of a ring, and who writes it.
pub(crate) struct Rx<R, S = EventCount> {
    /// Padded: a handle's private copies must not share a line with another handle's, wherever the two are kept.
    pub(crate) ring: CachePadded<R>,
    pub(crate) senders: S,
}

/// Those that wait for room.
pub(crate) trait Senders {
    fn event(&self) -> &EventCount;

    /// As [`RecvEnd::found_nothing_yet`].
    #[cfg(feature = "std")]
    fn found_nothing_yet(&mut self) {}

    /// As [`RecvEnd::before_sleep`].
    #[cfg(feature = "std")]
    fn before_sleep(&self) {}

    /// Somebody asked, and there was no message. Never waits.
    #[cfg(feature = "std")]
    #[inline(always)]
    fn found_empty(&self) {}

    /// Wakes those that the event count does not: nothing more is accepted.
    fn wake_all(&self) {}
}

impl Senders for EventCount {
    #[inline(always)]
    fn event(&self) -> &EventCount {
        self
    }
}

impl<R: Reader, S: Senders> Rx<R, S> {
    pub(crate) fn new(ring: R, senders: S) -> Self {
        Self { ring: CachePadded::new(ring), senders }
    }

    #[inline(always)]
    fn freed(&self) {
        freed(&*self.ring, self.senders.event());
    }

    /// Wakes all senders: nothing more is accepted.
    pub(crate) fn wake_all(&self) {
        if !mutant!(ReceiverCloseNotifies) {
            let mut panics = Panics::new();
            panics.catch(|| self.freed());
            panics.catch(|| self.senders.wake_all());
            panics.resume();
        }
    }
}

/// Has the ring of each of `lanes` accept nothing more, with one barrier for all, if one is needed. `own` is the event count of the side that reads them.
/// What is published before is found by a look that comes after this; else its sender settles it.
pub(crate) fn refuse<L, R: Reader>(lanes: &mut [L], ring: impl Fn(&mut L) -> &mut R, own: &EventCount) {
    let told = lanes.iter_mut().map(|lane| u32::from(ring(lane).close())).sum();
    if told != 0 {
        own.announce_departure(told);
        lanes
            .iter_mut()
            .filter_map(|lane| ring(lane).untell().then_some(()))
            .for_each(|()| own.acknowledge_departure());
    }
}

/// Wakes a sender if one waits: there is room.
#[inline(always)]
fn freed<R: Reader>(ring: &R, senders: &EventCount) {
    if senders.has_waiter() {
        wake_sender(ring, senders);
    }
}

#[cold]
#[inline(never)]
fn wake_sender<R: Reader>(ring: &R, senders: &EventCount) {
    if senders.notify_slow() {
        ring.count_wake();
    }
}

/// A message that is there and not yet taken, and the event count to ring for its place.
pub(crate) struct Next<'a, R: Reader> {
    pub(crate) message: ends::Next<'a, R>,
    pub(crate) senders: &'a EventCount,
}

impl<R: Reader> Next<'_, R> {
    /// Takes the message, frees its place and wakes who waits for it. Made so that the message is copied once, to where the caller
    /// wants it.
    #[inline(always)]
    pub(crate) fn take<E>(self) -> Result<R::Item, E> {
        self.take_as(Ok)
    }

    /// The same, made into what the caller returns.
    #[inline(always)]
    pub(crate) fn take_as<A>(self, answer: impl FnOnce(R::Item) -> A) -> A {
        self.message.take(|ring| freed(ring, self.senders), answer)
    }
}

/// Wakes a sender when dropped, also by a panic.
struct Wake<'a, R: Reader, S: Senders>(&'a mut Rx<R, S>);

impl<R: Reader, S: Senders> Drop for Wake<'_, R, S> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.freed();
    }
}

impl<R: Reader, S: Senders> RecvEnd for Rx<R, S> {
    type Item = R::Item;
    type Ring = R;

    const MANY_RINGS: bool = false;

    #[inline(always)]
    fn next(&mut self) -> Option<Next<'_, R>> {
        let senders = self.senders.event();
        self.ring.next().map(|message| Next { message, senders })
    }

    #[inline(always)]
    fn take(&mut self) -> Option<R::Item> {
        self.ring.take()
    }

    #[inline(always)]
    fn free(&mut self) {
        self.ring.free();
        self.freed();
    }

    #[inline(always)]
    fn has_message(&mut self) -> bool {
        let found = self.ring.has_message();
        if self.ring.take_passed() {
            self.freed();
        }
        found
    }

    #[inline(always)]
    fn available(&mut self, wanted: u64) -> u64 {
        let n = self.ring.available(wanted);
        if self.ring.take_passed() {
            self.freed();
        }
        n
    }

    #[inline(always)]
    fn front(&self, offset: u64) -> Option<&R::Item> {
        self.ring.front(offset)
    }

    fn move_into(&mut self, target: &mut Vec<R::Item>, n: u64) -> usize {
        let n = self.ring.move_into(target, n);
        self.freed();
        n
    }

    #[inline(always)]
    fn skip(&mut self, n: u64) {
        let waking = Wake(self);
        waking.0.ring.skip(n);
    }

    fn found_nothing(&mut self, closed: bool) {
        if self.ring.free_leaked() | self.ring.take_passed() {
            self.freed();
        }
        if closed {
            self.ring.retire();
        }
        #[cfg(feature = "std")]
        self.found_nothing_yet();
    }

    // A ring with senders to call up never rests, nor does one that passes over places: `found_nothing` sees to those.
    #[inline(always)]
    fn rests(&self) -> bool {
        self.ring.rests()
    }

    #[cfg(feature = "std")]
    #[inline(always)]
    fn found_nothing_yet(&mut self) {
        self.senders.found_nothing_yet();
    }

    #[cfg(feature = "std")]
    fn before_wait(&mut self) {
        if !mutant!(NoteAwaited) {
            self.ring.note_awaited();
        }
    }

    #[cfg(feature = "std")]
    fn waits_anew(&self) -> bool {
        !self.ring.is_noted() && !mutant!(WaitAnew)
    }

    #[cfg(feature = "std")]
    fn before_sleep(&mut self) {
        self.senders.before_sleep();
    }

    fn is_over(&self) -> bool {
        self.ring.is_over()
    }

    fn close(&mut self, own: &EventCount) {
        refuse(core::slice::from_mut(self), |rx| &mut *rx.ring, own);
        self.wake_all();
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
        if empty && !mutant!(EmptyWakesBehind) {
            self.senders.found_empty();
        }
        empty
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
