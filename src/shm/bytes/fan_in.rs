//! Records of any length from many senders, each in a process of its own; a lane for each sender.
//!
//! ```
//! use ringmail::shm::bytes::fan_in::Builder;
//! # let name = format!("doc-bytes-fan-in-{}", std::process::id());
//! let mut rx = Builder::new(&name).lanes(8).open_receiver()?;
//! // In other processes, up to eight at a time:
//! let mut tx = Builder::new(&name).open_sender()?;
//! tx.send(b"some bytes")?;
//!
//! let mut body = Vec::new();
//! let (lane, info) = rx.recv_into(&mut body)?;
//! assert_eq!((lane, &body[..], info.sequence), (tx.lane(), &b"some bytes"[..], 0));
//! # drop((tx, rx));
//! # assert!(Builder::new(&name).remove()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Lanes, order, ends and sleep are those of [`shm::fan_in`](crate::shm::fan_in), records those of [`bytes`](super): each lane has sequence
//! numbers of its own, that go on from one of its senders to the next.

pub use super::{Sender, TrySendError};
pub use crate::shm::lanes::{Departed, RecvError, TryRecvError};

use super::receiver::take;
use super::{RecordInfo, SCHEMA, layout, max_len};
use crate::ring::ends::Reader;
use crate::ring::layout::Stats;
use crate::ring::session::{End, Peer};
use crate::shm::ends::{Opened, SessionInfo};
use crate::shm::error::OpenError;
use crate::shm::fan_in::with_lanes;
use crate::shm::header::Header;
use crate::shm::lanes::{LANES, Lanes};
use crate::shm::message::Schema;
use crate::shm::place::{Anonymous, Place};
use crate::shm::segment::{Asked, Kind};
use crate::shm::sys::Role;
use crate::wait::{Deadline, WaitStrategy};
use core::fmt;
use core::time::Duration;

/// Bytes of a lane where nobody asks for others.
const CAPACITY: usize = 1 << 18;

/// Opens the sides of a channel of records with many senders.
#[derive(Clone, Debug)]
pub struct Builder {
    place: Place,
    capacity: Option<usize>,
    lanes: Option<usize>,
    wait: WaitStrategy,
    schema: Schema,
}

impl Builder {
    /// A channel called `name`: as [`spsc::Builder::new`](crate::shm::spsc::Builder::new).
    pub fn new(name: impl Into<String>) -> Self {
        Self::at(Place::named(name.into()))
    }

    /// The channel that a descriptor leads to: of an [`Anonymous`], or one that another process has passed on.
    pub fn from_fd(fd: impl Into<Anonymous>) -> Self {
        Self::at(Place::memory(fd.into()))
    }

    fn at(place: Place) -> Self {
        Self { place, capacity: None, lanes: None, wait: WaitStrategy::default(), schema: SCHEMA }
    }

    /// Makes a channel without a name, of so many lanes of `bytes` each. Its sides are opened by [`Builder::from_fd`].
    ///
    /// # Errors
    /// The capacity is 0 or too large, so is the number of lanes, or the system refused: see [`OpenError`].
    pub fn create_anonymous(
        lanes: usize,
        bytes: usize,
        schema: impl Into<Option<Schema>>,
    ) -> Result<Anonymous, OpenError> {
        let layout = with_lanes(layout(Kind::BytesFanIn, bytes)?, lanes)?;
        Anonymous::create(&Header::new(&layout, schema.into().unwrap_or(SCHEMA)), &layout)
    }

    /// Bytes of each lane: 256 KiB if nobody asks, else as [`bytes::Builder::capacity`](super::Builder::capacity).
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = Some(bytes);
        self
    }

    /// As [`fan_in::Builder::lanes`](crate::shm::fan_in::Builder::lanes).
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.lanes = Some(lanes);
        self
    }

    /// How the side that is opened waits.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.wait = strategy;
        self
    }

    /// As [`spsc::Builder::prefault`](crate::shm::spsc::Builder::prefault).
    pub fn prefault(mut self, all: bool) -> Self {
        self.place.pages.prefault = all;
        self
    }

    /// As [`spsc::Builder::hugepages`](crate::shm::spsc::Builder::hugepages).
    pub fn hugepages(mut self, ask: bool) -> Self {
        self.place.pages.huge = ask;
        self
    }

    /// As [`bytes::Builder::schema`](super::Builder::schema).
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }

    /// As [`spsc::Builder::missed_ends`](crate::shm::spsc::Builder::missed_ends).
    pub fn missed_ends(mut self, told: bool) -> Self {
        self.place.missed_ends = told;
        self
    }

    /// Opens a sending side, as [`fan_in::Builder::open_sender`](crate::shm::fan_in::Builder::open_sender); makes the channel if it is not
    /// there.
    ///
    /// # Errors
    /// As there.
    pub fn open_sender(self) -> Result<Sender, OpenError> {
        Sender::begin(self.open(Role::Sender)?, self.wait, self.schema.version)
    }

    /// Opens the receiving side; makes the channel if it is not there. Records that an earlier receiver left are received first.
    ///
    /// # Errors
    /// The channel is another one, somebody has its receiving side, or the system refused: see [`OpenError`].
    pub fn open_receiver(self) -> Result<Receiver, OpenError> {
        let wait = self.wait;
        Ok(Receiver { lanes: Lanes::begin(self.open(Role::Receiver)?, wait) })
    }

    /// Removes the channel if nobody has any of its sides. Whether it did; what was in it is gone. One without a name is never removed: it
    /// goes with its last descriptor.
    ///
    /// # Errors
    /// There is none, or it is not a channel.
    pub fn remove(self) -> Result<bool, OpenError> {
        self.place.remove()
    }

    fn open(&self, role: Role) -> Result<Opened, OpenError> {
        let lane = layout(Kind::BytesFanIn, self.capacity.unwrap_or(CAPACITY))?;
        let asked = Asked { capacity: self.capacity.is_some(), lanes: self.lanes.is_some() };
        super::open(&self.place, &with_lanes(lane, self.lanes.unwrap_or(LANES))?, self.schema, asked, role)
    }
}

