//! How a mesh is made.

use super::error::BuildError;
use super::hub::Hub;
use super::inbox::Inbox;
use super::lanes::Lanes;
use super::outbox::Outbox;
use super::seat::Seat;
use crate::channel::lane::lane;
use crate::ring::backend::{Heap, check};
use crate::room::{room, table};
use crate::sync::position::Position;
use crate::sync::{Arc, share};
use crate::wait::{Deadline, EventCount, FenceMode, WaitStrategy};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// Most seats of a mesh.
const MAX_SHARDS: usize = 1024;

/// What a seat does with the others.
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
    /// All to all, 256 messages a lane, [`WaitStrategy::Park`], [`FenceMode::Auto`], 30 seconds for everybody to join. How many seats
    /// is still to be said, with [`Builder::shards`], `cores` or [`Builder::roles`].
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

    /// One seat for each of these cores: [`Seat::join`] pins the thread that calls it there. A core may be named more than once.
    #[cfg(feature = "affinity")]
    pub fn cores(mut self, cores: impl IntoIterator<Item = usize>) -> Self {
        let cores: Vec<usize> = cores.into_iter().collect();
        self.shards = cores.len();
        self.cores = Some(cores);
        self
    }

    /// `n` seats, whose threads run where they like.
    pub fn shards(mut self, n: usize) -> Self {
        (self.shards, self.cores) = (n, None);
        self
    }

    /// What each seat does: a lane is made from everyone that sends to every other that receives, and no memory is spent on the
    /// rest. One role a seat; without seats so far, as many as there are roles.
    pub fn roles(mut self, roles: impl IntoIterator<Item = Role>) -> Self {
        let roles: Vec<Role> = roles.into_iter().collect();
        if self.shards == 0 {
            self.shards = roles.len();
        }
        self.roles = Some(roles);
        self
    }

    /// Messages that each lane holds, exactly: 1 to 2^30.
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = messages;
        self
    }

    /// Most messages that an endpoint takes from one peer before the next one's turn. 0 is taken for 1; the default is 64.
    pub fn budget(mut self, messages: u32) -> Self {
        self.budget = messages.max(1);
        self
    }

    /// How endpoints wait, unless one [says otherwise](super::Endpoint::set_wait).
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.wait = strategy;
        self
    }

    /// What a sleeping endpoint costs those that send to it.
    pub fn fence_mode(mut self, mode: FenceMode) -> Self {
        self.fence_mode = mode;
        self
    }

    /// How long after [`Builder::build`] a seat may stay empty. Then whoever waits, or tries to send and finds no room, gives it
    /// up: its lanes count as closed, and taking it fails. So a thread that never starts hangs nobody. [`Duration::MAX`] is for ever.
    pub fn join_deadline(mut self, limit: Duration) -> Self {
        self.join_deadline = Some(limit);
        self
    }

    /// Whether [`Seat::join`] has the kernel make the memory of the lanes to this seat present at once, near the core that joins, instead
    /// of page by page when messages come (Linux 5.14 and later; elsewhere it makes no difference). Lanes that stay idle then take their
    /// memory too.
    pub fn prefault(mut self, yes: bool) -> Self {
        self.prefault = yes;
        self
    }

    /// Polls in vain before an endpoint has its event count watch its lanes.
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

    /// Allocates the mesh. Seat `i` is that of peer `i`.
    ///
    /// All lanes to one seat lie in one reservation, which nobody touches before messages come ([`Builder::prefault`] says otherwise). A
    /// lane costs about 2 KiB beside its messages.
    ///
    /// # Errors
    /// No seats, more than 1024, roles for another number, an impossible capacity, or no memory.
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
        let hub = share(Hub::new(&events, Deadline::after(self.join_deadline))?)?;
        let mut seats = room(shards)?;
        seats.extend(events.into_iter().zip(lanes).enumerate().map(|(id, (event, lanes))| Seat {
            core: self.cores.as_ref().map(|cores| cores[id]),
            hub: Arc::clone(&hub),
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
