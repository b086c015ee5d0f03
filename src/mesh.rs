//! Shards, one thread each, with a lane from each to each other: the channels of a thread-per-core runtime.
//!
//! ```text
//!             ┌──────► [ · ▓ ▓ · ] ──────┐
//!   shard 0 ──┼──────► [ · · · · ] ────┐ └──► shard 1        a lane is an `spsc` ring: one writer per word
//!   one event │                        └────► shard 2        an endpoint has one event count for all its lanes, both ways
//!   count     └◄────── [ ▓ ▓ · · ] ◄────────── shard 1, 2, …
//! ```
//!
//! | word | meaning |
//! |---|---|
//! | shard | a thread of the mesh; shards are numbered from 0 |
//! | [`Seat`] | a shard before its thread has joined; it is `Send` |
//! | [`Endpoint`] | a shard's end of the mesh, from [`Seat::join`]; it stays on its thread |
//! | peer | another shard |
//! | lane | the ring from one shard to another |
//!
//! [`Builder`] makes one [`Seat`] for each shard. Send each seat to its thread, and [`join`](Seat::join) there. The mesh starts no thread, has no
//! global state, and allocates nothing after the join.
//!
//! # A shard's loop
//!
//! Do all that is to do, then sleep. [`Endpoint::arm`] makes sure that no event is missed. In this example the thread sleeps on an `eventfd`, which
//! epoll, io_uring, mio or tokio's `AsyncFd` can watch beside other descriptors:
//!
//! ```
//! # #[cfg(target_os = "linux")] {
//! use ringmail::mesh::{Builder, Endpoint, Ready};
//! use ringmail::wait::EventFd;
//! use std::{task::Waker, thread};
//!
//! fn shard(me: &mut Endpoint<u64>) -> std::io::Result<u64> {
//!     let fd = EventFd::new()?; // register it with your reactor
//!     let waker = Waker::from(fd.clone());
//!     let mut sum = 0;
//!     for n in 0..100 {
//!         let peer = (me.id() + 1 + n as usize % 2) % me.shards();
//!         // Waits if the lane is full, and receives meanwhile: it cannot deadlock.
//!         me.send_or_poll_to(peer, n, |_from, m| sum += m).expect("the peer has joined");
//!     }
//!     me.close(); // this shard sends nothing more
//!     loop {
//!         let progress = me.poll(256, |_from, m| sum += m);
//!         if progress.more {
//!             continue; // the budget ended before the messages did: do other work, then poll again
//!         }
//!         let ready = match me.arm(&waker) {
//!             Ok(armed) => {
//!                 armed.sleep(|limit| fd.wait(limit))?; // or epoll_wait, io_uring_enter, …
//!                 continue;
//!             }
//!             Err(ready) => ready,
//!         };
//!         match ready {
//!             Ready::AllDisconnected => return Ok(sum),
//!             Ready::Disconnected => eprintln!("going on without: {:?}", me.next_disconnected()),
//!             _ => {} // a message, or room after a send that found none
//!         }
//!     }
//! }
//!
//! // `.cores([0, 1, 2])` instead of `.shards(3)` pins each thread where it joins (feature `affinity`).
//! let seats = Builder::new().shards(3).capacity(16).build::<u64>()?;
//! let threads: Vec<_> = seats.into_iter().map(|seat| thread::spawn(move || seat.run(shard))).collect();
//! for thread in threads {
//!     assert_eq!(thread.join().unwrap()??, (0..100).sum::<u64>());
//! }
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Waiting
//!
//! An endpoint has one event count, for any number of peers. It is notified when a message comes, when there is room on a lane that was
//! [`Full`](TrySendError::Full), and when a peer closes. [`Ready`] says which of these has happened.
//!
//! | the thread sleeps | verb |
//! |---|---|
//! | in this crate | [`park`](Endpoint::park), [`park_timeout`](Endpoint::park_timeout), [`recv`](Endpoint::recv), [`recv_timeout`](Endpoint::recv_timeout) |
//! | on a descriptor | [`arm`](Endpoint::arm) with the [`Waker`](core::task::Waker) of an [`EventFd`](crate::wait::EventFd) |
//! | on a primitive of yours | [`arm`](Endpoint::arm) with any `Waker`; [`waker_fn`](crate::wait::waker_fn) makes one of a closure |
//! | in an executor | [`recv_async`](Endpoint::recv_async), [`poll_recv`](Endpoint::poll_recv), on any runtime |
//! | never: it polls | [`poll`](Endpoint::poll), [`try_recv`](Endpoint::try_recv), with [`FenceMode::Never`](crate::FenceMode::Never) |
//!
//! # Sending
//!
//! | verb | without room | deadlock |
//! |---|---|---|
//! | [`try_send_to`](Endpoint::try_send_to), [`try_send_iter_to`](Endpoint::try_send_iter_to) | returns `Full` | no |
//! | [`send_or_poll_to`](Endpoint::send_or_poll_to), [`broadcast_or_poll`](Endpoint::broadcast_or_poll) | waits, and receives meanwhile | no, if the closure waits for no peer and all shards go on receiving |
//! | [`send_to`](Endpoint::send_to), [`send_timeout_to`](Endpoint::send_timeout_to), [`broadcast`](Endpoint::broadcast) | waits | two shards that wait for each other wait for ever |
//!
//! Each send is published at once; there is nothing to flush. To send many messages to one peer, [`try_send_iter_to`](Endpoint::try_send_iter_to) is
//! cheaper: it publishes and notifies once.
//!
//! **Order.** First in, first out for each ordered pair of shards; none between pairs. Peers take turns of up to [`Builder::budget`] messages.
//!
//! **Answers.** [`call`] is a mesh whose messages are requests and their answers. Room for an answer is reserved before its request leaves.
//!
//! # Leaving
//!
//! | a shard | its peers |
//! |---|---|
//! | calls [`close`](Endpoint::close): sends nothing more, and can still receive | receive what it sent. When all peers have closed, a receive returns [`Peers::All`] |
//! | calls [`leave`](Endpoint::leave): closes, and receives until all peers have closed or the time is over | the same |
//! | drops its endpoint, and with it the messages that it has not received | the same, and sends to it return [`Cause::Closed`] |
//! | panics, in [`Seat::run`] or with the endpoint on its stack | the same, but sends and receives return [`Cause::Panicked`], with the message. Sleeping peers wake |
//! | drops its seat, or has not joined [in time](Builder::join_deadline) | the same, with [`Cause::NeverJoined`] |
//!
//! A receive reports each peer that panicked or never joined once, as [`Peers::One`], after the peer's last message. The mesh goes on without the
//! peer: whether the other shards end, too, is their decision.
//!
//! # Cost
//!
//! * A message costs what it costs on [`spsc`](crate::spsc), and one lookup in a table of lanes.
//! * A poll that finds nothing looks at every lane, about 2.5 ns each. After 256 such polls, if more than two lanes are open, it looks at the
//!   endpoint's event count alone, about 3.5 ns for any number of peers: no other thread writes that line until a message comes. The poll that
//!   begins this takes one fence of [`FenceMode`](crate::FenceMode), which may take microseconds; the next sender takes some tens of ns to end it.
//!   (`cargo test --release --test idle_mesh -- --nocapture` prints the figures of a machine.)
//! * An ordered pair of shards takes about 2 KiB. The memory for messages is reserved when the mesh is built, in one piece for each receiver, and is
//!   not touched before messages come: an idle pair takes none. [`Builder::prefault`] has the receiving core make it present at the join.
//! * Pairs that the [roles](Builder::roles) leave out take nothing.
//!
//! # Limits
//!
//! * The verbs of an endpoint take `&mut self`, also while a closure receives: the closure of a poll cannot send by the same endpoint. Collect the
//!   answers, or take messages one by one with [`try_recv`](Endpoint::try_recv).
//! * There is one event count for both directions. So an endpoint that waits for room wakes for messages too, and the other way round; it looks
//!   and sleeps again.
//! * At most 1024 shards. A shard that has ended is not replaced.

