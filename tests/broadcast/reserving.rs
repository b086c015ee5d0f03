//! Places that are reserved, and a sender as a `Sink`.

use crate::support::{Wakes, panics};
use ringmail::TrySendError;
use ringmail::broadcast::{Builder, NoReceiver, channel};
use std::cell::Cell;
use std::sync::Arc;

#[test]
fn what_is_written_is_published_together() {
    for start in [0, (1 << 63) - 5] {
        let (mut tx, hub) = Builder::new(5).start_at(start).build().unwrap();
        let (mut rx, mut slow) = (hub.join().unwrap(), hub.join().unwrap());
        let mut next = 0;
        for lap in 0..20 {
            let mut chunk = tx.try_reserve(3).unwrap();
            assert_eq!((chunk.capacity(), chunk.len(), chunk.is_empty()), (3, 0, true));
            assert_eq!(chunk.push(next), Ok(()));
            assert_eq!(chunk.fill_from_slice(&[next + 1, next + 2, 99]), 2);
            assert_eq!((chunk.push(99), chunk.fill_from_iter([99]), chunk.len()), (Err(99), 0, 3));
            assert!(rx.is_empty());
            assert_eq!(chunk.commit(), 3);
            next += 3;
            assert_eq!(rx.try_iter().collect::<Vec<_>>(), [next - 3, next - 2, next - 1]);
            let chunk = tx.try_reserve(9).unwrap();
            assert_eq!(chunk.capacity(), 2, "the slowest gates");
            drop(chunk);
            assert_eq!((slow.try_iter().count(), lap), (3, lap));
        }
        tx.try_send_slice(&[0; 5]).unwrap();
        assert!(matches!(tx.try_reserve(1), Err(TrySendError::Full(()))));
        assert_eq!(tx.try_reserve(0).unwrap().commit(), 0);
        assert_eq!(rx.try_iter().count(), 5);
        assert!(matches!(tx.try_reserve(1), Err(TrySendError::Full(()))));
        drop((rx, slow, hub));
        assert!(matches!(tx.try_reserve(1), Err(TrySendError::Disconnected(()))));
        assert!(matches!(tx.try_reserve(0), Err(TrySendError::Disconnected(()))));
    }
}

#[test]
fn what_is_not_committed_is_dropped_or_leaked_and_never_seen() {
    let value = Arc::new(());
    let shares = || Arc::strong_count(&value) - 1;
    let (mut tx, hub) = channel(4).unwrap();
    let mut rx = hub.join().unwrap();
    // One lap, so that the places hold older values.
    for _ in 0..4 {
        tx.try_send(Arc::clone(&value)).unwrap();
    }
    assert_eq!(rx.drain(9, |_| ()), 4);
    assert_eq!(shares(), 4);
    let mut chunk = tx.try_reserve(4).unwrap();
    assert_eq!(chunk.fill_from_iter((0..3).map(|_| Arc::clone(&value))), 3);
    assert_eq!(shares(), 3, "the older ones went, also that of the place that the iterator had nothing for");
    drop(chunk);
    assert_eq!(shares(), 0);
    let mut chunk = tx.try_reserve(1).unwrap();
    chunk.push(Arc::clone(&value)).unwrap();
    std::mem::forget(chunk);
    assert!(rx.is_empty());
    for _ in 0..4 {
        tx.try_send(Arc::clone(&value)).unwrap();
    }
    assert_eq!(shares(), 5, "four, and the one that was leaked");
    drop((tx, rx, hub));
    assert_eq!(shares(), 1);
}

/// Panics at its drop, if it is asked to, and counts that drop.
struct Fragile<'a>(&'a Cell<u32>, bool);

impl Drop for Fragile<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        assert!(!self.1, "a drop that panics");
    }
}

