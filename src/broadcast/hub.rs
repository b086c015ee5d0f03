//! Where receivers join.

use super::Receiver;
use super::error::JoinError;
use crate::ring::broadcast::{Consumer, Member, SeatRef, Start};
use crate::try_alloc::room;
use crate::wait::EventCount;
use alloc::vec::Vec;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// Which seat of a channel. No two receivers of a channel have the same, except that the next receiver of a reserved seat has that of the last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SeatId {
    index: u32,
    generation: u32,
}

impl SeatId {
    pub(super) const fn of(seat: SeatRef) -> Self {
        Self { index: seat.index(), generation: seat.generation() }
    }

    /// A small number, for tables: seats that are there at the same time have different ones, those that were given up are given out again.
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// How many receivers had a seat of the same index before.
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

impl fmt::Display for SeatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.index)?;
        if self.generation != 0 { write!(f, ".{}", self.generation) } else { Ok(()) }
    }
}

/// Where receivers join a channel, at any time and from any thread. Clones are the same hub.
///
/// The channel is closed for its sender when all hubs and all receivers are gone: then none can ever come.
///
/// Joining and leaving do not wait for the sender: they are lock-free. (A thread that is interrupted within a join holds the sender up as a slow receiver does.) Joining passes a `membarrier` of some microseconds, unless the
/// channel was built for fences ([`FenceMode`](crate::FenceMode)). Reserved seats have names, which are under a lock of their own.
pub struct Hub<T> {
    member: Member<T>,
    event: Option<EventCount>,
}

impl<T> Hub<T> {
    pub(super) const fn new(member: Member<T>) -> Self {
        Self { member, event: None }
    }

    /// A receiver that sees the messages from now on: those that are sent after this returns, and perhaps some that are sent meanwhile. The sender waits
    /// for it as long as it lives.
    ///
    /// # Errors
    /// No memory.
    pub fn join(&self) -> Result<Receiver<T>, JoinError> {
        self.after(&[])
    }

    /// As [`Hub::join`], and it sees a message only when all of `before` have committed it: received it, and returned from the verb that lent it, or
    /// committed the chunk.
    ///
    /// One of them that is dropped does not count any more, unless its seat is reserved. As it can name receivers only that are there, no two
    /// wait for each other.
    ///
    /// # Errors
    /// One of them is of another channel; no memory.
    ///
    /// ```
    /// let (mut tx, hub) = ringmail::broadcast::channel(4)?;
    /// let mut journal = hub.reserve("journal")?;
    /// let mut engine = hub.after(&[&journal])?;
    /// tx.try_send("buy").unwrap();
    /// assert!(engine.try_recv().is_err());
    /// assert_eq!(journal.try_recv(), Ok("buy"));
    /// assert_eq!(engine.try_recv(), Ok("buy"));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn after(&self, before: &[&Receiver<T>]) -> Result<Receiver<T>, JoinError> {
        let before = self.seats(before)?;
        match Consumer::join(self.member.clone(), Start::Now(self.event.as_ref()), &before)? {
            Some(end) => {
                end.tell_join();
                Ok(Receiver::new(end)?)
            }
            None => Err(JoinError::Occupied),
        }
    }

    fn seats(&self, before: &[&Receiver<T>]) -> Result<Vec<SeatRef>, JoinError> {
        let mut seats = room(before.len())?;
        for one in before {
            if !one.end.member().is_of_same(&self.member) {
                return Err(JoinError::OtherChannel);
            }
            seats.push(one.end.seat_ref());
        }
        Ok(seats)
    }

    /// Most messages that the channel holds: exactly what it was built with.
    pub fn capacity(&self) -> usize {
        self.member.memory().capacity()
    }

    /// Whether the sender has sent its last message. Receivers that have not taken all still get the rest.
    pub fn is_closed(&self) -> bool {
        self.member.memory().is_closed()
    }
}

#[cfg(feature = "std")]
impl<T> Hub<T> {
    /// The same hub, whose receivers wait on `event`: for a thread that waits for several channels, and for reactors
    /// ([`EventCount`](crate::wait::EventCount)).
    ///
    /// A reserved seat keeps the event count that it was reserved with. The memory of a seat that was made for an event count serves receivers of that event
    /// count only, and stays until the channel goes.
    ///
    /// One that comes after others has a message when these have committed it: [`Receiver::is_empty`] says so.
    pub fn with_event(&self, event: EventCount) -> Self {
        Self { member: self.member.clone(), event: Some(event) }
    }

    /// A receiver on a new seat of this name that is reserved: the sender waits for it from now on, also after the receiver was dropped, until
    /// the seat is released. The next receiver ([`Hub::take`]) goes on where the last one ended.
    ///
    /// # Errors
    /// There is a seat of this name; no memory.
    pub fn reserve(&self, name: &str) -> Result<Receiver<T>, JoinError> {
        self.reserve_after(name, &[])
    }

    /// [`Hub::reserve`] and [`Hub::after`] in one.
    ///
    /// # Errors
    /// As theirs.
    pub fn reserve_after(&self, name: &str, before: &[&Receiver<T>]) -> Result<Receiver<T>, JoinError> {
        let before = self.seats(before)?;
        let end = Consumer::reserve(self.member.clone(), name, Start::Now(self.event.as_ref()), &before)?;
        let made = Receiver::new(end);
        if made.is_err() {
            // The receiver is gone, so the seat is vacant.
            let _ = self.member.memory().release_reserved(name);
        }
        Ok(made?)
    }

    /// A receiver on the vacant reserved seat of this name. It goes on where the last one ended: with the first message that was not committed. It
    /// keeps its place after others, if it has one.
    ///
    /// # Errors
    /// There is no seat of this name, or a receiver sits there; this hub is [`with_event`](Hub::with_event), and the seat was reserved with another
    /// event count; no memory.
    ///
    /// ```
    /// let (mut tx, hub) = ringmail::broadcast::channel(4)?;
    /// let mut journal = hub.reserve("journal")?;
    /// tx.send_slice(&[1, 2])?;
    /// assert_eq!(journal.try_recv(), Ok(1));
    /// drop(journal);
    /// let mut journal = hub.take("journal")?;
    /// assert_eq!(journal.try_recv(), Ok(2));
    /// journal.release();
    /// assert!(hub.take("journal").is_err());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn take(&self, name: &str) -> Result<Receiver<T>, JoinError> {
        Ok(Receiver::new(Consumer::take_reserved(self.member.clone(), name, self.event.as_ref())?)?)
    }

    /// Gives up the vacant reserved seat of this name: the sender waits for it no more. A receiver that sits there does it by [`Receiver::release`].
    ///
    /// # Errors
    /// There is no seat of this name, or a receiver sits there.
    pub fn release(&self, name: &str) -> Result<(), JoinError> {
        Ok(self.member.memory().release_reserved(name)?)
    }
}

impl<T> Clone for Hub<T> {
    fn clone(&self) -> Self {
        Self { member: self.member.clone(), event: self.event.clone() }
    }
}

// A panic of the user's code leaves the channel usable.
impl<T> UnwindSafe for Hub<T> {}
impl<T> RefUnwindSafe for Hub<T> {}

// Nothing of it is ever pinned.
impl<T> Unpin for Hub<T> {}

impl<T> fmt::Debug for Hub<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
