//! The event count: how the other side learns that a side waits, and how it wakes that side.
//!
//! ```text
//!                 waiter: sets WAITING, fence, checks again
//!     ┌───────┐ ─────────────────────────────────────────────────► ┌─────────┐
//!     │ quiet │                                                    │ WAITING │
//!     └───────┘ ◄───────────────────────────────────────────────── └─────────┘
//!                 notifier: publishes, fence, sees WAITING, clears it, wakes
//!                 waiter: found something after all, or gave up: clears it
//! ```
//!
//! The state is one word of three flags and a count:
//!
//! | part | meaning | set by | cleared by |
//! |---|---|---|---|
//! | WAITING | a side sleeps, or is about to | waiter | notifier or waiter, by `fetch_and` |
//! | FENCED | each notifier executes a full fence between publishing and reading the state | waiter | waiter, while WAITING is clear |
//! | SETTLED | each notifier has seen FENCED: a heavy fence has passed since FENCED was set | waiter | with FENCED |
//! | DEPARTED × n | the receivers of `n` rings have left, and their senders have not noticed yet | receiver | sender |
//!
//! A notifier clears WAITING and writes no other flag. While the word is 0, a notification is one load of a line that no thread writes.
//!
//! **FENCED.** A heavy fence costs the waiter microseconds and interrupts every core. A full fence costs each message some nanoseconds. A side
//! that sleeps often sets FENCED and passes one heavy fence. From then on a full fence on each side is enough. Where the system has no heavy
//! fence, an event count starts as FENCED and stays so.
//!
//! **DEPARTED.** A message that is published while its receiver leaves must not stay in the ring. A sender reads the state after each message in
//! any case. So the receiver adds 1 to DEPARTED, passes a heavy fence, and reads the ring for the last time. Either that read finds the message,
//! or the sender sees the count and drops the message itself. Until the sender has seen it, other notifiers of a shared event count take the slow
//! path, which costs them some nanoseconds a message.
//!
//! **Invariants**
//!
//! 1. At most one waiter is registered. A second one replaces the first and wakes it, so that both check again: slow, but no wake is lost.
//! 2. WAITING is set after the waker is in the cell: a notifier that clears WAITING finds the waker, or meets its owner there ([`WakerCell`]).
//! 3. No lock and no cell is held while a waker is cloned, woken or dropped. A waker may panic, notify, or wait on this same event count.
//! 4. A wait that a panic ends has left no flag set that was clear before.
//! 5. A wake is a hint: the side that wakes checks again.
//!
//! | ordering | partner |
//! |---|---|
//! | light fence (notifier: publish → read the state) | heavy fence (waiter: set WAITING → check) |
//! | full fence of a FENCED notifier | full fence of a waiter that finds SETTLED |
//! | `prepare_wait` (Release, sets WAITING) | `see_waiting` (Acquire): what the waiter noted that it waits for |
//! | `prepare_wait` | `clear_waiting` (Acquire): the registered waker |
//!
//! **Limits.** One waiter at a time; several senders of one ring stand in a [`SenderQueue`](super::SenderQueue) in front of it.

use super::FenceMode;
use super::asymmetric_fence;
use super::panics::{self, Panics, wake};
use super::queue_registry::QueueRegistry;
use crate::error::BuildError;
use crate::sync::order::{mutant, order};
use crate::sync::{Arc, AtomicU32, Mutex, Ordering, WakerCell, share};
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::task::Waker;
use crossbeam_utils::CachePadded;

const WAITING: u32 = 1;
const FENCED: u32 = 2;
const SETTLED: u32 = 4;
const DEPARTED: u32 = 8;

/// What a notification found.
#[derive(Clone, Copy)]
pub(crate) struct Notified {
    pub(crate) woke: bool,
    /// A receiver may have left, see [`EventCount::announce_departure`].
    pub(crate) departed: bool,
}

