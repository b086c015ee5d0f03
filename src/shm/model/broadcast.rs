//! A broadcast for the models, with the gate and the joins of a mapped one.

use super::peer::session::{self, Session};
use super::ring::gate::{Gate, SeatWords, Seats};
use crate::ring::backend::{Backend, Geometry, Heap};
use crate::ring::layout::ConsumerBlock;
use crate::ring::spsc::{Consumer, Producer};
use crate::sync::order::order;
use crate::sync::position::Position;
use crate::sync::{Arc, AtomicU64, Ordering};
use core::cell::Cell;
use core::ptr::NonNull;

/// Seats of it.
const SEATS: usize = 2;

/// The memory. Its ends come and go.
pub struct SharedBroadcast<T> {
    ring: Heap<T>,
    words: Arc<Words>,
}

struct Words {
    seats: [Seat; SEATS],
    /// The sender's: what the ring takes for its reader.
    slowest: ConsumerBlock,
}

struct Seat {
    session: Session,
    block: ConsumerBlock,
    reserved: AtomicU64,
}

impl Seats for Words {
    fn words(&self, seat: usize) -> SeatWords<'_> {
        let Seat { session, block, reserved } = &self.seats[seat];
        SeatWords { session, head: &block.head, reserved }
    }
}

/// What an end holds of it.
struct Mapping<T> {
    memory: Heap<T>,
    words: Arc<Words>,
    /// `None` is the sender.
    seat: Option<usize>,
    killed: Cell<bool>,
}

/// The end that writes.
pub struct SeatSender<T> {
    ring: Producer<Mapping<T>>,
    gate: Gate,
    words: Arc<Words>,
}

/// An end that reads.
pub struct SeatReceiver<T> {
    ring: Consumer<Mapping<T>>,
    words: Arc<Words>,
    seat: usize,
}

// SAFETY: those of the `Heap` and of `words`, both of which it keeps.
unsafe impl<T> Backend for Mapping<T> {
    type Item = T;

    const SHARED: bool = true;

    fn geometry(&self) -> Geometry<T> {
        let block = self.seat.map_or(&self.words.slowest, |seat| &self.words.seats[seat].block);
        Geometry { consumer: NonNull::from(block), ..self.memory.geometry() }
    }

    fn is_here(&self) -> bool {
        !self.killed.get()
    }

    fn producer_session(&self, _: &Geometry<T>) -> u64 {
        0
    }

    fn consumer_session(&self, _: &Geometry<T>) -> u64 {
        0
    }

    fn observe(word: &AtomicU64, order: Ordering) -> u64 {
        session::observe(word, order)
    }
}

impl<T: Copy> SharedBroadcast<T> {
    /// An empty ring, whose seats were never taken.
    ///
    /// # Panics
    /// If the capacity is out of range.
    pub fn new(capacity: usize) -> Self {
        let ring = Heap::new(capacity, Position::new(0)).unwrap_or_else(|refused| panic!("{refused}"));
        let seat = || Seat { session: Session::new(), block: ConsumerBlock::new(0), reserved: AtomicU64::new(0) };
        Self { ring, words: Arc::new(Words { seats: [seat(), seat()], slowest: ConsumerBlock::new(0) }) }
    }

    fn map(&self, seat: Option<usize>) -> Mapping<T> {
        Mapping { memory: self.ring.share(), words: Arc::clone(&self.words), seat, killed: Cell::new(false) }
    }

    /// The end that writes; `passes` also while no seat gates.
    ///
    /// # Safety
    /// There is no other.
    pub unsafe fn sender(&self, passes: bool) -> SeatSender<T> {
        // SAFETY: the caller's promise.
        let ring = unsafe { Producer::attach(self.map(None)) };
        let (capacity, at) = (ring.capacity() as u64, ring.position().count());
        let gate = Gate::new(SEATS, passes, capacity, at);
        let mut sender = SeatSender { ring, gate, words: Arc::clone(&self.words) };
        sender.look();
        sender
    }

    /// An end that reads, which joins at `seat`, or goes on there if it is reserved.
    ///
    /// # Safety
    /// There is no other at this seat, and what the last one did has been seen.
    pub unsafe fn receiver(&self, seat: usize) -> SeatReceiver<T> {
        // SAFETY: the caller's promise.
        let mut ring = unsafe { Consumer::attach(self.map(Some(seat))) };
        let Seat { session, reserved, .. } = &self.words.seats[seat];
        let joins = reserved.load(Ordering::Relaxed) == 0;
        session.begin(
            0,
            1,
            0,
            || true,
            || {
                if joins {
                    ring.join()
                }
            },
            |_| {},
        );
        SeatReceiver { ring, words: Arc::clone(&self.words), seat }
    }
}

impl<T: Copy> SeatSender<T> {
    /// Whether there was room and, unless messages pass, a receiver.
    pub fn try_send(&mut self, value: T) -> bool {
        if self.ring.vacancy().is_none() {
            self.look();
        }
        let Some(slot) = self.ring.vacancy() else { return false };
        // SAFETY: just found vacant.
        self.ring.fill(|| unsafe { Mapping::put(slot, value) });
        true
    }

    fn look(&mut self) {
        let head = self.gate.look(&*self.words, self.ring.position().count());
        self.words.slowest.head.store(Position::new(head).open_word(), Ordering::Relaxed);
    }

    /// Asks who is there. Whether one is not, for whom it does not wait any more.
    pub fn ask(&mut self, is_held: impl Fn(usize) -> bool) -> bool {
        self.gate.ask(&*self.words, self.ring.position().count(), is_held)
    }

    /// The seats whose sessions are over, each told once.
    pub fn gone(&mut self) -> Option<(usize, u64)> {
        self.gate.next_gone().map(|(seat, gone)| (seat, gone.session))
    }
}

impl<T: Copy> SeatReceiver<T> {
    /// The position of the next message.
    pub fn position(&self) -> u64 {
        self.ring.position().count()
    }

    /// The next message; its place is free after this.
    pub fn try_recv(&mut self) -> Option<T> {
        let message = self.ring.take(|message| message)?;
        self.ring.release();
        Some(message)
    }

    /// A copy of the next message, which stays where it is.
    pub fn peek(&mut self) -> Option<T> {
        let before = self.ring.position();
        let message = self.ring.take(|message| message);
        self.ring.rewind(before);
        message
    }

    /// Whether the sender passed this end: that cannot be.
    pub fn is_corrupt(&self) -> bool {
        self.ring.is_corrupt()
    }

    /// The seat stays when this end goes.
    pub fn reserve(&self) {
        self.words.seats[self.seat].reserved.store(1, order!(begin_session));
    }

    /// Gives the seat up in order.
    pub fn leave(mut self) {
        self.words.seats[self.seat].session.end(session::End::Left);
        let _ = self.ring.close();
        self.kill();
    }

    /// What a kill does to it: nothing of it happens any more.
    pub fn kill(self) {
        self.ring.backend().killed.set(true);
    }
}
