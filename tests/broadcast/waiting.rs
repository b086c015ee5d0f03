//! The verbs that wait, and futures.

use crate::support::tasks::{block_on, leak_pending, poll};
use crate::support::{Wakes, ends, let_it_sleep};
use ringmail::broadcast::{Builder, channel};
use ringmail::{FenceMode, RecvError, RecvTimeoutError, SendError, SendTimeoutError, WaitStrategy};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

const MODES: [FenceMode; 3] = [FenceMode::Auto, FenceMode::Fence, FenceMode::Never];

#[test]
fn receivers_that_sleep_are_woken() {
    for mode in MODES {
        ends(move || {
            let builder = Builder::new(4).fence_mode(mode).wait(WaitStrategy::Park);
            let (mut tx, hub) = builder.build().unwrap();
            let receivers: Vec<_> = (0..3)
                .map(|_| {
                    let mut rx = hub.join().unwrap();
                    thread::spawn(move || (rx.recv(), rx.recv(), rx.recv()))
                })
                .collect();
            drop(hub);
            for message in [1, 2] {
                let_it_sleep();
                tx.send(message).unwrap();
            }
            let_it_sleep();
            drop(tx);
            for rx in receivers {
                assert_eq!(rx.join().unwrap(), (Ok(1), Ok(2), Err(RecvError)));
            }
        });
    }
}

#[test]
fn a_sender_that_sleeps_is_woken_by_the_slowest() {
    for mode in MODES {
        ends(move || {
            let builder = Builder::new(1).fence_mode(mode).wait(WaitStrategy::Park);
            let (mut tx, hub) = builder.build().unwrap();
            let (mut fast, mut slow, leaves) = (hub.join().unwrap(), hub.join().unwrap(), hub.join().unwrap());
            tx.send(1).unwrap();
            let sender = thread::spawn(move || {
                tx.send(2).unwrap();
                tx.send(4)
            });
            assert_eq!(fast.recv(), Ok(1));
            let_it_sleep();
            assert_eq!(slow.recv(), Ok(1));
            let_it_sleep();
            drop(leaves);
            assert_eq!([slow.recv(), fast.recv()], [Ok(2), Ok(2)]);
            let_it_sleep();
            drop((fast, slow, hub));
            // Either it found the room, or the end.
            assert!(matches!(sender.join().unwrap(), Ok(()) | Err(SendError(4))));
        });
    }
}

#[test]
fn a_sender_waits_for_the_first_receiver_and_ends_with_the_last_hub() {
    ends(|| {
        let (mut tx, hub) = channel(4).unwrap();
        let sender = thread::spawn(move || (tx.send(1), tx));
        let_it_sleep();
        let mut rx = hub.join().unwrap();
        let (sent, mut tx) = sender.join().unwrap();
        assert_eq!((sent, rx.recv()), (Ok(()), Ok(1)), "what was sent for it is not lost");
        drop(rx);
        let sender = thread::spawn(move || tx.send(2));
        let_it_sleep();
        drop(hub);
        assert_eq!(sender.join().unwrap(), Err(SendError(2)));
    });
}

