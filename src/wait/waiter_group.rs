//! Many that wait for one notifier: a notification wakes all of them.
//!
//! ```text
//!   event count ◄── the roll's waker          a notifier loads one word, however many wait
//!                        │ wakes all on it
//!                   roll: seat ── seat ── seat        a lock-free stack
//! ```
//!
//! An event count has one waiter. Here that is the roll: each that waits puts its waker into its seat, pushes the seat on the roll, and announces the
//! roll on the event count. A notifier that finds WAITING takes all seats off the roll and wakes them.
//!
//! | who | writes |
//! |---|---|
//! | a seat's owner | its waker; takes its entry from home to the roll |
//! | the one that took the roll, mostly the notifier | sends each entry home, takes the waker, wakes |
//!
//! 1. An entry is in one place: at home, on the roll, or with the one that took the roll. It was allocated with its seat, so waiting allocates nothing.
//! 2. **Home first, then the waker.** An owner puts its waker in and then looks for the entry. If it finds none at home, the one that has it takes the
//!    waker later, and wakes the owner.
//! 3. A notifier takes no lock and waits for no thread that waits. It wakes as many as wait.
//! 4. A wait that is given up leaves its entry on the roll, without a waker, and WAITING set: the next notification does nothing for it. A seat that
//!    goes while its entry is on the roll takes the whole roll and wakes all, which check again. So the roll is never longer than there are
//!    seats.
//! 5. A panic of one waker does not keep the others from being woken.

use super::EventCount;
use super::event_count::let_taker_finish;
use super::fence_mode::FenceMode;
use super::panics::{Panics, wake};
use super::parker::Arc;
use crate::error::BuildError;
use crate::sync::WakerCell;
use crate::sync::order::mutant;
use crate::sync::stack::{HasOwner, Node, Stack};
use core::task::Waker;

/// Those that wait for one event count.
struct Roll {
    waiting: Stack<Entry>,
}

/// What is on the roll for a seat.
struct Entry(Arc<Member>);

struct Member {
    waker: WakerCell,
    /// The entry, while it is not on the roll. Closed once the seat is given up.
    home: Stack<Entry>,
}

impl HasOwner for Entry {
    fn owner(&self) -> &Stack<Self> {
        &self.0.home
    }
}

/// One that may wait.
pub(crate) struct Seat {
    roll: Arc<Roll>,
    member: Arc<Member>,
}

/// All that may wait for one event count.
pub(crate) struct WaiterGroup(Arc<Roll>);

impl EventCount {
    /// An event count on which many wait, each in a seat of the group.
    pub(crate) fn for_many(fence_mode: FenceMode) -> Result<(Self, WaiterGroup), BuildError> {
        let roll = share(Roll { waiting: Stack::new() })?;
        let event = Self::waking(fence_mode, waker(&roll))?;
        Ok((event, WaiterGroup(roll)))
    }
}

impl WaiterGroup {
    pub(crate) fn seat(&self) -> Result<Seat, BuildError> {
        Seat::new(Arc::clone(&self.0))
    }
}

impl Roll {
    fn wake_all(&self) {
        // In the order in which they came.
        let mut taken = self.waiting.take_all().reversed();
        let mut panics = Panics::new();
        while let Some(entry) = taken.next_node() {
            let member = Arc::clone(&entry.value.0);
            if mutant!(HomeFirst) {
                let waker = member.waker.take();
                drop(entry.return_to_owner());
                waker.into_iter().for_each(wake);
                continue;
            }
            // One whose seat is gone comes back, and is freed here.
            drop(entry.return_to_owner());
            if let Some(waker) = member.waker.take() {
                panics.catch(|| wake(waker));
            }
        }
        panics.resume();
    }
}

impl Seat {
    fn new(roll: Arc<Roll>) -> Result<Self, BuildError> {
        let member = share(Member { waker: WakerCell::new(), home: Stack::new() })?;
        member.home.put(Node::place()?.fill(Entry(Arc::clone(&member))));
        Ok(Self { roll, member })
    }

    /// Another seat for the same notifier.
    pub(crate) fn another(&self) -> Result<Self, BuildError> {
        Self::new(Arc::clone(&self.roll))
    }

    /// Announces that the owner of `waker` is about to sleep, as [`EventCount::prepare_wait`].
    pub(super) fn prepare_wait(&self, event: &EventCount, waker: &Waker, often: bool) {
        let put = self.member.waker.put(waker.clone());
        let mut panics = Panics::new();
        panics.catch(|| drop(put.previous));
        if let Some(entry) = self.member.home.take_all().next_node() {
            self.roll.waiting.put(entry);
        }
        event.prepare_group_wait(often);
        if let Some(met) = put.refused {
            // The one that was met in the cell wakes nothing.
            let_taker_finish();
            panics.catch(|| wake(met));
        }
        panics.resume();
    }

    /// The owner does not wait any more.
    pub(super) fn cancel_wait(&self) {
        drop(self.member.waker.take());
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let at_home = self.member.home.close().next_node();
        if at_home.is_none() {
            self.roll.wake_all();
        }
    }
}

#[cfg(not(ringmail_loom))]
use crate::sync::share;

#[cfg(ringmail_loom)]
fn share<T>(value: T) -> Result<Arc<T>, BuildError> {
    Ok(Arc::new(value))
}

#[cfg(not(ringmail_loom))]
fn waker(roll: &Arc<Roll>) -> Waker {
    Arc::into_waker(Arc::clone(roll))
}

#[cfg(not(ringmail_loom))]
impl crate::sync::arc::Wakes for Roll {
    fn wake(&self) {
        self.wake_all();
    }
}

#[cfg(ringmail_loom)]
fn waker(roll: &Arc<Roll>) -> Waker {
    Waker::from(Arc::clone(roll))
}

#[cfg(ringmail_loom)]
impl alloc::task::Wake for Roll {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}
