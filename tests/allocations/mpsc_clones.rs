//! What clones of an `mpsc` sender cost while they are there, and no longer.

use crate::allocations::{allocated, bytes};
use crate::support::ends;
use crate::support::tasks::poll;
use ringmail::WaitStrategy;
use ringmail::mpsc::{Builder, Receiver, Sender, channel};
use std::task::Waker;

/// A full channel whose senders wait at once: polls that look a while first take long beside threads that compute.
fn full<T>(first: T) -> (Sender<T>, Receiver<T>) {
    let (mut tx, rx) = Builder::new(1).sender_wait(WaitStrategy::ParkAtOnce).build().unwrap();
    assert!(tx.try_send(first).is_ok());
    (tx, rx)
}

/// Sends that wait, one a sender: each stands in the queue.
fn all_wait(senders: &mut [Sender<u32>]) {
    let mut sends: Vec<_> = Vec::with_capacity(senders.len());
    let before = allocated();
    for tx in senders {
        let mut send = tx.send_async(1);
        assert!(poll(&mut send, Waker::noop()).is_pending());
        sends.push(send);
    }
    assert_eq!(allocated(), before, "waiting allocates nothing");
}

#[test]
fn clones_that_are_gone_leave_no_memory() {
    let (tx, rx) = channel::<u64>(4).unwrap();
    let before = bytes();
    for clones in [10, 1000, 100_000] {
        for last_first in [false, true] {
            let mut senders: Vec<_> = (0..clones).map(|_| tx.clone()).collect();
            if last_first {
                while senders.pop().is_some() {}
            }
            drop(senders);
            assert!(bytes() - before <= 1024, "{} bytes of {clones} clones are left", bytes() - before);
        }
    }
    drop((tx, rx));
}

/// The event count knows the queues of its channels, and forgets those of channels whose receiver has gone.
#[test]
fn an_event_that_outlives_its_channels_keeps_nothing_of_them() {
    let event = ringmail::wait::EventCount::new();
    let build = || Builder::new(1).receiver_event(event.clone()).build::<u64>().unwrap();
    let first: Vec<_> = (0..10).map(|_| build()).collect();
    let before = bytes();
    for n in 0..100 {
        let channels: Vec<_> = (0..n % 10).map(|_| build()).collect();
        drop(channels);
        drop(build());
    }
    assert!(bytes() - before <= 1024, "{} bytes are left", bytes() - before);
    drop(first);
}

/// However many came and went: a table that shrank has room for all that are there.
#[test]
fn waiting_allocates_nothing_after_any_number_of_clones() {
    ends(|| {
        let (tx, rx) = full(0);
        let mut senders = vec![tx];
        for n in [1, 7, 8, 9, 100, 1000, 300, 64, 33, 32, 31, 17, 500, 16, 5, 4, 3, 2, 1, 40] {
            while senders.len() < n {
                senders.push(senders[0].clone());
            }
            senders.truncate(n);
            all_wait(&mut senders);
        }
        drop((senders, rx));
    });
}

#[test]
fn senders_that_wait_keep_their_places_when_others_go() {
    ends(|| {
        let (tx, mut rx) = full(99);
        let mut first: Vec<_> = (0..3).map(|_| tx.clone()).collect();
        let many: Vec<_> = (0..1000).map(|_| tx.clone()).collect();
        let mut sends: Vec<_> = first.iter_mut().enumerate().map(|(i, tx)| tx.send_async(i)).collect();
        for send in &mut sends {
            assert!(poll(send, Waker::noop()).is_pending());
        }
        drop((many, tx));
        assert_eq!(rx.try_recv(), Ok(99));
        for (i, send) in sends.iter_mut().enumerate() {
            assert!(poll(send, Waker::noop()).is_ready());
            assert_eq!(rx.try_recv(), Ok(i));
        }
    });
}

/// Clones come and go on many threads while others wait: the table is never too small.
#[test]
fn clones_that_come_and_go_at_once_wait_without_any_memory() {
    ends(|| {
        let (tx, rx) = full(0);
        let threads: Vec<_> = (0..4)
            .map(|id| {
                let tx = tx.clone();
                std::thread::spawn(move || {
                    for round in 0..200 {
                        let mut senders: Vec<_> = (0..1 + (round * 37 + id * 11) % 90).map(|_| tx.clone()).collect();
                        all_wait(&mut senders);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop((tx, rx));
    });
}
