//! One producer, one consumer: the two ends of a ring. Safe to call; the rules they keep are I1–I6 of [`super`].
//!
//! Neither end waits, wakes or reports errors: that is the channel's business.
//!
//! Leaving. The producer's last store is `tail | closed`. The consumer first sets `gone`, so that the next send is refused,
//! then drops what it can see, then stores `head | closed`: it has retired and touches nothing more. A message that was
//! published in between belongs from then on to the producer, which drops it at its next operation, or to the last
//! owner of the memory.

mod consumer;
mod producer;

pub(crate) use consumer::Consumer;
pub(crate) use producer::Producer;

use super::backing::Heap;
use super::cursor::Position;
use super::layout::{ConsumerBlock, ProducerBlock, Stats};

/// Both ends of a ring on the heap.
pub(crate) fn pair<T>(ring: Heap<T>) -> (Producer<Heap<T>>, Consumer<Heap<T>>) {
    let other = ring.share();
    // SAFETY: `ring` came by value and `Heap` is shared in this line only, so there is one producer and one consumer.
    let producer = unsafe { Producer::attach(ring) };
    // SAFETY: as above.
    let consumer = unsafe { Consumer::attach(other) };
    (producer, consumer)
}

pub(crate) fn stats(
    producer: &ProducerBlock,
    consumer: &ConsumerBlock,
    start: Position,
    head: Position,
    tail: Position,
    capacity: u64,
) -> Stats {
    let (sent, received) = (tail.since(start), head.since(start));
    Stats {
        sent,
        received,
        tombstones: 0,
        // The other side's position may be newer than this one's, or nonsense.
        depth: sent.saturating_sub(received).min(capacity) as usize,
        full: producer.counters.0.full.get(),
        sender_parks: producer.counters.0.parks.get(),
        receiver_parks: consumer.counters.0.parks.get(),
        sender_wakes: producer.counters.0.wakes.get(),
        receiver_wakes: consumer.counters.0.wakes.get(),
    }
}
