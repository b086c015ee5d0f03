//! The sending end of a mapped ring, whatever travels on it.

use super::ends::{Opened, ended};
use super::error::{Cause, SendError, TrySendError};
use super::side::{self, Beginning, Peer, Side, Sleep, Waited};
use super::sys::{self, Map, Ring, Role};
use super::wake::{Armed, Waits, Watch};
use crate::ring::layout::Stats;
use crate::ring::session::End;
use crate::ring::session::told::{Stand, Told};
use crate::ring::spsc::Producer;
use crate::sync::Ordering;
use crate::wait::{Deadline, WaitStrategy};
use core::cell::RefCell;
use core::time::Duration;
use crossbeam_utils::CachePadded;
use std::io;
use std::sync::Arc;
use zerocopy::IntoBytes;

/// Vain looks of a verb that does not wait, between two calls of the kernel about the other side.
pub(super) const VAIN: u32 = 4096;

/// The sending end. Dropping it closes it.
pub(super) struct Tx<T> {
    // In this order they go: the role's lock last, so that whoever takes it finds the session ended.
    pub(super) ring: CachePadded<Producer<Ring<T>>>,
    pub(super) map: Arc<Map>,
    watch: Option<Watch>,
    side: Side,
    closed: bool,
    /// For how many there was no room last.
    wanted: u64,
    /// Looks that found no room, since the kernel was asked.
    vain: u32,
}

impl<T> Tx<T> {
    /// Begins a session. `layout` is that of slots for `T`.
    pub(super) fn begin(opened: Opened, wait: WaitStrategy) -> Self {
        let Opened { maps, layout, held, path, .. } = opened;
        let map = Arc::clone(&maps[0]);
        let (held, ring) = sys::producer(held, path, &map, &layout);
        let mut ring = CachePadded::new(ring);
        let count = ring.position().count();
        let with = Beginning { map: &map, role: Role::Sender, count, taken: None, all: false, wait };
        let side = Side::begin(held, with, || ring.reopen());
        Self { ring, map, watch: None, side, closed: false, vain: 0, wanted: 1 }
    }

    pub(super) fn lane(&self) -> usize {
        self.map.lane() as usize
    }

    /// Which session of its lane this is.
    pub(super) fn epoch(&self) -> u64 {
        side::sessions(&self.map, Role::Sender).0.epoch.load(Ordering::Relaxed)
    }

    /// Ends the session: in order, or by giving up if this thread panics, or as `how` says.
    pub(super) fn close(&mut self, how: Option<End>) {
        if !self.closed && self.side.is_ours() {
            self.closed = true;
            self.side.end(side::sessions(&self.map, Role::Sender).0, how);
            self.ring.close();
            let (peer, tail) = self.ring.peer_session();
            self.side.closed(peer, tail);
        }
    }

    pub(super) fn peer(&self) -> Peer {
        self.side.peer_state(side::sessions(&self.map, Role::Sender).1)
    }

