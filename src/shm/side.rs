//! What both ends of a mapped channel do: take part, look after the other side, sleep and wake.

use super::error::{Ended, OpenError};
use super::segment::Layout;
use super::sys::{self, Attached, Map, Role};
use crate::ring::mapped::Session;
use crate::sync::{AtomicU64, Ordering, compiler_fence, fence, spin_loop};
use crate::wait::{Deadline, WaitStrategy};
use core::time::Duration;
use rustix::thread::{MembarrierCommand, membarrier};
use std::sync::Arc;
use std::thread::yield_now;

/// Longest sleep without a look at the other side: half of what a death may go unnoticed.
const NAP: Duration = Duration::from_millis(50);
/// The same where a wake may be lost: no barrier is to be had.
const SHORT_NAP: Duration = Duration::from_millis(1);
/// Rounds of spinning before yielding, and yields before sleeping.
const SPINS: u32 = 64;
const YIELDS: u32 = 16;

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
    /// The other side's session, as far as its end has been told.
    peer_epoch: u64,
    /// The value of `parked` of the sleep that was answered last.
    woken: u64,
    /// 1 if this side fences after each publication, because it cannot be reached by `membarrier`.
    fences: u64,
    pub(super) strategy: WaitStrategy,
}

impl Session {
    /// Whether the session before `epoch` ended in order.
    fn ended_well(&self, epoch: u64) -> bool {
        self.left.load(Ordering::Relaxed) >= epoch
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
        let epoch = own.begun.load(Ordering::Relaxed).max(own.epoch.load(Ordering::Relaxed)) + 1;
        own.begun.store(epoch, Ordering::Relaxed);
        // Left odd by one that was killed in its sleep: nobody need wake it any more.
        let parked = own.parked.0.load(Ordering::Relaxed);
        own.parked.0.store(parked + (parked & 1), Ordering::Relaxed);
        let registered = membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok();
        own.unfenced.store(registered.into(), Ordering::Relaxed);
        own.pid.store(std::process::id().into(), Ordering::Relaxed);
        resume();
        // Partner: `peer_state` and `news`, which load it with Acquire.
        own.epoch.store(epoch, Ordering::Release);
        sys::wake(&own.epoch);
        Self {
            held,
            pid: std::process::id(),
            peer_epoch: peer.epoch.load(Ordering::Acquire),
            woken: 0,
            fences: (!registered).into(),
            strategy,
        }
    }

