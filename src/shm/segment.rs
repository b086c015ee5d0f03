//! Segments as files: how one is found, is checked, and goes.
//!
//! A segment is made whole and then given its name, which replaces nothing ([`create`]): whoever opens it finds a complete header, always.
//! Whoever loses that race opens the winner's.

use super::create;
use super::directory;
use super::error::{Fault, OpenError};
use super::header::{self, Header};
use super::place::Place;
use super::sys::{self, Role, Seats};
use super::wake;
use crate::error::BuildError;
use crate::ring::backend::MAX_CAPACITY;
use crate::sync::failpoint::point;
use core::iter;
use core::time::Duration;
use rustix::fs::{self as rfs, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// What travels in a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[repr(u32)]
pub enum Kind {
    /// One sender, one receiver, messages of one type: [`spsc`](super::spsc).
    Spsc = 1,
    /// One sender, one receiver, records of any length: [`bytes`](super::bytes).
    Bytes = 2,
    /// Many senders with a lane each, one receiver, messages of one type: [`fan_in`](super::fan_in).
    FanIn = 3,
    /// The same with records of any length: [`bytes::fan_in`](super::bytes::fan_in).
    BytesFanIn = 4,
}

impl Kind {
    /// Whether each sender has a lane of its own.
    pub(super) fn is_fan_in(self) -> bool {
        matches!(self, Self::FanIn | Self::BytesFanIn)
    }

    /// Whether records travel in it.
    pub(super) fn is_bytes(self) -> bool {
        matches!(self, Self::Bytes | Self::BytesFanIn)
    }

    /// The kind of that number in a header.
    pub(super) fn from_number(number: u32) -> Option<Self> {
        [Self::Spsc, Self::Bytes, Self::FanIn, Self::BytesFanIn].into_iter().find(|&kind| kind as u32 == number)
    }
}

/// Where everything lies: a page of header, then for each lane pages of sender, receiver, data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    pub(super) kind: Kind,
    /// One, but of a fan-in.
    pub(super) lanes: u32,
    pub(super) page: u64,
    pub(super) capacity: u64,
    pub(super) size: u64,
    pub(super) stride: u64,
    pub(super) align: u64,
    /// Bytes of a lane's data pages.
    pub(super) data: u64,
}

impl Layout {
    /// Most lanes.
    pub(super) const MAX_LANES: u32 = sys::MOST_SLEPT_ON;

    /// Of one lane of `capacity` messages of `size` bytes in slots of `stride`.
    pub(super) fn new(
        kind: Kind,
        capacity: usize,
        size: usize,
        stride: usize,
        align: usize,
    ) -> Result<Self, BuildError> {
        crate::ring::backend::check(capacity)?;
        let page = rustix::param::page_size() as u64;
        let slots = (capacity as u64).next_power_of_two();
        let too_large = BuildError::OutOfMemory { bytes: None };
        let data = slots.checked_mul(stride as u64).filter(|&n| n < 1 << 46).ok_or(too_large)?;
        // At least one: an empty mapping is none.
        let data = data.max(1).next_multiple_of(page);
        debug_assert!(capacity <= MAX_CAPACITY && align as u64 <= page);
        Ok(Self {
            kind,
            lanes: 1,
            page,
            capacity: capacity as u64,
            size: size as u64,
            stride: stride as u64,
            align: align as u64,
            data,
        })
    }

    /// Bytes of the file.
    pub(super) fn total(&self) -> u64 {
        self.lane_start(self.lanes)
    }

    /// Where a lane begins.
    pub(super) fn lane_start(&self, lane: u32) -> u64 {
        self.page + u64::from(lane) * (2 * self.page + self.data)
    }

    /// The same with so many lanes.
    pub(super) fn with_lanes(self, lanes: u32) -> Result<Self, OpenError> {
        match (1..=Self::MAX_LANES).contains(&lanes) {
            true => Ok(Self { lanes, ..self }),
            false => Err(OpenError::Lanes { lanes: lanes as usize, most: Self::MAX_LANES as usize }),
        }
    }
}

/// A role that somebody has is asked for so many times more, so long after each other: who removes a segment has both of its roles for a
/// moment, and so has one whoever fails to open it.
pub(super) const ASKS: u32 = 8;
pub(super) const MOMENT: Duration = Duration::from_millis(1);

pub(super) fn failed<E: Into<io::Error>>(what: &'static str, path: &Path) -> impl FnOnce(E) -> OpenError {
    let path = path.to_path_buf();
    move |error| OpenError::Io { what, path, source: error.into() }
}

/// Opens what is there, for reading and writing, if it is a file of this user's.
pub(super) fn open_file(path: &Path) -> Result<File, OpenError> {
    open_as(path, OFlags::RDWR)
}

