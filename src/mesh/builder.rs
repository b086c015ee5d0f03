//! How a mesh is made.

use super::error::BuildError;
use super::inbox::Inbox;
use super::lanes::Lanes;
use super::outbox::Outbox;
use super::seat::Seat;
use super::shared::Shared;
use crate::channel::lane::lane;
use crate::ring::backend::{Heap, check};
use crate::sync::position::Position;
use crate::sync::{Arc, share};
use crate::try_alloc::{room, table};
use crate::wait::{Deadline, EventCount, FenceMode, WaitStrategy};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// Most seats of a mesh.
const MAX_SHARDS: usize = 1024;

/// Whether a shard sends, receives or both.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// Sends and receives.
    #[default]
    Both,
    /// Only sends.
    Producer,
    /// Only receives.
    Consumer,
}

impl Role {
    const fn sends(self) -> bool {
        !matches!(self, Self::Consumer)
    }

    const fn receives(self) -> bool {
        !matches!(self, Self::Producer)
    }
}

/// Options of a mesh.
///
/// ```
/// use ringmail::mesh::{Builder, Role};
/// // Two gateways that feed one engine: two lanes, not six.
/// let seats = Builder::new().roles([Role::Producer, Role::Producer, Role::Consumer]).capacity(1024).build::<u64>()?;
/// assert_eq!(seats.len(), 3);
/// # Ok::<(), ringmail::mesh::BuildError>(())
/// ```
#[derive(Clone)]
#[must_use = "call `build`"]
pub struct Builder {
    shards: usize,
    cores: Option<Vec<usize>>,
    roles: Option<Vec<Role>>,
    capacity: usize,
    budget: u32,
    wait: WaitStrategy,
    fence_mode: FenceMode,
    join_deadline: Option<Duration>,
    watch_after: u32,
    prefault: bool,
    start: u64,
}

impl Builder {
    /// A lane for each ordered pair, of 256 messages; [`WaitStrategy::Park`], [`FenceMode::Auto`], 30 seconds to join. The number of shards is still
    /// needed: call [`Builder::shards`], `cores` or [`Builder::roles`].
    pub fn new() -> Self {
        Self {
            shards: 0,
            cores: None,
            roles: None,
            capacity: 256,
            budget: 64,
            wait: WaitStrategy::default(),
            fence_mode: FenceMode::default(),
            join_deadline: Some(Duration::from_secs(30)),
            watch_after: super::poll::WATCH_AFTER,
            prefault: false,
            start: 0,
        }
    }

    /// A shard for each of these cores: [`Seat::join`] pins the calling thread to the core. A core may be named more than once.
    #[cfg(feature = "affinity")]
    pub fn cores(mut self, cores: impl IntoIterator<Item = usize>) -> Self {
        let cores: Vec<usize> = cores.into_iter().collect();
        self.shards = cores.len();
        self.cores = Some(cores);
        self
    }

    /// `n` shards, whose threads are not pinned.
    pub fn shards(mut self, n: usize) -> Self {
        (self.shards, self.cores) = (n, None);
        self
    }

    /// The role of each shard. There is a lane from each shard that sends to each other one that receives; other pairs have none, and take no
    /// memory. Sets the number of shards, too, if that was not set before.
    pub fn roles(mut self, roles: impl IntoIterator<Item = Role>) -> Self {
        let roles: Vec<Role> = roles.into_iter().collect();
        if self.shards == 0 {
            self.shards = roles.len();
        }
        self.roles = Some(roles);
        self
    }

