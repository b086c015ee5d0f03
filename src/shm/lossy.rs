//! One sender that never waits, any number of receivers that only read: a tap on what a process does, which nothing can feed back into.
//!
//! ```text
//!  process A                  the segment                        ┌── Receiver   another process: at its own position
//!  Sender ──► [ 9 │ 10 │ 11 │ 4 │ … │ 8 ]  mapped for reading ───┼── Receiver   another: overrun: Lost(n), goes on in the middle
//!             the last `capacity` messages                       └── Receiver   another user's, without a right to write: latest: 11
//! ```
//!
//! The ring, its verbs and [`Seen`] are those of [`broadcast::lossy`](crate::broadcast::lossy). What is different between processes:
//!
//! * **A receiver opens the file for reading and maps it for reading.** It takes no lock, writes no word, and is in no list. The hardware refuses a store to
//!   it. Any number of them come and go, stop, or are killed: the sender cannot notice.
//! * **So a receiver that waits polls.** It looks a few times, yields, then sleeps for 20 µs and twice as long each time, up to
//!   [`Builder::longest_sleep`] (1 ms by default). The sender makes no system call for it.
//! * **The sender makes the channel**; a receiver that finds none gets [`OpenError::NotFound`]. The segment stays when the sender has gone, with its last
//!   messages, until it is [removed](Builder::remove) or the machine is started again. Receivers do not keep it from being removed.
//! * **Each message is checked.** Its bytes are copied out, found to be of one message, and then to be a valid `T`.
//!
//! ```
//! use ringmail::shm::lossy::{Builder, Seen};
//!
//! # let name = format!("doc-lossy-{}", std::process::id());
//! let mut tx = Builder::<u64>::new(&name).capacity(4).open_sender()?;
//! // In other processes:
//! let mut rx = Builder::<u64>::new(&name).open_receiver()?;
//! let screen = rx.clone();
//! for price in 0..6 {
//!     tx.send(price); // no error, no wait
//! }
//! assert_eq!(rx.recv()?, Seen::Lost(4)); // 0 and 1 are gone; it goes on in the middle of what is kept
//! assert_eq!(rx.recv()?, Seen::Message(4));
//! assert_eq!(screen.latest()?, Some((5, 5)));
//! # drop(tx);
//! # assert!(Builder::<u64>::new(&name).remove()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When the sender ends
//!
//! A receiver that has caught up is told once how a session of the sender ended, and then waits for the next. Messages of a later session may
//! come before that: a receiver that lags is told where it has caught up, each session in its order.
//!
//! | the sender | its receivers |
//! |---|---|
//! | closes, or its handle is dropped | what is kept, then [`Cause::Closed`](crate::shm::Cause::Closed) |
//! | gives up, or is dropped by a panic | what is kept, then [`Cause::GivenUp`](crate::shm::Cause::GivenUp) |
//! | is killed, at any point | every whole message, then [`Cause::PeerDied`](crate::shm::Cause::PeerDied). One that was half written does not exist |
//! | comes back | it goes on with the next number: no number is used twice |
//! | wrote what cannot be | [`Cause::Corrupted`](crate::shm::Cause::Corrupted), from then on |
//! | has gone, and the file is removed | [`Cause::Removed`](crate::shm::Cause::Removed): open the name again |
//!
//! The verbs that wait ask the kernel whether the sender lives, at least every 90 ms, [`Receiver::peer`] each time, `try_recv` and `try_changed` after
//! 4096 looks in vain.
//!
//! # Rights
//!
//! A receiver needs the right to read the file, and no more. The file is made with mode 600. For another user, the sender's user gives the right (`chmod
//! 644`, or 640 and a group) to a file at a path that the other can reach; that one names the path and, by [`Builder::owner`], whose file it is. A file that
//! others than its owner may write to is refused. The owner can cut the file short, and the next access is a `SIGBUS`, as for every channel with a name.
//!
//! Who has the descriptor of an [`Anonymous`] channel may open either side of it.

mod receiver;
mod sender;
mod wait;

pub use crate::broadcast::lossy::{Resume, Seen};
pub use receiver::Receiver;
pub use sender::Sender;

