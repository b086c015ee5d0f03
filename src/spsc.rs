//! One sender, one receiver, first in first out.
//!
//! ```text
//!  Sender ──► [ · · · ▓ ▓ ▓ ▓ · · ] ──► Receiver        bounded, exact capacity, wait-free core
//! ```
//!
//! The same verbs in four tempers: `try_*` never waits, the plain name blocks, `*_timeout` and `*_deadline` give up, `*_async` is a
//! future. Batches (`*_slice`, `*_iter`, `*_many`, [`Receiver::drain`]) and chunks ([`Sender::try_reserve`],
//! [`Receiver::read_chunk`]) publish many messages with one store and wake the other side at most once.
//!
//! **Handles** are `Send` but neither `Sync` nor `Clone`, and every verb takes `&mut self`: a second sender, or two threads
//! on one handle, would break the rule that each shared word has one writer, so the types do not allow it.
//!
//! **Closing.** When the sender closes or is dropped, the receiver still gets everything sent before, then `Disconnected`. When the
//! receiver closes or is dropped, the very next send gets its message back as `Disconnected`, whether the ring is full or
//! not. A dropped receiver drops what is in the ring at once; a message that was sent in that very moment is dropped by
//! the sender's first operation after the receiver has finished, or with the last handle. After [`Receiver::close`] what is already there can still be received;
//! once the receiver has been told `Disconnected`, it stays so.
//!
//! **Panics** in a message's `Drop`, in an iterator or in a closure drop every message exactly once, and the channel stays
//! usable. A leaked guard (`mem::forget`) leaks messages at most.
//!
//! ```
//! let (mut tx, mut rx) = ringmail::spsc::channel(1024)?;
//! let producer = std::thread::spawn(move || {
//!     for i in 0..10_000u64 {
//!         tx.send(i).expect("the receiver waits for all of them");
//!     }
//! });
//! assert_eq!(rx.iter().sum::<u64>(), 10_000 * 9_999 / 2);
//! producer.join().unwrap();
//! # Ok::<(), ringmail::BuildError>(())
//! ```

mod builder;
mod chunk;
#[cfg(feature = "futures")]
mod futures;
#[cfg(feature = "std")]
mod iter;
#[cfg(feature = "std")]
mod waiting;

pub use crate::ring::layout::Stats;
pub use builder::{Builder, channel};
pub use chunk::{IntoIter as ReadChunkIntoIter, ReadChunk, WriteChunk};
#[cfg(feature = "std")]
pub use iter::{IntoIter, Iter, TryIter};
#[cfg(feature = "std")]
pub use waiting::{RecvFuture, SendFuture};

use crate::error::{TryRecvError, TrySendError};
use crate::ring::backing::Heap;
use crate::ring::order::mutant;
use crate::ring::spsc::{Consumer, Producer};
use crate::wait::Bell;
#[cfg(feature = "std")]
use crate::wait::{Side, WaitStrategy};
use alloc::vec::Vec;
use core::fmt;
use crossbeam_utils::CachePadded;

/// The sending half. Dropping it closes the channel; the receiver still gets what was sent.
pub struct Sender<T> {
    /// Padded: each side's private copies must not share a line with the other handle's, wherever the two are kept.
    ring: CachePadded<Producer<Heap<T>>>,
    receiver: Bell,
    #[cfg(feature = "std")]
    side: Side,
}

/// The receiving half. Dropping it closes the channel and drops what is in it.
pub struct Receiver<T> {
    /// Padded like the sender's.
    ring: CachePadded<Consumer<Heap<T>>>,
    closed: bool,
    sender: Bell,
    #[cfg(feature = "std")]
    side: Side,
}

