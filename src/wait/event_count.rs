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
//! | LEFT × n | of `n` rings the receiver has left, and the sender has not noticed yet | receiver | sender |
//!
//! While the word is 0, ringing costs one load of a line that nobody writes.
//!
//! **FENCED.** A heavy barrier costs the sleeper microseconds and interrupts every core; a fence costs each message
//! some nanoseconds. A side that sleeps often says so once: it sets FENCED, passes one heavy barrier, and from then on a
//! plain fence on each side is enough. Where there is no heavy barrier at all, event counts are born FENCED and stay so.
//!
//! **LEFT.** A message that is published while its receiver leaves must not stay in the ring. A sender looks at the event count after each message
//! anyway; so the receiver counts itself there, passes the barrier, and looks at the ring for the last time. Either that look finds the message,
//! or the sender finds the count and settles the matter. Until it has, others that ring a event count of the user's take the cold path, which costs
//! them some nanoseconds a message.
//!
//! **One waiter at a time** is what a event count is for. A second one replaces the first and wakes it, so that both look again:
//! slow, but nothing is lost.
//!
//! A wake is a hint: whoever wakes looks again. Wakers are others' code: they are cloned, woken and dropped while no lock and no cell is
//! held, so each may panic, ring, or wait on this very event. A panic leaves nothing announced that was not before.

use super::barrier;
use super::guard::{self, Panics, wake};
use super::{Look, Queue};
use crate::error::BuildError;
use crate::room::missing;
use crate::sync::order::{mutant, order};
use crate::sync::{Arc, AtomicU32, Mutex, MutexGuard, Ordering, WakerCell, share};
use alloc::vec::Vec;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::task::Waker;
use core::time::Duration;
use crossbeam_utils::CachePadded;
use std::sync::PoisonError;

const WAITING: u32 = 1;
const FENCED: u32 = 2;
const SETTLED: u32 = 4;
const LEFT: u32 = 8;

/// The waiter's number of everybody who uses [`EventCount::arm`]: they share one waker.
const REACTOR: usize = 1;

/// How the sides of a channel keep "publish" and "is anybody asleep?" in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum FenceMode {
    /// Messages pay nothing; a side that goes to sleep pays for a `membarrier` (Linux), which also interrupts the other
    /// cores of this process briefly. A side that sleeps often switches to fences by itself, and so
    /// does every channel where the kernel has no such call.
    #[default]
    Auto,
    /// Each message pays a full fence; going to sleep disturbs nobody.
    Fence,
    /// Nobody ever sleeps: waiting spins and yields, a pending future asks to be polled again at once.
    ///
    /// Neither side has a barrier then. So that nothing is lost when a receiver leaves, it naps for some 50 µs before its last look: longer than
    /// a processor holds a store back, though none promises how long that is.
    Never,
}

/// What ringing came to.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) woke: bool,
    /// A receiver may have left, see [`EventCount::leave`].
    pub(crate) left: bool,
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
    core: Arc<Core>,
}

#[repr(C)]
struct Core {
    /// Alone on its line, as the next field begins another: every notifier reads it after every publication.
    state: AtomicU32,
    waker: CachePadded<WakerCell>,
    /// What [`EventCount::arm`] registers.
    notify: Option<Waker>,
    fence_mode: FenceMode,
    /// Whether more than one handle may wait on it: somebody outside has it.
    shared: bool,
    /// Who waits on a shared event count takes turns: the waker cell takes one registration at a time, and FENCED and SETTLED of two
    /// that change them at once would not belong together. Holds the number of the last waiter.
    turn: Mutex<usize>,
    /// The queues of senders into channels that ring this event count, if it is a user's.
    served: Mutex<Queues>,
}

#[derive(Default)]
struct Queues {
    /// Each with a number of its own, ascending.
    list: Vec<(u64, Queue)>,
    numbers: u64,
}

/// Says that the sleepers of a event count call up a queue. Dropped, they do so no more.
pub(crate) struct Served {
    event: EventCount,
    number: u64,
}