use crate::shm::error::OpenError;
use crate::shm::peer::Role;
use crate::shm::ring::open;
use crate::shm::ring::stamped::slot_bytes;
use crate::shm::schema::Message;
use crate::shm::segment::attach::Requested;
use crate::shm::segment::file;
use crate::shm::segment::header::Header;
use crate::shm::segment::layout::{Kind, Layout};
use crate::shm::segment::location::{Anonymous, Location};
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;
use std::path::PathBuf;

/// Messages that a channel keeps if no side asks.
const CAPACITY: usize = 1024;

/// Fewest: in one slot alone, each message would be written over the newest one.
const MIN_CAPACITY: usize = 2;

/// Opens the sides of a lossy channel of messages `T`. The sender makes the channel if it is not there.
///
/// ```
/// use ringmail::shm::OpenError;
/// use ringmail::shm::lossy::Builder;
///
/// # let name = format!("doc-lossy-builder-{}", std::process::id());
/// assert!(matches!(Builder::<u64>::new(&name).open_receiver(), Err(OpenError::NotFound { .. })));
/// let tx = Builder::<u64>::new(&name).capacity(1000).open_sender()?;
/// assert_eq!(tx.capacity(), 1024);
/// let rx = Builder::<u64>::new(&name).open_receiver()?;
/// assert_eq!(rx.latest()?, None);
/// # drop(tx);
/// # assert!(Builder::<u64>::new(&name).remove()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Builder<T> {
    place: Location,
    capacity: Option<usize>,
    owner: Option<u32>,
    from_oldest: bool,
    resume: Resume,
    longest_sleep: Duration,
    messages: PhantomData<fn(T)>,
}

impl<T: Message + Copy> Builder<T> {
    /// A channel called `name`: 1 to 100 letters, digits, `-`, `_` and `.`, not `.` first, in the directory of plain names (see
    /// [`Builder::directory`]); or, with a `/`, the path of its file.
    pub fn new(name: impl Into<String>) -> Self {
        Self::at(Location::named(name.into()))
    }

    /// The channel that a descriptor leads to: of an [`Anonymous`], or one that another process has passed on.
    pub fn from_fd(fd: impl Into<Anonymous>) -> Self {
        Self::at(Location::memory(fd.into()))
    }

    fn at(place: Location) -> Self {
        Self {
            place,
            capacity: None,
            owner: None,
            from_oldest: false,
            resume: Resume::default(),
            longest_sleep: wait::LONGEST_SLEEP,
            messages: PhantomData,
        }
    }

