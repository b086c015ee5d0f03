//! Who leaves, who is woken, what becomes of the messages.

use super::channel;
use crate::support::{Ledger, ends, let_it_sleep};
use ringmail::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
use std::thread;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn what_a_gone_sender_sent_is_received_and_then_nothing() {
    let (mut tx, mut rx) = channel(100).unwrap();
    (1..=3).for_each(|i| tx.send(i).unwrap());
    drop(tx);
    assert_eq!((rx.recv(), rx.try_recv(), rx.recv_timeout(LONG)), (Ok(1), Ok(2), Ok(3)));
    assert_eq!(rx.recv(), Err(RecvError));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(rx.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn after_the_receiver_has_gone_every_send_gives_its_value_back() {
    for sent in 0..=2 {
        let (mut tx, rx) = channel(2).unwrap();
        (0..sent).for_each(|i| tx.send(i).unwrap());
        drop(rx);
        assert_eq!(tx.send(7), Err(SendError(7)));
        assert_eq!(tx.try_send(8), Err(TrySendError::Disconnected(8)), "full or not");
        assert_eq!(tx.send_timeout(9, LONG), Err(SendTimeoutError::Disconnected(9)));
    }
}

#[test]
fn a_sender_that_waits_is_woken_when_the_receiver_goes() {
    ends(|| {
        let (mut tx, rx) = channel(1).unwrap();
        tx.send(1).unwrap();
        let sender = thread::spawn(move || (tx.send(2), tx.send(3)));
        let_it_sleep();
        drop(rx);
        assert_eq!(sender.join().unwrap(), (Err(SendError(2)), Err(SendError(3))));
    });
}

#[test]
fn a_receiver_that_waits_is_woken_when_the_sender_goes() {
    ends(|| {
        let (tx, mut rx) = channel::<u8>(1).unwrap();
        let receiver = thread::spawn(move || (rx.recv(), rx.recv()));
        let_it_sleep();
        drop(tx);
        assert_eq!(receiver.join().unwrap(), (Err(RecvError), Err(RecvError)));
    });
}

/// A thread that panics takes its handle with it; the other side finds a closed channel, not a poisoned one.
#[test]
fn a_thread_that_panics_closes_its_side() {
    ends(|| {
        let (mut tx, mut rx) = channel(1).unwrap();
        let sender = thread::spawn(move || {
            tx.send(1).unwrap();
            panic!("the sender's thread");
        });
        assert!(sender.join().is_err());
        assert_eq!((rx.recv(), rx.recv()), (Ok(1), Err(RecvError)));
        let (mut tx, rx) = channel::<u8>(1).unwrap();
        let receiver = thread::spawn(move || {
            let _rx = rx;
            panic!("the receiver's thread");
        });
        assert!(receiver.join().is_err());
        assert!(tx.send(1).is_err());
    });
}

#[test]
fn the_last_handle_drops_a_full_channel_and_its_messages() {
    for sender_last in [true, false] {
        let ledger = Ledger::default();
        let (mut tx, rx) = channel(3).unwrap();
        (0..3).for_each(|_| tx.send(ledger.value()).ok().unwrap());
        if sender_last {
            drop(rx);
            drop(tx);
        } else {
            drop(tx);
            assert_eq!(ledger.drops(), [0; 3], "they may still be received");
            drop(rx);
        }
        ledger.settle();
    }
}

/// Some are received, some are left behind, at sizes that differ each time.
#[test]
fn each_message_is_dropped_once_however_many_were_received() {
    ends(|| {
        let ledger = Ledger::default();
        for run in 0..60usize {
            let (received, left) = (run * 37 % 300, run * 11 % 50);
            let (mut tx, mut rx) = channel(50).unwrap();
            let values = ledger.clone();
            let receiver = thread::spawn(move || {
                (0..received).for_each(|_| drop(rx.recv().ok().unwrap()));
                rx
            });
            (0..received).for_each(|_| tx.send(values.value()).ok().unwrap());
            let rx = receiver.join().unwrap();
            (0..left).for_each(|_| tx.send(ledger.value()).ok().unwrap());
            if run % 2 == 0 { drop((tx, rx)) } else { drop((rx, tx)) }
        }
        ledger.settle();
    });
}
