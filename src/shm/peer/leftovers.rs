//! What a worker of a fan-out left, in the hands of one that has taken the lock of its lane.
//!
//! ```text
//!  worker of the lane              another worker, or the next of the lane           sender
//!    takes, frees                    takes the lock: all that the last one           sees that the lane is refused: sends elsewhere
//!    ends, or is killed              with it freed is seen
//!    the lock is free                enters the death, refuses                      a message that it sends meanwhile
//!                                    takes the next message, frees it                lies in the lane, for the next who takes the lock
//!                                    gives the lock back
//! ```
//!
//! The words of a lane's reading side are written by the process that has the kernel's lock for it, whichever that is. So no message is taken twice, and
//! none is left out: positions say what was not received, and the lock says that no process is about to.

// Under loom the models of another crate use it.
#![cfg_attr(not(ringmail_loom), allow(unreachable_pub))]

use super::session::Session;
use crate::ring::reach::LeftRing;
use crate::sync::order::mutant;

/// To be called by a process that has got the lock of a lane's reading side, and begins no session: makes the end of the last one known. `of` are that side's
/// words. How many messages it has left.
pub fn find_left(of: &Session, ring: &mut impl LeftRing) -> u64 {
    if !mutant!(LeftRefuses) {
        // The end first: a sender that finds the lane refused finds an end to go on from.
        of.bury();
        ring.refuse();
    }
    ring.look_at_all()
}

/// Whether the end of a sender's session may be told, to a worker whose lane has shown it: no lane holds a message any more. `is_empty` looks at
/// the lanes' positions: to be called after the end was seen.
pub fn is_all_received(lanes: impl Iterator<Item = bool>) -> bool {
    let mut lanes = lanes;
    mutant!(EndWaits) || lanes.all(|is_empty| is_empty)
}
