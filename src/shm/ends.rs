//! Opening a side, and what the two ends have in common.

use super::error::{Cause, OpenError};
use super::header::Header;
use super::message::Schema;
use super::place::Place;
pub(super) use super::rx::Rx;
use super::segment::{self, Asked, Free, Held, Layout, Taken};
use super::side;
use super::sys::{self, Map, Pages, Role, Seats};
pub(super) use super::taking::Taking;
pub(super) use super::tx::Tx;
use crate::ring::session::{End, Session};
use crate::sync::failpoint::point;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// A role of a channel, taken and mapped, with its words checked.
pub(super) struct Opened {
    /// The sender's lane, or all of the receiver's.
    pub(super) maps: Vec<Arc<Map>>,
    pub(super) layout: Layout,
    pub(super) held: Held,
    /// Where it is, if it is a file with a name.
    pub(super) path: Option<Arc<Path>>,
    /// See [`Place`].
    pub(super) missed_ends: bool,
}

/// Opens the channel at `place`, made first if need be, and takes `role` of it, or that of the first lane which is free.
pub(super) fn open(
    place: &Place,
    layout: &Layout,
    schema: Schema,
    asked: Asked,
    role: Role,
) -> Result<Opened, OpenError> {
    let path = place.path()?;
    let header = Header::new(layout, schema);
    let lane_is = |file: &File, layout: &Layout, lane| lane_is(file, layout, lane, &path);
    let Taken { held, lane, map: file, layout } = segment::take(place, &path, &header, layout, asked, role, lane_is)?;
    let lanes = if role == Role::Sender { lane..lane + 1 } else { 0..layout.lanes };
    let mut maps = Vec::with_capacity(lanes.len());
    for lane in lanes {
        let map = Map::new(&file, &layout, lane, Some(role), place.pages).map_err(segment::failed("map", &path))?;
        point!();
        let map = Arc::new(map);
        // A receiver of many lanes finds the bad ones when it looks there, and tells them.
        if role == Role::Sender || layout.lanes == 1 {
            side::check_words(&map, &layout)?;
        }
        side::check_counts(side::sessions(&map, role).0)?;
        maps.push(map);
    }
    // Wherever this process goes meanwhile.
    let absolute = || std::path::absolute(&path).map_err(segment::failed("find", &path));
    let path = if place.is_named() { Some(absolute()?.into()) } else { None };
    Ok(Opened { maps, layout, held, path, missed_ends: place.missed_ends })
}

/// What a lane is to whoever wants to send on it.
fn lane_is(file: &File, layout: &Layout, lane: u32, path: &Path) -> Result<Free, OpenError> {
    let map = Map::new(file, layout, lane, None, Pages::default()).map_err(segment::failed("map", path))?;
    let unnoted = layout.kind.is_bytes() && side::records(&map).is_none();
    if unnoted || side::check_words(&map, layout).is_err() {
        return Ok(Free::Damaged);
    }
    // With the receiver's side taken, and closed on this lane: it reads nothing here until the next one comes.
    let has_receiver = || sys::is_taken(file, Seats::RECEIVER).map_err(segment::failed("look at the locks of", path));
    let words = &map.consumer().session;
    let has_left = words.record(words.last()).is_some_and(|record| record.end.is_some());
    Ok(if has_left && has_receiver()? { Free::Closed } else { Free::Good })
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
    pub(super) fn of(words: &Session, number: u64) -> Self {
        let record = words.record(number);
        let pid = record.map_or(0, |record| record.pid as u32);
        Self { number, pid, start: record.map(|record| record.start), began: record.map_or(0, |record| record.began) }
    }
}

/// The reason that a user is given.
pub(super) fn ended(end: End) -> Cause {
    match end {
        End::Left => Cause::Closed,
        End::GivenUp => Cause::GivenUp,
        End::Died => Cause::PeerDied,
        End::Forgotten(sessions) => Cause::Forgotten { sessions },
    }
}
