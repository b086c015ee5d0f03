//! Who is woken by whom, where several sides meet: the sender of a fan-out by the workers of each lane, receivers of a broadcast by descriptors.
//!
//! A wake that is missed costs a sleep of up to 90 ms, no more. So each law is tried in rounds, and the rounds again should the machine have had more to do.

use crate::support::scratch::Scratch;
use ringmail::WaitStrategy;
use ringmail::shm::{self, Watched, broadcast, fan_out};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::thread;
use std::time::{Duration, Instant};

/// Rounds of a law: where each wake is missed, they take some 900 ms.
const ROUNDS: u32 = 20;
const SOON: Duration = Duration::from_millis(300);
const TRIES: u32 = 5;

/// `round` says how late a wake was.
fn wakes_come_soon(mut round: impl FnMut() -> Duration) {
    let late: Vec<Duration> = (0..TRIES).map(|_| (0..ROUNDS).map(|_| round()).sum()).take_until(SOON);
    assert!(late.iter().any(|late| *late < SOON), "{ROUNDS} wakes were so late in all: {late:?}");
}

/// The first ones, up to one that is below the limit.
trait TakeUntil: Iterator<Item = Duration> + Sized {
    fn take_until(self, limit: Duration) -> Vec<Duration> {
        let mut taken = Vec::new();
        for late in self {
            taken.push(late);
            if late < limit {
                break;
            }
        }
        taken
    }
}

impl<I: Iterator<Item = Duration>> TakeUntil for I {}

fn workers(dir: &Scratch, lanes: usize, capacity: usize) -> fan_out::Builder<u64> {
    fan_out::Builder::new(dir.file()).lanes(lanes).capacity(capacity).wait(WaitStrategy::ParkAtOnce)
}

/// Until the sender of a fan-out sleeps. It says so of lanes with messages alone, so without any it is given some time.
fn until_asleep(dir: &Scratch) {
    let is_asleep = || shm::inspect(&dir.file()).unwrap().lanes.iter().any(|lane| lane.sender.parked);
    for _ in 0..20 {
        if is_asleep() {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    // It has said so before its last look.
    thread::sleep(Duration::from_millis(2));
}

/// Sends 1 by the key while `meanwhile` wakes it up, and says how late that was.
fn sends_by_key<R: Send>(
    dir: &Scratch,
    tx: &mut fan_out::Sender<u64>,
    meanwhile: impl FnOnce() -> (Instant, R),
) -> (Duration, R) {
    thread::scope(|scope| {
        let sends = scope.spawn(|| {
            tx.send_by_key("key", 1).unwrap();
            Instant::now()
        });
        until_asleep(dir);
        let (woken, kept) = meanwhile();
        (sends.join().unwrap().saturating_duration_since(woken), kept)
    })
}

/// The key's lane has messages, no worker, and room: a worker that comes there ends the wait, before it has received anything.
#[test]
fn a_worker_that_comes_to_the_lane_of_a_key_wakes_the_sender() {
    wakes_come_soon(|| {
        let dir = Scratch::new("wake-join");
        let mut tx = workers(&dir, 1, 4).open_sender().unwrap();
        let left = workers(&dir, 1, 4).open_receiver().unwrap();
        tx.send_by_key("key", 0).unwrap();
        drop(left);
        let (late, mut rx) = sends_by_key(&dir, &mut tx, || {
            let rx = workers(&dir, 1, 4).open_receiver().unwrap();
            (Instant::now(), rx)
        });
        assert_eq!((rx.recv(), rx.recv()), (Ok(0), Ok(1)));
        late
    });
}

/// The worker of the key's lane leaves with the lane full. Another, which sleeps, takes what is there, and the key is its own.
#[test]
fn a_worker_that_leaves_the_lane_of_a_key_wakes_the_sender() {
    wakes_come_soon(|| {
        let dir = Scratch::new("wake-leave");
        let mut tx = workers(&dir, 2, 1).open_sender().unwrap();
        let (one, two) = (workers(&dir, 2, 1).open_receiver().unwrap(), workers(&dir, 2, 1).open_receiver().unwrap());
        tx.send_by_key("key", 0).unwrap();
        let (leaves, mut stays) = if one.is_empty() { (two, one) } else { (one, two) };
        thread::scope(|scope| {
            let received = scope.spawn(move || (stays.recv().unwrap(), stays.recv().unwrap(), stays));
            let (late, ()) = sends_by_key(&dir, &mut tx, || {
                let left = Instant::now();
                drop(leaves);
                (left, ())
            });
            let (first, second, _stays) = received.join().unwrap();
            assert_eq!((first, second), (0, 1));
            late
        })
    });
}

/// Without a worker at all: the first that comes ends the wait, in whichever lane.
#[test]
fn the_first_worker_wakes_the_sender_by_key() {
    wakes_come_soon(|| {
        let dir = Scratch::new("wake-first");
        let mut tx = workers(&dir, 3, 1).open_sender().unwrap();
        let (late, mut rx) = sends_by_key(&dir, &mut tx, || {
            let rx = workers(&dir, 3, 1).open_receiver().unwrap();
            (Instant::now(), rx)
        });
        assert_eq!(rx.recv(), Ok(1));
        late
    });
}

fn receiver(dir: &Scratch) -> broadcast::Receiver<u64> {
    broadcast::Builder::new(dir.file()).capacity(8).receivers(3).open_receiver().unwrap()
}

/// Whether it becomes readable in time.
fn readable(fd: &shm::WakeFd, within: Duration) -> bool {
    poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&Timespec::try_from(within).unwrap())) == Ok(1)
}

