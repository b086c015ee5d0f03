//! Positions and slots: straight-line programs of `try_*` verbs, explored without bounds. No thread sleeps, so all run without fences.

use crate::check::{model, outcomes, without_fences};
use loom::thread;
use ringmail::spsc::{self, Receiver};
use ringmail::{TryRecvError, TrySendError};

/// What a `try_recv` said: the message, or 0 for nothing.
fn look(rx: &mut Receiver<u32>) -> u32 {
    rx.try_recv().unwrap_or(0)
}

/// What is left after the sender's thread has ended.
fn rest(rx: &mut Receiver<u32>) -> Vec<u32> {
    rx.try_iter().collect()
}

/// Two messages through a ring for two.
pub fn first_in_first_out() {
    without_fences(|| {
        outcomes("ring::first_in_first_out", None, [(0, 0), (0, 1), (1, 0), (1, 2)], || {
            let (mut tx, mut rx) = spsc::channel(2).unwrap();
            let sender = thread::spawn(move || {
                tx.try_send(1).unwrap();
                tx.try_send(2).unwrap();
            });
            let seen = (look(&mut rx), look(&mut rx));
            sender.join().unwrap();
            let all: Vec<_> = [seen.0, seen.1].into_iter().filter(|&m| m != 0).chain(rest(&mut rx)).collect();
            assert_eq!(all, [1, 2]);
            seen
        });
    });
}

/// Three messages through a ring for one: the slot is written again as soon as, and not before, it was read.
pub fn slots_are_reused_after_they_are_read() {
    // (second send, third send; looks). A send is refused while the message before it may still be there.
    let allowed = [
        (false, false, [0, 0]),
        (false, false, [0, 1]),
        (false, false, [1, 0]),
        (false, true, [0, 1]),
        (false, true, [1, 0]),
        (false, true, [1, 3]),
        (true, false, [0, 1]),
        (true, false, [1, 0]),
        (true, false, [1, 2]),
        (true, true, [1, 2]),
    ];
    without_fences(|| {
        outcomes("ring::slots_are_reused_after_they_are_read", None, allowed, || {
            let (mut tx, mut rx) = spsc::channel(1).unwrap();
            let sender = thread::spawn(move || {
                tx.try_send(1).unwrap();
                (tx.try_send(2).is_ok(), tx.try_send(3).is_ok())
            });
            let seen = [look(&mut rx), look(&mut rx)];
            let (second, third) = sender.join().unwrap();
            let sent: Vec<u32> =
                [(1, true), (2, second), (3, third)].into_iter().filter(|s| s.1).map(|s| s.0).collect();
            let all: Vec<_> = seen.into_iter().filter(|&m| m != 0).chain(rest(&mut rx)).collect();
            assert_eq!(all, sent);
            (second, third, seen)
        });
    });
}

/// The counts overflow between the first message and the second, in storage larger than the capacity.
pub fn positions_wrap() {
    without_fences(|| {
        model("ring::positions_wrap", None, || {
            let (mut tx, mut rx) = spsc::Builder::new(3).start_at(u64::MAX >> 1).build().unwrap();
            let sender = thread::spawn(move || (1..=4).map(|m| tx.try_send(m).is_ok()).collect::<Vec<_>>());
            let mut all: Vec<_> = (0..2).map(|_| look(&mut rx)).filter(|&m| m != 0).collect();
            let took = all.len();
            let sent = sender.join().unwrap();
            assert_eq!(sent[..3], [true; 3], "there was room for three");
            assert!(took > 0 || !sent[3], "there was no room for a fourth");
            all.extend(rest(&mut rx));
            assert_eq!(all, (1..=3 + sent[3] as u32).collect::<Vec<_>>());
        });
    });
}

/// A handle that has seen "full" or "empty" looks again before it says so again.
pub fn full_and_empty_are_never_answered_from_an_old_look() {
    without_fences(|| {
        model("ring::full_and_empty_are_never_answered_from_an_old_look", None, || {
            let (mut tx, mut rx) = spsc::channel(1).unwrap();
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
            let sender = thread::spawn(move || {
                tx.try_send(1).unwrap();
                tx
            });
            let early = rx.try_recv();
            let mut tx = sender.join().unwrap();
            // Joining ordered all that the sender did before this, so a fresh load sees it.
            assert_eq!(early.or_else(|_| rx.try_recv()), Ok(1));
            tx.try_send(2).expect("the message before was taken");
            assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
            let receiver = thread::spawn(move || {
                assert_eq!(rx.try_recv(), Ok(2));
                rx
            });
            let early = tx.try_send(3);
            let mut rx = receiver.join().unwrap();
            if early.is_err() {
                tx.try_send(3).expect("the message before was taken");
            }
            assert_eq!(rx.try_recv(), Ok(3));
        });
    });
}
