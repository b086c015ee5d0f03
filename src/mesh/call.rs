//! Calls between the shards of a mesh: a request, and its answer. Room for the answer is reserved before the request leaves.
//!
//! ```text
//!                 ┌─ k ────────┐ ┌─ k ───────┐ ┌─ 1 ──────┐
//!   endpoint 0 ──►│ requests … │ │ answers … │ │ finished │──► endpoint 1        a lane holds 2k + 1; k credits a pair
//!                 └────────────┘ └───────────┘ └──────────┘
//! ```
//!
//! [`Builder::build_calls`](super::Builder::build_calls) makes [`Seat`]s like those of a mesh. A seat becomes an [`Endpoint`], which calls and
//! serves:
//!
//! ```
//! use ringmail::mesh::{Builder, call::Endpoint};
//! use std::{thread, time::Duration};
//!
//! const LONG: Duration = Duration::from_secs(60);
//!
//! fn shard(me: &mut Endpoint<u64, u64>) -> u64 {
//!     let peer = 1 - me.id();
//!     // Several at once; each is given away, or comes back with why not.
//!     let replies: Vec<_> = (0..3).map(|n| me.try_call(peer, n).expect("three credits")).collect();
//!     // Waiting serves: two that call each other both get their answers.
//!     replies.into_iter().map(|reply| me.wait(reply, |_me, _from, n, token| token.answer(n * n)).expect("an answer")).sum()
//! }
//!
//! let seats = Builder::new().shards(2).build_calls::<u64, u64>(3)?;
//! let threads = seats.into_iter().map(|seat| {
//!     thread::spawn(move || {
//!         let mut me = seat.join().unwrap();
//!         let sum = shard(&mut me);
//!         me.leave(LONG, |_me, _from, n, token| token.answer(n * n)).expect("all leave in order");
//!         sum
//!     })
//! });
//! let sums: Vec<u64> = threads.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect();
//! assert_eq!(sums, [0 + 1 + 4, 0 + 1 + 4]);
//! # Ok::<(), ringmail::mesh::BuildError>(())
//! ```
//!
//! # Why an answer always finds room
//!
//! Let `k` be the credits of a pair. On the lane from A to B lie
//! * requests of A to B, at most `k`: each holds a credit of A's until its answer has been *received*, and its answer was sent after
//!   B had freed the place of the request;
//! * answers of A to B, at most `k`: each is to a request that holds a credit of B's, which B gets back when it has received the answer,
//!   after it freed the place;
//! * once, the word that A calls no more.
//!
//! So `2k + 1` places are enough. That A *sees* them free follows from the messages themselves: B frees a place before it publishes the
//! message that lets A use it again, and A has received that message. This is why endpoints take messages one by one here, and not a turn at
//! a time: a place is free before the handler runs. Sending an answer is wait-free and fails only if the caller is gone.
//!
//! # Calling
//!
//! | | |
//! |---|---|
//! | start | [`try_call`](Endpoint::try_call): [`NoCredit`](TryCallError::NoCredit) gives the request back; [`call_or_poll`](Endpoint::call_or_poll) serves until there is a credit |
//! | wait for one | [`wait`](Endpoint::wait), [`wait_timeout`](Endpoint::wait_timeout): serve others meanwhile |
//! | look | [`Reply::try_take`], [`Reply::is_ready`] |
//! | await | a [`Reply`] is a future; somebody has to [`poll`](Endpoint::poll) the endpoint, as the loop of an executor does |
//! | forget | drop the [`Reply`]: the credit comes back with the answer, which is dropped |
//!
//! Answers come in any order. One that has arrived holds its credit until it is taken.
//!
//! # Serving
//!
//! [`poll`](Endpoint::poll), and all that waits, hands each request to a handler, with a [`Token`]. Answer at once, or keep the token and answer
//! later: any number may be kept. What a token is given leaves after the handler returns, or with the endpoint's next verb
//! ([`flush`](Endpoint::flush) does nothing else). A token that is dropped, also by a panic of the handler, answers
//! [`Refused`](CallError::Refused): no caller is left hanging, unless a token is leaked (`mem::forget`).
//!
//! The handler is lent the endpoint: it may call others, and had better keep the token and answer when the reply has come. It may also wait
//! for a reply, on a stack that grows with each request that comes meanwhile: what such a frame waits for always began after it, so that
//! no two wait for each other. It must not wait for a *credit* ([`call_or_poll`](Endpoint::call_or_poll)): the calls that hold them may be waiting
//! for this very handler.
//!
//! # Leaving
//!
//! A shard that has no more calls to make still owes answers. [`finish`](Endpoint::finish) says that it calls no more; when all have said so,
//! which [`Progress::open`](super::Progress::open) counts down, they can go. [`leave`](Endpoint::leave) does both. A peer that is
//! dropped, panics or never joins fails the calls to it, in flight or new, with [`Disconnected`](super::Disconnected), which says why.
//!
//! # Cost
//!
//! * A call is two messages of the mesh, and a place in a table of the caller's: no allocation after the join.
//! * A lane's memory is that of `2k + 1` of the larger of request and answer. Beside it a shard reserves `k` entries a peer for
//!   answers to come and `k` for answers to send; they are touched only as deep as calls are ever in flight at once.
//! * The mesh's verbs cost what they do there, but that each message frees its place by itself.
//!
//! # Limits
//!
//! * Replies and tokens stay on the endpoint's thread. Their state is the endpoint's, plain memory.
//! * Calls only, no plain messages on the same lanes, which would take the room of answers: make a second mesh for those, or answer `()`.
//! * [Roles](super::Builder::roles) that leave out one direction of a pair leave no calls between the two: [`Cause::NoLane`](super::Cause::NoLane).
//!
//! An endpoint of its own, not more verbs on the mesh's: the room for answers is proven only as long as nothing else is sent on the lanes.

mod endpoint;
mod error;
mod reply;
mod seat;
mod sleep;
mod tables;
mod wait;

pub use endpoint::Endpoint;
pub use error::{CallError, TryCallError, WaitTimeoutError};
pub use reply::{Reply, Token};
pub use seat::Seat;
pub use sleep::Armed;

/// What travels on a lane. The number is the call's, in the table of the one that called.
enum Envelope<Req, Rep> {
    Request(u32, Req),
    Answer(u32, Rep),
    /// The token was dropped.
    Refusal(u32),
    /// No more requests come.
    Finished,
}

#[cfg(not(ringmail_loom))]
mod assertions {
    use super::{Endpoint, Reply, Seat, Token};
    use alloc::rc::Rc;
    use core::panic::{RefUnwindSafe, UnwindSafe};
    use static_assertions::{assert_impl_all, assert_not_impl_any};

    type Any = core::cell::UnsafeCell<u64>;
    assert_impl_all!(Seat<Any, Any>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Endpoint<Any, Any>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Reply<Any>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Token<Any>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Seat<u64, u64>: Send);
    assert_not_impl_any!(Seat<Rc<u64>, u64>: Send);
    assert_not_impl_any!(Seat<u64, Rc<u64>>: Send);
    assert_not_impl_any!(Endpoint<u64, u64>: Send, Sync, Clone);
    assert_not_impl_any!(Reply<u64>: Send, Sync, Clone);
    assert_not_impl_any!(Token<u64>: Send, Sync, Clone);
    assert_impl_all!(Reply<u64>: Unpin);
}
