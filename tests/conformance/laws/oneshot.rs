//! A channel for one message that is used once: every order of send, receive and leaving, on one thread and on two.

use super::channel;
use crate::support::{ends, let_it_sleep};
use ringmail::{RecvError, SendError, TryRecvError};
use std::thread;

#[test]
fn on_one_thread_either_side_may_leave_first() {
    let (tx, rx) = channel::<i32>(1).unwrap();
    drop(rx);
    drop(tx);
    let (tx, rx) = channel::<i32>(1).unwrap();
    drop(tx);
    drop(rx);
}

#[test]
fn without_a_receiver_a_send_gives_the_value_back() {
    let (mut tx, rx) = channel(1).unwrap();
    drop(rx);
    assert_eq!(tx.send(Box::new(0)), Err(SendError(Box::new(0))));
}

#[test]
fn on_one_thread_a_receive_after_the_sender_has_gone_fails() {
    let (tx, mut rx) = channel::<Box<i32>>(1).unwrap();
    drop(tx);
    assert_eq!(rx.recv(), Err(RecvError));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn on_one_thread_send_then_receive() {
    let (mut tx, mut rx) = channel(1).unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    tx.send(Box::new(10)).unwrap();
    assert_eq!(rx.recv(), Ok(Box::new(10)));
    tx.try_send(Box::new(11)).unwrap();
    assert_eq!(rx.try_recv(), Ok(Box::new(11)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn on_one_thread_send_then_leave_then_receive() {
    let (mut tx, mut rx) = channel(1).unwrap();
    tx.send(10).unwrap();
    drop(tx);
    assert_eq!((rx.recv(), rx.recv()), (Ok(10), Err(RecvError)));
}

#[test]
fn on_one_thread_peeking_at_an_open_and_a_closed_one() {
    let (tx, mut rx) = channel::<i32>(1).unwrap();
    assert_eq!((rx.peek().err(), rx.peek().err()), (Some(TryRecvError::Empty), Some(TryRecvError::Empty)));
    drop(tx);
    assert_eq!((rx.peek().err(), rx.try_recv()), (Some(TryRecvError::Disconnected), Err(TryRecvError::Disconnected)));
}

#[test]
fn on_two_threads_a_receiver_that_waits_gets_it() {
    ends(|| {
        let (mut tx, mut rx) = channel(1).unwrap();
        let receiver = thread::spawn(move || rx.recv());
        let_it_sleep();
        tx.send(Box::new(10)).unwrap();
        assert_eq!(receiver.join().unwrap(), Ok(Box::new(10)));
    });
}

#[test]
fn on_two_threads_a_receiver_that_waits_learns_of_the_end() {
    ends(|| {
        let (tx, mut rx) = channel::<Box<i32>>(1).unwrap();
        let receiver = thread::spawn(move || rx.recv());
        let_it_sleep();
        drop(tx);
        assert_eq!(receiver.join().unwrap(), Err(RecvError));
    });
}

/// Both leave at once.
#[test]
fn on_two_threads_they_may_leave_at_once() {
    ends(|| {
        for _ in 0..1000 {
            let (tx, rx) = channel::<Box<i32>>(1).unwrap();
            let other = thread::spawn(move || drop(rx));
            drop(tx);
            other.join().unwrap();
        }
    });
}

/// One sends while the other leaves: it went, and was dropped, or it came back.
#[test]
fn on_two_threads_a_send_may_race_with_the_end() {
    ends(|| {
        for i in 0..1000 {
            let (mut tx, rx) = channel(1).unwrap();
            let other = thread::spawn(move || drop(rx));
            if let Err(SendError(value)) = tx.send(Box::new(i)) {
                assert_eq!(*value, i);
            }
            other.join().unwrap();
            assert_eq!(tx.send(Box::new(i)), Err(SendError(Box::new(i))));
        }
    });
}

/// One receives while the other leaves, or sends and leaves.
#[test]
fn on_two_threads_a_receive_may_race_with_the_end() {
    ends(|| {
        for i in 0..1000 {
            let (mut tx, mut rx) = channel(1).unwrap();
            let sends = i % 2 == 0;
            let other = thread::spawn(move || {
                if sends {
                    tx.send(Box::new(i)).unwrap();
                }
            });
            assert_eq!(rx.recv(), if sends { Ok(Box::new(i)) } else { Err(RecvError) });
            // A sender that has sent may take its time to leave.
            assert!(sends || rx.try_recv() == Err(TryRecvError::Disconnected));
            other.join().unwrap();
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
        }
    });
}

/// A chain of threads hands a channel on; each sends one message through it.
#[test]
fn a_sender_may_wander_from_thread_to_thread() {
    ends(|| {
        let (mut tx, mut rx) = channel(2).unwrap();
        for i in 0..50 {
            tx = thread::spawn(move || {
                tx.send(i).unwrap();
                tx
            })
            .join()
            .unwrap();
            rx = thread::spawn(move || {
                assert_eq!(rx.recv(), Ok(i));
                rx
            })
            .join()
            .unwrap();
        }
    });
}
