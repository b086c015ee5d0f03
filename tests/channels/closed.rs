//! Waiting for the end of a channel on the sending side.

use crate::support::tasks::{block_on, poll};
use crate::support::{Wakes, ends, let_it_sleep};
use ringmail::{FenceMode, Flavor, Receiver, Sender, TrySendError, fan_in, mpsc, spsc};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

/// Polls until the task does not wake itself any more. Whether it waits.
fn waits(mut poll: impl FnMut() -> Poll<()>, wakes: &Wakes) -> bool {
    while poll().is_pending() {
        if wakes.take() == 0 {
            return true;
        }
    }
    false
}

type Pair<S> = (Sender<u32, S>, Receiver<u32, S>);

#[test]
fn a_sender_with_room_is_woken_by_the_close_and_by_a_drop() {
    fn law<S: Flavor>((mut tx, mut rx): Pair<S>, drops: bool) {
        let (wakes, waker) = Wakes::new();
        let mut closed = tx.closed();
        assert!(waits(|| poll(&mut closed, &waker), &wakes));
        let kept = if drops {
            drop(rx);
            None
        } else {
            rx.close();
            Some(rx)
        };
        assert_eq!(wakes.count(), 1);
        assert!(poll(&mut closed, &waker).is_ready());
        assert!(poll(&mut closed, &waker).is_ready(), "and stays so");
        drop(closed);
        assert_eq!(tx.try_send(1), Err(TrySendError::Disconnected(1)));
        drop(kept);
    }
    for drops in [false, true] {
        law(spsc::channel(4).unwrap(), drops);
        law(mpsc::channel(4).unwrap(), drops);
        law(fan_in::channel(4).unwrap(), drops);
    }
}

#[test]
fn a_handle_that_was_closed_waits_for_nothing() {
    fn law<S: Flavor>((mut tx, _rx): Pair<S>) {
        tx.close();
        assert!(poll(&mut tx.closed(), Waker::noop()).is_ready());
    }
    law(spsc::channel(4).unwrap());
    law(mpsc::channel(4).unwrap());
    law(fan_in::channel(4).unwrap());
}

#[test]
fn messages_that_are_received_end_no_wait_for_the_close() {
    fn law<S: Flavor>((mut tx, mut rx): Pair<S>) {
        let (wakes, waker) = Wakes::new();
        tx.send_slice(&[1, 2, 3]).unwrap();
        let mut closed = tx.closed();
        for _ in 0..3 {
            assert!(waits(|| poll(&mut closed, &waker), &wakes));
            rx.try_recv().unwrap();
        }
        assert!(waits(|| poll(&mut closed, &waker), &wakes));
        drop(rx);
        assert!(wakes.count() > 0 && poll(&mut closed, &waker).is_ready());
    }
    law(spsc::channel(4).unwrap());
    law(mpsc::channel(4).unwrap());
    law(fan_in::channel(4).unwrap());
}

#[test]
fn a_task_on_another_thread_learns_of_the_end() {
    fn law<S: Flavor>((mut tx, rx): Pair<S>)
    where
        Sender<u32, S>: Send,
        Receiver<u32, S>: Send,
    {
        ends(move || {
            let waiting = thread::spawn(move || block_on(tx.closed()));
            let_it_sleep();
            drop(rx);
            waiting.join().unwrap();
        });
    }
    for mode in [FenceMode::Auto, FenceMode::Fence, FenceMode::Never] {
        law(spsc::Builder::new(1).fence_mode(mode).build().unwrap());
        law(mpsc::Builder::new(1).fence_mode(mode).build().unwrap());
        law(fan_in::Builder::new(1).fence_mode(mode).build().unwrap());
    }
}