    pub(super) fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        let peer = side::sessions(&self.map, Role::Sender).1;
        self.side.wait_for_peer(peer, Deadline::after(Some(timeout)))
    }

    pub(super) fn stats(&self) -> Stats {
        self.ring.stats()
    }

    /// To be called after `n` were published: wakes the receiver if it sleeps until one of them comes.
    #[inline(always)]
    pub(super) fn announce(&mut self, n: u64) {
        if self.side.calls(self.ring.peer_session().0) {
            self.wake(n);
        }
    }

    #[cold]
    #[inline(never)]
    fn wake(&mut self, n: u64) {
        let (peer, tail) = self.ring.peer_session();
        if self.side.wake(peer, tail, self.ring.position(), n) {
            self.ring.count_wake();
        }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, value: T) -> Result<(), T>
    where
        T: IntoBytes,
    {
        match self.ring.push_message(value) {
            Ok(()) => {
                self.announce(1);
                Ok(())
            }
            Err(value) => self.push_for_the_next(value),
        }
    }

    /// The same where the fast look found no room: there may be some, and no receiver, or another.
    #[cold]
    #[inline(never)]
    fn push_for_the_next(&mut self, value: T) -> Result<(), T>
    where
        T: IntoBytes,
    {
        let mut value = value;
        while self.catches_up() {
            match self.ring.push_for_the_next(value) {
                Ok(()) => {
                    self.announce(1);
                    return Ok(());
                }
                Err(back) => value = back,
            }
            // Full, unless one more has come meanwhile.
            if !self.ring.is_behind() {
                break;
            }
        }
        Err(value)
    }

    /// Begins a reservation of `n`: of all, or else of as many as there are.
    #[inline]
    pub(super) fn reserve(&mut self, n: u64) -> u64 {
        let mut room = self.ring.reserve(n);
        while room != n && self.ring.is_strange() && self.catches_up() {
            room = self.ring.reserve_for_the_next(n);
            if !self.ring.is_behind() {
                break;
            }
        }
        room
    }

    /// Begins a reservation of up to `n`, of at least one unless `n` is 0.
    pub(super) fn try_reserve(&mut self, n: usize) -> Result<(), TrySendError<()>> {
        if self.reserve(n as u64) == 0 && (n != 0 || self.closed) {
            return Err(self.refusal(1).map_or(TrySendError::Full(()), |ended| TrySendError::Disconnected((), ended)));
        }
        Ok(())
    }

    /// Whether this side has closed or sends nothing any more, or the receiver has closed and none has come since.
    pub(super) fn is_over(&self) -> bool {
        self.ring.is_closed() || self.ring.is_corrupt()
    }

    pub(super) fn set_wait(&mut self, strategy: WaitStrategy) {
        self.side.waiter.set_strategy(strategy);
    }

    /// Whether there may be room where the ring refused: no receiver's end is to be told first.
    #[cold]
    fn catches_up(&mut self) -> bool {
        if self.closed || self.ring.is_corrupt() {
            return false;
        }
        let peer = &self.map.consumer().session;
        let goes_on = matches!(self.side.told.stand(peer), Stand::Awaited | Stand::Open);
        if goes_on {
            self.ring.meet(peer.last());
        }
        goes_on
    }

    /// Waits until there is room for `n`, which is at most the capacity, or until there is another reason to look: an end to tell.
    pub(super) fn wait_for_room(&mut self, n: u64, deadline: Deadline) -> Result<(), SendError<()>> {
        match self.sleep_for_room(n, Sleep::Here(deadline)) {
            Waited::Ready | Waited::Armed => Ok(()),
            Waited::TimedOut => Err(SendError::Timeout(())),
            Waited::Over(end) => Err(SendError::Disconnected((), self.tell(end))),
            Waited::Removed => Err(SendError::Disconnected((), Cause::Removed)),
            Waited::Impossible => Err(SendError::Disconnected((), self.spoil())),
        }
    }

    fn sleep_for_room(&mut self, n: u64, sleep: Sleep<'_>) -> Waited {
        let (own, peer) = side::sessions(&self.map, Role::Sender);
        let head = &self.map.consumer().block.head;
        let ring = RefCell::new(&mut *self.ring);
        let ready = |told: &Told| {
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
        self.side.block(own, peer, head, awaited, passed, sleep, ready, parks)
    }

    fn tell(&mut self, end: End) -> Cause {
        self.side.told.pass(end, 0);
        ended(end)
    }

    /// Why there is no room for `n`: `None` if the channel is merely full.
    #[cold]
    #[inline(never)]
    pub(super) fn refusal(&mut self, n: u64) -> Option<Cause> {
        self.wanted = n;
        if self.ring.is_corrupt() {
            return Some(Cause::Corrupted);
        }
        if self.closed {
            return Some(Cause::Closed);
        }
        let peer = &self.map.consumer().session;
        match self.side.told.stand(peer) {
            Stand::Over(end) => return Some(self.tell(end)),
            Stand::Impossible => return Some(self.spoil()),
            Stand::Awaited | Stand::Open => {}
        }
        self.ring.count_full();
        self.vain += 1;
        if self.vain < VAIN {
            return None;
        }
        self.vain = 0;
        // No look for room after the answer: what is refused now was refused before.
        match self.side.ask(peer, |_| false) {
            Some(Waited::Over(end)) => Some(self.tell(end)),
            Some(Waited::Removed) => Some(Cause::Removed),
            Some(Waited::Impossible) => Some(self.spoil()),
            Some(Waited::Ready | Waited::TimedOut | Waited::Armed) | None => None,
        }
    }

    /// Finds no room any more, as the other side wrote what cannot be.
    #[cold]
    fn spoil(&mut self) -> Cause {
        self.ring.spoil();
        Cause::Corrupted
    }
}

/// Publishes what was staged when dropped, also by a panic.
pub(super) struct Publishing<'a, T>(pub(super) &'a mut Tx<T>);

impl<T> Drop for Publishing<'_, T> {
    fn drop(&mut self) {
        let n = self.0.ring.publish_staged();
        if n != 0 {
            self.0.announce(n);
        }
    }
}

impl<T> Waits for Tx<T> {
    fn watch(&mut self) -> io::Result<&Watch> {
        match &mut self.watch {
            Some(watch) => Ok(watch),
            none => {
                let watch = none.insert(self.side.watch(Role::Sender, self.map.lane())?);
                watch.publish(side::sessions(&self.map, Role::Sender).0);
                Ok(watch)
            }
        }
    }

    fn prepare(&mut self) -> io::Result<bool> {
        self.watch()?.check()?;
        let watch = self.watch.take();
        let waited = match &watch {
            Some(watch) if !self.closed => self.sleep_for_room(self.wanted, Sleep::Elsewhere(watch)),
            _ => Waited::Ready,
        };
        self.watch = watch;
        if matches!(waited, Waited::Over(_) | Waited::Removed | Waited::Impossible) {
            // The next refusal asks again, and tells.
            self.vain = VAIN;
        }
        Ok(waited == Waited::Armed)
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
