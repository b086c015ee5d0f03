//! The receiving end of a mapped ring, for messages and for records.

use crate::error::BuildError;
use crate::ring::layout::Stats;
use crate::ring::spsc::Consumer;
use crate::shm::error::{Cause, RecvTimeoutError, TryRecvError};
use crate::shm::peer::attachment::{Attachment, Beginning};
use crate::shm::peer::reported_ends::{Found, ReportedEnds, Stand};
use crate::shm::peer::session::Peer;
use crate::shm::peer::session::{End, Session, observe};
use crate::shm::peer::{Role, attachment};
use crate::shm::ring::attach;
use crate::shm::ring::attach::{Attached, Ring};
use crate::shm::ring::copy;
use crate::shm::ring::mapped::Fetched;
use crate::shm::ring::open::{Opened, SessionInfo, cause_of};
use crate::shm::ring::sending_end::VAIN;
use crate::shm::segment::layout::Kind;
use crate::shm::segment::map::Map;
use crate::shm::wait::wake_fd::{Armed, Waits, Watch};
use crate::shm::wait::{Sleep, Waited};
use crate::sync::position::Position;
use crate::sync::{AtomicU64, Ordering};
use crate::try_alloc;
use crate::wait::park_word::ParkWord;
use crate::wait::{Deadline, WaitStrategy};
use core::cell::RefCell;
use core::mem::MaybeUninit;
use core::time::Duration;
use crossbeam_utils::CachePadded;
use std::io;
use std::sync::Arc;
use zerocopy::{Immutable, TryFromBytes};

/// The receiving end. Dropping it closes it.
pub(crate) struct Rx<T> {
    // As the sender's.
    pub(crate) ring: CachePadded<Consumer<Ring<T>>>,
    pub(super) map: Arc<Map>,
    /// Of the only lane; of several, they have it in common.
    watch: Option<Watch>,
    pub(super) attachment: Attachment,
    /// Why nothing is received any more: this side closed, or the sender sent what is no message.
    stopped: Option<Cause>,
    /// Whether it stopped for the latter and no verdict has said so.
    untold: bool,
    /// The last session before this one that was told, or that a message came from.
    before: u64,
    /// Checks that found no message, since the kernel was asked.
    vain: u32,
    /// What the sender's word held before the last look of a wait.
    word: u64,
    /// One place, where a large message is copied to before it is known to be one.
    pub(crate) large: Box<[copy::Aligned<T>]>,
}

/// From so many bytes on a message is large.
pub(crate) const LARGE: usize = 512;

impl<T> Rx<T> {
    /// Begins a session. `layout` is that of slots for `T`.
    pub(crate) fn begin(opened: Opened, wait: WaitStrategy) -> Result<Self, BuildError> {
        Ok(Self::begin_all(opened, wait)?.swap_remove(0))
    }

    /// Begins a session at a seat of a broadcast: with the messages from now on, or at a reserved seat where its last holder ended.
    pub(crate) fn begin_at_seat(opened: Opened, wait: WaitStrategy) -> Result<Self, BuildError> {
        let Opened { maps, layout, held, path, missed_ends, reserves, .. } = opened;
        let map = Arc::clone(&maps[0]);
        let large = try_alloc::slice(1, |_| copy::Aligned(MaybeUninit::uninit()))?;
        let (held, ring) = attach::receiver(held, path, &map, &layout);
        let mut ring: CachePadded<Consumer<Ring<T>>> = CachePadded::new(ring);
        let resumes = !map.consumer_is_free();
        let words = &map.consumer().session;
        // Else it is told of none that is over: it has none of their messages.
        let none = || map.producer().session.last().saturating_sub(1);
        let taken = Some(if resumes { words.taken.load(Ordering::Relaxed) } else { none() });
        let count = if resumes { ring.position() } else { Position::from_word(ring.peer_word()) }.count();
        let (all, seat) = (missed_ends && resumes, Some(map.lane()));
        let with = Beginning { map: &map, role: Role::Receiver, count, taken, all, seat, wait };
        let attachment = Attachment::begin(held, with, || {
            Consumer::reopen(&mut ring);
            if !resumes {
                ring.join();
            }
            ring.position().count()
        });
        if let Some((_names, name)) = reserves {
            map.seat(0).name.write(&name);
        }
        Ok(Self::new(ring, map, attachment, large))
    }

