//! What a sender for many threads allocates: a handle for each thread that waits at the same time, and nothing else.

use crate::allocations::allocated;
use crate::support::tasks::poll;
use ringmail::mpsc::channel;
use std::task::Waker;
use std::time::Duration;

#[test]
fn a_shared_sender_allocates_only_handles_that_wait_at_once() {
    let (tx, mut rx) = channel(2).unwrap();
    let tx = tx.into_shared();
    let before = allocated();
    for n in 0..100 {
        tx.send(n).unwrap();
        tx.try_send(n).unwrap();
        assert!(tx.try_send(n).is_err());
        assert!(tx.send_timeout(n, Duration::ZERO).is_err(), "it waits by the first handle");
        rx.try_recv().unwrap();
        // Ready, but for the one in many that lets other tasks go first.
        let _ = poll(&mut tx.send_async(n), Waker::noop());
        while rx.try_recv().is_ok() {}
    }
    assert_eq!(allocated(), before);
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    let two = || {
        let [mut one, mut two] = [3, 4].map(|n| tx.send_async(n));
        assert!(poll(&mut one, Waker::noop()).is_pending());
        assert!(poll(&mut two, Waker::noop()).is_pending());
    };
    two();
    let before = allocated();
    (0..10).for_each(|_| two());
    assert_eq!(allocated(), before, "both handles are there already");
}
