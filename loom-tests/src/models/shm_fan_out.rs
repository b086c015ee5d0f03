//! `shm::fan_out`: what a worker leaves in its lane, and who takes it. A lane is [`session_channel`](super::session_channel)'s channel; the messages
//! are in loom cells, so a place that is written while another may read it is found.

use super::session_channel::{Channel, Message, Rx, Seen, Tx};
use crate::check::{model, outcomes};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use ringmail::model::{BoundedReader, End, Reach, find_left, is_all_received};

/// What a worker of another lane does where it finds nothing in its own: takes one message of `lane`, if that has no worker. `killed`: before it
/// frees the place.
fn take_left_or_die(lane: &Channel, killed: bool) -> Option<u32> {
    if !lane.rx.try_take() {
        return None;
    }
    // SAFETY: the lock is ours.
    let mut ring = unsafe { lane.ring.receiver() };
    let mut taken = None;
    if find_left(lane.ring.of_receiver(), &mut ring) != 0 {
        taken = ring.take();
    }
    if killed {
        ring.kill();
        lane.rx.give();
        return None;
    }
    if taken.is_some() {
        ring.release();
    }
    drop(ring);
    lane.rx.give();
    taken
}

fn take_left(lane: &Channel) -> Option<u32> {
    take_left_or_die(lane, false)
}

/// All that is left, now that no other thread runs.
fn take_rest(lane: &Channel) -> Vec<u32> {
    std::iter::from_fn(|| take_left(lane)).collect()
}

fn messages(seen: Vec<Seen>) -> Vec<u32> {
    seen.into_iter().filter_map(|seen| if let Message(value) = seen { Some(value) } else { None }).collect()
}

/// A worker is killed, and two others look at its lane at once: each message is received by one of the three, and the sender, which never asks the kernel, is
/// told of the death.
pub fn what_a_killed_worker_left_is_received_once() {
    model("shm_fan_out::what_a_killed_worker_left_is_received_once", None, || {
        let lane = Channel::new(2);
        let mut worker = Rx::open(&lane, false);
        let mut tx = Tx::open(&lane).send([0, 1]);
        let worker = thread::spawn(move || {
            worker.look();
            messages(worker.die())
        });
        let other = lane.clone();
        let other = thread::spawn(move || take_left(&other));
        let mut all: Vec<u32> = take_left(&lane).into_iter().collect();
        all.extend(other.join().unwrap());
        all.extend(worker.join().unwrap());
        all.extend(take_rest(&lane));
        // One that looked twice has the earlier first; between two there is no order.
        all.sort_unstable();
        assert_eq!(all, [0, 1]);
        assert!(!tx.ring.push(2), "nothing is sent to a lane without a worker");
        assert_eq!(tx.refusal(), Some(End::Died));
        tx.close();
    });
}

/// One that takes what another left is killed before it frees the place: the next gets it again.
pub fn one_killed_with_what_another_left_loses_nothing() {
    model("shm_fan_out::one_killed_with_what_another_left_loses_nothing", None, || {
        let lane = Channel::new(2);
        let worker = Rx::open(&lane, false);
        let tx = Tx::open(&lane).send([0]);
        let worker = thread::spawn(move || worker.die());
        let other = lane.clone();
        let other = thread::spawn(move || take_left_or_die(&other, true));
        let mut all: Vec<u32> = take_left(&lane).into_iter().collect();
        assert_eq!((other.join().unwrap(), worker.join().unwrap()), (None, vec![]));
        all.extend(take_rest(&lane));
        assert_eq!(all, [0]);
        tx.close();
    });
}

/// A worker leaves while a message is on its way to it: either the send is refused, or another worker finds the message.
pub fn a_message_on_its_way_to_one_that_leaves_is_found() {
    let allowed = [vec![], vec![0]];
    outcomes("shm_fan_out::a_message_on_its_way_to_one_that_leaves_is_found", Some(3), allowed, || {
        let lane = Channel::new(1);
        let worker = Rx::open(&lane, false);
        let mut tx = Tx::open(&lane);
        // What it knows of the worker before that leaves.
        tx.ring.meet(lane.ring.of_receiver().last());
        let worker = thread::spawn(move || worker.close());
        let other = lane.clone();
        let other = thread::spawn(move || take_left(&other));
        let sent = tx.ring.push(0);
        let mut all: Vec<u32> = other.join().unwrap().into_iter().collect();
        assert_eq!(worker.join().unwrap(), []);
        all.extend(take_rest(&lane));
        assert_eq!(all.len(), usize::from(sent));
        assert!(!tx.ring.push(1));
        tx.close();
        all
    });
}

