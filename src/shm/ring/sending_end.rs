//! The sending end of a mapped ring, for messages and for records.

use crate::ring::layout::Stats;
use crate::ring::spsc::{Producer, Staging};
use crate::shm::error::{Cause, SendTimeoutError, TrySendError};
use crate::shm::peer::attachment::{Attachment, Beginning};
use crate::shm::peer::reported_ends::{ReportedEnds, Stand};
use crate::shm::peer::session::End;
use crate::shm::peer::session::Peer;
use crate::shm::peer::{Role, attachment};
use crate::shm::ring::attach;
use crate::shm::ring::attach::{Attached, Ring};
use crate::shm::ring::open::{Opened, cause_of};
use crate::shm::segment::map::Map;
use crate::shm::wait::wake_fd::{Armed, Waits, Watch};
use crate::shm::wait::{Sleep, Waited};
use crate::sync::Ordering;
use crate::wait::{Deadline, WaitStrategy};
use core::cell::RefCell;
use core::time::Duration;
use crossbeam_utils::CachePadded;
use std::io;
use std::sync::Arc;
use zerocopy::{FromBytes, IntoBytes};

/// Vain looks of a verb that does not wait, between two calls of the kernel about the other side.
pub(crate) const VAIN: u32 = 4096;

/// The sending end. Dropping it closes it.
pub(crate) struct Tx<T> {
    // In this order they go: the role's lock last, so that the next holder finds the session ended.
    pub(crate) ring: CachePadded<Producer<Ring<T>>>,
    /// The reservation that was made last.
    pub(crate) staging: Staging,
    pub(crate) map: Arc<Map>,
    watch: Option<Watch>,
    pub(super) attachment: Attachment,
    closed: bool,
    /// For how many there was no room last.
    wanted: u64,
    /// Checks that found no room, since the kernel was asked.
    vain: u32,
}

impl<T> Tx<T> {
    /// Begins a session. `layout` is that of slots for `T`.
    pub(crate) fn begin(opened: Opened, wait: WaitStrategy) -> Self {
        let Opened { maps, layout, held, path, .. } = opened;
        let map = Arc::clone(&maps[0]);
        let (held, ring) = attach::producer(held, path, &map, &layout);
        Self::begin_with(held, ring, map, wait)
    }

    /// The same of a lane whose end `ring` is.
    pub(super) fn begin_with(held: Attached, ring: Producer<Ring<T>>, map: Arc<Map>, wait: WaitStrategy) -> Self {
        let mut ring = CachePadded::new(ring);
        let count = ring.position().count();
        let with = Beginning { map: &map, role: Role::Sender, count, taken: None, all: false, seat: None, wait };
        let attachment = Attachment::begin(held, with, || {
            ring.reopen();
            count
        });
        Self { ring, staging: Staging::NONE, map, watch: None, attachment, closed: false, vain: 0, wanted: 1 }
    }

    pub(crate) fn lane(&self) -> usize {
        self.map.lane() as usize
    }

    /// Which session of its lane this is.
    pub(crate) fn epoch(&self) -> u64 {
        attachment::sessions(&self.map, Role::Sender).0.epoch.load(Ordering::Relaxed)
    }

    /// Ends the session: in order, or by giving up if this thread panics, or as `how` says.
    pub(crate) fn close(&mut self, how: Option<End>) {
        if !self.closed && self.attachment.is_ours() {
            self.closed = true;
            self.attachment.end(attachment::sessions(&self.map, Role::Sender).0, how);
            self.ring.close();
            let (peer, tail) = self.ring.peer_session();
            self.attachment.rouse(peer, tail);
        }
    }

    pub(crate) fn peer(&self) -> Peer {
        self.attachment.peer_state(attachment::sessions(&self.map, Role::Sender).1)
    }

