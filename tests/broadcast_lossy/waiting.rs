//! Receivers that wait: threads and tasks, one message wakes all of them.

use crate::support::tasks::{block_on, leak_pending, poll};
use ringmail::broadcast::lossy::{Builder, Receiver, Seen, channel};
use ringmail::{FenceMode, RecvError, RecvTimeoutError, WaitStrategy};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_wait_times_out() {
    let (mut tx, mut rx) = channel(4).unwrap();
    let begin = Instant::now();
    assert_eq!(rx.recv_timeout(SOON), Err(RecvTimeoutError::Timeout));
    assert_eq!(rx.recv_deadline(Instant::now() + SOON), Err(RecvTimeoutError::Timeout));
    assert_eq!(rx.changed_timeout(SOON), Err(RecvTimeoutError::Timeout));
    assert_eq!(rx.changed_deadline(Instant::now() + SOON), Err(RecvTimeoutError::Timeout));
    assert!(begin.elapsed() >= 4 * SOON);
    tx.send(1);
    assert_eq!(rx.recv_timeout(Duration::ZERO), Ok(Seen::Message(1)));
    tx.send(2);
    assert_eq!(rx.changed_timeout(LONG), Ok((1, 2)));
    drop(tx);
    assert_eq!(rx.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    assert_eq!(rx.recv(), Err(RecvError));
    assert_eq!(rx.changed(), Err(RecvError));
}

/// `n` receivers wait for each of `rounds` messages, which come one by one.
fn all_wake(builder: Builder, n: usize, rounds: u64, wait: fn(&mut Receiver<u64>) -> Option<u64>) {
    let (mut tx, rx) = builder.build().unwrap();
    let seen = AtomicUsize::new(0);
    thread::scope(|s| {
        for _ in 0..n {
            let (mut rx, seen) = (rx.clone(), &seen);
            s.spawn(move || {
                for round in 0..rounds {
                    assert_eq!(wait(&mut rx), Some(round));
                    seen.fetch_add(1, Ordering::Release);
                }
            });
        }
        for round in 0..rounds {
            tx.send(round);
            // The next one is sent when all have seen this one, so that a wake that is lost stops all.
            let begin = Instant::now();
            while seen.load(Ordering::Acquire) < n * (round as usize + 1) {
                thread::yield_now();
                assert!(begin.elapsed() < LONG, "a receiver sleeps through a message");
            }
            if round % 16 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
}

#[test]
fn a_message_wakes_all_threads() {
    for strategy in [WaitStrategy::Park, WaitStrategy::ParkAtOnce, WaitStrategy::Yield] {
        all_wake(Builder::new(2).receiver_wait(strategy), 4, 200, |rx| rx.recv().ok()?.message());
    }
}

#[test]
fn a_message_wakes_all_threads_in_each_fence_mode() {
    for mode in [FenceMode::Fence, FenceMode::Never] {
        let builder = Builder::new(2).fence_mode(mode).receiver_wait(WaitStrategy::ParkAtOnce);
        all_wake(builder, 3, 100, |rx| rx.recv().ok()?.message());
    }
}

#[test]
fn a_message_wakes_all_that_wait_for_changes() {
    all_wake(Builder::new(64), 3, 200, |rx| Some(rx.changed().ok()?.1));
}

#[test]
fn a_message_wakes_all_tasks() {
    all_wake(Builder::new(2), 3, 200, |rx| block_on(rx.recv_async()).ok()?.message());
    all_wake(Builder::new(2), 2, 200, |rx| Some(block_on(rx.changed_async()).ok()?.1));
}

#[test]
fn the_end_wakes_all() {
    let (tx, rx) = channel::<u8>(2).unwrap();
    let threads: Vec<_> = (0..3)
        .map(|i| {
            let mut rx = rx.clone();
            thread::spawn(move || if i == 0 { block_on(rx.recv_async()) } else { rx.recv() })
        })
        .collect();
    thread::sleep(SOON);
    drop(tx);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Err(RecvError));
    }
}

#[test]
fn a_task_is_woken_once_for_each_wait() {
    let (mut tx, mut rx) = channel(4).unwrap();
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    assert!(rx.poll_recv(&mut cx).is_pending());
    // A first poll in vain may ask to be polled again.
    while count.0.swap(0, Ordering::Relaxed) != 0 {
        assert!(rx.poll_recv(&mut cx).is_pending());
    }
    tx.send(1);
    tx.send(2);
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert_eq!(rx.poll_recv(&mut cx), Poll::Ready(Ok(Seen::Message(1))));
    assert_eq!(rx.poll_recv(&mut cx), Poll::Ready(Ok(Seen::Message(2))));
}

#[test]
fn a_future_that_is_dropped_has_seen_nothing_and_keeps_no_waker() {
    let (mut tx, mut rx) = channel(4).unwrap();
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    {
        let mut future = rx.recv_async();
        while poll(&mut future, &waker).is_pending() && count.0.swap(0, Ordering::Relaxed) != 0 {}
        assert!(Arc::strong_count(&count) > 2, "it is registered");
    }
    assert_eq!(Arc::strong_count(&count), 2, "the task is not kept");
    tx.send(7);
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    assert_eq!(rx.try_recv(), Ok(Seen::Message(7)));
}

#[test]
fn a_future_that_is_leaked_stops_no_other() {
    let (mut tx, mut rx) = channel(4).unwrap();
    let mut other = rx.clone();
    for _ in 0..3 {
        leak_pending(rx.recv_async(), Waker::noop());
    }
    let thread = thread::spawn(move || other.recv_timeout(LONG));
    thread::sleep(SOON);
    tx.send(1);
    assert_eq!(thread.join().unwrap(), Ok(Seen::Message(1)));
    assert_eq!(rx.try_recv(), Ok(Seen::Message(1)));
}

/// A waker that panics when it wakes.
struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        panic!("of the user");
    }
}

