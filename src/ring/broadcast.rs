//! One producer, many consumers, each of which sees every message. Safe to call; the rules they keep are B1–B6.
//!
//! ```text
//!   producer's private copies                              each consumer's private copies
//!   tail, gate, changes, chain of live seats               head, seen
//!        │ writes                                                     │ writes
//!        ▼                                                            ▼
//!   ┌────────┐   ┌────────────────────────────────────────┐   ┌─────────────┐   ┌─────────────┐
//!   │ tail   │   │ slots: · · [a][ ][b][ ][ ][t) · · · ·   │   │ seat: head a│   │ seat: head b│ …
//!   └────────┘   │ producer writes [t, gate)              │   │ state       │   │ state       │
//!                │ consumer a reads [a, t), b reads [b, t)│   └─────────────┘   └─────────────┘
//!                └────────────────────────────────────────┘    a list that only grows, seats are used again
//! ```
//!
//! **Who writes what.** The producer writes `tail` and the slots. The owner of a seat writes its `head` and its `state`. Handles that come and go add to
//! the two counts of [`News`](memory::News), which are read much more often than written.
//!
//! **Invariants**
//! * B1 `gate ≤ head + capacity` for the head of every seat that gates, also of one that the producer has not seen yet.
//! * B2 Slots at positions `[tail, gate)` belong to the producer. It drops the older value there before it writes.
//! * B3 Slots at positions `[head, tail)` of a seat that gates hold one value each, which no side changes: consumers read them at the same time.
//! * B4 A seat has one owner at a time: its consumer; for a vacant seat the one that takes it by an exchange; for a free one the one that joins by it.
//! * B5 A head only moves forward, also from one owner of the seat to the next, and never past `tail`. A follower reads no message that a seat before it
//!   has not committed, as long as that seat is there.
//! * B6 Seats are freed with the memory. A reference to a seat is used with the memory that it was made in.
//!
//! **Joining without a handshake.** The producer reads the seats only when `tail` has reached `gate`, or when `changes` says that one came or went.
//! Between two looks it writes up to `gate`. A consumer that joins does not wait for such a look:
//!
//! ```text
//!   consumer                                  producer, when tail = gate
//!   head := tail; state := JOINING            tail stored before
//!   fence                                     fence
//!   t := tail; head := t; state := LIVE       reads all seats; gate := least head + capacity
//!   begins at t
//! ```
//!
//! Of the two fences one is first. If it is the consumer's, the producer sees the seat, with a head that is not beyond `t`. If it is the producer's, the
//! consumer sees a `tail` that is not behind the one at that fence, so `t + capacity` is not behind the gate of that look: B1. Without the second
//! read of `tail` slot `t` may be written over.
//!
//! The fence is needed once a lap, not at each look: the gate is also at most `capacity` beyond the `tail` of the last fence. So a producer that waits for
//! the slowest, message by message, reads heads and does not fence. A seat that is JOINING gates, but it gives no room: its consumer may not see what is sent for it.
//!
//! **Followers.** A consumer that comes after others sees a message when all of these have committed it: its limit is the least of their heads,
//! instead of `tail`. It can name seats only that are there already, so there is no cycle. A seat before it that is given up does not count any more.
//!
//! **Values** are dropped by the producer when their slot is written again, or when no handle is left that can receive; else by the last owner of the memory.
//! So there are no reference counts, and no consumer has to find out that it is the last.
//!
//! **Waking.** The producer looks at the event count of each live seat after each publication. It knows of a seat by `changes`, which it reads after
//! the publication too. A consumer that joins passes the same heavy barrier as one that goes to sleep, after it added to `changes`. So for each
//! publication either the consumer's next look sees the message, or the producer sees `changes`. Where there is no such barrier, the producer fences.
//!
//! **Steps.** Sending and receiving are wait-free: no loop waits for another thread. A look of the producer reads each seat that there ever was.
//!
//! Source of the idea: LMAX Disruptor (one ring, a sequence for each consumer, a producer that gates on the least of them and caches it, consumers
//! that depend on consumers); joins at run time are our own.

mod consumer;
mod join;
mod memory;
#[cfg(feature = "std")]
mod names;
mod producer;
mod seat;
mod staging;

pub(crate) use consumer::{Consumer, committing};
pub(crate) use join::Start;
pub(crate) use memory::{Member, Memory, Options};
#[cfg(feature = "std")]
pub(crate) use names::Refused;
pub(crate) use producer::Producer;
pub(crate) use seat::SeatRef;
pub(crate) use staging::Staging;
