//! Onlookers: what a channel does, seen without taking part. No lock is taken and no word is written.

use super::{Mismatch, bytes};
use crate::ring::layout::Stats;
use crate::shm::error::{Cause, OpenError};
use crate::shm::peer::session::Peer;
use crate::shm::peer::session::look_after;
use crate::shm::peer::session::{KEPT, Session};
use crate::shm::ring::open::SessionInfo;
use crate::shm::ring::open::cause_of;
use crate::shm::ring::stamped;
use crate::shm::segment::header::Header;
use crate::shm::segment::layout::{Kind, Layout};
use crate::shm::segment::locks::LockRange;
use crate::shm::segment::map::{Map, Pages};
use crate::shm::segment::{directory, file, locks};
use crate::sync::Ordering;
use crate::sync::position::Position;
use core::fmt;
use rustix::fs::OFlags;
use std::path::Path;

/// A channel as an onlooker saw it. Its words were read one after the other while both sides went on.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ChannelInfo {
    /// What travels in it.
    pub kind: Kind,
    /// What both sides mean by a message.
    pub schema: String,
    /// Messages that a lane holds; of records, words of 8 bytes.
    pub capacity: u64,
    /// Bytes of a message, or 8.
    pub message_bytes: u64,
    /// The receiving side; of a broadcast the slowest receiver that gates, or else the first seat; of a fan-out the first lane's worker.
    pub receiver: SideView,
    /// The sending side, or those of a fan-in; of a fan-out each worker's lane.
    pub lanes: Vec<LaneView>,
    /// The seats of a broadcast.
    pub seats: Vec<SeatView>,
}

/// A seat of a broadcast as an onlooker saw it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SeatView {
    /// Its receiver.
    pub receiver: SideView,
    /// Its name, if it is reserved.
    pub name: Option<String>,
    /// Whether the sender waits for it: a receiver sits there, or it is reserved.
    pub gates: bool,
    /// Messages that were sent and that it has not taken; not more than the capacity. 0 if it does not gate.
    pub lag: u64,
}

/// One lane of a channel as an onlooker saw it; but for a fan-in or a fan-out there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LaneView {
    /// The sending side.
    pub sender: SideView,
    /// The receiving side: of a fan-out the lane's worker, else the channel's receiver.
    pub receiver: SideView,
    /// Sessions of the sending side whose end a receiver was told; those after them are untaken.
    pub taken: u64,
    /// The last sessions of the sending side, at most 64, the oldest first.
    pub sessions: Vec<SessionView>,
    /// What it has done since the channel was made; of records, in words. The depth is never more than the capacity.
    pub stats: Stats,
    /// Of records: how many were sent, with one that may be about to be.
    pub records: Option<u64>,
}

impl ChannelInfo {
    /// Messages sent, or records.
    pub fn sent(&self) -> u64 {
        // Senders may have written any number there.
        self.lanes.iter().map(|lane| lane.records.unwrap_or(lane.stats.sent)).fold(0, u64::saturating_add)
    }

    /// Messages that were sent and not received; of records, words.
    pub fn depth(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.stats.depth as u64).sum()
    }
}

/// One side of a channel as an onlooker saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SideView {
    /// Whether a process has it, as the kernel says.
    pub state: Peer,
    /// The process that says of itself that it has it, or had; of another pid namespace it may mean nothing. 0 if there was none.
    pub pid: u32,
    /// How often it was opened.
    pub epoch: u64,
    /// Whether it sleeps, or is about to.
    pub parked: bool,
}

/// A session of a side as an onlooker saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SessionView {
    /// Which session, whose, and since when.
    pub info: SessionInfo,
    /// How it ended; `None` while it goes on.
    pub ended: Option<Cause>,
}