#[test]
fn each_value_is_dropped_once_though_a_drop_panics() {
    let drops = Cell::new(0);
    let (mut tx, hub) = channel(4).unwrap();
    let mut rx = hub.join().unwrap();
    let mut chunk = tx.try_reserve(4).unwrap();
    assert_eq!(chunk.fill_from_iter([true, false, false, false].map(|bad| Fragile(&drops, bad))), 4);
    // The others are dropped though the first unwinds.
    panics(|| drop(chunk));
    assert_eq!(drops.get(), 4);
    // An older message whose drop panics: the new one is dropped, nothing is staged, and the place can be written.
    for i in 0..4 {
        assert!(tx.try_send(Fragile(&drops, i == 0)).is_ok());
    }
    assert_eq!(rx.drain(9, |_| ()), 4);
    let mut chunk = tx.try_reserve(2).unwrap();
    panics(|| chunk.push(Fragile(&drops, false)));
    assert_eq!((drops.get(), chunk.len()), (6, 0));
    assert!(chunk.push(Fragile(&drops, false)).is_ok());
    // An iterator that panics: what came before stays staged.
    panics(|| chunk.fill_from_iter(std::iter::from_fn(|| -> Option<Fragile<'_>> { panic!("an iterator") })));
    assert_eq!((chunk.len(), chunk.commit(), rx.lag()), (1, 1, 1));
    drop((tx, rx, hub));
    assert_eq!(drops.get(), 4 + 1 + 1 + 4);
}

#[test]
fn receivers_that_come_and_go_meanwhile_take_no_place_away() {
    for pass in [NoReceiver::Wait, NoReceiver::Pass] {
        let (mut tx, hub) = Builder::new(4).no_receiver(pass).build().unwrap();
        let rx = hub.join().unwrap();
        let mut chunk = tx.try_reserve(4).unwrap();
        chunk.fill_from_slice(&[1, 2, 3, 4]);
        let mut late = hub.join().unwrap();
        drop(rx);
        assert_eq!(chunk.commit(), 4);
        assert!(matches!(tx.try_send(5), Err(TrySendError::Full(5))));
        assert_eq!(late.try_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(tx.try_send(5), Ok(()));
        // All leave: there is no room that a later chunk could have.
        let mut chunk = tx.try_reserve(1).unwrap();
        chunk.push(6).unwrap();
        drop(late);
        assert_eq!(chunk.commit(), 1);
        let mut next = hub.join().unwrap();
        tx.try_send(7).unwrap();
        assert_eq!(next.try_iter().collect::<Vec<_>>(), [7]);
    }
}

#[test]
fn a_commit_wakes_those_that_wait() {
    let (mut tx, hub) = channel(4).unwrap();
    let mut rx = hub.join().unwrap();
    let (wakes, waker) = Wakes::new();
    let mut cx = std::task::Context::from_waker(&waker);
    while rx.poll_recv(&mut cx).is_pending() && wakes.take() != 0 {}
    let mut chunk = tx.try_reserve(2).unwrap();
    chunk.fill_from_slice(&[1, 2]);
    assert_eq!(wakes.count(), 0);
    chunk.commit();
    assert_eq!((wakes.count(), rx.try_iter().collect::<Vec<_>>()), (1, vec![1, 2]));
}

#[cfg(feature = "futures")]
#[test]
fn a_sink_keeps_what_finds_no_room() {
    use futures_sink::Sink;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};
    let (tx, hub) = channel(1).unwrap();
    let mut rx = hub.join().unwrap();
    let mut sink = tx.into_sink();
    let cx = &mut Context::from_waker(Waker::noop());
    for i in [1, 2] {
        assert_eq!(Pin::new(&mut sink).poll_ready(cx), Poll::Ready(Ok(())));
        assert_eq!(Pin::new(&mut sink).start_send(i), Ok(()));
    }
    assert!(Pin::new(&mut sink).poll_flush(cx).is_pending());
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(Pin::new(&mut sink).poll_flush(cx), Poll::Ready(Ok(())));
    // The receiver leaves, and room with it: nothing is lost that the sink took.
    assert_eq!(rx.try_recv(), Ok(2));
    assert_eq!(Pin::new(&mut sink).poll_ready(cx), Poll::Ready(Ok(())));
    drop(rx);
    assert_eq!(Pin::new(&mut sink).start_send(3), Ok(()));
    assert!(Pin::new(&mut sink).poll_flush(cx).is_pending());
    let mut rx = hub.join().unwrap();
    assert_eq!(Pin::new(&mut sink).poll_close(cx), Poll::Ready(Ok(())));
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [3]);
    assert!(rx.is_closed());
}
