//! What can go wrong between processes.

use crate::error::BuildError;
pub use crate::error::with_cause::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use crate::shm::peer::Role;
use core::fmt;
use std::io;
use std::path::PathBuf;

/// A side of a mapped channel could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// No name at all, or one that is neither a plain name nor a path.
    Name {
        /// What was asked for.
        name: String,
    },
    /// The capacity is 0 or too large.
    Build(BuildError),
    /// There is no such segment, and this call makes none.
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is not a segment of a channel, or its header is damaged.
    NotASegment {
        /// The file.
        path: PathBuf,
    },
    /// The file is longer or shorter than the channel it claims to be.
    Size {
        /// Bytes of the file.
        found: u64,
        /// Bytes that it should have.
        wanted: u64,
    },
    /// Made by a version of this crate that lays segments out in another way.
    Abi {
        /// The file.
        path: PathBuf,
        /// Its major number.
        found: u16,
        /// The one that this version supports.
        supported: u16,
    },
    /// The segment has properties that this version does not know.
    Flags {
        /// All of them, as bits.
        found: u32,
    },
    /// The segment is another channel than the one asked for.
    Mismatch(Mismatch),
    /// The two sides mean different messages.
    Schema {
        /// The segment's.
        found: String,
        /// The one of this side.
        wanted: String,
    },
    /// The segment was made before the machine was started again: what is in it may be half written.
    OtherBoot,
    /// Another process has this side of the channel, also after some milliseconds of retries: a
    /// removal, and an opening that fails, have it for a moment.
    Taken {
        /// Which side.
        role: Role,
        /// The process that says so of itself; of another pid namespace it may mean nothing.
        pid: u32,
    },
    /// Every lane of the channel has a sender, or of a fan-out a worker, but for those that one before has damaged.
    NoFreeLane {
        /// Lanes that the channel has.
        lanes: usize,
    },
    /// A channel cannot have so many lanes, or none.
    Lanes {
        /// What was asked for, or what a damaged segment says.
        lanes: usize,
        /// Most that there can be.
        most: usize,
    },
    /// Every seat of a broadcast has a receiver, or is reserved.
    NoFreeSeat {
        /// Seats that the channel has.
        receivers: usize,
    },
    /// A broadcast cannot have so many receivers, or none.
    Receivers {
        /// What was asked for, or what a damaged segment says.
        receivers: usize,
        /// Most that there can be.
        most: usize,
    },
    /// The name of a reserved seat is empty, or too long.
    SeatName {
        /// Bytes of it.
        bytes: usize,
        /// Most that there can be.
        most: usize,
    },
    /// The directory of plain names, or the file, is not this user's alone.
    NotOurs {
        /// Which.
        path: PathBuf,
        /// In what way.
        why: Fault,
    },
    /// The directory that a channel, or the directory of plain names, is to lie in is not there.
    NoDirectory {
        /// Which.
        path: PathBuf,
    },
    /// The file system can only be read.
    ReadOnly {
        /// What should have been made or opened there.
        path: PathBuf,
    },
    /// A file of this process's cannot be so long (`RLIMIT_FSIZE`).
    FileLimit {
        /// Bytes that the segment needs.
        bytes: u64,
        /// Bytes that there may be.
        limit: u64,
    },
    /// `/proc` is not mounted, without which a descriptor cannot be opened again.
    NoProc,
    /// The descriptor leads to a file that can still be cut short, under the processes that have mapped it.
    NotSealed,
    /// No room for the segment where it is to lie.
    NoSpace {
        /// Bytes that it needs.
        bytes: u64,
    },
    /// The positions in the segment are impossible.
    Corrupted,
    /// The system refused.
    Io {
        /// What.
        what: &'static str,
        /// Of which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// In what a segment differs from the channel asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Mismatch {
    /// In what.
    pub what: &'static str,
    /// The segment's.
    pub found: u64,
    /// The one asked for.
    pub wanted: u64,
    /// Whether the side that made the segment did not ask: then as much as this side asks for, or more, would do.
    pub left_open: bool,
}