impl Drop for Served {
    fn drop(&mut self) {
        let mut served = self.event.served();
        if let Ok(at) = served.list.binary_search_by_key(&self.number, |(number, _)| *number) {
            let gone = served.list.remove(at);
            drop(served);
            drop(gone);
        }
    }
}

impl Core {
    fn new(barrier: FenceMode, notify: Option<Waker>, shared: bool) -> Self {
        let cheap = match barrier {
            FenceMode::Auto => barrier::register(),
            FenceMode::Fence | FenceMode::Never => false,
        };
        let born = if cheap { 0 } else { FENCED | SETTLED };
        // Nobody ever waits on such a event count, so nobody need fence for it.
        let born = if barrier == FenceMode::Never { 0 } else { born };
        let barrier = if cheap || barrier == FenceMode::Never { barrier } else { FenceMode::Fence };
        let state = AtomicU32::new(born);
        Self {
            state,
            waker: CachePadded::new(WakerCell::new()),
            notify,
            fence_mode: barrier,
            shared,
            turn: Mutex::new(0),
            served: Mutex::default(),
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
        Self::build_or_end(barrier, self.core.notify.clone())
    }

    /// A event count for one handle alone.
    pub(crate) fn own(barrier: FenceMode) -> Result<Self, BuildError> {
        Ok(Self { core: share(Core::new(barrier, None, false))? })
    }

    /// A event count of the user's. Without memory the process ends.
    fn build_or_end(barrier: FenceMode, notify: Option<Waker>) -> Self {
        Self { core: Arc::new(Core::new(barrier, notify, true)) }
    }

    fn served(&self) -> MutexGuard<'_, Queues> {
        self.core.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has those who sleep on this event count call up `queue` before. The receiver's own verbs do that for a event count of its own: `None`.
    pub(crate) fn serve(&self, queue: &Queue) -> Result<Option<Served>, BuildError> {
        if !self.core.shared {
            return Ok(None);
        }
        let mut served = self.served();
        served.list.try_reserve(1).map_err(|_| missing::<(u64, Queue)>(1))?;
        served.numbers += 1;
        let number = served.numbers;
        served.list.push((number, queue.clone()));
        drop(served);
        Ok(Some(Served { event: self.clone(), number }))
    }

    /// Wakes senders that could go on but do not know it. To be called between the last look and the sleep.
    fn call_up(&self) {
        let mut after = 0;
        loop {
            // By number and not by place: others may come or go while wakers run, which is outside the lock.
            let served = self.served();
            let mut next =
                served.list.iter().filter(|(number, queue)| *number > after && Queue::is_future(queue.first()));
            let Some((number, queue)) = next.next().map(|(number, queue)| (*number, queue.clone())) else { return };
            drop(served);
            after = number;
            queue.call_up();
        }
    }

    /// Whether waiting on this event count may ever sleep.
    pub(crate) fn sleeps(&self) -> bool {
        self.core.fence_mode != FenceMode::Never
    }

    /// Wakes whoever waits, if anybody does. Call it after publishing what they wait for. Returns whether it woke.
    #[inline(always)]
    pub fn notify(&self) -> bool {
        self.has_waiter() && self.notify_slow()
    }

    /// The hot half of ringing: whether there is anything to look into. Call it after publishing.
    #[inline(always)]
    pub(crate) fn has_waiter(&self) -> bool {
        barrier::light(Ordering::SeqCst);
        // Relaxed: the barrier above is its order.
        self.core.state.load(Ordering::Relaxed) != 0
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
    pub(crate) fn notify_slow_if(&self, mine: impl FnOnce() -> bool) -> Answer {
        let mut state = self.core.state.load(order!(see_waiting));
        if state & FENCED != 0 {
            if !mutant!(RingFence) {
                barrier::full();
            }
            if !mutant!(RingReload) {
                state = self.core.state.load(order!(see_waiting));
            }
        }
        if state & !(FENCED | SETTLED) == 0 {
            return Answer { woke: false, left: false };
        }
        self.answer_to(state, mine)
    }

    /// The same for a state in which there is something to do.
    #[inline(never)]
    fn answer_to(&self, state: u32, mine: impl FnOnce() -> bool) -> Answer {
        Answer { left: state >= LEFT && !mutant!(LateLooks), woke: self.wake_if(state, mine) }
    }

    #[inline(always)]
    fn wake_if(&self, state: u32, mine: impl FnOnce() -> bool) -> bool {
        // Who waits on a event count of the user's own notes nothing.
        if state & WAITING == 0 || !(self.core.shared || mine()) {
            return false;
        }
        // Only the bit: FENCED is the sleeper's.
        let keep = if mutant!(SwapState) { 0 } else { !WAITING };
        if self.core.state.fetch_and(keep, order!(answer)) & WAITING == 0 {
            return false;
        }
        if let Some(waker) = self.core.waker.take() {
            wake(waker);
        }
        true
    }

    /// Announces that `waker` is about to sleep. The caller must look again, and may sleep if it still finds nothing.
    ///
    /// `waiter` is a number of the caller's own. `often` says that it sleeps so often that fences are cheaper than barriers.
    pub(crate) fn announce(&self, waker: &Waker, waiter: usize, often: bool) {
        // Before any lock: it may panic, or use this event count itself.
        let waker_of_mine = waker.clone();
        let mut turn = self.core.shared.then(|| self.core.turn.lock().unwrap_or_else(|e| e.into_inner()));
        let another =
            turn.as_deref_mut().is_some_and(|last| core::mem::replace(last, waiter) != waiter || mutant!(WakeSelf));
        let put = self.core.waker.put(waker_of_mine);
        self.declare(often);
        drop(turn);
        let mut panics = Panics::new();
        // A second waiter: let the first look again rather than sleep for ever. The same one's own waker is not woken:
        // `will_wake` may deny that it is, and a task that wakes itself at every poll never sleeps.
        panics.catch(|| match put.previous {
            Some(other) if another && !other.will_wake(waker) && !mutant!(WakeReplaced) => wake(other),
            previous => drop(previous),
        });
        if let Some(met) = put.refused {
            let_go_on();
            panics.catch(|| wake(met));
        }
        if panics.is_any() {
            panics.catch(|| self.withdraw(waker));
        }
        panics.go_on();
    }

    /// The state's part of [`EventCount::announce`].
    fn declare(&self, often: bool) {
        let state = &self.core.state;
        if !often {
            self.leave_fences();
        }
        let before = state.fetch_or(if often { WAITING | FENCED } else { WAITING }, order!(announce));
        if before & SETTLED != 0 {
            if !mutant!(SleepFence) {
                barrier::full();
            }
            return;
        }
        if barrier::heavy() {
            if often {
                state.fetch_or(SETTLED, Ordering::Relaxed);
            }
            return;
        }
        // The kernel allowed it once and now refuses. Fences from here on; a ringer that published before it
        // could know has long emptied its store buffer by the end of this nap, and then it knows.
        state.fetch_or(FENCED, Ordering::Relaxed);
        barrier::full();
        nap();
        state.fetch_or(SETTLED, Ordering::Relaxed);
        barrier::full();
    }

    /// Gives up FENCED, if nobody waits: a waiter may rely on the fences. And only if there is something to go back to.
    fn leave_fences(&self) {
        let before = self.core.state.load(Ordering::Relaxed);
        if before & (FENCED | WAITING) == FENCED && self.core.fence_mode == FenceMode::Auto && barrier::register() {
            let after = before & !(FENCED | SETTLED);
            let _ = self.core.state.compare_exchange(before, after, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The waiter says that it does not sleep often any more.
    pub(crate) fn unfence(&self) {
        let turn = self.core.shared.then(|| self.core.turn.lock().unwrap_or_else(|e| e.into_inner()));
        self.leave_fences();
        drop(turn);
    }

    /// The receivers of `rings` rings, whose senders ring this event count, accept nothing more, and have said so there. On return a look at each of
    /// these finds all that was published before; what comes later, its sender is told by [`EventCount::notify_slow_if`]. For each ring
    /// [`EventCount::forget`] is to be called once.
    ///
    /// Bounded: one barrier, and where there is none a fence or a nap.
    #[cold]
    pub(crate) fn leave(&self, rings: u32) {
        let count = if mutant!(LeaveTells) { 0 } else { rings * LEFT };
        let before = self.core.state.fetch_add(count, Ordering::Relaxed);
        if mutant!(LeaveBarrier) {
            return;
        }
        let fenced = before & SETTLED != 0;
        if fenced || self.core.fence_mode == FenceMode::Never || !barrier::heavy() {
            barrier::full();
            if !fenced {
                // The senders do not fence.
                nap();
                barrier::full();
            }
        }
    }

    /// A sender has noticed that its receiver left, or never will.
    pub(crate) fn forget(&self) {
        if !mutant!(LeaveTells) {
            self.core.state.fetch_sub(LEFT, Ordering::Relaxed);
        }
    }

    /// Rings whose receiver left, and whose sender has not noticed yet.
    #[doc(hidden)]
    pub fn left(&self) -> u32 {
        self.core.state.load(Ordering::Relaxed) / LEFT
    }

    /// Renews an announcement that still stands, without a heavy barrier. On `true` the caller must look again, and
    /// may sleep if it still finds nothing; on `false` the announcement was answered meanwhile.
    ///
    /// A ringer takes the waker after it clears WAITING. If it took before we installed ours, taking and installing
    /// order its publication before our second look; if after, it wakes us.
    ///
    /// On a shared event count never: what stands may be the announcement of another, whose barrier is still to come.
    pub(crate) fn renew(&self, waker: &Waker) -> bool {
        if self.core.shared && !mutant!(RenewOwn) {
            return false;
        }
        let put = self.core.waker.put(waker.clone());
        drop(put.previous);
        if let Some(met) = put.refused {
            let_go_on();
            wake(met);
        }
        self.is_waiting()
    }

    /// Whether an announcement still stands.
    pub(crate) fn is_waiting(&self) -> bool {
        self.core.state.load(Ordering::Relaxed) & WAITING != 0
    }

    /// Takes back the announcement of `waker`.
    ///
    /// On a shared event count it may be somebody else's that stood: they are woken and announce themselves again.
    pub(crate) fn withdraw(&self, waker: &Waker) {
        if self.is_waiting() {
            // As a ringer does: whoever's announcement this clears, their waker is there to take.
            self.core.state.fetch_and(!WAITING, order!(answer));
            if self.core.shared && !mutant!(HandOver) {
                if let Some(other) = self.core.waker.take().filter(|w| !w.will_wake(waker)) {
                    wake(other);
                }
            }
        }
    }

    /// Takes back the announcement of a future, whose waker is not at hand.
    ///
    /// On a shared event count it stays, as another future of the same task may rely on it: one wake for nothing at most.
    pub(crate) fn withdraw_own(&self) {
        if !self.core.shared && self.is_waiting() {
            self.core.state.fetch_and(!WAITING, Ordering::Relaxed);
        }
    }

    /// Announces that the thread or reactor behind this event count is about to sleep.
    ///
    /// Then look at everything that rings this event count, and call [`Armed::confirm`]: only if that says so, sleep.
    ///
    /// ```
    /// use ringmail::{spsc, wait::{EventCount, EventFd}};
    /// # #[cfg(target_os = "linux")] {
    /// let fd = EventFd::new()?;
    /// let event count = EventCount::with_waker(fd.clone());
    /// let (mut tx, mut rx) = spsc::Builder::new(8).receiver_event(event.clone()).build::<u32>()?;
    /// // The reactor's turn: nothing to do, so say so, look again, sleep on the descriptor.
    /// let armed = event.arm();
    /// let asleep = armed.confirm(|| !rx.is_empty() || rx.is_closed());
    /// assert!(asleep.is_some(), "nothing came meanwhile");
    /// tx.send(7)?; // rings: the descriptor becomes readable, whatever polls it wakes
    /// fd.wait(None)?;
    /// drop(asleep);
    /// assert_eq!(rx.try_recv()?, 7);
    /// # }
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn arm(&self) -> Armed<'_> {
        if self.sleeps() {
            self.announce(self.registered(), REACTOR, false);
        }
        Armed { event: self }
    }

    /// What [`EventCount::arm`] registers.
    fn registered(&self) -> &Waker {
        self.core.notify.as_ref().unwrap_or(Waker::noop())
    }

    /// Blocks until `ready` is true or `timeout` has passed; returns the last answer of `ready`.
    ///
    /// `ready` is asked at once, and again after each ring. It must look at everything that rings this event count: a close rings too, so
    /// ask `is_closed` beside `is_empty` or `is_full`. Allocates one small block.
    pub fn wait(&self, timeout: Option<Duration>, mut ready: impl FnMut() -> bool) -> bool {
        let mut side = super::Side::new(self.clone(), super::WaitStrategy::Park);
        let look = |look| {
            let found = ready();
            // One that never sleeps gets no further than this.
            if !found && (look == Look::Last || !self.sleeps()) && !mutant!(BellCallsUp) {
                self.call_up();
            }
            found
        };
        side.block(super::Deadline::after(timeout), 0, look).is_ok()
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // Whoever had the event count last drops wakers of others.
        guard::dropped((self.waker.take(), self.notify.take()));
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
        let state = self.core.state.load(Ordering::Relaxed);
        f.debug_struct("EventCount")
            .field("waiting", &(state & WAITING != 0))
            .field("fenced", &(state & FENCED != 0))
            .field("fence_mode", &self.core.fence_mode)
            .finish()
    }
}

/// A event count that will ring for what comes from now on. Dropping it disarms the event.
#[must_use = "dropping it disarms the event"]
#[derive(Debug)]
pub struct Armed<'a> {
    event: &'a EventCount,
}

impl<'a> Armed<'a> {
    /// Looks again: `Some` if `ready` finds nothing, and then the caller may sleep on its own primitive until it is
    /// woken; `None` if there is something to do.
    pub fn confirm(self, ready: impl FnOnce() -> bool) -> Option<Armed<'a>> {
        // A event count that never sleeps does not ring either.
        let sleeps = self.event.sleeps();
        if sleeps && ready() {
            return None;
        }
        if !mutant!(BellCallsUp) {
            self.event.call_up();
        }
        sleeps.then_some(self)
    }

    /// Whether nobody has rung since. After a wake, drop this and arm again: the next ring is for the next announcement.
    pub fn is_quiet(&self) -> bool {
        self.event.is_waiting()
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        self.event.withdraw(self.event.registered());
    }
}

/// Lets the ringer that was met in the cell go on: it is two instructions from its end. Loom would try for ever what happens if it never is.
#[inline(always)]
fn let_go_on() {
    #[cfg(ringmail_loom)]
    crate::sync::yield_now();
}

/// Longer than any store stays in a store buffer.
fn nap() {
    #[cfg(not(ringmail_loom))]
    std::thread::sleep(Duration::from_micros(50));
}

#[cfg(not(ringmail_loom))]
mod assertions {
    use super::{Armed, EventCount};
    use core::panic::{RefUnwindSafe, UnwindSafe};
    use static_assertions::assert_impl_all;

    assert_impl_all!(EventCount: Send, Sync, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Armed<'static>: UnwindSafe, RefUnwindSafe);
    #[cfg(target_os = "linux")]
    assert_impl_all!(crate::wait::EventFd: Send, Sync, UnwindSafe, RefUnwindSafe);
}
