//! The directory of plain names: which one it is, that it is this user's alone, and what is in it.

use crate::shm::error::{Fault, OpenError};
use crate::shm::segment::file::{RETRIES, RETRY_DELAY, failed};
use crate::sync::failpoint::point;
use rustix::fs::{self as rfs, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The environment variable that names another directory.
const VARIABLE: &str = "RINGMAIL_DIR";

/// `asked`, else the directory of the environment, else one of this user's own under `/dev/shm`.
pub(crate) fn choose(asked: Option<&Path>) -> Result<PathBuf, OpenError> {
    let named = asked.map(PathBuf::from);
    let named = named.or_else(|| std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from));
    match named {
        None => Ok(PathBuf::from(format!("/dev/shm/ringmail-{}", rustix::process::geteuid().as_raw()))),
        // A '/' at the end would have the kernel follow a link.
        Some(path) if path.is_absolute() => Ok(path.components().collect()),
        Some(path) => Err(OpenError::NotOurs { path, why: Fault::Relative }),
    }
}

/// Whether a name is the path of a file.
pub(crate) fn is_path(name: &str) -> bool {
    name.contains('/')
}

/// The file of a plain name, or of a path.
pub(crate) fn path_of(name: &str, directory: Option<&Path>) -> Result<PathBuf, OpenError> {
    if is_path(name) && !name.ends_with('/') && !name.contains('\0') {
        Ok(PathBuf::from(name))
    } else if is_plain(name) {
        Ok(choose(directory)?.join(name))
    } else {
        Err(OpenError::Name { name: name.into() })
    }
}

fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=100).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.')
}

/// Makes the directory, or finds it as it must be.
pub(crate) fn prepare(path: &Path) -> Result<(), OpenError> {
    point!();
    match rfs::mkdir(path, Mode::RWXU) {
        Ok(()) => let_in(path)?,
        Err(Errno::EXIST) => {}
        Err(error) => return Err(refused("make the directory", path, error)),
    }
    point!();
    check(path)
}

/// Gives this user the rights to a directory that this call has made, and that the process's mask took away.
fn let_in(path: &Path) -> Result<(), OpenError> {
    let failed = |error| refused("set the mode of", path, error);
    // Without a right to the directory there is a descriptor of this kind alone.
    let made = rfs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    let made = made.map_err(failed)?;
    let found = rfs::fstat(&made).map_err(failed)?;
    if found.st_mode & 0o700 == 0o700 || found.st_uid != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    // By the descriptor: the name may lead to something else by now. Without `/proc` there is only the name.
    let by_descriptor = rfs::chmod(format!("/proc/self/fd/{}", made.as_raw_fd()), Mode::RWXU);
    by_descriptor.or_else(|_| rfs::chmod(path, Mode::RWXU)).map_err(failed)
}

/// Refuses a directory that others could change or look into, or that this user cannot use.
pub(crate) fn check(path: &Path) -> Result<(), OpenError> {
    let mut asks = 0;
    loop {
        match check_once(path) {
            // Its maker is about to set the mode.
            Err(OpenError::NotOurs { why: Fault::Mode(mode), .. }) if mode & 0o077 == 0 && asks < RETRIES => {
                asks += 1;
                std::thread::sleep(RETRY_DELAY);
            }
            other => return other,
        }
    }
}

fn check_once(path: &Path) -> Result<(), OpenError> {
    // Not through a link that another user planted in a directory that all may write.
    let found = rfs::lstat(path).map_err(|error| refused("look at", path, error))?;
    let why = match FileType::from_raw_mode(found.st_mode) {
        FileType::Symlink => Fault::Link,
        FileType::Directory if found.st_uid != rustix::process::geteuid().as_raw() => Fault::Owner(found.st_uid),
        FileType::Directory if found.st_mode & 0o777 != 0o700 => Fault::Mode(found.st_mode),
        FileType::Directory => return Ok(()),
        _ => Fault::NotADirectory,
    };
    Err(OpenError::NotOurs { path: path.into(), why })
}

