//! What both ends of a mapped channel do: take part, look after the other side, sleep and wake.

use crate::shm::error::OpenError;
use crate::shm::peer::Role;
use crate::shm::peer::reported_ends::{Found, ReportedEnds, Stand};
pub(crate) use crate::shm::peer::session::Peer;
use crate::shm::peer::session::{self, End, Session, is_set_up, observe};
use crate::shm::ring::attach::Attached;
use crate::shm::segment::layout::Layout;
use crate::shm::segment::locks::LockRange;
use crate::shm::segment::map::Map;
use crate::shm::wait::wake_fd::{PeerNotifier, Watch};
use crate::shm::wait::{LIVENESS_INTERVAL, LivenessChecks, Sleep, Waited, shortest};
use crate::shm::wait::{futex, wake_fd};
use crate::sync::failpoint::point;
use crate::sync::order::order;
use crate::sync::position::Position;
use crate::sync::{AtomicU64, Ordering, fence};
use crate::wait::park_word::WordParkSlot;
use crate::wait::wait_policy::WaitPolicy;
use crate::wait::{Deadline, WaitStrategy};
use core::cell::Cell;
use core::iter;
use rustix::thread::{MembarrierCommand, membarrier};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

/// One end's part in the channel.
#[derive(Debug)]
pub(crate) struct Attachment {
    held: Attached,
    notifier: PeerNotifier,
    /// Who opened it: a forked child has no part in it.
    pid: u32,
    /// Where it is among the other side's sessions.
    pub(crate) reported: ReportedEnds,
    /// 1 if this side fences after each publication, because it cannot be reached by `membarrier`.
    fences: u64,
    pub(crate) waiter: WaitPolicy,
    /// Whether the other side knows that this one sleeps often, see `wait::parked`.
    settled: bool,
    /// Of a broadcast's receiver: its seat.
    seat: Option<u32>,
    /// Whether it was opened while its thread panicked: then a panic is no reason to give up.
    in_panic: bool,
}

/// What a side begins with.
pub(crate) struct Beginning<'a> {
    pub(crate) map: &'a Arc<Map>,
    pub(crate) role: Role,
    /// Messages that were sent, or received, so far.
    pub(crate) count: u64,
    /// Of a receiver: whose ends it tells, and whether also those that were over before it came.
    pub(crate) taken: Option<u64>,
    pub(crate) all: bool,
    pub(crate) seat: Option<u32>,
    pub(crate) wait: WaitStrategy,
}

impl Attachment {
    /// Begins a session. `resume` is what the ring does about having been closed before; it says how many messages were sent, or received, by then.
    pub(crate) fn begin(held: Attached, with: Beginning<'_>, resume: impl FnOnce() -> u64) -> Self {
        let Beginning { map, role, count, taken, all, seat, wait } = with;
        let (own, peer) = sessions(map, role);
        let notifier = PeerNotifier::new(held.path.clone(), map, role, 0);
        let register = || membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        let pid = std::process::id();
        let mut resumed = count;
        let registered = own.begin(count, pid, now, register, || resumed = resume(), futex::wake);
        let reported = ReportedEnds::new(peer, taken, resumed, all, || held.peer_holds());
        let (waiter, in_panic) = (WaitPolicy::new(wait), std::thread::panicking());
        Self { held, notifier, pid, reported, fences: u64::from(!registered), waiter, settled: false, seat, in_panic }
    }

    /// Ends the session: in order unless this thread panics, or as `how` says.
    pub(crate) fn end(&self, own: &Session, how: Option<End>) {
        let panics = !self.in_panic && std::thread::panicking();
        own.end(how.unwrap_or(if panics { End::GivenUp } else { End::Left }));
    }

    /// Whether this process is the one that opened the side.
    pub(crate) fn is_ours(&self) -> bool {
        self.pid == std::process::id()
    }

    /// To be called after each publication of a position: whether the other side may sleep. Then [`Attachment::wake`] is to be called.
    #[inline(always)]
    pub(crate) fn should_wake(&self, peer: &Session) -> bool {
        peer.parked.0.should_wake(self.fences)
    }

