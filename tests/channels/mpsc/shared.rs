//! One sender for many threads: the laws of a handle hold for it, too.

use crate::support::tasks::{block_on, poll};
use crate::support::{Ledger, Wakes, ends, let_it_sleep, panics, until};
use ringmail::mpsc::{self, Receiver, SharedSender};
use ringmail::{SendError, SendTimeoutError, TryRecvError, TrySendError};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

fn channel<T>(capacity: usize) -> (SharedSender<T>, Receiver<T>) {
    let (tx, rx) = mpsc::channel(capacity).unwrap();
    (tx.into_shared(), rx)
}

/// Checks that each of `threads` sent 0, 1, 2, … `n`, in this order.
fn in_order_for_each_thread(rx: Receiver<(usize, u64)>, threads: usize, n: u64) {
    let mut next = vec![0; threads];
    for (thread, number) in rx {
        assert_eq!(number, next[thread]);
        next[thread] += 1;
    }
    assert_eq!(next, vec![n; threads]);
}

#[test]
fn each_threads_messages_keep_their_order_whether_it_waits_or_not() {
    const N: u64 = 2000;
    for capacity in [1, 3, 64, 100_000] {
        ends(move || {
            let (tx, rx) = channel(capacity);
            let tx = Arc::new(tx);
            for id in 0..4 {
                let tx = Arc::clone(&tx);
                thread::spawn(move || {
                    for n in 0..N {
                        match n % 4 {
                            0 => tx.send((id, n)).unwrap(),
                            1 => tx.send_timeout((id, n), Duration::MAX).unwrap(),
                            2 => block_on(tx.send_async((id, n))).unwrap(),
                            _ => {
                                while tx.try_send((id, n)).is_err() {
                                    thread::yield_now();
                                }
                            }
                        }
                    }
                });
            }
            drop(tx);
            in_order_for_each_thread(rx, 4, N);
        });
    }
}

