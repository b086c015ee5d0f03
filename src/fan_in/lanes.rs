//! The receiver: all lanes, in turn.

use super::registry::{Lane, LaneId, Registry};
use crate::channel::RecvEnd;
use crate::ring::layout::Stats;
use crate::spsc::end::NextOf;
use crate::sync::Arc;
use alloc::vec::Vec;

/// The reading ends of all lanes.
pub(crate) struct Lanes<T> {
    /// Those of one priority side by side, higher ones first.
    lanes: Vec<Lane<T>>,
    classes: Vec<Class>,
    /// Whose turn it is, and how many more messages it may bring. With no turn left nobody's.
    current: usize,
    left: u64,
    budget: u64,
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
    from: usize,
    to: usize,
    /// Whose turn was last.
    last: usize,
}

impl<T> Lanes<T> {
    pub(super) fn new(registry: Arc<Registry<T>>, budget: u64) -> Self {
        Self {
            lanes: Vec::new(),
            classes: Vec::new(),
            current: 0,
            left: 0,
            budget,
            unfreed: false,
            over: false,
            closed: false,
            past: Stats::default(),
            registry,
        }
    }

    /// The lane whose turn it is, if it has a message and may bring one more.
    #[inline(always)]
    fn find(&mut self) -> bool {
        if self.left != 0 {
            if let Some(lane) = self.lanes.get_mut(self.current) {
                if lane.end.has_message() {
                    return true;
                }
            }
        }
        self.next_turn()
    }

    /// Gives the turn to the next lane that has a message. Whether there is one.
    #[inline(never)]
    fn next_turn(&mut self) -> bool {
        self.left = 0;
        if !self.registry.opened.is_empty() {
            self.adopt();
        }
        let mut ended = false;
        for class in &mut self.classes {
            let (before, from_last) = self.lanes[class.from..class.to].split_at_mut(class.last + 1 - class.from);
            for (at, lane) in from_last
                .iter_mut()
                .enumerate()
                .map(|(i, lane)| (class.last + 1 + i, lane))
                .chain(before.iter_mut().enumerate().map(|(i, lane)| (class.from + i, lane)))
            {
                if lane.end.has_message() {
                    class.last = at;
                    self.current = at;
                    self.left = self.budget.saturating_mul(u64::from(lane.options.weight));
                    return true;
                }
                ended |= lane.end.is_over();
            }
        }
        if ended {
            self.give_back();
        }
        // In this order: a sender counts itself before its lane can be seen, and its lane is over before it stops counting.
        self.over = self.over || self.lanes.is_empty() && self.registry.is_left() && self.registry.opened.is_empty();
        false
    }

    /// Takes the lanes in that were opened meanwhile.
    #[cold]
    fn adopt(&mut self) {
        for mut lane in self.registry.opened.take_all() {
            if self.closed {
                lane.end.close();
            }
            let at = self.lanes.partition_point(|other| other.options.priority >= lane.options.priority);
            self.lanes.insert(at, lane);
        }
        self.sort();
    }

    /// Gives back the lanes that are over.
    #[cold]
    fn give_back(&mut self) {
        let mut at = 0;
        while at < self.lanes.len() {
            if self.lanes[at].end.is_over() {
                let lane = self.lanes.remove(at);
                add(&mut self.past, &lane.end.stats());
                self.registry.give_back(lane);
            } else {
                at += 1;
            }
        }
        self.sort();
    }

    /// Finds the classes anew. The turn begins with the first of each.
    fn sort(&mut self) {
        self.classes.clear();
        for (at, lane) in self.lanes.iter().enumerate() {
            match self.classes.last_mut().filter(|class| class.priority == lane.options.priority) {
                Some(class) => (class.to, class.last) = (at + 1, at),
                None => self.classes.push(Class { priority: lane.options.priority, from: at, to: at + 1, last: at }),
            }
        }
    }

    pub(super) fn current_id(&self) -> LaneId {
        self.lanes[self.current].id
    }

    pub(super) fn last(&self) -> Option<LaneId> {
        self.lanes.get(self.current).map(|lane| lane.id)
    }

    pub(super) fn count(&self) -> usize {
        self.lanes.len()
    }

    #[cfg(not(ringmail_loom))]
    #[inline(always)]
    pub(super) fn slices(&self, n: u64) -> (&[T], &[T]) {
        self.lanes.get(self.current).map_or((&[], &[]), |lane| lane.end.slices(n))
    }

    fn pay(&mut self, n: u64) {
        self.left = self.left.saturating_sub(n);
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

impl<T> RecvEnd for Lanes<T> {
    type Item = T;
    type Next<'a>
        = NextOf<'a, T>
    where
        T: 'a;

    const MANY_RINGS: bool = true;

    #[inline(always)]
    fn next(&mut self) -> Option<NextOf<'_, T>> {
        if !self.find() {
            return None;
        }
        self.left -= 1;
        self.lanes[self.current].end.next()
    }

    #[inline(always)]
    fn take(&mut self) -> Option<T> {
        self.unfreed = true;
        self.pay(1);
        self.lanes.get_mut(self.current)?.end.take()
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
        self.lanes[self.current].end.available(wanted.min(self.left))
    }

    #[inline(always)]
    fn front(&self, offset: u64) -> Option<&T> {
        self.lanes.get(self.current)?.end.front(offset)
    }

    fn move_into(&mut self, target: &mut Vec<T>, n: u64) -> usize {
        self.pay(n);
        self.lanes.get_mut(self.current).map_or(0, |lane| lane.end.move_into(target, n))
    }

    #[inline(always)]
    fn skip(&mut self, n: u64) {
        self.pay(n);
        if let Some(lane) = self.lanes.get_mut(self.current) {
            lane.end.skip(n);
        }
    }

    fn found_nothing(&mut self, closed: bool) {
        if core::mem::take(&mut self.unfreed) || closed {
            if closed {
                self.adopt();
                self.over = true;
            }
            for lane in &mut self.lanes {
                lane.end.found_nothing(closed);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn close(&mut self) {
        self.closed = true;
        self.registry.close();
        self.adopt();
        for lane in &mut self.lanes {
            lane.end.close();
        }
    }

    fn peer_closed(&self) -> bool {
        self.registry.is_left()
    }

    fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.end.len()).sum()
    }

    fn capacity(&self) -> usize {
        self.lanes.iter().map(|lane| lane.end.capacity()).sum()
    }

    fn stats(&self) -> Stats {
        let mut sum = self.past;
        self.lanes.iter().for_each(|lane| add(&mut sum, &lane.end.stats()));
        sum
    }

    #[cfg(feature = "std")]
    fn count_parks(&mut self, n: u64) {
        self.past.receiver_parks += n;
    }

    #[cfg(feature = "std")]
    fn moved(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.end.moved()).fold(self.past.received, u64::wrapping_add)
    }
}
