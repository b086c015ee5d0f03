//! What both ends of a mapped channel do: take part, look after the other side, sleep and wake.

use super::error::{Ended, OpenError};
use super::segment::Layout;
use super::sys::{self, Attached, Map, Role};
use crate::ring::cursor::Position;
use crate::ring::failpoint::point;
use crate::ring::session::{Gone, Session, Told, is_set_up, observe};
pub(super) use crate::ring::session::{Peer, look_after};
use crate::sync::{AtomicU64, Ordering, fence};
use crate::wait::{Deadline, Look, ParkedBed, WaitStrategy, Waiter};
use core::cell::Cell;
use core::time::Duration;
use rustix::thread::{MembarrierCommand, membarrier};
use std::sync::Arc;

/// Longest sleep without a look at the other side: a death is to be noticed within 100 ms. Not shorter: each takes a timer of the kernel's,
/// which on a virtual machine is most of what a sleeper uses of its core (`ipc --suite parked`).
pub(super) const NAP: Duration = Duration::from_millis(90);
/// The same where a wake may be lost: no barrier is to be had.
pub(super) const SHORT_NAP: Duration = Duration::from_millis(1);
/// Looks of a side that stays awake between two calls of the kernel about the other side.
const LOOKS_PER_CALL: u32 = 4096;
/// The same where each look is a yield, which is a call itself; and on a machine with more to do than it has cores for it is a turn of
/// all other threads.
const YIELDS_PER_CALL: u32 = 16;

/// Says which looks of a wait ask the kernel about the other side as well: now and then one of a side that stays awake, and each before a
/// sleep. (Not only after it: the end of one that published last and died then would be found two sleeps later.)
#[derive(Default)]
pub(super) struct Asks {
    weight: u32,
    asked: bool,
}

impl Asks {
    /// Whether one has. A wait whose time is over before one does asks at its end: else short ones, one after the other, would never.
    pub(super) fn asked(&self) -> bool {
        self.asked
    }

    pub(super) fn asks(&mut self, look: Look) -> bool {
        let weight = match look {
            Look::Turn => return false,
            Look::Last => LOOKS_PER_CALL,
            Look::Yielded => LOOKS_PER_CALL / YIELDS_PER_CALL,
            Look::Passing => 1,
        };
        self.weight += weight;
        let due = self.weight >= LOOKS_PER_CALL;
        if due {
            (self.weight, self.asked) = (0, true);
        }
        due
    }
}

/// One end's part in the channel.
#[derive(Debug)]
pub(super) struct Side {
    held: Attached,
    /// Who opened it: a forked child has no part in it.
    pid: u32,
    /// Which deaths of the other side have been told.
    told: Told,
    /// 1 if this side fences after each publication, because it cannot be reached by `membarrier`.
    fences: u64,
    pub(super) waiter: Waiter,
    /// Whether the other side knows that this one sleeps often, see `wait::parked`.
    settled: bool,
}

impl Side {
    /// Begins a session: `own` is this side's words. `resume` is what the ring does about having been closed before.
    pub(super) fn begin(
        held: Attached,
        own: &Session,
        peer: &Session,
        strategy: WaitStrategy,
        resume: impl FnOnce(),
    ) -> Self {
        let register = || membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok();
        let registered = own.begin(std::process::id(), register, resume, sys::wake);
        let (pid, told, fences) = (std::process::id(), Told::new(peer), u64::from(!registered));
        Self { held, pid, told, fences, waiter: Waiter::new(strategy), settled: false }
    }

    /// Ends the session in order.
    pub(super) fn end(&self, own: &Session) {
        own.end();
    }

    /// Whether this process is the one that opened the side.
    pub(super) fn is_ours(&self) -> bool {
        self.pid == std::process::id()
    }

    /// To be called after each publication of a position, now `to`, that moved by `n`: wakes the other side if it waits for what was
    /// published. Whether it did.
    #[inline(always)]
    pub(super) fn published(&self, peer: &Session, word: &AtomicU64, to: Position, n: u64) -> bool {
        peer.parked.0.calls(self.fences) && wake(peer, word, to.count().wrapping_sub(n), n)
    }

    /// To be called after this side has closed: wakes the other whatever it waits for.
    pub(super) fn closed(&self, peer: &Session, word: &AtomicU64) {
        fence(Ordering::SeqCst);
        if peer.parked.0.calls(0) {
            sys::wake(word);
        }
    }

    /// What the kernel and the words say of the other side.
    pub(super) fn peer_state(&self, peer: &Session) -> Peer {
        self.told.look_after(peer, || self.held.peer_holds()).0
    }

    /// See [`Told::news`].
    #[inline(always)]
    pub(super) fn news(&self, peer: &Session) -> Option<u64> {
        self.told.news(peer)
    }

    /// See [`Told::tell`].
    pub(super) fn tell(&self, session: u64) -> Ended {
        self.told.tell(session);
        Ended::PeerDied
    }

    /// See [`Told::nothing`].
    pub(super) fn nothing(&self, peer: &Session, over: bool, is_ready: impl FnOnce() -> bool) -> Option<Ended> {
        self.told.nothing(peer, over, is_ready).and_then(ended)
    }

