//! Files of segments, and the FIFOs beside them.

use super::layout::Layout;
use crate::shm::error::{Fault, OpenError};
use crate::shm::segment::header::Header;
use crate::shm::segment::{directory, header};
use core::time::Duration;
use rustix::fs::{self as rfs, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// A role that is taken is asked for so many times more, so long after each other: a process that removes a segment has both roles for a
/// moment, and one that fails to open it has one of them.
pub(crate) const RETRIES: u32 = 8;
pub(crate) const RETRY_DELAY: Duration = Duration::from_millis(1);

pub(crate) fn failed<E: Into<io::Error>>(what: &'static str, path: &Path) -> impl FnOnce(E) -> OpenError {
    let path = path.to_path_buf();
    move |error| OpenError::Io { what, path, source: error.into() }
}

/// Opens what is there, for reading and writing, if it is a file of this user's.
pub(crate) fn open_file(path: &Path) -> Result<File, OpenError> {
    open_as(path, OFlags::RDWR)
}

/// Opens what is there if it is a file of this user's.
pub(crate) fn open_as(path: &Path, access: OFlags) -> Result<File, OpenError> {
    open_of(path, access, rustix::process::geteuid().as_raw())
}

/// Opens what is there if it is a file of `owner`'s that no other user may write to.
pub(crate) fn open_of(path: &Path, access: OFlags, owner: u32) -> Result<File, OpenError> {
    let (file, found) = directory::open_regular(path, access)?;
    let why = match found.uid() == owner {
        false => Fault::Owner(found.uid()),
        true if found.mode() & 0o022 != 0 => Fault::Mode(found.mode()),
        true => return Ok(file),
    };
    Err(OpenError::NotOurs { path: path.into(), why })
}

/// Opens the FIFO of a side that is at `path`, made first if need be and `makes`; with its inode's number. For reading as well: so a write to
/// it never finds that there is no reader, which is a signal.
pub(crate) fn open_bell(path: &Path, makes: bool) -> io::Result<(OwnedFd, u64)> {
    if makes {
        match rfs::mknodat(rfs::CWD, path, rfs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let fifo = rfs::open(path, flags, Mode::empty())?;
    let found = rfs::fstat(&fifo)?;
    let is_fifo = rfs::FileType::from_raw_mode(found.st_mode) == rfs::FileType::Fifo;
    let ours = found.st_uid == rustix::process::geteuid().as_raw() && found.st_mode & 0o077 == 0;
    if is_fifo && ours {
        return Ok((fifo, found.st_ino));
    }
    let what = format!("{} is no FIFO of this user's alone: remove it", path.display());
    Err(io::Error::new(io::ErrorKind::AlreadyExists, what))
}

/// Refuses a file that is longer or shorter than `layout` says.
pub(crate) fn check_size(file: &File, layout: &Layout, path: &Path) -> Result<Metadata, OpenError> {
    let metadata = file.metadata().map_err(failed("look at", path))?;
    match metadata.len() == layout.total() {
        true => Ok(metadata),
        false => Err(OpenError::Size { found: metadata.len(), wanted: layout.total() }),
    }
}

pub(crate) fn read_header(file: &File, path: &Path) -> Result<Header, OpenError> {
    let mut bytes = [0; header::LEN];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Header::decode(&bytes, path),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(OpenError::NotASegment { path: path.into() }),
        Err(error) => Err(failed("read", path)(error)),
    }
}