    fn new(
        ring: CachePadded<Consumer<Ring<T>>>,
        map: Arc<Map>,
        attachment: Attachment,
        large: Box<[copy::Aligned<T>]>,
    ) -> Self {
        let (watch, stopped, untold, before, vain, word) = (None, None, false, 0, 0, 0);
        Self { ring, map, watch, attachment, stopped, untold, before, vain, word, large }
    }

    /// The same of each lane.
    pub(crate) fn begin_all(opened: Opened, wait: WaitStrategy) -> Result<Vec<Self>, BuildError> {
        let Opened { maps, layout, held, path, missed_ends: all, .. } = opened;
        let rings = attach::consumers(held, path, &maps, &layout);
        // Not records: their words are the places.
        let gathers = layout.kind == Kind::Spsc;
        let begin = |(map, (held, mut ring)): (Arc<Map>, (_, Consumer<Ring<T>>))| {
            ring.gathers = gathers;
            Self::begin_with(held, ring, map, all, wait)
        };
        maps.into_iter().zip(rings).map(begin).collect()
    }

    /// The same of a lane whose end `ring` is.
    pub(super) fn begin_with(
        held: Attached,
        ring: Consumer<Ring<T>>,
        map: Arc<Map>,
        all: bool,
        wait: WaitStrategy,
    ) -> Result<Self, BuildError> {
        let large = try_alloc::slice(1, |_| copy::Aligned(MaybeUninit::uninit()))?;
        let mut ring = CachePadded::new(ring);
        let taken = Some(map.consumer().session.taken.load(Ordering::Relaxed));
        let count = ring.position().count();
        let with = Beginning { map: &map, role: Role::Receiver, count, taken, all, seat: None, wait };
        let attachment = Attachment::begin(held, with, || {
            Consumer::reopen(&mut ring);
            count
        });
        Ok(Self::new(ring, map, attachment, large))
    }

    /// Ends the session: in order, or by giving up if this thread panics, or as `how` says.
    pub(crate) fn close(&mut self, how: Option<End>) {
        if self.stopped != Some(Cause::Closed) && self.attachment.is_ours() {
            self.stop(Cause::Closed);
            self.attachment.reported.note(&self.map.consumer().session.taken, &*self.ring);
            self.attachment.end(attachment::sessions(&self.map, Role::Receiver).0, how);
            // A message that is not taken stays for the next receiver.
            let _ = self.ring.close();
            let (peer, head) = self.ring.peer_session();
            self.attachment.rouse(peer, head);
        }
    }

