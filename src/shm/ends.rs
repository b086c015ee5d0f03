//! The two ends of a mapped ring, whatever travels on it: they close in order, wait, and say why there is nothing to do.

use super::error::{Ended, OpenError, RecvError, SendError};
use super::header::Header;
use super::message::Schema;
use super::place::Place;
use super::segment::{self, Asked, Free, Held, Layout, Taken};
use super::side::{self, Peer, Side, Waited};
use super::sys::{self, Map, Pages, Ring, Role, Seats};
use crate::ring::cursor::Position;
use crate::ring::ends::{Reader, Writer};
use crate::ring::failpoint::point;
use crate::ring::layout::Stats;
use crate::ring::mapped::Fetched;
use crate::ring::session::{Gone, observe};
use crate::ring::spsc::{Consumer, Producer};
use crate::sync::{AtomicU64, Ordering};
use crate::wait::{Deadline, Parked, WaitStrategy};
use core::cell::RefCell;
use core::time::Duration;
use crossbeam_utils::CachePadded;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use zerocopy::{Immutable, IntoBytes, TryFromBytes};

/// A role of a channel, taken and mapped, with its words checked.
pub(super) struct Opened {
    /// The sender's lane, or all of the receiver's.
    pub(super) maps: Vec<Arc<Map>>,
    pub(super) layout: Layout,
    held: Held,
}

/// Opens the channel at `place`, made first if need be, and takes `role` of it, or that of the first lane which is free.
pub(super) fn open(
    place: &Place,
    layout: &Layout,
    schema: Schema,
    asked: Asked,
    role: Role,
) -> Result<Opened, OpenError> {
    let path = place.path()?;
    let header = Header::new(layout, schema);
    let lane_is = |file: &File, layout: &Layout, lane| lane_is(file, layout, lane, &path);
    let Taken { held, lane, map: file, layout } = segment::take(place, &path, &header, layout, asked, role, lane_is)?;
    let lanes = if role == Role::Sender { lane..lane + 1 } else { 0..layout.lanes };
    let mut maps = Vec::with_capacity(lanes.len());
    for lane in lanes {
        let map = Map::new(&file, &layout, lane, Some(role), place.pages).map_err(segment::failed("map", &path))?;
        point!();
        let map = Arc::new(map);
        // A receiver of many lanes finds the bad ones when it looks there, and tells them.
        if role == Role::Sender || layout.lanes == 1 {
            side::check_words(&map, &layout)?;
        }
        side::check_counts(side::sessions(&map, role).0)?;
        maps.push(map);
    }
    Ok(Opened { maps, layout, held })
}

/// What a lane is to whoever wants to send on it.
fn lane_is(file: &File, layout: &Layout, lane: u32, path: &Path) -> Result<Free, OpenError> {
    let map = Map::new(file, layout, lane, None, Pages::default()).map_err(segment::failed("map", path))?;
    let unnoted = layout.kind.is_bytes() && side::records(&map).is_none();
    if unnoted || side::check_words(&map, layout).is_err() {
        return Ok(Free::Damaged);
    }
    // With the receiver's side taken, and closed on this lane: it reads nothing here until the next one comes.
    let has_receiver = || sys::is_taken(file, Seats::RECEIVER).map_err(segment::failed("look at the locks of", path));
    Ok(if map.consumer().session.has_left() && has_receiver()? { Free::Closed } else { Free::Good })
}

/// The sending end. Dropping it closes it.
pub(super) struct Tx<T> {
    // In this order they go: the role's lock last, so that whoever takes it finds the session ended.
    pub(super) ring: CachePadded<Producer<Ring<T>>>,
    pub(super) map: Arc<Map>,
    side: Side,
    closed: bool,
}

impl<T> Tx<T> {
    /// Begins a session. `layout` is that of slots for `T`.
    pub(super) fn begin(opened: Opened, wait: WaitStrategy) -> Self {
        let Opened { maps, layout, held } = opened;
        let map = Arc::clone(&maps[0]);
        let (held, ring) = sys::producer(held, &map, &layout);
        let mut ring = CachePadded::new(ring);
        let (own, peer) = side::sessions(&map, Role::Sender);
        let side = Side::begin(held, own, peer, wait, || {
            own.start.store(ring.position().count(), Ordering::Relaxed);
            ring.reopen();
        });
        Self { ring, map, side, closed: false }
    }

    pub(super) fn lane(&self) -> usize {
        self.map.lane() as usize
    }

