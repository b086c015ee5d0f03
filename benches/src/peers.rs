//! One adapter per peer: the same few verbs over every queue, so that a workload is written once.
//!
//! Everything is monomorphised: a workload is generic over a [`Channel`] and calls its ends directly, so a slice runs
//! the peer's own code and nothing else. Each peer is used in the configuration that its documentation recommends for
//! one sender and one receiver, or for several senders and one receiver; where it has several candidates, each is a
//! contender of its own.

mod async_channel;
mod bare_yield;
mod broadcast;
mod concurrent_queue;
mod crossbeam;
mod crossfire;
mod disruptor;
mod flume;
mod kanal;
mod lossy;
mod many;
mod mesh;
mod ringbuf;
mod ringmail;
mod ringmail_many;
mod rtrb;
mod std_mpsc;
mod thingbuf;
mod tokio;

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

pub use async_channel::AsyncChannel;
pub use bare_yield::BareYield;
pub use broadcast::{AsyncBroadcast, BusPeer, RingmailBroadcast, TokioBroadcast};
pub use concurrent_queue::ConcurrentQueue;
pub use crossbeam::{ArrayQueue, Crossbeam};
pub use crossfire::{CrossfireAsync, CrossfireBlocking, CrossfireMpsc, CrossfireMpscAsync};
pub use disruptor::{Disruptor, DisruptorMulti};
pub use flume::Flume;
pub use kanal::{KanalAsync, KanalSync};
pub use lossy::{
    Overwriting, PlainRing, PlainSlot, PlainStores, RingmailLossy, SeeNewest, SeeNext, Seqlock, SequenceLock, Swapped,
    TokioLossy, TokioWatch, Words,
};
pub use many::{CheckEach, Drain, MAX_SENDERS, ManySenders, share, tag};
pub use mesh::{Bulk, Inbox, Inboxes, Mesh, RingmailMesh, RingmailShard, Shard};
pub use ringbuf::{Ringbuf, RingbufSlices};
pub use ringmail::{Ringmail, RingmailAtOnce, RingmailDrain, RingmailSlices, RingmailSpin};
pub use ringmail_many::{RingmailFanIn, RingmailFanInAtOnce, RingmailFanInSplit, RingmailMpsc, RingmailMpscAtOnce};
pub use rtrb::{Rtrb, RtrbSlices};
pub use std_mpsc::StdSync;
pub use thingbuf::{ThingbufAsync, ThingbufBlocking};
pub use tokio::Tokio;

/// A message that knows its place in the sequence, so that the receiver can tell loss and reordering.
pub trait Msg: Copy + Debug + Default + Send + 'static {
    /// The `seq`-th message.
    fn make(seq: u64) -> Self;
    /// Which message this is; differs from what was made if the payload was torn.
    fn seq(&self) -> u64;
}

impl Msg for u64 {
    #[inline]
    fn make(seq: u64) -> Self {
        seq
    }
    #[inline]
    fn seq(&self) -> u64 {
        *self
    }
}

/// A message of `WORDS` eight-byte words, all of which carry the sequence number.
#[derive(Clone, Copy, Debug)]
pub struct Payload<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Default for Payload<WORDS> {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl<const WORDS: usize> Msg for Payload<WORDS> {
    #[inline]
    fn make(seq: u64) -> Self {
        Self([seq; WORDS])
    }
    #[inline]
    fn seq(&self) -> u64 {
        // Every word, of a message in memory. Otherwise the compiler leaves out the copy for those peers whose receive it can
        // inline, and the figure is not that of a received message.
        let words = std::hint::black_box(&self.0);
        let torn = words.iter().fold(0, |torn, word| torn | (word ^ words[0]));
        if torn == 0 { words[0] } else { u64::MAX }
    }
}

/// A bounded queue between one sender and one receiver.
pub trait Channel<T> {
    /// The sending end.
    type Tx: Send;
    /// The receiving end.
    type Rx: Send;
    /// A queue for `capacity` messages.
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx);
}