/// Another worker takes what was left, and one comes to the lane: the sender writes to the place again, and no reader of it reads at the time.
pub fn a_place_that_another_worker_freed_is_used_again() {
    let allowed = [vec![0], vec![0, 1]];
    outcomes("shm_fan_out::a_place_that_another_worker_freed_is_used_again", Some(2), allowed, || {
        let lane = Channel::new(1);
        let worker = Rx::open(&lane, false);
        let mut tx = Tx::open(&lane).send([0]);
        worker.die();
        let other = lane.clone();
        let other = thread::spawn(move || take_left(&other));
        let next = lane.clone();
        let next = thread::spawn(move || {
            let mut next = Rx::open(&next, false);
            next.look();
            next
        });
        if !tx.try_send(1) {
            tx.refusal();
            tx.try_send(1);
        }
        let mut next = next.join().unwrap();
        let mut all: Vec<u32> = other.join().unwrap().into_iter().collect();
        while next.look() {}
        all.extend(messages(next.die()));
        tx.close();
        all
    });
}

/// A sender sends to the second lane and closes both, the first before the second; the worker of the second is killed with the message in its hands. The worker of
/// the first is told the end after it has taken that.
pub fn the_end_comes_once_all_is_received() {
    model("shm_fan_out::the_end_comes_once_all_is_received", Some(2), || {
        let (own, other) = (Channel::new(1), Channel::new(1));
        let mut worker = Rx::open(&own, false);
        let killed = Rx::open(&other, false);
        let (first, second) = (Tx::open(&own), Tx::open(&other));
        let sender = thread::spawn(move || {
            let second = second.send([0]);
            first.close();
            second.close();
        });
        let killed = thread::spawn(move || killed.die());
        let mut taken = Vec::new();
        let mut told = false;
        let mut look = |worker: &mut Rx| {
            taken.extend(take_left(&other));
            own.step();
            let is_over = !worker.finds() && worker.ring.is_over() && {
                let session = own.ring.of_sender();
                worker.ring.look_as_far(Reach::All(session.last()));
                session.record(1).is_some_and(|record| record.end == Some(End::Left))
            };
            if is_over && is_all_received([other.ring.is_empty()].into_iter()) {
                assert_eq!(taken, [0], "the end was told before the last message");
                told = true;
            }
        };
        look(&mut worker);
        look(&mut worker);
        sender.join().unwrap();
        assert_eq!(killed.join().unwrap(), []);
        look(&mut worker);
        look(&mut worker);
        assert!(told);
        worker.die();
    });
}

/// The worker that a key belongs to is killed. The next message of the key goes to another worker once what was left is received: whoever receives it sees
/// what was done with the one before, where that was freed after its handler.
pub fn a_key_goes_on_once_what_was_left_is_received() {
    let allowed = [vec![], vec![1]];
    outcomes("shm_fan_out::a_key_goes_on_once_what_was_left_is_received", Some(2), allowed, || {
        let (own, other) = (Channel::new(1), Channel::new(1));
        let mut worker = Rx::open(&own, false);
        let killed = Rx::open(&other, false);
        let (mut first, second) = (Tx::open(&own), Tx::open(&other).send([0]));
        killed.die();
        let done = Arc::new(UnsafeCell::new(0));
        let handler = done.clone();
        let lane = other.clone();
        let third = thread::spawn(move || {
            assert!(lane.rx.try_take());
            // SAFETY: the lock is ours.
            let mut ring = unsafe { lane.ring.receiver() };
            assert_eq!(find_left(lane.ring.of_receiver(), &mut ring), 1);
            let value = ring.take();
            // SAFETY: loom checks it.
            handler.with_mut(|done| unsafe { *done = 1 });
            ring.release();
            drop(ring);
            lane.rx.give();
            value
        });
        let sender = thread::spawn(move || {
            if second.ring.is_all_received() {
                assert!(first.try_send(1));
            }
            first.close();
            second.close();
        });
        worker.look();
        worker.look();
        let seen = messages(worker.die());
        if seen == [1] {
            // SAFETY: loom checks it.
            assert_eq!(done.with(|done| unsafe { *done }), 1);
        }
        sender.join().unwrap();
        assert_eq!(third.join().unwrap(), Some(0));
        seen
    });
}
