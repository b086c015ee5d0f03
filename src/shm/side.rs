//! What both ends of a mapped channel do: take part, look after the other side, sleep and wake.

use super::error::{Ended, OpenError};
use super::segment::Layout;
use super::sys::{self, Attached, Map, Role};
use crate::ring::cursor::Position;
use crate::ring::failpoint::point;
use crate::ring::mapped::Session;
use crate::sync::{AtomicU64, Ordering, fence, spin_loop};
use crate::wait::{Deadline, WaitStrategy};
use core::cell::Cell;
use core::time::Duration;
use rustix::thread::{MembarrierCommand, membarrier};
use std::sync::Arc;
use std::thread::yield_now;

/// Longest sleep without a look at the other side: a death is to be noticed within 100 ms.
const NAP: Duration = Duration::from_millis(75);
/// The same where a wake may be lost: no barrier is to be had.
const SHORT_NAP: Duration = Duration::from_millis(1);
/// Rounds of spinning before yielding, and yields before sleeping.
const SPINS: u64 = 64;
const YIELDS: u64 = 16;
/// Looks between two calls of the kernel about the other side, for sides that do not sleep.
const LOOKS_PER_CALL: u64 = 4096;

/// What is known of the other side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Peer {
    /// Nobody has ever opened it.
    Never,
    /// Somebody has it.
    Here,
    /// Whoever had it has closed it.
    Left,
    /// Whoever had it ended without closing.
    Died,
}

/// One end's part in the channel.
#[derive(Debug)]
pub(super) struct Side {
    held: Attached,
    /// Who opened it: a forked child has no part in it.
    pid: u32,
    /// The last session of the other side whose death has been told, or need not be: it was over when this side was opened.
    told: Cell<u64>,
    /// Whether the other side was ever seen to have a session: its words cannot take that back.
    met: Cell<bool>,
    /// 1 if this side fences after each publication, because it cannot be reached by `membarrier`.
    fences: u64,
    pub(super) strategy: WaitStrategy,
}

/// Reads a word of the other side's: of memory that is mapped for reading only, relaxed loads alone are promised to work.
fn observe(word: &AtomicU64) -> u64 {
    let value = word.load(Ordering::Relaxed);
    fence(Ordering::Acquire);
    value
}

