//! Sessions: which process holds a side of a mapped channel, and which ones did. Each side writes words about itself, and the other side reads them.
//!
//! The process that has the kernel's lock for a side holds it: that is one session. The words say what the lock does not: how often the side was
//! taken, where each session began in the order of messages, and how it ended. They never say that a holder is alive: only the kernel does.
//!
//! ```text
//!   entry of n - 1: died?   entry of n ── begun ── (ring resumes) ── epoch ── … ── entry: how it ended ── (ring closes) ── given back
//!     │                                     │                          │             │
//!     └ no end was written                  └ session n is being set up└ it is       └ by its holder; without this it died
//! ```
//!
//! **The table.** Each of the last [`KEPT`] sessions has an entry; a later session's entry replaces an earlier one's. The holder writes the entry of
//! its session. If it died, the next holder enters the death, which the lock has proven. A reader that finds a later session's number in an entry
//! has come too late: it learns how many sessions it knows nothing of.
//!
//! **The reader.** Each side goes through the other's sessions in their order ([`ReportedEnds`]). A receiver reports the end of a session before it takes a
//! message of the next one. The messages of a session end where the next session begins.
//!
//! **What is asked of the kernel.** A process that gets the lock has seen all that the last holder did, killed or not. A process to which the kernel
//! answers "not held" has seen all that the last holder did; the answer may be old, but not older than what the asker has seen
//! already. The answer "held" orders nothing. (Linux guarantees both: taking, giving back, losing by death and asking all pass
//! one spin lock, that of the file's locks, while the asker itself has a lock on the file.)
//!
//! Under loom the models run this file, with a lock of their own: see `loom-tests`, `session`.

// Under loom the models of another crate use it.
#![cfg_attr(not(ringmail_loom), allow(unreachable_pub))]

use crate::ring::layout::Line;
use crate::sync::failpoint::point;
use crate::sync::order::{mutant, order};
use crate::sync::{AtomicU64, Ordering, fence};
use crate::wait::park_word::ParkWord;

/// Sessions that the table keeps.
#[cfg(not(ringmail_loom))]
pub(crate) const KEPT: u64 = 64;
/// Few enough for the models to come round.
#[cfg(ringmail_loom)]
pub(crate) const KEPT: u64 = 2;

/// Who holds a role now, and who did. Written by the holder of the role only. All zero before the first.
#[repr(C, align(128))]
#[cfg_attr(ringmail_loom, allow(missing_debug_implementations))]
pub struct Session {
    /// The session that is being set up; ahead of `epoch` where its holder died before it was.
    pub(crate) begun: AtomicU64,
    /// Sessions so far; the last is the current one.
    pub(crate) epoch: AtomicU64,
    /// 1 if the holder executes no fence after it publishes: then the other side calls `membarrier` before it sleeps.
    pub(crate) unfenced: AtomicU64,
    /// The core that the holder waited on last, and 1 more: a hint for the other side's yields. 0 before it waits.
    pub(crate) core: AtomicU64,
    /// Of a receiver: sessions of the sender whose end has been told, under all who had this side.
    pub(crate) taken: AtomicU64,
    /// By which number the holder's event count is known, see `shm::wait::wake_fd`; 0 before it has one.
    pub(crate) event: AtomicU64,
    /// Whether the holder could not reach the other side's event count: that one had better look by itself. Bit 0; of a broadcast's sender a bit for each seat.
    pub(crate) mute: AtomicU64,
    /// Of a broadcast's sender: at so many seats, from the first on, it looks for sleepers after it publishes. It never becomes less.
    pub(crate) covers: AtomicU64,
    /// Whether the holder sleeps, or is about to. On a line of its own: the other side reads it after each message.
    pub(crate) parked: Line<ParkWord>,
    /// The last sessions.
    table: [Entry; KEPT as usize],
}

/// What is kept of a session.
#[repr(C)]
struct Entry {
    /// Its number and how it ended, see [`mark`]; another number while the rest is being written.
    end: AtomicU64,
    /// Messages that were sent, or received, before it.
    start: AtomicU64,
    /// For people to read; nothing depends on it.
    pid: AtomicU64,
    /// When it began, in nanoseconds since 1970; for people, and to tell which of two lanes' sessions is older.
    began: AtomicU64,
}

/// What the table says of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// Messages that were sent, or received, before it.
    pub start: u64,
    /// The process that says of itself that it is its holder.
    pub pid: u64,
    /// When it began, in nanoseconds since 1970.
    pub began: u64,
    /// How it ended; `None` if no end was written.
    pub end: Option<End>,
}

