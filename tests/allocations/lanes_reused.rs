//! The memory of a lane whose sender has gone serves the next one.

use crate::allocations::{LARGE, large};
use ringmail::TryRecvError;
use ringmail::fan_in::channel;

/// Slots of a lane: no other allocation here is as large.
const SLOTS: usize = LARGE;

#[test]
fn a_drained_lanes_memory_serves_the_next_without_its_handle() {
    let held = || large().0 as isize - large().1 as isize;
    let held_before = held();
    let (tx, mut rx) = channel::<u8>(SLOTS).unwrap();
    let mut boxed = channel::<Box<u64>>(SLOTS / 8).unwrap();
    let before = large().0;
    for i in 0..50 {
        let mut lane = tx.lane().unwrap();
        assert_eq!((lane.id().index(), lane.id().generation()), (1, i));
        (0..3).for_each(|n| lane.try_send(n).unwrap());
        assert_eq!((lane.len(), lane.stats().sent), (3, 3), "as good as new");
        drop(lane);
        assert_eq!(rx.try_iter().count(), 3);
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    }
    assert_eq!(large().0 - before, 1, "one for all fifty");

    // A handle that was closed and is still there keeps its memory; the number goes to another lane all the same.
    let mut closed = tx.lane().unwrap();
    closed.close();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    let other = tx.lane().unwrap();
    assert_eq!((other.id().index(), other.id().generation()), (1, 51));
    assert_ne!(other.id(), closed.id());
    assert_eq!(large().0 - before, 2);

    // What a lane's next owner finds is not what its last one left.
    let mut lane = boxed.0.lane().unwrap();
    lane.try_send(Box::new(7)).unwrap();
    drop(lane);
    assert_eq!(boxed.1.try_iter().count(), 1);
    assert_eq!(boxed.1.try_recv(), Err(TryRecvError::Empty));
    let lane = boxed.0.lane().unwrap();
    assert!(lane.is_empty() && lane.id().generation() == 1);
    assert_eq!(boxed.1.try_recv(), Err(TryRecvError::Empty));
    drop((tx, other, closed, lane, rx, boxed));
    assert_eq!(held(), held_before, "nothing is kept");
}
