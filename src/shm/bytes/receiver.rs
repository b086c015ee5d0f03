//! The side that receives records.

use super::{HEADER, Header, WORD, max_len};
use crate::error::BuildError;
use crate::ring::layout::Stats;
use crate::shm::error::{Cause, RecvError, RecvTimeoutError, TryRecvError, without_deadline};
use crate::shm::iter::iterates;
use crate::shm::peer::session::End;
use crate::shm::peer::session::Peer;
use crate::shm::ring::attach;
use crate::shm::ring::batch::FreeOnDrop;
use crate::shm::ring::open::{Opened, SessionInfo};
use crate::shm::ring::receiving_end::Rx;
use crate::wait::{Deadline, WaitStrategy};
use core::fmt;
use core::time::Duration;
use std::time::Instant;

/// The receiving side. Dropping it closes the channel in order; what it has not received stays for the next receiver.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Receiver {
    pub(crate) rx: Rx<u64>,
}

/// What a record says beside its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RecordInfo {
    /// Which kind the sender says that it is.
    pub kind: u16,
    /// In which version of its meaning.
    pub version: u32,
    /// How many records were sent before it.
    pub sequence: u64,
    /// Bytes of the body.
    pub len: usize,
}

impl Receiver {
    pub(crate) fn begin(opened: Opened, wait: WaitStrategy) -> Result<Self, BuildError> {
        Ok(Self { rx: Rx::begin(opened, wait)? })
    }

    /// Takes the next record if there is one now; its body takes the place of what is in `body`. A bounded number of steps.
    ///
    /// Does not ask the kernel whether the sender lives: [`Receiver::peer`] and the verbs that wait do. A record counts as received once this
    /// has returned it: at most once, should this process be killed. [`Receiver::batch`] is for at least once.
    ///
    /// # Errors
    /// `Empty`, or `Disconnected` with the cause once nothing is left; `body` is then as it was.
    #[inline]
    pub fn try_recv_into(&mut self, body: &mut Vec<u8>) -> Result<RecordInfo, TryRecvError<Cause>> {
        match self.take(body) {
            Some(info) => Ok(info),
            None => Err(nothing(&mut self.rx)),
        }
    }

    /// Takes the next record, waiting for one if need be; also for a sender that was never there.
    ///
    /// # Errors
    /// `Disconnected` with the cause once nothing is left.
    #[inline]
    pub fn recv_into(&mut self, body: &mut Vec<u8>) -> Result<RecordInfo, RecvError<Cause>> {
        match self.take(body) {
            Some(info) => Ok(info),
            None => self.recv_later(body, Deadline::NEVER).map_err(without_deadline),
        }
    }

    /// Takes the next record, waiting for at most `timeout`.
    ///
    /// # Errors
    /// No record in time, or `Disconnected` with the cause once nothing is left.
    pub fn recv_timeout_into(
        &mut self,
        body: &mut Vec<u8>,
        timeout: Duration,
    ) -> Result<RecordInfo, RecvTimeoutError<Cause>> {
        self.recv_until(body, || Deadline::after(Some(timeout)))
    }

    /// Takes the next record, waiting until `deadline`.
    ///
    /// # Errors
    /// No record in time, or `Disconnected` with the cause once nothing is left.
    pub fn recv_deadline_into(
        &mut self,
        body: &mut Vec<u8>,
        deadline: Instant,
    ) -> Result<RecordInfo, RecvTimeoutError<Cause>> {
        self.recv_until(body, || Deadline::at(deadline))
    }

    /// Moves up to `max` of the records there are now, each a body with what it says of itself, to the end of `records`, and frees their places
    /// together. Returns how many, at least one unless `max` is 0. They count as received once this has returned: at most once.
    ///
    /// # Errors
    /// As [`Receiver::try_recv_into`]; an end only where no record is before it.
    pub fn try_recv_many(
        &mut self,
        records: &mut Vec<(Vec<u8>, RecordInfo)>,
        max: usize,
    ) -> Result<usize, TryRecvError<Cause>> {
        match self.rx.take_all(max, read_owned, |record| records.push(record)) {
            0 if max != 0 => Err(nothing(&mut self.rx)),
            n => Ok(n),
        }
    }