/// How a session ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum End {
    /// Its holder closed in order.
    Left,
    /// Its holder gave up: by a panic, or because it said so.
    GivenUp,
    /// Its holder's process ended without a word.
    Died,
    /// Of so many sessions the table knows nothing more.
    Forgotten(u64),
}

/// No count of sessions comes so far.
pub(crate) const MOST: u64 = (1 << 62) - 1;

const OPEN: u64 = 0;
const LEFT: u64 = 1;
const GIVEN_UP: u64 = 2;
const DIED: u64 = 3;
/// Bits of [`Entry::end`] below the number.
const HOW: u32 = 8;

/// The word of an entry.
const fn mark(session: u64, how: u64) -> u64 {
    session << HOW | how
}

/// What is known of the other side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Peer {
    /// It was never opened.
    Never,
    /// It is held.
    Here,
    /// Its last holder closed it.
    Left,
    /// Its last holder gave up: by a panic, or by a call.
    GivenUp,
    /// Its last holder ended without closing.
    Died,
    /// The file of the channel is gone: its name opens another channel. The state of the other side's holder means nothing any more.
    Removed,
}

/// Reads a word of the other side's: of memory that may be mapped for reading only, relaxed loads alone are promised to work.
#[inline(always)]
pub(crate) fn observe(word: &AtomicU64, order: Ordering) -> u64 {
    let value = word.load(Ordering::Relaxed);
    order_by_fence(order);
    value
}

/// A fence of that order; none for a mutant that leaves it out.
#[inline(always)]
fn order_by_fence(order: Ordering) {
    if order != Ordering::Relaxed {
        fence(order);
    }
}

impl Entry {
    /// For people: under loom left out, as nothing depends on them and each costs the search time.
    fn notes(&self) -> (u64, u64) {
        if cfg!(ringmail_loom) {
            return (0, 0);
        }
        (self.pid.load(Ordering::Relaxed), self.began.load(Ordering::Relaxed))
    }

    fn note(&self, pid: u64, now: u64) {
        if !cfg!(ringmail_loom) {
            self.pid.store(pid, Ordering::Relaxed);
            self.began.store(now, Ordering::Relaxed);
        }
    }

    #[cfg(ringmail_loom)]
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { end: zero(), start: zero(), pid: zero(), began: zero() }
    }
}