    /// How many messages the channel keeps, rounded up to a power of two, 2 at least; 1024 by default.
    ///
    /// What the sender that makes the channel asked for is exact from then on: a side that asks for another number is refused with a
    /// [`Mismatch`](crate::shm::Mismatch). If it did not ask, a side that asks for less takes the channel as it is.
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = Some(messages);
        self
    }

    /// Whether the sender makes a channel that is not there; it does by default. With `false` an absent channel is
    /// [`OpenError::NotFound`]. A receiver never makes one.
    pub fn create(mut self, create: bool) -> Self {
        self.place.creates = create;
        self
    }

    /// The directory of plain names, as for [`shm::Builder`](crate::shm::Builder::directory).
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.place.directory = Some(path.into());
        self
    }

    /// Whether the side that is opened maps all of its memory at once, so that no send or receive waits for the kernel to do so. Takes
    /// time at the opening. Memory can still be swapped out.
    pub fn prefault(mut self, all: bool) -> Self {
        self.place.pages.prefault = all;
        self
    }

    /// Whether the side that is opened asks the kernel for large pages, as for [`shm::Builder`](crate::shm::Builder::hugepages).
    pub fn hugepages(mut self, ask: bool) -> Self {
        self.place.pages.huge = ask;
        self
    }

    /// The number of the user whose file the receiver reads; this process's own by default. The name is a path then: see
    /// [Rights](self#rights).
    pub fn owner(mut self, user: u32) -> Self {
        self.owner = Some(user);
        self
    }

    /// Whether the receiver begins with the oldest message that is kept; by default it begins with what is sent from now on.
    pub fn from_oldest(mut self, from_oldest: bool) -> Self {
        self.from_oldest = from_oldest;
        self
    }

    /// Where the receiver goes on after it was overrun; [`Resume::Middle`] by default.
    pub fn resume(mut self, resume: Resume) -> Self {
        self.resume = resume;
        self
    }

    /// Longest sleep between two looks of a receiver that waits; 1 ms by default. So much later than its message it may wake. A shorter one takes
    /// more of a core: each sleep is a system call. `ZERO`: it never sleeps, and takes all of one.
    pub fn longest_sleep(mut self, sleep: Duration) -> Self {
        self.longest_sleep = sleep;
        self
    }

    /// Opens the sending side. It goes on with the number behind that of the last message.
    ///
    /// # Errors
    /// The channel is another one, its sending side is taken, or the system refused: see [`OpenError`].
    pub fn open_sender(self) -> Result<Sender<T>, OpenError> {
        let (layout, asked) = (Self::layout(self.capacity)?, self.requested());
        Sender::begin(open::open(&self.place, &layout, T::SCHEMA, asked, Role::Sender)?)
    }

    /// Opens a receiving side, for reading alone.
    ///
    /// # Errors
    /// There is no channel, it is another one, or the system refused: see [`OpenError`].
    pub fn open_receiver(mut self) -> Result<Receiver<T>, OpenError> {
        let path = self.place.path()?;
        self.place.creates = false;
        self.place.prepare(&path)?;
        let file = self.place.open_to_read(&path, self.owner)?;
        let header = file::read_header(&file, &path)?;
        header.check(&Header::new(&Self::layout(self.capacity)?, T::SCHEMA), self.requested())?;
        // `Stamped` refuses another number than a power of two.
        let found = Self::layout_of(usize::try_from(header.capacity).unwrap_or(usize::MAX))?;
        file::check_size(&file, &found, &path)?;
        Receiver::open(file, &path, &found, self)
    }

    /// Removes the channel if its sending side is free. Returns whether it did; what was in it is gone for those that open the name
    /// later. Receivers that have it open keep what they have mapped. One without a name is never removed: it goes with its last descriptor.
    ///
    /// # Errors
    /// There is none, or it is not a channel.
    pub fn remove(self) -> Result<bool, OpenError> {
        self.place.remove()
    }

    /// Makes a channel without a name that keeps `messages`, rounded up to a power of two. Its sides are opened by [`Builder::from_fd`], here and in
    /// other processes.
    ///
    /// ```
    /// use ringmail::shm::lossy::{Builder, Seen};
    ///
    /// let channel = Builder::<u64>::create_anonymous(64)?;
    /// let mut tx = Builder::<u64>::from_fd(&channel).open_sender()?;
    /// let mut rx = Builder::<u64>::from_fd(&channel).open_receiver()?;
    /// tx.send(7);
    /// assert_eq!(rx.recv()?, Seen::Message(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The capacity is 0 or too large, or the system refused: see [`OpenError`].
    pub fn create_anonymous(messages: usize) -> Result<Anonymous, OpenError> {
        let layout = Self::layout(Some(messages))?;
        Anonymous::create(&Header::new(&layout, T::SCHEMA), &layout)
    }

    fn requested(&self) -> Requested {
        Requested { capacity: self.capacity.is_some(), lanes: true }
    }

    fn layout(capacity: Option<usize>) -> Result<Layout, OpenError> {
        let capacity = capacity.unwrap_or(CAPACITY);
        crate::ring::backend::check(capacity)?;
        Self::layout_of(capacity.next_power_of_two().max(MIN_CAPACITY))
    }

    fn layout_of(capacity: usize) -> Result<Layout, OpenError> {
        const { assert!(size_of::<T>() > 0, "a message of no bytes says nothing") };
        let size = size_of::<T>();
        // Messages are copied by words, so none asks for an alignment of its own.
        Ok(Layout::new(Kind::Lossy, capacity, size, slot_bytes(size), align_of::<u64>())?)
    }
}

impl<T> Clone for Builder<T> {
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), ..*self }
    }
}

impl<T> fmt::Debug for Builder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("place", &self.place)
            .field("capacity", &self.capacity)
            .field("owner", &self.owner)
            .field("from_oldest", &self.from_oldest)
            .field("resume", &self.resume)
            .field("longest_sleep", &self.longest_sleep)
            .finish()
    }
}
