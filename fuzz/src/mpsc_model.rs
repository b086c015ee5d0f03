//! An `mpsc` channel beside its model: a row of places, some of them claimed and not yet published, and senders in line.

use super::input::Input;
use super::mpsc_seat::{Guard, Patience, SEATS, Seat};
use super::options::Options;
use super::payload::{DropLedger, Payload};
use super::wake_counter::WakeCounter;
use ringmail::mpsc::{Mpsc, Receiver, Sender, WeakSender};
use ringmail::{TryRecvError, TrySendError};
use std::collections::{BTreeSet, VecDeque};

/// How often a sender may overtake the first in line: `ringmail::mpsc`, "Turns".
const PATIENCE: u32 = 256;

/// A claimed place of the ring.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Not yet published: nothing behind it is next.
    Open,
    Value(u64),
    /// Given up: the receiver passes over it.
    Tombstone,
}

/// A sender's place in the line of those that wait for room.
pub struct Waiter {
    pub seat: usize,
    ticket: u64,
    /// Woken since it was last polled.
    woken: bool,
}

/// All ends, each until it is dropped, and what they should answer.
pub struct Model<T: Payload> {
    pub seats: [Option<Seat<T>>; SEATS],
    pub weak: Option<WeakSender<T>>,
    pub rx: Option<Receiver<T>>,
    pub ledger: DropLedger,
    pub capacity: usize,
    /// The claimed places from the receiver's position on.
    pub places: VecDeque<Place>,
    /// The receiver's position, counted from 0.
    pub head: u64,
    /// Places before it that the senders do not know to be free.
    pub lag: usize,
    /// Places were freed and no sender was told. Only a chunk that takes nothing does that, and then a message is still to be taken.
    pub owed: bool,
    tombstones: u64,
    pub full: u64,
    pub rx_closed: bool,
    /// Whether the last sender has left.
    pub ended: bool,
    pub line: VecDeque<Waiter>,
    tickets: u64,
    first_before: u64,
    /// Whether the others must be woken, because one that was woken has left.
    stand_ins: bool,
    pub leaked: BTreeSet<u64>,
    pub sleeps: bool,
    pub rx_wakes: WakeCounter,
}

impl<T: Payload> Model<T> {
    /// The channel that the first bytes describe. The model believes its capacity to be `off` more.
    pub fn new(input: &mut Input<'_>, off: usize) -> Self {
        let Options { capacity, sleeps, wait, builder } = Options::<Mpsc>::new(input);
        let (tx, rx) = builder.build().unwrap();
        assert_eq!((tx.capacity(), rx.capacity()), (capacity, capacity));
        Self {
            seats: [Some(Seat::new(tx, wait)), None, None, None],
            weak: None,
            rx: Some(rx),
            ledger: DropLedger::open(),
            capacity: capacity + off,
            places: VecDeque::new(),
            head: 0,
            lag: 0,
            owed: false,
            tombstones: 0,
            full: 0,
            rx_closed: false,
            ended: false,
            line: VecDeque::new(),
            tickets: 0,
            first_before: 0,
            stand_ins: false,
            leaked: BTreeSet::new(),
            sleeps,
            rx_wakes: WakeCounter::default(),
        }
    }

    // ---- senders

    /// A sender with no guard, if there is one: the one that the input names, or the next.
    pub fn pick(&mut self, input: &mut Input<'_>) -> Option<(usize, &'static mut Sender<T>)> {
        let first = input.below(SEATS);
        (first..first + SEATS).find_map(|at| {
            let at = at % SEATS;
            Some((at, self.seats[at].as_mut()?.sender()?))
        })
    }

    pub fn seat(&mut self, at: usize) -> &mut Seat<T> {
        self.seats[at].as_mut().expect("picked")
    }

    pub fn alive(&self) -> usize {
        self.seats.iter().flatten().filter(|seat| !seat.closed).count()
    }

    /// Whether no sender can claim anything more.
    pub fn sealed(&self) -> bool {
        self.rx_closed || self.ended
    }

