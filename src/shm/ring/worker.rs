//! The receiving end of a worker: its own lane, and what others have left in theirs.

use crate::error::BuildError;
use crate::ring::spsc::Consumer;
use crate::shm::error::{Cause, RecvTimeoutError, TryRecvError};
use crate::shm::peer::attachment;
use crate::shm::peer::leftovers::{find_left, is_all_received};
use crate::shm::peer::reported_ends::Found;
use crate::shm::peer::session::End;
use crate::shm::ring::attach::{self, LeftLane, Ring};
use crate::shm::ring::mapped::Fetched;
use crate::shm::ring::open::Opened;
use crate::shm::ring::receiving_end::Rx;
use crate::shm::ring::sending_end::VAIN;
use crate::shm::segment::attach::OtherLanes;
use crate::shm::segment::layout::Layout;
use crate::shm::segment::map::Map;
use crate::shm::wait::{LivenessChecks, Sleep, UNREACHED_INTERVAL, Waited, futex, shortest};
use crate::sync::failpoint::point;
use crate::sync::position::Position;
use crate::sync::{AtomicU64, Ordering};
use crate::try_alloc;
use crate::wait::park_word::WordParkSlot;
use crate::wait::wait_policy::WaitPolicy;
use crate::wait::{CheckPhase, Deadline, WaitStrategy};
use core::cell::{Cell, RefCell};
use core::iter;
use core::mem::MaybeUninit;
use std::sync::Arc;
use zerocopy::{Immutable, TryFromBytes};

/// Short sleeps in one wait, while another process has the lock of a lane that was closed.
const SHORT_NAPS: u32 = 8;

/// One in so many looks in vain is also at what others have left in order: their words, and no call of the kernel.
const LOOKS_ELSEWHERE: u32 = 64;

/// Where a message is taken from: the worker's own lane, or one without a worker.
pub(crate) trait Source<T> {
    /// A copy of the next message, which stays where it is.
    fn front(&mut self) -> Option<T>;

    /// Frees the places of the first `n` messages.
    fn pass(&mut self, n: usize);

    /// Hands up to `max` messages to `f`, then frees their places together. How many.
    fn drain(&mut self, max: usize, f: impl FnMut(T)) -> usize;
}

impl<T: TryFromBytes + Immutable> Source<T> for Rx<T> {
    #[inline(always)]
    fn front(&mut self) -> Option<T> {
        if self.finds() { self.copy(0) } else { None }
    }

    #[inline(always)]
    fn pass(&mut self, n: usize) {
        Self::pass(self, n);
    }

    fn drain(&mut self, max: usize, f: impl FnMut(T)) -> usize {
        let there = self.ready(max);
        self.take_all(there, Self::read, f)
    }
}

impl<T: TryFromBytes + Immutable> LeftLane<'_, T> {
    fn fetch(&mut self) -> Option<T> {
        let mut place = MaybeUninit::uninit();
        match self.ring().fetch(&mut place) {
            Fetched::Message(message) => Some(message.into_inner()),
            Fetched::NoMessage(_) | Fetched::Nothing(_) => None,
        }
    }

    /// Frees the places of the `n` messages that were read, and wakes the sender and the workers that wait for that.
    fn free(&mut self, n: u64) {
        let ring = self.ring();
        ring.release();
        let (to, is_empty) = (ring.position(), ring.len() == 0);
        let (sender, consumer) = (&self.map().producer().session, self.map().consumer());
        // With a fence: the sender's barrier may not reach this process.
        if sender.parked.0.is_awaited(to.count().wrapping_sub(n), n) {
            futex::wake(&consumer.block.head);
        }
        if is_empty {
            tell_news(self.map());
        }
    }
}

