//! What of the kernel no safe library offers: locks owned by an open file description, and mappings of single pages.

#![allow(unsafe_code)]

use super::segment::{Held, Layout};
use crate::ring::mapped::{ConsumerPage, Mapped, ProducerPage, Raw};
use crate::ring::spsc::{Consumer, Producer};
use crate::sync::AtomicU64;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::time::Duration;
use memmap2::{Advice, MmapOptions, MmapRaw};
use rustix::thread::futex;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
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

impl Role {
    /// The byte of the file whose lock is this role.
    fn byte(self) -> libc::off_t {
        match self {
            Self::Sender => 1,
            Self::Receiver => 2,
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Sender => Self::Receiver,
            Self::Receiver => Self::Sender,
        }
    }
}

fn lock(file: &File, command: libc::c_int, role: Role) -> io::Result<libc::flock> {
    set(file, command, role, libc::F_WRLCK)
}

fn set(file: &File, command: libc::c_int, role: Role, kind: libc::c_int) -> io::Result<libc::flock> {
    let mut lock = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: role.byte(),
        l_len: 1,
        // Of a lock that an open file description owns, 0 by the kernel's rule.
        l_pid: 0,
    };
    // SAFETY: an open descriptor and a valid `flock`, which these commands read and write.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut lock) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(lock),
    }
}

/// Takes the role if nobody has it. The kernel gives it back when the last descriptor of this `open` is gone, whatever becomes
/// of the process.
pub(super) fn take_role(file: &File, role: Role) -> io::Result<bool> {
    match lock(file, libc::F_OFD_SETLK, role) {
        Ok(_) => Ok(true),
        Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Gives the role back, also where a forked child still has this descriptor: closing it would not do then.
pub(super) fn give_role(file: &File, role: Role) {
    let _ = set(file, libc::F_OFD_SETLK, role, libc::F_UNLCK);
}

/// Whether somebody else than the owner of this descriptor has the role.
pub(super) fn is_taken(file: &File, role: Role) -> io::Result<bool> {
    lock(file, libc::F_OFD_GETLK, role).map(|lock| lock.l_type != libc::F_UNLCK as libc::c_short)
}

/// A segment in this process's address space: the page of its own role for writing, the other for reading; the data for
/// writing if it sends.
pub(crate) struct Map {
    parts: ManuallyDrop<Parts>,
    pid: u32,
}

struct Parts {
    producer: MmapRaw,
    consumer: MmapRaw,
    data: MmapRaw,
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
    pub(super) fn new(file: &File, layout: &Layout, role: Option<Role>, pages: Pages) -> io::Result<Self> {
        let part = |offset: u64, len: u64, writes: bool| -> io::Result<MmapRaw> {
            let mut options = MmapOptions::new();
            // `segment` has checked that it fits.
            options.offset(offset).len(len as usize);
            if pages.prefault {
                options.populate();
            }
            let map = if writes { options.map_raw(file) } else { options.map_raw_read_only(file) }?;
            // A child does not get it: it could only do harm with it.
            map.advise(Advice::DontFork)?;
            pages.prepare(&map, offset == 3 * layout.page, writes);
            Ok(map)
        };
        let (sends, receives) = (role == Some(Role::Sender), role == Some(Role::Receiver));
        let parts = Parts {
            producer: part(layout.page, layout.page, sends)?,
            consumer: part(2 * layout.page, layout.page, receives)?,
            data: part(3 * layout.page, layout.data, sends)?,
        };
        Ok(Self { parts: ManuallyDrop::new(parts), pid: std::process::id() })
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

/// A side that has its end of the ring.
#[derive(Debug)]
pub(super) struct Attached(pub(super) Held);

/// The sending end, for whoever holds that role.
pub(super) fn producer<T>(held: Held, map: &Arc<Map>, layout: &Layout) -> (Attached, Producer<Mapped<Raw<T>, Map>>) {
    assert_eq!(held.role, Role::Sender, "another role's lock");
    // SAFETY: the lock is the only one, and is used up here for the one producer.
    (Attached(held), unsafe { Producer::attach(ring(Arc::clone(map), layout)) })
}

/// The receiving end, for whoever holds that role.
pub(super) fn consumer<T>(held: Held, map: &Arc<Map>, layout: &Layout) -> (Attached, Consumer<Mapped<Raw<T>, Map>>) {
    assert_eq!(held.role, Role::Receiver, "another role's lock");
    // SAFETY: as for the producer.
    (Attached(held), unsafe { Consumer::attach(ring(Arc::clone(map), layout)) })
}

fn ring<T>(map: Arc<Map>, layout: &Layout) -> Mapped<Raw<T>, Map> {
    let start = |map: &MmapRaw| NonNull::new(map.as_mut_ptr()).unwrap_or(NonNull::dangling());
    let (producer, consumer, data) = (start(&map.parts.producer), start(&map.parts.consumer), start(&map.parts.data));
    // SAFETY: `Map::new` mapped the pages with these rights, and `layout` has room for all slots of this type.
    unsafe { Mapped::new(producer.cast(), consumer.cast(), data.cast(), layout.capacity, map) }
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

/// Wakes all that sleep on `word`, in any process.
pub(super) fn wake(word: &AtomicU64) {
    let _ = futex::wake(low_half(word), futex::Flags::empty(), i32::MAX as u32);
}
