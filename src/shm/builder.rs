//! The builder of all channels: what travels (messages or records) times who has a lane (one sender, many senders, or many workers).

use crate::shm::broadcast::RECEIVERS;
use crate::shm::error::OpenError;
use crate::shm::peer::Role;
use crate::shm::ring::lanes::LANES;
use crate::shm::ring::open;
use crate::shm::ring::open::Opened;
use crate::shm::schema::{Message, Schema};
use crate::shm::segment::attach::Requested;
use crate::shm::segment::header::Header;
use crate::shm::segment::layout::{Kind, Layout};
use crate::shm::segment::location::{Anonymous, Location};
use crate::wait::WaitStrategy;
use core::fmt;
use core::marker::PhantomData;
use std::path::PathBuf;

/// Opens the sides of a channel between processes, and makes the channel if it is not there.
///
/// `P` is what travels: [`Messages`] of one type, or [`Records`]. `L` says how many send or receive: [`One`] of each; [`Many`] senders or many [`Workers`]
/// with a lane each; or [`Seats`]: one sends, and many receive all. Each channel has a name: [`spsc::Builder`](crate::shm::spsc::Builder),
/// [`fan_in::Builder`](crate::shm::fan_in::Builder), [`fan_out::Builder`](crate::shm::fan_out::Builder),
/// [`broadcast::Builder`](crate::shm::broadcast::Builder), [`bytes::Builder`](crate::shm::bytes::Builder),
/// [`bytes::fan_in::Builder`](crate::shm::bytes::fan_in::Builder).
///
/// # Who says how large it is
///
/// The side that comes first makes the channel. What it asked for (`capacity`, `lanes`) is exact from then on: a side that asks for another
/// number is refused with a [`Mismatch`](crate::shm::Mismatch), one that does not ask takes the channel as it is. What the first side did not ask
/// for has a default: a later side that asks takes it as it is if it is at least as much, else it is refused. So it is enough that one side
/// asks, for no more than the default. For more, let the side that asks come first, or ask on both.
///
/// ```
/// use ringmail::shm::spsc::Builder;
///
/// # let name = format!("doc-builder-{}", std::process::id());
/// // 1024 messages, the default:
/// let rx = Builder::<u64>::new(&name).open_receiver()?;
/// // As many, and more than asked for:
/// let tx = Builder::<u64>::new(&name).capacity(64).open_sender()?;
/// assert_eq!(tx.capacity(), 1024);
/// # drop((tx, rx));
/// # assert!(Builder::<u64>::new(&name).remove()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Builder<P, L = One> {
    pub(super) place: Location,
    pub(super) capacity: Option<usize>,
    pub(super) lanes: Option<usize>,
    wait: WaitStrategy,
    schema: Schema,
    channel: PhantomData<fn(P, L)>,
}

/// What travels: messages `T`, each in a slot of its own.
pub struct Messages<T>(PhantomData<T>);

/// What travels: records of any length.
#[derive(Debug)]
pub enum Records {}

/// One sender.
#[derive(Debug)]
pub enum One {}

/// Many senders, with a lane each.
#[derive(Debug)]
pub enum Many {}

/// One sender, and many receivers with a seat each.
#[derive(Debug)]
pub enum Seats {}

/// One sender, many workers, with a lane each.
#[derive(Debug)]
pub enum Workers {}

/// [`Many`] senders or [`Workers`]: each has a lane. Nothing outside of this crate can implement it.
pub trait Lanes: parts::Sealed {}

impl parts::Sealed for Many {}
impl parts::Sealed for Workers {}
impl Lanes for Many {}
impl Lanes for Workers {}

/// The channels that there are, and their ends. Nothing outside of this crate can implement it: what it takes has no name there.
pub trait Channel {
    /// The sending end.
    type Sender;
    /// The receiving end.
    type Receiver;

    #[doc(hidden)]
    const KIND: Kind;
    /// What it carries by default.
    #[doc(hidden)]
    const SCHEMA: Schema;
    /// Default of a lane.
    #[doc(hidden)]
    const CAPACITY: usize;

    /// Of one lane.
    #[doc(hidden)]
    fn lane(capacity: usize) -> Result<parts::Lane, OpenError>;

    #[doc(hidden)]
    fn sender(role: parts::OpenedRole, wait: WaitStrategy, version: u32) -> Result<Self::Sender, OpenError>;

    #[doc(hidden)]
    fn receiver(role: parts::OpenedRole, wait: WaitStrategy) -> Result<Self::Receiver, OpenError>;
}

/// What [`Channel`] is made of, without a name outside of the crate.
pub(crate) mod parts {
    use crate::shm::ring::open;
    use crate::shm::segment::layout;

    pub trait Sealed {}

    #[derive(Debug)]
    pub struct Lane(pub(crate) layout::Layout);

