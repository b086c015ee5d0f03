//! Which lane of a mapped channel a sender gets, and what a receiver says of lanes while others keep it busy.

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
use ringmail::shm::fan_in::{Builder, Departed, Receiver, RecvError, Sender, TryRecvError};
use ringmail::shm::{Cause, OpenError, Peer, TrySendError, bytes};
use std::process::Command;
use std::time::Duration;

fn receiver(dir: &Scratch, lanes: usize) -> Receiver<u64> {
    Builder::new(dir.file()).lanes(lanes).capacity(8).open_receiver().expect("a receiver")
}

fn sender(dir: &Scratch) -> Sender<u64> {
    Builder::new(dir.file()).open_sender().expect("a sender")
}

/// Where a lane's sender says how far it has sent, and how many sessions it had.
fn tail(lane: u64) -> u64 {
    4096 + lane * 3 * 4096
}

fn sessions(lane: u64) -> u64 {
    tail(lane) + 256
}

/// Where the notes of a sender of records lie in its page.
const MARKS: u64 = 2560;

/// More than a ring of 8 can hold.
const IMPOSSIBLE: u64 = 2 * 1000;

/// Another process sends 5 on the first lane that is free and ends without closing, as if killed.
fn dies(name: &str) {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(the_test(module_path!(), "the_other_process")).env("SHM_LANES", name);
    let done = child.output().expect("a child");
    assert_eq!(done.status.code(), Some(42), "{done:?}");
}

/// No test of its own: what [`dies`] runs.
#[test]
fn the_other_process() {
    let Ok(name) = std::env::var("SHM_LANES") else { return };
    // No destructor runs.
    if let Ok(mut tx) = bytes::fan_in::Builder::new(&name).open_sender() {
        (0..5).for_each(|i| tx.try_send(&[i; 9]).unwrap());
        std::process::exit(42);
    }
    let mut tx = Builder::<u64>::new(&name).open_sender().unwrap();
    (0..5).for_each(|i| tx.try_send(i).unwrap());
    std::process::exit(42);
}

/// What `recv` says until it has said nothing twice, or all are gone.
fn all_of(rx: &mut Receiver<u64>) -> (Vec<(usize, u64)>, Vec<Departed>) {
    let (mut found, mut told) = (Vec::new(), Vec::new());
    loop {
        match rx.recv_timeout_from(Duration::from_millis(1)) {
            Ok(message) => found.push(message),
            Err(RecvError::Departed(departed)) => told.push(departed),
            Err(_) => return (found, told),
        }
    }
}

#[test]
fn a_sender_passes_by_lanes_whose_words_cannot_be() {
    for damage in [(tail(0), IMPOSSIBLE), (sessions(0), 1 << 63)] {
        let dir = Scratch::new(&format!("damaged{}", damage.0));
        let mut rx = receiver(&dir, 3);
        drop(sender(&dir));
        dir.poke(damage.0, damage.1);
        let mut tx = sender(&dir);
        assert_eq!(tx.lane(), 1);
        tx.send(7).unwrap();
        let other = sender(&dir);
        assert_eq!(other.lane(), 2);
        assert_eq!(all_of(&mut rx).0, [(1, 7)]);
        let none = || Builder::<u64>::new(dir.file()).open_sender().unwrap_err();
        assert!(matches!(none(), OpenError::NoFreeLane { lanes: 3 }), "{}", none());
        drop(tx);
        dir.poke(tail(1), IMPOSSIBLE);
        drop(other);
        assert_eq!(sender(&dir).lane(), 2, "one is left");
        dir.poke(tail(2), IMPOSSIBLE);
        assert!(matches!(none(), OpenError::Corrupted), "{}", none());
    }
}

