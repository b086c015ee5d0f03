//! What the handles of a channel share: who is there, and the reading ends of workers that have left.
//!
//! | word | written | says |
//! |---|---|---|
//! | `news` | under the lock | how often the set of workers has changed: the sender compares it before each message |
//! | `returned` | under the lock | messages in the reading ends that were handed on: a worker looks at it before its own lane |
//! | `gone` | under the lock, once | no handle that receives, or can make one that does, is left |
//! | `ended` | under the lock, once | the sender has closed, and every message was received |
//!
//! All four are read without the lock. None of them carries data: a side that acts on one takes the lock, or only refuses. While no worker
//! comes or goes their line is written by no thread.
//!
//! **A reading end has one holder**: its worker; from the moment at which that leaves, this registry, under the lock. The messages stay where they are.
//! A worker or the sender moves the oldest out, one by one, under the lock. The sender closes the writing end when it learns that the worker has left.
//! From then on the reading end can be over, and is dropped when it is.
//!
//! **A message that is published while its worker leaves** is found by the protocol of [`ring::spsc`](crate::ring::spsc): the worker has its event
//! count tell the sender, passes a barrier, and only then hands its end on. Either the count of `returned` has the message, or the sender is told after its
//! publication, and counts again.
//!
//! **The lock** is held for a few list operations and moves of one message. No code of the user runs under it: a message is moved, never dropped, and
//! event counts are notified and dropped after.
//!
//! **The end.** `unread` counts the reading ends that may still bring something: one of each worker until it has found its lane over, and those handed on.
//! Once the sender has closed and `unread` is 0, nothing will ever come.

use crate::channel::RingSender;
use crate::channel::lane::{LaneReceiver, LaneSender};
use crate::error::BuildError;
use crate::sync::order::mutant;
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering};
use crate::try_alloc::missing;
use crate::wait::panics::{Panics, each};
use crate::wait::{EventCount, FenceMode, WaitStrategy};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use crossbeam_utils::CachePadded;
use std::sync::PoisonError;

/// How many messages a worker had received when it last found none. Written by the worker, read by the sender. Alone on its line.
pub(super) type IdleWord = Arc<CachePadded<AtomicU64>>;

/// More messages than a ring can hold.
pub(super) const ALL: u64 = 1 << 62;

/// What the workers of a channel have in common.
pub(super) struct Options {
    pub(super) capacity: usize,
    pub(super) start: u64,
    pub(super) receiver_wait: WaitStrategy,
    pub(super) fence_mode: FenceMode,
}

impl Options {
    /// Whether a worker has messages waiting while it is at work on one. Then a side that waits yields before it spins: there often are more workers than
    /// cores, and a sender that spins until a lane has room keeps a core from them (`cargo run -p ringmail-benches --bin fan_out`: 2 to 3 times as
    /// many jobs). With lanes of one place all workers have run dry by the time it is back.
    pub(super) fn has_backlog(&self) -> bool {
        self.capacity > 1
    }
}

/// What the handles of a channel share.
pub(crate) struct Registry<T> {
    words: CachePadded<Words>,
    pub(super) sender: EventCount,
    pub(super) options: Options,
    state: Mutex<State<T>>,
}

struct Words {
    news: AtomicU64,
    returned: AtomicU64,
    gone: AtomicU64,
    ended: AtomicU64,
}

/// What the lock guards.
struct State<T> {
    /// In the order in which they joined.
    workers: Vec<Member>,
    /// Lanes that the sender has not taken in yet, in the same order.
    opened: Vec<Opened<T>>,
    /// Reading ends of workers that have left, the oldest messages first. Has room for two more for each worker, so that leaving allocates nothing.
    returned: VecDeque<LaneReceiver<T>>,
    /// Workers that have not closed, and hubs.
    handles: usize,
    /// Reading ends that may still bring something.
    unread: usize,
    /// Numbers given out.
    ids: u64,
    sending: Sending,
}

struct Member {
    id: u64,
    event: EventCount,
}

/// The state of the sending half.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    Open,
    Closed,
    Dropped,
}

/// A new worker's lane on its way to the sender.
pub(super) struct Opened<T> {
    pub(super) end: LaneSender<T>,
    pub(super) idle: IdleWord,
    /// Set by [`Registry::enter`].
    pub(super) id: u64,
}

/// Whether nothing is in the lane and nothing will come.
fn is_drained<T>(lane: &mut LaneReceiver<T>) -> bool {
    !lane.ring.refresh_tail_limited(ALL) && lane.ring.is_over()
}

