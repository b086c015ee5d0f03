//! Many senders on one ring: claims, stamps and positions. Straight-line programs of `try_*` verbs; no thread sleeps, so all
//! run without fences.

use crate::check::{model, outcomes, without_fences};
use loom::thread;
use ringmail::mpsc::{self, Receiver, Sender};
use ringmail::{TryRecvError, TrySendError};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What a `try_recv` said: the message, or 0 for nothing.
fn look(rx: &mut Receiver<u32>) -> u32 {
    rx.try_recv().unwrap_or(0)
}

/// A thread that tries to send `messages`, one after the other, and says which went. It leaves its handle to the model, so that its end
/// is not part of what is explored.
fn trying(mut tx: Sender<u32>, messages: &'static [u32]) -> thread::JoinHandle<(Vec<u32>, Sender<u32>)> {
    thread::spawn(move || {
        let went = messages.iter().copied().filter(|&m| tx.try_send(m).is_ok()).collect();
        (went, tx)
    })
}

/// Two messages of one sender, one of another: one order, and each sender's own is part of it.
pub fn each_senders_messages_stay_in_order() {
    let allowed = [[0, 0], [0, 1], [0, 3], [1, 0], [1, 2], [1, 3], [3, 0], [3, 1]];
    without_fences(|| {
        outcomes("mpsc::each_senders_messages_stay_in_order", Some(3), allowed, || {
            let (tx, mut rx) = mpsc::channel(4).unwrap();
            let (a, b) = (trying(tx.clone(), &[1, 2]), trying(tx, &[3]));
            let seen = [look(&mut rx), look(&mut rx)];
            let (_a, _b) = (a.join().unwrap(), b.join().unwrap());
            let all: Vec<_> = seen.into_iter().filter(|&m| m != 0).chain(rx.try_iter()).collect();
            assert!([[1, 2, 3], [1, 3, 2], [3, 1, 2]].iter().any(|order| all == order), "{all:?}");
            seen
        });
    });
}

/// One place, two claims: one is granted, the other is refused because the ring is full, and it is.
pub fn one_place_is_claimed_once() {
    without_fences(|| {
        outcomes("mpsc::one_place_is_claimed_once", None, [vec![1], vec![2]], || {
            let (tx, mut rx) = mpsc::channel(1).unwrap();
            let (a, b) = (trying(tx.clone(), &[1]), trying(tx, &[2]));
            let ((mut went, _a), (others, _b)) = (a.join().unwrap(), b.join().unwrap());
            went.extend(others);
            assert_eq!(rx.try_iter().collect::<Vec<_>>(), went);
            went
        });
    });
}

/// Messages written in place are seen whole, and a place whose closure panics is passed over.
pub fn a_message_written_in_place_is_whole() {
    let allowed = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]];
    without_fences(|| {
        outcomes("mpsc::a_message_written_in_place_is_whole", Some(3), allowed, || {
            let (mut tx, mut rx) = mpsc::channel(4).unwrap();
            let other = trying(tx.clone(), &[2]);
            let sender = thread::spawn(move || {
                let panicked = catch_unwind(AssertUnwindSafe(|| tx.try_send_with(|_| resume_unwind(Box::new(())))));
                assert!(panicked.is_err());
                assert!(tx.try_send_with(|place| place.write(1)).is_ok());
                tx
            });
            let look = |rx: &mut Receiver<u32>| rx.try_recv_with(|message| *message).unwrap_or(0);
            let seen = [look(&mut rx), look(&mut rx)];
            let (_tx, (went, _other)) = (sender.join().unwrap(), other.join().unwrap());
            assert_eq!(went, [2]);
            let mut all: Vec<_> = seen.into_iter().filter(|&m| m != 0).chain(rx.try_iter()).collect();
            all.sort();
            assert_eq!(all, [1, 2]);
            seen
        });
    });
}

