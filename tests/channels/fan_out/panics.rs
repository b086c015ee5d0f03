//! Messages, wakers and workers that panic.

use crate::support::hostile::Nasty;
use crate::support::tasks::poll;
use crate::support::{Ledger, ends, panics};
use ringmail::fan_out::channel;
use std::sync::atomic::Ordering;
use std::thread;

#[test]
fn a_worker_that_panics_gives_back_what_it_has_not_begun() {
    ends(|| {
        let ledger = Ledger::default();
        let (mut tx, mut rx) = channel(8).unwrap();
        let mut other = rx.join().unwrap();
        (0..10).for_each(|_| tx.send(ledger.value()).ok().unwrap());
        let worker = thread::spawn(move || {
            let _begun = rx.recv().ok().unwrap();
            panic!("in the middle of work");
        });
        assert!(worker.join().is_err());
        assert_eq!(ledger.drops().iter().sum::<u32>(), 1, "what it had begun");
        drop(tx);
        assert_eq!(other.iter().count(), 9);
        ledger.settle();
    });
}

#[test]
fn messages_that_panic_when_dropped_are_dropped_once_each() {
    for drop_sender_first in [true, false] {
        let ledger = Ledger::default();
        let (mut tx, rx) = channel(4).unwrap();
        let other = rx.join().unwrap();
        for i in 0..8 {
            let value = if i == 0 || i == 3 { ledger.bomb() } else { ledger.value() };
            assert!(tx.try_send(value).is_ok());
        }
        if drop_sender_first {
            drop((tx, rx));
            panics(|| drop(other));
        } else {
            drop((rx, other));
            panics(|| drop(tx));
        }
        ledger.settle();
    }
}

#[test]
fn a_waker_that_panics_while_a_worker_leaves_keeps_no_other_asleep() {
    ends(|| {
        let (mut tx, leaver) = channel(4).unwrap();
        let (mut a, mut b) = (leaver.join().unwrap(), leaver.join().unwrap());
        let (nasty, waker) = Nasty::new();
        let mut future = a.recv_async();
        assert!(poll(&mut future, &waker).is_pending());
        let sleeper = thread::spawn(move || b.recv());
        // To each of them one; the first of the sleepers' wakers panics.
        tx.try_send(1).unwrap();
        nasty.wake.store(true, Ordering::SeqCst);
        panics(|| drop(leaver));
        assert_eq!(sleeper.join().unwrap(), Ok(1));
        nasty.wake.store(false, Ordering::SeqCst);
        drop(future);
        tx.try_send(2).unwrap();
        assert_eq!(a.try_recv(), Ok(2));
    });
}

#[test]
fn a_waker_of_the_sender_that_panics_leaves_a_worker_that_joins_whole() {
    let (mut tx, hub) = ringmail::fan_out::Builder::new(1).build_hub().unwrap();
    let (nasty, waker) = Nasty::new();
    let mut future = tx.send_async(1);
    assert!(poll(&mut future, &waker).is_pending());
    nasty.wake.store(true, Ordering::SeqCst);
    panics(|| hub.join());
    nasty.wake.store(false, Ordering::SeqCst);
    assert_eq!(hub.worker_count(), 0, "it has left again");
    let mut rx = hub.join().unwrap();
    assert!(poll(&mut future, &waker).is_ready());
    assert_eq!(rx.try_recv(), Ok(1));
}

#[test]
fn a_message_written_in_place_that_panics_is_not_sent() {
    let (mut tx, mut rx) = channel::<u64>(1).unwrap();
    panics(|| tx.try_send_with(|_| panic!("while it is written")));
    assert!(tx.try_send_with(|place| place.write(5)).is_ok());
    assert_eq!(rx.try_recv(), Ok(5));
    tx.send_ref(&6).unwrap();
    panics(|| rx.try_recv_with(|_| panic!("while it is looked at")));
    assert!(rx.is_empty());
}
