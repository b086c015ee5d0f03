//! Receivers that join, leave and gate while the sender sends. Messages lie in loom cells: a slot that is written while a receiver may read it is a race.

use crate::check::{model, outcomes, without_fences};
use crate::payload::{Drops, Unordered};
use loom::future::block_on;
use loom::thread;
use ringmail::broadcast::{self, Builder, Hub, NoReceiver, Receiver, Sender};
use ringmail::{FenceMode, RecvError, TryRecvError, TrySendError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake};

fn channel(capacity: usize) -> (Sender<u32>, Hub<u32>) {
    broadcast::channel(capacity).unwrap()
}

/// FENCED from the start: no asymmetric barrier.
fn fenced(capacity: usize) -> (Sender<u32>, Hub<u32>) {
    Builder::new(capacity).fence_mode(FenceMode::Fence).build().unwrap()
}

/// All that is there now.
fn rest(rx: &mut Receiver<u32>) -> Vec<u32> {
    rx.try_iter().collect()
}

/// Two receivers see the same messages, in order; the sender of a ring for one writes a slot when both have read it.
pub fn both_see_all_and_gate() {
    without_fences(|| {
        model("broadcast::both_see_all_and_gate", Some(3), || {
            let (mut tx, hub) = channel(1);
            let (mut a, mut b) = (hub.join().unwrap(), hub.join().unwrap());
            tx.try_send(1).unwrap();
            let other = thread::spawn(move || (b.try_recv(), b));
            let first = a.try_recv();
            let second = tx.try_send(2).is_ok();
            let (said, mut b) = other.join().unwrap();
            assert_eq!((first, said), (Ok(1), Ok(1)));
            let sent: &[u32] = if second { &[2] } else { &[] };
            assert_eq!(rest(&mut a), sent);
            assert_eq!(rest(&mut b), sent);
            if !second {
                tx.try_send(2).expect("both have taken the first: full is never answered from an old gate");
            }
        });
    });
}

/// What a receiver sees was published: message by message.
pub fn first_in_first_out() {
    without_fences(|| {
        outcomes("broadcast::first_in_first_out", None, [(0, 0), (0, 1), (1, 0), (1, 2)], || {
            let (mut tx, hub) = channel(2);
            let mut rx = hub.join().unwrap();
            let sender = thread::spawn(move || {
                tx.try_send(1).unwrap();
                tx.try_send(2).unwrap();
                tx
            });
            let seen = (rx.try_recv().unwrap_or(0), rx.try_recv().unwrap_or(0));
            let _tx = sender.join().unwrap();
            let all: Vec<_> = [seen.0, seen.1].into_iter().filter(|&m| m != 0).chain(rest(&mut rx)).collect();
            assert_eq!(all, [1, 2]);
            seen
        });
    });
}

/// A close alone publishes what came before it.
pub fn disconnected_only_after_the_last_message() {
    without_fences(|| {
        model("broadcast::disconnected_only_after_the_last_message", None, || {
            let (mut tx, hub) = channel(1);
            let mut rx = hub.join().unwrap();
            let memory = Unordered::new();
            let theirs = memory.clone();
            let sender = thread::spawn(move || {
                tx.try_send(1).unwrap();
                theirs.write();
            });
            let said = [rx.try_recv(), rx.try_recv()];
            if said.contains(&Err(TryRecvError::Disconnected)) {
                assert_eq!(said[0], Ok(1));
                memory.read();
            }
            sender.join().unwrap();
        });
    });
}

/// A receiver joins while the sender laps the ring. It sees the messages from some point on, all of them, and none that is being written over.
pub fn a_join_while_the_sender_laps_the_ring() {
    without_fences(|| {
        model("broadcast::a_join_while_the_sender_laps_the_ring", Some(3), || {
            let (mut tx, hub) = Builder::new(1).no_receiver(NoReceiver::Pass).build().unwrap();
            let joiner = thread::spawn(move || {
                let mut rx = hub.join().unwrap();
                (rx.try_recv(), rx)
            });
            let sent: Vec<u32> = (1..=2).filter(|&m| tx.try_send(m).is_ok()).collect();
            let (seen, mut rx) = joiner.join().unwrap();
            let all: Vec<u32> = seen.into_iter().chain(rest(&mut rx)).collect();
            assert!(sent.ends_with(&all), "{all:?} of {sent:?}");
            let passed = tx.passed() as usize;
            assert_eq!(passed + all.len(), sent.len(), "each message was seen, or counted as unseen");
        });
    });
}

