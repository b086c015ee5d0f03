//! The tables that an endpoint shares with its replies and tokens, all on one thread.
//!
//! ```text
//!            start           answer, end             take
//!   Free ───────────► Waiting ──────────► Done ──────────────────► Free
//!                        │ drop of the reply │ drop of the reply      ▲
//!                        └─────► Dropped ────┴────────────────────────┘
//!                                   answer, end
//! ```
//!
//! A call holds its credit from the start to `Free`. No code of the user's runs while a table is borrowed: values, wakers and errors are moved out
//! first, and used or dropped after that.

use super::error::CallError;
use crate::error::BuildError;
use crate::try_alloc::slice;
use crate::wait::panics::{Panics, wake};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::mem::replace;
use core::task::{Context, Poll, Waker};

/// No call, in the list of free ones.
const NONE: u32 = u32::MAX;

/// The tables of one endpoint. `Send`, as its seat is; the endpoint shares them by an `Rc`.
pub(super) struct Tables<Rep> {
    calls: RefCell<Calls<Rep>>,
    /// Answers that tokens were given and that have not left. The last one leaves first.
    answers: RefCell<Vec<Answer<Rep>>>,
    /// Whether the endpoint was dropped: no answer leaves any more.
    over: Cell<bool>,
}

/// Calls of this endpoint.
struct Calls<Rep> {
    /// As long as the most calls that were ever in flight at once, in memory that was reserved.
    list: Vec<Call<Rep>>,
    free: u32,
    peers: Box<[Credits]>,
}

/// The credits for one peer.
struct Credits {
    /// Most calls at once; 0 if it cannot be called.
    most: u32,
    used: u32,
    /// Of the used ones, calls without an answer.
    waiting: u32,
}

struct Call<Rep> {
    peer: u32,
    state: State<Rep>,
}

enum State<Rep> {
    /// With the index of the next free call.
    Free(u32),
    Waiting(Option<Waker>),
    /// The reply was dropped: the answer will be, too.
    Dropped,
    Done(Result<Rep, CallError>),
}

/// An answer that is to leave; without a value, a refusal.
pub(super) struct Answer<Rep> {
    pub(super) peer: u32,
    pub(super) call: u32,
    pub(super) value: Option<Rep>,
}

impl<Rep> Tables<Rep> {
    /// Room for `credits` calls to each of `lanes` peers, of `shards` shards, and as many from them.
    pub(super) fn new(shards: usize, lanes: usize, credits: u32) -> Result<Self, BuildError> {
        let room = lanes.saturating_mul(credits as usize);
        if room >= NONE as usize {
            let max = (NONE - 1) as usize / lanes;
            return Err(BuildError::CapacityTooLarge { requested: credits as usize, max });
        }
        let (mut calls, mut answers) = (Vec::new(), Vec::new());
        let entry = size_of::<Call<Rep>>().saturating_add(size_of::<Answer<Rep>>());
        let no_memory = |_| BuildError::OutOfMemory { bytes: room.checked_mul(entry) };
        calls.try_reserve_exact(room).map_err(no_memory)?;
        answers.try_reserve_exact(room).map_err(no_memory)?;
        let peers = slice(shards, |_| Credits { most: credits, used: 0, waiting: 0 })?;
        let calls = Calls { list: calls, free: NONE, peers };
        Ok(Self { calls: RefCell::new(calls), answers: RefCell::new(answers), over: Cell::new(false) })
    }

    /// Takes a credit for `peer` and returns the index of the call; `None` if there is no credit.
    #[inline(always)]
    pub(super) fn start(&self, peer: usize) -> Option<u32> {
        let calls = &mut *self.calls.borrow_mut();
        let credits = calls.peers.get_mut(peer).filter(|peer| peer.used < peer.most)?;
        credits.used += 1;
        credits.waiting += 1;
        let at = calls.free;
        let Some(call) = calls.list.get_mut(at as usize) else { return Some(calls.grow(peer)) };
        // Always: it is in the list of free ones.
        let State::Free(next) = call.state else { return None };
        (call.peer, call.state) = (peer as u32, State::Waiting(None));
        calls.free = next;
        Some(at)
    }

