//! Sessions of a mapped channel: a side is taken, left, or lost by a kill, and taken again, while the other side goes on.
//!
//! A process is a thread here, and a kill is where it stops: its handles do nothing more and the kernel takes its lock back. The lock
//! is [`Kernel`]'s; `ringmail`'s own words, and a ring whose slots are loom cells, are the rest.

use crate::check::{model, outcomes};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering, fence};
use loom::thread;
use ringmail::model::{Ends, Gone, Reading, Session, Told, Writing};

/// The lock of one side, with no more order than the kernel gives (`ringmail`'s `ring::session` says what and why).
pub(super) struct Kernel(AtomicU64);

impl Kernel {
    fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Waits until nobody has it. Not before: who asks in vain tries again later.
    fn take(&self) {
        while self.0.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            thread::yield_now();
        }
    }

    /// What the last descriptor's end does, also by a kill.
    fn give(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// May be an old answer; "somebody" orders nothing.
    pub(super) fn is_held(&self) -> bool {
        let held = self.0.load(Ordering::Relaxed) != 0;
        if !held {
            fence(Ordering::Acquire);
        }
        held
    }
}

/// One side: its lock and its words.
pub(super) struct Side {
    pub(super) kernel: Kernel,
    pub(super) words: Session,
}

impl Side {
    fn new() -> Self {
        Self { kernel: Kernel::new(), words: Session::new() }
    }

    /// Takes the side and is killed before the session is set up.
    pub(super) fn die_early(&self) {
        self.kernel.take();
        self.words.take_over();
        self.kernel.give();
    }
}

/// A channel in a file.
pub(super) struct Channel {
    pub(super) tx: Side,
    pub(super) rx: Side,
    ring: Ends<u32>,
    steps: AtomicU64,
}

