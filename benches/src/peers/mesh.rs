//! Shards that send to each other: `ringmail::mesh`, and what one builds from the other crates, an inbox for each shard that all
//! others send to.
//!
//! The room is the same: with `capacity` messages for each lane of ringmail's mesh, a peer's inbox holds `capacity` times the
//! number of shards that send to it.

use std::ops::Range;

use ringmail::mesh::{Builder, Endpoint, Seat};

use super::{
    BlockRecv, Crossbeam, CrossfireMpsc, Drain, Flume, KanalSync, ManySenders, RingmailMpsc, Tokio, TryRecv, TrySend,
};
use crate::multi_slice::Patience;

/// A mesh, as it is made.
pub trait Mesh {
    /// A place on it, which goes to its thread.
    type Seat: Send;
    /// What that thread makes of it, and keeps.
    type End: Shard;
    /// A place for each of `shards`, with room for `capacity` messages for each ordered pair of them.
    fn open(capacity: usize, shards: usize) -> Vec<Self::Seat>;
    /// On the thread of the shard.
    fn join(seat: Self::Seat) -> Self::End;
}

/// One shard's end of a mesh.
pub trait Shard: TryRecv<u64> + BlockRecv<u64> + Drain<u64> {
    /// Sends without waiting; `false` if there was no room.
    fn try_send_to(&mut self, to: usize, message: u64) -> bool;
    /// Sends a prefix of `messages` without waiting; returns how many went.
    fn send_run_to(&mut self, to: usize, messages: Range<u64>) -> usize;
    /// Waits a little after an attempt in vain to send, or to receive, or both.
    fn wait(&mut self, patience: &mut Patience) {
        patience.wait();
    }
}

/// `ringmail::mesh`: receives by `poll`, or `EACH` message by a `try_recv` of its own; waits as all others do, or `PARK`s.
#[derive(Debug)]
pub struct RingmailMesh<const EACH: bool, const PARK: bool>;

/// An endpoint of ringmail's.
#[derive(Debug)]
pub struct RingmailShard<const EACH: bool, const PARK: bool>(Endpoint<u64>);

impl<const EACH: bool, const PARK: bool> Mesh for RingmailMesh<EACH, PARK> {
    type Seat = Seat<u64>;
    type End = RingmailShard<EACH, PARK>;

    fn open(capacity: usize, shards: usize) -> Vec<Self::Seat> {
        Builder::new().shards(shards).capacity(capacity).build().expect("the workloads' meshes are in range")
    }

    fn join(seat: Self::Seat) -> Self::End {
        RingmailShard(seat.join().expect("a workload's shard joins at once"))
    }
}

impl<const EACH: bool, const PARK: bool> Shard for RingmailShard<EACH, PARK> {
    #[inline]
    fn try_send_to(&mut self, to: usize, message: u64) -> bool {
        self.0.try_send_to(to, message).is_ok()
    }

    #[inline]
    fn send_run_to(&mut self, to: usize, mut messages: Range<u64>) -> usize {
        self.0.try_send_iter_to(to, &mut messages).unwrap_or(0)
    }

    fn wait(&mut self, patience: &mut Patience) {
        if PARK {
            self.0.park();
        } else {
            patience.wait();
        }
    }
}

impl<const EACH: bool, const PARK: bool> TryRecv<u64> for RingmailShard<EACH, PARK> {
    #[inline]
    fn try_recv(&mut self) -> Option<u64> {
        self.0.try_recv().ok().map(|(_, message)| message)
    }
}

impl<const EACH: bool, const PARK: bool> BlockRecv<u64> for RingmailShard<EACH, PARK> {
    #[inline]
    fn recv(&mut self) -> u64 {
        self.0.recv().expect("ringmail: a peer left").1
    }
}

impl<const EACH: bool, const PARK: bool> Drain<u64> for RingmailShard<EACH, PARK> {
    #[inline]
    fn drain(&mut self, n: usize, mut each: impl FnMut(u64)) -> usize {
        if EACH {
            return one_by_one(self, n, each);
        }
        self.0.poll(n, |_, message| each(message)).received
    }
}

fn one_by_one(rx: &mut impl TryRecv<u64>, n: usize, each: impl FnMut(u64)) -> usize {
    (0..n).map_while(|_| rx.try_recv()).map(each).count()
}

