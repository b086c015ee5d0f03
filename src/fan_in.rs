//! Many senders, one receiver, a lane for each sender: senders never touch a common word.
//!
//! ```text
//!  Sender ──► [ · ▓ ▓ ▓ · ] ──┐
//!  Sender ──► [ · · · · · ] ──┼──► Receiver        wait-free, scales with cores
//!  Sender ──► [ ▓ ▓ ▓ ▓ ▓ ] ──┘    takes turns among the lanes
//! ```
//!
//! A lane is an [`spsc`](crate::spsc) ring with all its verbs and its cost; what differs is said here.
//!
//! **Order.** First in, first out for each sender. Between senders there is none: the receiver takes turns. If the order between
//! senders matters, use [`mpsc`](crate::mpsc).
//!
//! **Turns.** The receiver takes up to [`Builder::budget`] messages (64 by default, times the lane's [`weight`](LaneOptions::weight)) from a lane, then goes
//! on to the next lane that has any, in a circle. So a lane with a message waits for at most one turn of each other lane. With
//! [priorities](LaneOptions::priority), at the end of each turn a lane of a higher priority goes first, strictly: it can starve lower ones.
//!
//! **Lanes.** [`Sender::lane`] opens another. It allocates, so it can fail; that is why senders are not `Clone`. Only openers wait for each other.
//! [`Receiver::last_lane`] and the `*_from` verbs say which sender a message came from.
//!
//! A lane whose sender has gone is drained; then its memory serves the next lane that is opened. The memory of as many lanes is kept as there are
//! senders; the receiver frees the rest at its next look. Some 24 bytes for the lane's number stay until the number is given out again.
//!
//! **Capacity** is each lane's own: a sender whose lane is full waits, and the others do not notice. The receiver's
//! [`len`](crate::Receiver::len) and [`capacity`](crate::Receiver::capacity) are sums over its lanes.
//!
//! **Cost.** An idle lane costs each look of the receiver one load of a line that is not written. All lanes notify one event count.
//!
//! **Closing.** A sender that is closed or dropped closes its lane. The receiver gets what is left in all lanes, then, once the last
//! sender is gone, `Disconnected`. A receiver that is closed or dropped closes all lanes.
//!
//! ```
//! use std::thread;
//! let (tx, mut rx) = ringmail::fan_in::channel(256)?;
//! for id in 0..4u64 {
//!     let mut tx = tx.lane()?;
//!     thread::spawn(move || tx.send_iter((0..1000).map(|i| id * 1000 + i)));
//! }
//! drop(tx); // this one sent nothing
//! assert_eq!(rx.iter().sum::<u64>(), (0..4000).sum());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod builder;
mod lanes;
mod membership;
mod registry;

pub use builder::{Builder, channel};
pub use registry::{LaneId, LaneOptions};

use crate::channel::lane::LaneSender;
use crate::channel::{self, Flavor, Sealed, SingleSender};
use crate::error::{BuildError, TryRecvError};
#[cfg(feature = "std")]
use crate::error::{RecvError, RecvTimeoutError};
#[cfg(feature = "std")]
use crate::wait::EventCount;
#[cfg(feature = "std")]
use core::task::{Context, Poll};
#[cfg(feature = "std")]
use core::time::Duration;

/// Many senders, one receiver, a lane for each.
#[derive(Debug)]
pub enum FanIn {}

/// The sending half: the only writer of its lane. The channel closes when the last one is dropped; the receiver still gets what was
/// sent.
pub type Sender<T> = channel::Sender<T, FanIn>;

/// The receiving half. Dropping it closes the channel and drops what is in it.
pub type Receiver<T> = channel::Receiver<T, FanIn>;

impl Flavor for FanIn {
    const SEALED: Sealed = Sealed(());

    type Sender<T> = LaneSender<T>;
    type Receiver<T> = lanes::Lanes<T>;
    type Membership<T> = membership::Membership<T>;

    fn leave<T>(membership: &mut membership::Membership<T>) {
        membership.leave();
    }
}

impl SingleSender for FanIn {
    #[inline(always)]
    fn lane<T>(sender: &mut LaneSender<T>) -> &mut LaneSender<T> {
        sender
    }

