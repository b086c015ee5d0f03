//! A sender that stops between claim and publication: it holds up messages behind it, never anybody's operation.
//!
//! `Sender::hold` is that sender: it claims places and publishes them when told to, or gives them up.

use crate::support::{Ledger, Wakes, ends, let_it_sleep};
use ringmail::mpsc::{Builder, Receiver, Sender, channel};
use ringmail::{FenceMode, RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

#[test]
fn a_message_behind_an_open_claim_is_not_yet_next() {
    let (mut slow, mut rx) = channel(4).unwrap();
    let mut tx = slow.clone();
    tx.try_send(1).unwrap();
    let mut held = slow.hold(2).unwrap();
    tx.try_send(4).unwrap();
    assert_eq!(tx.try_send(5), Err(TrySendError::Full(5)), "a claimed place is taken");
    assert_eq!((rx.len(), tx.len()), (4, 4));
    assert_eq!(rx.read_chunk(9).unwrap().len(), 1, "a chunk ends before the hole");
    assert_eq!(rx.try_recv(), Ok(1));
    // Nothing next in order, whatever the verb; and yet there are messages, so nobody may say that it is empty for good.
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.peek(), Err(TryRecvError::Empty));
    assert_eq!(rx.read_chunk(1).unwrap_err(), TryRecvError::Empty);
    assert_eq!(rx.try_recv_many(&mut Vec::new(), 9), Err(TryRecvError::Empty));
    assert_eq!(rx.drain(9, |_| unreachable!()), 0);
    assert_eq!(rx.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
    assert!(rx.poll_recv(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!((rx.len(), rx.is_empty()), (3, false));
    held.send(2);
    assert_eq!(held.left(), 1);
    assert_eq!(rx.try_recv(), Ok(2));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    held.send(3);
    drop(held);
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn a_claim_is_as_wide_as_the_room_and_none_without() {
    let (mut tx, mut rx) = channel(3).unwrap();
    let mut other = tx.clone();
    assert!(tx.hold(0).is_none());
    assert_eq!(tx.hold(9).unwrap().left(), 3);
    assert!(other.hold(1).is_none(), "what was given up is taken until the receiver has passed it");
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.stats().tombstones, 3);
    let mut held = tx.hold(2).unwrap();
    assert_eq!(other.hold(9).unwrap().left(), 1);
    held.send(1);
    held.send(2);
    held.send(3);
    assert_eq!(held.left(), 0, "no place, no message");
    drop(held);
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn what_is_given_up_is_passed_over_and_in_no_count_but_its_own() {
    let (mut slow, mut rx) = channel(8).unwrap();
    let mut tx = slow.clone();
    for round in 1..=10 {
        let mut held = slow.hold(3).unwrap();
        tx.try_send(2).unwrap();
        held.send(1);
        drop(held);
        assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2]);
        assert!(rx.is_empty() && tx.is_empty());
        let stats = rx.stats();
        assert_eq!((stats.sent, stats.received, stats.tombstones, stats.depth), (2 * round, 2 * round, 2 * round, 0));
        assert_eq!(stats, tx.stats());
    }
}

#[test]
fn a_chunk_lies_between_two_abandoned_claims() {
    let (mut slow, mut rx) = channel(8).unwrap();
    let mut tx = slow.clone();
    drop(slow.hold(2).unwrap());
    tx.try_send_slice(&[1, 2]).unwrap();
    drop(slow.hold(1).unwrap());
    tx.try_send(3).unwrap();
    let mut taken = rx.read_chunk(9).unwrap().into_iter();
    assert_eq!((taken.len(), taken.next(), taken.next(), taken.next()), (2, Some(1), Some(2), None));
    drop(taken);
    assert_eq!(rx.read_chunk(9).unwrap().iter().copied().collect::<Vec<_>>(), [3]);
    assert_eq!(rx.drain(9, drop), 1);
}

/// Three threads run every verb that does not wait, 10^4 times each, while a fourth stands still in the middle of its send.
#[test]
fn none_waits_for_a_thread_that_stops_in_its_send() {
    ends(|| {
        let (tx, mut rx) = channel(64).unwrap();
        let go = Arc::new(AtomicBool::new(false));
        let stopped = thread::spawn({
            let (mut tx, go) = (tx.clone(), go.clone());
            move || {
                let mut held = tx.hold(1).unwrap();
                while !go.load(Ordering::SeqCst) {
                    thread::park();
                }
                held.send(u32::MAX);
            }
        });
        crate::support::until(|| rx.len() == 1);
        let run = |mut tx: Sender<u32>| thread::spawn(move || (0..10_000).filter(|&i| tx.try_send(i).is_ok()).count());
        let senders = [run(tx.clone()), run(tx)];
        for _ in 0..10_000 {
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        }
        let sent: usize = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
        assert_eq!(sent, 63, "all but the place that is held");
        go.store(true, Ordering::SeqCst);
        stopped.thread().unpark();
        stopped.join().unwrap();
        assert_eq!(rx.recv(), Ok(u32::MAX));
        assert_eq!(rx.iter().count(), 63);
    });
}

#[test]
fn only_the_next_message_wakes_a_sleeping_receiver() {
    let (mut slow, mut rx) = Builder::new(4).fence_mode(FenceMode::Fence).build().unwrap();
    let mut tx = slow.clone();
    let (wakes, waker) = Wakes::new();
    let mut held = slow.hold(1).unwrap();
    assert!(rx.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    tx.try_send(2).unwrap();
    tx.try_send_slice(&[3]).unwrap();
    assert_eq!(wakes.count(), 0, "these are not next");
    held.send(1);
    assert_eq!(wakes.count(), 1);
    assert_eq!(rx.poll_recv(&mut Context::from_waker(&waker)), Poll::Ready(Ok(1)));
}

#[test]
fn after_an_abandoned_claim_the_next_message_wakes_the_receiver() {
    ends(|| {
        let (mut tx, mut rx) = channel(4).unwrap();
        let receiver = thread::spawn(move || rx.recv());
        let_it_sleep();
        drop(tx.hold(1).unwrap());
        let_it_sleep();
        tx.send(1).unwrap();
        assert_eq!(receiver.join().unwrap(), Ok(1));
    });
}

/// A sender sleeps for the room of a tombstone, which the receiver passes, whether or not it takes the message behind it.
fn gets_the_room(look: impl FnOnce(&mut Receiver<u32>) + Send + 'static) {
    ends(move || {
        let (mut tx, mut rx) = channel(2).unwrap();
        let mut other = tx.clone();
        drop(tx.hold(1).unwrap());
        tx.try_send(1).unwrap();
        let sender = thread::spawn(move || other.send(2).unwrap());
        let_it_sleep();
        look(&mut rx);
        sender.join().unwrap();
    });
}

#[test]
fn a_sender_that_sleeps_gets_the_room_of_what_was_given_up() {
    gets_the_room(|rx| assert_eq!(rx.try_recv(), Ok(1)));
    gets_the_room(|rx| assert_eq!(rx.peek(), Ok(&1)));
    gets_the_room(|rx| assert_eq!(rx.drain(1, drop), 1));
    gets_the_room(|rx| drop(rx.read_chunk(1).unwrap().into_iter()));
    gets_the_room(|rx| rx.read_chunk(1).unwrap().commit(0));
}

#[test]
fn a_sleeping_sender_gets_room_before_a_chunk_only_looked_at() {
    gets_the_room(|rx| assert_eq!(rx.read_chunk(1).unwrap().len(), 1));
}

#[test]
fn what_was_claimed_before_the_receiver_closes_still_comes() {
    for publish in [true, false] {
        ends(move || {
            let (mut slow, mut rx) = channel(4).unwrap();
            let mut tx = slow.clone();
            let mut held = slow.hold(1).unwrap();
            tx.try_send(2).unwrap();
            rx.close();
            assert_eq!(tx.try_send(3), Err(TrySendError::Disconnected(3)));
            assert_eq!(tx.send(3), Err(SendError(3)));
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "not over: a claim is open");
            let receiver = thread::spawn(move || {
                let seen: Vec<_> = rx.iter().collect();
                assert_eq!((rx.recv(), rx.try_recv()), (Err(RecvError), Err(TryRecvError::Disconnected)));
                seen
            });
            let_it_sleep();
            if publish {
                held.send(1);
            }
            drop(held);
            assert_eq!(receiver.join().unwrap(), if publish { vec![1, 2] } else { vec![2] });
        });
    }
}

#[test]
fn what_is_published_too_late_is_dropped_by_the_next_operation() {
    for last in [false, true] {
        let ledger = Ledger::default();
        let (mut slow, rx) = channel(4).unwrap();
        let mut tx = slow.clone();
        tx.try_send(ledger.value()).ok().unwrap();
        let mut held = slow.hold(2).unwrap();
        tx.try_send(ledger.value()).ok().unwrap();
        drop(rx);
        assert_eq!(ledger.drops(), [1, 0], "the second lies behind an open claim");
        held.send(ledger.value());
        drop(held);
        if last {
            drop((slow, tx));
        } else {
            assert!(tx.try_send(ledger.value()).is_err_and(|e| e.is_disconnected()));
            ledger.settle();
            assert_eq!((tx.len(), slow.len()), (0, 0));
        }
        ledger.settle();
    }
}
