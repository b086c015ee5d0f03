//! One sender for many threads.
//!
//! ```text
//!  &SharedSender ──┐                          ┌ no sender waits: claims a place at once
//!  &SharedSender ──┼──► SharedSender ── send ─┤
//!  &SharedSender ──┘                          └ it has to wait: borrows a handle of its own from `handles`, or makes one
//! ```
//!
//! | who | writes |
//! |---|---|
//! | any thread that sends | the ring's words, as each sender of an `mpsc` ring; and once a lap the copy of the receiver's position that all share |
//! | the one that closes | `closed`, once |
//! | the holder of the mutex | `handles` |
//!
//! **The fast path** has no state but a copy of the receiver's position. All threads share it. A thread that knows of no room looks again and renews it.
//!
//! **Waiting** needs a state: a place in the queue, a thread's parker, how often it may still overtake. All that is a [`Sender`]'s, so a send that has to wait
//! does it by one, which no other thread uses meanwhile. There are as many as have waited at the same time.
//!
//! **The end.** The handles keep the channel open, not the fast path. A close drops them, and those that are borrowed when they come back. A claim that
//! was made before stays: the receiver waits for its message.

mod future;

pub use future::{SharedClosedFuture, SharedSendFuture};

use super::{Sender, WeakSender};
use crate::error::{SendError, SendTimeoutError, TrySendError};
use crate::mpsc::sender::wake_receiver;
use crate::ring::layout::Stats;
use crate::ring::mpsc::SharedWriter;
use crate::sync::order::mutant;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};
use crate::wait::panics::{Panics, each};
use crate::wait::{EventCount, SenderQueue, Waiter};
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;
use crossbeam_utils::CachePadded;
use std::sync::PoisonError;
use std::time::Instant;

/// A sender for many threads at once: its verbs take `&self`. From [`Sender::into_shared`].
///
/// It fits in a `static` (in a `OnceLock`), in an `Arc`, in a logger. A thread's messages keep their order. The channel closes when all senders are
/// dropped or closed, of which this is one; a `static` is never dropped, so [`close`](SharedSender::close) takes `&self`, too.
///
/// **Its price.** A send that need not wait executes 1.0 to 1.1 times the instructions of one by a [`Sender`] (`verify/instructions/check`), and reads a few words
/// that all its threads share. A send that has to wait, or finds others that wait, borrows a handle under a mutex, and makes one if more threads wait
/// than ever before: that allocates. These handles count in [`Sender::sender_count`]. A thread that sends most of the time is better off with a handle of its own
/// ([`SharedSender::to_sender`]).
///
/// ```
/// use ringmail::mpsc::{self, SharedSender};
/// use std::sync::OnceLock;
/// static LOG: OnceLock<SharedSender<String>> = OnceLock::new();
///
/// let (tx, rx) = mpsc::channel(1024)?;
/// let log = LOG.get_or_init(|| tx.into_shared());
/// std::thread::scope(|s| {
///     for id in 0..4 {
///         s.spawn(move || log.send(format!("from thread {id}")));
///     }
/// });
/// log.close();
/// assert_eq!(rx.into_iter().count(), 4);
/// # Ok::<(), ringmail::BuildError>(())
/// ```
pub struct SharedSender<T> {
    ring: SharedWriter<T>,
    receiver: EventCount,
    queue: SenderQueue,
    /// 1 once this handle is closed.
    closed: AtomicU64,
    /// Makes handles.
    weak: WeakSender<T>,
    /// Those that no thread uses. Apart: the fields before are read by each send.
    handles: CachePadded<Mutex<Vec<Sender<T>>>>,
}

impl<T> Sender<T> {
    /// This sender for many threads at once.
    pub fn into_shared(self) -> SharedSender<T> {
        let (ring, receiver, queue) = self.end.parts();
        SharedSender {
            ring: SharedWriter::new(ring),
            receiver,
            queue,
            closed: AtomicU64::new(u64::from(self.is_closed())),
            weak: self.downgrade(),
            handles: CachePadded::new(Mutex::new(Vec::from([self]))),
        }
    }
}

impl<T> From<Sender<T>> for SharedSender<T> {
    fn from(sender: Sender<T>) -> Self {
        sender.into_shared()
    }
}

