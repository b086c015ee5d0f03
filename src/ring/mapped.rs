//! A ring in memory that another process maps too.
//!
//! Each side owns a page, which it maps for writing; the other side's it maps for reading only. The data pages belong to the
//! producer. Nothing in this memory is believed twice: the geometry comes from the caller, positions are checked where they are
//! read ([`Backing::SHARED`]), and messages are copied out word by word before they are looked at.

use super::backing::{Backing, Geometry};
use super::cursor::Position;
use super::failpoint::point;
use super::layout::{ConsumerBlock, Line, ProducerBlock};
use super::session::{self, Session};
use super::slot::Slot;
use super::spsc::{Consumer, Producer};
use crate::sync::{AtomicU8, AtomicU64, Ordering};
use core::mem::{MaybeUninit, offset_of};
use core::ptr::NonNull;
use std::sync::Arc;
use zerocopy::{IntoBytes, TryFromBytes};

/// The producer's page.
#[repr(C)]
pub(crate) struct ProducerPage {
    pub(crate) block: ProducerBlock,
    pub(crate) session: Session,
    /// Of a channel of records only.
    pub(crate) marks: Line<[Mark; 2]>,
}

/// The consumer's page. Not in the producer's order: with both positions at the same place of their pages, a side's look at the other's would
/// wait for its own last store, as processors tell the two apart by the lower twelve bits of their addresses at first.
#[repr(C)]
pub(crate) struct ConsumerPage {
    pub(crate) session: Session,
    pub(crate) block: ConsumerBlock,
}

/// How many records there were at a position. The producer writes the two in turn, each before the position that it names: whoever
/// takes over finds the one of the position that was published, wherever the producer before ended.
#[repr(C)]
pub(crate) struct Mark {
    pub(crate) records: AtomicU64,
    pub(crate) tail: AtomicU64,
}

mod offsets {
    use super::*;
    use static_assertions::const_assert_eq;

    const_assert_eq!(size_of::<Session>(), 256);
    const_assert_eq!(offset_of!(Session, parked), 128);
    const_assert_eq!(offset_of!(ProducerPage, session), 256);
    const_assert_eq!(offset_of!(ProducerPage, marks), 512);
    const_assert_eq!(size_of::<ProducerPage>(), 640);
    const_assert_eq!(offset_of!(ConsumerPage, block), 256);
    const_assert_eq!(size_of::<ConsumerPage>(), 640);
}

/// A message as bytes, all of them initialised but perhaps no valid `T`; begins and ends at a word.
#[repr(C, align(8))]
pub(crate) struct Raw<T>(MaybeUninit<T>);

impl<T: Copy> Clone for Raw<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Copy> Copy for Raw<T> {}

const WORD: usize = size_of::<u64>();

impl<T: IntoBytes> Raw<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(MaybeUninit::new(value))
    }
}

impl<T: TryFromBytes> Raw<T> {
    /// The message, if the bytes are one.
    #[inline(always)]
    pub(crate) fn validate(self) -> Option<T> {
        let first = (&raw const self.0).cast::<u8>();
        // SAFETY: all bytes are initialised: a `Raw` is made of a value whose every byte is (`IntoBytes`) or filled by `Mapped::get`.
        let bytes = unsafe { core::slice::from_raw_parts(first, size_of::<T>()) };
        T::try_read_from_bytes(bytes).ok()
    }
}

/// A ring whose pages `keep` holds.
pub(crate) struct Mapped<T, K> {
    geometry: Geometry<T>,
    /// The process that mapped it: a child that was forked has none of it.
    pid: u32,
    _keep: Arc<K>,
}

// SAFETY: the pointers are to memory that `keep` holds; what is in it is atomic, or copied by the rules I2 and I3.
unsafe impl<T: Send, K: Send + Sync> Send for Mapped<T, K> {}

impl<T, K> Mapped<Raw<T>, K> {
    /// # Safety
    /// While `keep` lives the pages are mapped, each for writing on the side that owns it (the producer owns the slots) and for
    /// reading on the other, and the file cannot shrink. `slots` leads to `capacity`, rounded up to a power of two, of them, aligned
    /// for one. `capacity` is within the limits.
    pub(crate) unsafe fn new(
        producer: NonNull<ProducerPage>,
        consumer: NonNull<ConsumerPage>,
        slots: NonNull<Slot<Raw<T>>>,
        capacity: u64,
        keep: Arc<K>,
    ) -> Self {
        let geometry = Geometry {
            producer: producer.cast(),
            // SAFETY: inside the page.
            consumer: unsafe { consumer.cast::<ConsumerBlock>().byte_add(offset_of!(ConsumerPage, block)) },
            slots,
            capacity,
            mask: capacity.next_power_of_two() - 1,
            start: Position::new(0),
        };
        Self { geometry, pid: std::process::id(), _keep: keep }
    }
}

