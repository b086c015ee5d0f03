//! The receiving end of many lanes: takes turns among them, sleeps for all of them at once, says which have ended.

use crate::error::BuildError;
use crate::shm::error::{Cause, RecvTimeoutError, TryRecvError};
use crate::shm::peer::session::End;
use crate::shm::peer::{Role, attachment};
use crate::shm::ring::open::{Opened, SessionInfo};
use crate::shm::ring::receiving_end::{LaneStatus, Rx};
use crate::shm::segment::map::Map;
use crate::shm::wait::futex::MOST_SLEPT_ON;
use crate::shm::wait::wake_fd::{Armed, Waits, Watch};
use crate::shm::wait::{LIVENESS_INTERVAL, LivenessChecks, Sleep, futex, shortest};
use crate::wait::park_word::WordParkSlot;
use crate::wait::wait_policy::WaitPolicy;
use crate::wait::{Deadline, WaitStrategy};
use core::cell::RefCell;
use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::Arc;

/// Messages of one lane before it is the next one's turn.
const BUDGET: u32 = 64;
/// Checks that left the lane they began at, between two questions to the kernel: a receiver that always finds something never waits.
const LOOKS: u32 = 4096;
/// Lanes of a channel by default.
pub(crate) const LANES: usize = 16;

/// A session of a lane's sender that is over, all of which was received. Each is told once, before any message of the lane's next; the other
/// lanes go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Departed {
    /// Which lane.
    pub lane: usize,
    /// The session's number on the lane: how often that had been taken when its sender took it. Of [`Cause::Forgotten`]: the first of them.
    pub epoch: u64,
    /// The sender's process, as it said itself; of another pid namespace it may mean nothing. 0 if the channel has forgotten.
    pub pid: u32,
    /// Messages (of records: words of 8 bytes) that were ever sent on the lane up to the end of that session, all of which were received. If
    /// `why` is [`Cause::Corrupted`]: that were received.
    pub sent: Option<u64>,
    /// How it ended. After [`Cause::Corrupted`], this receiver reads nothing more from the lane, and closes it: its sender gets
    /// [`Cause::Closed`].
    pub cause: Cause,
}

impl fmt::Display for Departed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lane, epoch, cause, .. } = self;
        write!(f, "lane {lane}, session {epoch}: {cause}")
    }
}

/// Why a receiver of many lanes found no message, beside that there is none now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Disconnected {
    /// A session of one sender is over. Receive again: the other lanes may have more.
    Sender(Departed),
    /// No message is left, and each session that there was has ended and was reported. Reported once; a sender that opens a lane later is received.
    /// Also: this receiver has closed.
    All,
    /// The file of the channel is gone: a side that opens the name makes another channel. Senders that are there may still send.
    Removed,
}

impl fmt::Display for Disconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sender(departed) => departed.fmt(f),
            Self::All => f.write_str("all senders have ended"),
            Self::Removed => Cause::Removed.fmt(f),
        }
    }
}

impl core::error::Error for Disconnected {}

/// What a wait came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    Message,
    Gone(Disconnected),
    Nothing,
}

/// The receiving ends of all lanes.
pub(crate) struct Lanes<T> {
    /// Those of the lanes, so that a sleep can borrow them while it looks at the lanes.
    maps: Arc<[Arc<Map>]>,
    watch: Option<Watch>,
    pub(crate) lanes: Vec<Rx<T>>,
    /// Whose turn it is, and for how many messages more.
    at: usize,
    pub(crate) budget: u32,
    /// Checks until the kernel is to be asked.
    pub(crate) looks: u32,
    pub(crate) closed: bool,
    /// Whether an end was told since it was said that all have ended.
    unsaid: bool,
    /// What a sleep elsewhere has found and was not told yet. While it is there, no check finds anything.
    pub(crate) due: Option<Disconnected>,
    pub(crate) waiter: WaitPolicy,
    /// Whether the senders know that this side sleeps often, see `wait::parked`.
    settled: bool,
}

impl<T> Lanes<T> {
    pub(crate) fn begin(opened: Opened, wait: WaitStrategy) -> Result<Self, BuildError> {
        let maps = opened.maps.iter().cloned().collect();
        let (lanes, waiter) = (Rx::begin_all(opened, wait)?, WaitPolicy::new(wait));
        let (watch, due, closed, unsaid, settled) = (None, None, false, false, false);
        Ok(Self { maps, watch, lanes, at: 0, budget: BUDGET, looks: LOOKS, closed, unsaid, due, waiter, settled })
    }

    pub(crate) fn len(&self) -> usize {
        self.lanes.len()
    }

