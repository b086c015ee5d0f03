//! The sending end of many lanes, each with a worker: which worker gets a message, and who of them is there.

use crate::ring::layout::Stats;
use crate::shm::error::{Cause, SendTimeoutError, TrySendError};
use crate::shm::peer::attachment;
use crate::shm::peer::reported_ends::Stand;
use crate::shm::peer::session::{End, KEPT, Peer};
use crate::shm::ring::attach;
use crate::shm::ring::open::Opened;
use crate::shm::ring::sending_end::{Tx, VAIN};
use crate::shm::segment::map::Map;
use crate::shm::wait::futex::MOST_SLEPT_ON;
use crate::shm::wait::{LIVENESS_INTERVAL, LivenessChecks, Sleep, Waited, futex, shortest};
use crate::sync::Ordering;
use crate::sync::failpoint::point;
use crate::sync::position::Position;
use crate::wait::park_word::{Settled, WordParkSlot};
use crate::wait::wait_policy::WaitPolicy;
use crate::wait::{Deadline, WaitStrategy};
use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::hash::RandomState;
use std::sync::Arc;
use zerocopy::IntoBytes;

/// Lanes that a choice looks at for a worker that has nothing to do.
const LOOKS: usize = 8;

/// Who has the other side of a lane, as far as this side knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LaneHolder {
    /// A worker.
    Worker,
    /// None. There may be messages.
    Nobody,
    /// It wrote what cannot be: this side uses the lane no more.
    Corrupt,
}

struct Lane<T> {
    tx: Tx<T>,
    holder: LaneHolder,
    /// Spreads the keys.
    salt: u64,
    /// What was sent here when a worker last came to a lane, or this side was opened.
    mark: Position,
    /// Whether the other lanes have passed their marks: then no message of a key that moved here is still unread elsewhere.
    settled: bool,
    /// How many messages were unread when the kernel was last to be asked, and how many had been sent.
    asked: (usize, u64),
}

impl<T> Lane<T> {
    /// Whether the worker has received all that was sent to it, and has found nothing more since. A hint.
    #[inline(always)]
    fn is_idle(&self) -> bool {
        self.tx.map.worker().idle.0.load(Ordering::Relaxed) == self.tx.ring.position().count()
    }

    /// Room, at least half of the lane or as much as there is. So the worker's line is read once for half a lane of messages.
    #[inline(always)]
    fn room(&mut self) -> u64 {
        let half = (self.tx.ring.capacity() as u64).div_ceil(2);
        if self.tx.ring.known_room() >= half && !self.tx.ring.peer_gone() {
            return self.tx.ring.known_room();
        }
        self.tx.ring.room(u64::MAX)
    }

    /// Whether all was received.
    fn is_empty(&self) -> bool {
        self.tx.ring.is_received(self.tx.ring.position())
    }

    /// Whether the words say something new of the worker.
    #[inline(always)]
    fn has_changed(&self) -> bool {
        self.tx.ring.is_behind() || (self.tx.ring.peer_gone() && self.holder == LaneHolder::Worker)
    }
}

impl<T> Tx<T> {
    /// Who has the other side. Goes on to its last session in silence. `ask`: also by the kernel's word.
    fn find_worker(&mut self, ask: bool) -> LaneHolder {
        let map = Arc::clone(&self.map);
        let peer = &map.consumer().session;
        // Bounded: a process that writes nonsense there cannot hold us up.
        for _ in 0..4 * KEPT {
            // Before the look: one that begins since is found by the next.
            let last = peer.last();
            let end = match self.attachment.reported.stand(peer) {
                _ if self.ring.is_corrupt() => return LaneHolder::Corrupt,
                Stand::Impossible => {
                    self.ring.spoil();
                    return LaneHolder::Corrupt;
                }
                Stand::Over(end) => end,
                Stand::Awaited => {
                    self.ring.meet(last);
                    return LaneHolder::Nobody;
                }
                // It has closed, or has not set the ring up.
                Stand::Open if self.ring.peer_gone() => return LaneHolder::Nobody,
                Stand::Open => match if ask { self.attachment.ask(peer, |_| false) } else { None } {
                    Some(Waited::Over(end)) => end,
                    _ => {
                        self.ring.meet(last);
                        // Looks at its position, which may be nonsense.
                        self.ring.room(1);
                        return if self.ring.is_corrupt() { LaneHolder::Corrupt } else { LaneHolder::Worker };
                    }
                },
            };
            self.attachment.reported.pass(end, 0);
        }
        LaneHolder::Nobody
    }
}