#[test]
fn a_channel_of_records_passes_by_them_too() {
    let dir = Scratch::new("records");
    let builder = || bytes::fan_in::Builder::new(dir.file()).lanes(2).capacity(2048);
    let mut tx = builder().open_sender().unwrap();
    tx.send("lost").unwrap();
    drop(tx);
    dir.poke(tail(0), IMPOSSIBLE);
    let mut tx = builder().open_sender().unwrap();
    assert_eq!(tx.lane(), 1);
    tx.send("found").unwrap();
    drop(tx);
    // So is one whose sender has noted nothing for where it is.
    dir.poke(tail(1) + MARKS + 8, 6);
    dir.poke(tail(1) + MARKS + 24, 6);
    assert!(matches!(builder().open_sender(), Err(OpenError::Corrupted)));
    let (mut rx, mut body) = (builder().open_receiver().unwrap(), Vec::new());
    let (mut bodies, mut told, mut left) = (0, 0, 0);
    for _ in 0..3 {
        match rx.try_recv_into(&mut body) {
            Ok((lane, _)) => bodies += usize::from(lane == 1 && body == b"found"),
            Err(TryRecvError::Departed(Departed { lane: 0, cause: Cause::Corrupted, .. })) => told += 1,
            Err(TryRecvError::Departed(Departed { lane: 1, epoch: 1, cause: Cause::Closed, .. })) => left += bodies,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((bodies, told, left), (1, 1, 1));
    assert_eq!(rx.try_recv_into(&mut body), Err(TryRecvError::Disconnected));
    assert_eq!(rx.try_recv_into(&mut body), Err(TryRecvError::Empty));
}

/// One lane that cannot be keeps nobody from the others, also not the receiver that comes later.
#[test]
fn a_receiver_opens_beside_a_damaged_lane_and_tells_of_it_once() {
    for word in [IMPOSSIBLE, u64::MAX, 1 << 63] {
        let dir = Scratch::new(&format!("beside{word}"));
        let rx = receiver(&dir, 2);
        let (one, mut two) = (sender(&dir), sender(&dir));
        two.send(7).unwrap();
        drop((one, rx));
        dir.poke(tail(0), word);
        let mut rx = receiver(&dir, 2);
        let (found, told) = all_of(&mut rx);
        assert_eq!(found, [(1, 7)]);
        let corrupted = |departed: &Departed| departed.lane == 0 && departed.cause == Cause::Corrupted;
        assert!(told.len() == 1 && told.iter().all(corrupted), "{told:?}");
        two.send(8).unwrap();
        assert_eq!(rx.recv_from(), Ok((1, 8)));
        drop(two);
        assert_eq!(sender(&dir).lane(), 1);
    }
}

#[test]
fn a_sender_takes_a_closed_lane_only_without_another() {
    let dir = Scratch::new("closed");
    let builder = || Builder::<bool>::new(dir.file()).lanes(2).capacity(8);
    let (mut rx, mut tx) = (builder().open_receiver().unwrap(), builder().open_sender().unwrap());
    tx.send(true).unwrap();
    dir.poke(tail(0) + 2 * 4096, 2);
    let told = rx.recv().unwrap_err();
    assert!(matches!(told, RecvError::Departed(Departed { lane: 0, cause: Cause::Corrupted, .. })), "{told}");
    assert_eq!(tx.try_send(true), Err(TrySendError::Disconnected(true, Cause::Closed)));
    drop(tx);
    // Its words are in order.
    let mut next = builder().open_sender().unwrap();
    assert_eq!(next.lane(), 1);
    next.send(true).unwrap();
    assert_eq!(rx.recv_from(), Ok((1, true)));
    let mut last = builder().open_sender().unwrap();
    assert_eq!((last.lane(), last.try_send(true)), (0, Err(TrySendError::Disconnected(true, Cause::Closed))));
    drop(last);
    // With the receiver that closed it, that is over: the first free lane is the first again.
    drop(rx);
    assert_eq!(builder().open_sender().unwrap().lane(), 0);
    // One that has closed all of them reads none.
    let mut rx = builder().open_receiver().unwrap();
    rx.close();
    assert_eq!(builder().open_sender().unwrap().lane(), 0);
}

/// Messages that one lane has at most while the kernel is asked once: turns of 64, and as many looks at others.
const BUSY: u64 = 4096 * 64 * 2;

#[test]
fn a_death_is_told_though_another_lane_always_has_something() {
    for drains in [false, true] {
        let dir = Scratch::new(&format!("busy{drains}"));
        let (mut rx, mut busy) = (receiver(&dir, 3), sender(&dir));
        dies(&dir.file());
        assert_eq!(rx.peer(1), Some(Peer::Died));
        let (mut next, mut sent, mut dead, mut told) = (0, 0, 0, Vec::new());
        while told.is_empty() && sent < 2 * BUSY {
            while busy.try_send(sent).is_ok() {
                sent += 1;
            }
            if drains {
                // There is no way to say it there, and nothing is left out for it.
                let drained = rx.drain(3, |lane, value| if lane == 0 { next = value + 1 } else { dead += 1 });
                assert_ne!(drained, 0, "there is something always");
            }
            match rx.try_recv_from() {
                Ok((0, value)) => {
                    assert_eq!(value, next);
                    next += 1;
                }
                Ok((lane, _)) => dead += lane,
                Err(TryRecvError::Departed(departed)) => told.push(departed),
                Err(other) => panic!("{other}, where there is something always"),
            }
        }
        println!("told after {sent} messages of the other lane");
        let [Departed { lane: 1, epoch: 1, sent: Some(5), cause: Cause::PeerDied, .. }] = told[..] else {
            panic!("{told:?} after {sent}, {dead} of the dead one")
        };
        assert_eq!(dead, 5);
        let (rest, more) = all_of(&mut rx);
        assert!(more.is_empty() && rest.iter().map(|found| found.1).eq(next..sent), "{next} {sent} {rest:?} {more:?}");
    }
}

#[test]
fn the_verbs_that_wait_tell_it_too_and_so_do_records() {
    let dir = Scratch::new("busy-wait");
    let (mut rx, mut busy) = (receiver(&dir, 2), sender(&dir));
    dies(&dir.file());
    let (mut n, mut told) = (0, None);
    while told.is_none() && n < BUSY {
        while busy.try_send(n).is_ok() {
            n += 1;
        }
        told = rx.recv().err();
    }
    assert!(matches!(told, Some(RecvError::Departed(Departed { lane: 1, sent: Some(5), .. }))), "{told:?} after {n}");

    let dir = Scratch::new("busy-records");
    let builder = || bytes::fan_in::Builder::new(dir.file()).lanes(2).capacity(256);
    let (mut rx, mut busy) = (builder().open_receiver().unwrap(), builder().open_sender().unwrap());
    dies(&dir.file());
    let (mut n, mut told, mut body) = (0_u64, None, Vec::new());
    while told.is_none() && n < BUSY {
        while busy.try_send(&n.to_ne_bytes()).is_ok() {
            n += 1;
        }
        told = rx.try_recv_into(&mut body).err();
    }
    assert!(matches!(told, Some(TryRecvError::Departed(Departed { lane: 1, .. }))), "{told:?} after {n}");
}
