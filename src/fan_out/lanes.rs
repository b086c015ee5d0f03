//! The sender's end: the writing ends of all lanes, and the choice among them.

use super::registry::{IdleWord, Opened, Registry};
use crate::channel::RingSender;
use crate::channel::lane::LaneSender;
use crate::error::BuildError;
use crate::ring::layout::{Counter, Stats};
use crate::ring::place::{Filled, Place};
use crate::sync::order::mutant;
use crate::sync::{Arc, Ordering};
use crate::try_alloc::room;
use crate::wait::panics::{Panics, each};
use alloc::vec::Vec;
#[cfg(ringmail_loom)]
use std::hash::{BuildHasherDefault, DefaultHasher};

/// Hashes keys. Keyed at random, so that keys that are chosen with malice do not gather at one worker; a model repeats itself.
#[cfg(not(ringmail_loom))]
type KeyHasher = std::hash::RandomState;
#[cfg(ringmail_loom)]
type KeyHasher = BuildHasherDefault<DefaultHasher>;

/// Lanes that a choice looks at for a worker that has nothing to do.
const LOOKS: usize = 8;

/// The writing ends of all lanes.
#[allow(missing_debug_implementations, reason = "behind the handles, which have one")]
pub struct Lanes<T> {
    /// In the order in which their workers joined.
    lanes: Vec<Lane<T>>,
    /// The lane after the one that was chosen last.
    next: usize,
    /// The hash of the key by which the running verb sends.
    pub(super) key: Option<u64>,
    /// Whether a message was ever sent by key.
    keyed: bool,
    pub(super) hasher: KeyHasher,
    /// The news that were looked at.
    seen: u64,
    closed: bool,
    sent: u64,
    full: u64,
    parks: Counter,
    /// Of lanes that are gone.
    past: Stats,
    pub(super) registry: Arc<Registry<T>>,
}

/// The writing end of a worker's lane.
struct Lane<T> {
    end: LaneSender<T>,
    idle: IdleWord,
    id: u64,
    /// Spreads the keys.
    salt: u64,
    /// Whether the worker has left.
    left: bool,
    /// Messages sent here before the last worker joined.
    mark: u64,
    /// Whether the lanes before this one have passed their marks: then no message of a key that moved here is still unread elsewhere.
    settled: bool,
}

impl<T> Lane<T> {
    /// Whether the worker has received all that was sent to it, and has found nothing more since. A hint.
    #[inline(always)]
    fn is_idle(&self) -> bool {
        self.idle.load(Ordering::Relaxed) == self.end.ring.sent()
    }

    /// Room, at least half of the lane or as much as there is. So the worker's line is read once for half a lane of messages.
    #[inline(always)]
    fn room(&mut self) -> u64 {
        let half = (self.end.ring.capacity() as u64).div_ceil(2);
        if self.end.ring.known_room() >= half && !self.end.ring.peer_gone() {
            return self.end.ring.known_room();
        }
        self.end.ring.room(u64::MAX)
    }

    /// Whether the worker has received what was sent before the last one joined.
    fn has_passed_mark(&mut self) -> bool {
        let (sent, capacity) = (self.end.ring.sent(), self.end.ring.capacity() as u64);
        // None of a lane whose worker is leaving: what it did not receive is still to be handed on.
        sent + self.end.ring.room(capacity) >= self.mark + capacity
    }
}

/// Mixes the bits: the end of Steele and others' `SplitMix64`.
fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

impl<T> Lanes<T> {
    /// With room for a lane.
    pub(super) fn new(registry: Arc<Registry<T>>) -> Result<Self, BuildError> {
        Ok(Self {
            lanes: room(1)?,
            next: 0,
            key: None,
            keyed: false,
            hasher: KeyHasher::default(),
            seen: 0,
            closed: false,
            sent: 0,
            full: 0,
            parks: Counter::new(),
            past: Stats::default(),
            registry,
        })
    }

