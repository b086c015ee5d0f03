//! The two halves of every channel and their verbs, written once.
//!
//! A [`Flavor`] says how the halves are joined: it names the two *ends* ([`RingSender`], [`RingReceiver`]), each a ring's end together with the
//! event count that wakes the other side. The verbs that wait are one state machine over those ends (`wait_send`, `wait_recv`), the batches are
//! chunks over them (`chunk`).

mod builder;
mod chunk;
mod free;
#[cfg(feature = "std")]
mod future;
mod in_place;
#[cfg(feature = "std")]
mod iter;
pub(crate) mod lane;
pub(crate) mod message;
mod receiver;
mod sender;
#[cfg(feature = "futures")]
mod sink;
#[cfg(feature = "futures")]
mod stream;
mod traits;
pub(crate) mod turns;
#[cfg(feature = "std")]
mod wait_recv;
#[cfg(feature = "std")]
mod wait_send;

pub use builder::Builder;
pub use chunk::{IntoIter as ReadChunkIntoIter, ReadChunk, WriteChunk};
#[cfg(feature = "std")]
pub use future::{ClosedFuture, RecvFuture, RecvManyFuture, SendFuture};
#[cfg(feature = "std")]
pub use iter::{IntoIter, Iter, TryIter};
pub use receiver::Receiver;
pub use sender::Sender;
#[cfg(feature = "futures")]
pub use sink::SenderSink;

pub(crate) use free::Free;
#[cfg(feature = "std")]
pub(crate) use in_place::look_at_next;
pub(crate) use traits::{RingReceiver, RingSender, Sealed};

use core::fmt;

/// How the halves of a channel are joined: one of [`spsc::Spsc`](crate::spsc::Spsc), [`mpsc::Mpsc`](crate::mpsc::Mpsc),
/// [`fan_in::FanIn`](crate::fan_in::FanIn), [`fan_out::FanOut`](crate::fan_out::FanOut). Code that is generic over it works with every channel.
/// [`broadcast::Broadcast`](crate::broadcast::Broadcast) is one for senders: receivers of a broadcast share the messages, and have a type of their own.
///
/// ```
/// use ringmail::{Receiver, Flavor, spsc};
/// fn drain<S: Flavor>(rx: &mut Receiver<u32, S>) -> u32 {
///     rx.try_iter().sum()
/// }
/// let (mut tx, mut rx) = spsc::channel(4)?;
/// tx.try_send_slice(&[1, 2, 3]).unwrap();
/// assert_eq!(drain(&mut rx), 6);
/// # Ok::<(), ringmail::BuildError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no kind of channel",
    label = "expected `Spsc`, `Mpsc`, `FanIn`, `FanOut` or `Broadcast`, each of the module of its name",
    note = "name a channel's own types instead, such as `ringmail::spsc::Sender<T>`"
)]
pub trait Flavor: 'static {
    #[doc(hidden)]
    const SEALED: Sealed;

    #[doc(hidden)]
    type Sender<T>: RingSender<Item = T>;

    #[doc(hidden)]
    type Receiver<T>: RingReceiver<Item = T>;

    /// What a sender is part of beside its ring.
    #[doc(hidden)]
    type Membership<T>;

    /// Ends a membership: its sender has closed its ring.
    #[doc(hidden)]
    fn leave<T>(membership: &mut Self::Membership<T>);
}

/// A [`Flavor`] whose sending half is the only writer of its ring: places can be reserved and written in place.
#[diagnostic::on_unimplemented(
    message = "places cannot be reserved in this channel: its senders share one ring, or its sender has several",
    label = "needs a sender that alone writes its ring: `spsc` or `fan_in`",
    note = "on `mpsc` and `fan_out`, send the messages of an iterator by `send_iter`"
)]
pub trait SingleSender: Flavor {
    /// The lane that this sender alone writes.
    #[doc(hidden)]
    fn lane<T>(sender: &mut Self::Sender<T>) -> &mut lane::LaneSender<T>;

    /// The next `n` messages in place, fewer if fewer were seen, as the two runs they form.
    #[doc(hidden)]
    #[cfg(not(ringmail_loom))]
    fn slices<T>(receiver: &Self::Receiver<T>, n: u64) -> (&[T], &[T]);
}

pub(crate) fn handle(f: &mut fmt::Formatter<'_>, name: &str, len: usize, capacity: usize, closed: bool) -> fmt::Result {
    f.debug_struct(name)
        .field("len", &len)
        .field("capacity", &capacity)
        .field("closed", &closed)
        .finish_non_exhaustive()
}
