//! One sender, many receivers, each in a process of its own; each receiver gets every message from its first on, and the slowest gates.
//!
//! ```text
//!  process A                 the segment                         ┌── Receiver   another process: seat 0, at its own position
//!  Sender ──► [ 9 │ 10 │ 11 │ 4 │ … │ 8 ]  one ring, no copies ──┼── Receiver   another: seat 1, slow: the sender waits for it
//!             a page of the sender, one of each seat             └── "journal"  seat 2, reserved: it gates, also while no process sits there
//! ```
//!
//! The ring is that of [`spsc`](super::spsc), with its promises: a message is invisible before its position moves, and no side waits for one that
//! was killed in the middle of a step. The rules are those of [`broadcast`](crate::broadcast). What is different between processes:
//!
//! * **Seats.** Their number is fixed when the channel is made ([`Builder::receivers`], 1 to 64). A receiver takes the first free seat, by a lock of the
//!   kernel's, and begins with what is sent from then on. It writes to its own page alone, and asks no other process to let it in.
//! * **A receiver that leaves or dies gates no more.** The sender goes on, and is told once, by [`Sender::departed`]. Death is the kernel's word; a
//!   receiver that is stopped gates.
//! * **A reserved seat stays** ([`Builder::open_reserved`]) when its receiver leaves or dies: the sender finds no room at last, and
//!   [`Sender::slowest`] says whom it waits for. The next receiver that opens the name goes on where the last one ended: with the first message that it
//!   did not commit. So a recorder that is started again has missed nothing. [`Builder::release`] gives the seat up.
//! * **No receiver.** While the sender finds no receiver and no reserved seat, there is no room, so a sender that comes first loses nothing
//!   ([`NoReceiver::Wait`]). It looks where its room is used up: once the last receiver has gone, up to `capacity` messages may still be sent that no
//!   receiver sees. With [`NoReceiver::Pass`] messages pass.
//!
//! ```
//! use ringmail::shm::broadcast::Builder;
//! # let name = format!("doc-broadcast-{}", std::process::id());
//! let mut tx = Builder::<u64>::new(&name).capacity(64).receivers(8).open_sender()?;
//! assert!(tx.try_send(0).is_err()); // no receiver: nothing is lost
//! // In other processes:
//! let mut journal = Builder::<u64>::new(&name).open_reserved("journal")?;
//! let mut screen = Builder::<u64>::new(&name).open_receiver()?;
//! tx.send(7)?;
//! assert_eq!((journal.recv(), screen.recv()), (Ok(7), Ok(7)));
//! drop(journal);
//! tx.send(8)?;
//! // The next process that keeps the journal:
//! let mut journal = Builder::<u64>::new(&name).open_reserved("journal")?;
//! assert_eq!(journal.recv(), Ok(8));
//! # drop((tx, journal, screen));
//! # assert!(Builder::<u64>::new(&name).remove()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Who dies where
//!
//! | who | the others see |
//! |---|---|
//! | the sender, before it published | nothing of that message. Each receiver gets the rest, then [`Cause::PeerDied`], once; the next sender goes on with the next position |
//! | a receiver, anywhere, on a seat that is not reserved | the sender waits for it until it asks the kernel, less than 100 ms, then goes on: [`Departed`] |
//! | a receiver on a reserved seat | its messages stay. The next holder gets what was not committed: at least once |
//! | a receiver, in the middle of its joining | as one that has joined |
//! | a receiver that is stopped | the sender waits once it is `capacity` behind, for as long as it takes |
//! | a receiver that writes what cannot be | the sender waits for it no more: [`Departed`], with [`Cause::Corrupted`] |
//! | the sender writes what cannot be | [`Cause::Corrupted`], from then on |
//!
//! A closed or ended sender is told to each receiver as in every channel: see [Sessions](super#sessions). The verbs of a [`Receiver`] are those of
//! [`spsc`](super::spsc), and so is what `recv` and `drain` commit; [`Receiver::seat`], [`Receiver::lag`] and [`Receiver::seat_name`] say where it is.
//!
//! # Waiting
//!
//! After a publication the sender looks at one word of each seat that was ever taken, and one more, and makes a system call if a receiver sleeps. A receiver
//! of which the sender does not know yet, as others joined at the same time, looks every millisecond, until the sender's next look. The sender sleeps on
//! the heads of all seats that gate (`futex_waitv`, Linux 5.16; on older kernels it looks every millisecond). A receiver can wait by a descriptor
//! ([`Watched`](super::Watched)), the sender cannot.
//!
//! Source of the idea: LMAX Disruptor, as for [`broadcast`](crate::broadcast); seats as locks of the kernel's, and joins without a handshake, are our own.

