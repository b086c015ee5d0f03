//! `crossbeam_channel::bounded`.

use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, TryRecvError, TrySendError, bounded};

use super::{NotReceived, NotSent, Peer};

pub(in super::super) enum Crossbeam {}

impl<T: Send + 'static> Peer<T> for Crossbeam {
    type Sender = Sender<T>;
    type Receiver = Receiver<T>;

    fn channel(capacity: usize, senders: usize) -> (Vec<Sender<T>>, Receiver<T>) {
        let (sender, receiver) = bounded(capacity);
        (vec![sender; senders], receiver)
    }

    #[inline]
    fn try_send(sender: &mut Sender<T>, message: T) -> Result<(), NotSent<T>> {
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

    fn sleep_and_send(sender: &mut Sender<T>, message: T, deadline: Instant) -> Result<(), NotSent<T>> {
        sender.send_deadline(message, deadline).map_err(|error| match error {
            SendTimeoutError::Timeout(message) => NotSent::Full(message),
            SendTimeoutError::Disconnected(_) => NotSent::Gone,
        })
    }

    fn sleep_and_receive(receiver: &mut Receiver<T>, deadline: Instant) -> Result<T, NotReceived> {
        receiver.recv_deadline(deadline).map_err(|error| match error {
            RecvTimeoutError::Timeout => NotReceived::Empty,
            RecvTimeoutError::Disconnected => NotReceived::Gone,
        })
    }
}