// SAFETY: as promised to `new`; `keep` is held, and the blocks are atomics, for which any content is valid.
unsafe impl<T, K> Backing for Mapped<Raw<T>, K> {
    type Item = Raw<T>;

    const SHARED: bool = true;

    fn geometry(&self) -> Geometry<Raw<T>> {
        Geometry { ..self.geometry }
    }

    fn is_here(&self) -> bool {
        self.pid == std::process::id()
    }

    #[inline(always)]
    fn observe(word: &AtomicU64, order: Ordering) -> u64 {
        session::observe(word, order)
    }

    #[inline(always)]
    unsafe fn put(slot: *const Slot<Raw<T>>, value: Raw<T>) {
        let (source, target) = ((&raw const value).cast::<u64>(), slot.cast::<AtomicU64>());
        for i in 0..const { size_of::<T>() / WORD } {
            // SAFETY: `i` is a whole word of the message, aligned as a `Raw` is; its bytes are initialised.
            let word = unsafe { source.wrapping_add(i).read() };
            // SAFETY: the same word of the slot.
            let target = unsafe { &*target.wrapping_add(i) };
            point!();
            target.store(word, Ordering::Relaxed);
        }
        let (source, target) = (source.cast::<u8>(), target.cast::<AtomicU8>());
        for i in const { size_of::<T>() / WORD * WORD }..size_of::<T>() {
            // SAFETY: inside the message.
            let byte = unsafe { source.wrapping_add(i).read() };
            // SAFETY: inside the slot.
            let target = unsafe { &*target.wrapping_add(i) };
            point!();
            target.store(byte, Ordering::Relaxed);
        }
        point!();
    }

    #[inline(always)]
    unsafe fn get(slot: *const Slot<Raw<T>>) -> Raw<T> {
        let mut value = Raw(MaybeUninit::uninit());
        let (source, target) = (slot.cast::<AtomicU64>(), (&raw mut value).cast::<u64>());
        for i in 0..const { size_of::<T>() / WORD } {
            // SAFETY: `i` is a whole word of the slot.
            let word = unsafe { &*source.wrapping_add(i) }.load(Ordering::Relaxed);
            // SAFETY: the same word of our own variable.
            unsafe { target.wrapping_add(i).write(word) };
        }
        let (source, target) = (source.cast::<AtomicU8>(), target.cast::<u8>());
        for i in const { size_of::<T>() / WORD * WORD }..size_of::<T>() {
            // SAFETY: inside the slot.
            let byte = unsafe { &*source.wrapping_add(i) }.load(Ordering::Relaxed);
            // SAFETY: inside our own variable.
            unsafe { target.wrapping_add(i).write(byte) };
        }
        value
    }
}

impl<T, K> Producer<Mapped<Raw<T>, K>> {
    /// The consumer's session, and the word that it sleeps on. From the handle, not by way of the mapping: asked after each message.
    #[inline(always)]
    pub(crate) fn peer_session(&self) -> (&Session, &AtomicU64) {
        let page = self.peer_block().cast::<u8>().wrapping_sub(offset_of!(ConsumerPage, block)).cast::<ConsumerPage>();
        // SAFETY: the block lies in such a page: see `Mapped::new`.
        (unsafe { &(*page).session }, self.position_word())
    }
}

impl<T, K> Consumer<Mapped<Raw<T>, K>> {
    /// As the producer's.
    #[inline(always)]
    pub(crate) fn peer_session(&self) -> (&Session, &AtomicU64) {
        let page = self.peer_block().cast::<u8>().wrapping_sub(offset_of!(ProducerPage, block)).cast::<ProducerPage>();
        // SAFETY: as there.
        (unsafe { &(*page).session }, self.position_word())
    }
}

impl<T: IntoBytes, K> Producer<Mapped<Raw<T>, K>> {
    /// As [`Producer::push`].
    #[inline(always)]
    pub(crate) fn push_message(&mut self, value: T) -> Result<(), T> {
        self.push(Raw(MaybeUninit::new(value))).map_err(|Raw(value)| {
            // SAFETY: the value of the line above; it never left this thread's memory.
            unsafe { value.assume_init() }
        })
    }
}
