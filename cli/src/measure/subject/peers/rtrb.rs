//! `rtrb::RingBuffer`: one sender, one receiver, and no way to sleep.

use std::time::Instant;

use rtrb::{Consumer, Producer, PushError, RingBuffer};

use super::{NotReceived, NotSent, Peer};

pub(in super::super) enum Rtrb {}

impl<T: Send + 'static> Peer<T> for Rtrb {
    type Sender = Producer<T>;
    type Receiver = Consumer<T>;

    fn channel(capacity: usize, _senders: usize) -> (Vec<Producer<T>>, Consumer<T>) {
        let (sender, receiver) = RingBuffer::new(capacity);
        (vec![sender], receiver)
    }

    #[inline]
    fn try_send(sender: &mut Producer<T>, message: T) -> Result<(), NotSent<T>> {
        match sender.push(message) {
            Ok(()) => Ok(()),
            Err(PushError::Full(_)) if sender.is_abandoned() => Err(NotSent::Gone),
            Err(PushError::Full(message)) => Err(NotSent::Full(message)),
        }
    }

    #[inline]
    fn try_receive(receiver: &mut Consumer<T>) -> Result<T, NotReceived> {
        if let Ok(message) = receiver.pop() {
            return Ok(message);
        }
        if !receiver.is_abandoned() {
            return Err(NotReceived::Empty);
        }
        // What was sent just before the sender went.
        receiver.pop().map_err(|_| NotReceived::Gone)
    }

    // `--wait park` is refused for it.
    fn sleep_and_send(sender: &mut Producer<T>, message: T, _deadline: Instant) -> Result<(), NotSent<T>> {
        Self::try_send(sender, message)
    }

    fn sleep_and_receive(receiver: &mut Consumer<T>, _deadline: Instant) -> Result<T, NotReceived> {
        Self::try_receive(receiver)
    }
}
