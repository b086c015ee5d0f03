//! A `broadcast` channel beside its model: what was sent, and how far each seat is.

use super::input::Input;
use super::options::Options;
use super::payload::DropLedger;
use super::shared::{Shareable, guarded};
use super::wake_counter::WakeCounter;
use ringmail::broadcast::{Broadcast, Hub, NoReceiver, Receiver, SeatId, Sender};
use ringmail::{TryRecvError, TrySendError};
use std::collections::BTreeSet;

/// Receivers at a time, also those that have given their seats up.
pub const RECEIVERS: usize = 6;
pub const HUBS: usize = 2;

/// A receiver with its seat, a receiver that has given its seat up, or a reserved seat without a receiver.
pub struct Seat<T> {
    pub rx: Option<Receiver<T>>,
    pub id: SeatId,
    /// Messages before this were committed.
    pub head: u64,
    /// Where a close ended it.
    pub end: Option<u64>,
    /// Whether the receiver has given its seat up.
    pub left: bool,
    pub name: Option<&'static str>,
    /// The seats that commit a message before this one sees it.
    pub before: Vec<SeatId>,
    pub wakes: WakeCounter,
}

impl<T> Seat<T> {
    /// Whether the sender waits for it.
    pub fn gates(&self) -> bool {
        !self.left
    }

    pub fn is_vacant(&self) -> bool {
        self.rx.is_none()
    }
}

/// By how much the model is wrong on purpose.
#[derive(Clone, Copy, Default)]
pub struct Wrong {
    pub capacity: u64,
    /// Followers wait for none.
    pub hasty: bool,
}

/// All handles, each until it is dropped, and what they should answer.
pub struct Model<T: Shareable> {
    pub tx: Option<Sender<T>>,
    pub tx_closed: bool,
    pub tx_wakes: WakeCounter,
    /// Whether its task waits for room too, or for the close alone.
    pub awaits_room: bool,
    pub hubs: Vec<Hub<T>>,
    pub seats: Vec<Seat<T>>,
    /// The tasks of receivers that were dropped: none is woken any more.
    ghosts: Vec<WakeCounter>,
    /// Which message has which position.
    pub log: Vec<u64>,
    /// The first position whose message was not dropped.
    pub oldest: u64,
    /// The message whose drop panics.
    pub planted: Option<u64>,
    pub passed: u64,
    pub full: u64,
    /// Seats that were given out, and the most at a time.
    pub seen: BTreeSet<SeatId>,
    peak: usize,
    pub ledger: DropLedger,
    capacity: u64,
    lap: u64,
    pub passes: bool,
    pub sleeps: bool,
    pub wrong: Wrong,
}

impl<T: Shareable> Model<T> {
    /// The channel that the first bytes describe, with one receiver.
    pub fn new(input: &mut Input<'_>, wrong: Wrong) -> Self {
        T::clear();
        let Options { capacity, sleeps, builder, .. } = Options::<Broadcast>::new(input);
        let passes = input.below(4) == 0;
        let choice = if passes { NoReceiver::Pass } else { NoReceiver::Wait };
        let (tx, hub) = builder.no_receiver(choice).build().unwrap();
        assert_eq!((tx.capacity(), hub.capacity()), (capacity, capacity));
        let mut model = Self {
            tx: Some(tx),
            tx_closed: false,
            tx_wakes: WakeCounter::default(),
            awaits_room: false,
            hubs: vec![hub],
            seats: Vec::new(),
            ghosts: Vec::new(),
            log: Vec::new(),
            oldest: 0,
            planted: None,
            passed: 0,
            full: 0,
            seen: BTreeSet::new(),
            peak: 0,
            ledger: DropLedger::open(),
            capacity: capacity as u64 + wrong.capacity,
            lap: capacity.next_power_of_two() as u64,
            passes,
            sleeps,
            wrong,
        };
        let rx = model.hubs[0].join().unwrap();
        model.joined(rx, None, Vec::new());
        model
    }

    pub fn tail(&self) -> u64 {
        self.log.len() as u64
    }

    // ---- seats

    /// A receiver came to a new seat.
    pub fn joined(&mut self, rx: Receiver<T>, name: Option<&'static str>, before: Vec<SeatId>) {
        let id = rx.seat();
        assert!(self.seen.insert(id), "no two receivers have the same seat");
        self.seats.push(Seat {
            rx: Some(rx),
            id,
            head: self.tail(),
            end: None,
            left: false,
            name,
            before,
            wakes: WakeCounter::default(),
        });
        let seats = self.gating().count();
        self.peak = self.peak.max(seats);
        assert!(id.index() < self.peak, "seats that were given up serve again");
        assert!(self.gating().filter(|seat| seat.id.index() == id.index()).count() == 1);
    }

    pub fn gating(&self) -> impl Iterator<Item = &Seat<T>> {
        self.seats.iter().filter(|seat| seat.gates())
    }

