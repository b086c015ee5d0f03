//! A `fan_out` channel beside its model: what lies in each worker's lane, and what workers have left.
//!
//! Which worker a message goes to is not foretold: the lane that has become longer has it. From there on its way is exact.

use super::input::Input;
use super::options::Options;
use super::payload::{DropLedger, Payload};
use super::wake_counter::WakeCounter;
use ringmail::fan_out::{FanOut, Hub, Receiver, Sender};
use ringmail::{TryRecvError, TrySendError};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::task::Poll;

/// Workers at a time.
pub const WORKERS: usize = 6;
pub const HUBS: usize = 2;
/// Keys that messages are sent by.
pub const KEYS: usize = 5;

/// A worker that has not left.
pub struct Worker<T: Payload> {
    pub rx: Receiver<T>,
    /// Which one, of all that ever were.
    pub id: usize,
    pub queue: VecDeque<u64>,
    /// The message of another that this one has begun to look at.
    pub hand: Option<u64>,
    pub closed: bool,
    /// Whether it has told that nothing will come.
    pub told: bool,
    /// Whether it has handed on what it had not received.
    left: bool,
    pub wakes: WakeCounter,
}

/// All handles, each until it is dropped, and what they should answer.
pub struct Model<T: Payload> {
    pub tx: Option<Sender<T>>,
    pub tx_closed: bool,
    pub tx_wakes: WakeCounter,
    pub awaits_room: bool,
    pub hubs: Vec<Hub<T>>,
    pub workers: Vec<Worker<T>>,
    ids: usize,
    /// What workers have left, the oldest first.
    pub returned: VecDeque<VecDeque<u64>>,
    /// The key that a message was sent by.
    pub keys: BTreeMap<u64, usize>,
    /// Messages of each key that were not received.
    pub waiting: [BTreeSet<u64>; KEYS],
    /// The worker that each key is known to belong to.
    pub owners: [Option<usize>; KEYS],
    pub sent: u64,
    pub ledger: DropLedger,
    pub capacity: usize,
    /// By how many places the model is wrong on purpose.
    more: usize,
    pub sleeps: bool,
}

impl<T: Payload> Model<T> {
    /// The channel that the first bytes describe, with one worker.
    pub fn new(input: &mut Input<'_>, more: usize) -> Self {
        let Options { capacity, sleeps, builder, .. } = Options::<FanOut>::new(input);
        let (tx, hub) = builder.build_hub().unwrap();
        let mut model = Self {
            tx: Some(tx),
            tx_closed: false,
            tx_wakes: WakeCounter::default(),
            awaits_room: false,
            hubs: vec![hub],
            workers: Vec::new(),
            ids: 0,
            returned: VecDeque::new(),
            keys: BTreeMap::new(),
            waiting: Default::default(),
            owners: [None; KEYS],
            sent: 0,
            ledger: DropLedger::open(),
            capacity: capacity + more,
            more,
            sleeps,
        };
        let rx = model.hubs[0].join().unwrap();
        model.joined(rx);
        model
    }

    // ---- workers

    pub fn joined(&mut self, rx: Receiver<T>) {
        assert_eq!(rx.capacity(), self.capacity - self.more);
        let (id, wakes) = (self.ids, WakeCounter::default());
        self.ids += 1;
        self.workers.push(Worker {
            rx,
            id,
            queue: VecDeque::new(),
            hand: None,
            closed: false,
            told: false,
            left: false,
            wakes,
        });
        // Some keys are now this one's.
        self.owners = [None; KEYS];
    }

    /// A worker: the one that the input names, or the next.
    pub fn pick(&self, input: &mut Input<'_>) -> Option<usize> {
        let which = input.byte() as usize;
        which.checked_rem(self.workers.len())
    }

    pub fn handles(&self) -> usize {
        self.hubs.len() + self.workers.iter().filter(|worker| !worker.closed).count()
    }

    /// Messages that workers have left.
    pub fn left(&self) -> usize {
        self.returned.iter().map(VecDeque::len).sum()
    }

    /// Whether this worker has a message to receive.
    pub fn has_message(&self, at: usize) -> bool {
        let worker = &self.workers[at];
        !worker.told && (!worker.queue.is_empty() || worker.hand.is_some() || (!worker.closed && self.left() > 0))
    }

