//! One producer, one consumer: the two ends of a ring. Safe to call; the rules they keep are I1–I6 of [`super`].
//!
//! Neither end waits, wakes or reports errors: the channel does.
//!
//! **Leaving.** The producer's last store is `tail | closed`. The consumer first sets `gone`, so that the next send is refused. Then it drops the
//! messages that it can see, retires, and touches nothing more. Meanwhile a producer that did not see `gone` may publish a message:
//!
//! ```text
//!   consumer                                   producer
//!   gone |= GONE; tell the event count         write; publish tail
//!   heavy barrier                              light barrier
//!   take what is there                         look at the event count: told? then
//!   gone |= RETIRED ──► LATE was there?        gone |= LATE ──► RETIRED was there?
//!     yes: take what is there once more          yes: take what is there
//! ```
//!
//! Either the consumer finds the message behind its barrier, or the event count tells the producer. Then both set a bit of one word, and the side
//! that comes second takes what is left. So no message stays, and none is taken twice. Neither side waits for the other.
//!
//! A send pays nothing for this: each publication looks at the event count anyway, for a receiver that sleeps. If the producer has closed, or if the
//! messages have no drop of their own, the consumer tells nothing and passes no barrier. Without `std` there is no event count: the producer's next
//! operation drops what is left, or the last owner of the memory does.

#[cfg(feature = "std")]
mod between_processes;
mod consumer;
mod producer;
mod staging;

pub(crate) use consumer::Consumer;
pub(crate) use producer::Producer;
pub(crate) use staging::Staging;

use super::backend::Heap;
use super::layout::{ConsumerBlock, ProducerBlock, Stats};
use crate::sync::position::Position;

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
