//! A ring with two attachments one after the other: the second goes on where the first stopped.

use super::park::Sleepers;
use super::session_channel::{Channel, Message, Rx, Seen, Tx, died, left};
use crate::check::{model, outcomes, without_fences};
use loom::sync::Arc;
use loom::thread;
use ringmail::model::{Sleeper, is_set_up};
use std::cell::{Cell, RefCell};

/// The messages among what was seen.
fn messages(seen: &[Seen]) -> Vec<u32> {
    seen.iter().filter_map(|seen| if let Message(value) = seen { Some(*value) } else { None }).collect()
}

/// A sender is killed with the ring full; the next one writes to a place that the receiver freed, if it finds one.
pub fn a_sender_goes_on_where_one_died() {
    let allowed = [vec![0], vec![0, 1]];
    outcomes("reattach::a_sender_goes_on_where_one_died", Some(2), allowed, || {
        let channel = Channel::new(1);
        let first = Tx::open(&channel);
        let mut rx = Rx::open(&channel, false);
        let first = thread::spawn(move || first.send([0]).die());
        let next = channel.clone();
        let next = thread::spawn(move || {
            let mut next = Tx::open(&next);
            next.try_send(1);
            next.die();
        });
        rx.look();
        rx.look();
        first.join().unwrap();
        next.join().unwrap();
        rx.look();
        rx.look();
        messages(&rx.close())
    });
}

/// A receiver takes a message and is killed before it frees its place, or after: the next one gets it again, or not, and the sender
/// writes to no place that may still be read.
fn a_receiver_is_killed(name: &str, frees: bool, allowed: [Vec<u32>; 2]) {
    outcomes(name, Some(3), allowed, move || {
        let channel = Channel::new(1);
        let mut tx = Tx::open(&channel).send([0]);
        let mut first = Rx::open(&channel, false);
        let first = thread::spawn(move || {
            assert!(first.finds() && first.ring.take() == Some(0));
            if frees {
                first.ring.release();
            }
            first.die();
        });
        let next = channel.clone();
        let next = thread::spawn(move || {
            let mut next = Rx::open(&next, false);
            next.look();
            next
        });
        let sent = tx.try_send(1);
        first.join().unwrap();
        let mut next = next.join().unwrap();
        next.look();
        tx.die();
        let messages = messages(&next.die());
        assert_eq!(messages.last() == Some(&1), sent);
        messages
    });
}

/// See there.
pub fn a_message_that_was_not_freed_comes_again() {
    a_receiver_is_killed("reattach::a_message_that_was_not_freed_comes_again", false, [vec![0], vec![0, 1]]);
}

/// See there.
pub fn a_message_that_was_freed_does_not_come_again() {
    a_receiver_is_killed("reattach::a_message_that_was_freed_does_not_come_again", true, [vec![], vec![1]]);
}

/// A receiver closes and another comes: a send in between is refused, and what was sent is received by one of the two.
pub fn a_receiver_goes_on_where_one_left() {
    let allowed = [vec![0], vec![0, 1]];
    outcomes("reattach::a_receiver_goes_on_where_one_left", Some(2), allowed, || {
        let channel = Channel::new(2);
        let mut tx = Tx::open(&channel).send([0]);
        let mut first = Rx::open(&channel, false);
        let first = thread::spawn(move || {
            first.look();
            first.close()
        });
        let next = channel.clone();
        let next = thread::spawn(move || {
            let mut next = Rx::open(&next, false);
            next.look();
            next
        });
        let sent = tx.try_send(1);
        tx.close();
        let (mut seen, mut next) = (first.join().unwrap(), next.join().unwrap());
        next.look_to_the_end();
        seen.extend(next.close());
        let messages = messages(&seen);
        assert_eq!(messages.len(), 1 + usize::from(sent));
        assert!(!seen.contains(&died(1)), "neither side died: {seen:?}");
        messages
    });
}

