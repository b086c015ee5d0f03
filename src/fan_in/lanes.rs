//! The receiver: all lanes, in turn.

use super::registry::{Lane, LaneId, Registry};
use crate::channel::RingReceiver;
use crate::channel::lane::refuse;
use crate::channel::message::Message;
use crate::channel::turns::{Found, Turns};
use crate::error::BuildError;
use crate::ring::layout::Stats;
use crate::sync::Arc;
use crate::sync::position::Position;
use crate::try_alloc::room;
use crate::wait::EventCount;
use crate::wait::panics::{Panics, each};
use alloc::vec::Vec;

/// Lanes whose places in the table are not worth giving back.
const FEW: usize = 8;

/// Most messages of a turn: distances between positions stay below half of their range.
const LONGEST_TURN: u64 = 1 << 62;

/// The reading ends of all lanes.
#[allow(missing_debug_implementations, reason = "behind the handles, which have one")]
pub struct Lanes<T> {
    /// Those of one priority side by side, higher ones first.
    lanes: Vec<Lane<T>>,
    classes: Vec<Class>,
    /// The lane whose turn it is. Its turn lasts while it has messages that were seen.
    current: usize,
    /// Where that turn began.
    from: Position,
    /// The lane of the last turn; it may be gone.
    last: Option<LaneId>,
    budget: u64,
    /// Whether a look found a lane over: it is given back at the next turn.
    some_ended: bool,
    /// Whether messages were taken whose places are not free yet: a guard that was leaked.
    unfreed: bool,
    /// Whether nothing will ever come.
    over: bool,
    closed: bool,
    /// Of lanes that are gone.
    past: Stats,
    registry: Arc<Registry<T>>,
}

/// Lanes of one priority.
struct Class {
    priority: u8,
    turns: Turns,
}

impl<T> Lanes<T> {
    /// With room for a lane.
    pub(super) fn new(registry: Arc<Registry<T>>, budget: u64) -> Result<Self, BuildError> {
        Ok(Self {
            lanes: room(1)?,
            classes: room(1)?,
            current: 0,
            from: Position::new(0),
            last: None,
            budget,
            some_ended: false,
            unfreed: false,
            over: false,
            closed: false,
            past: Stats::default(),
            registry,
        })
    }

    /// The lane whose turn it is, if its turn has messages left.
    #[inline(always)]
    fn find(&mut self) -> bool {
        self.lanes.get(self.current).is_some_and(|lane| lane.end.ring.seen() != 0) || self.next_turn()
    }

    /// Gives the turn to the next lane that has a message. Whether there is one.
    #[inline(never)]
    fn next_turn(&mut self) -> bool {
        if self.some_ended {
            self.give_back();
        }
        if !self.registry.opened.is_empty() {
            self.adopt();
        }
        for class in &mut self.classes {
            // A turn is the messages that this look sees, and those that a verb that wants many sees later.
            let next = class.turns.next(&mut self.lanes, |_, lane| {
                match lane.end.begin_turn(|| self.budget * u64::from(lane.options.weight)) {
                    Found::Message => {
                        (self.from, self.last) = (lane.end.ring.next_position(), Some(lane.id));
                        true
                    }
                    Found::Nothing => false,
                    Found::End => {
                        self.some_ended = true;
                        false
                    }
                }
            });
            if let Some(at) = next {
                self.current = at;
                return true;
            }
        }
        if self.some_ended {
            self.give_back();
        }
        // In this order: a sender counts itself before its lane can be seen, and its lane is over before it stops counting.
        self.over = self.over || self.lanes.is_empty() && self.registry.is_left() && self.registry.opened.is_empty();
        false
    }

    /// Takes the lanes in that were opened meanwhile. Each comes after all others of its priority, whose turns stay as they are.
    #[cold]
    pub(super) fn adopt(&mut self) {
        // Off the stack the last one opened comes first.
        let mut panics = Panics::new();
        for mut lane in self.registry.opened.take_all().reversed() {
            if self.closed {
                panics.catch(|| lane.end.close(&self.registry.receiver));
            }
            let priority = lane.options.priority;
            let class = self.classes.partition_point(|class| class.priority > priority);
            if self.classes.get(class).is_none_or(|class| class.priority != priority) {
                let from = self.classes.get(class).map_or(self.lanes.len(), |next| next.turns.first());
                self.classes.insert(class, Class { priority, turns: Turns::new(from) });
            }
            let at = self.classes[class].turns.insert();
            self.lanes.insert(at, lane);
            self.classes[class + 1..].iter_mut().for_each(|later| later.turns.shift());
            if self.current >= at {
                self.current += 1;
            }
        }
        panics.resume();
    }

    /// Gives back the lanes that are over.
    #[cold]
    fn give_back(&mut self) {
        self.some_ended = false;
        let (mut at, mut panics) = (0, Panics::new());
        while at < self.lanes.len() {
            if !self.lanes[at].end.is_over() {
                at += 1;
                continue;
            }
            let lane = self.lanes.remove(at);
            self.classes.iter_mut().for_each(|class| class.turns.remove(at));
            self.classes.retain(|class| !class.turns.is_empty());
            self.current -= usize::from(self.current > at);
            add(&mut self.past, &lane.end.stats());
            // A waker that its sender left may panic.
            panics.catch(|| self.registry.give_back(lane));
        }
        self.registry.trim();
        self.narrow();
        panics.resume();
    }

