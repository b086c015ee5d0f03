//! Removal of segments, also of those that cannot be opened: damaged, of another version or boot, never finished.

use crate::shm::error::{Fault, OpenError};
use crate::shm::inspect;
use crate::shm::peer::Role;
use crate::shm::segment::attach::{RoleLock, is_same};
use crate::shm::segment::file::failed;
use crate::shm::segment::file::{RETRIES, RETRY_DELAY, open_bell, open_file, read_header};
use crate::shm::segment::header::Header;
use crate::shm::segment::layout::Kind;
use crate::shm::segment::layout::Layout;
use crate::shm::segment::locks::LockRange;
use crate::shm::segment::{directory, file, header, locks};
use crate::shm::wait::wake_fd;
use crate::sync::failpoint::point;
use core::fmt;
use core::iter;
use rustix::fs::AtFlags;
use rustix::fs::{self as rfs, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// What a file is that [`remove`] finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Found {
    /// A channel that can be opened.
    Channel(Kind),
    /// A channel whose header or length cannot be.
    Damaged,
    /// A channel whose layout this version of the crate does not know; its major number.
    OtherVersion(u16),
    /// A channel from before the machine was started again.
    OtherBoot,
    /// What was to become a channel, had its maker not ended.
    Unfinished,
    /// No channel.
    Foreign,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(kind) => write!(f, "a channel, {kind}"),
            Self::Damaged => f.write_str("a damaged channel"),
            Self::OtherVersion(major) => write!(f, "a channel of layout {major}"),
            Self::OtherBoot => f.write_str("a channel from before the last boot"),
            Self::Unfinished => f.write_str("a channel that was never finished"),
            Self::Foreign => f.write_str("no channel"),
        }
    }
}

/// What [`remove`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Removal {
    /// The file is gone, with what was in it.
    Removed(Found),
    /// The file stays: a process has a side of the channel, or makes or removes it right now.
    InUse(Found),
}

/// Removes the channel called `name` if all of its sides are free; also one that cannot be opened any more. It may be a plain name, a name of
/// [`unfinished`](crate::shm::unfinished), or a path with a `/`.
///
/// Of a plain name it removes any file, in the directory of plain names alone; of a path only what begins as a channel does. It follows no
/// link, removes no directory, and no file of another user's.
///
/// ```
/// use ringmail::shm::{self, Found, Kind, Removal, spsc};
///
/// # let name = format!("doc-remove-{}", std::process::id());
/// let tx = spsc::Builder::<u64>::new(&name).open_sender()?;
/// assert_eq!(shm::remove(&name)?, Removal::InUse(Found::Channel(Kind::Spsc)));
/// drop(tx);
/// assert_eq!(shm::remove(&name)?, Removal::Removed(Found::Channel(Kind::Spsc)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// There is none, it is not this user's, the path leads to no channel, or the system refused: see [`OpenError`].
pub fn remove(name: &str) -> Result<Removal, OpenError> {
    take_away(name, |found, is_path| found != Found::Foreign || !is_path)
}

/// As [`remove`], but only what began as a channel, also of a plain name: for many names at once, in a directory that may hold other files.
///
/// # Errors
/// As [`remove`].
pub fn remove_channel(name: &str) -> Result<Removal, OpenError> {
    take_away(name, |found, _| found != Found::Foreign)
}

/// As [`remove`], but any file that a path leads to.
///
/// # Errors
/// As [`remove`], but for a file that is no channel.
pub fn remove_any(name: &str) -> Result<Removal, OpenError> {
    take_away(name, |_, _| true)
}

fn take_away(name: &str, may: impl Fn(Found, bool) -> bool) -> Result<Removal, OpenError> {
    let is_path = directory::is_path(name);
    let path = match directory::is_scratch(name) {
        true => directory::choose(None)?.join(name),
        false => directory::path_of(name, None)?,
    };
    if let Some(parent) = path.parent().filter(|_| !is_path) {
        match directory::check(parent) {
            Err(OpenError::NoDirectory { .. }) => return Err(OpenError::NotFound { path }),
            other => other?,
        }
    }
    let file = open(&path, is_path)?;
    let found = what_is(&file, &path)?;
    if !may(found, is_path) {
        return Err(OpenError::NotASegment { path });
    }
    match unlink(file, &path)? {
        true => Ok(Removal::Removed(found)),
        false => Ok(Removal::InUse(found)),
    }
}

