//! The two ends of a mapped ring, whatever travels on it: they close in order, wait, and say why there is nothing to do.

use super::error::{Ended, OpenError, RecvError, SendError};
use super::header::Header;
use super::message::Schema;
use super::place::Place;
use super::segment::{self, Held, Layout};
use super::side::{self, Peer, Side, Waited};
use super::sys::{self, Map, Role};
use crate::ring::cursor::Position;
use crate::ring::ends::{Reader, Writer};
use crate::ring::failpoint::point;
use crate::ring::layout::Stats;
use crate::ring::mapped::{Mapped, Raw};
use crate::ring::spsc::{Consumer, Producer};
use crate::wait::{Deadline, WaitStrategy};
use core::cell::RefCell;
use core::time::Duration;
use crossbeam_utils::CachePadded;
use std::sync::Arc;
use zerocopy::{Immutable, IntoBytes, TryFromBytes};

/// A role of a channel, taken and mapped, with its words checked.
pub(super) struct Opened {
    pub(super) map: Arc<Map>,
    pub(super) layout: Layout,
    held: Held,
}

/// Opens the channel at `place`, made first if need be, and takes `role` of it. `capacity`: whether the caller asked for one.
pub(super) fn open(
    place: &Place,
    layout: &Layout,
    schema: Schema,
    capacity: bool,
    role: Role,
) -> Result<Opened, OpenError> {
    let path = place.path()?;
    let header = Header::new(layout, schema);
    let (held, file, layout) = segment::take(place, &path, &header, layout, capacity, role)?;
    let map = Map::new(&file, &layout, Some(role), place.pages).map_err(segment::failed("map", &path))?;
    point!();
    side::check_words(&map, &layout)?;
    Ok(Opened { map: Arc::new(map), layout, held })
}

/// The sending end. Dropping it closes it.
pub(super) struct Tx<T> {
    // In this order they go: the role's lock last, so that whoever takes it finds the session ended.
    pub(super) ring: CachePadded<Producer<Mapped<Raw<T>, Map>>>,
    pub(super) map: Arc<Map>,
    side: Side,
    closed: bool,
}

impl<T> Tx<T> {
    /// Begins a session. `layout` is that of slots for `T`.
    pub(super) fn begin(opened: Opened, wait: WaitStrategy) -> Self {
        let Opened { map, layout, held } = opened;
        let (held, ring) = sys::producer(held, &map, &layout);
        let mut ring = CachePadded::new(ring);
        let (own, peer) = side::sessions(&map, Role::Sender);
        let side = Side::begin(held, own, peer, wait, || ring.reopen());
        Self { ring, map, side, closed: false }
    }

    pub(super) fn close(&mut self) {
        if !self.closed && self.side.is_ours() {
            self.closed = true;
            self.side.end(side::sessions(&self.map, Role::Sender).0);
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
        let (peer, tail) = self.ring.peer_session();
        if self.side.published(peer, tail, self.ring.position(), n) {
            self.ring.count_wake();
        }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, value: T) -> Result<(), T>
    where
        T: IntoBytes,
    {
        self.ring.push_message(value)?;
        self.announce(1);
        Ok(())
    }

    /// Waits until there is room for `n`, which is at most the capacity, or until there is another reason to look: no receiver any more.
    pub(super) fn wait_for_room(&mut self, n: u64, deadline: Deadline) -> Result<(), SendError<()>> {
        let (own, peer) = side::sessions(&self.map, Role::Sender);
        let head = &self.map.consumer().block.head;
        let ring = RefCell::new(&mut *self.ring);
        let ready = || {
            let mut ring = ring.borrow_mut();
            let go = ring.room(n) == n || ring.is_closed() || ring.is_corrupt();
            (!go).then(|| ring.peer_seen().open_word())
        };
        let awaited = ring.borrow().awaited(n);
        match self.side.block(own, peer, head, awaited, deadline, ready, || ring.borrow().count_parks(1)) {
            Waited::Ready => Ok(()),
            Waited::TimedOut => Err(SendError::Timeout(())),
            Waited::PeerGone(ended) => Err(SendError::Ended((), ended)),
        }
    }

    /// Why there is no room: `None` if the channel is merely full.
    #[cold]
    #[inline(never)]
    pub(super) fn refusal(&mut self) -> Option<Ended> {
        if self.ring.is_corrupt() {
            return Some(Ended::Corrupted);
        }
        if self.closed || self.ring.is_closed() {
            return Some(Ended::Disconnected);
        }
        self.ring.count_full();
        self.side.news(&self.map.consumer().session).map(|session| self.side.tell(session))
    }
}

impl<T> Drop for Tx<T> {
    fn drop(&mut self) {
        self.close();
    }
}

/// The receiving end. Dropping it closes it.
pub(super) struct Rx<T> {
    // As the sender's.
    pub(super) ring: CachePadded<Consumer<Mapped<Raw<T>, Map>>>,
    map: Arc<Map>,
    side: Side,
    /// Why nothing is received any more: this side closed, or the sender sent what is no message.
    stopped: Option<Ended>,
}

impl<T> Rx<T> {
    /// Begins a session. `layout` is that of slots for `T`.
    pub(super) fn begin(opened: Opened, wait: WaitStrategy) -> Self {
        let Opened { map, layout, held } = opened;
        let (held, ring) = sys::consumer(held, &map, &layout);
        let mut ring = CachePadded::new(ring);
        let (own, peer) = side::sessions(&map, Role::Receiver);
        let side = Side::begin(held, own, peer, wait, || ring.reopen());
        Self { ring, map, side, stopped: None }
    }