/// Two places, three claims of two senders, one of them in one piece.
pub fn two_places_are_claimed_twice() {
    let allowed = [vec![1, 2], vec![3, 1]];
    without_fences(|| {
        outcomes("mpsc::two_places_are_claimed_twice", None, allowed, || {
            let (mut tx, mut rx) = mpsc::channel(2).unwrap();
            let b = trying(tx.clone(), &[3]);
            let sent = tx.try_send_slice(&[1, 2]).unwrap_or(0);
            let (went, _b) = b.join().unwrap();
            assert_eq!(sent + went.len(), 2);
            rx.try_iter().collect()
        });
    });
}

/// A ring for one message: each sender that claims the place finds the message before taken out.
pub fn a_place_is_reused_after_it_is_read() {
    without_fences(|| {
        model("mpsc::a_place_is_reused_after_it_is_read", None, || {
            let (mut tx, mut rx) = mpsc::channel(1).unwrap();
            let mut other = tx.clone();
            tx.try_send(1).unwrap();
            let a = trying(tx, &[2]);
            let early = look(&mut rx);
            assert_eq!(early, 1, "it was there before the threads were");
            let went = other.try_send(3).is_ok();
            let second = look(&mut rx);
            let (mut sent, _a) = a.join().unwrap();
            sent.extend(went.then_some(3));
            let got: Vec<_> = [second].into_iter().filter(|&m| m != 0).chain(rx.try_iter()).collect();
            assert!(!got.is_empty(), "there was room for one at least");
            assert!(got.iter().all(|m| sent.contains(m)) && got.len() == sent.len(), "{got:?} of {sent:?}");
        });
    });
}

/// A sender whose load of `tail` is older than its load of `head` loads again: it never answers "full" for a ring that was not.
pub fn full_is_never_answered_from_an_old_tail() {
    without_fences(|| {
        model("mpsc::full_is_never_answered_from_an_old_tail", None, || {
            let (mut tx, mut rx) = mpsc::channel(2).unwrap();
            // Its copy of `head` is from before the first was taken.
            let mut other = tx.clone();
            tx.try_send_slice(&[1, 2]).unwrap();
            assert_eq!(look(&mut rx), 1);
            // From here on the ring holds one message at most, but for this one.
            let sender = thread::spawn(move || other.try_send(9).map(|()| other));
            assert_eq!(look(&mut rx), 2);
            tx.try_send(3).expect("there was room all the time");
            look(&mut rx);
            let _other = sender.join().unwrap().expect("there was room all the time");
        });
    });
}

/// Handles that have seen "full" or "empty" look again before they say so again.
pub fn full_and_empty_are_never_answered_from_an_old_look() {
    without_fences(|| {
        model("mpsc::full_and_empty_are_never_answered_from_an_old_look", None, || {
            let (mut tx, mut rx) = mpsc::channel(1).unwrap();
            let mut other = tx.clone();
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
            let sender = thread::spawn(move || {
                tx.try_send(1).unwrap();
                tx
            });
            let early = rx.try_recv();
            let mut tx = sender.join().unwrap();
            // Joining ordered all that the sender did before this, so a fresh load sees it.
            assert_eq!(early.or_else(|_| rx.try_recv()), Ok(1));
            other.try_send(2).expect("the message before was taken");
            assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
            let receiver = thread::spawn(move || {
                assert_eq!(rx.try_recv(), Ok(2));
                rx
            });
            let early = tx.try_send(3);
            let mut rx = receiver.join().unwrap();
            if early.is_err() {
                other.try_send(3).expect("the message before was taken");
            }
            assert_eq!(rx.try_recv(), Ok(3));
        });
    });
}

