//! A ring in memory that another process maps too.
//!
//! Each side owns a page, which it maps for writing; the other side's it maps for reading only. The data pages belong to the
//! producer. Nothing in this memory is believed twice: the geometry comes from the caller, positions are checked where they are
//! read ([`Backend::SHARED`]), and messages are copied out before they are looked at.

#![allow(unsafe_code)]

use super::copy;
use crate::ring::backend::{Backend, Geometry};
use crate::ring::layout::{ConsumerBlock, Line, ProducerBlock};
use crate::ring::slot::Slot;
use crate::ring::spsc::{Consumer, Producer, Staging};
use crate::shm::peer::session::{self, Session};
use crate::sync::position::Position;
use crate::sync::{AtomicU64, Ordering};
use core::mem::{MaybeUninit, offset_of};
use core::ptr::NonNull;
use std::sync::Arc;
use zerocopy::{Immutable, IntoBytes, TryFromBytes};

/// The producer's page.
#[repr(C)]
pub(crate) struct ProducerPage {
    pub(crate) block: ProducerBlock,
    pub(crate) session: Session,
    /// Of a channel of records only.
    pub(crate) marks: Line<[Mark; 2]>,
}

/// The consumer's page. Its order is not the producer's: processors first compare the lower twelve bits of addresses, so with both positions at the
/// same place of their pages, a side's load of the other's position would wait for its own last store.
#[repr(C)]
pub(crate) struct ConsumerPage {
    pub(crate) session: Session,
    pub(crate) block: ConsumerBlock,
}

/// How many records there were at a position. The producer writes the two marks in turn, each before the position that it names. So the next
/// producer finds the mark of the published position, at every store where the last one may have ended.
#[repr(C)]
pub(crate) struct Mark {
    pub(crate) records: AtomicU64,
    pub(crate) tail: AtomicU64,
}

mod offsets {
    use super::*;

    const _: () = assert!(size_of::<Session>() == 2304);
    const _: () = assert!(offset_of!(Session, parked) == 128);
    const _: () = assert!(offset_of!(ProducerPage, session) == 256);
    const _: () = assert!(offset_of!(ProducerPage, marks) == 2560);
    const _: () = assert!(size_of::<ProducerPage>() == 2688);
    const _: () = assert!(offset_of!(ConsumerPage, block) == 2304);
    const _: () = assert!(size_of::<ConsumerPage>() == 2688);
}

/// A message as bytes, all of them initialised but perhaps no valid `T`; begins and ends at a word.
#[repr(C, align(8))]
pub(crate) struct MessageBytes<T>(MaybeUninit<T>);

impl<T: Copy> Clone for MessageBytes<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Copy> Copy for MessageBytes<T> {}

impl<T: IntoBytes> MessageBytes<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(MaybeUninit::new(value))
    }
}

/// Where a message is copied to before it is known to be valid. It stays there: each move would copy a large message again.
pub(crate) struct Unchecked<T> {
    bytes: copy::Aligned<T>,
    /// Whether the bytes are initialised and the message was not handed out.
    full: bool,
}

impl<T: TryFromBytes + Immutable> Unchecked<T> {
    #[inline(always)]
    pub(crate) fn nothing() -> Self {
        Self { bytes: copy::Aligned(MaybeUninit::uninit()), full: false }
    }

    /// Whether it is a message.
    #[inline(always)]
    pub(crate) fn is_message(&self) -> bool {
        if !self.full {
            return false;
        }
        let first = self.bytes.0.as_ptr().cast::<u8>();
        // SAFETY: all of them were initialised: `full`.
        let bytes = unsafe { core::slice::from_raw_parts(first, size_of::<T>()) };
        // Where they are, not in another copy. An array, as `zerocopy` knows its layout for every `T`.
        <[T; 1]>::try_ref_from_bytes(bytes).is_ok()
    }