    /// The lane for the next message, if one has room.
    #[inline(always)]
    fn choose(&mut self) -> Option<usize> {
        if self.registry.news() != self.seen {
            self.look();
        }
        match self.key {
            None => self.choose_any(),
            Some(hash) => self.choose_by(hash),
        }
    }

    /// A worker that has nothing to do; else of the next two lanes with room the one with more.
    ///
    /// Of two at random, the lesser load is nearly as good as the least of all: Mitzenmacher, "The power of two choices in randomized load
    /// balancing" (1996). Each look is at a line that its worker writes seldom, so most are hits.
    #[inline(always)]
    fn choose_any(&mut self) -> Option<usize> {
        let n = self.lanes.len();
        let wrap = |at| if at < n { at } else { 0 };
        let mut at = wrap(self.next);
        for _ in 0..n.min(LOOKS) {
            let lane = &mut self.lanes[at];
            if lane.is_idle() && lane.end.ring.room(1) != 0 {
                return Some(at);
            }
            at = wrap(at + 1);
        }
        let mut best = None;
        at = wrap(self.next);
        for looked in 0..n {
            let room = self.lanes[at].room();
            match best {
                _ if room == 0 => {}
                None => best = Some((room, at)),
                Some((other, before)) => return Some(if room > other { at } else { before }),
            }
            if looked != 0 && best.is_some() {
                break;
            }
            at = wrap(at + 1);
        }
        best.map(|(_, at)| at)
    }

    /// The lane of the worker that this key belongs to, if it has room and may be used.
    ///
    /// Of all workers the one whose number, mixed with the key, is highest: Thaler and Ravishankar's rendezvous hashing (1998). So only the keys of a
    /// worker that leaves move, and a worker that joins takes an equal part of the keys of each.
    fn choose_by(&mut self, hash: u64) -> Option<usize> {
        self.keyed = true;
        let (at, _) = self.lanes.iter().enumerate().max_by_key(|(_, lane)| mix(hash ^ lane.salt))?;
        if !self.lanes[at].settled {
            let (before, lane) = self.lanes.split_at_mut(at);
            if !mutant!(MarksFirst) && !before.iter_mut().all(Lane::has_passed_mark) {
                return None;
            }
            lane[0].settled = true;
        }
        (self.lanes[at].end.ring.room(1) != 0).then_some(at)
    }

    /// Takes in the lanes of workers that have joined, and lets go of those that have left.
    #[cold]
    #[inline(never)]
    pub(super) fn look(&mut self) {
        let (registry, keyed) = (Arc::clone(&self.registry), self.keyed);
        let lanes = core::cell::RefCell::new(core::mem::take(&mut self.lanes));
        self.seen = registry.look(
            |has_left, opened| {
                let mut lanes = lanes.borrow_mut();
                lanes.iter_mut().for_each(|lane| lane.left = has_left(lane.id));
                lanes.try_reserve(opened).is_ok()
            },
            |Opened { end, idle, id }| {
                let mut lanes = lanes.borrow_mut();
                lanes.iter_mut().for_each(|lane| lane.mark = lane.end.ring.sent());
                let settled = !keyed || lanes.is_empty();
                let salt = mix(id.wrapping_add(0x9e37_79b9_7f4a_7c15));
                lanes.push(Lane { end, idle, id, salt, left: false, mark: 0, settled });
            },
        );
        self.lanes = lanes.into_inner();
        let (mut at, mut panics, before) = (0, Panics::new(), self.lanes.len());
        while at < self.lanes.len() {
            if !self.lanes[at].left {
                at += 1;
                continue;
            }
            let mut lane = self.lanes.remove(at);
            lane.end.ring.close();
            add(&mut self.past, &lane.end.stats());
            // The worker's event count may be dropped with it, and the waker in that.
            panics.catch(|| {
                lane.end.drop_orphans();
                drop(lane);
            });
        }
        if self.lanes.len() != before {
            panics.catch(|| registry.count_again());
        }
        panics.resume();
    }

    /// A message was put into lane `at`.
    #[inline(always)]
    fn sent(&mut self, at: usize) {
        (self.sent, self.next) = (self.sent + 1, at + 1);
        if self.lanes[at].end.receiver.has_waiter() {
            self.wake(at);
        }
    }

