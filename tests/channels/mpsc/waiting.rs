//! The verbs of `mpsc` that wait: many threads on one ring, time limits, tasks, the end of the wait by a close.

use crate::support::tasks::{block_on, poll};
use crate::support::{Counted, Ledger, Wakes, ends, let_it_sleep};
use ringmail::mpsc::{Builder, Sender, channel};
use ringmail::{FenceMode, RecvError, RecvTimeoutError, SendError, SendTimeoutError, WaitStrategy};
use std::collections::BTreeSet;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

const EACH: u64 = 500;

/// Four threads send, each its own numbers in order; this one receives them all.
fn exchange(builder: Builder, send: fn(&mut Sender<u64>, std::ops::Range<u64>)) {
    ends(move || {
        let (tx, mut rx) = builder.build().unwrap();
        for id in 0..4 {
            let mut tx = tx.clone();
            thread::spawn(move || send(&mut tx, id * EACH..(id + 1) * EACH));
        }
        drop(tx);
        let mut next: Vec<_> = (0..4).map(|id| id * EACH).collect();
        for value in rx.iter() {
            let next = &mut next[(value / EACH) as usize];
            assert_eq!(value, *next);
            *next += 1;
        }
        assert_eq!(next, [EACH, 2 * EACH, 3 * EACH, 4 * EACH]);
    });
}

#[test]
fn every_strategy_works_with_every_barrier() {
    for wait in [WaitStrategy::Yield, WaitStrategy::Park, WaitStrategy::ParkAtOnce] {
        for barrier in [FenceMode::Auto, FenceMode::Fence, FenceMode::Never] {
            for capacity in [1, 2, 64] {
                exchange(Builder::new(capacity).wait(wait).fence_mode(barrier), |tx, numbers| {
                    numbers.for_each(|i| tx.send(i).unwrap());
                });
            }
        }
    }
}

#[test]
fn batches_and_tasks_wait_for_as_long_as_it_takes() {
    for capacity in [1, 3, 64] {
        let builder = Builder::new(capacity);
        exchange(builder.clone(), |tx, numbers| tx.send_slice(&numbers.collect::<Vec<_>>()).unwrap());
        exchange(builder.clone(), |tx, numbers| assert_eq!(tx.send_iter(numbers), Ok(EACH as usize)));
        exchange(builder.clone(), |tx, numbers| numbers.for_each(|i| block_on(tx.send_async(i)).unwrap()));
        exchange(builder, |tx, numbers| {
            for i in numbers {
                match i % 3 {
                    0 => tx.send(i).unwrap(),
                    1 => block_on(tx.send_async(i)).unwrap(),
                    _ => tx.send_timeout(i, Duration::from_secs(3600)).unwrap(),
                }
            }
        });
    }
}

#[test]
fn a_timeout_elapses_and_gives_the_value_back() {
    for wait in [WaitStrategy::BusySpin, WaitStrategy::Yield, WaitStrategy::Park] {
        ends(move || {
            let (tx, mut rx) = Builder::new(1).wait(wait).build().unwrap();
            let limit = Duration::from_millis(20);
            let start = Instant::now();
            assert_eq!(rx.recv_timeout(limit), Err(RecvTimeoutError::Timeout));
            assert!(start.elapsed() >= limit);
            tx.clone().send("in").unwrap();
            // Two at once, of which neither is at the front all the time.
            let late: Vec<_> = (0..2)
                .map(|_| {
                    let mut tx = tx.clone();
                    thread::spawn(move || {
                        let start = Instant::now();
                        assert_eq!(tx.send_timeout("out", limit), Err(SendTimeoutError::Timeout("out")));
                        assert!(start.elapsed() >= limit);
                        assert_eq!(tx.send_deadline("out", start), Err(SendTimeoutError::Timeout("out")));
                    })
                })
                .collect();
            late.into_iter().for_each(|sender| sender.join().unwrap());
            assert_eq!(rx.recv_timeout(Duration::ZERO), Ok("in"));
            assert_eq!(rx.recv_deadline(start), Err(RecvTimeoutError::Timeout));
            let mut tx = tx;
            assert_eq!(tx.send_deadline("again", start), Ok(()), "room that is there is used whatever the time");
            assert_eq!(rx.recv_deadline(start), Ok("again"));
        });
    }
}

#[test]
fn a_limit_longer_than_the_clock_can_say_is_for_ever() {
    for limit in [Duration::MAX, Duration::from_secs(u64::MAX / 2)] {
        ends(move || {
            let (mut tx, mut rx) = channel(1).unwrap();
            tx.send(1).unwrap();
            let sender = thread::spawn(move || tx.send_timeout(2, limit));
            let_it_sleep();
            assert_eq!((rx.recv(), rx.recv_timeout(limit)), (Ok(1), Ok(2)));
            sender.join().unwrap().unwrap();
        });
    }
}

