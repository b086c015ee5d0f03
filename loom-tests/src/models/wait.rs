//! Threads that block: no wake is lost. A lost one is a deadlock, which loom reports.

use crate::check::{model, outcomes};
use loom::thread;
use ringmail::model::heavy_fails;
use ringmail::spsc::{self, Receiver, Sender};
use ringmail::{RecvError, RecvTimeoutError, SendError, SendTimeoutError};
use std::time::Duration;

/// A receiver blocks, a message comes.
pub fn a_message_wakes_the_receiver() {
    model("wait::a_message_wakes_the_receiver", None, || blocked_receiver(spsc::channel(1).unwrap()));
}

/// A sender blocks on a full ring, the receiver makes room.
pub fn room_wakes_the_sender() {
    model("wait::room_wakes_the_sender", None, || blocked_sender(spsc::channel(1).unwrap()));
}

/// Three messages through a ring for one: either side blocks, in any order.
pub fn messages_pass_one_by_one() {
    model("wait::messages_pass_one_by_one", Some(3), || one_by_one(spsc::channel(1).unwrap(), 3));
}

pub(super) fn blocked_receiver((mut tx, mut rx): (Sender<u32>, Receiver<u32>)) {
    let receiver = thread::spawn(move || rx.recv());
    tx.try_send(7).unwrap();
    assert_eq!(receiver.join().unwrap(), Ok(7));
}

pub(super) fn blocked_sender((mut tx, mut rx): (Sender<u32>, Receiver<u32>)) {
    tx.try_send(1).unwrap();
    let sender = thread::spawn(move || tx.send(2).map(|()| tx));
    assert_eq!(rx.try_recv(), Ok(1));
    let _tx = sender.join().unwrap().unwrap();
    assert_eq!(rx.try_recv(), Ok(2));
}

pub(super) fn one_by_one((mut tx, mut rx): (Sender<u32>, Receiver<u32>), n: u32) {
    let sender = thread::spawn(move || {
        for m in 0..n {
            tx.send(m).unwrap();
        }
    });
    for m in 0..n {
        assert_eq!(rx.recv(), Ok(m));
    }
    sender.join().unwrap();
}

/// The last message, the end, and a receiver that may block before either.
pub fn a_dropped_sender_wakes_the_receiver() {
    model("wait::a_dropped_sender_wakes_the_receiver", Some(3), || sender_leaves(spsc::channel(1).unwrap()));
}

pub(super) fn sender_leaves((mut tx, mut rx): (Sender<u32>, Receiver<u32>)) {
    let receiver = thread::spawn(move || (rx.recv(), rx.recv()));
    tx.try_send(7).unwrap();
    drop(tx);
    assert_eq!(receiver.join().unwrap(), (Ok(7), Err(RecvError)));
}

/// A sender blocks on a full ring, the receiver drops: the value comes back.
pub fn a_dropped_receiver_wakes_the_sender() {
    model("wait::a_dropped_receiver_wakes_the_sender", Some(3), || {
        let (mut tx, rx) = spsc::channel(1).unwrap();
        tx.try_send(1).unwrap();
        let sender = thread::spawn(move || {
            let said = tx.send(2);
            // What it found was room that the leaving receiver made, or its end.
            assert!(matches!(said, Ok(()) | Err(SendError(2))));
            assert_eq!(tx.send(3), Err(SendError(3)), "room that no receiver frees cannot be found again");
        });
        drop(rx);
        sender.join().unwrap();
    });
}

/// A sender blocks on a full ring, the receiver closes and keeps what is there.
pub fn a_closed_receiver_wakes_the_sender() {
    model("wait::a_closed_receiver_wakes_the_sender", None, || {
        let (mut tx, mut rx) = spsc::channel(1).unwrap();
        tx.try_send(1).unwrap();
        let sender = thread::spawn(move || tx.send(2));
        rx.close();
        assert_eq!(sender.join().unwrap(), Err(SendError(2)));
        assert_eq!((rx.recv(), rx.recv()), (Ok(1), Err(RecvError)));
    });
}

/// A question, an answer, and the end.
pub fn request_and_reply() {
    model("wait::request_and_reply", Some(3), || {
        let (mut ask, mut asked) = spsc::channel(1).unwrap();
        let (mut reply, mut replied) = spsc::channel(1).unwrap();
        let server = thread::spawn(move || {
            for question in asked.iter() {
                reply.send(question + 1).unwrap();
            }
        });
        ask.send(1).unwrap();
        assert_eq!(replied.recv(), Ok(2));
        drop(ask);
        server.join().unwrap();
    });
}

/// A slice longer than the ring, taken out as it comes.
pub fn many_at_once() {
    model("wait::many_at_once", Some(3), || {
        let (mut tx, mut rx) = spsc::channel(2).unwrap();
        let sender = thread::spawn(move || tx.send_slice(&[0, 1, 2]));
        let mut all = vec![];
        while rx.recv_many(&mut all, 2).is_ok() {}
        assert_eq!(all, [0, 1, 2]);
        assert_eq!(sender.join().unwrap(), Ok(()));
    });
}

/// An iterator longer than the ring, with a receiver that leaves in between.
pub fn an_iterator_waits_for_room() {
    model("wait::an_iterator_waits_for_room", Some(1), || {
        let (mut tx, mut rx) = spsc::channel(1).unwrap();
        let sender = thread::spawn(move || tx.send_iter(0..4));
        assert_eq!(rx.recv(), Ok(0));
        drop(rx);
        let SendError(next) = sender.join().unwrap().expect_err("the rest is not taken");
        assert!((1..4).contains(&next));
    });
}

/// A receive gives up. A later one sleeps and is woken, even if a notification came in between.
pub fn a_wait_that_timed_out_leaves_no_trace() {
    outcomes("wait::a_wait_that_timed_out_leaves_no_trace", Some(3), [true, false], || {
        let (mut tx, mut rx) = spsc::channel(2).unwrap();
        let receiver = thread::spawn(move || match rx.recv_timeout(Duration::ZERO) {
            Ok(m) => (m, true),
            Err(RecvTimeoutError::Timeout) => (rx.recv().unwrap(), false),
            Err(RecvTimeoutError::Disconnected) => unreachable!("the sender is there"),
        });
        tx.try_send(7).unwrap();
        let (m, in_time) = receiver.join().unwrap();
        assert_eq!(m, 7);
        in_time
    });
}

/// The same for a sender.
pub fn a_send_that_timed_out_leaves_no_trace() {
    outcomes("wait::a_send_that_timed_out_leaves_no_trace", Some(3), [true, false], || {
        let (mut tx, mut rx) = spsc::channel(1).unwrap();
        tx.try_send(1).unwrap();
        let sender = thread::spawn(move || match tx.send_timeout(2, Duration::ZERO) {
            Ok(()) => true,
            Err(SendTimeoutError::Timeout(m)) => tx.send(m).map(|()| false).unwrap(),
            Err(SendTimeoutError::Disconnected(_)) => unreachable!("the receiver is there"),
        });
        assert_eq!(rx.recv(), Ok(1));
        assert_eq!(rx.recv(), Ok(2));
        sender.join().unwrap()
    });
}

/// The kernel refuses the barrier it once promised: fences from here on.
pub fn a_refused_barrier_falls_back_to_fences() {
    model("wait::a_refused_barrier_falls_back_to_fences", Some(2), || {
        heavy_fails(true);
        one_by_one(spsc::channel(1).unwrap(), 2);
    });
}