    /// No call to `peer` starts any more.
    pub(super) fn forbid(&self, peer: usize) {
        self.calls.borrow_mut().peers[peer].most = 0;
    }

    /// A call that was not sent, and whose reply was dropped, gives its credit back.
    pub(super) fn cancel(&self, call: u32) {
        // As if its refusal had come.
        self.arrive(call, Err(CallError::Taken));
    }

    /// The answer to a call has come, or the call has failed.
    #[inline(always)]
    pub(super) fn arrive(&self, call: u32, answer: Result<Rep, CallError>) {
        let mut borrow = self.calls.borrow_mut();
        let calls = &mut *borrow;
        // A call has one answer: from the peer, or by the end of the peer's lane, which comes after all that it sent.
        let Some(entry) = calls.list.get_mut(call as usize) else { return };
        if !matches!(entry.state, State::Waiting(_)) {
            drop(borrow);
            return self.forget(call, answer);
        }
        let waker = match replace(&mut entry.state, State::Done(answer)) {
            State::Waiting(waker) => waker,
            _ => None,
        };
        calls.peers[entry.peer as usize].waiting -= 1;
        drop(borrow);
        if let Some(waker) = waker {
            wake(waker);
        }
    }

    /// The same for a call whose reply was dropped. The answer is dropped when this returns, as an argument is: the table is not borrowed then.
    #[cold]
    #[inline(never)]
    fn forget(&self, call: u32, _answer: Result<Rep, CallError>) {
        let calls = &mut *self.calls.borrow_mut();
        let Some(entry) = calls.list.get_mut(call as usize) else { return };
        if matches!(entry.state, State::Dropped) {
            calls.peers[entry.peer as usize].waiting -= 1;
            entry.release(call, &mut calls.free, &mut calls.peers);
        }
    }

    /// Fails all calls to a peer that have no answer, each with an error made by `error`. Whether there were any.
    pub(super) fn fail(&self, peer: usize, mut error: impl FnMut() -> CallError) -> bool {
        let (mut any, mut panics) = (false, Panics::new());
        for call in 0.. {
            let calls = self.calls.borrow();
            if calls.peers[peer].waiting == 0 {
                break;
            }
            let Some(found) = calls.list.get(call as usize) else { break };
            let waits = found.peer as usize == peer && matches!(found.state, State::Waiting(_) | State::Dropped);
            drop(calls);
            if waits {
                any = true;
                panics.catch(|| self.arrive(call, Err(error())));
            }
        }
        panics.resume();
        any
    }

    /// The answer to a call, if it has come. Frees its credit.
    #[inline(always)]
    pub(super) fn take(&self, call: u32) -> Option<Result<Rep, CallError>> {
        self.calls.borrow_mut().take(call)
    }

    pub(super) fn is_done(&self, call: u32) -> bool {
        self.calls.borrow().list.get(call as usize).is_some_and(|call| matches!(call.state, State::Done(_)))
    }

    /// The answer to a call. Without one, has the context's task woken when it comes.
    pub(super) fn poll(&self, call: u32, cx: &Context<'_>) -> Poll<Result<Rep, CallError>> {
        if let Some(answer) = self.take(call) {
            return Poll::Ready(answer);
        }
        if self.calls.borrow().has_waker(call, cx.waker()) {
            return Poll::Pending;
        }
        // The clone is the executor's code, which may poll the endpoint. So the answer may have come when it returns, to a call without a waker.
        let waker = cx.waker().clone();
        let unused = self.calls.borrow_mut().wake_later(call, waker);
        // The drop of the old waker may poll the endpoint, too; but then the new one has been woken.
        drop(unused);
        self.take(call).map_or(Poll::Pending, Poll::Ready)
    }