#[test]
fn it_fits_in_a_static_and_closes_by_reference() {
    static TX: OnceLock<SharedSender<u64>> = OnceLock::new();
    ends(|| {
        let (tx, mut rx) = mpsc::channel(8).unwrap();
        assert!(TX.set(tx.into()).is_ok());
        let tx = TX.get().unwrap();
        let threads: Vec<_> = (0..3).map(|id| thread::spawn(move || tx.send(id).unwrap())).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        tx.close();
        tx.close();
        assert!(tx.is_closed() && tx.to_sender().is_none() && tx.downgrade().upgrade().is_none());
        assert_eq!(tx.try_send(9), Err(TrySendError::Disconnected(9)));
        assert_eq!(tx.send(9), Err(SendError(9)));
        assert_eq!(tx.send_timeout(9, Duration::MAX), Err(SendTimeoutError::Disconnected(9)));
        assert_eq!(block_on(tx.send_async(9)), Err(SendError(9)));
        assert_eq!(rx.iter().sum::<u64>(), 3);
        assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn full_and_disconnected_give_the_value_back() {
    let (tx, rx) = channel(2);
    assert_eq!((tx.capacity(), tx.len(), tx.is_empty(), tx.is_full()), (2, 0, true, false));
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    assert_eq!((tx.len(), tx.is_empty(), tx.is_full()), (2, false, true));
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(tx.stats().full, 1);
    assert_eq!(tx.send_deadline(3, Instant::now()), Err(SendTimeoutError::Timeout(3)));
    assert_eq!(tx.send_timeout(3, Duration::from_millis(1)), Err(SendTimeoutError::Timeout(3)));
    drop(rx);
    assert_eq!(tx.try_send(3), Err(TrySendError::Disconnected(3)));
    assert_eq!(tx.send(3), Err(SendError(3)));
    assert_eq!(tx.send_timeout(3, Duration::MAX), Err(SendTimeoutError::Disconnected(3)));
    assert_eq!(block_on(tx.send_async(3)), Err(SendError(3)));
}

#[test]
fn other_handles_keep_the_channel_open() {
    let (tx, mut rx) = channel(4);
    let mut own = tx.to_sender().unwrap();
    assert_eq!(own.sender_count(), 2);
    tx.close();
    assert!(!own.is_closed());
    own.send(1).unwrap();
    assert_eq!((rx.recv(), rx.try_recv()), (Ok(1), Err(TryRecvError::Empty)));
    assert_eq!(tx.try_send(2), Err(TrySendError::Disconnected(2)), "this one is closed");
    drop(own);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    // A closed sender makes a closed one.
    let (mut own, _rx) = mpsc::channel(4).unwrap();
    own.close();
    assert_eq!(own.into_shared().try_send(1), Err(TrySendError::Disconnected(1)));
}

#[test]
fn a_send_that_waits_while_another_thread_closes_goes_on_and_the_channel_then_ends() {
    ends(|| {
        let (tx, mut rx) = channel(1);
        let tx = Arc::new(tx);
        tx.send(0).unwrap();
        let waiting = {
            let tx = Arc::clone(&tx);
            thread::spawn(move || tx.send(1))
        };
        let_it_sleep();
        tx.close();
        assert_eq!(rx.recv(), Ok(0));
        let sent = waiting.join().unwrap();
        // It had begun to wait, or the close came first.
        assert_eq!(rx.iter().count(), usize::from(sent.is_ok()));
        assert!(rx.is_closed());
    });
}

#[test]
fn a_receiver_that_leaves_wakes_all_that_wait() {
    ends(|| {
        let (tx, rx) = channel(1);
        tx.send(0).unwrap();
        thread::scope(|s| {
            let waiting: Vec<_> = (1..4)
                .map(|n| {
                    s.spawn({
                        let tx = &tx;
                        move || tx.send(n)
                    })
                })
                .collect();
            let_it_sleep();
            drop(rx);
            for (thread, n) in waiting.into_iter().zip(1..) {
                assert_eq!(thread.join().unwrap(), Err(SendError(n)));
            }
        });
    });
}

/// A thread that waits is not passed over for ever by those that come later.
#[test]
fn senders_that_wait_take_turns_with_those_that_do_not() {
    ends(|| {
        let (tx, mut rx) = channel(1);
        tx.send(0).unwrap();
        let tx = &tx;
        thread::scope(|s| {
            let patient = s.spawn(move || tx.send(1));
            let busy = s.spawn(move || while tx.send(2).is_ok() {});
            while rx.recv() != Ok(1) {}
            assert_eq!(patient.join().unwrap(), Ok(()));
            rx.close();
            rx.iter().for_each(drop);
            busy.join().unwrap();
        });
    });
}

#[test]
fn a_future_gives_its_value_back_and_leaves_no_trace() {
    let (tx, mut rx) = channel(1);
    let ledger = Ledger::default();
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut tx.send_async(ledger.value()), &waker).is_ready());
    assert_eq!(tx.send_async(ledger.value()).into_inner().map(|value| value.id), Some(1));
    let [mut one, mut two] = [(), ()].map(|()| tx.send_async(ledger.value()));
    for send in [&mut one, &mut two] {
        while poll(send, &waker).is_pending() && wakes.take() != 0 {}
    }
    assert_eq!(one.into_inner().map(|value| value.id), Some(2));
    assert_eq!(ledger.drops(), [0, 1, 1, 0]);
    assert_eq!(rx.try_recv().map(|value| value.id), Ok(0));
    until(|| wakes.take() != 0);
    assert!(matches!(poll(&mut two, &waker), Poll::Ready(Ok(()))));
    panics(|| poll(&mut two, &waker));
    drop(two);
    let mut pending = tx.send_async(ledger.value());
    while poll(&mut pending, &waker).is_pending() && wakes.take() != 0 {}
    drop(pending);
    assert_eq!(ledger.drops(), [1, 1, 1, 0, 1]);
    drop((tx, rx));
    ledger.settle();
}

#[test]
fn after_128_ready_polls_a_send_lets_other_tasks_go_first() {
    let (tx, mut rx) = channel(1);
    let (wakes, waker) = Wakes::new();
    let mut ready = || {
        let _ = rx.try_recv();
        poll(&mut tx.send_async(1), &waker).is_ready()
    };
    // The count is that of the thread: it begins anew after a pending poll.
    while ready() {}
    wakes.take();
    assert_eq!((0..1000).take_while(|_| ready()).count(), 128);
    assert_eq!(wakes.count(), 1);
}

#[test]
fn values_that_the_receiver_left_behind_drop_once() {
    for _ in 0..50 {
        ends(|| {
            let ledger = Ledger::default();
            let (tx, mut rx) = channel(2);
            thread::scope(|s| {
                for _ in 0..2 {
                    s.spawn(|| while tx.send(ledger.value()).is_ok() {});
                }
                for _ in 0..20 {
                    rx.recv().unwrap();
                }
                drop(rx);
            });
            drop(tx);
            ledger.settle();
        });
    }
}

#[test]
fn a_waker_that_panics_unwinds_the_send_that_ran_it_and_no_handle_is_lost() {
    let (tx, mut rx) = channel(1);
    let bomb = ringmail::wait::waker_fn(|| panic!("the waker's own"));
    while rx.poll_recv(&mut std::task::Context::from_waker(&bomb)).is_pending() {
        if tx.is_empty() && panics_on_send(&tx) {
            break;
        }
    }
    assert_eq!(rx.try_recv(), Ok(7), "it was sent before the wake");
    tx.send(8).unwrap();
    assert_eq!(tx.send_timeout(9, Duration::from_millis(1)), Err(SendTimeoutError::Timeout(9)));
    assert_eq!(tx.to_sender().unwrap().sender_count(), 2);
}

fn panics_on_send(tx: &SharedSender<u32>) -> bool {
    panics(|| tx.try_send(7));
    true
}

#[test]
fn a_slice_is_sent_whole_by_each_thread() {
    const N: u64 = 3000;
    for capacity in [1, 7, 100_000] {
        ends(move || {
            let (tx, rx) = channel(capacity);
            let tx = Arc::new(tx);
            for id in 0..3 {
                let tx = Arc::clone(&tx);
                thread::spawn(move || {
                    let all: Vec<_> = (0..N).map(|n| (id, n)).collect();
                    all.chunks(13).for_each(|some| tx.send_slice(some).unwrap());
                });
            }
            drop(tx);
            in_order_for_each_thread(rx, 3, N);
        });
    }
    let (tx, mut rx) = channel(2);
    tx.send_slice(&[1, 2]).unwrap();
    rx.close();
    assert_eq!(tx.send_slice(&[3]), Err(SendError(0)));
    assert_eq!(tx.send_slice(&[]), Ok(()));
    tx.close();
    assert_eq!((tx.send_slice(&[3]), tx.send_slice(&[])), (Err(SendError(0)), Ok(())));
}

#[test]
fn the_end_wakes_each_task_that_waits_for_it_and_the_wait_keeps_nothing_open() {
    let (wakes, waker) = Wakes::new();
    for by_receiver in [true, false] {
        let (tx, mut rx) = channel(1);
        let other = tx.to_sender().unwrap();
        let (mut one, mut two, mut dropped) = (tx.closed(), tx.closed(), tx.closed());
        for closed in [&mut one, &mut two, &mut dropped] {
            assert!(poll(closed, &waker).is_pending() && poll(closed, &waker).is_pending());
        }
        drop(dropped);
        tx.send(1).unwrap();
        assert_eq!((rx.recv(), wakes.take()), (Ok(1), 0), "room is no end");
        if by_receiver {
            rx.close();
        } else {
            tx.close();
            drop(other);
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected), "those that wait are no senders");
        }
        assert_eq!(wakes.take(), 2);
        assert!(poll(&mut one, &waker).is_ready() && poll(&mut two, &waker).is_ready());
        assert!(poll(&mut tx.closed(), &waker).is_ready(), "at once");
    }
    // A task that waits for the receiver alone is woken by the end of a shared sender for nothing, and goes on waiting.
    let (tx, rx) = mpsc::channel::<u8>(1).unwrap();
    let (shared, mut handle) = (tx.clone().into_shared(), tx);
    let mut closed = handle.closed();
    assert!(poll(&mut closed, &waker).is_pending());
    shared.close();
    assert!(poll(&mut closed, &waker).is_pending());
    drop(rx);
    assert!(wakes.take() != 0 && poll(&mut closed, &waker).is_ready());
}

#[test]
fn threads_that_wait_for_the_end_are_woken_by_it() {
    ends(|| {
        let (tx, rx) = channel::<u8>(1);
        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| block_on(tx.closed()));
            }
            let_it_sleep();
            tx.close();
        });
        drop(rx);
    });
}
