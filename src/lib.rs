//! Message channels for Rust that share nothing: bounded lock-free rings in which **each word has one writer**
//! (on `mpsc`, but for the word that claims places).
//!
//! Holders of private state meet only through messages in a channel. Nobody looks into anybody else, so order, delivery
//! and back-pressure are explicit, and what one side does costs the other nothing until they really meet.
//!
//! # Which channel do I want?
//!
//! | I have | use | order |
//! |---|---|---|
//! | one sender, one receiver | [`spsc::channel`] | first in, first out |
//! | many senders, one receiver, and the order between them matters | [`mpsc::channel`] | one total order |
//! | many senders, one receiver, as fast as it goes | [`fan_in::channel`]: a lane for each sender | each sender its own |
//! | a thread for each core, all of which send to each other; a runtime of my own on top | [`mesh::Builder`] | each pair its own |
//! | calls between those threads, each with its answer | [`mesh::call`] | answers in any order |
//! | buffers that go home to the core that made them, by any of these | [`pool::Pool`] | |
//! | one thread that waits for several channels | [`spsc::Builder::receiver_event`] with one [`wait::EventCount`] | each channel its own |
//! | two processes | [`shm::spsc`], [`shm::bytes`] (feature `shm`) | first in, first out |
//! | many processes that send, one that receives | [`shm::fan_in`] | each sender its own |
//! | a reactor (epoll, io_uring, a runtime of my own) that must be woken | [`wait::EventCount::with_waker`] with [`wait::EventFd`] or a [`wait::Notify`] of mine | each channel its own |
//!
//! [Which one?](which_one) has figures for the choice between the two with many senders.
//!
//! ```
//! use std::thread;
//! let (mut tx, mut rx) = ringmail::spsc::channel(1024)?;
//! let parser = thread::spawn(move || {
//!     for line in ["to be", "or not", "to be"] {
//!         tx.send(line.len()).expect("the receiver is there");
//!     }
//! }); // `tx` is dropped here: the receiver drains and then its iterator ends
//! assert_eq!(rx.iter().sum::<usize>(), 16);
//! parser.join().unwrap();
//! # Ok::<(), ringmail::BuildError>(())
//! ```
//!
//! # One verb, four tempers
//!
//! | | never waits | blocks | gives up | future |
//! |---|---|---|---|---|
//! | one message | `try_send`, `try_recv` | `send`, `recv` | `send_timeout`, `recv_deadline`, … | `send_async`, `recv_async`, `poll_ready`, `poll_recv` |
//! | many, copied | `try_send_slice`, `try_send_iter`, `try_recv_many`, `drain` | `send_slice`, `send_iter`, `recv_many` | | |
//! | many, in place | `try_reserve`, `read_chunk`, `peek` | | | |
//!
//! How long a side polls before it sleeps is its own [`WaitStrategy`]; what a sleeping side costs the other is the channel's
//! [`FenceMode`].
//!
//! # Guarantees
//!
//! * Capacity is exact, 1 to 2^30. `Full` and `Empty` are never answered from an old look.
//! * `try_send` and `try_recv` of `spsc` are wait-free, and of `fan_in` while no lane comes or goes; `try_send` of `mpsc` is lock-free,
//!   `try_recv` wait-free. None waits for a thread that was interrupted in the middle of its own.
//! * On x86-64 Linux, as long as neither side sleeps often ([`FenceMode`]), `try_send` and `try_recv`, and `send` and `recv` while nobody
//!   has to wait, execute no fence and no locked instruction, but for one compare-and-swap of a send on `mpsc`. Scripts
//!   read the assembly and count instructions at every run of the gate.
//! * A message is received or dropped exactly once, whichever side leaves when, and whatever code of its own panics
//!   ([`wait::Notify`] says what a panicking hook costs).
//! * Sending and receiving allocate nothing, except what your wakers and the growth of your own buffers do ([`wait::EventCount::wait`] makes
//!   one small block a call, the first `send_iter` of an `mpsc` handle its buffer, a `fan_in` receiver room for lanes that were opened); there is no hidden thread, no registry of channels and no executor. One static table
//!   is common to the channels of a process: on which cores its threads waited lately, and what a yield cost there.
//! * A future lets other tasks go first: of 129 polls in a row that could be ready, one is pending and wakes its task at once.
//! * Every future is cancel-safe, and none needs a particular runtime.
//!
//! # Limits
//!
//! * No `select!`, no unbounded queue, no many-to-many channel: see the table above for what to use instead.
//! * On Linux, a side that goes to sleep calls `membarrier`, which briefly interrupts the cores that run other threads of
//!   this process. A channel whose side sleeps often stops doing that by itself; with [`FenceMode::Fence`] it never happens.
//! * Waiting is for cores that other threads want, too: `docs/waiting.md` in the repository says which strategy suits which machine, with
//!   figures beside computing threads.
//! * **Fork.** A child of `fork` may make channels of its own, and waits on them like any process. It must not use the handles of its parent
//!   that it has copies of: none of the threads at the other ends is there, and a lock that one of them held stays locked. It leaves them
//!   alone (`_exit`, `exec`, or `mem::forget`). Handles of mapped channels do nothing in a child.
//! * Linux on x86-64 is what is tested. Other platforms use portable fences and have not been run.
//! * 64-bit atomics are required.
//!
//! # How it is verified
//!
//! | claim | witness | command |
//! |---|---|---|
//! | every ordering is needed and enough | loom models with the messages in loom cells; each ordering weakened must fail | `loom-tests/run` |
//! | every verb agrees with a queue, across the wrap | libFuzzer, corpus replayed by the tests | `cargo +nightly fuzz run spsc_ops`, `mpsc_ops`, `fan_in_ops` |
//! | no data race in the compiled code | ThreadSanitizer on a stress program, with a planted race that it must find | `verify/stress/tsan` |
//! | no side that is killed or stopped, at any step, breaks a promise to the other | SIGKILL and SIGSTOP at every point, and a planted bug that must be found | `verify/killsweep/check` |
//! | each message dropped once, even in a panic | drop counts, injected panics | `cargo test` |
//! | no fence, no lock | the assembly | `verify/assembly/check` |
//! | what a message costs | instructions counted, compared with a record | `verify/instructions/check` |
//!
//! `unsafe` is confined to one module, `ring`, to the cell that a waker waits in, to one file of `shm` that maps memory and takes the kernel's
//! locks, and to one method that passes a caller's promise on.
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `std` | yes | blocking, timeouts, futures, event counts; `rustix` |
//! | `futures` | | `Stream`, `Sink`, `FusedFuture` |
//! | `shm` | | channels between processes (Linux); `memmap2`, `zerocopy`, `libc`, `crc32c` |
//! | `affinity` | | core lists, machine topology, pinning, meshes of cores; `core_affinity` |
//!
//! Without `std`: the ring and its verbs that never wait, on `alloc`.
//!
//! The minimum Rust version is 1.85; it is declared, and what is tested is the current stable.
#![cfg_attr(not(any(feature = "std", ringmail_loom)), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// The front page names everything; without `std` some of it is not there to link to.
#![cfg_attr(
    not(all(feature = "std", feature = "shm")),
    allow(rustdoc::broken_intra_doc_links, rustdoc::private_intra_doc_links)
)]
// Seen through `sync` these types are core's own, which clippy cannot tell apart; under loom they are loom's, and whoever
// names core's directly stands out: the gate lints that build.
#![cfg_attr(not(ringmail_loom), allow(clippy::disallowed_types))]
#![deny(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

