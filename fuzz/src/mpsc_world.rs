//! An `mpsc` channel beside its model: a row of places, some of them claimed and not yet published, and senders in line.

use super::alarm::Alarm;
use super::input::Input;
use super::options::Options;
use super::payload::{Book, Payload};
use ringmail::mpsc::{Mpsc, Receiver, Sender, WeakSender};
use ringmail::{SendFuture, TryRecvError, TrySendError, WaitStrategy};
use std::collections::{BTreeSet, VecDeque};
use std::ptr::NonNull;

pub const SEATS: usize = 4;
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

/// What a sender is in the middle of. It borrows the sender, which therefore does nothing else.
pub enum Guard<T: Payload> {
    None,
    /// Claimed places from `at` on. The guard's type has no name here: it is asked with a value to publish, or with none,
    /// and says how many places are left.
    Held {
        at: u64,
        left: usize,
        held: Box<dyn FnMut(Option<T>) -> usize>,
    },
    /// A send that was polled and is pending.
    Sending {
        id: u64,
        future: SendFuture<'static, T, Mpsc>,
    },
}

/// A sender. It stays where it is for as long as it lives, so that a guard can borrow it.
pub struct Seat<T: Payload> {
    pub guard: Guard<T>,
    tx: NonNull<Sender<T>>,
    pub closed: bool,
    pub strategy: WaitStrategy,
    pub alarm: Alarm,
    full: u64,
    /// Whether a future was leaked here: then nobody took back its announcement.
    pub leaky: bool,
    patience: Patience,
}

/// How often at most this sender has tried to overtake the first in line.
#[derive(Default)]
struct Patience {
    ticket: u64,
    most: u32,
}

impl<T: Payload> Seat<T> {
    pub fn new(tx: Sender<T>, strategy: WaitStrategy) -> Self {
        Self {
            guard: Guard::None,
            tx: NonNull::from(Box::leak(Box::new(tx))),
            closed: false,
            strategy,
            alarm: Alarm::default(),
            full: 0,
            leaky: false,
            patience: Patience::default(),
        }
    }

    /// The sender, unless a guard has borrowed it. For as long as need be: a guard does not outlive the seat.
    pub fn sender(&mut self) -> Option<&'static mut Sender<T>> {
        // SAFETY: it lives until the seat drops it, and only a guard, of which there is none, keeps the borrow.
        matches!(self.guard, Guard::None).then(|| unsafe { self.tx.as_mut() })
    }

    fn peek(&self) -> Option<&Sender<T>> {
        // SAFETY: as above.
        matches!(self.guard, Guard::None).then(|| unsafe { self.tx.as_ref() })
    }
}

impl<T: Payload> Drop for Seat<T> {
    fn drop(&mut self) {
        self.guard = Guard::None;
        // SAFETY: made of a `Box` in `new`; the guard that borrowed it is gone.
        drop(unsafe { Box::from_raw(self.tx.as_ptr()) });
    }
}

/// A sender's place in the line of those that wait for room.
pub struct Waiter {
    pub seat: usize,
    ticket: u64,
    /// Woken since it was last polled.
    woken: bool,
}

/// All ends, each until it is dropped, and what they should answer.
pub struct World<T: Payload> {
    pub seats: [Option<Seat<T>>; SEATS],
    pub weak: Option<WeakSender<T>>,
    pub rx: Option<Receiver<T>>,
    pub book: Book,
    pub capacity: usize,
    /// The claimed places from the receiver's position on.
    pub places: VecDeque<Place>,
    /// The receiver's position, counted from 0.
    pub head: u64,
    /// Places before it that the senders do not know to be free.
    pub lag: usize,
    /// Places were freed and no sender was told: only a chunk that takes nothing does that, and then there is a message still to
    /// be taken.
    pub owed: bool,
    tombstones: u64,
    pub full: u64,
    pub rx_closed: bool,
    /// Whether the last sender has left.
    pub ended: bool,
    pub line: VecDeque<Waiter>,
    tickets: u64,
    first_before: u64,
    /// Whether the others have to be called up, because one that was has left.
    stand_ins: bool,
    pub leaked: BTreeSet<u64>,
    pub sleeps: bool,
    pub rx_alarm: Alarm,
}