    /// Which session of its lane this is.
    pub(super) fn epoch(&self) -> u64 {
        side::sessions(&self.map, Role::Sender).0.epoch.load(Ordering::Relaxed)
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
        let (awaited, passed) = (ring.borrow().awaited(n), ring.borrow().position());
        let parks = || ring.borrow().count_parks(1);
        match self.side.block(own, peer, head, awaited, passed, deadline, ready, parks) {
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
        if self.closed {
            return Some(Ended::Disconnected);
        }
        let over = self.ring.is_closed();
        if !over {
            self.ring.count_full();
        }
        // In the order of events: who died had the side before whoever closed it since.
        let died = self.side.news(&self.map.consumer().session).map(|session| self.side.tell(session));
        died.or(over.then_some(Ended::Disconnected))
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
    pub(super) ring: CachePadded<Consumer<Ring<T>>>,
    map: Arc<Map>,
    side: Side,
    /// Why nothing is received any more: this side closed, or the sender sent what is no message.
    stopped: Option<Ended>,
    /// Whether it stopped for the latter and no verdict has said so.
    untold: bool,
}

impl<T> Rx<T> {
    /// Begins a session. `layout` is that of slots for `T`.
    pub(super) fn begin(opened: Opened, wait: WaitStrategy) -> Self {
        Self::begin_all(opened, wait).swap_remove(0)
    }

    /// The same of each lane.
    pub(super) fn begin_all(opened: Opened, wait: WaitStrategy) -> Vec<Self> {
        let Opened { maps, layout, held } = opened;
        let rings = sys::consumers(held, &maps, &layout);
        let begin = |(map, (held, ring)): (Arc<Map>, _)| {
            let mut ring = CachePadded::new(ring);
            let (own, peer) = side::sessions(&map, Role::Receiver);
            let side = Side::begin(held, own, peer, wait, || Consumer::reopen(&mut ring));
            Self { ring, map, side, stopped: None, untold: false }
        };
        maps.into_iter().zip(rings).map(begin).collect()
    }

    pub(super) fn close(&mut self) {
        if self.stopped != Some(Ended::Disconnected) && self.side.is_ours() {
            self.stop(Ended::Disconnected);
            self.side.end(side::sessions(&self.map, Role::Receiver).0);
            // Between processes a message that nobody takes stays for the next to come.
            let _ = Reader::close(&mut *self.ring);
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
        self.fetch(|_| {}, |_| Err(())).ok()
    }

    /// Takes the next message and frees its place, or else answers what `nothing` does.
    #[inline(always)]
    pub(super) fn take<E>(&mut self, nothing: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E>
    where
        T: TryFromBytes + Immutable,
    {
        self.fetch(|this| this.free(1), nothing)
    }

    #[inline(always)]
    fn fetch<E>(
        &mut self,
        good: impl FnOnce(&mut Self),
        nothing: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E>
    where
        T: TryFromBytes + Immutable,
    {
        let (at, mut fetched) = (self.ring.position(), Fetched::nothing());
        if !self.ring.fetch(&mut fetched) {
            return nothing(self);
        }
        fetched.answer(self, good, |this| {
            this.spoil(at);
            nothing(this)
        })
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
        self.untold = why == Ended::Corrupted;
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
        let (awaited, passed) = (ring.borrow().awaited(), ring.borrow().position());
        let parks = || Reader::count_parks(&**ring.borrow(), 1);
        match self.side.block(own, peer, tail, awaited, passed, deadline, ready, parks) {
            Waited::Ready => Ok(()),
            Waited::TimedOut => Err(RecvError::Timeout),
            Waited::PeerGone(ended) => Err(RecvError::Ended(ended)),
        }
    }

    /// Why the look that was just had found no message: `None` if the channel is merely empty.
    #[inline(always)]
    pub(super) fn nothing(&mut self) -> Option<Ended> {
        let over = self.ring.is_over();
        // The answer of `Told::nothing` where there is no news, without the way there: who spins comes by here each time.
        if !over && self.side.news(self.ring.peer_session().0).is_none() { None } else { self.why_nothing(over) }
    }

    #[cold]
    #[inline(never)]
    fn why_nothing(&mut self, over: bool) -> Option<Ended> {
        let ring = &mut *self.ring;
        let why = self.side.nothing(&self.map.producer().session, over, || ring.has_message() || ring.is_corrupt());
        if self.stopped.is_none() && self.ring.is_corrupt() {
            self.stop(Ended::Corrupted);
        }
        self.stopped.or(why)
    }
}

/// What there is to say of a lane where no message was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Nobody ever sent on it.
    Unused,
    /// Its sender may send more.
    Open,
    /// There is a message after all.
    Ready,
    /// Its sender has left, or its end was told before.
    Over,
    /// This session of it ended otherwise: told now.
    Ended(u64, Ended),
}

impl<T> Rx<T> {
    /// The verdict, each end told once. `ask`: whether to ask the kernel.
    pub(super) fn verdict(&mut self, ask: bool) -> Verdict {
        let map = Arc::clone(&self.map);
        let peer = &map.producer().session;
        let told = self.side.told();
        if self.ring.has_message() {
            return Verdict::Ready;
        }
        match self.nothing() {
            Some(Ended::Disconnected) => return Verdict::Over,
            Some(Ended::PeerDied) => return Verdict::Ended(self.side.told(), Ended::PeerDied),
            Some(Ended::Corrupted) => {
                // Also where a message was found to be none, and not only here.
                let first = core::mem::take(&mut self.untold);
                return if first { Verdict::Ended(peer.last(), Ended::Corrupted) } else { Verdict::Over };
            }
            None if self.ring.has_message() => return Verdict::Ready,
            None => {}
        }
        let last = peer.last();
        // Who was there cannot unsay it, by clearing its words.
        if last == 0 && !self.side.met() {
            return Verdict::Unused;
        }
        if last <= told {
            return Verdict::Over;
        }
        let ring = &mut *self.ring;
        match ask.then(|| self.side.look_for_end(peer, || ring.has_message())).flatten() {
            None => Verdict::Open,
            Some(Gone::Ready) => Verdict::Ready,
            Some(Gone::Left) => Verdict::Over,
            Some(Gone::Died(session)) => Verdict::Ended(session, Ended::PeerDied),
        }
    }

    /// Messages that were sent in `session` of the sender's and before it, if that can be known. To be called after the verdict that it ended.
    pub(super) fn sent_until(&self, session: u64) -> Option<u64> {
        self.map.producer().session.sent_until(session, self.ring.position().count())
    }

    /// Where it would sleep, and on which position; `None` if nothing will ever come.
    pub(super) fn bed<'a>(&self, map: &'a Arc<Map>) -> Option<(&'a Parked, u64)> {
        self.stopped.is_none().then(|| (Self::parked(map), self.ring.awaited().count()))
    }

    /// Where the receiver of a lane sleeps.
    pub(super) fn parked(map: &Arc<Map>) -> &Parked {
        &side::sessions(map, Role::Receiver).0.parked.0
    }

    /// The word that moves when something comes, and what it held when nothing was there; `None` if nothing will ever come.
    pub(super) fn word(&self) -> Option<(&AtomicU64, u64)> {
        let at = self.ring.awaited();
        let seen = if self.ring.is_over() { at.closed_word() } else { at.open_word() };
        self.stopped.is_none().then(|| (&self.map.producer().block.tail, seen))
    }

    pub(super) fn is_ready(&mut self) -> bool {
        self.ring.has_message()
    }

    /// After the announcement of a sleep: whether the sender could be reached.
    pub(super) fn barrier(&self, membarrier: impl FnOnce() -> bool) -> bool {
        self.map.producer().session.barrier(membarrier)
    }

    /// The word that moves when a sender has set up a session, and what it holds; `None` if one has that is read.
    pub(super) fn arrival(&self) -> Option<(&AtomicU64, u64)> {
        let peer = &self.map.producer().session;
        let epoch = match self.side.is_set_up(peer) {
            Err(epoch) => epoch,
            Ok(()) if self.stopped.is_some() => observe(&peer.epoch, Ordering::Relaxed),
            Ok(()) => return None,
        };
        Some((&peer.epoch, epoch))
    }

    pub(super) fn count_park(&self) {
        Reader::count_parks(&*self.ring, 1);
    }

    /// Messages that were received on the lane so far.
    pub(super) fn received(&self) -> u64 {
        self.ring.position().count()
    }

    /// Notes that this side waits on `core`; whether the lane's sender waited there last.
    pub(super) fn waits_on(map: &Map, core: usize) -> bool {
        let (own, peer) = (&map.consumer().session, &map.producer().session);
        own.waits_on(core, peer)
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
