//! One sender, one receiver, each in a process of its own or both in one.

use super::error::{Ended, OpenError, RecvError, SendError, TryRecvError, TrySendError};
use super::header::Header;
use super::message::Message;
use super::segment::{self, Kind, Layout};
use super::side::{self, Peer, Side, Waited};
use super::sys::{self, Map, Role};
use crate::ring::cursor::Position;
use crate::ring::ends::{Reader, Writer};
use crate::ring::failpoint::point;
use crate::ring::layout::Stats;
use crate::ring::mapped::{Mapped, Raw, Session};
use crate::ring::spsc::{Consumer, Producer};
use crate::sync::AtomicU64;
use crate::wait::{Deadline, WaitStrategy};
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;
use crossbeam_utils::CachePadded;
use std::sync::Arc;
use std::time::Instant;

/// Capacity where nobody asks for another.
const CAPACITY: usize = 1024;

/// Opens the sides of a channel of messages `T`.
pub struct Builder<T> {
    name: String,
    capacity: Option<usize>,
    wait: WaitStrategy,
    message: PhantomData<fn(T) -> T>,
}

impl<T: Message> Builder<T> {
    /// A channel called `name`: 1 to 100 letters, digits, `-`, `_` and `.`, in a directory of the user's own under `/dev/shm`; or, with a
    /// `/`, the path of its file.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), capacity: None, wait: WaitStrategy::default(), message: PhantomData }
    }

    /// Messages that the channel holds, exactly; 1024 if nobody asks. A side that asks is refused by a channel that was made with another capacity;
    /// one that does not takes it as it is.
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = Some(messages);
        self
    }

    /// How the side that is opened waits.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.wait = strategy;
        self
    }

    /// Opens the sending side; makes the channel if it is not there.
    ///
    /// # Errors
    /// The channel is another one, somebody has its sending side, or the system refused: see [`OpenError`].
    pub fn open_sender(self) -> Result<Sender<T>, OpenError> {
        let (map, layout, held) = self.open(Role::Sender)?;
        let (held, ring) = sys::producer(held, &map, &layout);
        let mut ring = CachePadded::new(ring);
        let (own, peer) = side::sessions(&map, Role::Sender);
        let side = Side::begin(held, own, peer, self.wait, || ring.reopen());
        Ok(Sender { ring, map, side, closed: false })
    }

    /// Opens the receiving side; makes the channel if it is not there. Messages that an earlier receiver left are received first.
    ///
    /// # Errors
    /// The channel is another one, somebody has its receiving side, or the system refused: see [`OpenError`].
    pub fn open_receiver(self) -> Result<Receiver<T>, OpenError> {
        let (map, layout, held) = self.open(Role::Receiver)?;
        let (held, ring) = sys::consumer(held, &map, &layout);
        let mut ring = CachePadded::new(ring);
        let (own, peer) = side::sessions(&map, Role::Receiver);
        let side = Side::begin(held, own, peer, self.wait, || ring.reopen());
        Ok(Receiver { ring, map, side, stopped: None })
    }

    /// Removes the channel if nobody has either of its sides. Whether it did; what was in it is gone.
    ///
    /// # Errors
    /// There is none, or it is not a channel.
    pub fn remove(self) -> Result<bool, OpenError> {
        segment::remove(&segment::path_of(&self.name)?)
    }

    fn open(&self, role: Role) -> Result<(Arc<Map>, Layout, segment::Held), OpenError> {
        const {
            assert!(align_of::<Raw<T>>() <= 4096, "a message cannot ask for more than a page's alignment");
            assert!(size_of::<T>() > 0, "a message of no bytes says nothing");
        }
        let path = segment::path_of(&self.name)?;
        let (size, stride, align) = (size_of::<T>(), size_of::<Raw<T>>(), align_of::<Raw<T>>());
        let layout = Layout::new(Kind::Spsc, self.capacity.unwrap_or(CAPACITY), size, stride, align)?;
        let header = Header::new(&layout, T::SCHEMA);
        let (held, file, layout) = segment::take(&path, &header, &layout, self.capacity.is_some(), role)?;
        let map = Map::new(&file, &layout, Some(role)).map_err(|source| OpenError::Io { what: "map", path, source })?;
        point!();
        side::check_words(&map, &layout)?;
        Ok((Arc::new(map), layout, held))
    }
}

