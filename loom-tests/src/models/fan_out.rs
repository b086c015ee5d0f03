//! Workers that join, leave and end while the sender sends: each message is received once, by a worker that was there or by one that takes it over.

use crate::check::{model, outcomes, without_fences};
use crate::payload::{Counted, Drops, Unordered};
use loom::future::block_on;
use loom::thread;
use ringmail::fan_out::{self, Builder, Receiver, Sender};
use ringmail::{FenceMode, RecvError, TryRecvError, TrySendError};

/// A sender and two workers. The first message goes to the first one.
fn two<T>(capacity: usize) -> (Sender<T>, Receiver<T>, Receiver<T>) {
    let (tx, rx) = fan_out::channel(capacity).unwrap();
    let other = rx.join().unwrap();
    (tx, rx, other)
}

/// FENCED from the start: no asymmetric barrier.
fn two_fenced<T>(capacity: usize) -> (Sender<T>, Receiver<T>, Receiver<T>) {
    let (tx, rx) = Builder::new(capacity).fence_mode(FenceMode::Fence).build().unwrap();
    let other = rx.join().unwrap();
    (tx, rx, other)
}

/// A message is sent while its worker leaves: it is refused, or it is there for the other worker once both calls have returned, though the sender
/// does nothing more.
pub fn what_is_sent_to_one_that_leaves_is_handed_on() {
    model("fan_out::what_is_sent_to_one_that_leaves_is_handed_on", Some(2), || sent_while_leaving(two(1)));
}

pub fn what_is_sent_to_one_that_leaves_is_handed_on_fenced() {
    without_fences(|| {
        model("fan_out::what_is_sent_to_one_that_leaves_is_handed_on_fenced", Some(2), || {
            sent_while_leaving(two_fenced(1));
        });
    });
}

fn sent_while_leaving((mut tx, rx, mut other): (Sender<Counted>, Receiver<Counted>, Receiver<Counted>)) {
    let drops = Drops::default();
    let value = drops.value(0);
    let leaver = thread::spawn(move || drop(rx));
    let said = tx.try_send(value);
    leaver.join().unwrap();
    match said {
        Ok(()) => assert_eq!(other.try_recv().unwrap().id, 0),
        Err(why) => assert!(why.is_full(), "another worker is there"),
    }
    assert_eq!(other.try_recv().err(), Some(TryRecvError::Empty));
    drop((tx, other));
    drops.assert_each_once(1);
}

/// The same for messages without a drop, by a worker that goes in the middle of its work.
pub fn what_was_not_begun_is_handed_on() {
    model("fan_out::what_was_not_begun_is_handed_on", Some(2), || {
        let (mut tx, mut rx, mut other) = two(2);
        tx.try_send(1).unwrap();
        let leaver = thread::spawn(move || rx.try_recv().ok());
        let said = [tx.try_send(2), tx.try_send(3)].iter().filter(|said| said.is_ok()).count();
        let begun = leaver.join().unwrap();
        let mut got: Vec<u32> = begun.into_iter().chain(other.try_iter()).collect();
        got.sort_unstable();
        assert_eq!(got.len(), 1 + said, "{got:?}");
        got.dedup();
        assert_eq!(got.len(), 1 + said, "{got:?}");
    });
}

/// A worker leaves what was sent to it, perhaps at this moment, to one that sleeps.
pub fn what_one_leaves_wakes_another() {
    model("fan_out::what_one_leaves_wakes_another", Some(2), || left_to_a_sleeper(two(1), |rx| rx.recv()));
}

pub fn what_one_leaves_wakes_another_fenced() {
    without_fences(|| {
        model("fan_out::what_one_leaves_wakes_another_fenced", Some(1), || {
            left_to_a_sleeper(two_fenced(1), |rx| rx.recv());
        });
    });
}

/// The same for a task.
pub fn what_one_leaves_wakes_a_task() {
    model("fan_out::what_one_leaves_wakes_a_task", Some(1), || {
        left_to_a_sleeper(two(1), |rx| block_on(rx.recv_async()));
    });
}

fn left_to_a_sleeper(
    (mut tx, rx, mut other): (Sender<u32>, Receiver<u32>, Receiver<u32>),
    wait: fn(&mut Receiver<u32>) -> Result<u32, RecvError>,
) {
    let leaver = thread::spawn(move || drop(rx));
    let sender = thread::spawn(move || {
        // To the one that leaves, or to the sleeper.
        tx.try_send(1).unwrap();
        tx
    });
    assert_eq!(wait(&mut other), Ok(1));
    leaver.join().unwrap();
    let _tx = sender.join().unwrap();
}

/// A sender that waits for a worker goes on when one joins.
pub fn a_worker_that_joins_wakes_the_sender() {
    model("fan_out::a_worker_that_joins_wakes_the_sender", Some(2), || {
        let (mut tx, hub) = Builder::new(1).build_hub().unwrap();
        let worker = thread::spawn(move || {
            let mut rx = hub.join().unwrap();
            let got = rx.recv();
            (got, rx)
        });
        tx.send(7).unwrap();
        assert_eq!(worker.join().unwrap().0, Ok(7));
    });
}

