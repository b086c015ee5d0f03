//! A `fan_in` channel beside its model: a queue for each lane, and whose turn it is.

use super::input::Input;
use super::options::Options;
use super::payload::{DropLedger, Payload};
use super::wake_counter::WakeCounter;
use ringmail::fan_in::{FanIn, LaneId, LaneOptions, Receiver, Sender};
use ringmail::{TryRecvError, TrySendError};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Senders at a time, and lanes in all: enough to use every number several times.
pub const SENDERS: usize = 6;
const LANES: usize = 40;

/// A lane, also one that is no more.
pub struct Lane<T: Payload> {
    pub tx: Option<Sender<T>>,
    pub id: LaneId,
    weight: u64,
    priority: u8,
    pub queue: VecDeque<u64>,
    /// Messages taken by a leaked iterator whose places the sender does not know to be free.
    pub lag: usize,
    /// Messages published once the receiver had left, or was told that nothing more comes.
    late: usize,
    /// Whether they are dropped: at once if they have a drop of their own, else by the sender's next refusal or its close.
    pub settled: bool,
    pub sent: u64,
    pub full: u64,
    pub closed: bool,
    pub wakes: WakeCounter,
    /// The lanes that had a turn while this one had a message.
    waited_for: BTreeSet<usize>,
    /// Whether the receiver has seen it.
    seen: bool,
}

impl<T: Payload> Lane<T> {
    /// Whether it brings nothing more: its number may be given out again.
    fn is_over(&self) -> bool {
        self.closed && self.queue.is_empty()
    }

    /// Messages that the sender sees in the ring, but for those that lag.
    fn len(&self) -> usize {
        self.queue.len() + if self.settled { 0 } else { self.late }
    }
}

/// All ends, each until it is dropped, and what they should answer.
pub struct Model<T: Payload> {
    pub lanes: Vec<Lane<T>>,
    /// Which lane each message was sent to.
    pub owners: BTreeMap<u64, usize>,
    pub rx: Option<Receiver<T>>,
    pub rx_closed: bool,
    /// Whether the receiver was told that nothing more comes.
    pub told: bool,
    pub rx_wakes: WakeCounter,
    pub received: u64,
    pub ledger: DropLedger,
    pub capacity: usize,
    budget: u64,
    /// Whose turn it is, and how many more messages it brings.
    turn: Option<usize>,
    pub left: u64,
    /// How many it may bring at most, if more are found in time.
    most: u64,
    pub leaked: BTreeSet<u64>,
    pub sleeps: bool,
}

/// By how much the model is wrong on purpose.
#[derive(Clone, Copy, Default)]
pub struct Wrong {
    pub capacity: usize,
    pub budget: u64,
}

impl<T: Payload> Model<T> {
    /// The channel that the first bytes describe.
    pub fn new(input: &mut Input<'_>, wrong: Wrong) -> Self {
        let Options { capacity, sleeps, builder, .. } = Options::<FanIn>::new(input);
        let budget = match input.byte() {
            255 => u32::MAX,
            b => u32::from(b) % 6,
        };
        let (tx, rx) = builder.budget(budget).build().unwrap();
        assert_eq!(tx.capacity(), capacity);
        let mut model = Self {
            lanes: Vec::new(),
            owners: BTreeMap::new(),
            rx: Some(rx),
            rx_closed: false,
            told: false,
            rx_wakes: WakeCounter::default(),
            received: 0,
            ledger: DropLedger::open(),
            capacity: capacity + wrong.capacity,
            budget: u64::from(budget.max(1)) + wrong.budget,
            turn: None,
            left: 0,
            most: 0,
            leaked: BTreeSet::new(),
            sleeps,
        };
        model.opened(tx, 1, 0);
        // The first one is there from the beginning.
        model.sees();
        model
    }

    // ---- lanes

    /// A lane whose sender is there: the one that the input names, or the next.
    pub fn pick(&self, input: &mut Input<'_>) -> Option<usize> {
        let open: Vec<usize> = (0..self.lanes.len()).filter(|&at| self.lanes[at].tx.is_some()).collect();
        let which = input.byte() as usize;
        open.get(which.checked_rem(open.len())?).copied()
    }

    /// The options that the next byte describes: mostly the usual ones.
    pub fn lane_options(input: &mut Input<'_>) -> (LaneOptions, u64, u8) {
        let b = input.byte();
        let weight = [1, 1, 2, 3, 0, u32::MAX][b as usize % 6];
        let priority = [0, 0, 0, 1, 2, u8::MAX][b as usize / 6 % 6];
        (LaneOptions::new().weight(weight).priority(priority), u64::from(weight.max(1)), priority)
    }

