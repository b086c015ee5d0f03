//! Where a segment is: in a file that has a name, or in memory that has none.

use crate::shm::error::OpenError;
use crate::shm::segment::header::Header;
use crate::shm::segment::layout::Layout;
use crate::shm::segment::map::Pages;
use crate::shm::segment::{create, directory, file, remove};
use rustix::fs::{MemfdFlags, OFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which segment a side opens, and how it maps it.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    file: Which,
    /// Of a plain name, where it is asked for.
    pub(crate) directory: Option<PathBuf>,
    /// Whether the side that comes first makes it.
    pub(crate) creates: bool,
    pub(crate) pages: Pages,
    /// Whether a receiver is told of sessions that had ended before it came, too.
    pub(crate) missed_ends: bool,
    /// Of a broadcast: whether its sender goes on without a receiver, and the name of the seat that its receiver takes.
    pub(crate) passes: bool,
    pub(crate) reserved: Option<String>,
}

#[derive(Clone, Debug)]
enum Which {
    Named(String),
    Memory(Anonymous),
}

impl Location {
    pub(crate) fn named(name: String) -> Self {
        Self { creates: true, ..Self::of(Which::Named(name)) }
    }

    /// It is there already: who has the descriptor has it.
    pub(crate) fn memory(memory: Anonymous) -> Self {
        Self::of(Which::Memory(memory))
    }

    fn of(file: Which) -> Self {
        Self {
            file,
            directory: None,
            creates: false,
            pages: Pages::default(),
            missed_ends: false,
            passes: false,
            reserved: None,
        }
    }

    /// The path that leads to it from this process.
    pub(crate) fn path(&self) -> Result<PathBuf, OpenError> {
        match &self.file {
            Which::Named(name) => directory::path_of(name, self.directory.as_deref()),
            Which::Memory(memory) => Ok(memory.path()),
        }
    }

    pub(crate) fn is_named(&self) -> bool {
        matches!(self.file, Which::Named(_))
    }

    /// Finds the directory of a plain name, which is at `path`, as it must be; made first if need be.
    pub(crate) fn prepare(&self, path: &Path) -> Result<(), OpenError> {
        match (&self.file, path.parent()) {
            (Which::Named(name), Some(parent)) if !directory::is_path(name) => match self.creates {
                true => directory::prepare(parent),
                false => match directory::check(parent) {
                    Err(OpenError::NoDirectory { .. }) => Err(OpenError::NotFound { path: path.into() }),
                    other => other,
                },
            },
            _ => Ok(()),
        }
    }

    /// Opens it for reading and writing, at `path`, with a file description of its own: it is that which owns a lock.
    pub(crate) fn open(&self, path: &Path) -> Result<File, OpenError> {
        match &self.file {
            Which::Named(_) => file::open_file(path),
            Which::Memory(memory) => memory.open(path, true),
        }
    }

    /// Opens it for reading alone, at `path`: if it has a name, a file of `owner`'s, or else of this user's.
    pub(crate) fn open_to_read(&self, path: &Path, owner: Option<u32>) -> Result<File, OpenError> {
        match &self.file {
            Which::Named(_) => {
                let owner = owner.unwrap_or_else(|| rustix::process::geteuid().as_raw());
                file::open_of(path, OFlags::RDONLY, owner)
            }
            Which::Memory(memory) => memory.open(path, false),
        }
    }

    /// Refuses to make room for `bytes` more that are not there. A file system has its own limits.
    pub(crate) fn check_room(&self, bytes: u64) -> Result<(), OpenError> {
        if self.is_named() { Ok(()) } else { check_memory(bytes) }
    }

    /// Removes it if both of its sides are free. Whether it did. Memory goes with its last descriptor.
    pub(crate) fn remove(&self) -> Result<bool, OpenError> {
        if self.is_named() { remove::remove_file(&self.path()?) } else { Ok(false) }
    }
}

