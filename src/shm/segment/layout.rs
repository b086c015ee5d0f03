//! Where everything lies in a segment.

use crate::error::BuildError;
use crate::ring::backend::MAX_CAPACITY;
use crate::shm::error::OpenError;
use crate::shm::peer::Role;
use crate::shm::wait::futex::MOST_SLEPT_ON;
use core::fmt;

/// What travels in a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[repr(u32)]
pub enum Kind {
    /// One sender, one receiver, messages of one type: [`spsc`](crate::shm::spsc).
    Spsc = 1,
    /// One sender, one receiver, records of any length: [`bytes`](crate::shm::bytes).
    Bytes = 2,
    /// Many senders with a lane each, one receiver, messages of one type: [`fan_in`](crate::shm::fan_in).
    FanIn = 3,
    /// The same with records of any length: [`bytes::fan_in`](crate::shm::bytes::fan_in).
    BytesFanIn = 4,
    /// One sender that never waits, any number of receivers that only read, messages of one type: [`lossy`](crate::shm::lossy).
    Lossy = 5,
    /// One sender, many receivers with a seat each, all of which get every message of one type: [`broadcast`](crate::shm::broadcast).
    Broadcast = 6,
    /// One sender, many workers with a lane each, each message to one of them: [`fan_out`](crate::shm::fan_out).
    FanOut = 7,
}

impl Kind {
    /// Whether each sender has a lane of its own.
    pub(crate) fn is_fan_in(self) -> bool {
        matches!(self, Self::FanIn | Self::BytesFanIn)
    }

    /// Whether each receiver has a seat of its own.
    pub(crate) fn is_broadcast(self) -> bool {
        self == Self::Broadcast
    }

    /// Whether one side has a lane, or a seat, for each of its holders: their number is the maker's choice.
    pub(crate) fn has_lanes(self) -> bool {
        self.is_fan_in() || matches!(self, Self::Broadcast | Self::FanOut)
    }

    /// Whether each holder of `role` has a lane of its own.
    pub(crate) fn has_lane_each(self, role: Role) -> bool {
        match role {
            Role::Sender => self.is_fan_in(),
            Role::Receiver => self == Self::FanOut,
        }
    }

    /// Whether records travel in it.
    pub(crate) fn is_bytes(self) -> bool {
        matches!(self, Self::Bytes | Self::BytesFanIn)
    }

    /// The kind of that number in a header.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        let all = [Self::Spsc, Self::Bytes, Self::FanIn, Self::BytesFanIn, Self::Lossy, Self::Broadcast, Self::FanOut];
        all.into_iter().find(|&kind| kind as u32 == number)
    }
}

/// Where everything lies: a page of header, then for each lane pages of sender, receiver, data. Of a broadcast: a page of the sender, one of each seat,
/// data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    pub(crate) kind: Kind,
    /// One, but of a fan-in or a fan-out; of a broadcast its seats.
    pub(crate) lanes: u32,
    pub(crate) page: u64,
    pub(crate) capacity: u64,
    pub(crate) size: u64,
    pub(crate) stride: u64,
    pub(crate) align: u64,
    /// Bytes of a lane's data pages.
    pub(crate) data: u64,
}

impl Layout {
    /// Most lanes.
    pub(crate) const MAX_LANES: u32 = MOST_SLEPT_ON;

    /// Of one lane of `capacity` messages of `size` bytes in slots of `stride`.
    pub(crate) fn new(
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

    /// Most seats of a broadcast.
    pub(crate) const MAX_SEATS: u32 = 64;

    /// Bytes of the file.
    pub(crate) fn total(&self) -> u64 {
        match self.kind.is_broadcast() {
            true => self.parts(0)[2] + self.data,
            false => self.parts(self.lanes)[0],
        }
    }

    /// Where the pages of the sender, of the receiver and of the data of a lane, or of a seat, begin.
    pub(crate) fn parts(&self, lane: u32) -> [u64; 3] {
        let (page, lane, lanes) = (self.page, u64::from(lane), u64::from(self.lanes));
        if self.kind.is_broadcast() {
            return [page, (2 + lane) * page, (2 + lanes) * page];
        }
        let start = page + lane * (2 * page + self.data);
        [start, start + page, start + 2 * page]
    }

    /// The same with so many lanes.
    pub(crate) fn with_lanes(self, lanes: u32) -> Result<Self, OpenError> {
        if self.kind.is_broadcast() && !(1..=Self::MAX_SEATS).contains(&lanes) {
            return Err(OpenError::Receivers { receivers: lanes as usize, most: Self::MAX_SEATS as usize });
        }
        match (1..=Self::MAX_LANES).contains(&lanes) {
            true => Ok(Self { lanes, ..self }),
            false => Err(OpenError::Lanes { lanes: lanes as usize, most: Self::MAX_LANES as usize }),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Spsc => "spsc",
            Self::Bytes => "bytes",
            Self::FanIn => "fan_in",
            Self::BytesFanIn => "bytes::fan_in",
            Self::Lossy => "lossy",
            Self::Broadcast => "broadcast",
            Self::FanOut => "fan_out",
        })
    }
}