    /// Waits for a record, then moves up to `max` of those there to the end of `records`, as [`Receiver::try_recv_many`] does.
    ///
    /// # Errors
    /// As [`Receiver::recv_into`]; an end only where no record is before it.
    pub fn recv_many(
        &mut self,
        records: &mut Vec<(Vec<u8>, RecordInfo)>,
        max: usize,
    ) -> Result<usize, RecvError<Cause>> {
        loop {
            match self.try_recv_many(records, max) {
                Ok(n) => return Ok(n),
                Err(TryRecvError::Disconnected(ended)) => return Err(RecvError(ended)),
                Err(TryRecvError::Empty) => {
                    self.rx.wait_for_message(Deadline::NEVER).map_err(without_deadline)?;
                }
            }
        }
    }

    /// Waits until there is a record, for at most `timeout`, and takes nothing.
    ///
    /// # Errors
    /// No record in time, or `Disconnected` with the cause once nothing is left.
    pub fn wait_for_record(&mut self, timeout: Duration) -> Result<(), RecvTimeoutError<Cause>> {
        let deadline = Deadline::after(Some(timeout));
        while !self.rx.finds() {
            wait(&mut self.rx, deadline)?;
        }
        Ok(())
    }

    /// The next record where it lies, without a copy, if there is one now.
    ///
    /// Only for a sender that is trusted to keep this crate's protocol, as code of one's own process is: one that writes to a record
    /// which it has sent, against the protocol, would change it under the reader's eyes, and what the reader does then is undefined.
    /// For all others, [`Receiver::try_recv_into`] copies first.
    ///
    /// # Errors
    /// As [`Receiver::try_recv_into`].
    pub fn try_read_in_place(&mut self) -> Result<InPlace<'_>, TryRecvError<Cause>> {
        let taking = FreeOnDrop::new(&mut self.rx);
        InPlace::begin(taking).map_err(|taking| nothing(taking.from))
    }

    /// Begins to take records whose places stay occupied until [`Batch::commit`].
    pub fn batch(&mut self) -> Batch<'_> {
        Batch::new(FreeOnDrop::new(&mut self.rx))
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.rx.set_wait(strategy);
    }

    /// Accepts nothing more: the sender's next send fails. What is in the channel stays there for the next receiver. Dropping does the same.
    pub fn close(&mut self) {
        self.rx.close(None);
    }

    /// Closes as [`Receiver::close`] does, and says that not all was done that was to be: the sender gets
    /// [`Cause::GivenUp`](crate::shm::Cause::GivenUp). So does one whose receiver is dropped by a panic.
    pub fn give_up(&mut self) {
        self.rx.close(Some(End::GivenUp));
    }

    /// The session of the sender that the last record came from, or whose end was told last; `None` before.
    pub fn session(&self) -> Option<SessionInfo> {
        self.rx.session()
    }

    /// What the kernel says of the sender. A system call.
    pub fn peer(&self) -> Peer {
        self.rx.peer()
    }

    /// Waits until a process has the sending side, at most for `timeout`. Returns whether one has.
    pub fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        self.rx.wait_for_peer(timeout)
    }

    /// Whether there was no record a moment ago.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the ring that hold records, their headers included. The sender may add some at any time.
    pub fn len(&self) -> usize {
        self.rx.ring.len() * WORD
    }

    /// Whether there was no room a moment ago, not even for a record without a body. A full channel stays full until this handle receives.
    pub fn is_full(&self) -> bool {
        self.capacity() - self.len() < HEADER * WORD
    }

    /// Whether this side has closed, or the sender has closed or given up and none has come since; also once the other side has written what cannot be.
    /// Records, and an end to be told, may still be there to receive, and another sender may come. A sender that was killed has not closed:
    /// [`Receiver::peer`] asks the kernel.
    pub fn is_closed(&self) -> bool {
        self.rx.is_over()
    }

    /// Bytes of the ring.
    pub fn capacity(&self) -> usize {
        self.rx.ring.capacity() * WORD
    }

    /// Longest body that the channel can carry, in bytes.
    pub fn max_len(&self) -> usize {
        max_len(self.rx.ring.capacity())
    }

    /// What the channel has done since it was made, under all who had its sides. Counts words of 8 bytes, headers included, where
    /// other channels count messages.
    pub fn stats(&self) -> Stats {
        self.rx.stats()
    }

    #[inline]
    fn take(&mut self, body: &mut Vec<u8>) -> Option<RecordInfo> {
        take(&mut self.rx, body)
    }

    #[inline]
    fn recv_until(
        &mut self,
        body: &mut Vec<u8>,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<RecordInfo, RecvTimeoutError<Cause>> {
        match self.take(body) {
            Some(info) => Ok(info),
            None => self.recv_later(body, deadline()),
        }
    }

    #[cold]
    #[inline(never)]
    fn recv_later(&mut self, body: &mut Vec<u8>, deadline: Deadline) -> Result<RecordInfo, RecvTimeoutError<Cause>> {
        loop {
            wait(&mut self.rx, deadline)?;
            if let Some(info) = self.take(body) {
                return Ok(info);
            }
        }
    }
}