    pub fn refuses(&self, at: usize) -> bool {
        self.sealed() || self.seats[at].as_ref().is_none_or(|seat| seat.closed)
    }

    /// Free places that the senders can know of.
    pub fn room(&self) -> usize {
        self.capacity - self.places.len() - self.lag
    }

    fn is_empty(&self) -> bool {
        self.places.len() + self.lag == 0
    }

    /// What a send must answer that sends nothing.
    pub fn refusal(&mut self, at: usize) -> TrySendError<()> {
        if self.refuses(at) {
            self.inherit();
            return TrySendError::Disconnected(());
        }
        self.full += 1;
        self.seat(at).full += 1;
        TrySendError::Full(())
    }

    /// Places claimed: as many as were wanted, or as there are.
    pub fn check_claim(&self, got: usize, wanted: usize) {
        assert_eq!(got, self.room().min(wanted), "{wanted} places wanted");
    }

    /// Claims `n` places. Returns the first one's position.
    pub fn claim(&mut self, n: usize) -> u64 {
        let at = self.head + self.places.len() as u64;
        self.places.extend(std::iter::repeat_n(Place::Open, n));
        at
    }

    /// A claimed place is published.
    pub fn publish(&mut self, at: u64, place: Place) {
        let index = (at - self.head) as usize;
        assert!(self.places[index] == Place::Open);
        self.places[index] = place;
        // The receiver sleeps for its next place. A guard of `hold` notifies for other places too: one wake more than needed.
        self.rx_wakes.check(index == 0 && self.rx.is_some());
        self.comes_late();
    }

    /// The values from `first` on were claimed and published in one.
    pub fn published(&mut self, first: u64, n: usize) {
        let at = self.claim(n);
        self.places
            .range_mut((at - self.head) as usize..)
            .zip(first..)
            .for_each(|(place, id)| *place = Place::Value(id));
        self.rx_wakes.check(n > 0 && at == self.head && self.rx.is_some());
    }

    // ---- the line

    fn first(&self) -> u64 {
        self.line.front().map_or(0, |waiter| waiter.ticket)
    }

    pub fn in_line(&self, at: usize) -> Option<usize> {
        self.line.iter().position(|waiter| waiter.seat == at)
    }

    /// Whether a sender may go although others wait; `None` if that depends on how often it looked, and on the clock: `wait::queue` tests that.
    pub fn may_go(&mut self, at: usize) -> Option<bool> {
        let (first, empty) = (self.first(), self.is_empty());
        let patience = &mut self.seat(at).patience;
        if first != 0 && patience.ticket != first {
            *patience = Patience { ticket: first, ..Patience::default() };
        }
        match () {
            () if first == 0 || empty || patience.most < PATIENCE => Some(true),
            () => None,
        }
    }

    /// A verb that waits has tried at most that often to go. To be called before the model's line changes.
    pub fn tried(&mut self, at: usize, most: u32) {
        let first = self.first();
        if first == 0 {
            return;
        }
        let patience = &mut self.seat(at).patience;
        if patience.ticket != first {
            *patience = Patience { ticket: first, ..Patience::default() };
        }
        patience.most += most;
    }

    /// A sender waits, and was polled just now.
    pub fn waits(&mut self, at: usize) {
        let woken = self.seat(at).wakes.new_wakes();
        if !self.sleeps {
            assert_eq!(woken, 1, "a task that no side will wake wakes itself");
            return;
        }
        assert!(woken == 0, "a task that the other side will wake does not wake itself");
        match self.in_line(at) {
            Some(place) => self.line[place].woken = false,
            None => {
                self.tickets += 1;
                self.line.push_back(Waiter { seat: at, ticket: self.tickets, woken: false });
            }
        }
    }

    /// A sender does not wait any more. Nor is anything left of what a leaked future announced there.
    pub fn leaves(&mut self, at: usize) {
        let Some(place) = self.in_line(at) else { return };
        let Some(waiter) = self.line.remove(place) else { return };
        // Only the queue wakes those behind the first.
        self.stand_ins |= place > 0 && waiter.woken;
        if let Some(seat) = &mut self.seats[at] {
            seat.leaky = false;
        }
    }