mod sender;

pub use crate::broadcast::NoReceiver;
pub use crate::shm::spsc::Receiver;
pub use sender::Sender;

use crate::shm::builder::{Channel, Messages, Seats, parts};
use crate::shm::error::{Cause, OpenError};
use crate::shm::peer::Role;
use crate::shm::ring::mapped::SeatName;
use crate::shm::ring::receiving_end::Rx;
use crate::shm::schema::{Message, Schema};
use crate::shm::segment::attach::{self, Requested, RoleLock};
use crate::shm::segment::file::failed;
use crate::shm::segment::header::Header;
use crate::shm::segment::layout::Kind;
use crate::shm::segment::location::Anonymous;
use crate::shm::segment::locks::LockRange;
use crate::shm::segment::map::{Map, Pages};
use crate::shm::spsc::{CAPACITY, layout_of};
use crate::shm::wait::futex;
use crate::wait::WaitStrategy;
use core::fmt;

/// Seats of a channel by default.
pub(crate) const RECEIVERS: usize = 8;

/// Opens the sides of a broadcast of messages `T`.
pub type Builder<T> = super::builder::Builder<Messages<T>, Seats>;

/// A session of a receiver that is over. From [`Sender::departed`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Departed {
    /// Which seat.
    pub seat: usize,
    /// The session's number: how often the seat had been taken when its receiver took it.
    pub session: u64,
    /// The receiver's process, as it said itself; of another pid namespace it may mean nothing. 0 if the channel has forgotten.
    pub pid: u32,
    /// Where it was: the number of the first message that it did not take. `None` if that is not known, as another receiver has the seat already.
    pub at: Option<u64>,
    /// How it ended. [`Cause::Corrupted`]: it wrote what cannot be, and is waited for no more.
    pub cause: Cause,
}

impl fmt::Display for Departed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seat, session, pid, cause, .. } = self;
        write!(f, "seat {seat}, session {session}, process {pid}: {cause}")
    }
}

/// The seat that the sender waits for when there is no room. From [`Sender::slowest`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Slowest {
    /// Which seat.
    pub seat: usize,
    /// Its name, if it is reserved.
    pub name: Option<String>,
    /// How many messages it is behind.
    pub lag: u64,
    /// Whether no process sits there. If it is reserved, it does not move before one does, or it is released; else the sender waits for it no more once it
    /// asks the kernel.
    pub vacant: bool,
}

impl fmt::Display for Slowest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name:?}, ")?;
        }
        write!(f, "seat {}, {} behind{}", self.seat, self.lag, if self.vacant { ", vacant" } else { "" })
    }
}

impl<T: Message> Channel for (Messages<T>, Seats) {
    type Sender = Sender<T>;
    type Receiver = Receiver<T>;

    const KIND: Kind = Kind::Broadcast;
    const SCHEMA: Schema = T::SCHEMA;
    const CAPACITY: usize = CAPACITY;

    fn lane(capacity: usize) -> Result<parts::Lane, OpenError> {
        layout_of::<T>(Self::KIND, capacity).map(parts::Lane)
    }

    fn sender(
        parts::OpenedRole(opened): parts::OpenedRole,
        wait: WaitStrategy,
        _version: u32,
    ) -> Result<Sender<T>, OpenError> {
        Ok(Sender::begin(opened, wait))
    }

