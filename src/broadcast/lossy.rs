//! One sender that never waits, any number of receivers: each message is copied by all that keep up, and who does not is told how many it lost.
//!
//! ```text
//!                                          ┌── Receiver   at its own position
//!  Sender ──► [ 9 │ 10 │ 11 │ 4 │ … │ 8 ] ─┼── Receiver   overrun: Lost(n), goes on in the middle
//!             the last `capacity` messages └── Receiver   latest: 11
//! ```
//!
//! | I want | use |
//! |---|---|
//! | every message while I keep up: market data, telemetry, a tap | [`Receiver::recv`] and its kin, which give [`Seen`] |
//! | each newest message once: configuration, prices on a screen (tokio's `watch`) | [`Receiver::changed`] and its kin |
//! | the newest message now (a sequence lock, `arc-swap`) | [`Receiver::latest`] |
//! | that no message is lost | another channel: here the sender does not wait |
//!
//! **The sender** writes its message over the oldest one. It never waits, never fails, and does not know how many receivers there are. A send is
//! wait-free, and costs the same for none or a thousand that read. Only receivers that *sleep* cost it something: it wakes all of them.
//!
//! **A receiver** writes nothing that another side reads. It needs no registration, and it may stop for ever: no other side notices. [`Clone`] goes on at the
//! same position; [`Receiver::resubscribe`] and [`Sender::subscribe`] begin with what is sent from now on.
//!
//! **Loss is a value with a count.** A receiver that is `capacity` messages behind is overrun. It gets [`Seen::Lost`] once, with the exact number of
//! messages that it passes over, and goes on where [`Receiver::set_resume`] says. Received and lost add up to what was sent. It is no error: a loop over
//! received messages does not end with it.
//!
//! **Capacity** is rounded up to a power of two, 2 at least; [`Receiver::capacity`] says it. The last so many messages are kept; while the sender writes a
//! message, the oldest one is already gone.
//!
//! **The newest** message stays whole while the sender writes others beside it. [`Receiver::latest`] looks again only if the sender sent
//! `capacity - 1` messages or more while it copied one. So a sender at full speed does not starve it, in a ring of 64 messages or more. [`Builder::copy_newest`]
//! makes such a look read one cache line of a short message.
//!
//! **Numbers.** The first message has number 0. [`Receiver::position`] is the number of the message that comes next, [`Receiver::latest`] gives that of the
//! newest one. They have 63 bits and do not wrap.
//!
//! **The end.** When the sender is gone, each receiver gets what is kept of what it has not seen, then `Disconnected`. [`Receiver::latest`] still gives
//! the last message.
//!
//! **Messages** are copied word by word while the sender may write over them; a copy that it wrote into is never shown. So they are [`Message`]s: plain data
//! without padding: `cargo add zerocopy --features derive` for your own structures. A message of up to 56 bytes is one cache line with its stamp.
//!
//! ```
//! use ringmail::broadcast::lossy::{self, Seen};
//!
//! #[derive(Clone, Copy, PartialEq, Debug, zerocopy::IntoBytes, zerocopy::Immutable)]
//! #[repr(C)]
//! struct Tick {
//!     price: u64,
//!     size: u64,
//! }
//!
//! let (mut tx, mut rx) = lossy::channel::<Tick>(4)?;
//! let screen = rx.clone();
//! for price in 0..6 {
//!     tx.send(Tick { price, size: 1 }); // no error, no wait
//! }
//! assert_eq!(rx.recv()?, Seen::Lost(4)); // 0 and 1 are gone; it goes on in the middle of what is kept
//! assert_eq!(rx.recv()?, Seen::Message(Tick { price: 4, size: 1 }));
//! assert_eq!(screen.latest(), Some((5, Tick { price: 5, size: 1 })));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! Source of the ideas: Agrona's broadcast buffer and Firedancer's `tango`; a sequence lock for each slot. Receivers that wait stand on a roll behind
//! one event count.

mod builder;
#[cfg(feature = "std")]
mod future;
#[cfg(feature = "std")]
mod iter;
#[cfg(ringmail_loom)]
mod model;
mod receiver;
mod sender;
#[cfg(feature = "std")]
mod wait;

#[cfg(doc)]
use crate::error::TryRecvError;
pub use crate::ring::stamped::Resume;
pub use builder::{Builder, channel};
#[cfg(feature = "std")]
pub use future::RecvFuture;
#[cfg(feature = "std")]
pub use iter::{IntoIter, Iter, TryIter};
pub use receiver::Receiver;
pub use sender::Sender;
use zerocopy::{Immutable, IntoBytes};

/// What can be sent: plain data whose bytes are all there is to it.
///
/// Implemented for each type that is `Copy`, `Send` and [`IntoBytes`] and [`Immutable`] of zerocopy: numbers, `bool`, `char`, arrays of them, and
/// structures that derive the two. They have no padding and no pointers, which zerocopy proves. A copy is as good as the
/// message, which `Copy` says.
///
/// A structure with padding is refused:
///
/// ```compile_fail
/// # use ringmail::broadcast::lossy;
/// #[derive(Clone, Copy, zerocopy::IntoBytes, zerocopy::Immutable)]
/// #[repr(C)]
/// struct Padded {
///     side: u8, // 7 bytes of padding follow
///     price: u64,
/// }
/// let channel = lossy::channel::<Padded>(64);
/// ```
///
/// and so is one that does not derive the two:
///
/// ```compile_fail,E0277
/// # use ringmail::broadcast::lossy;
/// #[derive(Clone, Copy)]
/// struct Plain {
///     price: u64,
/// }
/// let channel = lossy::channel::<Plain>(64);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent on a lossy channel",
    label = "a message that receivers copy while it may be written over is plain data",
    note = "derive `Clone`, `Copy`, and zerocopy's `IntoBytes` and `Immutable` with `#[repr(C)]`; padding must be a field; what owns memory cannot be sent: use `broadcast`"
)]
pub trait Message: Copy + Send + IntoBytes + Immutable {}

impl<T: Copy + Send + IntoBytes + Immutable> Message for T {}

/// What a receiver sees next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[must_use = "it may say that messages were lost"]
pub enum Seen<T> {
    /// The next message.
    Message(T),
    /// So many messages were passed over, as the sender wrote over the next one. The next look gives a message.
    Lost(u64),
}

impl<T> Seen<T> {
    /// The message, if it is one.
    pub fn message(self) -> Option<T> {
        match self {
            Self::Message(message) => Some(message),
            Self::Lost(_) => None,
        }
    }

    /// How many messages were lost: 0 if this is a message.
    pub const fn lost(&self) -> u64 {
        match self {
            Self::Message(_) => 0,
            Self::Lost(count) => *count,
        }
    }
}