#[test]
fn a_receiver_that_leaves_gives_blocked_senders_their_values() {
    for close in [true, false] {
        ends(move || {
            let (mut tx, mut rx) = channel(1).unwrap();
            tx.send(0).unwrap();
            let senders: Vec<_> = (1..6)
                .map(|value| {
                    let mut tx = tx.clone();
                    thread::spawn(move || match value {
                        1 => tx.send_timeout(value, Duration::from_secs(3600)).map_err(|e| e.into_inner()),
                        2 => block_on(tx.send_async(value)).map_err(SendError::into_inner),
                        3 => tx.send_iter([value]).map(drop).map_err(SendError::into_inner),
                        4 => tx.send_slice(&[value]).map_err(|SendError(sent)| value + sent),
                        _ => tx.send(value).map_err(SendError::into_inner),
                    })
                })
                .collect();
            let_it_sleep();
            let mut rx = if close {
                rx.close();
                Some(rx)
            } else {
                drop(rx);
                None
            };
            let back: Vec<_> = senders.into_iter().map(|sender| sender.join().unwrap().unwrap_err()).collect();
            assert_eq!(back, [1, 2, 3, 4, 5]);
            assert_eq!(rx.as_mut().map(|rx| (rx.recv(), rx.recv())), close.then_some((Ok(0), Err(RecvError))));
        });
    }
}

#[test]
fn only_the_last_sender_that_leaves_wakes_the_receiver() {
    ends(|| {
        let (tx, mut rx) = Builder::new(1).fence_mode(FenceMode::Fence).build::<u32>().unwrap();
        let (wakes, waker) = Wakes::new();
        let mut other = tx.clone();
        let mut receive = rx.recv_async();
        assert!(poll(&mut receive, &waker).is_pending());
        drop(tx);
        assert_eq!(wakes.count(), 0);
        other.close();
        assert_eq!(wakes.count(), 1);
        assert_eq!(poll(&mut receive, &waker), Poll::Ready(Err(RecvError)));
    });
}

#[test]
fn a_batch_that_is_cut_short_says_how_far_it_came() {
    ends(|| {
        let (mut tx, mut rx) = channel(2).unwrap();
        let sender = thread::spawn(move || (tx.send_slice(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), tx));
        assert_eq!((rx.recv(), rx.recv(), rx.recv()), (Ok(0), Ok(1), Ok(2)));
        drop(rx);
        let SendError(sent) = sender.join().unwrap().0.unwrap_err();
        assert!((3..=5).contains(&sent), "three were received, at most two more fit: {sent}");
    });
    ends(|| {
        let ledger = Ledger::default();
        let (mut tx, mut rx) = channel(2).unwrap();
        let values = ledger.clone();
        let sender = thread::spawn(move || tx.send_iter((0..100).map(|_| values.value())).map_err(|e| e.0.id));
        (0..3).for_each(|i| assert_eq!(rx.recv().ok().unwrap().id, i));
        drop(rx);
        let next = sender.join().unwrap().unwrap_err();
        assert!((3..=5).contains(&next), "the item that was next: {next}");
        assert!(ledger.made() <= 5 + 32, "no more than one batch was taken ahead: {}", ledger.made());
        ledger.settle();
    });
}

#[test]
fn a_cancelled_future_has_sent_nothing_and_drops_its_value() {
    let ledger = Ledger::default();
    let (mut tx, mut rx) = channel(1).unwrap();
    drop(tx.send_async(ledger.value()));
    assert_eq!((ledger.drops(), rx.is_empty()), (vec![1], true), "never polled");
    let mut other = tx.clone();
    other.try_send(ledger.value()).ok().unwrap();
    let mut send = tx.send_async(ledger.value());
    assert!(poll(&mut send, Waker::noop()).is_pending());
    drop(send);
    assert_eq!(ledger.drops(), [1, 0, 1]);
    assert!(rx.try_recv().is_ok() && rx.try_recv().is_err());
    // Nobody stands in the queue any more: the next goes at once.
    assert!(poll(&mut other.send_async(ledger.value()), Waker::noop()).is_ready());
    drop((tx, other, rx));
    ledger.settle();
}

/// Sixteen tasks and threads come and go on one place; whoever gives up takes nothing with it.
#[test]
fn nothing_is_lost_among_those_that_wait_give_up_and_come_again() {
    ends(|| {
        let (tx, mut rx) = channel::<(Counted, usize)>(1).unwrap();
        let ledger = Ledger::default();
        let senders: Vec<_> = (0..8)
            .map(|id| {
                let (mut tx, ledger) = (tx.clone(), ledger.clone());
                thread::spawn(move || {
                    let mut sent = BTreeSet::new();
                    for i in 0..300 {
                        let value = ledger.value();
                        let number = value.id;
                        let went = match (id + i) % 3 {
                            0 => tx.send_timeout((value, number), Duration::from_micros(50)).is_ok(),
                            1 => poll(&mut tx.send_async((value, number)), Waker::noop()).is_ready(),
                            _ => tx.send((value, number)).is_ok(),
                        };
                        if went {
                            sent.insert(number);
                        }
                    }
                    sent
                })
            })
            .collect();
        drop(tx);
        let received: BTreeSet<_> = rx.iter().map(|(_, number)| number).collect();
        let sent: BTreeSet<_> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
        assert!(sent == received, "{} sent, {} received", sent.len(), received.len());
        ledger.settle();
    });
}