/// A channel without a name: a descriptor of sealed memory. A process that has one can open a side.
///
/// Made by `create_anonymous` of a builder, such as [`Builder::create_anonymous`](crate::shm::Builder::create_anonymous); opened by
/// `from_fd`. The memory cannot be cut short, so no access to it ends in a `SIGBUS`; it is gone, with what was not received, once no process
/// has a descriptor or a side any more. A clone is the same descriptor.
///
/// # To a child process
///
/// The descriptor does not survive `exec` unless it is made to. With the standard library alone, give it to the child as a stream that
/// the child does not need otherwise:
///
/// ```no_run
/// use ringmail::shm::spsc::Builder;
/// use std::os::fd::AsFd;
/// use std::process::Command;
///
/// let channel = Builder::<u64>::create_anonymous(1024)?;
/// let child = Command::new("/usr/bin/receiver").stdin(channel.as_fd().try_clone_to_owned()?).spawn()?;
/// let mut tx = Builder::<u64>::from_fd(&channel).open_sender()?;
/// tx.send(7)?;
///
/// // And in the child:
/// let mut rx = Builder::<u64>::from_fd(std::io::stdin().as_fd().try_clone_to_owned()?).open_receiver()?;
/// assert_eq!(rx.recv(), Ok(7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// To keep its three streams, take close-on-exec from a duplicate (`fcntl` with `F_SETFD`; in `rustix`,
/// `io::fcntl_setfd(&fd, FdFlags::empty())`), start the child, drop the duplicate, and tell the child the number, by an argument for
/// instance. It opens `/proc/self/fd/<number>` as a `File` for reading and writing, and that is as good. Any other child that is started
/// meanwhile gets the duplicate, too.
///
/// A forked child that does not call `exec` has the descriptor as it is, and opens a side of its own by it.
///
/// # To any process
///
/// As `SCM_RIGHTS` over a Unix socket, by `sendmsg` of `rustix` or `nix`. The receiving process may be another user's.
#[derive(Clone, Debug)]
pub struct Anonymous(Arc<OwnedFd>);

/// What cannot happen to it while it is mapped.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

impl Anonymous {
    /// Memory that holds the channel, sealed.
    pub(crate) fn create(header: &Header, layout: &Layout) -> Result<Self, OpenError> {
        let path = Path::new("memory");
        check_memory(layout.total())?;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Where programs in memory are forbidden it must be said that this is none; kernels before 6.3 do not know the word.
        let fd = match memfd_create("ringmail", flags | MemfdFlags::NOEXEC_SEAL) {
            Err(Errno::INVAL) => memfd_create("ringmail", flags),
            other => other,
        };
        let file = File::from(fd.map_err(file::failed("create", path))?);
        create::fill(&file, header, layout, path, true)?;
        fcntl_add_seals(&file, SEALS).map_err(file::failed("seal", path))?;
        Ok(OwnedFd::from(file).into())
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }

    /// Opens the memory anew, for reading and, if `writes`, for writing.
    fn open(&self, path: &Path, writes: bool) -> Result<File, OpenError> {
        match fcntl_get_seals(&self.0) {
            Ok(seals) if seals.contains(SealFlags::SHRINK) => {}
            // The other files have no seals.
            Ok(_) | Err(Errno::INVAL) => return Err(OpenError::NotSealed),
            Err(error) => return Err(file::failed("look at", path)(error)),
        }
        File::options().read(true).write(writes).open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => OpenError::NoProc,
            _ => file::failed("open again", path)(error),
        })
    }
}

/// Refuses to take `bytes` of memory that are not there. No file system would be full: the kernel would end processes until there is
/// enough.
fn check_memory(bytes: u64) -> Result<(), OpenError> {
    match available() {
        Some(available) if available < bytes => Err(OpenError::NoSpace { bytes }),
        _ => Ok(()),
    }
}

/// Bytes of memory that can be had; `None` where the kernel does not tell.
fn available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

impl AsFd for Anonymous {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Anonymous {
    /// What the descriptor leads to is checked when a side is opened.
    fn from(fd: OwnedFd) -> Self {
        Self(Arc::new(fd))
    }
}

impl From<&Anonymous> for Anonymous {
    fn from(same: &Anonymous) -> Self {
        same.clone()
    }
}