#[test]
fn a_wait_for_the_close_that_is_dropped_is_not_woken() {
    fn law<S: Flavor>((mut tx, rx): Pair<S>) {
        let (wakes, waker) = Wakes::new();
        let mut closed = tx.closed();
        assert!(waits(|| poll(&mut closed, &waker), &wakes));
        drop(closed);
        drop(rx);
        assert_eq!(wakes.count(), 0);
    }
    law(spsc::channel(4).unwrap());
    law(mpsc::channel(4).unwrap());
    law(fan_in::channel(4).unwrap());
}

#[test]
fn a_wait_for_the_close_stands_in_the_way_of_no_sender() {
    ends(|| {
        let (mut tx, mut rx) = mpsc::channel(1).unwrap();
        let (wakes, waker) = Wakes::new();
        let mut closing = tx.clone();
        let mut closed = closing.closed();
        assert!(waits(|| poll(&mut closed, &waker), &wakes));
        let sender = thread::spawn(move || (0..1000).for_each(|n| tx.send(n).unwrap()));
        assert!((0..1000).all(|n| rx.recv() == Ok(n)), "a sender that waits for room is not behind it");
        sender.join().unwrap();
        assert_eq!(wakes.count(), 0, "room is not what it waits for");
        drop(rx);
        assert_eq!(wakes.count(), 1);
        assert!(poll(&mut closed, &waker).is_ready());
    });
}

/// The handle of an `mpsc` channel: the two waits stand side by side.
#[test]
fn a_leaked_wait_for_the_close_does_not_take_the_wake_of_a_send() {
    let (mut tx, mut rx) = mpsc::channel(1).unwrap();
    let ((old, first), (new, second)) = (Wakes::new(), Wakes::new());
    tx.try_send(1).unwrap();
    let mut closed = tx.closed();
    assert!(waits(|| poll(&mut closed, &first), &old));
    std::mem::forget(closed);
    let mut send = tx.send_async(2);
    assert!(waits(|| poll(&mut send, &second).map(|sent| sent.unwrap()), &new));
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!((old.count(), new.count()), (0, 1));
    assert_eq!(poll(&mut send, &second), Poll::Ready(Ok(())));
    drop(send);
    drop(tx);
    drop(rx);
    assert_eq!(old.count(), 0, "a handle that is gone waits for nothing");
}

#[test]
fn one_task_polls_for_room_and_for_the_close() {
    ends(|| {
        let (mut tx, mut rx) = spsc::channel(1).unwrap();
        let receiver = thread::spawn(move || {
            assert!((0..500).all(|n| rx.recv() == Ok(n)));
        });
        let mut sent = 0;
        block_on(std::future::poll_fn(|cx| {
            loop {
                if tx.poll_closed(cx).is_ready() {
                    return Poll::Ready(());
                }
                match tx.poll_ready(cx) {
                    Poll::Ready(Ok(())) if sent < 500 => sent += 1,
                    Poll::Ready(Ok(())) => return tx.poll_closed(cx),
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
                let _ = tx.start_send(sent - 1);
            }
        }));
        receiver.join().unwrap();
        assert_eq!(sent, 500);
    });
}

#[test]
fn all_handles_that_wait_for_the_close_are_woken_also_if_a_waker_panics() {
    let (tx, rx) = mpsc::channel::<u32>(1).unwrap();
    let (wakes, waker) = Wakes::new();
    let bomb = ringmail::wait::waker_fn(|| panic!("the waker's own"));
    let mut handles: Vec<_> = (0..3).map(|_| tx.clone()).collect();
    let mut futures: Vec<_> = handles.iter_mut().map(|tx| tx.closed()).collect();
    assert!(poll(&mut futures[0], &bomb).is_pending());
    for future in &mut futures[1..] {
        assert!(waits(|| poll(future, &waker), &wakes));
    }
    crate::support::panics(|| drop(rx));
    assert_eq!(wakes.count(), 2);
    assert!(futures.iter_mut().all(|future| poll(future, &waker).is_ready()));
    let mut last = pin!(async {
        for future in futures {
            future.await;
        }
    });
    assert!(last.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}
