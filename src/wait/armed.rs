//! Waiting on an event count directly: a thread by [`EventCount::wait`], a reactor by [`EventCount::arm`].

use super::{CheckPhase, Deadline, EventCount, WaitStrategy, Waiter};
use crate::ring::order::mutant;
use core::task::Waker;
use core::time::Duration;

/// The waiter's number of all who use [`EventCount::arm`]: they share one waker.
const REACTOR: usize = 1;

impl EventCount {
    /// Announces that the thread or reactor behind this event count is about to sleep.
    ///
    /// Then look at everything that rings this event count, and call [`Armed::confirm`]: only if that says so, sleep.
    ///
    /// ```
    /// use ringmail::{spsc, wait::{EventCount, EventFd}};
    /// # #[cfg(target_os = "linux")] {
    /// let fd = EventFd::new()?;
    /// let event = EventCount::with_waker(fd.clone());
    /// let (mut tx, mut rx) = spsc::Builder::new(8).receiver_event(event.clone()).build::<u32>()?;
    /// // The reactor's turn: nothing to do, so say so, look again, sleep on the descriptor.
    /// let armed = event.arm();
    /// let asleep = armed.confirm(|| !rx.is_empty() || rx.is_closed());
    /// assert!(asleep.is_some(), "nothing came meanwhile");
    /// tx.send(7)?; // rings: the descriptor becomes readable, whatever polls it wakes
    /// fd.wait(None)?;
    /// drop(asleep);
    /// assert_eq!(rx.try_recv()?, 7);
    /// # }
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn arm(&self) -> Armed<'_> {
        if self.may_sleep() {
            self.prepare_wait(self.registered(), REACTOR, false);
        }
        Armed { event: self }
    }

    /// What [`EventCount::arm`] registers.
    fn registered(&self) -> &Waker {
        self.inner.notify.as_ref().unwrap_or(Waker::noop())
    }

    /// Blocks until `ready` is true or `timeout` has passed; returns the last answer of `ready`.
    ///
    /// `ready` is asked at once, and again after each ring. It must look at everything that rings this event count: a close rings too, so
    /// ask `is_closed` beside `is_empty` or `is_full`. Allocates one small block.
    pub fn wait(&self, timeout: Option<Duration>, mut ready: impl FnMut() -> bool) -> bool {
        let mut waiter = Waiter::new(self.clone(), WaitStrategy::Park);
        let check = |phase| {
            let found = ready();
            // One that never sleeps gets no further than this.
            if !found && (phase == CheckPhase::BeforeSleep || !self.may_sleep()) && !mutant!(EventWakesBehind) {
                self.wake_behind();
            }
            found
        };
        waiter.block(Deadline::after(timeout), 0, check).is_ok()
    }
}

/// A event count that will ring for what comes from now on. Dropping it disarms the event.
#[must_use = "dropping it disarms the event"]
#[derive(Debug)]
pub struct Armed<'a> {
    event: &'a EventCount,
}

impl<'a> Armed<'a> {
    /// Looks again: `Some` if `ready` finds nothing, and then the caller may sleep on its own primitive until it is
    /// woken; `None` if there is something to do.
    pub fn confirm(self, ready: impl FnOnce() -> bool) -> Option<Armed<'a>> {
        // A event count that never sleeps does not ring either.
        let sleeps = self.event.may_sleep();
        if sleeps && ready() {
            return None;
        }
        if !mutant!(EventWakesBehind) {
            self.event.wake_behind();
        }
        sleeps.then_some(self)
    }

    /// Whether nobody has rung since. After a wake, drop this and arm again: the next ring is for the next announcement.
    pub fn is_quiet(&self) -> bool {
        self.event.is_waiting()
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        self.event.cancel_wait(self.event.registered());
    }
}
