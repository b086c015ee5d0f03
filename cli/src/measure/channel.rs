//! The subject: a round trip over two real channels, one each way: `ringmail::spsc` between threads, or what another [`Link`] has.
//!
//! The sender writes every word of a message and the receiver reads and checks every word, so that the figures hold for
//! messages whose contents are used. The answer carries other words than the question.

use std::any::Any;
use std::sync::mpsc;
use std::time::Instant;

use ringmail::WaitStrategy;
use ringmail::error::BuildError;
use ringmail::spsc::{Builder, Receiver, Sender};

use super::plan::Plan;
use super::round_trip::{RoundTrip, StopReason, Turn};
use crate::options::Wait;

/// A message of `N` words of 8 bytes.
pub(crate) type Message<const N: usize> = [u64; N];

/// First words that end the channel's turn; sequence numbers never get there.
const SWITCH: u64 = u64::MAX / 2;
const QUIT: u64 = u64::MAX / 2 - 1;

/// Builds the channel into the calling thread; its memory is touched here first.
pub(crate) fn build<const N: usize>(
    capacity: usize,
    wait: Wait,
) -> Result<(Sender<Message<N>>, Receiver<Message<N>>), BuildError> {
    Builder::new(capacity).wait(strategy(wait)).build::<Message<N>>()
}

/// The library's name for this way to wait.
pub(super) fn strategy(wait: Wait) -> WaitStrategy {
    match wait {
        Wait::Spin => WaitStrategy::BusySpin,
        Wait::Yield => WaitStrategy::Yield,
        Wait::Park => WaitStrategy::Park,
    }
}

/// Two channels as one side has them: it sends into one and receives from the other.
///
/// The deadline is a fixed instant, so that a wait that succeeds at once need not read the clock.
pub(crate) trait Link<const N: usize> {
    /// Sends, waiting for room until the deadline.
    fn send(&mut self, message: Message<N>, deadline: Instant) -> Result<(), StopReason>;
    /// Receives, waiting for a message until the deadline.
    fn receive(&mut self, deadline: Instant) -> Result<Message<N>, StopReason>;
}

/// How one side gets its link.
pub(crate) trait Wire<const N: usize>: Send + 'static {
    type Link: Link<N>;
    /// On the side's own thread, which is pinned.
    fn connect(self, plan: &Plan) -> Result<Self::Link, StopReason>;
    /// What of it can be kept from being used again; on the same thread, when both are done.
    fn keep(link: Self::Link) -> Box<dyn Any + Send>;
}

/// Two channels between threads.
#[derive(Debug)]
pub(crate) struct Threads<const N: usize> {
    pub(crate) sender: Sender<Message<N>>,
    pub(crate) receiver: Receiver<Message<N>>,
}

impl<const N: usize> Link<N> for Threads<N> {
    #[inline]
    fn send(&mut self, message: Message<N>, deadline: Instant) -> Result<(), StopReason> {
        self.sender.send_deadline(message, deadline).map_err(|error| match error {
            ringmail::error::SendTimeoutError::Timeout(_) => StopReason::Silent,
            ringmail::error::SendTimeoutError::Disconnected(_) => StopReason::Gone,
        })
    }

    #[inline]
    fn receive(&mut self, deadline: Instant) -> Result<Message<N>, StopReason> {
        self.receiver.recv_deadline(deadline).map_err(|error| match error {
            ringmail::error::RecvTimeoutError::Timeout => StopReason::Silent,
            ringmail::error::RecvTimeoutError::Disconnected => StopReason::Gone,
        })
    }
}

/// One side's part in setting the channels up: each builds the one that it receives from, and swaps the far ends.
pub(super) struct Swap<const N: usize> {
    give: mpsc::SyncSender<Sender<Message<N>>>,
    take: mpsc::Receiver<Sender<Message<N>>>,
}

/// Both sides' parts.
pub(super) fn wires<const N: usize>() -> [Swap<N>; 2] {
    let (to_a, from_b) = mpsc::sync_channel(1);
    let (to_b, from_a) = mpsc::sync_channel(1);
    [Swap { give: to_b, take: from_b }, Swap { give: to_a, take: from_a }]
}

impl<const N: usize> Wire<N> for Swap<N> {
    type Link = Threads<N>;