/// Both sides are killed and taken again: each message is received once.
pub fn both_go_on() {
    model("reattach::both_go_on", Some(1), || {
        let channel = Channel::new(2);
        let tx = Tx::open(&channel);
        let mut first = Rx::open(&channel, false);
        let senders = channel.clone();
        let senders = thread::spawn(move || {
            tx.send([0]).die();
            Tx::open(&senders).send([1]).close();
        });
        let first = thread::spawn(move || {
            first.look();
            first.die()
        });
        let mut next = Rx::open(&channel, false);
        next.look();
        let mut seen = first.join().unwrap();
        senders.join().unwrap();
        next.look_to_the_end();
        seen.extend(next.die());
        assert_eq!(messages(&seen), [0, 1]);
        assert_eq!(seen.last(), Some(&left(2)), "{seen:?}");
        assert!(!seen.contains(&died(2)), "the second closed");
    });
}

/// A sender waits for a receiver where one has closed: once there is one, it may send.
pub fn one_that_waits_for_a_receiver_finds_it_open() {
    // Whether there was one by then, and whether a message went out: also where there is one a moment later.
    let allowed = [(false, true), (true, true)];
    outcomes("reattach::one_that_waits_for_a_receiver_finds_it_open", None, allowed, || {
        let channel = Channel::new(1);
        Rx::open(&channel, false).close();
        let mut tx = Tx::open(&channel);
        let next = channel.clone();
        let next = thread::spawn(move || {
            let mut next = Rx::open(&next, false);
            next.look();
            next
        });
        channel.step();
        let found = is_set_up(channel.ring.of_receiver(), || channel.rx.is_held()).is_ok();
        let sent = tx.try_send(0);
        assert!(sent || !found, "the receiver is there and has not closed");
        let mut next = next.join().unwrap();
        next.look();
        assert_eq!(messages(&next.die()).len(), usize::from(sent));
        tx.close();
        (found, sent)
    });
}

/// A sender that fences is killed while the receiver is about to sleep, and the next one fences no more: it sees the receiver sleep, or
/// the receiver sees that a fence alone will not do. (Then `membarrier` does, by its manual: here such a sleep ends by itself.)
pub fn a_sender_that_begins_sees_the_sleeper() {
    without_fences(|| {
        model("reattach::a_sender_that_begins_sees_the_sleeper", None, || begins_beside(Sleeper::new(false), [0]));
    });
}

/// The same with a receiver that sleeps often: it has said so to the one that was killed, and passes no barrier for its second sleep.
pub fn a_sender_that_begins_sees_that_the_sleeper_sleeps_often() {
    without_fences(|| {
        model("reattach::a_sender_that_begins_sees_that_the_sleeper_sleeps_often", Some(2), || {
            begins_beside(Sleeper::new(true), [0, 1]);
        });
    });
}

fn begins_beside<const N: usize>(mut sleeper: Sleeper, messages: [u32; N]) {
    let (channel, sleepers) = (Channel::new(N), Arc::new(Sleepers::new()));
    Tx::open_as(&channel, false).die();
    let mut rx = Rx::open(&channel, false);
    let (theirs, queue) = (channel.clone(), sleepers.clone());
    let sender = thread::spawn(move || {
        let mut tx = Tx::open_as(&theirs, true);
        for (at, message) in messages.into_iter().enumerate() {
            tx = tx.send([message]);
            let parked = theirs.ring.of_receiver().parked();
            if parked.should_wake(0) && parked.is_awaited(at as u64, 1) {
                queue.wake();
            }
        }
        tx.die();
    });
    let reached = Cell::new(false);
    for (at, message) in messages.into_iter().enumerate() {
        let barrier = || {
            channel.ring.of_sender().barrier(|| {
                reached.set(true);
                true
            })
        };
        let receiver = RefCell::new(&mut rx);
        let look = || receiver.borrow_mut().finds().then_some(());
        let sleep = |_| {
            if reached.get() {
                thread::yield_now();
            } else {
                sleepers.sleep(|| look().is_none());
            }
        };
        sleeper.sleep(&[(channel.ring.of_receiver().parked(), at as u64)], at as u64, barrier, look, sleep);
        assert_eq!(rx.ring.take(), Some(message));
        rx.ring.release();
    }
    sender.join().unwrap();
    rx.die();
}