#[test]
fn timeouts() {
    let (mut tx, hub) = channel(1).unwrap();
    let mut rx = hub.join().unwrap();
    assert_eq!(rx.recv_timeout(Duration::from_millis(3)), Err(RecvTimeoutError::Timeout));
    assert_eq!(rx.recv_deadline(std::time::Instant::now()), Err(RecvTimeoutError::Timeout));
    tx.send_timeout(1, Duration::ZERO).unwrap();
    assert_eq!(tx.send_timeout(2, Duration::from_millis(3)), Err(SendTimeoutError::Timeout(2)));
    assert_eq!(rx.recv_timeout(Duration::MAX), Ok(1));
    drop(tx);
    assert_eq!(rx.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn a_follower_that_sleeps_is_woken_by_the_one_before() {
    for mode in MODES {
        ends(move || {
            let builder = Builder::new(4).fence_mode(mode).wait(WaitStrategy::Park);
            let (mut tx, hub) = builder.build().unwrap();
            let mut journal = hub.reserve("journal").unwrap();
            let mut engine = hub.after(&[&journal]).unwrap();
            let follower = thread::spawn(move || (engine.recv(), engine.recv(), engine.recv()));
            tx.send_slice(&[1, 2]).unwrap();
            let_it_sleep();
            assert_eq!(journal.recv(), Ok(1));
            let_it_sleep();
            journal.release();
            let_it_sleep();
            drop(tx);
            assert_eq!(follower.join().unwrap(), (Ok(1), Ok(2), Err(RecvError)));
        });
    }
}

#[test]
fn the_next_receiver_of_a_reserved_follower_is_woken_too() {
    ends(|| {
        let (mut tx, hub) = Builder::new(4).wait(WaitStrategy::Park).build().unwrap();
        let mut journal = hub.reserve("journal").unwrap();
        drop(hub.reserve_after("engine", &[&journal]).unwrap());
        let mut engine = hub.take("engine").unwrap();
        let (woken, waker) = Wakes::new();
        tx.send(1).unwrap();
        leak_pending(engine.recv_async(), &waker);
        assert_eq!(journal.recv(), Ok(1));
        assert_eq!(woken.count(), 1);
        assert_eq!(engine.recv(), Ok(1));
    });
}

#[test]
fn futures_are_woken_and_cancel_safe() {
    let (mut tx, hub) = channel(2).unwrap();
    let (mut a, mut b) = (hub.join().unwrap(), hub.join().unwrap());
    let (woken, waker) = Wakes::new();
    let mut dropped = a.recv_async();
    assert!(poll(&mut dropped, &waker).is_pending());
    drop(dropped);
    let mut wait_b = b.recv_async();
    assert!(poll(&mut wait_b, &waker).is_pending());
    tx.try_send(1).unwrap();
    assert_eq!(woken.count(), 1, "a future that was dropped is not woken");
    assert_eq!(poll(&mut wait_b, &waker), Poll::Ready(Ok(1)));
    drop(wait_b);
    assert_eq!(a.try_recv(), Ok(1), "a future that was dropped has taken nothing");
    // A sender that awaits room.
    tx.try_send_slice(&[2, 3]).unwrap();
    let mut send = tx.send_async(4);
    assert!(poll(&mut send, &waker).is_pending());
    assert_eq!(a.try_recv(), Ok(2));
    assert!(poll(&mut send, &waker).is_pending(), "the other one is as far behind as it was");
    assert_eq!(b.try_recv(), Ok(2));
    assert_eq!(woken.count(), 3);
    assert_eq!(poll(&mut send, &waker), Poll::Ready(Ok(())));
    drop(send);
    assert_eq!(block_on(async { (a.recv_async().await, a.recv_async().await) }), (Ok(3), Ok(4)));
    drop(tx);
    assert_eq!(b.iter().collect::<Vec<_>>(), [3, 4]);
    assert_eq!(block_on(b.recv_async()), Err(RecvError));
}

#[test]
fn a_leaked_future_does_no_harm_to_the_next_receiver_of_the_seat() {
    ends(|| {
        let (mut tx, hub) = channel(2).unwrap();
        let mut rx = hub.join().unwrap();
        let (woken, waker) = Wakes::new();
        leak_pending(rx.recv_async(), &waker);
        drop(rx);
        let mut rx = hub.join().unwrap();
        let receiver = thread::spawn(move || rx.recv());
        let_it_sleep();
        tx.send(1).unwrap();
        assert_eq!(receiver.join().unwrap(), Ok(1));
        assert_eq!(woken.count(), 0);
    });
}

#[test]
fn of_129_polls_in_a_row_one_is_pending() {
    let (mut tx, hub) = channel(1).unwrap();
    let mut rx = hub.join().unwrap();
    let (woken, waker) = Wakes::new();
    let mut pending = 0;
    for i in 0..129 {
        tx.try_send(i).unwrap();
        while poll(&mut rx.recv_async(), &waker).is_pending() {
            pending += 1;
        }
    }
    assert_eq!((pending, woken.count()), (1, 1));
}

#[cfg(feature = "futures")]
#[test]
fn a_stream() {
    use futures_core::Stream;
    use std::pin::Pin;
    use std::task::{Context, Waker};
    let (mut tx, hub) = channel(4).unwrap();
    let mut rx = hub.join().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut rx).poll_next(&mut cx).is_pending());
    tx.try_send(1).unwrap();
    drop(tx);
    assert_eq!(rx.size_hint(), (1, None));
    assert_eq!(Pin::new(&mut rx).poll_next(&mut cx), Poll::Ready(Some(1)));
    assert_eq!(Pin::new(&mut rx).poll_next(&mut cx), Poll::Ready(None));
}