/// Why a directory or file is not a user's alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// It belongs to the user of this number.
    Owner(u32),
    /// Its mode, with the type of file: others may use it, or its owner may not.
    Mode(u32),
    /// It is a symbolic link.
    Link,
    /// It should be a directory.
    NotADirectory,
    /// The directory is not named from `/` on: a process in another working directory would mean another.
    Relative,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner(user) => write!(f, "belongs to user {user}: have it removed, or {ELSEWHERE}"),
            Self::Mode(mode) => {
                let wanted = if mode & 0o170_000 == 0o040_000 { 700 } else { 600 };
                let mode = mode & 0o7777;
                write!(
                    f,
                    "has mode {mode:03o} and must be its user's alone: run `chmod {wanted}` on it, or {ELSEWHERE}"
                )
            }
            Self::Link => write!(f, "is a symbolic link: remove it, name what it leads to, or {ELSEWHERE}"),
            Self::NotADirectory => write!(f, "is no directory: remove it, or {ELSEWHERE}"),
            Self::Relative => f.write_str("is no absolute path: name the directory from / on"),
        }
    }
}

const ELSEWHERE: &str = "name another directory by RINGMAIL_DIR";

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "{name:?} is no name for a channel: use 1 to 100 letters, digits, '-', '_' and '.', not '.' first, or a path with a '/'"
            ),
            Self::Build(error) => error.fmt(f),
            Self::NotFound { path } => {
                write!(
                    f,
                    "there is no channel at {}: open a side first that may make it, or look for it elsewhere",
                    path.display()
                )
            }
            Self::NotASegment { path } => {
                write!(
                    f,
                    "{} is no channel of ringmail's, or damaged: choose another name, or remove it (`ringmail clean`)",
                    path.display()
                )
            }
            Self::Size { found, wanted } => {
                write!(
                    f,
                    "the segment has {found} bytes instead of {wanted}: it was cut or is damaged; remove it (`ringmail clean`)"
                )
            }
            Self::Abi { path, found, supported } => {
                let path = path.display();
                write!(
                    f,
                    "{path} has layout {found}, this version of ringmail reads {supported}: remove it (`ringmail clean {path}`), or use \
                     the same version on both sides"
                )
            }
            Self::Flags { found } => {
                write!(
                    f,
                    "the segment has properties ({found:#x}) that this version of ringmail does not know: use the newer one"
                )
            }
            Self::Mismatch(Mismatch { what, found, wanted, left_open: true }) => {
                write!(
                    f,
                    "the segment's {what} is {found}, less than {wanted}, because the side that made it did not ask: remove it and open \
                     the side that asks first, or ask on both"
                )
            }
            Self::Mismatch(Mismatch { what, found, wanted, .. }) => {
                write!(f, "the segment's {what} is {found}, not {wanted}: both sides must ask for the same")
            }
            Self::Schema { found, wanted } => {
                write!(f, "the segment carries {found}, this side {wanted}: both must mean the same message")
            }
            Self::OtherBoot => f.write_str(
                "the segment is from before the last boot and may be half written: remove it (`ringmail clean`)",
            ),
            Self::Taken { role, pid } => {
                let side = if *role == Role::Sender { "sender" } else { "receiver" };
                write!(f, "the channel has a {side} already (process {pid}): there can be one")
            }
            Self::NoFreeLane { lanes } => {
                write!(
                    f,
                    "none of the channel's {lanes} lanes is free: make the channel with more lanes, or end a side that has one"
                )
            }
            Self::NoFreeSeat { receivers } => {
                write!(
                    f,
                    "none of the channel's {receivers} seats is free: make the channel with more receivers, end one, or release a reserved seat"
                )
            }
            Self::Receivers { receivers, most } => {
                write!(f, "a channel cannot have {receivers} receivers: ask for 1 to {most}")
            }
            Self::SeatName { bytes, most } => {
                write!(f, "the name of a seat cannot have {bytes} bytes: 1 to {most}")
            }
            Self::Lanes { lanes, most } => write!(f, "a channel cannot have {lanes} lanes: ask for 1 to {most}"),
            Self::NotOurs { path, why } => write!(f, "{} {why}", path.display()),
            Self::NoDirectory { path } => {
                write!(f, "there is no directory {}: make it, or {ELSEWHERE}", path.display())
            }
            Self::ReadOnly { path } => {
                write!(f, "{} is on a file system that can only be read: {ELSEWHERE}", path.display())
            }
            Self::FileLimit { bytes, limit } => {
                write!(
                    f,
                    "the segment needs {bytes} bytes, a file of this process may have {limit}: raise the limit (`ulimit -f unlimited`), \
                     or ask for a smaller capacity"
                )
            }
            Self::NoProc => {
                f.write_str("/proc is not mounted, and a descriptor is opened by it: mount it, or name the channel")
            }
            Self::NotSealed => f.write_str(
                "the descriptor is not of memory that is sealed against shrinking: \
                 pass on one of `create_anonymous`, or open a file by its path",
            ),
            Self::NoSpace { bytes } => {
                write!(f, "no room for {bytes} bytes: make room, ask for a smaller capacity, or name a path elsewhere")
            }
            Self::Corrupted => f.write_str("the positions in the segment are impossible: remove it (`ringmail clean`)"),
            Self::Io { what, path, source } if source.kind() == io::ErrorKind::PermissionDenied => {
                write!(f, "could not {what} {}: {source}; give this user the right, or {ELSEWHERE}", path.display())
            }
            Self::Io { what, path, source } => write!(f, "could not {what} {}: {source}", path.display()),
        }
    }
}