    pub(crate) fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        let peer = attachment::sessions(&self.map, Role::Sender).1;
        self.attachment.wait_for_peer(peer, Deadline::after(Some(timeout)))
    }

    pub(crate) fn stats(&self) -> Stats {
        self.ring.stats()
    }

    /// To be called after `n` were published: wakes the receiver if it sleeps until one of them comes.
    #[inline(always)]
    pub(crate) fn announce(&mut self, n: u64) {
        if self.attachment.should_wake(self.ring.peer_session().0) {
            self.wake(n);
        }
    }

    #[cold]
    #[inline(never)]
    fn wake(&mut self, n: u64) {
        let (peer, tail) = self.ring.peer_session();
        if self.attachment.wake(peer, tail, self.ring.position(), n) {
            self.ring.count_wake();
        }
    }

    /// Sends a copy of `value`. Whether there was room.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: &T) -> bool
    where
        T: IntoBytes,
    {
        let sent = self.ring.push_message(value) || (self.finds_room() && self.ring.push_for_the_next(value));
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
        if !self.ring.has_room() && !self.finds_room() {
            return Err(write);
        }
        self.ring.push_with(write)?;
        self.announce(1);
        Ok(())
    }

    /// As [`Tx::push_with`], waiting for room.
    #[inline(always)]
    pub(crate) fn push_with_until<F: FnOnce(&mut T)>(
        &mut self,
        write: F,
        deadline: Deadline,
    ) -> Result<(), SendTimeoutError<F, Cause>>
    where
        T: FromBytes + IntoBytes,
    {
        let mut write = write;
        loop {
            let Err(back) = self.push_with(write) else { return Ok(()) };
            if let Err(refused) = self.wait_after_refusal(deadline) {
                return Err(refused.with(back));
            }
            write = back;
        }
    }

    /// As [`Tx::push`], waiting for room.
    #[inline(always)]
    pub(crate) fn push_until(
        &mut self,
        value: &T,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<(), SendTimeoutError<(), Cause>>
    where
        T: IntoBytes,
    {
        if self.push(value) { Ok(()) } else { self.push_later(value, deadline()) }
    }

    /// The same where there was no room.
    #[cold]
    #[inline(never)]
    pub(crate) fn push_later(&mut self, value: &T, deadline: Deadline) -> Result<(), SendTimeoutError<(), Cause>>
    where
        T: IntoBytes,
    {
        loop {
            self.wait_after_refusal(deadline)?;
            if self.push(value) {
                return Ok(());
            }
        }
    }

    /// Whether there is room where the fast look found none: there may be some, and no receiver, or another.
    #[cold]
    #[inline(never)]
    fn finds_room(&mut self) -> bool {
        while self.catches_up() {
            if self.ring.room_for_the_next(1) != 0 {
                return true;
            }
            // Full, unless one more has come meanwhile.
            if !self.ring.is_behind() {
                break;
            }
        }
        false
    }

    /// Begins a reservation of `n`: of all, or else of as many as there are.
    #[inline]
    pub(crate) fn reserve(&mut self, n: u64) -> u64 {
        self.staging = self.ring.reserve(n);
        while self.staging.room() != n && self.ring.is_strange() && self.catches_up() {
            self.staging = self.ring.reserve_for_the_next(n);
            if !self.ring.is_behind() {
                break;
            }
        }
        self.staging.room()
    }

    /// Publishes what is staged. Returns how many.
    #[inline(always)]
    pub(crate) fn publish_staged(&mut self) -> u64 {
        self.ring.publish_staged(&mut self.staging)
    }

    /// Why a message was not sent.
    #[cold]
    #[inline(never)]
    pub(crate) fn why_full(&mut self) -> TrySendError<(), Cause> {
        self.refusal(1).map_or(TrySendError::Full(()), |ended| TrySendError::Disconnected((), ended))
    }

    /// Begins a reservation of up to `n`, of at least one unless `n` is 0.
    pub(crate) fn try_reserve(&mut self, n: usize) -> Result<(), TrySendError<(), Cause>> {
        if self.reserve(n as u64) == 0 && (n != 0 || self.closed) {
            return Err(self.why_full());
        }
        Ok(())
    }

    /// Whether this side has closed or sends nothing any more, or the receiver has closed and none has come since.
    pub(crate) fn is_over(&self) -> bool {
        self.ring.is_closed() || self.ring.is_corrupt()
    }

    pub(crate) fn set_wait(&mut self, strategy: WaitStrategy) {
        self.attachment.waiter.set_strategy(strategy);
    }

    /// Whether there may be room where the ring refused: no receiver's end is to be told first.
    #[cold]
    fn catches_up(&mut self) -> bool {
        if self.closed || self.ring.is_corrupt() {
            return false;
        }
        let peer = &self.map.consumer().session;
        let goes_on = matches!(self.attachment.reported.stand(peer), Stand::Awaited | Stand::Open);
        if goes_on {
            self.ring.meet(peer.last());
        }
        goes_on
    }

    /// To be called where there was no room for a message: waits until there is, or tells an end.
    #[cold]
    #[inline(never)]
    pub(crate) fn wait_after_refusal(&mut self, deadline: Deadline) -> Result<(), SendTimeoutError<(), Cause>> {
        match self.refusal(1) {
            Some(ended) => Err(SendTimeoutError::Disconnected((), ended)),
            None => self.wait_for_room(1, deadline),
        }
    }

    /// Waits until there is room for `n`, which is at most the capacity, or until there is another reason to look: an end to tell.
    pub(crate) fn wait_for_room(&mut self, n: u64, deadline: Deadline) -> Result<(), SendTimeoutError<(), Cause>> {
        match self.sleep_for_room(n, Sleep::Here(deadline)) {
            Waited::Ready | Waited::Armed => Ok(()),
            Waited::TimedOut => Err(SendTimeoutError::Timeout(())),
            Waited::Over(end) => Err(SendTimeoutError::Disconnected((), self.tell(end))),
            Waited::Removed => Err(SendTimeoutError::Disconnected((), Cause::Removed)),
            Waited::Impossible => Err(SendTimeoutError::Disconnected((), self.poison())),
        }
    }

    fn sleep_for_room(&mut self, n: u64, sleep: Sleep<'_>) -> Waited {
        let (own, peer) = attachment::sessions(&self.map, Role::Sender);
        let head = &self.map.consumer().block.head;
        let ring = RefCell::new(&mut *self.ring);
        let ready = |told: &ReportedEnds| {
            let mut ring = ring.borrow_mut();
            // Before the look: a change since ends the sleep.
            let word = ring.peer_word();
            let go = ring.room(n) == n
                || ring.is_strange()
                    && match told.stand(peer) {
                        Stand::Awaited | Stand::Open => {
                            ring.meet(peer.last());
                            // Should one more have come meanwhile, the next look knows it.
                            ring.room_for_the_next(n) == n || ring.is_corrupt() || ring.is_behind()
                        }
                        Stand::Over(_) | Stand::Impossible => true,
                    };
            (!go).then_some(word)
        };
        let (awaited, passed) = (ring.borrow().awaited(n), ring.borrow().position());
        let parks = || ring.borrow().count_parks(1);
        self.attachment.block(own, peer, head, awaited, passed, sleep, ready, parks)
    }

    fn tell(&mut self, end: End) -> Cause {
        self.attachment.reported.pass(end, 0);
        cause_of(end)
    }

    /// Why there is no room for `n`: `None` if the channel is merely full.
    #[cold]
    #[inline(never)]
    pub(crate) fn refusal(&mut self, n: u64) -> Option<Cause> {
        self.wanted = n;
        if self.ring.is_corrupt() {
            return Some(Cause::Corrupted);
        }
        if self.closed {
            return Some(Cause::Closed);
        }
        let peer = &self.map.consumer().session;
        match self.attachment.reported.stand(peer) {
            Stand::Over(end) => return Some(self.tell(end)),
            Stand::Impossible => return Some(self.poison()),
            Stand::Awaited | Stand::Open => {}
        }
        self.ring.count_full();
        self.vain += 1;
        if self.vain < VAIN {
            return None;
        }
        self.vain = 0;
        // No look for room after the answer: what is refused now was refused before.
        match self.attachment.ask(peer, |_| false) {
            Some(Waited::Over(end)) => Some(self.tell(end)),
            Some(Waited::Removed) => Some(Cause::Removed),
            Some(Waited::Impossible) => Some(self.poison()),
            Some(Waited::Ready | Waited::TimedOut | Waited::Armed) | None => None,
        }
    }

    /// Finds no room any more, as the other side wrote what cannot be.
    #[cold]
    fn poison(&mut self) -> Cause {
        self.ring.spoil();
        Cause::Corrupted
    }
}

