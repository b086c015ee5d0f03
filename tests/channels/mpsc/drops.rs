//! Every value of an `mpsc` ring is dropped exactly once, whatever unwinds, and the channel stays usable.

use crate::support::{Counted, Ledger, ends, panics};
use ringmail::mpsc::{Builder, Receiver, Sender, channel};
use std::thread;

type Ends = (Sender<Counted>, Sender<Counted>, Receiver<Counted>);

/// Sends a value of each kind, by two senders in turn: `true` is one that panics in `drop`.
fn fill((tx, other, _): &mut Ends, ledger: &Ledger, bombs: &[bool]) {
    for (i, &bomb) in bombs.iter().enumerate() {
        let value = if bomb { ledger.bomb() } else { ledger.value() };
        assert!(if i % 2 == 0 { &mut *tx } else { &mut *other }.try_send(value).is_ok());
    }
}

/// The channel works, from empty through full to empty.
#[track_caller]
fn usable(ends: &mut Ends, ledger: &Ledger) {
    ends.2.drain(usize::MAX, drop);
    assert_eq!((ends.0.len(), ends.2.len()), (0, 0));
    fill(ends, ledger, &[false; 5]);
    assert!(ends.1.try_send(ledger.value()).is_err_and(|e| e.is_full()));
    assert_eq!(ends.2.try_iter().count(), 5);
}

/// Runs `test` on a ring for 5 from several places near the wrap and settles the ledger after it.
#[track_caller]
fn each_start(test: impl Fn(&mut Ends, &Ledger)) {
    for before in 0..7 {
        let ledger = Ledger::default();
        let (tx, rx) = Builder::new(5).start_at((1 << 63) - before).build().unwrap();
        let mut ends = (tx.clone(), tx, rx);
        test(&mut ends, &ledger);
        usable(&mut ends, &ledger);
        drop(ends);
        ledger.settle();
    }
}

#[test]
fn a_panic_in_a_commit_drops_and_frees_the_other_values() {
    each_start(|ends, ledger| {
        fill(ends, ledger, &[false, true, false, false]);
        panics(|| ends.2.read_chunk(3).unwrap().commit(3));
        assert_eq!(ledger.drops(), [1, 1, 1, 0]);
        assert_eq!((ends.0.len(), ends.2.len()), (1, 1));
    });
}

#[test]
fn a_panic_as_the_receiver_goes_drops_the_other_values() {
    for before in 0..7 {
        let ledger = Ledger::default();
        let (tx, rx) = Builder::new(5).start_at((1 << 63) - before).build().unwrap();
        let mut ends = (tx.clone(), tx, rx);
        fill(&mut ends, &ledger, &[false, true, false, false]);
        let (mut tx, other, rx) = ends;
        panics(|| drop(rx));
        assert_eq!(ledger.drops(), [1, 1, 1, 1], "at once, with the senders alive");
        assert!(tx.try_send(ledger.value()).is_err_and(|e| e.is_disconnected()));
        drop((tx, other));
        ledger.settle();
    }
}

/// The receiver has gone; what was left behind an open claim is dropped by a sender, whose caller the panic reaches.
#[test]
fn a_panic_as_a_sender_clears_up_drops_the_other_values() {
    let ledger = Ledger::default();
    let (mut slow, rx) = channel(8).unwrap();
    let mut tx = slow.clone();
    let mut held = slow.hold(2).unwrap();
    for value in [ledger.value(), ledger.bomb(), ledger.value()] {
        assert!(tx.try_send(value).is_ok());
    }
    drop(rx);
    held.send(ledger.value());
    assert_eq!(ledger.drops(), [0, 0, 0, 1], "the rest is behind a claim");
    panics(|| drop(held));
    ledger.settle();
    assert!(slow.try_send(ledger.value()).is_err());
    drop((slow, tx));
    ledger.settle();
}

#[test]
fn a_panic_with_the_last_handle_drops_the_other_values() {
    let ledger = Ledger::default();
    let (mut slow, rx) = channel(8).unwrap();
    let mut tx = slow.clone();
    let held = slow.hold(1).unwrap();
    for value in [ledger.value(), ledger.bomb(), ledger.value()] {
        assert!(tx.try_send(value).is_ok());
    }
    drop(rx);
    drop(tx);
    assert_eq!(ledger.drops(), [0; 3], "behind an open claim");
    // Leaked, it stays open.
    std::mem::forget(held);
    panics(|| drop(slow));
    ledger.settle();
}