impl<T: TryFromBytes + Immutable> Source<T> for LeftLane<'_, T> {
    fn front(&mut self) -> Option<T> {
        let mut place = MaybeUninit::uninit();
        match self.ring().copy(0, &mut place) {
            Fetched::Message(message) => Some(message.into_inner()),
            Fetched::NoMessage(_) | Fetched::Nothing(_) => None,
        }
    }

    fn pass(&mut self, n: usize) {
        self.ring().pass(n as u64);
        self.free(n as u64);
    }

    fn drain(&mut self, max: usize, mut f: impl FnMut(T)) -> usize {
        let mut n = 0;
        // Should `f` panic, nothing was freed: all of them come again.
        while n < max {
            let Some(message) = self.fetch() else { break };
            f(message);
            n += 1;
        }
        if n != 0 {
            self.free(n as u64);
        }
        n
    }
}

/// Changes the word that other workers sleep on, and wakes them. For the holder of the lane's lock.
fn tell_news(map: &Map) {
    let news = &map.worker().news.0;
    point!();
    news.store(news.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    point!();
    futex::wake(news);
    point!();
}

/// What there is to say where nothing was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Why {
    Nothing,
    Message,
    Over(End),
    Stopped(Cause),
}

/// The receiving end of a worker. Dropping it leaves what it has not received to the others.
pub(crate) struct Worker<T> {
    pub(crate) rx: Rx<T>,
    /// Of all lanes.
    maps: Arc<[Arc<Map>]>,
    lane: usize,
    layout: Layout,
    others: OtherLanes,
    /// Lanes whose words cannot be, or that hold what is no message, a bit each: this worker takes nothing there.
    damaged: u128,
    /// Lanes whose lock the kernel refused this worker, a bit each: with an error, which says nothing of who has it. It tries again after a sleep.
    refused: Cell<u128>,
    /// Departures that the sender has told, of which nothing is left.
    seen: u64,
    /// Where the next search begins.
    at: usize,
    vain: u32,
    /// Whether the other workers know that the sender's last session is over and all of this lane was received.
    told_over: u64,
    /// What this side's word for that says.
    told_idle: u64,
    /// What the words of the other lanes held before the last look of a wait.
    news: Box<[u64]>,
    waiter: WaitPolicy,
    /// See `wait::parked`.
    settled: bool,
}

impl<T> Worker<T> {
    pub(crate) fn begin(opened: Opened, wait: WaitStrategy) -> Result<Self, BuildError> {
        let Opened { maps, lane, file, layout, held, path, missed_ends, .. } = opened;
        let lane = lane as usize;
        let map = Arc::clone(&maps[lane]);
        let news = try_alloc::slice(maps.len(), |_| 0)?;
        let told_idle = map.worker().idle.0.load(Ordering::Relaxed);
        let (held, mut ring): (_, Consumer<Ring<T>>) = attach::worker(held, path, &map, &layout);
        ring.gathers = false;
        let rx = Rx::begin_with(held, ring, map, missed_ends, wait)?;
        Ok(Self {
            rx,
            maps: maps.into(),
            lane,
            layout,
            others: OtherLanes::new(file),
            damaged: 0,
            refused: Cell::new(0),
            seen: 0,
            at: 0,
            // The first look in vain asks the kernel.
            vain: VAIN,
            told_over: 0,
            told_idle,
            news,
            waiter: WaitPolicy::new(wait),
            settled: false,
        })
    }

    pub(crate) fn lane(&self) -> usize {
        self.lane
    }

    pub(crate) fn lane_count(&self) -> usize {
        self.maps.len()
    }

    pub(crate) fn set_wait(&mut self, strategy: WaitStrategy) {
        self.waiter.set_strategy(strategy);
    }

    /// Ends the session, gives the lane's lock back, and wakes the other workers.
    pub(crate) fn close(&mut self, how: Option<End>) {
        if self.rx.is_closed() || !self.rx.attachment.is_ours() {
            return;
        }
        self.rx.close(how);
        // While the word is this side's.
        let map = &self.maps[self.lane];
        tell_news(map);
        self.rx.attachment.give_lock();
        futex::wake(&map.worker().news.0);
    }

