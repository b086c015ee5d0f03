//! Where lanes are opened and given back.

use crate::channel::RingSender;
use crate::channel::lane::{LaneReceiver, LaneSender, lane};
use crate::error::BuildError;
use crate::ring::backend::Heap;
#[cfg(feature = "std")]
use crate::sync::Mutex;
use crate::sync::order::{mutant, order};
use crate::sync::position::Position;
use crate::sync::stack::{Drained, Node, Stack};
use crate::sync::{AtomicU64, Ordering, fence};
use crate::wait::EventCount;
#[cfg(feature = "std")]
use crate::wait::{FenceMode, WaitStrategy};
use alloc::boxed::Box;
use core::fmt;
#[cfg(feature = "std")]
use std::sync::{PoisonError, TryLockError};

/// Which lane of a channel. No two lanes of a channel ever have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LaneId {
    index: u32,
    generation: u32,
}

impl LaneId {
    pub(super) const FIRST: Self = Self { index: 0, generation: 0 };

    /// A small number, for tables: lanes that are there at the same time have different ones, those of senders that have gone are
    /// given out again.
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// How many lanes had the same index before.
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.index)?;
        if self.generation != 0 { write!(f, ".{}", self.generation) } else { Ok(()) }
    }
}

/// Options of a lane, for [`Sender::lane_with`](super::Sender::lane_with).
///
/// ```
/// use ringmail::fan_in::{LaneOptions, channel};
/// let (mut tx, mut rx) = channel(4)?;
/// let mut urgent = tx.lane_with(LaneOptions::new().priority(1))?;
/// tx.try_send("later").unwrap();
/// urgent.try_send("first").unwrap();
/// assert_eq!(rx.try_recv_from(), Ok((urgent.id(), "first")));
/// assert_eq!(rx.try_recv_from(), Ok((tx.id(), "later")));
/// # Ok::<(), ringmail::BuildError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "give it to `lane_with`"]
pub struct LaneOptions {
    pub(super) weight: u32,
    pub(super) priority: u8,
}

impl LaneOptions {
    /// Weight 1, priority 0.
    pub const fn new() -> Self {
        Self { weight: 1, priority: 0 }
    }

    /// A turn of this lane may take `weight` times the receiver's budget. 0 is taken for 1.
    pub const fn weight(mut self, weight: u32) -> Self {
        self.weight = if weight == 0 { 1 } else { weight };
        self
    }

    /// At the end of each turn lanes of a higher priority go first.
    pub const fn priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }
}

impl Default for LaneOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// The reading end of a lane.
pub(super) struct Lane<T> {
    pub(super) end: LaneReceiver<T>,
    pub(super) id: LaneId,
    pub(super) options: LaneOptions,
    /// The node in which it is given back: made with the lane, so that the receiver allocates nothing for that.
    spare: Box<Node<Spare<T>>>,
}

/// A lane's number and memory, for the next one.
struct Spare<T> {
    id: LaneId,
    /// None while it is in use, or if it was freed.
    memory: Option<Heap<T>>,
}

/// What openers have collected.
#[cfg(feature = "std")]
struct Collected<T> {
    spare: Drained<Spare<T>>,
    bare: Drained<Spare<T>>,
}

/// What the handles of a channel share. Touched when a lane opens or closes, and once by the receiver at the end of each turn.
pub(crate) struct Registry<T> {
    /// Opened, and not yet seen by the receiver.
    pub(super) opened: Stack<Lane<T>>,
    /// Given back by the receiver, with memory.
    spare: Stack<Spare<T>>,
    /// The same without: numbers.
    bare: Stack<Spare<T>>,
    /// Those that openers have collected from there, one opener at a time: a second opener would find none meanwhile, and make a lane too many.
    #[cfg(feature = "std")]
    collected: Mutex<Collected<T>>,
    /// Spares with memory. A hint.
    kept: AtomicU64,
    /// Senders there are.
    alive: AtomicU64,
    /// 1 once the receiver accepts nothing more.
    gone: AtomicU64,
    /// Lane numbers given out.
    numbers: AtomicU64,
    pub(super) receiver: EventCount,
    pub(super) options: Options,
}

/// What the lanes of a channel have in common.
pub(super) struct Options {
    pub(super) capacity: usize,
    pub(super) start: u64,
    #[cfg(feature = "std")]
    pub(super) sender_wait: WaitStrategy,
    #[cfg(feature = "std")]
    pub(super) fence_mode: FenceMode,
}

impl<T> Registry<T> {
    pub(super) fn new(receiver: EventCount, options: Options) -> Self {
        Self {
            opened: Stack::new(),
            spare: Stack::new(),
            bare: Stack::new(),
            #[cfg(feature = "std")]
            collected: Mutex::new(Collected { spare: Drained::empty(), bare: Drained::empty() }),
            kept: AtomicU64::new(0),
            alive: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            numbers: AtomicU64::new(0),
            receiver,
            options,
        }
    }

