//! Several senders: shared and dropped one by one, all heard, each in its own order.

use super::{another, channel};
use crate::support::{Ledger, ends, let_it_sleep};
use ringmail::{RecvError, TryRecvError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

#[test]
fn smoke_shared() {
    let (mut tx, mut rx) = channel(1).unwrap();
    tx.send(1).unwrap();
    assert_eq!(rx.recv(), Ok(1));
    let mut other = another(&tx);
    other.send(2).unwrap();
    assert_eq!(rx.recv(), Ok(2));
    drop(tx);
    other.send(3).unwrap();
    assert_eq!(rx.recv(), Ok(3));
}

#[test]
fn a_shared_channel_is_dropped_full() {
    let (tx, _rx) = channel(1).unwrap();
    drop(another(&tx));
    drop(another(&tx));
    another(&tx).send(Box::new(1)).unwrap();
}

#[test]
fn the_channel_stays_open_until_the_last_sender_goes() {
    ends(|| {
        let (tx, mut rx) = channel::<u8>(1).unwrap();
        let others: Vec<_> = (0..4).map(|_| another(&tx)).collect();
        drop(tx);
        let receiver = thread::spawn(move || rx.recv());
        let_it_sleep();
        for tx in others {
            assert!(!receiver.is_finished());
            drop(tx);
        }
        assert_eq!(receiver.join().unwrap(), Err(RecvError));
    });
}

#[test]
fn after_the_receiver_has_gone_every_sender_gets_its_value_back() {
    let (mut tx, rx) = channel(1).unwrap();
    let mut other = another(&tx);
    drop(rx);
    assert!(tx.send(1).is_err_and(|e| e.0 == 1) && other.send(2).is_err_and(|e| e.0 == 2));
}

#[test]
fn many_senders_and_one_receiver() {
    const SENDERS: usize = 8;
    const EACH: usize = 3000;
    for capacity in [1, 3, 100] {
        ends(move || {
            let (tx, mut rx) = channel(capacity).unwrap();
            let senders: Vec<_> = (0..SENDERS)
                .map(|id| {
                    let mut tx = another(&tx);
                    thread::spawn(move || (0..EACH).for_each(|i| tx.send((id, i)).unwrap()))
                })
                .collect();
            drop(tx);
            let mut next = [0; SENDERS];
            for (id, i) in rx.iter() {
                assert_eq!(i, next[id], "sender {id}");
                next[id] += 1;
            }
            assert_eq!(next, [EACH; SENDERS]);
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
            senders.into_iter().for_each(|sender| sender.join().unwrap());
        });
    }
}

/// As many sends as receives: all end, and nothing is left.
#[test]
fn as_many_receives_as_sends_leave_nothing() {
    ends(|| {
        let (tx, mut rx) = channel(5).unwrap();
        let start = Arc::new(Barrier::new(5));
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let (mut tx, start) = (another(&tx), start.clone());
                thread::spawn(move || {
                    start.wait();
                    (0..2000).for_each(|_| tx.send(()).unwrap());
                })
            })
            .collect();
        start.wait();
        (0..8000).for_each(|_| rx.recv().unwrap());
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert_eq!((rx.try_recv(), tx.len(), rx.len()), (Err(TryRecvError::Empty), 0, 0));
    });
}

/// All that was claimed to have been sent, less what is still there, is what was received.
#[test]
fn tries_that_succeeded_are_as_many_as_messages_that_came() {
    ends(|| {
        let (tx, mut rx) = channel(7).unwrap();
        let sent = Arc::new(AtomicUsize::new(0));
        for id in 0..4 {
            let (mut tx, sent) = (another(&tx), sent.clone());
            thread::spawn(move || {
                let went = (0..5000).filter(|&i| tx.try_send((id, i)).is_ok()).count();
                sent.fetch_add(went, Ordering::Relaxed);
            });
        }
        drop(tx);
        let mut received = 0;
        let mut last = [None; 4];
        for (id, i) in rx.iter() {
            assert!(last[id] < Some(i), "sender {id}: {i} after {:?}", last[id]);
            last[id] = Some(i);
            received += 1;
        }
        assert_eq!(received, sent.load(Ordering::Relaxed), "`Disconnected` comes after all that the senders did");
    });
}

#[test]
fn senders_come_and_go_while_the_receiver_runs() {
    ends(|| {
        let (tx, mut rx) = channel(3).unwrap();
        let spawner = thread::spawn(move || {
            for i in 0..300 {
                let mut tx = another(&tx);
                thread::spawn(move || tx.send(i).unwrap());
            }
        });
        let mut seen: Vec<_> = rx.iter().collect();
        seen.sort();
        assert!(seen.into_iter().eq(0..300));
        spawner.join().unwrap();
    });
}

#[test]
fn each_message_is_dropped_once_if_the_receiver_leaves_midway() {
    ends(|| {
        for run in 0..40usize {
            let ledger = Ledger::default();
            let (tx, mut rx) = channel(4).unwrap();
            let senders: Vec<_> = (0..4)
                .map(|_| {
                    let (mut tx, ledger) = (another(&tx), ledger.clone());
                    thread::spawn(move || while tx.send(ledger.value()).is_ok() {})
                })
                .collect();
            (0..run * 3).for_each(|_| drop(rx.recv().ok().unwrap()));
            drop(rx);
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            drop(tx);
            ledger.settle();
        }
    });
}

/// Every sender has something all the time, and so every one of them is heard.
#[test]
fn no_sender_is_left_out() {
    const SENDERS: usize = 4;
    ends(|| {
        let (tx, mut rx) = channel(8).unwrap();
        for id in 0..SENDERS {
            let mut tx = another(&tx);
            thread::spawn(move || while tx.send(id).is_ok() {});
        }
        let mut heard = [0; SENDERS];
        while heard.iter().any(|&n| n < 1000) {
            heard[rx.recv().unwrap()] += 1;
        }
    });
}