impl Channel {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { tx: Side::new(), rx: Side::new(), ring: Ends::new(capacity), steps: AtomicU64::new(0) })
    }

    /// Where the search may switch to another thread. Loom remembers one access a word, and whoever begins a session loads its words before it
    /// stores them: that another had loaded them too is forgotten, and the store never tried before that load. An exchange that fails
    /// is an access that stores nothing, and so orders nothing.
    pub(super) fn step(&self) {
        let _ = self.steps.compare_exchange(1, 1, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// A sender, as `shm` makes one.
pub(super) struct Tx {
    pub(super) ring: Writing<u32>,
    channel: Arc<Channel>,
}

impl Tx {
    pub(super) fn open(channel: &Arc<Channel>) -> Self {
        Self::open_as(channel, true)
    }

    /// `registered`: whether `membarrier` will reach it.
    pub(super) fn open_as(channel: &Arc<Channel>, registered: bool) -> Self {
        channel.tx.kernel.take();
        // SAFETY: the lock is ours.
        let mut ring = unsafe { channel.ring.writing() };
        let register = || {
            channel.step();
            registered
        };
        channel.tx.words.begin(1, register, || ring.reopen(), |_| channel.step());
        Self { ring, channel: channel.clone() }
    }

    pub(super) fn send(mut self, values: impl IntoIterator<Item = u32>) -> Self {
        for value in values {
            assert!(self.ring.push(value), "there is room, and a receiver");
        }
        self
    }

    pub(super) fn close(self) {
        let Self { ring, channel } = self;
        channel.tx.words.end();
        drop(ring);
        channel.tx.kernel.give();
    }

    pub(super) fn die(self) {
        let Self { ring, channel } = self;
        ring.kill();
        channel.tx.kernel.give();
    }
}

/// What a receiver was told, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Seen {
    Message(u32),
    /// This session of the sender died.
    Died(u64),
    Disconnected,
}
pub(super) use Seen::{Died, Disconnected, Message};

/// A receiver, as `shm` makes one, and all that it was told.
pub(super) struct Rx {
    pub(super) ring: Reading<u32>,
    channel: Arc<Channel>,
    told: Told,
    /// Whether it asks the kernel where there is nothing.
    asks: bool,
    pub(super) seen: Vec<Seen>,
}

impl Rx {
    pub(super) fn open(channel: &Arc<Channel>, asks: bool) -> Self {
        channel.rx.kernel.take();
        // SAFETY: the lock is ours.
        let mut ring = unsafe { channel.ring.reading() };
        let register = || {
            channel.step();
            true
        };
        channel.rx.words.begin(2, register, || ring.reopen(), |_| channel.step());
        let told = Told::new(&channel.tx.words);
        Self { ring, channel: channel.clone(), told, asks, seen: vec![] }
    }

    /// One receive that does not wait, and if there is nothing one round of one that does. Whether it was told of the end.
    pub(super) fn look(&mut self) -> bool {
        self.channel.step();
        if let Some(value) = self.ring.take() {
            self.ring.release();
            self.seen.push(Message(value));
            return false;
        }
        let ring = &mut self.ring;
        let words = &self.channel.tx.words;
        let mut gone = self.told.nothing(words, ring.is_over(), || ring.has_message());
        let mut asked = false;
        if gone.is_none() && self.asks {
            asked = true;
            let ready = || ring.has_message() || ring.peer_closed();
            let is_held = || {
                self.channel.step();
                self.channel.tx.kernel.is_held()
            };
            gone = self.told.look_for_end(words, is_held, ready);
        }
        let told = match gone {
            None | Some(Gone::Ready) => return false,
            Some(Gone::Left) => Disconnected,
            Some(Gone::Died(session)) => Died(session),
        };
        // Who asks again while nobody is there is told again, and so is who looks again at a closed ring.
        let again = (asked && self.seen.contains(&told)) || (told == Disconnected && self.seen.last() == Some(&told));
        if !again {
            self.seen.push(told);
        }
        true
    }

    /// Looks, now that the senders have ended, until there is nothing new.
    pub(super) fn look_to_the_end(&mut self) {
        loop {
            let before = self.seen.len();
            if self.look() && self.seen.len() == before {
                return;
            }
        }
    }

    pub(super) fn close(self) -> Vec<Seen> {
        let Self { ring, channel, seen, .. } = self;
        channel.rx.words.end();
        drop(ring);
        channel.rx.kernel.give();
        seen
    }

    pub(super) fn die(self) -> Vec<Seen> {
        let Self { ring, channel, seen, .. } = self;
        ring.kill();
        channel.rx.kernel.give();
        seen
    }
}

/// A receiver that looks `looks` times while `senders` run, one thread each, and then until the end. What it was told.
fn receive(
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

/// A sender is killed: the receiver, who asks the kernel, is told so after the last message and not before.
pub fn a_death_shows_after_the_last_message() {
    let allowed = [vec![Message(0), Died(1)]];
    outcomes("session::a_death_shows_after_the_last_message", None, allowed, || {
        receive(true, 3, |tx| tx.send([0]).die(), None)
    });
}

/// A sender closes: the receiver, who asks the kernel, is told so after the last message, and never of a death.
pub fn a_close_shows_after_the_last_message() {
    let allowed = [vec![Message(0), Disconnected]];
    outcomes("session::a_close_shows_after_the_last_message", None, allowed, || {
        receive(true, 3, |tx| tx.send([0]).close(), None)
    });
}

/// A sender is killed and another takes its place and closes: the receiver, who never asks the kernel, is told all the same, once.
pub fn a_restart_cannot_hide_a_death() {
    let allowed =
        [vec![Message(0), Died(1), Message(1), Disconnected], vec![Message(0), Message(1), Died(1), Disconnected]];
    outcomes("session::a_restart_cannot_hide_a_death", Some(3), allowed, || {
        receive(false, 2, |tx| tx.send([0]).die(), Some(|channel| Tx::open(channel).send([1]).close()))
    });
}

/// The same where the receiver asks: it is not told twice, and not that the other one has died, which only began meanwhile.
pub fn a_restart_cannot_hide_a_death_from_one_that_asks() {
    let allowed =
        [vec![Message(0), Died(1), Message(1), Disconnected], vec![Message(0), Message(1), Died(1), Disconnected]];
    outcomes("session::a_restart_cannot_hide_a_death_from_one_that_asks", Some(2), allowed, || {
        receive(true, 2, |tx| tx.send([0]).die(), Some(|channel| Tx::open(channel).send([1]).close()))
    });
}

/// A sender closes and another takes its place: no death is told, and the end only after all there is.
pub fn a_close_is_no_death() {
    let allowed =
        [vec![Message(0), Disconnected, Message(1), Disconnected], vec![Message(0), Message(1), Disconnected]];
    outcomes("session::a_close_is_no_death", Some(2), allowed, || {
        receive(true, 2, |tx| tx.send([0]).close(), Some(|channel| Tx::open(channel).send([1]).close()))
    });
}

/// Two senders are killed, and a third closes. Told once or twice, the last time of the last.
pub fn two_deaths_are_told() {
    let allowed = [
        vec![Message(0), Died(1), Message(1), Died(2), Disconnected],
        vec![Message(0), Message(1), Died(1), Died(2), Disconnected],
        vec![Message(0), Message(1), Died(2), Disconnected],
    ];
    outcomes("session::two_deaths_are_told", Some(2), allowed, || {
        receive(
            true,
            3,
            |tx| {
                let channel = tx.channel.clone();
                tx.send([0]).die();
                Tx::open(&channel).send([1]).die();
                Tx::open(&channel).close();
            },
            None,
        )
    });
}

/// A sender is killed, and so is the next before its session is set up.
pub fn a_death_before_the_session_was_set_up() {
    let allowed = [
        vec![Message(0), Died(1), Died(2), Message(1), Disconnected],
        vec![Message(0), Died(1), Message(1), Died(2), Disconnected],
        vec![Message(0), Died(2), Message(1), Disconnected],
        vec![Message(0), Message(1), Died(2), Disconnected],
    ];
    outcomes("session::a_death_before_the_session_was_set_up", Some(2), allowed, || {
        receive(
            true,
            3,
            |tx| {
                let channel = tx.channel.clone();
                tx.send([0]).die();
                channel.tx.die_early();
                Tx::open(&channel).send([1]).close();
            },
            None,
        )
    });
}

/// A sender is killed, and the next closes before the receiver looks again.
pub fn a_death_and_a_close_before_the_next_look() {
    model("session::a_death_and_a_close_before_the_next_look", Some(3), || {
        let channel = Channel::new(4);
        let tx = Tx::open(&channel);
        let mut rx = Rx::open(&channel, true);
        let senders = channel.clone();
        let senders = thread::spawn(move || {
            tx.die();
            Tx::open(&senders).send([0]).close();
        });
        // The kernel first, as one that has waited for long.
        let Rx { ring, told, .. } = &mut rx;
        let ready = || ring.has_message() || ring.peer_closed();
        let gone = told.look_for_end(&channel.tx.words, || channel.tx.kernel.is_held(), ready);
        assert_ne!(gone, Some(Gone::Left), "a message was sent before that");
        senders.join().unwrap();
        rx.look_to_the_end();
        rx.close();
    });
}
