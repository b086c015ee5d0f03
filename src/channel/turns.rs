//! Turns of lanes: which of several lanes a receiver reads next, and how many of its messages.
//!
//! The receiver reads one lane until it has taken the messages that it saw there. Then the turn passes to the next lane that has a message, round
//! and round. At the begin of a turn the receiver sees at most the lane's budget of messages. So a lane with a message waits for at most one turn of
//! each other lane, and a message within a turn costs no look at other lanes.
//!
//! `fan_in` has a rotation for each priority. An endpoint of a `mesh` has one, of all its lanes, in its `inbox`.

use super::lane::LaneReceiver;

/// Lanes `from..to` of a table, which take turns.
pub(crate) struct Turns {
    from: usize,
    to: usize,
    /// The lane of the last turn.
    last: usize,
}

/// What a receiver found where a turn was to begin.
pub(crate) enum Found {
    /// Messages: the lane has the turn.
    Message,
    Nothing,
    /// No message, and none will come.
    End,
}

impl Turns {
    /// No lanes: the first one will be lane `from` of the table.
    pub(crate) const fn new(from: usize) -> Self {
        Self { from, to: from, last: from }
    }

    /// The first lane's place in the table.
    pub(crate) const fn first(&self) -> usize {
        self.from
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// Adds a lane whose turn comes after those of all others. Returns where it is to be inserted into the table.
    pub(crate) fn insert(&mut self) -> usize {
        self.last = if self.is_empty() { self.from } else { self.last + 1 };
        self.to += 1;
        self.last
    }

    /// A lane was inserted into the table before these lanes.
    pub(crate) fn shift(&mut self) {
        (self.from, self.to, self.last) = (self.from + 1, self.to + 1, self.last + 1);
    }

    /// Lane `at` was removed from the table, which may be one of these. If the lane had the last turn, the one before it has it.
    pub(crate) fn remove(&mut self, at: usize) {
        self.from -= usize::from(self.from > at);
        self.to -= usize::from(self.to > at);
        self.last -= usize::from(self.last >= at && self.last > self.from);
    }

    /// Passes the turn to the next lane at which `begin` finds a message. Returns its place in the table.
    #[inline(always)]
    pub(crate) fn next<L>(&mut self, lanes: &mut [L], mut begin: impl FnMut(usize, &mut L) -> bool) -> Option<usize> {
        for _ in self.from..self.to {
            self.last = if self.last + 1 < self.to { self.last + 1 } else { self.from };
            if begin(self.last, &mut lanes[self.last]) {
                return Some(self.last);
            }
        }
        None
    }
}

impl<T> LaneReceiver<T> {
    /// Begins a turn of up to `budget` messages.
    #[inline(always)]
    pub(crate) fn begin_turn(&mut self, budget: impl FnOnce() -> u64) -> Found {
        if !self.ring.may_have_news() {
            return Found::Nothing;
        }
        if self.ring.refresh_tail_limited(budget()) {
            return Found::Message;
        }
        if self.ring.is_over() { Found::End } else { Found::Nothing }
    }
}
