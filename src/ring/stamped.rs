//! A ring that is written without looking at any reader: each message carries its number, and a reader that was too slow notices.
//!
//! ```text
//!   tail: stamp of the newest    slots, a power of two; message p lies in slot p mod capacity
//!  ┌──────────┐   ┌────────────┬────────────┬────────────┬────────────┐
//!  │    12    │   │ stamp 10   │ stamp 12   │ stamp 13   │ stamp 8    │     the sender writes message 6 over message 2
//!  └──────────┘   │ message 4  │ message 5  │ ·········· │ message 3  │
//!                 └────────────┴────────────┴────────────┴────────────┘
//! ```
//!
//! A stamp is `2p + 1` while message `p` is written, and `2p + 2` when it is whole. It lies in the line of the message: a message of up to 56
//! bytes costs one line to read, and none that other readers write.
//!
//! **Who writes what.** The sender writes every word. Readers write none: any number of them, from memory that they may only read.
//!
//! | step | sender | reader that wants message `p` |
//! |---|---|---|
//! | 1 | stamp := 2p + 1 | stamp = 2p + 2? Less: not sent yet. More: overrun |
//! | 2 | `fence(Release)` | reads the words |
//! | 3 | writes the words | `fence(Acquire)` |
//! | 4 | stamp := 2p + 2 | stamp still the same? If not: overrun, and what was read is not used |
//! | 5 | tail := 2p + 2, at least once in [`BATCH`] messages; a short message may be copied beside it first ([`newest`]) | |
//!
//! **Invariants**
//! * L1 A reader that finds the stamp `2p + 2` twice, with the words read between, has read message `p` whole: the first look comes after all
//!   stores of step 3 (`stamp_message`, `observe_message`); a word of a later message is preceded by its odd stamp, which the second look then
//!   sees, because of the two fences.
//! * L2 A reader that sees `tail = s` finds in the slot of the message of stamp `s` a stamp of `s` at least (`publish_newest`, `observe_newest`).
//! * L3 Stamps of a slot and `tail` only grow. `tail` is never odd.
//! * L4 Words of a message are read by atomic loads, and used as a value only if L1 holds. Of a message type every byte is initialised: no
//!   padding.
//!
//! **Steps.** The sender is wait-free. A reader's look is one pass. [`Reader::newest`] makes another pass only if the sender sent `capacity - 1`
//! messages or more during the last one.
//!
//! **A sender that dies** between two stores leaves a stamp that is odd: that message does not exist yet. The next sender goes on behind the last
//! stamp that is even, at most [`BATCH`] messages behind `tail`: none of their numbers is used again ([`Writer::resume`]).
//!
//! Source of the idea: the sequence lock (Lameter, "Effective Synchronization on Linux/NUMA Systems", 2005; its orderings are those of Boehm, "Can
//! seqlocks get along with programming language memory models?", MSPC 2012), one for each slot, as in Firedancer's `tango` and in Agrona's broadcast buffer.

pub(crate) mod between_processes;
mod heap;
pub(crate) mod newest;
mod reader;
pub(crate) mod words;
mod writer;

pub(crate) use heap::{Heap, pair};
pub(crate) use reader::{Look, Reader};
pub(crate) use words::{Memory, Words};
pub(crate) use writer::Writer;

/// Fewest slots: in one alone, each message would be written over the newest one.
pub(crate) const MIN_CAPACITY: usize = 2;

/// Most messages after which the sender publishes `tail`.
pub(crate) const BATCH: usize = 32;

/// Where a reader goes on that was overrun.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(unreachable_pub, reason = "public as `broadcast::lossy::Resume`")]
pub enum Resume {
    /// At the oldest message that is kept. A sender that goes on overruns it at once: for one that pauses.
    Oldest,
    /// In the middle of the messages that are kept.
    #[default]
    Middle,
    /// At the newest message.
    Newest,
}