impl core::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Build(error) => Some(error),
            _ => None,
        }
    }
}

impl From<BuildError> for OpenError {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}

/// How a session of the other side ended. Each that this handle has met is told once, at its place in the order of messages; after that the
/// handle waits for the next: a send fills the ring, a receive waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// It closed in order. Or this handle has closed.
    Closed,
    /// It gave up: its thread panicked, or said so by `give_up`. What it did before is whole, but perhaps not all that it was to do.
    GivenUp,
    /// Its process ended without closing: the kernel has taken its lock back.
    PeerDied,
    /// So many sessions have ended, one after the other, of which the channel has not kept how: it keeps the last 64.
    Forgotten {
        /// How many.
        sessions: u64,
    },
    /// It wrote what cannot be. This handle does nothing any more, and says so each time.
    Corrupted,
    /// The file of the channel is gone: a side that opens the name makes another channel. Told each time that there is nothing else to do; close this
    /// side, and open it again by its name.
    Removed,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the other side has closed",
            Self::GivenUp => "the other side has given up",
            Self::PeerDied => "the process of the other side has ended without closing",
            Self::Forgotten { sessions } => {
                return write!(f, "{sessions} sessions of the other side have ended, and how is not kept any more");
            }
            Self::Corrupted => "the other side wrote what cannot be: remove the segment",
            Self::Removed => "the file of the channel was removed: close this side and open it again",
        })
    }
}

impl core::error::Error for Cause {}

impl<D> TrySendError<(), D> {
    /// The same about `value`.
    #[inline(always)]
    pub(crate) fn with<T>(self, value: T) -> TrySendError<T, D> {
        match self {
            Self::Full(()) => TrySendError::Full(value),
            Self::Disconnected((), cause) => TrySendError::Disconnected(value, cause),
        }
    }
}

impl<D> SendTimeoutError<(), D> {
    /// The same about `value`.
    #[inline(always)]
    pub(crate) fn with<T>(self, value: T) -> SendTimeoutError<T, D> {
        match self {
            Self::Timeout(()) => SendTimeoutError::Timeout(value),
            Self::Disconnected((), cause) => SendTimeoutError::Disconnected(value, cause),
        }
    }
}

/// The error of a receive that had no deadline.
pub(crate) fn without_deadline<D>(error: RecvTimeoutError<D>) -> RecvError<D> {
    match error {
        RecvTimeoutError::Disconnected(cause) => RecvError(cause),
        RecvTimeoutError::Timeout => unreachable!("no deadline passes where there is none"),
    }
}

/// The error of a send that had no deadline.
pub(crate) fn send_without_deadline<T, D>(error: SendTimeoutError<T, D>) -> SendError<T, D> {
    match error {
        SendTimeoutError::Disconnected(value, cause) => SendError(value, cause),
        SendTimeoutError::Timeout(_) => unreachable!("no deadline passes where there is none"),
    }
}
