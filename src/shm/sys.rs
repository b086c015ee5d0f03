//! What of the kernel no safe library offers: locks owned by an open file description, and mappings of single pages.

#![allow(unsafe_code)]

use super::segment::{Held, Layout};
use super::side::SHORT_NAP;
use crate::ring::mapped::{ConsumerPage, Mapped, ProducerPage, Raw};
use crate::ring::spsc::{Consumer, Producer};
use crate::sync::AtomicU64;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::time::Duration;
use memmap2::{Advice, MmapOptions, MmapRaw};
use rustix::io::Errno;
use rustix::thread::futex;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// Who of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Sends.
    Sender,
    /// Receives.
    Receiver,
}

/// Roles as bytes of the file whose locks they are: the maker, the first lane's sender, the receiver, the other lanes' senders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seats {
    start: libc::off_t,
    len: libc::off_t,
}

impl Seats {
    pub(super) const RECEIVER: Self = Self { start: 2, len: 1 };
    /// Of the process that makes the file, until the file has its name.
    pub(super) const MAKER: Self = Self { start: 0, len: 1 };
    /// Every byte that there can be: of however many lanes, and of another version's segments.
    pub(super) const ALL: Self = Self { start: 0, len: 0 };

    pub(super) fn sender(lane: u32) -> Self {
        let lane = libc::off_t::from(lane);
        Self { start: if lane == 0 { 1 } else { 2 + lane }, len: 1 }
    }
}

fn lock(file: &File, command: libc::c_int, seats: Seats) -> io::Result<libc::flock> {
    set(file, command, seats, libc::F_WRLCK)
}

fn set(file: &File, command: libc::c_int, seats: Seats, kind: libc::c_int) -> io::Result<libc::flock> {
    let mut lock = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: seats.start,
        l_len: seats.len,
        // Of a lock that an open file description owns, 0 by the kernel's rule.
        l_pid: 0,
    };
    // SAFETY: an open descriptor and a valid `flock`, which these commands read and write.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut lock) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(lock),
    }
}