impl<T> SharedSender<T> {
    /// Sends `value` if there is room now. As [`try_send`](crate::Sender::try_send) of a handle: lock-free, takes no mutex, allocates nothing.
    ///
    /// # Errors
    /// `Full` or `Disconnected`, each with the value.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.push(value) {
            Ok(()) => Ok(()),
            Err(value) => Err(self.refusal().map(|()| value)),
        }
    }

    /// Sends `value`, waiting for room if need be, in turn with all other senders that wait.
    ///
    /// # Errors
    /// The channel is closed; the value comes back.
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        match self.push_in_turn(value) {
            Ok(()) => Ok(()),
            Err(value) => self.send_later(value),
        }
    }

    /// Sends `value`, waiting for room for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// No room in time, or the channel is closed; the value comes back.
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_until(value, |handle, value| handle.send_timeout(value, timeout))
    }

    /// Sends `value`, waiting for room until `deadline`.
    ///
    /// # Errors
    /// No room in time, or the channel is closed; the value comes back.
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_until(value, |handle, value| handle.send_deadline(value, deadline))
    }

    /// Sends `value`, waiting for room if need be. Many tasks may do so at once.
    ///
    /// Cancel-safe: a future dropped before it is ready has sent nothing and drops the value. [`SharedSendFuture::into_inner`] gives the value back.
    /// Needs no particular runtime. A future that is leaked while it waits leaks a handle, which keeps the channel open.
    ///
    /// # Errors
    /// The channel is closed; the value comes back.
    #[inline]
    pub fn send_async(&self, value: T) -> SharedSendFuture<'_, T> {
        SharedSendFuture::new(self, value)
    }

    /// Copies all of `values`, waiting for room as often as need be. Each run that fits is published together, and those of other threads may lie between.
    ///
    /// By a handle that it borrows under a mutex.
    ///
    /// # Errors
    /// The channel is closed; carries how many were sent.
    pub fn send_slice(&self, values: &[T]) -> Result<(), SendError<usize>>
    where
        T: Copy,
    {
        match self.borrow() {
            Some(mut handle) => handle.send_slice(values),
            None if values.is_empty() => Ok(()),
            None => Err(SendError(0)),
        }
    }

    /// Waits until a send through this sender can never succeed again: the receiver has closed or is gone, or this sender is closed. Any number of tasks
    /// may, while others send.
    ///
    /// It borrows no handle and keeps the channel not open. Cancel-safe: a future that is dropped has changed nothing. Needs no particular runtime. The
    /// first poll that is pending allocates.
    ///
    /// ```
    /// # use core::{future::Future, pin::pin, task::{Context, Waker}};
    /// let (tx, rx) = ringmail::mpsc::channel::<u32>(4)?;
    /// let tx = tx.into_shared();
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let mut closed = pin!(tx.closed());
    /// assert!(closed.as_mut().poll(&mut cx).is_pending());
    /// tx.send(1)?;
    /// drop(rx);
    /// assert!(closed.as_mut().poll(&mut cx).is_ready());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn closed(&self) -> SharedClosedFuture<'_, T> {
        SharedClosedFuture::new(self)
    }

    /// Sends nothing more through this sender: a send that begins after the return is refused. One that waits for room meanwhile goes on. Dropping the
    /// sender does the same.
    pub fn close(&self) {
        self.closed.store(1, Ordering::Relaxed);
        let handles = core::mem::take(&mut *self.lock());
        let mut panics = Panics::new();
        panics.catch(|| each(handles, drop));
        // Those that wait for the end of this sender are in a list of the queue, whose mutex the wake takes after the store.
        if !mutant!(SharedCloseWakes) {
            panics.catch(|| self.queue.wake_closers());
        }
        panics.resume();
    }

    /// Whether a send through this sender can never succeed again: it or the receiver closed. Once true it stays true.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed) != 0 || self.ring.is_closed()
    }

    /// A handle of its own for a thread that sends much, or for the verbs that this sender has not. `None` if this sender is closed.
    pub fn to_sender(&self) -> Option<Sender<T>> {
        if self.is_closed() { None } else { self.weak.upgrade() }
    }

    /// A reference that does not keep the channel open.
    pub fn downgrade(&self) -> WeakSender<T> {
        self.weak.clone()
    }

    /// Places that are claimed. The receiver may take some at any time, and others may claim some.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether there was no message a moment ago.
    pub fn is_empty(&self) -> bool {
        self.ring.looks_empty()
    }

    /// Whether there was no room a moment ago.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Most messages that the channel holds: exactly what it was built with.
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// What the channel has done so far.
    pub fn stats(&self) -> Stats {
        self.ring.stats()
    }

    /// Sends one value if there is room.
    #[inline(always)]
    fn push(&self, value: T) -> Result<(), T> {
        if self.closed.load(Ordering::Relaxed) != 0 {
            return Err(value);
        }
        let at = self.ring.push(value)?;
        if self.receiver.has_waiter() {
            wake_receiver(&self.ring, &self.receiver, at, 1);
        }
        Ok(())
    }

    /// The same unless others wait. Whether it may overtake them, a handle knows.
    #[inline(always)]
    fn push_in_turn(&self, value: T) -> Result<(), T> {
        if self.queue.first() == 0 { self.push(value) } else { Err(value) }
    }

    /// Why the ring took nothing.
    #[cold]
    #[inline(never)]
    fn refusal(&self) -> TrySendError<()> {
        if self.is_closed() {
            self.drop_orphans();
            return TrySendError::Disconnected(());
        }
        self.ring.count_full(1);
        TrySendError::Full(())
    }

    fn drop_orphans(&self) {
        self.ring.drop_orphans(|| self.receiver.acknowledge_departure());
    }

    /// For one that waits for the end.
    fn waiter(&self) -> Waiter {
        self.weak.waiter()
    }

    #[cold]
    #[inline(never)]
    fn send_later(&self, value: T) -> Result<(), SendError<T>> {
        match self.borrow() {
            Some(mut handle) => handle.send(value),
            None => Err(SendError(value)),
        }
    }

    fn send_until(
        &self,
        value: T,
        wait: impl FnOnce(&mut Sender<T>, T) -> Result<(), SendTimeoutError<T>>,
    ) -> Result<(), SendTimeoutError<T>> {
        let Err(value) = self.push_in_turn(value) else { return Ok(()) };
        match self.borrow() {
            Some(mut handle) => wait(&mut handle, value),
            None => Err(SendTimeoutError::Disconnected(value)),
        }
    }

    /// A handle that no other thread uses. `None` if this sender is closed.
    fn borrow(&self) -> Option<Borrowed<'_, T>> {
        let mut handles = self.lock();
        if self.closed.load(Ordering::Relaxed) != 0 {
            return None;
        }
        let idle = handles.pop();
        drop(handles);
        let handle = idle.or_else(|| self.weak.upgrade())?;
        Some(Borrowed { of: self, handle: Some(handle) })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Sender<T>>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle in use. Dropped, it goes back, or away if the shared sender was closed meanwhile.