    /// A receiver: the one that the input names, or the next.
    pub fn pick(&self, input: &mut Input<'_>) -> Option<usize> {
        let there: Vec<usize> = (0..self.seats.len()).filter(|&at| self.seats[at].rx.is_some()).collect();
        let which = input.byte() as usize;
        there.get(which.checked_rem(there.len())?).copied()
    }

    pub fn receivers(&self) -> usize {
        self.seats.iter().filter(|seat| seat.rx.is_some()).count()
    }

    /// Messages that this seat's receiver can take now.
    pub fn ready(&self, at: usize) -> usize {
        let seat = &self.seats[at];
        if seat.left {
            return 0;
        }
        let mut limit = seat.end.unwrap_or(self.tail());
        for before in seat.before.iter().filter(|_| !self.wrong.hasty) {
            if let Some(other) = self.gating().find(|other| other.id == *before) {
                limit = limit.min(other.head);
            }
        }
        limit.saturating_sub(seat.head) as usize
    }

    /// The messages that it is to see next.
    pub fn next(&self, at: usize, n: usize) -> &[u64] {
        let head = self.seats[at].head as usize;
        &self.log[head..head + n.min(self.ready(at))]
    }

    /// Whether its receiver gets nothing more.
    fn is_over(&self, at: usize) -> bool {
        let seat = &self.seats[at];
        seat.left || seat.head == seat.end.unwrap_or(self.tail()) && (seat.end.is_some() || self.tx_closed)
    }

    /// It has taken so many messages, which is to say committed them.
    pub fn took(&mut self, at: usize, n: usize) {
        self.seats[at].head += n as u64;
    }

    /// What a receive that finds no message must answer. One that was closed gives its seat up then.
    pub fn nothing(&mut self, at: usize) -> TryRecvError {
        assert_eq!(self.ready(at), 0, "there is a message");
        if !self.is_over(at) {
            return TryRecvError::Empty;
        }
        if self.seats[at].end.is_some() && !self.seats[at].left {
            self.leaves(at);
        }
        TryRecvError::Disconnected
    }

    /// A receiver gives its seat up. A reserved one stays.
    pub fn leaves(&mut self, at: usize) {
        let seat = &mut self.seats[at];
        seat.left = true;
        seat.wakes.check(false);
        seat.wakes.disarm();
        let (id, head) = (seat.id, seat.head);
        if let Some(name) = seat.name.take() {
            let before = seat.before.clone();
            let wakes = WakeCounter::default();
            self.seats.push(Seat { rx: None, id, head, end: None, left: false, name: Some(name), before, wakes });
        }
    }

    /// A receiver was dropped.
    pub fn dropped(&mut self, at: usize) {
        if !self.seats[at].left {
            self.leaves(at);
        }
        let mut gone = self.seats.remove(at);
        gone.wakes.disarm();
        if self.ghosts.len() < 20 {
            self.ghosts.push(gone.wakes);
        }
    }

    // ---- sending

    pub fn deserted(&self) -> bool {
        self.hubs.is_empty() && self.receivers() == 0
    }

    pub fn refuses(&self) -> bool {
        self.tx_closed || self.deserted()
    }

    pub fn room(&self) -> u64 {
        if self.refuses() {
            return 0;
        }
        match self.gating().map(|seat| self.tail() - seat.head).max() {
            Some(lag) => self.capacity.saturating_sub(lag),
            None if self.passes => self.capacity,
            None => 0,
        }
    }

    /// What a send that finds no room must answer, and whether it drops the message whose drop panics.
    pub fn refusal(&mut self) -> (TrySendError<()>, bool) {
        if !self.refuses() {
            self.full += 1;
            return (TrySendError::Full(()), false);
        }
        (TrySendError::Disconnected(()), self.orphans())
    }

    /// An operation of the sender that finds that nothing can be sent any more: without a handle that receives it drops all. Whether the drop of one of
    /// them panics.
    pub fn orphans(&mut self) -> bool {
        if !self.deserted() {
            return false;
        }
        let mut panics = false;
        while self.oldest < self.tail() {
            panics |= self.drops_oldest();
        }
        panics
    }

    fn drops_oldest(&mut self) -> bool {
        let id = self.log[self.oldest as usize];
        self.oldest += 1;
        T::PLANTS && self.planted.take_if(|planted| *planted == id).is_some()
    }

    /// The place of the next message is emptied. Whether that panics.
    pub fn empties(&mut self) -> bool {
        std::mem::needs_drop::<T>() && self.oldest + self.lap == self.tail() && self.drops_oldest()
    }

    /// A message has got the next position, which was emptied.
    pub fn published(&mut self, id: u64) {
        let unseen = self.gating().next().is_none();
        self.passed += u64::from(unseen);
        self.log.push(id);
    }

