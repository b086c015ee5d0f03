//! Who holds a side of a mapped channel, and who did: words that each side writes of itself and the other one reads.
//!
//! A side is held by whoever has the kernel's lock for it. These words say what the lock does not: how often the side was taken, and how
//! each holder ended. They never say that somebody is there: only the kernel does.
//!
//! ```text
//!   taken ── died? ── begun ── (ring resumes) ── epoch ── … ── left ── (ring closes) ── given back
//!              │        │                          │            │
//!              │        └ session n is being set up└ it is      └ it ended in order; without this it died
//!              └ session n - 1 did not leave
//! ```
//!
//! **What is asked of the kernel.** Whoever gets the lock has seen all that its last holder did, killed or not. Whoever is told that nobody
//! has it has seen all that the holder did whose going made it so; the answer may be old, but not older than what the asker has seen
//! already. An answer that somebody has it orders nothing. (Linux keeps both: taking, giving back, losing by death and asking all pass
//! one spin lock, that of the file's locks, while the asker itself has a lock on the file.)
//!
//! Under loom the models run this file, with a lock of their own: see `loom-tests`, `session`.

// Under loom the models of another crate use it.
#![cfg_attr(not(ringmail_loom), allow(unreachable_pub))]

use super::failpoint::point;
use super::layout::Line;
use super::order::{self, mutant};
use crate::sync::{AtomicU64, Ordering, fence};
use crate::wait::Parked;
use core::cell::Cell;

/// Who holds a role now, and who did. Written by the holder of the role only. All zero before the first.
#[repr(C, align(128))]
#[cfg_attr(ringmail_loom, allow(missing_debug_implementations))]
pub struct Session {
    /// The session that is being set up; ahead of `epoch` where its holder died before it was.
    pub(crate) begun: AtomicU64,
    /// Sessions so far; the last is the current one.
    pub(crate) epoch: AtomicU64,
    /// The last session that ended in order.
    pub(crate) left: AtomicU64,
    /// The last session that ended otherwise, once another has begun.
    pub(crate) died: AtomicU64,
    /// 1 if the holder executes no fence after it publishes: whoever sleeps calls `membarrier`.
    pub(crate) unfenced: AtomicU64,
    /// Messages that were sent before this session.
    pub(crate) start: AtomicU64,
    /// For people to read; nothing depends on it.
    pub(crate) pid: AtomicU64,
    /// The core that the holder waited on last, and 1 more: a hint for the other side's yields. 0 before it waits.
    pub(crate) core: AtomicU64,
    /// Whether the holder sleeps, or is about to. On a line of its own: the other side reads it after each message.
    pub(crate) parked: Line<Parked>,
}

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

/// What came of a look at a side that may be gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Gone {
    /// It is, but there is something to do first: what it did last.
    Ready,
    /// It closed.
    Left,
    /// This session of it ended without closing. Told now.
    Died(u64),
}

/// Reads a word of the other side's: of memory that is mapped for reading only, relaxed loads alone are promised to work.
#[inline(always)]
pub(crate) fn observe(word: &AtomicU64, order: Ordering) -> u64 {
    let value = word.load(Ordering::Relaxed);
    if order != Ordering::Relaxed {
        fence(order);
    }
    value
}