struct Borrowed<'a, T> {
    of: &'a SharedSender<T>,
    /// `Some` until it is dropped.
    handle: Option<Sender<T>>,
}

impl<T> Deref for Borrowed<'_, T> {
    type Target = Sender<T>;

    fn deref(&self) -> &Sender<T> {
        self.handle.as_ref().expect("it is there until the drop")
    }
}

impl<T> DerefMut for Borrowed<'_, T> {
    fn deref_mut(&mut self) -> &mut Sender<T> {
        self.handle.as_mut().expect("it is there until the drop")
    }
}

impl<T> Drop for Borrowed<'_, T> {
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else { return };
        let mut handles = self.of.lock();
        // Under the lock: a close stores this, and then takes the handles that are there.
        let gone = if self.of.closed.load(Ordering::Relaxed) != 0 && !mutant!(CloseTakesBorrowed) {
            Some(handle)
        } else {
            handles.push(handle);
            None
        };
        drop(handles);
        // Its wakes may panic.
        drop(gone);
    }
}

// As a sender.
impl<T> UnwindSafe for SharedSender<T> {}
impl<T> RefUnwindSafe for SharedSender<T> {}

impl<T> fmt::Debug for SharedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::channel::handle(f, "SharedSender", self.len(), self.capacity(), self.is_closed())
    }
}

impl<T> Drop for SharedSender<T> {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod assertions {
    use super::{SharedSendFuture, SharedSender};
    use core::panic::{RefUnwindSafe, UnwindSafe};
    use static_assertions::{assert_impl_all, assert_not_impl_any};

    assert_impl_all!(SharedSender<u64>: Send, Sync, Unpin);
    assert_impl_all!(SharedSendFuture<'static, u64>: Send, Unpin);
    // What is sent is not shared: a cell may be.
    assert_impl_all!(SharedSender<core::cell::Cell<u64>>: Send, Sync);
    assert_impl_all!(SharedSender<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    assert_not_impl_any!(SharedSender<alloc::rc::Rc<u64>>: Send, Sync);
}
