//! Payloads that record their drops.

use loom::alloc::Track;
use loom::cell::UnsafeCell;
use std::sync::{Arc, Mutex};

/// Which values were dropped, in which order. A `std` lock: loom does not see it, so it orders nothing in the model.
#[derive(Clone, Default)]
pub struct Drops(Arc<Mutex<Vec<u32>>>);

impl Drops {
    /// A value that notes its drop here. Loom reports it if it is leaked.
    pub fn value(&self, id: u32) -> Counted {
        Counted { id, drops: self.clone(), _leaks: Track::new(()) }
    }

    /// What was dropped so far, in order.
    pub fn so_far(&self) -> Vec<u32> {
        self.0.lock().unwrap().clone()
    }

    /// Asserts that each of the values `0..n` was dropped exactly once.
    pub fn assert_each_once(&self, n: u32) {
        let mut dropped = self.so_far();
        dropped.sort_unstable();
        assert_eq!(dropped, (0..n).collect::<Vec<_>>(), "each value is dropped exactly once");
    }
}

/// A value whose drop is noted.
pub struct Counted {
    pub id: u32,
    drops: Drops,
    _leaks: Track<()>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.0.lock().unwrap().push(self.id);
    }
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.id)
    }
}

/// Memory that several threads touch without any order of their own: loom reports it if nothing else orders them.
#[derive(Clone)]
pub struct Unordered(Arc<UnsafeCell<()>>);

// SAFETY: the cell holds nothing; loom checks the accesses.
unsafe impl Send for Unordered {}
// SAFETY: as above.
unsafe impl Sync for Unordered {}

impl Unordered {
    #[allow(clippy::new_without_default, clippy::arc_with_non_send_sync)] // Only inside a model, which checks the rest.
    pub fn new() -> Self {
        Self(Arc::new(UnsafeCell::new(())))
    }

    pub fn read(&self) {
        self.0.with(|_| ());
    }

    pub fn write(&self) {
        self.0.with_mut(|_| ());
    }
}

/// A value whose drop writes to memory shared with the others: two drops that nothing orders are a race.
pub struct Ordered {
    memory: Option<Unordered>,
}

impl Ordered {
    pub fn new(memory: &Unordered) -> Self {
        Self { memory: Some(memory.clone()) }
    }

    /// Drops it without the write.
    pub fn defuse(mut self) {
        self.memory = None;
    }
}

impl Drop for Ordered {
    fn drop(&mut self) {
        if let Some(memory) = &self.memory {
            memory.write();
        }
    }
}
