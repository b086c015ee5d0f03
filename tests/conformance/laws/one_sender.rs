//! One sender, one receiver: what each verb answers in each state, and what ends a wait.

use super::{Receiver, Sender, channel};
use crate::support::{ends, let_it_sleep, until};
use ringmail::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn smoke() {
    let (mut tx, mut rx) = channel(1).unwrap();
    tx.send(7).unwrap();
    assert_eq!(rx.try_recv(), Ok(7));
    tx.send(8).unwrap();
    assert_eq!(rx.recv(), Ok(8));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
}

#[test]
fn smoke_across_threads() {
    ends(|| {
        let (mut tx, mut rx) = channel(1).unwrap();
        let sender = thread::spawn(move || tx.send(1).unwrap());
        assert_eq!(rx.recv(), Ok(1));
        sender.join().unwrap();
    });
}

#[test]
fn capacity_is_what_was_asked_for() {
    for i in 1..10 {
        let (tx, mut rx) = channel::<()>(i).unwrap();
        // A lane is seen by the receiver when it looks.
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        assert_eq!((tx.capacity(), rx.capacity()), (i, i));
    }
}

#[test]
fn len_empty_and_full_agree_on_both_sides() {
    let (mut tx, mut rx) = channel(2).unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    let seen = |tx: &Sender<()>, rx: &Receiver<()>| {
        assert_eq!((tx.len(), tx.is_empty(), tx.is_full()), (rx.len(), rx.is_empty(), rx.is_full()));
        (tx.len(), tx.is_empty(), tx.is_full())
    };
    assert_eq!(seen(&tx, &rx), (0, true, false));
    tx.send(()).unwrap();
    assert_eq!(seen(&tx, &rx), (1, false, false));
    tx.send(()).unwrap();
    assert_eq!(seen(&tx, &rx), (2, false, true));
    rx.recv().unwrap();
    assert_eq!(seen(&tx, &rx), (1, false, false));
}

/// Watched from both sides at once, the length is never above the capacity and ends at nothing.
#[test]
fn len_stays_within_bounds_while_both_sides_run() {
    const N: usize = 5000;
    ends(|| {
        let (mut tx, mut rx) = channel(10).unwrap();
        let sender = thread::spawn(move || {
            for i in 0..N {
                tx.send(i).unwrap();
                assert!(tx.len() <= 10);
            }
            tx
        });
        for i in 0..N {
            assert_eq!(rx.recv(), Ok(i));
            assert!(rx.len() <= 10);
        }
        let tx = sender.join().unwrap();
        assert_eq!((tx.len(), rx.len()), (0, 0));
    });
}