impl Session {
    /// Of a side that nobody ever had.
    #[cfg(ringmail_loom)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        let (begun, epoch, left, died, unfenced, start) = (zero(), zero(), zero(), zero(), zero(), zero());
        Self { begun, epoch, left, died, unfenced, start, pid: zero(), core: zero(), parked: Line(Parked::new()) }
    }

    /// Where its holder sleeps.
    #[cfg(ringmail_loom)]
    pub fn parked(&self) -> &Parked {
        &self.parked.0
    }

    /// The last session, also one that is being set up; 0 before the first.
    pub fn last(&self) -> u64 {
        let begun = observe(&self.begun, order::see_session());
        begun.max(observe(&self.epoch, order::see_session()))
    }

    /// Whether there was one, and the last one ended in order.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn has_left(&self) -> bool {
        let last = self.last();
        last != 0 && observe(&self.left, order::see_left()) >= last
    }

    /// How many messages were sent in `session`, which is over, and before it; `end` is where the ring ended when it was looked at after that.
    /// `None` if two have been set up since.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn sent_until(&self, session: u64, end: u64) -> Option<u64> {
        let epoch = observe(&self.epoch, order::see_session());
        if epoch <= session {
            // The next one publishes nothing before it is set up, and whoever had seen a message of it would see that it is.
            return Some(end);
        }
        let start = observe(&self.start, Ordering::Acquire);
        // Partner: the fence in `begin`: had the next session stored its own start, it would be seen to have begun.
        (epoch == session.wrapping_add(1) && self.begun.load(Ordering::Relaxed) == epoch).then_some(start)
    }

    /// The first step of whoever has just got the lock: says whether the last session died, and that the next begins. Which one that is.
    pub fn take_over(&self) -> u64 {
        // The lock is ours, so all that the last holder stored is there.
        let last = self.last();
        if self.left.load(Ordering::Relaxed) < last {
            point!();
            self.died.store(last, order::tell_death());
        }
        // `check_words` has seen that there is room to count on; should somebody write there since, it wraps.
        let epoch = last.wrapping_add(1);
        point!();
        self.begun.store(epoch, order::begin_session());
        epoch
    }

    /// Begins a session. `register` says whether `membarrier` will reach this process, `resume` is what the ring does about having been closed
    /// before, `wake` ends the sleep of whoever waits for `epoch`. What `register` said.
    pub fn begin(
        &self,
        pid: u32,
        register: impl FnOnce() -> bool,
        resume: impl FnOnce(),
        wake: impl FnOnce(&AtomicU64),
    ) -> bool {
        let epoch = self.take_over();
        point!();
        self.parked.0.clear();
        point!();
        let registered = register();
        self.unfenced.store(registered.into(), Ordering::Relaxed);
        point!();
        // Partner: the first fence of `barrier`. Whoever did not see that word yet is seen to sleep by us.
        if !mutant!(BeginFence) {
            fence(Ordering::SeqCst);
        }
        self.pid.store(pid.into(), Ordering::Relaxed);
        self.core.store(0, Ordering::Relaxed);
        point!();
        resume();
        point!();
        self.epoch.store(epoch, order::set_up());
        point!();
        wake(&self.epoch);
        point!();
        registered
    }

    /// Ends the session in order, before the ring closes.
    pub fn end(&self) {
        point!();
        // Partner: `see_left`, with the fence in `begin`: whoever sees this sees that the session had begun.
        self.left.store(self.epoch.load(Ordering::Relaxed), Ordering::Relaxed);
        point!();
    }

    /// Notes that the holder waits on `core`; whether `peer` waited there last.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn waits_on(&self, core: usize, peer: &Self) -> bool {
        let core = core as u64 + 1;
        self.core.store(core, Ordering::Relaxed);
        peer.core.load(Ordering::Relaxed) == core
    }

    /// For the other side, between the announcement of a sleep and the look before it; this side has the same between a publication
    /// and its look. `membarrier` makes all that run and are registered pass a barrier. Whether this side could be reached.
    pub fn barrier(&self, membarrier: impl FnOnce() -> bool) -> bool {
        // One that begins meanwhile, and fences no more, has fenced after it said so: hence the fence before we ask.
        if !mutant!(AskFence) {
            fence(Ordering::SeqCst);
        }
        let unfenced = self.unfenced.load(Ordering::Relaxed) != 0;
        let reached = !unfenced || membarrier();
        fence(Ordering::SeqCst);
        reached
    }
}

