//! What the verbs and handles of `mpsc` promise beyond those of `spsc`: many senders, one order, one capacity.

use crate::support::{ends, until};
use ringmail::mpsc::{Builder, Receiver, Sender, WeakSender, channel};
use ringmail::{BuildError, RecvError, SendError, TryRecvError, TrySendError};
use std::thread;

#[test]
fn capacity_is_exact_and_full_is_full_for_every_sender() {
    for capacity in [1, 2, 3, 4, 5, 7, 8, 100, 1023, 1024, 1025] {
        let (tx, mut rx) = channel(capacity).unwrap();
        let mut senders = [tx.clone(), tx.clone(), tx];
        assert_eq!((senders[0].capacity(), rx.capacity()), (capacity, capacity));
        for round in 0..3 {
            for i in 0..capacity {
                assert_eq!(senders[i % 3].try_send((round, i)), Ok(()));
                assert!(senders.iter().all(|tx| tx.len() == i + 1));
            }
            for tx in &mut senders {
                assert!(tx.is_full() && rx.is_full());
                assert_eq!(tx.try_send((9, 9)), Err(TrySendError::Full((9, 9))));
                assert_eq!(tx.try_send_slice(&[(9, 9)]), Err(TrySendError::Full(())));
            }
            for i in 0..capacity {
                assert_eq!(rx.len(), capacity - i);
                assert_eq!(rx.try_recv(), Ok((round, i)));
            }
            assert!(senders.iter().all(Sender::is_empty) && rx.is_empty());
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        }
    }
}

#[test]
fn impossible_capacities_are_errors() {
    assert_eq!(channel::<u8>(0).unwrap_err(), BuildError::ZeroCapacity);
    let requested = (1 << 30) + 1;
    assert_eq!(channel::<u8>(requested).unwrap_err(), BuildError::CapacityTooLarge { requested, max: 1 << 30 });
}

#[test]
fn the_count_of_messages_may_wrap() {
    const LAST: u64 = (1 << 63) - 1;
    for capacity in [1, 2, 3, 64] {
        for before in 0..4 {
            let (mut tx, mut rx) = Builder::new(capacity).start_at(LAST - before).build().unwrap();
            let mut other = tx.clone();
            for i in 0..20u64 {
                if i % 2 == 0 { &mut tx } else { &mut other }.try_send(i).unwrap();
                assert_eq!((tx.len(), rx.len()), (1, 1));
                assert_eq!(rx.try_recv(), Ok(i));
            }
            (0..capacity).for_each(|_| other.try_send(7).unwrap());
            assert!(tx.is_full());
            let stats = rx.stats();
            assert_eq!((stats.sent, stats.received, stats.depth), (20 + capacity as u64, 20, capacity));
        }
    }
}

#[test]
fn a_slice_goes_as_far_as_there_is_room_not_as_was_known() {
    let (mut tx, mut rx) = channel(5).unwrap();
    assert_eq!(tx.try_send_slice(&[]), Ok(0));
    assert_eq!(tx.try_send_slice(&[1, 2, 3, 4]), Ok(4));
    assert_eq!(rx.try_iter().count(), 4);
    // One place was left of the room known before; five are free.
    assert_eq!(tx.try_send_slice(&[5, 6, 7, 8, 9, 10]), Ok(5));
    assert_eq!(tx.try_send_slice(&[10]), Err(TrySendError::Full(())));
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
}

#[test]
fn messages_of_all_senders_come_out_in_the_order_of_sends() {
    let (tx, mut rx) = channel(16).unwrap();
    let mut senders = [tx.clone(), tx.clone(), tx];
    for base in (0..160).step_by(10) {
        senders[0].try_send_slice(&[base, base + 1, base + 2]).unwrap();
        senders[1].try_send(base + 3).unwrap();
        assert_eq!(senders[2].send_iter(base + 4..base + 8), Ok(4));
        senders[1].send(base + 8).unwrap();
        senders[0].try_send(base + 9).unwrap();
        assert!(rx.try_iter().eq(base..base + 10));
    }
}

/// What each sender sent, in its own order, whichever verbs it used.
fn in_order_of_each(rx: &mut Receiver<(usize, u64)>, senders: usize, each: u64) {
    let mut next = vec![0; senders];
    for (id, i) in rx {
        assert_eq!(i, next[id], "sender {id}");
        next[id] += 1;
    }
    assert_eq!(next, vec![each; senders]);
}

#[test]
fn each_sender_is_first_in_first_out_over_threads_and_verbs() {
    const EACH: u64 = 3000;
    for capacity in [1, 3, 64] {
        ends(move || {
            let (tx, mut rx) = channel(capacity).unwrap();
            for id in 0..4 {
                let mut tx = tx.clone();
                thread::spawn(move || {
                    let message = |i| (id, i);
                    match id {
                        0 => (0..EACH).for_each(|i| tx.send(message(i)).unwrap()),
                        1 => assert_eq!(tx.send_iter((0..EACH).map(message)), Ok(EACH as usize)),
                        2 => tx.send_slice(&(0..EACH).map(message).collect::<Vec<_>>()).unwrap(),
                        _ => (0..EACH).for_each(|i| until(|| tx.try_send(message(i)).is_ok())),
                    }
                });
            }
            drop(tx);
            in_order_of_each(&mut rx, 4, EACH);
        });
    }
}