/// A receiver joins while the sender writes into reserved places, and laps the ring.
pub fn a_join_beside_a_reservation() {
    without_fences(|| {
        model("broadcast::a_join_beside_a_reservation", Some(2), || {
            let (mut tx, hub) = Builder::new(1).no_receiver(NoReceiver::Pass).build().unwrap();
            let joiner = thread::spawn(move || {
                let mut rx = hub.join().unwrap();
                (rx.try_recv(), rx)
            });
            let mut sent = vec![];
            for message in 1..=2 {
                let Ok(mut chunk) = tx.try_reserve(1) else { continue };
                chunk.push(message).unwrap();
                sent.push(message);
                assert_eq!(chunk.commit(), 1);
            }
            // Dropped: it is seen by no receiver, and its place is written again.
            if let Ok(mut chunk) = tx.try_reserve(1) {
                chunk.push(99).unwrap();
            }
            sent.extend(tx.try_send(3).ok().map(|()| 3));
            let (seen, mut rx) = joiner.join().unwrap();
            let all: Vec<u32> = seen.into_iter().chain(rest(&mut rx)).collect();
            assert!(sent.ends_with(&all), "{all:?} of {sent:?}");
        });
    });
}

/// The same beside a receiver that gates.
pub fn a_join_beside_another() {
    without_fences(|| {
        model("broadcast::a_join_beside_another", Some(2), || {
            let (mut tx, hub) = channel(1);
            let mut old = hub.join().unwrap();
            let joiner = thread::spawn(move || {
                let mut rx = hub.join().unwrap();
                (rx.try_recv(), rx)
            });
            let mut sent = vec![];
            for message in 1..=2 {
                if tx.try_send(message).is_ok() {
                    sent.push(message);
                    assert_eq!(old.try_recv(), Ok(message));
                }
            }
            let (seen, mut rx) = joiner.join().unwrap();
            let all: Vec<u32> = seen.into_iter().chain(rest(&mut rx)).collect();
            assert!(sent.ends_with(&all), "{all:?} of {sent:?}");
        });
    });
}

/// A receiver leaves after it has read: its place is free, and what it read is not written over before.
pub fn a_receiver_that_leaves_gates_no_more() {
    without_fences(|| {
        outcomes("broadcast::a_receiver_that_leaves_gates_no_more", None, [true, false], || {
            let (mut tx, hub) = channel(1);
            let (mut stays, mut leaves) = (hub.join().unwrap(), hub.join().unwrap());
            tx.try_send(1).unwrap();
            assert_eq!(stays.try_recv(), Ok(1));
            let leaver = thread::spawn(move || {
                assert_eq!(*leaves.peek().unwrap(), 1);
                drop(leaves);
            });
            let early = tx.try_send(2).is_ok();
            leaver.join().unwrap();
            if !early {
                tx.try_send(2).expect("full is never answered from an old gate");
            }
            assert_eq!(stays.try_recv(), Ok(2));
            early
        });
    });
}

/// Two leave at once: the sender may see that one has left by the word of the other.
pub fn two_that_leave_at_once() {
    without_fences(|| {
        model("broadcast::two_that_leave_at_once", Some(3), || {
            let (mut tx, hub) = Builder::new(1).no_receiver(NoReceiver::Pass).build().unwrap();
            let receivers = [hub.join().unwrap(), hub.join().unwrap()];
            tx.try_send(1).unwrap();
            let leavers = receivers.map(|mut rx| {
                thread::spawn(move || {
                    assert_eq!(*rx.peek().unwrap(), 1);
                    drop(rx);
                })
            });
            let early = tx.try_send(2).is_ok();
            leavers.into_iter().for_each(|leaver| leaver.join().unwrap());
            if !early {
                tx.try_send(2).expect("full is never answered from an old gate");
            }
        });
    });
}

