//! Opening a side, and what the two ends have in common.

use crate::shm::error::{Cause, OpenError};
use crate::shm::peer::session::{End, Session};
use crate::shm::peer::{Role, attachment};
use crate::shm::schema::Schema;
use crate::shm::segment::attach::{LaneState, Requested, RoleLock, Taken};
use crate::shm::segment::header::Header;
use crate::shm::segment::layout::{Kind, Layout};
use crate::shm::segment::location::Location;
use crate::shm::segment::locks::LockRange;
use crate::shm::segment::map::{Map, Pages};
use crate::shm::segment::{attach, file, locks};
use crate::sync::failpoint::point;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// A role of a channel, taken and mapped, with its words checked.
pub(crate) struct Opened {
    /// The lane of a fan-in's sender, the one of a broadcast; else all of them.
    pub(crate) maps: Vec<Arc<Map>>,
    /// Which one is this side's, where each holder has one.
    pub(crate) lane: u32,
    /// The file, by another description than that of the lock.
    pub(crate) file: File,
    pub(crate) layout: Layout,
    pub(crate) held: RoleLock,
    /// Where it is, if it is a file with a name.
    pub(crate) path: Option<Arc<Path>>,
    /// See [`Location`].
    pub(crate) missed_ends: bool,
    pub(crate) passes: bool,
    /// The name that its seat gets, and what keeps other processes from giving that.
    pub(crate) reserves: Option<(RoleLock, String)>,
}

/// Opens the channel at `place`, made first if need be, and takes `role` of it, or that of the first lane which is free.
pub(crate) fn open(
    place: &Location,
    layout: &Layout,
    schema: Schema,
    asked: Requested,
    role: Role,
) -> Result<Opened, OpenError> {
    let path = place.path()?;
    let header = Header::new(layout, schema);
    let lane_is = |file: &File, layout: &Layout, lane| lane_is(file, layout, lane, &path);
    let Taken { held, lane, map: file, layout, names } =
        attach::take(place, &path, &header, layout, asked, role, lane_is)?;
    let is_fan_out = layout.kind == Kind::FanOut;
    let one = (role == Role::Sender && !is_fan_out) || layout.kind.is_broadcast();
    let lanes = if one { lane..lane + 1 } else { 0..layout.lanes };
    let mut maps = Vec::with_capacity(lanes.len());
    for at in lanes {
        let map = Map::new(&file, &layout, at, Some(role), place.pages).map_err(file::failed("map", &path))?;
        point!();
        let map = Arc::new(map);
        if is_fan_out && (role == Role::Sender || at != lane) {
            // The sender leaves the bad ones alone, and so do the workers of others.
            maps.push(map);
            continue;
        }
        // A receiver of many lanes finds the bad ones when it looks there, and tells them; the sender of a stamped ring looks at the stamps as well.
        let has_seats = layout.kind.is_broadcast() && role == Role::Sender;
        if layout.kind != Kind::Lossy && !has_seats && (one || layout.lanes == 1 || is_fan_out) {
            attachment::check_words(&map, &layout)?;
        }
        attachment::check_counts(attachment::sessions(&map, role).0)?;
        maps.push(map);
    }
    // Wherever this process goes meanwhile.
    let absolute = || std::path::absolute(&path).map_err(file::failed("find", &path));
    let path = if place.is_named() { Some(absolute()?.into()) } else { None };
    let (missed_ends, passes, reserves) = (place.missed_ends, place.passes, names.zip(place.reserved.clone()));
    Ok(Opened { maps, lane, file, layout, held, path, missed_ends, passes, reserves })
}

/// What a lane is to a sender, or a fan-out's worker, that opens it, or a seat to a receiver.
fn lane_is(file: &File, layout: &Layout, lane: u32, path: &Path) -> Result<LaneState, OpenError> {
    if layout.kind.is_broadcast() {
        let map = Map::new(file, layout, lane, None, Pages::default()).map_err(file::failed("map", path))?;
        let page = map.seat(lane);
        return Ok(match attachment::check_counts(&page.consumer.session) {
            Err(_) => LaneState::Damaged,
            Ok(()) if page.name.is_reserved() => LaneState::Reserved,
            Ok(()) => LaneState::Good,
        });
    }
    let map = Map::new(file, layout, lane, None, Pages::default()).map_err(file::failed("map", path))?;
    let unnoted = layout.kind.is_bytes() && attachment::records(&map).is_none();
    if unnoted || attachment::check_words(&map, layout).is_err() {
        return Ok(LaneState::Damaged);
    }
    if layout.kind == Kind::FanOut {
        return Ok(LaneState::Good);
    }
    // With the receiver's side taken, and closed on this lane: it reads nothing here until the next one comes.
    let has_receiver =
        || locks::is_taken(file, LockRange::RECEIVER).map_err(file::failed("look at the locks of", path));
    let words = &map.consumer().session;
    let has_left = words.record(words.last()).is_some_and(|record| record.end.is_some());
    Ok(if has_left && has_receiver()? { LaneState::Closed } else { LaneState::Good })
}

/// A session of the other side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its number: the first of a channel, or of a lane of a fan-in, is 1.
    pub number: u64,
    /// The process that said of itself that it was its holder; of another pid namespace it may mean nothing. 0 if the channel has forgotten.
    pub pid: u32,
    /// Messages (of records: words of 8 bytes) that were sent before it; `None` if the channel has forgotten.
    pub start: Option<u64>,
    /// When it began, in nanoseconds since 1970, by its holder's clock. 0 if the channel has forgotten.
    pub began: u64,
}

impl SessionInfo {
    pub(crate) fn of(words: &Session, number: u64) -> Self {
        let record = words.record(number);
        let pid = record.map_or(0, |record| record.pid as u32);
        Self { number, pid, start: record.map(|record| record.start), began: record.map_or(0, |record| record.began) }
    }
}

/// The reason that a user is given.
pub(crate) fn cause_of(end: End) -> Cause {
    match end {
        End::Left => Cause::Closed,
        End::GivenUp => Cause::GivenUp,
        End::Died => Cause::PeerDied,
        End::Forgotten(sessions) => Cause::Forgotten { sessions },
    }
}