impl<T> State<T> {
    /// Drops the reading ends that are drained. No code of the user runs: the rings are empty, and the event count has other owners.
    fn tidy(&mut self) {
        let before = self.returned.len();
        self.returned.retain_mut(|lane| !is_drained(lane));
        self.unread -= before - self.returned.len();
    }

    fn has(&self, id: u64) -> bool {
        self.workers.binary_search_by_key(&id, |worker| worker.id).is_ok()
    }
}

impl<T> Registry<T> {
    /// With one handle, that of a hub.
    pub(super) fn new(sender: EventCount, options: Options) -> Self {
        let word = || AtomicU64::new(0);
        Self {
            words: CachePadded::new(Words { news: word(), returned: word(), gone: word(), ended: word() }),
            sender,
            options,
            state: Mutex::new(State {
                workers: Vec::new(),
                opened: Vec::new(),
                returned: VecDeque::new(),
                handles: 1,
                unread: 0,
                ids: 0,
                sending: Sending::Open,
            }),
        }
    }

    #[inline(always)]
    pub(super) fn news(&self) -> u64 {
        self.words.news.load(Ordering::Relaxed)
    }

    /// Messages that workers have left, as far as was counted.
    #[inline(always)]
    pub(super) fn returned(&self) -> u64 {
        self.words.returned.load(Ordering::Relaxed)
    }

    /// Whether no worker is left and none can come.
    #[inline(always)]
    pub(super) fn is_gone(&self) -> bool {
        self.words.gone.load(Ordering::Relaxed) != 0
    }

    /// Whether every message was received and none will come. `true` is ordered after all that led to it.
    pub(super) fn has_ended(&self) -> bool {
        // Through the lock: it orders the answer after what the sender and the other workers did.
        self.words.ended.load(Ordering::Relaxed) != 0 && self.lock().unread == 0
    }

    pub(super) fn worker_count(&self) -> usize {
        self.lock().workers.len()
    }

