//! Many messages at once, written and read where they lie.

use super::lane::Reserved;
use super::{Flavor, Free, RingReceiver, SingleSender};
use core::fmt;
use core::iter::FusedIterator;
#[cfg(not(ringmail_loom))]
use core::mem::MaybeUninit;

/// Reserved places of a channel, from [`Sender::try_reserve`](super::Sender::try_reserve).
///
/// It counts what is written into it; [`WriteChunk::commit`] publishes just that. Dropped, it sends nothing and drops what was
/// written; leaked, it sends nothing and leaks what was written.
#[must_use = "nothing is sent before `commit`"]
pub struct WriteChunk<'a, T>(pub(super) Reserved<'a, T>);

impl<T> WriteChunk<'_, T> {
    /// Places reserved, in messages.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.0.staging.room() as usize
    }

    /// Messages written so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.staging.staged() as usize
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
        self.0.end.ring.stage(&mut self.0.staging, value)
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
        self.0.end.ring.stage_slice(&mut self.0.staging, values) as usize
    }

    /// Publishes what was written, with one store and at most one wake. Returns how many messages that was.
    ///
    /// If the receiver has left since the reservation they are dropped.
    #[inline(always)]
    pub fn commit(mut self) -> usize {
        self.0.publish() as usize
    }

    /// The places not yet written, in order, as the two runs they form: for writers that need raw memory.
    #[cfg(not(ringmail_loom))]
    pub fn vacant_slices(&mut self) -> (&mut [MaybeUninit<T>], &mut [MaybeUninit<T>]) {
        self.0.end.ring.vacant(&self.0.staging)
    }

    /// Counts the first `n` of [`WriteChunk::vacant_slices`] as written.
    ///
    /// # Safety
    /// They are.
    #[allow(unsafe_code, reason = "passes the caller's promise on to the ring")]
    pub unsafe fn assume_written(&mut self, n: usize) {
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { self.0.end.ring.assume_staged(&mut self.0.staging, n as u64) }
    }
}

/// The next messages of a channel, from [`Receiver::read_chunk`](super::Receiver::read_chunk).
///
/// Dropped or leaked, it takes nothing: the messages stay in the channel.
#[must_use = "nothing is received before `commit` or iteration"]
pub struct ReadChunk<'a, T, S: Flavor> {
    rx: &'a mut S::Receiver<T>,
    len: u64,
}

impl<'a, T, S: Flavor> ReadChunk<'a, T, S> {
    #[inline(always)]
    pub(super) fn new(rx: &'a mut S::Receiver<T>, len: u64) -> Self {
        Self { rx, len }
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
        (0..self.len).map_while(|i| self.rx.front(i))
    }

    /// Drops the first `n` messages (all, if `n` is more) and frees their places. The rest stay in the channel.
    #[inline(always)]
    pub fn commit(self, n: usize) {
        let n = self.len.min(n as u64);
        self.rx.skip(n);
    }

    /// Drops all messages of the chunk and frees their places.
    #[inline(always)]
    pub fn commit_all(self) {
        self.rx.skip(self.len);
    }
}

impl<T, S: SingleSender> ReadChunk<'_, T, S> {
    /// The messages, in order, as the two runs they form; the second is empty unless the chunk crosses the storage's end.
    #[cfg(not(ringmail_loom))]
    #[inline(always)]
    pub fn as_slices(&self) -> (&[T], &[T]) {
        S::slices(self.rx, self.len)
    }
}

impl<'a, T, S: Flavor> IntoIterator for ReadChunk<'a, T, S> {
    type Item = T;
    type IntoIter = IntoIter<'a, T, S>;

    #[inline]
    fn into_iter(self) -> IntoIter<'a, T, S> {
        IntoIter { left: self.len, freeing: Free(self.rx) }
    }
}

/// Takes the messages of a chunk one by one; their places are freed together when it is dropped. What was not taken stays.
pub struct IntoIter<'a, T, S: Flavor> {
    left: u64,
    freeing: Free<'a, S::Receiver<T>>,
}

impl<T, S: Flavor> Iterator for IntoIter<'_, T, S> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let message = self.freeing.0.take(|message| message);
        if self.left == 0 {
            // Not only when dropped: a leaked iterator would withhold the places of an empty channel from a sender that waits.
            self.freeing.0.free();
        }
        message
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl<T, S: Flavor> ExactSizeIterator for IntoIter<'_, T, S> {}
impl<T, S: Flavor> FusedIterator for IntoIter<'_, T, S> {}

impl<T> fmt::Debug for WriteChunk<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteChunk").field("len", &self.len()).field("capacity", &self.capacity()).finish()
    }
}

impl<T, S: Flavor> fmt::Debug for ReadChunk<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadChunk").field("len", &self.len).finish()
    }
}

impl<T, S: Flavor> fmt::Debug for IntoIter<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadChunkIntoIter").field("left", &self.left).finish()
    }
}
