//! A channel beside its model: a queue, and what each side may know of it.

use super::input::Input;
use super::options::Options;
use super::payload::{DropLedger, Payload};
use super::wake_counter::WakeCounter;
use ringmail::spsc::{Receiver, Sender, Spsc};
use ringmail::{TryRecvError, TrySendError};
use std::collections::{BTreeSet, VecDeque};

/// Both ends, each until it is dropped, and what they should answer.
pub struct Model<T: Payload> {
    pub tx: Option<Sender<T>>,
    pub rx: Option<Receiver<T>>,
    pub ledger: DropLedger,
    pub capacity: usize,
    pub queue: VecDeque<u64>,
    /// Messages taken by a leaked iterator whose places the sender does not know to be free.
    pub lag: usize,
    /// Messages published once the receiver had left, or was told that nothing more comes.
    pub late: usize,
    /// Whether they are dropped: at once if they have a drop of their own, else by the sender's next refusal or its close.
    pub settled: bool,
    /// Whether the receiver was told that nothing more comes.
    pub told: bool,
    pub sent: u64,
    pub received: u64,
    pub full: u64,
    pub tx_closed: bool,
    pub rx_closed: bool,
    /// Values that went with a leaked guard.
    pub leaked: BTreeSet<u64>,
    /// Whether a pending poll is an announcement; if not, it wakes its own task at once.
    pub sleeps: bool,
    pub tx_wakes: WakeCounter,
    pub rx_wakes: WakeCounter,
}

impl<T: Payload> Model<T> {
    /// The channel that the first bytes describe. The model's capacity is too large by `off`.
    pub fn new(input: &mut Input<'_>, off: usize) -> Self {
        let Options { capacity, sleeps, builder, .. } = Options::<Spsc>::new(input);
        let (tx, rx) = builder.build().unwrap();
        assert_eq!((tx.capacity(), rx.capacity()), (capacity, capacity));
        Self {
            tx: Some(tx),
            rx: Some(rx),
            ledger: DropLedger::open(),
            capacity: capacity + off,
            queue: VecDeque::new(),
            lag: 0,
            late: 0,
            settled: false,
            told: false,
            sent: 0,
            received: 0,
            full: 0,
            tx_closed: false,
            rx_closed: false,
            leaked: BTreeSet::new(),
            sleeps,
            tx_wakes: WakeCounter::default(),
            rx_wakes: WakeCounter::default(),
        }
    }

    /// Whether sending is over.
    pub fn refuses(&self) -> bool {
        self.tx_closed || self.rx_closed
    }

    /// Free places that the sender can know of.
    pub fn room(&self) -> usize {
        self.capacity - self.queue.len() - self.lag
    }

    /// What a send that finds no room must answer.
    pub fn refusal(&mut self) -> TrySendError<()> {
        if self.refuses() {
            self.settled = true;
            return TrySendError::Disconnected(());
        }
        self.full += 1;
        TrySendError::Full(())
    }

    /// What a receive that finds no message must answer. It gives all places back.
    pub fn nothing(&mut self) -> TryRecvError {
        self.given_back();
        self.told |= self.refuses();
        if self.told { TryRecvError::Disconnected } else { TryRecvError::Empty }
    }

    /// The values from `first` on were published.
    pub fn published(&mut self, first: u64, n: usize) {
        if self.rx.is_none() || self.told {
            self.late += n;
            self.settled |= n > 0 && std::mem::needs_drop::<T>();
        } else {
            self.queue.extend((first..).take(n));
        }
        self.sent += n as u64;
        self.rx_wakes.check(n > 0 && self.rx.is_some());
    }

    /// The next message was taken and must be this one.
    pub fn took(&mut self, id: u64) {
        assert_eq!(Some(id), self.queue.pop_front(), "order");
        self.received += 1;
        self.lag += 1;
    }

    /// The places of all that was taken are free again, and the sender knows.
    pub fn given_back(&mut self) {
        let lag = std::mem::take(&mut self.lag);
        self.tx_wakes.check(lag > 0 && self.tx.is_some());
    }

    /// After a verb that may or may not have given back what a leaked iterator kept.
    pub fn may_have_given_back(&mut self) {
        if let (1.., Some(tx)) = (self.lag, &self.tx) {
            let seen = tx.len() - self.queue.len();
            assert!(seen == 0 || seen == self.lag);
            self.lag = seen;
        }
        self.tx_wakes.check(false);
    }

    /// Checks all questions that change nothing.
    pub fn look(&self) {
        if let Some(tx) = &self.tx {
            let len = self.queue.len() + self.lag + if self.settled { 0 } else { self.late };
            assert_eq!((tx.len(), tx.is_empty(), tx.is_full()), (len, len == 0, len == self.capacity));
            assert_eq!(tx.is_closed(), self.refuses());
            let stats = tx.stats();
            assert_eq!((stats.sent, stats.received, stats.depth), (self.sent, self.sent - len as u64, len));
            assert_eq!(stats.full, self.full);
        }
        if let Some(rx) = &self.rx {
            let len = self.queue.len();
            assert_eq!((rx.len(), rx.is_empty(), rx.is_full()), (len, len == 0, len == self.capacity));
            assert_eq!(rx.is_closed(), self.refuses());
            let stats = rx.stats();
            assert_eq!((stats.sent, stats.received, stats.depth), (self.sent, self.received, len + self.late));
        }
        self.count();
    }

    /// The values that have not been dropped are those that lie in the ring for the receiver, and those that were leaked.
    fn count(&self) {
        if std::mem::needs_drop::<T>() {
            let expected: BTreeSet<u64> = self.queue.iter().chain(&self.leaked).copied().collect();
            assert_eq!(self.ledger.alive(), expected, "each is dropped once, and when it should be");
        }
    }

    pub fn close_tx(&mut self, drop_it: bool) {
        match &mut self.tx {
            Some(_) if drop_it => self.tx = None,
            Some(tx) => tx.close(),
            None => return,
        }
        (self.tx_closed, self.settled) = (true, true);
        self.rx_wakes.check(self.rx.is_some());
    }

    pub fn close_rx(&mut self, drop_it: bool) {
        match &mut self.rx {
            Some(_) if drop_it => {
                self.rx = None;
                self.queue.clear();
                (self.received, self.lag) = (self.sent, 0);
            }
            Some(rx) => rx.close(),
            None => return,
        }
        self.rx_closed = true;
        self.tx_wakes.check(self.tx.is_some());
    }

    /// While the sender is in the middle of something: the receiver goes (0), or closes (1), or is told besides that nothing more comes (2).
    pub fn receiver_ends(&mut self, how: usize) {
        self.close_rx(how == 0);
        if how == 2 {
            (0..=self.queue.len()).for_each(|_| self.try_recv());
            assert!(self.told);
        }
    }

    /// The end: both handles are dropped, in either order. Only what was leaked is left.
    pub fn finish(mut self, receiver_first: bool) {
        self.look();
        if receiver_first {
            self.close_rx(true);
            self.look();
        }
        self.close_tx(true);
        self.look();
        self.close_rx(true);
        self.look();
        assert_eq!(self.ledger.alive(), self.leaked, "all are dropped but what went with a leaked guard");
    }
}