#[test]
fn a_wait_without_a_take_leaves_the_message_there() {
    ends(|| {
        let (mut tx, hub) = Builder::new(4).wait(WaitStrategy::Park).build().unwrap();
        let mut journal = hub.reserve("journal").unwrap();
        let mut engine = hub.after(&[&journal]).unwrap();
        assert_eq!(journal.wait_for_message(Duration::from_millis(2)), Err(RecvTimeoutError::Timeout));
        let sender = thread::spawn(move || {
            let_it_sleep();
            tx.send_slice(&[1, 2]).unwrap();
            let_it_sleep();
        });
        for _ in 0..2 {
            assert_eq!(journal.wait_for_message(Duration::MAX), Ok(()));
        }
        assert_eq!((journal.lag(), journal.peek()), (2, Ok(&1)));
        assert_eq!(engine.wait_for_message(Duration::ZERO), Err(RecvTimeoutError::Timeout), "nothing is committed yet");
        journal.read_chunk(1).unwrap().commit_all();
        assert_eq!((engine.wait_for_message(Duration::MAX), engine.recv()), (Ok(()), Ok(1)));
        // The end, of those that are closed and of those that are drained.
        sender.join().unwrap();
        assert_eq!((journal.wait_for_message(Duration::MAX), journal.recv()), (Ok(()), Ok(2)));
        assert_eq!(journal.wait_for_message(Duration::MAX), Err(RecvTimeoutError::Disconnected));
        engine.close();
        assert_eq!((engine.wait_for_message(Duration::MAX), engine.recv()), (Ok(()), Ok(2)));
        assert_eq!(engine.wait_for_message(Duration::ZERO), Err(RecvTimeoutError::Disconnected));
    });
}

#[test]
fn a_task_waits_without_a_take_and_may_give_up() {
    let (mut tx, hub) = Builder::new(4).fence_mode(FenceMode::Fence).build().unwrap();
    let (mut rx, mut other) = (hub.join().unwrap(), hub.join().unwrap());
    let (wakes, waker) = Wakes::new();
    let cx = &mut Context::from_waker(&waker);
    assert!(rx.poll_message(cx).is_pending() && other.poll_message(cx).is_pending());
    tx.try_send(1).unwrap();
    assert_eq!(wakes.take(), 2);
    for _ in 0..3 {
        assert_eq!(rx.poll_message(cx), Poll::Ready(Ok(())));
    }
    assert_eq!((rx.lag(), rx.try_recv()), (1, Ok(1)));
    // Given up: another verb takes what there is.
    assert!(rx.poll_message(cx).is_pending());
    tx.try_send(2).unwrap();
    assert_eq!((rx.recv(), wakes.take()), (Ok(2), 1));
    // As of each verb, one of 129 polls in a row is pending.
    let ready = (0..1000).take_while(|_| other.poll_message(cx).is_ready()).count();
    assert_eq!((ready, wakes.take()), (128, 1));
    drop(tx);
    assert_eq!(rx.poll_message(cx), Poll::Ready(Err(RecvError)));
    assert_eq!(other.poll_message(cx), Poll::Ready(Ok(())), "there is something left");
}
