//! Why a receiver could not join.

use crate::error::BuildError;
#[cfg(feature = "std")]
use crate::ring::broadcast::Refused;
use core::fmt;

/// A receiver could not join.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// It was to come after a receiver of another channel.
    OtherChannel,
    /// There is a reserved seat of this name.
    NameTaken,
    /// There is no reserved seat of this name.
    NoSuchSeat,
    /// A receiver sits on the reserved seat.
    Occupied,
    /// The seat was reserved with another event count than this hub's, and keeps that.
    OtherEvent,
    /// The allocator gave no memory. Nothing has changed.
    OutOfMemory {
        /// What was needed, of the piece that was refused; `None` if that number does not fit the address space.
        bytes: Option<usize>,
    },
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherChannel => f.write_str("a receiver can come after receivers of its own channel only"),
            Self::NameTaken => f.write_str("a seat of this name is reserved: `take` it, or choose another name"),
            Self::NoSuchSeat => f.write_str("no seat of this name is reserved"),
            Self::Occupied => f.write_str("a receiver sits on this seat"),
            Self::OtherEvent => f.write_str(
                "this seat was reserved with another event count: take it by a hub with that one, or without any",
            ),
            Self::OutOfMemory { bytes } => BuildError::OutOfMemory { bytes: *bytes }.fmt(f),
        }
    }
}

impl core::error::Error for JoinError {}

impl From<BuildError> for JoinError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::OutOfMemory { bytes } => Self::OutOfMemory { bytes },
            // A join asks for no capacity and for no lane.
            _ => Self::OutOfMemory { bytes: None },
        }
    }
}

#[cfg(feature = "std")]
impl From<Refused> for JoinError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Taken => Self::NameTaken,
            Refused::Unknown => Self::NoSuchSeat,
            Refused::Occupied => Self::Occupied,
            Refused::OtherEvent => Self::OtherEvent,
            Refused::Build(error) => error.into(),
        }
    }
}
