//! What can go wrong on a mesh, as values.

use super::{RecvError, SendError};
#[cfg(feature = "affinity")]
use crate::affinity::AffinityError;
use alloc::sync::Arc;
use core::fmt;

/// A mesh could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// No number of seats was given, by [`shards`](super::Builder::shards), `cores` or [`roles`](super::Builder::roles).
    NoShards,
    /// More seats than a mesh can have.
    TooManyShards {
        /// The number that was asked for.
        requested: usize,
        /// The largest possible number.
        max: usize,
    },
    /// The number of roles is not the number of seats.
    Roles {
        /// The number of roles.
        roles: usize,
        /// The number of seats.
        shards: usize,
    },
    /// A lane could not be made.
    Lane(crate::BuildError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoShards => f.write_str("a mesh of no shards: call `shards` or `cores`"),
            Self::TooManyShards { requested, max } => {
                write!(f, "{requested} shards are above the limit: ask for at most {max}")
            }
            Self::Roles { roles, shards } => write!(f, "{roles} roles for {shards} shards: give one role a shard"),
            Self::Lane(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for BuildError {}

impl From<crate::BuildError> for BuildError {
    fn from(error: crate::BuildError) -> Self {
        Self::Lane(error)
    }
}

/// A thread could not join its seat. The seat is given up: its peers see [`Cause::NeverJoined`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// The deadline of [`Builder::join_deadline`](super::Builder::join_deadline) has passed, and a peer has given up this seat.
    TooLate,
    /// The thread could not be pinned to the seat's core.
    #[cfg(feature = "affinity")]
    Pin(AffinityError),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLate => f.write_str("the seat was given up: join sooner, or set a longer `join_deadline`"),
            #[cfg(feature = "affinity")]
            Self::Pin(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for JoinError {}

/// A peer that receives nothing more from this endpoint, or sends nothing more to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disconnected {
    /// The peer's number.
    pub peer: usize,
    /// Why it is disconnected.
    pub cause: Cause,
}

/// Why a peer is disconnected.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// There is no lane: no such peer, this endpoint itself, or the roles leave the pair out.
    NoLane,
    /// The peer closed or left in order, or this endpoint has closed.
    Closed,
    /// The peer's thread panicked. The text is the message of the panic. It is `None` if the panic was not caught by
    /// [`Seat::run`](super::Seat::run), or if its payload was not text.
    Panicked(Option<Arc<str>>),
    /// The peer's seat was dropped, or no thread joined it in time.
    NeverJoined,
}

impl fmt::Display for Disconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.peer;
        match &self.cause {
            Cause::NoLane => write!(f, "there is no lane to or from peer {peer}: see the roles of the mesh"),
            Cause::Closed => write!(f, "peer {peer} has closed, or this endpoint has"),
            Cause::Panicked(None) => write!(f, "peer {peer} panicked"),
            Cause::Panicked(Some(message)) => write!(f, "peer {peer} panicked: {message}"),
            Cause::NeverJoined => write!(f, "peer {peer} never joined"),
        }
    }
}

impl core::error::Error for Disconnected {}

impl<T> From<SendError<T, Disconnected>> for Disconnected {
    fn from(SendError(_, gone): SendError<T, Disconnected>) -> Self {
        gone
    }
}

impl From<RecvError<Disconnected>> for Disconnected {
    fn from(RecvError(gone): RecvError<Disconnected>) -> Self {
        gone
    }
}

/// The peers of which a receive from all peers reports that they are disconnected. All that they sent has been received.
///
/// ```
/// use ringmail::mesh::{Builder, Peers, RecvError};
/// let mut seats = Builder::new().shards(3).build::<u8>()?.into_iter();
/// let mut me = seats.next().unwrap().join()?;
/// drop(seats.next().unwrap()); // peer 1 never joins
/// let mut other = seats.next().unwrap().join()?;
/// other.send_to(0, 7)?;
/// drop(other); // peer 2 closes in order
/// let mut received = Vec::new();
/// loop {
///     match me.recv() {
///         Ok((peer, message)) => received.push((peer, message)),
///         Err(RecvError(Peers::One(gone))) => assert_eq!(gone.to_string(), "peer 1 never joined"),
///         Err(RecvError(Peers::All)) => break,
///     }
/// }
/// assert_eq!(received, [(2, 7)]);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Peers {
    /// This peer panicked or never joined. Reported once for each such peer; receive again, the other peers may send more. A peer
    /// that closed in order is not reported alone.
    One(Disconnected),
    /// Every peer is disconnected: no message will come.
    All,
}

impl fmt::Display for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(gone) => gone.fmt(f),
            Self::All => f.write_str("every peer has closed, and all messages have been received"),
        }
    }
}

impl core::error::Error for Peers {}

/// Not every peer closed in order before this endpoint stopped receiving.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DrainError {
    /// Messages that were received all the same.
    pub received: usize,
    /// Peers that panicked or never joined.
    pub disconnected: Vec<Disconnected>,
    /// Peers that had not closed when the time ran out.
    pub open: Vec<usize>,
}

impl fmt::Display for DrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { received, disconnected, open } = self;
        let n = disconnected.len();
        write!(
            f,
            "{received} messages received, {n} peers panicked or never joined, still open at the deadline: {open:?}"
        )
    }
}

impl core::error::Error for DrainError {}