    /// Frees the table's memory that was for more lanes: it keeps twice what it needs, once that is less than a quarter of what it has.
    fn narrow(&mut self) {
        let needed = self.lanes.len().max(FEW);
        let mut fewer = Vec::new();
        // Not `shrink_to`: without memory for the move that ends the process.
        if self.lanes.capacity() / 4 >= needed && fewer.try_reserve_exact(2 * needed).is_ok() {
            fewer.append(&mut self.lanes);
            self.lanes = fewer;
        }
    }

    /// The lane of the message that was taken last, or is to be taken next.
    pub(super) fn last(&self) -> Option<LaneId> {
        self.last
    }

    /// The same once a message was taken.
    #[cfg(feature = "std")]
    pub(super) fn last_or_first(&self) -> LaneId {
        self.last.unwrap_or(LaneId::FIRST)
    }

    /// The next message, with its lane.
    #[inline(always)]
    pub(super) fn next_from(&mut self) -> Option<(LaneId, Message<'_, T>)> {
        if !self.find() {
            return None;
        }
        let lane = self.lanes.get_mut(self.current)?;
        let id = lane.id;
        Some((id, lane.end.next_seen()?))
    }

    pub(super) fn count(&self) -> usize {
        self.lanes.len()
    }

    #[cfg(not(ringmail_loom))]
    #[inline(always)]
    pub(super) fn slices(&self, n: u64) -> (&[T], &[T]) {
        self.lanes.get(self.current).map_or((&[], &[]), |lane| lane.end.ring.slices(n))
    }
}

/// Adds the counts of one lane.
fn add(sum: &mut Stats, lane: &Stats) {
    sum.sent += lane.sent;
    sum.received += lane.received;
    sum.depth += lane.depth;
    sum.full += lane.full;
    sum.sender_parks += lane.sender_parks;
    sum.receiver_parks += lane.receiver_parks;
    sum.sender_wakes += lane.sender_wakes;
    sum.receiver_wakes += lane.receiver_wakes;
}

impl<T> RingReceiver for Lanes<T> {
    type Item = T;

    const MANY_RINGS: bool = true;

    fn available_now(&mut self) -> usize {
        if !self.registry.opened.is_empty() {
            self.adopt();
        }
        // At least one look, also if no message is there: a look finds the end.
        self.len().max(1)
    }

    #[inline(always)]
    fn next(&mut self) -> Option<Message<'_, T>> {
        self.next_from().map(|(_, message)| message)
    }

    #[inline(always)]
    fn take<R>(&mut self, f: impl FnOnce(T) -> R) -> Option<R> {
        self.unfreed = true;
        self.lanes.get_mut(self.current)?.end.take(f)
    }

    #[inline(always)]
    fn free(&mut self) {
        self.unfreed = false;
        if let Some(lane) = self.lanes.get_mut(self.current) {
            lane.end.free();
        }
    }

    #[inline(always)]
    fn has_message(&mut self) -> bool {
        self.find()
    }

    #[inline(always)]
    fn available(&mut self, wanted: u64) -> u64 {
        if wanted == 0 || !self.find() {
            return 0;
        }
        let lane = &mut self.lanes[self.current];
        if lane.end.ring.seen() < wanted {
            let most = (self.budget * u64::from(lane.options.weight)).min(LONGEST_TURN);
            lane.end.ring.refresh_tail_until(self.from.plus(most));
        }
        lane.end.ring.seen().min(wanted)
    }

    #[inline(always)]
    fn front(&self, offset: u64) -> Option<&T> {
        self.lanes.get(self.current)?.end.front(offset)
    }

    fn move_into(&mut self, target: &mut Vec<T>, n: u64) -> usize {
        self.lanes.get_mut(self.current).map_or(0, |lane| lane.end.move_into(target, n))
    }

    #[inline(always)]
    fn skip(&mut self, n: u64) {
        if let Some(lane) = self.lanes.get_mut(self.current) {
            lane.end.skip(n);
        }
    }

    fn found_nothing(&mut self, closed: bool) {
        if core::mem::take(&mut self.unfreed) || closed {
            let mut panics = Panics::new();
            if closed {
                panics.catch(|| self.adopt());
                self.over = true;
            }
            panics.catch(|| each(&mut self.lanes, |lane| lane.end.found_nothing(closed)));
            panics.resume();
        }
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn close(&mut self, own: &EventCount) {
        self.registry.close();
        let mut panics = Panics::new();
        panics.catch(|| self.adopt());
        self.closed = true;
        // One barrier for all lanes.
        refuse(&mut self.lanes, |lane| &mut lane.end.ring, own);
        panics.catch(|| each(&mut self.lanes, |lane| lane.end.wake_to_close()));
        panics.resume();
    }

    fn peer_closed(&self) -> bool {
        self.registry.is_left()
    }

    fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.end.len()).sum()
    }

    fn is_empty(&self) -> bool {
        self.registry.opened.is_empty() && self.len() == 0
    }

    fn capacity(&self) -> usize {
        self.lanes.iter().map(|lane| lane.end.capacity()).sum()
    }

    fn stats(&self) -> Stats {
        let mut sum = self.past;
        self.lanes.iter().for_each(|lane| add(&mut sum, &lane.end.stats()));
        sum
    }

    fn count_parks(&mut self, n: u64) {
        self.past.receiver_parks += n;
    }

    fn transferred(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.end.transferred()).fold(self.past.received, u64::wrapping_add)
    }
}
