//! A pile: anybody puts things on it, somebody takes all of them away at once. Lock-free.
//!
//! How lanes travel between the senders that open them and the receiver that reads them. Taking the whole pile with one swap leaves
//! no room for the ABA problem of a stack that is taken apart node by node (Treiber 1986).

use super::order;
use crate::sync::{AtomicPtr, Ordering};
use alloc::boxed::Box;
use core::ptr;

/// Things that have been put down and not yet taken away.
pub(crate) struct Pile<V> {
    top: AtomicPtr<Node<V>>,
}

struct Node<V> {
    value: V,
    below: *mut Node<V>,
}

// SAFETY: values move from the thread that puts them to the one that takes them.
unsafe impl<V: Send> Send for Pile<V> {}
// SAFETY: as above; a node is reached by its maker alone until it is on the pile, and by its taker alone once it is off.
unsafe impl<V: Send> Sync for Pile<V> {}

impl<V> Pile<V> {
    pub(crate) fn new() -> Self {
        Self { top: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Whether nothing lay on it a moment ago.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.top.load(Ordering::Relaxed).is_null()
    }

    pub(crate) fn put(&self, value: V) {
        let node = Box::into_raw(Box::new(Node { value, below: self.top.load(Ordering::Relaxed) }));
        loop {
            // SAFETY: the node is ours until the exchange succeeds.
            let below = unsafe { (*node).below };
            match self.top.compare_exchange_weak(below, node, order::put_on_pile(), Ordering::Relaxed) {
                Ok(_) => return,
                // SAFETY: as above.
                Err(now) => unsafe { (*node).below = now },
            }
        }
    }

    /// Takes everything, the last one put first.
    pub(crate) fn take_all(&self) -> Taken<V> {
        Taken(self.top.swap(ptr::null_mut(), order::take_pile()))
    }
}

impl<V> Drop for Pile<V> {
    fn drop(&mut self) {
        drop(self.take_all());
    }
}

/// What was taken off a pile.
pub(crate) struct Taken<V>(*mut Node<V>);

impl<V> Iterator for Taken<V> {
    type Item = V;

    fn next(&mut self) -> Option<V> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: `put` made it with `Box`, and the swap of `take_all` made it ours, with all below.
        let node = unsafe { Box::from_raw(self.0) };
        self.0 = node.below;
        Some(node.value)
    }
}

impl<V> Drop for Taken<V> {
    fn drop(&mut self) {
        for value in self.by_ref() {
            drop(value);
        }
    }
}
