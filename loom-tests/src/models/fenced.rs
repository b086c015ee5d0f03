//! FENCED event counts: a plain fence on each side, no asymmetric barrier. An event count that is FENCED from the start needs no
//! barrier, so its models run [`without_fences`]: the library's own fences are the only ones.

use super::{future, wait};
use crate::check::{model, without_fences};
use loom::future::block_on;
use loom::thread;
use ringmail::FenceMode;
use ringmail::spsc::{self, Receiver, Sender};
use ringmail::wait::EventCount;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

fn fenced(capacity: usize) -> (Sender<u32>, Receiver<u32>) {
    spsc::Builder::new(capacity).fence_mode(FenceMode::Fence).build().unwrap()
}

pub fn a_message_wakes_the_receiver() {
    without_fences(|| model("fenced::a_message_wakes_the_receiver", None, || wait::blocked_receiver(fenced(1))));
}

pub fn room_wakes_the_sender() {
    without_fences(|| model("fenced::room_wakes_the_sender", None, || wait::blocked_sender(fenced(1))));
}

pub fn messages_pass_one_by_one() {
    without_fences(|| model("fenced::messages_pass_one_by_one", Some(2), || wait::one_by_one(fenced(1), 2)));
}

pub fn a_dropped_sender_wakes_the_receiver() {
    without_fences(|| model("fenced::a_dropped_sender_wakes_the_receiver", Some(3), || wait::sender_leaves(fenced(1))));
}

pub fn a_message_wakes_the_task() {
    without_fences(|| model("fenced::a_message_wakes_the_task", None, || future::pending_receiver(fenced(1))));
}

pub fn a_second_poll_by_another_task() {
    without_fences(|| model("fenced::a_second_poll_by_another_task", Some(3), || future::moved_receiver(fenced(1))));
}

/// A channel whose receiver has slept without a message in between until it is `short` sleeps from choosing fences. This runs in one
/// thread, so that the barriers passed meanwhile need no other side.
fn sleepy(short: usize) -> (Sender<u32>, Receiver<u32>, EventCount) {
    let channel = || {
        let event = EventCount::new();
        let (tx, rx) = spsc::Builder::new(1).receiver_event(event.clone()).build().unwrap();
        (tx, rx, event)
    };
    let sleep = |rx: &mut Receiver<u32>| {
        assert!(pin!(rx.recv_async()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    };
    let fenced = |event: &EventCount| format!("{event:?}").contains("fenced: true");
    let (_tx, mut rx, event) = channel();
    let mut sleeps = 0;
    while !fenced(&event) {
        sleep(&mut rx);
        sleeps += 1;
    }
    let (tx, mut rx, event) = channel();
    (short..sleeps).for_each(|_| sleep(&mut rx));
    assert_eq!(fenced(&event), short == 0);
    (tx, rx, event)
}

/// A side that sleeps often has announced that: from then on neither side passes an asymmetric barrier.
pub fn a_settled_event_count_needs_no_barrier() {
    without_fences(|| {
        model("fenced::a_settled_event_count_needs_no_barrier", Some(2), || {
            let (tx, rx, _event) = sleepy(0);
            wait::sender_leaves((tx, rx));
        });
    });
}

/// The sleep that changes to fences, while messages come.
pub fn the_step_to_fenced() {
    model("fenced::the_step_to_fenced", Some(3), || {
        let (mut tx, mut rx, _event) = sleepy(1);
        let sender = thread::spawn(move || tx.try_send(1).map(|()| tx));
        assert_eq!(block_on(rx.recv_async()), Ok(1));
        drop(sender.join().unwrap());
        assert!(rx.recv().is_err());
    });
}

/// And back: a waiter that seldom sleeps clears it, while messages come.
pub fn the_step_back() {
    model("fenced::the_step_back", Some(3), || {
        let (mut tx, mut rx, event) = sleepy(0);
        let sender = thread::spawn(move || {
            tx.try_send(1).unwrap();
            drop(tx);
        });
        // This waiter is new and has not slept yet.
        assert!(event.wait(None, || !rx.is_empty()));
        assert_eq!(rx.try_recv(), Ok(1));
        assert!(event.wait(None, || rx.is_closed()));
        sender.join().unwrap();
    });
}
