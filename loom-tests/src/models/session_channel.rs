//! A mapped channel for the models of sessions: the kernel's locks, two sides, and what a receiver sees.
//!
//! A process is a thread here, and a kill is where it stops: its handles do nothing more and the kernel takes its lock back. The lock
//! is [`Kernel`]'s; `ringmail`'s own words, and a ring whose slots are loom cells, are the rest.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering, fence};
use loom::thread;
use ringmail::model::{End, Found, ReportedEnds, SharedReceiver, SharedRing, SharedSender, Stand};

/// The lock of one side, with no more order than the kernel gives (`ringmail`'s `shm::peer::session` says what and why).
pub(super) struct Kernel(AtomicU64);

impl Kernel {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Waits until no thread has it. A thread that asks in vain tries again later.
    pub(super) fn take(&self) {
        while self.0.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            thread::yield_now();
        }
    }

    /// Whether it was free: it is taken then.
    pub(super) fn try_take(&self) -> bool {
        self.0.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// What the last descriptor's end does, also by a kill.
    pub(super) fn give(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// May be an old answer. That another thread has it orders nothing.
    pub(super) fn is_held(&self) -> bool {
        let held = self.0.load(Ordering::Relaxed) != 0;
        if !held {
            fence(Ordering::Acquire);
        }
        held
    }
}

/// A channel in a file.
pub(super) struct Channel {
    pub(super) tx: Kernel,
    pub(super) rx: Kernel,
    pub(super) ring: SharedRing<u32>,
    steps: AtomicU64,
}

impl Channel {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            tx: Kernel::new(),
            rx: Kernel::new(),
            ring: SharedRing::new(capacity),
            steps: AtomicU64::new(0),
        })
    }

    /// Where the search may switch to another thread. Loom remembers one access a word, and a thread that begins a session loads its words before it
    /// stores them: that another had loaded them too is forgotten, and the store never tried before that load. An exchange that fails
    /// is an access that stores nothing, and so orders nothing.
    pub(super) fn step(&self) {
        let _ = self.steps.compare_exchange(1, 1, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// A process takes the sender's side and is killed before the session is set up.
    pub(super) fn die_early(&self) {
        self.tx.take();
        // SAFETY: the lock is ours.
        let ring = unsafe { self.ring.sender() };
        self.ring.of_sender().take_over(ring.count(), 1, 0);
        ring.kill();
        self.tx.give();
    }
}

/// A sender, as `shm` makes one.
pub(super) struct Tx {
    pub(super) ring: SharedSender<u32>,
    pub(super) told: ReportedEnds,
    pub(super) channel: Arc<Channel>,
}

impl Tx {
    pub(super) fn open(channel: &Arc<Channel>) -> Self {
        Self::open_as(channel, true)
    }

    /// `registered`: whether `membarrier` will reach it.
    pub(super) fn open_as(channel: &Arc<Channel>, registered: bool) -> Self {
        channel.tx.take();
        // SAFETY: the lock is ours.
        let mut ring = unsafe { channel.ring.sender() };
        let register = || {
            channel.step();
            registered
        };
        channel.ring.of_sender().begin(ring.count(), 1, 0, register, || ring.reopen(), |_| channel.step());
        let told = ReportedEnds::new(channel.ring.of_receiver(), None, 0, false, || channel.rx.is_held());
        Self { ring, told, channel: channel.clone() }
    }

    /// Whether there was room for it. No end is told on the way.
    pub(super) fn try_send(&mut self, value: u32) -> bool {
        if self.ring.push(value) {
            return true;
        }
        let peer = self.channel.ring.of_receiver();
        while matches!(self.told.stand(peer), Stand::Awaited | Stand::Open) {
            self.ring.meet(peer.last());
            let sent = self.ring.push_for_the_next(value);
            if sent || !self.ring.is_behind() {
                return sent;
            }
        }
        false
    }

    /// The end of a receiver that is told now, if there is one.
    pub(super) fn refusal(&mut self) -> Option<End> {
        let Stand::Over(end) = self.told.stand(self.channel.ring.of_receiver()) else { return None };
        self.told.pass(end, 0);
        Some(end)
    }

    pub(super) fn send(mut self, values: impl IntoIterator<Item = u32>) -> Self {
        for value in values {
            while !self.try_send(value) {
                assert!(self.refusal().is_some(), "there is room, and no receiver's end to tell");
            }
        }
        self
    }

    pub(super) fn close(self) {
        let Self { ring, channel, .. } = self;
        channel.ring.of_sender().end(End::Left);
        drop(ring);
        channel.tx.give();
    }

    pub(super) fn die(self) {
        let Self { ring, channel, .. } = self;
        ring.kill();
        channel.tx.give();
    }
}

/// What a receiver was told, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Seen {
    Message(u32),
    /// This session of the sender ended so.
    Ended(u64, End),
}
pub(super) use Seen::Message;

