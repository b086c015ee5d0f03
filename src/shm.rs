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
//! Whichever side comes first makes the segment; it stays when both have gone, with what was not received, until a process removes
//! it or the machine is started again.
//!
//! | | |
//! |---|---|
//! | [`spsc`] | one sender, one receiver, messages of one type |
//! | [`fan_in`] | many senders, a lane for each, one receiver |
//! | [`fan_out`] | one sender, many workers, a lane for each; each message to one of them |
//! | [`bytes`], [`bytes::fan_in`] | the same with records of any length up to a limit |
//! | [`broadcast`] | one sender, many receivers that all get every message: the slowest gates |
//! | [`lossy`] | one sender that never waits, any number of receivers that only read: a tap |
//!
//! A channel need not have a name: [`Anonymous`] is one that goes from process to process as a descriptor.
//!
//! An onlooker sees what a channel does without taking part: [`inspect()`] and [`list`].
//!
//! # Sessions
//!
//! A side is held by the process that has the kernel's lock for it: that is its session. The kernel takes the lock back when that process ends, however it
//! ends; no timer, heartbeat or process number decides anything. A process that is stopped still has its side.
//!
//! Sessions of one side follow each other, and the channel outlives them. Each handle goes through those of the other side in their order:
//!
//! * Before the first session of the other side, a receive waits and takes what lies there, and a send fills the ring and then waits.
//! * Each session that overlaps the handle's own, or whose messages it takes, is told **once** when it is over, as [`Cause`]: a receiver is told
//!   after its last message and before the first of the next, a sender at the next send that finds it out. Then the handle waits for the next.
//! * A receiver is not told of what had ended before it came and left it no message. [`Builder::missed_ends`] asks for that, too: a count in the
//!   receiver's page says how many ends were told to the receivers so far.
//! * The channel keeps the last 64 sessions of each side (of each lane): number, process, where it began, how it ended. Older ones are told
//!   as a count, [`Cause::Forgotten`].
//!
//! | how a session ends | what the other side is told |
//! |---|---|
//! | `close`, or its handle is dropped | [`Cause::Closed`] |
//! | its handle is dropped by a panic, or `give_up` | [`Cause::GivenUp`] |
//! | its process is killed, or ends without destructors (`exit`, `abort`, `panic = "abort"`) | [`Cause::PeerDied`] |
//! | it wrote what cannot be | [`Cause::Corrupted`], from then on |
//!
//! ```
//! use ringmail::shm::spsc::Builder;
//! use ringmail::shm::{Cause, RecvError};
//! # let name = format!("doc-sessions-{}", std::process::id());
//! let mut rx = Builder::<u64>::new(&name).open_receiver()?;
//! for run in [1, 2] {
//!     let mut tx = Builder::<u64>::new(&name).open_sender()?;
//!     tx.send(run)?;
//!     drop(tx);
//! }
//! for run in [1, 2] {
//!     assert_eq!(rx.recv(), Ok(run));
//!     assert_eq!(rx.recv(), Err(RecvError(Cause::Closed)));
//!     assert_eq!(rx.session().map(|session| session.number), Some(run));
//! }
//! # drop(rx);
//! # assert!(Builder::<u64>::new(&name).remove()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What happens to messages where a side dies:
//!
//! | who dies where | what the other side sees |
//! |---|---|
//! | sender, before or inside a write | nothing of that message. The receiver gets the rest, then [`Cause::PeerDied`]; the next sender goes on |
//! | sender, after it published | the message, at the latest 90 ms later should the receiver sleep |
//! | receiver, inside the handler of `try_recv_with` or `drain`, or before `commit` of a `Batch` or `ReadChunk` | the next receiver gets the message again: at least once |
//! | receiver, after `recv` | the message counts as received: at most once |
//! | a side that is stopped for an hour | the other side waits; nothing is taken away |
//!
//! The verbs that wait ask the kernel who is there, at least every 90 ms of sleep; `peer` asks each time; `try_send` and `try_recv` after 4096
//! looks in vain. A session that ended by itself is found without.
//!
//! # Where segments are
//!
//! A plain name is a file in a directory of this user's own: the one of [`Builder::directory`], else of the environment variable
//! `RINGMAIL_DIR`, else `/dev/shm/ringmail-<uid>`. All processes of a channel must mean the same one. It is made with mode 700 if it is not
//! there, and refused if others may use it. In a directory on a disk the pages are written back now and then, which costs time and keeps
//! nothing across a boot.
//!
//! A segment whose file is removed goes on between the sides that have it open. A side that opens the name afterwards makes another segment, and
//! the two never meet. A side that waits on a segment without a name is told [`Cause::Removed`], and `peer` says [`Peer::Removed`]. Close that side
//! and open it again. [`remove()`] and [`Builder::remove`] keep what is in use; these do not:
//!
//! | what removes files | what helps |
//! |---|---|
//! | `rm`, and programs that clean `/dev/shm` or temporary directories by age (`systemd-tmpfiles`, `tmpwatch`) | `ringmail clean`; a directory that is left alone, by `RINGMAIL_DIR` |
//! | logind with `RemoveIPC=yes`, its default: when a user's last session ends, all of that user's files in `/dev/shm` | run as a system user, which it leaves alone; `RemoveIPC=no` in `logind.conf`; or a directory elsewhere, by `RINGMAIL_DIR` |
//! | the end of a container or of a mount namespace with its own `/dev/shm` | a directory that the processes share |
//!
//! # Trust
//!
//! Each side writes to its own page alone, and a sender to the messages. A sender maps the receiver's page for reading only; so does a receiver with
//! all that is the sender's if it is built with [`write_protect`](spsc::Builder::write_protect), and is slower then. What a side reads of the other's is
//! checked: an impossible position, or bytes that are no message, is [`Cause::Corrupted`], never an access outside of the mapping, a panic or a wait
//! without end. A message is copied out before it is checked, but by the verbs that lend it in place. But a file has a name: a process of the same user
//! can cut it short, and the next access is then a `SIGBUS`. Named channels are for processes that do not attack each other. The memory of an [`Anonymous`] channel cannot be cut
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
//!             Err(TryRecvError::Disconnected(_)) => return Ok(sum),
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
//! The other process needs nothing for it: it rings where a side is asleep by its descriptor, and pays nothing where none is. It finds the event count
//! of a channel with a name as a FIFO beside the file, which it must be allowed to open; of an [`Anonymous`] one by an abstract address, so
//! both processes must be in one network namespace. Where it does not find it, the side that waits looks every millisecond, the first time
//! after 90. A wake costs about what one through a pipe does (`shm_fd` of the benchmarks).
//!
//! # Limits
//!
//! Nothing is written to disk on purpose: what survives a loss of power is not specified. A receiver of many lanes asks the kernel about
//! its senders while it waits; one that never waits, because other lanes always have messages, after at most 4096 turns of those. A sender that
//! always has room is told of a receiver that died once it has none; of one that closed, at once.