    fn connect(self, plan: &Plan) -> Result<Threads<N>, StopReason> {
        let (far, receiver) =
            build::<N>(plan.capacity, plan.wait).map_err(|error| StopReason::Build(error.to_string()))?;
        self.give.send(far).map_err(|_| StopReason::Gone)?;
        let sender = self.take.recv_timeout(plan.patience()).map_err(|_| StopReason::Gone)?;
        Ok(Threads { sender, receiver })
    }

    fn keep(link: Threads<N>) -> Box<dyn Any + Send> {
        Box::new(link)
    }
}

/// One side's end of a link.
#[derive(Debug)]
pub(crate) struct ChannelEnd<L, const N: usize> {
    link: L,
    last: u64,
    deadline: Instant,
}

impl<L: Link<N>, const N: usize> ChannelEnd<L, N> {
    pub(crate) fn new(link: L) -> Self {
        Self { link, last: 0, deadline: Instant::now() }
    }

    pub(super) fn into_link(self) -> L {
        self.link
    }

    #[inline]
    fn send(&mut self, first: u64) -> Result<(), StopReason> {
        self.link.send(message(first), self.deadline)
    }

    /// Receives a message and returns its first word, once all words are known to belong to it.
    #[inline]
    fn receive(&mut self) -> Result<u64, StopReason> {
        let message = self.link.receive(self.deadline)?;
        if is_whole(&message) { Ok(message[0]) } else { Err(StopReason::Corrupt) }
    }
}

#[inline]
fn message<const N: usize>(first: u64) -> Message<N> {
    std::array::from_fn(|index| first.wrapping_add(index as u64))
}

#[inline]
fn is_whole<const N: usize>(message: &Message<N>) -> bool {
    // No early exit: every word is read, and the comparison can be done for several at once.
    let wrong =
        message.iter().enumerate().fold(0, |sum, (index, word)| sum | (word ^ message[0].wrapping_add(index as u64)));
    wrong == 0
}

impl<L: Link<N>, const N: usize> RoundTrip for ChannelEnd<L, N> {
    fn begin(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    #[inline]
    fn trip(&mut self) -> Result<(), StopReason> {
        self.last += 1;
        self.send(self.last)?;
        if self.receive()? == !self.last { Ok(()) } else { Err(StopReason::Corrupt) }
    }

    fn end(&mut self, turn: Turn) -> Result<(), StopReason> {
        let first = if turn == Turn::Quit { QUIT } else { SWITCH };
        self.send(first)?;
        if self.receive()? == !first { Ok(()) } else { Err(StopReason::Corrupt) }
    }

    fn echo(&mut self) -> Result<Turn, StopReason> {
        loop {
            let first = self.receive()?;
            self.send(!first)?;
            match first {
                QUIT => return Ok(Turn::Quit),
                SWITCH => return Ok(Turn::Switch),
                next if next == self.last + 1 => self.last = next,
                _ => return Err(StopReason::Corrupt),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_message_with_one_wrong_word_is_not_whole() {
        let good: Message<8> = message(u64::MAX - 3);
        assert!(is_whole(&good));
        for index in 1..8 {
            let mut bad = good;
            bad[index] ^= 1 << 40;
            assert!(!is_whole(&bad), "word {index}");
        }
    }

    fn ends() -> [ChannelEnd<Threads<4>, 4>; 2] {
        let [(to_b, at_b), (to_a, at_a)] = [(); 2].map(|()| build::<4>(2, Wait::Park).unwrap());
        [(to_b, at_a), (to_a, at_b)].map(|(sender, receiver)| ChannelEnd::new(Threads { sender, receiver }))
    }

    #[test]
    fn turns_switch_and_quit_in_step() {
        let [mut timing, mut answering] = ends();
        let deadline = Instant::now() + Duration::from_secs(60);
        let answering = std::thread::spawn(move || {
            answering.begin(deadline);
            [answering.echo(), answering.echo()]
        });
        timing.begin(deadline);
        for turn in [Turn::Switch, Turn::Quit] {
            (0..100).for_each(|_| timing.trip().unwrap());
            timing.end(turn).unwrap();
        }
        assert_eq!(answering.join().unwrap(), [Ok(Turn::Switch), Ok(Turn::Quit)]);
    }

    #[test]
    fn a_missing_peer_ends_the_wait() {
        let [mut timing, answering] = ends();
        assert_eq!(timing.trip(), Err(StopReason::Silent), "present but silent");
        drop(answering);
        assert_eq!(timing.trip(), Err(StopReason::Gone));
    }
}