    fn receiver(parts::OpenedRole(opened): parts::OpenedRole, wait: WaitStrategy) -> Result<Receiver<T>, OpenError> {
        Ok(Receiver { rx: Rx::begin_at_seat(opened, wait)? })
    }
}

impl<T: Message> Builder<T> {
    /// Seats of the channel, 1 to 64: as many can receive at a time, those that are reserved included; 8 by default. A seat takes a page of memory, and for
    /// each message a look if it was ever taken.
    pub fn receivers(mut self, receivers: usize) -> Self {
        self.lanes = Some(receivers);
        self
    }

    /// What the sender that is opened does while there is no receiver and no reserved seat; [`NoReceiver::Wait`] by default.
    pub fn no_receiver(mut self, choice: NoReceiver) -> Self {
        self.place.passes = choice == NoReceiver::Pass;
        self
    }

    /// Opens the receiving side at the reserved seat called `name`: 1 to 104 bytes. The first to do so reserves a free seat, and begins with what is sent
    /// from then on; from then on the seat gates, occupied or not, until it is [released](Builder::release). Later ones go on where the last one ended.
    ///
    /// # Errors
    /// The seat has a receiver, none is free, or as [`Builder::open_receiver`].
    pub fn open_reserved(mut self, name: &str) -> Result<Receiver<T>, OpenError> {
        check_name(name)?;
        self.place.reserved = Some(name.into());
        self.open_receiver()
    }

    /// Gives up the reserved seat called `name`, if no receiver sits there: it gates no more, and what its next receiver would have got is lost to that.
    /// Returns whether it did; not if there is no such seat. A sender that waits for it goes on within 100 ms.
    ///
    /// # Errors
    /// There is no channel, it is another one, or the system refused: see [`OpenError`].
    ///
    /// ```
    /// use ringmail::shm::broadcast::Builder;
    /// let channel = Builder::<u64>::create_anonymous(8, 64)?;
    /// let journal = Builder::<u64>::from_fd(&channel).open_reserved("journal")?;
    /// assert!(!Builder::<u64>::from_fd(&channel).release("journal")?); // a receiver sits there
    /// drop(journal);
    /// assert!(Builder::<u64>::from_fd(&channel).release("journal")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn release(mut self, name: &str) -> Result<bool, OpenError> {
        check_name(name)?;
        self.place.creates = false;
        let path = self.place.path()?;
        self.place.prepare(&path)?;
        let asked = Requested { capacity: self.capacity.is_some(), lanes: self.lanes.is_some() };
        let layout = Self::layout(self.lanes, self.capacity)?;
        let header = Header::new(&layout, T::SCHEMA);
        let (names, file, found) = loop {
            let names = attach::lock_names(&self.place, &path)?;
            let (file, found) = attach::open(&self.place, &path, &header, &layout, asked)?;
            // Else another channel has the name by now.
            if attach::is_same(names.file(), &file, &path)? {
                break (names, file, found);
            }
        };
        let Some(seat) = attach::seat_named(names.file(), &found, name, &path)? else { return Ok(false) };
        let Ok((_held, _)) = RoleLock::take_one(file, core::iter::once((LockRange::seat(seat), seat)), &path)? else {
            return Ok(false);
        };
        let map = Map::new(names.file(), &found, seat, Some(Role::Receiver), Pages::default());
        let map = map.map_err(failed("map", &path))?;
        map.seat(0).name.clear();
        futex::wake(&map.consumer().block.head);
        Ok(true)
    }

    /// Makes a channel without a name, with so many seats, that holds `messages`, exactly. Its sides are opened by [`Builder::from_fd`].
    ///
    /// # Errors
    /// The capacity is 0 or too large, so is the number of receivers, or the system refused: see [`OpenError`].
    pub fn create_anonymous(receivers: usize, messages: usize) -> Result<Anonymous, OpenError> {
        Self::anonymous(Some(receivers), messages, None)
    }
}

fn check_name(name: &str) -> Result<(), OpenError> {
    match (1..=SeatName::MOST).contains(&name.len()) {
        true => Ok(()),
        false => Err(OpenError::SeatName { bytes: name.len(), most: SeatName::MOST }),
    }
}
