//! What a channel takes on the heap, counted by an allocator that counts.
// Not a model of loom's.
#![allow(clippy::disallowed_types)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

struct Counting;

static BYTES: AtomicIsize = AtomicIsize::new(0);

// SAFETY: `System` does the work; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Makes something, prints and returns what it takes.
fn count<R>(name: &str, make: impl FnOnce() -> R) -> (R, isize) {
    let before = BYTES.load(Ordering::Relaxed);
    let made = make();
    let bytes = BYTES.load(Ordering::Relaxed) - before;
    println!("{name:<28} {bytes:>6} bytes on the heap, {:>4} in the handles", size_of::<R>());
    (made, bytes)
}

fn main() -> Result<(), ringmail::BuildError> {
    use ringmail::{fan_in, mpsc, spsc};
    ringmail::init();
    // Before the first count: printing makes a buffer that stays.
    println!("channels of u64:");
    let before = BYTES.load(Ordering::Relaxed);
    let (one, spsc) = count("spsc, 1024 of 8 bytes", || spsc::channel::<u64>(1024));
    let (many, mpsc) = count("mpsc, 1024 of 8 bytes", || mpsc::channel::<u64>(1024));
    let (lanes, fan_in) = count("fan_in, 1024 of 8 bytes", || fan_in::channel::<u64>(1024));
    let (many, lanes, one) = (many?, lanes?, one?);
    let (clone, _) = count("mpsc, another sender", || many.0.clone());
    let (lane, more) = count("fan_in, another sender", || lanes.0.lane());
    println!("fixed: spsc {}, mpsc {}, fan_in {}", spsc - 8192, mpsc - 16384, fan_in - 8192);
    assert!(spsc >= 8192 && mpsc >= 16384 && fan_in >= 8192 && more >= 8192, "the places are on the heap");
    drop((one, many, lanes, clone, lane));
    assert_eq!(BYTES.load(Ordering::Relaxed), before, "all of it is given back");
    Ok(())
}
