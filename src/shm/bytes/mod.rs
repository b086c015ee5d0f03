//! Records of any length: one sender, one receiver, each in a process of its own or both in one.
//!
//! ```
//! use ringmail::shm::bytes::{Builder, Record};
//! # let name = format!("doc-bytes-{}", std::process::id());
//! let mut tx = Builder::new(&name).capacity(1 << 16).open_sender()?;
//! let mut rx = Builder::new(&name).open_receiver()?;
//! tx.send(b"some bytes")?;
//! tx.send(Record::new(b"{}").kind(7))?;
//!
//! let mut body = Vec::new();
//! let first = rx.recv_into(&mut body)?;
//! assert_eq!((&body[..], first.sequence), (&b"some bytes"[..], 0));
//! let second = rx.recv_into(&mut body)?;
//! assert_eq!((&body[..], second.kind, second.sequence), (&b"{}"[..], 7, 1));
//! # drop((tx, rx));
//! # assert!(Builder::new(&name).remove()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The ring is that of [`spsc`](super::spsc) over words of 8 bytes; a record is a run of them, and one store publishes the whole run:
//!
//! ```text
//!    0          4       6        8                  12          16                 24
//!    ├──────────┼───────┼────────┼──────────────────┼───────────┼──────────────────┼─────────────────────────┐
//!    │ length   │ kind  │ flags  │ version          │ reserved  │ sequence number  │ body, zeros to a word   │
//!    │ u32      │ u16   │ u16: 0 │ u32              │ u32: 0    │ u64              │                         │
//!    └──────────┴───────┴────────┴──────────────────┴───────────┴──────────────────┴─────────────────────────┘
//! ```
//! Numbers are little-endian. A record may go on at the start of the storage where its end is reached.
//!
//! # Sequence numbers
//!
//! The first record of a channel is number 0, and each has the number after the one before, whoever sends: a sender that takes over goes on
//! where the last published record left off. Before each record the sender notes, in its own page, how many records there are once the
//! position has moved, and to where. It has two such notes and writes them in turn, so the one of the published position is always whole.
//! No number is left out or given twice, wherever a sender was killed.
//!
//! # What is checked
//!
//! A record whose length is more than was published, or whose flags or reserved bytes are not 0, is [`Ended::Corrupted`](super::Ended), from then
//! on and without a further look. What the body says is the reader's business.

pub mod fan_in;
mod receiver;
mod sender;

pub use receiver::{Batch, InPlace, Receiver, RecordInfo};
pub use sender::{Reservation, SendError, Sender, TooLarge, TrySendError};

use super::ends::{self, Opened};
use super::error::OpenError;
use super::header;
use super::message::Schema;
use super::place::{Anonymous, Place};
use super::segment::{Asked, Kind, Layout};
use super::sys::Role;
use crate::error::BuildError;
use crate::wait::WaitStrategy;

pub(super) const WORD: usize = size_of::<u64>();
/// Words before the body.
const HEADER: usize = 3;
/// Bytes of the ring where nobody asks for others.
const CAPACITY: usize = 1 << 20;
/// What bodies mean where nobody says.
const SCHEMA: Schema = Schema::new("bytes");

/// Opens the sides of a channel of records.
#[derive(Clone, Debug)]
pub struct Builder {
    place: Place,
    capacity: Option<usize>,
    wait: WaitStrategy,
    schema: Schema,
}

impl Builder {
    /// A channel called `name`: as [`spsc::Builder::new`](super::spsc::Builder::new).
    pub fn new(name: impl Into<String>) -> Self {
        Self::at(Place::named(name.into()))
    }

    /// The channel that a descriptor leads to: of an [`Anonymous`], or one that another process has passed on.
    pub fn from_fd(fd: impl Into<Anonymous>) -> Self {
        Self::at(Place::memory(fd.into()))
    }

    fn at(place: Place) -> Self {
        Self { place, capacity: None, wait: WaitStrategy::default(), schema: SCHEMA }
    }

    /// Makes a channel without a name, with a ring of `bytes` as for [`Builder::capacity`], whose records mean `schema` (`None`: as where
    /// nobody says, see [`Builder::schema`]). Its sides are opened by [`Builder::from_fd`], here and in other processes.
    ///
    /// ```
    /// use ringmail::shm::bytes::Builder;
    ///
    /// let channel = Builder::create_anonymous(1 << 16, None)?;
    /// let mut tx = Builder::from_fd(&channel).open_sender()?;
    /// let mut rx = Builder::from_fd(&channel).open_receiver()?;
    /// tx.send(b"some bytes")?;
    /// let mut body = Vec::new();
    /// rx.recv_into(&mut body)?;
    /// assert_eq!(body, b"some bytes");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The capacity is 0 or too large, or the system refused: see [`OpenError`].
    pub fn create_anonymous(bytes: usize, schema: impl Into<Option<Schema>>) -> Result<Anonymous, OpenError> {
        let layout = layout(Kind::Bytes, bytes)?;
        Anonymous::create(&header::Header::new(&layout, schema.into().unwrap_or(SCHEMA)), &layout)
    }

