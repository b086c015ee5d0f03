//! Sleeping until there is something to do: on a futex of this thread's, or on whatever a reactor sleeps on.

use super::Endpoint;
use crate::lend::lend;
use crate::sync::order::mutant;
use crate::wait::Deadline;
use crate::wait::panics::Panics;
use core::fmt;
use core::task::Waker;
use core::time::Duration;

/// Why there is no reason to sleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ready {
    /// There is a message to receive.
    Message,
    /// A peer panicked or never joined: [`Endpoint::next_disconnected`] says which, and until then this is the answer.
    Lost,
    /// A peer that answered [`Full`](super::TrySendError::Full) has room, or is gone. Told once.
    Room,
    /// Every peer has closed, all is received, and no peer owes room: nothing will ever happen.
    Over,
    /// This endpoint's event count never sleeps ([`FenceMode::Never`](crate::FenceMode::Never)), or a seat was given up this moment: look again.
    /// Only [`Endpoint::arm`] says so.
    Again,
}

impl<T> Endpoint<T> {
    /// Sleeps until there is something to do, and says what. Returns at once if there is.
    ///
    /// It looks, announces itself, looks again and sleeps; [`WaitStrategy`](crate::WaitStrategy) says how long it polls first. A peer that
    /// closes in order is nothing to do, unless it was the last.
    pub fn park(&mut self) -> Ready {
        loop {
            if let Some(ready) = self.park_until(Deadline::NEVER) {
                return ready;
            }
        }
    }

    /// The same for at most `timeout`; `None` if there was nothing to do in time.
    pub fn park_timeout(&mut self, timeout: Duration) -> Option<Ready> {
        self.park_until(Deadline::after(Some(timeout)))
    }

    fn park_until(&mut self, deadline: Deadline) -> Option<Ready> {
        loop {
            let waited = self.wait(deadline, |lanes| lanes.is_ready());
            let ready = self.ready();
            if ready.is_some() || waited.is_err() {
                return ready;
            }
            // A peer has closed.
        }
    }

    /// What there is to do, if anything. A room that is told is forgotten.
    fn ready(&mut self) -> Option<Ready> {
        if self.lanes.inbox.find() {
            Some(Ready::Message)
        } else if self.lanes.inbox.has_ended() && self.has_lost() {
            Some(Ready::Lost)
        } else if self.lanes.out.has_news() {
            self.lanes.out.forget_room();
            Some(Ready::Room)
        } else if self.lanes.is_over() {
            Some(Ready::Over)
        } else {
            None
        }
    }

    /// Announces that this thread is about to sleep on a primitive of its own, which `waker` wakes, and looks again: then it may sleep,
    /// or there is something to do.
    ///
    /// Everything that could be forgotten is done here: the announcement comes before the look, the look covers every lane and every
    /// peer that owes room, and while the answer lives nothing can be received behind its back.
    ///
    /// # Errors
    /// There is something to do: what. The event count is not armed.
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
    /// // The loop of a reactor: do all there is to do, then sleep.
    /// 'turns: loop {
    ///     while let Ok((from, text)) = me.try_recv() {
    ///         assert_eq!((from, text), (1, "good morning"));
    ///         break 'turns;
    ///     }
    ///     match me.arm(&waker) {
    ///         Ok(armed) => armed.sleep(|limit| fd.wait(limit))?, // here: epoll_wait, io_uring_enter, …
    ///         Err(Ready::Over | Ready::Lost) => break,
    ///         Err(_) => continue,
    ///     };
    /// }
    /// sender.join().unwrap();
    /// # }
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn arm<'a>(&'a mut self, waker: &'a Waker) -> Result<Armed<'a, T>, Ready> {
        self.notice();
        if let Some(ready) = self.ready() {
            return Err(ready);
        }
        self.unwatch();
        if !self.side.arm(waker, self.lanes.moved()) {
            return Err(Ready::Again);
        }
        self.count_parks();
        let armed = Armed { endpoint: self, waker };
        let own = &mut *armed.endpoint;
        let again = own.hub.gave_up_since(own.noticed).then_some(Ready::Again);
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

/// An endpoint that will be woken: sleep on what its waker wakes. Dropping this disarms it.
#[must_use = "dropping it disarms the endpoint"]
pub struct Armed<'a, T> {
    endpoint: &'a mut Endpoint<T>,
    waker: &'a Waker,
}

impl<T> Armed<'_, T> {
    /// Sleeps by calling `f`, then disarms. Returns what it returned.
    ///
    /// `f` blocks on what the waker wakes, and may wake for other reasons too. It is told how long it may sleep at most, for the sake of
    /// seats that nobody has taken yet: `None` once all are.
    pub fn sleep<R>(self, f: impl FnOnce(Option<Duration>) -> R) -> R {
        // Disarming may wake another, whose waker may panic.
        lend(self, |armed| f(armed.limit()))
    }

    /// How long the sleep may last at most; see [`Armed::sleep`].
    pub fn limit(&self) -> Option<Duration> {
        self.endpoint.hub.limit().left()
    }

    /// Peers that may still send something, as far as the last look saw.
    pub(super) fn open(&self) -> usize {
        self.endpoint.lanes.inbox.open()
    }

    /// Whether nobody has rung since.
    pub fn is_quiet(&self) -> bool {
        self.endpoint.side.is_quiet()
    }
}

impl<T> Drop for Armed<'_, T> {
    fn drop(&mut self) {
        let mut panics = Panics::new();
        panics.catch(|| self.endpoint.side.disarm(self.waker));
        panics.catch(|| self.endpoint.hand_back());
        panics.resume();
    }
}

impl<T> fmt::Debug for Armed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Armed").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
