//! One adapter per contender: the same verbs over everything that carries a message to another process.
//!
//! A link goes one way. The runner makes it before the two processes start, as far as it can, and puts what they need to find it
//! into a [`Ticket`]; each process then opens its end.

mod broadcast;
mod iceoryx;
mod ipc_channel;
mod kernel;
mod mapped;

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

pub use broadcast::Broadcast;
pub use iceoryx::Iceoryx2;
pub use ipc_channel::IpcChannel;
pub use kernel::{Pipe, Seqpacket};
pub use mapped::{Mapped, MappedAtOnce, MappedProtected};
use ringmail_benches::peers::{BlockRecv, BlockSend, TryRecv, TrySend};

use crate::message::Parcel;
use crate::shared_page::SharedPage;

/// Messages that a link holds, where it can be told.
pub const CAPACITY: usize = 1024;

/// What both processes need to find a link.
#[derive(Debug, Default)]
pub struct Ticket {
    /// For the command line of both.
    pub text: String,
    /// What both inherit; the runner closes it once they run.
    pub files: Vec<OwnedFd>,
}

/// Where an end is opened.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The ticket's text.
    pub ticket: &'a str,
    /// The first link of a slice, or the second.
    pub link: usize,
    /// Whether the verbs that block will be used, rather than those that do not.
    pub blocking: bool,
    /// For what cannot be known before both run.
    pub page: &'a SharedPage,
}

/// A way from one process to another.
pub trait Link<T: Parcel> {
    /// The sending end.
    type Tx: TrySend<T> + BlockSend<T>;
    /// The receiving end.
    type Rx: TryRecv<T> + BlockRecv<T>;
    /// Opens the sending end.
    fn tx(place: &Place<'_>) -> Self::Tx;
    /// Opens the receiving end.
    fn rx(place: &Place<'_>) -> Self::Rx;
}

/// Takes over what the runner left open for this process.
///
/// # Safety
/// `number` is open, and nothing else in this process has it.
pub(crate) unsafe fn inherit(number: RawFd) -> OwnedFd {
    // SAFETY: the caller's promise.
    unsafe { OwnedFd::from_raw_fd(number) }
}