/// An event count: one thread, task or reactor waits on it, and any number of threads notify it.
///
/// It works like a condition variable without a mutex. The waiter announces itself, checks its condition once more, and sleeps. A notifier
/// publishes, and then calls [`EventCount::notify`]. No notification between the announcement and the sleep is lost. Clones are the same event
/// count, and a clone allocates nothing.
///
/// Each handle of a channel has an event count of its own, and its blocking and asynchronous verbs use that. Make one yourself for two reasons:
///
/// * **Wait for several channels at once**, for which other crates have `select!`: give all of them one event count
///   ([`Builder::receiver_event`](crate::Builder::receiver_event)), and call [`EventCount::wait`].
/// * **Wait in a reactor** (epoll, io_uring, mio, a game loop): make the event count with a [`Waker`] that wakes the reactor
///   ([`EventCount::with_waker`]), and call [`EventCount::arm`] before the reactor sleeps.
///
/// A wake is a hint. Any number of messages may have come, also none: the waiter checks again.
///
/// **One waiter at a time.** If two threads or tasks wait on one event count, each wakes the other until one finds what it waits for. That is
/// correct, but as busy as polling.
///
/// **After a receiver has left**, its sender's next operation or its drop notices that. Until then, the other channels of the same event count
/// take a slower path to notify, by some nanoseconds a message.
///
/// Source of the idea: Dmitry Vyukov's event count. The asymmetric fences are those of seastar and glommio.
#[derive(Clone)]
pub struct EventCount {
    pub(super) inner: Arc<Inner>,
}

#[repr(C)]
pub(super) struct Inner {
    /// Alone on its line, as the next field begins another: every notifier reads it after every publication.
    state: AtomicU32,
    waker: CachePadded<WakerCell>,
    /// The waker that [`EventCount::arm`] registers.
    pub(super) reactor: Option<Waker>,
    fence_mode: FenceMode,
    /// Whether the user of the crate has it: then more than one handle may wait on it.
    pub(super) shared: bool,
    /// Serialises the waiters of a shared event count: the waker cell takes one registration at a time, and FENCED and SETTLED must be
    /// set by one waiter. Holds the number of the last waiter.
    last_waiter: Mutex<usize>,
    /// The queues of the senders into channels that notify a shared event count.
    pub(super) queues: Mutex<QueueRegistry>,
}

impl Inner {
    fn new(fence_mode: FenceMode, reactor: Option<Waker>, shared: bool) -> Self {
        let has_heavy = match fence_mode {
            FenceMode::Auto => asymmetric_fence::register(),
            FenceMode::Fence | FenceMode::Never => false,
        };
        let initial = if has_heavy { 0 } else { FENCED | SETTLED };
        // No side ever waits on such an event count, so no notifier needs a fence.
        let initial = if fence_mode == FenceMode::Never { 0 } else { initial };
        let fence_mode = if has_heavy || fence_mode == FenceMode::Never { fence_mode } else { FenceMode::Fence };
        let state = AtomicU32::new(initial);
        Self {
            state,
            waker: CachePadded::new(WakerCell::new()),
            reactor,
            fence_mode,
            shared,
            last_waiter: Mutex::new(0),
            queues: Mutex::default(),
        }
    }
}

impl EventCount {
    /// An event count for a thread, which waits by [`EventCount::wait`]. Its fence mode is [`FenceMode::Auto`].
    ///
    /// Allocates; without memory the process ends.
    pub fn new() -> Self {
        Self::build_or_end(FenceMode::Auto, None)
    }

    /// An event count that wakes `waker`, for a reactor, which waits by [`EventCount::arm`]. Its fence mode is [`FenceMode::Auto`].
    ///
    /// `waker` runs on the thread that notifies. [`waker_fn()`](super::waker_fn()) makes one of a closure, and says what it may do and what its
    /// panic does; `EventFd` makes one of a file descriptor. Allocates; without memory the process ends.
    pub fn with_waker(waker: impl Into<Waker>) -> Self {
        Self::build_or_end(FenceMode::Auto, Some(waker.into()))
    }

    /// A new event count with the same waker and with `fence_mode`. Call it first: the channels that have a clone of `self` do not notify the
    /// new one.
    ///
    /// [`FenceMode::Fence`] suits an event count that is armed very often: in [`FenceMode::Auto`] each [`EventCount::arm`] passes a
    /// `membarrier`, which costs microseconds. In [`FenceMode::Never`] the event count wakes nothing: [`EventCount::wait`] spins and yields,
    /// and [`Armed::confirm`](super::Armed::confirm) is always `None`.
    pub fn with_fence_mode(&self, fence_mode: FenceMode) -> Self {
        Self::build_or_end(fence_mode, self.inner.reactor.clone())
    }

    /// An event count for one handle alone.
    pub(crate) fn own(fence_mode: FenceMode) -> Result<Self, BuildError> {
        Ok(Self { inner: share(Inner::new(fence_mode, None, false))? })
    }

    /// A shared event count that wakes `waker`.
    #[cfg(feature = "lossy")]
    pub(super) fn waking(fence_mode: FenceMode, waker: Waker) -> Result<Self, BuildError> {
        Ok(Self { inner: share(Inner::new(fence_mode, Some(waker), true))? })
    }

    /// A shared event count. Without memory the process ends.
    fn build_or_end(fence_mode: FenceMode, reactor: Option<Waker>) -> Self {
        Self { inner: Arc::new(Inner::new(fence_mode, reactor, true)) }
    }

