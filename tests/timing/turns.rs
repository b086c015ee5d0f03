//! A poll that is ready leaves its executor's other tasks a turn after a bounded number, wherever it found what made it so.

use ringmail::spsc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// A sender that refills as soon as the ring is empty: each poll finds nothing at first, and a message while it spins.
#[test]
fn polls_that_find_a_message_while_they_spin_yield_too() {
    let _alone = crate::alone();
    let (mut tx, mut rx) = spsc::channel::<u64>(1).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stops = stop.clone();
    let sender = thread::spawn(move || {
        while !stops.load(Ordering::Relaxed) {
            let _ = tx.try_send(1);
        }
    });
    let mut cx = Context::from_waker(Waker::noop());
    let (mut most, mut row, mut total, start) = (0, 0u64, 0u64, Instant::now());
    while start.elapsed() < Duration::from_secs(3) {
        match rx.poll_recv(&mut cx) {
            Poll::Ready(message) => {
                message.unwrap();
                row += 1;
                total += 1;
                most = most.max(row);
            }
            Poll::Pending => row = 0,
        }
    }
    stop.store(true, Ordering::Relaxed);
    sender.join().unwrap();
    println!("{most} in a row of {total}");
    assert!(most <= 128, "{most} in a row");
}

#[cfg(feature = "futures")]
#[test]
fn a_sink_that_is_always_ready_has_its_turn_too() {
    let _alone = crate::alone();
    use futures_sink::Sink;
    use std::pin::Pin;
    let mut cx = Context::from_waker(Waker::noop());
    let (tx, mut rx) = ringmail::mpsc::channel::<u64>(4).unwrap();
    let mut sink = tx.into_sink();
    let mut row = 0;
    for i in 0..10_000 {
        if Pin::new(&mut sink).poll_ready(&mut cx).is_pending() {
            break;
        }
        Pin::new(&mut sink).start_send(i).unwrap();
        if Pin::new(&mut sink).poll_flush(&mut cx).is_pending() {
            break;
        }
        rx.try_recv().unwrap();
        row += 1;
    }
    assert!(row <= 128, "{row} in a row");
}