impl<T: Payload> World<T> {
    /// The channel that the first bytes describe. The model believes its capacity to be `off` more.
    pub fn new(input: &mut Input<'_>, off: usize) -> Self {
        let Options { capacity, sleeps, wait, builder } = Options::<Mpsc>::new(input);
        let (tx, rx) = builder.build().unwrap();
        assert_eq!((tx.capacity(), rx.capacity()), (capacity, capacity));
        Self {
            seats: [Some(Seat::new(tx, wait)), None, None, None],
            weak: None,
            rx: Some(rx),
            book: Book::open(),
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
            rx_alarm: Alarm::default(),
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

    /// Whether nothing more can be claimed by anybody.
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
        // The receiver sleeps for its next place. A guard of `hold` rings for the others too: a wake more than need be.
        self.rx_alarm.heard(index == 0 && self.rx.is_some());
        self.comes_late();
    }

    /// The values from `first` on were claimed and published in one.
    pub fn published(&mut self, first: u64, n: usize) {
        let at = self.claim(n);
        self.places
            .range_mut((at - self.head) as usize..)
            .zip(first..)
            .for_each(|(place, id)| *place = Place::Value(id));
        self.rx_alarm.heard(n > 0 && at == self.head && self.rx.is_some());
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
        let rung = self.seat(at).alarm.rung();
        if !self.sleeps {
            assert_eq!(rung, 1, "a task that nobody will wake wakes itself");
            return;
        }
        assert!(rung == 0, "a task that somebody will wake does not wake itself");
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

    /// Notes who was woken, and demands that those were who had to be.
    fn hear(&mut self) {
        for (at, seat) in self.seats.iter_mut().enumerate() {
            let Some(seat) = seat else { continue };
            let rung = seat.alarm.rung();
            let Some(waiter) = self.line.iter_mut().find(|waiter| waiter.seat == at) else {
                // A leaked future's announcement stands until somebody else's takes its place.
                assert!(rung == 0 || seat.leaky, "woken without having asked");
                continue;
            };
            // By the event count, and by the queue: whoever waits may be told of the same thing by both.
            assert!(rung <= 2, "woken {rung} times by one operation");
            waiter.woken |= rung > 0;
        }
        let stand_ins = std::mem::take(&mut self.stand_ins);
        assert!(!stand_ins || self.all_called(), "who was called up and leaves has the others called in its stead");
        let (first, before) = (self.first(), self.first_before);
        self.first_before = first;
        let room = self.room();
        let Some(front) = self.line.front() else { return };
        assert!(before == 0 || first == before || front.woken, "who leaves the front wakes the next");
        assert!(
            room == 0 || self.owed || self.sealed() || front.woken,
            "there is room, and the first in line was not woken"
        );
        assert!(!self.sealed() || self.line.iter().all(|waiter| waiter.woken), "closed, and not everybody was woken");
    }

    /// The receiver is about to sleep: whoever may be woken in vain at the front, those behind have been called up.
    pub fn receiver_sleeps(&mut self) {
        self.hear();
        assert!(self.all_called(), "a receiver that sleeps calls up those behind the first");
    }

    /// All here are futures, of which none surely comes.
    fn all_called(&self) -> bool {
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

    /// Whatever was taken, its place is free again and the senders know.
    pub fn given_back(&mut self) {
        (self.lag, self.owed) = (0, false);
    }

    /// What a receive that finds no message must answer.
    pub fn nothing(&mut self) -> TryRecvError {
        assert!(!self.looks(), "there is a message");
        self.given_back();
        if self.sealed() && self.places.is_empty() { TryRecvError::Disconnected } else { TryRecvError::Empty }
    }

    /// Something was published. Of messages that are dropped none stays in the ring once the receiver has gone: what publishes it also drops it,
    /// if no claim before it is open, with all that is behind it up to the next open claim. Others stay until a sender is refused or leaves.
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
                // It rings even if nothing was left.
                self.rx_alarm.heard(false);
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
            self.rx_alarm.heard(self.ended && self.rx.is_some());
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

    /// Everything that can be asked without changing anything, and who was woken.
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
            // Of an empty ring this question calls up those that wait.
            assert!(len == 0 && !self.line.is_empty() || rx.is_empty() == (len == 0));
            assert_eq!(rx.is_closed(), self.sealed());
            stats(rx.stats());
        }
        self.count();
    }

    /// The values that have not been dropped are those that somebody still has.
    fn count(&self) {
        if std::mem::needs_drop::<T>() {
            let placed =
                self.places.iter().filter_map(|place| if let Place::Value(id) = place { Some(*id) } else { None });
            let sending = self.seats.iter().flatten().filter_map(|seat| match seat.guard {
                Guard::Sending { id, .. } => Some(id),
                _ => None,
            });
            let expected: BTreeSet<u64> = placed.chain(sending).chain(self.leaked.iter().copied()).collect();
            assert_eq!(self.book.alive(), expected, "each is dropped once, and when it should be");
        }
    }

    /// The end: all go, the receiver before or after the senders, and nothing is left but what was leaked.
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