/// Publishes what was staged when dropped, also by a panic.
pub(crate) struct PublishOnDrop<'a, T>(pub(crate) &'a mut Tx<T>);

impl<T> Drop for PublishOnDrop<'_, T> {
    fn drop(&mut self) {
        let n = self.0.publish_staged();
        if n != 0 {
            self.0.announce(n);
        }
    }
}

impl<T> Waits for Tx<T> {
    fn watch_slot(&mut self) -> &mut Option<Watch> {
        &mut self.watch
    }

    fn open_watch(&mut self) -> io::Result<Watch> {
        let watch = self.attachment.watch(Role::Sender, self.map.lane())?;
        watch.publish(attachment::sessions(&self.map, Role::Sender).0);
        Ok(watch)
    }

    fn prepare_by(&mut self, watch: &Watch) -> bool {
        if self.closed {
            return false;
        }
        let waited = self.sleep_for_room(self.wanted, Sleep::Elsewhere(watch));
        if matches!(waited, Waited::Over(_) | Waited::Removed | Waited::Impossible) {
            // The next refusal asks again, and tells.
            self.vain = VAIN;
        }
        waited == Waited::Armed
    }

    fn armed(&mut self) -> Option<Armed<'_>> {
        let watch = self.watch.as_mut()?;
        Some(Armed { maps: core::slice::from_ref(&self.map), role: Role::Sender, watch })
    }
}

impl<T> Drop for Tx<T> {
    fn drop(&mut self) {
        self.close(None);
    }
}
