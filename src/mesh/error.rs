//! What can go wrong on a mesh, as values.

#[cfg(feature = "affinity")]
use crate::affinity::AffinityError;
use alloc::sync::Arc;
use core::fmt;

/// A mesh could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// Neither [`shards`](super::Builder::shards) nor `cores` said how many seats there are.
    NoShards,
    /// More seats than a mesh has.
    TooManyShards {
        /// What was asked for.
        requested: usize,
        /// The most that is possible.
        max: usize,
    },
    /// Not as many roles as seats.
    Roles {
        /// Roles that were given.
        roles: usize,
        /// Seats that there are.
        shards: usize,
    },
    /// A lane could not be made.
    Lane(crate::BuildError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoShards => f.write_str("a mesh of no shards: say how many with `shards` or `cores`"),
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

/// A seat could not be taken. It is given up: its peers see [`Cause::NeverJoined`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// The deadline of [`Builder::join_deadline`](super::Builder::join_deadline) has passed, and a peer has given this seat up.
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

/// A peer that takes, or brings, nothing any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disconnected {
    /// Its number.
    pub peer: usize,
    /// What became of it.
    pub cause: Cause,
}

/// What became of a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// There is no lane: no such peer, this endpoint itself, or the roles leave the pair out.
    NoLane,
    /// It closed or left in order, or this endpoint has closed.
    Closed,
    /// Its thread panicked. With the message of the panic, if [`Seat::run`](super::Seat::run) caught it and it was text.
    Panicked(Option<Arc<str>>),
    /// Its seat was dropped, or nobody took it in time.
    NeverJoined,
}

impl fmt::Display for Disconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.peer;
        match &self.cause {
            Cause::NoLane => write!(f, "there is no lane to or from peer {peer}: see the mesh's roles"),
            Cause::Closed => write!(f, "peer {peer} has closed, or this endpoint has"),
            Cause::Panicked(None) => write!(f, "peer {peer} panicked"),
            Cause::Panicked(Some(message)) => write!(f, "peer {peer} panicked: {message}"),
            Cause::NeverJoined => write!(f, "peer {peer} never joined"),
        }
    }
}

impl core::error::Error for Disconnected {}

/// A message was not sent: it comes back, with why.
#[derive(Clone, PartialEq, Eq)]
pub struct SendError<T> {
    /// The message.
    pub value: T,
    /// Who does not take it.
    pub gone: Disconnected,
}

/// A message was not sent now; it comes back.
#[derive(Clone, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// No room now. The peer may make some: [`Endpoint::park`](super::Endpoint::park) ends then, too.
    Full(T),
    /// The peer takes nothing any more.
    Gone(SendError<T>),
}

/// A message was not sent in time; it comes back.
#[derive(Clone, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// No room until the deadline.
    Timeout(T),
    /// The peer takes nothing any more.
    Gone(SendError<T>),
}

impl<T> TrySendError<T> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Gone(SendError { value, .. }) => value,
        }
    }

    /// Whether there was no room.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl<T> SendTimeoutError<T> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Timeout(value) | Self::Gone(SendError { value, .. }) => value,
        }
    }

    /// Whether the time ran out.
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }
}

/// Nothing was received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TryRecvError {
    /// No message now.
    Empty,
    /// A peer is lost, and all that it sent has been received. Told once a peer; the others go on.
    Lost(Disconnected),
    /// Every peer has closed, and all that they sent has been received.
    Closed,
}

/// Nothing will be received, from one peer or at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecvError {
    /// A peer is lost, and all that it sent has been received. Told once a peer; the others go on.
    Lost(Disconnected),
    /// Every peer has closed, and all that they sent has been received.
    Closed,
}

/// Nothing was received in time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecvTimeoutError {
    /// No message until the deadline.
    Timeout,
    /// A peer is lost, and all that it sent has been received. Told once a peer; the others go on.
    Lost(Disconnected),
    /// Every peer has closed, and all that they sent has been received.
    Closed,
}

/// Not every peer closed in order before this endpoint stopped listening.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DrainError {
    /// Messages that were received all the same.
    pub received: usize,
    /// Peers that panicked or never joined.
    pub lost: Vec<Disconnected>,
    /// Peers that had not closed when the time ran out.
    pub open: Vec<usize>,
}

impl fmt::Display for DrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { received, lost, open } = self;
        write!(f, "{received} messages received, {} peers lost, still open when the time ran out: {open:?}", lost.len())
    }
}

impl core::error::Error for DrainError {}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.gone.fmt(f)
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").field("gone", &self.gone).finish_non_exhaustive()
    }
}

impl<T> core::error::Error for SendError<T> {}

macro_rules! not_sent {
    ($name:ident, $now:ident, $debug:literal, $text:literal) => {
        impl<T> fmt::Display for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::$now(_) => f.write_str($text),
                    Self::Gone(error) => error.fmt(f),
                }
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::$now(_) => f.write_str($debug),
                    Self::Gone(error) => f.debug_tuple("Gone").field(error).finish(),
                }
            }
        }

        impl<T> core::error::Error for $name<T> {}
    };
}

not_sent!(TrySendError, Full, "Full(..)", "the lane is full");
not_sent!(SendTimeoutError, Timeout, "Timeout(..)", "no room until the deadline");

macro_rules! not_received {
    ($name:ident $(, $now:ident => $text:literal)?) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$now => f.write_str($text),)?
                    Self::Lost(gone) => gone.fmt(f),
                    Self::Closed => f.write_str("every peer has closed and all is received"),
                }
            }
        }

        impl core::error::Error for $name {}
    };
}

not_received!(RecvError);
not_received!(TryRecvError, Empty => "no message now");
not_received!(RecvTimeoutError, Timeout => "no message until the deadline");

impl From<RecvError> for RecvTimeoutError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Lost(gone) => Self::Lost(gone),
            RecvError::Closed => Self::Closed,
        }
    }
}

impl<T> From<SendError<T>> for TrySendError<T> {
    fn from(error: SendError<T>) -> Self {
        Self::Gone(error)
    }
}
