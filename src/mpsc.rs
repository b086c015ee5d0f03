//! Many senders, one receiver, one ring: every message in one total order.
//!
//! ```text
//!  Sender ──┐
//!  Sender ──┼──► [ · · ▓ ▓ ▓ ▓ · · ] ──► Receiver        bounded, exact capacity, lock-free
//!  Sender ──┘
//! ```
//!
//! The verbs are those of [`spsc`](crate::spsc), on handles that keep the same rules; what differs is said here.
//!
//! **Order.** Messages come out in the order in which their places were claimed: first in, first out over all senders, so also
//! for each. A claim is one compare-and-swap on a word that all senders share; with many cores that word is the bottleneck.
//! If a total order is not needed, [`fan_in`](crate::fan_in) has no such word.
//!
//! **Empty** means "nothing next in order": a message behind another sender's unfinished claim is not yet next, and
//! [`len`](Receiver::len) may be above 0. A sender that was interrupted there delays the messages behind its own. It delays no send: no thread
//! spins on it or waits for it.
//!
//! **Senders** clone cheaply; each clone is a handle of its own (`Send`, not `Sync`) and keeps its own copy of the receiver's position. The
//! channel closes when the last one is dropped or closed. [`WeakSender`] does not keep it open. `SharedSender` is for many threads at once.
//!
//! **Turns.** Senders that wait for room stand in a queue; each that sends wakes the next. A handle that comes later may overtake the one that waits
//! longest, for 10 ms or 256 times, the larger of the two; then it waits behind it. (Strict turns would cost a sleep and a wake for each message.)
//!
//! * Bound: a sender in the queue is overtaken for at most `10 ms · n · (n - 1)`, or by `256 · n · (n - 1)` calls if that takes longer. `n` counts the
//!   handles that send meanwhile, with the clones made meanwhile. A call may carry several messages.
//! * Not counted: sends that do not wait (`try_send`), and handles whose strategy never sleeps. They stand in no queue.
//! * A future may be woken and not polled, so other senders do not wait for it: while a future is first, they send when they find the ring empty.
//!
//! **Closing.** [`Receiver::close`] ends the claims: what was claimed before can still be received, and nothing after. A dropped
//! receiver drops what is in the ring. If a sender is between claim and publication at that moment, its send drops the message, and those behind it.
//! (Without `std` a later operation of a sender drops them, or the last handle does.) After `Disconnected` the receiver sees everything that the
//! senders did before they left.
//!
//! ```
//! use std::thread;
//! let (tx, mut rx) = ringmail::mpsc::channel(1024)?;
//! for id in 0..4u64 {
//!     let mut tx = tx.clone();
//!     thread::spawn(move || tx.send_iter((0..1000).map(|i| id * 1000 + i)));
//! }
//! drop(tx); // the clones keep the channel open until they are done
//! assert_eq!(rx.iter().sum::<u64>(), (0..4000).sum());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod builder;
mod receiver;
mod sender;
#[cfg(feature = "std")]
mod shared;

pub use builder::{Builder, channel};
#[cfg(feature = "std")]
pub use shared::{SharedClosedFuture, SharedSendFuture, SharedSender};

#[cfg(feature = "std")]
use crate::channel::RingSender;
use crate::channel::{self, Flavor, Sealed};
#[cfg(feature = "std")]
use crate::drop_order::lend;
#[cfg(feature = "std")]
use crate::error::SendError;
#[cfg(feature = "std")]
use crate::wait::{EventCount, WaitStrategy, Waiter};
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// Many senders, one receiver, one ring.
#[derive(Debug)]
pub enum Mpsc {}

/// The sending half. Clone it for more senders. The channel closes when the last one is dropped; the receiver still gets what
/// was sent.
pub type Sender<T> = channel::Sender<T, Mpsc>;

/// The receiving half. Dropping it closes the channel and drops what is in it.
pub type Receiver<T> = channel::Receiver<T, Mpsc>;

/// A sender that keeps one message while there is no room for it. From [`Sender::into_sink`](crate::Sender::into_sink).
#[cfg(feature = "futures")]
pub type SenderSink<T> = channel::SenderSink<T, Mpsc>;

impl Flavor for Mpsc {
    const SEALED: Sealed = Sealed(());

    type Sender<T> = sender::MpscSender<T>;
    type Receiver<T> = receiver::MpscReceiver<T>;
    type Membership<T> = ();

    fn leave<T>((): &mut ()) {}
}

/// Another sender of the same channel, closed if this one is. It allocates a small block for the clone to sleep in, and sometimes grows the
/// queue's table. `Clone` cannot return an error: without memory the process ends, as it does where a `Box` is cloned.
impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            end: self.end.another(),
            membership: (),
            #[cfg(feature = "std")]
            waiter: self.waiter.new_like(),
        }
    }
}

