//! Mappings of a segment's pages: which no safe library offers one by one.

#![allow(unsafe_code)]

use super::layout::Layout;
use crate::shm::peer::Role;
use crate::shm::ring::mapped::{ConsumerPage, ProducerPage, SeatPage, WorkerPage};
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use memmap2::{Advice, MmapOptions, MmapRaw};
use std::fs::File;
use std::io;

/// A lane of a segment in this process's address space. A sender maps its page and the data for writing, the receiver's page for reading. A receiver
/// maps all of it for writing, unless it was asked to map what the sender writes for reading only; it writes to its own page alone.
///
/// The processor tells the two apart: what is read through a page that may not be written, its cache gets shared, and the other side's next store
/// to the line has to take that back first. Through a page that may be written the line moves as a whole. (`ipc --suite rtt-8`, `ringmail-shm-protected` beside `ringmail-shm`: 1.36 times as
/// long. The page and the data both count; how a sender maps the receiver's page makes no difference.)
pub(crate) struct Map {
    parts: ManuallyDrop<Parts>,
    lane: u32,
    /// Receivers' pages that are mapped.
    seats: u32,
    page: usize,
    pid: u32,
}

struct Parts {
    producer: MmapRaw,
    consumer: MmapRaw,
    data: MmapRaw,
    /// Behind each of them.
    #[cfg(any(fuzzing, ringmail_guard_pages))]
    _guards: Vec<guard::Guard>,
}

impl Drop for Map {
    fn drop(&mut self) {
        // A forked child does not have these pages; others may lie there by now.
        if self.pid == std::process::id() {
            // SAFETY: once, here.
            unsafe { ManuallyDrop::drop(&mut self.parts) };
        }
    }
}

/// Of `linux/mman-common.h`; `libc` has it for one C library only.
const MADV_COLLAPSE: libc::c_int = 25;

/// What is to be done about a segment's pages when it is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Pages {
    /// Map all of them now, so that no access has to.
    pub(crate) prefault: bool,
    /// Map the data by large ones if the kernel has them.
    pub(crate) huge: bool,
    /// Map what the other side writes for reading only, also as a receiver.
    pub(crate) protect: bool,
}

impl Pages {
    /// Asks the kernel; what it does not do costs time later, and nothing else.
    fn prepare(self, map: &MmapRaw, is_data: bool, writes: bool) {
        if self.huge && is_data {
            let _ = map.advise(Advice::HugePage);
            // The file has its pages already: large ones take their place now (Linux 6.1), or when the kernel comes to it.
            // SAFETY: a mapping of our own; what is in it stays.
            unsafe { libc::madvise(map.as_mut_ptr().cast(), map.len(), MADV_COLLAPSE) };
        }
        if self.prefault {
            // Of a file on a disk, `MAP_POPULATE` leaves the first store to each page to be noticed.
            let _ = map.advise(if writes { Advice::PopulateWrite } else { Advice::PopulateRead });
        }
    }
}

impl Map {
    /// `role`: whose pages may be written; none for an onlooker.
    pub(crate) fn new(file: &File, layout: &Layout, lane: u32, role: Option<Role>, pages: Pages) -> io::Result<Self> {
        // A broadcast's receiver has nothing to do with the others.
        let all = layout.kind.is_broadcast() && role != Some(Role::Receiver);
        let [start, receivers, messages] = layout.parts(if all { 0 } else { lane });
        let seats = if all { layout.lanes } else { 1 };
        #[cfg(any(fuzzing, ringmail_guard_pages))]
        let guards = core::cell::RefCell::new(Vec::new());
        // `writable`: for the processor's sake; `writes`: whether this side will.
        let part = |offset: u64, len: u64, writes: bool, writable: bool| -> io::Result<MmapRaw> {
            let mut options = MmapOptions::new();
            // `segment` has checked that it fits.
            options.offset(offset).len(len as usize);
            if pages.prefault {
                options.populate();
            }
            let map = || if writable { options.map_raw(file) } else { options.map_raw_read_only(file) };
            #[cfg(not(any(fuzzing, ringmail_guard_pages)))]
            let map = map()?;
            #[cfg(any(fuzzing, ringmail_guard_pages))]
            let map = guard::behind(map, layout.page as usize, &mut guards.borrow_mut())?;
            // A child does not get it: it could only do harm with it.
            map.advise(Advice::DontFork)?;
            pages.prepare(&map, offset == messages, writes);
            Ok(map)
        };
        let (sends, receives) = (role == Some(Role::Sender), role == Some(Role::Receiver));
        let theirs = sends || (receives && !pages.protect);
        let parts = Parts {
            producer: part(start, layout.page, sends, theirs)?,
            consumer: part(receivers, u64::from(seats) * layout.page, receives, receives)?,
            data: part(messages, layout.data, sends, theirs)?,
            #[cfg(any(fuzzing, ringmail_guard_pages))]
            _guards: guards.take(),
        };
        Ok(Self { parts: ManuallyDrop::new(parts), lane, seats, page: layout.page as usize, pid: std::process::id() })
    }

