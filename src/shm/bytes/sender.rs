//! The side that sends records.

use super::{HEADER, Header, Record, Reservation, WORD, max_len};
use crate::ring::layout::Stats;
use crate::shm::error;
use crate::shm::error::{Cause, OpenError};
use crate::shm::peer::attachment;
use crate::shm::peer::session::End;
use crate::shm::peer::session::Peer;
use crate::shm::ring::mapped::MessageBytes;
use crate::shm::ring::open::Opened;
use crate::shm::ring::sending_end::Tx;
use crate::sync::Ordering;
use crate::sync::failpoint::point;
use crate::sync::position::Position;
use crate::wait::{Deadline, WaitStrategy};
use core::fmt;
use core::time::Duration;
use std::time::Instant;

/// The sending side. Dropping it closes the channel in order; a process that ends without is noticed by the kernel.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Sender {
    pub(crate) tx: Tx<u64>,
    /// Where the next record goes; the published position.
    tail: Position,
    /// Number of the next record.
    pub(crate) sequence: u64,
    /// Of records that do not say.
    version: u32,
    max_len: usize,
}

impl Sender {
    pub(crate) fn begin(opened: Opened, wait: WaitStrategy, version: u32) -> Result<Self, OpenError> {
        let (tail, sequence) = attachment::records(&opened.maps[0]).ok_or(OpenError::Corrupted)?;
        let max_len = max_len(opened.layout.capacity as usize);
        Ok(Self { tx: Tx::begin(opened, wait), tail, sequence, version, max_len })
    }

