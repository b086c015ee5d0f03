//! A ring in memory that another process maps too.
//!
//! Each side owns a page and writes to it alone; the data pages belong to the producer ([`Map`](crate::shm::segment::map::Map) says how each side maps
//! the other's). Nothing in this memory is believed twice: the geometry comes from the caller, positions are checked where they are read
//! ([`Backend::SHARED`]), and messages are copied out before they are looked at.

#![allow(unsafe_code)]

use super::copy;
use crate::ring::backend::{Backend, Geometry};
use crate::ring::layout::{ConsumerBlock, Line, ProducerBlock};
use crate::ring::slot::Slot;
use crate::ring::spsc::{Consumer, Producer, Staging};
use crate::shm::peer::session::{self, Session};
use crate::sync::failpoint::point;
use crate::sync::order::order;
use crate::sync::position::Position;
use crate::sync::{AtomicU64, Ordering};
use core::mem::{MaybeUninit, offset_of};
use core::ptr::NonNull;
use std::sync::Arc;
use zerocopy::{FromBytes, Immutable, IntoBytes, TryFromBytes};

/// The producer's page.
#[repr(C)]
pub(crate) struct ProducerPage {
    pub(crate) block: ProducerBlock,
    pub(crate) session: Session,
    /// Of a channel of records only.
    pub(crate) marks: Line<[Mark; 2]>,
    /// Of a fan-out only: how many workers the sender has found gone, with messages in their lanes. The same in each lane.
    pub(crate) departed: Line<AtomicU64>,
}

/// The consumer's page. Its order is not the producer's: processors first compare the lower twelve bits of addresses, so with both positions at the
/// same place of their pages, a side's load of the other's position would wait for its own last store.
#[repr(C)]
pub(crate) struct ConsumerPage {
    pub(crate) session: Session,
    pub(crate) block: ConsumerBlock,
}

impl ConsumerPage {
    /// One in memory of this process, of a consumer that was never there.
    pub(crate) fn unused() -> Box<Self> {
        // SAFETY: all of it is atomics, for which any bytes are valid.
        Box::new(unsafe { MaybeUninit::zeroed().assume_init() })
    }
}

/// The page of a broadcast's receiver.
#[repr(C)]
pub(crate) struct SeatPage {
    pub(crate) consumer: ConsumerPage,
    pub(crate) name: SeatName,
}

/// The page of a fan-out's worker.
#[repr(C)]
pub(crate) struct WorkerPage {
    pub(crate) consumer: ConsumerPage,
    /// How many messages the worker had received when it found no more. A hint.
    pub(crate) idle: Line<AtomicU64>,
    /// Changes when the worker has left, or the lane is empty for good. The other workers sleep on it.
    pub(crate) news: Line<AtomicU64>,
}

/// Whether a seat stays when its receiver goes, and whose it is. The holder of the seat's lock writes it.
#[repr(C, align(128))]
pub(crate) struct SeatName {
    /// Bytes of the name; 0 if the seat is not reserved.
    pub(crate) reserved: AtomicU64,
    bytes: [AtomicU64; SeatName::MOST / 8],
}

impl SeatName {
    /// Most bytes of a name.
    pub(crate) const MOST: usize = 104;

    /// Whether the seat is reserved.
    pub(crate) fn is_reserved(&self) -> bool {
        self.reserved.load(Ordering::Relaxed) != 0
    }

    /// Frees the seat. By its holder.
    pub(crate) fn clear(&self) {
        self.reserved.store(0, Ordering::Relaxed);
    }

    /// Reserves the seat. By its holder.
    pub(crate) fn write(&self, name: &str) {
        for (word, chunk) in self.bytes.iter().zip(name.as_bytes().chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
        }
        point!();
        // As the session's `epoch`: a sender that sees it sees where the receiver begins.
        self.reserved.store(name.len() as u64, order!(begin_session));
        point!();
    }

