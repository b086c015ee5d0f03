//! Receivers that join, leave and die at the seats of a broadcast between processes, while the sender sends. Messages lie in loom cells: a slot that is written
//! while a receiver may read it is a race. A process is a thread, a kill is where it stops; the lock of a seat is [`Kernel`]'s.

use super::session_channel::Kernel;
use crate::check::model;
use loom::thread;
use ringmail::model::{SeatReceiver, SeatSender, SharedBroadcast};
use std::sync::Arc;

/// Of two seats, each with its lock.
struct Channel {
    ring: SharedBroadcast<u64>,
    locks: [Kernel; 2],
}

impl Channel {
    fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { ring: SharedBroadcast::new(capacity), locks: [Kernel::new(), Kernel::new()] })
    }

    fn sender(&self, passes: bool) -> SeatSender<u64> {
        // SAFETY: each model has one.
        unsafe { self.ring.sender(passes) }
    }

    fn join(&self, seat: usize) -> SeatReceiver<u64> {
        self.locks[seat].take();
        // SAFETY: the lock is ours.
        unsafe { self.ring.receiver(seat) }
    }
}

/// A receiver takes what there is: each message is the number of its position.
fn take(rx: &mut SeatReceiver<u64>, most: usize) {
    for _ in 0..most {
        let at = rx.position();
        match rx.try_recv() {
            Some(message) => assert_eq!(message, at, "not the message of this position"),
            None => return,
        }
    }
}

/// Sends the numbers of positions while there is room, `n` times. Where it stands then.
fn send(tx: &mut SeatSender<u64>, from: u64, n: u64) -> u64 {
    (0..n).fold(from, |at, _| at + u64::from(tx.try_send(at)))
}

/// A receiver joins while the sender goes round the ring.
pub fn a_join_while_the_sender_laps_the_ring() {
    model("broadcast_shm::a_join_while_the_sender_laps_the_ring", Some(4), || {
        let channel = Channel::new(1);
        let mut tx = channel.sender(true);
        assert_eq!(send(&mut tx, 0, 1), 1);
        let other = Arc::clone(&channel);
        let joins = thread::spawn(move || {
            let mut rx = other.join(0);
            let from = rx.position();
            take(&mut rx, 2);
            (rx, from)
        });
        let sent = send(&mut tx, 1, 2);
        let (mut rx, from) = joins.join().unwrap();
        let seen = rx.position();
        take(&mut rx, 2);
        assert_eq!(rx.position(), sent, "it missed one: from {from}, {seen}; corrupt: {}", rx.is_corrupt());
    });
}

/// The same beside another that gates already.
pub fn a_join_beside_another() {
    model("broadcast_shm::a_join_beside_another", Some(2), || {
        let channel = Channel::new(1);
        let mut tx = channel.sender(false);
        assert_eq!(send(&mut tx, 0, 1), 0, "no receiver");
        let mut first = channel.join(0);
        assert_eq!(send(&mut tx, 0, 1), 1);
        take(&mut first, 1);
        let other = Arc::clone(&channel);
        let joins = thread::spawn(move || {
            let mut rx = other.join(1);
            take(&mut rx, 1);
            rx
        });
        let mut at = send(&mut tx, 1, 1);
        take(&mut first, 1);
        at = send(&mut tx, at, 1);
        let mut rx = joins.join().unwrap();
        take(&mut rx, 2);
        take(&mut first, 1);
        assert_eq!(
            (rx.position(), first.position()),
            (at, at),
            "one missed a message: {} {}",
            rx.is_corrupt(),
            first.is_corrupt()
        );
    });
}

/// A receiver reads a message that the next lap writes over.
pub fn slots_are_written_again_after_they_are_read() {
    model("broadcast_shm::slots_are_written_again_after_they_are_read", None, || {
        let channel = Channel::new(1);
        let (mut first, mut second) = (channel.join(0), channel.join(1));
        let mut tx = channel.sender(false);
        assert_eq!(send(&mut tx, 0, 1), 1);
        take(&mut second, 1);
        let reads = thread::spawn(move || {
            take(&mut first, 2);
            first
        });
        let sent = send(&mut tx, 1, 2);
        let mut first = reads.join().unwrap();
        take(&mut first, 1);
        assert_eq!(first.position(), sent);
    });
}

/// A receiver was killed, and another takes its seat while the sender finds out: that one is waited for.
pub fn a_death_is_of_one_session() {
    model("broadcast_shm::a_death_is_of_one_session", Some(1), || {
        let channel = Channel::new(1);
        let mut tx = channel.sender(false);
        let dead = channel.join(0);
        let mut stays = channel.join(1);
        assert_eq!(send(&mut tx, 0, 2), 1);
        take(&mut stays, 1);
        dead.kill();
        channel.locks[0].give();
        let other = Arc::clone(&channel);
        let joins = thread::spawn(move || {
            let mut rx = other.join(0);
            take(&mut rx, 1);
            rx
        });
        let mut sent = 1;
        for _ in 0..2 {
            tx.ask(|seat| channel.locks[seat].is_held());
            sent = send(&mut tx, sent, 1);
            take(&mut stays, 1);
        }
        let mut rx = joins.join().unwrap();
        take(&mut rx, 2);
        assert_eq!(rx.position(), sent, "it was left out");
        tx.ask(|seat| channel.locks[seat].is_held());
        send(&mut tx, sent, 1);
        assert_eq!((tx.gone(), tx.gone()), (Some((0, 1)), None), "told once");
    });
}

/// A receiver leaves while the sender waits for it: what it read last is not written before it has left.
pub fn a_receiver_that_leaves_gates_no_more() {
    model("broadcast_shm::a_receiver_that_leaves_gates_no_more", None, || {
        let channel = Channel::new(1);
        let mut rx = channel.join(0);
        let mut tx = channel.sender(true);
        assert_eq!(send(&mut tx, 0, 1), 1);
        let other = Arc::clone(&channel);
        let leaves = thread::spawn(move || {
            assert_eq!(rx.peek(), Some(0));
            rx.leave();
            other.locks[0].give();
        });
        let sent = send(&mut tx, 1, 2);
        leaves.join().unwrap();
        assert_eq!(send(&mut tx, sent, 1), sent + 1, "it has left");
        assert_eq!((tx.gone(), tx.gone()), (Some((0, 1)), None), "told once");
    });
}

/// A reserved seat gates without its holder, and the next one misses nothing.
pub fn a_reserved_seat_gates_when_its_holder_died() {
    model("broadcast_shm::a_reserved_seat_gates_when_its_holder_died", Some(2), || {
        let channel = Channel::new(1);
        let rx = channel.join(0);
        let mut tx = channel.sender(false);
        let other = Arc::clone(&channel);
        let dies = thread::spawn(move || {
            rx.reserve();
            let at = rx.position();
            rx.kill();
            other.locks[0].give();
            at
        });
        let mut sent = send(&mut tx, 0, 1);
        tx.ask(|seat| channel.locks[seat].is_held());
        sent = send(&mut tx, sent, 1);
        let from = dies.join().unwrap();
        tx.ask(|seat| channel.locks[seat].is_held());
        sent = send(&mut tx, sent, 2);
        assert_eq!(sent, from + 1, "it was left out, or counts twice");
        let mut rx = channel.join(0);
        assert_eq!(rx.position(), from);
        take(&mut rx, 2);
        assert_eq!(rx.position(), sent);
    });
}
