//! Tasks that wait: no wake is lost, and a future may be dropped or polled by another task at any time.

use crate::check::{model, outcomes};
use crate::payload::Drops;
use loom::future::block_on;
use loom::thread;
use ringmail::mpsc;
use ringmail::spsc::{self, Receiver, Sender};
use ringmail::{RecvError, SendError};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Polls once for a task that will never look again.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A receive is pending, a message comes.
pub fn a_message_wakes_the_task() {
    model("future::a_message_wakes_the_task", None, || pending_receiver(spsc::channel(1).unwrap()));
}

pub(super) fn pending_receiver((mut tx, mut rx): (Sender<u32>, Receiver<u32>)) {
    let sender = thread::spawn(move || tx.try_send(7).unwrap());
    assert_eq!(block_on(rx.recv_async()), Ok(7));
    sender.join().unwrap();
}

/// A send is pending, room comes.
pub fn room_wakes_the_task() {
    model("future::room_wakes_the_task", None, || {
        let (mut tx, mut rx) = spsc::channel(1).unwrap();
        tx.try_send(1).unwrap();
        let receiver = thread::spawn(move || {
            assert_eq!(rx.try_recv(), Ok(1));
            rx
        });
        assert_eq!(block_on(tx.send_async(2)), Ok(()));
        assert_eq!(receiver.join().unwrap().try_recv(), Ok(2));
    });
}

/// Two messages through a ring for one, both sides async.
pub fn both_sides_await() {
    model("future::both_sides_await", Some(3), || {
        let (mut tx, mut rx) = spsc::channel(1).unwrap();
        let sender = thread::spawn(move || {
            block_on(async {
                tx.send_async(0).await.unwrap();
                tx.send_async(1).await.unwrap();
            });
        });
        block_on(async {
            assert_eq!(rx.recv_async().await, Ok(0));
            assert_eq!(rx.recv_async().await, Ok(1));
            assert_eq!(rx.recv_async().await, Err(RecvError));
        });
        sender.join().unwrap();
    });
}

/// A receive is dropped while pending, the handle then blocks: the message wakes it, not the task that left.
pub fn a_cancelled_receive_leaves_no_trace() {
    outcomes("future::a_cancelled_receive_leaves_no_trace", None, [true, false], || {
        let (mut tx, mut rx) = spsc::channel(1).unwrap();
        let sender = thread::spawn(move || tx.try_send(7).unwrap());
        let early = match poll_once(rx.recv_async()) {
            Poll::Ready(m) => {
                assert_eq!(m, Ok(7));
                true
            }
            Poll::Pending => {
                assert_eq!(rx.recv(), Ok(7));
                false
            }
        };
        sender.join().unwrap();
        early
    });
}

/// A send is dropped while pending: its value drops with it, and the handle then blocks for another.
pub fn a_cancelled_send_leaves_no_trace() {
    outcomes("future::a_cancelled_send_leaves_no_trace", Some(3), [true, false], || {
        let drops = Drops::default();
        let (mut tx, mut rx) = spsc::channel(1).unwrap();
        tx.try_send(drops.value(0)).unwrap();
        let receiver = thread::spawn(move || {
            assert_eq!(rx.recv().unwrap().id, 0);
            rx.recv().unwrap().id
        });
        let early = poll_once(tx.send_async(drops.value(1))).is_ready();
        if !early {
            assert!(drops.so_far().contains(&1), "the future took its value along");
            tx.send(drops.value(2)).unwrap();
        }
        assert_eq!(receiver.join().unwrap(), if early { 1 } else { 2 });
        drops.assert_each_once(if early { 2 } else { 3 });
        early
    });
}

/// An armed future is polled again by its own task before anything came.
pub fn a_second_poll_by_the_same_task() {
    model("future::a_second_poll_by_the_same_task", None, || {
        let (mut tx, mut rx) = spsc::channel(1).unwrap();
        let sender = thread::spawn(move || tx.try_send(7).unwrap());
        let mut receive = rx.recv_async();
        let mut first = true;
        let got = block_on(poll_fn(|cx| {
            if std::mem::take(&mut first)
                && let Poll::Ready(m) = pin!(&mut receive).poll(cx)
            {
                return Poll::Ready(m);
            }
            pin!(&mut receive).poll(cx)
        }));
        assert_eq!(got, Ok(7));
        drop(receive);
        sender.join().unwrap();
    });
}

