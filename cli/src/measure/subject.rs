//! What `load` and `wake` measure: a channel with one receiving end and one or more sending ends.
//!
//! ```text
//!   receiver's thread   open ──► receiving end, tickets
//!   sender's thread              ticket ──► join ──► sending end
//! ```
//!
//! Each end is made on its own pinned thread. The receiver's thread builds the channel. Its slots are written first by the first messages.

pub(crate) mod inject;
mod library;
mod mesh;
#[cfg(feature = "peers")]
mod peers;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod shm;

use std::time::Instant;

use clap::ValueEnum;

use super::channel::Message;
use super::round_trip::StopReason;
use crate::options::Wait;

/// A sending end on its thread.
pub(crate) trait SendingEnd<const N: usize> {
    /// Sends; waits for room until `deadline`. The deadline is a fixed instant, so that a send that succeeds at once need not read the clock.
    fn send(&mut self, message: Message<N>, deadline: Instant) -> Result<(), StopReason>;
}

/// A receiving end on its thread.
pub(crate) trait ReceivingEnd<const N: usize> {
    /// Receives; waits for a message until `deadline`.
    fn receive(&mut self, deadline: Instant) -> Result<Message<N>, StopReason>;
}

/// Makes a sending end on the thread that calls it.
pub(crate) type Ticket<const N: usize> = Box<dyn FnOnce() -> Result<Box<dyn SendingEnd<N>>, StopReason> + Send>;

/// A channel, whose sending ends are not made yet. Both ends are behind a pointer: that costs each message two calls whose targets the processor knows, some
/// nanoseconds together, and spares a measuring loop for each kind of channel.
pub(crate) struct Opened<const N: usize> {
    pub(crate) receiver: Box<dyn ReceivingEnd<N>>,
    pub(crate) tickets: Vec<Ticket<N>>,
}

impl<const N: usize> Opened<N> {
    /// Of sending ends that can go to their threads as they are.
    fn new<S: SendingEnd<N> + Send + 'static>(
        receiver: impl ReceivingEnd<N> + 'static,
        senders: impl IntoIterator<Item = S>,
    ) -> Self {
        Self::with(receiver, senders, Ok)
    }

    /// Of what `join` makes a sending end from.
    fn with<T: Send + 'static, S: SendingEnd<N> + 'static>(
        receiver: impl ReceivingEnd<N> + 'static,
        seats: impl IntoIterator<Item = T>,
        join: impl FnOnce(T) -> Result<S, StopReason> + Copy + Send + 'static,
    ) -> Self {
        let ticket = |seat| -> Ticket<N> { Box::new(move || Ok(Box::new(join(seat)?))) };
        Self { receiver: Box::new(receiver), tickets: seats.into_iter().map(ticket).collect() }
    }
}

/// How to build a channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) capacity: usize,
    pub(crate) wait: Wait,
    pub(crate) senders: usize,
}

/// What can be measured, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One sender, one receiver
    Spsc,
    /// Many senders into one ring
    Mpsc,
    /// Many senders with a lane each
    #[value(name = "fan_in")]
    FanIn,
    /// From endpoint to endpoint of a mesh
    Mesh,
    /// One sender, one receiver, in memory that processes share
    Shm,
    /// std::sync::mpsc::sync_channel
    Std,
    /// crossbeam_channel::bounded
    CrossbeamChannel,
    /// rtrb::RingBuffer
    Rtrb,
    /// kanal::bounded
    Kanal,
    /// tokio::sync::mpsc::channel
    Tokio,
}

/// Those of this library.
pub(crate) const OWN: [Kind; 5] = [Kind::Spsc, Kind::Mpsc, Kind::FanIn, Kind::Mesh, Kind::Shm];
/// Those of others.
pub(crate) const PEERS: [Kind; 5] = [Kind::Std, Kind::CrossbeamChannel, Kind::Rtrb, Kind::Kanal, Kind::Tokio];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spsc => "spsc",
            Self::Mpsc => "mpsc",
            Self::FanIn => "fan_in",
            Self::Mesh => "mesh",
            Self::Shm => "shm",
            Self::Std => "std",
            Self::CrossbeamChannel => "crossbeam-channel",
            Self::Rtrb => "rtrb",
            Self::Kanal => "kanal",
            Self::Tokio => "tokio",
        }
    }

    fn is_peer(self) -> bool {
        PEERS.contains(&self)
    }

    /// Whether this build can measure it.
    pub(crate) fn is_built(self) -> bool {
        match self {
            Self::Shm => cfg!(all(target_os = "linux", target_pointer_width = "64")),
            _ => cfg!(feature = "peers") || !self.is_peer(),
        }
    }

    /// Why it cannot be measured so; the reason says what to do.
    pub(crate) fn check(self, setup: Setup) -> Result<(), String> {
        let name = self.name();
        if !self.is_built() && self.is_peer() {
            return Err(format!(
                "--subject {name}: this build has no channels of other libraries: build it with \
                 `cargo install --path cli --features peers`, or choose spsc, mpsc, fan_in, mesh or shm"
            ));
        }
        if !self.is_built() {
            return Err(format!("--subject {name}: there is none on this system; choose spsc, mpsc, fan_in or mesh"));
        }
        if setup.senders > 1 && matches!(self, Self::Spsc | Self::Shm | Self::Rtrb) {
            return Err(format!(
                "--senders {}: {name} has one sender; choose mpsc, fan_in or mesh with --subject",
                setup.senders
            ));
        }
        if self == Self::Rtrb && setup.wait == Wait::Park {
            return Err("--wait park: rtrb cannot sleep; use --wait spin or yield".to_owned());
        }
        Ok(())
    }
}

