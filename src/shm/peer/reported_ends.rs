//! Where one side is among the other's sessions.

// Under loom the models of another crate use it.
#![cfg_attr(not(ringmail_loom), allow(unreachable_pub))]

use super::session::{End, KEPT, MOST, Peer, Record, Session, look_after};
use crate::ring::reach::{BoundedReader, Reach};
use crate::sync::failpoint::point;
use crate::sync::order::mutant;
use crate::sync::position::Position;
use crate::sync::{AtomicU64, Ordering};
use core::cell::Cell;

/// Where one side is among the other's sessions. When a session is over, its end is reported once; then this side is in the next session.
#[derive(Clone, Debug)]
pub struct ReportedEnds {
    /// The session that this side is in, or waits for.
    current: Cell<u64>,
    /// Of a receiver: messages that had been received when it came to that one.
    entered: Cell<u64>,
    /// Sessions up to this one were over when this side was opened: their ends are not reported if none of their messages was taken.
    old: u64,
    /// The last session that was seen to have begun. Words that say less later are nonsense.
    seen: Cell<u64>,
}

/// What became of the session that a side is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stand {
    /// It has not begun.
    Awaited,
    /// No end was written.
    Open,
    /// It is over.
    Over(End),
    /// The words went back, or are too far: no holder does that.
    Impossible,
}

/// What a receiver found when its ring had no message, and the sender had closed or a later session had begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// A message of the session that it is in.
    Message,
    /// None, and none is missing.
    Nothing,
    /// None, and none comes any more: the session is over, and ended like this.
    Over(End),
    /// Nonsense: no sender writes that.
    Impossible,
}

impl ReportedEnds {
    /// Of a side that has told the ends of `taken` sessions of `peer`, or that is told of none which is over by now (`None`), and has received
    /// `count` messages. `is_held` asks the kernel whether the other side is held. `all`: none is passed in silence.
    ///
    /// To a sender, a receiver that has closed and still holds its side counts as present: no other can come meanwhile, so the first send
    /// says it, instead of filling a ring that is not read.
    pub fn new(peer: &Session, taken: Option<u64>, count: u64, all: bool, is_held: impl FnOnce() -> bool) -> Self {
        let last = peer.last();
        let may_be_open = || taken.is_none() || peer.record(last).is_none_or(|record| record.end.is_none());
        let is_open = last != 0 && may_be_open() && is_held();
        let over = if is_open { last - 1 } else { last };
        let taken = match taken {
            // No message is received from a session before the ends of those before it were reported.
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
    pub fn was_ever_attached(&self) -> bool {
        self.seen.get() != 0
    }

    /// As the function of that name. A side that was seen before is never called [`Peer::Never`], also if its words say so.
    pub fn look_after(&self, peer: &Session, is_held: impl FnOnce() -> bool) -> (Peer, u64) {
        let (state, session) = look_after(peer, is_held);
        // Not by the lock alone: a process that fails to open it, or removes the segment, has the lock for a moment.
        self.seen.set(self.seen.get().max(session));
        (if state == Peer::Never && self.was_ever_attached() { Peer::Died } else { state }, session)
    }

    /// How far this side may go.
    pub fn reach(&self, peer: &Session) -> Reach {
        let current = self.current.get();
        for _ in 0..KEPT {
            let last = peer.last();
            if last <= current {
                return if last == current { Reach::All(current) } else { Reach::Nowhere };
            }
            // The messages of a session end where the next session begins; those of forgotten sessions, where the first known one begins.
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
            // The next holder writes the death of the last one before its own session begins.
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
    pub fn look(&self, peer: &Session, ring: &mut impl BoundedReader, taken: &AtomicU64) -> Found {
        // A turn for each session that is passed, and each that begins meanwhile. Bounded: a process that writes nonsense there cannot hold us up.
        for _ in 0..4 * KEPT {
            let reach = self.reach(peer);
            if ring.look_as_far(reach) {
                if reach != Reach::Nowhere {
                    return Found::Message;
                }
                // A side that sees a message sees that its session has begun.
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
            // Wrong on purpose: `verify/killsweep/check` shows with it that the sweep would notice.
            let silent = cfg!(ringmail_planted_silent_end) && peer.last() > self.current.get();
            if !self.passes(ring.count()) && !silent {
                return Found::Over(end);
            }
            self.pass(end, ring.count());
            self.note(taken, ring);
        }
        Found::Nothing
    }

    /// Whether the end of this session is not reported: it was over when this side was opened, and this side has none of its messages.
    pub fn passes(&self, count: u64) -> bool {
        self.current.get() <= self.old && !self.has_taken(count)
    }

    /// Goes on to the next session, now that the end of this one is told.
    pub fn pass(&self, end: End, count: u64) {
        let sessions = if let End::Forgotten(sessions) = end { sessions } else { 1 };
        self.current.set(self.current.get().wrapping_add(sessions));
        self.entered.set(count);
    }

    /// Notes in this side's page how many ends were told: the next receiver goes on there. Not while what was received may come again,
    /// which is of a session before that: [`ReportedEnds::new`] finds by the positions what was left out here.
    pub fn note(&self, taken: &AtomicU64, ring: &impl BoundedReader) {
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
        // After the answer: if it has left, or another has come, the words say so now.
        let end = match self.stand(peer) {
            Stand::Open => End::Died,
            Stand::Over(end) => end,
            // The next look finds it.
            Stand::Awaited | Stand::Impossible => return Found::Nothing,
        };
        // Or that look has reported it, as a session that was over before this side was opened.
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