#[test]
fn a_panicking_iterator_sends_what_has_room_and_loses_no_place() {
    // Within the room, and beyond it: what it yielded before is sent, or dropped.
    each_start(|ends, ledger| {
        panics(|| ends.0.send_iter((0..9).map(|i| if i == 3 { panic!("the iterator") } else { ledger.value() })));
        assert_eq!(ends.2.try_iter().map(|v| v.id).collect::<Vec<_>>(), [0, 1, 2]);
    });
    each_start(|ends, ledger| {
        panics(|| ends.0.send_iter((0..20).map(|i| if i == 9 { panic!("the iterator") } else { ledger.value() })));
        assert_eq!(ends.2.try_iter().map(|v| v.id).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(ledger.drops(), [1; 9]);
        assert!(ends.0.send_iter([ledger.value()]).is_ok(), "nothing is left over for the next call");
        assert_eq!(ends.2.try_iter().map(|v| v.id).collect::<Vec<_>>(), [9]);
    });
}

#[test]
fn an_iterator_that_panics_late_has_sent_the_earlier_batches() {
    ends(|| {
        let ledger = Ledger::default();
        let (mut tx, mut rx) = channel(5).unwrap();
        let values = ledger.clone();
        let sender = thread::spawn(move || {
            panics(|| tx.send_iter((0..99).map(|i| if i == 70 { panic!("the iterator") } else { values.value() })));
            tx
        });
        let first: Vec<_> = rx.iter().take(64).map(|v| v.id).collect();
        assert!(first.into_iter().eq(0..64));
        let tx = sender.join().unwrap();
        assert!(rx.try_iter().map(|v| v.id).is_sorted_by(|a, b| a + 1 == *b));
        drop((tx, rx));
        assert_eq!(ledger.made(), 70);
        ledger.settle();
    });
}

#[test]
fn a_closure_that_panics_has_received_its_message_and_no_other() {
    each_start(|ends, ledger| {
        fill(ends, ledger, &[false; 5]);
        panics(|| ends.2.drain(5, |v| assert_ne!(v.id, 2)));
        assert_eq!(ledger.drops(), [1, 1, 1, 0, 0]);
        assert_eq!((ends.0.len(), ends.2.len()), (2, 2));
    });
    each_start(|ends, ledger| {
        fill(ends, ledger, &[false, true, false]);
        panics(|| ends.2.drain(5, drop));
        assert_eq!(ledger.drops(), [1, 1, 0]);
        panics(|| ends.2.read_chunk(1).unwrap().into_iter().for_each(|v| assert_ne!(v.id, 2)));
    });
}

#[test]
fn a_panic_frees_its_places_and_wakes_a_waiting_sender() {
    for bomb_in_commit in [true, false] {
        ends(move || {
            let ledger = Ledger::default();
            let (mut tx, mut rx) = channel(1).unwrap();
            assert!(tx.try_send(ledger.bomb()).is_ok());
            let value = ledger.value();
            let sender = thread::spawn(move || tx.send(value).is_ok());
            crate::support::let_it_sleep();
            if bomb_in_commit {
                panics(|| rx.read_chunk(1).unwrap().commit_all());
            } else {
                panics(|| rx.drain(1, drop));
            }
            assert!(sender.join().unwrap());
            drop(rx);
            ledger.settle();
        });
    }
}

#[test]
fn a_forgotten_iterator_took_what_it_gave_and_frees_its_places() {
    each_start(|ends, ledger| {
        fill(ends, ledger, &[false; 5]);
        let mut iter = ends.2.read_chunk(5).unwrap().into_iter();
        drop((iter.next(), iter.next()));
        std::mem::forget(iter);
        assert_eq!(ends.2.len(), 3);
        assert_eq!(ends.2.try_recv().ok().unwrap().id, 2);
        assert_eq!(ends.0.len(), 2);
        let mut iter = ends.2.read_chunk(5).unwrap().into_iter();
        assert_eq!(iter.by_ref().count(), 2);
        std::mem::forget(iter);
        assert!(ends.0.is_empty(), "all were taken");
    });
}

#[test]
fn growing_the_buffer_may_fail_and_nothing_is_lost() {
    let (mut tx, mut rx) = channel(2).unwrap();
    tx.try_send_slice(&[(), ()]).unwrap();
    let mut buffer = vec![(); usize::MAX];
    panics(|| rx.try_recv_many(&mut buffer, 2));
    assert_eq!((rx.len(), rx.try_recv_many(&mut Vec::new(), 2)), (2, Ok(2)));
}
