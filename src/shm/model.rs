//! A ring for the models that outlives its ends, as one in a mapped file does: by the rules of memory that another process maps too
//! ([`Backend::SHARED`]), but with slots that loom sees.

#![allow(missing_debug_implementations, unsafe_code)]

#[path = "model/broadcast.rs"]
mod broadcast;
pub(crate) mod peer;
pub(crate) mod ring {
    pub(crate) mod gate;
}

pub use broadcast::{SeatReceiver, SeatSender, SharedBroadcast};

use crate::ring::backend::{Backend, Geometry, Heap};
use crate::ring::reach::{BoundedReader, LeftRing, Reach};
use crate::ring::spsc::{Consumer, Producer};
use crate::sync::position::Position;
use crate::sync::{Arc, AtomicU64, Ordering};
use core::cell::Cell;
use peer::session::{self, Session};

/// The memory. Its ends come and go.
pub struct SharedRing<T> {
    ring: Heap<T>,
    sessions: Arc<[Session; 2]>,
}

/// What an end holds of it.
struct Mapping<T> {
    memory: Heap<T>,
    sessions: Arc<[Session; 2]>,
    killed: Cell<bool>,
}

/// The end that writes; dropped it closes.
pub struct SharedSender<T>(Producer<Mapping<T>>);

/// The end that reads; dropped it closes.
pub struct SharedReceiver<T>(Consumer<Mapping<T>>);

// SAFETY: those of the `Heap` that it keeps.
unsafe impl<T> Backend for Mapping<T> {
    type Item = T;

    const SHARED: bool = true;

    fn geometry(&self) -> Geometry<T> {
        self.memory.geometry()
    }

    fn is_here(&self) -> bool {
        !self.killed.get()
    }

    fn producer_session(&self, _: &Geometry<T>) -> u64 {
        self.sessions[0].begun.load(Ordering::Relaxed)
    }

    fn consumer_session(&self, _: &Geometry<T>) -> u64 {
        self.sessions[1].begun.load(Ordering::Relaxed)
    }

    fn observe(word: &AtomicU64, order: Ordering) -> u64 {
        session::observe(word, order)
    }
}

impl<T: Copy> SharedRing<T> {
    /// An empty ring.
    ///
    /// # Panics
    /// If the capacity is out of range.
    pub fn new(capacity: usize) -> Self {
        let heap = Heap::new(capacity, Position::new(0));
        let ring = heap.unwrap_or_else(|refused| panic!("{refused}"));
        Self { ring, sessions: Arc::new([Session::new(), Session::new()]) }
    }

    fn map(&self) -> Mapping<T> {
        Mapping { memory: self.ring.share(), sessions: Arc::clone(&self.sessions), killed: Cell::new(false) }
    }

    /// The sender's words.
    pub fn of_sender(&self) -> &Session {
        &self.sessions[0]
    }

    /// The receiver's words.
    pub fn of_receiver(&self) -> &Session {
        &self.sessions[1]
    }

    /// Whether no message lies there, for one that has neither end.
    pub fn is_empty(&self) -> bool {
        let words = self.ring.geometry();
        // SAFETY: a backend's blocks are valid while it lives.
        let producer = unsafe { words.producer.as_ref() };
        // SAFETY: as above.
        let consumer = unsafe { words.consumer.as_ref() };
        let head = Position::from_word(consumer.head.load(Ordering::Relaxed));
        Position::from_word(producer.tail.load(Ordering::Relaxed)) == head
    }

    /// The end that writes, from where the last one was.
    ///
    /// # Safety
    /// There is no other, and what the last one did has been seen.
    pub unsafe fn sender(&self) -> SharedSender<T> {
        // SAFETY: the caller's promise.
        SharedSender(unsafe { Producer::attach(self.map()) })
    }

    /// The end that reads, from where the last one was.
    ///
    /// # Safety
    /// There is no other, and what the last one did has been seen.
    pub unsafe fn receiver(&self) -> SharedReceiver<T> {
        // SAFETY: the caller's promise.
        SharedReceiver(unsafe { Consumer::attach(self.map()) })
    }
}

impl<T: Copy> SharedSender<T> {
    /// Writes again, where one that left before has closed.
    pub fn reopen(&mut self) {
        self.0.reopen();
    }

    /// Messages that were ever written.
    pub fn count(&self) -> u64 {
        self.0.position().count()
    }

    /// Finds room where the reader's last session is this one.
    pub fn meet(&mut self, session: u64) {
        self.0.meet(session);
    }

    /// Whether there was room and a reader that has not closed.
    pub fn push(&mut self, value: T) -> bool {
        let Some(slot) = self.0.vacancy() else { return false };
        // SAFETY: just found vacant.
        self.0.fill(|| unsafe { Mapping::put(slot, value) });
        true
    }

    /// Whether another reader has begun than the one this end knows.
    pub fn is_behind(&self) -> bool {
        self.0.is_behind()
    }

    /// Whether there was room, with or without a reader.
    pub fn push_for_the_next(&mut self, value: T) -> bool {
        let Some(slot) = self.0.vacancy_for_the_next() else { return false };
        // SAFETY: just found vacant.
        self.0.fill(|| unsafe { Mapping::put(slot, value) });
        true
    }

    /// Whether all that was ever written was received.
    pub fn is_all_received(&self) -> bool {
        self.0.is_received(self.0.position())
    }

    /// Whether the reader has closed.
    pub fn peer_closed(&self) -> bool {
        self.0.peer_gone()
    }

    /// Whether there is room, by a fresh look.
    pub fn has_room(&mut self) -> bool {
        self.0.room(1) != 0
    }

    /// What a kill does to it: nothing of it happens any more.
    pub fn kill(self) {
        self.0.backend().killed.set(true);
    }
}

impl<T: Copy> SharedReceiver<T> {
    /// Reads again, where one that left before has closed.
    pub fn reopen(&mut self) {
        self.0.reopen();
    }

    /// Messages that were ever taken.
    pub fn count(&self) -> u64 {
        BoundedReader::count(&self.0)
    }

    /// The next message; its place stays occupied.
    pub fn take(&mut self) -> Option<T> {
        self.0.take(|message| message)
    }

    /// Frees the places of what was taken.
    pub fn release(&mut self) {
        self.0.release();
    }

    /// Whether there is a message; looks again if none was known.
    pub fn has_message(&mut self) -> bool {
        self.0.has_message()
    }

    /// Whether the last look found nothing, and the writer had closed.
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// Whether the writer has closed.
    pub fn peer_closed(&self) -> bool {
        self.0.peer_closed()
    }

    /// What a kill does to it: nothing of it happens any more.
    pub fn kill(self) {
        self.0.backend().killed.set(true);
    }
}

impl<T: Copy> BoundedReader for SharedReceiver<T> {
    fn look_as_far(&mut self, reach: Reach) -> bool {
        self.0.look_as_far(reach)
    }

    fn count(&self) -> u64 {
        BoundedReader::count(&self.0)
    }

    fn has_freed(&self) -> bool {
        BoundedReader::has_freed(&self.0)
    }
}

impl<T: Copy> LeftRing for SharedReceiver<T> {
    fn refuse(&mut self) {
        LeftRing::refuse(&mut self.0);
    }

    fn look_at_all(&mut self) -> u64 {
        self.0.look_at_all()
    }
}
