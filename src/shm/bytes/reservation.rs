//! A record that is written where it will lie.

use super::sender::as_words;
use super::{HEADER, Header, Sender, WORD};
use crate::shm::ring::mapped::MessageBytes;
use crate::shm::ring::sending_end::Tx;
use core::fmt;
use std::io;

/// A record that is being written where it will lie. [`Reservation::commit`] sends what was written; dropped, it was never there.
pub struct Reservation<'a> {
    sender: &'a mut Sender,
    kind: u16,
    version: u32,
    len: usize,
    written: usize,
    /// The word that is not whole yet: the last bytes written, and zeros.
    begun: [u8; WORD],
}

impl<'a> Reservation<'a> {
    /// Of `len` bytes, for which there is room, with the words of the header staged.
    pub(crate) fn begin(sender: &'a mut Sender, version: u32, len: usize) -> Self {
        Self { sender, kind: 0, version, len, written: 0, begun: [0; WORD] }
    }

    /// The same record, of this kind.
    pub fn kind(self, kind: u16) -> Self {
        Self { kind, ..self }
    }

    /// The same record, in this version; otherwise that of its sender's schema.
    pub fn version(self, version: u32) -> Self {
        Self { version, ..self }
    }

    /// Bytes that can still be written.
    pub fn remaining(&self) -> usize {
        self.len - self.written
    }

    /// The bytes that can still be written, where they will lie: the part up to the end of the ring, and the part from its start on; often the second
    /// is empty. For `read` of a file or a socket; [`Reservation::advance`] says how many were written, from the first on. They hold what a record before has
    /// left there, or zeros.
    ///
    /// Only for a receiver that is trusted to keep this crate's protocol, as with [`try_read_in_place`](super::Receiver::try_read_in_place): one that
    /// maps the ring for writing, against the protocol, would change them under this side's eyes, and what this side does then is undefined. For all
    /// others, [`io::Write`] copies.
    ///
    /// ```
    /// # use ringmail::shm::bytes::Builder;
    /// # let channel = Builder::create_anonymous(4096, None)?;
    /// # let mut tx = Builder::from_fd(&channel).open_sender()?;
    /// # let mut rx = Builder::from_fd(&channel).open_receiver()?;
    /// # let mut file = &b"what a file says"[..];
    /// use std::io::Read;
    ///
    /// let mut record = tx.reserve(100)?;
    /// let n = file.read(record.as_mut_slices().0)?;
    /// record.advance(n);
    /// record.commit();
    /// # let mut body = Vec::new();
    /// # rx.recv_into(&mut body)?;
    /// # assert_eq!(body, b"what a file says");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn as_mut_slices(&mut self) -> (&mut [u8], &mut [u8]) {
        let (at, left) = (self.written % WORD, self.remaining());
        let (first, second) = self.vacant();
        let first = &mut first[at..];
        let in_first = left.min(first.len());
        (&mut first[..in_first], &mut second[..left - in_first])
    }

    /// Counts the next `n` bytes as written, those that [`Reservation::as_mut_slices`] begins with; all that remain, if `n` is more. What comes
    /// next, by either way of writing, comes behind them.
    pub fn advance(&mut self, n: usize) {
        let n = n.min(self.remaining());
        let to = self.written % WORD + n;
        let (first, second) = self.vacant();
        // A word lies in one of the two.
        let whole = to - to % WORD;
        let last = if whole < first.len() { &first[whole..] } else { &second[whole - first.len()..] };
        let mut begun = [0; WORD];
        begun[..to % WORD].copy_from_slice(&last[..to % WORD]);
        self.begun = begun;
        let Tx { ring, staging, .. } = &mut self.sender.tx;
        ring.stage_bytes(staging, (to / WORD) as u64);
        self.written += n;
    }

    /// The words that are not whole yet, as bytes, with those of the word that is begun.
    fn vacant(&mut self) -> (&mut [u8], &mut [u8]) {
        let at = self.written % WORD;
        let Tx { ring, staging, .. } = &mut self.sender.tx;
        let (first, second) = ring.vacant_bytes(staging);
        // With a word begun there is room for it.
        first[..at].copy_from_slice(&self.begun[..at]);
        (first, second)
    }

    /// Sends the record, with the bytes that were written, be they fewer than were reserved.
    pub fn commit(self) {
        let Self { sender, kind, version, written, begun, .. } = self;
        let Tx { ring, staging, .. } = &mut sender.tx;
        if written % WORD != 0 {
            ring.stage_slice(staging, &[MessageBytes::new(u64::from_ne_bytes(begun))]);
        }
        // `reserve` has checked the length.
        let header = Header { len: written as u32, kind, version, sequence: sender.sequence }.encode();
        ring.restage(staging, 0, &header.map(MessageBytes::new));
        sender.publish(HEADER + written.div_ceil(WORD));
    }
}

/// Takes what fits: with nothing left, no byte, which `write_all` reports as `WriteZero`.
impl io::Write for Reservation<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(self.remaining())];
        let at = self.written % WORD;
        let (first, rest) = bytes.split_at(if at == 0 { 0 } else { bytes.len().min(WORD - at) });
        self.begun[at..at + first.len()].copy_from_slice(first);
        let Tx { ring, staging, .. } = &mut self.sender.tx;
        if at != 0 && at + first.len() == WORD {
            ring.stage_slice(staging, &[MessageBytes::new(u64::from_ne_bytes(self.begun))]);
            self.begun = [0; WORD];
        }
        let (whole, rest) = as_words(rest);
        ring.stage_iter(staging, &mut whole.map(MessageBytes::new));
        if let Some(rest) = rest {
            self.begun = rest.to_ne_bytes();
        }
        self.written += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Reservation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("written", &self.written).field("len", &self.len).finish_non_exhaustive()
    }
}
