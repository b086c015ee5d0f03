//! The receiving half, and its verbs that never wait.

use super::{Message, Resume, Seen};
#[cfg(feature = "std")]
use crate::error::BuildError;
use crate::error::TryRecvError;
use crate::ring::stamped::{Heap, Look, Reader};
#[cfg(feature = "std")]
use crate::wait::Waiter;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// A receiving half of a lossy channel. Any number of them read at their own pace, and the sender knows of none.
///
/// A clone goes on at the same position. It allocates; without memory the process ends.
pub struct Receiver<T> {
    pub(super) reader: Reader<T, Heap>,
    pub(super) resume: Resume,
    #[cfg(feature = "std")]
    pub(super) waiter: Waiter,
}

impl<T: Message> Receiver<T> {
    /// Copies the next message if there is one now, or says how many were lost.
    ///
    /// Meanwhile the sender may write over the message: then the copy is not used, and the answer is [`Seen::Lost`].
    ///
    /// Wait-free.
    ///
    /// # Errors
    /// `Empty`, or `Disconnected` once the sender is gone and its last message was seen.
    #[inline]
    pub fn try_recv(&mut self) -> Result<Seen<T>, TryRecvError> {
        match self.reader.take() {
            Look::Message(message) => Ok(Seen::Message(message)),
            Look::NotYet if !self.reader.is_ended() => Err(TryRecvError::Empty),
            Look::NotYet => self.take_last(),
            Look::Overrun(stamp) => Ok(self.skip(stamp)),
        }
    }

    /// The next message of a channel that has ended.
    #[cold]
    #[inline(never)]
    fn take_last(&mut self) -> Result<Seen<T>, TryRecvError> {
        match self.reader.take() {
            Look::Message(message) => Ok(Seen::Message(message)),
            Look::NotYet => Err(TryRecvError::Disconnected),
            Look::Overrun(stamp) => Ok(self.skip(stamp)),
        }
    }

    #[inline(always)]
    fn skip(&mut self, stamp: u64) -> Seen<T> {
        Seen::Lost(self.reader.skip(stamp, self.resume))
    }

    /// The newest message and its number; `None` if none was sent. Not older than what this receiver has received. The position stays.
    ///
    /// Messages that are sent meanwhile may be newer, of a slice up to 32. Any number of threads may ask, by `&self`; it writes nothing.
    ///
    /// Lock-free: it copies one message, and again only if the sender sent `capacity - 1` messages or more during the copy; with
    /// [`Builder::copy_newest`](super::Builder::copy_newest) it looks at the copy before that, twice at most. A sender that stops in the middle of a send does
    /// not delay it.
    ///
    /// ```
    /// use ringmail::broadcast::lossy;
    /// let (mut config, rx) = lossy::channel::<[f32; 2]>(64)?;
    /// config.send([0.5, 1.0]);
    /// config.send([0.7, 1.0]);
    /// assert_eq!(rx.latest(), Some((1, [0.7, 1.0])));
    /// drop(config);
    /// assert_eq!(rx.latest(), Some((1, [0.7, 1.0])), "also when the sender is gone");
    /// # Ok::<(), ringmail::BuildError>(())
    /// ```
    #[inline]
    pub fn latest(&self) -> Option<(u64, T)> {
        self.reader.newest()
    }

    /// The newest message and its number, if this receiver has not seen it; then it counts as seen, with all before it.
    ///
    /// Those that it passes over are not lost but skipped: so many as the number exceeds the [`position`](Receiver::position) before. While nothing
    /// is new it reads no word that the sender writes meanwhile.
    ///
    /// Lock-free, as [`Receiver::latest`] without such a copy.
    ///
    /// # Errors
    /// `Empty`: nothing new. `Disconnected`: and the sender is gone.
    #[inline]
    pub fn try_changed(&mut self) -> Result<(u64, T), TryRecvError> {
        if let Some(newest) = self.reader.take_newest() {
            return Ok(newest);
        }
        if !self.reader.is_ended() {
            return Err(TryRecvError::Empty);
        }
        self.reader.take_newest().ok_or(TryRecvError::Disconnected)
    }

    /// Another receiver, of what is sent from now on. Allocates; without memory the process ends.
    pub fn resubscribe(&self) -> Self {
        Self {
            reader: self.reader.joined(),
            resume: self.resume,
            #[cfg(feature = "std")]
            waiter: or_end(self.waiter.beside()),
        }
    }
}

impl<T> Receiver<T> {
    /// Where this receiver goes on after it was overrun.
    pub fn set_resume(&mut self, resume: Resume) {
        self.resume = resume;
    }

    /// The number of the message that this receiver wants next: messages received, lost and skipped so far, from the first of the channel on.
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// Messages that were sent and that this receiver has not seen. More than [`capacity`](Receiver::capacity): some are lost. The sender may
    /// send more at any time; it publishes the number after each 32 messages of a slice.
    pub fn lag(&self) -> u64 {
        self.reader.sent().saturating_sub(self.reader.position())
    }

    /// Whether the next look at the channel would find nothing new. The sender may send at any time.
    pub fn is_empty(&self) -> bool {
        !self.reader.has_news()
    }

    /// Whether the sender is gone. Messages may still be there to receive.
    pub fn is_closed(&self) -> bool {
        self.reader.is_ended()
    }

    /// How many messages the channel keeps.
    pub fn capacity(&self) -> usize {
        self.reader.capacity() as usize
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self {
            reader: self.reader.clone(),
            resume: self.resume,
            #[cfg(feature = "std")]
            waiter: or_end(self.waiter.beside()),
        }
    }
}

// A panic of the user's code, in a waker, leaves the channel usable.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

/// The parts of a new handle. Without memory the process ends.
#[cfg(feature = "std")]
pub(super) fn or_end(waiter: Result<Waiter, BuildError>) -> Waiter {
    waiter.unwrap_or_else(|_| alloc::alloc::handle_alloc_error(core::alloc::Layout::new::<Waiter>()))
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("position", &self.position())
            .field("lag", &self.lag())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
