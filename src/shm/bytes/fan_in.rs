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

pub use super::{Batch, SendError, SendTimeoutError, Sender, TrySendError};
use crate::shm::builder::{Channel, Many, Records, parts};
use crate::shm::error::{OpenError, RecvError, RecvTimeoutError, TryRecvError, without_deadline};
use crate::shm::iter::iterates;
use crate::shm::ring::batch::FreeOnDrop;
use crate::shm::ring::lanes::Lanes;
pub use crate::shm::ring::lanes::{Departed, Disconnected};
use crate::shm::ring::open::SessionInfo;
use crate::shm::ring::receiving_end::Rx;
use crate::shm::schema::Schema;
use crate::shm::segment::layout::Kind;

use super::receiver::{read_owned, take, take_owned};
use super::{HEADER, InPlace, RecordInfo, SCHEMA, WORD, large_enough, layout, max_len};
use crate::ring::layout::Stats;
use crate::shm::peer::session::{End, Peer};

use crate::wait::{Deadline, WaitStrategy};
use core::fmt;
use core::time::Duration;
use std::time::Instant;

/// Bytes of a lane by default.
const CAPACITY: usize = 1 << 18;

/// Opens the sides of a channel of records with many senders.
pub type Builder = crate::shm::builder::Builder<Records, Many>;

impl Channel for (Records, Many) {
    type Sender = Sender;
    type Receiver = Receiver;

    const KIND: Kind = Kind::BytesFanIn;
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
        Ok(Receiver { lanes: Lanes::begin(large_enough(opened)?, wait)? })
    }
}

/// The receiving side. Dropping it closes all lanes in order; what it has not received stays for the next receiver.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Receiver {
    pub(crate) lanes: Lanes<u64>,
}

impl Receiver {
    /// Takes the next record if there is one now; its body takes the place of what is in `body`. With its lane.
    ///
    /// # Errors
    /// As [`fan_in::Receiver::try_recv_from`](crate::shm::fan_in::Receiver::try_recv_from); `body` is then as it was.
    #[inline]
    pub fn try_recv_into(&mut self, body: &mut Vec<u8>) -> Result<(usize, RecordInfo), TryRecvError<Disconnected>> {
        self.lanes.try_take(|rx| take(rx, body))
    }

    /// Takes the next record, waiting for one if need be; also for senders where there was never one.
    ///
    /// # Errors
    /// As [`fan_in::Receiver::recv_from`](crate::shm::fan_in::Receiver::recv_from).
    #[inline]
    pub fn recv_into(&mut self, body: &mut Vec<u8>) -> Result<(usize, RecordInfo), RecvError<Disconnected>> {
        self.recv_until(body, || Deadline::NEVER).map_err(without_deadline)
    }

    /// Takes the next record, waiting for at most `timeout`.
    ///
    /// # Errors
    /// As [`Receiver::recv_into`], or no record in time.
    pub fn recv_timeout_into(
        &mut self,
        body: &mut Vec<u8>,
        timeout: Duration,
    ) -> Result<(usize, RecordInfo), RecvTimeoutError<Disconnected>> {
        self.recv_until(body, || Deadline::after(Some(timeout)))
    }

    /// Takes the next record, waiting until `deadline`.
    ///
    /// # Errors
    /// As [`Receiver::recv_into`], or no record in time.
    pub fn recv_deadline_into(
        &mut self,
        body: &mut Vec<u8>,
        deadline: Instant,
    ) -> Result<(usize, RecordInfo), RecvTimeoutError<Disconnected>> {
        self.recv_until(body, || Deadline::at(deadline))
    }

    /// Moves up to `max` of the records that the lanes have now, each with its lane and what it says of itself, to the end of `records`, lane by lane.
    /// Returns how many, at least one unless `max` is 0. They count as received once this has returned: at most once.
    ///
    /// # Errors
    /// As [`Receiver::try_recv_into`]; an end only where no record was found before it.
    pub fn try_recv_many(
        &mut self,
        records: &mut Vec<(usize, Vec<u8>, RecordInfo)>,
        max: usize,
    ) -> Result<usize, TryRecvError<Disconnected>> {
        self.lanes.try_many(max, |lane, rx, max| move_into(lane, rx, max, records))
    }

    /// Waits for a record, then moves up to `max` of those there to the end of `records`, as [`Receiver::try_recv_many`] does.
    ///
    /// # Errors
    /// As [`Receiver::recv_into`]; an end only where no record was found before it.
    pub fn recv_many(
        &mut self,
        records: &mut Vec<(usize, Vec<u8>, RecordInfo)>,
        max: usize,
    ) -> Result<usize, RecvError<Disconnected>> {
        self.lanes.wait_many(max, |lane, rx, max| move_into(lane, rx, max, records))
    }