    /// Notes which senders were woken, and checks that those that had to be were.
    fn hear(&mut self) {
        for (at, seat) in self.seats.iter_mut().enumerate() {
            let Some(seat) = seat else { continue };
            let woken = seat.wakes.new_wakes();
            let Some(waiter) = self.line.iter_mut().find(|waiter| waiter.seat == at) else {
                // A leaked future's announcement stands until another one takes its place.
                assert!(woken == 0 || seat.leaky, "woken without having asked");
                continue;
            };
            // The event count and the queue may both tell a waiter of the same thing.
            assert!(woken <= 2, "woken {woken} times by one operation");
            waiter.woken |= woken > 0;
        }
        let stand_ins = std::mem::take(&mut self.stand_ins);
        assert!(!stand_ins || self.all_woken(), "a woken sender that leaves has the others woken in its stead");
        let (first, before) = (self.first(), self.first_before);
        self.first_before = first;
        let room = self.room();
        let Some(front) = self.line.front() else { return };
        assert!(before == 0 || first == before || front.woken, "a sender that leaves the front wakes the next");
        assert!(
            room == 0 || self.owed || self.sealed() || front.woken,
            "there is room, and the first in line was not woken"
        );
        assert!(!self.sealed() || self.line.iter().all(|waiter| waiter.woken), "closed, and a waiter was not woken");
    }

    /// The receiver is about to sleep: the front may be woken in vain, so those behind it have been woken too.
    pub fn receiver_sleeps(&mut self) {
        self.hear();
        assert!(self.all_woken(), "a receiver that sleeps wakes those behind the first");
    }

    /// Whether all but the first were woken. All are futures here, and none surely comes.
    fn all_woken(&self) -> bool {
        self.line.iter().skip(1).all(|waiter| waiter.woken)
    }

    // ---- the receiver

    /// The receiver looks at its next place and passes over tombstones. Whether there is a message.
    pub fn looks(&mut self) -> bool {
        while self.places.front() == Some(&Place::Tombstone) {
            self.places.pop_front();
            self.head += 1;
            self.tombstones += 1;
            (self.lag, self.owed) = (0, true);
        }
        matches!(self.places.front(), Some(Place::Value(_)))
    }

