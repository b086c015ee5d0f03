//! Sleeping until there is something to do: in the kernel ([`Endpoint::park`]), or on what the caller's reactor sleeps on ([`Endpoint::arm`]).

use super::Endpoint;
use crate::drop_order::lend;
use crate::sync::order::mutant;
use crate::wait::Deadline;
use crate::wait::panics::Panics;
use core::fmt;
use core::task::Waker;
use core::time::Duration;

/// What there is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ready {
    /// There is a message to receive.
    Message,
    /// A peer panicked or never joined. Reported until [`Endpoint::next_disconnected`] or a receiving verb has returned the peer.
    Disconnected,
    /// A lane on which a send was [`Full`](super::TrySendError::Full) has room now, or its peer is disconnected. Reported once.
    Room,
    /// A thread called [`Endpoint::waker`]'s waker. Reported once for all wakes since the last report.
    Woken,
    /// Every peer is disconnected, all messages have been received, and no [`Ready::Room`] is awaited: nothing will be to do again, except after a
    /// [`Ready::Woken`].
    AllDisconnected,
    /// Look again: the event count does not allow sleep ([`FenceMode::Never`](crate::FenceMode::Never)), or a seat was given up at this moment.
    /// Only [`Endpoint::arm`] returns this.
    Again,
}

impl<T> Endpoint<T> {
    /// Sleeps until there is something to do, and returns what. Returns at once if there is something.
    ///
    /// It looks, announces that it sleeps, looks again and sleeps. [`WaitStrategy`](crate::WaitStrategy) says how long it polls first. A peer that
    /// closes in order is nothing to do, unless it is the last one.
    pub fn park(&mut self) -> Ready {
        loop {
            if let Some(ready) = self.park_until(Deadline::NEVER) {
                return ready;
            }
        }
    }

    /// The same for at most `timeout`. `None`: there was nothing to do in time.
    pub fn park_timeout(&mut self, timeout: Duration) -> Option<Ready> {
        self.park_until(Deadline::after(Some(timeout)))
    }

    fn park_until(&mut self, deadline: Deadline) -> Option<Ready> {
        loop {
            let (id, seen) = (self.id, self.wakes_seen);
            let waited = self.wait_for(deadline, |lanes, shared| shared.wakes(id) != seen || lanes.is_ready());
            let ready = self.ready();
            if ready.is_some() || waited.is_err() {
                return ready;
            }
            // A peer has closed in order.
        }
    }

    /// What there is to do, if anything. Room that is reported is forgotten.
    fn ready(&mut self) -> Option<Ready> {
        let wakes = self.shared.wakes(self.id);
        if core::mem::replace(&mut self.wakes_seen, wakes) != wakes {
            // First: a thread outside has no turn among the peers.
            Some(Ready::Woken)
        } else if self.lanes.inbox.find() {
            Some(Ready::Message)
        } else if self.lanes.inbox.has_ended() && self.has_disconnected() {
            Some(Ready::Disconnected)
        } else if self.lanes.out.has_news() {
            self.lanes.out.forget_room();
            Some(Ready::Room)
        } else if self.lanes.is_over() {
            Some(Ready::AllDisconnected)
        } else {
            None
        }
    }

    /// Announces that this thread is about to sleep on a primitive of its own, which `waker` wakes. Then looks again: either the thread may sleep,
    /// or there is something to do.
    ///
    /// No event is missed: the announcement comes before the look, the look covers every lane and every awaited room, and while the
    /// [`Armed`] lives no other verb of this endpoint can run.
    ///
    /// # Errors
    /// There is something to do, and the event count is not armed.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use ringmail::mesh::{Builder, Ready};
    /// use ringmail::wait::EventFd;
    /// use std::task::Waker;
    ///
    /// let mut seats = Builder::new().shards(2).build::<&str>()?.into_iter();
    /// let (mut me, other) = (seats.next().unwrap().join()?, seats.next().unwrap());
    /// let fd = EventFd::new()?; // `AsFd`: register it with epoll, io_uring, mio, tokio's `AsyncFd`
    /// let waker = Waker::from(fd.clone());
    /// let sender = std::thread::spawn(move || other.join().unwrap().send_to(0, "good morning").unwrap());
    /// // The loop of a reactor: do all that is to do, then sleep.
    /// 'turns: loop {
    ///     while let Ok((from, text)) = me.try_recv() {
    ///         assert_eq!((from, text), (1, "good morning"));
    ///         break 'turns;
    ///     }
    ///     match me.arm(&waker) {
    ///         Ok(armed) => armed.sleep(|limit| fd.wait(limit))?, // here: epoll_wait, io_uring_enter, …
    ///         Err(Ready::AllDisconnected | Ready::Disconnected) => break,
    ///         Err(_) => continue,
    ///     };
    /// }
    /// sender.join().unwrap();
    /// # }
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn arm<'a>(&'a mut self, waker: &'a Waker) -> Result<Armed<'a, T>, Ready> {
        self.reap_late();
        if let Some(ready) = self.ready() {
            return Err(ready);
        }
        self.unwatch();
        if !self.waiter.arm(waker, self.lanes.transferred()) {
            return Err(Ready::Again);
        }
        self.count_parks();
        let armed = Armed { endpoint: self, waker };
        let own = &mut *armed.endpoint;
        let again = own.shared.gave_up_since(own.given_up_seen).then_some(Ready::Again);
        let ready = if mutant!(ArmLooks) { None } else { own.ready().or(again) };
        match ready {
            None => Ok(armed),
            Some(ready) => {
                drop(armed);
                Err(ready)
            }
        }
    }
}

/// An endpoint that will be woken: sleep on what its waker wakes. Dropping this disarms the endpoint.
#[must_use = "dropping it disarms the endpoint"]
pub struct Armed<'a, T> {
    endpoint: &'a mut Endpoint<T>,
    waker: &'a Waker,
}

impl<T> Armed<'_, T> {
    /// Sleeps by calling `f`, then disarms. Returns what `f` returned.
    ///
    /// `f` blocks on what the waker wakes, and may return for other reasons too. Its argument is how long it may sleep at most: until the
    /// [join deadline](super::Builder::join_deadline) of the threads that have not joined. `None`: all have joined.
    pub fn sleep<R>(self, f: impl FnOnce(Option<Duration>) -> R) -> R {
        // To disarm may wake a task, and its waker may panic.
        lend(self, |armed| f(armed.limit()))
    }

    /// How long the sleep may last at most, see [`Armed::sleep`].
    pub fn limit(&self) -> Option<Duration> {
        self.endpoint.shared.limit().left()
    }

    /// How many peers may still send, as far as the last look saw.
    pub(super) fn open(&self) -> usize {
        self.endpoint.lanes.inbox.open()
    }

    /// Whether the waker has not been woken since.
    pub fn is_quiet(&self) -> bool {
        self.endpoint.waiter.is_quiet()
    }
}

impl<T> Drop for Armed<'_, T> {
    fn drop(&mut self) {
        let mut panics = Panics::new();
        panics.catch(|| self.endpoint.waiter.disarm(self.waker));
        panics.catch(|| self.endpoint.wake_task());
        panics.resume();
    }
}

impl<T> fmt::Debug for Armed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Armed").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