    /// Whether this side has closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.stopped == Some(Cause::Closed)
    }

    /// Why nothing is received any more.
    pub(crate) fn stopped(&self) -> Option<Cause> {
        self.stopped
    }

    pub(crate) fn peer(&self) -> Peer {
        self.attachment.peer_state(&self.map.producer().session)
    }

    pub(crate) fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        let peer = attachment::sessions(&self.map, Role::Receiver).1;
        self.attachment.wait_for_peer(peer, Deadline::after(Some(timeout)))
    }

    pub(crate) fn stats(&self) -> Stats {
        self.ring.stats()
    }

    pub(super) fn sender(&self) -> &Session {
        &self.map.producer().session
    }

    /// The session that the last message came from, or whose end was told last; `None` before.
    pub(crate) fn session(&self) -> Option<SessionInfo> {
        let current = self.attachment.reported.current();
        let number = if self.attachment.reported.has_taken(self.received()) { current } else { self.before };
        (number != 0).then(|| SessionInfo::of(self.sender(), number))
    }

    /// Whether there is a message; looks again if none was known, and on into the sender's next session where this one needs not be told.
    #[inline(always)]
    pub(crate) fn finds(&mut self) -> bool {
        self.ring.has_message() || (self.ring.is_over() && self.look_on() == Found::Message)
    }

    /// What there is where the ring's own look says that it cannot tell.
    #[cold]
    #[inline(never)]
    pub(super) fn look_on(&mut self) -> Found {
        if self.stopped.is_some() {
            return Found::Nothing;
        }
        let taken = &self.map.consumer().session.taken;
        let found = self.attachment.reported.look(&self.map.producer().session, &mut *self.ring, taken);
        if found == Found::Impossible || self.ring.is_corrupt() {
            self.stop(Cause::Corrupted);
            return Found::Nothing;
        }
        found
    }

    /// Whether there is a message; if not, why not, each end once.
    #[inline(always)]
    pub(crate) fn try_find(&mut self) -> Result<(), TryRecvError<Cause>> {
        if self.ring.has_message() {
            return Ok(());
        }
        if self.is_quiet() { Err(TryRecvError::Empty) } else { self.try_find_on() }
    }

    /// The same where the ring may be unable to tell, once in a session or where there is none; or where the kernel is to be asked.
    #[cold]
    #[inline(never)]
    pub(crate) fn try_find_on(&mut self) -> Result<(), TryRecvError<Cause>> {
        if self.ring.is_over() && self.look_on() == Found::Message {
            return Ok(());
        }
        Err(self.why_nothing().map_or(TryRecvError::Empty, TryRecvError::Disconnected))
    }

    /// Waits until there is a message, or tells an end.
    #[inline(always)]
    pub(crate) fn find(&mut self, deadline: impl FnOnce() -> Deadline) -> Result<(), RecvTimeoutError<Cause>> {
        if self.ring.has_message() { Ok(()) } else { self.find_later(deadline()) }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn find_later(&mut self, deadline: Deadline) -> Result<(), RecvTimeoutError<Cause>> {
        while !self.finds() {
            if let Some(ended) = self.nothing() {
                return Err(RecvTimeoutError::Disconnected(ended));
            }
            self.wait_for_message(deadline)?;
        }
        Ok(())
    }

    /// The next message; its place stays occupied.
    #[inline(always)]
    pub(crate) fn read(&mut self) -> Option<T>
    where
        T: TryFromBytes + Immutable,
    {
        self.fetch::<false>()
    }

    /// Takes the next message, if there is one, and frees its place. If what is there is no message, this end reads nothing any more.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<T>
    where
        T: TryFromBytes + Immutable,
    {
        self.fetch::<true>()
    }

    /// As [`Rx::take`], to the caller's place, which comes back without a message.
    #[inline(always)]
    pub(crate) fn take_into<'a>(&mut self, place: &'a mut MaybeUninit<T>) -> Result<&'a mut T, &'a mut MaybeUninit<T>>
    where
        T: TryFromBytes + Immutable,
    {
        match self.ring.fetch(place) {
            Fetched::Message(message) => {
                self.free(1);
                Ok(message.into_mut())
            }
            Fetched::NoMessage(place) => {
                self.poison(self.ring.position());
                Err(place)
            }
            Fetched::Nothing(place) => Err(place),
        }
    }

    /// Lends the next message to `f` in place, then takes it and frees its place. None if it is no message: then this end reads nothing any more.
    ///
    /// # Safety
    /// As for [`Consumer::front_in_place`].
    #[inline(always)]
    #[allow(unsafe_code, reason = "passes the caller's promise on to the ring")]
    pub(crate) unsafe fn take_in_place<R>(&mut self, f: impl FnOnce(&T) -> R) -> Option<R>
    where
        T: TryFromBytes + Immutable,
    {
        // SAFETY: as the caller promises.
        match unsafe { self.ring.front_in_place() }? {
            Ok(message) => {
                let done = f(message);
                self.pass(1);
                Some(done)
            }
            Err(()) => {
                self.poison(self.ring.position());
                None
            }
        }
    }

    /// A large message is copied to memory of the handle and from there to the caller; a small one may be in registers.
    ///
    /// In a variable beside the caller's, the compiler would copy it once more, from one place of the stack to another. Copies by string instructions
    /// between places whose distance is just above a multiple of a page take twenty times as long, and places on one stack are apart like that.
    #[inline(always)]
    fn fetch<const FREE: bool>(&mut self) -> Option<T>
    where
        T: TryFromBytes + Immutable,
    {
        let mut here = copy::Aligned(MaybeUninit::uninit());
        let Self { ring, attachment, large, .. } = self;
        let place = if const { size_of::<T>() >= LARGE } { &mut large[0] } else { &mut here };
        match ring.fetch(&mut place.0) {
            Fetched::Message(message) => {
                if FREE {
                    free(ring, attachment, 1);
                }
                Some(message.into_inner())
            }
            Fetched::NoMessage(_) => {
                self.poison(self.ring.position());
                None
            }
            Fetched::Nothing(_) => None,
        }
    }

    /// Whether this side has closed or reads nothing any more, or the sender has closed and none has come since.
    pub(crate) fn is_over(&self) -> bool {
        self.stopped.is_some() || self.ring.peer_closed()
    }

    /// Whether the lane ever had a sender.
    pub(crate) fn was_used(&self) -> bool {
        self.sender().last() != 0
    }

    pub(crate) fn set_wait(&mut self, strategy: WaitStrategy) {
        self.attachment.waiter.set_strategy(strategy);
    }

    /// Frees the places of the `n` that were read.
    #[inline(always)]
    pub(crate) fn free(&mut self, n: u64) {
        free(&mut self.ring, &self.attachment, n);
    }

    /// Reads nothing any more: what is at `at` is no message. It stays where it is, as it was not received.
    #[cold]
    pub(crate) fn poison(&mut self, at: Position) {
        self.ring.rewind(at);
        self.stop(Cause::Corrupted);
    }

    #[cold]
    pub(super) fn stop(&mut self, cause: Cause) -> Cause {
        self.stopped = Some(cause);
        self.untold = cause == Cause::Corrupted;
        self.ring.halt();
        cause
    }

    /// Waits until there is a message, or until there is another reason to look: an end to tell.
    pub(crate) fn wait_for_message(&mut self, deadline: Deadline) -> Result<(), RecvTimeoutError<Cause>> {
        match self.sleep_for_message(Sleep::Here(deadline)) {
            Waited::Ready | Waited::Armed => Ok(()),
            Waited::TimedOut => Err(RecvTimeoutError::Timeout),
            Waited::Over(end) => self.tell(end).map_or(Ok(()), |ended| Err(RecvTimeoutError::Disconnected(ended))),
            Waited::Removed => Err(RecvTimeoutError::Disconnected(Cause::Removed)),
            Waited::Impossible => Err(RecvTimeoutError::Disconnected(self.stop(Cause::Corrupted))),
        }
    }

    fn sleep_for_message(&mut self, sleep: Sleep<'_>) -> Waited {
        let (own, peer) = attachment::sessions(&self.map, Role::Receiver);
        let tail = &self.map.producer().block.tail;
        let ring = RefCell::new(&mut *self.ring);
        let ready = |told: &ReportedEnds| {
            let mut ring = ring.borrow_mut();
            // Before the look: a change since ends the sleep.
            let word = ring.peer_word();
            let go = ring.has_message()
                || ring.is_over() && told.look(peer, &mut **ring, &own.taken) != Found::Nothing
                || ring.is_corrupt();
            (!go).then_some(word)
        };
        let (awaited, passed) = (ring.borrow().awaited(), ring.borrow().position());
        let parks = || ring.borrow().count_parks(1);
        self.attachment.block(own, peer, tail, awaited, passed, sleep, ready, parks)
    }

    /// Tells that the session ended which this side is in, all of which was received; of one that need not be told, nothing.
    pub(super) fn tell(&mut self, end: End) -> Option<Cause> {
        let (told, count) = (&self.attachment.reported, self.ring.position().count());
        let passes = told.passes(count);
        if !passes {
            self.before = told.current();
        }
        told.pass(end, count);
        told.note(&self.map.consumer().session.taken, &*self.ring);
        (!passes).then(|| cause_of(end))
    }

    /// Whether there is no more to say than that the look which was just had found no message. Without the way to the reasons: who spins comes by
    /// here each time.
    #[inline(always)]
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.vain += 1;
        !self.ring.is_over() && self.vain < VAIN
    }

    /// Why the look that was just had found no message: `None` if the channel is merely empty.
    #[inline(always)]
    pub(crate) fn nothing(&mut self) -> Option<Cause> {
        if self.is_quiet() { None } else { self.why_nothing() }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn why_nothing(&mut self) -> Option<Cause> {
        let due = self.vain >= VAIN;
        if due {
            self.vain = 0;
        }
        match self.look_on() {
            Found::Over(end) => return self.tell(end),
            Found::Message => return None,
            Found::Nothing | Found::Impossible => {}
        }
        if self.stopped.is_some() || !due {
            return self.stopped;
        }
        self.ask()
    }

    /// What the kernel says where there is nothing. Tells nothing.
    pub(super) fn ask_kernel(&mut self) -> Option<Waited> {
        let Self { ring, map, attachment, .. } = self;
        let (own, peer) = attachment::sessions(map, Role::Receiver);
        // An end that the look finds as well is told here: one that was killed before its ring closed has nothing else to show it.
        let is_ready = |found| matches!(found, Found::Message | Found::Impossible);
        attachment.ask(peer, |told| is_ready(told.look(peer, &mut **ring, &own.taken)))
    }

    /// LivenessChecks the kernel where there is nothing.
    fn ask(&mut self) -> Option<Cause> {
        match self.ask_kernel() {
            Some(Waited::Over(end)) => self.tell(end),
            Some(Waited::Removed) => Some(Cause::Removed),
            Some(Waited::Impossible) => Some(self.stop(Cause::Corrupted)),
            Some(Waited::Ready | Waited::TimedOut | Waited::Armed) | None => None,
        }
    }
}

