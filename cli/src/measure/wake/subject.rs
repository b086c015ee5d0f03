//! What wakes a receiver: one message at a time over each kind of channel, for each way to wait.

use clap::ValueEnum;
use ringmail::wait::{EventCount, EventFd};
use ringmail::{Flavor, Receiver, Sender, TryRecvError, WaitStrategy, fan_in, mpsc, spsc};

use super::executor::Executor;
use crate::measure::round_trip::StopReason;
use crate::measure::touch::touch;
use crate::placement::Placement;

/// Slots of each channel: one message is in flight.
pub(crate) const CAPACITY: usize = 64;

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// One sender, one receiver
    Spsc,
    /// Several senders into one ring, of which one sends
    Mpsc,
    /// A lane for each sender, of which one sends
    #[value(name = "fan_in")]
    FanIn,
    /// From endpoint to endpoint of a mesh of two
    Mesh,
    /// One sender, one receiver over shared memory, here between two threads
    Shm,
}

/// How the receiver waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// Spin until it comes
    Spin,
    /// Spin briefly, then yield the core between checks
    Yield,
    /// Spin briefly, while that has paid, then sleep until woken
    Park,
    /// Sleep at once
    ParkAtOnce,
    /// Sleep in poll(2) on an eventfd, as a reactor does
    Fd,
    /// Poll a future; its waker unparks the thread
    Async,
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spsc => "spsc",
            Self::Mpsc => "mpsc",
            Self::FanIn => "fan_in",
            Self::Mesh => "mesh",
            Self::Shm => "shm",
        }
    }

    /// Whether its receiver can wait like this here.
    pub(crate) fn knows(self, way: Way) -> bool {
        match self {
            Self::Shm => cfg!(target_pointer_width = "64") && !matches!(way, Way::Fd | Way::Async),
            _ => true,
        }
    }
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Yield => "yield",
            Self::Park => "park",
            Self::ParkAtOnce => "park-at-once",
            Self::Fd => "fd",
            Self::Async => "async",
        }
    }

    pub(super) fn strategy(self) -> WaitStrategy {
        match self {
            Self::Spin => WaitStrategy::BusySpin,
            Self::Yield => WaitStrategy::Yield,
            Self::Park | Self::Async => WaitStrategy::Park,
            Self::ParkAtOnce | Self::Fd => WaitStrategy::ParkAtOnce,
        }
    }
}

/// The end that sends.
pub(super) trait Sends {
    fn send(&mut self, message: u32) -> Result<(), StopReason>;
}

/// The end that waits, without limit: dropping the other end ends the wait.
pub(super) trait Receives {
    fn receive(&mut self) -> Result<u32, StopReason>;
}

/// An end before it is on its thread; some cannot move once they are.
pub(super) type Opening<E> = Box<dyn FnOnce() -> Result<Box<E>, StopReason> + Send>;

/// The same of several.
pub(super) type Openings<E> = Vec<Opening<E>>;

/// Both ends of a new channel.
pub(super) type Ends = (Opening<dyn Sends>, Opening<dyn Receives>);

/// Builds the channel on the calling thread, which is the first to touch its memory. A mesh's is touched by the thread that takes its seat, and
/// shared memory by its receiver.
pub(super) fn build(subject: Subject, way: Way, placement: &Placement) -> Result<Ends, StopReason> {
    let event = way_event(way)?;
    macro_rules! ring {
        ($module:ident) => {{
            let mut builder = $module::Builder::new(CAPACITY).receiver_wait(way.strategy());
            if let Some((event, _)) = &event {
                builder = builder.receiver_event(event.clone());
            }
            let (sender, receiver) = builder.build::<u32>().map_err(unbuilt)?;
            ends(sender, receiver, way, event, placement)
        }};
    }
    match subject {
        Subject::Spsc => ring!(spsc),
        Subject::Mpsc => ring!(mpsc),
        Subject::FanIn => ring!(fan_in),
        Subject::Mesh => super::mesh::build(way, event.map(|(_, fd)| fd)),
        #[cfg(target_pointer_width = "64")]
        Subject::Shm => super::shared::build(way.strategy()),
        #[cfg(not(target_pointer_width = "64"))]
        Subject::Shm => Err(StopReason::Build("shared memory needs 64 bits".into())),
    }
}

pub(super) fn unbuilt(error: impl ToString) -> StopReason {
    StopReason::Build(error.to_string())
}

/// What a receiver that waits on a descriptor is told through.
fn way_event(way: Way) -> Result<Option<(EventCount, EventFd)>, StopReason> {
    if way != Way::Fd {
        return Ok(None);
    }
    let fd = EventFd::new().map_err(unbuilt)?;
    Ok(Some((EventCount::with_waker(fd.clone()), fd)))
}

/// The ends of a channel in this process, after its slots have been touched.
fn ends<S: Flavor + 'static>(
    mut sender: Sender<u32, S>,
    mut receiver: Receiver<u32, S>,
    way: Way,
    event: Option<(EventCount, EventFd)>,
    placement: &Placement,
) -> Result<Ends, StopReason>
where
    Sender<u32, S>: Send,
    Receiver<u32, S>: Send,
{
    touch(&mut sender, &mut receiver, &0, placement)?;
    let receiving: Opening<dyn Receives> = match (way, event) {
        (Way::Fd, Some((event, fd))) => Box::new(move || Ok(Box::new(OnDescriptor { receiver, event, fd }) as _)),
        (Way::Async, _) => Box::new(move || Ok(Box::new(OnFuture { receiver, executor: Executor::new() }) as _)),
        _ => Box::new(move || Ok(Box::new(receiver) as _)),
    };
    Ok((Box::new(move || Ok(Box::new(sender) as _)), receiving))
}

impl<S: Flavor> Sends for Sender<u32, S> {
    #[inline]
    fn send(&mut self, message: u32) -> Result<(), StopReason> {
        Self::send(self, message).map_err(|_| StopReason::Gone)
    }
}

impl<S: Flavor> Receives for Receiver<u32, S> {
    #[inline]
    fn receive(&mut self) -> Result<u32, StopReason> {
        self.recv().map_err(|_| StopReason::Gone)
    }
}

/// A receiver that sleeps as a reactor does: arm, look again, sleep on the descriptor.
struct OnDescriptor<S: Flavor> {
    receiver: Receiver<u32, S>,
    event: EventCount,
    fd: EventFd,
}

impl<S: Flavor> Receives for OnDescriptor<S> {
    #[inline]
    fn receive(&mut self) -> Result<u32, StopReason> {
        loop {
            match self.receiver.try_recv() {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Disconnected) => return Err(StopReason::Gone),
                Err(TryRecvError::Empty) => {}
            }
            let ready = || !self.receiver.is_empty() || self.receiver.is_closed();
            if let Some(asleep) = self.event.arm().confirm(ready) {
                self.fd.wait(None).map_err(unbuilt)?;
                drop(asleep);
            }
        }
    }
}

/// A receiver whose future is polled on this thread.
struct OnFuture<S: Flavor> {
    receiver: Receiver<u32, S>,
    executor: Executor,
}

impl<S: Flavor> Receives for OnFuture<S> {
    #[inline]
    fn receive(&mut self) -> Result<u32, StopReason> {
        self.executor.block_on(self.receiver.recv_async()).map_err(|_| StopReason::Gone)
    }
}