    /// Wakes the other side if it waits for one of the `n` places before `to`, which were just published. Whether it did.
    pub(crate) fn wake(&self, peer: &Session, word: &AtomicU64, to: Position, n: u64) -> bool {
        let wakes = peer.parked.0.is_awaited(to.count().wrapping_sub(n), n);
        // One that sleeps by its event count sleeps nowhere else.
        if wakes && !self.notifier.notify(peer) {
            point!();
            futex::wake(word);
            point!();
        }
        wakes
    }

    /// The same of one of many other sides, which a wake of the word in common is to follow: rings if it sleeps by its descriptor.
    pub(crate) fn closed_to(&self, peer: &Session, notifier: &PeerNotifier) {
        fence(Ordering::SeqCst);
        if peer.parked.0.should_wake(0) {
            notifier.notify(peer);
        }
    }

    /// Whether the other sides know that this one sleeps often, and what is to be kept of that.
    pub(crate) fn settled(&mut self) -> &mut bool {
        &mut self.settled
    }

    /// To be called after this side has closed: wakes the other side from every wait.
    pub(crate) fn rouse(&self, peer: &Session, word: &AtomicU64) {
        fence(Ordering::SeqCst);
        if peer.parked.0.should_wake(0) {
            futex::wake(word);
            self.notifier.notify(peer);
        }
    }

    /// Gives the lock back. To be called once the session has ended, where this side reads and writes nothing more.
    pub(crate) fn give_lock(&self) {
        self.held.give();
    }

    /// What the kernel and the words say of the other side.
    pub(crate) fn peer_state(&self, peer: &Session) -> Peer {
        if self.held.is_removed() {
            return Peer::Removed;
        }
        self.reported.look_after(peer, || self.held.peer_holds()).0
    }

    /// LivenessChecks the kernel: whether the session of the other side that this one is in has ended, or the file is gone. `is_ready` looks again. Words
    /// that went back are found here, too: the ring may say nothing of them.
    pub(crate) fn ask(&self, peer: &Session, is_ready: impl FnOnce(&ReportedEnds) -> bool) -> Option<Waited> {
        if self.reported.stand(peer) == Stand::Impossible {
            return Some(Waited::Impossible);
        }
        match self.reported.end_by(peer, || self.held.peer_holds(), || is_ready(&self.reported)) {
            Found::Over(end) => Some(Waited::Over(end)),
            Found::Message => Some(Waited::Ready),
            Found::Nothing | Found::Impossible => self.held.is_removed().then_some(Waited::Removed),
        }
    }

    /// The event count that this side waits for in a reactor, as `role` of `lane`.
    pub(crate) fn watch(&self, role: Role, lane: u32) -> io::Result<Watch> {
        wake_fd::check(self.pid)?;
        Watch::new(self.held.path.as_deref(), role, lane)
    }