impl<T> Sender<T> {
    /// A reference that does not keep the channel open.
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            end: self.end.downgrade(),
            #[cfg(feature = "std")]
            waits: self.waiter.event_and_strategy(),
        }
    }

    /// Senders there are, a moment ago.
    pub fn sender_count(&self) -> usize {
        self.end.alive()
    }

    /// Claims up to `n` places and holds them, like a sender that is stopped between claim and publication. For tests.
    #[doc(hidden)]
    pub fn hold(&mut self, n: usize) -> Option<sender::Held<'_, T>> {
        self.end.hold(n)
    }
}

#[cfg(feature = "std")]
impl<T> Sender<T> {
    /// Sends everything that `values` yields, waiting for room as often as need be. Returns how many.
    ///
    /// Items are gathered, 32 at a time, before places are claimed for them: no code of yours runs while a place is claimed. The
    /// first call allocates the handle's buffer for that. If the iterator panics, what it yielded before is sent as far as there is
    /// room, and dropped beyond.
    ///
    /// # Errors
    /// The channel is closed; carries the item that was next. Up to 31 more that were gathered are dropped; the iterator, if lent
    /// by `&mut`, still has the rest.
    pub fn send_iter(&mut self, values: impl IntoIterator<Item = T>) -> Result<usize, SendError<T>> {
        lend(values.into_iter().fuse(), |values| self.send_gathered(values))
    }

    fn send_gathered(&mut self, values: &mut impl Iterator<Item = T>) -> Result<usize, SendError<T>> {
        // A waker that panicked in an earlier call may have left some.
        self.end.drop_gathered();
        let mut sent = 0;
        loop {
            let mut gathered = self.end.gather();
            gathered.fill(values);
            drop(gathered);
            if self.end.gathered() == 0 {
                return Ok(sent);
            }
            while self.end.gathered() != 0 {
                let n = if self.end.may_overtake() { self.end.push_gathered() } else { 0 };
                sent += n;
                if n == 0 {
                    if self.is_closed() {
                        let first = self.end.take_gathered();
                        self.end.drop_orphans();
                        return first.map_or(Ok(sent), |value| Err(SendError(value)));
                    }
                    self.wait_to_push(|end| {
                        let n = end.push_gathered();
                        sent += n;
                        n != 0
                    });
                }
            }
        }
    }
}

/// A sender that does not keep the channel open. From [`Sender::downgrade`].
pub struct WeakSender<T> {
    end: sender::WeakMpscSender<T>,
    #[cfg(feature = "std")]
    waits: (EventCount, WaitStrategy),
}

impl<T> WeakSender<T> {
    /// A sender, unless the last one has left. It allocates as a clone of a sender does.
    ///
    /// ```
    /// let (tx, _rx) = ringmail::mpsc::channel::<u8>(1)?;
    /// let weak = tx.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(tx);
    /// assert!(weak.upgrade().is_none());
    /// # Ok::<(), ringmail::BuildError>(())
    /// ```
    pub fn upgrade(&self) -> Option<Sender<T>> {
        Some(Sender {
            end: self.end.upgrade()?,
            membership: (),
            #[cfg(feature = "std")]
            waiter: self.waiter(),
        })
    }

    #[cfg(feature = "std")]
    fn waiter(&self) -> Waiter {
        Waiter::new(self.waits.0.clone(), self.waits.1).queued(self.end.queue.clone())
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self {
            end: self.end.clone(),
            #[cfg(feature = "std")]
            waits: self.waits.clone(),
        }
    }
}

// As a sender.
impl<T> UnwindSafe for WeakSender<T> {}
impl<T> RefUnwindSafe for WeakSender<T> {}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod assertions {
    use super::{Receiver, Sender, WeakSender};
    use core::panic::{RefUnwindSafe, UnwindSafe};
    use static_assertions::{assert_impl_all, assert_not_impl_any};

    assert_impl_all!(Sender<u64>: Send, Unpin, Clone);
    assert_impl_all!(Receiver<u64>: Send, Unpin);
    assert_impl_all!(WeakSender<u64>: Send, Clone);
    // For every message type, as of the channels of std and crossbeam.
    assert_impl_all!(Sender<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Receiver<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(WeakSender<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    // A cell may move to another thread but not be shared: enough for a channel.
    assert_impl_all!(Sender<core::cell::Cell<u64>>: Send);
    assert_not_impl_any!(Sender<u64>: Sync);
    assert_not_impl_any!(Receiver<u64>: Sync, Clone);
    assert_not_impl_any!(Sender<alloc::rc::Rc<u64>>: Send);
    assert_not_impl_any!(Receiver<alloc::rc::Rc<u64>>: Send);
}
