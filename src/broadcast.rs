//! One sender, many receivers, each of which sees every message.
//!
//! ```text
//!                              ┌──► Receiver "journal"        reserved: gates also while it is away
//!  Sender ──► [ · ▓ ▓ ▓ ▓ · ] ─┼──► Receiver after "journal"  sees a message when the journal has committed it
//!                              └──► Receiver, joined          from now on, gates while it lives
//! ```
//!
//! One ring; each receiver has a *seat*, which says how far it is. The slowest **gates**: the sender has room as long as no seat is `capacity` messages
//! behind. So every receiver sees every message from its first on, and none is lost. [`Sender::slowest`] says which seat that is.
//!
//! **Joining and leaving.** [`Hub::join`] gives a receiver that begins with the messages from now on; dropping it gives its seat up. Both happen at any time,
//! from any thread, and neither waits for the sender. The memory of a seat serves the next receiver; a channel keeps that of as many seats as there
//! were at once.
//!
//! **Reserved seats** ([`Hub::reserve`]) gate from then on, also while no receiver sits there: what a recorder that failed has not committed, its
//! successor gets ([`Hub::take`]). A reserved seat that is never taken again stops the sender: [`Hub::release`] it. Keep a hub as long as a reserved seat
//! matters: when the last hub and the last receiver are gone the channel is closed, and what was not committed is dropped.
//!
//! **When a message is committed.** [`recv`](Receiver::recv), [`iter`](Receiver::iter) and [`drain`](Receiver::drain) commit what they give, also if your code fails
//! then. A receiver whose work must be done first, such as a recorder, reads by [`peek`](Receiver::peek) or [`read_chunk`](Receiver::read_chunk), and commits after
//! the work. (To wait for a message without taking it: [`Hub::with_event`].)
//!
//! **Order between receivers** ([`Hub::after`]): a receiver sees a message when those before it have committed it. So stages form a pipeline, or a
//! diamond, in one ring, without copies. A receiver can come only after receivers that exist, so there is no cycle.
//!
//! **No receiver.** While there is no seat, a send finds no room, so nothing that was accepted is lost. With [`NoReceiver::Pass`] messages
//! pass unseen, and are counted. Once all hubs and receivers are gone, a send returns its message as `Disconnected`.
//!
//! **Messages are shared.** A message stays in the ring until its slot is written again, one lap later. The sender drops it then; when all receivers and
//! hubs have gone, at its next operation; and the last handle of all drops the rest. So there is no count of references and no receiver that has to find
//! out whether it is the last. If the drop of an old message panics, the send that it happens in panics, and its message is not sent.
//! [`recv`](Receiver::recv) and its sisters clone; [`recv_with`](Receiver::recv_with), [`peek`](Receiver::peek), [`drain`](Receiver::drain) and
//! [`read_chunk`](Receiver::read_chunk) lend.
//!
//! **Closing.** When the sender closes or is dropped, receivers still get everything sent before, then `Disconnected`.
//!
//! **Panics.** A message counts as taken before a `clone` or a closure sees it. If that panics, the receiver goes on with the next message; others
//! notice nothing.
//!
//! **Cost.** The sender reads the seats only when it has used the room that it knew of: a message costs about what it costs on [`spsc`](crate::spsc), plus a
//! load for each receiver, of a line that is not written while that receiver is awake. A receiver writes its own seat only. Joining, and waking
//! a receiver, look at all seats.
//!
//! **Who sends between threads.** Handles are `Send` if the message is `Send` and `Sync`, as several receivers see it at the same time.
//!
//! ```
//! use std::thread;
//! let (mut tx, hub) = ringmail::broadcast::channel(64)?;
//! let mut journal = hub.reserve("journal")?;
//! let mut engine = hub.after(&[&journal])?;
//! drop(hub); // receivers can make another
//! let written = thread::spawn(move || journal.iter().collect::<Vec<u64>>());
//! let total = thread::spawn(move || engine.iter().sum::<u64>());
//! for order in 0..1000 {
//!     tx.send(order)?;
//! }
//! drop(tx);
//! assert_eq!(written.join().unwrap(), (0..1000).collect::<Vec<_>>());
//! assert_eq!(total.join().unwrap(), 499_500);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod builder;
mod chunk;
mod end;
mod error;
#[cfg(feature = "std")]
mod expiry;
#[cfg(feature = "std")]
mod filtered;
#[cfg(feature = "std")]
mod future;
mod hub;
#[cfg(feature = "std")]
mod iter;
#[cfg(feature = "lossy")]
pub mod lossy;
mod receiver;
mod sender;
#[cfg(feature = "std")]
mod wait;

pub use builder::{Builder, NoReceiver, channel};
pub use chunk::{ReadChunk, WriteChunk};
pub use error::JoinError;
#[cfg(feature = "std")]
pub use expiry::Expiry;
#[cfg(feature = "std")]
pub use filtered::{Filtered, Labeled, Skipped};
#[cfg(feature = "std")]
pub use future::RecvFuture;
pub use hub::{Hub, SeatId};
#[cfg(feature = "std")]
pub use iter::{IntoIter, Iter, TryIter};
pub use receiver::Receiver;
pub use sender::Slowest;

use crate::channel::{self, Flavor, Sealed};

/// One sender, many receivers.
#[derive(Debug)]
pub enum Broadcast {}

/// The sending half. Dropping it closes the channel; receivers still get what was sent.
///
/// Its [`len`](crate::Sender::len) is how far the slowest seat is behind, 0 without a seat. While a send waits for a seat to come it
/// [`is_full`](crate::Sender::is_full).
pub type Sender<T> = channel::Sender<T, Broadcast>;

/// A sender that keeps one message while there is no room for it. From [`Sender::into_sink`](crate::Sender::into_sink).
#[cfg(feature = "futures")]
pub type SenderSink<T> = channel::SenderSink<T, Broadcast>;

impl Flavor for Broadcast {
    const SEALED: Sealed = Sealed(());

    type Sender<T> = sender::CastSender<T>;
    type Receiver<T> = end::NoEnd<T>;
    type Membership<T> = ();

    fn leave<T>((): &mut ()) {}
}

#[cfg(test)]
mod assertions {
    use super::{Builder, Hub, Receiver, Sender};
    use core::panic::{RefUnwindSafe, UnwindSafe};
    use static_assertions::{assert_impl_all, assert_not_impl_any};

    assert_impl_all!(Sender<u64>: Send, Unpin);
    assert_impl_all!(Receiver<u64>: Send, Unpin);
    assert_impl_all!(Hub<u64>: Send, Sync, Clone, Unpin);
    // For every message type, as of the channels of std and crossbeam.
    assert_impl_all!(Sender<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Receiver<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Hub<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Builder: UnwindSafe, RefUnwindSafe);
    assert_not_impl_any!(Sender<u64>: Sync, Clone);
    assert_not_impl_any!(Receiver<u64>: Sync, Clone);
    // Receivers share messages: a cell could be changed by two of them at once.
    assert_not_impl_any!(Sender<core::cell::Cell<u64>>: Send);
    assert_not_impl_any!(Receiver<core::cell::Cell<u64>>: Send, Sync);
    assert_not_impl_any!(Hub<core::cell::Cell<u64>>: Send, Sync);
    assert_not_impl_any!(Receiver<alloc::rc::Rc<u64>>: Send);
}
