//! Taking a role of a segment: the lock, and the file for the mappings.

use crate::shm::error::OpenError;
use crate::shm::peer::Role;
use crate::shm::segment::file::{RETRIES, RETRY_DELAY, check_size, failed, read_header};
use crate::shm::segment::header::Header;
use crate::shm::segment::layout::Layout;
use crate::shm::segment::location::Location;
use crate::shm::segment::locks::LockRange;
use crate::shm::segment::map::{Map, Pages};
use crate::shm::segment::{create, locks};
use crate::sync::failpoint::point;
use core::cell::Cell;
use core::iter;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Opens the segment at `place`, that is at `path`, if it is the channel that `ours` describes; With what it has.
pub(crate) fn open(
    place: &Location,
    path: &Path,
    ours: &Header,
    layout: &Layout,
    asked: Requested,
) -> Result<(File, Layout), OpenError> {
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

/// Of what has a choice: whether this side asked for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requested {
    pub(crate) capacity: bool,
    pub(crate) lanes: bool,
}

/// A side of a channel, or all of them: the lock, and the descriptor to ask the kernel with.
#[derive(Debug)]
pub(crate) struct RoleLock {
    /// Never mapped or duplicated: the lock goes with it.
    lock: File,
    pub(crate) seats: LockRange,
    pid: u32,
}

impl Drop for RoleLock {
    fn drop(&mut self) {
        // A forked child's lock is its parent's.
        self.give();
    }
}

impl RoleLock {
    /// Takes the first of these that is free, and says which lane's it is; else gives the file back.
    pub(crate) fn take_one(
        lock: File,
        seats: impl Iterator<Item = (LockRange, u32)>,
        path: &Path,
    ) -> Result<Result<(Self, u32), File>, OpenError> {
        for (seats, lane) in seats {
            point!();
            if locks::take(&lock, seats).map_err(failed("lock", path))? {
                return Ok(Ok((Self { lock, seats, pid: std::process::id() }, lane)));
            }
        }
        Ok(Err(lock))
    }

    pub(crate) fn file(&self) -> &File {
        &self.lock
    }

    /// Gives the roles back before the handle goes. To be called where that does nothing more by them.
    pub(crate) fn give(&self) {
        if self.pid == std::process::id() {
            point!();
            // If the kernel does not take them now, it does when the file is closed, with this handle.
            let _ = locks::give(&self.lock, self.seats);
            point!();
        }
    }
}

/// By which a worker takes roles of other lanes, for a moment, one at a time. A file description of its own: so the kernel refuses it the lane of that
/// very worker, too.
#[derive(Debug)]
pub(crate) struct OtherLanes {
    lock: File,
    pid: u32,
    /// Lanes whose roles the kernel did not take back yet, a bit each.
    kept: Cell<u128>,
}

/// The receiver's role of a lane, taken for a moment.
#[derive(Debug)]
pub(crate) struct LaneLock<'a> {
    lanes: &'a OtherLanes,
    lane: u32,
}

impl OtherLanes {
    pub(crate) fn new(lock: File) -> Self {
        Self { lock, pid: std::process::id(), kept: Cell::new(0) }
    }

    fn give(&self, lane: u32) {
        if self.pid == std::process::id() {
            point!();
            let given = locks::give(&self.lock, LockRange::worker(lane));
            point!();
            let (kept, bit) = (self.kept.get(), 1 << lane);
            self.kept.set(if given { kept & !bit } else { kept | bit });
        }
    }

    /// Gives back what the kernel did not take: else no worker could take that lane while this one lives. To be called now and then.
    pub(crate) fn give_back(&self) {
        let kept = self.kept.get();
        if kept != 0 {
            (0..u128::BITS).filter(|lane| kept >> lane & 1 != 0).for_each(|lane| self.give(lane));
        }
    }