/// Opens a file of this user's, of any mode.
fn open(path: &Path, is_path: bool) -> Result<File, OpenError> {
    let (file, found) = match directory::open_regular(path, OFlags::RDWR) {
        // Made under a mask that left it no rights, by a process that ended before it set them. In a directory of this user's alone nothing
        // else can have taken its place.
        Err(OpenError::NotOurs { why: Fault::Mode(_), .. }) if !is_path => {
            rfs::chmod(path, Mode::RUSR | Mode::WUSR).map_err(failed("set the mode of", path))?;
            directory::open_regular(path, OFlags::RDWR)?
        }
        other => other?,
    };
    match found.uid() == rustix::process::geteuid().as_raw() {
        true => Ok(file),
        false => Err(OpenError::NotOurs { path: path.into(), why: Fault::Owner(found.uid()) }),
    }
}

fn what_is(file: &File, path: &Path) -> Result<Found, OpenError> {
    if path.file_name().and_then(OsStr::to_str).is_some_and(directory::is_scratch) {
        return Ok(Found::Unfinished);
    }
    let mut magic = [0; header::MAGIC.len()];
    match file.read_exact_at(&mut magic, 0) {
        Ok(()) if magic == *header::MAGIC => {}
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => return Err(failed("read", path)(error)),
        _ => return Ok(Found::Foreign),
    }
    let seen = read_header(file, path).and_then(|header: Header| {
        let (kind, layout) = inspect::layout(&header, path)?;
        file::check_size(file, &layout, path)?;
        Ok(kind)
    });
    Ok(match seen {
        Ok(kind) => Found::Channel(kind),
        Err(OpenError::Abi { found, .. }) => Found::OtherVersion(found),
        Err(OpenError::OtherBoot) => Found::OtherBoot,
        Err(error @ OpenError::Io { .. }) => return Err(error),
        Err(_) => Found::Damaged,
    })
}

/// Removes the segment if all of its sides are free. Whether it did.
pub(crate) fn remove_file(path: &Path) -> Result<bool, OpenError> {
    let lock = open_file(path)?;
    read_header(&lock, path)?;
    unlink(lock, path)
}

/// Removes the file at `path`, which is `lock`, if no part of it is locked. Whether it did.
pub(crate) fn unlink(lock: File, path: &Path) -> Result<bool, OpenError> {
    // Not by taking the locks: the holder of one side would see a holder of the other. More than once: a side that was closed is held for a moment more by a
    // child that was forked meanwhile, until that calls `exec`.
    let mut asks = 0;
    while locks::is_taken(&lock, LockRange::ALL).map_err(failed("look at the locks of", path))? {
        if asks == RETRIES {
            return Ok(false);
        }
        asks += 1;
        std::thread::sleep(RETRY_DELAY);
    }
    let Ok((held, _)) = RoleLock::take_one(lock, iter::once((LockRange::ALL, 0)), path)? else { return Ok(false) };
    // Another process may have removed it and made another before we had all sides: that one is not ours to remove.
    let named = match directory::open_regular(path, OFlags::RDWR) {
        Err(OpenError::NotFound { .. }) => return Ok(false),
        other => other?.0,
    };
    if !is_same(held.file(), &named, path)? {
        return Ok(false);
    }
    remove_bells(path);
    point!();
    let unlinked = rfs::unlinkat(rfs::CWD, path, AtFlags::empty());
    point!();
    match unlinked {
        Ok(()) => Ok(true),
        // Another program removed it since.
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(directory::refused("remove", path, error)),
    }
}

/// Removes the FIFOs of a segment's sides, none of which is held.
fn remove_bells(path: &Path) {
    // The header need not be one.
    let senders = (0..Layout::MAX_LANES).map(|lane| (Role::Sender, lane));
    let receivers = (0..Layout::MAX_SEATS).map(|seat| (Role::Receiver, seat));
    for (role, lane) in receivers.chain(senders) {
        let event = wake_fd::path_of(path, role, lane);
        if open_bell(&event, false).is_ok() {
            let _ = rfs::unlink(&event);
        }
    }
}
