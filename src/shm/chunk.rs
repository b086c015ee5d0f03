//! Many messages at once: written ahead and published together, or looked at before they are taken.

use crate::shm::ring::mapped::MessageBytes;
use crate::shm::ring::receiving_end::Rx;
use crate::shm::ring::sending_end::{PublishOnDrop, Tx};
use crate::shm::schema::Message;
use core::fmt;
use core::iter::FusedIterator;

/// Reserved places of a channel, from [`Sender::try_reserve`](crate::shm::spsc::Sender::try_reserve).
///
/// It counts what is written into it; [`WriteChunk::commit`] publishes just that. Dropped or leaked, it sends nothing.
#[must_use = "nothing is sent before `commit`"]
pub struct WriteChunk<'a, T: Message> {
    tx: &'a mut Tx<T>,
}

impl<'a, T: Message> WriteChunk<'a, T> {
    /// Takes over the reservation that the ring just made.
    pub(crate) fn new(tx: &'a mut Tx<T>) -> Self {
        Self { tx }
    }

    /// Places reserved, in messages.
    pub fn capacity(&self) -> usize {
        self.tx.staging.room() as usize
    }

    /// Messages written so far.
    pub fn len(&self) -> usize {
        self.tx.staging.staged() as usize
    }

    /// Whether nothing has been written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the next message.
    ///
    /// # Errors
    /// Gives it back if every place is written.
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), T> {
        if self.len() == self.capacity() {
            return Err(value);
        }
        self.fill_from_iter([value]);
        Ok(())
    }

    /// Writes from `values` until it or the chunk ends. Returns how many. Nothing is taken from the iterator without a place for it.
    #[inline]
    pub fn fill_from_iter(&mut self, values: impl IntoIterator<Item = T>) -> usize {
        let mut sent = 0;
        let (room, mut values) = (self.capacity() - self.len(), values.into_iter());
        while sent < room {
            let Some(value) = values.next() else { break };
            if self.tx.ring.stage(&mut self.tx.staging, MessageBytes::new(value)).is_err() {
                break;
            }
            sent += 1;
        }
        sent
    }

    /// Copies from `values` until it or the chunk ends. Returns how many.
    #[inline]
    pub fn fill_from_slice(&mut self, values: &[T]) -> usize
    where
        T: Copy,
    {
        self.tx.ring.stage_from(&mut self.tx.staging, values)
    }

    /// Publishes what was written, with one store and at most one wake. Returns how many messages that was. Has the receiver left since the
    /// reservation, they are there for the next.
    #[inline]
    pub fn commit(self) -> usize {
        let n = self.len();
        drop(PublishOnDrop(&mut *self.tx));
        n
    }
}

impl<T: Message> Drop for WriteChunk<'_, T> {
    fn drop(&mut self) {
        self.tx.ring.discard_staged(&mut self.tx.staging);
    }
}

/// The next messages of a channel, from [`Receiver::read_chunk`](crate::shm::spsc::Receiver::read_chunk): copies, whose places stay occupied.
///
/// Dropped or leaked, or should this process be killed, it takes nothing: all of them come again, to the next receiver if need be. At least
/// once. The sender cannot change a message that it has sent; one that breaks the protocol could, so two copies of one message may differ.
#[must_use = "nothing is received before `commit`"]
pub struct ReadChunk<'a, T: Message> {
    rx: &'a mut Rx<T>,
    len: usize,
    lane: usize,
    /// Where a receiver of many lanes keeps the one that it received from.
    last: Option<&'a mut Option<usize>>,
}

impl<'a, T: Message> ReadChunk<'a, T> {
    /// Of the next `len` messages, which were seen.
    pub(crate) fn new(rx: &'a mut Rx<T>, len: usize, lane: usize, last: Option<&'a mut Option<usize>>) -> Self {
        Self { rx, len, lane, last }
    }

    /// Messages in the chunk. Fewer once [`ReadChunk::iter`] has found one that is no message: that one and what is behind it stay, and the verb that
    /// comes to it tells.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Which lane of a [`fan_in`](crate::shm::fan_in) the messages are from; 0 of any other channel.
    pub fn lane(&self) -> usize {
        self.lane
    }

    /// Copies of the messages, in order, from the first on.
    pub fn iter(&mut self) -> ReadChunkIter<'_, T> {
        ReadChunkIter { at: 0, len: &mut self.len, rx: self.rx }
    }

    /// Frees the places of the first `n` messages (of all, if `n` is more), looked at or not: they are received. The rest stay in the channel.
    #[inline]
    pub fn commit(self, n: usize) {
        let n = self.len.min(n);
        if let Some(last) = self.last.filter(|_| n != 0) {
            *last = Some(self.lane);
        }
        self.rx.pass(n);
    }

    /// Frees the places of all messages of the chunk.
    #[inline]
    pub fn commit_all(self) {
        let n = self.len;
        self.commit(n);
    }
}

impl<'a, T: Message> IntoIterator for &'a mut ReadChunk<'_, T> {
    type Item = T;
    type IntoIter = ReadChunkIter<'a, T>;

    fn into_iter(self) -> ReadChunkIter<'a, T> {
        self.iter()
    }
}

/// Copies of the messages of a chunk. From [`ReadChunk::iter`].
pub struct ReadChunkIter<'a, T: Message> {
    rx: &'a mut Rx<T>,
    len: &'a mut usize,
    at: usize,
}

impl<T: Message> Iterator for ReadChunkIter<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.at >= *self.len {
            return None;
        }
        let value = self.rx.copy(self.at as u64);
        match value {
            Some(_) => self.at += 1,
            None => *self.len = self.at,
        }
        value
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // One that is no message ends it.
        (0, Some(*self.len - self.at))
    }
}

impl<T: Message> FusedIterator for ReadChunkIter<'_, T> {}

impl<T: Message> fmt::Debug for WriteChunk<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteChunk").field("len", &self.len()).field("capacity", &self.capacity()).finish()
    }
}

impl<T: Message> fmt::Debug for ReadChunk<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadChunk").field("lane", &self.lane).field("len", &self.len).finish()
    }
}

impl<T: Message> fmt::Debug for ReadChunkIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadChunkIter").field("left", &(*self.len - self.at)).finish()
    }
}
