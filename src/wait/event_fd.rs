//! A file descriptor as a waker.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::task::Waker;
use core::time::Duration;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// An `eventfd` that a event count writes to: register it with epoll, io_uring, mio or tokio's `AsyncFd`.
///
/// Readable after a ring until [`EventFd::clear`]. Non-blocking and close-on-exec. Clones are the same descriptor.
#[derive(Clone, Debug)]
pub struct EventFd(Arc<OwnedFd>);

impl EventFd {
    /// A new descriptor, not yet readable.
    ///
    /// # Errors
    /// Those of `eventfd(2)`: above all, too many open files.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Makes the descriptor unreadable again. Returns how often it was rung since the last time.
    ///
    /// # Errors
    /// Those of `read(2)`.
    pub fn clear(&self) -> io::Result<u64> {
        let mut count = [0; 8];
        match rustix::io::retry_on_intr(|| rustix::io::read(&*self.0, &mut count)) {
            Ok(_) => Ok(u64::from_ne_bytes(count)),
            Err(Errno::AGAIN) => Ok(0),
            Err(e) => Err(e.into()),
        }
    }

    /// Blocks until rung, until a signal, or for `timeout`; then clears. Returns how often it was rung, perhaps 0.
    ///
    /// # Errors
    /// Those of `poll(2)` and `read(2)`.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<u64> {
        // A timeout beyond the kernel's range is for ever.
        let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
        match poll(&mut [PollFd::new(&*self.0, PollFlags::IN)], timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => self.clear(),
            Err(e) => Err(e.into()),
        }
    }
}

impl EventFd {
    /// Makes the descriptor readable.
    fn signal(&self) {
        // The only error of a valid descriptor is a counter about to overflow: it is readable then anyway.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }
}

impl Wake for EventFd {
    fn wake(self: Arc<Self>) {
        self.signal();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.signal();
    }
}

impl From<EventFd> for Waker {
    /// A waker that makes the descriptor readable. Allocates once; clones of the waker do not.
    fn from(fd: EventFd) -> Self {
        Self::from(Arc::new(fd))
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