impl Session {
    /// Of a side that was never held.
    #[cfg(ringmail_loom)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        let (begun, epoch, unfenced, core, taken) = (zero(), zero(), zero(), zero(), zero());
        let (event, mute, covers) = (zero(), zero(), zero());
        let table = core::array::from_fn(|_| Entry::new());
        Self { begun, epoch, unfenced, core, taken, event, mute, covers, parked: Line(ParkWord::new()), table }
    }

    /// Where its holder sleeps.
    #[cfg(ringmail_loom)]
    pub fn parked(&self) -> &ParkWord {
        &self.parked.0
    }

    /// The last session, also one that is being set up; 0 before the first.
    pub fn last(&self) -> u64 {
        observe(&self.begun, order!(see_session))
    }

    /// How many ends receivers have told.
    #[cfg(ringmail_loom)]
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Hands out the word for it.
    #[cfg(ringmail_loom)]
    pub fn with_taken<R>(&self, f: impl FnOnce(&AtomicU64) -> R) -> R {
        f(&self.taken)
    }

    /// Says by which number the holder's event count is known, before it sleeps by that.
    pub fn name_descriptor(&self, number: u64) {
        self.event.store(number, Ordering::Relaxed);
        order_by_fence(order!(name_descriptor));
    }

    /// The event count to ring, for the other side that is about to wake this one; `None` if it sleeps otherwise.
    pub fn event(&self) -> Option<u64> {
        let is_by_descriptor = self.parked.0.is_by_descriptor();
        // A thread that sees the flag also sees the number.
        order_by_fence(order!(find_descriptor));
        is_by_descriptor.then(|| self.event.load(Ordering::Relaxed))
    }

    fn entry(&self, session: u64) -> &Entry {
        &self.table[(session % KEPT) as usize]
    }

    /// What the table says of a session that has begun; `None` if a later one has taken its place there.
    pub fn record(&self, session: u64) -> Option<Record> {
        let entry = self.entry(session);
        let end = observe(&entry.end, order!(read_entry));
        let start = entry.start.load(Ordering::Relaxed);
        let (pid, began) = entry.notes();
        // Partner: the fence of `take_over`. Had any of these been the next one's, its number would be seen now, or none.
        order_by_fence(order!(read_entry));
        let again = entry.end.load(Ordering::Relaxed);
        let is = |word: u64| word >> HOW == session & u64::MAX >> HOW;
        if session == 0 || !is(end) || !is(again) {
            return None;
        }
        let end = match end & ((1 << HOW) - 1) {
            LEFT => Some(End::Left),
            GIVEN_UP => Some(End::GivenUp),
            DIED => Some(End::Died),
            _ => None,
        };
        Some(Record { start, pid, began, end })
    }

    /// The first step of a process that has just got the lock: writes that the last session died, if it did, and that the next one begins, at
    /// `start`. Returns the number of that session.
    pub fn take_over(&self, start: u64, pid: u32, now: u64) -> u64 {
        // The lock is ours, so all that the last holder stored is there.
        let last = self.last();
        self.bury();
        // `check_words` has seen that there is room to count on. If another process has written there since, it wraps.
        let session = last.wrapping_add(1);
        let entry = self.entry(session);
        point!();
        entry.end.store(0, Ordering::Relaxed);
        point!();
        order_by_fence(order!(write_entry));
        entry.start.store(start, Ordering::Relaxed);
        entry.note(pid.into(), now);
        point!();
        entry.end.store(mark(session, OPEN), order!(write_entry));
        // A holder before may have written ahead: the session does not count as set up before it is.
        if self.epoch.load(Ordering::Relaxed) > last {
            self.epoch.store(last, Ordering::Relaxed);
        }
        point!();
        self.begun.store(session, order!(begin_session));
        session
    }

    /// Of a process that has got the lock and begins no session: writes that the last session died, if it did.
    pub fn bury(&self) {
        let last = self.last();
        if last != 0 && self.record(last).is_none_or(|record| record.end.is_none()) {
            point!();
            // A thread that sees this sees all that the session did: the lock has shown it to us.
            self.entry(last).end.store(mark(last, DIED), order!(write_entry));
        }
    }

    /// Begins a session of process `pid`, with `start` messages before it. `register` says whether `membarrier` will reach this process, `resume`
    /// is what the ring does about having been closed before, `wake` ends the sleep of a side that waits for `epoch`. Returns what `register` returned.
    pub fn begin(
        &self,
        start: u64,
        pid: u32,
        now: u64,
        register: impl FnOnce() -> bool,
        resume: impl FnOnce(),
        wake: impl FnOnce(&AtomicU64),
    ) -> bool {
        let session = self.take_over(start, pid, now);
        point!();
        self.parked.0.clear();
        point!();
        let registered = register();
        self.unfenced.store(registered.into(), Ordering::Relaxed);
        point!();
        // Partner: the first fence of `barrier`. If a sleeper did not see that word yet, we see that it sleeps.
        if !mutant!(BeginFence) {
            fence(Ordering::SeqCst);
        }
        self.core.store(0, Ordering::Relaxed);
        self.mute.store(0, Ordering::Relaxed);
        point!();
        resume();
        point!();
        // For a side that waits for it, `begun` orders what depends on the session. A broadcast's sender that sees this sees where the receiver begins.
        self.epoch.store(session, order!(begin_session));
        point!();
        wake(&self.epoch);
        point!();
        registered
    }

    /// Says how the session ends, before the ring closes.
    pub fn end(&self, how: End) {
        let session = self.begun.load(Ordering::Relaxed);
        let how = if how == End::Left { LEFT } else { GIVEN_UP };
        point!();
        // A thread that sees this sees all that the session did.
        self.entry(session).end.store(mark(session, how), order!(write_entry));
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

/// What became of the side that has the words `of`, and in which session; `is_held` asks the kernel whether it is held.
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
    let record = of.record(session);
    let state = match of.last() {
        now if now != session => Peer::Here,
        0 => Peer::Never,
        _ => match record.and_then(|record| record.end) {
            Some(End::Left) => Peer::Left,
            Some(End::GivenUp) => Peer::GivenUp,
            _ => Peer::Died,
        },
    };
    (state, session)
}

/// Whether the side that has the words `of` is held, and its holder has set the ring up. Else what its `epoch` holds meanwhile.
pub fn is_set_up(of: &Session, is_held: impl FnOnce() -> bool) -> Result<(), u64> {
    let epoch = observe(&of.epoch, order!(see_session));
    // A holder may have the lock and not have come so far: then the words of the last session are still there.
    let is_open = epoch != 0 && epoch == of.last() && of.record(epoch).is_some_and(|record| record.end.is_none());
    if is_open && is_held() { Ok(()) } else { Err(epoch) }
}