    /// Opens a lane, whose sender waits on `sender`, and counts that sender.
    pub(super) fn open(&self, options: LaneOptions, sender: EventCount) -> Result<(LaneSender<T>, LaneId), BuildError> {
        if self.is_gone() {
            return Err(BuildError::Disconnected);
        }
        let place = Node::place()?;
        let mut spare = self.spare()?;
        let memory = match spare.value.memory.take() {
            Some(memory) => {
                self.kept.fetch_sub(1, Ordering::Relaxed);
                memory
            }
            None => match Heap::new(self.options.capacity, Position::new(self.options.start)) {
                Ok(memory) => memory,
                Err(e) => {
                    self.bare.put(spare);
                    return Err(e);
                }
            },
        };
        let id = spare.value.id;
        let (mut tx, rx) = lane(memory, sender, self.receiver.clone());
        // Before the lane can be seen: a receiver that finds no sender and no lane believes that all is over.
        self.alive.fetch_add(1, Ordering::Relaxed);
        self.opened.put(place.fill(Lane { end: rx, id, options, spare }));
        // A receiver that leaves says so, fences, then closes the lanes that it finds. Either it finds this one, or we see that it has gone.
        if !mutant!(OpenFence) {
            fence(Ordering::SeqCst);
        }
        if self.is_gone() {
            tx.close();
            self.leave();
            return Err(BuildError::Disconnected);
        }
        Ok((tx, id))
    }

    /// A number, with memory if some is kept.
    fn spare(&self) -> Result<Box<Node<Spare<T>>>, BuildError> {
        if let Some(spare) = self.collect() {
            return Ok(spare);
        }
        let place = Node::place()?;
        let index = self.numbers.fetch_add(1, Ordering::Relaxed) as u32;
        Ok(place.fill(Spare { id: LaneId { index, generation: 0 }, memory: None }))
    }

    #[cfg(feature = "std")]
    fn collect(&self) -> Option<Box<Node<Spare<T>>>> {
        fn next<V>(taken: &mut Drained<V>, stack: &Stack<V>) -> Option<Box<Node<V>>> {
            taken.next_node().or_else(|| {
                if !stack.is_empty() {
                    *taken = stack.take_all();
                }
                taken.next_node()
            })
        }
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        next(&mut collected.spare, &self.spare).or_else(|| next(&mut collected.bare, &self.bare))
    }

    /// Without a lock to wait for: two openers at once may make a lane more than there need be.
    #[cfg(not(feature = "std"))]
    fn collect(&self) -> Option<Box<Node<Spare<T>>>> {
        [&self.spare, &self.bare].into_iter().find_map(|stack| {
            let mut taken = stack.take_all();
            let first = taken.next_node();
            while let Some(other) = taken.next_node() {
                stack.put(other);
            }
            first
        })
    }

    /// Takes back a lane that is drained and has no sender.
    pub(super) fn give_back(&self, lane: Lane<T>) {
        let Lane { end, mut spare, .. } = lane;
        spare.value.id.generation = spare.value.id.generation.wrapping_add(1);
        let memory = end.ring.backend().share();
        drop(end);
        // Unless its sender still holds the memory: then that frees it.
        spare.value.memory = memory.renew().filter(|_| self.kept.load(Ordering::Relaxed) < self.worth_keeping());
        if spare.value.memory.is_none() {
            self.bare.put(spare);
            return;
        }
        self.spare.put(spare);
        self.kept.fetch_add(1, Ordering::Relaxed);
    }

    /// For how many lanes memory is kept: as many as there are senders, at least one.
    fn worth_keeping(&self) -> u64 {
        self.alive.load(Ordering::Relaxed).max(1)
    }

    /// Frees memory that was worth keeping while there were more senders. To be called after lanes were given back.
    pub(super) fn trim(&self) {
        if self.kept.load(Ordering::Relaxed) <= 2 * self.worth_keeping() {
            return;
        }
        #[cfg(feature = "std")]
        {
            // The receiver does not wait for an opener: if the lock is taken, it frees nothing this time.
            let mut collected = match self.collected.try_lock() {
                Ok(collected) => collected,
                Err(TryLockError::Poisoned(e)) => e.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            let mut kept = self.keep(core::mem::replace(&mut collected.spare, Drained::empty()), Drained::empty());
            kept = self.keep(self.spare.take_all(), kept);
            collected.spare = kept;
        }
        #[cfg(not(feature = "std"))]
        {
            let mut kept = self.keep(self.spare.take_all(), Drained::empty());
            while let Some(spare) = kept.next_node() {
                self.spare.put(spare);
            }
        }
    }

    /// Adds those of `spares` to `kept` that are worth keeping, and frees the memory of the others.
    fn keep(&self, mut spares: Drained<Spare<T>>, mut kept: Drained<Spare<T>>) -> Drained<Spare<T>> {
        while let Some(mut spare) = spares.next_node() {
            if self.kept.load(Ordering::Relaxed) <= self.worth_keeping() {
                kept.put_node(spare);
                continue;
            }
            self.kept.fetch_sub(1, Ordering::Relaxed);
            spare.value.memory = None;
            self.bare.put(spare);
        }
        kept
    }

    /// A sender has closed its lane. Whether it was the last.
    pub(super) fn leave(&self) -> bool {
        self.alive.fetch_sub(1, order!(leave_lanes)) == 1
    }

    /// Whether the last sender has closed its lane.
    pub(super) fn is_left(&self) -> bool {
        self.alive.load(order!(observe_lanes_end)) == 0
    }

    /// The receiver accepts nothing more. It closes the lanes that it finds after this.
    pub(super) fn close(&self) {
        self.gone.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed) != 0
    }
}