    /// Takes the role of `lane` if it is free: its worker, if it had one, has ended. An error says nothing of that worker.
    pub(crate) fn take(&mut self, lane: u32) -> io::Result<Option<LaneLock<'_>>> {
        if self.pid != std::process::id() {
            return Ok(None);
        }
        point!();
        let taken = locks::take(&self.lock, LockRange::worker(lane));
        point!();
        Ok(taken?.then_some(LaneLock { lanes: self, lane }))
    }

    /// Whether the role of `lane` is free. Not if the kernel does not say: it is asked again with the next look.
    pub(crate) fn is_free(&self, lane: u32) -> bool {
        self.pid == std::process::id() && locks::is_taken(&self.lock, LockRange::worker(lane)).is_ok_and(|taken| !taken)
    }
}

impl LaneLock<'_> {
    pub(crate) fn lane(&self) -> u32 {
        self.lane
    }
}

impl Drop for LaneLock<'_> {
    fn drop(&mut self) {
        // A forked child's lock is its parent's.
        self.lanes.give(self.lane);
    }
}

/// A role of a segment, taken.
pub(crate) struct Taken {
    pub(crate) held: RoleLock,
    /// Of a side with a lane for each holder; of a broadcast's receiver the seat.
    pub(crate) lane: u32,
    /// Another file description of the segment's, for mapping.
    pub(crate) map: File,
    pub(crate) layout: Layout,
    /// Keeps others from reserving a seat; of a receiver that is to.
    pub(crate) names: Option<RoleLock>,
}

/// What is known of a lane that no process has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LaneState {
    Good,
    /// Its positions, counts or notes cannot be: nothing can be sent or received there any more.
    Damaged,
    /// The receiver that is there does not read it.
    Closed,
    /// A seat that is kept for another.
    Reserved,
}

/// Lanes that a side passes by, or seats, a bit each.
struct SkippedLanes {
    /// The segment that they are of.
    file: File,
    damaged: u128,
    closed: u128,
    reserved: u128,
}

/// Opens the segment, made first if need be, and takes `role` of it; of a fan-in's senders or a fan-out's workers the first that is free and, by
/// `lane_is`, good; a closed one only if there is no other.
#[allow(clippy::too_many_arguments, reason = "what to open, how, and as whom")]
pub(crate) fn take(
    place: &Location,
    path: &Path,
    header: &Header,
    layout: &Layout,
    asked: Requested,
    role: Role,
    lane_is: impl Fn(&File, &Layout, u32) -> Result<LaneState, OpenError>,
) -> Result<Taken, OpenError> {
    let header = &header.left_open(asked);
    let is_one_of_many = layout.kind.has_lane_each(role);
    let only = if role == Role::Sender { LockRange::sender(0) } else { LockRange::RECEIVER };
    place.prepare(path)?;
    let mut asks = 0;
    let (mut passed, mut closed_will_do) = (None::<SkippedLanes>, false);
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
        let masks = passed.as_ref().map_or((0, 0, 0), |lanes| (lanes.damaged, lanes.closed, lanes.reserved));
        let (damaged, closed, reserved) = masks;
        if damaged.count_ones() == found.lanes {
            return Err(OpenError::Corrupted);
        }
        let takes_seat = found.kind.is_broadcast() && role == Role::Receiver;
        let (names, named) = match &place.reserved {
            Some(name) if takes_seat => {
                let names = lock_names(place, path)?;
                if !is_same(names.file(), &lock, path)? {
                    continue;
                }
                let named = seat_named(names.file(), &found, name, path)?;
                (Some(names), named)
            }
            _ => (None, None),
        };
        let lanes = (0..found.lanes).filter(|lane| (damaged | closed | reserved) >> lane & 1 == 0);
        let taken = match (role, named) {
            (_, Some(seat)) => RoleLock::take_one(lock, iter::once((LockRange::seat(seat), seat)), path)?,
            _ if takes_seat => RoleLock::take_one(lock, lanes.map(|seat| (LockRange::seat(seat), seat)), path)?,
            _ if !is_one_of_many => RoleLock::take_one(lock, iter::once((only, 0)), path)?,
            (Role::Sender, _) => RoleLock::take_one(lock, lanes.map(|lane| (LockRange::sender(lane), lane)), path)?,
            (Role::Receiver, _) => RoleLock::take_one(lock, lanes.map(|lane| (LockRange::worker(lane), lane)), path)?,
        };
        let (held, lane) = match taken {
            Ok(taken) => taken,
            Err(_) if asks < RETRIES => {
                asks += 1;
                std::thread::sleep(RETRY_DELAY);
                continue;
            }
            Err(_) if closed != 0 => {
                closed_will_do = true;
                passed.iter_mut().for_each(|lanes| lanes.closed = 0);
                continue;
            }
            Err(_) if found.lanes != 1 && is_one_of_many => {
                return Err(OpenError::NoFreeLane { lanes: found.lanes as usize });
            }
            Err(_) if takes_seat && named.is_none() => {
                return Err(OpenError::NoFreeSeat { receivers: found.lanes as usize });
            }
            Err(lock) => return Err(OpenError::Taken { role, pid: holder(&lock, &found, role, named.unwrap_or(0)) }),
        };
        point!();
        // A process that removes a segment holds both roles: from now on the segment stays, if it is still the one of that name.
        let (same, map) = match place.open(path) {
            Ok(map) => (is_same(&map, &held.lock, path)?, map),
            Err(OpenError::NotFound { .. }) => continue,
            Err(error) => return Err(error),
        };
        if same {
            point!();
            // Later, a kernel that does not say who holds a lock is taken to say that a process does (`Attached::is_held`): no death would ever be noticed.
            locks::is_taken(&held.lock, held.seats).map_err(failed("look at the locks of", path))?;
            let chose = takes_seat || (is_one_of_many && found.lanes != 1);
            let is = if chose { lane_is(&map, &found, lane)? } else { LaneState::Good };
            let is_own = named.is_some() && is == LaneState::Reserved;
            if is == LaneState::Good || is_own || is == LaneState::Closed && closed_will_do {
                // A reserved seat has its name already.
                let names = names.filter(|_| named.is_none());
                return Ok(Taken { held, lane, map, layout: found, names });
            }
            if named.is_some() {
                return Err(OpenError::Corrupted);
            }
            // Its lock goes back with `held`.
            let lanes = passed.get_or_insert(SkippedLanes { file: map, damaged: 0, closed: 0, reserved: 0 });
            *match is {
                LaneState::Damaged => &mut lanes.damaged,
                LaneState::Reserved => &mut lanes.reserved,
                LaneState::Good | LaneState::Closed => &mut lanes.closed,
            } |= 1 << lane;
        }
    }
}