/// What became of the side that has the words `of`, and in which session; `is_held` asks the kernel whether somebody has it.
pub fn look_after(of: &Session, is_held: impl FnOnce() -> bool) -> (Peer, u64) {
    // The words on both sides of the question: else a session that begins just after it would pass for one without a holder, and
    // one that ends just before it for one that did not close.
    let mut session = of.last();
    if is_held() {
        return (Peer::Here, session);
    }
    if mutant!(SessionFirst) {
        session = of.last();
    }
    point!();
    let left = observe(&of.left, order::see_left());
    let state = match of.last() {
        now if now != session => Peer::Here,
        0 => Peer::Never,
        _ if left >= session => Peer::Left,
        _ => Peer::Died,
    };
    (state, session)
}

/// Whether somebody has the side that has the words `of`, and the ring is as its session left it set up: not as one that has gone did.
/// Else what its `epoch` holds meanwhile.
pub fn is_set_up(of: &Session, is_held: impl FnOnce() -> bool) -> Result<(), u64> {
    let epoch = observe(&of.epoch, order::see_session());
    // Somebody may have the lock and not have come so far: then the last one's words are still there.
    let is_open = epoch != 0 && epoch == of.last() && observe(&of.left, order::see_left()) < epoch;
    if is_open && is_held() { Ok(()) } else { Err(epoch) }
}

/// What one side knows of the other's sessions.
#[derive(Debug)]
pub struct Told {
    /// The last one whose death has been told, or need not be: it was over when this side was opened.
    death: Cell<u64>,
    /// Whether there was ever one: the words cannot take that back.
    met: Cell<bool>,
}

impl Told {
    /// Nothing was told of `peer` yet.
    pub fn new(peer: &Session) -> Self {
        let last = peer.last();
        Self { death: Cell::new(last.saturating_sub(1)), met: Cell::new(last != 0) }
    }

    /// As the function of that name; a side that was seen before has not never been there, whatever its words say now.
    pub fn look_after(&self, peer: &Session, is_held: impl FnOnce() -> bool) -> (Peer, u64) {
        let (state, session) = look_after(peer, is_held);
        // Not by the lock alone: somebody who fails to open it, or removes the segment, has that for a moment.
        self.met.set(self.met.get() || session != 0);
        (if state == Peer::Never && self.met.get() { Peer::Died } else { state }, session)
    }

    /// The last session of the other side that died, if another has begun since and nobody has been told. To be told where nothing
    /// else is to be done, see [`Told::tell`].
    #[inline(always)]
    pub fn news(&self, peer: &Session) -> Option<u64> {
        let died = observe(&peer.died, order::hear_death());
        (died > self.death.get()).then_some(died)
    }

    /// The last session whose death has been told, or need not be.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn last(&self) -> u64 {
        self.death.get()
    }

    /// Whether there was ever one, as far as was seen.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn met(&self) -> bool {
        self.met.get()
    }

    /// Notes that the death of `session` is told now.
    pub fn tell(&self, session: u64) {
        self.death.set(self.death.get().max(session));
    }

    /// Why a look at the ring found nothing to do: [`Gone::Died`] or [`Gone::Left`], or `None` if there will be. `over` is whether the look found
    /// it closed; `is_ready` looks again.
    pub fn nothing(&self, peer: &Session, over: bool, is_ready: impl FnOnce() -> bool) -> Option<Gone> {
        let Some(session) = self.news(peer) else { return over.then_some(Gone::Left) };
        // The ring again, now that the end is known: what was done before it is then not missed.
        if !mutant!(NewsFirst) && is_ready() {
            return None;
        }
        self.tell(session);
        Some(Gone::Died(session))
    }

    /// Whether the other side was there once and is not now; then why not, or that there is something after all: what it did last is
    /// seen before it is called gone.
    pub fn look_for_end(
        &self,
        peer: &Session,
        is_held: impl FnOnce() -> bool,
        is_ready: impl FnOnce() -> bool,
    ) -> Option<Gone> {
        let gone = match self.look_after(peer, is_held) {
            (Peer::Left, _) => Gone::Left,
            (Peer::Died, session) => Gone::Died(session),
            _ => return None,
        };
        if !mutant!(LookAtLast) && is_ready() {
            return Some(Gone::Ready);
        }
        if let Gone::Died(session) = gone {
            self.tell(session);
        }
        Some(gone)
    }
}
