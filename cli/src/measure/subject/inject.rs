//! Channels with a fault of a known size: what the self-test measures.

use std::time::{Duration, Instant};

use super::{Opened, ReceivingEnd, SendingEnd, Ticket};
use crate::measure::channel::Message;
use crate::measure::round_trip::StopReason;

/// So long a delayed sender holds each message back.
pub(crate) const DELAY: Duration = Duration::from_micros(5);
/// So often, and for so long, a side that stops does nothing.
pub(crate) const EVERY: Duration = Duration::from_millis(100);
pub(crate) const STOP: Duration = Duration::from_millis(10);

/// What is wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Each send takes [`DELAY`] longer.
    Delayed,
    /// The sender stops for [`STOP`] in each [`EVERY`].
    SenderStops,
    /// The receiver does.
    ReceiverStops,
}

impl Fault {
    /// Puts it into a channel, on the receiver's thread.
    pub(crate) fn into<const N: usize>(self, mut opened: Opened<N>) -> Opened<N> {
        match self {
            Self::None => {}
            Self::Delayed => opened.tickets = opened.tickets.into_iter().map(|it| faulty(it, || Delay)).collect(),
            Self::SenderStops => opened.tickets = opened.tickets.into_iter().map(|it| faulty(it, Stops::new)).collect(),
            Self::ReceiverStops => {
                opened.receiver = Box::new(With { end: opened.receiver, pause: Stops::new() });
            }
        }
        opened
    }
}

/// The ticket of a sender with a pause, which `pause` makes on the sender's thread.
fn faulty<P: Pause + 'static, const N: usize>(
    ticket: Ticket<N>,
    pause: impl FnOnce() -> P + Send + 'static,
) -> Ticket<N> {
    Box::new(move || Ok(Box::new(With { end: ticket()?, pause: pause() })))
}

/// An end that pauses.
struct With<E, P> {
    end: E,
    pause: P,
}

/// A time that passes before a message is handed over.
trait Pause {
    fn pass(&mut self);
}

fn spin_until(instant: Instant) {
    while Instant::now() < instant {
        std::hint::spin_loop();
    }
}

/// Before each message.
struct Delay;

impl Pause for Delay {
    fn pass(&mut self) {
        spin_until(Instant::now() + DELAY);
    }
}

/// Now and then. The stops lie on a grid, so that each ends at its time however late it began.
struct Stops {
    next: Instant,
}

impl Stops {
    fn new() -> Self {
        Self { next: Instant::now() + EVERY / 2 }
    }
}

impl Pause for Stops {
    fn pass(&mut self) {
        if Instant::now() < self.next {
            return;
        }
        spin_until(self.next + STOP);
        while self.next <= Instant::now() {
            self.next += EVERY;
        }
    }
}

impl<P: Pause, const N: usize> SendingEnd<N> for With<Box<dyn SendingEnd<N>>, P> {
    fn send(&mut self, message: Message<N>, deadline: Instant) -> Result<(), StopReason> {
        self.pause.pass();
        self.end.send(message, deadline)
    }
}

impl<P: Pause, const N: usize> ReceivingEnd<N> for With<Box<dyn ReceivingEnd<N>>, P> {
    fn receive(&mut self, deadline: Instant) -> Result<Message<N>, StopReason> {
        let message = self.end.receive(deadline)?;
        self.pause.pass();
        Ok(message)
    }
}
