//! Channels of other libraries. Each has its own verbs to try and to sleep; spinning and yielding is done here, alike for all.
//!
//! ```text
//!   --wait spin    try, pause, try …
//!   --wait yield   try, yield the core, try …
//!   --wait park    the library's own blocking verb
//! ```

mod crossbeam;
mod kanal;
mod rtrb;
mod std_mpsc;
mod tokio;

use std::marker::PhantomData;
use std::time::Instant;

use super::{Opened, ReceivingEnd, SendingEnd, Setup};
use crate::measure::channel::Message;
use crate::measure::round_trip::StopReason;
use crate::options::Wait;

pub(super) use self::crossbeam::Crossbeam;
pub(super) use self::kanal::Kanal;
pub(super) use self::rtrb::Rtrb;
pub(super) use self::std_mpsc::Std;
pub(super) use self::tokio::Tokio;

/// Tries between two looks at the time.
const TRIES: u32 = 64;

/// Why a send did not happen; the message comes back if there is another try.
pub(super) enum NotSent<T> {
    Full(T),
    Gone,
}

/// Why nothing was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotReceived {
    Empty,
    Gone,
}

/// A bounded channel of another library.
pub(super) trait Peer<T>: 'static {
    type Sender: Send + 'static;
    type Receiver: Send + 'static;

    /// With as many senders.
    fn channel(capacity: usize, senders: usize) -> (Vec<Self::Sender>, Self::Receiver);
    fn try_send(sender: &mut Self::Sender, message: T) -> Result<(), NotSent<T>>;
    fn try_receive(receiver: &mut Self::Receiver) -> Result<T, NotReceived>;
    /// Sleeps until there is room; [`NotSent::Full`] after the deadline.
    fn sleep_and_send(sender: &mut Self::Sender, message: T, deadline: Instant) -> Result<(), NotSent<T>>;
    /// Sleeps until there is a message, [`NotReceived::Empty`] after the deadline.
    fn sleep_and_receive(receiver: &mut Self::Receiver, deadline: Instant) -> Result<T, NotReceived>;
}

/// One of its ends, and how that waits.
struct End<P, E> {
    end: E,
    wait: Wait,
    peer: PhantomData<fn() -> P>,
}

pub(super) fn open<P: Peer<Message<N>>, const N: usize>(setup: Setup) -> Opened<N> {
    let (senders, end) = P::channel(setup.capacity, setup.senders);
    let receiver = End::<P, _> { end, wait: setup.wait, peer: PhantomData };
    let senders = senders.into_iter().map(|end| End::<P, _> { end, wait: setup.wait, peer: PhantomData });
    Opened::new(receiver, senders)
}

impl<P: Peer<Message<N>>, const N: usize> SendingEnd<N> for End<P, P::Sender> {
    fn send(&mut self, mut message: Message<N>, deadline: Instant) -> Result<(), StopReason> {
        loop {
            for _ in 0..TRIES {
                match P::try_send(&mut self.end, message) {
                    Ok(()) => return Ok(()),
                    Err(NotSent::Gone) => return Err(StopReason::Gone),
                    Err(NotSent::Full(back)) => message = back,
                }
                if self.wait == Wait::Park {
                    return P::sleep_and_send(&mut self.end, message, deadline).map_err(|reason| match reason {
                        NotSent::Full(_) => StopReason::Silent,
                        NotSent::Gone => StopReason::Gone,
                    });
                }
                between_tries(self.wait);
            }
            if Instant::now() >= deadline {
                return Err(StopReason::Silent);
            }
        }
    }
}

impl<P: Peer<Message<N>>, const N: usize> ReceivingEnd<N> for End<P, P::Receiver> {
    fn receive(&mut self, deadline: Instant) -> Result<Message<N>, StopReason> {
        let reason = |reason| match reason {
            NotReceived::Empty => StopReason::Silent,
            NotReceived::Gone => StopReason::Gone,
        };
        loop {
            for _ in 0..TRIES {
                match P::try_receive(&mut self.end) {
                    Err(NotReceived::Empty) => {}
                    received => return received.map_err(reason),
                }
                if self.wait == Wait::Park {
                    return P::sleep_and_receive(&mut self.end, deadline).map_err(reason);
                }
                between_tries(self.wait);
            }
            if Instant::now() >= deadline {
                return Err(StopReason::Silent);
            }
        }
    }
}

fn between_tries(wait: Wait) {
    match wait {
        Wait::Yield => std::thread::yield_now(),
        Wait::Spin | Wait::Park => std::hint::spin_loop(),
    }
}
