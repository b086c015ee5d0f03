//! What the sender of a broadcast between processes knows of the seats: which gate, how far it may go, who has departed. Safe, and without a word of
//! its own: it reads those of the seats, and the ring takes what it finds for the head of one reader.
//!
//! A seat gates if it is reserved, or if a session of it has begun, no end of that was written, and the kernel did not say that its holder is gone. A
//! receiver joins without a handshake:
//!
//! ```text
//!   receiver, holding the seat's lock              sender, when its room is used up
//!   session begun                                  tail stored before
//!   fence                                          fence
//!   head := tail                                   reads all seats; room up to least head + capacity
//!   session set up; begins at head
//! ```
//!
//! Of the two fences one is first. If it is the receiver's, the sender sees that the session has begun, so the seat gates: it leaves no room
//! until the session is set up, and then that behind its head. If it is the sender's, the receiver reads a `tail` that is not behind the one at that fence, so what the sender
//! was allowed to write at that look ends at `head + capacity` at the latest. (In one process, `ring::broadcast`, a receiver has no session. So there it
//! reads `tail` twice.)
//!
//! A seat whose session is not set up yet may stand anywhere behind: it gates, and is not judged by its head. A death is a matter of one session: the number
//! that was read before the kernel was asked is left out from then on. A holder that came since has another, and is seen, or begins where the sender
//! may not have come yet.

#![cfg_attr(ringmail_loom, allow(dead_code, reason = "the models do not use all of it"))]

use crate::shm::peer::session::{End, Peer, Session, look_after, observe};
use crate::sync::order::{mutant, order};
use crate::sync::position::Position;
use crate::sync::{AtomicU64, Ordering, fence};
use alloc::boxed::Box;
use alloc::vec;

/// The words of a seat that the sender reads.
#[derive(Clone, Copy)]
pub(crate) struct SeatWords<'a> {
    /// Of its holder.
    pub(crate) session: &'a Session,
    /// How far that is.
    pub(crate) head: &'a AtomicU64,
    /// Not 0 if the seat stays when its holder goes.
    pub(crate) reserved: &'a AtomicU64,
}

/// Where the seats are.
pub(crate) trait Seats {
    /// The words of a seat, from the first on.
    fn words(&self, seat: usize) -> SeatWords<'_>;
}

/// What is known of the seats.
pub(crate) struct Gate {
    seats: Box<[Known]>,
    /// Whether messages pass while no seat gates.
    passes: bool,
    capacity: u64,
    /// Where the sender was at its last fence: a receiver that it has not seen begins there or later.
    fenced: Position,
    /// How far the sender may take its slowest reader to be. It never goes back.
    head: Position,
}

/// What is known of a seat.
#[derive(Clone, Copy, Default)]
struct Known {
    /// The session that gated at the last look.
    current: u64,
    /// The session that is passed over, although no end of it was written.
    left_out: Which,
    /// The last session whose end was noted.
    noted: u64,
    gone: Option<Gone>,
}

/// A session of a receiver that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Gone {
    /// Its number at the seat.
    pub(crate) session: u64,
    /// Messages that were sent before the first that it did not take; not known if another has the seat already.
    pub(crate) at: Option<u64>,
    /// How it ended; `None` if it wrote what cannot be.
    pub(crate) end: Option<End>,
}

/// What a seat means to the sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SeatState {
    /// Nothing.
    Free,
    /// It gates, so many messages behind.
    Gates {
        /// The session.
        session: u64,
        /// Messages that it has not taken.
        behind: u64,
        /// Whether it is known where it begins.
        settled: bool,
        /// Whether it stays when its holder goes.
        reserved: bool,
    },
    /// It says what cannot be.
    Impossible(u64),
}

/// Looks at a seat whose words do not fit each other before they are taken for what they say.
const LOOKS: u32 = 3;

/// A session: its number, and when it began. A holder that lies about the number of its session does not take a later one's.
type Which = (u64, Option<u64>);

fn which(words: SeatWords<'_>, session: u64) -> Which {
    (session, words.session.record(session).map(|record| record.began))
}

/// Reads a seat. `tail` is where the sender is.
fn read(words: SeatWords<'_>, left_out: Which, tail: Position, capacity: u64) -> SeatState {
    let mut before = None;
    for _ in 0..LOOKS {
        let session = words.session.last();
        let is_over = words.session.record(session).is_some_and(|record| record.end.is_some());
        // After the end: a holder reserves its seat before that.
        let reserved = observe(words.reserved, order!(see_session)) != 0;
        if session == 0 || (session == left_out.0 && which(words, session) == left_out) || (is_over && !reserved) {
            return SeatState::Free;
        }
        // After the session, whose holder takes back what one before may have written ahead; and before the head, which is then not behind where that
        // holder begins.
        let settled = reserved || observe(&words.session.epoch, order!(see_session)) == session;
        if !settled {
            // Its head is that of a holder before.
            return SeatState::Gates { session, behind: capacity, settled, reserved };
        }
        let head = Position::from_word(observe(words.head, order!(observe_head)));
        let behind = tail.since(head);
        if behind <= capacity {
            return SeatState::Gates { session, behind, settled, reserved };
        }
        if before.replace((head, session)) == Some((head, session)) {
            return SeatState::Impossible(session);
        }
    }
    // It goes on while it is looked at. It was somewhere, and the next look finds where.
    SeatState::Gates { session: words.session.last(), behind: capacity, settled: false, reserved: false }
}