iterates! {
    [] Receiver, (Vec<u8>, RecordInfo), RecvError<Cause>,
    |this: &mut Self| {
        let mut body = Vec::new();
        this.recv_into(&mut body).map(|info| (body, info))
    },
    |this: &mut Self| take_owned(&mut this.rx),
}

/// The next record, in memory of its own.
pub(crate) fn take_owned(rx: &mut Rx<u64>) -> Option<(Vec<u8>, RecordInfo)> {
    let mut body = Vec::new();
    take(rx, &mut body).map(|info| (body, info))
}

/// The same; its place stays occupied.
pub(crate) fn read_owned(rx: &mut Rx<u64>) -> Option<(Vec<u8>, RecordInfo)> {
    let mut body = Vec::new();
    read(rx, &mut body).map(|info| (body, info))
}

fn nothing(rx: &mut Rx<u64>) -> TryRecvError<Cause> {
    rx.nothing().map_or(TryRecvError::Empty, TryRecvError::Disconnected)
}

/// To be called where nothing was found.
fn wait(rx: &mut Rx<u64>, deadline: Deadline) -> Result<(), RecvTimeoutError<Cause>> {
    match rx.nothing() {
        Some(ended) => Err(RecvTimeoutError::Disconnected(ended)),
        None => rx.wait_for_message(deadline),
    }
}

/// The next record.
#[inline]
pub(crate) fn take(rx: &mut Rx<u64>, body: &mut Vec<u8>) -> Option<RecordInfo> {
    let before = rx.ring.position();
    let info = read(rx, body)?;
    rx.free(rx.ring.position().since(before));
    Some(info)
}

fn word(rx: &mut Rx<u64>) -> u64 {
    rx.read().unwrap_or(0)
}

/// What the next record says beside its body, which has been seen and is next; the record's place stays occupied.
#[inline]
fn read_header(rx: &mut Rx<u64>) -> Option<RecordInfo> {
    if !rx.finds() {
        return None;
    }
    let at = rx.ring.position();
    // Records are published whole, so all of this one was seen, or it is none.
    let seen = rx.ring.seen();
    let header = if seen < HEADER as u64 { None } else { Header::decode([word(rx), word(rx), word(rx)]) };
    let fits = |header: &Header| u64::from(header.len).div_ceil(WORD as u64) <= seen - HEADER as u64;
    let Some(Header { len, kind, version, sequence }) = header.filter(fits) else {
        rx.poison(at);
        return None;
    };
    Some(RecordInfo { kind, version, sequence, len: len as usize })
}

/// The next record; its place stays occupied.
#[inline]
fn read(rx: &mut Rx<u64>, body: &mut Vec<u8>) -> Option<RecordInfo> {
    let info = read_header(rx)?;
    body.clear();
    body.reserve(info.len);
    for _ in 0..info.len / WORD {
        body.extend_from_slice(&word(rx).to_ne_bytes());
    }
    if info.len % WORD != 0 {
        body.extend_from_slice(&word(rx).to_ne_bytes()[..info.len % WORD]);
    }
    Some(info)
}

/// A record where it lies in the channel. Its place is freed by [`InPlace::commit`]; without that, the next receive gets it again.
///
/// Only for a sender that is trusted: see [`Receiver::try_read_in_place`].
pub struct InPlace<'a> {
    taking: FreeOnDrop<'a, u64>,
    info: RecordInfo,
}

