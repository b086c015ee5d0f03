//! A lossy channel allocates for its handles alone, and receivers that come and go leave nothing.

use crate::allocations::{allocated, bytes};
use crate::support::tasks::poll;
use ringmail::WaitStrategy;
use ringmail::broadcast::lossy::{Builder, Receiver, Sender};
use std::task::Waker;
use std::time::Duration;

/// A channel whose receivers wait at once: polls that look a while first take long beside threads that compute.
fn open() -> (Sender<[u64; 4]>, Receiver<[u64; 4]>) {
    Builder::new(4).receiver_wait(WaitStrategy::ParkAtOnce).build().unwrap()
}

#[test]
fn sending_receiving_and_waiting_allocate_nothing() {
    let (mut tx, mut rx) = open();
    let mut others: Vec<_> = (0..10).map(|_| rx.clone()).collect();
    let before = allocated();
    for i in 0..1000 {
        for other in &mut others {
            assert!(poll(&mut other.recv_async(), Waker::noop()).is_pending());
        }
        assert!(rx.recv_timeout(Duration::from_nanos(1)).is_err());
        tx.send([i; 4]);
        tx.send_slice(&[[i; 4]; 9]);
        assert!(rx.try_recv().is_ok());
        rx.changed().unwrap();
        assert!(rx.latest().is_some());
        for other in &mut others {
            while other.try_recv().is_ok() {}
        }
    }
    assert_eq!(allocated(), before);
}

#[test]
fn receivers_that_come_and_go_leave_no_memory() {
    let (tx, rx) = open();
    let before = bytes();
    for i in 0..1_000_000u32 {
        let mut passing = if i % 2 == 0 { rx.clone() } else { tx.subscribe() };
        // One in a hundred leaves while it waits, and no message comes meanwhile.
        if i % 100 == 0 {
            assert!(poll(&mut passing.recv_async(), Waker::noop()).is_pending());
        }
    }
    assert!(bytes() - before <= 1024, "{} bytes are left", bytes() - before);
    // Many that wait at a time, and go in another order.
    let mut many: Vec<_> = (0..1000).map(|_| rx.clone()).collect();
    for one in &mut many {
        assert!(poll(&mut one.recv_async(), Waker::noop()).is_pending());
    }
    while !many.is_empty() {
        drop(many.swap_remove(many.len() / 2));
    }
    drop(many);
    assert!(bytes() - before <= 1024, "{} bytes are left", bytes() - before);
}
