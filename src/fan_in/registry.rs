//! Where lanes are opened and given back.

use crate::channel::SendEnd;
use crate::error::BuildError;
use crate::ring::backing::Heap;
use crate::ring::cursor::Position;
use crate::ring::order::{self, mutant};
use crate::ring::pile::Pile;
use crate::spsc::end::{Rx, Tx, ends};
#[cfg(feature = "std")]
use crate::sync::Mutex;
use crate::sync::{AtomicU64, Ordering, fence};
use crate::wait::Bell;
#[cfg(feature = "std")]
use crate::wait::{Barrier, WaitStrategy};
#[cfg(feature = "std")]
use alloc::vec::Vec;
use core::fmt;
#[cfg(feature = "std")]
use std::sync::PoisonError;

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
    pub(super) end: Rx<T>,
    pub(super) id: LaneId,
    pub(super) options: LaneOptions,
}

/// A lane's number and memory, for the next one.
pub(super) struct Spare<T> {
    pub(super) id: LaneId,
    pub(super) memory: Option<Heap<T>>,
}

/// What the handles of a channel share. Touched only when a lane opens or closes, but for one look of the receiver at the end of
/// each turn.
pub(crate) struct Registry<T> {
    /// Opened, and not yet seen by the receiver.
    pub(super) opened: Pile<Lane<T>>,
    /// Given back by the receiver.
    spare: Pile<Spare<T>>,
    /// Those that openers have collected from there, one opener at a time: another would find none meanwhile, and make a lane too many.
    #[cfg(feature = "std")]
    collected: Mutex<Vec<Spare<T>>>,
    /// Senders there are.
    alive: AtomicU64,
    /// 1 once the receiver accepts nothing more.
    gone: AtomicU64,
    /// Lane numbers given out.
    numbers: AtomicU64,
    pub(super) receiver: Bell,
    pub(super) options: Options,
}

/// What the lanes of a channel have in common.
pub(super) struct Options {
    pub(super) capacity: usize,
    pub(super) start: u64,
    #[cfg(feature = "std")]
    pub(super) sender_wait: WaitStrategy,
    #[cfg(feature = "std")]
    pub(super) barrier: Barrier,
}

impl<T> Registry<T> {
    pub(super) fn new(receiver: Bell, options: Options) -> Self {
        Self {
            opened: Pile::new(),
            spare: Pile::new(),
            #[cfg(feature = "std")]
            collected: Mutex::new(Vec::new()),
            alive: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            numbers: AtomicU64::new(0),
            receiver,
            options,
        }
    }

    /// Opens a lane, whose sender waits on `sender`, and counts that sender.
    pub(super) fn open(&self, options: LaneOptions, sender: Bell) -> Result<(Tx<T>, LaneId), BuildError> {
        if self.is_gone() {
            return Err(BuildError::Disconnected);
        }
        let spare = self.spare();
        let memory = match spare.memory {
            Some(memory) => memory,
            None => match Heap::new(self.options.capacity, Position::new(self.options.start)) {
                Ok(memory) => memory,
                Err(e) => {
                    self.spare.put(Spare { memory: None, ..spare });
                    return Err(e);
                }
            },
        };
        let (mut tx, rx) = ends(memory, sender, self.receiver.clone());
        // Before the lane can be seen: a receiver that finds no sender and no lane believes that all is over.
        self.alive.fetch_add(1, Ordering::Relaxed);
        self.opened.put(Lane { end: rx, id: spare.id, options });
        // A receiver that leaves says so, fences, then closes the lanes it finds. Either it finds this one or we see it gone.
        if !mutant!(OpenFence) {
            fence(Ordering::SeqCst);
        }
        if self.is_gone() {
            tx.close();
            self.leave();
            return Err(BuildError::Disconnected);
        }
        Ok((tx, spare.id))
    }

    /// A number, and memory if some is at hand.
    fn spare(&self) -> Spare<T> {
        self.collect().unwrap_or_else(|| {
            let index = self.numbers.fetch_add(1, Ordering::Relaxed) as u32;
            Spare { id: LaneId { index, generation: 0 }, memory: None }
        })
    }

    #[cfg(feature = "std")]
    fn collect(&self) -> Option<Spare<T>> {
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.spare.is_empty() {
            collected.extend(self.spare.take_all());
        }
        collected.pop()
    }

    /// Without a lock to wait for: two openers at once may make a lane more than there need be.
    #[cfg(not(feature = "std"))]
    fn collect(&self) -> Option<Spare<T>> {
        let mut spare = self.spare.take_all();
        let first = spare.next()?;
        spare.for_each(|other| self.spare.put(other));
        Some(first)
    }

    /// Takes back a lane that is drained and has no sender.
    pub(super) fn give_back(&self, lane: Lane<T>) {
        let id = LaneId { generation: lane.id.generation.wrapping_add(1), ..lane.id };
        let memory = lane.end.ring.backing().share();
        drop(lane);
        // Unless its sender is still on its way out: then the memory goes with it.
        self.spare.put(Spare { id, memory: memory.renew() });
    }

    /// A sender has closed its lane. Whether it was the last.
    pub(super) fn leave(&self) -> bool {
        self.alive.fetch_sub(1, order::leave_lanes()) == 1
    }

    /// Whether the last sender has closed its lane.
    pub(super) fn is_left(&self) -> bool {
        self.alive.load(order::observe_lanes_end()) == 0
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