    /// Whether a worker has joined and not left.
    pub(super) fn has(&self, id: u64) -> bool {
        self.lock().has(id)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the sender look. Under the lock.
    fn tell_news(&self) {
        self.words.news.store(self.news().wrapping_add(1), Ordering::Relaxed);
    }

    /// Changes what the lock guards, then what follows from that: the reading ends that are drained are dropped, messages are counted, and the workers
    /// are woken if there are more of those than before, or if all is over.
    fn change<R>(&self, f: impl FnOnce(&mut State<T>) -> R) -> R {
        let mut state = self.lock();
        let before = self.returned();
        let said = f(&mut state);
        state.tidy();
        let now = state.returned.iter().map(|lane| lane.ring.len() as u64).sum();
        self.words.returned.store(now, Ordering::Relaxed);
        let ends = state.sending != Sending::Open && state.unread == 0 && self.words.ended.load(Ordering::Relaxed) == 0;
        if ends {
            self.words.ended.store(1, Ordering::Relaxed);
        }
        drop(state);
        let (over, more) = (ends && !mutant!(EndWakesWorkers), now > before && !mutant!(ReturnWakesWorkers));
        if over || more {
            self.notify_workers();
        }
        said
    }

    /// Wakes every worker that sleeps.
    pub(super) fn notify_workers(&self) {
        let (mut next, mut panics) = (0, Panics::new());
        loop {
            // One by one: a waker must not run under the lock, and nothing is allocated. Those that join meanwhile look by themselves.
            let state = self.lock();
            let at = state.workers.partition_point(|worker| worker.id < next);
            let Some(worker) = state.workers.get(at) else { break };
            next = worker.id + 1;
            let event = worker.event.clone();
            drop(state);
            panics.catch(move || {
                event.notify();
            });
        }
        panics.resume();
    }

    /// Adds a worker with its lane. Returns the worker's number.
    pub(super) fn enter(&self, mut lane: Opened<T>, event: EventCount) -> Result<u64, BuildError> {
        let mut state = self.lock();
        if state.handles == 0 || self.words.ended.load(Ordering::Relaxed) != 0 {
            return Err(BuildError::Disconnected);
        }
        let most = 2 * (state.workers.len() + 1);
        state.workers.try_reserve(1).map_err(|_| missing::<Member>(1))?;
        state.returned.try_reserve(most).map_err(|_| missing::<LaneReceiver<T>>(most))?;
        state.opened.try_reserve(1).map_err(|_| missing::<Opened<T>>(1))?;
        let id = state.ids;
        state.ids += 1;
        state.workers.push(Member { id, event });
        (state.handles, state.unread) = (state.handles + 1, state.unread + 1);
        // Otherwise its writing end is dropped here, and so closed: the worker gets what others leave, then the end.
        if state.sending == Sending::Open {
            lane.id = id;
            state.opened.push(lane);
            self.tell_news();
        }
        Ok(id)
    }

    /// One more handle, unless the last one is gone.
    pub(super) fn add_handle(&self) -> Result<(), BuildError> {
        let mut state = self.lock();
        if state.handles == 0 {
            return Err(BuildError::Disconnected);
        }
        state.handles += 1;
        Ok(())
    }

    /// A hub is dropped, or a worker closes.
    pub(super) fn remove_handle(&self) {
        let mut state = self.lock();
        state.handles -= 1;
        if state.handles == 0 {
            self.words.gone.store(1, Ordering::Relaxed);
        }
        self.tell_news();
        drop(state);
        let mut panics = Panics::new();
        panics.catch(|| {
            self.sender.notify();
        });
        panics.catch(|| self.drop_rest());
        panics.resume();
    }

    /// A worker that has closed leaves, with what it has not received: `lanes` are its lane, and the one that holds what it took of the messages of
    /// others. `finished`: it has found its own lane over.
    pub(super) fn hand_on(&self, id: u64, finished: bool, mut lanes: Vec<LaneReceiver<T>>) {
        let left = self.change(|state| {
            let member = state.workers.binary_search_by_key(&id, |worker| worker.id).ok();
            let member = member.map(|at| state.workers.remove(at));
            let opened = state.opened.binary_search_by_key(&id, |lane| lane.id).ok();
            let mut opened = opened.map(|at| state.opened.remove(at));
            if let Some(lane) = &mut opened {
                // The sender never had it: the ring is empty, and no code of the user runs.
                lane.end.ring.close();
                lane.end.drop_orphans();
            }
            state.unread = state.unread + lanes.len() - usize::from(!finished);
            // What is drained is dropped at once.
            let (hand, own) = (lanes.pop(), lanes.pop());
            hand.into_iter().for_each(|lane| state.returned.push_front(lane));
            own.into_iter().for_each(|lane| state.returned.push_back(lane));
            self.tell_news();
            (member, opened)
        });
        let mut panics = Panics::new();
        panics.catch(|| drop(left));
        panics.catch(|| {
            self.sender.notify();
        });
        panics.catch(|| self.drop_rest());
        panics.resume();
    }

    /// A worker has found its own lane over.
    pub(super) fn finish(&self) {
        self.change(|state| state.unread -= 1);
    }

    /// Moves out the oldest message that workers have left, if there is one. `finished`: whether the worker that takes it has found its own lane over;
    /// then it counts again.
    pub(super) fn take<R>(&self, wrap: impl FnOnce(T) -> R, finished: Option<&mut bool>) -> Option<R> {
        self.change(|state| {
            let mut lanes = state.returned.iter_mut();
            let next = lanes.find_map(|lane| lane.ring.next_at_once())?;
            let said = next.take(wrap);
            if let Some(finished) = finished {
                state.unread += usize::from(core::mem::take(finished));
            }
            Some(said)
        })
    }

    /// Takes in the lanes that were opened, each by `adopt`. Before that `prepare` is told which workers have left, and the number of those lanes; `false` if
    /// there is no memory for them: then they stay for the next look. Returns how much news that was.
    pub(super) fn look(
        &self,
        prepare: impl FnOnce(&dyn Fn(u64) -> bool, usize) -> bool,
        adopt: impl FnMut(Opened<T>),
    ) -> u64 {
        let mut state = self.lock();
        if !prepare(&|id| !state.has(id), state.opened.len()) {
            return self.news().wrapping_sub(1);
        }
        state.opened.drain(..).for_each(adopt);
        self.news()
    }

    /// Counts again: the sender has closed lanes, or found that it sent to a worker that was leaving.
    pub(super) fn count_again(&self) {
        self.change(|_| ());
    }

    /// The sender sends nothing more. It closes its lanes after this.
    pub(super) fn close_sender(&self) {
        let mut state = self.lock();
        state.sending = Sending::Closed;
        let opened = core::mem::take(&mut state.opened);
        drop(state);
        each(opened, |mut lane| lane.end.close());
    }

    /// The sender is dropped, closed before.
    pub(super) fn drop_sender(&self) {
        self.lock().sending = Sending::Dropped;
        self.drop_rest();
    }

    /// Drops what workers have left once no handle can take it.
    fn drop_rest(&self) {
        let mut panics = Panics::new();
        while let Some(lane) = self.change(|state| {
            let none_left = state.handles == 0 && state.sending == Sending::Dropped;
            let lane = if none_left { state.returned.pop_front() } else { None };
            state.unread -= usize::from(lane.is_some());
            lane
        }) {
            panics.catch(|| drop(lane));
        }
        panics.resume();
    }
}