impl<T> Sender<T> {
    /// Sends `value` if there is room now.
    ///
    /// Meanwhile the receiver may take messages, so a full channel may stop being full at any time; nobody else can fill it.
    /// `Full` is never answered from an old look: the receiver's position is read again first.
    ///
    /// Wait-free.
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
        match self.ring.push(value) {
            Ok(()) => {
                self.ring_receiver();
                Ok(())
            }
            Err(value) => Err(self.refusal().map(|()| value)),
        }
    }

    /// Copies as many of `values` as fit now and publishes them together. Returns how many, at least one unless `values`
    /// is empty.
    ///
    /// Wait-free apart from the copy.
    ///
    /// # Errors
    /// `Full` if there is no room at all, `Disconnected` if the channel is closed.
    pub fn try_send_slice(&mut self, values: &[T]) -> Result<usize, TrySendError<()>>
    where
        T: Copy,
    {
        let mut chunk = self.try_reserve(values.len())?;
        chunk.fill_from_slice(values);
        Ok(chunk.commit())
    }

    /// Sends from `values` until it ends or there is no room, and publishes what was sent together. Returns how many.
    ///
    /// An item is taken out of the iterator only when it has a place, so none is lost. If the iterator panics, the items
    /// before are sent.
    ///
    /// # Errors
    /// `Full` if there is no room at all, `Disconnected` if the channel is closed; nothing was taken from the iterator then.
    pub fn try_send_iter(&mut self, values: &mut impl Iterator<Item = T>) -> Result<usize, TrySendError<()>> {
        // No more than it can need: room that is already known then serves without another look at the receiver's line.
        let most = values.size_hint().1.unwrap_or(usize::MAX).clamp(1, self.capacity());
        if self.ring.reserve(most as u64) == 0 {
            return Err(self.refusal());
        }
        let sending = Publish(self);
        Ok(sending.0.ring.stage_iter(values) as usize)
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
    #[inline]
    pub fn try_reserve(&mut self, n: usize) -> Result<WriteChunk<'_, T>, TrySendError<()>> {
        if self.ring.reserve(n as u64) == 0 && (n > 0 || self.ring.is_closed()) {
            return Err(self.refusal());
        }
        Ok(WriteChunk::new(self))
    }

    /// Sends nothing more. The receiver still gets what was sent, then `Disconnected`. Dropping the sender does the same.
    pub fn close(&mut self) {
        self.ring.close();
        if !mutant!(SenderCloseRings) {
            self.ring_receiver();
        }
    }

    /// Whether a send can never succeed again: either side closed. Once true it stays true.
    pub fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    /// Messages in the channel. The receiver may take some at any time, so there are at most this many a moment later.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether there was no message a moment ago. An empty channel stays empty until this handle sends.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there was no room a moment ago. A channel with room keeps it until this handle sends.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Most messages that the channel holds: exactly what it was built with.
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// What the channel has done so far.
    pub fn stats(&self) -> Stats {
        self.ring.stats()
    }

    /// Wakes the receiver if it sleeps.
    #[inline(always)]
    fn ring_receiver(&self) {
        if self.receiver.is_hung_up() {
            self.wake_receiver();
        }
    }

    #[cold]
    #[inline(never)]
    fn wake_receiver(&self) {
        if self.receiver.answer() {
            self.ring.count_wake();
        }
    }

    /// Why the ring took nothing.
    #[cold]
    #[inline(never)]
    fn refusal(&mut self) -> TrySendError<()> {
        if self.ring.is_closed() {
            // What was sent while the receiver left is ours to drop.
            self.ring.inherit_if_gone();
            TrySendError::Disconnected(())
        } else {
            self.ring.count_full();
            TrySendError::Full(())
        }
    }
}

/// Publishes what is staged when dropped, also by a panic.
struct Publish<'a, T>(&'a mut Sender<T>);

impl<T> Drop for Publish<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.0.ring.publish_staged() != 0 {
            self.0.ring_receiver();
            // The receiver may have left since the reservation, which may be long ago.
            self.0.ring.inherit_if_gone();
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T> Receiver<T> {
    /// Takes the next message if there is one now.
    ///
    /// Meanwhile the sender may add messages; nobody else can take any. `Empty` is never answered from an old look, and
    /// `Disconnected` only once everything sent before the close has been taken.
    ///
    /// Wait-free.
    ///
    /// # Errors
    /// `Empty`, or `Disconnected` when nothing will ever come.
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let Some(next) = self.ring.next() else { return Err(self.nothing()) };
        next.take(|ring| freed(ring, &self.sender))
    }