/// What a wait came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    /// Room, or another worker: the next look says.
    News,
    Gone(Cause),
}

/// The sending ends of all lanes.
pub(crate) struct Workers<T> {
    /// Those of the lanes, so that a sleep can borrow them while it looks at the lanes.
    maps: Arc<[Arc<Map>]>,
    lanes: Vec<Lane<T>>,
    /// Lanes that have a worker.
    live: Vec<usize>,
    /// Where in `live` the next choice begins.
    next: usize,
    /// The lane whose words are looked at with the next message.
    looked: usize,
    /// Looks until the kernel is asked about lanes where nothing moves.
    turns: u32,
    /// The hash of the key by which the running verb sends.
    pub(crate) key: Option<u64>,
    /// Whether this side has sent by key.
    keyed: bool,
    pub(crate) hasher: RandomState,
    /// Workers that were found gone, with messages in their lanes.
    departed: u64,
    closed: bool,
    pub(crate) waiter: WaitPolicy,
    /// Of which lanes the workers know that this side sleeps often, a bit for each lane.
    settled: Settled,
}

/// Mixes the bits: the end of Steele and others' `SplitMix64`.
fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

impl<T> Workers<T> {
    pub(crate) fn begin(opened: Opened, wait: WaitStrategy) -> Self {
        let Opened { maps, layout, held, path, .. } = opened;
        let ends = attach::producers(held, path, &maps, &layout);
        let begin = |(map, (held, ring)): (&Arc<Map>, _)| {
            let is_sound = attachment::check_words(map, &layout).is_ok();
            let mut tx = Tx::begin_with(held, ring, Arc::clone(map), wait);
            if !is_sound {
                tx.ring.spoil();
            }
            let mark = tx.ring.position();
            let salt = mix(u64::from(map.lane()).wrapping_add(0x9e37_79b9_7f4a_7c15));
            // The sender before this one may have sent by key.
            Lane { tx, holder: LaneHolder::Nobody, salt, mark, settled: false, asked: (0, 0) }
        };
        let lanes: Vec<_> = maps.iter().zip(ends).map(begin).collect();
        let departed = maps.iter().map(|map| map.producer().departed.0.load(Ordering::Relaxed)).max().unwrap_or(0);
        let mut workers = Self {
            maps: maps.into(),
            live: Vec::with_capacity(lanes.len()),
            lanes,
            next: 0,
            looked: 0,
            turns: VAIN,
            key: None,
            keyed: false,
            hasher: RandomState::new(),
            departed,
            closed: false,
            waiter: WaitPolicy::new(wait),
            settled: Settled::default(),
        };
        (0..workers.lanes.len()).for_each(|lane| _ = workers.look(lane, false));
        workers
    }

    /// Brings what this side knows of a lane's worker in line with the words, and with the kernel's if it is asked. Whether that is another than before.
    #[cold]
    #[inline(never)]
    fn look(&mut self, at: usize, ask: bool) -> bool {
        let lane = &mut self.lanes[at];
        let before = core::mem::replace(&mut lane.holder, LaneHolder::Nobody);
        let now = lane.tx.find_worker(ask);
        lane.holder = now;
        if before == now {
            return false;
        }
        let is_left = before == LaneHolder::Worker && !lane.is_empty();
        self.live.retain(|&lane| lane != at);
        if now == LaneHolder::Worker {
            self.live.push(at);
            if self.keyed {
                // Keys move to it.
                self.lanes[at].settled = false;
                self.lanes.iter_mut().for_each(|lane| lane.mark = lane.tx.ring.position());
            }
        }
        if is_left {
            self.tell_departure();
        }
        true
    }