/// Builds the channel of this name on the calling thread, which is to be the receiver's, with a ticket for each sender.
pub(crate) fn open<const N: usize>(kind: Kind, setup: Setup) -> Result<Opened<N>, StopReason> {
    match kind {
        Kind::Spsc => library::spsc(setup),
        Kind::Mpsc => library::mpsc(setup),
        Kind::FanIn => library::fan_in(setup),
        Kind::Mesh => mesh::open(setup),
        #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
        Kind::Shm => shm::open(setup),
        #[cfg(feature = "peers")]
        Kind::Std => Ok(peers::open::<peers::Std, N>(setup)),
        #[cfg(feature = "peers")]
        Kind::CrossbeamChannel => Ok(peers::open::<peers::Crossbeam, N>(setup)),
        #[cfg(feature = "peers")]
        Kind::Rtrb => Ok(peers::open::<peers::Rtrb, N>(setup)),
        #[cfg(feature = "peers")]
        Kind::Kanal => Ok(peers::open::<peers::Kanal, N>(setup)),
        #[cfg(feature = "peers")]
        Kind::Tokio => Ok(peers::open::<peers::Tokio, N>(setup)),
        #[allow(unreachable_patterns, reason = "with all of them built there is no other")]
        other => Err(StopReason::Build(format!("this build has no {}", other.name()))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_message_arrives_in_its_senders_order() {
        const EACH: u64 = 1000;
        let deadline = Instant::now() + Duration::from_secs(60);
        for senders in [1, 3] {
            each(senders, |kind, setup| {
                let Opened { mut receiver, tickets } = open::<2>(kind, setup).unwrap();
                assert_eq!(tickets.len(), senders);
                let send = move |id, ticket: Ticket<2>| {
                    let mut sender = ticket().unwrap();
                    (0..EACH).for_each(|at| sender.send([id, at], deadline).unwrap());
                };
                let threads: Vec<_> =
                    (0..).zip(tickets).map(|(id, ticket)| std::thread::spawn(move || send(id, ticket))).collect();
                let mut next = vec![0; senders];
                for _ in 0..EACH * senders as u64 {
                    let [id, at] = receiver.receive(deadline).unwrap();
                    assert_eq!(at, next[id as usize]);
                    next[id as usize] += 1;
                }
                threads.into_iter().for_each(|thread| thread.join().unwrap());
                assert_eq!(receiver.receive(deadline), Err(StopReason::Gone), "all senders are gone");
            });
        }
    }

    #[test]
    fn waits_end_at_the_deadline_and_with_the_other_side() {
        let soon = || Instant::now() + Duration::from_millis(5);
        each(1, |kind, setup| {
            let Opened { mut receiver, mut tickets } = open::<2>(kind, setup).unwrap();
            let mut sender = tickets.pop().unwrap()().unwrap();
            assert_eq!(receiver.receive(soon()), Err(StopReason::Silent));
            (0..setup.capacity).for_each(|at| sender.send([at as u64; 2], soon()).unwrap());
            let full = std::iter::repeat_with(|| sender.send([0; 2], soon())).take(64).find(Result::is_err);
            assert_eq!(full, Some(Err(StopReason::Silent)));
            drop(receiver);
            assert_eq!(sender.send([0; 2], Instant::now() + Duration::from_secs(60)), Err(StopReason::Gone));
        });
    }

    fn each(senders: usize, mut test: impl FnMut(Kind, Setup)) {
        for kind in OWN.into_iter().chain(PEERS).filter(|kind| kind.is_built()) {
            for wait in [Wait::Yield, Wait::Park] {
                let setup = Setup { capacity: 8, wait, senders };
                if kind.check(setup).is_ok() {
                    test(kind, setup);
                }
            }
        }
    }

    #[test]
    fn what_is_not_there_is_told_with_what_to_do() {
        let setup = |senders, wait| Setup { capacity: 8, wait, senders };
        let why = |kind: Kind, setup| kind.check(setup).unwrap_err();
        assert!(why(Kind::Spsc, setup(2, Wait::Spin)).contains("mpsc, fan_in or mesh"));
        if cfg!(feature = "peers") {
            assert!(why(Kind::Rtrb, setup(1, Wait::Park)).contains("spin or yield"));
        } else {
            for peer in PEERS {
                assert!(why(peer, setup(1, Wait::Spin)).contains("--features peers"));
            }
        }
        assert!(OWN.into_iter().all(|kind| !kind.is_built() || kind.check(setup(1, Wait::Park)).is_ok()));
    }
}
