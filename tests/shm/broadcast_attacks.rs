//! What a receiver or a sender that writes nonsense must not do to the other sides of a broadcast.

use crate::support::scratch::Scratch;
use ringmail::shm::broadcast::{Builder, Receiver, Sender};
use ringmail::shm::{self, Cause, OpenError, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

const TAIL: u64 = 4096;
const SENDER_BEGUN: u64 = TAIL + 256;
const CAPACITY: u64 = 8;
/// Longer than any of this takes.
const LONG: Duration = Duration::from_secs(60);

/// Where a seat's words are.
const fn begun(seat: u64) -> u64 {
    (2 + seat) * 4096
}

const fn epoch(seat: u64) -> u64 {
    begun(seat) + 8
}

const fn parked(seat: u64) -> u64 {
    begun(seat) + 128
}

const fn head(seat: u64) -> u64 {
    begun(seat) + 2304
}

const fn reserved(seat: u64) -> u64 {
    begun(seat) + 2688
}

fn open(dir: &Scratch) -> Builder<u64> {
    Builder::new(dir.file()).capacity(CAPACITY as usize).receivers(2)
}

/// A channel in which `sent` messages were sent, all of which the receiver has taken, and another on seat 1 that writes nonsense.
fn channel(name: &str, sent: u64) -> (Scratch, Sender<u64>, Receiver<u64>, Receiver<u64>) {
    let dir = Scratch::new(name);
    let mut tx = open(&dir).open_sender().unwrap();
    let (mut rx, mut other) = (open(&dir).open_receiver().unwrap(), open(&dir).open_receiver().unwrap());
    for n in 0..sent {
        tx.send(n).unwrap();
        assert_eq!((rx.recv(), other.recv()), (Ok(n), Ok(n)));
    }
    (dir, tx, rx, other)
}

#[test]
fn a_head_that_no_receiver_writes() {
    // Beyond `tail` also when the sender looks, far behind, too large to compute with.
    for wrong in [2 * 120, 2 * 200, 0, 2 * 91, u64::MAX, 1 << 63, 1 << 62] {
        let (dir, mut tx, mut rx, other) = channel("broadcast-head", 100);
        dir.poke(head(1), wrong);
        let started = Instant::now();
        for n in 100..100 + 3 * CAPACITY {
            tx.send_timeout(n, LONG).unwrap();
            assert_eq!(rx.recv_timeout(LONG), Ok(n), "no other is harmed");
        }
        assert!(started.elapsed() < LONG);
        let told = tx.departed().expect("it is told");
        assert_eq!((told.seat, told.session, told.cause), (1, 1, Cause::Corrupted), "{wrong}");
        assert_eq!((tx.departed(), tx.receivers()), (None, 1));
        drop(other);
        // The seat is as good as before.
        let mut next = open(&dir).open_receiver().unwrap();
        tx.send(7).unwrap();
        assert_eq!((next.seat(), next.recv(), rx.recv()), (1, Ok(7), Ok(7)));
    }
}

#[test]
fn sessions_and_other_words_that_no_receiver_writes() {
    for (at, wrong) in [
        (begun(1), u64::MAX),
        (begun(1), 0),
        (begun(1), 7),
        (epoch(1), u64::MAX),
        (epoch(1), 0),
        (parked(1), u64::MAX),
        (parked(1), 5),
        (reserved(1), u64::MAX),
        (reserved(1), 104),
        (head(1) + 128, u64::MAX),
    ] {
        let (dir, mut tx, mut rx, other) = channel("broadcast-words", 10);
        dir.poke(at, wrong);
        let started = Instant::now();
        // It may be waited for, as one that reads nothing; but no longer than is said.
        for n in 10..10 + 3 * CAPACITY {
            let sent = tx.send_timeout(n, Duration::from_millis(20)).is_ok();
            assert!(!sent || rx.recv_timeout(LONG) == Ok(n));
        }
        let _ =
            (tx.slowest(), tx.receivers(), tx.departed(), tx.stats(), shm::inspect(&dir.file()).map(|c| c.to_string()));
        drop(other);
        let _ = (tx.try_send(0), tx.departed(), open(&dir).open_receiver().map(|mut rx| rx.try_recv()));
        assert!(started.elapsed() < LONG, "{at} {wrong}");
    }
}

#[test]
fn a_tail_that_no_sender_writes() {
    for wrong in [0, 2 * 99, 2 * 109, u64::MAX, 1 << 63] {
        let (dir, _tx, mut rx, mut other) = channel("broadcast-tail", 100);
        dir.poke(TAIL, wrong);
        for rx in [&mut rx, &mut other] {
            assert_eq!(rx.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected(Cause::Corrupted)), "{wrong}");
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Corrupted)));
        }
        drop(rx);
        // One that joins begins there: it has nothing to compare it with.
        let mut next = open(&dir).open_receiver().unwrap();
        assert!(next.recv_timeout(Duration::from_millis(2)).is_err());
    }
}

#[test]
fn sessions_of_the_sender_that_went_back() {
    let (dir, tx, mut rx, _other) = channel("broadcast-back", 2);
    drop(tx);
    let tx = open(&dir).open_sender().unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Closed)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    dir.poke(SENDER_BEGUN, 1);
    assert_eq!(rx.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected(Cause::Corrupted)));
    drop(tx);
}

#[test]
fn a_reserved_seat_with_an_impossible_position_is_refused_and_can_be_released() {
    let dir = Scratch::new("broadcast-position");
    let mut tx = open(&dir).open_sender().unwrap();
    let journal = open(&dir).open_reserved("journal").unwrap();
    tx.send(0).unwrap();
    drop(journal);
    dir.poke(head(0), 2 * 50);
    let refused = open(&dir).open_reserved("journal").unwrap_err();
    assert!(matches!(refused, OpenError::Corrupted), "{refused}");
    assert!(open(&dir).release("journal").unwrap());
    let mut rx = open(&dir).open_receiver().unwrap();
    assert_eq!(rx.seat(), 0);
    tx.send_timeout(1, LONG).unwrap();
    assert_eq!(rx.recv(), Ok(1));
}

#[test]
fn seats_that_cannot_be_used_are_passed_by() {
    let dir = Scratch::new("broadcast-damaged");
    let mut tx = open(&dir).open_sender().unwrap();
    dir.poke(begun(0), u64::MAX);
    let mut rx = open(&dir).open_receiver().unwrap();
    assert_eq!(rx.seat(), 1);
    tx.wait_for_receiver(LONG);
    let _ = tx.send_timeout(1, Duration::from_millis(300));
    assert_eq!(rx.recv_timeout(LONG), Ok(1), "it gates nothing: the kernel says that no process has it");
    drop(rx);
    dir.poke(begun(1), u64::MAX);
    assert!(matches!(open(&dir).open_receiver(), Err(OpenError::Corrupted)));
}
