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
//! An onlooker sees what a channel does without taking part: [`look()`] and [`list`].
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
//! `try_send` and `try_recv` ask the kernel once in 4096 calls in vain; `peer` does, and so do the verbs that wait, at least every 90 ms of
//! sleep.
//!
//! # Where segments are
//!
//! A plain name is a file in a directory of this user's own: the one of [`Builder::directory`], else of the environment variable
//! `RINGMAIL_DIR`, else `/dev/shm/ringmail-<uid>`. All processes of a channel must mean the same one. It is made with mode 700 if it is not
//! there, and refused if others may use it. In a directory on a disk the pages are written back now and then, which costs time and keeps
//! nothing across a boot.
//!
//! A segment whose file is removed goes on between the sides that have it open. A side that opens the name afterwards makes another segment, and
//! the two never meet. [`remove()`] and [`Builder::remove`] keep what is in use; these do not:
//!
//! | what removes files | what helps |
//! |---|---|
//! | `rm`, and programs that clean `/dev/shm` or temporary directories by age (`systemd-tmpfiles`, `tmpwatch`) | `ringmail clean`; a directory that is left alone, by `RINGMAIL_DIR` |
//! | logind with `RemoveIPC=yes`, its default: when a user's last session ends, all of that user's files in `/dev/shm` | run as a system user, which it leaves alone; `RemoveIPC=no` in `logind.conf`; or a directory elsewhere, by `RINGMAIL_DIR` |
//! | the end of a container or of a mount namespace with its own `/dev/shm` | a directory that the processes share |
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
//! There are none here: a process cannot wake another's tasks. Either let a thread of its own block on the channel and pass on to
//! the tasks what comes, by an [`spsc`](crate::spsc) with its futures; or let the other process ring an `eventfd` that it was given, after
//! it has sent, and have the reactor call `try_recv` until it is empty.
//!
//! # Limits
//!
//! Nothing is written to disk on purpose: what survives a loss of power is not specified. A receiver of many lanes asks the kernel about
//! its senders while it waits; one that never waits, because other lanes always have messages, after at most 4096 turns of those. How a
//! session ended is kept of the last 64 of each side: of older ones that nobody was told of, [`Ended::Forgotten`] says how many.

mod builder;
pub mod bytes;
mod create;
mod directory;
mod ends;
mod error;
pub mod fan_in;
mod header;
mod lanes;
mod look;
mod message;
mod place;
mod remove;
mod rx;
mod segment;
mod side;
pub mod spsc;
mod sys;
mod tx;
mod unwind;

#[cfg(ringmail_failpoints)]
#[doc(hidden)]
pub use crate::ring::failpoint::{arm, arm_stop, name_first, passed};
pub use crate::ring::session::Peer;
pub use builder::{Builder, Channel, Many, Messages, One, Records};
pub use directory::{list, list_in, unfinished};
pub use ends::SessionInfo;
pub use error::{Ended, Fault, Mismatch, OpenError, RecvError, SendError, TryRecvError, TrySendError};
pub use look::{LaneView, Overview, SessionView, SideView, look};
pub use message::{Message, Schema};
pub use place::Anonymous;
pub use remove::{Found, Removal, remove, remove_any, remove_channel};
pub use segment::Kind;
pub use sys::Role;