    /// Waits until `ready` is true, or as `sleep` says, or the kernel says that the other side or the file is gone. `word` is the position that it
    /// moves, `awaited` the one that it must pass, `passed` how far this side has come; while there is nothing `ready` tells what `word` holds.
    /// `parks` is called before the first sleep.
    #[cold]
    #[allow(clippy::too_many_arguments, reason = "each is one word of the protocol")]
    pub(crate) fn block(
        &mut self,
        own: &Session,
        peer: &Session,
        word: &AtomicU64,
        awaited: Position,
        passed: Position,
        sleep: Sleep<'_>,
        mut ready: impl FnMut(&ReportedEnds) -> Option<u64>,
        parks: impl Fn(),
    ) -> Waited {
        let (mut waiter, mut settled) = (core::mem::take(&mut self.waiter), self.settled);
        let (expected, mut asks) = (Cell::new(0), LivenessChecks::default());
        let seat = self.seat;
        let look = |look| {
            expected.set(match ready(&self.reported) {
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
                Sleep::Here(_) => futex::sleep_on(word, expected.get(), shortest(reached, limit)),
                Sleep::Elsewhere(watch) => {
                    watch.begin(shortest(reached, limit), iter::once(is_mute(peer, seat.unwrap_or(0))));
                }
            }
        };
        let parked = [(&own.parked.0, awaited.count())];
        // A sender that does not look at this seat yet does so for each publication behind what is seen once it says so.
        let is_covered = || seat.is_none_or(|seat| observe(&peer.covers, order!(see_session)) > u64::from(seat));
        let barrier = || peer.barrier(membarrier_all) && is_covered();
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

    /// Whether these roles are held, one of them at least.
    pub(crate) fn is_held(&self, seats: LockRange) -> bool {
        self.held.is_held(seats)
    }

    /// To be called after each publication of a position, by a side that is looked for: 1 if it fences, because it cannot be reached.
    #[inline(always)]
    pub(crate) fn fences(&self) -> u64 {
        self.fences
    }

    /// Whether the file is gone.
    pub(crate) fn is_removed(&self) -> bool {
        self.held.is_removed()
    }

    /// See [`is_set_up`].
    pub(crate) fn is_set_up(&self, peer: &Session) -> Result<(), u64> {
        is_set_up(peer, || self.held.peer_holds())
    }

    /// Waits until a process has the other side.
    pub(crate) fn wait_for_peer(&mut self, peer: &Session, deadline: Deadline) -> bool {
        loop {
            // Before the look: who came before the file went is found.
            let removed = self.held.is_removed();
            let Err(epoch) = self.is_set_up(peer) else { return true };
            if deadline.passed() || removed {
                return false;
            }
            let nap = deadline.left().map_or(LIVENESS_INTERVAL, |left| left.min(LIVENESS_INTERVAL));
            futex::sleep_on(&peer.epoch, epoch, nap);
        }
    }
}

/// Makes all that run, and are registered, pass a barrier. Whether it did.
pub(crate) fn membarrier_all() -> bool {
    membarrier(MembarrierCommand::GlobalExpedited).is_ok()
}

/// Whether the other side cannot reach this one's event; `seat` is 0 but of a broadcast's receiver.
pub(crate) fn is_mute(peer: &Session, seat: u32) -> bool {
    observe(&peer.mute, Ordering::Relaxed) >> seat & 1 != 0
}

/// Checks the positions and counts of a segment that a new side takes over.
pub(crate) fn check_words(map: &Map, layout: &Layout) -> Result<(), OpenError> {
    let tail = Position::from_word(map.producer().block.tail.load(Ordering::Relaxed));
    let head = Position::from_word(map.consumer().block.head.load(Ordering::Relaxed));
    check_counts(&map.producer().session)?;
    check_counts(&map.consumer().session)?;
    if layout.kind.is_broadcast() && map.consumer_is_free() {
        // Its next holder begins elsewhere.
        return Ok(());
    }
    if tail.since(head) > layout.capacity { Err(OpenError::Corrupted) } else { Ok(()) }
}

/// Where the sender of records is, and how many there were by then; `None` if it noted nothing for that position.
pub(crate) fn records(map: &Map) -> Option<(Position, u64)> {
    let page = map.producer();
    let tail = Position::from_word(page.block.tail.load(Ordering::Relaxed));
    let mark = page.marks.0.iter().find(|mark| mark.tail.load(Ordering::Relaxed) == tail.open_word())?;
    Some((tail, mark.records.load(Ordering::Relaxed)))
}

/// Checks the counts of a side's sessions.
pub(crate) fn check_counts(of: &Session) -> Result<(), OpenError> {
    let too_far = [&of.begun, &of.epoch, &of.taken].iter().any(|n| observe(n, Ordering::Relaxed) > session::MOST);
    if too_far { Err(OpenError::Corrupted) } else { Ok(()) }
}

/// The words of `role`, and of the other.
pub(crate) fn sessions(map: &Arc<Map>, role: Role) -> (&Session, &Session) {
    let (sender, receiver) = (&map.producer().session, &map.consumer().session);
    match role {
        Role::Sender => (sender, receiver),
        Role::Receiver => (receiver, sender),
    }
}
