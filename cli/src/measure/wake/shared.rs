//! A channel in shared memory as a subject. Both ends are of this process: what is measured is how its receiver sleeps.

use ringmail::WaitStrategy;
use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail::shm::{self, Schema};
use zerocopy::{Immutable, IntoBytes, TryFromBytes};

use super::subject::{CAPACITY, Ends, Receives, Sends, unbuilt};
use crate::measure::round_trip::StopReason;

/// A message as it lies in shared memory.
#[derive(Debug, Clone, Copy, TryFromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
pub(super) struct Number(u32);

impl shm::Message for Number {
    const SCHEMA: Schema = Schema::new("ringmail latency wake");
}

/// Anonymous: it has no name, and nothing of it stays.
pub(super) fn build(wait: WaitStrategy) -> Result<Ends, StopReason> {
    let memory = Builder::<Number>::create_anonymous(CAPACITY).map_err(unbuilt)?;
    let receiver = Builder::<Number>::from_fd(memory.clone()).wait(wait).open_receiver().map_err(unbuilt)?;
    let sender = Builder::<Number>::from_fd(memory).wait(WaitStrategy::Park).open_sender().map_err(unbuilt)?;
    Ok((Box::new(move || Ok(Box::new(sender) as _)), Box::new(move || Ok(Box::new(receiver) as _))))
}

impl Sends for Sender<Number> {
    #[inline]
    fn send(&mut self, message: u32) -> Result<(), StopReason> {
        Self::send(self, Number(message)).map_err(|_| StopReason::Gone)
    }
}

impl Receives for Receiver<Number> {
    #[inline]
    fn receive(&mut self) -> Result<u32, StopReason> {
        self.recv().map(|number| number.0).map_err(|_| StopReason::Gone)
    }
}