    /// A handle that was the last owner of all is dropped: the rest goes. Whether the drop of one of them panics.
    pub fn last_drops(&mut self) -> bool {
        let mut panics = false;
        if self.tx.is_none() && self.deserted() {
            while self.oldest < self.tail() {
                panics |= self.drops_oldest();
            }
        }
        panics
    }

    // ---- looking

    /// The wakes after an operation of any side.
    pub fn settle(&mut self) {
        for at in 0..self.seats.len() {
            let must = self.ready(at) > 0 || self.is_over(at);
            self.seats[at].wakes.check(must);
        }
        let must = self.tx.is_some() && !self.tx_closed && (self.deserted() || self.awaits_room && self.room() > 0);
        self.tx_wakes.check(must);
        self.ghosts.iter_mut().for_each(|ghost| ghost.check(false));
    }

    /// Checks all questions that change nothing.
    pub fn look(&mut self) {
        self.settle();
        let this = &*self;
        let capacity = this.lap.min(this.capacity - this.wrong.capacity) as usize;
        for (at, seat) in this.seats.iter().enumerate() {
            let Some(rx) = &seat.rx else { continue };
            let lag = seat.end.unwrap_or(this.tail()) - seat.head;
            assert_eq!((rx.lag(), rx.len(), rx.is_empty()), (lag, lag as usize, this.ready(at) == 0));
            assert_eq!((rx.seat(), rx.capacity()), (seat.id, capacity));
            assert_eq!(rx.is_closed(), seat.end.is_some() || this.tx_closed);
        }
        for hub in &this.hubs {
            assert_eq!(hub.is_closed(), this.tx_closed);
        }
        let Some(tx) = &this.tx else { return this.count() };
        let most = this.gating().map(|seat| this.tail() - seat.head).max();
        match tx.slowest() {
            None => assert_eq!(most, None),
            Some(slowest) => {
                assert_eq!(Some(slowest.lag), most);
                let seat = this.gating().find(|seat| seat.id == slowest.seat).expect("it gates");
                assert_eq!(slowest.lag, this.tail() - seat.head);
                assert_eq!((slowest.name.as_deref(), slowest.vacant), (seat.name, seat.is_vacant()));
            }
        }
        let len = most.unwrap_or(0) as usize;
        assert_eq!((tx.len(), tx.is_empty(), tx.is_closed()), (len, len == 0, this.refuses()));
        let full = if this.gating().next().is_none() { !this.passes } else { len as u64 == this.capacity };
        assert_eq!(tx.is_full(), full, "full is what a send finds");
        let stats = tx.stats();
        let sent = this.tail();
        assert_eq!((stats.sent, stats.received, stats.depth), (sent, sent - len as u64, len));
        assert_eq!(stats.full, this.full);
        this.count();
    }

    /// The values that have not been dropped are those in the ring.
    fn count(&self) {
        if std::mem::needs_drop::<T>() {
            let expected: BTreeSet<u64> = self.log[self.oldest as usize..].iter().copied().collect();
            assert_eq!(self.ledger.alive(), expected, "each is dropped once, and when it should be");
            assert_eq!(T::copies(), 0);
        }
    }

    // ---- leaving

    pub fn drop_tx(&mut self) {
        let Some(tx) = self.tx.take() else { return };
        self.tx_closed = true;
        let panics = self.last_drops();
        guarded(panics, || drop(tx));
    }

    pub fn drop_hub(&mut self, at: usize) {
        let hub = self.hubs.remove(at);
        let panics = self.last_drops();
        guarded(panics, || drop(hub));
    }

    pub fn drop_rx(&mut self, at: usize, release: bool) {
        let Some(rx) = self.seats[at].rx.take() else { return };
        if release {
            self.forgets(at);
        }
        self.dropped(at);
        let panics = self.last_drops();
        guarded(panics, || if release { rx.release() } else { drop(rx) });
    }

    /// A reserved seat is reserved no more: that of this receiver, or the one that it has left, if that is vacant.
    fn forgets(&mut self, at: usize) {
        self.seats[at].name = None;
        if self.seats[at].left {
            let id = self.seats[at].id;
            // Behind the one that left it, whose place does not change.
            if let Some(vacant) = self.seats.iter().position(|seat| seat.gates() && seat.is_vacant() && seat.id == id) {
                assert!(vacant > at);
                self.seats.remove(vacant);
            }
        }
    }

    /// The end: all handles are dropped, the sender's first or last.
    pub fn finish(mut self, sender_first: bool) {
        if sender_first {
            self.drop_tx();
            self.look();
        }
        while !self.hubs.is_empty() {
            self.drop_hub(0);
        }
        while let Some(at) = self.seats.iter().position(|seat| seat.rx.is_some()) {
            self.drop_rx(at, false);
            self.look();
        }
        self.drop_tx();
        self.look();
        assert!(self.ledger.alive().is_empty());
    }
}