#[cfg(feature = "affinity")]
pub mod affinity;
mod channel;
pub mod error;
pub mod fan_in;
mod lend;
#[cfg(feature = "std")]
pub mod mesh;
pub mod mpsc;
pub mod pool;
mod ring;
mod room;
// Of 64 bits: a load of a 64-bit word may be a store elsewhere, and the other side's page is mapped for reading only.
#[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
pub mod shm;
pub mod spsc;
mod sync;
#[cfg(doc)]
#[doc = include_str!("which_one.md")]
pub mod which_one {}
#[cfg(feature = "std")]
pub mod wait;
#[cfg(not(feature = "std"))]
#[path = "wait/without_std.rs"]
mod wait;

pub use channel::{Builder, Flavor, ReadChunk, ReadChunkIntoIter, Receiver, Sender, SingleSender, WriteChunk};
#[cfg(feature = "std")]
pub use channel::{IntoIter, Iter, RecvFuture, SendFuture, TryIter};
pub use error::{BuildError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
pub use ring::layout::Stats;
#[cfg(feature = "std")]
pub use wait::{FenceMode, WaitStrategy, init};

/// The switchboard of the models, for the `loom-tests` crate.
#[cfg(ringmail_loom)]
#[doc(hidden)]
pub mod model {
    pub use crate::ring::session::{End, Found, Looks, Peer, Reach, Session, Stand, Told, is_set_up, look_after};
    pub use crate::ring::shared_model::{SharedReceiver, SharedRing, SharedSender};
    pub use crate::sync::arc::Arc;
    pub use crate::sync::order::{Site, with_mutant};
    pub use crate::sync::{Put, WakerCell};
    pub use crate::wait::full;
    pub use crate::wait::heavy_fails;
    pub use crate::wait::parked::{Parked, Sleeper};
}
