//! Sleeping until there is something to do; see [`mesh::Endpoint::park`](crate::mesh::Endpoint::park).

use super::{Endpoint, Envelope};
use crate::mesh::{self, Ready};
use crate::wait::Deadline;
use core::fmt;
use core::task::Waker;
use core::time::Duration;

impl<Req, Rep> Endpoint<Req, Rep> {
    /// Sleeps until there is something to do, and returns what. Returns at once if there is something.
    ///
    /// * `Message`: poll, and look at the replies. Requests or answers have come, or calls have failed.
    /// * `Disconnected`: [`Endpoint::next_disconnected`] returns the peer.
    /// * `AllDisconnected`: all peers have finished, and no call is in flight.
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
            let ready = self.ready();
            if ready.is_some() || self.sleep(deadline).is_err() {
                return ready.or_else(|| self.ready());
            }
        }
    }

    /// What there is to do, if anything.
    fn ready(&mut self) -> Option<Ready> {
        self.flush();
        let found = self.mesh.find();
        let failed = self.look_at_ends();
        if found || failed {
            Some(Ready::Message)
        } else if self.mesh.lanes.inbox.has_ended() && self.mesh.has_disconnected() {
            Some(Ready::Disconnected)
        } else if self.calling == 0 && !self.tables.waits() {
            Some(Ready::AllDisconnected)
        } else {
            None
        }
    }

    /// Announces that this thread is about to sleep on a primitive of its own, which `waker` wakes. Then looks again: either the thread may sleep,
    /// or there is something to do. As [`mesh::Endpoint::arm`](crate::mesh::Endpoint::arm), which has an example.
    ///
    /// Answers leave before the announcement. A token that is answered while the endpoint is armed waits for its next verb.
    ///
    /// # Errors
    /// There is something to do, as for [`Endpoint::park`], or `Again`: look again. The event count is not armed.
    pub fn arm<'a>(&'a mut self, waker: &'a Waker) -> Result<Armed<'a, Req, Rep>, Ready> {
        if let Some(ready) = self.ready() {
            return Err(ready);
        }
        // If a lane was found over only now, there may be calls to fail first.
        let again = |ready| if ready == Ready::AllDisconnected { Ready::Again } else { ready };
        let armed = self.mesh.arm(waker).map_err(again)?;
        // A peer that closes in order is nothing to do for the mesh, but calls to it fail.
        if armed.open() != self.open { Err(Ready::Again) } else { Ok(Armed(armed)) }
    }
}

/// An endpoint that will be woken: sleep on what its waker wakes. Dropping this disarms the endpoint.
#[must_use = "dropping it disarms the endpoint"]
pub struct Armed<'a, Req, Rep>(mesh::Armed<'a, Envelope<Req, Rep>>);

impl<Req, Rep> Armed<'_, Req, Rep> {
    /// Sleeps by calling `f`, then disarms; see [`mesh::Armed::sleep`](crate::mesh::Armed::sleep).
    pub fn sleep<R>(self, f: impl FnOnce(Option<Duration>) -> R) -> R {
        self.0.sleep(f)
    }

    /// How long the sleep may last at most.
    pub fn limit(&self) -> Option<Duration> {
        self.0.limit()
    }

    /// Whether the waker has not been woken since.
    pub fn is_quiet(&self) -> bool {
        self.0.is_quiet()
    }
}

impl<Req, Rep> fmt::Debug for Armed<'_, Req, Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Armed").field(&self.0).finish()
    }
}
