//! Ways to be woken other than a thread or a future: a hook, an event descriptor.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::task::Waker;

/// What ringing a bell does: wakes a reactor, sets a flag, calls a runtime.
///
/// It runs on the ringer's thread, in the middle of its send or receive, or, if the two meet, on the waiter's, which is just arming
/// the bell: keep it short, and do not wait in it. No lock is held meanwhile: it may ring, and use other channels.
///
/// # Panics
/// It should not panic, and neither should the `clone`, `wake` or `drop` of a [`Waker`]. What holds if one does:
///
/// * The panic unwinds the verb that ran it, of whoever rang or waited, and harms nobody else: bells, queues and channels go on, and everybody
///   else who is to be woken is woken. Of several panics the first goes on.
/// * In a send the message was sent all the same; a verb that sends several may have sent some of them.
/// * In a receive the place is free and the message in hand is dropped; those that were moved to a buffer are there.
/// * In a wait nothing stays announced, and no place in a queue stays taken.
/// * In [`try_call`](crate::mesh::call::Endpoint::try_call) the call is on its way; its credit comes back with the answer, which is dropped.
/// * While the thread panics already, as in the drop of a handle that a panic unwinds, a panic of a wake ends where it began.
pub trait Notify: Send + Sync + 'static {
    /// Called at least once for the rings since the bell was armed; any number of messages may have come, also none.
    fn notify(&self);
}

impl<F: Fn() + Send + Sync + 'static> Notify for F {
    fn notify(&self) {
        self();
    }
}

pub(crate) struct NotifyWaker<N>(N);

impl<N: Notify> NotifyWaker<N> {
    pub(crate) fn waker(notify: N) -> Waker {
        Waker::from(Arc::new(Self(notify)))
    }
}

impl<N: Notify> Wake for NotifyWaker<N> {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify();
    }
}

#[cfg(target_os = "linux")]
pub use eventfd::EventFd;

#[cfg(target_os = "linux")]
mod eventfd {
    use super::{Arc, Notify};
    use core::time::Duration;
    use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
    use rustix::io::Errno;
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    /// An `eventfd` that a bell writes to: register it with epoll, io_uring, mio or tokio's `AsyncFd`.
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

    impl Notify for EventFd {
        fn notify(&self) {
            // The only error of a valid descriptor is a counter about to overflow: it is readable then anyway.
            let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
        }
    }

    impl AsFd for EventFd {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}