/// The seat of one that left is taken by one that joins: the sender does not write over what the first was reading. The one that joins does so on the
/// sender's thread: it learns from the seat alone that the first has left.
pub fn a_seat_is_used_again() {
    without_fences(|| {
        model("broadcast::a_seat_is_used_again", None, || {
            let (mut tx, hub) = Builder::new(1).no_receiver(NoReceiver::Pass).build().unwrap();
            let mut first = hub.join().unwrap();
            tx.try_send(1).unwrap();
            let leaver = thread::spawn(move || {
                assert_eq!(*first.peek().unwrap(), 1);
                drop(first);
            });
            let mut second = hub.join().unwrap();
            let sent = tx.try_send(2).is_ok();
            leaver.join().unwrap();
            assert_eq!(rest(&mut second), if sent { vec![2] } else { vec![] });
        });
    });
}

/// A follower sees a message when the one before it has committed it, with all that that one did.
pub fn a_follower_sees_what_was_committed() {
    without_fences(|| {
        outcomes("broadcast::a_follower_sees_what_was_committed", Some(4), [0, 1], || {
            let (mut tx, hub) = channel(1);
            let mut journal = hub.join().unwrap();
            let mut engine = hub.after(&[&journal]).unwrap();
            tx.try_send(1).unwrap();
            let memory = Unordered::new();
            let theirs = memory.clone();
            let writer = thread::spawn(move || {
                journal.try_recv_with(|_| theirs.write()).unwrap();
                journal
            });
            let seen = engine.try_recv().unwrap_or(0);
            if seen == 1 {
                memory.read();
            }
            let _journal = writer.join().unwrap();
            if seen == 0 {
                assert_eq!(engine.try_recv(), Ok(1));
            }
            seen
        });
    });
}

/// One that gives its seat up frees those after it.
pub fn a_follower_of_one_that_left_sees_all() {
    without_fences(|| {
        model("broadcast::a_follower_of_one_that_left_sees_all", None, || {
            let (mut tx, hub) = channel(1);
            let journal = hub.join().unwrap();
            let mut engine = hub.after(&[&journal]).unwrap();
            tx.try_send(1).unwrap();
            let leaver = thread::spawn(move || drop(journal));
            let seen = engine.try_recv().unwrap_or(0);
            leaver.join().unwrap();
            if seen == 0 {
                assert_eq!(engine.try_recv(), Ok(1));
            }
        });
    });
}

/// A reserved seat gates while no receiver sits there, and the next one goes on where the last one ended.
pub fn a_reserved_seat_goes_from_one_to_the_next() {
    without_fences(|| {
        model("broadcast::a_reserved_seat_goes_from_one_to_the_next", Some(3), || {
            let (mut tx, hub) = channel(2);
            let mut journal = hub.reserve("journal").unwrap();
            tx.try_send(1).unwrap();
            let first = thread::spawn(move || {
                journal.try_recv().unwrap();
            });
            let taken = hub.take("journal");
            let sent = [tx.try_send(2).is_ok(), tx.try_send(3).is_ok()];
            first.join().unwrap();
            let mut journal = taken.or_else(|_| hub.take("journal")).unwrap();
            assert!(sent[0]);
            assert_eq!(rest(&mut journal), if sent[1] { vec![2, 3] } else { vec![2] });
        });
    });
}

/// When the last handle that can receive goes, the sender drops what lies in the ring, and nothing reads it any more.
pub fn the_sender_drops_what_is_left() {
    without_fences(|| {
        outcomes("broadcast::the_sender_drops_what_is_left", Some(4), [true, false], || {
            let drops = Drops::default();
            let (mut tx, hub) = broadcast::channel(2).unwrap();
            let mut rx = hub.join().unwrap();
            drop(hub);
            tx.try_send(drops.value(0)).unwrap();
            let value = drops.value(1);
            let receiver = thread::spawn(move || {
                assert_eq!(rx.peek().unwrap().id, 0);
                drop(rx);
            });
            let accepted = tx.try_send(value).is_ok();
            receiver.join().unwrap();
            let said = tx.try_send(drops.value(2));
            assert!(matches!(said, Err(TrySendError::Disconnected(_))));
            drop(said);
            drops.assert_each_once(3);
            drop(tx);
            drops.assert_each_once(3);
            accepted
        });
    });
}

