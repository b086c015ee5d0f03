//! Sessions: who holds a side of a mapped channel, and who did. Words that each side writes of itself and the other one reads.
//!
//! A side is held by whoever has the kernel's lock for it: that is its session. The words say what the lock does not: how often the side was
//! taken, where each session began in the order of messages, and how it ended. They never say that somebody is there: only the kernel does.
//!
//! ```text
//!   entry of n - 1: died?   entry of n ── begun ── (ring resumes) ── epoch ── … ── entry: how it ended ── (ring closes) ── given back
//!     │                                     │                          │             │
//!     └ it did not say how it ended         └ session n is being set up└ it is       └ by its holder; without this it died
//! ```
//!
//! **The table.** The last [`KEPT`] sessions have an entry each, one written over the other in turn. Its holder writes a session's entry, and
//! whoever takes over from one that died enters the death, which the lock has proven. A reader that finds a later session's number has come
//! too late: it is told how many sessions it knows nothing of.
//!
//! **The reader.** Either side goes through the other's sessions in their order ([`Told`]). A receiver takes no message from behind the end of
//! the session that it is in before it has told that end. What a session sent ends where the next begins.
//!
//! **What is asked of the kernel.** Whoever gets the lock has seen all that its last holder did, killed or not. Whoever is told that nobody
//! has it has seen all that the holder did whose going made it so; the answer may be old, but not older than what the asker has seen
//! already. An answer that somebody has it orders nothing. (Linux keeps both: taking, giving back, losing by death and asking all pass
//! one spin lock, that of the file's locks, while the asker itself has a lock on the file.)
//!
//! Under loom the models run this file, with a lock of their own: see `loom-tests`, `session`.

// Under loom the models of another crate use it.
#![cfg_attr(not(ringmail_loom), allow(unreachable_pub))]

use super::cursor::Position;
use super::failpoint::point;
use super::layout::Line;
use super::order::{self, mutant};
use crate::sync::{AtomicU64, Ordering, fence};
use crate::wait::Parked;
use core::cell::Cell;

/// Sessions that the table keeps.
#[cfg(not(ringmail_loom))]
pub(crate) const KEPT: u64 = 64;
/// Few enough for the models to come round.
#[cfg(ringmail_loom)]
const KEPT: u64 = 2;

/// Who holds a role now, and who did. Written by the holder of the role only. All zero before the first.
#[repr(C, align(128))]
#[cfg_attr(ringmail_loom, allow(missing_debug_implementations))]
pub struct Session {
    /// The session that is being set up; ahead of `epoch` where its holder died before it was.
    pub(crate) begun: AtomicU64,
    /// Sessions so far; the last is the current one.
    pub(crate) epoch: AtomicU64,
    /// 1 if the holder executes no fence after it publishes: whoever sleeps calls `membarrier`.
    pub(crate) unfenced: AtomicU64,
    /// The core that the holder waited on last, and 1 more: a hint for the other side's yields. 0 before it waits.
    pub(crate) core: AtomicU64,
    /// Of a receiver: sessions of the sender whose end has been told, under all who had this side.
    pub(crate) taken: AtomicU64,
    /// Whether the holder sleeps, or is about to. On a line of its own: the other side reads it after each message.
    pub(crate) parked: Line<Parked>,
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
    /// How it ended; `None` if nobody has said so.
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
    /// Nobody has ever opened it.
    Never,
    /// Somebody has it.
    Here,
    /// Whoever had it has closed it.
    Left,
    /// Whoever had it gave up: by a panic, or because it said so.
    GivenUp,
    /// Whoever had it ended without closing.
    Died,
    /// The file of the channel is gone: whoever opens that name opens another one. What is said of the other side's holder counts no more.
    Removed,
}