    /// The reply to a call is dropped.
    #[cold]
    #[inline(never)]
    pub(super) fn drop_reply(&self, call: u32) {
        let dropped = self.calls.borrow_mut().drop_reply(call);
        drop(dropped);
    }

    /// Credits for `peer` that are free.
    pub(super) fn credits(&self, peer: usize) -> usize {
        let calls = self.calls.borrow();
        calls.peers.get(peer).map_or(0, |peer| peer.most.saturating_sub(peer.used) as usize)
    }

    /// Calls to `peer` without an answer.
    pub(super) fn waiting(&self, peer: usize) -> usize {
        self.calls.borrow().peers.get(peer).map_or(0, |peer| peer.waiting as usize)
    }

    /// Whether any call has no answer.
    pub(super) fn waits(&self) -> bool {
        self.calls.borrow().peers.iter().any(|peer| peer.waiting != 0)
    }

    /// Adds an answer, or a refusal, that is to leave. There are at most as many as calls of the peers in flight: they fit the reserved memory.
    #[inline(always)]
    pub(super) fn answer(&self, answer: Answer<Rep>) {
        if self.over.get() {
            return;
        }
        self.answers.borrow_mut().push(answer);
    }

    /// Whether there are answers to send.
    #[inline(always)]
    pub(super) fn has_answers(&self) -> bool {
        !self.answers.borrow().is_empty()
    }

    /// The next answer to send.
    #[inline(always)]
    pub(super) fn next_answer(&self) -> Option<Answer<Rep>> {
        self.answers.borrow_mut().pop()
    }

    /// The endpoint is being dropped: nothing leaves any more.
    pub(super) fn close(&self) {
        self.over.set(true);
    }
}

/// What the caller is to drop once the table is not borrowed any more.
type Unclaimed<Rep> = Option<Result<Rep, CallError>>;

impl<Rep> Calls<Rep> {
    /// One more entry, in memory that was reserved, for a call to `peer`. Returns its index.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, peer: usize) -> u32 {
        self.list.push(Call { peer: peer as u32, state: State::Waiting(None) });
        self.list.len() as u32 - 1
    }

    #[inline(always)]
    fn take(&mut self, at: u32) -> Unclaimed<Rep> {
        let call = self.list.get_mut(at as usize)?;
        if !matches!(call.state, State::Done(_)) {
            return None;
        }
        match call.release(at, &mut self.free, &mut self.peers) {
            State::Done(answer) => Some(answer),
            _ => None,
        }
    }

    fn drop_reply(&mut self, at: u32) -> (Unclaimed<Rep>, Option<Waker>) {
        let answer = self.take(at);
        let waker = match self.list.get_mut(at as usize) {
            Some(Call { state, .. }) if matches!(state, State::Waiting(_)) => match replace(state, State::Dropped) {
                State::Waiting(waker) => waker,
                _ => None,
            },
            _ => None,
        };
        (answer, waker)
    }

    /// Has `waker` woken when the call has its answer. Returns the waker to drop.
    fn wake_later(&mut self, at: u32, waker: Waker) -> Option<Waker> {
        match self.list.get_mut(at as usize) {
            Some(Call { state: State::Waiting(old), .. }) => old.replace(waker),
            _ => Some(waker),
        }
    }

    fn has_waker(&self, at: u32, waker: &Waker) -> bool {
        match self.list.get(at as usize) {
            Some(Call { state: State::Waiting(Some(old)), .. }) => old.will_wake(waker),
            _ => false,
        }
    }
}

impl<Rep> Call<Rep> {
    /// Frees this entry, which has index `at`, and its credit. Returns the state that the call had.
    #[inline(always)]
    fn release(&mut self, at: u32, free: &mut u32, peers: &mut [Credits]) -> State<Rep> {
        peers[self.peer as usize].used -= 1;
        replace(&mut self.state, State::Free(replace(free, at)))
    }
}
