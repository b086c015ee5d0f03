//! Receivers of a lossy ring that wait: one event count, one notification, all of them wake. A lost wake is a deadlock, which loom reports.

use crate::check::{model, without_fences};
use loom::future::block_on;
use loom::thread;
use ringmail::broadcast::lossy::{Builder, Receiver, Seen, Sender};
use ringmail::{FenceMode, RecvError, RecvTimeoutError};
use std::task::{Context, Waker};
use std::time::Duration;

type Channel = (Sender<u64>, Receiver<u64>);

fn open() -> Channel {
    Builder::new(2).build().unwrap()
}

/// The same, FENCED from the start: no asymmetric barrier.
fn fenced() -> Channel {
    Builder::new(2).fence_mode(FenceMode::Fence).build().unwrap()
}

type Wait = fn(&mut Receiver<u64>) -> Result<Seen<u64>, RecvError>;

fn thread_waits(rx: &mut Receiver<u64>) -> Result<Seen<u64>, RecvError> {
    rx.recv()
}

fn task_waits(rx: &mut Receiver<u64>) -> Result<Seen<u64>, RecvError> {
    block_on(rx.recv_async())
}

/// Two wait, a third thread sends one message.
fn wakes_all((mut tx, mut rx): Channel, wait: Wait) {
    let mut rx2 = rx.clone();
    let other = thread::spawn(move || wait(&mut rx2));
    let sender = thread::spawn(move || {
        tx.send(7);
        tx
    });
    assert_eq!(wait(&mut rx), Ok(Seen::Message(7)));
    assert_eq!(other.join().unwrap(), Ok(Seen::Message(7)));
    sender.join().unwrap();
}

pub fn a_message_wakes_all() {
    model("lossy_wait::a_message_wakes_all", Some(2), || wakes_all(open(), thread_waits));
}

pub fn a_message_wakes_all_fenced() {
    without_fences(|| model("lossy_wait::a_message_wakes_all_fenced", Some(2), || wakes_all(fenced(), thread_waits)));
}

pub fn a_message_wakes_all_tasks() {
    model("lossy_wait::a_message_wakes_all_tasks", Some(1), || wakes_all(open(), task_waits));
}

pub fn a_message_wakes_all_tasks_fenced() {
    without_fences(|| {
        model("lossy_wait::a_message_wakes_all_tasks_fenced", Some(1), || wakes_all(fenced(), task_waits))
    });
}

/// The end wakes all, too.
pub fn a_dropped_sender_wakes_all() {
    model("lossy_wait::a_dropped_sender_wakes_all", Some(2), || {
        let (tx, mut rx) = open();
        let mut rx2 = rx.clone();
        let other = thread::spawn(move || rx2.recv());
        let sender = thread::spawn(move || drop(tx));
        assert_eq!(rx.recv(), Err(RecvError));
        assert_eq!(other.join().unwrap(), Err(RecvError));
        sender.join().unwrap();
    });
}

/// One times out and stays; the other sleeps on.
pub fn one_that_gives_up_keeps_no_other_asleep() {
    model("lossy_wait::one_that_gives_up_keeps_no_other_asleep", Some(2), || {
        let (mut tx, mut rx) = open();
        let mut rx2 = rx.clone();
        let other = thread::spawn(move || rx2.recv());
        let sender = thread::spawn(move || {
            tx.send(7);
            tx
        });
        let said = rx.recv_timeout(Duration::ZERO);
        assert!(matches!(said, Ok(Seen::Message(7)) | Err(RecvTimeoutError::Timeout)));
        assert_eq!(other.join().unwrap(), Ok(Seen::Message(7)));
        sender.join().unwrap();
    });
}

/// One that announced itself goes, and takes the roll with it; the other sleeps on.
pub fn one_that_leaves_keeps_no_other_asleep() {
    model("lossy_wait::one_that_leaves_keeps_no_other_asleep", Some(2), || {
        let (mut tx, mut rx) = open();
        let mut rx2 = rx.clone();
        assert!(rx2.poll_recv(&mut Context::from_waker(Waker::noop())).is_pending());
        let other = thread::spawn(move || drop(rx2));
        let sender = thread::spawn(move || {
            tx.send(7);
            tx
        });
        assert_eq!(rx.recv(), Ok(Seen::Message(7)));
        other.join().unwrap();
        sender.join().unwrap();
    });
}

/// A task whose first wait is answered at the moment of its second poll.
pub fn a_task_waits_again() {
    model("lossy_wait::a_task_waits_again", Some(3), || {
        let (mut tx, mut rx) = open();
        let sender = thread::spawn(move || {
            tx.send(1);
            tx.send(2);
            tx
        });
        assert!(matches!(block_on(rx.recv_async()), Ok(Seen::Message(1))));
        assert!(matches!(block_on(rx.recv_async()), Ok(Seen::Message(2))));
        sender.join().unwrap();
    });
}

/// A thread whose first wait is answered at the moment of its second one.
pub fn one_seat_waits_twice() {
    model("lossy_wait::one_seat_waits_twice", Some(3), || {
        let (mut tx, mut rx) = open();
        let sender = thread::spawn(move || {
            tx.send(1);
            tx.send(2);
            tx
        });
        assert_eq!(rx.recv(), Ok(Seen::Message(1)));
        assert_eq!(rx.recv(), Ok(Seen::Message(2)));
        sender.join().unwrap();
    });
}
