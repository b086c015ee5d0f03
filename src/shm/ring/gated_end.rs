//! The sending end of a broadcast: the ring of one reader, which is the slowest of all.

use crate::ring::layout::Stats;
use crate::ring::spsc::{Producer, Staging};
use crate::shm::error::{Cause, SendTimeoutError, TrySendError};
use crate::shm::peer::attachment::{Attachment, Beginning};
use crate::shm::peer::session::{End, Session};
use crate::shm::peer::{Role, attachment::membarrier_all};
use crate::shm::ring::attach::{self, Gated, GatedRing};
use crate::shm::ring::gate::{Gate, Gone, SeatState};
use crate::shm::ring::open::Opened;
use crate::shm::ring::sending_end::VAIN;
use crate::shm::segment::locks::LockRange;
use crate::shm::segment::map::Map;
use crate::shm::wait::futex::{self, MOST_SLEPT_ON};
use crate::shm::wait::wake_fd::PeerNotifier;
use crate::shm::wait::{LivenessChecks, Sleep, Waited, shortest};
use crate::sync::failpoint::point;
use crate::sync::order::order;
use crate::sync::position::Position;
use crate::sync::{AtomicU64, Ordering};
use crate::wait::park_word::{WordParkSlot, fence_after_publication};
use crate::wait::{CheckPhase, Deadline, WaitStrategy};
use core::cell::RefCell;
use crossbeam_utils::CachePadded;
use std::sync::Arc;
use zerocopy::{FromBytes, IntoBytes};

/// The sending end. Dropping it closes it.
pub(crate) struct GatedTx<T> {
    // In this order they go: the role's lock last, so that the next holder finds the session ended.
    pub(crate) ring: CachePadded<Producer<GatedRing<T>>>,
    pages: Arc<Gated>,
    gate: Gate,
    notifiers: Box<[PeerNotifier]>,
    attachment: Attachment,
    closed: bool,
    /// Seats, from the first on, that are looked at after each publication.
    covered: u32,
    /// Checks that found no room, since the kernel was asked.
    vain: u32,
}

impl<T> GatedTx<T> {
    /// Begins a session. `layout` is that of slots for `T`.
    pub(crate) fn begin(opened: Opened, wait: WaitStrategy) -> Self {
        let Opened { maps, layout, held, path, passes, .. } = opened;
        let map = &maps[0];
        let notifiers = (0..layout.lanes).map(|seat| PeerNotifier::new(path.clone(), map, Role::Sender, seat));
        let notifiers = notifiers.collect();
        let (held, ring, pages) = attach::broadcaster(held, path, map, &layout);
        let mut ring = CachePadded::new(ring);
        let count = ring.position().count();
        let gate = Gate::new(layout.lanes as usize, passes, layout.capacity, count);
        let covered = map.producer().session.covers.load(Ordering::Relaxed).clamp(1, layout.lanes.into()) as u32;
        let with = Beginning { map, role: Role::Sender, count, taken: None, all: false, seat: None, wait };
        let attachment = Attachment::begin(held, with, || {
            ring.reopen();
            count
        });
        let mut tx = Self { ring, pages, gate, notifiers, attachment, closed: false, covered, vain: 0 };
        let attachment = &tx.attachment;
        tx.gate.begin(&*tx.pages, |seat| attachment.is_held(LockRange::seat(seat as u32)));
        tx.look();
        tx
    }

    fn own(&self) -> &Session {
        &self.pages.map.producer().session
    }

    pub(crate) fn seats(&self) -> u32 {
        self.pages.map.seats()
    }

    /// Which session this is.
    pub(crate) fn epoch(&self) -> u64 {
        self.own().epoch.load(Ordering::Relaxed)
    }

    fn count(&self) -> u64 {
        self.ring.position().count()
    }