    /// The name, if the seat is reserved. Only who has the lock of names acts on it: for others its holder may write it meanwhile.
    pub(crate) fn read(&self) -> Option<String> {
        let len = self.reserved.load(Ordering::Relaxed) as usize;
        let bytes: Vec<u8> = self.bytes.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
        (len != 0).then(|| String::from_utf8_lossy(&bytes[..len.min(Self::MOST)]).into_owned())
    }
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
    const _: () = assert!(offset_of!(ProducerPage, departed) == 2688);
    const _: () = assert!(size_of::<ProducerPage>() == 2816);
    const _: () = assert!(offset_of!(ConsumerPage, block) == 2304);
    const _: () = assert!(size_of::<ConsumerPage>() == 2688);
    const _: () = assert!(offset_of!(SeatPage, name) == 2688);
    const _: () = assert!(size_of::<SeatPage>() == 2816);
    const _: () = assert!(offset_of!(WorkerPage, idle) == 2688);
    const _: () = assert!(offset_of!(WorkerPage, news) == 2816);
    const _: () = assert!(size_of::<WorkerPage>() == 2944);
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

/// What became of a copy; without a message the place for it comes back.
pub(crate) enum Fetched<'a, T> {
    /// There is none.
    Nothing(&'a mut MaybeUninit<T>),
    /// What is there is no message. It stays there.
    NoMessage(&'a mut MaybeUninit<T>),
    /// It is.
    Message(Received<'a, T>),
}

/// A message in memory of this process that was found to be one. Only [`check`] makes it, once for each copy of a message.
pub(crate) struct Received<'a, T>(&'a mut MaybeUninit<T>);

impl<'a, T> Received<'a, T> {
    /// The message.
    #[inline(always)]
    pub(crate) fn into_inner(self) -> T {
        // SAFETY: a valid `T`, as was seen; `self` goes, so it is handed out once.
        unsafe { self.0.assume_init_read() }
    }

    /// The message where it is.
    #[inline(always)]
    pub(crate) fn into_mut(self) -> &'a mut T {
        // SAFETY: a valid `T`, as was seen.
        unsafe { self.0.assume_init_mut() }
    }
}

/// Whether what is in `place` is a message.
///
/// # Safety
/// All bytes are initialised, and no process changes them during the call.
#[inline(always)]
pub(crate) unsafe fn is_message<T: TryFromBytes + Immutable>(place: *const T) -> bool {
    // SAFETY: as the caller promises.
    let bytes = unsafe { core::slice::from_raw_parts(place.cast::<u8>(), size_of::<T>()) };
    // Where they are, not in another copy. An array, as `zerocopy` knows its layout for every `T`.
    <[T; 1]>::try_ref_from_bytes(bytes).is_ok()
}

/// Tells whether the copy in `place` is a message.
///
/// # Safety
/// All its bytes are initialised.
#[inline(always)]
unsafe fn check<T: TryFromBytes + Immutable>(place: &mut MaybeUninit<T>) -> Fetched<'_, T> {
    // SAFETY: as the caller promises; `place` is lent to this function alone.
    if unsafe { is_message(place.as_ptr()) } { Fetched::Message(Received(place)) } else { Fetched::NoMessage(place) }
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
    /// Copies the next message to `place`, checks it there, and takes it; its place in the ring stays occupied.
    #[inline(always)]
    pub(crate) fn fetch<'a>(&mut self, place: &'a mut MaybeUninit<T>) -> Fetched<'a, T> {
        if !self.has_message() {
            return Fetched::Nothing(place);
        }
        // SAFETY: the slot is ours and full (I3), as was just seen; it is mapped, and aligned as a `MessageBytes` is.
        unsafe { copy::get_into(self.slot(self.position()).cast(), place) };
        // SAFETY: just initialised.
        let fetched = unsafe { check(place) };
        if let Fetched::Message(_) = fetched {
            // SAFETY: the message that was just seen.
            unsafe { self.advance() };
        }
        fetched
    }

    /// As [`Consumer::fetch`], to the end of `buffer`. Whether it was a message.
    #[inline(always)]
    pub(crate) fn fetch_onto(&mut self, buffer: &mut Vec<T>) -> bool {
        // May panic; nothing has moved yet.
        buffer.reserve(1);
        let fetched = matches!(self.fetch(&mut buffer.spare_capacity_mut()[0]), Fetched::Message(_));
        if fetched {
            // SAFETY: the place behind the last has just got a valid `T`.
            unsafe { buffer.set_len(buffer.len() + 1) };
        }
        fetched
    }

    /// As [`Consumer::fetch`], the message `offset` places behind the next; it stays where it is. Nothing also if it was not seen.
    #[inline(always)]
    pub(crate) fn copy<'a>(&self, offset: u64, place: &'a mut MaybeUninit<T>) -> Fetched<'a, T> {
        if offset >= self.seen() {
            return Fetched::Nothing(place);
        }
        // SAFETY: `head + offset < tail`: the slot is ours and full (I3); it is mapped, and aligned as a `MessageBytes` is.
        unsafe { copy::get_into(self.slot(self.position().plus(offset)).cast(), place) };
        // SAFETY: just initialised.
        unsafe { check(place) }
    }

    /// The next message in place, if one was seen; `Err` if what is there is none.
    ///
    /// # Safety
    /// While the answer lives, no process writes to a message that was published and not freed. No process that runs this crate does: a producer
    /// writes to free slots alone (I2).
    #[inline(always)]
    pub(crate) unsafe fn front_in_place(&self) -> Option<Result<&T, ()>> {
        if self.seen() == 0 {
            return None;
        }
        let message = self.slot(self.position()).cast::<T>();
        // SAFETY: mapped, and initialised as all of a file is; no process writes it, as the caller promises.
        if !unsafe { is_message(message) } {
            return Some(Err(()));
        }
        // SAFETY: a valid `T`, as was just seen; aligned, as a `MessageBytes` begins with its message; and not written meanwhile.
        Some(Ok(unsafe { &*message }))
    }
}