/// Sends without waiting.
pub trait TrySend<T> {
    /// `false` if there was no room.
    fn try_send(&mut self, value: T) -> bool;
}

/// Receives without waiting.
pub trait TryRecv<T> {
    /// `None` if there was nothing.
    fn try_recv(&mut self) -> Option<T>;
}

/// Sends; blocks the thread while there is no room.
pub trait BlockSend<T> {
    /// Panics if the receiver is gone: in a slice it never is.
    fn send(&mut self, value: T);
}

/// Receives; blocks the thread while there is nothing.
pub trait BlockRecv<T> {
    /// Panics if the sender is gone: in a slice it never is.
    fn recv(&mut self) -> T;
}

/// Receives; blocks the thread while there is nothing, but not for ever.
pub trait TimedRecv<T> {
    /// `None` if nothing came in time. Panics if the sender is gone: in a slice it never is.
    fn recv_timeout(&mut self, timeout: Duration) -> Option<T>;
}

/// Sends; the task waits while there is no room.
pub trait AsyncSend<T> {
    /// Panics if the receiver is gone: in a slice it never is.
    fn send(&mut self, value: T) -> impl Future<Output = ()> + Send;
}

/// Receives; the task waits while there is nothing.
pub trait AsyncRecv<T> {
    /// Panics if the sender is gone: in a slice it never is.
    fn recv(&mut self) -> impl Future<Output = T> + Send;
}

/// Sends runs of consecutive numbers.
pub trait BatchSend {
    /// Sends `from..from + n` without waiting, or a prefix of it; returns how many went.
    fn send_run(&mut self, from: u64, n: usize) -> usize;
}

/// Receives runs of numbers.
pub trait BatchRecv {
    /// Takes up to `n` numbers without waiting and shows each to `check`; returns how many there were.
    fn recv_run(&mut self, n: usize, check: &mut Check) -> usize;
}

/// The longest run a batch workload asks for.
pub const MAX_RUN: usize = 128;

/// What the receiver keeps of the sequence: the number it expects next, and every bit that was ever wrong. Cheap enough
/// not to show, and without a branch in the loop.
#[derive(Debug, Default)]
pub struct Check {
    next: u64,
    wrong: u64,
}

impl Check {
    /// Takes the next number in.
    #[inline]
    pub fn see(&mut self, seq: u64) {
        self.wrong |= seq ^ self.next;
        self.next += 1;
    }

    /// Takes a slice of numbers in.
    #[inline]
    pub fn see_all(&mut self, numbers: &[u64]) {
        for &seq in numbers {
            self.see(seq);
        }
    }

    /// How many messages were seen.
    pub fn seen(&self) -> u64 {
        self.next
    }

    /// Panics if a message was lost, repeated, reordered or torn.
    pub fn verify(&self, peer: &str) {
        assert!(self.wrong == 0, "{peer} lost, repeated, reordered or tore a message among the first {}", self.next);
    }
}

/// Fills `run` with `from, from + 1, …`.
#[inline]
fn number(run: &mut [u64], from: u64) {
    for (word, seq) in run.iter_mut().zip(from..) {
        *word = seq;
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::{Check, Msg, Payload};

    #[test]
    fn a_lost_repeated_or_reordered_message_is_noticed() {
        let passes = |seen: &[u64]| {
            let mut check = Check::default();
            check.see_all(seen);
            catch_unwind(move || check.verify("a peer")).is_ok()
        };
        assert!(passes(&[0, 1, 2, 3]));
        for wrong in [[0, 1, 3, 4], [0, 1, 1, 2], [0, 2, 1, 3], [1, 2, 3, 4]] {
            assert!(!passes(&wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_torn_payload_has_no_place_in_the_sequence() {
        assert_eq!(Payload::<4>::make(3).seq(), 3);
        assert_eq!(Payload([3, 3, 1, 3]).seq(), u64::MAX);
        assert_eq!(Payload([3, 3, 3, 1]).seq(), u64::MAX);
    }
}