pub(crate) fn is_same(one: &File, other: &File, path: &Path) -> Result<bool, OpenError> {
    let ids = |file: &File| file.metadata().map(|m| (m.dev(), m.ino())).map_err(failed("look at", path));
    Ok(ids(one)? == ids(other)?)
}

/// Takes the lock of those that give a seat a name, or take it away. Its holder does not keep it, unless it is stopped.
pub(crate) fn lock_names(place: &Location, path: &Path) -> Result<RoleLock, OpenError> {
    let mut file = place.open(path)?;
    for _ in 0..100 * RETRIES {
        match RoleLock::take_one(file, iter::once((LockRange::NAMES, 0)), path)? {
            Ok((names, _)) => return Ok(names),
            Err(back) => file = back,
        }
        std::thread::sleep(RETRY_DELAY);
    }
    Err(OpenError::Taken { role: Role::Receiver, pid: 0 })
}

/// The seat that is reserved by that name.
pub(crate) fn seat_named(file: &File, layout: &Layout, name: &str, path: &Path) -> Result<Option<u32>, OpenError> {
    let map = Map::new(file, layout, 0, None, Pages::default()).map_err(failed("map", path))?;
    Ok((0..layout.lanes).find(|&seat| map.seat(seat).name.read().as_deref() == Some(name)))
}

/// The process that said it has `role`, or that seat; 0 if it cannot be read.
fn holder(file: &File, layout: &Layout, role: Role, seat: u32) -> u32 {
    let Ok(map) = Map::new(file, layout, 0, None, Pages::default()) else { return 0 };
    let words = if role == Role::Sender { &map.producer().session } else { &map.seat(seat).consumer.session };
    words.record(words.last()).map_or(0, |record| record.pid as u32)
}