    /// How many messages each lane holds, exactly: 1 to 2^30.
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = messages;
        self
    }

    /// Most messages of a turn: what an endpoint takes from one peer before the next peer's turn. 0 counts as 1. The default is 64.
    pub fn budget(mut self, messages: u32) -> Self {
        self.budget = messages.max(1);
        self
    }

    /// How endpoints wait. [`Endpoint::set_wait`](super::Endpoint::set_wait) changes it for one of them.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.wait = strategy;
        self
    }

    /// How the event counts keep publishing and sleeping in order, which is what a sleeping endpoint costs its senders.
    pub fn fence_mode(mut self, mode: FenceMode) -> Self {
        self.fence_mode = mode;
        self
    }

    /// How long after [`Builder::build`] a thread may join. After that, a peer that waits, or that finds no room, gives up the seat: its lanes count
    /// as closed, and [`Seat::join`] fails. So no peer waits for ever for a thread that never starts. [`Duration::MAX`] is no deadline.
    pub fn join_deadline(mut self, limit: Duration) -> Self {
        self.join_deadline = Some(limit);
        self
    }

    /// Whether [`Seat::join`] has the kernel make the memory of the lanes to the shard present at once, near the joining thread's core. Otherwise
    /// that happens page by page when messages come. Lanes that stay idle then take their memory too. Linux 5.14 and later; no effect elsewhere.
    pub fn prefault(mut self, yes: bool) -> Self {
        self.prefault = yes;
        self
    }

    /// Polls that find nothing before an endpoint has its event count watch its lanes.
    #[doc(hidden)]
    pub fn watch_after(mut self, polls: u32) -> Self {
        self.watch_after = polls.max(1);
        self
    }

    /// Begins counting messages at `position` (modulo 2^63) instead of 0, so that tests reach the wrap.
    #[doc(hidden)]
    pub fn start_at(mut self, position: u64) -> Self {
        self.start = position;
        self
    }

    /// Allocates the mesh. Seat `i` is that of shard `i`.
    ///
    /// The messages of all lanes to one shard lie in one reservation, which is not touched before messages come, unless
    /// [`Builder::prefault`] is set. Beside that a lane takes about 2 KiB.
    ///
    /// # Errors
    /// No shards, more than 1024, roles for another number, a capacity of 0 or above 2^30, or no memory.
    pub fn build<T>(self) -> Result<Vec<Seat<T>>, BuildError> {
        let shards = self.shards;
        if shards == 0 {
            return Err(BuildError::NoShards);
        }
        if shards > MAX_SHARDS {
            return Err(BuildError::TooManyShards { requested: shards, max: MAX_SHARDS });
        }
        check(self.capacity)?;
        if let Some(roles) = self.roles.as_ref().filter(|roles| roles.len() != shards) {
            return Err(BuildError::Roles { roles: roles.len(), shards });
        }
        let role = |seat: usize| self.roles.as_ref().map_or(Role::Both, |roles| roles[seat]);
        let peers = |seat, is: fn(Role) -> bool| (0..shards).filter(move |&peer| peer != seat && is(role(peer)));
        let events = table(shards, |_| EventCount::own(self.fence_mode))?;
        let mut lanes = table(shards, |seat| {
            let to = if role(seat).sends() { peers(seat, Role::receives).count() } else { 0 };
            let from = if role(seat).receives() { peers(seat, Role::sends).count() } else { 0 };
            Ok(Lanes { out: Outbox::new(shards, to)?, inbox: Inbox::new(shards, from, self.budget)? })
        })?;
        for to in (0..shards).filter(|&to| role(to).receives()) {
            let memory = Heap::row(peers(to, Role::sends).count(), self.capacity, Position::new(self.start))?;
            for (from, memory) in peers(to, Role::sends).zip(memory) {
                let (tx, rx) = lane(memory, events[from].clone(), events[to].clone());
                lanes[from].out.add(to, tx);
                lanes[to].inbox.add(from, rx);
            }
        }
        let shared = share(Shared::new(&events, Deadline::after(self.join_deadline))?)?;
        let mut seats = room(shards)?;
        seats.extend(events.into_iter().zip(lanes).enumerate().map(|(id, (event, lanes))| Seat {
            core: self.cores.as_ref().map(|cores| cores[id]),
            shared: Arc::clone(&shared),
            lanes: Some(lanes),
            id,
            event,
            wait: self.wait,
            watch_after: self.watch_after,
            prefault: self.prefault,
        }));
        Ok(seats)
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("shards", &self.shards)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
