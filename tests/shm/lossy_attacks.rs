//! What a sender that writes nonsense must not do to the receivers of a lossy channel, or to the next sender.

use crate::support::scratch::Scratch;
use ringmail::shm::lossy::{Builder, Receiver, Resume, Sender};
use ringmail::shm::{Cause, Message, OpenError, RecvTimeoutError, TryRecvError};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

const TAIL: u64 = 4096;
const BEGUN: u64 = TAIL + 256;
const SLOTS: u64 = 3 * 4096;
/// Bytes of a slot of a word.
const SLOT: u64 = 16;
const CAPACITY: u64 = 8;

fn open<T: Message + Copy>(dir: &Scratch) -> Builder<T> {
    Builder::new(dir.file()).capacity(CAPACITY as usize)
}

/// A channel in which `sent` messages were sent, and a receiver that has seen all but the last `lag`.
fn channel(name: &str, sent: u64, lag: u64) -> (Scratch, Sender<u64>, Receiver<u64>) {
    let dir = Scratch::new(name);
    let mut tx = open::<u64>(&dir).open_sender().unwrap();
    let mut rx = open::<u64>(&dir).open_receiver().unwrap();
    for n in 0..sent {
        tx.send(n);
        if n + lag < sent {
            assert_eq!(rx.try_recv().unwrap().lost(), 0);
        }
    }
    assert_eq!(rx.lag(), lag);
    (dir, tx, rx)
}

fn stamp(position: u64) -> u64 {
    2 * position + 2
}

fn slot(position: u64) -> u64 {
    SLOTS + position % CAPACITY * SLOT
}

const CORRUPTED: Result<ringmail::shm::lossy::Seen<u64>, RecvTimeoutError<Cause>> =
    Err(RecvTimeoutError::Disconnected(Cause::Corrupted));

/// It says so each time, by each verb, at once.
fn is_corrupted(rx: &mut Receiver<u64>) {
    let started = Instant::now();
    assert_eq!(rx.recv_timeout(Duration::from_secs(120)), CORRUPTED);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Corrupted)));
    assert_eq!(rx.try_changed(), Err(TryRecvError::Disconnected(Cause::Corrupted)));
    assert_eq!(rx.latest(), Err(Cause::Corrupted));
    assert!(rx.is_closed() && started.elapsed() < Duration::from_secs(60));
}

#[test]
fn stamps_that_no_sender_writes() {
    let far = 1 << 40;
    // Of the future; the next lap's of another slot; too large to compute with; a lap ahead of what `tail` says.
    for wrong in [stamp(far), stamp(far) - 1, stamp(13), u64::MAX, u64::MAX - 1, stamp(4 + 8 * CAPACITY)] {
        let (dir, _tx, mut rx) = channel("lossy-stamps", 6, 2);
        dir.poke(slot(4), wrong);
        is_corrupted(&mut rx);
    }
    // Gone back: nothing is there where `tail` says that something is.
    for wrong in [0, 1, stamp(4) - 1] {
        let (dir, _tx, mut rx) = channel("lossy-back", 6, 2);
        dir.poke(slot(4), wrong);
        is_corrupted(&mut rx);
    }
}

#[test]
fn a_tail_that_no_sender_writes() {
    for wrong in [u64::MAX, 1 << 63, (1 << 63) + 2, 202, 201, 199, 0, 100] {
        let (dir, _tx, mut rx) = channel("lossy-tail", 100, 0);
        dir.poke(TAIL, wrong);
        is_corrupted(&mut rx);
    }
    let (dir, _tx, rx) = channel("lossy-newest", 5, 0);
    for wrong in [14, 9, 11] {
        dir.poke(TAIL, wrong);
        assert_eq!(rx.latest(), Err(Cause::Corrupted), "there is no such message");
    }
    dir.poke(TAIL, u64::MAX);
    assert_eq!(rx.latest(), Err(Cause::Corrupted));
    let refused = open::<u64>(&dir).open_receiver().unwrap_err();
    assert!(matches!(refused, OpenError::Corrupted), "{refused}");
}

#[test]
fn sessions_that_went_back() {
    let (dir, tx, mut rx) = channel("lossy-session", 2, 0);
    drop(tx);
    let tx = open::<u64>(&dir).open_sender().unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Closed)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    dir.poke(BEGUN, 1);
    is_corrupted(&mut rx);
    drop(tx);
}