    #[allow(missing_debug_implementations, reason = "it stays inside of the crate")]
    pub struct OpenedRole(pub(crate) open::Opened);
}

impl<P, L> Builder<P, L>
where
    (P, L): Channel,
{
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
        let schema = <(P, L)>::SCHEMA;
        Self { place, capacity: None, lanes: None, wait: WaitStrategy::default(), schema, channel: PhantomData }
    }

    /// What each lane holds.
    ///
    /// Of messages their number, exactly; 1024 by default.
    ///
    /// Of records bytes: 1 MiB by default, of many senders 256 KiB each; at most 8 GiB, rounded up to whole words of 8 bytes and to at
    /// least 32. A record takes its body, rounded up to whole words, and 24 bytes.
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = Some(capacity);
        self
    }

    /// How the side that is opened waits.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.wait = strategy;
        self
    }

    /// Whether a channel that is not there is made; it is by default. With `false` an absent channel is
    /// [`OpenError::NotFound`]. A channel of [`Builder::from_fd`] is always there.
    pub fn create(mut self, create: bool) -> Self {
        self.place.creates = create;
        self
    }

    /// The directory of plain names, by an absolute path. It must be this user's alone (mode 700); it is made if it is not there, its
    /// parent is not. The default is that of the environment variable `RINGMAIL_DIR`, and without that `/dev/shm/ringmail-<uid>`. Both
    /// sides must name the same.
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

    /// Whether the side that is opened asks the kernel for large pages under the data; of use from some MiB on. Advice only: that it was
    /// not followed is no error, and shows in `ShmemPmdMapped` of `/proc/<pid>/smaps`. The kernel follows it where the file system is
    /// mounted with `huge=advise` or more (without a name: where `/sys/kernel/mm/transparent_hugepage/shmem_enabled` says so), from Linux
    /// 6.1 on at once.
    pub fn hugepages(mut self, ask: bool) -> Self {
        self.place.pages.huge = ask;
        self
    }

    /// Whether the receiver that is opened maps what the sender writes for reading only. Then the hardware refuses a stray store of this process there, and
    /// ends it. Round trips take 1.3 to 1.4 times as long then. Nothing in safe code stores there in either case. A sender always maps the receiver's page so.
    pub fn write_protect(mut self, protect: bool) -> Self {
        self.place.pages.protect = protect;
        self
    }

    /// Whether the receiver that is opened is also told of sessions that had ended before it came and whose end no receiver was told, empty ones
    /// too. By default it is told of those alone that it has messages of, and of those that overlap its own.
    pub fn missed_ends(mut self, told: bool) -> Self {
        self.place.missed_ends = told;
        self
    }

    /// Opens the sending side, or one of many: on the first free lane. A damaged lane is passed by. So is one that the present receiver has closed,
    /// unless no other is free.
    ///
    /// # Errors
    /// The channel is another one, its sending side is taken (of many: no lane is free), or the system refused: see [`OpenError`].
    pub fn open_sender(self) -> Result<<(P, L) as Channel>::Sender, OpenError> {
        <(P, L)>::sender(parts::OpenedRole(self.open(Role::Sender)?), self.wait, self.schema.version)
    }

    /// Opens the receiving side, or one of many workers: on the first free lane. What an earlier receiver left there is received first; but of a broadcast,
    /// which takes a free seat and begins with the next message. A damaged lane is passed by.
    ///
    /// # Errors
    /// The channel is another one, its receiving side is taken (of many: no lane or seat is free), or the system refused: see [`OpenError`].
    pub fn open_receiver(self) -> Result<<(P, L) as Channel>::Receiver, OpenError> {
        <(P, L)>::receiver(parts::OpenedRole(self.open(Role::Receiver)?), self.wait)
    }

    /// Removes the channel, of any kind, if all of its sides are free. Returns whether it did; what was in it is gone. One without a name is
    /// never removed: it goes with its last descriptor. What cannot be opened any more is for [`shm::remove`](fn@crate::shm::remove).
    ///
    /// # Errors
    /// There is none, or it is not a channel.
    pub fn remove(self) -> Result<bool, OpenError> {
        self.place.remove()
    }

    pub(super) fn open(&self, role: Role) -> Result<Opened, OpenError> {
        let layout = Self::layout(self.lanes, self.capacity)?;
        let is_many = <(P, L)>::KIND.has_lanes();
        let asked = Requested { capacity: self.capacity.is_some(), lanes: self.lanes.is_some() || !is_many };
        open::open(&self.place, &layout, self.schema, asked, role)
    }

    pub(super) fn layout(lanes: Option<usize>, capacity: Option<usize>) -> Result<Layout, OpenError> {
        let parts::Lane(lane) = <(P, L)>::lane(capacity.unwrap_or(<(P, L)>::CAPACITY))?;
        let default = match <(P, L)>::KIND {
            kind if kind.is_broadcast() => RECEIVERS,
            kind if kind.has_lanes() => LANES,
            _ => 1,
        };
        lane.with_lanes(u32::try_from(lanes.unwrap_or(default)).unwrap_or(u32::MAX))
    }

    pub(super) fn anonymous(
        lanes: Option<usize>,
        capacity: usize,
        schema: Option<Schema>,
    ) -> Result<Anonymous, OpenError> {
        let layout = Self::layout(lanes, Some(capacity))?;
        Anonymous::create(&Header::new(&layout, schema.unwrap_or(<(P, L)>::SCHEMA)), &layout)
    }
}

