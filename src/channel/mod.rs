//! The two halves of every channel and their verbs, written once.
//!
//! A [`Flavor`] says how the halves are joined: it names the two *ends*, each a ring's end together with the event count that
//! wakes the other side. The verbs that wait are one state machine over those ends (`waiting`), the batches are
//! chunks over them (`chunk`).

mod builder;
mod chunk;
mod ends;
#[cfg(feature = "futures")]
mod futures;
#[cfg(feature = "std")]
mod iter;
mod receiver;
pub(crate) mod rx;
mod sender;
#[cfg(feature = "std")]
mod waiting;

pub use builder::Builder;
pub use chunk::{IntoIter as ReadChunkIntoIter, ReadChunk, WriteChunk};
#[cfg(feature = "std")]
pub use iter::{IntoIter, Iter, TryIter};
pub use receiver::Receiver;
pub use sender::Sender;
#[cfg(feature = "std")]
pub use waiting::{RecvFuture, SendFuture};

pub(crate) use ends::{Ends, OneWriter, RecvEnd, SendEnd};
#[cfg(feature = "std")]
pub(crate) use receiver::Free;

use core::fmt;

/// How the halves of a channel are joined: one of [`spsc::Spsc`](crate::spsc::Spsc), [`mpsc::Mpsc`](crate::mpsc::Mpsc),
/// [`fan_in::FanIn`](crate::fan_in::FanIn). Code that is generic over it works with every channel.
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
#[allow(private_bounds, reason = "sealed: the ends are this crate's")]
pub trait Flavor: Ends {}

/// A [`Flavor`] whose sending half is the only writer of its ring: places can be reserved and written in place.
#[allow(private_bounds, reason = "sealed: the ends are this crate's")]
pub trait SingleSender: Flavor + OneWriter {}

fn handle(f: &mut fmt::Formatter<'_>, name: &str, len: usize, capacity: usize, closed: bool) -> fmt::Result {
    f.debug_struct(name)
        .field("len", &len)
        .field("capacity", &capacity)
        .field("closed", &closed)
        .finish_non_exhaustive()
}