    /// Ends the session in order.
    pub(super) fn end(&self, own: &Session) {
        own.left.store(own.epoch.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Whether this process is the one that opened the side.
    pub(super) fn is_ours(&self) -> bool {
        self.pid == std::process::id()
    }

    /// To be called after each publication of a position, `word`: wakes the other side if it sleeps on it.
    #[inline(always)]
    pub(super) fn published(&mut self, peer: &Session, word: &AtomicU64) -> bool {
        // The sleeper's `membarrier` does the rest, see `wait::barrier`.
        compiler_fence();
        // Not two branches: a message in a few nanoseconds has no time for them.
        let parked = peer.parked.0.load(Ordering::Relaxed);
        (parked | self.fences) & 1 != 0 && self.wake(peer, word)
    }

    #[cold]
    #[inline(never)]
    fn wake(&mut self, peer: &Session, word: &AtomicU64) -> bool {
        fence(Ordering::SeqCst);
        let parked = peer.parked.0.load(Ordering::Relaxed);
        if parked & 1 == 0 {
            return false;
        }
        // Once a sleep: one that does not wake, because it is stopped or dead, must not cost a call a message.
        let first = self.woken != parked;
        if first {
            self.woken = parked;
            sys::wake(word);
        }
        first
    }

    /// What the kernel and the words say of the other side.
    pub(super) fn peer_state(&self, peer: &Session) -> Peer {
        // The lock first: who holds it now had it before the words are read.
        if self.held.0.peer_holds() {
            return Peer::Here;
        }
        let begun = peer.begun.load(Ordering::Acquire);
        match begun.max(peer.epoch.load(Ordering::Acquire)) {
            0 => Peer::Never,
            epoch if peer.ended_well(epoch) => Peer::Left,
            _ => Peer::Died,
        }
    }

    /// Whether a session of the other side has ended since the last call, and another has begun: `PeerDied` if it did not end in order.
    /// To be asked where nothing else is to be done.
    pub(super) fn news(&mut self, peer: &Session) -> Option<Ended> {
        let epoch = peer.epoch.load(Ordering::Acquire);
        if epoch == self.peer_epoch {
            return None;
        }
        let before = core::mem::replace(&mut self.peer_epoch, epoch);
        // The first is no news; of several only the last before this one is known.
        (before != 0 && !peer.ended_well(epoch.wrapping_sub(1))).then_some(Ended::PeerDied)
    }

    /// Waits until `ready` is true, or the deadline passes, or the kernel says that the other side is gone. `word` is the position that it
    /// moves, and `expected` tells its value while there is nothing.
    #[cold]
    pub(super) fn block(
        &mut self,
        own: &Session,
        peer: &Session,
        word: &AtomicU64,
        deadline: Deadline,
        mut ready: impl FnMut() -> Option<u64>,
        mut parks: impl FnMut(),
    ) -> Waited {
        let mut looks = 0u32;
        loop {
            if ready().is_none() {
                return Waited::Ready;
            }
            looks = looks.wrapping_add(1);
            let spins =
                self.strategy == WaitStrategy::BusySpin || looks < SPINS && self.strategy != WaitStrategy::ParkAtOnce;
            if spins {
                spin_loop();
            } else if self.strategy == WaitStrategy::Yield
                || looks < SPINS + YIELDS && self.strategy == WaitStrategy::Park
            {
                yield_now();
            } else {
                parks();
                if self.park(own, peer, word, deadline, &mut ready) {
                    return Waited::Ready;
                }
                looks = SPINS + YIELDS;
            }
            // Sleepers look after each nap, the others now and then.
            let asleep = looks == SPINS + YIELDS;
            if (asleep || looks % 4096 == 0) && self.news_of_death(peer) {
                // What it did last is seen before it is called dead.
                return if ready().is_none() { Waited::Ready } else { Waited::PeerGone };
            }
            if deadline.passed() {
                return Waited::TimedOut;
            }
        }
    }

    /// Whether the other side was there once and is not now.
    fn news_of_death(&self, peer: &Session) -> bool {
        matches!(self.peer_state(peer), Peer::Died | Peer::Left)
    }

    /// One sleep. Whether `ready` came true before it.
    fn park(
        &mut self,
        own: &Session,
        peer: &Session,
        word: &AtomicU64,
        deadline: Deadline,
        ready: &mut impl FnMut() -> Option<u64>,
    ) -> bool {
        let even = own.parked.0.load(Ordering::Relaxed) & !1;
        own.parked.0.store(even + 1, Ordering::Relaxed);
        // Between our announcement and our look. The other side has the same between its publication and its look.
        let reached = if peer.unfenced.load(Ordering::Relaxed) != 0 {
            let done = membarrier(MembarrierCommand::GlobalExpedited).is_ok();
            fence(Ordering::SeqCst);
            done
        } else {
            fence(Ordering::SeqCst);
            true
        };
        let expected = ready();
        if let Some(expected) = expected {
            let longest = if reached { NAP } else { SHORT_NAP };
            let nap = deadline.left().map_or(longest, |left| left.min(longest));
            sys::sleep_on(word, expected, nap);
        }
        own.parked.0.store(even + 2, Ordering::Relaxed);
        expected.is_none()
    }

    /// Waits until somebody has the other side.
    pub(super) fn wait_for_peer(&mut self, peer: &Session, deadline: Deadline) -> bool {
        loop {
            let epoch = peer.epoch.load(Ordering::Acquire);
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

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waited {
    Ready,
    TimedOut,
    PeerGone,
}

/// Checks the two positions of a segment that a new side takes over.
pub(super) fn check_positions(map: &Map, layout: &Layout) -> Result<(), OpenError> {
    use crate::ring::cursor::Position;
    let tail = Position::from_word(map.producer().block.tail.load(Ordering::Relaxed));
    let head = Position::from_word(map.consumer().block.head.load(Ordering::Relaxed));
    if tail.since(head) > layout.capacity { Err(OpenError::Corrupted) } else { Ok(()) }
}

/// The words of `role`, and of the other.
pub(super) fn sessions(map: &Arc<Map>, role: Role) -> (&Session, &Session) {
    let (sender, receiver) = (&map.producer().session, &map.consumer().session);
    match role {
        Role::Sender => (sender, receiver),
        Role::Receiver => (receiver, sender),
    }
}
