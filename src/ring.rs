//! The ring: one bounded queue in shared words, one writer per word. With `sync`, the place of the crate's unsafe code.
//!
//! ```text
//!   producer's private copies                                         consumer's private copies
//!   tail, full_at                                                     head, tail_seen
//!        │ writes            ┌────────── reads, when out of room ──────────┐ writes │
//!        ▼                   │                                             │        ▼
//!   ┌──────────────┐   ┌─────┴────────────────────────────────────┐   ┌────┴─────────┐
//!   │ tail, closed │   │ slots: · · · [h][ ][ ][ ][t) · · · · · · │   │ head         │
//!   └──────┬───────┘   │   producer writes [t, full_at)           │   ├──────────────┤
//!          │           │   consumer reads  [h, t)                 │   │ gone         │
//!          │           └──────────────────────────────────────────┘   └──────────────┘
//!          └────────── read by the consumer, when out of messages ─────────▲
//! ```
//!
//! **Who writes what.** The producer writes `tail` and the slots in `[tail, full_at)`. The consumer writes `head` and `gone`. After the consumer
//! has left, the producer writes there too: [`spsc`] says what. A side publishes a position with a Release store, and the other side loads it with
//! Acquire: that hands the values over ([`order`](crate::sync::order)).
//!
//! **Invariants**
//! * I1 `head ≤ tail ≤ head + capacity`, and `capacity ≤ mask + 1`: distances never wrap ([`position`](crate::sync::position)).
//! * I2 Slots at positions `[tail, head + capacity)` hold no value and belong to the producer.
//! * I3 Slots at positions `[head, tail)` hold one value each and belong to the consumer.
//! * I4 At most one producer and one consumer are attached; each moves its own word only, and only forward.
//! * I5 After `tail` carries its closed bit, its owner never writes it again. When both sides part, the consumer sets RETIRED and the producer sets
//!   LATE in one word. The side that comes second owns the slots of I3 and `head`, and drops what is left.
//! * I6 A side's private copy of its own position is at or ahead of the published one; its copy of the other side's
//!   position is at or behind it. Both errors only make the ring look fuller or emptier than it is, and "full" and
//!   "empty" are never answered from the copy: the word is read again first.
//!
//! **Steps.** Every operation here is wait-free: no loop waits for another thread.
//!
//! **Panics.** A position moves past a value before that value's own code (`drop`, a closure) can run, and a guard publishes the position.
//! So each value is dropped exactly once, also when that code panics.
//!
//! **A thread that dies** between two stores leaves a ring in which its next message does not exist yet.
//!
//! Source of the idea: Lamport's one-producer one-consumer queue (1983), with each side caching the other's index as
//! in FastFlow, MCRingBuffer and rigtorp's `SPSCQueue`.
#![allow(unsafe_code)]

pub(crate) mod backend;
pub(crate) mod layout;
pub(crate) mod mpsc;
pub(crate) mod place;
#[cfg(feature = "std")]
pub(crate) mod reach;
#[cfg(all(feature = "std", not(ringmail_loom)))]
mod region;
pub(crate) mod slip;
pub(crate) mod slot;
pub(crate) mod spsc;
#[cfg(feature = "lossy")]
pub(crate) mod stamped;
mod storage;
