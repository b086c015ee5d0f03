//! The event count: what a waiting side hangs up, and how it is woken.
//!
//! ```text
//!                 sleeper: announce WAITING, barrier, look again
//!     ┌───────┐ ─────────────────────────────────────────────────► ┌─────────┐
//!     │ quiet │                                                    │ WAITING │
//!     └───────┘ ◄───────────────────────────────────────────────── └─────────┘
//!                 ringer: publish, barrier, sees WAITING, clears it, wakes
//!                 sleeper: found something after all, or gave up: clears it
//! ```
//!
//! The word has three bits and a count. Of the bits ringers clear WAITING and touch nothing else; the sleeper writes the other two.
//!
//! | bit | meaning | set | cleared |
//! |---|---|---|---|
//! | WAITING | somebody sleeps, or is about to | sleeper | whoever answers: ringer or sleeper, by `fetch_and` |
//! | FENCED | every ringer puts a full fence between publishing and looking | sleeper | sleeper, while nobody waits |
//! | SETTLED | every ringer knows of FENCED: a heavy barrier has passed since | sleeper | with FENCED |
//! | DEPARTED × n | of `n` rings the receiver has left, and the sender has not noticed yet | receiver | sender |
//!
//! While the word is 0, ringing costs one load of a line that nobody writes.
//!
//! **FENCED.** A heavy barrier costs the sleeper microseconds and interrupts every core; a fence costs each message
//! some nanoseconds. A side that sleeps often says so once: it sets FENCED, passes one heavy barrier, and from then on a
//! plain fence on each side is enough. Where there is no heavy barrier at all, event counts are born FENCED and stay so.
//!
//! **DEPARTED.** A message that is published while its receiver leaves must not stay in the ring. A sender looks at the event count after each message
//! anyway; so the receiver counts itself there, passes the barrier, and looks at the ring for the last time. Either that look finds the message,
//! or the sender finds the count and settles the matter. Until it has, others that ring a event count of the user's take the cold path, which costs
//! them some nanoseconds a message.
//!
//! **One waiter at a time** is what a event count is for. A second one replaces the first and wakes it, so that both look again:
//! slow, but nothing is lost.
//!
//! A wake is a hint: whoever wakes looks again. Wakers are others' code: they are cloned, woken and dropped while no lock and no cell is
//! held, so each may panic, ring, or wait on this very event. A panic leaves nothing announced that was not before.

use super::FenceMode;
use super::asymmetric_fence;
use super::panics::{self, Panics, wake};
use super::queue_registry::QueueRegistry;
use crate::error::BuildError;
use crate::ring::order::{self, mutant};
use crate::sync::{Arc, AtomicU32, Mutex, Ordering, WakerCell, share};
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::task::Waker;
use crossbeam_utils::CachePadded;

const WAITING: u32 = 1;
const FENCED: u32 = 2;
const SETTLED: u32 = 4;
const DEPARTED: u32 = 8;

/// What ringing came to.
#[derive(Clone, Copy)]
pub(crate) struct Notified {
    pub(crate) woke: bool,
    /// A receiver may have left, see [`EventCount::announce_departure`].
    pub(crate) departed: bool,
}

/// What a waiting side hangs up so that others can wake it. Cheap to clone; clones are the same event.
///
/// Every handle of a channel has a event count of its own. Give several channels *one* event count
/// ([`spsc::Builder::receiver_event`](crate::spsc::Builder::receiver_event)) and one thread can wait for all of them: this is
/// what other crates have `select` for.
///
/// A receiver that leaves counts itself on its event count until its sender has noticed, by its next operation or its drop at the latest; meanwhile
/// others that ring the same event count take a slower path, by some nanoseconds a message.
///
/// One thread or task at a time may wait on a event. If a second does, both keep waking each other until one has what it
/// wants: correct, but as busy as polling.
#[derive(Clone)]
pub struct EventCount {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    /// Alone on its line: every ringer reads it after every publication.
    state: CachePadded<AtomicU32>,
    waker: WakerCell,
    /// What [`EventCount::arm`] registers.
    pub(super) notify: Option<Waker>,
    fence_mode: FenceMode,
    /// Whether more than one handle may wait on it: somebody outside has it.
    pub(super) shared: bool,
    /// Who waits on a shared event count takes turns: the waker cell takes one registration at a time, and FENCED and SETTLED of two
    /// that change them at once would not belong together. Holds the number of the last waiter.
    turn: Mutex<usize>,
    /// The queues of senders into channels that ring this event count, if it is a user's.
    pub(super) queues: Mutex<QueueRegistry>,
}