    /// Tells the workers that one is gone, with messages in its lane.
    fn tell_departure(&mut self) {
        self.departed = self.departed.wrapping_add(1);
        for map in &*self.maps {
            let word = &map.producer().departed.0;
            point!();
            word.store(self.departed, Ordering::Relaxed);
            point!();
            futex::wake(word);
        }
    }

    /// Looks at all lanes. Whether a worker has come or gone.
    #[cold]
    #[inline(never)]
    fn look_around(&mut self, ask: bool) -> bool {
        (0..self.lanes.len()).fold(false, |news, at| {
            let lane = &self.lanes[at];
            // The kernel is asked where something lies that is not received.
            let asks = ask && lane.holder == LaneHolder::Worker && !lane.is_empty();
            let is_known = !asks && !lane.has_changed() && !lane.tx.ring.is_corrupt();
            (!is_known && self.look(at, asks)) | news
        })
    }

    /// Asks the kernel about the lanes where nothing has moved since it was last called.
    #[cold]
    #[inline(never)]
    fn ask_about_stuck(&mut self) {
        self.turns = VAIN;
        for at in 0..self.lanes.len() {
            let lane = &mut self.lanes[at];
            let (unread, sent) = (lane.tx.ring.len(), lane.tx.ring.position().count());
            let received = |(unread, sent): (usize, u64)| sent.wrapping_sub(unread as u64);
            let is_stuck = unread != 0 && received(lane.asked) == received((unread, sent));
            lane.asked = (unread, sent);
            if is_stuck && lane.holder == LaneHolder::Worker {
                self.look(at, true);
            }
        }
    }

    /// Part of each send: looks at the words of one lane, and now and then asks the kernel.
    #[inline(always)]
    fn turn(&mut self) {
        let lane = &self.lanes[self.looked];
        if lane.has_changed() {
            self.look(self.looked, false);
        }
        self.looked = if self.looked + 1 < self.lanes.len() { self.looked + 1 } else { 0 };
        self.turns -= 1;
        if self.turns == 0 {
            self.ask_about_stuck();
        }
    }

    /// The lane for the next message, if one has room.
    #[inline(always)]
    fn choose(&mut self) -> Option<usize> {
        match self.key {
            None => self.choose_any(),
            Some(hash) => self.choose_by(hash),
        }
    }

    /// A worker that has nothing to do; else of the next two lanes with room the one with more. As in one process (`fan_out`).
    #[inline(always)]
    fn choose_any(&mut self) -> Option<usize> {
        let n = self.live.len();
        let wrap = |at| if at < n { at } else { 0 };
        let mut at = wrap(self.next);
        for _ in 0..n.min(LOOKS) {
            let lane = &mut self.lanes[self.live[at]];
            if lane.is_idle() && lane.tx.ring.room(1) != 0 {
                self.next = at + 1;
                return Some(self.live[at]);
            }
            at = wrap(at + 1);
        }
        let mut best = None;
        at = wrap(self.next);
        for looked in 0..n {
            let room = self.lanes[self.live[at]].room();
            match best {
                _ if room == 0 => {}
                None => best = Some((room, at)),
                Some((other, _)) if room > other => best = Some((room, at)),
                Some(_) => {}
            }
            if looked != 0 && best.is_some() {
                break;
            }
            at = wrap(at + 1);
        }
        let (_, at) = best?;
        self.next = at + 1;
        Some(self.live[at])
    }

    /// The lane that a key belongs to: by rendezvous hashing, as in one process. A lane whose worker is gone keeps its keys until what is in it was received.
    fn owner(&self, hash: u64) -> Option<usize> {
        let has_keys = |lane: &Lane<T>| match lane.holder {
            LaneHolder::Worker => true,
            LaneHolder::Nobody => !lane.is_empty(),
            LaneHolder::Corrupt => false,
        };
        let lanes = self.lanes.iter().enumerate().filter(|(_, lane)| has_keys(lane));
        lanes.max_by_key(|(_, lane)| mix(hash ^ lane.salt)).map(|(at, _)| at)
    }