/// Reads a word of the other side's: of memory that is mapped for reading only, relaxed loads alone are promised to work.
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
    /// Of a side that nobody ever had.
    #[cfg(ringmail_loom)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        let (begun, epoch, unfenced, core, taken) = (zero(), zero(), zero(), zero(), zero());
        let table = core::array::from_fn(|_| Entry::new());
        Self { begun, epoch, unfenced, core, taken, parked: Line(Parked::new()), table }
    }

    /// Where its holder sleeps.
    #[cfg(ringmail_loom)]
    pub fn parked(&self) -> &Parked {
        &self.parked.0
    }

    /// The last session, also one that is being set up; 0 before the first.
    pub fn last(&self) -> u64 {
        observe(&self.begun, order::see_session())
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

    fn entry(&self, session: u64) -> &Entry {
        &self.table[(session % KEPT) as usize]
    }

    /// What the table says of a session that has begun; `None` if a later one has taken its place there.
    pub fn record(&self, session: u64) -> Option<Record> {
        let entry = self.entry(session);
        let end = observe(&entry.end, order::read_entry());
        let start = entry.start.load(Ordering::Relaxed);
        let (pid, began) = entry.notes();
        // Partner: the fence of `take_over`. Had any of these been the next one's, its number would be seen now, or none.
        order_by_fence(order::read_entry());
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

    /// The first step of whoever has just got the lock: says whether the last session died, and that the next begins, at `start`. Which one
    /// that is.
    pub fn take_over(&self, start: u64, pid: u32, now: u64) -> u64 {
        // The lock is ours, so all that the last holder stored is there.
        let last = self.last();
        if last != 0 && self.record(last).is_none_or(|record| record.end.is_none()) {
            point!();
            // Whoever sees this sees all that the session did: the lock has shown it to us.
            self.entry(last).end.store(mark(last, DIED), order::write_entry());
        }
        // `check_words` has seen that there is room to count on; should somebody write there since, it wraps.
        let session = last.wrapping_add(1);
        let entry = self.entry(session);
        point!();
        entry.end.store(0, Ordering::Relaxed);
        point!();
        order_by_fence(order::write_entry());
        entry.start.store(start, Ordering::Relaxed);
        entry.note(pid.into(), now);
        point!();
        entry.end.store(mark(session, OPEN), order::write_entry());
        point!();
        self.begun.store(session, order::begin_session());
        session
    }

    /// Begins a session of process `pid`, with `start` messages before it. `register` says whether `membarrier` will reach this process, `resume`
    /// is what the ring does about having been closed before, `wake` ends the sleep of whoever waits for `epoch`. What `register` said.
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
        // Partner: the first fence of `barrier`. Whoever did not see that word yet is seen to sleep by us.
        if !mutant!(BeginFence) {
            fence(Ordering::SeqCst);
        }
        self.core.store(0, Ordering::Relaxed);
        point!();
        resume();
        point!();
        // For whoever waits for it: what depends on the session is ordered by `begun`.
        self.epoch.store(session, Ordering::Relaxed);
        point!();
        wake(&self.epoch);
        point!();
        registered
    }

    /// Says how the session ends, before the ring closes.
    pub fn end(&self, how: End) {
        let session = self.epoch.load(Ordering::Relaxed);
        let how = if how == End::Left { LEFT } else { GIVEN_UP };
        point!();
        // Whoever sees this sees all that the session did.
        self.entry(session).end.store(mark(session, how), order::write_entry());
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

/// Whether somebody has the side that has the words `of`, and the ring is as its session left it set up: not as one that has gone did.
/// Else what its `epoch` holds meanwhile.
pub fn is_set_up(of: &Session, is_held: impl FnOnce() -> bool) -> Result<(), u64> {
    let epoch = observe(&of.epoch, order::see_session());
    // Somebody may have the lock and not have come so far: then the last one's words are still there.
    let is_open = epoch != 0 && epoch == of.last() && of.record(epoch).is_some_and(|record| record.end.is_none());
    if is_open && is_held() { Ok(()) } else { Err(epoch) }
}

/// Where one side is among the other's sessions. Each is told once when it is over, in their order; then this side is in the next.
#[derive(Debug)]
pub struct Told {
    /// The session that this side is in, or waits for.
    current: Cell<u64>,
    /// Of a receiver: messages that had been received when it came to that one.
    entered: Cell<u64>,
    /// Sessions up to this were over when this side was opened: passed in silence, if nothing of them was taken.
    old: u64,
    /// The last session that was seen to have begun: the words cannot take that back.
    seen: Cell<u64>,
}

/// How far a receiver may go: as far as the messages of the session that it is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Nowhere: that session has not begun.
    Nowhere,
    /// Wherever the ring ends: it is this session, the last.
    All(u64),
    /// Up to this count of messages.
    Until(u64),
}

/// What became of the session that a side is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stand {
    /// It has not begun.
    Awaited,
    /// Nobody has said that it is over.
    Open,
    /// It is over.
    Over(End),
    /// The words went back, or are too far: no holder does that.
    Impossible,
}

/// What a receiver found where its ring said that there is more to it than messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// A message of the session that it is in.
    Message,
    /// None, and none is missing.
    Nothing,
    /// None, and none comes any more: the session is over, and so it ended.
    Over(End),
    /// What no sender does.
    Impossible,
}

