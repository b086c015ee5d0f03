//! One sender, one receiver, first in first out.
//!
//! ```text
//!  Sender ──► [ · · · ▓ ▓ ▓ ▓ · · ] ──► Receiver        bounded, exact capacity, wait-free core
//! ```
//!
//! Each verb has four forms: `try_*` never waits, the plain name blocks, `*_timeout` and `*_deadline` give up, `*_async` is a future. Batches (`*_slice`, `*_iter`, `*_many`, [`Receiver::drain`](crate::Receiver::drain)) and chunks ([`Sender::try_reserve`](crate::Sender::try_reserve),
//! [`Receiver::read_chunk`](crate::Receiver::read_chunk)) publish many messages with one store and wake the other side at most once.
//!
//! **Handles** are `Send` but neither `Sync` nor `Clone`, and every verb takes `&mut self`: a second sender, or two threads
//! on one handle, would break the rule that each shared word has one writer, so the types do not allow it.
//!
//! **Closing.** When the sender closes or is dropped, the receiver still gets everything sent before, then `Disconnected`. When the
//! receiver closes or is dropped, the next send returns its message as `Disconnected`, whether the ring is full or not.
//!
//! A dropped receiver drops the messages in the ring at once. A send may succeed at that same moment: its message is dropped by the time both calls
//! have returned. So no accepted message stays in a channel whose receiver is gone, and a thread that waits for the answer to a message learns that
//! there will be none. (Without `std` the sender's next operation drops such a message, or the last handle does.)
//!
//! After [`Receiver::close`](crate::Receiver::close) the messages already there can still be received. Once the receiver was answered `Disconnected`,
//! each later answer is the same.
//!
//! **Panics** in a message's `Drop`, in an iterator or in a closure: every message is dropped exactly once, and the channel stays usable. A leaked
//! guard (`mem::forget`) leaks messages at most.
//!
//! **Bytes.** A [`Sender<u8>`](Sender) is an `io::Write`, a [`Receiver<u8>`](Receiver) an `io::Read` and `io::BufRead`: a pipe within the process.
//!
//! ```
//! let (mut tx, mut rx) = ringmail::spsc::channel(1024)?;
//! let producer = std::thread::spawn(move || {
//!     for i in 0..10_000u64 {
//!         tx.send(i).expect("the receiver waits for all of them");
//!     }
//! });
//! assert_eq!(rx.iter().sum::<u64>(), 10_000 * 9_999 / 2);
//! producer.join().unwrap();
//! # Ok::<(), ringmail::BuildError>(())
//! ```

mod builder;
#[cfg(all(feature = "std", not(ringmail_loom)))]
mod io;

pub use builder::{Builder, channel};

use crate::channel::lane::{LaneReceiver, LaneSender};
use crate::channel::{self, Flavor, Sealed, SingleSender};

/// One sender, one receiver.
#[derive(Debug)]
pub enum Spsc {}

/// The sending half. Dropping it closes the channel; the receiver still gets what was sent.
pub type Sender<T> = channel::Sender<T, Spsc>;

/// The receiving half. Dropping it closes the channel and drops what is in it.
pub type Receiver<T> = channel::Receiver<T, Spsc>;

impl Flavor for Spsc {
    const SEALED: Sealed = Sealed(());

    type Sender<T> = LaneSender<T>;
    type Receiver<T> = LaneReceiver<T>;
    type Membership<T> = ();

    fn leave<T>((): &mut ()) {}
}

impl SingleSender for Spsc {
    #[inline(always)]
    fn lane<T>(sender: &mut LaneSender<T>) -> &mut LaneSender<T> {
        sender
    }

    #[cfg(not(ringmail_loom))]
    #[inline(always)]
    fn slices<T>(receiver: &LaneReceiver<T>, n: u64) -> (&[T], &[T]) {
        receiver.ring.slices(n)
    }
}

#[cfg(test)]
mod assertions {
    use super::{Builder, Receiver, Sender};
    use core::panic::{RefUnwindSafe, UnwindSafe};
    use static_assertions::{assert_impl_all, assert_not_impl_any};

    assert_impl_all!(Sender<u64>: Send, Unpin);
    assert_impl_all!(Receiver<u64>: Send, Unpin);
    // For every message type, as of the channels of std and crossbeam.
    assert_impl_all!(Sender<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Receiver<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    #[cfg(feature = "std")]
    assert_impl_all!(crate::IntoIter<core::cell::UnsafeCell<u64>, super::Spsc>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Builder: UnwindSafe, RefUnwindSafe);
    // A cell may move to another thread but not be shared: enough for a channel.
    assert_impl_all!(Sender<core::cell::Cell<u64>>: Send);
    assert_not_impl_any!(Sender<u64>: Sync, Clone);
    assert_not_impl_any!(Receiver<u64>: Sync, Clone);
    assert_not_impl_any!(Sender<alloc::rc::Rc<u64>>: Send);
    assert_not_impl_any!(Receiver<alloc::rc::Rc<u64>>: Send);
}