/// The same with a full ring: the sender looks for the end when it finds no room.
pub fn the_sender_drops_what_fills_the_ring() {
    without_fences(|| {
        model("broadcast::the_sender_drops_what_fills_the_ring", Some(4), || {
            let drops = Drops::default();
            let (mut tx, hub) = broadcast::channel(1).unwrap();
            let mut rx = hub.join().unwrap();
            drop(hub);
            tx.try_send(drops.value(0)).unwrap();
            let value = drops.value(1);
            let receiver = thread::spawn(move || {
                assert_eq!(rx.peek().unwrap().id, 0);
                drop(rx);
            });
            assert!(tx.try_send(value).is_err());
            receiver.join().unwrap();
            assert!(matches!(tx.try_send(drops.value(2)), Err(TrySendError::Disconnected(_))));
            drops.assert_each_once(3);
        });
    });
}

/// Values are dropped once, whoever is the last: when slots are used again, or with the memory.
pub fn values_drop_once() {
    without_fences(|| {
        model("broadcast::values_drop_once", Some(3), || {
            let drops = Drops::default();
            let (mut tx, hub) = broadcast::channel(1).unwrap();
            let mut rx = hub.join().unwrap();
            drop(hub);
            tx.try_send(drops.value(0)).unwrap();
            let value = drops.value(1);
            let sender = thread::spawn(move || {
                let _ = tx.try_send(value);
            });
            let seen = rx.try_recv_with(|message| message.id);
            assert_eq!(seen, Ok(0));
            drop(rx);
            sender.join().unwrap();
            drops.assert_each_once(2);
        });
    });
}

fn blocked_receiver((mut tx, hub): (Sender<u32>, Hub<u32>), wait: fn(&mut Receiver<u32>) -> Result<u32, RecvError>) {
    let mut rx = hub.join().unwrap();
    let sender = thread::spawn(move || {
        tx.try_send(1).unwrap();
        tx
    });
    assert_eq!(wait(&mut rx), Ok(1));
    let _tx = sender.join().unwrap();
}

/// A receiver blocks, a message comes.
pub fn a_message_wakes_the_receiver() {
    model("broadcast::a_message_wakes_the_receiver", Some(3), || blocked_receiver(channel(1), |rx| rx.recv()));
}

pub fn a_message_wakes_the_receiver_fenced() {
    without_fences(|| {
        model("broadcast::a_message_wakes_the_receiver_fenced", Some(2), || {
            blocked_receiver(fenced(1), |rx| rx.recv());
        });
    });
}

pub fn a_message_wakes_the_task() {
    model("broadcast::a_message_wakes_the_task", Some(2), || {
        blocked_receiver(channel(1), |rx| block_on(rx.recv_async()))
    });
}

/// Whether a task was woken. Loom does not see it.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A receiver that the sender has not seen yet joins and goes to sleep, beside another that gives the sender room: it is woken.
pub fn one_that_just_joined_is_woken() {
    model("broadcast::one_that_just_joined_is_woken", Some(3), || just_joined(channel(2)));
}

pub fn one_that_just_joined_is_woken_fenced() {
    without_fences(|| model("broadcast::one_that_just_joined_is_woken_fenced", Some(3), || just_joined(fenced(2))));
}

fn just_joined((mut tx, hub): (Sender<u32>, Hub<u32>)) {
    let _old = hub.join().unwrap();
    tx.try_send(0).unwrap();
    let woken = Arc::new(Woken::default());
    let waker = woken.clone().into();
    let joiner = thread::spawn(move || {
        let mut rx = hub.join().unwrap();
        let asleep = rx.poll_recv(&mut Context::from_waker(&waker)).is_pending();
        (asleep, rx)
    });
    tx.try_send(1).unwrap();
    let (asleep, mut rx) = joiner.join().unwrap();
    let got = rx.try_recv();
    assert!(!asleep || got != Ok(1) || woken.0.load(Ordering::Relaxed), "a message came, and the task sleeps");
}