    /// The messages in one run, up to the first place that holds none.
    pub fn run(&self) -> impl Iterator<Item = u64> + '_ {
        self.places.iter().map_while(|place| if let Place::Value(id) = place { Some(*id) } else { None })
    }

    /// The next message was taken and must be this one.
    pub fn took(&mut self, id: u64) {
        assert!(self.places.pop_front() == Some(Place::Value(id)), "order");
        self.head += 1;
        self.lag += 1;
    }

    /// The places of all that was taken are free again, and the senders know.
    pub fn given_back(&mut self) {
        (self.lag, self.owed) = (0, false);
    }

    /// What a receive that finds no message must answer.
    pub fn nothing(&mut self) -> TryRecvError {
        assert!(!self.looks(), "there is a message");
        self.given_back();
        if self.sealed() && self.places.is_empty() { TryRecvError::Disconnected } else { TryRecvError::Empty }
    }

    /// A message was published. Once the receiver has gone, no message that has a drop stays in the ring: the publisher drops it, if no claim
    /// before it is open, with all that is behind it up to the next open claim. Other messages stay until a sender is refused or leaves.
    fn comes_late(&mut self) {
        if std::mem::needs_drop::<T>() {
            self.inherit();
        }
    }

    /// What a receiver that has gone leaves behind is dropped up to the first open claim.
    fn inherit(&mut self) {
        while self.rx.is_none() && self.places.front().is_some_and(|place| *place != Place::Open) {
            self.places.pop_front();
            self.head += 1;
        }
    }

    // ---- leaving, looking

    /// Ends what a sender is in the middle of.
    pub fn release(&mut self, at: usize) {
        match std::mem::replace(&mut self.seat(at).guard, Guard::None) {
            Guard::None => {}
            Guard::Held { at, left, held } => {
                drop(held);
                (at..at + left as u64).for_each(|at| self.publish(at, Place::Tombstone));
                // It notifies even if nothing was left.
                self.rx_wakes.check(false);
            }
            Guard::Sending { future, .. } => {
                drop(future);
                self.leaves(at);
            }
        }
    }

    pub fn close_tx(&mut self, at: usize, drop_it: bool) {
        self.release(at);
        let was_open = !std::mem::replace(&mut self.seat(at).closed, true);
        if drop_it {
            self.seats[at] = None;
        } else if let Some(tx) = self.seat(at).sender() {
            tx.close();
        }
        // A leaked future does not keep its place.
        self.leaves(at);
        if was_open {
            self.inherit();
            self.ended = self.alive() == 0;
            self.rx_wakes.check(self.ended && self.rx.is_some());
        }
    }

    pub fn close_rx(&mut self, drop_it: bool) {
        match &mut self.rx {
            Some(_) if drop_it => {
                self.rx = None;
                self.lag = 0;
                self.inherit();
            }
            Some(rx) => rx.close(),
            None => return,
        }
        self.rx_closed = true;
    }

    /// Checks all questions that change nothing, and which senders were woken.
    pub fn look(&mut self) {
        self.hear();
        let (len, lag) = (self.places.len(), self.lag);
        let sent = self.head + len as u64 - self.tombstones;
        let stats = |stats: ringmail::Stats| {
            let received = sent - (len + lag) as u64;
            assert_eq!((stats.sent, stats.received, stats.depth), (sent, received, len + lag));
            assert_eq!(stats.tombstones, self.tombstones);
            // A sender tells the others of its refusals now and then, and when it leaves.
            assert!(stats.full <= self.full && (self.alive() > 0 || stats.full == self.full));
        };
        for seat in self.seats.iter().flatten() {
            let Some(tx) = seat.peek() else { continue };
            let len = len + lag;
            assert_eq!((tx.len(), tx.is_empty(), tx.is_full()), (len, len == 0, len == self.capacity));
            assert_eq!(tx.is_closed(), seat.closed || self.sealed());
            assert_eq!(tx.sender_count(), self.alive());
            stats(tx.stats());
            assert!(tx.stats().full >= seat.full, "its own it knows");
        }
        if let Some(rx) = &self.rx {
            assert_eq!((rx.len(), rx.is_full()), (len, len == self.capacity));
            // On an empty ring this question wakes the waiting senders.
            assert!(len == 0 && !self.line.is_empty() || rx.is_empty() == (len == 0));
            assert_eq!(rx.is_closed(), self.sealed());
            stats(rx.stats());
        }
        self.count();
    }

    /// The values that have not been dropped are those in the ring, in pending sends, and those that were leaked.
    fn count(&self) {
        if std::mem::needs_drop::<T>() {
            let placed =
                self.places.iter().filter_map(|place| if let Place::Value(id) = place { Some(*id) } else { None });
            let sending = self.seats.iter().flatten().filter_map(|seat| match seat.guard {
                Guard::Sending { id, .. } => Some(id),
                _ => None,
            });
            let expected: BTreeSet<u64> = placed.chain(sending).chain(self.leaked.iter().copied()).collect();
            assert_eq!(self.ledger.alive(), expected, "each is dropped once, and when it should be");
        }
    }

    /// The end: all handles are dropped, the receiver's before or after the senders'. Only what was leaked is left.
    pub fn finish(mut self, receiver_first: bool) {
        self.look();
        if receiver_first {
            self.close_rx(true);
            self.look();
        }
        for at in 0..SEATS {
            if self.seats[at].is_some() {
                self.close_tx(at, true);
                self.look();
            }
        }
        self.count();
        self.close_rx(true);
        self.look();
        assert!(self.places.is_empty(), "the last one to go leaves nothing");
        assert!(self.weak.take().is_none_or(|weak| weak.upgrade().is_none()));
        self.count();
    }
}