impl Gate {
    /// Of a sender that is at `tail`, which knows of no room yet.
    pub(crate) fn new(seats: usize, passes: bool, capacity: u64, tail: u64) -> Self {
        let head = Position::new(tail).plus(capacity.wrapping_neg());
        Self { seats: vec![Known::default(); seats].into(), passes, capacity, fenced: head, head }
    }

    /// Looks who gates, and how far each is. Returns the count of messages that the sender may take its slowest reader to have taken.
    ///
    /// The fence is needed once a lap: the room is also at most the capacity from the `tail` of the last fence on.
    pub(crate) fn look(&mut self, seats: &impl Seats, tail: u64) -> u64 {
        let tail = Position::new(tail);
        let mut found = self.survey(seats, tail);
        if found.is_some_and(|behind| behind < tail.since(self.fenced)) {
            // Partner: the fence of a session that begins.
            if !mutant!(SharedGateFence) {
                fence(Ordering::SeqCst);
            }
            self.fenced = tail;
            found = self.survey(seats, tail);
        }
        if let Some(behind) = found {
            let behind = behind.max(tail.since(self.fenced));
            if behind < tail.since(self.head) {
                self.head = tail.plus(behind.wrapping_neg());
            }
        }
        self.head.count()
    }

    /// How far the slowest is behind; `None` if nothing may be sent.
    fn survey(&mut self, seats: &impl Seats, tail: Position) -> Option<u64> {
        let (mut behind_most, mut sends) = (0, self.passes);
        for seat in 0..self.seats.len() {
            let words = seats.words(seat);
            let found = read(words, self.seats[seat].left_out, tail, self.capacity);
            let known = &mut self.seats[seat];
            match found {
                SeatState::Free => known.ends(words, 0),
                SeatState::Gates { session, behind, settled, .. } => {
                    known.ends(words, session);
                    behind_most = behind_most.max(behind);
                    // A receiver that is about to join does not see a message that is sent now.
                    sends |= settled;
                }
                SeatState::Impossible(session) => {
                    known.ends(words, session);
                    known.left_out = which(words, session);
                    known.note(Gone { session, at: None, end: None });
                }
            }
        }
        sends.then_some(behind_most)
    }

    /// Passes over those that died before the sender came. To be called before the first look.
    pub(crate) fn begin(&mut self, seats: &impl Seats, is_held: impl Fn(usize) -> bool) {
        for (seat, known) in self.seats.iter_mut().enumerate() {
            let words = seats.words(seat);
            let (state, session) = look_after(words.session, || is_held(seat));
            if state == Peer::Died && observe(words.reserved, Ordering::Relaxed) == 0 {
                (known.left_out, known.noted) = (which(words, session), session);
            }
        }
    }

    /// Asks, by `is_held`, who of those that gate is still there. Whether one is not. One that died is left out, unless its seat is reserved.
    pub(crate) fn ask(&mut self, seats: &impl Seats, tail: u64, is_held: impl Fn(usize) -> bool) -> bool {
        let mut changed = false;
        for (seat, known) in self.seats.iter_mut().enumerate() {
            let words = seats.words(seat);
            let SeatState::Gates { session, .. } = read(words, known.left_out, Position::new(tail), self.capacity)
            else {
                continue;
            };
            // The session before the question: that of a holder which comes since is another.
            let (state, asked) = look_after(words.session, || is_held(seat));
            if state != Peer::Died || asked != session {
                continue;
            }
            known.note_end(words, session, End::Died);
            // Relaxed, after the kernel's answer: it has reserved the seat, or never will.
            if observe(words.reserved, Ordering::Relaxed) == 0 {
                let session = if mutant!(LeftOutSession) { words.session.last() } else { session };
                known.left_out = which(words, session);
                changed = true;
            }
        }
        changed
    }

    /// What a seat means to a sender that is at `tail`.
    pub(crate) fn state(&self, seats: &impl Seats, seat: usize, tail: u64) -> SeatState {
        read(seats.words(seat), self.seats[seat].left_out, Position::new(tail), self.capacity)
    }

    /// A session that is over and was not told: the seat, and what is known. Of each seat the last is kept.
    pub(crate) fn next_gone(&mut self) -> Option<(usize, Gone)> {
        self.seats.iter_mut().enumerate().find_map(|(seat, known)| known.gone.take().map(|gone| (seat, gone)))
    }
}

impl Known {
    /// `now` is the session that gates, or 0.
    fn ends(&mut self, words: SeatWords<'_>, now: u64) {
        let before = core::mem::replace(&mut self.current, now);
        let end_of = |session| words.session.record(session).and_then(|record| record.end);
        match (before, now) {
            (0, 0) => {}
            // One of a reserved seat that was over before it was looked at is not told.
            (0, now) if end_of(now).is_some() => self.noted = now,
            (0, _) => {}
            // A reserved seat gates on without a holder.
            (before, now) if before == now => {
                if let Some(end) = end_of(now) {
                    self.note_end(words, now, end);
                }
            }
            // The next holder writes the death of the last one.
            _ => self.note_end(words, before, end_of(before).unwrap_or(End::Died)),
        }
    }

    fn note_end(&mut self, words: SeatWords<'_>, session: u64, end: End) {
        let at = Position::from_word(observe(words.head, order!(observe_head))).count();
        // Before the session: no later holder had the seat when the head was read.
        let at = (words.session.last() == session).then_some(at);
        self.note(Gone { session, at, end: Some(end) });
    }

    fn note(&mut self, gone: Gone) {
        if gone.session != self.noted {
            (self.noted, self.gone) = (gone.session, Some(gone));
        }
    }
}
