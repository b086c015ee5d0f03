//! The futures of a shared sender.

use super::{Borrowed, SharedSender};
use crate::error::SendError;
use crate::wait::Waiter;
use crate::wait::panics::Panics;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

/// A send in progress. From [`SharedSender::send_async`].
#[must_use = "futures do nothing unless polled"]
pub struct SharedSendFuture<'a, T> {
    tx: &'a SharedSender<T>,
    value: Option<T>,
    /// By which it waits.
    handle: Option<Borrowed<'a, T>>,
}

impl<'a, T> SharedSendFuture<'a, T> {
    #[inline]
    pub(super) fn new(tx: &'a SharedSender<T>, value: T) -> Self {
        Self { tx, value: Some(value), handle: None }
    }

    /// Gives the send up. Returns the value, unless it was sent or the future has returned it.
    pub fn into_inner(mut self) -> Option<T> {
        self.value.take()
    }
}

// The value is moved out by value, never pinned.
impl<T> Unpin for SharedSendFuture<'_, T> {}

impl<T> Future for SharedSendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    /// # Panics
    /// If polled again after it was ready, like every future made by `async`.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.handle.is_none() {
            assert!(this.value.is_some(), "a send was polled after it was ready");
            if turns::is_spent() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Some(value) = this.value.take() else { return Poll::Pending };
            match this.tx.push_in_turn(value) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(value) => this.value = Some(value),
            }
        }
        this.poll_later(cx)
    }
}

impl<T> SharedSendFuture<'_, T> {
    /// There was no room, or others go first: waits by a handle.
    #[cold]
    #[inline(never)]
    fn poll_later(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        if self.handle.is_none() {
            self.handle = self.tx.borrow();
        }
        if let Some(handle) = &mut self.handle {
            let poll = handle.poll_send(cx, &mut self.value);
            if poll.is_pending() {
                turns::refill();
            }
            ready!(poll);
        }
        self.handle = None;
        Poll::Ready(self.value.take().map_or(Ok(()), |value| Err(SendError(value))))
    }
}

#[cfg(feature = "futures")]
impl<T> futures_core::FusedFuture for SharedSendFuture<'_, T> {
    fn is_terminated(&self) -> bool {
        self.value.is_none()
    }
}

impl<T> Drop for SharedSendFuture<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(mut handle) = self.handle.take() {
            let mut panics = Panics::new();
            panics.catch(|| handle.stop_waiting());
            panics.catch(|| drop(handle));
            panics.resume();
        }
    }
}

/// A wait for the end of a channel. From [`SharedSender::closed`].
#[must_use = "futures do nothing unless polled"]
pub struct SharedClosedFuture<'a, T> {
    tx: &'a SharedSender<T>,
    /// By which it waits. No sender: it does not keep the channel open.
    waiter: Option<Waiter>,
    done: bool,
}

impl<'a, T> SharedClosedFuture<'a, T> {
    pub(super) fn new(tx: &'a SharedSender<T>) -> Self {
        Self { tx, waiter: None, done: false }
    }
}

impl<T> Future for SharedClosedFuture<'_, T> {
    type Output = ();

    /// Ready again if polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if turns::is_spent() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !this.tx.is_closed() {
            let poll = this.waiter.get_or_insert_with(|| this.tx.waiter()).poll_closed(cx, 0, || this.tx.is_closed());
            if poll.is_pending() {
                turns::refill();
            }
            ready!(poll);
        }
        this.done = true;
        this.tx.drop_orphans();
        Poll::Ready(())
    }
}

#[cfg(feature = "futures")]
impl<T> futures_core::FusedFuture for SharedClosedFuture<'_, T> {
    fn is_terminated(&self) -> bool {
        self.done
    }
}

impl<T> Drop for SharedClosedFuture<'_, T> {
    fn drop(&mut self) {
        if let Some(waiter) = &mut self.waiter {
            waiter.cancel_closed();
        }
    }
}

impl<T> fmt::Debug for SharedClosedFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedClosedFuture").field("tx", self.tx).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SharedSendFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSendFuture").field("tx", self.tx).finish_non_exhaustive()
    }
}

/// The turns of a thread's tasks: a shared sender keeps none of its own.
mod turns {
    #[cfg(not(ringmail_loom))]
    mod imp {
        use crate::wait::READY_POLLS;
        use core::cell::Cell;

        std::thread_local! {
            /// Polls on this thread that may be ready before one has to be pending.
            static LEFT: Cell<u32> = const { Cell::new(READY_POLLS) };
        }

        /// Whether the poll has to be pending, so that the executor runs its other tasks.
        #[inline]
        pub(in super::super) fn is_spent() -> bool {
            let (left, spent) = LEFT.get().overflowing_sub(1);
            LEFT.set(if spent { READY_POLLS } else { left });
            spent
        }

        pub(in super::super) fn refill() {
            LEFT.set(READY_POLLS);
        }
    }

    /// A model's threads are of one thread of the system.
    #[cfg(ringmail_loom)]
    mod imp {
        pub(in super::super) fn is_spent() -> bool {
            false
        }

        pub(in super::super) fn refill() {}
    }

    pub(super) use imp::{is_spent, refill};
}