    /// Bytes of the ring: 1 MiB if nobody asks, at most 8 GiB, rounded up to whole words of 8 bytes and to at least 32. A record takes its
    /// body, rounded up to whole words, and 24 bytes. A side that asks is refused by a channel that was made with another capacity; one that
    /// does not takes it as it is.
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = Some(bytes);
        self
    }

    /// How the side that is opened waits.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.wait = strategy;
        self
    }

    /// Whether the side that is opened maps all of its memory at once, so that no send or receive waits for the kernel to do so. Takes
    /// time at the opening. Memory can still be swapped out.
    pub fn prefault(mut self, all: bool) -> Self {
        self.place.pages.prefault = all;
        self
    }

    /// Whether the side that is opened asks the kernel for large pages under the data; of use from some MiB on. Advice only: that it was
    /// not followed is no error, and shows in `ShmemPmdMapped` of `/proc/<pid>/smaps`. The kernel follows it where the file system is
    /// mounted with `huge=advise` or more (without a name: where `/sys/kernel/mm/transparent_hugepage/shmem_enabled` says so), from Linux
    /// 6.1 on at once.
    pub fn hugepages(mut self, ask: bool) -> Self {
        self.place.pages.huge = ask;
        self
    }

    /// What the bodies mean; `bytes` version 1 if nobody says. Its version is that of each record that does not name its own.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }

    /// As [`spsc::Builder::missed_ends`](crate::shm::spsc::Builder::missed_ends).
    pub fn missed_ends(mut self, told: bool) -> Self {
        self.place.missed_ends = told;
        self
    }

    /// Opens the sending side; makes the channel if it is not there.
    ///
    /// # Errors
    /// The channel is another one, somebody has its sending side, or the system refused: see [`OpenError`].
    pub fn open_sender(self) -> Result<Sender, OpenError> {
        Sender::begin(self.open(Role::Sender)?, self.wait, self.schema.version)
    }

    /// Opens the receiving side; makes the channel if it is not there. Records that an earlier receiver left are received first.
    ///
    /// # Errors
    /// The channel is another one, somebody has its receiving side, or the system refused: see [`OpenError`].
    pub fn open_receiver(self) -> Result<Receiver, OpenError> {
        Ok(Receiver::begin(self.open(Role::Receiver)?, self.wait))
    }

    /// Removes the channel, of whatever kind, if nobody has either of its sides. Whether it did; what was in it is gone. One without a
    /// name is never removed: it goes with its last descriptor.
    ///
    /// # Errors
    /// There is none, or it is not a channel.
    pub fn remove(self) -> Result<bool, OpenError> {
        self.place.remove()
    }

    fn open(&self, role: Role) -> Result<Opened, OpenError> {
        let layout = layout(Kind::Bytes, self.capacity.unwrap_or(CAPACITY))?;
        let asked = Asked { capacity: self.capacity.is_some(), lanes: false };
        open(&self.place, &layout, self.schema, asked, role)
    }
}

fn open(place: &Place, layout: &Layout, schema: Schema, asked: Asked, role: Role) -> Result<Opened, OpenError> {
    let opened = ends::open(place, layout, schema, asked, role)?;
    // `layout` makes none that is smaller: no record would ever fit.
    if opened.layout.capacity > HEADER as u64 { Ok(opened) } else { Err(OpenError::Corrupted) }
}

/// Of a ring of so many bytes.
fn layout(kind: Kind, bytes: usize) -> Result<Layout, OpenError> {
    if bytes == 0 {
        return Err(BuildError::ZeroCapacity.into());
    }
    let words = bytes.div_ceil(WORD).max(HEADER + 1);
    Ok(Layout::new(kind, words, WORD, WORD, WORD)?)
}

/// A record to be sent: its body, a kind for the reader to tell records apart (0 if nobody says), and the version of its meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    body: &'a [u8],
    kind: u16,
    version: Option<u32>,
}

impl<'a> Record<'a> {
    /// A record of kind 0, in the version of its sender's schema.
    pub fn new(body: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { body: body.as_ref(), kind: 0, version: None }
    }

    /// The same record, of this kind.
    pub fn kind(self, kind: u16) -> Self {
        Self { kind, ..self }
    }

    /// The same record, in this version.
    pub fn version(self, version: u32) -> Self {
        Self { version: Some(version), ..self }
    }
}

impl<'a, B: AsRef<[u8]> + ?Sized> From<&'a B> for Record<'a> {
    fn from(body: &'a B) -> Self {
        Self::new(body)
    }
}

/// Longest body in a ring of `words`.
fn max_len(words: usize) -> usize {
    (words.saturating_sub(HEADER) * WORD).min(u32::MAX as usize)
}

/// The words before a body.
struct Header {
    len: u32,
    kind: u16,
    version: u32,
    sequence: u64,
}

impl Header {
    fn encode(&self) -> [u64; HEADER] {
        let first = u64::from(self.len) | u64::from(self.kind) << 32;
        // Of a word in memory the little end comes first, whatever the machine's own order is.
        [first, self.version.into(), self.sequence].map(u64::to_le)
    }

    /// `None` if flags or reserved bytes are set.
    fn decode(words: [u64; HEADER]) -> Option<Self> {
        let [first, second, sequence] = words.map(u64::from_le);
        let plain = first >> 48 == 0 && second >> 32 == 0;
        let kind = (first >> 32) as u16;
        plain.then_some(Self { len: first as u32, kind, version: second as u32, sequence })
    }
}