/// A ring as a receiver of sessions needs it.
pub trait Looks {
    /// Looks for a message, no further than that. Whether there is one; of nowhere, whether one lies there all the same.
    fn look_as_far(&mut self, reach: Reach) -> bool;

    /// Messages that were received.
    fn count(&self) -> u64;

    /// Whether the places of all of them are free: none of them comes again, whatever becomes of this side.
    fn has_freed(&self) -> bool;
}

impl Told {
    /// Of a side that has told the ends of `taken` sessions of `peer`, or that is told of none which is over by now (`None`), and has received
    /// `count` messages. `is_held` asks the kernel whether somebody has the other side. `all`: none is passed in silence.
    ///
    /// To a sender, a receiver that has closed and still has its side is one that it meets: nobody else can come as long, so the first send
    /// says it, instead of filling a ring that is not read.
    pub fn new(peer: &Session, taken: Option<u64>, count: u64, all: bool, is_held: impl FnOnce() -> bool) -> Self {
        let last = peer.last();
        let may_be_open = || taken.is_none() || peer.record(last).is_none_or(|record| record.end.is_none());
        let is_open = last != 0 && may_be_open() && is_held();
        let over = if is_open { last - 1 } else { last };
        let taken = match taken {
            // No message is received from behind an end that was not told.
            Some(taken) => behind(peer, taken.saturating_add(2), last, count).map_or(taken, |session| session - 1),
            None => over,
        };
        Self {
            current: Cell::new(taken.wrapping_add(1)),
            entered: Cell::new(count),
            old: if all { 0 } else { over },
            // No receiver tells the end of a session that has not begun.
            seen: Cell::new(last.max(taken)),
        }
    }

    /// The session that this side is in, or waits for.
    pub fn current(&self) -> u64 {
        self.current.get()
    }

    /// Whether a receiver that has received `count` messages has any of the session that it is in.
    pub fn has_taken(&self, count: u64) -> bool {
        self.entered.get() != count
    }

    /// Whether there was ever one, as far as was seen.
    pub fn met(&self) -> bool {
        self.seen.get() != 0
    }

    /// As the function of that name; a side that was seen before has not never been there, whatever its words say now.
    pub fn look_after(&self, peer: &Session, is_held: impl FnOnce() -> bool) -> (Peer, u64) {
        let (state, session) = look_after(peer, is_held);
        // Not by the lock alone: somebody who fails to open it, or removes the segment, has that for a moment.
        self.seen.set(self.seen.get().max(session));
        (if state == Peer::Never && self.met() { Peer::Died } else { state }, session)
    }

    /// How far this side may go.
    pub fn reach(&self, peer: &Session) -> Reach {
        let current = self.current.get();
        for _ in 0..KEPT {
            let last = peer.last();
            if last <= current {
                return if last == current { Reach::All(current) } else { Reach::Nowhere };
            }
            // What a session sent ends where the next one begins; of those that the table has forgotten, where the first begins that it
            // knows.
            if let Some((_, next)) = first_kept(peer, current + 1, last) {
                return Reach::Until(next.start);
            }
            // All of them were written over meanwhile, or never written.
            if peer.last() == last {
                break;
            }
        }
        Reach::Nowhere
    }

    /// What became of the session that this side is in.
    pub fn stand(&self, peer: &Session) -> Stand {
        let (last, current) = (peer.last(), self.current.get());
        if last < self.seen.get() || last > MOST {
            return Stand::Impossible;
        }
        self.seen.set(last);
        if last < current {
            return Stand::Awaited;
        }
        match peer.record(current) {
            Some(Record { end: Some(end), .. }) => Stand::Over(end),
            _ if last == current => Stand::Open,
            // Whoever takes over from one that died says so before its own session begins.
            Some(_) => Stand::Over(End::Died),
            None => {
                let next = first_kept(peer, current + 1, last).map_or(last, |(session, _)| session);
                // Those that were over when this side was opened apart: with nothing taken of them they are passed in silence.
                let next = if current <= self.old { next.min(self.old + 1) } else { next };
                Stand::Over(End::Forgotten(next - current))
            }
        }
    }