/// Looks at the channel called `name`, of any kind, through memory that is mapped for reading only.
///
/// # Errors
/// There is none, it is not a channel or is damaged, or the system refused: see [`OpenError`].
pub fn inspect(name: &str) -> Result<ChannelInfo, OpenError> {
    let path = directory::path_of(name, None)?;
    let file = file::open_as(&path, OFlags::RDONLY)?;
    let header = file::read_header(&file, &path)?;
    let (kind, layout) = layout(&header, &path)?;
    file::check_size(&file, &layout, &path)?;
    let view = |seats, words: &Session| -> Result<SideView, OpenError> {
        let mut taken = Ok(false);
        // Asked from in there, between two looks at the words.
        let (state, _) = look_after(words, || {
            taken = locks::is_taken(&file, seats);
            matches!(taken, Ok(true))
        });
        let taken = taken.map_err(file::failed("look at the locks of", &path))?;
        Ok(SideView {
            state,
            pid: words.record(words.last()).map_or(0, |record| record.pid as u32),
            epoch: words.epoch.load(Ordering::Relaxed),
            parked: taken && words.parked.0.is_asleep(),
        })
    };
    let mut lanes = Vec::new();
    let (mut first, mut seats) = (None, Vec::new());
    let is_fan_out = kind == Kind::FanOut;
    for lane in 0..if kind.is_broadcast() { 1 } else { layout.lanes } {
        let map = Map::new(&file, &layout, lane, None, Pages::default()).map_err(file::failed("map", &path))?;
        let worker = if is_fan_out { LockRange::worker(lane) } else { LockRange::RECEIVER };
        let receiver = match first {
            Some(receiver) if !is_fan_out => receiver,
            _ => view(worker, &map.consumer().session)?,
        };
        first = first.or(Some(receiver));
        let sender = view(LockRange::sender(if is_fan_out { 0 } else { lane }), &map.producer().session)?;
        lanes.push(lane_view(&map, &layout, sender, receiver));
        for seat in (0..layout.lanes).filter(|_| kind.is_broadcast()) {
            let words = &map.seat(seat).consumer.session;
            seats.push(seat_view(&map, &layout, seat, view(LockRange::seat(seat), words)?));
        }
    }
    if let (Some(lane), true) = (lanes.first_mut(), kind.is_broadcast()) {
        let slowest = seats.iter().filter(|seat| seat.gates).max_by_key(|seat| seat.lag);
        if let Some(seat) = slowest.or(seats.first()) {
            (lane.receiver, first) = (seat.receiver, Some(seat.receiver));
        }
        let lag = slowest.map_or(0, |seat| seat.lag);
        (lane.stats.depth, lane.stats.received) = (lag as usize, lane.stats.sent.saturating_sub(lag));
    }
    Ok(ChannelInfo {
        kind,
        schema: header.schema_text(),
        capacity: layout.capacity,
        message_bytes: layout.size,
        receiver: first.ok_or(OpenError::Corrupted)?,
        lanes,
        seats,
    })
}

fn seat_view(map: &Map, layout: &Layout, seat: u32, receiver: SideView) -> SeatView {
    let page = map.seat(seat);
    let name = page.name.read();
    let gates = receiver.state == Peer::Here || name.is_some();
    let head = Position::from_word(page.consumer.block.head.load(Ordering::Acquire));
    let tail = Position::from_word(map.producer().block.tail.load(Ordering::Relaxed));
    let lag = if gates { tail.since(head).min(layout.capacity) } else { 0 };
    SeatView { receiver, name, gates, lag }
}

fn lane_view(map: &Map, layout: &Layout, sender: SideView, receiver: SideView) -> LaneView {
    let (producer, consumer) = (map.producer(), map.consumer());
    let is_lossy = layout.kind == Kind::Lossy;
    // What was received by the first look was sent by the second.
    let head = Position::from_word(consumer.block.head.load(Ordering::Acquire));
    let tail = Position::from_word(producer.block.tail.load(Ordering::Relaxed));
    let stats = if is_lossy {
        // Its receivers write nothing: what is kept is there for each of them.
        let sent = stamped::page(map).tail.tail.load(Ordering::Relaxed) / 2;
        Stats { sent, depth: sent.min(layout.capacity) as usize, ..Stats::default() }
    } else {
        crate::ring::spsc::stats(&producer.block, &consumer.block, Position::new(0), head, tail, layout.capacity)
    };
    let records = producer.marks.0.iter().map(|mark| mark.records.load(Ordering::Relaxed)).max();
    let words = &producer.session;
    let last = words.last();
    let session = |number| {
        let ended = match words.record(number)?.end {
            Some(end) => Some(cause_of(end)),
            // Its holder did not say, and has the side no more.
            None if number < last || sender.state != Peer::Here => Some(Cause::PeerDied),
            None => None,
        };
        Some(SessionView { info: SessionInfo::of(words, number), ended })
    };
    let sessions = (last.saturating_sub(KEPT - 1)..=last).filter_map(session).collect();
    let taken = consumer.session.taken.load(Ordering::Relaxed);
    LaneView { sender, receiver, taken, sessions, stats, records: records.filter(|_| layout.kind.is_bytes()) }
}

/// Longest message that a header may claim.
const MAX_SIZE: u64 = 1 << 46;