/// The counts overflow between the first message and the second, in storage larger than the capacity.
pub fn positions_wrap() {
    without_fences(|| {
        model("mpsc::positions_wrap", Some(3), || {
            let (tx, mut rx) = mpsc::Builder::new(3).start_at(u64::MAX >> 1).build().unwrap();
            let mut third = tx.clone();
            let (a, b) = (trying(tx.clone(), &[1, 2]), trying(tx, &[3]));
            let early = look(&mut rx);
            let ((a, _), (b, _)) = (a.join().unwrap(), b.join().unwrap());
            assert_eq!((a.len(), b.len()), (2, 1), "there was room for three");
            assert_eq!(third.try_send(4).is_ok(), early != 0);
            assert_eq!(rx.try_iter().count(), 3);
            assert_eq!(third.try_send_slice(&[5, 6, 7, 8]), Ok(3));
            assert_eq!(rx.try_iter().collect::<Vec<_>>(), [5, 6, 7]);
        });
    });
}

/// A sender stands still between claim and publication: another sends past it, the receiver says "empty" and does not wait, and in
/// the end the order is that of the claims.
pub fn no_sender_waits_for_a_stalled_one() {
    without_fences(|| {
        outcomes("mpsc::no_sender_waits_for_a_stalled_one", None, [[0, 0], [0, 1], [1, 0], [1, 2]], || {
            let (mut tx, mut rx) = mpsc::channel(2).unwrap();
            let mut other = tx.clone();
            let mut stalled = tx.hold(1).unwrap();
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
            let sender = thread::spawn(move || {
                other.try_send(2).expect("the claim of one sender holds up no other sender");
                other
            });
            let receiver = thread::spawn(move || ([look(&mut rx), look(&mut rx)], rx));
            stalled.send(1);
            let (seen, mut rx) = receiver.join().unwrap();
            let _other = sender.join().unwrap();
            let all: Vec<_> = seen.into_iter().filter(|&m| m != 0).chain(rx.try_iter()).collect();
            assert_eq!(all, [1, 2]);
            seen
        });
    });
}

/// While the claim stands open nothing comes out, however long: the message behind it counts, and is not next.
pub fn a_message_behind_an_open_claim_is_not_next() {
    without_fences(|| {
        model("mpsc::a_message_behind_an_open_claim_is_not_next", None, || {
            let (mut tx, mut rx) = mpsc::channel(2).unwrap();
            let other = tx.clone();
            let stalled = tx.hold(1).unwrap();
            let sender = trying(other, &[2]);
            let receiver = thread::spawn(move || {
                assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
                assert!((1..=2).contains(&rx.len()));
                assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
                rx
            });
            let (went, _other) = sender.join().unwrap();
            let mut rx = receiver.join().unwrap();
            assert_eq!(went, [2]);
            assert_eq!((rx.try_recv(), rx.len()), (Err(TryRecvError::Empty), 2));
            drop(stalled);
            assert_eq!((rx.try_recv(), rx.len()), (Ok(2), 0));
        });
    });
}

/// A claim that is given up is passed over and counted, and what lies behind it comes.
pub fn tombstones_are_passed_over() {
    // Two places claimed, one filled: the other message comes before, or after.
    let allowed = [vec![1, 3], vec![3, 1]];
    without_fences(|| {
        outcomes("mpsc::tombstones_are_passed_over", None, allowed, || {
            let (tx, mut rx) = mpsc::channel(3).unwrap();
            let mut holder = tx.clone();
            let b = trying(tx, &[3]);
            let holder = thread::spawn(move || {
                let mut held = holder.hold(2).unwrap();
                held.send(1);
                drop(held);
                holder
            });
            let early = look(&mut rx);
            let _b = b.join().unwrap();
            let mut tx = holder.join().unwrap();
            let all: Vec<_> = [early].into_iter().filter(|&m| m != 0).chain(rx.try_iter()).collect();
            let stats = rx.stats();
            assert_eq!((stats.sent, stats.received, stats.tombstones, stats.depth), (2, 2, 1, 0));
            assert_eq!(tx.try_send_slice(&[7; 4]), Ok(3), "its place is free again");
            all
        });
    });
}