/// Frees the places of the `n` that were read.
#[inline(always)]
fn free<T>(ring: &mut Consumer<Ring<T>>, attachment: &Attachment, n: u64) {
    ring.release();
    if attachment.should_wake(ring.peer_session().0) {
        wake(ring, attachment, n);
    }
}

#[cold]
#[inline(never)]
fn wake<T>(ring: &Consumer<Ring<T>>, attachment: &Attachment, n: u64) {
    let (peer, head) = ring.peer_session();
    if attachment.wake(peer, head, ring.position(), n) {
        ring.count_wake();
    }
}

/// What there is to say of a lane where no message was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LaneStatus {
    /// It has no sender, and nothing is to be told.
    Idle,
    /// Its sender may send more.
    Open,
    /// There is a message after all.
    Ready,
    /// A session of it has ended: told now.
    Ended(SessionInfo, Cause),
}

impl<T> Rx<T> {
    /// The verdict, each end told once. `ask`: whether to ask the kernel.
    pub(crate) fn lane_status(&mut self, ask: bool) -> LaneStatus {
        if self.finds() {
            return LaneStatus::Ready;
        }
        let session = self.attachment.reported.current();
        let mut why = self.nothing();
        if why.is_none() && ask && self.stopped.is_none() {
            why = self.ask();
        }
        match why {
            Some(Cause::Corrupted) => {
                // Also where a message was found to be none, and not only here.
                let first = core::mem::take(&mut self.untold);
                if first {
                    LaneStatus::Ended(SessionInfo::of(self.sender(), session), Cause::Corrupted)
                } else {
                    LaneStatus::Idle
                }
            }
            // Of all lanes at once.
            Some(Cause::Removed) => LaneStatus::Open,
            // This side has closed it.
            Some(Cause::Closed) if self.is_closed() => LaneStatus::Idle,
            Some(ended) => LaneStatus::Ended(SessionInfo::of(self.sender(), session), ended),
            None if self.ring.seen() != 0 => LaneStatus::Ready,
            None => match self.attachment.reported.stand(self.sender()) {
                Stand::Awaited => LaneStatus::Idle,
                _ => LaneStatus::Open,
            },
        }
    }

