//! Bounded message channels, built from lock-free rings in which **each shared word has one writer**. (Exception: the words by which the senders
//! of an `mpsc` ring claim places.)
//!
//! ```toml
//! [dependencies]
//! ringmail = "0.1" # more features: "futures", "affinity", "lossy", "shm"
//! ```
//!
//! ```
//! use std::thread;
//! let (mut tx, mut rx) = ringmail::spsc::channel(1024)?;
//! let parser = thread::spawn(move || {
//!     for line in ["to be", "or not", "to be"] {
//!         tx.send(line.len()).expect("the receiver is there");
//!     }
//! }); // `tx` is dropped here: the receiver gets what is left, then its iterator ends
//! assert_eq!(rx.iter().sum::<usize>(), 16);
//! parser.join().unwrap();
//! # Ok::<(), ringmail::BuildError>(())
//! ```
//!
//! # Which channel
//!
//! | I have | use | order |
//! |---|---|---|
//! | one sender, one receiver | [`spsc`] | first in, first out |
//! | many senders, and the order between them matters | [`mpsc`]: one ring | one total order |
//! | many senders, as fast as possible | [`fan_in`]: a ring for each sender ([which one?](which_one)) | each sender's own |
//! | a thread for each core, all of which send to each other | [`mesh`] | each pair's own |
//! | threads that call each other and wait for answers | [`mesh::call`] | answers in any order |
//! | one sender, and receivers that all get each message | [`broadcast`]: the slowest gates | first in, first out |
//! | the same, and a sender that never waits; or readers of the newest message alone | [`broadcast::lossy`] (feature `lossy`) | first in, first out, with gaps that are counted |
//! | one sender, and workers of which one gets each message | [`fan_out`]: a ring for each worker | each worker's own |
//! | two processes, or many that send to one | [`shm::spsc`], [`shm::fan_in`], [`shm::bytes`] (feature `shm`) | each sender's own |
//! | a process whose messages many others all get | [`shm::broadcast`] (feature `shm`) | first in, first out, for each |
//! | a process whose messages others look at, unnoticed | [`shm::lossy`] (feature `shm`) | first in, first out, with gaps that are counted |
//! | large messages whose memory returns to its owner | [`pool`], with any of these | |
//!
//! One thread at a time uses a handle: verbs take `&mut self`. Handles are `Send` if the message is, and not `Sync`. Exceptions: [`mpsc::Sender`] is
//! `Clone`, receivers of [`broadcast::lossy`] are `Clone` and `Sync`, and [`mpsc::SharedSender`] and hubs are `Sync`.
//!
//! # How to wait
//!
//! | | never waits | blocks | gives up | future |
//! |---|---|---|---|---|
//! | one message | `try_send`, `try_recv` | `send`, `recv` | `send_timeout`, `recv_deadline`, … | `send_async`, `recv_async`, `poll_ready`, `poll_recv` |
//! | one, large: copied once | `try_send_ref`, `try_recv_into` | `send_ref`, `recv_into` | | |
//! | one, large: in place | `try_send_with`, `try_recv_with` | `send_with`, `recv_with` | | |
//! | many, copied | `try_send_slice`, `try_send_iter`, `try_recv_many`, `drain` | `send_slice`, `send_iter`, `recv_many` | `recv_many_timeout`, … | `recv_many_async`, `poll_recv_many` |
//! | the receiver's end | `is_closed` | | | `closed`, `poll_closed` |
//! | many, in place | `try_reserve`, `read_chunk`, `peek` | | | |
//!
//! | I want to | use |
//! |---|---|
//! | choose how long a side polls before it sleeps | [`WaitStrategy`] |
//! | choose which side pays for a sleep: the sleeper, or each message | [`FenceMode`] |
//! | wait for several channels with one thread, for messages here or room there | one [`wait::EventCount`], by [`spsc::Builder::receiver_event`] and [`spsc::Builder::sender_event`] |
//! | be woken in a reactor (epoll, io_uring, a runtime of my own) | [`wait::EventCount::with_waker`], of a [`wait::EventFd`] or of [`wait::waker_fn`] |
//!
//! # Guarantees
//!
//! * Capacity is exact, 1 to 2^30 ([`broadcast::lossy`] rounds it up). `Full` and `Empty` are never answered from a stale copy of a position.
//! * `try_send` and `try_recv` of `spsc` are wait-free, and of `fan_in` while no lane comes or goes; `try_send` of `mpsc` is lock-free,
//!   `try_recv` wait-free. So are both of a [`broadcast`], but for your `clone`. `fan_out` takes a short lock for each worker that comes or goes, and for what one
//!   has left. None of the others waits for a thread that was interrupted in the middle of its own.
//! * On x86-64 Linux, as long as neither side sleeps often ([`FenceMode`]), `try_send` and `try_recv`, and `send` and `recv` that need not wait, execute no
//!   fence and no locked instruction. Exceptions: a send on `mpsc` has one compare-and-swap, one on a [`broadcast`] a fence
//!   about once a lap of the ring.
//! * A message is received or dropped exactly once (on a [`broadcast`]: received once by each receiver, and dropped once), in
//!   whichever order the sides leave, also if its `drop`, an iterator or a waker panics. Only a leaked guard (`mem::forget`) can leak messages. A waker that panics unwinds the verb that ran it; all others are woken, and nothing stays
//!   announced or queued for it.
//! * When the sender is gone, the receiver gets what is left, then `Disconnected`. When the receiver is gone, the very next send gets its message back.
//!   (Between processes the end is reported once, then the ring fills for the next receiver.)
//! * Senders that sleep for room on `mpsc` take turns: a later one overtakes for 10 ms or 256 times, then it stands behind. The receiver of `fan_in` takes turns
//!   among the lanes, 64 messages each unless its builder says otherwise.
//! * Sending and receiving allocate nothing, except what your wakers and the growth of your own buffers do. ([`wait::EventCount::wait`] makes one small
//!   block a call, the first `send_iter` of an `mpsc` handle its buffer, a shared sender a handle for each thread that waits
//!   beside others, a `fan_in` receiver room for lanes that were opened.) There is no
//!   hidden thread, no registry of channels and no executor. One static table is common to the channels of a process: on which cores its
//!   threads waited lately, and what a yield cost there.
//! * Every future is cancel-safe, and none needs a particular runtime. A future lets other tasks go first: of 129 polls in a row that could be ready, one is
//!   pending and wakes its task at once.
//!
//! # Limits
//!
//! * No `select!`, no unbounded queue, no rendezvous, no queue that several receivers share ([`fan_out`] has a lane for
//!   each). `docs/porting.md` in the repository says what to use instead.
//! * On Linux, a side that goes to sleep calls `membarrier`, which briefly interrupts the cores that run other threads of this process. A channel whose
//!   side sleeps often stops doing that by itself; with [`FenceMode::Fence`] it never happens, with [`FenceMode::Never`] no side sleeps.
//! * Which strategy suits which machine, with figures beside computing threads: `docs/waiting.md` in the repository.
//! * **Fork.** A child of `fork` may make channels of its own, and waits on them like any process. It must not use the handles of its parent that it has
//!   copies of: none of the threads at the other ends is there, and a lock that one of them held stays locked. It leaves them alone (`_exit`, `exec`, or
//!   `mem::forget`). Handles of mapped channels do nothing in a child.
//! * Linux on x86-64 is what is tested, and in part aarch64 in an emulator. Elsewhere portable fences are used, and nothing was run. 64-bit atomics are required.
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `std` | yes | blocking, timeouts, futures, event counts; `rustix` |
//! | `futures` | | `Stream`, `Sink`, `FusedFuture` |
//! | `shm` | | channels between processes (64-bit Linux); `memmap2`, `zerocopy`, `libc`, `crc32c` |
//! | `lossy` | | [`broadcast::lossy`]: messages that receivers copy; `zerocopy` |
//! | `affinity` | | core lists, machine topology, pinning, meshes of cores; `core_affinity`, and on Linux `libc` |
//!
//! Without `std`: the ring and its verbs that never wait, on `alloc`. The minimum Rust version is 1.85.
//!
//! # How it is verified
//!
//! Models of every interleaving (loom) with each ordering weakened in turn, fuzzing against a model, ThreadSanitizer, processes killed at every step, the
//! assembly read, the instructions counted; each check must find a planted fault. `docs/verification.md` in the repository has the claims, the commands, and what
//! they cannot see.
//!
//! `unsafe` is confined to one module, `ring`, to three files of `sync` (a shared pointer, a stack, a waker's cell), to seven files of `shm` (locks, mappings,
//! sleep on words, mapped rings), to one of `affinity` (a thread's mask of cores), and to one method that passes a caller's promise on.
#![cfg_attr(not(any(feature = "std", ringmail_loom)), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// The front page names everything; without `std` some of it is not there to link to.
#![cfg_attr(
    not(all(feature = "std", feature = "shm")),
    allow(rustdoc::broken_intra_doc_links, rustdoc::private_intra_doc_links)
)]
// Seen through `sync` these types are core's own, which clippy cannot tell apart; under loom they are loom's, and a file that
// names core's directly stands out: the gate lints that build.
#![cfg_attr(not(ringmail_loom), allow(clippy::disallowed_types))]
// Mapped channels have verbs of their own in `ring` and `wait`, which are dead code in a build without these channels.
#![cfg_attr(
    not(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom))),
    allow(dead_code)
)]
#![deny(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