/// The receiving side. Dropping it closes all lanes in order; what it has not received stays for the next receiver.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Receiver {
    pub(in crate::shm) lanes: Lanes<u64>,
}

impl Receiver {
    /// Takes the next record if there is one now; its body takes the place of what is in `body`. With its lane.
    ///
    /// # Errors
    /// As [`fan_in::Receiver::try_recv_from`](crate::shm::fan_in::Receiver::try_recv_from); `body` is then as it was.
    #[inline]
    pub fn try_recv_into(&mut self, body: &mut Vec<u8>) -> Result<(usize, RecordInfo), TryRecvError> {
        self.lanes.try_take(|rx| take(rx, body))
    }

    /// Takes the next record, waiting for one if need be; also for senders where there was never one.
    ///
    /// # Errors
    /// As [`fan_in::Receiver::recv_from`](crate::shm::fan_in::Receiver::recv_from).
    #[inline]
    pub fn recv_into(&mut self, body: &mut Vec<u8>) -> Result<(usize, RecordInfo), RecvError> {
        self.recv_until(body, || Deadline::NEVER)
    }

    /// Takes the next record, waiting for at most `timeout`.
    ///
    /// # Errors
    /// As [`Receiver::recv_into`], or no record in time.
    pub fn recv_timeout_into(
        &mut self,
        body: &mut Vec<u8>,
        timeout: Duration,
    ) -> Result<(usize, RecordInfo), RecvError> {
        self.recv_until(body, || Deadline::after(Some(timeout)))
    }

    /// Accepts nothing more: the senders' next sends fail. What is in the channel stays there for the next receiver. Dropping does the same.
    pub fn close(&mut self) {
        self.lanes.close(None);
    }

    /// Closes as [`Receiver::close`] does, and says that not all was done that was to be: the senders get
    /// [`Ended::GivenUp`](crate::shm::Ended::GivenUp).
    pub fn give_up(&mut self) {
        self.lanes.close(Some(End::GivenUp));
    }

    /// The session of a lane's sender that its last record came from, or whose end was told last; `None` before.
    pub fn session(&self, lane: usize) -> Option<SessionInfo> {
        self.lanes.lane(lane)?.session()
    }

    /// Lanes of the channel, used or not.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Longest body that a lane can carry, in bytes.
    pub fn max_len(&self) -> usize {
        self.lanes.lane(0).map_or(0, |rx| max_len(Reader::capacity(&*rx.ring)))
    }

    /// What the kernel says of a lane's sender; `None` if there is no such lane. A system call.
    pub fn peer(&self, lane: usize) -> Option<Peer> {
        self.lanes.lane(lane).map(|rx| rx.peer())
    }

    /// Waits until somebody has a lane, at most for `timeout`. Whether somebody has. Lanes that this receiver has closed do not count.
    pub fn wait_for_sender(&mut self, timeout: Duration) -> bool {
        self.lanes.wait_for_sender(timeout)
    }

    /// Whether there was no record a moment ago.
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(|rx| Reader::len(&*rx.ring) == 0)
    }

    /// What a lane has done since the channel was made, in words of 8 bytes; `None` if there is no such lane.
    pub fn stats(&self, lane: usize) -> Option<Stats> {
        self.lanes.lane(lane).map(|rx| rx.stats())
    }

    fn recv_until(
        &mut self,
        body: &mut Vec<u8>,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<(usize, RecordInfo), RecvError> {
        if let Some(found) = self.lanes.take(|rx| take(rx, body)) {
            return Ok(found);
        }
        let deadline = deadline();
        loop {
            self.lanes.wait(deadline)?;
            if let Some(found) = self.lanes.take(|rx| take(rx, body)) {
                return Ok(found);
            }
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("lanes", &self.lanes())
            .field("empty", &self.is_empty())
            .finish_non_exhaustive()
    }
}