    /// The lane that this key belongs to, if it has a worker, room, and may be used.
    fn choose_by(&mut self, hash: u64) -> Option<usize> {
        self.keyed = true;
        for at in 0..self.lanes.len() {
            // A key belongs to another once a worker has come or gone.
            if self.lanes[at].has_changed() {
                self.look(at, false);
            }
        }
        let at = self.owner(hash)?;
        if !self.lanes[at].settled {
            if !(0..self.lanes.len()).all(|other| other == at || self.has_passed_mark(other)) {
                return None;
            }
            self.lanes[at].settled = true;
        }
        let lane = &mut self.lanes[at];
        (lane.holder == LaneHolder::Worker && lane.tx.ring.room(1) != 0).then_some(at)
    }

    /// Whether what was sent there before the last worker came was received. What lies in a corrupt lane never is.
    fn has_passed_mark(&self, at: usize) -> bool {
        let lane = &self.lanes[at];
        lane.holder == LaneHolder::Corrupt || lane.tx.ring.is_received(lane.mark)
    }

    /// Sends a copy of `value`, to the worker that is chosen for it. Whether there was room.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: &T) -> bool
    where
        T: IntoBytes,
    {
        self.turn();
        loop {
            while let Some(at) = self.choose() {
                let lane = &mut self.lanes[at];
                if lane.tx.ring.push_message(value) {
                    lane.tx.announce(1);
                    return true;
                }
                // Its worker has left at this moment.
                if !self.look(at, false) {
                    return false;
                }
            }
            if !self.look_around(false) {
                return false;
            }
        }
    }

    /// Why a message was not sent.
    #[cold]
    #[inline(never)]
    pub(crate) fn why_full(&mut self) -> TrySendError<(), Cause> {
        self.refusal().map_or(TrySendError::Full(()), |ended| TrySendError::Disconnected((), ended))
    }

    /// `None` if the channel is merely full, or has no worker.
    fn refusal(&mut self) -> Option<Cause> {
        if self.closed {
            return Some(Cause::Closed);
        }
        if self.lanes.iter().all(|lane| lane.holder == LaneHolder::Corrupt) {
            return Some(Cause::Corrupted);
        }
        self.lanes[0].tx.ring.count_full();
        // With the kernel's answers of `turn`.
        (self.turns == VAIN && self.is_removed()).then_some(Cause::Removed)
    }

    fn is_removed(&self) -> bool {
        self.lanes[0].tx.attachment.is_removed()
    }