/// A worker joins while the sender sends: the lane is found, and no message is lost.
pub fn a_worker_joins_while_the_sender_sends() {
    without_fences(|| {
        outcomes("fan_out::a_worker_joins_while_the_sender_sends", Some(3), [0, 1], || {
            let (mut tx, mut rx) = fan_out::channel(2).unwrap();
            let hub = rx.hub().unwrap();
            let joiner = thread::spawn(move || hub.join().unwrap());
            tx.try_send(1).unwrap();
            tx.try_send(2).unwrap();
            let mut other = joiner.join().unwrap();
            drop(tx);
            let theirs = other.try_iter().count();
            assert_eq!(rx.try_iter().count() + theirs, 2);
            theirs
        });
    });
}

/// The last handle goes while the sender waits: the message comes back.
pub fn the_last_worker_that_leaves_wakes_the_sender() {
    model("fan_out::the_last_worker_that_leaves_wakes_the_sender", Some(2), || {
        let (mut tx, rx) = fan_out::channel(1).unwrap();
        tx.try_send(1).unwrap();
        let leaver = thread::spawn(move || drop(rx));
        assert_eq!(tx.send(2).unwrap_err().into_inner(), 2);
        leaver.join().unwrap();
        assert_eq!(tx.take_back().collect::<Vec<u32>>(), [1]);
        assert_eq!(tx.try_send(3), Err(TrySendError::Disconnected(3)));
    });
}

/// The sender has closed, and one of two workers has a message: neither is told the end before that is received, and neither sleeps for ever.
pub fn the_end_comes_once_all_is_received() {
    model("fan_out::the_end_comes_once_all_is_received", Some(2), || the_end(two(1)));
}

pub fn the_end_comes_once_all_is_received_fenced() {
    without_fences(|| {
        model("fan_out::the_end_comes_once_all_is_received_fenced", Some(2), || the_end(two_fenced(1)));
    });
}

fn the_end((mut tx, mut rx, mut other): (Sender<Counted>, Receiver<Counted>, Receiver<Counted>)) {
    let drops = Drops::default();
    tx.try_send(drops.value(0)).unwrap();
    let worker = thread::spawn(move || rx.iter().count());
    drop(tx);
    let got = other.iter().count();
    assert_eq!(got + worker.join().unwrap(), 1);
    drops.assert_each_once(1);
}

/// The same where the other leaves without having looked.
pub fn what_is_left_at_the_end_is_received() {
    model("fan_out::what_is_left_at_the_end_is_received", Some(2), || {
        let drops = Drops::default();
        let (mut tx, rx, mut other) = two(1);
        tx.try_send(drops.value(0)).unwrap();
        let leaver = thread::spawn(move || drop(rx));
        drop(tx);
        assert_eq!(other.recv().unwrap().id, 0);
        assert_eq!(other.recv().err(), Some(RecvError));
        leaver.join().unwrap();
        drop(other);
        drops.assert_each_once(1);
    });
}

/// All leave at once: what was sent is dropped once.
pub fn all_leave_at_once() {
    model("fan_out::all_leave_at_once", Some(2), || {
        let drops = Drops::default();
        let (mut tx, rx, other) = two(1);
        tx.try_send(drops.value(0)).unwrap();
        let value = drops.value(1);
        let workers = [rx, other].map(|rx| thread::spawn(move || drop(rx)));
        drop(tx.try_send(value));
        drop(tx);
        let _ = workers.map(|worker| worker.join().unwrap());
        drops.assert_each_once(2);
    });
}

/// A key that belongs to the `first` of two workers, or to the other.
fn key_of(first: bool) -> u32 {
    let (mut tx, mut rx, _other) = two(1);
    (0..).find(|key| tx.try_send_by_key(key, 0).is_ok() && rx.try_recv().is_ok() == first).unwrap()
}

/// A worker leaves with a message of a key. The one that gets the next of that key does not see it before the first was received.
pub fn a_key_stays_in_order_when_its_worker_leaves() {
    without_fences(|| {
        model("fan_out::a_key_stays_in_order_when_its_worker_leaves", Some(2), || {
            let (mut tx, rx, mut other) = two_fenced(2);
            let key = key_of(true);
            tx.try_send_by_key(&key, 1).unwrap();
            let leaver = thread::spawn(move || drop(rx));
            let sender = thread::spawn(move || {
                let _ = tx.try_send_by_key(&key, 2);
                tx
            });
            let got: Vec<u32> = [other.try_recv(), other.try_recv()].into_iter().flatten().collect();
            leaver.join().unwrap();
            let _tx = sender.join().unwrap();
            assert!(got.is_sorted() && got.first().is_none_or(|&first| first == 1), "{got:?}");
        });
    });
}

/// A key moves to a worker that joins. That one gets the next of the key once the former worker has received those before.
pub fn a_key_that_moves_waits_for_its_former_worker() {
    without_fences(|| {
        outcomes("fan_out::a_key_that_moves_waits_for_its_former_worker", Some(3), [true, false], || {
            let key = key_of(false);
            let (mut tx, mut rx) = Builder::new(2).fence_mode(FenceMode::Fence).build().unwrap();
            tx.try_send_by_key(&key, 1).unwrap();
            let mut other = rx.join().unwrap();
            let memory = Unordered::new();
            let theirs = memory.clone();
            let former = thread::spawn(move || {
                rx.try_recv_with(|_| theirs.write()).unwrap();
                rx
            });
            let sent = tx.try_send_by_key(&key, 2).is_ok();
            if sent {
                memory.read();
                assert_eq!(other.try_recv(), Ok(2));
            }
            let _rx = former.join().unwrap();
            sent
        });
    });
}