pub mod broadcast;
mod builder;
pub mod bytes;
mod chunk;
mod error;
pub mod fan_in;
pub mod fan_out;
#[cfg(feature = "futures")]
mod futures;
mod inspect;
mod iter;
pub mod lossy;
mod panics;
mod peer;
mod ring;
mod schema;
mod segment;
mod sender;
pub mod spsc;
mod wait;

#[cfg(ringmail_failpoints)]
#[doc(hidden)]
pub use crate::sync::failpoint::{arm, arm_stop, name_first, passed};
pub use builder::{Builder, Channel, Lanes, Many, Messages, One, Records, Seats, Workers};
pub use chunk::{ReadChunk, WriteChunk};
pub use error::{
    Cause, Fault, Mismatch, OpenError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError,
    TrySendError,
};
#[cfg(feature = "futures")]
pub use futures::{FdError, MessageSink, MessageStream, Readiness};
pub use inspect::{ChannelInfo, LaneView, SeatView, SessionView, SideView, inspect};
pub use iter::{IntoIter, Iter, Receives, TryIter};
pub use peer::Role;
pub use peer::session::Peer;
pub use ring::open::SessionInfo;
pub use schema::{Message, Schema};
pub use segment::directory::{list, list_in, unfinished};
pub use segment::layout::Kind;
pub use segment::location::Anonymous;
pub use segment::remove::{Found, Removal, remove, remove_any, remove_channel};
pub use wait::wake_fd::{Armed, WakeFd, Watched};
