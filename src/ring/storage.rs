//! A power of two of cells on the heap.

#[cfg(all(feature = "std", not(ringmail_loom)))]
use super::region::Region;
use super::slot::Slot;
use crate::error::BuildError;
#[cfg(feature = "lossy")]
use crate::sync::AtomicU64;
#[cfg(all(feature = "std", not(ringmail_loom)))]
use crate::sync::{Arc, share};
#[cfg(all(feature = "std", not(ringmail_loom)))]
use core::num::NonZero;
use core::ptr::NonNull;

#[cfg(not(ringmail_loom))]
use alloc::alloc::{Layout, alloc, dealloc};
#[cfg(ringmail_loom)]
use alloc::vec::Vec;

/// Cells straight from the allocator. Frees the memory, drops no cell.
#[cfg(not(ringmail_loom))]
pub(super) struct Storage<C> {
    first: NonNull<C>,
    len: usize,
    /// The region that the cells are a part of, if they are: then the region frees them.
    #[cfg(feature = "std")]
    region: Option<Arc<Region>>,
}

#[cfg(not(ringmail_loom))]
impl<C> Storage<C> {
    /// Memory for `len` cells, untouched.
    pub(super) fn allocate(len: usize) -> Result<Self, BuildError> {
        let too_large = BuildError::OutOfMemory { bytes: len.checked_mul(size_of::<C>()) };
        let layout = Self::layout(len).ok_or(too_large)?;
        if layout.size() == 0 {
            // Zero-sized values need a pointer, not memory.
            return Ok(Self::own(NonNull::dangling(), len));
        }
        // SAFETY: the size is not zero.
        let memory = unsafe { alloc(layout) };
        let first = NonNull::new(memory.cast::<C>()).ok_or(BuildError::OutOfMemory { bytes: Some(layout.size()) })?;
        Ok(Self::own(first, len))
    }

    fn own(first: NonNull<C>, len: usize) -> Self {
        Self {
            first,
            len,
            #[cfg(feature = "std")]
            region: None,
        }
    }

    pub(super) fn first(&self) -> NonNull<C> {
        self.first
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whole 128-byte rows, so that no neighbour of this allocation shares a line with a cell.
    fn layout(len: usize) -> Option<Layout> {
        let layout = Layout::array::<C>(len).ok()?;
        if layout.size() == 0 {
            return Some(layout);
        }
        Some(layout.align_to(128).ok()?.pad_to_align())
    }
}

#[cfg(not(ringmail_loom))]
impl<T> Storage<Slot<T>> {
    /// Untouched slots: the first thread that writes a page decides on which memory node it lies.
    pub(super) fn untouched(len: usize) -> Result<Self, BuildError> {
        // A slot may hold anything: `MaybeUninit`.
        Self::allocate(len)
    }
}

#[cfg(all(feature = "lossy", not(ringmail_loom)))]
impl Storage<AtomicU64> {
    /// Words of zero. They are written here: on a NUMA machine they lie where this is called.
    pub(super) fn zeroed_words(len: usize) -> Result<Self, BuildError> {
        let storage = Self::allocate(len)?;
        for i in 0..len {
            // SAFETY: inside the storage.
            let word = unsafe { storage.first.as_ptr().add(i) };
            // SAFETY: just allocated, valid for a write of this type, and no other thread knows of it.
            unsafe { word.write(AtomicU64::new(0)) };
        }
        Ok(storage)
    }
}

#[cfg(all(feature = "std", not(ringmail_loom)))]
impl<T> Storage<Slot<T>> {
    /// `rows` times `len` untouched slots, side by side in one reservation that starts at a page. The answer gives each row, and is to be called once
    /// for each.
    pub(super) fn rows(rows: usize, len: usize) -> Result<impl Fn(usize) -> Result<Self, BuildError>, BuildError> {
        let (Some(row), Some(total)) =
            (Self::layout(len), Self::layout(len).and_then(|row| row.size().checked_mul(rows)))
        else {
            return Err(BuildError::OutOfMemory { bytes: None });
        };
        let region = match NonZero::new(total) {
            Some(total) => Some(share(Region::reserve(total, row.align())?)?),
            // Values without size, or no rows.
            None => None,
        };
        Ok(move |i: usize| {
            let Some(region) = &region else { return Self::allocate(len) };
            assert!(i < rows, "a row that was reserved");
            // SAFETY: `i < rows`, and the region has `rows` times the size of a row.
            let first = unsafe { region.first.add(i * row.size()) };
            Ok(Self { first: first.cast(), len, region: Some(Arc::clone(region)) })
        })
    }

    /// The region that these slots are a part of.
    pub(super) fn region(&self) -> Option<&Region> {
        self.region.as_deref()
    }
}

#[cfg(not(ringmail_loom))]
impl<C> Drop for Storage<C> {
    fn drop(&mut self) {
        #[cfg(feature = "std")]
        if self.region.is_some() {
            return;
        }
        if let Some(layout) = Self::layout(self.len).filter(|l| l.size() != 0) {
            // SAFETY: `allocate` got this memory with the same layout.
            unsafe { dealloc(self.first.as_ptr().cast(), layout) };
        }
    }
}

/// Loom's cells must be made by `new` inside the model, and dropped.
#[cfg(ringmail_loom)]
pub(super) struct Storage<C>(Vec<C>);

#[cfg(ringmail_loom)]
impl<C> Storage<C> {
    pub(super) fn new(len: usize, fresh: impl Fn(usize) -> C) -> Result<Self, BuildError> {
        Ok(Self((0..len).map(fresh).collect()))
    }

    pub(super) fn first(&self) -> NonNull<C> {
        NonNull::from(&self.0[0])
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(all(feature = "lossy", ringmail_loom))]
impl Storage<AtomicU64> {
    pub(super) fn zeroed_words(len: usize) -> Result<Self, BuildError> {
        Self::new(len, |_| AtomicU64::new(0))
    }
}

#[cfg(ringmail_loom)]
impl<T> Storage<Slot<T>> {
    pub(super) fn untouched(len: usize) -> Result<Self, BuildError> {
        Self::new(len, |_| Slot::new())
    }
}
