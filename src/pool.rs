//! Buffers that travel by pointer through any channel, and go home to their owner when they are dropped, wherever that is.
//!
//! ```text
//!   Pool ── take ──► Pooled ──► any channel ──► another core ── drop ──┐
//!    ▲ free list, its own                                              │
//!    └───────────── one swap for all ◄── [ pile of what came back ] ◄──┘
//! ```
//!
//! A message that owns memory is freed where it is received: a free of another core's memory, which allocators make good with locks,
//! remote-free lists and memory that piles up on the wrong core. Here nothing is freed: a [`Pooled`] that is dropped is put on its owner's
//! pile, by whatever thread, and [`Pool::take`] hands it out again.
//!
//! ```
//! use ringmail::pool::{Pool, Pooled};
//! let mut pool = Pool::new(4, || [0u8; 1500])?;
//! let (mut tx, mut rx) = ringmail::spsc::channel::<Pooled<[u8; 1500]>>(4)?;
//! let receiver = std::thread::spawn(move || rx.iter().map(|packet| u64::from(packet[0])).sum::<u64>());
//! let mut sent = 0;
//! while sent < 100 {
//!     let Some(mut packet) = pool.take() else {
//!         std::thread::yield_now(); // all four are on their way
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
//! | holder of a [`Pooled`] | the buffer | its block: nobody else reaches it |
//! | whoever drops one | the block's link, then the top of the pile (Release) | a line of its own |
//! | the [`Pool`] | the top of the pile, empty or closed (Acquire); its free list | the free list is in the handle |
//!
//! **Why a pile and not a ring.** A return must not find its way home full, and any thread may drop a buffer. A link in the block itself
//! needs no room, no lane for each thread, and no handle that the buffer would have to carry. Taking all with one swap has no ABA problem.
//!
//! **Steps.** [`Pool::take`]: wait-free, one swap when the free list is empty and something came back. Dropping a [`Pooled`]: lock-free; it
//! repeats only when another buffer came home meanwhile. Nothing waits.
//!
//! **The owner goes first.** Buffers on their way stay valid. The pile is closed, and from then on each is freed by whoever drops it: only
//! then is memory freed on another core.
//!
//! **Memory.** Buffers are allocated one by one in [`Pool::new`], with two words each, and nothing after that. Call it on the owner's core.
//! Neighbours may share a cache line if `T` is smaller than one: use `crossbeam_utils::CachePadded<T>` then.
//!
//! **Limits.** A leaked `Pooled` (`mem::forget`) does not come home. Values are not reset between uses, and dropped when the pool ends. There
//! is no waiting for a buffer: one that comes back rings no event.
//!
//! Source of the idea: return-to-owner lists, as in Seastar's `foreign_ptr` and snmalloc's message passing.

use crate::error::BuildError;
use crate::lend::lend;
use crate::ring::backend::check;
use crate::room::room;
use crate::sync::order::mutant;
use crate::sync::stack::{Drained, HasOwner, Node, Stack};
use crate::sync::{Arc, share};
use alloc::boxed::Box;
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::panic::{RefUnwindSafe, UnwindSafe};
use crossbeam_utils::CachePadded;

/// The owner's side of a pool.
///
/// `Send`, and not `Sync` nor `Clone`: a pool has one owner at a time, whose free list takes no atomics.
pub struct Pool<T> {
    /// What is at home, as far as the owner has looked.
    free: Drained<Block<T>>,
    home: Home<T>,
    buffers: usize,
}

/// What came back and was not taken yet. Kept alive by each block.
struct Home<T>(Arc<CachePadded<Stack<Block<T>>>>);

/// One buffer, and where it belongs.
struct Block<T> {
    value: T,
    home: Home<T>,
}

impl<T> HasOwner for Block<T> {
    fn home(&self) -> &Stack<Self> {
        &self.home.0
    }
}

impl<T> Pool<T> {
    /// A pool of `buffers` values that `init` makes, one after the other. All memory is allocated here.
    ///
    /// # Errors
    /// No buffers, more than 2^30, or no memory for them. Those that were made by then are dropped.
    pub fn new(buffers: usize, init: impl FnMut() -> T) -> Result<Self, BuildError> {
        check(buffers)?;
        // Asked for together before any is touched: what the machine does not have is then an error, and not an end by its memory's.
        drop(room::<Node<Block<T>>>(buffers)?);
        let home = share(CachePadded::new(Stack::new()))?;
        lend(init, |init| Self::fill(buffers, home, init))
    }

    fn fill(
        buffers: usize,
        home: Arc<CachePadded<Stack<Block<T>>>>,
        init: &mut impl FnMut() -> T,
    ) -> Result<Self, BuildError> {
        let mut pool = Self { free: Drained::empty(), home: Home(home), buffers };
        for _ in 0..buffers {
            // Before the value: if there is no memory for it, none is made.
            let place = Node::place()?;
            let home = Home(Arc::clone(&pool.home.0));
            pool.free.put_node(place.fill(Block { value: init(), home }));
        }
        Ok(pool)
    }

    /// A buffer that nobody holds, as it was left; `None` if all are on their way.
    ///
    /// Meanwhile others may bring some back; nobody else takes any. `None` is never answered from an old look. Wait-free.
    #[inline]
    #[must_use = "dropping it puts it back"]
    pub fn take(&mut self) -> Option<Pooled<T>> {
        let block = match self.free.next_node() {
            Some(block) => block,
            None => self.take_returned()?,
        };
        Some(Pooled { block: Some(block) })
    }

    /// Takes what came back.
    fn take_returned(&mut self) -> Option<Box<Node<Block<T>>>> {
        if self.home.0.is_empty() {
            return None;
        }
        // The list is empty: nothing is dropped here.
        self.free = self.home.0.take_all();
        self.free.next_node()
    }

    /// Puts a buffer back, by the owner: cheaper than dropping it, as nobody else is told. One of another pool goes home to that.
    #[inline]
    pub fn put(&mut self, mut buffer: Pooled<T>) {
        if let Some(block) = buffer.block.take_if(|block| Arc::ptr_eq(&block.value.home.0, &self.home.0)) {
            self.free.put_node(block);
        }
    }

    /// Buffers of this pool, at home or not.
    pub fn capacity(&self) -> usize {
        self.buffers
    }
}

impl<T> Drop for Pool<T> {
    fn drop(&mut self) {
        // What comes back from now on is freed by whoever brings it: nobody would take it.
        let returned = if mutant!(ClosePool) { self.home.0.take_all() } else { self.home.0.close() };
        drop(returned);
    }
}

// Its lists are whole whatever panics. A buffer that a panic left half written comes home as it is, so as a `Box` of it would.
impl<T: UnwindSafe> UnwindSafe for Pool<T> {}
impl<T> RefUnwindSafe for Pool<T> {}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("capacity", &self.buffers).finish_non_exhaustive()
    }
}

/// A buffer of a [`Pool`], one pointer wide. Dropping it, on any thread, sends it home.
///
/// Nobody else reaches the value: it reads and writes like a `Box`. The drop is lock-free and frees nothing while the pool is there.
#[must_use = "dropping it sends it home"]
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
        // What comes back has no home any more.
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

#[cfg(not(ringmail_loom))]
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