impl Inner {
    fn new(barrier: FenceMode, notify: Option<Waker>, shared: bool) -> Self {
        let cheap = match barrier {
            FenceMode::Auto => asymmetric_fence::register(),
            FenceMode::Fence | FenceMode::Never => false,
        };
        let born = if cheap { 0 } else { FENCED | SETTLED };
        // Nobody ever waits on such a event count, so nobody need fence for it.
        let born = if barrier == FenceMode::Never { 0 } else { born };
        let barrier = if cheap || barrier == FenceMode::Never { barrier } else { FenceMode::Fence };
        let state = CachePadded::new(AtomicU32::new(born));
        Self {
            state,
            waker: WakerCell::new(),
            notify,
            fence_mode: barrier,
            shared,
            turn: Mutex::new(0),
            queues: Mutex::default(),
        }
    }
}

impl EventCount {
    /// A event count for threads: wait on it with [`EventCount::wait`].
    pub fn new() -> Self {
        Self::build_or_end(FenceMode::Auto, None)
    }

    /// A event count whose ringing calls `notify`: the way to wake a reactor of one's own. Wait on it with [`EventCount::arm`].
    pub fn with_waker(waker: impl Into<Waker>) -> Self {
        Self::build_or_end(FenceMode::Auto, Some(waker.into()))
    }

    /// Another event count, like this one but with `barrier`. To be called before the event count is given to anybody.
    ///
    /// [`FenceMode::Fence`] suits a event count that is armed very often: with [`FenceMode::Auto`] each [`EventCount::arm`] passes a heavy barrier.
    pub fn with_fence_mode(&self, barrier: FenceMode) -> Self {
        Self::build_or_end(barrier, self.inner.notify.clone())
    }

    /// A event count for one handle alone.
    pub(crate) fn own(barrier: FenceMode) -> Result<Self, BuildError> {
        Ok(Self { inner: share(Inner::new(barrier, None, false))? })
    }

    /// A event count of the user's. Without memory the process ends.
    fn build_or_end(barrier: FenceMode, notify: Option<Waker>) -> Self {
        Self { inner: Arc::new(Inner::new(barrier, notify, true)) }
    }

    /// Whether waiting on this event count may ever sleep.
    pub(crate) fn may_sleep(&self) -> bool {
        self.inner.fence_mode != FenceMode::Never
    }

    /// Wakes whoever waits, if anybody does. Call it after publishing what they wait for. Returns whether it woke.
    #[inline(always)]
    pub fn notify(&self) -> bool {
        self.has_waiter() && self.notify_slow()
    }

    /// The hot half of ringing: whether there is anything to look into. Call it after publishing.
    #[inline(always)]
    pub(crate) fn has_waiter(&self) -> bool {
        asymmetric_fence::light();
        // Relaxed: the barrier above is its order.
        self.inner.state.load(Ordering::Relaxed) != 0
    }

    /// The cold half. Whether it woke somebody.
    #[cold]
    #[inline(never)]
    pub(crate) fn notify_slow(&self) -> bool {
        self.notify_slow_if(|| true).woke
    }

    /// The cold half, for one of several ringers: it wakes only if what it published is what the sleeper waits for. `mine` may read
    /// what the sleeper noted before it announced itself.
    #[inline(always)]
    pub(crate) fn notify_slow_if(&self, mine: impl FnOnce() -> bool) -> Notified {
        let mut state = self.inner.state.load(order::see_waiting());
        if state & FENCED != 0 {
            if !mutant!(NotifyFence) {
                asymmetric_fence::full_fence();
            }
            if !mutant!(NotifyReload) {
                state = self.inner.state.load(order::see_waiting());
            }
        }
        if state & !(FENCED | SETTLED) == 0 {
            return Notified { woke: false, departed: false };
        }
        self.notify_state(state, mine)
    }

    /// The same for a state in which there is something to do.
    #[inline(never)]
    fn notify_state(&self, state: u32, mine: impl FnOnce() -> bool) -> Notified {
        Notified { departed: state >= DEPARTED && !mutant!(LateLooks), woke: self.wake_if(state, mine) }
    }