impl<P, L: Lanes> Builder<P, L> {
    /// Lanes of the channel, 1 to 128: as many can send at a time, or of a fan-out receive; 16 by default.
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.lanes = Some(lanes);
        self
    }
}

impl<L> Builder<Records, L> {
    /// What the bodies mean; `bytes` version 1 by default. Its version is that of each record that does not name its own.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }
}

impl<T: Message> Builder<Messages<T>, One> {
    /// Makes a channel without a name that holds `messages`, exactly. Its sides are opened by [`Builder::from_fd`], here and in other
    /// processes.
    ///
    /// ```
    /// use ringmail::shm::spsc::Builder;
    ///
    /// let channel = Builder::<u64>::create_anonymous(64)?;
    /// let mut tx = Builder::<u64>::from_fd(&channel).open_sender()?;
    /// let mut rx = Builder::<u64>::from_fd(&channel).open_receiver()?;
    /// tx.send(7)?;
    /// assert_eq!(rx.recv(), Ok(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The capacity is 0 or too large, or the system refused: see [`OpenError`].
    pub fn create_anonymous(messages: usize) -> Result<Anonymous, OpenError> {
        Self::anonymous(None, messages, None)
    }
}

impl<T: Message> Builder<Messages<T>, Many> {
    /// Makes a channel without a name, of so many lanes that hold `messages` each. Its sides are opened by [`Builder::from_fd`].
    ///
    /// # Errors
    /// The capacity is 0 or too large, so is the number of lanes, or the system refused: see [`OpenError`].
    pub fn create_anonymous(lanes: usize, messages: usize) -> Result<Anonymous, OpenError> {
        Self::anonymous(Some(lanes), messages, None)
    }
}

impl<T: Message> Builder<Messages<T>, Workers> {
    /// Makes a channel without a name, of so many lanes that hold `messages` each. Its sides are opened by [`Builder::from_fd`].
    ///
    /// # Errors
    /// The capacity is 0 or too large, so is the number of lanes, or the system refused: see [`OpenError`].
    pub fn create_anonymous(lanes: usize, messages: usize) -> Result<Anonymous, OpenError> {
        Self::anonymous(Some(lanes), messages, None)
    }
}

impl Builder<Records, One> {
    /// Makes a channel without a name, with a ring of `bytes` as for [`Builder::capacity`], whose records mean `schema` (`None`: the
    /// default of [`Builder::schema`]). Its sides are opened by [`Builder::from_fd`], here and in other processes.
    ///
    /// ```
    /// use ringmail::shm::bytes::Builder;
    ///
    /// let channel = Builder::create_anonymous(1 << 16, None)?;
    /// let mut tx = Builder::from_fd(&channel).open_sender()?;
    /// let mut rx = Builder::from_fd(&channel).open_receiver()?;
    /// tx.send(b"some bytes")?;
    /// let mut body = Vec::new();
    /// rx.recv_into(&mut body)?;
    /// assert_eq!(body, b"some bytes");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The capacity is 0 or too large, or the system refused: see [`OpenError`].
    pub fn create_anonymous(bytes: usize, schema: impl Into<Option<Schema>>) -> Result<Anonymous, OpenError> {
        Self::anonymous(None, bytes, schema.into())
    }
}

impl Builder<Records, Many> {
    /// Makes a channel without a name, of so many lanes of `bytes` each. Its sides are opened by [`Builder::from_fd`].
    ///
    /// # Errors
    /// The capacity is 0 or too large, so is the number of lanes, or the system refused: see [`OpenError`].
    pub fn create_anonymous(
        lanes: usize,
        bytes: usize,
        schema: impl Into<Option<Schema>>,
    ) -> Result<Anonymous, OpenError> {
        Self::anonymous(Some(lanes), bytes, schema.into())
    }
}

impl<P, L> Clone for Builder<P, L> {
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), channel: PhantomData, ..*self }
    }
}

impl<P, L> fmt::Debug for Builder<P, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, capacity, lanes, wait, schema, channel: _ } = self;
        f.debug_struct("Builder")
            .field("place", place)
            .field("capacity", capacity)
            .field("lanes", lanes)
            .field("wait", wait)
            .field("schema", schema)
            .finish()
    }
}

impl<T> fmt::Debug for Messages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Messages")
    }
}
