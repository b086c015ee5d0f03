//! The receiving half.

use super::{Hub, ReadChunk, SeatId};
use crate::error::{BuildError, TryRecvError};
use crate::ring::broadcast::{Consumer, committing};
use crate::ring::layout::Stats;
use crate::ring::slot::by_words;
#[cfg(feature = "std")]
use crate::wait::Waiter;
use alloc::vec::Vec;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// A receiver: it sees every message from its first on, and shares them with all other receivers. From [`Hub::join`] and its sisters.
///
/// Verbs that answer with a message clone it; those that lend one do not need `Clone`. A message counts as taken before your code sees it: if a
/// `clone` or a closure panics, the receiver goes on with the next message.
///
/// Dropping it gives its seat up: the sender waits for it no more. A reserved seat stays, see [`Hub::reserve`].
#[repr(align(128))]
pub struct Receiver<T> {
    pub(super) end: Consumer<T>,
    #[cfg(feature = "std")]
    pub(super) waiter: Waiter,
}

impl<T> Receiver<T> {
    pub(super) fn new(end: Consumer<T>) -> Result<Self, BuildError> {
        Ok(Self {
            #[cfg(feature = "std")]
            waiter: Waiter::try_new(end.event().clone(), end.member().memory().options.receiver_wait)?,
            end,
        })
    }

    /// A clone of the next message if there is one now.
    ///
    /// Meanwhile the sender may add messages, and other receivers take theirs. Before it answers `Empty`, it loads the sender's position again, or those
    /// of the receivers before it; it answers `Disconnected` only once everything sent before the close has been taken.
    ///
    /// Wait-free apart from `clone`. Where two to seven messages came close to each other, it waits eight spin hints before it loads that position, so
    /// that some gather.
    ///
    /// # Errors
    /// `Empty`, or `Disconnected` when nothing will ever come.
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError>
    where
        T: Clone,
    {
        self.try_recv_with(|message| by_words(message.clone()))
    }

    /// Lends the next message to `look`, if there is one now.
    ///
    /// The message does not change meanwhile, and the sender does not write its place. It counts as taken before `look` sees it.
    ///
    /// Wait-free apart from `look`.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`]; `look` was not called.
    #[inline]
    pub fn try_recv_with<R>(&mut self, look: impl FnOnce(&T) -> R) -> Result<R, TryRecvError> {
        if !self.end.has_message() {
            return Err(self.nothing());
        }
        self.take(look, TryRecvError::Empty)
    }

    /// Lends the next message to `look`, if one was seen.
    #[inline(always)]
    pub(super) fn take<R, E>(&mut self, look: impl FnOnce(&T) -> R, none: E) -> Result<R, E> {
        committing(&mut self.end).0.take(|message| Ok(look(message)), || Err(none))
    }