    /// Whether both are the same event count.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Whether a side that waits on this event count ever sleeps.
    pub(crate) fn may_sleep(&self) -> bool {
        self.inner.fence_mode != FenceMode::Never
    }

    /// Wakes the waiter, if there is one. Returns whether there was.
    ///
    /// Channels call it themselves. Call it for a condition of your own, such as a flag, after the store that makes the condition true.
    ///
    /// Wait-free but for the waker that it runs. While no side waits it costs one load, and a full fence if the event count is in
    /// [`FenceMode::Fence`] or its waiter sleeps often.
    #[inline(always)]
    pub fn notify(&self) -> bool {
        self.has_waiter() && self.notify_slow()
    }

    /// The hot half of a notification, after publishing: whether the slow half is to be called.
    #[inline(always)]
    pub(crate) fn has_waiter(&self) -> bool {
        asymmetric_fence::light(Ordering::SeqCst);
        // Relaxed: the fence above orders it.
        self.inner.state.load(Ordering::Relaxed) != 0
    }

    /// The slow half. Whether it woke a waiter.
    #[cold]
    #[inline(never)]
    pub(crate) fn notify_slow(&self) -> bool {
        self.notify_slow_if(|| true).woke
    }

    /// The slow half for one of several notifiers: it wakes only if `mine` says that it published what the waiter waits for. `mine` may read
    /// what the waiter noted before it set WAITING.
    #[inline(always)]
    pub(crate) fn notify_slow_if(&self, mine: impl FnOnce() -> bool) -> Notified {
        let mut state = self.inner.state.load(order!(see_waiting));
        if state & FENCED != 0 {
            if !mutant!(NotifyFence) {
                asymmetric_fence::full_fence();
            }
            if !mutant!(NotifyReload) {
                state = self.inner.state.load(order!(see_waiting));
            }
        }
        if state & !(FENCED | SETTLED) == 0 {
            return Notified { woke: false, departed: false };
        }
        self.notify_state(state, mine)
    }

    /// The same for a state with WAITING or DEPARTED.
    #[inline(never)]
    fn notify_state(&self, state: u32, mine: impl FnOnce() -> bool) -> Notified {
        Notified { departed: state >= DEPARTED && !mutant!(LateLooks), woke: self.wake_if(state, mine) }
    }

    #[inline(always)]
    fn wake_if(&self, state: u32, mine: impl FnOnce() -> bool) -> bool {
        // The waiter of a shared event count notes nothing.
        if state & WAITING == 0 || !(self.inner.shared || mine()) {
            return false;
        }
        // Only this flag: FENCED is the waiter's.
        let keep = if mutant!(SwapState) { 0 } else { !WAITING };
        if self.inner.state.fetch_and(keep, order!(clear_waiting)) & WAITING == 0 {
            return false;
        }
        if let Some(waker) = self.inner.waker.take() {
            wake(waker);
        }
        true
    }

    /// Registers `waker` and sets WAITING. The caller must check again, and may sleep if it still finds nothing.
    ///
    /// `waiter` is a number of the caller's own. `often` says that it sleeps so often that a fence for each message is cheaper than a heavy
    /// fence for each sleep.
    pub(crate) fn prepare_wait(&self, waker: &Waker, waiter: usize, often: bool) {
        self.prepare_wait_of(waker, waiter, often, true);
    }

