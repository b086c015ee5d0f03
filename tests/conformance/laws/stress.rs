//! Two threads and no pause: nothing lost, nothing twice, no order changed, no wait for ever.

use super::channel;
use crate::support::ends;
use ringmail::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use std::thread;
use std::time::Duration;

#[test]
fn one_sender_and_one_receiver() {
    for capacity in [1, 2, 3, 64] {
        ends(move || {
            let (mut tx, mut rx) = channel(capacity).unwrap();
            let sender = thread::spawn(move || (0..20_000u32).for_each(|i| tx.send(i).unwrap()));
            assert!(rx.iter().eq(0..20_000));
            sender.join().unwrap();
        });
    }
}

#[test]
fn receivers_that_only_poll_and_senders_that_only_try() {
    ends(|| {
        let (mut tx, mut rx) = channel(4).unwrap();
        let sender = thread::spawn(move || {
            for i in 0..10_000u32 {
                let mut value = i;
                while let Err(refused) = tx.try_send(value) {
                    assert!(refused.is_full());
                    value = refused.into_inner();
                    thread::yield_now();
                }
            }
        });
        let mut next = 0;
        loop {
            match rx.try_recv() {
                Ok(value) => {
                    assert_eq!(value, next);
                    next += 1;
                }
                Err(TryRecvError::Empty) => thread::yield_now(),
                Err(TryRecvError::Disconnected) => break,
            }
        }
        assert_eq!(next, 10_000);
        sender.join().unwrap();
    });
}

/// Limits so short that many of them pass: the value comes back or goes, never both, and no timeout is taken for an end.
#[test]
fn short_limits_on_both_sides() {
    const N: u32 = 500;
    ends(|| {
        let (mut tx, mut rx) = channel(2).unwrap();
        let sender = thread::spawn(move || {
            let mut late = 0;
            for i in 0..N {
                if i % 50 == 0 {
                    thread::sleep(Duration::from_millis(2));
                }
                let mut value = i;
                loop {
                    match tx.send_timeout(value, Duration::from_micros(100)) {
                        Ok(()) => break,
                        Err(SendTimeoutError::Timeout(back)) => value = back,
                        Err(SendTimeoutError::Disconnected(_)) => panic!("the receiver is there"),
                    }
                    late += 1;
                }
            }
            late
        });
        let (mut next, mut late) = (0, 0);
        loop {
            if next % 70 == 0 {
                thread::sleep(Duration::from_millis(2));
            }
            match rx.recv_timeout(Duration::from_micros(100)) {
                Ok(value) => {
                    assert_eq!(value, next);
                    next += 1;
                }
                Err(RecvTimeoutError::Timeout) => late += 1,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        assert_eq!(next, N);
        println!("{} sends and {late} receives were late", sender.join().unwrap());
    });
}

#[test]
fn ping_pong() {
    ends(|| {
        let ((mut ping, mut pinged), (mut pong, mut ponged)) = (channel(1).unwrap(), channel(1).unwrap());
        let other = thread::spawn(move || {
            for value in pinged.iter() {
                pong.send(value + 1).unwrap();
            }
        });
        for i in 0..3000 {
            ping.send(i).unwrap();
            assert_eq!(ponged.recv(), Ok(i + 1));
        }
        drop(ping);
        other.join().unwrap();
    });
}

/// As a queue that one thread steps through would answer: after so many sends and receives, each answer is determined.
#[test]
fn answers_are_those_of_a_queue() {
    for capacity in [1, 2, 5, 8] {
        let (mut tx, mut rx) = channel(capacity).unwrap();
        let mut queue = std::collections::VecDeque::new();
        let mut random = 0x2545_f491_4f6c_dd1du64;
        for i in 0..20_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            if random & 1 == 0 {
                let full = queue.len() == capacity;
                assert_eq!(tx.try_send(i), if full { Err(TrySendError::Full(i)) } else { Ok(()) });
                if !full {
                    queue.push_back(i);
                }
            } else {
                assert_eq!(rx.try_recv(), queue.pop_front().ok_or(TryRecvError::Empty));
            }
            assert_eq!(tx.len(), queue.len());
        }
    }
}

/// A message that was sent before a signal went out of band is there when the signal is.
#[test]
fn a_receiver_that_knows_of_a_send_finds_its_message() {
    ends(|| {
        for i in 0..2000 {
            let (mut tx, mut rx) = channel(2).unwrap();
            let (told, listen) = std::sync::mpsc::channel();
            let sender = thread::spawn(move || {
                tx.send(i).unwrap();
                told.send(()).unwrap();
                tx
            });
            listen.recv().unwrap();
            assert_eq!(rx.try_recv(), Ok(i));
            drop(sender.join().unwrap());
        }
    });
}
