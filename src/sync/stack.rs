//! A stack that any thread pushes on and that is emptied all at once. Lock-free.
//!
//! On it lanes go from the senders that open them to the receiver that reads them, and buffers go back to their pool. One swap takes all nodes, so
//! there is no ABA problem, as a stack has that is popped node by node (Treiber 1986).
//!
//! A node has one owner at a time: the holder of its `Box`; from the exchange that pushes it, the stack; from the swap that takes it, the
//! [`Drained`]. Closing is a swap too: what is pushed after it comes back.

#![allow(unsafe_code)]

use super::OnDrop;
use super::order::order;
use crate::error::BuildError;
use crate::sync::{AtomicPtr, Ordering};
use alloc::alloc::{Layout, alloc};
use alloc::boxed::Box;
use core::mem::MaybeUninit;
use core::ptr;

/// Nodes that were pushed and not yet taken.
pub(crate) struct Stack<V> {
    top: AtomicPtr<Node<V>>,
}

/// A value that can be pushed without allocating.
pub(crate) struct Node<V> {
    pub(crate) value: V,
    below: *mut Node<V>,
}

// SAFETY: values move from the thread that pushes them to the one that takes them.
unsafe impl<V: Send> Send for Stack<V> {}
// SAFETY: as above; only its maker reaches a node until it is on the stack, and only its taker once it is off.
unsafe impl<V: Send> Sync for Stack<V> {}
// SAFETY: only the owner of the node follows `below`.
unsafe impl<V: Send> Send for Node<V> {}
// SAFETY: as above: a shared node shows its value alone.
unsafe impl<V: Sync> Sync for Node<V> {}
// SAFETY: it owns its nodes.
unsafe impl<V: Send> Send for Drained<V> {}

/// The top of a closed stack: no node has this address, as an allocator gives theirs.
fn closed<V>() -> *mut Node<V> {
    ptr::dangling_mut()
}

impl<V> Stack<V> {
    pub(crate) fn new() -> Self {
        Self { top: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Whether it was empty a moment ago.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.top.load(Ordering::Relaxed).is_null()
    }

    /// Pushes a node. A stack that is closed drops it.
    pub(crate) fn put(&self, node: Box<Node<V>>) {
        // SAFETY: the stack is borrowed for longer.
        drop(unsafe { put(self, node) });
    }

    /// Takes all nodes, the last one pushed first.
    pub(crate) fn take_all(&self) -> Drained<V> {
        Drained::from_top(self.top.swap(ptr::null_mut(), order!(take_stack)))
    }

    /// Takes all nodes. After this, what is pushed comes back.
    pub(crate) fn close(&self) -> Drained<V> {
        Drained::from_top(self.top.swap(closed(), order!(take_stack)))
    }
}

impl<V> Drop for Stack<V> {
    fn drop(&mut self) {
        drop(self.take_all());
    }
}

/// Pushes `node` on the stack, or returns it if that is closed.
///
/// # Safety
/// The stack lives until the node is on it. It is not touched after that: its owner may take the node and drop the stack.
unsafe fn put<V>(stack: *const Stack<V>, node: Box<Node<V>>) -> Option<Box<Node<V>>> {
    let node = Box::into_raw(node);
    // SAFETY: the stack lives until the exchange below has succeeded, which is the last use of this.
    let top = unsafe { &(*stack).top };
    let mut below = top.load(Ordering::Relaxed);
    loop {
        if below == closed() {
            // SAFETY: `into_raw` made it, and it is on no stack.
            return Some(unsafe { Box::from_raw(node) });
        }
        // SAFETY: the node is ours until the exchange succeeds.
        unsafe { (*node).below = below };
        match top.compare_exchange_weak(below, node, order!(push_stack), Ordering::Relaxed) {
            Ok(_) => return None,
            Err(now) => below = now,
        }
    }
}

/// Values that know the stack where their owner takes them back.
pub(crate) trait HasOwner: Sized {
    fn owner(&self) -> &Stack<Self>;
}

impl<V> Node<V> {
    /// A node for a value that is still to be made, if there is memory.
    pub(crate) fn place() -> Result<Place<V>, BuildError> {
        let layout = Layout::new::<Self>();
        // SAFETY: a node has a link, and so a size.
        let memory = unsafe { alloc(layout) };
        if memory.is_null() {
            return Err(BuildError::OutOfMemory { bytes: Some(layout.size()) });
        }
        // SAFETY: allocated by the allocator of boxes with the layout of what is in this one; nothing is written, and nothing needs to be.
        Ok(Place(unsafe { Box::from_raw(memory.cast()) }))
    }
}

/// A node's memory.
pub(crate) struct Place<V>(Box<MaybeUninit<Node<V>>>);

impl<V> Place<V> {
    pub(crate) fn fill(self, value: V) -> Box<Node<V>> {
        let memory = Box::into_raw(self.0).cast::<Node<V>>();
        // SAFETY: the box's own memory, valid for a node.
        unsafe { memory.write(Node { value, below: ptr::null_mut() }) };
        // SAFETY: `into_raw` made it, and it holds a node now.
        unsafe { Box::from_raw(memory) }
    }
}

impl<V: HasOwner> Node<V> {
    /// Pushes the node on its owner's stack, or returns it if that is closed.
    pub(crate) fn return_to_owner(self: Box<Self>) -> Option<Box<Self>> {
        let owner: *const Stack<V> = self.value.owner();
        // SAFETY: what `owner` borrowed from the value stays while the value is not touched, and the node is ours until it is on the stack.
        unsafe { put(owner, self) }
    }
}

/// The nodes that were taken off a stack.
pub(crate) struct Drained<V>(*mut Node<V>);

impl<V> Drained<V> {
    pub(crate) fn empty() -> Self {
        Self(ptr::null_mut())
    }

    fn from_top(top: *mut Node<V>) -> Self {
        if top == closed() { Self::empty() } else { Self(top) }
    }

    /// The top one, allocation and all.
    #[inline]
    pub(crate) fn next_node(&mut self) -> Option<Box<Node<V>>> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: `Box` made it, and the swap that took it off the stack made it ours, with all below.
        let node = unsafe { Box::from_raw(self.0) };
        self.0 = node.below;
        Some(node)
    }

    /// The same in the order in which they were pushed.
    pub(crate) fn reversed(mut self) -> Self {
        let mut reversed = Self::empty();
        while let Some(node) = self.next_node() {
            reversed.put_node(node);
        }
        reversed
    }

    /// Puts one on top.
    #[inline]
    pub(crate) fn put_node(&mut self, mut node: Box<Node<V>>) {
        node.below = self.0;
        self.0 = Box::into_raw(node);
    }
}

impl<V> Iterator for Drained<V> {
    type Item = V;

    fn next(&mut self) -> Option<V> {
        self.next_node().map(|node| node.value)
    }
}

impl<V> Drop for Drained<V> {
    fn drop(&mut self) {
        // If the drop of one panics, the others are dropped all the same.
        let rest = OnDrop(self, |taken: &mut Self| taken.for_each(drop));
        rest.0.by_ref().for_each(drop);
    }
}
