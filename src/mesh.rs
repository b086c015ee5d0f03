//! Shards, one thread each, and a lane from every one to every other: what a thread-per-core runtime is built on.
//!
//! ```text
//!            ┌──────► [ · ▓ ▓ · ] ──────┐
//!   shard 0 ─┼──────► [ · · · · ] ────┐ └► shard 1          a lane is an `spsc` ring: one writer per word
//!     event count ◄─┤                        └──► shard 2          a shard has one event count for all its lanes, both ways
//!            └─◄───── [ ▓ ▓ · · ] ◄─────── shard 1, 2, …
//! ```
//!
//! [`Builder`] makes one [`Seat`] a shard. A seat is `Send`: give it to its thread, [`join`](Seat::join) there, and it becomes
//! an [`Endpoint`], which is not. No thread is started, nothing is registered anywhere, and after the join nothing is allocated.
//!
//! # A shard's loop
//!
//! Do all there is to do, then sleep; [`Endpoint::arm`] sees to it that nothing is slept through. Here on an `eventfd`, which epoll,
//! io_uring, mio or tokio's `AsyncFd` can watch beside other descriptors:
//!
//! ```
//! # #[cfg(target_os = "linux")] {
//! use ringmail::mesh::{Builder, Endpoint, Ready};
//! use ringmail::wait::{EventFd, Waker};
//! use std::thread;
//!
//! fn shard(me: &mut Endpoint<u64>) -> std::io::Result<u64> {
//!     let fd = EventFd::new()?; // register it with your reactor
//!     let hook = Waker::from(fd.clone());
//!     let mut sum = 0;
//!     for n in 0..100 {
//!         let peer = (me.id() + 1 + n as usize % 2) % me.shards();
//!         // Waits if the lane is full, and takes what comes meanwhile: it cannot deadlock.
//!         me.send_or_poll(peer, n, |_from, m| sum += m).expect("the peer is there");
//!     }
//!     me.close(); // this one sends nothing more
//!     loop {
//!         let progress = me.poll(256, |_from, m| sum += m);
//!         if progress.more {
//!             continue; // the budget is over, not the messages: look after other work, then poll again
//!         }
//!         let ready = match me.arm(&hook) {
//!             Ok(armed) => {
//!                 armed.sleep(|limit| fd.wait(limit))?; // or epoll_wait, io_uring_enter, …
//!                 continue;
//!             }
//!             Err(ready) => ready,
//!         };
//!         match ready {
//!             Ready::Over => return Ok(sum),
//!             Ready::Lost => eprintln!("going on without: {:?}", me.next_disconnected()),
//!             _ => {} // a message, or room for one that found none
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
//! An endpoint has one event count, whatever the number of its peers. It rings when a message comes, when a peer that answered
//! [`Full`](TrySendError::Full) has room, and when a peer goes; [`Ready`] says which.
//!
//! | this thread sleeps on | verb |
//! |---|---|
//! | nothing of yours | [`park`](Endpoint::park), [`park_timeout`](Endpoint::park_timeout), [`recv`](Endpoint::recv), [`recv_timeout`](Endpoint::recv_timeout) |
//! | a descriptor | [`arm`](Endpoint::arm) with [`Waker::new`](crate::wait::Waker::new) of an [`EventFd`](crate::wait::EventFd) |
//! | a primitive of your own | [`arm`](Endpoint::arm) with a hook of any [`Notify`](crate::wait::Notify): a closure, a `mio::Waker` in one, … |
//! | an executor | [`recv_async`](Endpoint::recv_async), [`poll_recv`](Endpoint::poll_recv): any runtime |
//! | nothing: it polls for ever | [`poll`](Endpoint::poll), [`try_recv`](Endpoint::try_recv); [`FenceMode::Never`](crate::FenceMode::Never) |
//!
//! # Sending
//!
//! | | no room | danger |
//! |---|---|---|
//! | [`try_send_to`](Endpoint::try_send_to), [`try_send_iter_to`](Endpoint::try_send_iter_to) | says so | |
//! | [`send_or_poll`](Endpoint::send_or_poll), [`broadcast_or_poll`](Endpoint::broadcast_or_poll) | waits, and receives meanwhile | none, as long as the handler waits for no peer, and all go on receiving |
//! | [`send_to`](Endpoint::send_to), [`broadcast`](Endpoint::broadcast) | waits | two that wait for each other wait for ever |
//!
//! What is sent is published at once, so there is nothing to flush; many messages to one peer are cheaper together, by
//! [`try_send_iter_to`](Endpoint::try_send_iter_to), which publishes and rings once.
//!
//! **Order.** First in, first out for each pair; none between pairs. Peers take turns of up to [`Builder::budget`] messages.
//!
//! **Answers.** [`call`] is a mesh whose messages are requests and their answers, with room for each answer reserved before its request
//! leaves.
//!
//! # Leaving
//!
//! | a shard | its peers |
//! |---|---|
//! | [`close`](Endpoint::close)s: sends nothing more, and goes on receiving | receive what it sent; when all have closed, `Closed` |
//! | [`leave`](Endpoint::leave)s: closes, and receives until all have closed or the time is over | the same |
//! | drops its endpoint | the same, and sends to it are refused: [`Cause::Closed`]. What it had not received is dropped |
//! | panics, in [`Seat::run`] or with the endpoint on its stack | the same; sends and receives say [`Cause::Panicked`], with the message. Sleepers wake |
//! | drops its seat, or has not joined [in time](Builder::join_deadline) | as if it had closed; [`Cause::NeverJoined`] |
//!
//! A lost peer is told once by the receiving verbs, after its last message, and then the others go on: whether one that panicked ends
//! the rest is theirs to say.
//!
//! # Cost
//!
//! * A message costs what it does on [`spsc`](crate::spsc), and a look into a table of lanes.
//! * A poll in vain looks at every lane, about 2.5 ns each; after 256 of them in vain, with more than two open lanes, at the endpoint's
//!   event count alone, some 3.5 ns whatever the number of peers: a line that nobody writes while nothing comes. The poll that begins this takes
//!   one barrier ([`FenceMode`](crate::FenceMode)), which may be microseconds, and whoever sends next takes the note off the event count, some tens
//!   of ns. (`cargo test --release --test mesh_idle -- --nocapture` prints the figures of a machine.)
//! * A pair of shards takes about 2 KiB. The memory for messages is reserved when the mesh is built, in one piece a receiver, and stays
//!   untouched until messages come: an idle pair has none. [`Builder::prefault`] has the receiving core make it present at the join.
//! * Pairs that the [roles](Builder::roles) leave out are not made.
//!
//! # Limits
//!
//! * An endpoint's verbs take `&mut self`, the handler of a poll too: it cannot send by the endpoint that polls. Collect the answers, or
//!   take messages one by one with [`try_recv`](Endpoint::try_recv).
//! * With one event count, an endpoint that waits for room wakes for messages too, and the other way round; it looks and sleeps again.
//! * At most 1024 seats. Seats are not refilled: a shard that is gone stays gone.

mod builder;
pub mod call;
mod endpoint;
mod error;
mod inbox;
mod lane_index;
mod lanes;
mod outbox;
mod poll;
mod recv;
mod seat;
mod send;
mod shared;
mod sleep;

pub use crate::error::with_cause::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
pub use builder::{Builder, Role};
pub use endpoint::{Endpoint, PeerStats};
pub use error::{BuildError, Cause, Disconnected, DrainError, JoinError, Peers};
pub use poll::Progress;
pub use recv::RecvFuture;
pub use seat::Seat;
pub use sleep::{Armed, Ready};

#[cfg(not(ringmail_loom))]
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