/// Opens what is there if it is a file of this user's.
pub(super) fn open_as(path: &Path, access: OFlags) -> Result<File, OpenError> {
    let (file, found) = directory::open_regular(path, access)?;
    let why = match found.uid() == rustix::process::geteuid().as_raw() {
        false => Fault::Owner(found.uid()),
        true if found.mode() & 0o022 != 0 => Fault::Mode(found.mode()),
        true => return Ok(file),
    };
    Err(OpenError::NotOurs { path: path.into(), why })
}

/// Opens the FIFO of a side that is at `path`, made first if need be and `makes`; with its inode's number. For reading as well: so a write to
/// it never finds that there is no reader, which is a signal.
pub(super) fn open_bell(path: &Path, makes: bool) -> io::Result<(OwnedFd, u64)> {
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

/// Removes the FIFOs of a segment's sides, which nobody has.
fn remove_bells(path: &Path) {
    // The header need not be one.
    let senders = (0..Layout::MAX_LANES).map(|lane| (Role::Sender, lane));
    for (role, lane) in iter::once((Role::Receiver, 0)).chain(senders) {
        let event = wake::path_of(path, role, lane);
        if open_bell(&event, false).is_ok() {
            let _ = rfs::unlink(&event);
        }
    }
}

/// Opens the segment at `place`, that is at `path`, if it is the channel that `ours` describes; With what it has.
fn open(place: &Place, path: &Path, ours: &Header, layout: &Layout, asked: Asked) -> Result<(File, Layout), OpenError> {
    let file = place.open(path)?;
    let header = read_header(&file, path)?;
    header.check(ours, asked)?;
    let asked = usize::try_from(header.capacity).unwrap_or(usize::MAX);
    let found = Layout::new(layout.kind, asked, layout.size as usize, layout.stride as usize, layout.align as usize)?;
    let found = found.with_lanes(header.lanes)?;
    let metadata = check_size(&file, &found, path)?;
    let missing = found.total().saturating_sub(metadata.blocks() * 512);
    if missing != 0 {
        // With holes: a full disk would be noticed by a signal in the middle of a send.
        place.check_room(missing)?;
        create::reserve(&file, &found, path)?;
    }
    Ok((file, found))
}

/// Refuses a file that is longer or shorter than `layout` says.
pub(super) fn check_size(file: &File, layout: &Layout, path: &Path) -> Result<Metadata, OpenError> {
    let metadata = file.metadata().map_err(failed("look at", path))?;
    match metadata.len() == layout.total() {
        true => Ok(metadata),
        false => Err(OpenError::Size { found: metadata.len(), wanted: layout.total() }),
    }
}

pub(super) fn read_header(file: &File, path: &Path) -> Result<Header, OpenError> {
    let mut bytes = [0; header::LEN];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Header::decode(&bytes, path),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(OpenError::NotASegment { path: path.into() }),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Of what has a choice: whether this side asked for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) capacity: bool,
    pub(super) lanes: bool,
}

/// A side of a channel, or all of them: the lock, and the descriptor to ask the kernel with.
#[derive(Debug)]
pub(super) struct Held {
    /// Never mapped, shared or duplicated: the lock goes with it.
    lock: File,
    pub(super) seats: Seats,
    pid: u32,
}

impl Drop for Held {
    fn drop(&mut self) {
        // A forked child's lock is its parent's.
        if self.pid == std::process::id() {
            point!();
            sys::give(&self.lock, self.seats);
            point!();
        }
    }
}

impl Held {
    /// Takes the first of these that nobody has, and says which lane's it is; else gives the file back.
    fn take_one(
        lock: File,
        seats: impl Iterator<Item = (Seats, u32)>,
        path: &Path,
    ) -> Result<Result<(Self, u32), File>, OpenError> {
        for (seats, lane) in seats {
            point!();
            if sys::take(&lock, seats).map_err(failed("lock", path))? {
                return Ok(Ok((Self { lock, seats, pid: std::process::id() }, lane)));
            }
        }
        Ok(Err(lock))
    }

    pub(super) fn file(&self) -> &File {
        &self.lock
    }
}

/// A role of a segment, taken.
pub(super) struct Taken {
    pub(super) held: Held,
    /// Of a sender.
    pub(super) lane: u32,
    /// Another file description of the segment's, for mapping.
    pub(super) map: File,
    pub(super) layout: Layout,
}

/// What is known of a lane that no sender has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Free {
    Good,
    /// Its positions, counts or notes cannot be: nobody can send there any more.
    Damaged,
    /// The receiver that is there does not read it.
    Closed,
}

/// Lanes that a sender passes by, a bit each.
struct Passed {
    /// The segment that they are of.
    file: File,
    damaged: u128,
    closed: u128,
}

