//! Every value is dropped exactly once, whatever unwinds, and the channel stays usable.

use crate::support::{Counted, Ledger, ends, panics};
use ringmail::TryRecvError;
use ringmail::spsc::{Builder, Receiver, Sender, channel};
use ringmail::wait::waker_fn;

type Ends = (Sender<Counted>, Receiver<Counted>);

/// A channel with room for 5 that begins `before` messages short of the wrap: slots and count both go round.
fn at_the_wrap(before: u64) -> Ends {
    Builder::new(5).start_at((1 << 63) - before).build().unwrap()
}

/// Sends a value of each kind: `true` is one that panics in `drop`.
fn fill(tx: &mut Sender<Counted>, ledger: &Ledger, bombs: &[bool]) {
    for &bomb in bombs {
        let value = if bomb { ledger.bomb() } else { ledger.value() };
        assert!(tx.try_send(value).is_ok());
    }
}

/// The channel works, from empty through full to empty.
#[track_caller]
fn usable(tx: &mut Sender<Counted>, rx: &mut Receiver<Counted>, ledger: &Ledger) {
    rx.drain(usize::MAX, drop);
    assert_eq!((tx.len(), rx.len()), (0, 0));
    fill(tx, ledger, &[false; 5]);
    assert!(tx.try_send(ledger.value()).is_err_and(|e| e.is_full()));
    assert_eq!(rx.try_iter().count(), 5);
}

/// Runs `test` from several places near the wrap and settles the ledger after it.
#[track_caller]
fn each_start(test: impl Fn(Ends, &Ledger)) {
    for before in 0..7 {
        let ledger = Ledger::default();
        test(at_the_wrap(before), &ledger);
        ledger.settle();
    }
}

#[test]
fn a_panic_in_a_commit_drops_and_frees_the_other_values() {
    each_start(|(mut tx, mut rx), ledger| {
        fill(&mut tx, ledger, &[false, true, false, false]);
        panics(|| rx.read_chunk(3).unwrap().commit(3));
        assert_eq!(ledger.drops(), [1, 1, 1, 0]);
        assert_eq!((tx.len(), rx.len()), (1, 1));
        usable(&mut tx, &mut rx, ledger);
    });
}

#[test]
fn a_panic_as_the_receiver_goes_drops_the_other_values() {
    each_start(|(mut tx, rx), ledger| {
        fill(&mut tx, ledger, &[false, true, false, false]);
        panics(|| drop(rx));
        assert_eq!(ledger.drops(), [1, 1, 1, 1], "at once, with the sender still alive");
        assert!(tx.try_send(ledger.value()).is_err_and(|e| e.is_disconnected()));
    });
}

#[test]
fn a_panic_in_a_dropped_write_chunk_drops_the_other_values() {
    each_start(|(mut tx, mut rx), ledger| {
        panics(|| {
            let mut chunk = tx.try_reserve(4).unwrap();
            chunk.fill_from_iter([ledger.value(), ledger.bomb(), ledger.value()]);
        });
        assert_eq!(ledger.drops(), [1, 1, 1]);
        assert_eq!(rx.try_recv().err(), Some(TryRecvError::Empty));
        usable(&mut tx, &mut rx, ledger);
    });
}

#[test]
fn an_iterator_that_panics_sends_what_it_gave_before() {
    each_start(|(mut tx, mut rx), ledger| {
        let mut values = (0..9).map(|i| if i == 3 { panic!("the iterator") } else { ledger.value() });
        panics(|| tx.try_send_iter(&mut values));
        assert_eq!(rx.try_iter().map(|v| v.id).collect::<Vec<_>>(), [0, 1, 2]);
        usable(&mut tx, &mut rx, ledger);
    });
    each_start(|(mut tx, mut rx), ledger| {
        let values = (0..9).map(|i| if i == 3 { panic!("the iterator") } else { ledger.value() });
        panics(|| tx.send_iter(values));
        assert_eq!(rx.len(), 3);
        usable(&mut tx, &mut rx, ledger);
    });
}

#[test]
fn an_iterator_that_panics_into_a_chunk_sends_nothing() {
    each_start(|(mut tx, mut rx), ledger| {
        panics(|| {
            let mut chunk = tx.try_reserve(5).unwrap();
            chunk.push(ledger.value()).ok().unwrap();
            chunk.fill_from_iter((0..9).map(|i| if i == 2 { panic!("the iterator") } else { ledger.value() }));
        });
        assert_eq!(ledger.drops(), [1, 1, 1]);
        assert!(rx.is_empty());
        usable(&mut tx, &mut rx, ledger);
    });
}

