//! A stamped ring in memory of this process.

use super::newest::TailBlock;
use super::words::stride;
use super::{MIN_CAPACITY, Memory, Reader, Words, Writer};
use crate::error::BuildError;
use crate::ring::backend::check;
use crate::ring::layout::Line;
use crate::ring::storage::Storage;
use crate::sync::{Arc, AtomicU64, share};
use core::ptr::NonNull;
use zerocopy::{Immutable, IntoBytes};

/// Shared by all handles of a channel.
pub(crate) struct Heap(Arc<Ring>);

struct Ring {
    slots: Storage<AtomicU64>,
    tail: TailBlock,
    /// Away from `tail`: readers that find nothing read it, and it is written once.
    end: Line<AtomicU64>,
    mask: u64,
    copies: bool,
}

// SAFETY: all words are atomics, and the storage frees its memory on any thread.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Clone for Heap {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Heap {
    fn new<T>(capacity: usize, copies: bool) -> Result<Self, BuildError> {
        check(capacity)?;
        let slots = capacity.next_power_of_two().max(MIN_CAPACITY);
        let len = slots.checked_mul(stride::<T>()).ok_or(BuildError::OutOfMemory { bytes: None })?;
        Ok(Self(share(Ring {
            slots: Storage::zeroed_words(len)?,
            tail: TailBlock::new(),
            end: Line(AtomicU64::new(0)),
            mask: slots as u64 - 1,
            copies,
        })?))
    }
}

// SAFETY: the pointers lead into the `Arc`'s block and into the storage, both of which stay where they are until the last `Heap` drops; all words are
// initialised when they are made, and only `Writer` writes them.
unsafe impl Memory for Heap {
    fn words(&self) -> Words {
        let ring = &*self.0;
        Words {
            slots: ring.slots.first(),
            tail: NonNull::from(&ring.tail),
            end: NonNull::from(&ring.end.0),
            copies: ring.copies,
            mask: ring.mask,
        }
    }
}

/// The writer and a reader of a ring.
pub(crate) type Ends<T> = (Writer<T, Heap>, Reader<T, Heap>);

/// A ring of `capacity` slots, rounded up to a power of two, its writer, and a reader at its begin. `copies`: whether short messages are copied beside `tail`.
///
/// # Errors
/// The capacity is out of range, or there is no memory.
pub(crate) fn pair<T: Copy + IntoBytes + Immutable>(capacity: usize, copies: bool) -> Result<Ends<T>, BuildError> {
    // SAFETY: the only writer of these words, which were made for slots of `T`. All bytes of a `T` are initialised (`IntoBytes`), none of them is
    // behind a cell (`Immutable`), and a copy is as good (`Copy`).
    let writer = unsafe { Writer::new(Heap::new::<T>(capacity, copies)?) };
    let reader = writer.reader();
    Ok((writer, reader))
}