/// Opens the segment, made first if need be, and takes `role` of it; of a fan-in's senders the first that is free and, by `lane_is`, good;
/// a closed one only if there is no other.
#[allow(clippy::too_many_arguments, reason = "what to open, how, and as whom")]
pub(super) fn take(
    place: &Place,
    path: &Path,
    header: &Header,
    layout: &Layout,
    asked: Asked,
    role: Role,
    lane_is: impl Fn(&File, &Layout, u32) -> Result<Free, OpenError>,
) -> Result<Taken, OpenError> {
    let header = &header.left_open(asked);
    place.prepare(path)?;
    let mut asks = 0;
    let (mut passed, mut closed_will_do) = (None::<Passed>, false);
    loop {
        let (lock, found) = match open(place, path, header, layout, asked) {
            Err(OpenError::NotFound { .. }) if place.creates => {
                place.prepare(path)?;
                create::create(path, header, layout)?;
                continue;
            }
            other => other?,
        };
        if let Some(lanes) = &passed {
            if !is_same(&lanes.file, &lock, path)? {
                passed = None;
            }
        }
        let (damaged, closed) = passed.as_ref().map_or((0, 0), |lanes| (lanes.damaged, lanes.closed));
        if damaged.count_ones() == found.lanes {
            return Err(OpenError::Corrupted);
        }
        let lanes = (0..found.lanes).filter(|lane| (damaged | closed) >> lane & 1 == 0);
        let taken = match role {
            Role::Sender => Held::take_one(lock, lanes.map(|lane| (Seats::sender(lane), lane)), path)?,
            Role::Receiver => Held::take_one(lock, iter::once((Seats::RECEIVER, 0)), path)?,
        };
        let (held, lane) = match taken {
            Ok(taken) => taken,
            Err(_) if asks < ASKS => {
                asks += 1;
                std::thread::sleep(MOMENT);
                continue;
            }
            Err(_) if closed != 0 => {
                closed_will_do = true;
                passed.iter_mut().for_each(|lanes| lanes.closed = 0);
                continue;
            }
            Err(_) if found.lanes != 1 && role == Role::Sender => {
                return Err(OpenError::NoFreeLane { lanes: found.lanes as usize });
            }
            Err(lock) => return Err(OpenError::Taken { role, pid: holder(&lock, &found, role) }),
        };
        point!();
        // Whoever removes a segment holds both roles: from now on it stays, if it is still the one of that name.
        let (same, map) = match place.open(path) {
            Ok(map) => (is_same(&map, &held.lock, path)?, map),
            Err(OpenError::NotFound { .. }) => continue,
            Err(error) => return Err(error),
        };
        if same {
            point!();
            let is = if role == Role::Sender && found.lanes != 1 { lane_is(&map, &found, lane)? } else { Free::Good };
            if is == Free::Good || is == Free::Closed && closed_will_do {
                return Ok(Taken { held, lane, map, layout: found });
            }
            // Its lock goes back with `held`.
            let lanes = passed.get_or_insert(Passed { file: map, damaged: 0, closed: 0 });
            let which = if is == Free::Damaged { &mut lanes.damaged } else { &mut lanes.closed };
            *which |= 1 << lane;
        }
    }
}

fn is_same(one: &File, other: &File, path: &Path) -> Result<bool, OpenError> {
    let ids = |file: &File| file.metadata().map(|m| (m.dev(), m.ino())).map_err(failed("look at", path));
    Ok(ids(one)? == ids(other)?)
}

/// The process that said it has `role`; 0 if it cannot be read.
fn holder(file: &File, layout: &Layout, role: Role) -> u32 {
    let Ok(map) = sys::Map::new(file, layout, 0, None, sys::Pages::default()) else { return 0 };
    let words = if role == Role::Sender { &map.producer().session } else { &map.consumer().session };
    words.record(words.last()).map_or(0, |record| record.pid as u32)
}

/// Removes the segment if all of its sides are free. Whether it did.
pub(super) fn remove(path: &Path) -> Result<bool, OpenError> {
    let lock = open_file(path)?;
    read_header(&lock, path)?;
    unlink(lock, path)
}

/// Removes the file at `path`, which is `lock`, if no part of it is locked. Whether it did.
pub(super) fn unlink(lock: File, path: &Path) -> Result<bool, OpenError> {
    // Not by trying: who has one side would see somebody on the other. More than once: a side that was closed is held for a moment more by a
    // child that was forked meanwhile, until that calls `exec`.
    let mut asks = 0;
    while sys::is_taken(&lock, Seats::ALL).map_err(failed("look at the locks of", path))? {
        if asks == ASKS {
            return Ok(false);
        }
        asks += 1;
        std::thread::sleep(MOMENT);
    }
    let Ok((held, _)) = Held::take_one(lock, iter::once((Seats::ALL, 0)), path)? else { return Ok(false) };
    // Somebody may have removed it and made another before we had all sides: that one is not ours to remove.
    let named = match directory::open_regular(path, OFlags::RDWR) {
        Err(OpenError::NotFound { .. }) => return Ok(false),
        other => other?.0,
    };
    if !is_same(&held.lock, &named, path)? {
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
