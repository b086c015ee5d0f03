//! A worker's end: its own lane, and what workers that have left did not begin.

use super::registry::{ALL, IdleWord, Registry};
use crate::channel::RingReceiver;
use crate::channel::lane::LaneReceiver;
use crate::channel::message::Message;
use crate::ring::backend::Heap;
use crate::ring::layout::Stats;
use crate::ring::spsc::Producer;
use crate::sync::order::mutant;
use crate::sync::{Arc, Ordering};
use crate::wait::EventCount;
use crate::wait::panics::each;
use alloc::vec::Vec;

/// In place of a number of messages: more than a ring can count.
const BUSY: u64 = u64::MAX;

/// The worker's own lane.
const OWN: usize = 0;
/// The ring of one place that holds a message of a worker that has left.
const HAND: usize = 1;

/// The reading ends of a worker.
#[allow(missing_debug_implementations, reason = "behind the handles, which have one")]
pub struct Worker<T> {
    /// [`OWN`] and [`HAND`]; none once it has left.
    lanes: Vec<LaneReceiver<T>>,
    /// The lane of the run that was seen last.
    current: usize,
    /// The writing end of [`HAND`]: both ends of that ring are this worker's.
    fill: Option<Producer<Heap<T>>>,
    idle: IdleWord,
    /// What `idle` says.
    told: u64,
    id: u64,
    closed: bool,
    /// Whether it has told the registry that its own lane is over.
    finished: bool,
    /// Whether nothing will ever come.
    over: bool,
    /// Whether messages were taken whose places are not free yet: a guard that was leaked.
    unfreed: bool,
    /// Of the lane, once it is gone.
    past: Stats,
    registry: Arc<Registry<T>>,
}

impl<T> Worker<T> {
    /// `lanes`: its own, and an empty ring of one place, whose writing end is `fill`.
    pub(super) fn new(
        id: u64,
        lanes: Vec<LaneReceiver<T>>,
        fill: Producer<Heap<T>>,
        idle: IdleWord,
        registry: Arc<Registry<T>>,
    ) -> Self {
        Self {
            lanes,
            current: OWN,
            fill: Some(fill),
            idle,
            told: 0,
            id,
            closed: false,
            finished: false,
            over: false,
            unfreed: false,
            past: Stats::default(),
            registry,
        }
    }

    pub(super) fn registry(&self) -> &Arc<Registry<T>> {
        &self.registry
    }

    /// Whether there is a message: of the run that was seen, or of the next look.
    #[inline(always)]
    fn find(&mut self) -> bool {
        self.lanes.get(self.current).is_some_and(|lane| lane.ring.seen() != 0) || self.look()
    }

    #[inline(always)]
    fn look(&mut self) -> bool {
        let Some(own) = self.lanes.get_mut(OWN) else { return false };
        // In this order: a message of a key is sent to its new worker once those before it were handed on. Who sees the message
        // sees these, and takes them first.
        let first_returned = mutant!(ReturnedFirst) && self.registry.returned() == 0;
        let found = own.ring.refresh_tail_limited(ALL);
        if self.registry.returned() != 0 && !first_returned && self.take_returned() {
            return true;
        }
        self.current = OWN;
        found || self.found_none()
    }

    /// Moves a message of a worker that has left to this one's hand. Whether there was one.
    #[cold]
    #[inline(never)]
    fn take_returned(&mut self) -> bool {
        // One that has closed begins nothing that is not its own.
        let Some(fill) = self.fill.as_mut().filter(|_| !self.closed) else { return false };
        let hand = &mut self.lanes[HAND];
        if fill.room(1) == 0 {
            // A guard was leaked that took the last one.
            hand.ring.free();
        }
        if fill.room(1) == 0 {
            return false;
        }
        let put = |message| {
            let refused = fill.push(message);
            debug_assert!(refused.is_ok(), "there is room");
        };
        if self.registry.take(put, Some(&mut self.finished)).is_none() {
            return false;
        }
        if self.told != BUSY {
            // It has something to do, though its lane is empty.
            self.told = BUSY;
            self.idle.store(BUSY, Ordering::Relaxed);
        }
        self.current = HAND;
        hand.ring.refresh_tail_limited(ALL)
    }

