//! Buffers that travel by pointer through any channel. A buffer that is dropped, on any thread, returns to the pool that owns it.
//!
//! ```text
//!   Pool ── take ──► Pooled ──► any channel ──► another core ── drop ──┐
//!    ▲ free list, its own                                              │
//!    └───────────── one swap for all ◄── [ stack of returned buffers ] ◄──┘
//! ```
//!
//! The memory of a message that owns memory is freed where the message is received: on another core than the one that allocated it. Allocators
//! pay for that with locks, with remote-free lists, and with memory that collects on the wrong core. A pool frees nothing: a dropped [`Pooled`] is
//! pushed on its owner's stack, and [`Pool::take`] hands it out again.
//!
//! ```
//! use ringmail::pool::{Pool, Pooled};
//! let mut pool = Pool::new(4, || [0u8; 1500])?;
//! let (mut tx, mut rx) = ringmail::spsc::channel::<Pooled<[u8; 1500]>>(4)?;
//! let receiver = std::thread::spawn(move || rx.iter().map(|packet| u64::from(packet[0])).sum::<u64>());
//! let mut sent = 0;
//! while sent < 100 {
//!     let Some(mut packet) = pool.take() else {
//!         std::thread::yield_now(); // all four are in use
//!         continue;
//!     };
//!     packet[0] = 1; // the rest is as it was left
//!     tx.send(packet)?;
//!     sent += 1;
//! }
//! drop(tx);
//! assert_eq!(receiver.join().unwrap(), 100);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! | who | writes | where |
//! |---|---|---|
//! | holder of a [`Pooled`] | the buffer | its block, which no other thread reaches |
//! | the thread that drops one | the block's link, then the top of the stack (Release) | a line of its own |
//! | the [`Pool`] | the top of the stack, empty or closed (Acquire); its free list | the free list is in the handle |
//!
//! **Why a stack and not a ring.** A return must not find a full ring, and any thread may drop a buffer. A link in the block itself needs no room,
//! no lane for each thread, and no handle that the buffer would have to carry. One swap takes all, so there is no ABA problem.
//!
//! **Steps.** [`Pool::take`] is wait-free: one swap if the free list is empty and a buffer has returned. Dropping a [`Pooled`] is lock-free: it
//! repeats only when another buffer returned meanwhile. Nothing waits.
//!
//! **The owner goes first.** Buffers that are in use stay valid. The stack is closed; after that each buffer is freed by the thread that drops it,
//! which may be on another core.
//!
//! **Memory.** [`Pool::new`] allocates the buffers one by one, with two words each, and nothing is allocated after that. Call it on the owner's core.
//! Neighbours may share a cache line if `T` is smaller than one: use `crossbeam_utils::CachePadded<T>` then.
//!
//! **Limits.** A leaked `Pooled` (`mem::forget`) does not return. Values are not reset between uses; they are dropped when the pool ends. There
//! is no waiting for a buffer: one that returns notifies no event count.
//!
//! Source of the idea: return-to-owner lists, as in Seastar's `foreign_ptr` and snmalloc's message passing.

use crate::drop_order::lend;
use crate::error::BuildError;
use crate::ring::backend::check;
use crate::sync::order::mutant;
use crate::sync::stack::{Drained, HasOwner, Node, Stack};
use crate::sync::{Arc, share};
use crate::try_alloc::room;
use alloc::boxed::Box;
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::panic::{RefUnwindSafe, UnwindSafe};
use crossbeam_utils::CachePadded;

/// The owner's side of a pool.
///
/// `Send`, and not `Sync` nor `Clone`: a pool has one owner at a time, whose free list takes no atomics.
pub struct Pool<T> {
    /// Buffers to hand out: those that the owner has taken off the stack.
    free: Drained<Block<T>>,
    returned: Returned<T>,
    buffers: usize,
}

/// The buffers that have returned and were not taken yet. Each block keeps the stack alive.
struct Returned<T>(Arc<CachePadded<Stack<Block<T>>>>);

/// One buffer, and the stack to which it returns.
struct Block<T> {
    value: T,
    owner: Returned<T>,
}

impl<T> HasOwner for Block<T> {
    fn owner(&self) -> &Stack<Self> {
        &self.owner.0
    }
}

impl<T> Pool<T> {
    /// A pool of `buffers` values that `init` makes, one after the other. All memory is allocated here.
    ///
    /// # Errors
    /// No buffers, more than 2^30, or no memory for them. The values made before the error are dropped.
    pub fn new(buffers: usize, init: impl FnMut() -> T) -> Result<Self, BuildError> {
        check(buffers)?;
        // All of it is asked for at once before any is touched: without that memory the answer is an error, and the kernel does not end the process.
        drop(room::<Node<Block<T>>>(buffers)?);
        let stack = share(CachePadded::new(Stack::new()))?;
        lend(init, |init| Self::fill(buffers, stack, init))
    }

