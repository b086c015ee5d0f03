//! Many messages at once, read where they lie.

use crate::ring::broadcast::Consumer;
use core::fmt;

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