    pub fn may_open(&self) -> bool {
        self.lanes.len() < LANES && self.lanes.iter().filter(|lane| lane.tx.is_some()).count() < SENDERS
    }

    /// A lane was opened. Its number is new, or that of one that is no more.
    pub fn opened(&mut self, tx: Sender<T>, weight: u64, priority: u8) {
        let id = tx.id();
        let before = self.lanes.iter().filter(|lane| lane.id.index() == id.index());
        assert_eq!(before.clone().count(), id.generation() as usize, "as many lanes had this index before");
        assert!(before.clone().all(Lane::is_over), "a lane that is still there has this index");
        assert!(self.lanes.iter().all(|lane| lane.id != id));
        self.lanes.push(Lane {
            tx: Some(tx),
            id,
            weight,
            priority,
            queue: VecDeque::new(),
            lag: 0,
            late: 0,
            settled: false,
            sent: 0,
            full: 0,
            closed: false,
            wakes: WakeCounter::default(),
            waited_for: BTreeSet::new(),
            seen: false,
        });
    }

    pub fn refuses(&self, at: usize) -> bool {
        self.rx_closed || self.lanes[at].closed
    }

    /// Free places that the sender can know of.
    pub fn room(&self, at: usize) -> usize {
        self.capacity - self.lanes[at].queue.len() - self.lanes[at].lag
    }

    /// What a send that finds no room must answer.
    pub fn refusal(&mut self, at: usize) -> TrySendError<()> {
        if self.refuses(at) {
            self.lanes[at].settled = true;
            return TrySendError::Disconnected(());
        }
        self.lanes[at].full += 1;
        TrySendError::Full(())
    }

    /// The values from `first` on were published.
    pub fn published(&mut self, at: usize, first: u64, n: usize) {
        let over = self.rx.is_none() || self.told;
        let lane = &mut self.lanes[at];
        lane.sent += n as u64;
        if over {
            lane.late += n;
            lane.settled |= n > 0 && std::mem::needs_drop::<T>();
        } else {
            lane.queue.extend((first..).take(n));
            // Numbers of values that were not sent come again.
            self.owners.extend((first..).take(n).map(|id| (id, at)));
        }
        self.rx_wakes.check(n > 0 && self.rx.is_some());
    }

    // ---- turns

    /// Whether the lane whose turn it is goes on.
    fn goes_on(&self) -> Option<usize> {
        self.turn.filter(|_| self.left > 0)
    }

    /// The next message comes from this lane: that must be right. If a turn begins with it, it does so here.
    pub fn comes_from(&mut self, at: usize) {
        if let Some(on) = self.goes_on() {
            assert_eq!(at, on, "its turn is not over");
            return;
        }
        self.turn_ends();
        let highest = self.lanes.iter().filter(|lane| !lane.queue.is_empty()).map(|lane| lane.priority).max();
        let priority = self.lanes[at].priority;
        assert!(!self.lanes[at].queue.is_empty());
        assert_eq!(Some(priority), highest, "a higher priority goes first");
        for (other, lane) in self.lanes.iter_mut().enumerate() {
            if lane.queue.is_empty() || other == at {
                lane.waited_for.clear();
            } else if lane.priority == priority {
                assert!(lane.waited_for.insert(at), "waits for a second turn of the same lane");
            }
        }
        // A turn is what the lane has when it begins, up to the budget.
        let most = self.budget.saturating_mul(self.lanes[at].weight);
        (self.turn, self.left, self.most) = (Some(at), most.min(self.lanes[at].queue.len() as u64), most);
    }

    /// A verb wants so many messages: if the turn was to bring fewer, what has come since belongs to it, up to the budget.
    pub fn wants(&mut self, n: usize) {
        if let Some(at) = self.goes_on().filter(|_| self.left < n as u64) {
            self.left = self.most.min(self.lanes[at].queue.len() as u64);
        }
    }

    /// The receiver looks for the next turn.
    fn turn_ends(&mut self) {
        self.left = 0;
        self.sees();
    }