/// An armed future moves to another task: that one is woken.
pub fn a_second_poll_by_another_task() {
    model("future::a_second_poll_by_another_task", None, || moved_receiver(spsc::channel(1).unwrap()));
}

pub(super) fn moved_receiver((mut tx, mut rx): (Sender<u32>, Receiver<u32>)) {
    let sender = thread::spawn(move || tx.try_send(7).unwrap());
    let mut receive = rx.recv_async();
    let got = match poll_once(&mut receive) {
        Poll::Ready(m) => m,
        Poll::Pending => block_on(&mut receive),
    };
    assert_eq!(got, Ok(7));
    drop(receive);
    sender.join().unwrap();
}

/// A stream-like handle is polled, stays armed, then blocks, then is polled again.
pub fn a_poll_then_a_blocking_receive() {
    model("future::a_poll_then_a_blocking_receive", Some(3), || {
        let (mut tx, mut rx) = spsc::channel(2).unwrap();
        let sender = thread::spawn(move || {
            tx.try_send(1).unwrap();
            tx.try_send(2).unwrap();
        });
        let mut cx = Context::from_waker(Waker::noop());
        let first = match rx.poll_recv(&mut cx) {
            Poll::Ready(m) => m,
            Poll::Pending => rx.recv(),
        };
        assert_eq!(first, Ok(1));
        assert_eq!(block_on(poll_fn(|cx| rx.poll_recv(cx))), Ok(2));
        sender.join().unwrap();
    });
}

/// `poll_ready` said so: `start_send` finds room.
pub fn ready_means_room() {
    model("future::ready_means_room", None, || {
        let (mut tx, mut rx) = spsc::channel(1).unwrap();
        tx.try_send(1).unwrap();
        let receiver = thread::spawn(move || {
            assert_eq!(rx.try_recv(), Ok(1));
            rx
        });
        assert_eq!(block_on(poll_fn(|cx| tx.poll_ready(cx))), Ok(()));
        assert_eq!(tx.start_send(2), Ok(()));
        receiver.join().unwrap();
    });
}

/// A receive is pending, the sender goes.
pub fn a_dropped_sender_wakes_the_task() {
    model("future::a_dropped_sender_wakes_the_task", None, || {
        let (tx, mut rx) = spsc::channel::<u32>(1).unwrap();
        let sender = thread::spawn(move || drop(tx));
        assert_eq!(block_on(rx.recv_async()), Err(RecvError));
        sender.join().unwrap();
    });
}

/// A send is pending, the receiver goes.
pub fn a_dropped_receiver_wakes_the_task() {
    model("future::a_dropped_receiver_wakes_the_task", None, || {
        let (mut tx, rx) = spsc::channel(1).unwrap();
        tx.try_send(1).unwrap();
        let receiver = thread::spawn(move || drop(rx));
        assert!(matches!(block_on(tx.send_async(2)), Ok(()) | Err(SendError(2))));
        receiver.join().unwrap();
    });
}

/// A sender with room waits for the close, and messages are received meanwhile.
pub fn the_close_wakes_the_task_that_waits_for_it() {
    model("future::the_close_wakes_the_task_that_waits_for_it", Some(3), || {
        let (mut tx, mut rx) = spsc::channel(2).unwrap();
        tx.try_send(1).unwrap();
        let receiver = thread::spawn(move || assert_eq!(rx.try_recv(), Ok(1)));
        block_on(tx.closed());
        assert!(tx.try_send(2).is_err());
        receiver.join().unwrap();
    });
}

/// One of the senders of a ring waits for the close, and a message is received meanwhile.
pub fn the_close_of_a_shared_ring_wakes_the_task_that_waits_for_it() {
    model("future::the_close_of_a_shared_ring_wakes_the_task_that_waits_for_it", Some(3), || {
        let (mut tx, mut rx) = mpsc::channel(1).unwrap();
        tx.try_send(1).unwrap();
        let receiver = thread::spawn(move || assert_eq!(rx.try_recv(), Ok(1)));
        block_on(tx.closed());
        assert!(tx.try_send(2).is_err());
        receiver.join().unwrap();
    });
}