    /// The next record where it lies, without a copy, if there is one now. With its lane. After it is the next lane's turn, if that has any.
    ///
    /// Only for senders that are trusted: see [`bytes::Receiver::try_read_in_place`](super::Receiver::try_read_in_place).
    ///
    /// # Errors
    /// As [`Receiver::try_recv_into`].
    pub fn try_read_in_place(&mut self) -> Result<(usize, InPlace<'_>), TryRecvError<Disconnected>> {
        let lane = loop {
            let lane = self.lanes.try_next()?;
            // Should it be no record, the next turn says so.
            if InPlace::begin(FreeOnDrop::new(self.lanes.at(lane))).is_ok() {
                break lane;
            }
        };
        self.lanes.spend(usize::MAX);
        let record = InPlace::begin(FreeOnDrop::new(self.lanes.at(lane))).map_err(|_| TryRecvError::Empty)?;
        Ok((lane, record))
    }

    /// Waits until there is a record, for at most `timeout`, and takes nothing.
    ///
    /// # Errors
    /// As [`Receiver::recv_into`], or no record in time.
    pub fn wait_for_record(&mut self, timeout: Duration) -> Result<(), RecvTimeoutError<Disconnected>> {
        self.lanes.wait(Deadline::after(Some(timeout)))
    }

    /// Begins to take records of the next lane that has any, whose places stay occupied until [`Batch::commit`]. The lane with it; `None` if
    /// there is no record, or an end to be told first: see [`Receiver::wait_for_record`]. The next batch is another lane's, if that has any.
    pub fn batch(&mut self) -> Option<(usize, Batch<'_>)> {
        let (lane, taking) = self.lanes.taking_turns()?;
        Some((lane, Batch::new(taking)))
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.lanes.set_wait(strategy);
    }

    /// Accepts nothing more: the senders' next sends fail. What is in the channel stays there for the next receiver. Dropping does the same.
    pub fn close(&mut self) {
        self.lanes.close(None);
    }

    /// Closes as [`Receiver::close`] does, and says that not all was done that was to be: the senders get
    /// [`Cause::GivenUp`](crate::shm::Cause::GivenUp).
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
        self.lanes.lane(0).map_or(0, |rx| max_len(rx.ring.capacity()))
    }

    /// What the kernel says of a lane's sender; `None` if there is no such lane. A system call.
    pub fn peer(&self, lane: usize) -> Option<Peer> {
        self.lanes.lane(lane).map(|rx| rx.peer())
    }

    /// Waits until a sender has a lane, at most for `timeout`. Returns whether one has. Lanes that this receiver has closed do not count.
    pub fn wait_for_sender(&mut self, timeout: Duration) -> bool {
        self.lanes.wait_for_sender(timeout)
    }

    /// Whether there was no record a moment ago.
    pub fn is_empty(&self) -> bool {
        self.lanes.occupied() == 0
    }

    /// Bytes of all lanes that hold records, their headers included. Senders may add some at any time.
    pub fn len(&self) -> usize {
        self.lanes.occupied() * WORD
    }

    /// Whether no lane had room a moment ago, not even for a record without a body. Full lanes stay full until this handle receives.
    pub fn is_full(&self) -> bool {
        self.lanes.iter().all(|rx| rx.ring.capacity() - rx.ring.len() < HEADER)
    }

    /// Whether this side has closed, or every sender that there was has closed or given up, at least one, and none has come since. Records, and ends to
    /// be told, may still be there to receive, and other senders may come. A sender that was killed has not closed: [`Receiver::peer`] asks the
    /// kernel.
    pub fn is_closed(&self) -> bool {
        self.lanes.is_over()
    }

    /// Bytes of all lanes.
    pub fn capacity(&self) -> usize {
        self.lanes.places() * WORD
    }

    /// What a lane has done since the channel was made, in words of 8 bytes; `None` if there is no such lane.
    pub fn stats(&self, lane: usize) -> Option<Stats> {
        self.lanes.lane(lane).map(|rx| rx.stats())
    }

    fn recv_until(
        &mut self,
        body: &mut Vec<u8>,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<(usize, RecordInfo), RecvTimeoutError<Disconnected>> {
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

iterates! {
    [] Receiver, (usize, Vec<u8>, RecordInfo), RecvError<Disconnected>,
    |this: &mut Self| {
        let mut body = Vec::new();
        this.recv_into(&mut body).map(|(lane, info)| (lane, body, info))
    },
    |this: &mut Self| {
        let lane = this.lanes.next_untold()?;
        let (body, info) = take_owned(this.lanes.at(lane))?;
        this.lanes.spend(1);
        Some((lane, body, info))
    },
}

/// Moves a run of `lane` to `records`.
fn move_into(lane: usize, rx: &mut Rx<u64>, max: usize, records: &mut Vec<(usize, Vec<u8>, RecordInfo)>) -> usize {
    rx.take_all(max, read_owned, |(body, info)| records.push((lane, body, info)))
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("lanes", &self.lanes())
            .field("empty", &self.is_empty())
            .finish_non_exhaustive()
    }
}