/// A peer with several senders, and its verbs for many messages at a time where it has any.
pub trait Bulk: ManySenders<u64, Tx: TrySend<u64>, Rx: TryRecv<u64> + BlockRecv<u64>> {
    /// Sends a prefix of `messages` without waiting; returns how many went.
    #[inline]
    fn send_run(tx: &mut Self::Tx, messages: Range<u64>) -> usize {
        messages.into_iter().take_while(|&message| tx.try_send(message)).count()
    }

    /// Takes about `n` messages without waiting, over `heap` if need be, which is empty; returns how many there were.
    #[inline]
    fn take(rx: &mut Self::Rx, n: usize, _heap: &mut Vec<u64>, each: impl FnMut(u64)) -> usize {
        one_by_one(rx, n, each)
    }
}

impl Bulk for Crossbeam {}
impl Bulk for CrossfireMpsc {}
impl Bulk for RingmailMpsc {}

impl Bulk for Flume {
    #[inline]
    fn take(rx: &mut Self::Rx, _n: usize, _heap: &mut Vec<u64>, each: impl FnMut(u64)) -> usize {
        rx.drain().map(each).count()
    }
}

impl Bulk for KanalSync {
    #[inline]
    fn take(rx: &mut Self::Rx, _n: usize, heap: &mut Vec<u64>, each: impl FnMut(u64)) -> usize {
        rx.drain_into(heap).expect("kanal: disconnected");
        heap.drain(..).map(each).count()
    }
}

impl Bulk for Tokio {
    #[inline]
    fn send_run(tx: &mut Self::Tx, messages: Range<u64>) -> usize {
        let n = (messages.end - messages.start) as usize;
        if let Ok(permits) = tx.try_reserve_many(n) {
            return permits.zip(messages).map(|(permit, message)| permit.send(message)).count();
        }
        // Not for all of them: for some, perhaps.
        messages.into_iter().take_while(|&message| TrySend::try_send(tx, message)).count()
    }
}

/// An inbox for each shard, and a sender to each of the others'.
#[derive(Debug)]
pub struct Inboxes<P>(P);

/// One shard's part of that.
#[expect(missing_debug_implementations, reason = "not all of the peers' ends have one")]
pub struct Inbox<P: Bulk> {
    rx: P::Rx,
    /// By shard; none to this one.
    to: Vec<Option<P::Tx>>,
    heap: Vec<u64>,
}

impl<P: Bulk> Mesh for Inboxes<P> {
    type Seat = Inbox<P>;
    type End = Inbox<P>;

    fn open(capacity: usize, shards: usize) -> Vec<Self::Seat> {
        let mut senders: Vec<Vec<Option<P::Tx>>> = (0..shards).map(|_| Vec::with_capacity(shards)).collect();
        let mut open = |to: usize| {
            let (all, rx) = P::open(capacity * (shards - 1), shards - 1);
            let mut all = all.into_iter();
            for (from, senders) in senders.iter_mut().enumerate() {
                senders.push(if from == to { None } else { all.next() });
            }
            rx
        };
        let inboxes: Vec<P::Rx> = (0..shards).map(&mut open).collect();
        inboxes.into_iter().zip(senders).map(|(rx, to)| Inbox { rx, to, heap: Vec::new() }).collect()
    }

    fn join(seat: Self::Seat) -> Self::End {
        seat
    }
}

impl<P: Bulk> Inbox<P> {
    #[inline]
    fn to(&mut self, to: usize) -> &mut P::Tx {
        self.to[to].as_mut().expect("no shard sends to itself")
    }
}

impl<P: Bulk> Shard for Inbox<P> {
    #[inline]
    fn try_send_to(&mut self, to: usize, message: u64) -> bool {
        self.to(to).try_send(message)
    }

    #[inline]
    fn send_run_to(&mut self, to: usize, messages: Range<u64>) -> usize {
        P::send_run(self.to(to), messages)
    }
}

impl<P: Bulk> TryRecv<u64> for Inbox<P> {
    #[inline]
    fn try_recv(&mut self) -> Option<u64> {
        self.rx.try_recv()
    }
}

impl<P: Bulk> BlockRecv<u64> for Inbox<P> {
    #[inline]
    fn recv(&mut self) -> u64 {
        self.rx.recv()
    }
}

impl<P: Bulk> Drain<u64> for Inbox<P> {
    #[inline]
    fn drain(&mut self, n: usize, each: impl FnMut(u64)) -> usize {
        P::take(&mut self.rx, n, &mut self.heap, each)
    }
}
