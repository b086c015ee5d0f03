//! Sides of a channel: whose they are, how the other side's sessions are followed, and how an end is reported.

#[cfg(not(ringmail_loom))]
pub(crate) mod attachment;
pub(crate) mod leftovers;
pub(crate) mod reported_ends;
pub(crate) mod session;

/// Who of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg(not(ringmail_loom))]
pub enum Role {
    /// Sends.
    Sender,
    /// Receives.
    Receiver,
}