    pub(crate) fn lane(&self, lane: usize) -> Option<&Rx<T>> {
        self.lanes.get(lane)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rx<T>> {
        self.lanes.iter()
    }

    /// What `read` finds in the lane whose turn it is, or in the next that has something. Nothing also once in a while, after which
    /// [`Lanes::gone`] asks the kernel: see [`Lanes::is_due`].
    #[inline(always)]
    pub(crate) fn take<R>(&mut self, mut read: impl FnMut(&mut Rx<T>) -> Option<R>) -> Option<(usize, R)> {
        if self.budget != 0 {
            if let Some(found) = read(&mut self.lanes[self.at]) {
                self.budget -= 1;
                return Some((self.at, found));
            }
        }
        self.take_next(read)
    }

    /// The same where the turn of that lane is over, or a first look found nothing there.
    #[inline(never)]
    fn take_next<R>(&mut self, mut read: impl FnMut(&mut Rx<T>) -> Option<R>) -> Option<(usize, R)> {
        // The first lane twice: its turn may be over, and all others empty.
        for turn in 0..=self.lanes.len() {
            let lane = &mut self.lanes[self.at];
            if self.budget != 0 {
                // Into its next session, too, if the end of this one needs not be told.
                if let Some(found) = lane.finds().then(|| read(lane)).flatten() {
                    self.budget -= 1;
                    return Some((self.at, found));
                }
                // An end is told before the lane goes on.
                if lane.has_unreported_end() {
                    self.looks = 0;
                    return None;
                }
            }
            if turn == 0 {
                self.looks = self.looks.saturating_sub(1);
                if self.looks == 0 {
                    return None;
                }
            }
            self.at = if self.at + 1 == self.lanes.len() { 0 } else { self.at + 1 };
            self.budget = BUDGET;
        }
        None
    }

    /// As [`Lanes::take`]; where nothing is found, why.
    #[inline]
    pub(crate) fn try_take<R>(
        &mut self,
        mut read: impl FnMut(&mut Rx<T>) -> Option<R>,
    ) -> Result<(usize, R), TryRecvError<Disconnected>> {
        match self.take(&mut read) {
            Some(found) => Ok(found),
            None => self.try_again(read),
        }
    }

    #[cold]
    #[inline(never)]
    fn try_again<R>(
        &mut self,
        read: impl FnMut(&mut Rx<T>) -> Option<R>,
    ) -> Result<(usize, R), TryRecvError<Disconnected>> {
        let due = self.is_due();
        match self.gone(false) {
            Some(gone) => Err(TryRecvError::Disconnected(gone)),
            None if due => self.take(read).ok_or(TryRecvError::Empty),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Whether nothing was found because the kernel is to be asked first: then there may be something.
    pub(crate) fn is_due(&self) -> bool {
        self.looks == 0
    }

    /// The lane whose turn it is, unless the turn is over.
    #[inline(always)]
    pub(crate) fn turn(&self) -> Option<usize> {
        (self.budget != 0).then_some(self.at)
    }

    /// Counts `n` more messages that were taken from the lane whose turn it is.
    pub(crate) fn spend(&mut self, n: usize) {
        self.budget = self.budget.saturating_sub(u32::try_from(n).unwrap_or(u32::MAX));
    }

    /// Where nothing was found: who is gone, each told once. `ask`: whether to ask the kernel; it is asked in any case if that is due.
    /// `None` also if there is something after all.
    #[cold]
    #[inline(never)]
    fn gone(&mut self, ask: bool) -> Option<Disconnected> {
        if self.closed {
            return Some(Disconnected::All);
        }
        let due = self.is_due();
        let ask = ask || due;
        if due {
            self.looks = LOOKS;
        }
        if let Some(gone) = self.due.take() {
            return Some(gone);
        }
        let mut open = false;
        for (lane, rx) in self.lanes.iter_mut().enumerate() {
            match rx.lane_status(ask) {
                LaneStatus::Idle => {}
                LaneStatus::Open => open = true,
                // It must not hide who is gone from a receiver that always has something.
                LaneStatus::Ready if due => open = true,
                LaneStatus::Ready => return None,
                LaneStatus::Ended(SessionInfo { number: epoch, pid, .. }, why) => {
                    self.unsaid = true;
                    let sent = Some(rx.received());
                    if why == Cause::Corrupted {
                        // Else a sender there, now or later, would wait for room without end.
                        rx.close(None);
                    }
                    return Some(Disconnected::Sender(Departed { lane, epoch, pid, sent, cause: why }));
                }
            }
        }
        if !open && core::mem::take(&mut self.unsaid) {
            return Some(Disconnected::All);
        }
        (ask && self.lanes[0].is_removed()).then_some(Disconnected::Removed)
    }

    /// To be called where nothing was found: waits until there is something, or a sender is gone.
    #[cold]
    #[inline(never)]
    pub(crate) fn wait(&mut self, deadline: Deadline) -> Result<(), RecvTimeoutError<Disconnected>> {
        if let Some(gone) = self.gone(false) {
            return Err(RecvTimeoutError::Disconnected(gone));
        }
        match self.sleep(Sleep::Here(deadline)) {
            Found::Message => Ok(()),
            Found::Gone(gone) => Err(RecvTimeoutError::Disconnected(gone)),
            Found::Nothing => Err(RecvTimeoutError::Timeout),
        }
    }

    /// Nothing: in the time, or the sleep is prepared.
    fn sleep(&mut self, sleep: Sleep<'_>) -> Found {
        // They go with the handle, which the looks borrow.
        let (maps, mut waiter) = (Arc::clone(&self.maps), core::mem::take(&mut self.waiter));
        let mut settled = self.settled;
        // A wait allocates nothing.
        let mut beds = [(Rx::<T>::parked(&maps[0]), 0); MOST_SLEPT_ON as usize];
        let mut n = 0;
        for (bed, found) in beds.iter_mut().zip(self.lanes.iter().zip(&*maps).filter_map(|(rx, map)| rx.bed(map))) {
            *bed = found;
            n += 1;
        }
        let passed = self.lanes.iter().fold(0, |sum: u64, rx| sum.wrapping_add(rx.received()));
        let lanes = RefCell::new(&mut *self);
        let mut asks = LivenessChecks::default();
        let look = |look| {
            let mut lanes = lanes.borrow_mut();
            if lanes.lanes.iter_mut().any(Rx::is_ready) {
                return Some(Found::Message);
            }
            lanes.gone(asks.asks(look) && sleep.asks()).map(Found::Gone)
        };
        let barrier = || {
            // One call reaches all.
            let (mut called, mut reached) = (false, true);
            for rx in &lanes.borrow().lanes {
                reached &= rx.barrier(|| {
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
                lanes.borrow().lanes[0].count_park();
            }
            let (lanes, longest) = (&lanes.borrow().lanes, shortest(reached, limit));
            match sleep {
                Sleep::Here(_) => futex::sleep_on_any(lanes.iter().filter_map(Rx::word), longest),
                Sleep::Elsewhere(watch) => watch.begin(longest, lanes.iter().map(Rx::is_mute)),
            }
        };
        // Each lane's sender reads the core in its own lane.
        let shares = |core| maps.iter().fold(false, |shared, map| shared | Rx::<T>::waits_on(map, core));
        let bed = WordParkSlot::new(&beds[..n], &mut settled, barrier, nap, shares);
        let waited = sleep.wait(&mut waiter, bed, passed, look);
        (self.waiter, self.settled) = (waiter, settled);
        match waited {
            Ok(found) => found.unwrap_or(Found::Nothing),
            Err(_) if asks.asked() => Found::Nothing,
            Err(_) => self.gone(true).map_or(Found::Nothing, Found::Gone),
        }
    }

    /// Waits until a sender has a lane, or there is something to receive or to tell. Whether that is so.
    pub(crate) fn wait_for_sender(&mut self, timeout: Duration) -> bool {
        let deadline = Deadline::after(Some(timeout));
        loop {
            let removed = self.lanes[0].is_removed();
            let mut words = Vec::with_capacity(self.lanes.len());
            for rx in &mut self.lanes {
                match rx.attach_word() {
                    Some(word) => words.push(word),
                    None => return true,
                }
            }
            if deadline.passed() || removed {
                return false;
            }
            let nap = deadline.left().map_or(LIVENESS_INTERVAL, |left| left.min(LIVENESS_INTERVAL));
            futex::sleep_on_any(words.into_iter(), nap);
        }
    }

    pub(crate) fn close(&mut self, how: Option<End>) {
        self.closed = true;
        self.lanes.iter_mut().for_each(|rx| rx.close(how));
    }
}

impl<T> Waits for Lanes<T> {
    fn watch_slot(&mut self) -> &mut Option<Watch> {
        &mut self.watch
    }

    fn open_watch(&mut self) -> io::Result<Watch> {
        let watch = self.lanes[0].watch_all()?;
        self.maps.iter().for_each(|map| watch.publish(&map.consumer().session));
        Ok(watch)
    }

    fn prepare_by(&mut self, watch: &Watch) -> bool {
        if self.closed || self.due.is_some() {
            return false;
        }
        let found = self.sleep(Sleep::Elsewhere(watch));
        if let Found::Gone(gone) = found {
            // The next verb tells it before it takes anything.
            (self.due, self.budget, self.looks) = (Some(gone), 0, 0);
        }
        found == Found::Nothing
    }

    fn armed(&mut self) -> Option<Armed<'_>> {
        let watch = self.watch.as_mut()?;
        Some(Armed { maps: &self.maps, role: Role::Receiver, watch })
    }
}
