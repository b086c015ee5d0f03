//! Many messages at once, written and read where they lie.

use crate::ring::broadcast::{Consumer, Staging};
use core::fmt;

/// Reserved places of a broadcast, from [`Sender::try_reserve`](super::Sender::try_reserve).
///
/// It counts what is written into it; [`WriteChunk::commit`] publishes just that. Dropped, it sends nothing and drops what was written; leaked, it sends nothing
/// and leaks what was written.
#[must_use = "nothing is sent before `commit`"]
pub struct WriteChunk<'a, T>(pub(super) Staging<'a, T>);

impl<T> WriteChunk<'_, T> {
    /// Places reserved, in messages.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.0.room() as usize
    }

    /// Messages written so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.staged() as usize
    }

    /// Whether nothing has been written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the next message. The older one in its place is dropped first.
    ///
    /// # Errors
    /// Gives it back if every place is written.
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), T> {
        self.0.stage(value)
    }

    /// Writes from `values` until it or the chunk ends. Returns how many. Nothing is taken from the iterator without a place for it.
    #[inline(always)]
    pub fn fill_from_iter(&mut self, values: impl IntoIterator<Item = T>) -> usize {
        self.0.stage_iter(&mut values.into_iter()) as usize
    }

    /// Copies from `values` until it or the chunk ends. Returns how many.
    #[inline(always)]
    pub fn fill_from_slice(&mut self, values: &[T]) -> usize
    where
        T: Copy,
    {
        self.fill_from_iter(values.iter().copied())
    }

    /// Publishes what was written, with one store and one look at the receivers that wait. Returns how many messages that was.
    ///
    /// Receivers that have left since the reservation do not see them, those that have joined do.
    #[inline(always)]
    pub fn commit(self) -> usize {
        self.0.publish() as usize
    }
}

impl<T> fmt::Debug for WriteChunk<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteChunk").field("len", &self.len()).field("capacity", &self.capacity()).finish()
    }
}

/// The next messages of a receiver, from [`Receiver::read_chunk`](super::Receiver::read_chunk).
///
/// Dropped or leaked, it takes nothing: the messages come again.
#[must_use = "nothing is received before `commit`"]
pub struct ReadChunk<'a, T> {
    end: &'a mut Consumer<T>,
    len: u64,
}

impl<'a, T> ReadChunk<'a, T> {
    #[inline(always)]
    pub(super) fn new(end: &'a mut Consumer<T>, len: u64) -> Self {
        Self { end, len }
    }

    /// Messages in the chunk.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether the chunk has no message: only if `read_chunk` was asked for none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The messages, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        (0..self.len).map_while(|i| self.end.front(i))
    }

    /// The messages, in order, as the two runs they form; the second is empty unless the chunk crosses the storage's end.
    #[cfg(not(ringmail_loom))]
    #[inline(always)]
    pub fn as_slices(&self) -> (&[T], &[T]) {
        self.end.slices(self.len)
    }

    /// Commits the first `n` messages (all, if `n` is more): the receivers after this one see them, and their places may be written again. The rest
    /// come again.
    #[inline(always)]
    pub fn commit(self, n: usize) {
        self.end.skip(self.len.min(n as u64));
    }

    /// Commits all messages of the chunk.
    #[inline(always)]
    pub fn commit_all(self) {
        self.end.skip(self.len);
    }
}

impl<T> fmt::Debug for ReadChunk<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadChunk").field("len", &self.len).finish_non_exhaustive()
    }
}
