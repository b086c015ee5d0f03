//! How a segment comes to be: whole, under no name, and then under its own, which replaces nothing.
//!
//! Where the file system has no files without a name, or `/proc` is not there to name one by, it has another name first; should its maker
//! be killed then, that stays (`.ringmail-….new`).

use crate::shm::error::OpenError;
use crate::shm::segment::file::failed;
use crate::shm::segment::header::Header;
use crate::shm::segment::layout::Layout;
use crate::shm::segment::locks::LockRange;
use crate::shm::segment::{directory, locks};
use crate::sync::failpoint::point;
use core::hash::BuildHasher;
use rustix::fs::{self as rfs, AtFlags, CWD, FallocateFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::hash::RandomState;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What of the kernel and the file system is made use of. All of it, but in tests of what there is for those that lack it.
#[derive(Clone, Copy, Debug)]
struct FsSupport {
    /// `O_TMPFILE`.
    unnamed: bool,
    /// `RENAME_NOREPLACE`.
    no_replace: bool,
}

impl FsSupport {
    fn all() -> Self {
        #[cfg(ringmail_failpoints)]
        let unnamed = !crate::sync::failpoint::names_first();
        #[cfg(not(ringmail_failpoints))]
        let unnamed = true;
        Self { unnamed, no_replace: true }
    }
}

/// Makes the segment, or finds one there that another side made meanwhile. The caller looks again in both cases, and also where a removal
/// came in between.
pub(crate) fn create(path: &Path, header: &Header, layout: &Layout) -> Result<(), OpenError> {
    create_with(FsSupport::all(), path, header, layout)
}

fn create_with(uses: FsSupport, path: &Path, header: &Header, layout: &Layout) -> Result<(), OpenError> {
    let (Some(parent), Some(_)) = (path.parent(), path.file_name()) else {
        return Err(OpenError::Name { name: path.to_string_lossy().into() });
    };
    point!();
    // An error here is not told: the second way meets the same one and tells it.
    let unnamed = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    if let Some(file) = rfs::open(parent, unnamed, Mode::RUSR | Mode::WUSR).ok().filter(|_| uses.unnamed) {
        point!();
        let file = File::from(file);
        let_in(&file, path)?;
        fill(&file, header, layout, path, true)?;
        point!();
        // By the name that `/proc` has for it: without one, a link is for the privileged.
        let from = format!("/proc/self/fd/{}", file.as_raw_fd());
        match rfs::linkat(CWD, &from, CWD, path, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) | Err(Errno::EXIST) => {
                point!();
                return Ok(());
            }
            Err(_) => {}
        }
    }
    let (scratch, file) = scratch(parent)?;
    point!();
    fill(&file, header, layout, path, true)?;
    point!();
    match rename(uses, &scratch.0, path) {
        // `NOENT`: removed before it was locked. The caller looks again.
        Ok(()) | Err(Errno::EXIST | Errno::NOENT) => {
            point!();
            Ok(())
        }
        Err(error) => Err(failed("name", path)(error)),
    }
}

/// The name that a file has first.
struct Scratch(PathBuf);

impl Drop for Scratch {
    /// Removes it, also on the way out of an error.
    fn drop(&mut self) {
        // After a rename there is none.
        let _ = rfs::unlink(&self.0);
    }
}

fn scratch(parent: &Path) -> Result<(Scratch, File), OpenError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    loop {
        // Not the number of this process alone: another pid namespace that has this directory has the same ones. Not chance
        // alone: a forked child has its parent's.
        let unique = RandomState::new().hash_one(std::process::id());
        let scratch = parent.join(directory::scratch(unique));
        match rfs::open(&scratch, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => {
                let (scratch, file) = (Scratch(scratch), File::from(file));
                // Keeps it from `remove`, which takes unfinished files away.
                locks::take(&file, LockRange::MAKER).map_err(failed("lock", &scratch.0))?;
                let_in(&file, &scratch.0)?;
                return Ok((scratch, file));
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(directory::refused("create", &scratch, error)),
        }
    }
}

/// Gives this user the rights to a file just made, should the process's mask have taken them away.
fn let_in(file: &File, path: &Path) -> Result<(), OpenError> {
    let mode = file.metadata().map_err(failed("look at", path))?.mode();
    if mode & 0o600 != 0o600 {
        rfs::fchmod(file, Mode::RUSR | Mode::WUSR).map_err(failed("set the mode of", path))?;
    }
    Ok(())
}

/// Gives the file its name, if nothing has that.
fn rename(uses: FsSupport, from: &Path, to: &Path) -> Result<(), Errno> {
    let renamed = match uses.no_replace {
        true => rfs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE),
        false => Err(Errno::INVAL),
    };
    match renamed {
        // A second name replaces nothing either, and is older; the first one goes with its `Scratch`.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => rfs::linkat(CWD, from, CWD, to, AtFlags::empty()),
        other => other,
    }
}