#[test]
fn a_waker_that_panics_keeps_no_other_asleep() {
    let (mut tx, mut rx) = channel(4).unwrap();
    let (mut before, mut after) = (rx.clone(), rx.clone());
    let count = Arc::new(Count::default());
    let counting = Waker::from(Arc::clone(&count));
    let panicking = Waker::from(Arc::new(Panicking));
    let register = |rx: &mut Receiver<u8>, waker: &Waker| {
        // The poll itself may wake, to be polled again.
        for _ in 0..3 {
            let _ = catch_unwind(AssertUnwindSafe(|| rx.poll_recv(&mut Context::from_waker(waker)).is_pending()));
        }
    };
    register(&mut before, &counting);
    register(&mut rx, &panicking);
    register(&mut after, &counting);
    count.0.store(0, Ordering::Relaxed);
    assert!(catch_unwind(AssertUnwindSafe(|| tx.send(1))).is_err(), "it unwinds the verb that ran it");
    assert_eq!(count.0.load(Ordering::Relaxed), 2, "both others are woken");
    for rx in [&mut before, &mut rx, &mut after] {
        assert_eq!(rx.try_recv(), Ok(Seen::Message(1)), "and the message was sent");
    }
    tx.send(2);
}

#[test]
fn a_receiver_that_leaves_keeps_no_other_asleep() {
    let (mut tx, rx) = channel(4).unwrap();
    let mut sleeper = rx.clone();
    let thread = thread::spawn(move || sleeper.recv_timeout(LONG));
    for _ in 0..200 {
        let mut passing = rx.clone();
        assert_eq!(passing.recv_timeout(Duration::from_micros(10)), Err(RecvTimeoutError::Timeout));
    }
    tx.send(1);
    assert_eq!(thread.join().unwrap(), Ok(Seen::Message(1)));
}

#[test]
fn ready_polls_let_other_tasks_go_first() {
    let (mut tx, mut rx) = channel(1024).unwrap();
    (0..1000u64).for_each(|i| tx.send(i));
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut in_a_row = 0;
    while rx.poll_recv(&mut Context::from_waker(&waker)).is_ready() {
        in_a_row += 1;
    }
    assert_eq!((in_a_row, count.0.load(Ordering::Relaxed)), (128, 1), "pending once, and woken");
}

#[test]
fn a_future_is_not_polled_after_its_answer() {
    let (mut tx, mut rx) = channel(4).unwrap();
    tx.send_slice(&[1, 2]);
    let mut future = pin!(rx.recv_async());
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(future.as_mut().poll(&mut cx), Poll::Ready(Ok(Seen::Message(1))));
    assert!(catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx).is_ready())).is_err());
}

#[cfg(feature = "futures")]
#[test]
fn a_stream_goes_on_after_a_loss() {
    use futures_core::Stream;
    use std::pin::Pin;
    let (mut tx, mut rx) = channel(2).unwrap();
    (0..5u64).for_each(|i| tx.send(i));
    drop(tx);
    let mut next = || match Pin::new(&mut rx).poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(item) => item,
        Poll::Pending => panic!("it is over"),
    };
    assert_eq!(next(), Some(Seen::Lost(4)));
    assert_eq!(next(), Some(Seen::Message(4)));
    assert_eq!(next(), None);
    assert!(futures_core::stream::FusedStream::is_terminated(&rx));
}