    /// The next message, left where it is: the next receiving verb takes it.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    pub fn peek(&mut self) -> Result<&T, TryRecvError> {
        if !self.end.has_message() {
            return Err(self.nothing());
        }
        self.end.front(0).ok_or(TryRecvError::Empty)
    }

    /// Up to `n` of the next messages in place, at least one unless `n` is 0.
    ///
    /// Read them where they are, then [`commit`](ReadChunk::commit) as many as are dealt with. What is not committed comes again. The sender
    /// does not pass them meanwhile.
    ///
    /// Wait-free.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    ///
    /// ```
    /// let (mut tx, hub) = ringmail::broadcast::channel(8)?;
    /// let mut rx = hub.join()?;
    /// tx.try_send_slice(&[1, 2, 3]).unwrap();
    /// let chunk = rx.read_chunk(2)?;
    /// assert_eq!(chunk.as_slices().0, [1, 2]);
    /// chunk.commit(1);
    /// assert_eq!(rx.try_recv(), Ok(2));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn read_chunk(&mut self, n: usize) -> Result<ReadChunk<'_, T>, TryRecvError> {
        let len = self.end.available(n as u64);
        if len == 0 && n > 0 {
            return Err(self.nothing());
        }
        Ok(ReadChunk::new(&mut self.end, len))
    }

    /// Clones up to `limit` of the messages there are now to the end of `buffer`. Returns how many, at least one unless `limit` is 0.
    ///
    /// If a `clone` panics, `buffer` has the clones before it. Wait-free apart from `clone` and the buffer's growth.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    pub fn try_recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> Result<usize, TryRecvError>
    where
        T: Clone,
    {
        if limit == 0 {
            return Ok(0);
        }
        let n = self.end.available(limit as u64) as usize;
        if n == 0 {
            return Err(self.nothing());
        }
        // May panic or abort; nothing is taken yet.
        buffer.reserve(n);
        Ok(self.drain(n, |message| buffer.push(message.clone())))
    }

    /// Lends up to `max` of the messages there are now to `f`, one by one, then commits them together. Returns how many; 0 says nothing about
    /// whether more can come.
    ///
    /// A message counts as taken before `f` sees it: if `f` panics, the next verb goes on with the one after it.
    pub fn drain(&mut self, max: usize, mut f: impl FnMut(&T)) -> usize {
        let n = self.end.available(max as u64) as usize;
        if n == 0 {
            self.end.found_nothing();
            return 0;
        }
        let committing = committing(&mut self.end);
        for _ in 0..n {
            committing.0.take(&mut f, || ());
        }
        n
    }

    /// Takes nothing that is sent from now on. What was sent before can still be received; then the answer is `Disconnected`, and the seat is given up.
    /// Others notice nothing. Dropping the receiver gives its seat up at once.
    pub fn close(&mut self) {
        self.end.close();
        // The seat of one that has taken all goes now.
        if !self.end.has_message_at_once() {
            self.found_nothing();
        }
    }

    /// Whether the sender or this receiver closed. Messages may still be there to receive.
    pub fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    /// How many messages this receiver is behind the sender, also those that the receivers before it have not committed yet. The sender may
    /// add some at any time.
    pub fn lag(&self) -> u64 {
        self.end.lag()
    }

    /// [`lag`](Receiver::lag) as a `usize`: at most the capacity.
    pub fn len(&self) -> usize {
        self.end.lag() as usize
    }

    /// Whether a look would have found no message a moment ago. One that comes after others may have a [`len`](Receiver::len) and be empty: then these have
    /// not committed the next message.
    pub fn is_empty(&self) -> bool {
        self.end.is_empty()
    }

    /// Most messages that the channel holds: exactly what it was built with.
    pub fn capacity(&self) -> usize {
        self.end.member().memory().capacity()
    }

    /// What the channel has done so far: `received` and `depth` are those of the slowest seat, parks and wakes sums over all.
    pub fn stats(&self) -> Stats {
        self.end.member().memory().stats()
    }

    /// Which seat this is.
    pub fn seat(&self) -> SeatId {
        SeatId::of(self.end.seat_ref())
    }

    /// A hub of the same channel, to let others join.
    pub fn hub(&self) -> Hub<T> {
        Hub::new(self.end.member().clone())
    }

    /// Gives the seat up, also if it is reserved. The same as dropping the receiver if it is not.
    #[cfg(feature = "std")]
    pub fn release(mut self) {
        self.end.forget_name();
    }

    /// To be called before the answer is that there is no message. A seat that is given up may have another owner at once, and its event count with it: no
    /// future of this handle may be registered there then.
    pub(super) fn found_nothing(&mut self) {
        #[cfg(feature = "std")]
        if self.end.is_leaving() {
            self.waiter.cancel_wait();
        }
        self.end.found_nothing();
    }

    /// Why there is no message.
    #[inline]
    pub(super) fn nothing(&mut self) -> TryRecvError {
        self.found_nothing();
        if self.end.is_over() { TryRecvError::Disconnected } else { TryRecvError::Empty }
    }
}

// A panic of the user's code, in a closure, a `clone` or a waker, leaves the channel usable.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

// Nothing of it is ever pinned.
impl<T> Unpin for Receiver<T> {}

#[cfg(feature = "std")]
impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // A future that was leaked may still be registered on the seat's event count, which the next receiver has.
        self.waiter.cancel_wait();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("seat", &self.seat())
            .field("lag", &self.lag())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