    /// Sends a record, such as a `&[u8]` or a [`Record`], if there is room for all of it now. A bounded number of steps.
    ///
    /// Does not ask the kernel whether the receiver lives: [`Sender::peer`] and the verbs that wait do.
    ///
    /// # Errors
    /// `TooLarge` if it could never fit, `Full`, or `Disconnected` with the cause. Nothing of it was sent.
    #[inline]
    pub fn try_send<'a>(&mut self, record: impl Into<Record<'a>>) -> Result<(), TrySendError> {
        let record = record.into();
        let words = self.words(&record)?;
        match self.push(&record, words) {
            true => Ok(()),
            false => Err(self.tx.refusal(words as u64).map_or(TrySendError::Full, TrySendError::Disconnected)),
        }
    }

    /// Sends a record, waiting for room if need be; also for a receiver that was never there.
    ///
    /// # Errors
    /// `TooLarge` if it could never fit, or `Disconnected` with the cause. Nothing of it was sent.
    #[inline]
    pub fn send<'a>(&mut self, record: impl Into<Record<'a>>) -> Result<(), SendError> {
        match self.send_until(&record.into(), || Deadline::NEVER) {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::TooLarge(error)) => Err(SendError::TooLarge(error)),
            Err(SendTimeoutError::Disconnected(cause)) => Err(SendError::Disconnected(cause)),
            Err(SendTimeoutError::Timeout) => unreachable!("no deadline passes where there is none"),
        }
    }

    /// Sends a record, waiting for room for at most `timeout`.
    ///
    /// # Errors
    /// As [`Sender::send`], or no room in time.
    pub fn send_timeout<'a>(
        &mut self,
        record: impl Into<Record<'a>>,
        timeout: Duration,
    ) -> Result<(), SendTimeoutError> {
        self.send_until(&record.into(), || Deadline::after(Some(timeout)))
    }

    /// Sends a record, waiting for room until `deadline`.
    ///
    /// # Errors
    /// As [`Sender::send`], or no room in time.
    pub fn send_deadline<'a>(
        &mut self,
        record: impl Into<Record<'a>>,
        deadline: Instant,
    ) -> Result<(), SendTimeoutError> {
        self.send_until(&record.into(), || Deadline::at(deadline))
    }

    /// Begins a record of at most `len` bytes that is written where it will lie, if there is room for so many now.
    ///
    /// ```
    /// # use ringmail::shm::bytes::Builder;
    /// # let channel = Builder::create_anonymous(4096, None)?;
    /// # let mut tx = Builder::from_fd(&channel).open_sender()?;
    /// # let mut rx = Builder::from_fd(&channel).open_receiver()?;
    /// use std::io::Write;
    ///
    /// let mut record = tx.reserve(100)?;
    /// write!(record, "{} {}", 1, 2)?;
    /// record.commit();
    /// # let mut body = Vec::new();
    /// # rx.recv_into(&mut body)?;
    /// # assert_eq!(body, b"1 2");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Sender::try_send`].
    pub fn reserve(&mut self, len: usize) -> Result<Reservation<'_>, TrySendError> {
        let max = self.max_len;
        if len > max {
            return Err(TooLarge { len, max }.into());
        }
        let words = (HEADER + len.div_ceil(WORD)) as u64;
        if self.tx.reserve(words) != words {
            return Err(self.tx.refusal(words).map_or(TrySendError::Full, TrySendError::Disconnected));
        }
        self.tx.ring.stage_slice(&mut self.tx.staging, &[MessageBytes::new(0); HEADER]);
        let version = self.version;
        Ok(Reservation::begin(self, version, len))
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.tx.set_wait(strategy);
    }

    /// Sends nothing more. The receiver still gets what was sent, and then `Disconnected`. Dropping does the same.
    pub fn close(&mut self) {
        self.tx.close(None);
    }

    /// Closes as [`Sender::close`] does, and says that not all was sent that was to be: the receiver gets [`Cause::GivenUp`](crate::shm::Cause::GivenUp). So does one whose
    /// sender is dropped by a panic.
    pub fn give_up(&mut self) {
        self.tx.close(Some(End::GivenUp));
    }

    /// What the kernel says of the receiver. A system call.
    pub fn peer(&self) -> Peer {
        self.tx.peer()
    }

    /// Waits until a process has the receiving side, at most for `timeout`. Returns whether one has.
    pub fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        self.tx.wait_for_peer(timeout)
    }

    /// Number of the next record: as many were sent since the channel was made, under all who had this side.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Which lane of a [`fan_in`](super::fan_in) this is; 0 of any other channel.
    pub fn lane(&self) -> usize {
        self.tx.lane()
    }

    /// How often the lane has been taken, this time included.
    pub fn epoch(&self) -> u64 {
        self.tx.epoch()
    }

    /// Whether there was no record a moment ago.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the ring that hold records, their headers included. The receiver may take some at any time.
    pub fn len(&self) -> usize {
        self.tx.ring.len() * WORD
    }

    /// Whether there was no room a moment ago, not even for a record without a body. A channel with room keeps it until this handle sends.
    pub fn is_full(&self) -> bool {
        self.capacity() - self.len() < HEADER * WORD
    }

    /// Whether this side has closed, or the receiver has closed or given up and none has come since; also once the other side has written what cannot
    /// be. What is sent to a receiver that left waits for the next, after its end was told. A receiver that was killed has not closed:
    /// [`Sender::peer`] asks the kernel.
    pub fn is_closed(&self) -> bool {
        self.tx.is_over()
    }

    /// Bytes of the ring.
    pub fn capacity(&self) -> usize {
        self.tx.ring.capacity() * WORD
    }

    /// Longest body that the channel can carry, in bytes.
    pub fn max_len(&self) -> usize {
        self.max_len
    }

    /// What the channel has done since it was made, under all who had its sides. Counts words of 8 bytes, headers included, where
    /// other channels count messages.
    pub fn stats(&self) -> Stats {
        self.tx.stats()
    }

    /// Words that the record takes.
    #[inline]
    fn words(&self, record: &Record<'_>) -> Result<usize, TooLarge> {
        let (len, max) = (record.body.len(), self.max_len);
        if len <= max { Ok(HEADER + len.div_ceil(WORD)) } else { Err(TooLarge { len, max }) }
    }

    /// Sends the record if there is room for its `words`.
    #[inline]
    fn push(&mut self, record: &Record<'_>, words: usize) -> bool {
        if self.tx.reserve(words as u64) != words as u64 {
            return false;
        }
        let Tx { ring, staging, .. } = &mut self.tx;
        let Record { body, kind, version } = *record;
        let version = version.unwrap_or(self.version);
        // `words` has checked the length.
        let header = Header { len: body.len() as u32, kind, version, sequence: self.sequence }.encode();
        let (whole, rest) = as_words(body);
        ring.stage_slice(staging, &header.map(MessageBytes::new));
        ring.stage_iter(staging, &mut whole.map(MessageBytes::new));
        if let Some(rest) = rest {
            ring.stage_slice(staging, &[MessageBytes::new(rest)]);
        }
        debug_assert_eq!(staging.staged(), words as u64, "the reservation is used up");
        self.publish(words);
        true
    }

    /// Publishes the record that is staged.
    #[inline]
    pub(crate) fn publish(&mut self, words: usize) {
        let (tail, sequence) = (self.tail.plus(words as u64), self.sequence.wrapping_add(1));
        #[cfg(ringmail_planted_early_publish)]
        // Wrong on purpose: `verify/killsweep/check` shows with it that the sweep would notice.
        self.tx.publish_staged();
        // The other mark is that of the position which is published now: it stays until the next has moved it.
        let mark = &self.tx.map.producer().marks.0[(sequence & 1) as usize];
        point!();
        mark.records.store(sequence, Ordering::Relaxed);
        point!();
        // In this order, should this process be killed in between.
        mark.tail.store(tail.open_word(), Ordering::Release);
        self.tx.publish_staged();
        (self.tail, self.sequence) = (tail, sequence);
        self.tx.announce(words as u64);
    }

    #[inline]
    fn send_until(&mut self, record: &Record<'_>, deadline: impl FnOnce() -> Deadline) -> Result<(), SendTimeoutError> {
        let words = self.words(record)?;
        if self.push(record, words) { Ok(()) } else { self.send_later(record, words, deadline()) }
    }

    #[cold]
    #[inline(never)]
    fn send_later(&mut self, record: &Record<'_>, words: usize, deadline: Deadline) -> Result<(), SendTimeoutError> {
        loop {
            if let Some(ended) = self.tx.refusal(words as u64) {
                return Err(SendTimeoutError::Disconnected(ended));
            }
            match self.tx.wait_for_room(words as u64, deadline) {
                Ok(()) => {}
                Err(error::SendTimeoutError::Timeout(())) => return Err(SendTimeoutError::Timeout),
                Err(error::SendTimeoutError::Disconnected((), cause)) => {
                    return Err(SendTimeoutError::Disconnected(cause));
                }
            }
            if self.push(record, words) {
                return Ok(());
            }
        }
    }
}

