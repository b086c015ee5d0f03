//! Makes a channel's slots present, by the thread whose memory they are to be.
//!
//! A channel does not touch its slots when it is built: the first to write one would be the sender, on its own node.

use ringmail::{Flavor, Receiver, Sender};

use super::round_trip::StopReason;
use crate::placement::Placement;

/// Fills the empty channel with copies of `message` and empties it. Then has the placement look at its pages, if it wants to.
pub(super) fn touch<T: Copy, S: Flavor>(
    sender: &mut Sender<T, S>,
    receiver: &mut Receiver<T, S>,
    message: &T,
    placement: &Placement,
) -> Result<(), StopReason> {
    /// No page is smaller.
    const PAGE: usize = 4096;
    while sender.try_send_ref(message).is_ok() {}
    let mut addresses = Vec::new();
    let looks = placement.looks();
    let mut note = |slot: &T| {
        let start = std::ptr::from_ref(slot).expose_provenance();
        // A page once, and the end of each slot: the last slot's is the end of all.
        for address in (start..start + size_of::<T>()).step_by(PAGE).chain([start + size_of::<T>() - 1]) {
            if looks && addresses.last().is_none_or(|last| last / PAGE != address / PAGE) {
                addresses.push(address);
            }
        }
    };
    while receiver.try_recv_with(&mut note).is_ok() {}
    if looks { placement.settle(&addresses) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use ringmail::spsc;

    use super::*;

    #[test]
    fn a_channel_is_as_new_after_it_was_touched() {
        let (mut sender, mut receiver) = spsc::channel::<u64>(1000).unwrap();
        touch(&mut sender, &mut receiver, &7, &Placement::default()).unwrap();
        assert!(receiver.is_empty());
        (0..1000).for_each(|i| sender.try_send(i).unwrap());
        assert!((0..1000).all(|i| receiver.try_recv() == Ok(i)));
    }
}