    /// Whether the sender has found workers gone since nothing of them was left.
    #[inline(always)]
    fn has_departed(&self) -> bool {
        self.departed().load(Ordering::Relaxed) != self.seen
    }

    fn departed(&self) -> &AtomicU64 {
        &self.rx.map.producer().departed.0
    }

    /// Messages in a lane; `None` if its words cannot be.
    fn unread(&self, lane: usize) -> Option<u64> {
        let map = &self.maps[lane];
        // What was received by the first look was sent by the second.
        let head = Position::from_word(map.consumer().block.head.load(Ordering::Acquire));
        let tail = Position::from_word(map.producer().block.tail.load(Ordering::Relaxed));
        let unread = tail.since(head);
        (self.damaged >> lane & 1 == 0 && unread <= self.layout.capacity).then_some(unread)
    }

    /// The other lanes that hold messages, from where the last search ended.
    fn other_lanes(&self) -> impl Iterator<Item = usize> + use<'_, T> {
        let n = self.maps.len();
        let lanes = (self.at..n).chain(0..self.at);
        lanes.filter(|&lane| lane != self.lane && self.unread(lane).is_some_and(|unread| unread != 0))
    }

    /// Whether the last worker of a lane has closed it, or another has found it dead.
    fn is_refused(&self, lane: usize) -> bool {
        self.maps[lane].consumer().block.gone.0.load(Ordering::Relaxed) != 0
    }

    /// Whether this worker was refused the lock of a lane, since it last slept.
    fn was_refused(&self, lane: usize) -> bool {
        self.refused.get() >> lane & 1 != 0
    }

    /// Whether there is a message in a lane that has no worker; by the kernel's word. `all`: of each lane with messages, not of those alone that were closed.
    /// Also whether there is a closed one whose lock is held for a moment.
    fn has_left(&self, all: bool) -> (bool, bool) {
        let mut is_held = false;
        self.others.give_back();
        // To find one again whose lock was just refused would be a wait without a sleep.
        for lane in self.other_lanes().filter(|&lane| !self.was_refused(lane)) {
            let refused = self.is_refused(lane);
            if (refused || all) && self.others.is_free(lane as u32) {
                return (true, is_held);
            }
            is_held |= refused;
        }
        (false, is_held)
    }

    /// Whether a sender's end is not to be told yet: messages of its session may be in other lanes, and it is the last.
    fn holds_back(&self) -> bool {
        let sender = self.rx.sender();
        let lanes = (0..self.maps.len()).filter(|&lane| lane != self.lane);
        sender.last() == self.rx.attachment.reported.current()
            && !is_all_received(lanes.map(|lane| self.unread(lane).is_none_or(|unread| unread == 0)))
    }

    /// What there is to say where a look has found nothing. Tells nothing. `ask`: whether to ask the kernel.
    fn why(&mut self, ask: bool) -> Why {
        let found = match self.rx.look_on() {
            Found::Nothing if ask && self.rx.stopped().is_none() => match self.rx.ask_kernel() {
                Some(Waited::Over(end)) => Found::Over(end),
                Some(Waited::Removed) => return Why::Stopped(Cause::Removed),
                Some(Waited::Impossible) => return Why::Stopped(self.rx.stop(Cause::Corrupted)),
                Some(Waited::Ready) => Found::Message,
                Some(Waited::TimedOut | Waited::Armed) | None => Found::Nothing,
            },
            found => found,
        };
        match found {
            Found::Message => Why::Message,
            Found::Over(end) => {
                let session = self.rx.attachment.reported.current();
                if self.told_over != session {
                    // Others may wait for it.
                    self.told_over = session;
                    tell_news(&self.maps[self.lane]);
                }
                if self.holds_back() { Why::Nothing } else { Why::Over(end) }
            }
            Found::Nothing | Found::Impossible => self.rx.stopped().map_or(Why::Nothing, Why::Stopped),
        }
    }

    /// Says that this worker has nothing to do.
    fn tell_idle(&mut self) {
        let received = self.rx.received();
        if self.told_idle != received && !self.rx.is_closed() {
            self.told_idle = received;
            // A hint: it orders nothing.
            point!();
            self.maps[self.lane].worker().idle.0.store(received, Ordering::Relaxed);
            point!();
        }
    }

    /// Has the next look in vain ask the kernel.
    fn ask_next(&mut self) {
        self.vain = VAIN;
    }
}