#[test]
fn a_chunk_survives_an_iterator_that_panicked_into_it() {
    each_start(|(mut tx, mut rx), ledger| {
        let mut chunk = tx.try_reserve(5).unwrap();
        panics(|| chunk.fill_from_iter((0..9).map(|i| if i == 2 { panic!("the iterator") } else { ledger.value() })));
        assert_eq!(chunk.len(), 2);
        chunk.push(ledger.value()).ok().unwrap();
        assert_eq!(chunk.commit(), 3);
        assert_eq!(rx.try_iter().map(|v| v.id).collect::<Vec<_>>(), [0, 1, 2]);
        usable(&mut tx, &mut rx, ledger);
    });
}

#[test]
fn a_closure_that_panics_has_received_its_message_and_no_other() {
    each_start(|(mut tx, mut rx), ledger| {
        fill(&mut tx, ledger, &[false; 5]);
        panics(|| rx.drain(5, |v| assert_ne!(v.id, 2)));
        assert_eq!(ledger.drops(), [1, 1, 1, 0, 0]);
        assert_eq!((tx.len(), rx.len()), (2, 2));
        usable(&mut tx, &mut rx, ledger);
    });
}

#[test]
fn a_drained_value_that_panics_in_drop_is_gone_and_no_other() {
    each_start(|(mut tx, mut rx), ledger| {
        fill(&mut tx, ledger, &[false, true, false]);
        panics(|| rx.drain(5, drop));
        assert_eq!(ledger.drops(), [1, 1, 0]);
        assert_eq!((tx.len(), rx.len()), (1, 1));
        usable(&mut tx, &mut rx, ledger);
    });
}

#[test]
fn a_loop_over_a_chunk_that_panics_leaves_the_rest() {
    each_start(|(mut tx, mut rx), ledger| {
        fill(&mut tx, ledger, &[false; 5]);
        panics(|| {
            for value in rx.read_chunk(4).unwrap() {
                assert_ne!(value.id, 1);
            }
        });
        assert_eq!(ledger.drops(), [1, 1, 0, 0, 0]);
        assert_eq!((tx.len(), rx.len()), (3, 3));
        usable(&mut tx, &mut rx, ledger);
    });
}

