//! Closing, from either side: nothing sent before is lost, nothing sent after is accepted.

use crate::support::{Counted, Ledger, ends};
use ringmail::spsc::channel;
use ringmail::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(3600);

/// Every way to send, on a channel whose receiver accepts nothing more.
#[track_caller]
fn every_send_is_refused(tx: &mut ringmail::spsc::Sender<u32>) {
    assert!(tx.is_closed());
    assert_eq!(tx.try_send(7), Err(TrySendError::Disconnected(7)));
    assert_eq!(tx.send(7), Err(SendError(7)));
    assert_eq!(tx.send_timeout(7, LONG), Err(SendTimeoutError::Disconnected(7)));
    assert_eq!(tx.send_deadline(7, Instant::now() + LONG), Err(SendTimeoutError::Disconnected(7)));
    assert_eq!(tx.try_send_slice(&[7]), Err(TrySendError::Disconnected(())));
    assert_eq!(tx.try_send_slice(&[]), Err(TrySendError::Disconnected(())));
    assert_eq!(tx.send_slice(&[7, 8]), Err(SendError(0)));
    let mut numbers = 7..;
    assert_eq!(tx.try_send_iter(&mut numbers), Err(TrySendError::Disconnected(())));
    assert_eq!(tx.send_iter(&mut numbers), Err(SendError(7)));
    assert_eq!(numbers.next(), Some(8), "only the one that came back was taken");
    assert_eq!(tx.try_reserve(1).unwrap_err(), TrySendError::Disconnected(()));
    assert_eq!(tx.try_reserve(0).unwrap_err(), TrySendError::Disconnected(()));
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(tx.poll_ready(&mut cx), Poll::Ready(Err(SendError(()))));
    assert_eq!(tx.start_send(7), Err(TrySendError::Disconnected(7)));
    assert_eq!(poll(tx.send_async(7)), Poll::Ready(Err(SendError(7))));
}