    /// The receiver sees the lanes that were opened meanwhile. No turn moves.
    pub fn sees(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.seen = true);
    }

    /// The lane of a message that was just received or seen.
    pub fn owner(&self, id: u64) -> usize {
        *self.owners.get(&id).expect("it was sent")
    }

    /// The next message was taken and must be this one.
    pub fn took(&mut self, id: u64) {
        let at = self.owner(id);
        self.comes_from(at);
        assert_eq!(self.lanes[at].queue.pop_front(), Some(id), "order within the lane");
        self.lanes[at].lag += 1;
        (self.left, self.most) = (self.left - 1, self.most - 1);
        self.received += 1;
    }

    /// All that was taken from this lane, its sender knows the places to be free.
    pub fn given_back(&mut self, at: usize) {
        let lane = &mut self.lanes[at];
        let lag = std::mem::take(&mut lane.lag);
        lane.wakes.check(lag > 0 && lane.tx.is_some());
    }

    /// After any other verb of the receiver: what a leaked iterator kept may have been given back, and then the sender knows.
    pub fn may_have_given_back(&mut self) {
        for lane in &mut self.lanes {
            let Some(tx) = &lane.tx else {
                lane.lag = 0;
                continue;
            };
            let now = tx.len() - lane.len();
            assert!(now == 0 || now == lane.lag);
            let before = std::mem::replace(&mut lane.lag, now);
            lane.wakes.check(now < before);
        }
    }

    pub fn senders(&self) -> usize {
        self.lanes.iter().filter(|lane| !lane.closed).count()
    }

    /// Whether no sender will send any more.
    fn is_over(&self) -> bool {
        self.rx_closed || self.senders() == 0
    }

    /// What a receive that finds no message must answer. It gives back the lanes that will bring no more.
    pub fn nothing(&mut self) -> TryRecvError {
        assert!(self.lanes.iter().all(|lane| lane.queue.is_empty()), "there is a message");
        self.turn_ends();
        self.may_have_given_back();
        for lane in &mut self.lanes {
            assert_eq!(lane.lag, 0, "with nothing to receive all places are free");
            lane.waited_for.clear();
        }
        self.told |= self.is_over();
        if self.told { TryRecvError::Disconnected } else { TryRecvError::Empty }
    }

    // ---- leaving, looking

    pub fn close_tx(&mut self, at: usize, drop_it: bool) {
        match &mut self.lanes[at].tx {
            Some(_) if drop_it => self.lanes[at].tx = None,
            Some(tx) => tx.close(),
            None => return,
        }
        (self.lanes[at].closed, self.lanes[at].settled) = (true, true);
        // The close of a lane may notify; the close of the last one must.
        self.rx_wakes.check(self.senders() == 0 && self.rx.is_some());
    }

    pub fn close_rx(&mut self, drop_it: bool) {
        match &mut self.rx {
            Some(_) if drop_it => self.rx = None,
            Some(rx) => rx.close(),
            None => return,
        }
        self.rx_closed = true;
        self.sees();
        for lane in &mut self.lanes {
            if drop_it {
                lane.queue.clear();
                lane.lag = 0;
            }
            lane.wakes.check(lane.tx.is_some());
        }
    }

    /// Checks all questions that change nothing.
    pub fn look(&self) {
        for lane in &self.lanes {
            let Some(tx) = &lane.tx else { continue };
            let len = lane.len() + lane.lag;
            assert_eq!(
                (tx.id(), tx.len(), tx.is_empty(), tx.is_full()),
                (lane.id, len, len == 0, len == self.capacity)
            );
            assert_eq!(tx.is_closed(), lane.closed || self.rx_closed);
            let stats = tx.stats();
            assert_eq!((stats.sent, stats.received, stats.depth), (lane.sent, lane.sent - len as u64, len));
            assert_eq!(stats.full, lane.full);
        }
        self.count();
        let Some(rx) = &self.rx else { return };
        assert_eq!(rx.is_closed(), self.is_over());
        let seen = || self.lanes.iter().filter(|lane| lane.seen);
        let len = seen().map(|lane| lane.queue.len()).sum::<usize>();
        assert_eq!((rx.len(), rx.is_empty()), (len, len == 0 && self.lanes.iter().all(|lane| lane.seen)));
        let live = seen().filter(|lane| !lane.is_over()).count();
        // One that is over is given back when a turn is looked for, perhaps a look later.
        let (lanes, most) = (rx.lane_count(), seen().count());
        if !self.rx_closed {
            assert!((live..=most).contains(&lanes), "{lanes} lanes of {live} to {most}");
        }
        assert_eq!((rx.capacity(), rx.is_full()), (lanes * self.capacity, lanes > 0 && len == lanes * self.capacity));
        let stats = rx.stats();
        assert_eq!((stats.sent, stats.received), (seen().map(|lane| lane.sent).sum(), self.received));
    }

    /// The values that have not been dropped are those that lie in a lane for the receiver, and those that were leaked.
    fn count(&self) {
        if std::mem::needs_drop::<T>() {
            let queued = self.lanes.iter().flat_map(|lane| &lane.queue);
            let expected: BTreeSet<u64> = queued.chain(&self.leaked).copied().collect();
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
        for at in 0..self.lanes.len() {
            self.close_tx(at, true);
        }
        self.look();
        self.close_rx(true);
        self.look();
        assert_eq!(self.ledger.alive(), self.leaked, "all are dropped but what went with a leaked guard");
    }
}