    /// The next message, left where it is.
    ///
    /// The sender cannot change it. It is taken by the next receiving verb.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    pub fn peek(&mut self) -> Result<&T, TryRecvError> {
        if !self.ring.has_message() {
            return Err(self.nothing());
        }
        self.ring.front(0).ok_or(TryRecvError::Empty)
    }

    /// Up to `n` of the next messages in place, at least one unless `n` is 0.
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
    #[inline]
    pub fn read_chunk(&mut self, n: usize) -> Result<ReadChunk<'_, T>, TryRecvError> {
        let len = self.ring.available(n as u64);
        if len == 0 && n > 0 {
            return Err(self.nothing());
        }
        Ok(ReadChunk::new(self, len))
    }

    /// Moves up to `limit` messages to the end of `buffer` with one copy. Returns how many, at least one unless `limit` is 0.
    ///
    /// Wait-free apart from the copy and the buffer's growth.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    pub fn try_recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> Result<usize, TryRecvError> {
        if limit == 0 {
            return Ok(0);
        }
        let n = self.read_chunk(limit)?.len();
        let n = self.ring.move_into(buffer, n as u64);
        self.ring_sender();
        Ok(n)
    }

    /// Hands up to `max` of the messages there are now to `f`, one by one, then frees their places together. Returns how many;
    /// 0 says nothing about whether more can come.
    ///
    /// A message counts as received before `f` sees it: if `f` panics, that one is gone and the rest stay.
    pub fn drain(&mut self, max: usize, mut f: impl FnMut(T)) -> usize {
        let n = self.ring.available(max as u64) as usize;
        if n == 0 {
            self.free_leaked();
            return 0;
        }
        let freeing = Release(self);
        for _ in 0..n {
            let Some(value) = freeing.0.ring.take() else { break };
            f(value);
        }
        n
    }

    /// Accepts nothing more: the sender's next send fails. What is in the channel can still be received, then the answer is
    /// `Disconnected`. A message sent at the same moment is either still received, or dropped.
    pub fn close(&mut self) {
        self.closed = true;
        self.ring.announce_gone();
        if !mutant!(ReceiverCloseRings) {
            self.ring_sender();
        }
    }

    /// Whether either side closed. Messages may still be there to receive, and one that was sent at the moment of this side's own
    /// close may still come.
    pub fn is_closed(&self) -> bool {
        self.closed || self.ring.peer_closed()
    }

    /// Messages in the channel. The sender may add some at any time, so there are at least this many a moment later.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether there was no message a moment ago. A channel with messages keeps them until this handle receives.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there was no room a moment ago. A full channel stays full until this handle receives.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Most messages that the channel holds: exactly what it was built with.
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// What the channel has done so far.
    pub fn stats(&self) -> Stats {
        self.ring.stats()
    }

    /// Wakes the sender if it sleeps.
    #[inline(always)]
    fn ring_sender(&self) {
        freed(&self.ring, &self.sender);
    }

    /// Frees the places that a leaked guard had kept, before this side answers "empty" or waits.
    fn free_leaked(&mut self) {
        if self.ring.free_leaked() {
            self.ring_sender();
        }
    }

    /// Why the ring gave nothing.
    #[cold]
    #[inline(never)]
    fn nothing(&mut self) -> TryRecvError {
        self.free_leaked();
        if self.closed {
            // What raced with the close is dropped here or by the sender; from now on the answer cannot change.
            self.ring.retire();
        }
        if self.ring.is_over() { TryRecvError::Disconnected } else { TryRecvError::Empty }
    }
}

/// Wakes the sender if it sleeps: there is room.
#[inline(always)]
fn freed<T>(ring: &Consumer<Heap<T>>, sender: &Bell) {
    if sender.is_hung_up() {
        wake_sender(ring, sender);
    }
}

#[cold]
#[inline(never)]
fn wake_sender<T>(ring: &Consumer<Heap<T>>, sender: &Bell) {
    if sender.answer() {
        ring.count_wake();
    }
}

/// Frees the places of what was taken when dropped, also by a panic.
struct Release<'a, T>(&'a mut Receiver<T>);

impl<T> Drop for Release<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.ring.free();
        self.0.ring_sender();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // The sender learns first: dropping the messages may take long, and may panic. The ring's end drops them.
        self.close();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        handle(f, "Sender", self.len(), self.capacity(), self.is_closed())
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        handle(f, "Receiver", self.len(), self.capacity(), self.is_closed())
    }
}

fn handle(f: &mut fmt::Formatter<'_>, name: &str, len: usize, capacity: usize, closed: bool) -> fmt::Result {
    f.debug_struct(name)
        .field("len", &len)
        .field("capacity", &capacity)
        .field("closed", &closed)
        .finish_non_exhaustive()
}

#[cfg(not(ringmail_loom))]
mod assertions {
    use super::{Receiver, Sender};
    use static_assertions::{assert_impl_all, assert_not_impl_any};

    assert_impl_all!(Sender<u64>: Send, Unpin);
    assert_impl_all!(Receiver<u64>: Send, Unpin);
    // A cell may move to another thread but not be shared: enough for a channel.
    assert_impl_all!(Sender<core::cell::Cell<u64>>: Send);
    assert_not_impl_any!(Sender<u64>: Sync, Clone);
    assert_not_impl_any!(Receiver<u64>: Sync, Clone);
    assert_not_impl_any!(Sender<alloc::rc::Rc<u64>>: Send);
    assert_not_impl_any!(Receiver<alloc::rc::Rc<u64>>: Send);
}
