//! Channels between processes: the rings of this crate in a file that both sides map. Linux, on machines of 64 bits.
//!
//! ```
//! use ringmail::shm::spsc;
//! # let name = format!("doc-{}", std::process::id());
//! // In one process, or one thread:
//! let mut tx = spsc::Builder::<u64>::new(&name).capacity(1024).open_sender()?;
//! // In another:
//! let mut rx = spsc::Builder::<u64>::new(&name).open_receiver()?;
//! tx.send(7)?;
//! assert_eq!(rx.recv(), Ok(7));
//! # drop((tx, rx));
//! # assert!(spsc::Builder::<u64>::new(&name).remove()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Whichever side comes first makes the segment; it stays when both have gone, with what was not received, until somebody removes
//! it or the machine is started again.
//!
//! | | |
//! |---|---|
//! | [`spsc`] | one sender, one receiver, messages of one type |
//! | [`fan_in`] | many senders, a lane for each, one receiver |
//! | [`bytes`], [`bytes::fan_in`] | the same with records of any length up to a limit |
//!
//! A channel need not have a name: [`Anonymous`] is one that goes from process to process as a descriptor.
//!
//! An onlooker sees what a channel does without taking part: [`look`] and [`list`].
//!
//! # Who is there
//!
//! A side is held by whoever has the kernel's lock for it. The kernel takes the lock back when that process ends, however it ends; no
//! timer, heartbeat or process number decides anything. A process that is stopped still has its side.
//!
//! | who dies where | what the other side sees |
//! |---|---|
//! | sender, before or inside a write | nothing of that message. The receiver gets the rest, then [`Ended::PeerDied`]; the next sender goes on |
//! | sender, after it published | the message, at the latest 90 ms later should the receiver sleep |
//! | receiver, inside the handler of `try_recv_with` or `drain`, or before `Batch::commit` | the next receiver gets the message again: at least once |
//! | receiver, after `recv` | the message counts as received: at most once |
//! | anybody stopped for an hour | the other side waits; nothing is taken away |
//!
//! `try_send` and `try_recv` do not ask the kernel; `peer` does, and so do the verbs that wait, at least every 90 ms of sleep.
//!
//! # Trust
//!
//! Each side maps its own page for writing and the other's for reading only. What it reads of the other's is checked: an impossible
//! position, or bytes that are no message, is [`Ended::Corrupted`], never an access outside of the mapping, a panic or a wait without end.
//! A message is copied out before it is checked. But a file has a name: a process of the same user can cut it short, and the next access
//! is then a `SIGBUS`. Named channels are for processes that do not attack each other. The memory of an [`Anonymous`] channel cannot be cut
//! short; for the rest it is as they are.
//!
//! # Forks
//!
//! A child that is forked has none of the memory; handles in it do nothing when dropped and must not be used. Until it ends or calls
//! `exec` it holds its parent's locks as well, so a parent's death is noticed only then.
//!
//! # Futures
//!
//! A receiver, and a sender that waits for room, can be waited for by a descriptor: see [`Watched`]. epoll, io_uring, mio and tokio's `AsyncFd`
//! take it; the examples `shm_tokio` and `shm_mio` show how. With the feature `futures`, `MessageStream` and `MessageSink` are a `Stream` and
//! a `Sink` over any reactor that says when a descriptor is readable.
//!
//! ```no_run
//! use ringmail::shm::{TryRecvError, WakeFd, Watched, spsc};
//! use tokio::io::unix::AsyncFd;
//!
//! async fn sum(mut rx: spsc::Receiver<u64>) -> std::io::Result<u64> {
//!     // SAFETY: a `WakeFd` has one descriptor, and keeps it open.
//!     let fd = unsafe { AsyncFd::register(rx.wake_fd()?) }.map_err(std::io::Error::from)?;
//!     let mut sum = 0;
//!     loop {
//!         match rx.try_recv() {
//!             Ok(n) => sum += n,
//!             Err(TryRecvError::Ended(_)) => return Ok(sum),
//!             Err(_) => {
//!                 if let Some(_armed) = rx.arm()? {
//!                     fd.readable().await?.clear_ready();
//!                 }
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! The other process needs nothing for it: it rings where a side is asleep by its descriptor, and pays nothing where none is. It finds the bell
//! of a channel with a name as a FIFO beside the file, which it must be allowed to open; of an [`Anonymous`] one by an abstract address, so
//! both processes must be in one network namespace. Where it does not find it, the side that waits looks every millisecond, the first time
//! after 90. A wake costs about what one through a pipe does (`shm_fd` of the benchmarks).
//!
//! # Limits
//!
//! Nothing is written to disk on purpose: what survives a loss of power is not specified. A receiver of many lanes asks the kernel about
//! its senders while it waits; one that never waits, because other lanes always have messages, after at most 4096 turns of those. Of
//! several holders of a side that died between two looks of the other, one death is told, the last; `epoch` of a fan-in's `Departed`, or
//! the other side's [`SideView::epoch`], says how many sessions there were.

pub mod bytes;
mod create;
mod ends;
mod error;
pub mod fan_in;
#[cfg(feature = "futures")]
mod futures;
mod header;
mod lanes;
mod look;
mod message;
mod place;
mod rx;
mod segment;
mod side;
pub mod spsc;
mod sys;
mod tx;
mod unwind;
mod wake;

#[cfg(ringmail_failpoints)]
#[doc(hidden)]
pub use crate::ring::failpoint::{arm, arm_stop, name_first, passed};
pub use crate::ring::session::Peer;
pub use ends::SessionInfo;
pub use error::{Ended, Mismatch, OpenError, RecvError, SendError, TryRecvError, TrySendError};
#[cfg(feature = "futures")]
pub use futures::{FdError, MessageSink, MessageStream, Readiness};
pub use look::{LaneView, Overview, SideView, list, look};
pub use message::{Message, Schema};
pub use place::Anonymous;
pub use segment::Kind;
pub use sys::Role;
pub use wake::{Armed, WakeFd, Watched};