    pub(super) fn close(&mut self) {
        if self.stopped != Some(Ended::Disconnected) && self.side.is_ours() {
            self.stop(Ended::Disconnected);
            self.side.end(side::sessions(&self.map, Role::Receiver).0);
            Reader::close(&mut *self.ring);
            let (peer, head) = self.ring.peer_session();
            self.side.closed(peer, head);
        }
    }

    pub(super) fn peer(&self) -> Peer {
        self.side.peer_state(&self.map.producer().session)
    }

    pub(super) fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        let peer = side::sessions(&self.map, Role::Receiver).1;
        self.side.wait_for_peer(peer, Deadline::after(Some(timeout)))
    }

    pub(super) fn stats(&self) -> Stats {
        Reader::stats(&*self.ring)
    }

    /// The next message; its place stays occupied.
    #[inline(always)]
    pub(super) fn read(&mut self) -> Option<T>
    where
        T: TryFromBytes + Immutable,
    {
        let at = self.ring.position();
        let value = self.ring.take()?.validate();
        if value.is_none() {
            self.spoil(at);
        }
        value
    }

    /// Frees the places of the `n` that were read.
    #[inline(always)]
    pub(super) fn free(&mut self, n: u64) {
        self.ring.release();
        let (peer, head) = self.ring.peer_session();
        if self.side.published(peer, head, self.ring.position(), n) {
            Reader::count_wake(&*self.ring);
        }
    }

    /// Reads nothing any more: what is at `at` is no message. It stays where it is, as it was not received.
    #[cold]
    pub(super) fn spoil(&mut self, at: Position) {
        self.ring.rewind(at);
        self.stop(Ended::Corrupted);
    }

    #[cold]
    fn stop(&mut self, why: Ended) {
        self.stopped = Some(why);
        self.ring.halt();
    }

    /// Waits until there is a message, or until there is another reason to look: no sender any more.
    pub(super) fn wait_for_message(&mut self, deadline: Deadline) -> Result<(), RecvError> {
        let (own, peer) = side::sessions(&self.map, Role::Receiver);
        let tail = &self.map.producer().block.tail;
        let ring = RefCell::new(&mut *self.ring);
        let ready = || {
            let mut ring = ring.borrow_mut();
            let go = ring.has_message() || Reader::peer_closed(&**ring) || ring.is_corrupt();
            (!go).then(|| ring.awaited().open_word())
        };
        let awaited = ring.borrow().awaited();
        let parks = || Reader::count_parks(&**ring.borrow(), 1);
        match self.side.block(own, peer, tail, awaited, deadline, ready, parks) {
            Waited::Ready => Ok(()),
            Waited::TimedOut => Err(RecvError::Timeout),
            Waited::PeerGone(ended) => Err(RecvError::Ended(ended)),
        }
    }

    /// Why there is no message: `None` if the channel is merely empty.
    #[cold]
    #[inline(never)]
    pub(super) fn nothing(&mut self) -> Option<Ended> {
        if self.ring.is_corrupt() {
            self.stop(Ended::Corrupted);
        }
        if self.stopped.is_some() {
            return self.stopped;
        }
        let ring = &mut *self.ring;
        let look = || {
            let goes_on = ring.has_message() || ring.is_corrupt();
            (!goes_on).then(|| ring.is_over())
        };
        let why = self.side.nothing(&self.map.producer().session, look);
        if self.ring.is_corrupt() {
            self.stop(Ended::Corrupted);
            return self.stopped;
        }
        why
    }
}

impl<T> Drop for Rx<T> {
    fn drop(&mut self) {
        self.close();
    }
}

/// Frees what was taken if all went well, else takes it back.
pub(super) struct Taking<'a, T> {
    pub(super) from: &'a mut Rx<T>,
    began: Position,
    pub(super) done: bool,
}

impl<'a, T> Taking<'a, T> {
    pub(super) fn new(from: &'a mut Rx<T>) -> Self {
        Self { began: from.ring.position(), from, done: false }
    }
}

impl<T> Drop for Taking<'_, T> {
    fn drop(&mut self) {
        if self.done {
            let n = self.from.ring.position().since(self.began);
            self.from.free(n);
        } else {
            self.from.ring.rewind(self.began);
        }
    }
}
