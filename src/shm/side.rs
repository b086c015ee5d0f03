//! What both ends of a mapped channel do: take part, look after the other side, sleep and wake.

use super::error::OpenError;
use super::segment::Layout;
use super::sys::{self, Attached, Map, Role};
use super::wake::{self, Ringer, Watch};
use crate::ring::session::told::{Found, Stand, Told};
use crate::ring::session::{self, End, Session, is_set_up, observe};
pub(super) use crate::ring::session::{Peer, look_after};
use crate::sync::failpoint::point;
use crate::sync::position::Position;
use crate::sync::{AtomicU64, Ordering, fence};
use crate::wait::park_word::WordParkSlot;
use crate::wait::wait_policy::WaitPolicy;
use crate::wait::{CheckPhase, Deadline, TimedOut, WaitStrategy};
use core::cell::Cell;
use core::iter;
use core::time::Duration;
use rustix::thread::{MembarrierCommand, membarrier};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

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

    pub(super) fn asks(&mut self, look: CheckPhase) -> bool {
        let weight = match look {
            CheckPhase::AtFront => return false,
            CheckPhase::BeforeSleep => LOOKS_PER_CALL,
            CheckPhase::Yielded => LOOKS_PER_CALL / YIELDS_PER_CALL,
            CheckPhase::Polling => 1,
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
    ringer: Ringer,
    /// Who opened it: a forked child has no part in it.
    pid: u32,
    /// Where it is among the other side's sessions.
    pub(super) told: Told,
    /// 1 if this side fences after each publication, because it cannot be reached by `membarrier`.
    fences: u64,
    pub(super) waiter: WaitPolicy,
    /// Whether the other side knows that this one sleeps often, see `wait::parked`.
    settled: bool,
    /// Whether it was opened while its thread panicked: then a panic is no reason to give up.
    in_panic: bool,
}

/// What a side begins with.
pub(super) struct Beginning<'a> {
    pub(super) map: &'a Arc<Map>,
    pub(super) role: Role,
    /// Messages that were sent, or received, so far.
    pub(super) count: u64,
    /// Of a receiver: whose ends it tells, and whether also those that were over before it came.
    pub(super) taken: Option<u64>,
    pub(super) all: bool,
    pub(super) wait: WaitStrategy,
}

impl Side {
    /// Begins a session. `resume` is what the ring does about having been closed before.
    pub(super) fn begin(held: Attached, with: Beginning<'_>, resume: impl FnOnce()) -> Self {
        let Beginning { map, role, count, taken, all, wait } = with;
        let (own, peer) = sessions(map, role);
        let ringer = Ringer::new(held.path.clone(), map, role);
        let register = || membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        let pid = std::process::id();
        let registered = own.begin(count, pid, now, register, resume, sys::wake);
        let told = Told::new(peer, taken, count, all, || held.peer_holds());
        let (waiter, in_panic) = (WaitPolicy::new(wait), std::thread::panicking());
        Self { held, ringer, pid, told, fences: u64::from(!registered), waiter, settled: false, in_panic }
    }

    /// Ends the session: in order unless this thread panics, or as `how` says.
    pub(super) fn end(&self, own: &Session, how: Option<End>) {
        let panics = !self.in_panic && std::thread::panicking();
        own.end(how.unwrap_or(if panics { End::GivenUp } else { End::Left }));
    }

    /// Whether this process is the one that opened the side.
    pub(super) fn is_ours(&self) -> bool {
        self.pid == std::process::id()
    }

    /// To be called after each publication of a position: whether the other side may sleep. Then [`Side::wake`] is to be called.
    #[inline(always)]
    pub(super) fn calls(&self, peer: &Session) -> bool {
        peer.parked.0.should_wake(self.fences)
    }

    /// Wakes the other side if it waits for one of the `n` places before `to`, which were just published. Whether it did.
    pub(super) fn wake(&self, peer: &Session, word: &AtomicU64, to: Position, n: u64) -> bool {
        let wakes = peer.parked.0.is_awaited(to.count().wrapping_sub(n), n);
        // One that sleeps by its event count sleeps nowhere else.
        if wakes && !self.ringer.ring(peer) {
            point!();
            sys::wake(word);
            point!();
        }
        wakes
    }

    /// To be called after this side has closed: wakes the other whatever it waits for.
    pub(super) fn closed(&self, peer: &Session, word: &AtomicU64) {
        fence(Ordering::SeqCst);
        if peer.parked.0.should_wake(0) {
            sys::wake(word);
            self.ringer.ring(peer);
        }
    }

    /// What the kernel and the words say of the other side.
    pub(super) fn peer_state(&self, peer: &Session) -> Peer {
        if self.held.is_removed() {
            return Peer::Removed;
        }
        self.told.look_after(peer, || self.held.peer_holds()).0
    }

