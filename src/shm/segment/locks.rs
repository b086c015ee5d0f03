//! Locks that an open file description owns, which no safe library offers.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Roles as bytes of the file whose locks they are: the maker, the first lane's sender, the receiver, the other lanes' senders. Of a broadcast: the
/// maker, the sender, the seats, the names of seats. Of a fan-out: the maker, the sender, the workers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LockRange {
    start: libc::off_t,
    len: libc::off_t,
}

impl LockRange {
    pub(crate) const RECEIVER: Self = Self { start: 2, len: 1 };
    /// Of the process that makes the file, until the file has its name.
    pub(crate) const MAKER: Self = Self { start: 0, len: 1 };
    /// Every byte that there can be: of however many lanes, and of another version's segments.
    pub(crate) const ALL: Self = Self { start: 0, len: 0 };

    /// Of a process that reserves a seat, until the seat has its name.
    pub(crate) const NAMES: Self = Self { start: 1 << 20, len: 1 };

    /// Of a broadcast's receiver.
    pub(crate) fn seat(seat: u32) -> Self {
        Self { start: Self::RECEIVER.start + libc::off_t::from(seat), len: 1 }
    }

    /// Of a fan-out's worker: the bytes are those of a broadcast's seats.
    pub(crate) fn worker(lane: u32) -> Self {
        Self::seat(lane)
    }

    pub(crate) fn sender(lane: u32) -> Self {
        let lane = libc::off_t::from(lane);
        Self { start: if lane == 0 { 1 } else { 2 + lane }, len: 1 }
    }
}

fn lock(file: &File, command: libc::c_int, seats: LockRange) -> io::Result<libc::flock> {
    set(file, command, seats, libc::F_WRLCK)
}

fn set(file: &File, command: libc::c_int, seats: LockRange, kind: libc::c_int) -> io::Result<libc::flock> {
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

/// Takes the roles if none of them is held. The kernel gives them back when the last descriptor of this `open` is gone, however
/// the process ends.
///
/// An error says nothing of who holds them: the kernel has no memory for a lock (ENOLCK, also ENOMEM), or a filter or a file system refuses the call. Where
/// a side is opened it is the user's; a side that is open tries again later, after a sleep if it sleeps at all. This holds for the other calls, too.
pub(crate) fn take(file: &File, seats: LockRange) -> io::Result<bool> {
    match lock(file, libc::F_OFD_SETLK, seats) {
        Ok(_) => Ok(true),
        Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Gives the roles back, also where a forked child still has this descriptor: closing it would not do then. Whether the kernel took them: it needs
/// memory for that, too.
pub(crate) fn give(file: &File, seats: LockRange) -> bool {
    set(file, libc::F_OFD_SETLK, seats, libc::F_UNLCK).is_ok()
}

/// Whether another process, or another `open` of this one, has one of the roles.
pub(crate) fn is_taken(file: &File, seats: LockRange) -> io::Result<bool> {
    lock(file, libc::F_OFD_GETLK, seats).map(|lock| lock.l_type != libc::F_UNLCK as libc::c_short)
}
