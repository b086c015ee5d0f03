//! What can go wrong, as values. Names and shapes follow crossbeam-channel and std.
//!
//! No error needs `T: Debug`, each that carries a message gives it back, and all convert into the wider one.

#[cfg(feature = "std")]
pub mod with_cause;

use core::fmt;

/// A channel could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// Capacity 0: a ring holds at least one message, a pool at least one buffer, a pair of callers at least one credit.
    ZeroCapacity,
    /// The capacity is above the limit.
    CapacityTooLarge {
        /// What was asked for, in messages, buffers or credits.
        requested: usize,
        /// The most that is possible.
        max: usize,
    },
    /// The allocator gave no memory, for the slots or for anything else that is made with a channel, a lane, a mesh or a pool. Nothing of it
    /// is left.
    ///
    /// What still ends the process where there is no memory, as `Box::new` does, for it has no error to return:
    /// * a clone of an [`mpsc::Sender`](crate::mpsc::Sender), [`mpsc::WeakSender::upgrade`](crate::mpsc::WeakSender::upgrade), and the first
    ///   [`mpsc::Sender::send_iter`](crate::mpsc::Sender#method.send_iter) of a handle;
    /// * [`EventCount`](crate::wait::EventCount)s and [`waker_fn`](crate::wait::waker_fn)'s wakers that a user makes, and `EventCount::wait`;
    /// * lists of cores and roles that a mesh's builder is given, its clone, and the joins of its seats;
    /// * a receiver that finds more lanes of a [`fan_in`](crate::fan_in) channel than ever before: its table of lanes grows;
    /// * buffers of the caller's that receiving verbs fill.
    OutOfMemory {
        /// What was needed, of the piece that was refused; `None` if that number does not fit the address space.
        bytes: Option<usize>,
    },
    /// A lane was asked for in a channel that is closed.
    Disconnected,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroCapacity => f.write_str("capacity 0: ask for at least 1"),
            Self::CapacityTooLarge { requested, max } => {
                write!(f, "capacity {requested} is above the limit: ask for at most {max}")
            }
            Self::OutOfMemory { bytes: Some(bytes) } => {
                write!(f, "no memory for {bytes} bytes: ask for a smaller capacity or a smaller message")
            }
            Self::Disconnected => f.write_str("the channel is closed: no receiver is there to open a lane to"),
            Self::OutOfMemory { bytes: None } => f.write_str(
                "what was asked for would not fit the address space: ask for a smaller capacity or a smaller message",
            ),
        }
    }
}

impl core::error::Error for BuildError {}

/// `try_send` could not send; the message comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// No room now. The receiver may make some.
    Full(T),
    /// The channel is closed; nothing will ever be accepted again.
    Disconnected(T),
}

impl<T> TrySendError<T> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Disconnected(value) => value,
        }
    }

    /// Whether the ring was full.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether the channel is closed.
    pub const fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected(_))
    }

    /// The same error about another value.
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> TrySendError<U> {
        match self {
            Self::Full(value) => TrySendError::Full(f(value)),
            Self::Disconnected(value) => TrySendError::Disconnected(f(value)),
        }
    }
}

/// A blocking send found the channel closed. Carries the message, or for a batch the number that was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> SendError<T> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// A send with a time limit did not happen; the message comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// No room until the deadline.
    Timeout(T),
    /// The channel is closed.
    Disconnected(T),
}

impl<T> SendTimeoutError<T> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Timeout(value) | Self::Disconnected(value) => value,
        }
    }

    /// Whether the time ran out.
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// Whether the channel is closed.
    pub const fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected(_))
    }
}

/// Nothing was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryRecvError {
    /// No message now. The sender may send one.
    Empty,
    /// The channel is closed and drained; nothing will ever come.
    Disconnected,
}

impl TryRecvError {
    /// Whether the channel was merely empty.
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Whether the channel is closed and drained.
    pub const fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected)
    }
}

/// The channel is closed and drained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecvError;

/// Nothing was received in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecvTimeoutError {
    /// No message until the deadline.
    Timeout,
    /// The channel is closed and drained.
    Disconnected,
}

impl RecvTimeoutError {
    /// Whether the time ran out.
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }

    /// Whether the channel is closed and drained.
    pub const fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected)
    }
}

const FULL: &str = "the channel is full";
const CLOSED: &str = "the channel is closed: the other side is gone";
const DRAINED: &str = "the channel is closed and drained";

/// `Debug`, `Display` and `Error` for an error whose message may be anything.
macro_rules! message_error {
    ($name:ident { $($pattern:pat => $debug:literal, $text:expr;)* }) => {
        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($pattern => $debug,)* })
            }
        }
        impl<T> fmt::Display for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($pattern => $text,)* })
            }
        }
        impl<T> core::error::Error for $name<T> {}
    };
}

message_error!(TrySendError { Self::Full(_) => "Full(..)", FULL; Self::Disconnected(_) => "Disconnected(..)", CLOSED; });
message_error!(SendError { Self(_) => "SendError(..)", CLOSED; });
message_error!(SendTimeoutError {
    Self::Timeout(_) => "Timeout(..)", "no room until the deadline";
    Self::Disconnected(_) => "Disconnected(..)", CLOSED;
});

macro_rules! plain_error {
    ($name:ident { $($pattern:pat => $text:expr;)* }) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($pattern => $text,)* })
            }
        }
        impl core::error::Error for $name {}
    };
}

plain_error!(TryRecvError { Self::Empty => "the channel is empty"; Self::Disconnected => DRAINED; });
plain_error!(RecvError { Self => DRAINED; });
plain_error!(RecvTimeoutError { Self::Timeout => "no message until the deadline"; Self::Disconnected => DRAINED; });

impl<T> From<SendError<T>> for TrySendError<T> {
    fn from(SendError(value): SendError<T>) -> Self {
        Self::Disconnected(value)
    }
}

impl<T> From<SendError<T>> for SendTimeoutError<T> {
    fn from(SendError(value): SendError<T>) -> Self {
        Self::Disconnected(value)
    }
}

impl From<RecvError> for TryRecvError {
    fn from(RecvError: RecvError) -> Self {
        Self::Disconnected
    }
}

impl From<RecvError> for RecvTimeoutError {
    fn from(RecvError: RecvError) -> Self {
        Self::Disconnected
    }
}
