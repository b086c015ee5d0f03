//! The memory of lanes whose senders have gone: as much as serves the next ones is kept, the rest is freed.

use crate::allocations::{allocated, bytes};
use ringmail::TryRecvError;
use ringmail::fan_in::{Receiver, Sender, channel};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes of a lane's slots.
const LANE: isize = 1 << 16;
/// Bytes that the number of a lane takes.
const NUMBER: isize = 64;

type Message = [u8; 1024];

fn lanes(tx: &Sender<Message>, n: usize) -> Vec<Sender<Message>> {
    (0..n).map(|_| tx.lane().unwrap()).collect()
}

fn drained(rx: &mut Receiver<Message>) {
    assert_eq!(rx.try_recv().unwrap_err(), TryRecvError::Empty);
}

#[test]
fn lanes_that_are_gone_leave_the_memory_of_one() {
    let (tx, mut rx) = channel::<Message>(64).unwrap();
    let before = bytes();
    for n in [3, 100, 1000] {
        let mut some = lanes(&tx, n);
        for lane in &mut some {
            lane.try_send([1; 1024]).unwrap();
        }
        drop(some);
        assert_eq!(rx.try_iter().count(), n);
        drained(&mut rx);
        let left = bytes() - before;
        assert!(left <= LANE + 2 * NUMBER * n as isize + 8192, "{left} bytes of {n} lanes are left");
        assert_eq!(rx.lane_count(), 1);
    }
    drop((tx, rx));
}

#[test]
fn lanes_that_were_never_looked_at_leave_none_once_they_are() {
    let (tx, mut rx) = channel::<Message>(64).unwrap();
    let before = bytes();
    drop(lanes(&tx, 500));
    drained(&mut rx);
    assert!(bytes() - before <= LANE + 2 * NUMBER * 500 + 8192);
}

/// As long as many send, as many lanes may come again without an allocation of slots.
#[test]
fn as_many_lanes_are_kept_as_there_are_senders() {
    let (tx, mut rx) = channel::<Message>(64).unwrap();
    let stay = lanes(&tx, 9);
    drained(&mut rx);
    let before = bytes();
    for _ in 0..20 {
        drop(lanes(&tx, 9));
        drained(&mut rx);
        assert!((9 * LANE..11 * LANE).contains(&(bytes() - before)), "{} bytes", bytes() - before);
    }
    let before = bytes();
    let again = lanes(&tx, 9);
    assert!(bytes() - before < LANE, "their slots were there");
    drop(again);
    // And when those go that they were kept for, so do they.
    drop(stay);
    drained(&mut rx);
    drop(tx.lane().unwrap());
    drained(&mut rx);
    assert!(bytes() - before <= -15 * LANE, "{} bytes", bytes() - before);
}

/// What it needs for that, each lane brought along.
#[test]
fn the_receiver_allocates_nothing_to_give_a_lane_back() {
    let (tx, mut rx) = channel::<Message>(64).unwrap();
    // Its table has room for them.
    let first = lanes(&tx, 40);
    drained(&mut rx);
    drop(first);
    drained(&mut rx);
    let some = lanes(&tx, 5);
    drained(&mut rx);
    drop(some);
    let before = allocated();
    drained(&mut rx);
    assert_eq!((allocated() - before, rx.lane_count()), (0, 1));
}

/// Numbers are given out again, also those whose memory was freed.
#[test]
fn a_lane_whose_memory_was_freed_keeps_its_number_for_the_next() {
    let (tx, mut rx) = channel::<Message>(64).unwrap();
    let mut seen = std::collections::HashSet::from([tx.id()]);
    for n in [50, 10, 50, 1, 50] {
        let some = lanes(&tx, n);
        for lane in &some {
            assert!(seen.insert(lane.id()), "{} was there before", lane.id());
            assert!(lane.id().index() <= 50);
        }
        drop(some);
        drained(&mut rx);
    }
}

/// A message that panics in `drop` where its lane's memory is freed leaves the channel usable.
#[test]
fn a_lane_that_is_freed_drops_what_is_in_it_once() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a message");
        }
    }
    let (tx, mut rx) = channel::<Option<Bomb>>(4).unwrap();
    let mut lane = tx.lane().unwrap();
    lane.try_send(Some(Bomb)).ok().unwrap();
    drop(lane);
    let caught = catch_unwind(AssertUnwindSafe(|| drop(rx.try_recv())));
    assert!(caught.is_err());
    assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
    let mut lane = tx.lane().unwrap();
    lane.try_send(None).ok().unwrap();
    assert!(matches!(rx.try_recv(), Ok(None)));
}
