//! The library's channels between threads: `spsc`, `mpsc`, `fan_in`.

use std::time::Instant;

use ringmail::error::{BuildError, RecvTimeoutError, SendTimeoutError};
use ringmail::{fan_in, mpsc, spsc};

use super::{Opened, ReceivingEnd, SendingEnd, Setup};
use crate::measure::channel::{Message, strategy};
use crate::measure::round_trip::StopReason;

fn unbuilt(error: BuildError) -> StopReason {
    StopReason::Build(error.to_string())
}

/// One sender, one receiver.
pub(super) fn spsc<const N: usize>(setup: Setup) -> Result<Opened<N>, StopReason> {
    let builder = spsc::Builder::new(setup.capacity).wait(strategy(setup.wait));
    let (sender, receiver) = builder.build::<Message<N>>().map_err(unbuilt)?;
    Ok(Opened::new(receiver, [sender]))
}

/// Many senders, one ring.
pub(super) fn mpsc<const N: usize>(setup: Setup) -> Result<Opened<N>, StopReason> {
    let builder = mpsc::Builder::new(setup.capacity).wait(strategy(setup.wait));
    let (sender, receiver) = builder.build::<Message<N>>().map_err(unbuilt)?;
    Ok(Opened::new(receiver, vec![sender; setup.senders]))
}

/// Many senders, a lane each.
pub(super) fn fan_in<const N: usize>(setup: Setup) -> Result<Opened<N>, StopReason> {
    let builder = fan_in::Builder::new(setup.capacity).wait(strategy(setup.wait));
    let (sender, receiver) = builder.build::<Message<N>>().map_err(unbuilt)?;
    let others = (1..setup.senders).map(|_| sender.lane().map_err(unbuilt)).collect::<Result<Vec<_>, _>>()?;
    Ok(Opened::new(receiver, others.into_iter().chain([sender])))
}

/// The verbs have the same names for all of them.
macro_rules! ends {
    ($($module:ident)*) => {$(
        impl<const N: usize> SendingEnd<N> for $module::Sender<Message<N>> {
            fn send(&mut self, message: Message<N>, deadline: Instant) -> Result<(), StopReason> {
                self.send_deadline(message, deadline).map_err(|error| match error {
                    SendTimeoutError::Timeout(_) => StopReason::Silent,
                    SendTimeoutError::Disconnected(_) => StopReason::Gone,
                })
            }
        }

        impl<const N: usize> ReceivingEnd<N> for $module::Receiver<Message<N>> {
            fn receive(&mut self, deadline: Instant) -> Result<Message<N>, StopReason> {
                self.recv_deadline(deadline).map_err(|error| match error {
                    RecvTimeoutError::Timeout => StopReason::Silent,
                    RecvTimeoutError::Disconnected => StopReason::Gone,
                })
            }
        }
    )*};
}

ends!(spsc mpsc fan_in);
