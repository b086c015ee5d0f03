//! The subject: a round trip over two real channels, one each way: `ringmail::spsc` between threads, or what another [`Link`] has.
//!
//! The sender writes every word of a message and the receiver reads and checks every word, so that the figures hold for
//! messages whose contents are used. The answer carries other words than the question. Large messages are written and read in a buffer of their own, and
//! are copied from there to the channel and back once each.

use std::any::Any;
use std::mem::MaybeUninit;
use std::sync::mpsc;
use std::time::Instant;

use hdrhistogram::Histogram;
use ringmail::error::BuildError;
use ringmail::spsc::{Builder, Receiver, Sender};
use ringmail::{TryRecvError, TrySendError, WaitStrategy};

use super::plan::Plan;
use super::round_trip::{RoundTrip, StopReason, Turn};
use super::slice::{Slice, run_slice};
use super::touch::touch;
use crate::options::Wait;
use crate::placement::Memory;

/// A message of `N` words of 8 bytes.
pub(crate) type Message<const N: usize> = [u64; N];

/// Messages of more words are not passed by value.
const BY_VALUE: usize = 128;

/// Looks at a channel between two looks at the time.
const LOOKS: u32 = 1024;

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
    /// Sends a copy, as [`Link::send`] does.
    fn send_copy(&mut self, message: &Message<N>, deadline: Instant) -> Result<(), StopReason>;
    /// Receives to `place`, as [`Link::receive`] does.
    fn receive_to(&mut self, place: &mut MaybeUninit<Message<N>>, deadline: Instant) -> Result<(), StopReason>;
}

/// Tries over and over until the deadline; `None` means again.
pub(super) fn spin_until<R>(
    deadline: Instant,
    mut attempt: impl FnMut() -> Option<Result<R, StopReason>>,
) -> Result<R, StopReason> {
    loop {
        for _ in 0..LOOKS {
            if let Some(done) = attempt() {
                return done;
            }
            std::hint::spin_loop();
        }
        if Instant::now() > deadline {
            return Err(StopReason::Silent);
        }
    }
}

/// How one side gets its link.
pub(crate) trait Wire<const N: usize>: Send + 'static {
    type Link: Link<N>;
    /// On the side's own thread, which is pinned.
    fn connect(self, plan: &Plan) -> Result<Self::Link, StopReason>;
    /// What of it can be kept from being used again; on the same thread, when both are done.
    fn keep(link: Self::Link) -> Box<dyn Any + Send>;
}

/// A side's channels, whatever their messages are: its slices are compiled for each, and what is around them once for all.
pub(crate) trait Turns: RoundTrip {
    /// [`run_slice`] with it.
    fn slice(&mut self, plan: &Plan, trips: u32, most: u64, samples: &mut Histogram<u64>) -> Result<Slice, StopReason>;
    /// Round trips so far.
    fn trips(&self) -> u64;
    /// As [`Wire::keep`].
    fn keep(self: Box<Self>) -> Box<dyn Any + Send>;
}

/// [`Wire::connect`] of any wire.
pub(crate) type Connect = Box<dyn FnOnce(&Plan) -> Result<Box<dyn Turns>, StopReason> + Send>;

/// Forgets which wire it is.
pub(super) fn connects<W: Wire<N>, const N: usize>(wire: W) -> Connect {
    Box::new(move |plan| Ok(Box::new(Connected::<W, N>(ChannelEnd::new(wire.connect(plan)?)))))
}

/// What a wire has become.
struct Connected<W: Wire<N>, const N: usize>(ChannelEnd<W::Link, N>);

impl<W: Wire<N>, const N: usize> Turns for Connected<W, N> {
    fn slice(&mut self, plan: &Plan, trips: u32, most: u64, samples: &mut Histogram<u64>) -> Result<Slice, StopReason> {
        run_slice(&mut self.0, plan, trips, most, samples)
    }

    fn trips(&self) -> u64 {
        self.0.trips()
    }

    fn keep(self: Box<Self>) -> Box<dyn Any + Send> {
        let (link, buffers) = self.0.into_parts();
        Box::new((W::keep(link), buffers))
    }
}

impl<W: Wire<N>, const N: usize> RoundTrip for Connected<W, N> {
    fn begin(&mut self, deadline: Instant) {
        self.0.begin(deadline);
    }

    fn trip(&mut self) -> Result<(), StopReason> {
        self.0.trip()
    }

    fn end(&mut self, turn: Turn) -> Result<(), StopReason> {
        self.0.end(turn)
    }

    fn echo(&mut self) -> Result<Turn, StopReason> {
        self.0.echo()
    }
}

/// Two channels between threads.
#[derive(Debug)]
pub(crate) struct Threads<const N: usize> {
    pub(crate) sender: Sender<Message<N>>,
    pub(crate) receiver: Receiver<Message<N>>,
    pub(crate) wait: Wait,
    /// What the other end came in.
    pub(crate) _spent: Option<Box<dyn Any + Send>>,
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

    #[inline]
    fn send_copy(&mut self, message: &Message<N>, deadline: Instant) -> Result<(), StopReason> {
        // There is room but for what the other side has yet to take away: one message is in flight.
        spin_until(deadline, || match self.sender.try_send_ref(message) {
            Ok(()) => Some(Ok(())),
            Err(TrySendError::Full(())) => None,
            Err(TrySendError::Disconnected(())) => Some(Err(StopReason::Gone)),
        })
    }