    #[cold]
    #[inline(never)]
    fn wake(&mut self, at: usize) {
        let lane = &mut self.lanes[at];
        let answer = lane.end.receiver.notify_slow_if(|| true);
        if answer.woke {
            lane.end.ring.count_wake();
        }
        if answer.departed && lane.end.ring.peer_gone() {
            // It was leaving: the message may have come too late for it to count.
            lane.end.drop_orphans();
            if !mutant!(LateCountsAgain) {
                self.registry.count_again();
            }
        }
    }
}

/// Adds the counts of one lane, but for those of messages, which may move to another.
fn add(sum: &mut Stats, lane: &Stats) {
    sum.receiver_parks += lane.receiver_parks;
    sum.sender_wakes += lane.sender_wakes;
    sum.receiver_wakes += lane.receiver_wakes;
}

impl<T> RingSender for Lanes<T> {
    type Item = T;

    #[inline(always)]
    fn push(&mut self, value: T) -> Result<(), T> {
        let mut value = value;
        // Once, but for a worker that closes at this moment: then the next choice is another.
        while let Some(at) = self.choose() {
            match self.lanes[at].end.ring.push(value) {
                Ok(()) => {
                    self.sent(at);
                    return Ok(());
                }
                Err(refused) => value = refused,
            }
        }
        Err(value)
    }

    #[inline(always)]
    fn push_with<F>(&mut self, write: F) -> Result<(), F>
    where
        F: FnOnce(Place<'_, T>) -> Filled<'_>,
    {
        let mut write = write;
        while let Some(at) = self.choose() {
            match self.lanes[at].end.ring.push_with(write) {
                Ok(()) => {
                    self.sent(at);
                    return Ok(());
                }
                Err(refused) => write = refused,
            }
        }
        Err(write)
    }

    fn push_slice(&mut self, values: &[T]) -> usize
    where
        T: Copy,
    {
        // One by one: neighbours go to different workers.
        values.iter().take_while(|&&value| self.push(value).is_ok()).count()
    }

    fn has_room(&mut self) -> bool {
        self.choose().is_some()
    }

    fn is_closed(&self) -> bool {
        self.closed || self.registry.is_gone()
    }

    fn close(&mut self) {
        if core::mem::replace(&mut self.closed, true) {
            return;
        }
        let mut panics = Panics::new();
        panics.catch(|| self.registry.close_sender());
        panics.catch(|| each(&mut self.lanes, |lane| lane.end.close()));
        // Those that were handed on are over now, if they are empty.
        panics.catch(|| self.registry.count_again());
        panics.resume();
    }

    fn drop_orphans(&mut self) {}

    fn len(&self) -> usize {
        // What a worker has left counts once, also before this end has looked.
        let is_there = |lane: &&Lane<T>| self.registry.news() == self.seen || self.registry.has(lane.id);
        let own = self.lanes.iter().filter(is_there).map(|lane| lane.end.len()).sum::<usize>();
        own + self.registry.returned() as usize
    }

    fn capacity(&self) -> usize {
        self.lanes.len() * self.registry.options.capacity
    }

    fn is_full(&self) -> bool {
        self.lanes.iter().all(|lane| lane.end.is_full())
    }

    fn transferred(&self) -> u64 {
        self.sent
    }

    fn stats(&self) -> Stats {
        let mut sum = self.past;
        self.lanes.iter().for_each(|lane| add(&mut sum, &lane.end.stats()));
        (sum.sent, sum.depth, sum.full, sum.sender_parks) = (self.sent, self.len(), self.full, self.parks.get());
        sum.received = sum.sent.saturating_sub(sum.depth as u64);
        sum
    }

    fn count_full(&mut self) {
        self.full += 1;
    }

    fn count_parks(&self, n: u64) {
        self.parks.add(n);
    }
}

impl<T> Drop for Lanes<T> {
    fn drop(&mut self) {
        // The handle has closed it.
        self.registry.drop_sender();
    }
}