    /// A look found nothing: says so, and looks whether all is over.
    #[inline(never)]
    fn found_none(&mut self) -> bool {
        let own = &self.lanes[OWN].ring;
        if self.told != own.received() {
            self.told = own.received();
            // A hint: it orders nothing.
            self.idle.store(self.told, Ordering::Relaxed);
        }
        if own.is_over() {
            if !core::mem::replace(&mut self.finished, true) {
                self.registry.finish();
            }
            self.over = self.registry.has_ended();
        }
        false
    }

    /// Leaves: what was not received goes to the others. Once.
    fn hand_on(&mut self) {
        self.over = true;
        if self.lanes.is_empty() {
            return;
        }
        self.past = self.stats();
        // Closes the ring of one place.
        self.fill = None;
        let lanes = core::mem::take(&mut self.lanes);
        self.registry.hand_on(self.id, self.finished, lanes);
    }
}

impl<T> RingReceiver for Worker<T> {
    type Item = T;

    const MANY_RINGS: bool = true;

    #[inline(always)]
    fn next(&mut self) -> Option<Message<'_, T>> {
        if !self.find() {
            return None;
        }
        self.lanes.get_mut(self.current)?.next_seen()
    }

    #[inline(always)]
    fn has_message(&mut self) -> bool {
        self.find()
    }

    #[inline(always)]
    fn take<R>(&mut self, f: impl FnOnce(T) -> R) -> Option<R> {
        self.unfreed = true;
        self.lanes.get_mut(self.current)?.take(f)
    }

    #[inline(always)]
    fn free(&mut self) {
        self.unfreed = false;
        if let Some(lane) = self.lanes.get_mut(self.current) {
            lane.free();
        }
    }

    fn available_now(&mut self) -> usize {
        let returned = if self.closed { 0 } else { self.registry.returned() as usize };
        // At least one look, also if no message is there: a look finds the end.
        (self.len() + returned).max(1)
    }

    #[inline(always)]
    fn available(&mut self, wanted: u64) -> u64 {
        if wanted == 0 || !self.find() {
            return 0;
        }
        self.lanes[self.current].ring.seen().min(wanted)
    }

    #[inline(always)]
    fn front(&self, offset: u64) -> Option<&T> {
        self.lanes.get(self.current)?.front(offset)
    }

    fn move_into(&mut self, target: &mut Vec<T>, n: u64) -> usize {
        self.lanes.get_mut(self.current).map_or(0, |lane| lane.move_into(target, n))
    }

    #[inline(always)]
    fn skip(&mut self, n: u64) {
        if let Some(lane) = self.lanes.get_mut(self.current) {
            lane.skip(n);
        }
    }

    fn found_nothing(&mut self, closed: bool) {
        if core::mem::take(&mut self.unfreed) {
            each(&mut self.lanes, |lane| lane.found_nothing(false));
        }
        if closed {
            // What was sent at the moment of the close goes to another worker: the answer must not change.
            self.hand_on();
        }
    }

    fn is_idle(&self) -> bool {
        !self.over && !self.unfreed
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn close(&mut self, own: &EventCount) {
        if core::mem::replace(&mut self.closed, true) {
            return;
        }
        if let Some(lane) = self.lanes.get_mut(OWN) {
            // As `lane::refuse`, for messages of every kind.
            if lane.ring.close_to_hand_on() {
                own.announce_departure(1);
                if lane.ring.take_back_told() {
                    own.acknowledge_departure();
                }
            }
        }
        self.registry.remove_handle();
    }

    fn peer_closed(&self) -> bool {
        self.lanes.get(OWN).is_none_or(|lane| lane.ring.peer_closed())
    }

    fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.ring.len()).sum()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0 && (self.closed || self.registry.returned() == 0)
    }

    fn capacity(&self) -> usize {
        self.registry.options.capacity
    }

    fn stats(&self) -> Stats {
        self.lanes.get(OWN).map_or(self.past, |lane| lane.ring.stats())
    }

    fn count_parks(&mut self, n: u64) {
        if let Some(lane) = self.lanes.get_mut(OWN) {
            lane.ring.count_parks(n);
        }
    }

    fn transferred(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.ring.received()).fold(0, u64::wrapping_add)
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        // The handle has closed it.
        self.hand_on();
    }
}
