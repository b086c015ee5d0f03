//! A mesh of the senders and the receiver.

use std::time::Instant;

use ringmail::mesh::{Builder, Endpoint, RecvTimeoutError, Seat, SendTimeoutError, TryRecvError, TrySendError};

use super::{Opened, ReceivingEnd, SendingEnd, Setup};
use crate::measure::channel::{Message, strategy};
use crate::measure::round_trip::StopReason;

/// Number of the receiver's seat.
const RECEIVER: usize = 0;

/// The endpoint of a sender. It cannot leave its thread.
struct From<const N: usize>(Endpoint<Message<N>>);

/// The endpoint of the receiver.
struct Into<const N: usize>(Endpoint<Message<N>>);

/// A mesh that has no other endpoints.
pub(super) fn open<const N: usize>(setup: Setup) -> Result<Opened<N>, StopReason> {
    let builder = Builder::new().shards(1 + setup.senders).capacity(setup.capacity).wait(strategy(setup.wait));
    let mut seats = builder.prefault(true).build().map_err(|error| StopReason::Build(error.to_string()))?;
    let receiver = Into(join(seats.remove(RECEIVER))?);
    Ok(Opened::with(receiver, seats, |seat| Ok(From(join(seat)?))))
}

fn join<const N: usize>(seat: Seat<Message<N>>) -> Result<Endpoint<Message<N>>, StopReason> {
    seat.join().map_err(|error| StopReason::Build(error.to_string()))
}

impl<const N: usize> SendingEnd<N> for From<N> {
    fn send(&mut self, message: Message<N>, deadline: Instant) -> Result<(), StopReason> {
        let message = match self.0.try_send_to(RECEIVER, message) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(message)) => message,
            Err(TrySendError::Disconnected(..)) => return Err(StopReason::Gone),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        self.0.send_timeout_to(RECEIVER, message, left).map_err(|error| match error {
            SendTimeoutError::Timeout(_) => StopReason::Silent,
            SendTimeoutError::Disconnected(..) => StopReason::Gone,
        })
    }
}

impl<const N: usize> ReceivingEnd<N> for Into<N> {
    fn receive(&mut self, deadline: Instant) -> Result<Message<N>, StopReason> {
        match self.0.try_recv() {
            Ok((_, message)) => return Ok(message),
            Err(TryRecvError::Empty) => {}
            Err(_) => return Err(StopReason::Gone),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match self.0.recv_timeout(left) {
            Ok((_, message)) => Ok(message),
            Err(RecvTimeoutError::Timeout) => Err(StopReason::Silent),
            Err(RecvTimeoutError::Disconnected(_)) => Err(StopReason::Gone),
        }
    }
}