fn blocked_sender((mut tx, hub): (Sender<u32>, Hub<u32>)) {
    let mut rx = hub.join().unwrap();
    tx.try_send(1).unwrap();
    let receiver = thread::spawn(move || {
        assert_eq!(rx.try_recv(), Ok(1));
        rx
    });
    tx.send(2).unwrap();
    let mut rx = receiver.join().unwrap();
    assert_eq!(rx.try_recv(), Ok(2));
}

/// A sender blocks on a full ring, the slowest makes room.
pub fn room_wakes_the_sender() {
    model("broadcast::room_wakes_the_sender", Some(3), || blocked_sender(channel(1)));
}

pub fn room_wakes_the_sender_fenced() {
    without_fences(|| model("broadcast::room_wakes_the_sender_fenced", Some(2), || blocked_sender(fenced(1))));
}

/// A sender blocks on a full ring, the slowest gives its seat up.
pub fn one_that_leaves_wakes_the_sender() {
    model("broadcast::one_that_leaves_wakes_the_sender", Some(2), || {
        let (mut tx, hub) = channel(1);
        let (mut stays, slow) = (hub.join().unwrap(), hub.join().unwrap());
        tx.try_send(1).unwrap();
        assert_eq!(stays.try_recv(), Ok(1));
        let leaver = thread::spawn(move || drop(slow));
        tx.send(2).unwrap();
        leaver.join().unwrap();
        assert_eq!(stays.try_recv(), Ok(2));
    });
}

/// A sender blocks while there is no seat, a receiver joins.
pub fn a_join_wakes_the_sender() {
    model("broadcast::a_join_wakes_the_sender", Some(2), || {
        let (mut tx, hub) = channel(1);
        let joiner = thread::spawn(move || hub.join().unwrap());
        tx.send(1).unwrap();
        let mut rx = joiner.join().unwrap();
        assert_eq!(rx.try_recv(), Ok(1));
    });
}

/// A sender blocks, the last that could receive goes.
pub fn the_last_handle_wakes_the_sender() {
    model("broadcast::the_last_handle_wakes_the_sender", Some(2), || {
        let (mut tx, hub) = channel(1);
        let leaver = thread::spawn(move || drop(hub));
        assert!(tx.send(1).is_err());
        leaver.join().unwrap();
    });
}

/// A receiver blocks, the sender goes.
pub fn a_dropped_sender_wakes_the_receivers() {
    model("broadcast::a_dropped_sender_wakes_the_receivers", Some(2), || {
        let (tx, hub) = channel(1);
        let mut rx = hub.join().unwrap();
        let sender = thread::spawn(move || drop(tx));
        assert_eq!(rx.recv(), Err(RecvError));
        sender.join().unwrap();
    });
}

fn blocked_follower((mut tx, hub): (Sender<u32>, Hub<u32>), before: fn(Receiver<u32>) -> Option<Receiver<u32>>) {
    let journal = hub.join().unwrap();
    let mut engine = hub.after(&[&journal]).unwrap();
    tx.try_send(1).unwrap();
    let writer = thread::spawn(move || before(journal));
    assert_eq!(engine.recv(), Ok(1));
    let _journal = writer.join().unwrap();
}

fn commit(mut journal: Receiver<u32>) -> Option<Receiver<u32>> {
    assert_eq!(journal.try_recv(), Ok(1));
    // Its seat stays: only the commit wakes.
    Some(journal)
}

/// A follower blocks, the one before it commits.
pub fn a_commit_wakes_the_follower() {
    model("broadcast::a_commit_wakes_the_follower", Some(2), || blocked_follower(channel(1), commit));
}

pub fn a_commit_wakes_the_follower_fenced() {
    without_fences(|| {
        model("broadcast::a_commit_wakes_the_follower_fenced", Some(2), || blocked_follower(fenced(1), commit));
    });
}

/// A follower blocks, the one before it leaves.
pub fn one_that_leaves_wakes_the_follower() {
    model("broadcast::one_that_leaves_wakes_the_follower", Some(2), || {
        blocked_follower(channel(1), |journal| {
            drop(journal);
            None
        });
    });
}