    /// Waits until `ready` is true, or the deadline passes, or the kernel says that the other side is gone. `word` is the position that it
    /// moves, `awaited` the one that it must pass, `passed` how far this side has come; while there is nothing `ready` tells what `word` holds.
    /// `parks` is called before the first sleep.
    #[cold]
    #[allow(clippy::too_many_arguments, reason = "each is one word of the protocol")]
    pub(super) fn block(
        &mut self,
        own: &Session,
        peer: &Session,
        word: &AtomicU64,
        awaited: Position,
        passed: Position,
        deadline: Deadline,
        mut ready: impl FnMut() -> Option<u64>,
        parks: impl Fn(),
    ) -> Waited {
        let Self { held, told, waiter, settled, .. } = self;
        let (expected, mut asks) = (Cell::new(0), Asks::default());
        let look = |look| {
            expected.set(match ready() {
                None => return Some(Waited::Ready),
                Some(expected) => expected,
            });
            if !asks.asks(look) {
                return None;
            }
            let gone = told.look_for_end(peer, || held.peer_holds(), || ready().is_none())?;
            Some(ended(gone).map_or(Waited::Ready, Waited::PeerGone))
        };
        let mut sleeps = false;
        let nap = |reached, limit| {
            // Before the sleep: an onlooker sees by it that this side is asleep.
            if !core::mem::replace(&mut sleeps, true) {
                parks();
            }
            sys::sleep_on(word, expected.get(), shortest(reached, limit));
        };
        let parked = [(&own.parked.0, awaited.count())];
        let barrier = || peer.barrier(membarrier_all);
        let mut bed = ParkedBed::new(&parked, settled, barrier, nap, |core| own.waits_on(core, peer));
        if let Ok(waited) = waiter.wait(&mut bed, deadline, passed.count(), look) {
            return waited;
        }
        let gone =
            if asks.asked() { None } else { told.look_for_end(peer, || held.peer_holds(), || ready().is_none()) };
        gone.map_or(Waited::TimedOut, |gone| ended(gone).map_or(Waited::Ready, Waited::PeerGone))
    }

    /// See [`Told::look_for_end`].
    pub(super) fn look_for_end(&self, peer: &Session, is_ready: impl FnOnce() -> bool) -> Option<Gone> {
        self.told.look_for_end(peer, || self.held.peer_holds(), is_ready)
    }

    /// The last session of the other side whose death was told.
    pub(super) fn told(&self) -> u64 {
        self.told.last()
    }

    /// See [`Told::met`].
    pub(super) fn met(&self) -> bool {
        self.told.met()
    }

    /// See [`is_set_up`].
    pub(super) fn is_set_up(&self, peer: &Session) -> Result<(), u64> {
        is_set_up(peer, || self.held.peer_holds())
    }

    /// Waits until somebody has the other side.
    pub(super) fn wait_for_peer(&mut self, peer: &Session, deadline: Deadline) -> bool {
        loop {
            let Err(epoch) = self.is_set_up(peer) else { return true };
            if deadline.passed() {
                return false;
            }
            let nap = deadline.left().map_or(NAP, |left| left.min(NAP));
            sys::sleep_on(&peer.epoch, epoch, nap);
        }
    }
}

/// Makes all that run, and are registered, pass a barrier. Whether it did.
pub(super) fn membarrier_all() -> bool {
    membarrier(MembarrierCommand::GlobalExpedited).is_ok()
}

/// The reason that a user is given.
fn ended(gone: Gone) -> Option<Ended> {
    match gone {
        Gone::Ready => None,
        Gone::Left => Some(Ended::Disconnected),
        Gone::Died(_) => Some(Ended::PeerDied),
    }
}

#[cold]
#[inline(never)]
fn wake(peer: &Session, word: &AtomicU64, from: u64, n: u64) -> bool {
    let wakes = peer.parked.0.answer(from, n);
    if wakes {
        point!();
        sys::wake(word);
        point!();
    }
    wakes
}

/// How long a sleep may last: `reached` says whether a wake is sure to end it.
pub(super) fn shortest(reached: bool, limit: Option<Duration>) -> Duration {
    let longest = if reached { NAP } else { SHORT_NAP };
    limit.map_or(longest, |limit| limit.min(longest))
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waited {
    Ready,
    TimedOut,
    PeerGone(Ended),
}

/// Checks the positions and counts of a segment that a new side takes over.
pub(super) fn check_words(map: &Map, layout: &Layout) -> Result<(), OpenError> {
    let tail = Position::from_word(map.producer().block.tail.load(Ordering::Relaxed));
    let head = Position::from_word(map.consumer().block.head.load(Ordering::Relaxed));
    check_counts(&map.producer().session)?;
    check_counts(&map.consumer().session)?;
    if tail.since(head) > layout.capacity { Err(OpenError::Corrupted) } else { Ok(()) }
}

/// Where the sender of records is, and how many there were by then; `None` if it noted nothing for that position.
pub(super) fn records(map: &Map) -> Option<(Position, u64)> {
    let page = map.producer();
    let tail = Position::from_word(page.block.tail.load(Ordering::Relaxed));
    let mark = page.marks.0.iter().find(|mark| mark.tail.load(Ordering::Relaxed) == tail.open_word())?;
    Some((tail, mark.records.load(Ordering::Relaxed)))
}

/// Checks the counts of a side's sessions.
pub(super) fn check_counts(of: &Session) -> Result<(), OpenError> {
    // No count comes so far.
    let too_far = [&of.begun, &of.epoch, &of.left, &of.died].iter().any(|n| observe(n, Ordering::Relaxed) >> 62 != 0);
    if too_far { Err(OpenError::Corrupted) } else { Ok(()) }
}

/// The words of `role`, and of the other.
pub(super) fn sessions(map: &Arc<Map>, role: Role) -> (&Session, &Session) {
    let (sender, receiver) = (&map.producer().session, &map.consumer().session);
    match role {
        Role::Sender => (sender, receiver),
        Role::Receiver => (receiver, sender),
    }
}