/// The whole words of a body, and the bytes behind them with zeros to a word.
#[inline(always)]
pub(crate) fn as_words(body: &[u8]) -> (impl Iterator<Item = u64> + '_, Option<u64>) {
    let chunks = body.chunks_exact(WORD);
    let rest = chunks.remainder();
    let word = |bytes: &[u8]| {
        let mut word = [0; WORD];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_ne_bytes(word)
    };
    (chunks.map(word), (!rest.is_empty()).then(|| word(rest)))
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("sequence", &self.sequence)
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

/// A record that can never fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TooLarge {
    /// Bytes of its body.
    pub len: usize,
    /// Most that the channel can carry.
    pub max: usize,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { len, max } = self;
        write!(
            f,
            "a record of {len} bytes can never fit, {max} can: send it in parts, or make the channel with a larger capacity"
        )
    }
}

impl core::error::Error for TooLarge {}

/// `try_send` sent nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TrySendError {
    /// The record can never fit.
    TooLarge(TooLarge),
    /// No room for it now.
    Full,
    /// The receiver is gone.
    Disconnected(Cause),
}

/// A send without a time limit sent nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The record can never fit.
    TooLarge(TooLarge),
    /// The receiver is gone.
    Disconnected(Cause),
}

/// A send with a time limit sent nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendTimeoutError {
    /// The record can never fit.
    TooLarge(TooLarge),
    /// No room for it until the deadline.
    Timeout,
    /// The receiver is gone.
    Disconnected(Cause),
}

macro_rules! error {
    ($($name:ident $({ $busy:ident => $text:literal })?;)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::TooLarge(error) => error.fmt(f),
                    $(Self::$busy => f.write_str($text),)?
                    Self::Disconnected(cause) => cause.fmt(f),
                }
            }
        }

        impl core::error::Error for $name {}

        impl From<TooLarge> for $name {
            fn from(error: TooLarge) -> Self {
                Self::TooLarge(error)
            }
        }
    )*};
}

error! {
    TrySendError { Full => "no room now" };
    SendError;
    SendTimeoutError { Timeout => "no room until the deadline" };
}

impl From<SendError> for SendTimeoutError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::TooLarge(error) => Self::TooLarge(error),
            SendError::Disconnected(cause) => Self::Disconnected(cause),
        }
    }
}