#[test]
fn a_slow_waker_that_panics_has_not_undone_the_message() {
    let event = ringmail::wait::EventCount::with_waker(waker_fn(|| panic!("the hook")));
    let (mut tx, mut rx) = Builder::new(4).receiver_event(event.clone()).build().unwrap();
    let armed = event.arm();
    panics(|| tx.try_send(1));
    drop(armed);
    let armed = event.arm();
    panics(|| tx.try_send_slice(&[2, 3]));
    drop(armed);
    tx.try_send(4).unwrap();
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
    let armed = event.arm();
    panics(|| drop(tx));
    drop(armed);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_forgotten_write_chunk_sends_none_and_leaks_what_it_has() {
    for before in 0..7 {
        let ledger = Ledger::default();
        let (mut tx, mut rx) = at_the_wrap(before);
        let mut chunk = tx.try_reserve(5).unwrap();
        chunk.fill_from_iter([ledger.value(), ledger.value()]);
        std::mem::forget(chunk);
        assert!(rx.is_empty());
        // Every way to send begins anew.
        tx.try_send(ledger.value()).ok().unwrap();
        let mut chunk = tx.try_reserve(2).unwrap();
        assert_eq!((chunk.len(), chunk.capacity()), (0, 2));
        chunk.push(ledger.value()).ok().unwrap();
        chunk.commit();
        assert_eq!(rx.try_iter().map(|v| v.id).collect::<Vec<_>>(), [2, 3]);
        std::mem::forget(tx.try_reserve(5).unwrap());
        usable(&mut tx, &mut rx, &ledger);
        drop((tx, rx));
        let drops = ledger.drops();
        assert_eq!(drops[..2], [0, 0], "these leaked");
        assert!(drops[2..].iter().all(|&n| n == 1), "{drops:?}");
    }
}

#[test]
fn a_forgotten_write_chunk_before_a_drop_leaks_and_no_more() {
    for receiver_first in [true, false] {
        let ledger = Ledger::default();
        let (mut tx, mut rx) = at_the_wrap(1);
        tx.try_send(ledger.value()).ok().unwrap();
        let mut chunk = tx.try_reserve(2).unwrap();
        chunk.push(ledger.value()).ok().unwrap();
        std::mem::forget(chunk);
        if receiver_first {
            drop(rx);
            drop(tx);
        } else {
            drop(tx);
            assert_eq!(rx.try_iter().count(), 1);
        }
        assert_eq!(ledger.drops(), [1, 0]);
    }
}

#[test]
#[allow(clippy::forget_non_drop)] // today it has none
fn a_forgotten_read_chunk_takes_nothing() {
    each_start(|(mut tx, mut rx), ledger| {
        fill(&mut tx, ledger, &[false; 3]);
        std::mem::forget(rx.read_chunk(2).unwrap());
        assert_eq!((tx.len(), rx.len()), (3, 3));
        assert_eq!(rx.try_recv().ok().unwrap().id, 0);
        usable(&mut tx, &mut rx, ledger);
    });
}

#[test]
fn a_forgotten_iterator_took_what_it_gave_and_frees_its_places() {
    each_start(|(mut tx, mut rx), ledger| {
        fill(&mut tx, ledger, &[false; 5]);
        let mut iter = rx.read_chunk(5).unwrap().into_iter();
        drop((iter.next(), iter.next()));
        std::mem::forget(iter);
        assert_eq!(rx.len(), 3);
        // The places come back with the receiver's next operation.
        assert_eq!(rx.try_recv().ok().unwrap().id, 2);
        assert_eq!(tx.len(), 2);
        usable(&mut tx, &mut rx, ledger);
    });
}

#[test]
fn a_forgotten_iterator_that_took_all_leaves_room() {
    each_start(|(mut tx, mut rx), ledger| {
        fill(&mut tx, ledger, &[false; 5]);
        let mut iter = rx.read_chunk(5).unwrap().into_iter();
        assert_eq!(iter.by_ref().count(), 5);
        std::mem::forget(iter);
        assert!(rx.is_empty());
        assert_eq!(rx.try_recv().err(), Some(TryRecvError::Empty));
        assert!(tx.is_empty());
        usable(&mut tx, &mut rx, ledger);
    });
}

#[test]
fn a_forgotten_iterator_before_a_drop_drops_nothing_twice() {
    each_start(|(mut tx, mut rx), ledger| {
        fill(&mut tx, ledger, &[false; 4]);
        let mut iter = rx.read_chunk(4).unwrap().into_iter();
        drop(iter.next());
        std::mem::forget(iter);
        drop(rx);
        assert_eq!(ledger.drops(), [1, 1, 1, 1]);
        drop(tx);
    });
}

/// The sender sleeps for room that the receiver has taken from but, by the leak, not yet given back.
#[test]
fn a_forgotten_iterator_does_not_leave_the_sender_asleep() {
    ends(|| {
        let (mut tx, mut rx) = channel(1).unwrap();
        tx.send(1).unwrap();
        let sender = std::thread::spawn(move || tx.send(2));
        crate::support::let_it_sleep();
        let mut iter = rx.read_chunk(1).unwrap().into_iter();
        assert_eq!(iter.next(), Some(1));
        std::mem::forget(iter);
        assert_eq!(rx.recv(), Ok(2));
        sender.join().unwrap().unwrap();
    });
}

#[test]
fn a_dropped_future_drops_its_value_once_a_leaked_one_never() {
    let ledger = Ledger::default();
    let (mut tx, rx) = channel(1).unwrap();
    drop(tx.send_async(ledger.value()));
    assert_eq!(ledger.drops(), [1], "never polled: dropped with the future");
    tx.try_send(ledger.value()).ok().unwrap();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::pin!(tx.send_async(ledger.value())).poll(&mut cx).is_pending());
    assert_eq!(ledger.drops(), [1, 0, 1]);
    let mut send = tx.send_async(ledger.value());
    assert!(std::pin::Pin::new(&mut send).poll(&mut cx).is_pending());
    std::mem::forget(send);
    drop((tx, rx));
    assert_eq!(ledger.drops(), [1, 1, 1, 0], "the last one leaked with its future");
}

#[test]
fn growing_the_buffer_may_fail_and_nothing_is_lost() {
    let (mut tx, mut rx) = channel(2).unwrap();
    tx.try_send_slice(&[(), ()]).unwrap();
    // A vector of values without size counts to `usize::MAX` and no further.
    let mut buffer = vec![(); usize::MAX];
    panics(|| rx.try_recv_many(&mut buffer, 2));
    assert_eq!((rx.len(), rx.try_recv_many(&mut Vec::new(), 2)), (2, Ok(2)));
}
