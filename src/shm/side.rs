//! What both ends of a mapped channel do: take part, look after the other side, sleep and wake.

use super::error::{Ended, OpenError};
use super::segment::Layout;
use super::sys::{self, Attached, Map, Role};
use crate::ring::cursor::Position;
use crate::ring::failpoint::point;
use crate::ring::session::{Gone, Session, Told, is_set_up, observe};
pub(super) use crate::ring::session::{Peer, look_after};
use crate::sync::{AtomicU64, Ordering, fence, spin_loop};
use crate::wait::{Deadline, WaitStrategy, parked};
use core::time::Duration;
use rustix::thread::{MembarrierCommand, membarrier};
use std::sync::Arc;
use std::thread::yield_now;

/// Longest sleep without a look at the other side: a death is to be noticed within 100 ms. Not shorter: each takes a timer of the kernel's,
/// which on a virtual machine is most of what a sleeper uses of its core (`ipc --suite parked`).
pub(super) const NAP: Duration = Duration::from_millis(90);
/// The same where a wake may be lost: no barrier is to be had.
pub(super) const SHORT_NAP: Duration = Duration::from_millis(1);
/// Rounds of spinning before yielding, and yields before sleeping.
const SPINS: u64 = 64;
const YIELDS: u64 = 16;
/// Looks between two calls of the kernel about the other side, for sides that do not sleep.
const LOOKS_PER_CALL: u64 = 4096;
/// The same where each look is a yield, which is a call itself; and on a machine with more to do than it has cores for it is a turn of
/// everybody else's.
const YIELDS_PER_CALL: u64 = 128;

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
    pub(super) strategy: WaitStrategy,
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
        Self { held, pid: std::process::id(), told: Told::new(peer), fences: (!registered).into(), strategy }
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
    /// moves, `awaited` the one that it must pass; while there is nothing `ready` tells what it holds. `parks` is called before a sleep.
    #[cold]
    #[allow(clippy::too_many_arguments, reason = "each is one word of the protocol")]
    pub(super) fn block(
        &mut self,
        own: &Session,
        peer: &Session,
        word: &AtomicU64,
        awaited: Position,
        deadline: Deadline,
        mut ready: impl FnMut() -> Option<u64>,
        parks: impl FnOnce(),
    ) -> Waited {
        let awake = stay_awake(self.strategy, deadline, |ask| match ready() {
            None => Some(Waited::Ready),
            Some(_) if ask => self.is_gone(peer, &mut ready),
            Some(_) => None,
        });
        match awake {
            Awake::Found(waited) => return waited,
            Awake::TimedOut => return Waited::TimedOut,
            Awake::Tired => parks(),
        }
        let ready = core::cell::RefCell::new(ready);
        let look = || match ready.borrow_mut()() {
            None => Ok(Waited::Ready),
            Some(_) if deadline.passed() => Ok(Waited::TimedOut),
            Some(expected) => Err(expected),
        };
        let nap = |expected, reached| {
            let longest = if reached { NAP } else { SHORT_NAP };
            point!();
            sys::sleep_on(word, expected, deadline.left().map_or(longest, |left| left.min(longest)));
            let ready = &mut *ready.borrow_mut();
            if ready().is_none() { Some(Waited::Ready) } else { self.is_gone(peer, ready) }
        };
        parked::sleep(&[(&own.parked.0, awaited.count())], || Self::barrier(peer), look, nap)
    }

    /// Whether the other side could be reached.
    fn barrier(peer: &Session) -> bool {
        peer.barrier(membarrier_all)
    }

    fn is_gone(&self, peer: &Session, ready: &mut impl FnMut() -> Option<u64>) -> Option<Waited> {
        let gone = self.look_for_end(peer, || ready().is_none())?;
        Some(ended(gone).map_or(Waited::Ready, Waited::PeerGone))
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

/// How a wait without a sleep ended.
pub(super) enum Awake<R> {
    Found(R),
    TimedOut,
    /// It is time to sleep.
    Tired,
}

/// Spins and yields as `strategy` says until `look` finds something, or the deadline passes. `look` is told when to ask the kernel about
/// the other side as well: now and then, and before a sleep. (Not only after it: whoever published last and died then would be missed for
/// two of them.)
pub(super) fn stay_awake<R>(
    strategy: WaitStrategy,
    deadline: Deadline,
    mut look: impl FnMut(bool) -> Option<R>,
) -> Awake<R> {
    let (spins, yields) = match strategy {
        WaitStrategy::BusySpin => (u64::MAX, 0),
        WaitStrategy::Yield => (SPINS, u64::MAX),
        WaitStrategy::Park => (SPINS, YIELDS),
        WaitStrategy::ParkAtOnce => (0, 0),
    };
    for n in 0..spins.saturating_add(yields) {
        let looks = if n < spins { LOOKS_PER_CALL } else { YIELDS_PER_CALL };
        if let Some(found) = look(n % looks == looks - 1) {
            return Awake::Found(found);
        }
        if deadline.passed() {
            return Awake::TimedOut;
        }
        if n < spins { spin_loop() } else { yield_now() }
    }
    look(true).map_or(Awake::Tired, Awake::Found)
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
