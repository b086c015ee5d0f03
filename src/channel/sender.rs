//! The sending half.

use super::{Flavor, RingSender, SingleSender, WriteChunk, handle};
use crate::error::TrySendError;
use crate::ring::layout::Stats;
#[cfg(feature = "std")]
use crate::wait::Waiter;
use crate::wait::panics::Panics;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// The sending half of a channel. `S` says how the halves are joined; the module that made the channel fixes it.
pub struct Sender<T, S: Flavor> {
    pub(crate) end: S::Sender<T>,
    pub(crate) membership: S::Membership<T>,
    #[cfg(feature = "std")]
    pub(crate) waiter: Waiter,
}

impl<T, S: Flavor> Sender<T, S> {
    /// Sends `value` if there is room now.
    ///
    /// Meanwhile the receiver may take messages, so a full channel may stop being full at any time; only on `mpsc` can others fill it.
    /// Before it answers `Full`, it loads the receiver's position again.
    ///
    /// Wait-free; on `mpsc` lock-free: it repeats when another sender was faster.
    ///
    /// # Errors
    /// `Full` or `Disconnected`, each with the value.
    ///
    /// ```
    /// use ringmail::{TrySendError, spsc};
    /// let (mut tx, rx) = spsc::channel(1)?;
    /// assert_eq!(tx.try_send("a"), Ok(()));
    /// assert_eq!(tx.try_send("b"), Err(TrySendError::Full("b")));
    /// drop(rx);
    /// assert_eq!(tx.try_send("c"), Err(TrySendError::Disconnected("c")));
    /// # Ok::<(), ringmail::BuildError>(())
    /// ```
    #[inline]
    pub fn try_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        match self.end.push(value) {
            Ok(()) => Ok(()),
            Err(value) => Err(self.refusal().map(|()| value)),
        }
    }

    /// Copies as many of `values` as fit now and publishes them together. Returns how many, at least one unless `values`
    /// is empty.
    ///
    /// As [`Sender::try_send`], plus the copy.
    ///
    /// # Errors
    /// `Full` if there is no room at all, `Disconnected` if the channel is closed.
    pub fn try_send_slice(&mut self, values: &[T]) -> Result<usize, TrySendError<()>>
    where
        T: Copy,
    {
        match self.end.push_slice(values) {
            0 if !values.is_empty() || self.end.is_closed() => Err(self.refusal()),
            sent => Ok(sent),
        }
    }

    /// Sends nothing more through this handle. The receiver still gets what was sent, and once no sender is left `Disconnected`. Dropping
    /// the sender does the same.
    pub fn close(&mut self) {
        let mut panics = Panics::new();
        // A future that was leaked may still stand in the queue.
        #[cfg(feature = "std")]
        panics.catch(|| self.waiter.leave_queue());
        panics.catch(|| self.end.close());
        panics.catch(|| S::leave(&mut self.membership));
        panics.resume();
    }

    /// Whether a send through this handle can never succeed again: it or the receiver closed. Once true it stays true.
    pub fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    /// Messages in the channel, or in this sender's lane; of an `mpsc` ring, places that are claimed. The receiver may take some at any
    /// time.
    pub fn len(&self) -> usize {
        self.end.len()
    }

    /// Whether there was no message a moment ago. An empty channel stays empty until a sender sends.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there was no room a moment ago. A channel with room keeps it until a sender sends; where each sender has a ring of its
    /// own, until this one does.
    pub fn is_full(&self) -> bool {
        self.end.is_full()
    }

    /// Most messages that the channel, or this sender's lane, holds: exactly what it was built with.
    pub fn capacity(&self) -> usize {
        self.end.capacity()
    }

    /// What the channel has done so far.
    pub fn stats(&self) -> Stats {
        self.end.stats()
    }

    /// Why the ring took nothing.
    #[cold]
    #[inline(never)]
    pub(crate) fn refusal(&mut self) -> TrySendError<()> {
        if self.end.is_closed() {
            // What was sent while the receiver left is ours to drop.
            self.end.drop_orphans();
            TrySendError::Disconnected(())
        } else {
            self.end.count_full();
            TrySendError::Full(())
        }
    }
}

impl<T, S: SingleSender> Sender<T, S> {
    /// Sends from `values` until it ends or there is no room, and publishes what was sent together. Returns how many.
    ///
    /// An item is taken out of the iterator only when it has a place, so none is lost. If the iterator panics, the items
    /// before are sent.
    ///
    /// # Errors
    /// `Full` if there is no room at all, `Disconnected` if the channel is closed; nothing was taken from the iterator then.
    pub fn try_send_iter(&mut self, values: &mut impl Iterator<Item = T>) -> Result<usize, TrySendError<()>> {
        match S::lane(&mut self.end).push_iter(values) {
            (0, _) => Err(self.refusal()),
            (_, sent) => Ok(sent as usize),
        }
    }

    /// Reserves room for up to `n` messages, to be written in place and published together.
    ///
    /// The chunk has at least one place unless `n` is 0; look at [`WriteChunk::capacity`]. Until it is committed the receiver sees
    /// nothing; dropping it drops what was written, and nothing is sent.
    ///
    /// Wait-free.
    ///
    /// # Errors
    /// `Full` if there is no room at all, `Disconnected` if the channel is closed.
    ///
    /// ```
    /// let (mut tx, mut rx) = ringmail::spsc::channel(4)?;
    /// let mut chunk = tx.try_reserve(8).expect("an empty channel has room");
    /// assert_eq!(chunk.capacity(), 4);
    /// chunk.push(1).expect("there are four places");
    /// chunk.fill_from_iter(2..4);
    /// assert!(rx.is_empty());
    /// assert_eq!(chunk.commit(), 3);
    /// assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
    /// # Ok::<(), ringmail::BuildError>(())
    /// ```
    #[inline(always)]
    pub fn try_reserve(&mut self, n: usize) -> Result<WriteChunk<'_, T>, TrySendError<()>> {
        let room = S::lane(&mut self.end).ring.room(n as u64);
        if room == 0 && (n > 0 || self.end.is_closed()) {
            return Err(self.refusal());
        }
        Ok(WriteChunk(S::lane(&mut self.end).reserved(room)))
    }
}

// A panic of the user's code, in an iterator, a waker or a value's `drop`, leaves the channel usable.
impl<T, S: Flavor> UnwindSafe for Sender<T, S> {}
impl<T, S: Flavor> RefUnwindSafe for Sender<T, S> {}

// Nothing of it is ever pinned.
impl<T, S: Flavor> Unpin for Sender<T, S> {}

impl<T, S: Flavor> Drop for Sender<T, S> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T, S: Flavor> fmt::Debug for Sender<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        handle(f, "Sender", self.len(), self.capacity(), self.is_closed())
    }
}