    /// What a receiver finds next. To be asked where a look at the ring found no message, and that the sender has closed or that another
    /// session has begun. Passes old sessions of which there is nothing; `taken` is this side's word for those.
    pub fn look(&self, peer: &Session, ring: &mut impl Looks, taken: &AtomicU64) -> Found {
        // A turn for each session that is passed, and each that begins meanwhile: one who scribbles there holds nobody up.
        for _ in 0..4 * KEPT {
            let reach = self.reach(peer);
            if ring.look_as_far(reach) {
                if reach != Reach::Nowhere {
                    return Found::Message;
                }
                // Whoever sees a message sees that its session has begun.
                if self.reach(peer) == Reach::Nowhere {
                    return Found::Impossible;
                }
                continue;
            }
            let end = match self.stand(peer) {
                Stand::Awaited | Stand::Open => return Found::Nothing,
                Stand::Impossible => return Found::Impossible,
                Stand::Over(end) => end,
            };
            // The ring again, now that the end is known: what was done before it is then not missed.
            let reach = self.reach(peer);
            if !mutant!(OverLooks) && ring.look_as_far(reach) {
                return Found::Message;
            }
            // The ring finds nothing of this session once another has begun: the next turn knows where it ends.
            if matches!(reach, Reach::All(session) if peer.last() != session) {
                continue;
            }
            // Wrong on purpose: `benches/killsweep/check` shows with it that the sweep would notice.
            let silent = cfg!(ringmail_planted_silent_end) && peer.last() > self.current.get();
            if !self.passes(ring.count()) && !silent {
                return Found::Over(end);
            }
            self.pass(end, ring.count());
            self.note(taken, ring);
        }
        Found::Nothing
    }

    /// Whether this session is passed in silence: it was over when this side was opened, which has none of its messages.
    pub fn passes(&self, count: u64) -> bool {
        self.current.get() <= self.old && !self.has_taken(count)
    }

    /// Goes on to the next session, now that the end of this one is told.
    pub fn pass(&self, end: End, count: u64) {
        let sessions = if let End::Forgotten(sessions) = end { sessions } else { 1 };
        self.current.set(self.current.get().wrapping_add(sessions));
        self.entered.set(count);
    }

    /// Notes in this side's page how many ends were told: whoever receives next goes on there. Not while what was received may come again,
    /// which is of a session before that: [`Told::new`] finds by the positions what was left out here.
    pub fn note(&self, taken: &AtomicU64, ring: &impl Looks) {
        let is_back = passed(self.entered.get(), ring.count()).is_none();
        if is_back || !ring.has_freed() {
            return;
        }
        point!();
        // Read by the next who has the lock.
        taken.store(self.current.get().wrapping_sub(1), Ordering::Relaxed);
        point!();
    }

    /// To be asked where a look at the ring found nothing to do: whether the session that this side is in is over by the kernel's word, and how
    /// it ended. `is_ready` looks again: what its holder did last is seen before it is called gone.
    pub fn end_by(&self, peer: &Session, is_held: impl FnOnce() -> bool, is_ready: impl FnOnce() -> bool) -> Found {
        if self.stand(peer) == Stand::Awaited || is_held() {
            return Found::Nothing;
        }
        point!();
        let session = self.current.get();
        // After the answer: had it left, or had another come, it would be seen now.
        let end = match self.stand(peer) {
            Stand::Open => End::Died,
            Stand::Over(end) => end,
            // The next look finds it.
            Stand::Awaited | Stand::Impossible => return Found::Nothing,
        };
        // Or the look told of it, as of one that was over before this side came.
        if (!mutant!(LookAtLast) && is_ready()) || self.current.get() != session {
            return Found::Message;
        }
        Found::Over(end)
    }
}

/// Messages from one count to another; `None` if that is before it.
fn passed(from: u64, to: u64) -> Option<u64> {
    let ahead = Position::new(to).since(Position::new(from));
    // Half of the range ahead is behind.
    (ahead < 1 << 62).then_some(ahead)
}

/// The last session from `from` to `last` that is known to have begun before `count` messages were received.
fn behind(peer: &Session, from: u64, last: u64, count: u64) -> Option<u64> {
    let from = from.max(last.saturating_sub(KEPT - 1));
    let has_begun = |record: Record| passed(record.start, count).is_some_and(|messages| messages != 0);
    (from..=last).rev().find(|&session| peer.record(session).is_some_and(has_begun))
}

/// The first session from `from` to `last` that the table knows.
fn first_kept(peer: &Session, from: u64, last: u64) -> Option<(u64, Record)> {
    let from = from.max(last.saturating_sub(KEPT - 1));
    (from..=last).find_map(|session| peer.record(session).map(|record| (session, record)))
}
