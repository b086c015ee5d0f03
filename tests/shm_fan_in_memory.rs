//! A receiver of many lanes allocates nothing, awake or asleep. Alone in its program: it counts what is allocated.
#![cfg(all(feature = "shm", target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::disallowed_types, reason = "loom does not run this")]

use ringmail::WaitStrategy;
use ringmail::shm::fan_in::{Builder, RecvError};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn receiving_allocates_nothing_awake_or_asleep() {
    let channel = Builder::<u64>::create_anonymous(128, 8).unwrap();
    let builder = || Builder::<u64>::from_fd(&channel).wait(WaitStrategy::ParkAtOnce);
    let mut rx = builder().open_receiver().unwrap();
    let (mut one, mut two) = (builder().open_sender().unwrap(), builder().open_sender().unwrap());
    let before = ALLOCATED.load(Ordering::Relaxed);
    for i in 0..20 {
        one.send(i).unwrap();
        two.send(i).unwrap();
        assert_eq!((rx.recv(), rx.recv()), (Ok(i), Ok(i)));
        assert_eq!(rx.recv_timeout(Duration::from_millis(2)), Err(RecvError::Timeout));
    }
    let allocated = ALLOCATED.load(Ordering::Relaxed) - before;
    assert!(rx.stats(0).unwrap().receiver_parks == 20, "it slept each time");
    // The harness, on its own thread, may say that a test is slow.
    assert!(allocated < 10, "{allocated} blocks in 20 sleeps");
}