    #[inline(always)]
    fn wake_if(&self, state: u32, mine: impl FnOnce() -> bool) -> bool {
        // Who waits on a event count of the user's own notes nothing.
        if state & WAITING == 0 || !(self.inner.shared || mine()) {
            return false;
        }
        // Only the bit: FENCED is the sleeper's.
        let keep = if mutant!(SwapState) { 0 } else { !WAITING };
        if self.inner.state.fetch_and(keep, order::clear_waiting()) & WAITING == 0 {
            return false;
        }
        if let Some(waker) = self.inner.waker.take() {
            wake(waker);
        }
        true
    }

    /// Announces that `waker` is about to sleep. The caller must look again, and may sleep if it still finds nothing.
    ///
    /// `waiter` is a number of the caller's own. `often` says that it sleeps so often that fences are cheaper than barriers.
    pub(crate) fn prepare_wait(&self, waker: &Waker, waiter: usize, often: bool) {
        // Before any lock: it may panic, or use this event count itself.
        let waker_of_mine = waker.clone();
        let mut turn = self.inner.shared.then(|| self.inner.turn.lock().unwrap_or_else(|e| e.into_inner()));
        let another =
            turn.as_deref_mut().is_some_and(|last| core::mem::replace(last, waiter) != waiter || mutant!(WakeSelf));
        let put = self.inner.waker.put(waker_of_mine);
        self.set_waiting(often);
        drop(turn);
        let mut panics = Panics::new();
        // A second waiter: let the first look again rather than sleep for ever. The same one's own waker is not woken:
        // `will_wake` may deny that it is, and a task that wakes itself at every poll never sleeps.
        panics.catch(|| match put.previous {
            Some(other) if another && !other.will_wake(waker) && !mutant!(WakeReplaced) => wake(other),
            previous => drop(previous),
        });
        if let Some(met) = put.refused {
            let_taker_finish();
            panics.catch(|| wake(met));
        }
        if panics.is_any() {
            panics.catch(|| self.cancel_wait(waker));
        }
        panics.resume();
    }

    /// The state's part of [`EventCount::prepare_wait`].
    fn set_waiting(&self, often: bool) {
        let state = &self.inner.state;
        if !often {
            self.clear_fenced();
        }
        let before = state.fetch_or(if often { WAITING | FENCED } else { WAITING }, order::prepare_wait());
        if before & SETTLED != 0 {
            if !mutant!(SleepFence) {
                asymmetric_fence::full_fence();
            }
            return;
        }
        if asymmetric_fence::heavy() {
            if often {
                state.fetch_or(SETTLED, Ordering::Relaxed);
            }
            return;
        }
        // The kernel allowed it once and now refuses. Fences from here on; a ringer that published before it
        // could know has long emptied its store buffer by the end of this nap, and then it knows.
        state.fetch_or(FENCED, Ordering::Relaxed);
        asymmetric_fence::full_fence();
        drain_store_buffers();
        state.fetch_or(SETTLED, Ordering::Relaxed);
        asymmetric_fence::full_fence();
    }