/// A session that was killed, and one that closed.
pub(super) fn died(session: u64) -> Seen {
    Seen::Ended(session, End::Died)
}

pub(super) fn left(session: u64) -> Seen {
    Seen::Ended(session, End::Left)
}

/// A receiver, as `shm` makes one, and all that it was told.
pub(super) struct Rx {
    pub(super) ring: SharedReceiver<u32>,
    pub(super) channel: Arc<Channel>,
    told: ReportedEnds,
    /// Whether it asks the kernel where there is nothing.
    asks: bool,
    pub(super) seen: Vec<Seen>,
}

impl Rx {
    pub(super) fn open(channel: &Arc<Channel>, asks: bool) -> Self {
        channel.rx.take();
        // SAFETY: the lock is ours.
        let mut ring = unsafe { channel.ring.receiver() };
        let register = || {
            channel.step();
            true
        };
        let (own, peer) = (channel.ring.of_receiver(), channel.ring.of_sender());
        own.begin(ring.count(), 2, 0, register, || ring.reopen(), |_| channel.step());
        let told = ReportedEnds::new(peer, Some(own.taken()), ring.count(), false, || channel.tx.is_held());
        Self { ring, channel: channel.clone(), told, asks, seen: vec![] }
    }

    /// Whether there is a message of this session, or of one that follows without an end to tell.
    pub(super) fn finds(&mut self) -> bool {
        self.ring.has_message() || self.ring.is_over() && self.look_on() == Found::Message
    }

    fn look_on(&mut self) -> Found {
        let (own, peer) = (self.channel.ring.of_receiver(), self.channel.ring.of_sender());
        let found = own.with_taken(|taken| self.told.look(peer, &mut self.ring, taken));
        assert_ne!(found, Found::Impossible, "no thread writes an impossible value");
        found
    }

    fn tell(&mut self, end: End) {
        if !self.told.passes(self.ring.count()) {
            self.seen.push(Seen::Ended(self.told.current(), end));
        }
        self.told.pass(end, self.ring.count());
        self.channel.ring.of_receiver().with_taken(|taken| self.told.note(taken, &self.ring));
    }

    /// One receive that does not wait, and if there is nothing one round of one that does. Whether it found something or was told of an end.
    pub(super) fn look(&mut self) -> bool {
        self.channel.step();
        if self.finds() {
            let value = self.ring.take().expect("it was found");
            self.ring.release();
            self.seen.push(Message(value));
            return true;
        }
        if let Found::Over(end) = self.look_on() {
            self.tell(end);
            return true;
        }
        self.asks && self.ask()
    }

    /// Asks the kernel. Whether it was told of an end.
    pub(super) fn ask(&mut self) -> bool {
        let channel = self.channel.clone();
        let is_held = || {
            channel.step();
            channel.tx.is_held()
        };
        let (own, peer) = (channel.ring.of_receiver(), channel.ring.of_sender());
        let Self { told, ring, .. } = self;
        let is_ready = || own.with_taken(|taken| told.look(peer, ring, taken)) != Found::Nothing;
        let Found::Over(end) = told.end_by(peer, is_held, is_ready) else { return false };
        self.tell(end);
        true
    }

    /// BoundedReader, now that the senders have ended, until there is nothing new.
    pub(super) fn look_to_the_end(&mut self) {
        // The last that died: no successor reports it.
        self.asks = true;
        while self.look() {}
        assert!(!self.look(), "nothing comes any more");
    }

    pub(super) fn close(self) -> Vec<Seen> {
        let Self { ring, channel, seen, .. } = self;
        channel.ring.of_receiver().end(End::Left);
        drop(ring);
        channel.rx.give();
        seen
    }

    pub(super) fn die(self) -> Vec<Seen> {
        let Self { ring, channel, seen, .. } = self;
        ring.kill();
        channel.rx.give();
        seen
    }
}

/// A receiver that looks `looks` times while `senders` run, one thread each, and then until the end. What it was told.
pub(super) fn receive(
    asks: bool,
    looks: u32,
    first: impl FnOnce(Tx) + Send + 'static,
    second: Option<fn(&Arc<Channel>)>,
) -> Vec<Seen> {
    let channel = Channel::new(4);
    let tx = Tx::open(&channel);
    let mut rx = Rx::open(&channel, asks);
    let first = thread::spawn(move || first(tx));
    let second = second.map(|second| {
        let channel = channel.clone();
        thread::spawn(move || second(&channel))
    });
    for _ in 0..looks {
        rx.look();
    }
    first.join().unwrap();
    if let Some(second) = second {
        second.join().unwrap();
    }
    rx.look_to_the_end();
    rx.close()
}
