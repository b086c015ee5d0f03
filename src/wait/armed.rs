//! Waiting on an event count directly: a thread by [`EventCount::wait`], a reactor by [`EventCount::arm`].
//!
//! ```text
//!  reactor:  arm ──► check all channels ──► confirm ──► Some: sleep ──► woken: drop, check all channels
//!                                              └──────► None: there is something to do, or no wake will come
//! ```

use super::{CheckPhase, Deadline, EventCount, WaitStrategy, Waiter};
use crate::sync::order::mutant;
use core::task::Waker;
use core::time::Duration;

/// The number of the waiter that [`EventCount::arm`] registers: all calls share one waker.
const REACTOR: usize = 1;

impl EventCount {
    /// Announces that the reactor of [`EventCount::with_waker`] is about to sleep. From then on, a notification wakes its waker.
    ///
    /// Next, check every channel of this event count in [`Armed::confirm`]. Sleep only if that returns `Some`. After a wake, drop the [`Armed`]
    /// and check again; it wakes once.
    ///
    /// Costs one `membarrier` in [`FenceMode::Auto`](crate::FenceMode::Auto), and takes a mutex that other waiters of this event count hold for
    /// that long. Notifiers take no lock.
    ///
    /// ```
    /// use ringmail::{spsc, wait::{EventCount, EventFd}};
    /// # #[cfg(target_os = "linux")] {
    /// let fd = EventFd::new()?;
    /// let event = EventCount::with_waker(fd.clone());
    /// let (mut tx, mut rx) = spsc::Builder::new(8).receiver_event(event.clone()).build::<u32>()?;
    /// // The reactor has nothing to do: it arms, checks again, and sleeps on the descriptor.
    /// let armed = event.arm();
    /// let asleep = armed.confirm(|| !rx.is_empty() || rx.is_closed());
    /// assert!(asleep.is_some(), "nothing came meanwhile");
    /// tx.send(7)?; // makes the descriptor readable, so that epoll or the like returns
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

    /// As [`EventCount::prepare_wait`], for one of those that the event count's own waker wakes together.
    #[cfg(feature = "lossy")]
    pub(super) fn prepare_group_wait(&self, often: bool) {
        self.prepare_wait_of(self.registered(), REACTOR, often, false);
    }

    /// The waker that [`EventCount::arm`] registers.
    fn registered(&self) -> &Waker {
        self.inner.reactor.as_ref().unwrap_or(Waker::noop())
    }

    /// Blocks this thread until `ready` is true or `timeout` has passed. Returns the last result of `ready`.
    ///
    /// `ready` is called at once, some times while the thread spins, and after each notification. It must check every channel of this event
    /// count. A close notifies too: check `is_closed` beside `is_empty` or `is_full`, or the wait does not end when the last peer leaves.
    ///
    /// With `None`, or a timeout too long for the clock, it blocks without limit. A timeout of 0 calls `ready` at least once. In
    /// [`FenceMode::Never`](crate::FenceMode::Never) it spins and yields instead of sleeping. Allocates one small block.
    ///
    /// ```
    /// use ringmail::wait::EventCount;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// let (event, done) = (EventCount::new(), AtomicBool::new(false));
    /// std::thread::scope(|s| {
    ///     s.spawn(|| {
    ///         done.store(true, Ordering::Release);
    ///         event.notify();
    ///     });
    ///     assert!(event.wait(None, || done.load(Ordering::Acquire)));
    /// });
    /// ```
    pub fn wait(&self, timeout: Option<Duration>, mut ready: impl FnMut() -> bool) -> bool {
        let mut waiter = Waiter::new(self.clone(), WaitStrategy::Park);
        let check = |phase| {
            let found = ready();
            // A wait that never sleeps has no phase after polling.
            if !found && (phase == CheckPhase::BeforeSleep || !self.may_sleep()) && !mutant!(EventWakesBehind) {
                self.wake_behind();
            }
            found
        };
        waiter.block(Deadline::after(timeout), 0, check).is_ok()
    }
}

/// An armed event count: a notification after [`EventCount::arm`] wakes its waker. Dropping it disarms the event count.
#[must_use = "dropping it disarms the event count"]
#[derive(Debug)]
pub struct Armed<'a> {
    event: &'a EventCount,
}

impl<'a> Armed<'a> {
    /// Checks again. `Some` if `ready` is false: then sleep on your own primitive until the waker wakes it. `None` if `ready` is true, and in
    /// [`FenceMode::Never`](crate::FenceMode::Never), where no wake will come.
    pub fn confirm(self, ready: impl FnOnce() -> bool) -> Option<Armed<'a>> {
        // Where no side sleeps, no side wakes.
        let sleeps = self.event.may_sleep();
        if sleeps && ready() {
            return None;
        }
        if !mutant!(EventWakesBehind) {
            self.event.wake_behind();
        }
        sleeps.then_some(self)
    }

    /// Whether no notification has come since the announcement. Any thread may notify at any moment, so `true` may be stale.
    pub fn is_quiet(&self) -> bool {
        self.event.is_waiting()
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        self.event.cancel_wait(self.event.registered());
    }
}