impl<T: TryFromBytes + Immutable> Worker<T> {
    /// What `f` makes of the messages of a lane without a worker.
    #[cold]
    #[inline(never)]
    fn search<R>(&mut self, ask: bool, f: &mut impl FnMut(LeftOrOwn<'_, '_, T>) -> Option<R>) -> Option<R> {
        if self.rx.is_closed() || !self.rx.attachment.is_ours() {
            return None;
        }
        let departed = self.departed().load(Ordering::Relaxed);
        self.others.give_back();
        for all in [false, true] {
            if all && !ask && departed == self.seen {
                break;
            }
            for turn in 0..self.maps.len() {
                let lane = (self.at + turn) % self.maps.len();
                if lane == self.lane || self.unread(lane).is_none_or(|unread| unread == 0) {
                    continue;
                }
                if self.is_refused(lane) == all {
                    continue;
                }
                let map = Arc::clone(&self.maps[lane]);
                let lock = match self.others.take(lane as u32) {
                    Ok(Some(lock)) => lock,
                    Ok(None) => continue,
                    Err(_) => {
                        self.refused.set(self.refused.get() | 1 << lane);
                        continue;
                    }
                };
                // With the lock: what the last worker wrote is all there.
                let is_sound = attachment::check_words(&map, &self.layout).is_ok();
                let found = if is_sound {
                    let mut left = LeftLane::<T>::new(lock, &map, &self.layout);
                    let n = find_left(&map.consumer().session, left.ring());
                    let found = if n != 0 { f(LeftOrOwn::Left(&mut left)) } else { None };
                    // It was there: so it is no message.
                    let is_damaged = n != 0 && found.is_none();
                    if is_damaged { Err(()) } else { Ok(found) }
                } else {
                    Err(())
                };
                match found {
                    Ok(Some(found)) => {
                        self.at = lane;
                        return Some(found);
                    }
                    Ok(None) => {}
                    Err(()) => self.damaged |= 1 << lane,
                }
            }
        }
        // Also where one is held, perhaps for as long as a handler takes: such a lane was closed, and each wait looks at those.
        self.seen = departed;
        None
    }

    /// What `f` makes of the next messages; if there are none, why, each end once.
    #[inline(always)]
    pub(crate) fn try_by<R>(
        &mut self,
        mut f: impl FnMut(LeftOrOwn<'_, '_, T>) -> Option<R>,
    ) -> Result<R, TryRecvError<Cause>> {
        if !self.has_departed() {
            if let Some(found) = f(LeftOrOwn::Own(&mut self.rx)) {
                return Ok(found);
            }
        }
        self.try_elsewhere(&mut f)
    }

    /// The same; tells no end.
    pub(crate) fn find_by<R>(&mut self, mut f: impl FnMut(LeftOrOwn<'_, '_, T>) -> Option<R>) -> Option<R> {
        let departed = self.has_departed();
        if departed {
            if let Some(found) = self.search(false, &mut f) {
                return Some(found);
            }
        }
        let found = f(LeftOrOwn::Own(&mut self.rx));
        if found.is_some() || departed {
            return found;
        }
        self.tell_idle();
        // Now and then by the kernel: a killed worker has closed nothing, and the sender may sleep.
        let due = self.vain >= VAIN;
        self.vain = if due { 1 } else { self.vain + 1 };
        self.search(due, &mut f)
    }

