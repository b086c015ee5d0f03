//! One sender that several threads use at once.

use crate::check::{model, outcomes, without_fences};
use crate::payload::Drops;
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;
use ringmail::mpsc::{self, Receiver, SharedSender};
use ringmail::{SendError, TryRecvError};

fn channel<T>(capacity: usize) -> (Arc<SharedSender<T>>, Receiver<T>) {
    let (tx, rx) = mpsc::channel(capacity).unwrap();
    (Arc::new(tx.into_shared()), rx)
}

/// What a `try_recv` said: the message, or 0 for nothing.
fn look(rx: &mut Receiver<u32>) -> u32 {
    rx.try_recv().unwrap_or(0)
}

/// A thread that tries to send `messages`, one after the other, and says which went.
fn trying(tx: &Arc<SharedSender<u32>>, messages: &'static [u32]) -> thread::JoinHandle<Vec<u32>> {
    let tx = Arc::clone(tx);
    thread::spawn(move || messages.iter().copied().filter(|&m| tx.try_send(m).is_ok()).collect())
}

/// Two messages of one thread, one of another, by one sender: one order, and each thread's own is part of it.
pub fn each_threads_messages_stay_in_order() {
    let allowed = [[0, 0], [0, 1], [0, 3], [1, 0], [1, 2], [1, 3], [3, 0], [3, 1]];
    without_fences(|| {
        outcomes("mpsc_shared::each_threads_messages_stay_in_order", Some(3), allowed, || {
            let (tx, mut rx) = channel(4);
            let (a, b) = (trying(&tx, &[1, 2]), trying(&tx, &[3]));
            let seen = [look(&mut rx), look(&mut rx)];
            assert_eq!((a.join().unwrap(), b.join().unwrap()), (vec![1, 2], vec![3]));
            seen
        });
    });
}

/// A ring for one: a place is claimed once, and written again only after its message is out.
pub fn a_place_is_reused_after_it_is_read() {
    without_fences(|| {
        model("mpsc_shared::a_place_is_reused_after_it_is_read", None, || {
            let (tx, mut rx) = channel(1);
            tx.try_send(1).unwrap();
            let a = trying(&tx, &[2]);
            assert_eq!(look(&mut rx), 1, "it was there before the threads were");
            let went = tx.try_send(3).is_ok();
            let second = look(&mut rx);
            let mut sent = a.join().unwrap();
            sent.extend(went.then_some(3));
            let got: Vec<_> = [second].into_iter().filter(|&m| m != 0).chain(rx.try_iter()).collect();
            assert!(!got.is_empty(), "there was room for one at least");
            assert!(got.iter().all(|m| sent.contains(m)) && got.len() == sent.len(), "{got:?} of {sent:?}");
        });
    });
}

/// A thread whose load of `tail` is older than its load of `head` loads again: it never answers "full" for a ring that was not.
pub fn full_is_never_answered_from_an_old_tail() {
    without_fences(|| {
        model("mpsc_shared::full_is_never_answered_from_an_old_tail", None, || {
            let (tx, mut rx) = channel(2);
            tx.try_send(1).unwrap();
            tx.try_send(2).unwrap();
            assert_eq!(look(&mut rx), 1);
            // From here on the ring holds one message at most, but for this one.
            let sender = trying(&tx, &[9]);
            assert_eq!(look(&mut rx), 2);
            tx.try_send(3).expect("there was room all the time");
            look(&mut rx);
            assert_eq!(sender.join().unwrap(), [9], "there was room all the time");
        });
    });
}

/// One thread finds how far the receiver has come, and another relies on that: the places are free.
pub fn a_position_that_one_found_serves_the_other() {
    without_fences(|| {
        model("mpsc_shared::a_position_that_one_found_serves_the_other", Some(3), || {
            let (tx, mut rx) = channel(2);
            tx.try_send(1).unwrap();
            tx.try_send(2).unwrap();
            let (a, b) = (trying(&tx, &[3]), trying(&tx, &[4]));
            assert_eq!([look(&mut rx), look(&mut rx)], [1, 2]);
            let mut sent = a.join().unwrap();
            sent.extend(b.join().unwrap());
            let mut got: Vec<_> = rx.try_iter().collect();
            got.sort_unstable();
            assert_eq!(got, sent);
        });
    });
}

/// One thread closes while another sends: what went is received before the end, the rest comes back, and all drop once.
pub fn a_close_beside_a_send_loses_nothing() {
    outcomes("mpsc_shared::a_close_beside_a_send_loses_nothing", Some(3), [false, true], || {
        let drops = Drops::default();
        let (tx, mut rx) = channel(1);
        let (other, value) = (Arc::clone(&tx), drops.value(0));
        let sender = thread::spawn(move || other.try_send(value).is_ok());
        tx.close();
        let got = rx.recv().is_ok();
        assert_eq!(sender.join().unwrap(), got);
        assert_eq!(rx.try_recv().map(|value| value.id), Err(TryRecvError::Disconnected));
        drops.assert_each_once(1);
        got
    });
}

/// One thread closes while another waits for room by a handle that it has borrowed: the channel ends when that one has sent.
pub fn a_close_takes_the_handle_of_one_that_waits() {
    outcomes("mpsc_shared::a_close_takes_the_handle_of_one_that_waits", Some(2), [false, true], || {
        let (tx, mut rx) = channel(1);
        tx.try_send(1).unwrap();
        let other = Arc::clone(&tx);
        let sender = thread::spawn(move || other.send(2));
        tx.close();
        assert_eq!(rx.recv(), Ok(1));
        let second = rx.recv();
        assert_eq!(second.is_ok(), sender.join().unwrap() == Ok(()));
        assert!(rx.try_recv().is_err_and(|e| e == TryRecvError::Disconnected));
        second.is_ok()
    });
}

/// The receiver leaves while two threads send: each message that went drops once.
pub fn a_receiver_that_leaves_beside_two_sends() {
    model("mpsc_shared::a_receiver_that_leaves_beside_two_sends", Some(2), || {
        let drops = Drops::default();
        let (tx, rx) = channel(2);
        let (other, value) = (Arc::clone(&tx), drops.value(0));
        let sender = thread::spawn(move || {
            let _ = other.try_send(value);
        });
        let (other, value) = (Arc::clone(&tx), drops.value(1));
        let second = thread::spawn(move || {
            let _ = other.try_send(value);
        });
        drop(rx);
        sender.join().unwrap();
        second.join().unwrap();
        // Before the sender goes: no message waits for that.
        drops.assert_each_once(2);
        assert!(matches!(tx.send(drops.value(2)), Err(SendError(_))));
    });
}

/// A task waits for the end of a shared sender, which another thread closes; the receiver stays.
pub fn the_close_of_a_shared_sender_wakes_the_task_that_waits_for_it() {
    model("mpsc_shared::the_close_of_a_shared_sender_wakes_the_task_that_waits_for_it", Some(3), || {
        let (tx, rx) = channel::<u8>(1);
        let other = Arc::clone(&tx);
        let closer = thread::spawn(move || other.close());
        block_on(tx.closed());
        assert!(tx.try_send(1).is_err());
        closer.join().unwrap();
        drop(rx);
    });
}
