//! A counted reference whose making can fail: that of `std` ends the process where there is no memory.
//!
//! ```text
//!   Arc ──► ┌───────┬───────┐ ◄── Arc
//!           │ count │ value │          the last one to go drops the value and frees both
//!           └───────┴───────┘
//! ```
//!
//! **Orders.** Each owner gives up its share with Release, and the last one loads the count again with Acquire: what any owner did with the
//! value is ordered before the drop. A count of one, seen with Acquire, makes its owner the only one: no other thread can add a share.
//!
//! The count has 64 bits: shares that a program leaks cannot overflow it in practice.
//!
//! Source of the idea: `std::sync::Arc`, without weak references.

#![allow(unsafe_code)]
// Under loom the channels use loom's own, and the models of another crate use this one.
#![cfg_attr(not(ringmail_loom), allow(unreachable_pub))]
#![cfg_attr(ringmail_loom, allow(missing_debug_implementations))]

use super::order::order;
use crate::error::BuildError;
use crate::sync::{AtomicU64, Ordering};
#[cfg(feature = "std")]
use alloc::alloc::handle_alloc_error;
use alloc::alloc::{Layout, alloc};
use alloc::boxed::Box;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

/// One of the owners of a value.
pub struct Arc<T> {
    shared: NonNull<Shared<T>>,
    owns: PhantomData<Shared<T>>,
}

struct Shared<T> {
    count: AtomicU64,
    value: T,
}

// SAFETY: an owner on another thread shares the value with this one (`Sync`), and may be the one to drop it (`Send`).
unsafe impl<T: Send + Sync> Send for Arc<T> {}
// SAFETY: as above: a shared `Arc` can be cloned.
unsafe impl<T: Send + Sync> Sync for Arc<T> {}

impl<T> Arc<T> {
    /// The first owner of `value`.
    ///
    /// # Errors
    /// No memory. The value is dropped.
    pub fn try_new(value: T) -> Result<Self, BuildError> {
        let layout = Layout::new::<Shared<T>>();
        // SAFETY: the count has a size.
        let memory = unsafe { alloc(layout) };
        let shared = NonNull::new(memory.cast::<Shared<T>>());
        let shared = shared.ok_or(BuildError::OutOfMemory { bytes: Some(layout.size()) })?;
        // SAFETY: just allocated with this layout, and no other thread knows of it.
        unsafe { shared.write(Shared { count: AtomicU64::new(1), value }) };
        Ok(Self { shared, owns: PhantomData })
    }

    /// As `std` makes it: without memory the process ends.
    #[cfg(feature = "std")]
    #[cfg_attr(ringmail_loom, allow(dead_code))]
    pub fn new(value: T) -> Self {
        Self::try_new(value).unwrap_or_else(|_| handle_alloc_error(Layout::new::<Shared<T>>()))
    }

    #[inline(always)]
    fn shared(&self) -> &Shared<T> {
        // SAFETY: it lives as long as it has an owner.
        unsafe { self.shared.as_ref() }
    }

    /// The value, for its only owner.
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        if this.shared().count.load(order!(sole_share)) != 1 {
            return None;
        }
        // SAFETY: this is the only owner, which stays so while it is borrowed, and the others gave up their shares before.
        Some(unsafe { &mut this.shared.as_mut().value })
    }

    /// Whether both own the same value.
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        this.shared == other.shared
    }

    /// Where the value is.
    #[cfg(feature = "std")]
    pub fn as_ptr(this: &Self) -> *const T {
        &raw const this.shared().value
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        // Carries nothing: what the new owner may see, its maker has seen.
        self.shared().count.fetch_add(1, Ordering::Relaxed);
        Self { shared: self.shared, owns: PhantomData }
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: it lives as long as it has an owner.
        unsafe { &self.shared.as_ref().value }
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        if self.shared().count.fetch_sub(1, order!(give_up_share)) != 1 {
            return;
        }
        // A load and not a fence, which ThreadSanitizer does not see. It reads what the `fetch_sub` above has written.
        self.shared().count.load(order!(take_last_share));
        // SAFETY: `try_new` allocated it as a `Box` does, and it has no other owner any more. If the value's drop panics, the memory is
        // freed all the same.
        drop(unsafe { Box::from_raw(self.shared.as_ptr()) });
    }
}

#[cfg(all(feature = "std", not(ringmail_loom)))]
pub(crate) use wake::Wakes;

#[cfg(all(feature = "std", not(ringmail_loom)))]
mod wake {
    use super::{Arc, PhantomData, Shared};
    use core::mem::ManuallyDrop;
    use core::ptr::NonNull;
    use core::task::{RawWaker, RawWakerVTable, Waker};

    /// What a waker wakes.
    pub(crate) trait Wakes: Send + Sync + 'static {
        fn wake(&self);
    }

    impl<W: Wakes> Arc<W> {
        /// A waker of the value, which owns this share.
        pub(crate) fn into_waker(this: Self) -> Waker {
            let this = ManuallyDrop::new(this);
            // SAFETY: the functions of the table take what `raw` made, which holds a share until `wake` or `drop`; the value may be used and
            // dropped on any thread.
            unsafe { Waker::from_raw(raw(&this)) }
        }

        const VTABLE: &'static RawWakerVTable =
            &RawWakerVTable::new(clone::<W>, wake::<W>, wake_by_ref::<W>, drop_share::<W>);
    }

    fn raw<W: Wakes>(share: &Arc<W>) -> RawWaker {
        RawWaker::new(share.shared.as_ptr().cast_const().cast(), Arc::<W>::VTABLE)
    }

    /// The share that `raw` made the pointer of, without taking it.
    ///
    /// # Safety
    /// `raw` made it of a share that is not given up before the answer is.
    unsafe fn share<W>(data: *const ()) -> ManuallyDrop<Arc<W>> {
        // SAFETY: a share's pointer is not null.
        let shared = unsafe { NonNull::new_unchecked(data.cast::<Shared<W>>().cast_mut()) };
        ManuallyDrop::new(Arc { shared, owns: PhantomData })
    }

    unsafe fn clone<W: Wakes>(data: *const ()) -> RawWaker {
        // SAFETY: the waker that is cloned holds it.
        let share = unsafe { share::<W>(data) };
        raw(&ManuallyDrop::new(Arc::clone(&share)))
    }

    unsafe fn wake<W: Wakes>(data: *const ()) {
        // SAFETY: the waker that is consumed held it.
        let share = ManuallyDrop::into_inner(unsafe { share::<W>(data) });
        share.wake();
    }

    unsafe fn wake_by_ref<W: Wakes>(data: *const ()) {
        // SAFETY: the waker holds it.
        let share = unsafe { share::<W>(data) };
        share.wake();
    }

    unsafe fn drop_share<W: Wakes>(data: *const ()) {
        // SAFETY: the waker that is dropped held it.
        drop(ManuallyDrop::into_inner(unsafe { share::<W>(data) }));
    }
}
