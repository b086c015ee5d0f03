//! `std::sync::mpsc::sync_channel`.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::Instant;

use super::{NotReceived, NotSent, Peer};

pub(in super::super) enum Std {}

impl<T: Send + 'static> Peer<T> for Std {
    type Sender = SyncSender<T>;
    type Receiver = Receiver<T>;

    fn channel(capacity: usize, senders: usize) -> (Vec<SyncSender<T>>, Receiver<T>) {
        let (sender, receiver) = sync_channel(capacity);
        (vec![sender; senders], receiver)
    }

    #[inline]
    fn try_send(sender: &mut SyncSender<T>, message: T) -> Result<(), NotSent<T>> {
        sender.try_send(message).map_err(|error| match error {
            TrySendError::Full(message) => NotSent::Full(message),
            TrySendError::Disconnected(_) => NotSent::Gone,
        })
    }

    #[inline]
    fn try_receive(receiver: &mut Receiver<T>) -> Result<T, NotReceived> {
        receiver.try_recv().map_err(|error| match error {
            TryRecvError::Empty => NotReceived::Empty,
            TryRecvError::Disconnected => NotReceived::Gone,
        })
    }

    // There is no blocking send with a deadline.
    fn sleep_and_send(sender: &mut SyncSender<T>, mut message: T, deadline: Instant) -> Result<(), NotSent<T>> {
        loop {
            match Self::try_send(sender, message) {
                Err(NotSent::Full(back)) if Instant::now() < deadline => message = back,
                sent => return sent,
            }
            std::thread::yield_now();
        }
    }

    fn sleep_and_receive(receiver: &mut Receiver<T>, deadline: Instant) -> Result<T, NotReceived> {
        let left = deadline.saturating_duration_since(Instant::now());
        receiver.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => NotReceived::Empty,
            RecvTimeoutError::Disconnected => NotReceived::Gone,
        })
    }
}