    /// A worker sees this message next: of its own lane the oldest, or of what others have left.
    pub fn sees(&mut self, at: usize, id: u64) {
        let worker = &mut self.workers[at];
        assert!(!worker.told, "a message after the end");
        if worker.hand.is_none() && worker.queue.front() != Some(&id) {
            assert!(!worker.closed, "one that has closed begins nothing that others have left");
            worker.hand = next_returned(&mut self.returned);
        }
        let worker = &self.workers[at];
        assert!(worker.hand == Some(id) || worker.queue.front() == Some(&id), "{id} is not the next one");
        // A message that was looked at counts as received: those of its key before it were.
        let Some(&key) = self.keys.get(&id) else { return };
        let first = self.waiting[key].first().is_none_or(|&first| first >= id);
        assert!(first || worker.closed, "of a key, {id} came before another");
        self.waiting[key].remove(&id);
    }

    /// A worker has received this message.
    pub fn took(&mut self, at: usize, id: u64) {
        self.sees(at, id);
        let worker = &mut self.workers[at];
        if worker.hand == Some(id) {
            worker.hand = None;
        } else {
            worker.queue.pop_front();
        }
    }

    /// The oldest message that workers have left was taken back.
    pub fn took_back(&mut self, id: u64) {
        assert_eq!(next_returned(&mut self.returned), Some(id), "the oldest first");
        if let Some(&key) = self.keys.get(&id) {
            self.waiting[key].remove(&id);
        }
    }

    /// A receive found no message: judges its answer.
    pub fn nothing(&mut self, at: usize, error: TryRecvError) {
        assert!(!self.has_message(at), "there is a message");
        let over = self.workers.iter().all(|worker| worker.queue.is_empty() && worker.hand.is_none());
        let over = over && self.left() == 0 && self.tx_closed;
        let worker = &self.workers[at];
        match error {
            // Perhaps others have not found yet that their lanes are over.
            TryRecvError::Empty => assert!(!worker.closed && !worker.told, "an end is told again and again"),
            TryRecvError::Disconnected => assert!(over || worker.closed || worker.told, "there may be more"),
        }
        if worker.closed {
            self.hands_on(at);
        }
        self.workers[at].told |= error == TryRecvError::Disconnected;
    }

    /// A worker leaves: what it has not received goes to the others.
    fn hands_on(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        if std::mem::replace(&mut worker.left, true) {
            return;
        }
        self.returned.push_front(worker.hand.take().into_iter().collect());
        self.returned.push_back(std::mem::take(&mut worker.queue));
        self.returned.retain(|lane| !lane.is_empty());
        let id = worker.id;
        self.owners.iter_mut().filter(|owner| **owner == Some(id)).for_each(|owner| *owner = None);
    }

    pub fn drop_worker(&mut self, at: usize) {
        self.hands_on(at);
        let worker = self.workers.remove(at);
        self.rest();
        drop(worker);
    }

    pub fn close_worker(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        worker.rx.close();
        worker.closed = true;
    }

    pub fn drop_hub(&mut self) {
        self.hubs.pop();
        self.rest();
    }

    fn drop_hubs(&mut self) {
        self.hubs.clear();
        self.rest();
    }

    /// With the sender gone and no handle to receive, what workers have left is dropped.
    fn rest(&mut self) {
        if self.tx.is_none() && self.handles() == 0 {
            self.returned.clear();
        }
    }

    pub fn close_tx(&mut self, drop_it: bool) {
        match &mut self.tx {
            Some(_) if drop_it => self.tx = None,
            Some(tx) => tx.close(),
            None => return,
        }
        self.tx_closed = true;
        self.rest();
    }

    // ---- sending

    pub fn refuses(&self) -> bool {
        self.tx_closed || self.handles() == 0
    }

    /// Whether a worker has room.
    pub fn has_room(&self) -> bool {
        !self.refuses() && self.workers.iter().any(|worker| self.has_room_at(worker))
    }

    pub fn has_room_at(&self, worker: &Worker<T>) -> bool {
        !worker.closed && !worker.told && worker.queue.len() < self.capacity
    }

    pub fn refusal(&self) -> TrySendError<()> {
        if self.refuses() { TrySendError::Disconnected(()) } else { TrySendError::Full(()) }
    }

