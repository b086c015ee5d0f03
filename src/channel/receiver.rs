//! The receiving half.

use super::{Flavor, Free, ReadChunk, RingReceiver, handle};
use crate::error::TryRecvError;
use crate::ring::layout::Stats;
#[cfg(feature = "std")]
use crate::wait::Waiter;
use alloc::vec::Vec;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// The receiving half of a channel. `S` says how the halves are joined; the module that made the channel fixes it.
///
/// Dropping it closes the channel and drops the messages in it, also one that is accepted at the same moment. If messages have a drop of their own and
/// a sender is still there, that may take a barrier of some microseconds.
pub struct Receiver<T, S: Flavor> {
    pub(crate) end: S::Receiver<T>,
    pub(crate) closed: bool,
    #[cfg(feature = "std")]
    pub(crate) waiter: Waiter,
}

impl<T, S: Flavor> Receiver<T, S> {
    /// Takes the next message if there is one now.
    ///
    /// Meanwhile senders may add messages; only this handle takes any. Before it answers `Empty`, it loads the senders' position again;
    /// it answers `Disconnected` only once everything sent before the close has been taken.
    ///
    /// Wait-free; with lanes it may look at each of them. Without lanes, where two to seven messages came close to each other, it waits eight spin hints
    /// (about 0.1 to 0.3 µs) before it loads that position, so that some gather: receiving one by one, both sides would wait for the cache lines.
    ///
    /// # Errors
    /// `Empty`, or `Disconnected` when nothing will ever come.
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let Some(next) = self.end.next() else { return Err(self.nothing()) };
        next.take_as(Ok)
    }

    /// The next message, left where it is.
    ///
    /// Senders cannot change it. It is taken by the next receiving verb.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    pub fn peek(&mut self) -> Result<&T, TryRecvError> {
        if !self.end.has_message() {
            return Err(self.nothing());
        }
        self.end.front(0).ok_or(TryRecvError::Empty)
    }

    /// Up to `n` of the next messages in place, at least one unless `n` is 0, from one lane, and up to the first hole of an `mpsc` ring.
    ///
    /// Read them where they are, then [`commit`](ReadChunk::commit) as many as are dealt with. What is not committed stays in the
    /// channel and comes again.
    ///
    /// Wait-free.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    ///
    /// ```
    /// let (mut tx, mut rx) = ringmail::spsc::channel(8)?;
    /// tx.try_send_slice(&[1, 2, 3]).unwrap();
    /// let chunk = rx.read_chunk(2)?;
    /// assert_eq!(chunk.as_slices().0, [1, 2]);
    /// chunk.commit(1);
    /// assert_eq!(rx.try_recv(), Ok(2));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn read_chunk(&mut self, n: usize) -> Result<ReadChunk<'_, T, S>, TryRecvError> {
        let len = self.end.available(n as u64);
        if len == 0 && n > 0 {
            return Err(self.nothing());
        }
        Ok(ReadChunk::new(&mut self.end, len))
    }

    /// Moves up to `limit` of the messages there are now to the end of `buffer` with one copy each. Returns how many, at least one unless `limit` is 0.
    ///
    /// Wait-free apart from the copy and the buffer's growth.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    pub fn try_recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> Result<usize, TryRecvError> {
        if limit == 0 {
            return Ok(0);
        }
        let limit = limit.min(self.end.available_now());
        let mut moved = 0;
        loop {
            let n = self.end.available((limit - moved) as u64);
            if n == 0 {
                return if moved == 0 { Err(self.nothing()) } else { Ok(moved) };
            }
            moved += self.end.move_into(buffer, n);
            if moved == limit || !S::Receiver::<T>::MANY_RINGS {
                return Ok(moved);
            }
        }
    }

    /// Hands up to `max` of the messages there are now to `f`, one by one, then frees their places together. Returns how many;
    /// 0 says nothing about whether more can come.
    ///
    /// A message counts as received before `f` sees it: if `f` panics, that one is gone and the rest stay.
    pub fn drain(&mut self, max: usize, mut f: impl FnMut(T)) -> usize {
        let max = max.min(self.end.available_now());
        let mut taken = 0;
        loop {
            let n = self.end.available((max - taken) as u64) as usize;
            if n == 0 {
                self.end.found_nothing(false);
                return taken;
            }
            let freeing = Free(&mut self.end);
            for _ in 0..n {
                freeing.0.take(&mut f);
            }
            taken += n;
            if taken == max || !S::Receiver::<T>::MANY_RINGS {
                return taken;
            }
        }
    }

    /// Accepts nothing more: every sender's next send fails. What is in the channel can still be received, then the answer is
    /// `Disconnected`. A message sent at the same moment is either still received, or dropped.
    pub fn close(&mut self) {
        self.closed = true;
        #[cfg(feature = "std")]
        self.end.close(self.waiter.event());
        #[cfg(not(feature = "std"))]
        self.end.close(&crate::wait::EventCount);
    }

    /// Whether either side closed. Messages may still be there to receive, and one that was sent at the moment of this side's own
    /// close may still come.
    pub fn is_closed(&self) -> bool {
        self.closed || self.end.peer_closed()
    }

    /// Messages in the channel. Senders may add some at any time, so there are at least this many a moment later; of an `mpsc` ring,
    /// places that are claimed.
    pub fn len(&self) -> usize {
        self.end.len()
    }

    /// Whether [`len`](Receiver::len) was 0 a moment ago, and no lane was opened that was not looked at yet.
    ///
    /// `true`: a receive at that moment would have found nothing. `false` does not promise a message: on an `mpsc` ring the next place may be claimed
    /// and hold none yet, or have been given up, and a lane may be new. [`try_recv`](Receiver::try_recv) answers `Empty` then. Otherwise
    /// the messages stay until this handle receives.
    ///
    /// Wait-free: it reads a few words and takes no lock. There is one exception. If the answer is `true`, and on an `mpsc` ring a *future* is the first
    /// that waits for room, it wakes the senders behind that, as the future may never be polled again. If their lock is taken, it wakes none.
    pub fn is_empty(&self) -> bool {
        self.end.is_empty()
    }

    /// Whether there was no room a moment ago. A full channel stays full until this handle receives.
    pub fn is_full(&self) -> bool {
        let capacity = self.capacity();
        capacity != 0 && self.len() == capacity
    }

    /// Most messages that the channel holds: exactly what it was built with, for each lane.
    pub fn capacity(&self) -> usize {
        self.end.capacity()
    }

    /// What the channel has done so far.
    pub fn stats(&self) -> Stats {
        self.end.stats()
    }

    /// Why the ring gave nothing.
    #[inline(always)]
    pub(crate) fn nothing(&mut self) -> TryRecvError {
        if !self.closed && self.end.is_idle() {
            return TryRecvError::Empty;
        }
        self.tell_nothing()
    }

    #[cold]
    #[inline(never)]
    fn tell_nothing(&mut self) -> TryRecvError {
        self.end.found_nothing(self.closed);
        if self.end.is_over() { TryRecvError::Disconnected } else { TryRecvError::Empty }
    }
}

// A panic of the user's code, in a closure, a waker or a value's `drop`, leaves the channel usable.
impl<T, S: Flavor> UnwindSafe for Receiver<T, S> {}
impl<T, S: Flavor> RefUnwindSafe for Receiver<T, S> {}

// Nothing of it is ever pinned.
impl<T, S: Flavor> Unpin for Receiver<T, S> {}

impl<T, S: Flavor> Drop for Receiver<T, S> {
    fn drop(&mut self) {
        // The senders learn first: dropping the messages may take long, and may panic. The end drops them.
        self.close();
        #[cfg(feature = "std")]
        self.end.leave(self.waiter.event());
        #[cfg(not(feature = "std"))]
        self.end.leave(&crate::wait::EventCount);
    }
}

impl<T, S: Flavor> fmt::Debug for Receiver<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        handle(f, "Receiver", self.len(), self.capacity(), self.is_closed())
    }
}