    /// Where the pages of the sender, of the receiver and of the data begin.
    pub(crate) fn starts(&self) -> [NonNull<u8>; 3] {
        let start = |map: &MmapRaw| NonNull::new(map.as_mut_ptr()).unwrap_or(NonNull::dangling());
        [&self.parts.producer, &self.parts.consumer, &self.parts.data].map(start)
    }

    pub(crate) fn lane(&self) -> u32 {
        self.lane
    }

    pub(crate) fn producer(&self) -> &ProducerPage {
        // SAFETY: a page is mapped, which is larger and aligned for more; all of it is atomics, for which any bytes are valid,
        // and the file cannot shrink under a peer that keeps the rules (`shm`, "Trust").
        unsafe { &*self.parts.producer.as_ptr().cast() }
    }

    pub(crate) fn consumer(&self) -> &ConsumerPage {
        // SAFETY: as for `producer`.
        unsafe { &*self.parts.consumer.as_ptr().cast() }
    }
}

/// Of a fan-out.
impl Map {
    /// The page of a lane's worker.
    pub(crate) fn worker(&self) -> &WorkerPage {
        // SAFETY: as for `producer`.
        unsafe { &*self.parts.consumer.as_ptr().cast() }
    }
}

/// Of a broadcast.
impl Map {
    /// Seats whose pages are mapped: of a receiver its own alone.
    pub(crate) fn seats(&self) -> u32 {
        self.seats
    }

    /// Whether the seat of the receiver's page that is mapped, or of the first, is one that no position is kept for.
    pub(crate) fn consumer_is_free(&self) -> bool {
        !self.seat(0).name.is_reserved()
    }

    /// The page of a seat; of a receiver its own, for 0.
    ///
    /// # Panics
    /// It is not mapped.
    #[inline(always)]
    pub(crate) fn seat(&self, seat: u32) -> &SeatPage {
        assert!(seat < self.seats, "there is no such seat");
        let page = self.parts.consumer.as_ptr().wrapping_add(seat as usize * self.page);
        // SAFETY: so many pages are mapped, each larger than this and aligned for more; the rest as for `producer`.
        unsafe { &*page.cast() }
    }
}

/// For the fuzzer: a page that no access may touch right behind each mapping, so that an access beyond it is no access to what happens to
/// lie there.
#[cfg(any(fuzzing, ringmail_guard_pages))]
mod guard {
    use super::{MmapRaw, io};

    /// Pages, by their address and length.
    pub(crate) struct Guard(usize, usize);

    impl Guard {
        fn new(len: usize) -> io::Result<Self> {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            // SAFETY: a new mapping, which takes no other's place.
            let found = unsafe { libc::mmap(core::ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0) };
            if found == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(Self(found.addr(), len)) }
        }
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            // SAFETY: mapped by `new`, unmapped here alone.
            unsafe { libc::munmap(self.0 as *mut libc::c_void, self.1) };
        }
    }

    /// Maps with a guard of `len` bytes behind, which goes to `guards`.
    pub(crate) fn behind(
        map: impl Fn() -> io::Result<MmapRaw>,
        len: usize,
        guards: &mut Vec<Guard>,
    ) -> io::Result<MmapRaw> {
        // The kernel puts one mapping below another, once the gaps between others are filled: with those that came to lie elsewhere.
        let mut aside = Vec::new();
        for _ in 0..1000 {
            let (guard, map) = (Guard::new(len)?, map()?);
            if map.as_mut_ptr().addr() + map.len() == guard.0 {
                guards.push(guard);
                return Ok(map);
            }
            aside.push((guard, map));
        }
        Err(io::Error::other("no room for a guard"))
    }
}