    /// As [`Workers::push`], waiting for room.
    #[inline(always)]
    pub(crate) fn push_until(
        &mut self,
        value: &T,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<(), SendTimeoutError<(), Cause>>
    where
        T: IntoBytes,
    {
        if self.push(value) { Ok(()) } else { self.push_later(value, deadline()) }
    }

    #[cold]
    #[inline(never)]
    fn push_later(&mut self, value: &T, deadline: Deadline) -> Result<(), SendTimeoutError<(), Cause>>
    where
        T: IntoBytes,
    {
        loop {
            if let Some(ended) = self.refusal() {
                return Err(SendTimeoutError::Disconnected((), ended));
            }
            match self.sleep(deadline) {
                Some(Found::News) => {}
                Some(Found::Gone(ended)) => return Err(SendTimeoutError::Disconnected((), ended)),
                None => return Err(SendTimeoutError::Timeout(())),
            }
            if self.push(value) {
                return Ok(());
            }
        }
    }

    /// Which message of the lane must be received before there may be room for the next one; `None` if that is not it.
    fn awaited(&self, at: usize, owner: Option<usize>) -> Option<u64> {
        let lane = &self.lanes[at];
        let last_before = |mark: Position| mark.count().wrapping_sub(1);
        match (self.key, owner) {
            (None, _) => (lane.holder == LaneHolder::Worker).then(|| lane.tx.ring.awaited(1).count()),
            (Some(_), Some(owner)) if owner == at => Some(match lane.holder {
                LaneHolder::Worker => lane.tx.ring.awaited(1).count(),
                _ => last_before(lane.tx.ring.position()),
            }),
            (Some(_), Some(owner)) => {
                let waits = !self.lanes[owner].settled && !self.has_passed_mark(at);
                waits.then(|| last_before(lane.mark))
            }
            (Some(_), None) => None,
        }
    }

    /// Waits until there may be room; `None` if not in time.
    fn sleep(&mut self, deadline: Deadline) -> Option<Found> {
        // They go with the handle, which the looks borrow.
        let (maps, mut waiter) = (Arc::clone(&self.maps), core::mem::take(&mut self.waiter));
        let key = self.key;
        let owner = key.and_then(|hash| self.owner(hash));
        // The key's lane, if its worker is gone: also a worker that comes there ends the wait, not only the messages that are received.
        let vacant = owner.filter(|&owner| self.lanes[owner].holder != LaneHolder::Worker);
        // A wait allocates nothing.
        let mut beds = [(&maps[0].producer().session.parked.0, 0); MOST_SLEPT_ON as usize];
        // What each lane's word held before the last look: of a worker's its position, where none is awaited the count of those that came.
        let words = RefCell::new([(false, 0u64); MOST_SLEPT_ON as usize]);
        let (mut n, mut which) = (0, 0);
        for (at, map) in maps.iter().enumerate() {
            if let Some(awaited) = self.awaited(at, owner) {
                beds[n] = (&map.producer().session.parked.0, awaited);
                words.borrow_mut()[at].0 = true;
                n += 1;
                which |= 1 << at;
            }
        }
        let mut settled = self.settled.has(which);
        let joins = |at: usize| &maps[at].consumer().session.epoch;
        let joined = Cell::new(0);
        let passed = self.lanes.iter().fold(0, |sum: u64, lane| sum.wrapping_add(lane.tx.ring.position().count()));
        let workers = RefCell::new(&mut *self);
        let mut asks = LivenessChecks::default();
        let look = |look| {
            let mut workers = workers.borrow_mut();
            for ((moves, word), map) in words.borrow_mut().iter_mut().zip(&*maps) {
                let consumer = map.consumer();
                *word = if *moves { &consumer.block.head } else { &consumer.session.epoch }.load(Ordering::Relaxed);
            }
            joined.set(vacant.map_or(0, |at| joins(at).load(Ordering::Relaxed)));
            let asks = asks.asks(look);
            // Others have come or gone, or the key belongs to another: the wait is for other words then.
            if workers.look_around(asks)
                || workers.choose().is_some()
                || key.and_then(|hash| workers.owner(hash)) != owner
            {
                return Some(Found::News);
            }
            let is_corrupt = || workers.lanes.iter().all(|lane| lane.holder == LaneHolder::Corrupt);
            if is_corrupt() {
                return Some(Found::Gone(Cause::Corrupted));
            }
            (asks && workers.is_removed()).then_some(Found::Gone(Cause::Removed))
        };
        let barrier = || {
            // One call reaches all.
            let (mut called, mut reached) = (false, true);
            for map in &*maps {
                reached &= map.consumer().session.barrier(|| {
                    called = called || attachment::membarrier_all();
                    called
                });
            }
            reached
        };
        let mut sleeps = false;
        let nap = |reached, limit| {
            // Before the sleep: an onlooker sees by it that this side is asleep.
            if !core::mem::replace(&mut sleeps, true) {
                workers.borrow().lanes[0].tx.ring.count_parks(1);
            }
            let words = words.borrow();
            // Without the workers that come to other lanes: while messages lie in the key's lane, those must be received first, which ends the wait. So the
            // one word more is too many for the kernel only if messages are awaited in each of 128 lanes: then that worker is found within 90 ms.
            let lanes = maps.iter().zip(&*words).filter(|(_, (moves, _))| *moves || vacant.is_none());
            let lanes = lanes.map(|(map, &(moves, word))| {
                let consumer = map.consumer();
                (if moves { &consumer.block.head } else { &consumer.session.epoch }, word)
            });
            let words = lanes.chain(vacant.map(|at| (joins(at), joined.get())));
            futex::sleep_on_any(words, shortest(reached, limit));
        };
        let shares = |core| {
            let share = |map: &Arc<Map>| map.producer().session.waits_on(core, &map.consumer().session);
            maps.iter().fold(false, |shared, map| shared | share(map))
        };
        let bed = WordParkSlot::new(&beds[..n], &mut settled, barrier, nap, shares);
        let waited = Sleep::Here(deadline).wait(&mut waiter, bed, passed, look);
        let cleared = self.settled.note(which, settled, waiter.is_often());
        for (_, map) in maps.iter().enumerate().filter(|(at, _)| cleared >> at & 1 != 0) {
            point!();
            map.producer().session.parked.0.clear();
            point!();
        }
        self.waiter = waiter;
        match waited {
            Ok(found) => found,
            Err(_) if asks.asked() => None,
            Err(_) if self.look_around(true) => Some(Found::News),
            Err(_) => self.is_removed().then_some(Found::Gone(Cause::Removed)),
        }
    }

    /// Waits until a worker has a lane. Whether one has.
    pub(crate) fn wait_for_worker(&mut self, timeout: Duration) -> bool {
        let deadline = Deadline::after(Some(timeout));
        loop {
            let removed = self.is_removed();
            let epochs: Vec<_> =
                self.maps.iter().map(|map| map.consumer().session.epoch.load(Ordering::Relaxed)).collect();
            self.look_around(false);
            if self.worker_count() != 0 {
                return true;
            }
            if deadline.passed() || removed {
                return false;
            }
            let nap = deadline.left().map_or(LIVENESS_INTERVAL, |left| left.min(LIVENESS_INTERVAL));
            let words = self.maps.iter().map(|map| &map.consumer().session.epoch).zip(epochs);
            futex::sleep_on_any(words, nap);
        }
    }

    /// How many lanes have a worker, as the kernel says.
    pub(crate) fn worker_count(&self) -> usize {
        self.lanes.iter().filter(|lane| lane.tx.peer() == Peer::Here).count()
    }

    pub(crate) fn peer(&self, lane: usize) -> Option<Peer> {
        self.lanes.get(lane).map(|lane| lane.tx.peer())
    }

    pub(crate) fn stats(&self, lane: usize) -> Option<Stats> {
        self.lanes.get(lane).map(|lane| lane.tx.stats())
    }

    pub(crate) fn lane_count(&self) -> usize {
        self.lanes.len()
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.lanes[0].tx.epoch()
    }

    /// Messages that no worker has received.
    pub(crate) fn unread(&self) -> usize {
        self.lanes.iter().map(|lane| lane.tx.ring.len()).sum()
    }

    /// Places of all lanes.
    pub(crate) fn places(&self) -> usize {
        self.lanes.iter().map(|lane| lane.tx.ring.capacity()).sum()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.closed || self.lanes.iter().all(|lane| lane.tx.ring.is_corrupt())
    }

    pub(crate) fn set_wait(&mut self, strategy: WaitStrategy) {
        self.waiter.set_strategy(strategy);
    }

    /// Ends the session of each lane. A worker that sees one of them ended sees all that was sent to every lane.
    pub(crate) fn close(&mut self, how: Option<End>) {
        self.closed = true;
        self.live.clear();
        for lane in &mut self.lanes {
            lane.holder = if lane.holder == LaneHolder::Corrupt { lane.holder } else { LaneHolder::Nobody };
            lane.tx.close(how);
        }
    }
}

impl<T> Drop for Workers<T> {
    fn drop(&mut self) {
        self.close(None);
    }
}