/// Of two receivers one has an event count that the sender cannot reach: that one looks by itself, each millisecond, whichever seat it has.
#[test]
fn a_receiver_that_cannot_be_reached_looks_by_itself_beside_one_that_can() {
    for gone in [".channel.receiver.event", ".channel.receiver-1.event"] {
        let dir = Scratch::new("wake-mute");
        let mut tx = broadcast::Builder::<u64>::new(dir.file()).capacity(8).receivers(3).open_sender().unwrap();
        let (mut a, mut b) = (receiver(&dir), receiver(&dir));
        let fds = [a.wake_fd().unwrap(), b.wake_fd().unwrap()];
        std::fs::remove_file(dir.0.join(gone)).unwrap();
        let mut sends = |n| {
            let armed = [a.arm().unwrap().expect("nothing is there"), b.arm().unwrap().expect("nothing is there")];
            let started = Instant::now();
            tx.send(n).unwrap();
            assert!(fds.iter().all(|fd| readable(fd, Duration::from_secs(20))));
            let late = started.elapsed();
            drop(armed);
            assert_eq!((a.recv(), b.recv()), (Ok(n), Ok(n)));
            late
        };
        // The sender finds out with the first message.
        sends(0);
        let mut n = 0;
        wakes_come_soon(|| {
            n += 1;
            sends(n)
        });
    }
}

/// An event count that could not be reached for a while is found again: then its receiver does not look by itself any more.
#[test]
fn a_receiver_that_can_be_reached_again_sleeps() {
    let dir = Scratch::new("wake-again");
    let mut tx = broadcast::Builder::<u64>::new(dir.file()).capacity(8).receivers(3).open_sender().unwrap();
    let mut rx = receiver(&dir);
    let fd = rx.wake_fd().unwrap();
    let (event, aside) = (dir.0.join(".channel.receiver.event"), dir.0.join("aside"));
    let mut sleeps = |n| {
        let armed = rx.arm().unwrap().expect("nothing is there");
        tx.send(n).unwrap();
        assert!(readable(&fd, Duration::from_secs(20)));
        drop(armed);
        assert_eq!(rx.recv(), Ok(n));
        (0..ROUNDS).any(|_| {
            let armed = rx.arm().unwrap().expect("nothing is there");
            let woken = readable(&fd, Duration::from_millis(50));
            drop(armed);
            !woken
        })
    };
    std::fs::rename(&event, &aside).unwrap();
    assert!(!sleeps(0), "it cannot be reached: it looks by itself");
    std::fs::rename(&aside, &event).unwrap();
    assert!(sleeps(1), "it can be reached");
}

/// One that can be reached is not woken each millisecond because of another that cannot, be that one alive or gone.
#[test]
fn a_receiver_that_can_be_reached_sleeps_beside_one_that_cannot() {
    let dir = Scratch::new("wake-needless");
    let mut tx = broadcast::Builder::<u64>::new(dir.file()).capacity(8).receivers(3).open_sender().unwrap();
    let (mut a, mut b) = (receiver(&dir), receiver(&dir));
    let fds = [a.wake_fd().unwrap(), b.wake_fd().unwrap()];
    std::fs::remove_file(dir.0.join(".channel.receiver-1.event")).unwrap();
    let armed = [a.arm().unwrap().expect("nothing is there"), b.arm().unwrap().expect("nothing is there")];
    tx.send(0).unwrap();
    assert!(fds.iter().all(|fd| readable(fd, Duration::from_secs(20))));
    drop(armed);
    assert_eq!((a.recv(), b.recv()), (Ok(0), Ok(0)));
    let mut sleeps = |what| {
        let slept = (0..ROUNDS).any(|_| {
            let armed = a.arm().unwrap().expect("nothing is there");
            let woken = readable(&fds[0], Duration::from_millis(50));
            drop(armed);
            !woken
        });
        assert!(slept, "it is woken for nothing: {what}");
    };
    sleeps("the other one lives");
    drop(b);
    sleeps("the other one is gone");
}
