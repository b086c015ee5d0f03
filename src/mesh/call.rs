//! Calls between the shards of a mesh: a request and its answer. Room for the answer is reserved before the request leaves.
//!
//! ```text
//!                 ┌─ k ────────┐ ┌─ k ───────┐ ┌─ 1 ──────┐
//!   endpoint 0 ──►│ requests … │ │ answers … │ │ finished │──► endpoint 1        a lane holds 2k + 1 messages; k credits for an ordered pair
//!                 └────────────┘ └───────────┘ └──────────┘
//! ```
//!
//! [`Builder::build_calls`](super::Builder::build_calls) makes [`Seat`]s like those of a mesh. A seat becomes an [`Endpoint`], which calls its peers
//! and serves their calls:
//!
//! ```
//! use ringmail::mesh::{Builder, call::Endpoint};
//! use std::{thread, time::Duration};
//!
//! const LONG: Duration = Duration::from_secs(60);
//!
//! fn shard(me: &mut Endpoint<u64, u64>) -> u64 {
//!     let peer = 1 - me.id();
//!     // Several calls at once, each of which takes a credit.
//!     let replies: Vec<_> = (0..3).map(|n| me.try_call(peer, n).expect("three credits")).collect();
//!     // It serves while it waits: two shards that call each other both get their answers.
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
//! * requests of A to B, at most `k`: each holds a credit of A's until A has *received* the answer, and B sent the answer after it had freed the
//!   place of the request;
//! * answers of A to B, at most `k`: each is to a request that holds a credit of B's, which B gets back when it has received the answer, after it
//!   freed the place;
//! * once, the message that A has finished.
//!
//! So `2k + 1` places are enough. A *sees* that they are free: B frees a place before it publishes the message that lets A use the place again, and A
//! has received that message. For this reason a call endpoint frees each place before the handler runs, not at the end of a turn. Sending an
//! answer is wait-free, and fails only if the caller is disconnected.
//!
//! # Calling
//!
//! | to | verb |
//! |---|---|
//! | start a call | [`try_call`](Endpoint::try_call) returns [`NoCredit`](TryCallError::NoCredit) with the request if all credits are in use; [`call_or_poll`](Endpoint::call_or_poll) serves until there is one |
//! | wait for an answer | [`wait`](Endpoint::wait), [`wait_timeout`](Endpoint::wait_timeout): they serve meanwhile |
//! | look for an answer | [`Reply::try_take`], [`Reply::is_ready`] |
//! | await an answer | a [`Reply`] is a future. Another task has to [`poll`](Endpoint::poll) the endpoint, as the loop of an executor does |
//! | ignore an answer | drop the [`Reply`]: the credit comes back with the answer, which is dropped |
//!
//! Answers come in any order. An answer that has come holds its credit until it is taken.
//!
//! # Serving
//!
//! [`poll`](Endpoint::poll), and every verb that waits, hands each request to a handler, with a [`Token`]. Answer at once, or keep the token and
//! answer later; any number of tokens may be kept. An answer leaves when the handler returns, or with the endpoint's next verb;
//! [`flush`](Endpoint::flush) does only that. A token that is dropped, also by a panic of the handler, answers [`Refused`](CallError::Refused). So every
//! caller gets an answer or an error, unless a token is leaked (`mem::forget`).
//!
//! The handler borrows the endpoint, so it may call other peers. It should keep the token then, and answer when the reply has come. It may also wait
//! for a reply; the stack grows with each request that comes meanwhile. A call that such a handler waits for began after the handler did, so two
//! handlers never wait for each other. A handler must not wait for a *credit* ([`call_or_poll`](Endpoint::call_or_poll)): the calls that hold the credits
//! may wait for this handler.
//!
//! # Leaving
//!
//! A shard that makes no more calls has to answer those of its peers. [`finish`](Endpoint::finish) tells the peers that it makes no more calls.
//! [`Progress::open`](super::Progress::open) is the number of peers that have not finished; at 0 the endpoint can be dropped. [`leave`](Endpoint::leave) does
//! both. When a peer drops its endpoint, panics or never joins, calls to it fail, those in flight and new ones, with
//! [`Disconnected`](super::Disconnected) and its cause.
//!
//! # Cost
//!
//! * A call is two messages of the mesh, and an entry in a table of the caller. Nothing is allocated after the join.
//! * A lane has memory for `2k + 1` messages of the size of the larger of request and answer. Beside that a shard reserves, for each peer, `k` entries
//!   for answers to come and `k` for answers to send. Only as many are touched as calls are in flight at once.
//! * The verbs cost what those of the mesh cost, except that each message frees its place by itself.
//!
//! # Limits
//!
//! * Replies and tokens stay on the endpoint's thread: they share plain memory with the endpoint.
//! * The lanes carry calls only: plain messages would take the room of answers. This is why calls have an endpoint of their own. Make a second mesh
//!   for plain messages, or answer `()`.
//! * If the [roles](super::Builder::roles) leave out one direction of a pair, there are no calls between the two: [`Cause::NoLane`](super::Cause::NoLane).

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

/// A message on a lane. The number is the call's index in the table of its caller.
enum Envelope<Req, Rep> {
    Request(u32, Req),
    Answer(u32, Rep),
    /// The token was dropped.
    Refusal(u32),
    /// The sender makes no more calls.
    Finished,
}

#[cfg(test)]
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