    /// The message after `good`, or else what `bad` answers.
    #[inline(always)]
    pub(crate) fn validate_or<C, E>(
        &mut self,
        context: &mut C,
        good: impl FnOnce(&mut C),
        bad: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E> {
        if !self.is_message() {
            return bad(context);
        }
        good(context);
        self.full = false;
        // SAFETY: a valid `T`, as was just seen; `full` is false, so it is handed out once.
        Ok(unsafe { self.bytes.0.assume_init_read() })
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

impl<T, K> Mapped<MessageBytes<T>, K> {
    /// # Safety
    /// While `keep` lives the pages are mapped, each for writing on the side that owns it (the producer owns the slots) and for
    /// reading on the other, and the file cannot shrink. `slots` leads to `capacity`, rounded up to a power of two, of them, aligned
    /// for one. `capacity` is within the limits.
    pub(crate) unsafe fn new(
        producer: NonNull<ProducerPage>,
        consumer: NonNull<ConsumerPage>,
        slots: NonNull<Slot<MessageBytes<T>>>,
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
unsafe impl<T, K> Backend for Mapped<MessageBytes<T>, K> {
    type Item = MessageBytes<T>;

    const SHARED: bool = true;

    fn geometry(&self) -> Geometry<MessageBytes<T>> {
        Geometry { ..self.geometry }
    }

    fn is_here(&self) -> bool {
        self.pid == std::process::id()
    }

    #[inline(always)]
    fn producer_session(&self, geometry: &Geometry<MessageBytes<T>>) -> u64 {
        session_beside(geometry.producer, offset_of!(ProducerPage, block), offset_of!(ProducerPage, session))
    }

    #[inline(always)]
    fn consumer_session(&self, geometry: &Geometry<MessageBytes<T>>) -> u64 {
        session_beside(geometry.consumer, offset_of!(ConsumerPage, block), offset_of!(ConsumerPage, session))
    }

    #[inline(always)]
    fn observe(word: &AtomicU64, order: Ordering) -> u64 {
        session::observe(word, order)
    }

    #[inline(always)]
    unsafe fn put(slot: *const Slot<MessageBytes<T>>, value: MessageBytes<T>) {
        // SAFETY: the bytes of a `MessageBytes` are initialised, and the caller owns the slot.
        unsafe { copy::put(value.0.as_ptr(), slot.cast()) }
    }

    #[inline(always)]
    unsafe fn get(slot: *const Slot<MessageBytes<T>>) -> MessageBytes<T> {
        // SAFETY: the slot is mapped, and aligned as a `MessageBytes` is.
        MessageBytes(unsafe { copy::get(slot.cast()) })
    }
}

/// The session that has begun, of the page in which a block lies.
#[inline(always)]
fn session_beside<B>(block: NonNull<B>, block_at: usize, session_at: usize) -> u64 {
    let session = block.as_ptr().wrapping_byte_sub(block_at).wrapping_byte_add(session_at).cast::<Session>();
    // SAFETY: the block lies in such a page: see `Mapped::new`.
    unsafe { &*session }.begun.load(Ordering::Relaxed)
}

impl<T, K> Producer<Mapped<MessageBytes<T>, K>> {
    /// The consumer's session, and the word that it sleeps on. From the handle, not by way of the mapping: asked after each message.
    #[inline(always)]
    pub(crate) fn peer_session(&self) -> (&Session, &AtomicU64) {
        let page = self.peer_block().cast::<u8>().wrapping_sub(offset_of!(ConsumerPage, block)).cast::<ConsumerPage>();
        // SAFETY: the block lies in such a page: see `Mapped::new`.
        (unsafe { &(*page).session }, self.position_word())
    }
}

impl<T, K> Consumer<Mapped<MessageBytes<T>, K>> {
    /// As the producer's.
    #[inline(always)]
    pub(crate) fn peer_session(&self) -> (&Session, &AtomicU64) {
        let page = self.peer_block().cast::<u8>().wrapping_sub(offset_of!(ProducerPage, block)).cast::<ProducerPage>();
        // SAFETY: as there.
        (unsafe { &(*page).session }, self.position_word())
    }
}

impl<T: TryFromBytes + Immutable, K> Consumer<Mapped<MessageBytes<T>, K>> {
    /// As [`Consumer::take`], the bytes copied to where they are checked. Whether there were any.
    #[inline(always)]
    pub(crate) fn fetch(&mut self, to: &mut Unchecked<T>) -> bool {
        if !self.has_message() {
            return false;
        }
        // SAFETY: the slot is ours and full (I3), as was just seen; it is mapped, and aligned as a `MessageBytes` is.
        unsafe { copy::get_into(self.slot(self.position()).cast(), &mut to.bytes) };
        to.full = true;
        // SAFETY: the message that was just seen.
        unsafe { self.advance() };
        true
    }

    /// Copies the message `offset` places behind the next, which stays where it is. Whether one was seen there.
    #[inline(always)]
    pub(crate) fn copy(&self, offset: u64, to: &mut Unchecked<T>) -> bool {
        if offset >= self.seen() {
            return false;
        }
        // SAFETY: `head + offset < tail`: the slot is ours and full (I3); it is mapped, and aligned as a `MessageBytes` is.
        unsafe { copy::get_into(self.slot(self.position().plus(offset)).cast(), &mut to.bytes) };
        to.full = true;
        true
    }
}

impl<T: IntoBytes, K> Producer<Mapped<MessageBytes<T>, K>> {
    /// As [`Producer::push`], but without a copy on the way: the bytes go from `value` to the slot.
    #[inline(always)]
    pub(crate) fn push_message(&mut self, value: T) -> Result<(), T> {
        let Some(slot) = self.vacancy() else { return Err(value) };
        // SAFETY: all bytes of the value are initialised (`IntoBytes`), and the slot is vacant.
        self.fill(|| unsafe { copy::put(&raw const value, slot.cast()) });
        Ok(())
    }

    /// The same, whether there is a receiver or not.
    pub(crate) fn push_for_the_next(&mut self, value: T) -> Result<(), T> {
        let Some(slot) = self.vacancy_for_the_next() else { return Err(value) };
        // SAFETY: as above.
        self.fill(|| unsafe { copy::put(&raw const value, slot.cast()) });
        Ok(())
    }
}

impl<K> Producer<Mapped<MessageBytes<u64>, K>> {
    /// The bytes of the words of the reservation that are not staged, in order, as the two runs that they form. They hold what was sent in them
    /// before, or zeros.
    ///
    /// A peer that keeps to the protocol neither reads nor writes them: the consumer maps the slots for reading only, and reads those alone that
    /// were published (I3).
    pub(crate) fn vacant_bytes(&mut self, staging: &Staging) -> (&mut [u8], &mut [u8]) {
        let (first, second) = self.vacant_runs(staging);
        // SAFETY: the reserved and unpublished slots are this producer's alone (I2, I4) while `self` is borrowed, and no other reference leads to
        // them. They are mapped for writing on this side, and initialised as all of a file is; for bytes any content is valid, and any alignment.
        let first = unsafe { core::slice::from_raw_parts_mut(first.0.cast::<u8>(), first.1 * size_of::<u64>()) };
        // SAFETY: as above; the two runs are disjoint, as a reservation is at most the capacity.
        let second = unsafe { core::slice::from_raw_parts_mut(second.0.cast::<u8>(), second.1 * size_of::<u64>()) };
        (first, second)
    }

    /// Counts `n` more words as staged, at most those that are reserved, with the bytes that they hold.
    pub(crate) fn stage_bytes(&mut self, staging: &mut Staging, n: u64) {
        // SAFETY: all bytes of a file are initialised, and any are a word.
        unsafe { self.assume_staged(staging, n) };
    }
}

impl<K> Consumer<Mapped<MessageBytes<u64>, K>> {
    /// The bytes of the next `n` words in place, in order, as the two runs that they form; fewer if fewer were seen.
    ///
    /// # Safety
    /// While the answer lives, no process writes to words that were published and not freed. No process that runs this crate does: a producer
    /// writes to free slots alone (I2).
    pub(crate) unsafe fn in_place(&self, n: u64) -> (&[u8], &[u8]) {
        let (first, second) = self.runs(n);
        // SAFETY: mapped, and initialised as all of a file is; no process writes it, as the caller promises.
        let first = unsafe { core::slice::from_raw_parts(first.0.cast::<u8>(), first.1 * size_of::<u64>()) };
        // SAFETY: as above.
        let second = unsafe { core::slice::from_raw_parts(second.0.cast::<u8>(), second.1 * size_of::<u64>()) };
        (first, second)
    }
}
