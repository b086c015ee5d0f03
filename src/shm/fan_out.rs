//! One sender, several workers, each in a process of its own; each message goes to one of them.

mod receiver;
mod sender;

pub use receiver::Receiver;
pub use sender::Sender;

use crate::shm::builder::{Channel, Messages, Workers, parts};
use crate::shm::error::OpenError;
use crate::shm::schema::{Message, Schema};
use crate::shm::segment::layout::Kind;
use crate::shm::spsc::{CAPACITY, layout_of};
use crate::wait::WaitStrategy;

/// Opens the sides of a channel of messages `T` with many workers.
pub type Builder<T> = super::builder::Builder<Messages<T>, Workers>;

impl<T: Message> Channel for (Messages<T>, Workers) {
    type Sender = Sender<T>;
    type Receiver = Receiver<T>;

    const KIND: Kind = Kind::FanOut;
    const SCHEMA: Schema = T::SCHEMA;
    const CAPACITY: usize = CAPACITY;

    fn lane(capacity: usize) -> Result<parts::Lane, OpenError> {
        layout_of::<T>(Self::KIND, capacity).map(parts::Lane)
    }

    fn sender(
        parts::OpenedRole(opened): parts::OpenedRole,
        wait: WaitStrategy,
        _version: u32,
    ) -> Result<Sender<T>, OpenError> {
        Ok(Sender::begin(opened, wait))
    }

    fn receiver(parts::OpenedRole(opened): parts::OpenedRole, wait: WaitStrategy) -> Result<Receiver<T>, OpenError> {
        Receiver::begin(opened, wait)
    }
}
