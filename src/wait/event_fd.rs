//! A file descriptor as a waker.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::task::Waker;
use core::time::Duration;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A Linux `eventfd` as a [`Waker`]: register it with epoll, io_uring, mio or tokio's `AsyncFd`.
///
/// A wake makes it readable, until [`EventFd::clear`]. Give it to [`EventCount::with_waker`](super::EventCount::with_waker), whose
/// [`arm`](super::EventCount::arm) has an example. The descriptor is non-blocking and close-on-exec. Clones are the same descriptor.
#[derive(Clone, Debug)]
pub struct EventFd(Arc<OwnedFd>);

impl EventFd {
    /// A new descriptor, not yet readable.
    ///
    /// # Errors
    /// Those of `eventfd(2)`, such as too many open files.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Makes the descriptor unreadable again. Returns the number of wakes since the last `clear`, 0 if there was none. Does not block.
    ///
    /// A wake that comes meanwhile is either counted or makes the descriptor readable again.
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

    /// Blocks until a wake, a signal, or the end of `timeout`; then clears. Returns the number of wakes, which may be 0.
    ///
    /// With `None`, or a timeout beyond the kernel's range, it blocks without limit.
    ///
    /// # Errors
    /// Those of `poll(2)` and `read(2)`.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<u64> {
        // A timeout beyond the kernel's range never passes.
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
        // The only error of a valid descriptor is a counter about to overflow: then it is readable already.
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