    /// Asks the kernel: whether the session of the other side that this one is in has ended, or the file is gone. `is_ready` looks again. Words
    /// that went back are found here, too: the ring may say nothing of them.
    pub(super) fn ask(&self, peer: &Session, is_ready: impl FnOnce(&Told) -> bool) -> Option<Waited> {
        if self.told.stand(peer) == Stand::Impossible {
            return Some(Waited::Impossible);
        }
        match self.told.end_by(peer, || self.held.peer_holds(), || is_ready(&self.told)) {
            Found::Over(end) => Some(Waited::Over(end)),
            Found::Message => Some(Waited::Ready),
            Found::Nothing | Found::Impossible => self.held.is_removed().then_some(Waited::Removed),
        }
    }

    /// The event count that this side waits for in a reactor, as `role` of `lane`.
    pub(super) fn watch(&self, role: Role, lane: u32) -> io::Result<Watch> {
        wake::check(self.pid)?;
        Watch::new(self.held.path.as_deref(), role, lane)
    }

    /// Waits until `ready` is true, or as `sleep` says, or the kernel says that the other side or the file is gone. `word` is the position that it
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
        sleep: Sleep<'_>,
        mut ready: impl FnMut(&Told) -> Option<u64>,
        parks: impl Fn(),
    ) -> Waited {
        let (mut waiter, mut settled) = (core::mem::take(&mut self.waiter), self.settled);
        let (expected, mut asks) = (Cell::new(0), Asks::default());
        let look = |look| {
            expected.set(match ready(&self.told) {
                None => return Some(Waited::Ready),
                Some(expected) => expected,
            });
            if asks.asks(look) && sleep.asks() { self.ask(peer, |told| ready(told).is_none()) } else { None }
        };
        let mut sleeps = false;
        let nap = |reached, limit| {
            // Before the sleep: an onlooker sees by it that this side is asleep.
            if !core::mem::replace(&mut sleeps, true) {
                parks();
            }
            match sleep {
                Sleep::Here(_) => sys::sleep_on(word, expected.get(), shortest(reached, limit)),
                Sleep::Elsewhere(watch) => watch.begin(shortest(reached, limit), iter::once(is_mute(peer))),
            }
        };
        let parked = [(&own.parked.0, awaited.count())];
        let barrier = || peer.barrier(membarrier_all);
        let bed = WordParkSlot::new(&parked, &mut settled, barrier, nap, |core| own.waits_on(core, peer));
        let waited = sleep.wait(&mut waiter, bed, passed.count(), look);
        (self.waiter, self.settled) = (waiter, settled);
        match waited {
            Ok(Some(waited)) => waited,
            Ok(None) => Waited::Armed,
            Err(_) if asks.asked() => Waited::TimedOut,
            Err(_) => self.ask(peer, |told| ready(told).is_none()).unwrap_or(Waited::TimedOut),
        }
    }

    /// Whether the file is gone.
    pub(super) fn is_removed(&self) -> bool {
        self.held.is_removed()
    }

    /// See [`is_set_up`].
    pub(super) fn is_set_up(&self, peer: &Session) -> Result<(), u64> {
        is_set_up(peer, || self.held.peer_holds())
    }

    /// Waits until somebody has the other side.
    pub(super) fn wait_for_peer(&mut self, peer: &Session, deadline: Deadline) -> bool {
        loop {
            // Before the look: who came before the file went is found.
            let removed = self.held.is_removed();
            let Err(epoch) = self.is_set_up(peer) else { return true };
            if deadline.passed() || removed {
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

/// Whether the other side cannot reach this one's event.
pub(super) fn is_mute(peer: &Session) -> bool {
    observe(&peer.mute, Ordering::Relaxed) != 0
}

/// Where a side sleeps.
#[derive(Clone, Copy)]
pub(super) enum Sleep<'a> {
    /// In the wait, until the deadline.
    Here(Deadline),
    /// In a reactor, which the wait prepares.
    Elsewhere(&'a Watch),
}

impl Sleep<'_> {
    /// Whether the kernel is to be asked before it: not if that was before the last one, whose timer still runs.
    pub(super) fn asks(self) -> bool {
        match self {
            Self::Here(_) => true,
            Self::Elsewhere(watch) => !watch.runs(),
        }
    }

    /// Waits in `bed`; `None` if the sleep is prepared.
    pub(super) fn wait<R, B, N, S>(
        self,
        waiter: &mut WaitPolicy,
        bed: WordParkSlot<'_, B, N, S>,
        passed: u64,
        look: impl FnMut(CheckPhase) -> Option<R>,
    ) -> Result<Option<R>, TimedOut>
    where
        B: FnMut() -> bool,
        N: FnMut(bool, Option<Duration>),
        S: FnMut(usize) -> bool,
    {
        let mut bed = bed.by_descriptor(matches!(self, Self::Elsewhere(_)));
        match self {
            Self::Here(deadline) => waiter.wait(&mut bed, deadline, passed, look).map(Some),
            Self::Elsewhere(_) => Ok(waiter.arm(&mut bed, passed, look)),
        }
    }
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
    /// The sleep is prepared.
    Armed,
    /// The session that this side is in is over, and it ended so.
    Over(End),
    /// The file is gone.
    Removed,
    /// The other side's words say what cannot be.
    Impossible,
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
    let too_far = [&of.begun, &of.epoch, &of.taken].iter().any(|n| observe(n, Ordering::Relaxed) > session::MOST);
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