    /// A message was sent. Finds where it lies.
    pub fn published(&mut self, id: u64, key: Option<usize>) {
        self.sent += 1;
        let mut grown = self.workers.iter_mut().filter(|worker| worker.rx.len() != len(worker));
        let worker = grown.next().expect("a worker got it");
        assert!(grown.next().is_none(), "two workers got something");
        assert!(!worker.closed && !worker.told);
        worker.queue.push_back(id);
        assert_eq!(worker.rx.len(), len(worker));
        let Some(key) = key else { return };
        let owner = *self.owners[key].get_or_insert(worker.id);
        assert_eq!(owner, worker.id, "the same key, the same worker");
        self.keys.insert(id, key);
        self.waiting[key].insert(id);
    }

    // ---- looking

    /// Checks all questions that change nothing, and the wakes.
    pub fn look(&mut self) {
        for at in 0..self.workers.len() {
            let must = self.has_message(at);
            let left = if self.workers[at].closed { 0 } else { self.left() };
            let worker = &mut self.workers[at];
            worker.wakes.check(must);
            let all = len(worker);
            assert_eq!((worker.rx.len(), worker.rx.is_empty()), (all, all == 0 && left == 0));
        }
        let room = self.has_room();
        let must = self.tx.is_some() && !self.tx_closed && (self.handles() == 0 || self.awaits_room && room);
        self.tx_wakes.check(must);
        let there = self.workers.iter().filter(|worker| !worker.left).count();
        for hub in &self.hubs {
            assert_eq!(hub.worker_count(), there);
        }
        if let Some(tx) = &self.tx {
            let all = self.workers.iter().map(|worker| worker.queue.len()).sum::<usize>() + self.left();
            assert_eq!((tx.len(), tx.is_empty(), tx.is_closed()), (all, all == 0, self.refuses()));
            assert_eq!((tx.worker_count(), tx.stats().sent), (there, self.sent));
        }
        self.count();
    }

    /// The values that have not been dropped are those that lie in a lane.
    fn count(&self) {
        if std::mem::needs_drop::<T>() {
            let queued = self.workers.iter().flat_map(|worker| worker.queue.iter().chain(&worker.hand));
            let expected: BTreeSet<u64> = queued.chain(self.returned.iter().flatten()).copied().collect();
            assert_eq!(self.ledger.alive(), expected, "each is dropped once, and when it should be");
        }
    }

    /// The end. The workers that there are receive everything, each polled only when it was woken; then all handles are dropped.
    pub fn finish(mut self, sender_first: bool) {
        if sender_first {
            self.close_tx(true);
            self.drop_hubs();
            self.look();
            let mut ready: Vec<usize> = (0..self.workers.len()).collect();
            while let Some(at) = ready.pop() {
                loop {
                    let Worker { rx, wakes, .. } = &mut self.workers[at];
                    match wakes.poll(|cx| rx.poll_recv(cx).map_ok(|message| message.id())) {
                        Poll::Ready(Ok(id)) => self.took(at, id),
                        Poll::Ready(Err(_)) => {
                            self.workers[at].wakes.disarm();
                            self.nothing(at, TryRecvError::Disconnected);
                            break;
                        }
                        Poll::Pending => {
                            self.nothing(at, TryRecvError::Empty);
                            // One that does not sleep is polled again; it has had no message, so others go first.
                            self.workers[at].wakes.arm(self.sleeps);
                            if !self.sleeps {
                                ready.insert(0, at);
                            }
                            break;
                        }
                    }
                }
                let woken = |worker: &mut Worker<T>| self.sleeps && worker.wakes.take_wake();
                let woken = self.workers.iter_mut().enumerate().filter_map(|(at, worker)| woken(worker).then_some(at));
                let woken: Vec<usize> = woken.collect();
                ready.extend(woken);
            }
            assert!(self.workers.iter().all(|worker| worker.told), "a worker sleeps through the end");
            assert_eq!(self.left(), 0, "what workers left is received");
        }
        while !self.workers.is_empty() {
            self.drop_worker(0);
            self.look();
        }
        self.drop_hubs();
        self.look();
        self.close_tx(true);
        self.look();
        assert!(self.ledger.alive().is_empty());
    }
}

/// Messages that a worker holds.
fn len<T: Payload>(worker: &Worker<T>) -> usize {
    worker.queue.len() + usize::from(worker.hand.is_some())
}

/// The oldest message that workers have left, taken.
fn next_returned(returned: &mut VecDeque<VecDeque<u64>>) -> Option<u64> {
    let id = returned.front_mut()?.pop_front();
    returned.retain(|lane| !lane.is_empty());
    id
}
