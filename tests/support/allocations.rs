//! An allocator that counts what each thread allocates and frees: by thread, as the harness of a test has one of its own.
#![allow(dead_code, unreachable_pub)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Bytes of a large block.
pub const LARGE: usize = 1 << 16;

thread_local! {
    /// Blocks that this thread has allocated and freed.
    static COUNTS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    /// Bytes that it has allocated less those that it has freed.
    static BYTES: Cell<isize> = const { Cell::new(0) };
    /// Blocks of at least [`LARGE`] bytes that it has allocated and freed.
    static LARGE_COUNTS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

struct Counting;

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNTS.try_with(|counts| counts.set((counts.get().0 + 1, counts.get().1)));
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get() + layout.size() as isize));
        let large = usize::from(layout.size() >= LARGE);
        let _ = LARGE_COUNTS.try_with(|counts| counts.set((counts.get().0 + large, counts.get().1)));
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let _ = COUNTS.try_with(|counts| counts.set((counts.get().0, counts.get().1 + 1)));
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get() - layout.size() as isize));
        let large = usize::from(layout.size() >= LARGE);
        let _ = LARGE_COUNTS.try_with(|counts| counts.set((counts.get().0, counts.get().1 + large)));
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that this thread has allocated less those that it has freed.
pub fn bytes() -> isize {
    BYTES.get()
}

/// Blocks that this thread has allocated so far.
pub fn allocated() -> usize {
    COUNTS.get().0
}

/// Blocks of at least [`LARGE`] bytes that this thread has allocated and freed so far.
pub fn large() -> (usize, usize) {
    LARGE_COUNTS.get()
}

/// Blocks that `f` allocated and freed on this thread, and what it returned.
pub fn counted<R>(f: impl FnOnce() -> R) -> ((usize, usize), R) {
    let before = COUNTS.get();
    let result = f();
    let after = COUNTS.get();
    ((after.0 - before.0, after.1 - before.1), result)
}
