//! The receiving end of many lanes: takes turns among them, sleeps for all of them at once, says which have ended.

use super::ends::{Opened, Rx, SessionInfo};
use super::error::Cause;
use super::rx::Verdict;
use super::side::{self, Asks, NAP, Sleep, shortest};
use super::sys::{self, MOST_SLEPT_ON, Map, Role};
use super::wake::{Armed, Waits, Watch};
use crate::ring::session::End;
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
/// Looks that left the lane they began at, between two questions to the kernel: a receiver that always finds something never waits.
const LOOKS: u32 = 4096;
/// Lanes of a channel where nobody asks for others.
pub(super) const LANES: usize = 16;

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
    /// How it ended. After [`Cause::Corrupted`], this receiver reads nothing more from the lane, and closes it: whoever sends there gets
    /// [`Cause::Closed`].
    pub cause: Cause,
}

impl fmt::Display for Departed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lane, epoch, cause, .. } = self;
        write!(f, "lane {lane}, session {epoch}: {cause}")
    }
}

/// A receive that does not wait received nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TryRecvError {
    /// No message now.
    Empty,
    /// This sender is gone. Receive again: the others may have more.
    Departed(Departed),
    /// No message is left, and every sender that there was has ended, as was told. Said once; whoever comes later is received. Or this receiver
    /// has closed.
    Disconnected,
    /// The file of the channel is gone: whoever opens that name opens another one. Senders that are there may still send.
    Removed,
}

/// A receive that waits received nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RecvError {
    /// No message until the deadline.
    Timeout,
    /// This sender is gone. Receive again: the others may have more.
    Departed(Departed),
    /// No message is left, and every sender that there was has ended, as was told. Said once; whoever comes later is received. Or this receiver
    /// has closed.
    Disconnected,
    /// The file of the channel is gone: whoever opens that name opens another one. Senders that are there may still send.
    Removed,
}

macro_rules! error {
    ($name:ident, $busy:ident, $text:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::$busy => f.write_str($text),
                    Self::Departed(departed) => departed.fmt(f),
                    Self::Disconnected => f.write_str("all senders have ended"),
                    Self::Removed => Cause::Removed.fmt(f),
                }
            }
        }

        impl core::error::Error for $name {}
    };
}

error!(TryRecvError, Empty, "the channel is empty");
error!(RecvError, Timeout, "the time ran out");

impl From<Gone> for TryRecvError {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::One(departed) => Self::Departed(departed),
            Gone::All => Self::Disconnected,
            Gone::Removed => Self::Removed,
        }
    }
}

impl From<Gone> for RecvError {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::One(departed) => Self::Departed(departed),
            Gone::All => Self::Disconnected,
            Gone::Removed => Self::Removed,
        }
    }
}

/// Who is not there any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gone {
    One(Departed),
    All,
    Removed,
}

/// What a wait came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    Message,
    Gone(Gone),
    Nothing,
}

/// The receiving ends of all lanes.
pub(super) struct Lanes<T> {
    /// Those of the lanes, so that a sleep can borrow them while it looks at the lanes.
    maps: Arc<[Arc<Map>]>,
    watch: Option<Watch>,
    pub(super) lanes: Vec<Rx<T>>,
    /// Whose turn it is, and for how many messages more.
    at: usize,
    pub(super) budget: u32,
    /// Looks until the kernel is to be asked.
    pub(super) looks: u32,
    pub(super) closed: bool,
    /// Whether an end was told since it was said that all have ended.
    unsaid: bool,
    /// What a sleep elsewhere has found and nobody was told. With it no look finds anything.
    pub(super) due: Option<Gone>,
    pub(super) waiter: WaitPolicy,
    /// Whether the senders know that this side sleeps often, see `wait::parked`.
    settled: bool,
}