/// Takes the roles if nobody has any of them. The kernel gives them back when the last descriptor of this `open` is gone, whatever
/// becomes of the process.
pub(super) fn take(file: &File, seats: Seats) -> io::Result<bool> {
    match lock(file, libc::F_OFD_SETLK, seats) {
        Ok(_) => Ok(true),
        Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Gives the roles back, also where a forked child still has this descriptor: closing it would not do then.
pub(super) fn give(file: &File, seats: Seats) {
    let _ = set(file, libc::F_OFD_SETLK, seats, libc::F_UNLCK);
}

/// Whether somebody else than the owner of this descriptor has one of the roles.
pub(super) fn is_taken(file: &File, seats: Seats) -> io::Result<bool> {
    lock(file, libc::F_OFD_GETLK, seats).map(|lock| lock.l_type != libc::F_UNLCK as libc::c_short)
}

/// A lane of a segment in this process's address space: the page of its own role for writing, the other for reading; the data for
/// writing if it sends.
pub(crate) struct Map {
    parts: ManuallyDrop<Parts>,
    lane: u32,
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

/// Words that the kernel lets a thread sleep on at once.
pub(super) const MOST_SLEPT_ON: u32 = 128;

/// Of `linux/mman-common.h`; `libc` has it for one C library only.
const MADV_COLLAPSE: libc::c_int = 25;

/// What is to be done about a segment's pages when it is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Pages {
    /// Map all of them now, so that no access has to.
    pub(super) prefault: bool,
    /// Map the data by large ones if the kernel has them.
    pub(super) huge: bool,
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
    /// `role`: whose pages may be written; nobody's for an onlooker.
    pub(super) fn new(file: &File, layout: &Layout, lane: u32, role: Option<Role>, pages: Pages) -> io::Result<Self> {
        let start = layout.lane_start(lane);
        #[cfg(any(fuzzing, ringmail_guard_pages))]
        let guards = core::cell::RefCell::new(Vec::new());
        let part = |offset: u64, len: u64, writes: bool| -> io::Result<MmapRaw> {
            let mut options = MmapOptions::new();
            // `segment` has checked that it fits.
            options.offset(offset).len(len as usize);
            if pages.prefault {
                options.populate();
            }
            let map = || if writes { options.map_raw(file) } else { options.map_raw_read_only(file) };
            #[cfg(not(any(fuzzing, ringmail_guard_pages)))]
            let map = map()?;
            #[cfg(any(fuzzing, ringmail_guard_pages))]
            let map = guard::behind(map, layout.page as usize, &mut guards.borrow_mut())?;
            // A child does not get it: it could only do harm with it.
            map.advise(Advice::DontFork)?;
            pages.prepare(&map, offset != start && offset != start + layout.page, writes);
            Ok(map)
        };
        let (sends, receives) = (role == Some(Role::Sender), role == Some(Role::Receiver));
        let parts = Parts {
            producer: part(start, layout.page, sends)?,
            consumer: part(start + layout.page, layout.page, receives)?,
            data: part(start + 2 * layout.page, layout.data, sends)?,
            #[cfg(any(fuzzing, ringmail_guard_pages))]
            _guards: guards.take(),
        };
        Ok(Self { parts: ManuallyDrop::new(parts), lane, pid: std::process::id() })
    }

    pub(super) fn lane(&self) -> u32 {
        self.lane
    }

    pub(super) fn producer(&self) -> &ProducerPage {
        // SAFETY: a page is mapped, which is larger and aligned for more; all of it is atomics, for which any bytes are valid,
        // and the file cannot shrink under a peer that keeps the rules (`shm`, "Trust").
        unsafe { &*self.parts.producer.as_ptr().cast() }
    }

    pub(super) fn consumer(&self) -> &ConsumerPage {
        // SAFETY: as for `producer`.
        unsafe { &*self.parts.consumer.as_ptr().cast() }
    }
}

/// For the fuzzer: a page that nobody may touch right behind each mapping, so that an access beyond it is no access to what happens to
/// lie there.
#[cfg(any(fuzzing, ringmail_guard_pages))]
mod guard {
    use super::{MmapRaw, io};

    /// Pages, by their address and length.
    pub(super) struct Guard(usize, usize);

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
    pub(super) fn behind(
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

/// A lane's ring.
pub(super) type Ring<T> = Mapped<Raw<T>, Map>;

/// A side that has its end of a lane's ring. A receiver has one of each.
#[derive(Debug)]
pub(super) struct Attached {
    held: Arc<Held>,
    peer: Seats,
    /// Of a file that had a name.
    pub(super) path: Option<Arc<Path>>,
}

impl Attached {
    /// Whether the other side of the lane has its lock.
    pub(super) fn peer_holds(&self) -> bool {
        // A kernel that cannot tell (there is none) must not make a death of it.
        is_taken(self.held.file(), self.peer).unwrap_or(true)
    }

    /// Whether the file has lost its name: nobody finds it any more.
    pub(super) fn is_removed(&self) -> bool {
        self.path.is_some() && self.held.file().metadata().is_ok_and(|file| file.nlink() == 0)
    }
}

/// The sending end, for whoever holds that lane.
pub(super) fn producer<T>(
    held: Held,
    path: Option<Arc<Path>>,
    map: &Arc<Map>,
    layout: &Layout,
) -> (Attached, Producer<Ring<T>>) {
    assert_eq!(held.seats, Seats::sender(map.lane), "another role's lock");
    let attached = Attached { held: Arc::new(held), peer: Seats::RECEIVER, path };
    // SAFETY: the lock is the only one, and is used up here for the one producer.
    (attached, unsafe { Producer::attach(ring(Arc::clone(map), layout)) })
}

/// The receiving ends of the lanes from the first on, for whoever holds that role.
pub(super) fn consumers<T>(
    held: Held,
    path: Option<Arc<Path>>,
    maps: &[Arc<Map>],
    layout: &Layout,
) -> Vec<(Attached, Consumer<Ring<T>>)> {
    assert_eq!(held.seats, Seats::RECEIVER, "another role's lock");
    let held = Arc::new(held);
    let attach = |(lane, map): (u32, &Arc<Map>)| {
        assert_eq!(lane, map.lane, "each lane once");
        let attached = Attached { held: Arc::clone(&held), peer: Seats::sender(lane), path: path.clone() };
        // SAFETY: the lock is the only one, and is used up here for one consumer of each lane.
        (attached, unsafe { Consumer::attach(ring(Arc::clone(map), layout)) })
    };
    (0..).zip(maps).map(attach).collect()
}

fn ring<T>(map: Arc<Map>, layout: &Layout) -> Ring<T> {
    let start = |map: &MmapRaw| NonNull::new(map.as_mut_ptr()).unwrap_or(NonNull::dangling());
    let (producer, consumer, data) = (start(&map.parts.producer), start(&map.parts.consumer), start(&map.parts.data));
    // SAFETY: `Map::new` mapped the pages with these rights, and `layout` has room for all slots of this type.
    unsafe { Mapped::new(producer.cast(), consumer.cast(), data.cast(), layout.capacity, map) }
}

/// The bytes of the next `n` words where they lie. For a user who vouches for the sender's process and has asked for this: see
/// [`try_read_in_place`](super::bytes::Receiver::try_read_in_place).
pub(super) fn trusted_bytes(ring: &Consumer<Ring<u64>>, n: u64) -> (&[u8], &[u8]) {
    // SAFETY: published and not freed; that the sender keeps to the protocol is what the user vouches for.
    unsafe { ring.in_place(n) }
}

/// The half of a word that changes with every store of a position.
fn low_half(word: &AtomicU64) -> &AtomicU32 {
    let halves = (&raw const *word).cast::<AtomicU32>();
    // SAFETY: inside the word; the other half of the pair is not reached through it.
    unsafe { &*halves.wrapping_add(cfg!(target_endian = "big") as usize) }
}

/// Sleeps until `word` is not `expected` any more and somebody wakes it, at most for `timeout`; may also return for no reason.
pub(super) fn sleep_on(word: &AtomicU64, expected: u64, timeout: Duration) {
    let timeout = futex::Timespec::try_from(timeout).ok();
    // Every error (value changed, signal, timeout) means "look again", which the caller does.
    let _ = futex::wait(low_half(word), futex::Flags::empty(), expected as u32, timeout.as_ref());
}

/// As [`sleep_on`], on each of the words that hold what is expected of them, until one does not: at most [`MOST_SLEPT_ON`] of them.
pub(super) fn sleep_on_any<'a>(words: impl Iterator<Item = (&'a AtomicU64, u64)>, timeout: Duration) {
    let mut waits = [futex::Wait::new(); MOST_SLEPT_ON as usize];
    let mut n = 0;
    for (wait, (word, expected)) in waits.iter_mut().zip(words) {
        wait.val = u64::from(expected as u32);
        wait.uaddr = futex::WaitPtr::new((&raw const *low_half(word)).cast_mut().cast());
        wait.flags = futex::WaitFlags::SIZE_U32;
        n += 1;
    }
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let end = rustix::time::Timespec::try_from(timeout).ok().and_then(|timeout| now.checked_add(timeout));
    match futex::waitv(&waits[..n], futex::WaitvFlags::empty(), end.as_ref(), futex::ClockId::Monotonic) {
        // As with one word.
        Ok(_) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT) => {}
        // A kernel that does not know the call, or a filter that forbids it, with whatever error: it would not sleep, so we do, and a wake
        // may be lost.
        Err(_) => std::thread::sleep(timeout.min(SHORT_NAP)),
    }
}

/// Wakes all that sleep on `word`, in any process.
pub(super) fn wake(word: &AtomicU64) {
    let _ = futex::wake(low_half(word), futex::Flags::empty(), i32::MAX as u32);
}
