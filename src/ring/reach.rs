//! How far the reader of a mapped ring may look: no message is received from behind the end of a session that was not reported.

// Under loom the models of another crate use it.
#![cfg_attr(not(ringmail_loom), allow(unreachable_pub))]

/// How far a receiver may go: as far as the messages of the session that it is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Nowhere: that session has not begun.
    Nowhere,
    /// To the end of the ring: it is this session, the last.
    All(u64),
    /// Up to this count of messages.
    Until(u64),
}

/// A mapped ring, as one reads it who takes what another reader has left.
pub trait LeftRing {
    /// Has the writer find that no reader is there.
    fn refuse(&mut self);

    /// Looks for messages, of whichever session. How many there are.
    fn look_at_all(&mut self) -> u64;
}

/// A mapped ring, as the receiver reads it session by session.
pub trait BoundedReader {
    /// Looks for a message, no further than `reach`. Whether there is one. With [`Reach::Nowhere`]: whether a message lies there all the same.
    fn look_as_far(&mut self, reach: Reach) -> bool;

    /// Messages that were received.
    fn count(&self) -> u64;

    /// Whether the places of all of them are free: then none of them comes again, also if this side dies.
    fn has_freed(&self) -> bool;
}