    /// Ends the session: in order, or by giving up if this thread panics, or as `how` says.
    pub(crate) fn close(&mut self, how: Option<End>) {
        if !self.closed && self.attachment.is_ours() {
            self.closed = true;
            self.attachment.end(self.own(), how);
            self.ring.close();
            let tail = &self.pages.map.producer().block.tail;
            for seat in 0..self.seats() {
                self.attachment.closed_to(&self.pages.map.seat(seat).consumer.session, &self.notifiers[seat as usize]);
            }
            futex::wake(tail);
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.ring.stats()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn set_wait(&mut self, strategy: WaitStrategy) {
        self.attachment.waiter.set_strategy(strategy);
    }

    /// Looks how far the seats are.
    #[cold]
    #[inline(never)]
    fn look(&mut self) {
        self.cover();
        let slowest = self.gate.look(&*self.pages, self.count());
        self.pages.slowest.block.head.store(Position::new(slowest).open_word(), Ordering::Relaxed);
    }

    /// Looks after the seats that were ever taken, and the next one.
    fn cover(&mut self) {
        let map = &self.pages.map;
        let taken = (0..self.seats()).rev().find(|&seat| map.seat(seat).consumer.session.last() != 0);
        let wanted = taken.map_or(1, |seat| seat + 2).min(self.seats());
        if wanted > self.covered || self.own().covers.load(Ordering::Relaxed) == 0 {
            self.covered = self.covered.max(wanted);
            // A receiver that sees this sees what was published before without a look at it.
            self.own().covers.store(self.covered.into(), order!(begin_session));
        }
    }

    /// To be called after `n` were published: wakes the receivers that sleep until one of them comes.
    #[inline(always)]
    fn announce(&mut self, n: u64) {
        let (map, fences) = (&self.pages.map, self.attachment.fences());
        if (0..self.covered).any(|seat| map.seat(seat).consumer.session.parked.0.should_wake(fences)) {
            self.wake(n);
        }
    }

    #[cold]
    #[inline(never)]
    fn wake(&mut self, n: u64) {
        let (map, from) = (&self.pages.map, self.count().wrapping_sub(n));
        let (mut woken, mut by_word) = (false, false);
        // Once for all of them: this is also the way of a sender that has messages for one that is awake, and a sleeper beside it.
        fence_after_publication();
        for seat in 0..self.covered {
            let session = &map.seat(seat).consumer.session;
            if session.parked.0.awaits(from, n) {
                woken = true;
                // One that sleeps by its event count sleeps nowhere else.
                by_word |= !self.notifiers[seat as usize].notify(session);
            }
        }
        if by_word {
            point!();
            futex::wake(&map.producer().block.tail);
            point!();
        }
        if woken {
            self.ring.count_wake();
        }
        // Seats are taken from the first on: with the last of those that are looked at, the next ones are to be.
        if self.covered < self.seats() && self.pages.map.seat(self.covered - 1).consumer.session.last() != 0 {
            self.cover();
        }
    }

    /// Sends a copy of `value`. Whether there was room.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: &T) -> bool
    where
        T: IntoBytes,
    {
        let sent = self.ring.push_message(value) || (self.room(1) != 0 && self.ring.push_message(value));
        if sent {
            self.announce(1);
        }
        sent
    }

    /// Sends what `write` makes of the bytes of a slot; gives it back where there was no room.
    #[inline(always)]
    pub(crate) fn push_with<F: FnOnce(&mut T)>(&mut self, write: F) -> Result<(), F>
    where
        T: FromBytes + IntoBytes,
    {
        if self.room(1) == 0 {
            return Err(write);
        }
        self.ring.push_with(write)?;
        self.announce(1);
        Ok(())
    }

    /// Sends copies of as many of `values` as there is room for, and publishes them together. Returns how many.
    pub(crate) fn push_slice(&mut self, values: &[T]) -> usize
    where
        T: IntoBytes,
    {
        let room = self.room(values.len() as u64);
        let mut staging: Staging = self.ring.reserve(room);
        self.ring.stage_from(&mut staging, values);
        let sent = self.ring.publish_staged(&mut staging);
        if sent != 0 {
            self.announce(sent);
        }
        sent as usize
    }

    /// Room for up to `wanted` messages.
    #[inline(always)]
    pub(crate) fn room(&mut self, wanted: u64) -> u64 {
        if self.ring.known_room() < wanted && !self.closed {
            self.look();
            self.ring.room(wanted)
        } else {
            self.ring.known_room().min(wanted)
        }
    }

    /// Why a message was not sent.
    #[cold]
    #[inline(never)]
    pub(crate) fn why_full(&mut self) -> TrySendError<(), Cause> {
        self.refusal().map_or(TrySendError::Full(()), |ended| TrySendError::Disconnected((), ended))
    }

    /// Why there is no room: `None` if the channel is merely full.
    fn refusal(&mut self) -> Option<Cause> {
        if self.closed {
            return Some(Cause::Closed);
        }
        self.ring.count_full();
        self.vain += 1;
        if self.vain < VAIN {
            return None;
        }
        self.vain = 0;
        self.ask();
        self.attachment.is_removed().then_some(Cause::Removed)
    }

    /// Asks the kernel who is still there. Whether one is not, for whom the sender does not wait any more.
    pub(crate) fn ask(&mut self) -> bool {
        let (attachment, count) = (&self.attachment, self.count());
        let changed = self.gate.ask(&*self.pages, count, |seat| attachment.is_held(LockRange::seat(seat as u32)));
        if changed {
            self.look();
        }
        changed
    }

    /// To be called where there was no room for a message: waits until there is.
    #[cold]
    #[inline(never)]
    pub(crate) fn wait_for_room(&mut self, deadline: Deadline) -> Result<(), SendTimeoutError<(), Cause>> {
        if let Some(ended) = self.refusal() {
            return Err(SendTimeoutError::Disconnected((), ended));
        }
        match self.sleep(deadline, |tx| tx.room(1) != 0) {
            Waited::TimedOut => Err(SendTimeoutError::Timeout(())),
            Waited::Removed => Err(SendTimeoutError::Disconnected((), Cause::Removed)),
            _ => Ok(()),
        }
    }

    /// Waits until a receiver is there, or a seat is reserved. Whether one is.
    pub(crate) fn wait_for_receiver(&mut self, deadline: Deadline) -> bool {
        // One that is gone does not count.
        self.ask();
        self.sleep(deadline, Self::has_receiver) == Waited::Ready
    }

    /// Waits until `ready` is true, the file is gone, or the deadline has passed. Moves of heads, and receivers that come or go, wake it.
    fn sleep(&mut self, deadline: Deadline, ready: impl Fn(&mut Self) -> bool) -> Waited {
        let pages = Arc::clone(&self.pages);
        let map = &pages.map;
        let own = &map.producer().session;
        let mut waiter = core::mem::take(&mut self.attachment.waiter);
        let mut settled = *self.attachment.settled();
        let (awaited, passed) = (self.ring.awaited(1).count(), self.count());
        // Before each look: what each seat's word held. A change since ends the sleep.
        let words = RefCell::new([(&own.epoch, 0); MOST_SLEPT_ON as usize]);
        let this = RefCell::new(&mut *self);
        let mut asks = LivenessChecks::default();
        let look = |look: CheckPhase| {
            let mut this = this.borrow_mut();
            for (seat, word) in (0..this.seats()).zip(words.borrow_mut().iter_mut()) {
                *word = this.bed(map, seat);
            }
            if ready(&mut this) || (asks.asks(look) && this.ask() && ready(&mut this)) {
                return Some(Waited::Ready);
            }
            (asks.asked() && this.attachment.is_removed()).then_some(Waited::Removed)
        };
        let barrier = || {
            // One call reaches all.
            let (mut called, mut reached) = (false, true);
            for seat in 0..map.seats() {
                reached &= map.seat(seat).consumer.session.barrier(|| {
                    called = called || membarrier_all();
                    called
                });
            }
            reached
        };
        let mut sleeps = false;
        let nap = |reached, limit| {
            if !core::mem::replace(&mut sleeps, true) {
                this.borrow().ring.count_parks(1);
            }
            let words = words.borrow();
            futex::sleep_on_any(words[..map.seats() as usize].iter().copied(), shortest(reached, limit));
        };
        let shares = |core| {
            let seats = (0..map.seats()).map(|seat| &map.seat(seat).consumer.session);
            seats.fold(false, |shared, seat| shared | own.waits_on(core, seat))
        };
        let parked = [(&own.parked.0, awaited)];
        let bed = WordParkSlot::new(&parked, &mut settled, barrier, nap, shares);
        let waited = Sleep::Here(deadline).wait(&mut waiter, bed, passed, look);
        self.attachment.waiter = waiter;
        *self.attachment.settled() = settled;
        match waited {
            Ok(Some(waited)) => waited,
            Ok(None) => Waited::Armed,
            Err(_) if asks.asked() => Waited::TimedOut,
            Err(_) if self.ask() && ready(self) => Waited::Ready,
            Err(_) => {
                if self.attachment.is_removed() {
                    Waited::Removed
                } else {
                    Waited::TimedOut
                }
            }
        }
    }

    /// Where the sender sleeps for a seat: on its head while it gates, else until a receiver has come.
    fn bed<'a>(&self, map: &'a Map, seat: u32) -> (&'a AtomicU64, u64) {
        let page = &map.seat(seat).consumer;
        let word = match self.gate.state(&*self.pages, seat as usize, self.count()) {
            SeatState::Gates { settled: true, .. } => &page.block.head,
            _ => &page.session.epoch,
        };
        (word, word.load(Ordering::Relaxed))
    }

    /// Whether a receiver is there, or a seat is reserved. One that is gone counts until the kernel was asked.
    pub(crate) fn has_receiver(&mut self) -> bool {
        (0..self.seats()).any(|seat| {
            let state = self.gate.state(&*self.pages, seat as usize, self.count());
            matches!(state, SeatState::Gates { settled: true, .. })
        })
    }

    /// The seats that gate: which, how far behind, the name if it is reserved, and whether no receiver sits there. `all`: also those whose receiver is
    /// about to join.
    pub(crate) fn gating(&self, all: bool) -> impl Iterator<Item = (u32, u64, Option<String>, bool)> {
        (0..self.seats()).filter_map(move |seat| {
            let state = self.gate.state(&*self.pages, seat as usize, self.count());
            let SeatState::Gates { behind, settled, .. } = state else { return None };
            if !settled && !all {
                return None;
            }
            let vacant = !self.attachment.is_held(LockRange::seat(seat));
            Some((seat, behind, self.pages.map.seat(seat).name.read(), vacant))
        })
    }

    /// A session of a receiver that is over and was not told, with the process that had it.
    pub(crate) fn next_gone(&mut self) -> Option<(usize, Gone, u32)> {
        let (seat, gone) = self.gate.next_gone()?;
        let record = self.pages.map.seat(seat as u32).consumer.session.record(gone.session);
        Some((seat, gone, record.map_or(0, |record| record.pid as u32)))
    }
}

impl<T> Drop for GatedTx<T> {
    fn drop(&mut self) {
        self.close(None);
    }
}