/// The layout that a header claims, if this version could have made it.
pub(crate) fn layout(header: &Header, path: &Path) -> Result<(Kind, Layout), OpenError> {
    if header.flags != 0 {
        return Err(OpenError::Flags { found: header.flags });
    }
    if !header.is_of_this_boot() {
        return Err(OpenError::OtherBoot);
    }
    let page = rustix::param::page_size() as u64;
    if u64::from(header.page) != page {
        let mismatch = Mismatch { what: "page size", found: header.page.into(), wanted: page, left_open: false };
        return Err(OpenError::Mismatch(mismatch));
    }
    let damaged = || OpenError::NotASegment { path: path.into() };
    let kind = Kind::from_number(header.kind).ok_or_else(damaged)?;
    let align = u64::from(header.align);
    let stride = match kind {
        // A message that cannot be mapped has no slot either.
        Kind::Lossy if header.size <= MAX_SIZE => Some(stamped::slot_bytes(header.size as usize) as u64),
        Kind::Lossy => None,
        _ => header.size.checked_next_multiple_of(align),
    };
    let plausible = align.is_power_of_two()
        && (8..=page).contains(&align)
        && header.size != 0
        && stride == Some(header.stride)
        && (kind != Kind::Lossy || (align == 8 && header.capacity.is_power_of_two() && header.capacity > 1))
        && (!kind.is_bytes() || header.size == bytes::WORD as u64)
        && (kind.has_lanes() || header.lanes == 1);
    let to_usize = |n: u64| usize::try_from(n).map_err(|_| damaged());
    match plausible {
        true => {
            let (capacity, size, stride) =
                (to_usize(header.capacity)?, to_usize(header.size)?, to_usize(header.stride)?);
            let lane = Layout::new(kind, capacity, size, stride, header.align as usize)?;
            Ok((kind, lane.with_lanes(header.lanes)?))
        }
        false => Err(damaged()),
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Never => "never",
            Self::Here => "here",
            Self::Left => "left",
            Self::GivenUp => "gave up",
            Self::Removed => "removed",
            Self::Died => "died",
        })
    }
}

impl fmt::Display for SideView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, pid, epoch, parked } = self;
        match state {
            Peer::Never => write!(f, "{state}"),
            _ => write!(f, "{state}, process {pid}, session {epoch}{}", if *parked { ", asleep" } else { "" }),
        }
    }
}

impl fmt::Display for ChannelInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, schema, capacity, message_bytes, receiver, lanes, seats } = self;
        let has_each = kind.has_lanes() && !kind.is_broadcast();
        let each = if has_each { format!(" in each of {} lanes", lanes.len()) } else { String::new() };
        writeln!(f, "carries   {schema}")?;
        if kind.is_bytes() {
            writeln!(f, "kind      {kind}, {} bytes{each}, in words of {message_bytes}", capacity * message_bytes)?;
        } else {
            writeln!(f, "kind      {kind}, {capacity} messages of {message_bytes} bytes{each}")?;
        }
        match kind {
            Kind::Lossy => f.write_str("receivers only read, and are not counted")?,
            Kind::Broadcast => {
                let gate = seats.iter().filter(|seat| seat.gates).count();
                write!(f, "receivers {gate} of {} seats", seats.len())?;
                for (i, SeatView { receiver, name, gates, lag }) in seats.iter().enumerate() {
                    if *gates {
                        let name = name.as_ref().map_or(String::new(), |name| format!("{name:?}, "));
                        write!(f, "\nseat {i:<4} {name}{lag} behind, {receiver}")?;
                    }
                }
            }
            // The same of each lane.
            Kind::FanOut => lanes.first().map_or(Ok(()), |lane| write!(f, "sender    {}", lane.sender))?,
            _ => write!(f, "receiver  {receiver}")?,
        }
        for (i, LaneView { sender, receiver, stats, records, .. }) in lanes.iter().enumerate() {
            if *kind == Kind::FanOut {
                if receiver.state != Peer::Never || stats.depth != 0 {
                    write!(f, "\nworker    lane {i}, {receiver}\nstats     {stats}")?;
                }
                continue;
            }
            if kind.is_fan_in() && sender.epoch == 0 && sender.state == Peer::Never {
                continue;
            }
            let lane = if kind.is_fan_in() { format!("lane {i}, ") } else { String::new() };
            write!(f, "\nsender    {lane}{sender}\n")?;
            match records {
                Some(records) => write!(f, "records   {records} sent\nwords     {stats}")?,
                None if *kind == Kind::Lossy => write!(f, "stats     sent {} kept {}", stats.sent, stats.depth)?,
                None => write!(f, "stats     {stats}")?,
            }
        }
        Ok(())
    }
}