mod builder;
pub mod call;
mod endpoint;
mod error;
mod in_place;
mod inbox;
mod lane_index;
mod lanes;
mod outbox;
mod poll;
mod recv;
mod seat;
mod send;
mod send_async;
mod shared;
mod sleep;
mod waker;

pub use crate::error::with_cause::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
pub use builder::{Builder, Role};
pub use endpoint::{Endpoint, PeerStats};
pub use error::{BuildError, Cause, Disconnected, DrainError, JoinError, Peers};
pub use poll::Progress;
pub use recv::RecvFuture;
pub use seat::Seat;
pub use send_async::SendFuture;
pub use sleep::{Armed, Ready};

#[cfg(test)]
mod assertions {
    use super::{Endpoint, Seat};
    use core::panic::{RefUnwindSafe, UnwindSafe};
    use static_assertions::{assert_impl_all, assert_not_impl_any};

    assert_impl_all!(Seat<u64>: Send);
    assert_impl_all!(Seat<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Endpoint<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(super::Builder: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Endpoint<u64>: Unpin);
    assert_not_impl_any!(Endpoint<u64>: Send, Sync, Clone);
    assert_not_impl_any!(Seat<u64>: Clone);
    assert_not_impl_any!(Seat<alloc::rc::Rc<u64>>: Send);
}
