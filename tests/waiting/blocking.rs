//! The verbs that block: across threads, with every strategy, barrier and kind of time limit.

use crate::support::{ends, let_it_sleep};
use ringmail::spsc::{Builder, Receiver, Sender, channel};
use ringmail::{FenceMode, RecvTimeoutError, SendTimeoutError, WaitStrategy};
use std::thread;
use std::time::{Duration, Instant};

const N: u64 = 500;

/// One sender thread, one receiver thread, a small ring: both sides wait often. Everything arrives, in order.
fn exchange(
    (mut tx, mut rx): (Sender<u64>, Receiver<u64>),
    send: impl FnOnce(&mut Sender<u64>) + Send + 'static,
    receive: impl FnOnce(&mut Receiver<u64>) -> Vec<u64>,
) {
    let sender = thread::spawn(move || {
        send(&mut tx);
        tx.stats()
    });
    let seen = receive(&mut rx);
    assert!(seen.iter().copied().eq(0..N), "{} of {N}", seen.len());
    let stats = sender.join().unwrap();
    assert_eq!(stats.sent, N);
}

fn send_each(tx: &mut Sender<u64>) {
    for i in 0..N {
        tx.send(i).unwrap();
    }
}

fn receive_each(rx: &mut Receiver<u64>) -> Vec<u64> {
    rx.iter().collect()
}

#[test]
fn every_strategy_works_with_every_barrier() {
    for wait in [WaitStrategy::BusySpin, WaitStrategy::Yield, WaitStrategy::Park] {
        for barrier in [FenceMode::Auto, FenceMode::Fence, FenceMode::Never] {
            for capacity in [1, 2, 64] {
                ends(move || {
                    let ends = Builder::new(capacity).wait(wait).fence_mode(barrier).build().unwrap();
                    exchange(ends, send_each, receive_each);
                });
            }
        }
    }
}

#[test]
fn the_two_sides_may_wait_differently_and_change_their_mind() {
    let all = [WaitStrategy::BusySpin, WaitStrategy::Yield, WaitStrategy::Park];
    ends(move || {
        let ends = Builder::new(2).sender_wait(WaitStrategy::Yield).receiver_wait(WaitStrategy::BusySpin);
        exchange(
            ends.build().unwrap(),
            move |tx| {
                for i in 0..N {
                    tx.set_wait(all[i as usize / 100 % 3]);
                    tx.send(i).unwrap();
                }
            },
            move |rx| {
                let mut seen = Vec::new();
                while let Ok(value) = rx.recv() {
                    seen.push(value);
                    rx.set_wait(all[seen.len() / 70 % 3]);
                }
                seen
            },
        );
    });
}

#[test]
fn batches_block_for_as_long_as_it_takes() {
    for capacity in [1, 3, 64] {
        ends(move || {
            let numbers: Vec<_> = (0..N).collect();
            exchange(channel(capacity).unwrap(), move |tx| tx.send_slice(&numbers).unwrap(), receive_each);
        });
        ends(move || {
            exchange(channel(capacity).unwrap(), |tx| assert_eq!(tx.send_iter(0..N), Ok(N as usize)), receive_each);
        });
        ends(move || {
            exchange(channel(capacity).unwrap(), send_each, |rx| {
                let mut seen = Vec::new();
                while let Ok(n) = rx.recv_many(&mut seen, 7) {
                    assert!((1..=7).contains(&n));
                }
                seen
            });
        });
        ends(move || {
            exchange(channel(capacity).unwrap(), send_each, |rx| {
                let mut seen = Vec::new();
                while let Ok(value) = rx.recv() {
                    seen.push(value);
                    rx.drain(5, |v| seen.push(v));
                    if let Ok(chunk) = rx.read_chunk(5) {
                        seen.extend(chunk);
                    }
                }
                seen
            });
        });
    }
}