/// What an error of the system says of the directory that `path` is to lie in.
pub(crate) fn refused(what: &'static str, path: &Path, error: Errno) -> OpenError {
    let parent = || path.parent().unwrap_or(path).into();
    match error {
        Errno::NOENT => OpenError::NoDirectory { path: parent() },
        Errno::NOTDIR => OpenError::NotOurs { path: parent(), why: Fault::NotADirectory },
        Errno::ROFS => OpenError::ReadOnly { path: path.into() },
        error => failed(what, path)(error),
    }
}

/// The plain names of this user's channels, in order. Files that are no channels may be among them: [`inspect`](fn@crate::shm::inspect) says so. Channels
/// at paths of their own are not. The directory is that of plain names: see [`shm`](crate::shm#where-segments-are).
///
/// # Errors
/// The directory cannot be read, or is not this user's alone.
pub fn list() -> io::Result<Vec<String>> {
    list_in(choose(None).map_err(denied)?)
}

/// As [`list`], of another directory: see [`Builder::directory`](crate::shm::Builder::directory).
///
/// # Errors
/// The directory cannot be read, or is not this user's alone.
pub fn list_in(directory: impl AsRef<Path>) -> io::Result<Vec<String>> {
    entries(directory.as_ref(), is_plain)
}

/// The names of files that were to become channels, and whose makers ended first, in order: [`remove`](fn@crate::shm::remove) takes them as they are.
/// One of a channel that is being made now may be among them.
///
/// # Errors
/// The directory cannot be read, or is not this user's alone.
pub fn unfinished() -> io::Result<Vec<String>> {
    entries(&choose(None).map_err(denied)?, is_scratch)
}

fn entries(directory: &Path, which: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
    let entries = match rfs::lstat(directory) {
        Err(Errno::NOENT) => return Ok(Vec::new()),
        _ => {
            check(directory).map_err(denied)?;
            std::fs::read_dir(directory)?
        }
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string() {
            if which(&name) {
                names.push(name);
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn denied(error: OpenError) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, error)
}

const SCRATCH: (&str, &str) = (".ringmail-", ".new");

/// The name that a file has while it is not whole.
pub(crate) fn scratch(unique: u64) -> String {
    format!("{}{unique:016x}{}", SCRATCH.0, SCRATCH.1)
}

/// Whether [`scratch`] gives such names.
pub(crate) fn is_scratch(name: &str) -> bool {
    let unique = name.strip_prefix(SCRATCH.0).and_then(|rest| rest.strip_suffix(SCRATCH.1));
    unique.is_some_and(|unique| unique.len() == 16 && unique.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Opens `path` itself, not what a link leads to, if it is a file.
pub(crate) fn open_regular(path: &Path, access: OFlags) -> Result<(std::fs::File, std::fs::Metadata), OpenError> {
    let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let not_a_segment = || OpenError::NotASegment { path: path.into() };
    let file = match rfs::openat(CWD, path, flags, Mode::empty()) {
        Ok(file) => std::fs::File::from(file),
        Err(Errno::NOENT) => return Err(OpenError::NotFound { path: path.into() }),
        Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => return Err(not_a_segment()),
        Err(Errno::ACCESS) => return Err(without_rights(path)),
        Err(error) => return Err(refused("open", path, error)),
    };
    let found = file.metadata().map_err(failed("look at", path))?;
    if found.is_file() { Ok((file, found)) } else { Err(not_a_segment()) }
}

/// Why a file cannot be opened: its mode, if it is this user's.
fn without_rights(path: &Path) -> OpenError {
    match rfs::lstat(path) {
        Ok(found) if found.st_uid == rustix::process::geteuid().as_raw() && found.st_mode & 0o600 != 0o600 => {
            OpenError::NotOurs { path: path.into(), why: Fault::Mode(found.st_mode) }
        }
        Ok(found) if found.st_uid != rustix::process::geteuid().as_raw() => {
            OpenError::NotOurs { path: path.into(), why: Fault::Owner(found.st_uid) }
        }
        _ => failed("open", path)(Errno::ACCESS),
    }
}