    fn fill(
        buffers: usize,
        stack: Arc<CachePadded<Stack<Block<T>>>>,
        init: &mut impl FnMut() -> T,
    ) -> Result<Self, BuildError> {
        let mut pool = Self { free: Drained::empty(), returned: Returned(stack), buffers };
        for _ in 0..buffers {
            // Before the value: if there is no memory for it, none is made.
            let place = Node::place()?;
            let owner = Returned(Arc::clone(&pool.returned.0));
            pool.free.put_node(place.fill(Block { value: init(), owner }));
        }
        Ok(pool)
    }

    /// A buffer that is not in use, as it was left; `None` if all are in use.
    ///
    /// Meanwhile other threads may return some; only the owner takes any. Before it answers `None`, it looks at the stack again. Wait-free.
    #[inline]
    #[must_use = "dropping it puts it back"]
    pub fn take(&mut self) -> Option<Pooled<T>> {
        let block = match self.free.next_node() {
            Some(block) => block,
            None => self.take_returned()?,
        };
        Some(Pooled { block: Some(block) })
    }

    /// Takes the buffers that have returned.
    fn take_returned(&mut self) -> Option<Box<Node<Block<T>>>> {
        if self.returned.0.is_empty() {
            return None;
        }
        // The list is empty: nothing is dropped here.
        self.free = self.returned.0.take_all();
        self.free.next_node()
    }

    /// Returns a buffer, by the owner: cheaper than dropping it, as no shared word is written. A buffer of another pool returns to that pool.
    #[inline]
    pub fn put(&mut self, mut buffer: Pooled<T>) {
        if let Some(block) = buffer.block.take_if(|block| Arc::ptr_eq(&block.value.owner.0, &self.returned.0)) {
            self.free.put_node(block);
        }
    }

    /// Buffers of this pool, in use or not.
    pub fn capacity(&self) -> usize {
        self.buffers
    }
}

impl<T> Drop for Pool<T> {
    fn drop(&mut self) {
        // Closed: a buffer that returns after this is freed by the thread that drops it.
        let returned = if mutant!(ClosePool) { self.returned.0.take_all() } else { self.returned.0.close() };
        drop(returned);
    }
}

// A panic leaves its lists whole. A buffer that a panic left half written returns as it is, as a `Box` of it would.
impl<T: UnwindSafe> UnwindSafe for Pool<T> {}
impl<T> RefUnwindSafe for Pool<T> {}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("capacity", &self.buffers).finish_non_exhaustive()
    }
}

/// A buffer of a [`Pool`], one pointer wide. Dropping it, on any thread, returns it to the pool.
///
/// Only its holder reaches the value: it reads and writes like a `Box`. The drop is lock-free and frees nothing while the pool is there.
#[must_use = "dropping it returns it to the pool"]
pub struct Pooled<T> {
    /// None only while it is dropped.
    block: Option<Box<Node<Block<T>>>>,
}

impl<T> Deref for Pooled<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        match &self.block {
            Some(block) => &block.value.value,
            None => unreachable!("taken only by what consumes it"),
        }
    }
}

impl<T> DerefMut for Pooled<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.block {
            Some(block) => &mut block.value.value,
            None => unreachable!("taken only by what consumes it"),
        }
    }
}

impl<T> Drop for Pooled<T> {
    #[inline]
    fn drop(&mut self) {
        // `Some`: the pool has gone, and the block is freed here.
        drop(self.block.take().and_then(Node::return_to_owner));
    }
}

// As a `Box`.
impl<T: UnwindSafe> UnwindSafe for Pooled<T> {}
impl<T: RefUnwindSafe> RefUnwindSafe for Pooled<T> {}

impl<T: fmt::Debug> fmt::Debug for Pooled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pooled").field(&**self).finish()
    }
}

impl<T> AsRef<T> for Pooled<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T> AsMut<T> for Pooled<T> {
    fn as_mut(&mut self) -> &mut T {
        self
    }
}

#[cfg(test)]
mod assertions {
    use super::{Pool, Pooled};
    use core::panic::{RefUnwindSafe, UnwindSafe};
    use static_assertions::{assert_eq_size, assert_impl_all, assert_not_impl_any};

    assert_eq_size!(Pooled<[u8; 4096]>, usize);
    assert_impl_all!(Pool<u64>: Send, Unpin);
    assert_not_impl_any!(Pool<u64>: Clone);
    assert_impl_all!(Pool<u64>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Pooled<u64>: UnwindSafe, RefUnwindSafe);
    assert_not_impl_any!(Pooled<&mut u64>: UnwindSafe);
    assert_not_impl_any!(Pooled<core::cell::Cell<u64>>: RefUnwindSafe);
    // As a `Box`: a cell may move to another thread but not be shared.
    assert_impl_all!(Pooled<u64>: Send, Sync, Unpin);
    assert_impl_all!(Pooled<core::cell::Cell<u64>>: Send);
    assert_not_impl_any!(Pooled<core::cell::Cell<u64>>: Sync);
    assert_not_impl_any!(Pooled<u64>: Clone);
    assert_not_impl_any!(Pool<alloc::rc::Rc<u64>>: Send);
    assert_not_impl_any!(Pooled<alloc::rc::Rc<u64>>: Send);
}
