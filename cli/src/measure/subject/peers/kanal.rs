//! `kanal::bounded`.

use std::time::Instant;

use kanal::{ReceiveErrorTimeout, Receiver, SendErrorTimeout, Sender, bounded};

use super::{NotReceived, NotSent, Peer};

pub(in super::super) enum Kanal {}

impl<T: Copy + Send + 'static> Peer<T> for Kanal {
    type Sender = Sender<T>;
    type Receiver = Receiver<T>;

    fn channel(capacity: usize, senders: usize) -> (Vec<Sender<T>>, Receiver<T>) {
        let (sender, receiver) = bounded(capacity);
        (vec![sender; senders], receiver)
    }

    #[inline]
    fn try_send(sender: &mut Sender<T>, message: T) -> Result<(), NotSent<T>> {
        match sender.try_send(message) {
            Ok(true) => Ok(()),
            Ok(false) => Err(NotSent::Full(message)),
            Err(_) => Err(NotSent::Gone),
        }
    }

    #[inline]
    fn try_receive(receiver: &mut Receiver<T>) -> Result<T, NotReceived> {
        receiver.try_recv().map_err(|_| NotReceived::Gone)?.ok_or(NotReceived::Empty)
    }

    fn sleep_and_send(sender: &mut Sender<T>, message: T, deadline: Instant) -> Result<(), NotSent<T>> {
        let left = deadline.saturating_duration_since(Instant::now());
        sender.send_timeout(message, left).map_err(|error| match error {
            SendErrorTimeout::Timeout => NotSent::Full(message),
            _ => NotSent::Gone,
        })
    }

    fn sleep_and_receive(receiver: &mut Receiver<T>, deadline: Instant) -> Result<T, NotReceived> {
        let left = deadline.saturating_duration_since(Instant::now());
        receiver.recv_timeout(left).map_err(|error| match error {
            ReceiveErrorTimeout::Timeout => NotReceived::Empty,
            _ => NotReceived::Gone,
        })
    }
}
