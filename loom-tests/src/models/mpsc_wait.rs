//! Waiting on a ring with many senders: the receiver states which message it waits for, and only that message's sender notifies it.

use crate::check::{model, without_fences};
use loom::future::block_on;
use loom::thread;
use ringmail::FenceMode;
use ringmail::RecvError;
use ringmail::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll, Waker};

fn channel(capacity: usize) -> (Sender<u32>, Receiver<u32>) {
    mpsc::channel(capacity).unwrap()
}

/// FENCED from the start: no asymmetric barrier.
fn fenced(capacity: usize) -> (Sender<u32>, Receiver<u32>) {
    mpsc::Builder::new(capacity).fence_mode(FenceMode::Fence).build().unwrap()
}

fn sending(mut tx: Sender<u32>, message: u32) -> thread::JoinHandle<Sender<u32>> {
    thread::spawn(move || {
        tx.try_send(message).unwrap();
        tx
    })
}

/// A receiver sleeps for the first of two messages, then for the second; the sender of the other one does not notify it.
pub fn the_awaited_sender_notifies() {
    model("mpsc_wait::the_awaited_sender_notifies", Some(2), || two_notifiers(channel(2)));
}

pub fn the_awaited_sender_notifies_fenced() {
    without_fences(|| model("mpsc_wait::the_awaited_sender_notifies_fenced", Some(1), || two_notifiers(fenced(2))));
}

fn two_notifiers((tx, mut rx): (Sender<u32>, Receiver<u32>)) {
    let (a, b) = (sending(tx.clone(), 1), sending(tx, 2));
    let got = [rx.recv().unwrap(), rx.recv().unwrap()];
    assert!(got == [1, 2] || got == [2, 1]);
    let (_a, _b) = (a.join().unwrap(), b.join().unwrap());
}

/// Two places are claimed by two senders, the second is filled first: its sender leaves the sleeper alone.
pub fn a_message_out_of_turn_wakes_nobody() {
    model("mpsc_wait::a_message_out_of_turn_wakes_nobody", Some(3), || {
        let (mut tx, mut rx) = channel(2);
        let other = tx.clone();
        assert!(rx.poll_recv(&mut Context::from_waker(Waker::noop())).is_pending());
        let mut held = tx.hold(1).unwrap();
        let b = sending(other, 2);
        assert!(rx.poll_recv(&mut Context::from_waker(Waker::noop())).is_pending());
        let other = b.join().unwrap();
        assert_eq!(other.stats().sender_wakes, 0);
        let filler = thread::spawn(move || {
            let got = [rx.recv().unwrap(), rx.recv().unwrap()];
            assert_eq!(got, [1, 2]);
        });
        held.send(1);
        drop(held);
        filler.join().unwrap();
    });
}

/// A sleeper wakes when the last sender leaves, whichever that is.
pub fn the_last_sender_wakes_the_receiver() {
    model("mpsc_wait::the_last_sender_wakes_the_receiver", Some(2), || senders_leave(channel(1)));
}

pub fn the_last_sender_wakes_the_receiver_fenced() {
    without_fences(|| {
        model("mpsc_wait::the_last_sender_wakes_the_receiver_fenced", Some(2), || senders_leave(fenced(1)))
    });
}

fn senders_leave((tx, mut rx): (Sender<u32>, Receiver<u32>)) {
    let other = tx.clone();
    let leaving = [tx, other].map(|tx| thread::spawn(move || drop(tx)));
    assert_eq!(rx.recv(), Err(RecvError));
    let _ = leaving.map(|t| t.join().unwrap());
}

/// A receiver was polled, then got its message another way while the announcement still stood: the next poll waits for another
/// message, and must announce that anew.
pub fn a_poll_for_another_message_announces_anew() {
    model("mpsc_wait::a_poll_for_another_message_announces_anew", Some(1), || poll_twice(channel(2)));
}

pub fn a_poll_for_another_message_announces_anew_fenced() {
    without_fences(|| {
        model("mpsc_wait::a_poll_for_another_message_announces_anew_fenced", Some(1), || poll_twice(fenced(2)));
    });
}

fn poll_twice((tx, mut rx): (Sender<u32>, Receiver<u32>)) {
    let first = match rx.poll_recv(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(_) => unreachable!("nothing was sent"),
        Poll::Pending => sending(tx.clone(), 1),
    };
    let second = sending(tx, 2);
    let mut sum = rx.try_recv().unwrap_or(0);
    while sum != 3 {
        sum += block_on(rx.recv_async()).unwrap();
    }
    let (_a, _b) = (first.join().unwrap(), second.join().unwrap());
}

/// The place that a receiver sleeps for is given up: it wakes, and finds the message behind.
pub fn a_tombstone_wakes_the_receiver() {
    model("mpsc_wait::a_tombstone_wakes_the_receiver", Some(3), || given_up(channel(2)));
}

pub fn a_tombstone_wakes_the_receiver_fenced() {
    without_fences(|| model("mpsc_wait::a_tombstone_wakes_the_receiver_fenced", Some(3), || given_up(fenced(2))));
}

fn given_up((mut tx, mut rx): (Sender<u32>, Receiver<u32>)) {
    let mut other = tx.clone();
    let held = tx.hold(1).unwrap();
    other.try_send(7).unwrap();
    let receiver = thread::spawn(move || rx.recv());
    drop(held);
    assert_eq!(receiver.join().unwrap(), Ok(7));
}

/// The place that a receiver sleeps for is given up, and the message comes later, in the same place of the storage: the receiver wakes
/// for the first and must then wait for the second.
pub fn a_message_behind_a_tombstone_wakes_the_receiver() {
    model("mpsc_wait::a_message_behind_a_tombstone_wakes_the_receiver", Some(3), || after_a_tombstone(channel(2)));
}

pub fn a_message_behind_a_tombstone_wakes_the_receiver_fenced() {
    without_fences(|| {
        model("mpsc_wait::a_message_behind_a_tombstone_wakes_the_receiver_fenced", Some(3), || {
            after_a_tombstone(fenced(2));
        });
    });
}

fn after_a_tombstone((mut tx, mut rx): (Sender<u32>, Receiver<u32>)) {
    let mut other = tx.clone();
    let receiver = thread::spawn(move || rx.recv());
    drop(tx.hold(1));
    other.try_send(7).unwrap();
    assert_eq!(receiver.join().unwrap(), Ok(7));
}
