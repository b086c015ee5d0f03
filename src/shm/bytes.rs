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
//! The first record of a channel is number 0, and each has the number after the one before, also across senders: a sender that takes over goes on
//! where the last published record left off. Before each record the sender notes, in its own page, how many records there are once the
//! position has moved, and to where. It has two such notes and writes them in turn, so the one of the published position is always whole.
//! No number is left out or given twice, wherever a sender was killed.
//!
//! # What is checked
//!
//! A record whose length is more than was published, or whose flags or reserved bytes are not 0, is [`Cause::Corrupted`](super::Cause), from then
//! on and without a further look. What the body says is the reader's business.

pub mod fan_in;
mod receiver;
mod reservation;
mod sender;

use crate::shm::builder::{Channel, One, Records, parts};
use crate::shm::error::OpenError;
use crate::shm::ring::open::Opened;
use crate::shm::schema::Schema;
use crate::shm::segment::layout::{Kind, Layout};
pub use receiver::{Batch, InPlace, Receiver, RecordInfo};
pub use reservation::Reservation;
pub use sender::{SendError, SendTimeoutError, Sender, TooLarge, TrySendError};

use crate::error::BuildError;
use crate::wait::WaitStrategy;

pub(crate) const WORD: usize = size_of::<u64>();
/// Words before the body.
const HEADER: usize = 3;
/// Bytes of the ring by default.
const CAPACITY: usize = 1 << 20;
/// What bodies mean by default.
const SCHEMA: Schema = Schema::new("bytes");

/// Opens the sides of a channel of records.
pub type Builder = super::builder::Builder<Records, One>;

impl Channel for (Records, One) {
    type Sender = Sender;
    type Receiver = Receiver;

    const KIND: Kind = Kind::Bytes;
    const SCHEMA: Schema = SCHEMA;
    const CAPACITY: usize = CAPACITY;

    fn lane(capacity: usize) -> Result<parts::Lane, OpenError> {
        layout(Self::KIND, capacity).map(parts::Lane)
    }

    fn sender(
        parts::OpenedRole(opened): parts::OpenedRole,
        wait: WaitStrategy,
        version: u32,
    ) -> Result<Sender, OpenError> {
        Sender::begin(large_enough(opened)?, wait, version)
    }

    fn receiver(parts::OpenedRole(opened): parts::OpenedRole, wait: WaitStrategy) -> Result<Receiver, OpenError> {
        Ok(Receiver::begin(large_enough(opened)?, wait)?)
    }
}

/// [`layout`] makes none that is smaller: no record would ever fit.
fn large_enough(opened: Opened) -> Result<Opened, OpenError> {
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

/// A record to be sent: its body, a kind for the reader to tell records apart (0 by default), and the version of its meaning.
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
        // Of a word in memory the little end comes first, on every machine.
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