#[test]
fn try_recv_is_empty_then_finds_then_is_disconnected() {
    ends(|| {
        let (mut tx, mut rx) = channel(2).unwrap();
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        let sender = thread::spawn(move || tx.send(7).unwrap());
        sender.join().unwrap();
        assert_eq!(rx.try_recv(), Ok(7));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn try_send_goes_then_is_full_then_is_disconnected() {
    let (mut tx, mut rx) = channel(1).unwrap();
    assert_eq!(tx.try_send(1), Ok(()));
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(tx.try_send(3), Ok(()));
    drop(rx);
    assert_eq!(tx.try_send(4), Err(TrySendError::Disconnected(4)));
}

#[test]
fn recv_waits_for_a_message_and_then_for_the_end() {
    ends(|| {
        let (mut tx, mut rx) = channel(4).unwrap();
        let receiver = thread::spawn(move || (rx.recv(), rx.recv(), rx.recv().is_err(), rx.recv().is_err()));
        let_it_sleep();
        tx.send(7).unwrap();
        let_it_sleep();
        tx.send(8).unwrap();
        let_it_sleep();
        drop(tx);
        assert_eq!(receiver.join().unwrap(), (Ok(7), Ok(8), true, true));
    });
}

#[test]
fn send_waits_for_room_and_then_for_the_end() {
    ends(|| {
        let (mut tx, mut rx) = channel(1).unwrap();
        let sender = thread::spawn(move || [7, 8, 9, 10].map(|i| tx.send(i).is_ok()));
        let_it_sleep();
        assert_eq!(rx.recv(), Ok(7));
        let_it_sleep();
        assert_eq!(rx.recv(), Ok(8));
        until(|| rx.len() == 1);
        drop(rx);
        assert_eq!(sender.join().unwrap(), [true, true, true, false]);
    });
}

#[test]
fn recv_timeout_waits_its_time_or_until_a_message_comes() {
    ends(|| {
        let (mut tx, mut rx) = channel::<i32>(4).unwrap();
        let start = Instant::now();
        assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
        assert!(start.elapsed() >= SHORT);
        let receiver = thread::spawn(move || (rx.recv_timeout(LONG), rx.recv_timeout(LONG)));
        let_it_sleep();
        tx.send(7).unwrap();
        let_it_sleep();
        drop(tx);
        assert_eq!(receiver.join().unwrap(), (Ok(7), Err(RecvTimeoutError::Disconnected)));
    });
}

#[test]
fn send_timeout_waits_its_time_or_until_there_is_room() {
    ends(|| {
        let (mut tx, mut rx) = channel(1).unwrap();
        assert_eq!(tx.send_timeout(1, SHORT), Ok(()));
        let start = Instant::now();
        assert_eq!(tx.send_timeout(2, SHORT), Err(SendTimeoutError::Timeout(2)));
        assert!(start.elapsed() >= SHORT);
        let sender = thread::spawn(move || (tx.send_timeout(3, LONG), tx.send_timeout(4, LONG)));
        let_it_sleep();
        assert_eq!(rx.recv(), Ok(1));
        until(|| rx.len() == 1);
        drop(rx);
        assert_eq!(sender.join().unwrap(), (Ok(()), Err(SendTimeoutError::Disconnected(4))));
    });
}

#[test]
fn messages_of_one_sender_keep_their_order() {
    const N: i32 = 20_000;
    for capacity in [1, 3, 1000] {
        ends(move || {
            let (mut tx, mut rx) = channel(capacity).unwrap();
            let sender = thread::spawn(move || (0..N).for_each(|i| tx.send(i).unwrap()));
            assert!((0..N).all(|i| rx.recv() == Ok(i)));
            assert!(rx.recv().is_err());
            sender.join().unwrap();
        });
    }
}

#[test]
fn iter_ends_with_the_channel() {
    ends(|| {
        let (mut tx, mut rx) = channel(2).unwrap();
        let sender = thread::spawn(move || (1..=3).for_each(|i| tx.send(i).unwrap()));
        assert_eq!(rx.iter().sum::<i32>(), 6);
        sender.join().unwrap();
    });
}

#[test]
fn iter_may_be_left_and_taken_up_again() {
    ends(|| {
        let (mut tx, mut rx) = channel(10).unwrap();
        (0..6).for_each(|i| tx.send(i).unwrap());
        let mut seen: Vec<_> = rx.iter().take(2).collect();
        for value in &mut rx {
            seen.push(value);
            if value == 3 {
                break;
            }
        }
        drop(tx);
        seen.extend(rx);
        assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
    });
}

#[test]
fn try_iter_ends_when_there_is_nothing_now() {
    let (mut tx, mut rx) = channel(4).unwrap();
    assert_eq!(rx.try_iter().count(), 0);
    (1..=3).for_each(|i| tx.send(i).unwrap());
    assert_eq!(rx.try_iter().sum::<i32>(), 6);
    assert_eq!(rx.try_iter().next(), None);
    tx.send(4).unwrap();
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [4]);
}

#[test]
fn into_iter_owns_the_receiver_and_ends_it() {
    let (mut tx, rx) = channel(2).unwrap();
    tx.send(1).unwrap();
    let mut iter = rx.into_iter();
    assert_eq!(iter.next(), Some(1));
    drop(iter);
    assert!(tx.send(2).is_err());
    let (mut tx, rx) = channel(2).unwrap();
    tx.send(1).unwrap();
    drop(tx);
    let mut iter = rx.into_iter();
    assert_eq!((iter.next(), iter.next(), iter.next()), (Some(1), None, None));
}

#[test]
fn values_without_size_are_messages_too() {
    ends(|| {
        let (mut tx, mut rx) = channel(3).unwrap();
        let sender = thread::spawn(move || (0..1000).for_each(|_| tx.send(()).unwrap()));
        assert_eq!(rx.iter().count(), 1000);
        sender.join().unwrap();
    });
}

#[test]
fn anything_that_can_be_sent_to_a_thread_is_a_message() {
    let (mut tx, mut rx) = channel::<Box<dyn FnOnce() -> String + Send>>(2).unwrap();
    let word = String::from("word");
    assert!(tx.send(Box::new(move || word)).is_ok());
    assert_eq!(rx.recv().unwrap()(), "word");
    // A channel through a channel, with what is in it.
    let (mut outer, mut outer_rx) = channel::<Receiver<i32>>(1).unwrap();
    let (mut inner, inner_rx) = channel(1).unwrap();
    inner.send(5).unwrap();
    outer.send(inner_rx).unwrap();
    assert_eq!(outer_rx.recv().unwrap().recv(), Ok(5));
    assert!(inner.send(6).is_err());
}