    #[inline]
    fn receive_to(&mut self, place: &mut MaybeUninit<Message<N>>, deadline: Instant) -> Result<(), StopReason> {
        let mut attempt = || match self.receiver.try_recv_into(place) {
            Ok(_) => Some(Ok(())),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(StopReason::Gone)),
        };
        if self.wait == Wait::Spin {
            return spin_until(deadline, attempt);
        }
        if let Some(done) = attempt() {
            return done;
        }
        // The verb that waits with a deadline returns by value: one more copy.
        place.write(self.receive(deadline)?);
        Ok(())
    }
}

/// One side's part in setting the channels up: each builds the one that is to be its memory, usually that which it receives from, and swaps the far ends.
pub(super) struct Swap<const N: usize> {
    give: mpsc::SyncSender<Box<dyn Any + Send>>,
    take: mpsc::Receiver<Box<dyn Any + Send>>,
}

/// The end that is for the other side.
enum Far<const N: usize> {
    Sender(Sender<Message<N>>),
    Receiver(Receiver<Message<N>>),
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
        let (mut sender, mut receiver) =
            build::<N>(plan.capacity, plan.wait).map_err(|error| StopReason::Build(error.to_string()))?;
        touch(&mut sender, &mut receiver, &[0; N], &plan.placement)?;
        let (near, far) = match plan.placement.memory() {
            Memory::Sender => (Far::Sender(sender), Far::Receiver(receiver)),
            Memory::Receiver | Memory::Node(_) => (Far::Receiver(receiver), Far::Sender(sender)),
        };
        self.give.send(Box::new(Some(far))).map_err(|_| StopReason::Gone)?;
        let other = self.take.recv_timeout(plan.patience()).map_err(|_| StopReason::Gone)?;
        let mut other = other.downcast::<Option<Far<N>>>().map_err(|_| StopReason::Corrupt)?;
        match (near, other.take()) {
            (Far::Sender(sender), Some(Far::Receiver(receiver)))
            | (Far::Receiver(receiver), Some(Far::Sender(sender))) => {
                // Freed here, what the other thread allocated would serve that thread's next visit.
                Ok(Threads { sender, receiver, wait: plan.wait, _spent: Some(other) })
            }
            _ => Err(StopReason::Corrupt),
        }
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
    /// Large messages on their way out and in.
    out: Box<Message<N>>,
    inbox: Box<MaybeUninit<Message<N>>>,
}

impl<L: Link<N>, const N: usize> ChannelEnd<L, N> {
    pub(crate) fn new(link: L) -> Self {
        // Not made on the stack.
        let out = vec![0; N].into_boxed_slice().try_into().expect("as many words as were asked for");
        Self { link, last: 0, deadline: Instant::now(), out, inbox: Box::new_uninit() }
    }

    /// Round trips that this side began, if it is the timing one.
    pub(super) fn trips(&self) -> u64 {
        self.last
    }

    /// The link, and what else is to be kept with it.
    pub(super) fn into_parts(self) -> (L, Box<dyn Any + Send>) {
        (self.link, Box::new((self.out, self.inbox)))
    }

    #[inline]
    fn send(&mut self, first: u64) -> Result<(), StopReason> {
        if N <= BY_VALUE {
            return self.link.send(message(first), self.deadline);
        }
        for (index, word) in self.out.iter_mut().enumerate() {
            *word = first.wrapping_add(index as u64);
        }
        self.link.send_copy(&self.out, self.deadline)
    }

    /// Receives a message and returns its first word, once all words are known to belong to it.
    #[inline]
    fn receive(&mut self) -> Result<u64, StopReason> {
        if N <= BY_VALUE {
            let message = self.link.receive(self.deadline)?;
            return if is_whole(&message) { Ok(message[0]) } else { Err(StopReason::Corrupt) };
        }
        self.link.receive_to(&mut self.inbox, self.deadline)?;
        // SAFETY: a message is there, as `receive_to` succeeded; and any bits are one.
        let message = unsafe { self.inbox.assume_init_ref() };
        if is_whole(message) { Ok(message[0]) } else { Err(StopReason::Corrupt) }
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

    fn ends<const N: usize>(wait: Wait) -> [ChannelEnd<Threads<N>, N>; 2] {
        let [(to_b, at_b), (to_a, at_a)] = [(); 2].map(|()| build::<N>(2, wait).unwrap());
        [(to_b, at_a), (to_a, at_b)]
            .map(|(sender, receiver)| ChannelEnd::new(Threads { sender, receiver, wait, _spent: None }))
    }

    #[test]
    fn turns_switch_and_quit_in_step() {
        in_step::<4>(Wait::Park);
    }

    #[test]
    fn large_messages_are_in_step_too() {
        in_step::<256>(Wait::Yield);
        in_step::<8192>(Wait::Park);
    }

    fn in_step<const N: usize>(wait: Wait) {
        let [mut timing, mut answering] = ends::<N>(wait);
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
        let [mut timing, answering] = ends::<4>(Wait::Park);
        assert_eq!(timing.trip(), Err(StopReason::Silent), "present but silent");
        drop(answering);
        assert_eq!(timing.trip(), Err(StopReason::Gone));
    }

    #[test]
    fn a_missing_peer_ends_the_wait_for_a_large_message() {
        for wait in [Wait::Spin, Wait::Yield, Wait::Park] {
            let [mut timing, answering] = ends::<256>(wait);
            assert_eq!(timing.trip(), Err(StopReason::Silent), "present but silent");
            drop(answering);
            assert_eq!(timing.trip(), Err(StopReason::Gone));
        }
    }
}