#[test]
fn bytes_that_are_no_message() {
    let dir = Scratch::new("lossy-bytes");
    let mut tx = open::<bool>(&dir).open_sender().unwrap();
    let mut rx = open::<bool>(&dir).open_receiver().unwrap();
    tx.send(true);
    dir.writable().write_all_at(&[7], SLOTS + 8).unwrap();
    assert_eq!(rx.latest(), Err(Cause::Corrupted));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Corrupted)));
    // Also when a message follows: it was promised that none is passed in silence.
    tx.send(true);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Corrupted)));
}

#[test]
fn the_next_sender_refuses_what_no_sender_leaves() {
    // Where `tail` is, where a stamp is and which: of the newest, behind it.
    for (tail, at, wrong) in [
        (u64::MAX, 0, 2),
        (1 << 63, 0, 2),
        (22, 10, stamp(10)),
        (21, 10, stamp(10)),
        (20, 9, stamp(9) - 1),
        (20, 9, stamp(9 + CAPACITY)),
        (20, 10, stamp(10 + CAPACITY)),
        (20, 10, 0),
        (0, 0, stamp(0)),
    ] {
        let (dir, tx, _rx) = channel("lossy-next", 10, 0);
        drop(tx);
        dir.poke(TAIL, tail);
        dir.poke(slot(at), wrong);
        let refused = open::<u64>(&dir).open_sender();
        let honest = (tail, at, wrong) == (22, 10, stamp(10));
        assert_eq!(refused.is_ok(), honest, "tail {tail}, stamp {wrong} of slot {at}: {refused:?}");
        assert!(honest || matches!(refused, Err(OpenError::Corrupted)), "{refused:?}");
    }
}

#[test]
fn the_next_sender_finds_what_was_not_published() {
    let (dir, tx, mut rx) = channel("lossy-found", 10, 0);
    drop(tx);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Closed)));
    // As one that is killed in a slice: whole messages behind `tail`, and one that was begun.
    for n in 10..13 {
        dir.poke(slot(n) + 8, n);
        dir.poke(slot(n), stamp(n));
    }
    dir.poke(slot(13), stamp(13) - 1);
    for n in 10..13 {
        assert_eq!(rx.try_recv().unwrap().message(), Some(n));
    }
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.latest(), Ok(Some((12, 12))), "not older than what it has received");
    let mut tx = open::<u64>(&dir).open_sender().unwrap();
    assert_eq!((tx.sent(), rx.latest()), (13, Ok(Some((12, 12)))));
    tx.send(13);
    assert_eq!(rx.try_recv().unwrap().message(), Some(13));
}

/// Any words at all, changed between the looks: nothing panics, hangs, or leaves the mapping.
#[test]
fn noise() {
    let mut seed = 0x5eed_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let (mut corrupted, mut opened) = (0, 0);
    for round in 0..300 {
        let (dir, mut tx, _) = channel("lossy-noise", random() % 40, 0);
        let file = dir.writable();
        let mut receivers: Vec<_> = [Resume::Oldest, Resume::Middle, Resume::Newest]
            .map(|resume| open::<u64>(&dir).from_oldest(round % 2 == 0).resume(resume).open_receiver().unwrap())
            .into();
        let tail = tx.sent();
        for _ in 0..12 {
            let at = match random() % 4 {
                0 => TAIL,
                1 => BEGUN + random() % 32 * 8,
                _ => SLOTS + random() % (2 * CAPACITY) * 8,
            };
            let word = match random() % 5 {
                0 => random(),
                1 => u64::MAX - random() % 4,
                2 => random() % 64,
                3 => 1 << (random() % 64),
                _ => 2 * tail + random() % 4,
            };
            file.write_all_at(&word.to_ne_bytes(), at).unwrap();
            for rx in &mut receivers {
                for _ in 0..4 {
                    corrupted += u64::from(rx.try_recv() == Err(TryRecvError::Disconnected(Cause::Corrupted)));
                }
                let _ = (rx.latest(), rx.try_changed(), rx.peer(), rx.session(), rx.lag(), rx.is_empty());
                let _ = rx.recv_timeout(Duration::ZERO);
            }
            if let Ok(mut rx) = open::<u64>(&dir).from_oldest(true).open_receiver() {
                opened += 1;
                let _ = (rx.try_recv(), rx.try_changed(), rx.latest());
            }
        }
        if random() % 2 == 0 && tx.sent() == tail {
            tx.send(1);
        }
        drop(tx);
        match open::<u64>(&dir).open_sender() {
            Ok(mut tx) => tx.send(1),
            Err(error) => assert!(matches!(error, OpenError::Corrupted), "{error}"),
        }
    }
    assert!(corrupted > 1000 && opened > 300, "{corrupted} found, {opened} opened");
}
