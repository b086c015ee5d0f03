//! A channel in shared memory without a name, both ends in this process.

use std::time::Instant;

use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail::shm::{self, Anonymous, Cause, RecvTimeoutError, Schema, SendTimeoutError};
use zerocopy::{Immutable, IntoBytes, TryFromBytes};

use super::{Opened, ReceivingEnd, SendingEnd, Setup};
use crate::measure::channel::{Message, strategy};
use crate::measure::round_trip::StopReason;

/// A message as it lies in that memory.
#[derive(Debug, Clone, Copy, TryFromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
struct Words<const N: usize>(Message<N>);

impl<const N: usize> shm::Message for Words<N> {
    const SCHEMA: Schema = Schema::new("ringmail latency load");
}

/// One sender, one receiver, in memory that processes can share.
pub(super) fn open<const N: usize>(setup: Setup) -> Result<Opened<N>, StopReason> {
    let channel = Builder::<Words<N>>::create_anonymous(setup.capacity).map_err(unopened)?;
    let receiver = builder::<N>(&channel, setup).open_receiver().map_err(unopened)?;
    let join = move |channel: Anonymous| builder::<N>(&channel, setup).open_sender().map_err(unopened);
    Ok(Opened::with(receiver, [channel], join))
}

fn builder<const N: usize>(channel: &Anonymous, setup: Setup) -> Builder<Words<N>> {
    Builder::from_fd(channel).prefault(true).wait(strategy(setup.wait))
}

fn unopened(error: shm::OpenError) -> StopReason {
    StopReason::Build(error.to_string())
}

fn reason(ended: Cause) -> StopReason {
    if ended == Cause::Corrupted { StopReason::Corrupt } else { StopReason::Gone }
}

impl<const N: usize> SendingEnd<N> for Sender<Words<N>> {
    fn send(&mut self, message: Message<N>, deadline: Instant) -> Result<(), StopReason> {
        self.send_deadline(Words(message), deadline).map_err(|error| match error {
            SendTimeoutError::Timeout(_) => StopReason::Silent,
            SendTimeoutError::Disconnected(_, ended) => reason(ended),
        })
    }
}

impl<const N: usize> ReceivingEnd<N> for Receiver<Words<N>> {
    fn receive(&mut self, deadline: Instant) -> Result<Message<N>, StopReason> {
        match self.recv_deadline(deadline) {
            Ok(words) => Ok(words.0),
            Err(RecvTimeoutError::Timeout) => Err(StopReason::Silent),
            Err(RecvTimeoutError::Disconnected(ended)) => Err(reason(ended)),
        }
    }
}
