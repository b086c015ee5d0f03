//! Verbs that move a message once, or not at all, as those of the other channels.

use super::Endpoint;
use super::send::no_lane;
use super::{Disconnected, Peers, TryRecvError, TrySendError};
use crate::channel::RingSender;
use crate::ring::place::{Filled, Place};
use core::mem::MaybeUninit;

impl<T> Endpoint<T> {
    /// Has `write` put the next message for `peer` where it will lie, if there is room now, and sends it. As
    /// [`Sender::try_send_with`](crate::Sender::try_send_with).
    ///
    /// # Errors
    /// As [`Endpoint::try_send_to`], each with `write`, which was not called.
    ///
    /// ```
    /// let mut seats = ringmail::mesh::Builder::new().shards(2).build::<[u8; 4096]>()?.into_iter();
    /// let (mut here, mut there) = (seats.next().unwrap().join()?, seats.next().unwrap().join()?);
    /// assert!(here.try_send_with_to(1, |place| place.write_each(|i| i as u8)).is_ok());
    /// assert_eq!(there.try_recv_with(|peer, message| (peer, message[300])), Ok((0, 44)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_send_with_to<F>(&mut self, peer: usize, write: F) -> Result<(), TrySendError<F, Disconnected>>
    where
        F: FnOnce(Place<'_, T>) -> Filled<'_>,
    {
        let Some(lane) = self.lanes.out.to(peer) else { return Err(no_lane(peer, write).into()) };
        match lane.end.push_with(write) {
            Ok(()) => Ok(()),
            Err(write) => Err(self.refusal(peer, write)),
        }
    }

    /// Sends a copy of `message` to `peer` if there is room now. Copies it once, from where it is.
    ///
    /// # Errors
    /// As [`Endpoint::try_send_to`].
    #[inline]
    pub fn try_send_ref_to(&mut self, peer: usize, message: &T) -> Result<(), TrySendError<(), Disconnected>>
    where
        T: Copy,
    {
        self.try_send_with_to(peer, |place| place.copy_from(message)).map_err(|refused| match refused {
            TrySendError::Full(_) => TrySendError::Full(()),
            TrySendError::Disconnected(_, gone) => TrySendError::Disconnected((), gone),
        })
    }

    /// Lends the next message to `look` where it lies, with the number of the peer that sent it, if there is one now. Then drops it and frees its place.
    /// As [`Receiver::try_recv_with`](crate::Receiver::try_recv_with).
    ///
    /// # Errors
    /// As [`Endpoint::try_recv`]; `look` was not called.
    #[inline]
    pub fn try_recv_with<R>(&mut self, look: impl FnOnce(usize, &T) -> R) -> Result<R, TryRecvError<Peers>> {
        if !self.find() {
            return Err(self.nothing());
        }
        // There is one: it was just found.
        self.lanes.inbox.look_at_next(look).ok_or(TryRecvError::Empty)
    }

    /// Moves the next message to `target`, if there is one now. Returns the number of the peer that sent it, and the message there. Copies it once.
    ///
    /// # Errors
    /// As [`Endpoint::try_recv`]; `target` is as it was.
    #[inline]
    pub fn try_recv_into<'t>(
        &mut self,
        target: &'t mut MaybeUninit<T>,
    ) -> Result<(usize, &'t mut T), TryRecvError<Peers>> {
        loop {
            if let Some((peer, message)) = self.lanes.inbox.next_seen() {
                return Ok((peer, message.take_as(|message| target.write(message))));
            }
            if !self.find_next() {
                return Err(self.nothing());
            }
        }
    }
}
