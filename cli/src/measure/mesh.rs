//! The round trip through a mesh: from endpoint to endpoint of the pair, while the endpoints of all other cores poll.
//!
//! ```text
//!   timing thread     floor | mesh | floor | mesh | floor … quit
//!   answering thread  echo  | echo | echo  | echo | echo
//!   any other core    poll  | poll | poll  | poll | poll
//! ```
//!
//! Each visit has a mesh of its own. An endpoint cannot leave its thread, so nothing of the mesh is kept from being used again.

use std::any::Any;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use ringmail::affinity::spawn_pinned;
use ringmail::mesh::{Builder, Endpoint, RecvTimeoutError, Seat, SendTimeoutError, TryRecvError, TrySendError};

use super::channel::{Link, Message, Wire, connects, spin_until, strategy};
use super::pair::{self, Visit};
use super::plan::{Extent, Plan, Trips};
use super::round_trip::StopReason;
use crate::options::Wait;

/// Measures the pair `cores` once, through a mesh of `all` the cores.
pub(super) fn visit<const N: usize>(
    plan: &Plan,
    all: &[usize],
    cores: [usize; 2],
    trips: Option<Trips>,
    extent: Extent,
) -> Result<Visit, String> {
    let others = all.iter().copied().filter(|core| !cores.contains(core)).collect::<Vec<_>>();
    // Seats 0 and 1 are the pair's. The lanes to a seat are made present on the core that joins it.
    let mesh = Builder::new().shards(2 + others.len()).capacity(plan.capacity).wait(strategy(plan.wait)).prefault(true);
    let mut seats =
        mesh.build::<Message<N>>().map_err(|error| StopReason::Build(error.to_string()).to_string())?.into_iter();
    let (Some(a), Some(b)) = (seats.next(), seats.next()) else { return Err(StopReason::Gone.to_string()) };
    let idle = Idle::start(others.into_iter().zip(seats))?;
    let wires = [Join { seat: a, peer: 1 }, Join { seat: b, peer: 0 }].map(connects);
    let visit = pair::visit(plan, cores, wires, trips, extent, None);
    idle.stop()?;
    visit
}

/// The threads of the cores that are not of the pair.
struct Idle {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<(), StopReason>>>,
}

type Polling = Box<dyn FnOnce() -> Result<(), StopReason> + Send>;

impl Idle {
    fn start<const N: usize>(seats: impl Iterator<Item = (usize, Seat<Message<N>>)>) -> Result<Self, String> {
        let mut idle = Self { over: Arc::default(), threads: Vec::new() };
        for (core, seat) in seats {
            let over = Arc::clone(&idle.over);
            // Of one type for all messages, so that what starts a thread is compiled once.
            let poll: Polling = Box::new(move || poll(seat, &over));
            let thread = spawn_pinned(core, poll).map_err(|error| error.to_string())?;
            idle.threads.push(thread);
        }
        Ok(idle)
    }

    /// Ends them. Fails if one of them received a message.
    fn stop(mut self) -> Result<(), String> {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            match thread.join() {
                Ok(polled) => polled.map_err(|reason| reason.to_string())?,
                Err(_) => return Err("a polling thread panicked; please report this".to_owned()),
            }
        }
        Ok(())
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Polls until `over` is set, as a shard does to which no other shard sends.
fn poll<const N: usize>(seat: Seat<Message<N>>, over: &AtomicBool) -> Result<(), StopReason> {
    let mut endpoint = join(seat)?;
    while !over.load(Ordering::Relaxed) {
        if endpoint.poll(1, |_, _| ()).received != 0 {
            return Err(StopReason::Corrupt);
        }
        std::hint::spin_loop();
    }
    Ok(())
}

fn join<const N: usize>(seat: Seat<Message<N>>) -> Result<Endpoint<Message<N>>, StopReason> {
    seat.join().map_err(|error| StopReason::Build(error.to_string()))
}

/// One side of the pair before it has joined.
struct Join<const N: usize> {
    seat: Seat<Message<N>>,
    peer: usize,
}

impl<const N: usize> Wire<N> for Join<N> {
    type Link = Through<N>;

    fn connect(self, plan: &Plan) -> Result<Through<N>, StopReason> {
        Ok(Through { endpoint: join(self.seat)?, peer: self.peer, wait: plan.wait })
    }

    fn keep(_link: Through<N>) -> Box<dyn Any + Send> {
        Box::new(())
    }
}

/// An endpoint and the number of its peer.
struct Through<const N: usize> {
    endpoint: Endpoint<Message<N>>,
    peer: usize,
    wait: Wait,
}

impl<const N: usize> Link<N> for Through<N> {
    #[inline]
    fn send(&mut self, message: Message<N>, deadline: Instant) -> Result<(), StopReason> {
        let message = match self.endpoint.try_send_to(self.peer, message) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(message)) => message,
            Err(TrySendError::Disconnected(..)) => return Err(StopReason::Gone),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        self.endpoint.send_timeout_to(self.peer, message, left).map_err(|error| match error {
            SendTimeoutError::Timeout(_) => StopReason::Silent,
            SendTimeoutError::Disconnected(..) => StopReason::Gone,
        })
    }

