//! A thread's affinity mask, on kernels for any number of cores.
//!
//! The kernel gives its mask only to a buffer that has a bit for each core it can ever have, and refuses others with `EINVAL`; the usual
//! 1,024 bits are too few on large machines. So reading begins there and doubles. For setting, a buffer of any length will do: bits that
//! are not there count as 0, and those beyond the kernel's own mask are left out. See `sched_setaffinity(2)`, "Handling systems with large
//! CPU affinity masks".

#![allow(unsafe_code)]

use std::io;
use std::vec;
use std::vec::Vec;

use super::ids::ID_LIMIT;

/// Bits of the first buffer: those of glibc's `cpu_set_t`.
const FIRST: usize = 1024;

const WORD: usize = usize::BITS as usize;

/// The cores in the calling thread's mask, ascending.
pub(super) fn read() -> io::Result<Vec<usize>> {
    read_by(ask)
}

/// Makes `core` the calling thread's mask. `core` is below [`ID_LIMIT`].
pub(super) fn set(core: usize) -> io::Result<()> {
    set_by(core, tell)
}

/// [`read`] with the system call given from outside. `ask` writes a mask into a buffer of zeros.
pub(super) fn read_by(mut ask: impl FnMut(&mut [usize]) -> io::Result<()>) -> io::Result<Vec<usize>> {
    let mut bits = FIRST;
    loop {
        let mut mask = vec![0; bits / WORD];
        match ask(&mut mask) {
            Ok(()) => return Ok(members(&mask)),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && bits < ID_LIMIT => bits *= 2,
            Err(error) => return Err(error),
        }
    }
}

/// [`set`] with the system call given from outside.
pub(super) fn set_by(core: usize, tell: impl FnOnce(&[usize]) -> io::Result<()>) -> io::Result<()> {
    let bits = FIRST.max((core + 1).next_multiple_of(WORD));
    let mut mask = vec![0; bits / WORD];
    mask[core / WORD] = 1 << (core % WORD);
    tell(&mask)
}

fn members(mask: &[usize]) -> Vec<usize> {
    (0..mask.len() * WORD).filter(|id| mask[id / WORD] >> (id % WORD) & 1 == 1).collect()
}

fn ask(mask: &mut [usize]) -> io::Result<()> {
    // SAFETY: the kernel writes at most the number of bytes told, which is the length of `mask`, and the C library sets what is left of them
    // to zero. Any bits make a `usize`. A `cpu_set_t` is an array of `unsigned long`, which is a `usize` on Linux, so `mask` is aligned for it; the
    // pointer is never read as a whole `cpu_set_t`. 0 is the calling thread.
    outcome(unsafe { libc::sched_getaffinity(0, size_of_val(mask), mask.as_mut_ptr().cast()) })
}

fn tell(mask: &[usize]) -> io::Result<()> {
    // SAFETY: the kernel reads at most the number of bytes told, which is the length of `mask`. Alignment and pointer are as in `ask`.
    outcome(unsafe { libc::sched_setaffinity(0, size_of_val(mask), mask.as_ptr().cast()) })
}

fn outcome(returned: libc::c_int) -> io::Result<()> {
    if returned == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