/// Makes room and writes the header of a file that no other process has. `fallocates`: whether the kernel is asked to make room.
pub(crate) fn fill(
    file: &File,
    header: &Header,
    layout: &Layout,
    path: &Path,
    fallocates: bool,
) -> Result<(), OpenError> {
    // The kernel would end the process by a signal, `SIGXFSZ`.
    match rustix::process::getrlimit(rustix::process::Resource::Fsize).current {
        Some(limit) if limit < layout.total() => return Err(OpenError::FileLimit { bytes: layout.total(), limit }),
        _ => {}
    }
    if !(fallocates && reserve(file, layout, path)?) {
        write_zeros(file, layout.total()).map_err(|error| match Errno::from_io_error(&error) {
            Some(error) => no_room(error, layout, path),
            None => failed("make room for", path)(error),
        })?;
    }
    point!();
    file.write_all_at(&header.encode(), 0).map_err(failed("write", path))
}

/// Makes the blocks of the whole file, so that no store can find the disk full, and changes nothing that is in it. Whether the file system
/// can.
pub(crate) fn reserve(file: &File, layout: &Layout, path: &Path) -> Result<bool, OpenError> {
    loop {
        match rfs::fallocate(file, FallocateFlags::empty(), 0, layout.total()) {
            Ok(()) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(false),
            Err(error) => return Err(no_room(error, layout, path)),
        }
    }
}

fn no_room(error: Errno, layout: &Layout, path: &Path) -> OpenError {
    match error {
        Errno::NOSPC | Errno::DQUOT | Errno::NOMEM => OpenError::NoSpace { bytes: layout.total() },
        error => failed("make room for", path)(error),
    }
}

/// Makes a file of `len` bytes without a hole.
fn write_zeros(file: &File, len: u64) -> io::Result<()> {
    let zeros = vec![0; 1 << 16];
    let mut at = 0;
    while at < len {
        let n = (len - at).min(zeros.len() as u64);
        file.write_all_at(&zeros[..n as usize], at)?;
        at += n;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shm::Kind;
    use crate::shm::spsc::Builder;
    use crate::shm::{Found, Message, OpenError, Removal, remove};

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = PathBuf::from(format!("/dev/shm/ringmail-create-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn files(&self) -> Vec<String> {
            let names = std::fs::read_dir(&self.0).unwrap();
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn segment() -> (Header, Layout) {
        let layout = Layout::new(Kind::Spsc, 8, 8, 8, 8).unwrap();
        (Header::new(&layout, u64::SCHEMA), layout)
    }

    const WAYS: [FsSupport; 4] = [
        FsSupport { unnamed: true, no_replace: true },
        FsSupport { unnamed: true, no_replace: false },
        FsSupport { unnamed: false, no_replace: true },
        FsSupport { unnamed: false, no_replace: false },
    ];

    #[test]
    fn every_way_makes_the_same_segment_and_leaves_nothing_else() {
        for (i, uses) in WAYS.into_iter().enumerate() {
            let directory = Directory::new(&format!("way{i}"));
            let path = directory.0.join("channel");
            let (header, layout) = segment();
            create_with(uses, &path, &header, &layout).unwrap();
            assert_eq!(directory.files(), ["channel"], "{uses:?}");
            let made = std::fs::metadata(&path).unwrap();
            assert_eq!((made.mode() & 0o777, made.nlink(), made.len()), (0o600, 1, layout.total()), "{uses:?}");
            let name = path.to_string_lossy();
            let mut tx = Builder::<u64>::new(&*name).capacity(8).open_sender().unwrap();
            tx.send(7).unwrap();
            // A second maker finds it, and changes nothing.
            create_with(uses, &path, &header, &layout).unwrap();
            assert_eq!(directory.files(), ["channel"], "{uses:?}");
            assert_eq!(Builder::<u64>::new(&*name).open_receiver().unwrap().recv(), Ok(7), "{uses:?}");
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error_by_every_way() {
        let (header, layout) = segment();
        for uses in WAYS {
            let made = create_with(uses, Path::new("/dev/shm/ringmail-no-such-directory/channel"), &header, &layout);
            assert!(matches!(made, Err(OpenError::NoDirectory { .. })), "{made:?}");
        }
    }

    #[test]
    fn what_is_being_made_is_not_taken_away_and_what_was_left_is() {
        let directory = Directory::new("unfinished");
        let (first, file) = scratch(&directory.0).unwrap();
        let name = first.0.to_string_lossy().into_owned();
        assert_eq!(remove(&name).unwrap(), Removal::InUse(Found::Unfinished));
        drop(file);
        assert_eq!(remove(&name).unwrap(), Removal::Removed(Found::Unfinished));
        assert_eq!(directory.files(), [""; 0]);
    }

    #[test]
    fn a_first_name_that_is_gone_is_no_error_and_replaces_nothing() {
        let directory = Directory::new("gone");
        let path = directory.0.join("channel");
        for uses in WAYS {
            assert_eq!(rename(uses, &directory.0.join("none"), &path), Err(Errno::NOENT));
        }
        assert_eq!(directory.files(), [""; 0]);
    }

    #[test]
    fn room_that_the_kernel_does_not_make_is_written() {
        let directory = Directory::new("zeros");
        let path = directory.0.join("file");
        let file = File::create_new(&path).unwrap();
        let (header, layout) = segment();
        fill(&file, &header, &layout, &path, false).unwrap();
        let made = file.metadata().unwrap();
        assert_eq!(made.len(), layout.total());
        assert!(made.blocks() * 512 >= layout.total(), "{} blocks", made.blocks());
        let content = std::fs::read(&path).unwrap();
        assert!(content[..256] == header.encode() && content[256..].iter().all(|&byte| byte == 0));
    }
}