    /// The same; `alone`: after a panic of another's waker this waiter may take back the announcement, as it is no other's.
    pub(super) fn prepare_wait_of(&self, waker: &Waker, waiter: usize, often: bool, alone: bool) {
        // Before the lock: the clone may panic, or use this event count.
        let registered = waker.clone();
        let mut last = self.inner.shared.then(|| self.inner.last_waiter.lock().unwrap_or_else(|e| e.into_inner()));
        let another =
            last.as_deref_mut().is_some_and(|last| core::mem::replace(last, waiter) != waiter || mutant!(WakeSelf));
        let put = self.inner.waker.put(registered);
        self.set_waiting(often);
        drop(last);
        let mut panics = Panics::new();
        // A second waiter: the first one must check again, or it sleeps for ever. A waiter does not wake its own earlier waker:
        // `will_wake` may say that it is another, and a task that wakes itself at every poll never sleeps.
        panics.catch(|| match put.previous {
            Some(other) if another && !other.will_wake(waker) && !mutant!(WakeReplaced) => wake(other),
            previous => drop(previous),
        });
        if let Some(met) = put.refused {
            let_taker_finish();
            panics.catch(|| wake(met));
        }
        if panics.is_any() && alone {
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
        let before = state.fetch_or(if often { WAITING | FENCED } else { WAITING }, order!(prepare_wait));
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
        // The kernel allowed the call once and now refuses it. Full fences from here on. A notifier that published before it could see
        // FENCED has an empty store buffer at the end of this sleep, and sees FENCED from then on.
        state.fetch_or(FENCED, Ordering::Relaxed);
        asymmetric_fence::full_fence();
        drain_store_buffers();
        state.fetch_or(SETTLED, Ordering::Relaxed);
        asymmetric_fence::full_fence();
    }

    /// Clears FENCED, if WAITING is clear: a waiter may rely on the fences. And only if there is a heavy fence to use instead.
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

    /// The waiter does not sleep often any more.
    pub(crate) fn unfence(&self) {
        let last = self.inner.shared.then(|| self.inner.last_waiter.lock().unwrap_or_else(|e| e.into_inner()));
        self.clear_fenced();
        drop(last);
    }

    /// To be called when the receivers of `rings` rings, whose senders notify this event count, have closed these rings.
    ///
    /// After the return, a read of each ring finds all that was published before the call. The sender of a later message is told by
    /// [`EventCount::notify_slow_if`]. For each ring, [`EventCount::acknowledge_departure`] is to be called once.
    ///
    /// Bounded: one heavy fence; where there is none, a full fence, or a sleep of 50 µs between two.
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
                // The senders execute no fence.
                drain_store_buffers();
                asymmetric_fence::full_fence();
            }
        }
    }

    /// A sender has noticed that its receiver left, or never will notice it.
    pub(crate) fn acknowledge_departure(&self) {
        if !mutant!(LeaveTells) {
            self.inner.state.fetch_sub(DEPARTED, Ordering::Relaxed);
        }
    }

    /// The number of rings whose receiver has left and whose sender has not noticed it yet.
    #[doc(hidden)]
    pub fn departures(&self) -> u32 {
        self.inner.state.load(Ordering::Relaxed) / DEPARTED
    }

    /// Replaces the waker while WAITING is still set, without a heavy fence. On `true` the caller must check again, and may sleep if it still
    /// finds nothing. On `false` a notifier has cleared WAITING meanwhile.
    ///
    /// A notifier takes the waker after it clears WAITING. If it took before this call put the new one in, the cell orders its publication
    /// before the caller's check. If it takes later, it wakes the new one.
    ///
    /// Always `false` on a shared event count: WAITING may be another waiter's, whose heavy fence is still to come.
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

    /// Whether WAITING is still set.
    pub(crate) fn is_waiting(&self) -> bool {
        self.inner.state.load(Ordering::Relaxed) & WAITING != 0
    }

    /// Clears WAITING for the waiter that `waker` wakes.
    ///
    /// On a shared event count it may have been set by another waiter: that one is woken, and registers again.
    pub(crate) fn cancel_wait(&self, waker: &Waker) {
        if self.is_waiting() {
            // As a notifier does: the waker of the waiter that set it is there to take.
            self.inner.state.fetch_and(!WAITING, order!(clear_waiting));
            if self.inner.shared && !mutant!(HandOver) {
                if let Some(other) = self.inner.waker.take().filter(|w| !w.will_wake(waker)) {
                    wake(other);
                }
            }
        }
    }

    /// Clears WAITING for a future, whose waker is not at hand.
    ///
    /// On a shared event count WAITING stays set, as another future of the same task may rely on it. It costs one spurious wake at most.
    pub(crate) fn cancel_future_wait(&self) {
        if !self.inner.shared && self.is_waiting() {
            self.inner.state.fetch_and(!WAITING, Ordering::Relaxed);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The last owner drops wakers of others.
        panics::drop_foreign((self.waker.take(), self.reactor.take()));
    }
}

impl Default for EventCount {
    fn default() -> Self {
        Self::new()
    }
}

// A waker that panics was taken out before: the event count is as after any notification.
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

/// Lets the notifier that was met in the cell finish: it is two instructions from its end. Loom would explore for ever what happens if it
/// never finishes.
#[inline(always)]
pub(super) fn let_taker_finish() {
    #[cfg(ringmail_loom)]
    crate::sync::yield_now();
}

/// The heavy barrier; where the kernel refuses it, fences around a sleep.
pub(crate) fn heavy_fence() {
    if !asymmetric_fence::heavy() {
        asymmetric_fence::full_fence();
        drain_store_buffers();
        asymmetric_fence::full_fence();
    }
}

/// Sleeps for 50 µs: longer than a store stays in a store buffer, though no processor promises a bound.
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
