//! What a receiver of many lanes takes as runs, a lane at a time.

use crate::shm::error::{RecvError, RecvTimeoutError, TryRecvError, without_deadline};
use crate::shm::ring::batch::FreeOnDrop;
use crate::shm::ring::lanes::{Disconnected, Lanes};
use crate::shm::ring::receiving_end::Rx;
use crate::wait::{Deadline, WaitStrategy};

impl<T> Lanes<T> {
    /// The lane whose turn it is, or the next, that has something. Nothing also as [`Lanes::take`]. What is taken there is to be [spent](Lanes::spend).
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<usize> {
        let (lane, ()) = self.take(|rx| rx.finds().then_some(()))?;
        self.budget += 1;
        Some(lane)
    }

    /// As [`Lanes::next`], and found also where the kernel is to be asked first.
    pub(crate) fn next_untold(&mut self) -> Option<usize> {
        let found = self.next();
        if found.is_some() || !self.is_due() || self.due.is_some() {
            return found;
        }
        // There is no way to say here who is gone: the next verb that has one asks.
        self.looks = 2;
        let found = self.next();
        self.looks = 0;
        found
    }

    /// As [`Lanes::next`], waiting for something.
    #[inline(always)]
    pub(crate) fn find(
        &mut self,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<usize, RecvTimeoutError<Disconnected>> {
        match self.next() {
            Some(lane) => Ok(lane),
            None => self.find_later(deadline()),
        }
    }

    #[cold]
    #[inline(never)]
    fn find_later(&mut self, deadline: Deadline) -> Result<usize, RecvTimeoutError<Disconnected>> {
        loop {
            self.wait(deadline)?;
            if let Some(lane) = self.next() {
                return Ok(lane);
            }
        }
    }

    /// As [`Lanes::next`]; where nothing is found, why.
    #[inline(always)]
    pub(crate) fn try_next(&mut self) -> Result<usize, TryRecvError<Disconnected>> {
        let (lane, ()) = self.try_take(|rx| rx.finds().then_some(()))?;
        self.budget += 1;
        Ok(lane)
    }

    /// A lane that one of those has found.
    pub(crate) fn at(&mut self, lane: usize) -> &mut Rx<T> {
        &mut self.lanes[lane]
    }

    /// Takes up to `max` of what the lanes have now, a run from each by `run`, which is given the lane and how many it may take. Returns how
    /// many, at least one unless `max` is 0.
    pub(crate) fn try_many(
        &mut self,
        max: usize,
        mut run: impl FnMut(usize, &mut Rx<T>, usize) -> usize,
    ) -> Result<usize, TryRecvError<Disconnected>> {
        loop {
            let max = max.min(self.there_now());
            if max == 0 {
                return Ok(0);
            }
            let first = self.try_next()?;
            // None where there was no message after all: then the next turn says so.
            match self.many(first, max, &mut run) {
                0 => {}
                n => return Ok(n),
            }
        }
    }

    /// As [`Lanes::try_many`], waiting for something.
    pub(crate) fn wait_many(
        &mut self,
        max: usize,
        mut run: impl FnMut(usize, &mut Rx<T>, usize) -> usize,
    ) -> Result<usize, RecvError<Disconnected>> {
        loop {
            let max = max.min(self.there_now());
            if max == 0 {
                return Ok(0);
            }
            if let Some(first) = self.next() {
                match self.many(first, max, &mut run) {
                    0 => continue,
                    n => return Ok(n),
                }
            }
            self.wait(Deadline::NEVER).map_err(without_deadline)?;
        }
    }

    fn many(&mut self, first: usize, max: usize, run: &mut impl FnMut(usize, &mut Rx<T>, usize) -> usize) -> usize {
        let (mut lane, mut taken) = (first, 0);
        loop {
            let n = run(lane, &mut self.lanes[lane], max - taken);
            self.spend(n);
            taken += n;
            if taken >= max {
                return taken;
            }
            match self.next() {
                Some(next) => lane = next,
                None => return taken,
            }
        }
    }

    /// What there is now, in places, or 1: lanes might be filled as fast as they are emptied.
    fn there_now(&self) -> usize {
        self.occupied().max(1)
    }

    /// Places that are occupied.
    pub(crate) fn occupied(&self) -> usize {
        self.lanes.iter().map(|rx| rx.ring.len()).sum()
    }

    /// Places of all lanes.
    pub(crate) fn places(&self) -> usize {
        self.lanes.iter().map(|rx| rx.ring.capacity()).sum()
    }

    /// Whether this side has closed, or each lane that ever had a sender is closed, and there is one.
    pub(crate) fn is_over(&self) -> bool {
        let mut used = self.lanes.iter().filter(|rx| rx.was_used()).peekable();
        self.closed || (used.peek().is_some() && used.all(Rx::is_over))
    }

    pub(crate) fn set_wait(&mut self, strategy: WaitStrategy) {
        self.waiter.set_strategy(strategy);
    }

    /// Begins to take from the next lane that has something, to be freed together; after that it is the next lane's turn.
    pub(crate) fn taking_turns(&mut self) -> Option<(usize, FreeOnDrop<'_, T>)> {
        let lane = self.next_untold()?;
        self.budget = 0;
        Some((lane, FreeOnDrop::new(&mut self.lanes[lane])))
    }
}