impl<T> fmt::Debug for Builder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("name", &self.name).field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

/// The sending side. Dropping it closes the channel in order; a process that ends without is noticed by the kernel.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Sender<T: Message> {
    // In this order they go: the role's lock last, so that whoever takes it finds the session ended.
    ring: CachePadded<Producer<Mapped<Raw<T>, Map>>>,
    map: Arc<Map>,
    side: Side,
    closed: bool,
}

/// The receiving side. Dropping it closes the channel in order; what it has not received stays for the next receiver.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Receiver<T: Message> {
    // As the sender's.
    ring: CachePadded<Consumer<Mapped<Raw<T>, Map>>>,
    map: Arc<Map>,
    side: Side,
    /// Why nothing is received any more: this side closed, or the sender sent what is no message.
    stopped: Option<Ended>,
}

impl<T: Message> Sender<T> {
    /// Sends `value` if there is room now. Wait-free.
    ///
    /// Does not ask the kernel whether the receiver lives: [`Sender::peer`] and the verbs that wait do.
    ///
    /// # Errors
    /// `Full`, or `Ended` with the reason; the value comes back.
    #[inline]
    pub fn try_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        match self.push(value) {
            Ok(()) => Ok(()),
            Err(value) => Err(match self.refusal() {
                None => TrySendError::Full(value),
                Some(ended) => TrySendError::Ended(value, ended),
            }),
        }
    }

    /// Sends `value`, waiting for room if need be; also for a receiver that was never there.
    ///
    /// # Errors
    /// `Ended` with the reason; the value comes back.
    #[inline]
    pub fn send(&mut self, value: T) -> Result<(), SendError<T>> {
        self.send_until(value, || Deadline::NEVER)
    }

    /// Sends `value`, waiting for room for at most `timeout`.
    ///
    /// # Errors
    /// No room in time, or `Ended` with the reason; the value comes back.
    pub fn send_timeout(&mut self, value: T, timeout: Duration) -> Result<(), SendError<T>> {
        self.send_until(value, || Deadline::after(Some(timeout)))
    }

    /// Sends `value`, waiting for room until `deadline`.
    ///
    /// # Errors
    /// No room in time, or `Ended` with the reason; the value comes back.
    pub fn send_deadline(&mut self, value: T, deadline: Instant) -> Result<(), SendError<T>> {
        self.send_until(value, || Deadline::at(deadline))
    }

    /// Copies as many of `values` as fit now and publishes them together. Returns how many, at least one unless `values` is
    /// empty.
    ///
    /// # Errors
    /// `Full` if there is no room at all, or `Ended` with the reason.
    pub fn try_send_slice(&mut self, values: &[T]) -> Result<usize, TrySendError<()>>
    where
        T: Copy,
    {
        let room = self.ring.reserve(values.len() as u64) as usize;
        for &value in &values[..room] {
            if self.ring.stage(Raw::new(value)).is_err() {
                break;
            }
        }
        match self.ring.publish_staged() {
            0 if !values.is_empty() => Err(match self.refusal() {
                None => TrySendError::Full(()),
                Some(ended) => TrySendError::Ended((), ended),
            }),
            sent => {
                self.ring_receiver(sent);
                Ok(sent as usize)
            }
        }
    }

    /// Copies all of `values`, waiting for room as often as need be. Each run that fits is published together.
    ///
    /// # Errors
    /// `Ended` with the reason; carries how many were sent.
    pub fn send_slice(&mut self, values: &[T]) -> Result<(), SendError<usize>>
    where
        T: Copy,
    {
        let mut sent = 0;
        while sent < values.len() {
            match self.try_send_slice(&values[sent..]) {
                Ok(n) => sent += n,
                Err(TrySendError::Ended((), ended)) => return Err(SendError::Ended(sent, ended)),
                Err(TrySendError::Full(())) => match self.wait_for_room(Deadline::NEVER) {
                    Waited::PeerGone(ended) => return Err(SendError::Ended(sent, ended)),
                    Waited::Ready | Waited::TimedOut => {}
                },
            }
        }
        Ok(())
    }

    /// Sends nothing more. The receiver still gets what was sent, and then `Disconnected`. Dropping does the same.
    pub fn close(&mut self) {
        if !self.closed && self.side.is_ours() {
            self.closed = true;
            self.side.end(side::sessions(&self.map, Role::Sender).0);
            self.ring.close();
            let (peer, tail) = self.ring.peer_session();
            self.side.closed(peer, tail);
        }
    }

    /// What the kernel says of the receiver. A system call.
    pub fn peer(&self) -> Peer {
        self.side.peer_state(self.words().1)
    }

    /// Waits until somebody has the receiving side, at most for `timeout`. Whether somebody has.
    pub fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        let peer = side::sessions(&self.map, Role::Sender).1;
        self.side.wait_for_peer(peer, Deadline::after(Some(timeout)))
    }

    /// Messages in the channel. The receiver may take some at any time.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether there was no message a moment ago.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Most messages that the channel holds.
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// What the channel has done since it was made, under all who had its sides.
    pub fn stats(&self) -> Stats {
        self.ring.stats()
    }

    #[inline(always)]
    fn words(&self) -> (&Session, &Session, &AtomicU64) {
        let (own, peer) = side::sessions(&self.map, Role::Sender);
        (own, peer, &self.map.producer().block.tail)
    }

    #[inline(always)]
    fn ring_receiver(&mut self, n: u64) {
        let (peer, tail) = self.ring.peer_session();
        if self.side.published(peer, tail, self.ring.position(), n) {
            self.ring.count_wake();
        }
    }

    #[inline(always)]
    fn push(&mut self, value: T) -> Result<(), T> {
        self.ring.push_message(value)?;
        self.ring_receiver(1);
        Ok(())
    }

    #[inline(always)]
    fn send_until(&mut self, value: T, deadline: impl FnOnce() -> Deadline) -> Result<(), SendError<T>> {
        match self.push(value) {
            Ok(()) => Ok(()),
            Err(value) => self.send_later(value, deadline()),
        }
    }

    #[cold]
    #[inline(never)]
    fn send_later(&mut self, mut value: T, deadline: Deadline) -> Result<(), SendError<T>> {
        loop {
            if let Some(ended) = self.refusal() {
                return Err(SendError::Ended(value, ended));
            }
            match self.wait_for_room(deadline) {
                Waited::TimedOut => return Err(SendError::Timeout(value)),
                Waited::PeerGone(ended) => return Err(SendError::Ended(value, ended)),
                Waited::Ready => {}
            }
            match self.push(value) {
                Ok(()) => return Ok(()),
                Err(back) => value = back,
            }
        }
    }

    fn wait_for_room(&mut self, deadline: Deadline) -> Waited {
        let (own, peer) = side::sessions(&self.map, Role::Sender);
        let head = &self.map.consumer().block.head;
        let ring = core::cell::RefCell::new(&mut *self.ring);
        let ready = || {
            let mut ring = ring.borrow_mut();
            let go = ring.room(1) != 0 || ring.is_closed() || ring.is_corrupt();
            (!go).then(|| ring.awaited().open_word())
        };
        let awaited = ring.borrow().awaited();
        self.side.block(own, peer, head, awaited, deadline, ready, || ring.borrow().count_parks(1))
    }

    /// Why there is no room: `None` if the channel is merely full.
    #[cold]
    #[inline(never)]
    fn refusal(&mut self) -> Option<Ended> {
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

impl<T: Message> Receiver<T> {
    /// Takes the next message if there is one now. Wait-free.
    ///
    /// Does not ask the kernel whether the sender lives: [`Receiver::peer`] and the verbs that wait do. A message counts as
    /// received once this has returned it: at most once, should this process be killed.
    ///
    /// # Errors
    /// `Empty`, or `Ended` with the reason once nothing is left.
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.take() {
            Some(value) => Ok(value),
            None => Err(self.nothing().map_or(TryRecvError::Empty, TryRecvError::Ended)),
        }
    }

    /// Takes the next message, waiting for one if need be; also for a sender that was never there.
    ///
    /// # Errors
    /// `Ended` with the reason once nothing is left.
    #[inline]
    pub fn recv(&mut self) -> Result<T, RecvError> {
        self.recv_until(|| Deadline::NEVER)
    }

    /// Takes the next message, waiting for at most `timeout`.
    ///
    /// # Errors
    /// No message in time, or `Ended` with the reason once nothing is left.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvError> {
        self.recv_until(|| Deadline::after(Some(timeout)))
    }

    /// Takes the next message, waiting until `deadline`.
    ///
    /// # Errors
    /// No message in time, or `Ended` with the reason once nothing is left.
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvError> {
        self.recv_until(|| Deadline::at(deadline))
    }

    /// Hands the next message to `f`, and frees its place when `f` has returned: should this process be killed meanwhile, or `f` panic,
    /// the next receive gets the message again. At least once.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    pub fn try_recv_with<R>(&mut self, f: impl FnOnce(T) -> R) -> Result<R, TryRecvError> {
        let mut taking = Taking::new(self);
        let Some(value) = taking.from.read() else {
            drop(taking);
            return Err(self.nothing().map_or(TryRecvError::Empty, TryRecvError::Ended));
        };
        let done = f(value);
        taking.done = true;
        Ok(done)
    }

    /// Hands up to `max` of the messages there are now to `f`, then frees their places together. Returns how many. Should this
    /// process be killed meanwhile, or `f` panic, all of them come again.
    pub fn drain(&mut self, max: usize, mut f: impl FnMut(T)) -> usize {
        let there = self.ring.available(max as u64) as usize;
        let mut taking = Taking::new(self);
        let mut taken = 0;
        while taken < there {
            let Some(value) = taking.from.read() else { break };
            f(value);
            taken += 1;
        }
        taking.done = taken != 0;
        taken
    }

    /// Accepts nothing more: the sender's next send fails. What is in the channel stays there for the next receiver. Dropping does the same.
    pub fn close(&mut self) {
        if self.stopped != Some(Ended::Disconnected) && self.side.is_ours() {
            self.stop(Ended::Disconnected);
            self.side.end(side::sessions(&self.map, Role::Receiver).0);
            Reader::close(&mut *self.ring);
            let (peer, head) = self.ring.peer_session();
            self.side.closed(peer, head);
        }
    }

    /// What the kernel says of the sender. A system call.
    pub fn peer(&self) -> Peer {
        self.side.peer_state(&self.map.producer().session)
    }

    /// Waits until somebody has the sending side, at most for `timeout`. Whether somebody has.
    pub fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        let peer = side::sessions(&self.map, Role::Receiver).1;
        self.side.wait_for_peer(peer, Deadline::after(Some(timeout)))
    }

    /// Messages in the channel. The sender may add some at any time.
    pub fn len(&self) -> usize {
        Reader::len(&*self.ring)
    }

    /// Whether there was no message a moment ago.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Most messages that the channel holds.
    pub fn capacity(&self) -> usize {
        Reader::capacity(&*self.ring)
    }

    /// What the channel has done since it was made, under all who had its sides.
    pub fn stats(&self) -> Stats {
        Reader::stats(&*self.ring)
    }

    #[inline(always)]
    fn ring_sender(&mut self, n: u64) {
        let (peer, head) = self.ring.peer_session();
        if self.side.published(peer, head, self.ring.position(), n) {
            Reader::count_wake(&*self.ring);
        }
    }

    /// The next message; its place stays occupied.
    #[inline(always)]
    fn read(&mut self) -> Option<T> {
        let at = self.ring.position();
        let value = self.ring.take()?.validate();
        if value.is_none() {
            // It stays where it is: it was not received.
            self.ring.rewind(at);
            self.stop(Ended::Corrupted);
        }
        value
    }

    #[inline(always)]
    fn free(&mut self, n: u64) {
        self.ring.release();
        self.ring_sender(n);
    }

    #[inline(always)]
    fn take(&mut self) -> Option<T> {
        let value = self.read()?;
        self.free(1);
        Some(value)
    }

    #[inline(always)]
    fn recv_until(&mut self, deadline: impl FnOnce() -> Deadline) -> Result<T, RecvError> {
        match self.take() {
            Some(value) => Ok(value),
            None => self.recv_later(deadline()),
        }
    }

    #[cold]
    #[inline(never)]
    fn recv_later(&mut self, deadline: Deadline) -> Result<T, RecvError> {
        loop {
            if let Some(ended) = self.nothing() {
                return Err(RecvError::Ended(ended));
            }
            let (own, peer) = side::sessions(&self.map, Role::Receiver);
            let tail = &self.map.producer().block.tail;
            let ring = core::cell::RefCell::new(&mut *self.ring);
            let ready = || {
                let mut ring = ring.borrow_mut();
                let go = ring.has_message() || Reader::peer_closed(&**ring) || ring.is_corrupt();
                (!go).then(|| ring.awaited().open_word())
            };
            let awaited = ring.borrow().awaited();
            let parks = || Reader::count_parks(&**ring.borrow(), 1);
            match self.side.block(own, peer, tail, awaited, deadline, ready, parks) {
                Waited::TimedOut => return Err(RecvError::Timeout),
                Waited::PeerGone(ended) => return Err(RecvError::Ended(ended)),
                Waited::Ready => {}
            }
            if let Some(value) = self.take() {
                return Ok(value);
            }
        }
    }

    #[cold]
    fn stop(&mut self, why: Ended) {
        self.stopped = Some(why);
        self.ring.halt();
    }

    /// Why there is no message: `None` if the channel is merely empty.
    #[cold]
    #[inline(never)]
    fn nothing(&mut self) -> Option<Ended> {
        if self.ring.is_corrupt() {
            self.stop(Ended::Corrupted);
        }
        if self.stopped.is_some() {
            return self.stopped;
        }
        let died = self.side.news(&self.map.producer().session);
        // The position after the end: what was sent before it is then not missed.
        if self.ring.has_message() {
            return None;
        }
        if self.ring.is_corrupt() {
            self.stop(Ended::Corrupted);
            return self.stopped;
        }
        match died {
            Some(session) => Some(self.side.tell(session)),
            None => self.ring.is_over().then_some(Ended::Disconnected),
        }
    }
}

/// Frees what was taken if all went well, else takes it back.
struct Taking<'a, T: Message> {
    from: &'a mut Receiver<T>,
    began: Position,
    done: bool,
}

impl<'a, T: Message> Taking<'a, T> {
    fn new(from: &'a mut Receiver<T>) -> Self {
        Self { began: from.ring.position(), from, done: false }
    }
}

impl<T: Message> Drop for Taking<'_, T> {
    fn drop(&mut self) {
        if self.done {
            let n = self.from.ring.position().since(self.began);
            self.from.free(n);
        } else {
            self.from.ring.rewind(self.began);
        }
    }
}

impl<T: Message> Drop for Sender<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T: Message> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T: Message> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("len", &self.len()).field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

impl<T: Message> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("len", &self.len()).field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}
