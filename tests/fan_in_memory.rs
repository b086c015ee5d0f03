//! The memory of a lane whose sender has gone serves the next one. Alone in its program: it counts what is allocated.
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

use ringmail::TryRecvError;
use ringmail::fan_in::channel;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Slots of a lane: no other allocation here is as large.
const SLOTS: usize = 1 << 16;

static LANES: AtomicUsize = AtomicUsize::new(0);
static FREED: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LANES.fetch_add(usize::from(layout.size() >= SLOTS), Ordering::Relaxed);
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        FREED.fetch_add(usize::from(layout.size() >= SLOTS), Ordering::Relaxed);
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_memory_of_a_lane_serves_the_next_once_it_is_drained_and_its_handle_gone() {
    let held = || LANES.load(Ordering::Relaxed) - FREED.load(Ordering::Relaxed);
    let held_before = held();
    let (tx, mut rx) = channel::<u8>(SLOTS).unwrap();
    let mut boxed = channel::<Box<u64>>(SLOTS / 8).unwrap();
    let before = LANES.load(Ordering::Relaxed);
    for i in 0..50 {
        let mut lane = tx.lane().unwrap();
        assert_eq!((lane.id().index(), lane.id().generation()), (1, i));
        (0..3).for_each(|n| lane.try_send(n).unwrap());
        assert_eq!((lane.len(), lane.stats().sent), (3, 3), "as good as new");
        drop(lane);
        assert_eq!(rx.try_iter().count(), 3);
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    }
    assert_eq!(LANES.load(Ordering::Relaxed) - before, 1, "one for all fifty");

    // A handle that was closed and is still there keeps its memory; the number goes to another lane all the same.
    let mut closed = tx.lane().unwrap();
    closed.close();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    let other = tx.lane().unwrap();
    assert_eq!((other.id().index(), other.id().generation()), (1, 51));
    assert_ne!(other.id(), closed.id());
    assert_eq!(LANES.load(Ordering::Relaxed) - before, 2);

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