    #[inline]
    fn receive(&mut self, deadline: Instant) -> Result<Message<N>, StopReason> {
        let (from, message) = match self.endpoint.try_recv() {
            Ok(came) => came,
            Err(TryRecvError::Empty) => self.wait(deadline)?,
            Err(_) => return Err(StopReason::Gone),
        };
        if from == self.peer { Ok(message) } else { Err(StopReason::Corrupt) }
    }

    #[inline]
    fn send_copy(&mut self, message: &Message<N>, deadline: Instant) -> Result<(), StopReason> {
        spin_until(deadline, || match self.endpoint.try_send_ref_to(self.peer, message) {
            Ok(()) => Some(Ok(())),
            Err(TrySendError::Full(())) => None,
            Err(TrySendError::Disconnected(..)) => Some(Err(StopReason::Gone)),
        })
    }

    #[inline]
    fn receive_to(&mut self, place: &mut MaybeUninit<Message<N>>, deadline: Instant) -> Result<(), StopReason> {
        let peer = self.peer;
        let mut attempt = || match self.endpoint.try_recv_into(place) {
            Ok((from, _)) if from == peer => Some(Ok(())),
            Ok(_) => Some(Err(StopReason::Corrupt)),
            Err(TryRecvError::Empty) => None,
            Err(_) => Some(Err(StopReason::Gone)),
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

impl<const N: usize> Through<N> {
    #[inline]
    fn wait(&mut self, deadline: Instant) -> Result<(usize, Message<N>), StopReason> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.endpoint.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => StopReason::Silent,
            RecvTimeoutError::Disconnected(_) => StopReason::Gone,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringmail::affinity::Topology;

    use super::*;
    use crate::measure::clock::Clock;
    use crate::placement::Placement;

    fn plan(wait: Wait) -> Plan {
        Plan {
            capacity: 4,
            wait,
            slice: Duration::from_millis(1),
            clock: Clock::choose(None),
            quantum_ns: 10.0,
            read_ns: 10.0,
            stop: Arc::default(),
            processes: false,
            mesh: None,
            placement: Placement::default(),
        }
    }

    /// Two cores; `None` if there is only one.
    fn pair() -> Option<[usize; 2]> {
        Topology::detect().unwrap().allowed().first_chunk().copied()
    }

    fn seats(shards: usize) -> std::vec::IntoIter<Seat<Message<4>>> {
        Builder::new().shards(shards).capacity(4).build().unwrap().into_iter()
    }

    #[test]
    fn a_pair_is_measured_while_others_poll() {
        let Some([a, b]) = pair() else { return };
        let visit = || {
            let mut seats = seats(4);
            let wires = [1, 0].map(|peer| connects(Join { seat: seats.next().unwrap(), peer }));
            // On a core of the pair, for there may be no other.
            let idle = Idle::start([b, b].into_iter().zip(seats)).unwrap();
            let extent = Extent { time: Duration::from_secs(1), samples: 20 };
            let visit = pair::visit(&plan(Wait::Yield), [a, b], wires, None, extent, None);
            idle.stop().unwrap();
            visit
        };
        // On a busy machine three threads on one core may keep one from answering in time.
        let visit =
            (0..10).find_map(|_| visit().inspect_err(|why| println!("{why}")).ok()).expect("one in ten answers");
        assert!(!visit.channel.is_empty() && !visit.floors[0].is_empty() && !visit.slices.is_empty());
    }

    #[test]
    fn a_message_to_one_that_only_polls_is_noticed() {
        let Some([a, _]) = pair() else { return };
        let mut seats = seats(2);
        let mut sender = seats.next().unwrap().join().unwrap();
        let mut idle = Idle::start([a].into_iter().zip(seats)).unwrap();
        sender.try_send_to(1, [1; 4]).unwrap();
        assert_eq!(idle.threads.pop().unwrap().join().unwrap(), Err(StopReason::Corrupt));
        idle.stop().unwrap();
    }

    #[test]
    fn a_missing_peer_ends_the_wait() {
        let mut seats = seats(2);
        let mut here = Join { seat: seats.next().unwrap(), peer: 1 }.connect(&plan(Wait::Park)).unwrap();
        let there = seats.next().unwrap().join().unwrap();
        assert_eq!(here.receive(Instant::now()), Err(StopReason::Silent), "present but silent");
        drop(there);
        assert_eq!(here.receive(Instant::now() + Duration::from_secs(60)), Err(StopReason::Gone));
        assert_eq!(here.send([1; 4], Instant::now()), Err(StopReason::Gone));
    }
}