impl<T> Lanes<T> {
    pub(super) fn begin(opened: Opened, wait: WaitStrategy) -> Self {
        let maps = opened.maps.iter().cloned().collect();
        let (lanes, waiter) = (Rx::begin_all(opened, wait), WaitPolicy::new(wait));
        let (watch, due, closed, unsaid, settled) = (None, None, false, false, false);
        Self { maps, watch, lanes, at: 0, budget: BUDGET, looks: LOOKS, closed, unsaid, due, waiter, settled }
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn lane(&self, lane: usize) -> Option<&Rx<T>> {
        self.lanes.get(lane)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Rx<T>> {
        self.lanes.iter()
    }

    /// Whatever `read` finds in the lane whose turn it is, or in the next that has something. Nothing also once in a while, after which
    /// [`Lanes::gone`] asks the kernel: see [`Lanes::is_due`].
    #[inline(always)]
    pub(super) fn take<R>(&mut self, mut read: impl FnMut(&mut Rx<T>) -> Option<R>) -> Option<(usize, R)> {
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
                if lane.has_news() {
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
    pub(super) fn try_take<R>(
        &mut self,
        mut read: impl FnMut(&mut Rx<T>) -> Option<R>,
    ) -> Result<(usize, R), TryRecvError> {
        match self.take(&mut read) {
            Some(found) => Ok(found),
            None => self.try_again(read),
        }
    }

    #[cold]
    #[inline(never)]
    fn try_again<R>(&mut self, read: impl FnMut(&mut Rx<T>) -> Option<R>) -> Result<(usize, R), TryRecvError> {
        let due = self.is_due();
        match self.gone(false) {
            Some(gone) => Err(gone.into()),
            None if due => self.take(read).ok_or(TryRecvError::Empty),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Whether nothing was found because the kernel is to be asked first: then there may be something.
    pub(super) fn is_due(&self) -> bool {
        self.looks == 0
    }

    /// Counts `n` more messages that were taken from the lane whose turn it is.
    pub(super) fn spend(&mut self, n: usize) {
        self.budget = self.budget.saturating_sub(u32::try_from(n).unwrap_or(u32::MAX));
    }

    /// Where nothing was found: who is gone, each told once. `ask`: whether to ask the kernel; it is asked in any case if that is due.
    /// `None` also if there is something after all.
    #[cold]
    #[inline(never)]
    fn gone(&mut self, ask: bool) -> Option<Gone> {
        if self.closed {
            return Some(Gone::All);
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
            match rx.verdict(ask) {
                Verdict::Idle => {}
                Verdict::Open => open = true,
                // It must not hide who is gone from a receiver that always has something.
                Verdict::Ready if due => open = true,
                Verdict::Ready => return None,
                Verdict::Ended(SessionInfo { number: epoch, pid, .. }, why) => {
                    self.unsaid = true;
                    let sent = Some(rx.received());
                    if why == Cause::Corrupted {
                        // Else whoever sends there, now or later, would wait for room without end.
                        rx.close(None);
                    }
                    return Some(Gone::One(Departed { lane, epoch, pid, sent, cause: why }));
                }
            }
        }
        if !open && core::mem::take(&mut self.unsaid) {
            return Some(Gone::All);
        }
        (ask && self.lanes[0].is_removed()).then_some(Gone::Removed)
    }

    /// To be called where nothing was found: waits until there is something, or somebody is gone.
    #[cold]
    #[inline(never)]
    pub(super) fn wait(&mut self, deadline: Deadline) -> Result<(), RecvError> {
        if let Some(gone) = self.gone(false) {
            return Err(gone.into());
        }
        match self.sleep(Sleep::Here(deadline)) {
            Found::Message => Ok(()),
            Found::Gone(gone) => Err(gone.into()),
            Found::Nothing => Err(RecvError::Timeout),
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
        let mut asks = Asks::default();
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
                    called = called || side::membarrier_all();
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
                Sleep::Here(_) => sys::sleep_on_any(lanes.iter().filter_map(Rx::word), longest),
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

    /// Waits until somebody has a lane, or there is something to receive or to tell. Whether that is so.
    pub(super) fn wait_for_sender(&mut self, timeout: Duration) -> bool {
        let deadline = Deadline::after(Some(timeout));
        loop {
            let removed = self.lanes[0].is_removed();
            let mut words = Vec::with_capacity(self.lanes.len());
            for rx in &mut self.lanes {
                match rx.arrival() {
                    Some(word) => words.push(word),
                    None => return true,
                }
            }
            if deadline.passed() || removed {
                return false;
            }
            let nap = deadline.left().map_or(NAP, |left| left.min(NAP));
            sys::sleep_on_any(words.into_iter(), nap);
        }
    }

    pub(super) fn close(&mut self, how: Option<End>) {
        self.closed = true;
        self.lanes.iter_mut().for_each(|rx| rx.close(how));
    }
}

impl<T> Waits for Lanes<T> {
    fn watch(&mut self) -> io::Result<&Watch> {
        match &mut self.watch {
            Some(watch) => Ok(watch),
            none => {
                let watch = none.insert(self.lanes[0].watch_all()?);
                self.maps.iter().for_each(|map| watch.publish(&map.consumer().session));
                Ok(watch)
            }
        }
    }

    fn prepare(&mut self) -> io::Result<bool> {
        self.watch()?.check()?;
        if self.closed || self.due.is_some() {
            return Ok(false);
        }
        let watch = self.watch.take();
        let found = watch.as_ref().map_or(Found::Message, |watch| self.sleep(Sleep::Elsewhere(watch)));
        self.watch = watch;
        if let Found::Gone(gone) = found {
            // The next verb tells it before it takes anything.
            (self.due, self.budget, self.looks) = (Some(gone), 0, 0);
        }
        Ok(found == Found::Nothing)
    }

    fn armed(&mut self) -> Option<Armed<'_>> {
        let watch = self.watch.as_mut()?;
        Some(Armed { maps: &self.maps, role: Role::Receiver, watch })
    }
}
