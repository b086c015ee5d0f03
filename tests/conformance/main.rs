//! What the test suites of std's `mpsc::sync_channel` and of crossbeam-channel's `bounded` demand of a channel, held against each
//! channel of this crate: the same bodies (`laws/`) once for `spsc`, once for `mpsc`, once for `fan_in`, once for `fan_out`. The laws are theirs, the
//! code is not.
//!
//! Where ringmail promises something else:
//!
//! | law of the peers | here | why |
//! |---|---|---|
//! | capacity 0 is a rendezvous: a send ends when its message is received | `BuildError::ZeroCapacity` | a ring holds at least one message; an answer belongs in a channel of its own |
//! | `send` and `recv` take `&self`, handles are `Sync` | `&mut self`, `Send`, not `Sync` | one writer per word; futures that hold a handle stay `Send` |
//! | crossbeam: receivers are cloned and share the messages | one receiver, not `Clone`; `fan_out`: `join()`, which can fail | no many-to-many channel; each worker has a lane |
//! | senders are cloned freely | `spsc`: not at all; `fan_in`: `lane()`, which can fail; `mpsc`: as there | a lane is allocated, and says so |
//! | `len > 0` means that `try_recv` finds something | `mpsc`: `Empty` while the next in order is not yet published | `try_recv` never spins on a sender that was interrupted |
//! | messages of different senders keep the order in which the sends happened | `fan_in`: only each sender's own order | senders share no word; `mpsc` keeps it |
//! | `capacity` is that of the channel | `fan_in`: a lane's on the sender, the sum on the receiver | each lane has its own room |
//! | std: `Receiver` dropped, messages may stay until the senders go | dropped at once; `fan_out`: the sender may take them back | a reply handle in a message must not hang behind a sender that lives |
//! | std: `try_iter` and `iter` hold `&Receiver`, many at a time | `&mut`, one at a time | as above |
//! | crossbeam: after `Disconnected` on one side the other may still be `Full` | a send after the receiver has gone is `Disconnected`, full or not | one answer |
//! | crossbeam: the receivers share fairly; `select!`, `after`, `tick`, `never` | not there | one event count for many channels instead of `select!` |
//! | std: a zero-length timeout may give up although a message is there | taken | a limit bounds the wait, not the look |
//! | `same_channel` | not there | nobody asked |
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]
#![allow(clippy::duplicate_mod, reason = "the same laws for each channel")]

#[path = "../support/mod.rs"]
mod support;

mod compile_fail;

#[path = "laws"]
mod spsc {
    use ringmail::spsc::{Receiver, Sender, channel};

    mod at_once;
    mod closing;
    mod one_sender;
    mod oneshot;
    mod stress;
}

#[path = "laws"]
mod mpsc {
    use ringmail::mpsc::{Receiver, Sender, channel};

    /// One more sender of the same channel.
    fn another<T>(tx: &Sender<T>) -> Sender<T> {
        tx.clone()
    }

    mod at_once;
    mod closing;
    mod many_senders;
    mod one_sender;
    mod oneshot;
    mod stress;
}

#[path = "laws"]
mod fan_in {
    use ringmail::fan_in::{Receiver, Sender, channel};

    /// One more sender of the same channel.
    fn another<T>(tx: &Sender<T>) -> Sender<T> {
        tx.lane().unwrap()
    }

    mod at_once;
    mod closing;
    mod many_senders;
    mod one_sender;
    mod oneshot;
    mod stress;
}

/// With one worker. What the last worker leaves is not dropped at once: the sender may take it back.
#[path = "laws"]
mod fan_out {
    use ringmail::fan_out::{Receiver, Sender, channel};

    mod closing;
    mod one_sender;
    mod oneshot;
    mod stress;
}