    #[cold]
    #[inline(never)]
    fn try_elsewhere<R>(
        &mut self,
        f: &mut impl FnMut(LeftOrOwn<'_, '_, T>) -> Option<R>,
    ) -> Result<R, TryRecvError<Cause>> {
        loop {
            if self.has_departed() {
                if let Some(found) = self.search(false, f) {
                    return Ok(found);
                }
            }
            if let Some(found) = f(LeftOrOwn::Own(&mut self.rx)) {
                return Ok(found);
            }
            self.tell_idle();
            let due = self.vain >= VAIN;
            let elsewhere = due || self.vain % LOOKS_ELSEWHERE == 0;
            self.vain = if due { 1 } else { self.vain + 1 };
            if elsewhere {
                if let Some(found) = self.search(due, f) {
                    return Ok(found);
                }
            }
            match self.why(due) {
                Why::Nothing => return Err(TryRecvError::Empty),
                Why::Stopped(cause) => return Err(TryRecvError::Disconnected(cause)),
                Why::Message => {}
                Why::Over(end) => {
                    if let Some(cause) = self.rx.tell(end) {
                        return Err(TryRecvError::Disconnected(cause));
                    }
                }
            }
        }
    }

    /// As [`Worker::try_by`], waiting for a message.
    #[inline(always)]
    pub(crate) fn wait_by<R>(
        &mut self,
        mut f: impl FnMut(LeftOrOwn<'_, '_, T>) -> Option<R>,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<R, RecvTimeoutError<Cause>> {
        match self.try_by(&mut f) {
            Ok(found) => Ok(found),
            Err(TryRecvError::Disconnected(cause)) => Err(RecvTimeoutError::Disconnected(cause)),
            Err(TryRecvError::Empty) => self.wait_later(f, deadline()),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_later<R>(
        &mut self,
        mut f: impl FnMut(LeftOrOwn<'_, '_, T>) -> Option<R>,
        deadline: Deadline,
    ) -> Result<R, RecvTimeoutError<Cause>> {
        loop {
            let in_time = self.sleep(deadline);
            match self.try_by(&mut f) {
                Ok(found) => return Ok(found),
                Err(TryRecvError::Disconnected(cause)) => return Err(RecvTimeoutError::Disconnected(cause)),
                Err(TryRecvError::Empty) if in_time => {}
                Err(TryRecvError::Empty) => return Err(RecvTimeoutError::Timeout),
            }
        }
    }

    /// Waits until there is something to look for. Whether in time.
    fn sleep(&mut self, deadline: Deadline) -> bool {
        // They go with the handle, which the looks borrow.
        let (maps, mut waiter) = (Arc::clone(&self.maps), core::mem::take(&mut self.waiter));
        let (mut settled, lane) = (self.settled, self.lane);
        let own = &maps[lane];
        let Some(bed) = self.rx.bed(own) else {
            self.waiter = waiter;
            return true;
        };
        let passed = self.rx.received();
        let worker = RefCell::new(&mut *self);
        let mut asks = LivenessChecks::default();
        // What the sender's word for departures held before the last look, and whether a lane is held for a moment.
        let before = RefCell::new((0, false));
        let look = |phase| {
            let mut worker = worker.borrow_mut();
            for (word, map) in worker.news.iter_mut().zip(&*maps) {
                *word = map.worker().news.0.load(Ordering::Relaxed);
            }
            let departed = worker.departed().load(Ordering::Relaxed);
            if worker.rx.is_ready() {
                return Some(());
            }
            let asks = asks.asks(phase);
            if asks && phase != CheckPhase::BeforeSleep {
                // Of a side that stays awake, which comes here once in thousands of looks.
                worker.refused.set(0);
            }
            let mut is_held = false;
            if asks || phase == CheckPhase::BeforeSleep || worker.has_departed() {
                let (is_left, held) = worker.has_left(asks || worker.has_departed());
                if is_left {
                    worker.ask_next();
                    return Some(());
                }
                is_held = held;
                worker.seen = departed;
            }
            *before.borrow_mut() = (departed, is_held);
            match worker.why(asks) {
                Why::Nothing => None,
                Why::Message => Some(()),
                Why::Over(_) | Why::Stopped(_) => {
                    worker.ask_next();
                    Some(())
                }
            }
        };
        let barrier = || worker.borrow().rx.barrier(attachment::membarrier_all);
        let (mut sleeps, mut short_naps) = (false, SHORT_NAPS);
        let nap = |reached, limit| {
            let worker = worker.borrow();
            // Before the sleep: an onlooker sees by it that this side is asleep.
            if !core::mem::replace(&mut sleeps, true) {
                worker.rx.count_park();
            }
            let (departed, is_held) = *before.borrow();
            let longest = shortest(reached, limit);
            // A worker that leaves gives its lock back soon after it has said so. If it does not, another has it, and may keep it for long.
            let is_soon = is_held && short_naps != 0;
            short_naps -= u32::from(is_soon);
            let longest = if is_soon { longest.min(UNREACHED_INTERVAL) } else { longest };
            let words = worker.rx.word().into_iter().chain(iter::once((worker.departed(), departed)));
            let news = maps.iter().zip(&worker.news).enumerate().filter(|(at, _)| *at != lane);
            let news = news.map(|(_, (map, &word))| (&map.worker().news.0, word));
            futex::sleep_on_any(words.chain(news), longest);
            worker.refused.set(0);
        };
        let shares = |core| Rx::<T>::waits_on(own, core);
        let beds = [bed];
        let bed = WordParkSlot::new(&beds, &mut settled, barrier, nap, shares);
        let waited = Sleep::Here(deadline).wait(&mut waiter, bed, passed, look);
        (self.waiter, self.settled) = (waiter, settled);
        if waited.is_err() && !asks.asked() {
            // One wait after the other that is short would never ask.
            self.ask_next();
        }
        waited.is_ok()
    }
}

/// Where the next messages are.
pub(crate) enum LeftOrOwn<'a, 'b, T> {
    /// In the worker's own lane, if there are any.
    Own(&'a mut Rx<T>),
    /// In one without a worker: at least one.
    Left(&'a mut LeftLane<'b, T>),
}

impl<T: TryFromBytes + Immutable> LeftOrOwn<'_, '_, T> {
    /// Takes the next message: it counts as received.
    #[inline(always)]
    pub(crate) fn take(self) -> Option<T> {
        match self {
            Self::Own(rx) => rx.take(),
            Self::Left(left) => {
                let message = left.fetch()?;
                left.free(1);
                Some(message)
            }
        }
    }

    /// Lends a copy of the next message to `f`, then frees its place.
    #[inline(always)]
    pub(crate) fn take_with<R>(self, f: impl FnOnce(&T) -> R) -> Option<R> {
        fn with<T, R>(from: &mut impl Source<T>, f: impl FnOnce(&T) -> R) -> Option<R> {
            let message = from.front()?;
            let done = f(&message);
            from.pass(1);
            Some(done)
        }
        match self {
            Self::Own(rx) => with(rx, f),
            #[cfg(ringmail_planted_early_free)]
            Self::Left(left) => {
                // Wrong on purpose: `verify/killsweep/check` shows with it that the sweep would notice.
                let message = left.front()?;
                left.pass(1);
                Some(f(&message))
            }
            #[cfg(not(ringmail_planted_early_free))]
            Self::Left(left) => with(left, f),
        }
    }

    /// Hands up to `max` messages to `f`, then frees their places together. `None` if there are none.
    pub(crate) fn drain(self, max: usize, f: impl FnMut(T)) -> Option<usize> {
        let taken = match self {
            Self::Own(rx) => Source::drain(rx, max, f),
            Self::Left(left) => Source::drain(left, max, f),
        };
        (taken != 0).then_some(taken)
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.close(None);
    }
}
