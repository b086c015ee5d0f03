//! The sending end, and what only a sender of a broadcast can say.

use super::{SeatId, Sender, WriteChunk};
use crate::channel::RingSender;
#[cfg(feature = "std")]
use crate::drop_order::lend;
#[cfg(feature = "std")]
use crate::error::SendError;
use crate::error::TrySendError;
use crate::ring::broadcast::{Producer, Staging};
use crate::ring::layout::Stats;
use crate::ring::place::{Filled, Place};
#[cfg(feature = "std")]
use alloc::string::String;
use core::fmt;

/// A sending end. Aligned as [`LaneSender`](crate::channel::lane::LaneSender).
#[allow(missing_debug_implementations, reason = "behind the handles, which have one")]
#[repr(align(128))]
pub struct CastSender<T> {
    pub(super) ring: Producer<T>,
}

impl<T> RingSender for CastSender<T> {
    type Item = T;

    #[inline(always)]
    fn push(&mut self, value: T) -> Result<(), T> {
        self.ring.push(value)
    }

    #[inline(always)]
    fn push_with<F>(&mut self, write: F) -> Result<(), F>
    where
        F: FnOnce(Place<'_, T>) -> Filled<'_>,
    {
        self.ring.push_with(write)
    }

    fn push_slice(&mut self, values: &[T]) -> usize
    where
        T: Copy,
    {
        self.ring.push_slice(values)
    }

    fn has_room(&mut self) -> bool {
        self.ring.room(1) != 0
    }

    fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    fn close(&mut self) {
        self.ring.close();
    }

    fn drop_orphans(&mut self) {
        self.ring.drop_rest();
    }

    fn len(&self) -> usize {
        self.ring.len()
    }

    fn capacity(&self) -> usize {
        self.ring.memory().capacity()
    }

    fn is_full(&self) -> bool {
        let memory = self.ring.memory();
        // Without a seat as a send finds it, though no message is there.
        self.ring.slowest().map_or(!memory.options.pass, |(_, lag, _)| lag >= memory.capacity() as u64)
    }

    fn transferred(&self) -> u64 {
        self.ring.sent()
    }

    fn stats(&self) -> Stats {
        self.ring.stats()
    }

    fn count_full(&mut self) {
        self.ring.count_full();
    }

    fn count_parks(&self, n: u64) {
        self.ring.count_parks(n);
    }
}

/// The seat that the sender waits for when there is no room. From [`Sender::slowest`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Slowest {
    /// Which seat.
    pub seat: SeatId,
    /// Its name, if it was reserved.
    #[cfg(feature = "std")]
    pub name: Option<String>,
    /// How many messages it is behind.
    pub lag: u64,
    /// Whether no receiver sits there: it is reserved, and does not move before one takes it, or it is released.
    pub vacant: bool,
}

impl fmt::Display for Slowest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(feature = "std")]
        if let Some(name) = &self.name {
            write!(f, "{name:?}, ")?;
        }
        write!(f, "seat {}, {} behind{}", self.seat, self.lag, if self.vacant { ", vacant" } else { "" })
    }
}

impl<T> Sender<T> {
    /// The seat that is furthest behind, and by how much: the one that the sender waits for if there is no room. `None` while there is no seat.
    ///
    /// Receivers move meanwhile. Reads each seat; takes a lock if the seat was reserved, for its name.
    ///
    /// ```
    /// let (mut tx, hub) = ringmail::broadcast::channel::<u32>(2)?;
    /// let journal = hub.reserve("journal")?;
    /// tx.send_slice(&[1, 2])?;
    /// drop(journal);
    /// assert!(tx.try_send(3).is_err());
    /// let slowest = tx.slowest().expect("there is a seat");
    /// assert_eq!(slowest.to_string(), "\"journal\", seat 0, 2 behind, vacant");
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn slowest(&self) -> Option<Slowest> {
        let (seat, lag, vacant) = self.end.ring.slowest()?;
        Some(Slowest {
            seat: SeatId::of(seat),
            #[cfg(feature = "std")]
            name: self.end.ring.memory().name_of(seat),
            lag,
            vacant,
        })
    }

    /// Messages that no receiver saw, as they were sent while there was no seat: possible in [`NoReceiver::Pass`](super::NoReceiver::Pass). A
    /// receiver that came and went between two looks of the sender may have seen some of them.
    pub fn passed(&mut self) -> u64 {
        self.end.ring.passed()
    }

    /// Reserves room for up to `n` messages, to be written in place and published together.
    ///
    /// The chunk has at least one place unless `n` is 0; look at [`WriteChunk::capacity`]. Until it is committed receivers see nothing; dropping it drops
    /// what was written, and nothing is sent. A receiver that joins meanwhile takes no place away.
    ///
    /// Wait-free; [`WriteChunk::push`] drops the older message in each place.
    ///
    /// # Errors
    /// `Full` if there is no room at all, `Disconnected` if the channel is closed.
    ///
    /// ```
    /// let (mut tx, hub) = ringmail::broadcast::channel(4)?;
    /// let mut rx = hub.join()?;
    /// let mut chunk = tx.try_reserve(8).expect("an empty channel has room");
    /// assert_eq!(chunk.capacity(), 4);
    /// chunk.push(1).expect("there are four places");
    /// chunk.fill_from_iter(2..4);
    /// assert!(rx.is_empty());
    /// assert_eq!(chunk.commit(), 3);
    /// assert_eq!(rx.read_chunk(8)?.as_slices().0, [1, 2, 3]);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn try_reserve(&mut self, n: usize) -> Result<WriteChunk<'_, T>, TrySendError<()>> {
        let room = self.end.ring.room(n as u64);
        if room == 0 && (n > 0 || self.end.ring.is_closed()) {
            return Err(self.refusal());
        }
        Ok(WriteChunk(Staging::new(&mut self.end.ring, room)))
    }

    /// Sends from `values` until it ends or there is no room, and publishes what was sent together. Returns how many.
    ///
    /// An item is taken out of the iterator only when it has a place, so none is lost. If the iterator, or the drop of an older message, panics, the
    /// items before are sent.
    ///
    /// # Errors
    /// `Full` if there is no room at all, `Disconnected` if the channel is closed; nothing was taken from the iterator then.
    pub fn try_send_iter(&mut self, values: &mut impl Iterator<Item = T>) -> Result<usize, TrySendError<()>> {
        match self.end.ring.push_iter(values) {
            (0, _) => Err(self.refusal()),
            (_, sent) => Ok(sent as usize),
        }
    }
}

#[cfg(feature = "std")]
impl<T> Sender<T> {
    /// Sends everything that `values` yields, waiting for room as often as need be. Returns how many.
    ///
    /// Each run that fits is published together, when the room or the iterator ends. So an iterator that waits for a receiver to answer these
    /// messages waits for ever; loop over [`send`](crate::Sender::send) instead. If the iterator panics, what it yielded before is sent.
    ///
    /// # Errors
    /// The channel is closed; carries the item that was next. The iterator, if lent by `&mut`, still has the rest.
    pub fn send_iter(&mut self, values: impl IntoIterator<Item = T>) -> Result<usize, SendError<T>> {
        lend(values.into_iter().fuse(), |values| {
            let mut sent = 0;
            loop {
                sent += self.try_send_iter(values).unwrap_or(0);
                // The ring is full or closed, or there is no next item.
                let Some(value) = values.next() else { return Ok(sent) };
                self.send(value)?;
                sent += 1;
            }
        })
    }
}