    /// Whether the last look met the end of a session, or one that has begun: there is more to it than messages.
    #[inline(always)]
    pub(crate) fn has_unreported_end(&self) -> bool {
        self.ring.is_over() && self.stopped.is_none() && self.has_over_or_impossible()
    }

    #[cold]
    fn has_over_or_impossible(&self) -> bool {
        matches!(self.attachment.reported.stand(self.sender()), Stand::Over(_) | Stand::Impossible)
    }

    /// Whether the file is gone.
    pub(crate) fn is_removed(&self) -> bool {
        self.attachment.is_removed()
    }

    /// Where it would sleep, and on which position; `None` if nothing will ever come.
    pub(crate) fn bed<'a>(&self, map: &'a Arc<Map>) -> Option<(&'a ParkWord, u64)> {
        self.stopped.is_none().then(|| (Self::parked(map), self.ring.awaited().count()))
    }

    /// Where the receiver of a lane sleeps.
    pub(crate) fn parked(map: &Arc<Map>) -> &ParkWord {
        &attachment::sessions(map, Role::Receiver).0.parked.0
    }

    /// The word that moves when something comes, and what it held before the last look of a wait; `None` if nothing will ever come.
    pub(crate) fn word(&self) -> Option<(&AtomicU64, u64)> {
        self.stopped.is_none().then(|| (&self.map.producer().block.tail, self.word))
    }

    pub(crate) fn is_ready(&mut self) -> bool {
        self.word = self.ring.peer_word();
        self.finds()
    }

    /// The event count of a receiver, of all its lanes.
    pub(crate) fn watch_all(&self) -> io::Result<Watch> {
        self.attachment.watch(Role::Receiver, 0)
    }

    /// Whether the lane's sender cannot reach that.
    pub(crate) fn is_mute(&self) -> bool {
        attachment::is_mute(self.sender(), 0)
    }

    /// After the announcement of a sleep: whether the sender could be reached.
    pub(crate) fn barrier(&self, membarrier: impl FnOnce() -> bool) -> bool {
        self.sender().barrier(membarrier)
    }

    /// The word that moves when a sender has set up a session, and what it holds; `None` if one has that is read, or is to be told.
    pub(crate) fn attach_word(&mut self) -> Option<(&AtomicU64, u64)> {
        if self.is_ready() || self.has_unreported_end() {
            return None;
        }
        let peer = &self.map.producer().session;
        let epoch = match self.attachment.is_set_up(peer) {
            Err(epoch) => epoch,
            Ok(()) if self.stopped.is_some() => observe(&peer.epoch, Ordering::Relaxed),
            Ok(()) => return None,
        };
        Some((&peer.epoch, epoch))
    }

    pub(crate) fn count_park(&self) {
        self.ring.count_parks(1);
    }

    /// Its lane, or its seat.
    pub(crate) fn lane(&self) -> usize {
        self.map.lane() as usize
    }

    /// The name of its seat, if that is reserved.
    pub(crate) fn seat_name(&self) -> Option<String> {
        self.map.seat(0).name.read()
    }

    /// Messages that were received on the lane so far.
    pub(crate) fn received(&self) -> u64 {
        self.ring.position().count()
    }

    /// Notes that this side waits on `core`; whether the lane's sender waited there last.
    pub(crate) fn waits_on(map: &Map, core: usize) -> bool {
        let (own, peer) = (&map.consumer().session, &map.producer().session);
        own.waits_on(core, peer)
    }
}

impl<T> Waits for Rx<T> {
    fn watch_slot(&mut self) -> &mut Option<Watch> {
        &mut self.watch
    }

    fn open_watch(&mut self) -> io::Result<Watch> {
        let watch = self.attachment.watch(Role::Receiver, self.map.lane())?;
        watch.publish(&self.map.consumer().session);
        Ok(watch)
    }

    fn prepare_by(&mut self, watch: &Watch) -> bool {
        if self.stopped.is_some() {
            return false;
        }
        let waited = self.sleep_for_message(Sleep::Elsewhere(watch));
        if matches!(waited, Waited::Over(_) | Waited::Removed | Waited::Impossible) {
            // The next receive that finds nothing asks again, and tells.
            self.vain = VAIN;
        }
        waited == Waited::Armed
    }

    fn armed(&mut self) -> Option<Armed<'_>> {
        let watch = self.watch.as_mut()?;
        Some(Armed { maps: core::slice::from_ref(&self.map), role: Role::Receiver, watch })
    }
}

impl<T> Drop for Rx<T> {
    fn drop(&mut self) {
        self.close(None);
    }
}