    #[cfg(not(ringmail_loom))]
    #[inline(always)]
    fn slices<T>(receiver: &lanes::Lanes<T>, n: u64) -> (&[T], &[T]) {
        receiver.slices(n)
    }
}

impl<T> Sender<T> {
    /// Another sender of the same channel, with a lane of its own.
    ///
    /// Takes a lock that only openers take. Allocates the lane, unless the memory of a lane whose sender has gone is kept.
    ///
    /// # Errors
    /// No memory, or the channel, or this sender, is closed.
    pub fn lane(&self) -> Result<Self, BuildError> {
        self.lane_with(LaneOptions::new())
    }

    /// As [`Sender::lane`], with options.
    ///
    /// # Errors
    /// As [`Sender::lane`].
    pub fn lane_with(&self, options: LaneOptions) -> Result<Self, BuildError> {
        self.membership.open(options, None)
    }

    /// As [`Sender::lane_with`], and `event` is notified when the lane has room, instead of one of the new sender's own. See
    /// [`Builder::sender_event`](crate::Builder::sender_event).
    ///
    /// # Errors
    /// As [`Sender::lane`].
    #[cfg(feature = "std")]
    pub fn lane_with_event(&self, options: LaneOptions, event: EventCount) -> Result<Self, BuildError> {
        self.membership.open(options, Some(event))
    }

    /// Which lane this is.
    pub fn id(&self) -> LaneId {
        self.membership.id
    }
}

impl<T> Receiver<T> {
    /// The lane that the last message came from, or the chunk or message that is looked at. `None` before the first.
    pub fn last_lane(&self) -> Option<LaneId> {
        self.end.last()
    }

    /// Lanes that may still bring something, as far as this side has looked.
    pub fn lane_count(&self) -> usize {
        self.end.count()
    }

    /// As [`try_recv`](crate::Receiver::try_recv), and says which lane the message came from.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn try_recv_from(&mut self) -> Result<(LaneId, T), TryRecvError> {
        match self.end.next_from() {
            Some((lane, next)) => Ok(next.take_as(|message| (lane, message))),
            None => Err(self.nothing()),
        }
    }
}

#[cfg(feature = "std")]
impl<T> Receiver<T> {
    /// As [`recv`](crate::Receiver::recv), and says which lane the message came from.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn recv_from(&mut self) -> Result<(LaneId, T), RecvError> {
        self.wait_until_next()?;
        self.try_recv_from().map_err(|_| RecvError)
    }

    /// As [`recv_timeout`](crate::Receiver::recv_timeout), and says which lane the message came from.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn recv_timeout_from(&mut self, timeout: Duration) -> Result<(LaneId, T), RecvTimeoutError> {
        let message = self.recv_timeout(timeout)?;
        Ok((self.end.last_or_first(), message))
    }

    /// As [`poll_recv`](crate::Receiver::poll_recv), and says which lane the message came from.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn poll_recv_from(&mut self, cx: &mut Context<'_>) -> Poll<Result<(LaneId, T), RecvError>> {
        self.poll_recv(cx).map_ok(|message| (self.end.last_or_first(), message))
    }

    /// As [`recv_async`](crate::Receiver::recv_async), and says which lane the message came from. Cancel-safe too.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub async fn recv_from_async(&mut self) -> Result<(LaneId, T), RecvError> {
        let message = self.recv_async().await?;
        Ok((self.end.last_or_first(), message))
    }
}

#[cfg(test)]
mod assertions {
    use super::{Receiver, Sender};
    use core::panic::{RefUnwindSafe, UnwindSafe};
    use static_assertions::{assert_impl_all, assert_not_impl_any};

    assert_impl_all!(Sender<u64>: Send, Unpin);
    assert_impl_all!(Receiver<u64>: Send, Unpin);
    // For every message type, as of the channels of std and crossbeam.
    assert_impl_all!(Sender<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Receiver<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    // A cell may move to another thread but not be shared: enough for a channel.
    assert_impl_all!(Sender<core::cell::Cell<u64>>: Send);
    assert_not_impl_any!(Sender<u64>: Sync, Clone);
    assert_not_impl_any!(Receiver<u64>: Sync, Clone);
    assert_not_impl_any!(Sender<alloc::rc::Rc<u64>>: Send);
    assert_not_impl_any!(Receiver<alloc::rc::Rc<u64>>: Send);
}
