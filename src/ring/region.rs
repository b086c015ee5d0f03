//! One piece of memory for the slots of many rings.

use crate::error::BuildError;
use alloc::alloc::{Layout, alloc, dealloc};
use core::num::NonZero;
use core::ptr::NonNull;

/// Memory straight from the allocator, from a page's start to a page's end, that several storages share.
pub(super) struct Region {
    pub(super) first: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it only frees the memory, and asks the kernel to make it present; what lies in it belongs to the storages.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Memory for `size` bytes, at least one, untouched.
    pub(super) fn reserve(size: NonZero<usize>, align: usize) -> Result<Self, BuildError> {
        let size = size.get();
        let page = page_size().max(align);
        let layout = Layout::from_size_align(size, page).ok().map(|layout| layout.pad_to_align());
        let layout = layout.ok_or(BuildError::OutOfMemory { bytes: Some(size) })?;
        // SAFETY: the size is not zero, and padding adds to it.
        let memory = unsafe { alloc(layout) };
        let first = NonNull::new(memory).ok_or(BuildError::OutOfMemory { bytes: Some(size) })?;
        Ok(Self { first, layout })
    }

    /// Has the kernel make every page present, near this thread's core, without a change to what lies there. Whether it did.
    pub(super) fn prefault(&self) -> bool {
        #[cfg(target_os = "linux")]
        {
            use rustix::mm::{Advice, madvise};
            let (start, size) = (self.first.as_ptr().cast(), self.layout.size());
            // SAFETY: these pages are this region's alone, and populating them does not change what they hold.
            unsafe { madvise(start, size, Advice::LinuxPopulateWrite) }.is_ok()
        }
        #[cfg(not(target_os = "linux"))]
        false
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: `reserve` got this memory with the same layout.
        unsafe { dealloc(self.first.as_ptr(), self.layout) };
    }
}

fn page_size() -> usize {
    #[cfg(target_os = "linux")]
    return rustix::param::page_size();
    #[cfg(not(target_os = "linux"))]
    4096
}