/// Every way to receive, on a channel that is closed and drained.
#[track_caller]
fn nothing_ever_comes(rx: &mut ringmail::spsc::Receiver<u32>) {
    assert!(rx.is_closed() && rx.is_empty());
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(rx.recv(), Err(RecvError));
    assert_eq!(rx.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    assert_eq!(rx.recv_deadline(Instant::now() + LONG), Err(RecvTimeoutError::Disconnected));
    assert_eq!(rx.peek(), Err(TryRecvError::Disconnected));
    assert_eq!(rx.read_chunk(1).unwrap_err(), TryRecvError::Disconnected);
    assert_eq!(rx.try_recv_many(&mut Vec::new(), 1), Err(TryRecvError::Disconnected));
    assert_eq!(rx.recv_many(&mut Vec::new(), 1), Err(RecvError));
    assert_eq!(rx.drain(1, |_| unreachable!()), 0);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(rx.poll_recv(&mut cx), Poll::Ready(Err(RecvError)));
    assert_eq!(poll(rx.recv_async()), Poll::Ready(Err(RecvError)));
    assert_eq!(rx.try_iter().next(), None);
    let mut iter = rx.iter();
    assert_eq!((iter.next(), iter.next()), (None, None), "fused");
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn what_a_closed_sender_sent_is_received_and_then_nothing() {
    for drop_it in [true, false] {
        let (mut tx, mut rx) = channel(4).unwrap();
        tx.try_send_slice(&[1, 2, 3]).unwrap();
        let mut keep = None;
        if drop_it {
            drop(tx);
        } else {
            tx.close();
            tx.close();
            every_send_is_refused(&mut tx);
            keep = Some(tx);
        }
        assert!(rx.is_closed());
        assert_eq!(rx.len(), 3);
        assert_eq!(rx.recv(), Ok(1));
        assert_eq!(rx.peek(), Ok(&2));
        assert_eq!(rx.iter().collect::<Vec<_>>(), [2, 3]);
        nothing_ever_comes(&mut rx);
        drop(rx);
        drop(keep);
    }
}

#[test]
fn without_a_receiver_a_send_is_refused_full_or_not() {
    for sent in [0, 1, 2] {
        let (mut tx, rx) = channel(2).unwrap();
        tx.try_send_slice(&[1, 2][..sent]).unwrap();
        drop(rx);
        every_send_is_refused(&mut tx);
        assert_eq!(tx.len(), 0, "the receiver dropped what was there");
    }
}

#[test]
fn a_receiver_that_closed_still_receives_what_is_there() {
    for sent in [0, 1, 2] {
        let (mut tx, mut rx) = channel(2).unwrap();
        tx.try_send_slice(&[1, 2][..sent]).unwrap();
        rx.close();
        rx.close();
        every_send_is_refused(&mut tx);
        assert_eq!(rx.len(), sent);
        assert_eq!(rx.try_iter().count(), sent);
        nothing_ever_comes(&mut rx);
        every_send_is_refused(&mut tx);
        drop(tx);
        nothing_ever_comes(&mut rx);
    }
}

#[test]
fn both_sides_may_close_in_either_order() {
    for receiver_first in [true, false] {
        let (mut tx, mut rx) = channel(2).unwrap();
        tx.try_send(1).unwrap();
        if receiver_first {
            rx.close();
            tx.close();
        } else {
            tx.close();
            rx.close();
        }
        every_send_is_refused(&mut tx);
        assert_eq!(rx.recv(), Ok(1));
        nothing_ever_comes(&mut rx);
    }
}

#[test]
fn a_receiver_that_goes_drops_what_is_in_the_channel_at_once() {
    let ledger = Ledger::default();
    let (mut tx, rx) = channel(4).unwrap();
    for _ in 0..3 {
        tx.try_send(ledger.value()).ok().unwrap();
    }
    drop(rx);
    assert_eq!(ledger.drops(), [1, 1, 1], "with the sender still alive");
    assert!(tx.try_send(ledger.value()).is_err());
    drop(tx);
    ledger.settle();
}

#[test]
fn a_sender_that_goes_drops_nothing() {
    let ledger = Ledger::default();
    let (mut tx, mut rx) = channel(4).unwrap();
    for _ in 0..3 {
        tx.try_send(ledger.value()).ok().unwrap();
    }
    drop(tx);
    assert_eq!(ledger.drops(), [0, 0, 0]);
    assert_eq!(rx.recv().ok().unwrap().id, 0);
    drop(rx);
    ledger.settle();
}

#[test]
fn a_close_wakes_the_waiting_side() {
    for drop_it in [true, false] {
        ends(move || {
            let (mut tx, mut rx) = channel::<u32>(1).unwrap();
            let receiver = std::thread::spawn(move || rx.recv());
            crate::support::let_it_sleep();
            if drop_it {
                drop(tx)
            } else {
                tx.close()
            }
            assert_eq!(receiver.join().unwrap(), Err(RecvError));
        });
        ends(move || {
            let (mut tx, mut rx) = channel(1).unwrap();
            tx.send(1).unwrap();
            let sender = std::thread::spawn(move || tx.send(2));
            crate::support::let_it_sleep();
            if drop_it {
                drop(rx)
            } else {
                rx.close()
            }
            assert_eq!(sender.join().unwrap(), Err(SendError(2)));
        });
    }
}

#[test]
fn a_batch_that_is_cut_short_says_how_far_it_came() {
    ends(|| {
        let (mut tx, mut rx) = channel(2).unwrap();
        let sender = std::thread::spawn(move || tx.send_slice(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
        assert_eq!((rx.recv(), rx.recv(), rx.recv()), (Ok(0), Ok(1), Ok(2)));
        drop(rx);
        let SendError(sent) = sender.join().unwrap().unwrap_err();
        assert!((3..=5).contains(&sent), "three were received, at most two more fit: {sent}");
    });
    ends(|| {
        let (mut tx, mut rx) = channel(2).unwrap();
        let sender = std::thread::spawn(move || tx.send_iter(0..10));
        assert_eq!((rx.recv(), rx.recv(), rx.recv()), (Ok(0), Ok(1), Ok(2)));
        drop(rx);
        let SendError(next) = sender.join().unwrap().unwrap_err();
        assert!((3..=5).contains(&next), "the item that was next: {next}");
    });
}

/// The receiver closes, is told `Disconnected`, and goes on asking, while the sender is in the middle of a send.
#[test]
fn a_message_beside_a_close_is_received_or_dropped_once() {
    const SIZE: usize = 1 << 15;

    /// Takes long to move into the ring, so that the close often falls into that time.
    struct Long(#[allow(dead_code)] Counted, #[allow(dead_code)] [u8; SIZE]);

    ends(|| {
        let ledger = Ledger::default();
        for _ in 0..400 {
            let (mut tx, mut rx) = channel(8).unwrap();
            let values: Vec<_> = (0..4).map(|_| Long(ledger.value(), [0; SIZE])).collect();
            let sender = std::thread::spawn(move || {
                for value in values {
                    // The one after the close also drops what came too late.
                    let _ = tx.try_send(value);
                }
                tx
            });
            while rx.try_recv().is_err() {
                std::hint::spin_loop();
            }
            rx.close();
            while rx.try_recv().is_ok() {}
            let tx = sender.join().unwrap();
            // All of these find a receiver that has retired; none may undo that.
            assert_eq!(rx.drain(9, drop), 0);
            assert_eq!(rx.read_chunk(0).unwrap().into_iter().count(), 0);
            rx.read_chunk(0).unwrap().commit_all();
            assert!(rx.try_recv().is_err());
            drop(rx);
            drop(tx);
        }
        ledger.settle();
    });
}