#[test]
fn messages_of_one_call_are_not_divided() {
    ends(|| {
        let (tx, mut rx) = channel(20).unwrap();
        for id in 0..4 {
            let mut tx = tx.clone();
            thread::spawn(move || {
                for run in 0..3000 {
                    // As many as there is room for go together; the others not at all.
                    let _ = tx.try_send_slice(&[0, 1, 2, 3, 4, 5, 6, 7].map(|i| (id, run, i)));
                }
            });
        }
        drop(tx);
        let mut before = None;
        for (id, run, i) in rx.iter() {
            assert!(i == 0 || before == Some((id, run, i - 1)), "{before:?} then {:?}", (id, run, i));
            before = Some((id, run, i));
        }
    });
}

#[test]
fn a_clone_is_a_sender_of_its_own() {
    let (mut tx, mut rx) = channel(4).unwrap();
    assert_eq!(tx.sender_count(), 1);
    let mut other = tx.clone();
    let third = other.clone();
    assert_eq!((tx.sender_count(), other.sender_count(), third.sender_count()), (3, 3, 3));
    drop(third);
    assert_eq!(tx.sender_count(), 2);
    tx.try_send(1).unwrap();
    tx.close();
    tx.close();
    assert_eq!(other.sender_count(), 1, "closed once, counted once");
    assert!(tx.is_closed() && !other.is_closed() && !rx.is_closed());
    assert_eq!(tx.try_send(9), Err(TrySendError::Disconnected(9)));
    assert_eq!(tx.send(9), Err(SendError(9)));
    other.try_send(2).unwrap();
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    drop(tx);
    assert!(!rx.is_closed(), "it had left before");
    drop(other);
    assert!(rx.is_closed());
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_clone_of_a_closed_sender_is_closed() {
    let (mut tx, mut rx) = channel(4).unwrap();
    let mut open = tx.clone();
    tx.close();
    let mut copy = tx.clone();
    assert!(copy.is_closed() && !open.is_closed());
    assert_eq!(open.sender_count(), 1, "it is not counted");
    assert_eq!(copy.try_send(1), Err(TrySendError::Disconnected(1)));
    drop(copy);
    open.try_send(2).unwrap();
    drop(open);
    assert!(tx.clone().is_closed());
    assert_eq!(rx.iter().collect::<Vec<_>>(), [2]);
}

#[test]
fn without_a_receiver_every_sender_is_refused_full_or_not() {
    for (sent, close) in [(0, true), (1, false), (2, true), (2, false)] {
        let (mut tx, rx) = channel(2).unwrap();
        tx.try_send_slice(&[1, 2][..sent]).unwrap();
        let mut rx = Some(rx);
        if close {
            rx.as_mut().unwrap().close()
        } else {
            rx = None
        }
        for tx in [&mut tx.clone(), &mut tx] {
            assert!(tx.is_closed());
            assert_eq!(tx.try_send(7), Err(TrySendError::Disconnected(7)));
            assert_eq!(tx.send(7), Err(SendError(7)));
            assert_eq!(tx.try_send_slice(&[7]), Err(TrySendError::Disconnected(())));
            assert_eq!(tx.try_send_slice(&[]), Err(TrySendError::Disconnected(())));
            assert_eq!(tx.send_slice(&[7]), Err(SendError(0)));
            assert_eq!(tx.send_iter([7, 8]), Err(SendError(7)));
            assert_eq!(tx.send_iter([]), Ok(0));
        }
        if let Some(mut rx) = rx {
            assert_eq!(rx.iter().count(), sent);
            assert_eq!(rx.recv(), Err(RecvError));
        }
    }
}

#[test]
fn a_weak_sender_keeps_nothing_open_and_upgrades_beside_another() {
    let (tx, mut rx) = channel(2).unwrap();
    let weak = tx.downgrade();
    let copies = [weak.clone(), weak.clone()];
    assert_eq!(tx.sender_count(), 1);
    let mut strong = weak.upgrade().unwrap();
    assert_eq!(tx.sender_count(), 2);
    drop(tx);
    strong.try_send(1).unwrap();
    let late = strong.downgrade();
    assert!(!rx.is_closed());
    drop(strong);
    assert!(rx.is_closed());
    assert!(copies.iter().chain([&weak, &late]).all(|weak| weak.upgrade().is_none()));
    assert_eq!((rx.recv(), rx.recv()), (Ok(1), Err(RecvError)));
    assert_eq!(format!("{weak:?}"), "WeakSender { .. }");
}

#[test]
fn a_weak_sender_without_a_receiver_upgrades_to_a_closed_one() {
    let (tx, rx) = channel::<u32>(2).unwrap();
    let weak: WeakSender<u32> = tx.downgrade();
    drop(rx);
    assert!(weak.upgrade().unwrap().is_closed());
    drop(tx);
    assert!(weak.upgrade().is_none());
}

/// Upgrades race with the last sender's leaving: each either counts, and then its message comes, or there is none.
#[test]
fn an_upgrade_beside_the_last_drop_is_heard_or_refused() {
    ends(|| {
        for i in 0..2000 {
            let (tx, rx) = channel(1).unwrap();
            let weak = tx.downgrade();
            let upgrade = thread::spawn(move || weak.upgrade().map(|mut tx| tx.try_send(i)));
            drop(tx);
            let seen: Vec<_> = rx.into_iter().collect();
            match upgrade.join().unwrap() {
                Some(sent) => assert_eq!((sent, seen), (Ok(()), vec![i])),
                None => assert_eq!(seen, []),
            }
        }
    });
}

#[test]
fn handles_say_what_they_are() {
    let (tx, rx) = channel::<fn()>(3).unwrap();
    let other = tx.clone();
    assert_eq!(format!("{tx:?}"), "Sender { len: 0, capacity: 3, closed: false, .. }");
    drop((tx, other));
    assert_eq!(format!("{rx:?}"), "Receiver { len: 0, capacity: 3, closed: true, .. }");
}