#[test]
fn a_timeout_elapses_and_gives_the_value_back() {
    for wait in [WaitStrategy::BusySpin, WaitStrategy::Yield, WaitStrategy::Park] {
        ends(move || {
            let (mut tx, mut rx) = Builder::new(1).wait(wait).build().unwrap();
            let limit = Duration::from_millis(20);
            let start = Instant::now();
            assert_eq!(rx.recv_timeout(limit), Err(RecvTimeoutError::Timeout));
            assert!(start.elapsed() >= limit);
            assert_eq!(rx.recv_deadline(Instant::now() + limit), Err(RecvTimeoutError::Timeout));
            tx.send("in").unwrap();
            let start = Instant::now();
            assert_eq!(tx.send_timeout("out", limit), Err(SendTimeoutError::Timeout("out")));
            assert!(start.elapsed() >= limit);
            assert_eq!(tx.send_deadline("out", Instant::now() + limit), Err(SendTimeoutError::Timeout("out")));
            // A limit in the past does not keep a message that is there, or room that is there, from being used.
            assert_eq!(rx.recv_timeout(Duration::ZERO), Ok("in"));
            assert_eq!(rx.recv_deadline(start), Err(RecvTimeoutError::Timeout));
            assert_eq!(tx.send_deadline("again", start), Ok(()));
            assert_eq!(tx.send_timeout("out", Duration::ZERO), Err(SendTimeoutError::Timeout("out")));
            assert_eq!(rx.recv_deadline(start), Ok("again"));
        });
    }
}

#[test]
fn a_limit_longer_than_the_clock_can_say_is_for_ever() {
    for limit in [Duration::MAX, Duration::from_secs(u64::MAX / 2), Duration::from_secs(1 << 40)] {
        ends(move || {
            let (mut tx, mut rx) = channel(1).unwrap();
            let receiver = thread::spawn(move || (rx.recv_timeout(limit), rx));
            let_it_sleep();
            tx.send(1).unwrap();
            let (received, mut rx) = receiver.join().unwrap();
            assert_eq!(received, Ok(1));
            tx.send(2).unwrap();
            let sender = thread::spawn(move || (tx.send_timeout(3, limit), tx));
            let_it_sleep();
            assert_eq!(rx.recv(), Ok(2));
            assert_eq!(sender.join().unwrap().0, Ok(()));
            assert_eq!(rx.recv(), Ok(3));
        });
    }
}

#[test]
fn a_message_in_time_ends_the_wait() {
    ends(|| {
        let (mut tx, mut rx) = channel(1).unwrap();
        let receiver = thread::spawn(move || rx.recv_timeout(Duration::from_secs(3600)));
        let_it_sleep();
        tx.send(1).unwrap();
        assert_eq!(receiver.join().unwrap(), Ok(1));
    });
}

#[test]
fn each_side_counts_its_own_parks_and_wakes() {
    ends(|| {
        let (mut tx, mut rx) = channel(1).unwrap();
        // On a busy machine the time may be up before it comes to sleeping.
        crate::support::until(|| {
            assert_eq!(rx.recv_timeout(Duration::from_millis(20)), Err(RecvTimeoutError::Timeout));
            tx.stats().receiver_parks > 0
        });
        assert_eq!(tx.stats().sender_wakes, 0, "nobody woke it");
        let receiver = thread::spawn(move || {
            assert_eq!(rx.recv(), Ok(1));
            rx
        });
        let_it_sleep();
        tx.send(1).unwrap();
        let mut rx = receiver.join().unwrap();
        tx.send(2).unwrap();
        let sender = thread::spawn(move || {
            tx.send(3).unwrap();
            tx
        });
        let_it_sleep();
        assert_eq!((rx.recv(), rx.recv()), (Ok(2), Ok(3)));
        let tx = sender.join().unwrap();
        assert_eq!(tx.stats(), rx.stats());
        let stats = tx.stats();
        assert!(stats.sender_wakes <= 2 && stats.receiver_wakes <= 2, "at most one wake a wait: {stats}");
    });
}

#[test]
fn a_side_that_never_sleeps_never_parks() {
    ends(|| {
        let (mut tx, mut rx) = Builder::new(1).fence_mode(FenceMode::Never).build().unwrap();
        let receiver = thread::spawn(move || (rx.recv(), rx.stats()));
        let_it_sleep();
        tx.send(1).unwrap();
        let (received, stats) = receiver.join().unwrap();
        assert_eq!((received, stats.receiver_parks, stats.sender_wakes), (Ok(1), 0, 0));
    });
}

#[test]
fn handles_move_between_threads_with_what_they_know() {
    ends(|| {
        let (mut tx, mut rx) = channel(8).unwrap();
        for round in 0..50 {
            (tx, rx) = thread::spawn(move || {
                tx.send(round).unwrap();
                tx.send(round + 1).unwrap();
                assert_eq!(rx.recv(), Ok(round));
                (tx, rx)
            })
            .join()
            .unwrap();
            assert_eq!(rx.recv_timeout(Duration::ZERO), Ok(round + 1));
        }
    });
}

#[test]
fn registering_early_changes_nothing_but_the_time_of_it() {
    let first = ringmail::init();
    assert_eq!(ringmail::init(), first);
}