impl<'a> InPlace<'a> {
    /// The next record, if there is one.
    pub(crate) fn begin(taking: FreeOnDrop<'a, u64>) -> Result<Self, FreeOnDrop<'a, u64>> {
        match read_header(taking.from) {
            Some(info) => Ok(Self { taking, info }),
            None => Err(taking),
        }
    }

    /// What the record says beside its body.
    pub fn info(&self) -> RecordInfo {
        self.info
    }

    /// The body: the part up to the end of the ring, and the part from its start on; often the second is empty.
    pub fn as_slices(&self) -> (&[u8], &[u8]) {
        let words = self.info.len.div_ceil(WORD) as u64;
        let (first, second) = attach::trusted_bytes(&self.taking.from.ring, words);
        let in_first = self.info.len.min(first.len());
        (&first[..in_first], &second[..self.info.len - in_first])
    }

    /// Frees the record's place.
    pub fn commit(mut self) {
        self.taking.from.ring.pass(self.info.len.div_ceil(WORD) as u64);
        self.taking.done = true;
    }
}

impl fmt::Debug for InPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InPlace").field("info", &self.info).finish_non_exhaustive()
    }
}

/// Records that were taken but not yet freed. After a drop without [`Batch::commit`], a panic or a kill all of them come again, to this receiver or the
/// next receiver: at least once.
///
/// ```
/// # use ringmail::shm::bytes::Builder;
/// # let name = format!("doc-batch-{}", std::process::id());
/// # let mut tx = Builder::new(&name).open_sender()?;
/// # let mut rx = Builder::new(&name).open_receiver()?;
/// # tx.send(b"one")?;
/// let (mut body, mut file) = (Vec::new(), Vec::new());
/// let mut batch = rx.batch();
/// while batch.try_recv_into(&mut body).is_ok() {
///     file.extend_from_slice(&body);
/// }
/// // Only once it is safe:
/// batch.commit();
/// # assert_eq!(file, b"one");
/// # drop((tx, rx));
/// # assert!(Builder::new(&name).remove()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Batch<'a> {
    taking: FreeOnDrop<'a, u64>,
    taken: u64,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(taking: FreeOnDrop<'a, u64>) -> Self {
        Self { taking, taken: 0 }
    }

    /// As [`Receiver::try_recv_into`]; the record's place stays occupied.
    ///
    /// # Errors
    /// `Empty`, or `Disconnected` with the cause once nothing is left. A session's end is told after its records were committed, never before: a batch
    /// that has records says `Empty` there, and the next receive tells the end.
    #[inline]
    pub fn try_recv_into(&mut self, body: &mut Vec<u8>) -> Result<RecordInfo, TryRecvError<Cause>> {
        match read(self.taking.from, body) {
            Some(info) => {
                self.taken += 1;
                Ok(info)
            }
            // An end that is told counts as taken for the next receiver, to whom these records may come again.
            None if self.taken != 0 => {
                Err(self.taking.from.stopped().map_or(TryRecvError::Empty, TryRecvError::Disconnected))
            }
            None => Err(nothing(self.taking.from)),
        }
    }

    /// Frees the places of all the records. Returns how many.
    pub fn commit(mut self) -> u64 {
        self.taking.done = self.taken != 0;
        self.taken
    }
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("taken", &self.taken).finish_non_exhaustive()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("empty", &self.is_empty())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::shm::{bytes, fan_in, spsc};

    /// A record is several places long, so one alone would be taken for a few messages.
    #[test]
    fn only_a_receiver_of_one_lane_of_messages_lets_them_gather() {
        let records = bytes::Builder::create_anonymous(1 << 12, None).unwrap();
        assert!(!bytes::Builder::from_fd(&records).open_receiver().unwrap().rx.ring.gathers);
        let one = spsc::Builder::<u64>::create_anonymous(4).unwrap();
        assert!(spsc::Builder::<u64>::from_fd(&one).open_receiver().unwrap().rx.ring.gathers);
        for lanes in [1, 2] {
            let many = fan_in::Builder::<u64>::create_anonymous(lanes, 4).unwrap();
            let rx = fan_in::Builder::<u64>::from_fd(&many).open_receiver().unwrap();
            assert!(rx.lanes.iter().all(|lane| !lane.ring.gathers), "{lanes}");
        }
    }
}