#[cfg(feature = "affinity")]
pub mod affinity;
pub mod broadcast;
mod channel;
mod drop_order;
pub mod error;
pub mod fan_in;
#[cfg(feature = "std")]
pub mod fan_out;
#[cfg(feature = "std")]
pub mod mesh;
pub mod mpsc;
pub mod pool;
mod ring;
mod try_alloc;
// Of 64 bits: a load of a 64-bit word may be a store elsewhere, and the other side's page may be mapped for reading only.
#[cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64", not(ringmail_loom)))]
pub mod shm;
#[cfg(all(feature = "std", ringmail_loom))]
#[path = "shm/model.rs"]
mod shm;
pub mod spsc;
mod sync;
#[cfg(doc)]
#[doc = include_str!("which_one.md")]
pub mod which_one {}
#[cfg(feature = "std")]
pub mod wait;
#[cfg(not(feature = "std"))]
#[path = "wait/no_std.rs"]
mod wait;

#[cfg(feature = "futures")]
pub use channel::SenderSink;
pub use channel::{Builder, Flavor, ReadChunk, ReadChunkIntoIter, Receiver, Sender, SingleSender, WriteChunk};
#[cfg(feature = "std")]
pub use channel::{ClosedFuture, IntoIter, Iter, RecvFuture, RecvManyFuture, SendFuture, TryIter};
pub use error::{BuildError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
pub use ring::layout::Stats;
pub use ring::place::{Filled, Place};
#[cfg(feature = "std")]
pub use wait::{FenceMode, WaitStrategy, init};

/// The switchboard of the models, for the `loom-tests` crate.
#[cfg(ringmail_loom)]
#[doc(hidden)]
pub mod model {
    pub use crate::ring::reach::{BoundedReader, LeftRing, Reach};
    pub use crate::shm::peer::leftovers::{find_left, is_all_received};
    pub use crate::shm::peer::reported_ends::{Found, ReportedEnds, Stand};
    pub use crate::shm::peer::session::{End, Peer, Session, is_set_up, look_after};
    pub use crate::shm::{SeatReceiver, SeatSender, SharedBroadcast, SharedReceiver, SharedRing, SharedSender};
    pub use crate::sync::arc::Arc;
    pub use crate::sync::order::{Site, with_mutant};
    pub use crate::sync::{Put, WakerCell};
    pub use crate::wait::full_fence as full;
    pub use crate::wait::heavy_fails;
    pub use crate::wait::park_word::{ParkWord, Sleeper};
}

/// The programs of the README.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
mod readme {}
