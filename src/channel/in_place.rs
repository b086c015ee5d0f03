//! Verbs that move a message once, or not at all: written where it will lie, looked at where it lies, received where the caller wants it.

use super::{Flavor, Receiver, RingReceiver, RingSender, Sender};
use crate::error::{TryRecvError, TrySendError};
use crate::ring::place::{Filled, Place};
use crate::sync::OnDrop;
use core::mem::MaybeUninit;

/// Lends the next message to `look`, if one was seen. Then, also by a panic, drops it and frees its place.
#[inline(always)]
pub(crate) fn look_at_next<E: RingReceiver, R>(end: &mut E, look: impl FnOnce(&E::Item) -> R) -> Option<R> {
    let taking = OnDrop(end, |end: &mut E| end.skip(1));
    taking.0.front(0).map(look)
}

impl<T, S: Flavor> Sender<T, S> {
    /// Has `write` put the next message where it will lie, if there is room now, and sends it. For large messages.
    ///
    /// If `write` panics, nothing is sent, and what it has written is leaked. On `mpsc` the place is claimed before `write` runs: messages that other
    /// senders send meanwhile are received after this one, so make it short, and do not wait in it for the receiver.
    ///
    /// Wait-free apart from `write`; on `mpsc` lock-free.
    ///
    /// # Errors
    /// `Full` or `Disconnected`, each with `write`, which was not called.
    ///
    /// ```
    /// let (mut tx, mut rx) = ringmail::spsc::channel::<[u64; 512]>(4)?;
    /// assert!(tx.try_send_with(|place| place.write([7; 512])).is_ok());
    /// assert_eq!(rx.try_recv_with(|message| message.iter().sum::<u64>()), Ok(512 * 7));
    /// # Ok::<(), ringmail::BuildError>(())
    /// ```
    #[inline]
    pub fn try_send_with<F>(&mut self, write: F) -> Result<(), TrySendError<F>>
    where
        F: FnOnce(Place<'_, T>) -> Filled<'_>,
    {
        match self.end.push_with(write) {
            Ok(()) => Ok(()),
            Err(write) => Err(self.refusal().map(|()| write)),
        }
    }

    /// Sends a copy of `message` if there is room now. Copies it once, from where it is.
    ///
    /// As [`Sender::try_send`], plus the copy.
    ///
    /// # Errors
    /// `Full` or `Disconnected`.
    #[inline]
    pub fn try_send_ref(&mut self, message: &T) -> Result<(), TrySendError<()>>
    where
        T: Copy,
    {
        self.try_send_with(|place| place.copy_from(message)).map_err(|refused| refused.map(drop))
    }
}

impl<T, S: Flavor> Receiver<T, S> {
    /// Lends the next message to `look` where it lies, if there is one now. Then drops it and frees its place. Returns what `look` returns.
    ///
    /// Senders cannot change the message meanwhile. It counts as received before `look` sees it: if `look` panics, the message is dropped.
    ///
    /// Wait-free apart from `look`; with lanes it may look at each of them.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`]; `look` was not called.
    #[inline]
    pub fn try_recv_with<R>(&mut self, look: impl FnOnce(&T) -> R) -> Result<R, TryRecvError> {
        if !self.end.has_message() {
            return Err(self.nothing());
        }
        // There is one: it was just found.
        look_at_next(&mut self.end, look).ok_or(TryRecvError::Empty)
    }

    /// Moves the next message to `target`, if there is one now, and returns it there. Copies it once.
    ///
    /// Wait-free; with lanes it may look at each of them.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`]; `target` is as it was.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// let (mut tx, mut rx) = ringmail::mpsc::channel::<[u64; 512]>(4)?;
    /// tx.try_send_ref(&[7; 512])?;
    /// let mut target = MaybeUninit::uninit();
    /// assert_eq!(rx.try_recv_into(&mut target)?, &[7; 512]);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_recv_into<'t>(&mut self, target: &'t mut MaybeUninit<T>) -> Result<&'t mut T, TryRecvError> {
        match self.end.next() {
            Some(next) => Ok(next.take_as(|message| target.write(message))),
            None => Err(self.nothing()),
        }
    }
}