impl<T: IntoBytes, K> Producer<Mapped<MessageBytes<T>, K>> {
    /// Copies `value` to the slot of the next message and publishes it. Whether there was room and a receiver.
    #[inline(always)]
    pub(crate) fn push_message(&mut self, value: &T) -> bool {
        let Some(slot) = self.vacancy() else { return false };
        // SAFETY: all bytes of the value are initialised (`IntoBytes`), and the slot is vacant.
        self.fill(|| unsafe { copy::put(value, slot.cast()) });
        true
    }

    /// The same, whether there is a receiver or not.
    #[inline(always)]
    pub(crate) fn push_for_the_next(&mut self, value: &T) -> bool {
        let Some(slot) = self.vacancy_for_the_next() else { return false };
        // SAFETY: as above.
        self.fill(|| unsafe { copy::put(value, slot.cast()) });
        true
    }

    /// Copies values until the slice or the reservation ends. Returns how many.
    #[inline(always)]
    pub(crate) fn stage_from(&mut self, staging: &mut Staging, values: &[T]) -> usize {
        let (first, second) = self.vacant_runs(staging);
        let mut staged = 0;
        for (slots, room) in [first, second] {
            let run = &values[staged..values.len().min(staged + room)];
            for (i, value) in run.iter().enumerate() {
                // SAFETY: all bytes of the value are initialised (`IntoBytes`). The slot is one of the `room` reserved ones from `slots` on, ours and
                // empty (I2); it is mapped, and aligned as a `MessageBytes` is.
                unsafe { copy::put(value, slots.wrapping_add(i).cast()) };
            }
            staged += run.len();
        }
        // SAFETY: so many were just written.
        unsafe { self.assume_staged(staging, staged as u64) };
        staged
    }
}

impl<T: FromBytes + IntoBytes, K> Producer<Mapped<MessageBytes<T>, K>> {
    /// Has `write` fill the slot of the next message, whether there is a receiver or not, and publishes it; gives `write` back if there is no room. The
    /// slot holds what was sent in it before, or zeros. If `write` panics, nothing is published.
    ///
    /// A peer that keeps to the protocol neither reads nor writes the slot meanwhile: see [`Producer::vacant_bytes`].
    #[inline(always)]
    pub(crate) fn push_with<F: FnOnce(&mut T)>(&mut self, write: F) -> Result<(), F> {
        let Some(slot) = self.vacancy_for_the_next() else { return Err(write) };
        // SAFETY: the vacant slot is this producer's alone (I2, I4), and no other reference leads to it. It is mapped for writing on this side,
        // aligned as a `MessageBytes` is, which begins with its message, and initialised as all of a file is; any bytes are a `T` (`FromBytes`).
        let message = unsafe { &mut *slot.cast::<T>().cast_mut() };
        self.fill(|| write(message));
        Ok(())
    }
}

impl<K> Producer<Mapped<MessageBytes<u64>, K>> {
    /// The bytes of the words of the reservation that are not staged, in order, as the two runs that they form. They hold what was sent in them
    /// before, or zeros.
    ///
    /// A peer that keeps to the protocol neither reads nor writes them: the consumer writes to no slot, and reads those alone that were
    /// published (I3).
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