impl Session {
    /// The last session, also one that is being set up; 0 before the first.
    fn last(&self) -> u64 {
        let begun = observe(&self.begun);
        begun.max(observe(&self.epoch))
    }
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
        let last = own.last();
        if own.left.load(Ordering::Relaxed) < last {
            // Partner: `news`. The lock is ours, so all that the dead one stored is there.
            point!();
            own.died.store(last, Ordering::Release);
        }
        // `check_words` has seen that there is room to count on; should somebody write there since, it wraps.
        let epoch = last.wrapping_add(1);
        point!();
        own.begun.store(epoch, Ordering::Release);
        point!();
        own.parked.0.rise();
        point!();
        let registered = membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok();
        own.unfenced.store(registered.into(), Ordering::Relaxed);
        point!();
        // Partner: the first fence of `barrier`. Whoever did not see that word yet is seen to sleep by us.
        fence(Ordering::SeqCst);
        own.pid.store(std::process::id().into(), Ordering::Relaxed);
        point!();
        resume();
        // Partner: `Session::last`, which loads it with Acquire.
        point!();
        own.epoch.store(epoch, Ordering::Release);
        point!();
        sys::wake(&own.epoch);
        point!();
        Self {
            held,
            pid: std::process::id(),
            told: Cell::new(peer.last().saturating_sub(1)),
            met: Cell::new(peer.last() != 0),
            fences: (!registered).into(),
            strategy,
        }
    }

    /// Ends the session in order.
    pub(super) fn end(&self, own: &Session) {
        point!();
        own.left.store(own.epoch.load(Ordering::Relaxed), Ordering::Relaxed);
        point!();
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
        self.look_after(peer).0
    }

    fn look_after(&self, peer: &Session) -> (Peer, u64) {
        let (state, session) = look_after(peer, || self.held.0.peer_holds());
        // Not by the lock alone: somebody who fails to open it, or removes the segment, has that for a moment.
        self.met.set(self.met.get() || session != 0);
        (if state == Peer::Never && self.met.get() { Peer::Died } else { state }, session)
    }

    /// The last session of the other side that died, if another has begun since and nobody has been told. To be told where nothing
    /// else is to be done, see [`Side::tell`].
    pub(super) fn news(&self, peer: &Session) -> Option<u64> {
        let died = observe(&peer.died);
        (died > self.told.get()).then_some(died)
    }

    /// Notes that the death of `session` is told now.
    pub(super) fn tell(&self, session: u64) -> Ended {
        self.told.set(self.told.get().max(session));
        Ended::PeerDied
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
        let (spins, yields) = match self.strategy {
            WaitStrategy::BusySpin => (u64::MAX, 0),
            WaitStrategy::Yield => (SPINS, u64::MAX),
            WaitStrategy::Park => (SPINS, YIELDS),
            WaitStrategy::ParkAtOnce => (0, 0),
        };
        for look in 0..spins.saturating_add(yields) {
            if ready().is_none() {
                return Waited::Ready;
            }
            if look % LOOKS_PER_CALL == LOOKS_PER_CALL - 1 {
                if let Some(ended) = self.look_for_end(peer, &mut ready) {
                    return ended;
                }
            }
            if deadline.passed() {
                return Waited::TimedOut;
            }
            if look < spins { spin_loop() } else { yield_now() }
        }
        // Not only after the sleep: whoever published last and died then would be missed for two.
        if let Some(ended) = self.look_for_end(peer, &mut ready) {
            return ended;
        }
        parks();
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
            if ready().is_none() { Some(Waited::Ready) } else { self.look_for_end(peer, ready) }
        };
        own.parked.0.sleep(awaited.count(), || Self::barrier(peer), look, nap)
    }

    /// Between the announcement of a sleep and the look before it; the other side has the same between a publication and its look. Whether
    /// it could be reached.
    fn barrier(peer: &Session) -> bool {
        // One that begins meanwhile, and fences no more, has fenced after it said so: hence the fence before we ask.
        fence(Ordering::SeqCst);
        let unfenced = peer.unfenced.load(Ordering::Relaxed) != 0;
        let reached = !unfenced || membarrier(MembarrierCommand::GlobalExpedited).is_ok();
        fence(Ordering::SeqCst);
        reached
    }

    /// Whether the other side was there once and is not now; then why not, or that there is something after all: what it did last is
    /// seen before it is called gone.
    fn look_for_end(&self, peer: &Session, ready: &mut impl FnMut() -> Option<u64>) -> Option<Waited> {
        let (state, session) = self.look_after(peer);
        let gone = matches!(state, Peer::Died | Peer::Left);
        gone.then(|| match (ready(), state) {
            (None, _) => Waited::Ready,
            (_, Peer::Left) => Waited::PeerGone(Ended::Disconnected),
            _ => Waited::PeerGone(self.tell(session)),
        })
    }

    /// Waits until somebody has the other side.
    pub(super) fn wait_for_peer(&mut self, peer: &Session, deadline: Deadline) -> bool {
        loop {
            let epoch = observe(&peer.epoch);
            if epoch != 0 && self.peer_state(peer) == Peer::Here {
                return true;
            }
            if deadline.passed() {
                return false;
            }
            let nap = deadline.left().map_or(NAP, |left| left.min(NAP));
            sys::sleep_on(&peer.epoch, epoch, nap);
        }
    }
}

/// What became of the side that has the words `of`, and in which session; `is_held` asks the kernel whether somebody has it.
pub(super) fn look_after(of: &Session, is_held: impl FnOnce() -> bool) -> (Peer, u64) {
    // The words on both sides of the question: else a session that begins just after it would pass for one without a holder, and
    // one that ends just before it for one that did not close.
    let session = of.last();
    if is_held() {
        return (Peer::Here, session);
    }
    point!();
    let left = observe(&of.left);
    let state = match of.last() {
        now if now != session => Peer::Here,
        0 => Peer::Never,
        _ if left >= session => Peer::Left,
        _ => Peer::Died,
    };
    (state, session)
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
    let sessions = [&map.producer().session, &map.consumer().session];
    // No count comes so far.
    let too_far = sessions.iter().flat_map(|s| [&s.begun, &s.epoch, &s.left, &s.died]).any(|n| observe(n) >> 62 != 0);
    if tail.since(head) > layout.capacity || too_far { Err(OpenError::Corrupted) } else { Ok(()) }
}

/// The words of `role`, and of the other.
pub(super) fn sessions(map: &Arc<Map>, role: Role) -> (&Session, &Session) {
    let (sender, receiver) = (&map.producer().session, &map.consumer().session);
    match role {
        Role::Sender => (sender, receiver),
        Role::Receiver => (receiver, sender),
    }
}