    /// Gives up FENCED, if nobody waits: a waiter may rely on the fences. And only if there is something to go back to.
    fn clear_fenced(&self) {
        let before = self.inner.state.load(Ordering::Relaxed);
        if before & (FENCED | WAITING) == FENCED
            && self.inner.fence_mode == FenceMode::Auto
            && asymmetric_fence::register()
        {
            let after = before & !(FENCED | SETTLED);
            let _ = self.inner.state.compare_exchange(before, after, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The waiter says that it does not sleep often any more.
    pub(crate) fn unfence(&self) {
        let turn = self.inner.shared.then(|| self.inner.turn.lock().unwrap_or_else(|e| e.into_inner()));
        self.clear_fenced();
        drop(turn);
    }

    /// The receivers of `rings` rings, whose senders ring this event count, accept nothing more, and have said so there. On return a look at each of
    /// these finds all that was published before; what comes later, its sender is told by [`EventCount::notify_slow_if`]. For each ring
    /// [`EventCount::acknowledge_departure`] is to be called once.
    ///
    /// Bounded: one barrier, and where there is none a fence or a nap.
    #[cold]
    pub(crate) fn announce_departure(&self, rings: u32) {
        let count = if mutant!(LeaveTells) { 0 } else { rings * DEPARTED };
        let before = self.inner.state.fetch_add(count, Ordering::Relaxed);
        if mutant!(LeaveBarrier) {
            return;
        }
        let fenced = before & SETTLED != 0;
        if fenced || self.inner.fence_mode == FenceMode::Never || !asymmetric_fence::heavy() {
            asymmetric_fence::full_fence();
            if !fenced {
                // The senders do not fence.
                drain_store_buffers();
                asymmetric_fence::full_fence();
            }
        }
    }

    /// A sender has noticed that its receiver left, or never will.
    pub(crate) fn acknowledge_departure(&self) {
        if !mutant!(LeaveTells) {
            self.inner.state.fetch_sub(DEPARTED, Ordering::Relaxed);
        }
    }

    /// Rings whose receiver left, and whose sender has not noticed yet.
    #[doc(hidden)]
    pub fn departures(&self) -> u32 {
        self.inner.state.load(Ordering::Relaxed) / DEPARTED
    }

    /// Renews an announcement that still stands, without a heavy barrier. On `true` the caller must look again, and
    /// may sleep if it still finds nothing; on `false` the announcement was answered meanwhile.
    ///
    /// A ringer takes the waker after it clears WAITING. If it took before we installed ours, taking and installing
    /// order its publication before our second look; if after, it wakes us.
    ///
    /// On a shared event count never: what stands may be the announcement of another, whose barrier is still to come.
    pub(crate) fn renew_wait(&self, waker: &Waker) -> bool {
        if self.inner.shared && !mutant!(RenewOwn) {
            return false;
        }
        let put = self.inner.waker.put(waker.clone());
        drop(put.previous);
        if let Some(met) = put.refused {
            let_taker_finish();
            wake(met);
        }
        self.is_waiting()
    }

    /// Whether an announcement still stands.
    pub(crate) fn is_waiting(&self) -> bool {
        self.inner.state.load(Ordering::Relaxed) & WAITING != 0
    }

    /// Takes back the announcement of `waker`.
    ///
    /// On a shared event count it may be somebody else's that stood: they are woken and announce themselves again.
    pub(crate) fn cancel_wait(&self, waker: &Waker) {
        if self.is_waiting() {
            // As a ringer does: whoever's announcement this clears, their waker is there to take.
            self.inner.state.fetch_and(!WAITING, order::clear_waiting());
            if self.inner.shared && !mutant!(HandOver) {
                if let Some(other) = self.inner.waker.take().filter(|w| !w.will_wake(waker)) {
                    wake(other);
                }
            }
        }
    }

    /// Takes back the announcement of a future, whose waker is not at hand.
    ///
    /// On a shared event count it stays, as another future of the same task may rely on it: one wake for nothing at most.
    pub(crate) fn cancel_future_wait(&self) {
        if !self.inner.shared && self.is_waiting() {
            self.inner.state.fetch_and(!WAITING, Ordering::Relaxed);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever had the event count last drops wakers of others.
        panics::drop_foreign((self.waker.take(), self.notify.take()));
    }
}

impl Default for EventCount {
    fn default() -> Self {
        Self::new()
    }
}

// A waker that panics was taken out before: the event count is as after any ring.
impl UnwindSafe for EventCount {}
impl RefUnwindSafe for EventCount {}

impl fmt::Debug for EventCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.inner.state.load(Ordering::Relaxed);
        f.debug_struct("EventCount")
            .field("waiting", &(state & WAITING != 0))
            .field("fenced", &(state & FENCED != 0))
            .field("fence_mode", &self.inner.fence_mode)
            .finish()
    }
}

/// Lets the ringer that was met in the cell go on: it is two instructions from its end. Loom would try for ever what happens if it never is.
#[inline(always)]
fn let_taker_finish() {
    #[cfg(ringmail_loom)]
    crate::sync::yield_now();
}

/// Longer than any store stays in a store buffer.
fn drain_store_buffers() {
    #[cfg(not(ringmail_loom))]
    std::thread::sleep(core::time::Duration::from_micros(50));
}

#[cfg(test)]
mod assertions {
    use super::super::{Armed, EventCount};
    use core::panic::{RefUnwindSafe, UnwindSafe};
    use static_assertions::assert_impl_all;

    assert_impl_all!(EventCount: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Armed<'static>: UnwindSafe, RefUnwindSafe);
    #[cfg(target_os = "linux")]
    assert_impl_all!(crate::wait::EventFd: Send, Sync, UnwindSafe, RefUnwindSafe);
}
