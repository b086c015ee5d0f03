//! Masks of kernels that are larger than this machine's.

use std::cell::Cell;
use std::io;
use std::vec::Vec;

use super::super::ids::ID_LIMIT;
use super::super::mask::{read, read_by, set_by};

const WORD: usize = usize::BITS as usize;

/// A kernel built for so many cores, by the rules of `sched_getaffinity(2)` and `sched_setaffinity(2)`.
struct Kernel {
    cores: usize,
    allowed: Vec<usize>,
    asked: Cell<u32>,
}

impl Kernel {
    fn new(cores: usize, allowed: &[usize]) -> Self {
        Self { cores, allowed: allowed.into(), asked: Cell::new(0) }
    }

    fn read(&self) -> io::Result<Vec<usize>> {
        read_by(|mask| {
            self.asked.set(self.asked.get() + 1);
            if mask.len() * WORD < self.cores {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            for id in &self.allowed {
                mask[id / WORD] |= 1 << (id % WORD);
            }
            Ok(())
        })
    }

    /// The cores that the thread may use afterwards.
    fn set(&self, core: usize) -> io::Result<Vec<usize>> {
        let mut taken = Vec::new();
        set_by(core, |mask| {
            let told = (0..mask.len() * WORD).filter(|id| mask[id / WORD] >> (id % WORD) & 1 == 1);
            taken = told.filter(|&id| id < self.cores).collect();
            if taken.is_empty() { Err(io::Error::from_raw_os_error(libc::EINVAL)) } else { Ok(()) }
        })?;
        Ok(taken)
    }
}

#[test]
fn a_mask_grows_until_the_kernel_takes_it() {
    for (cores, asked) in [(8, 1), (1024, 1), (1025, 2), (2048, 2), (8192, 4), (ID_LIMIT, 7)] {
        let allowed = [0, 63, 64, cores - 1];
        let mut allowed: Vec<usize> = allowed.into_iter().filter(|&id| id < cores).collect();
        allowed.sort_unstable();
        allowed.dedup();
        let kernel = Kernel::new(cores, &allowed);
        assert_eq!(kernel.read().expect("below the limit"), allowed);
        assert_eq!(kernel.asked.get(), asked, "{cores} cores");
    }
}

#[test]
fn a_mask_does_not_grow_without_end() {
    let kernel = Kernel::new(usize::MAX, &[0]);
    assert_eq!(kernel.read().map_err(|error| error.raw_os_error()), Err(Some(libc::EINVAL)));
    assert_eq!(kernel.asked.get(), 7);
}

#[test]
fn another_error_ends_it_at_once() {
    let mut asked = 0;
    let outcome = read_by(|_| {
        asked += 1;
        Err(io::Error::from_raw_os_error(libc::EPERM))
    });
    assert_eq!((outcome.map_err(|error| error.raw_os_error()), asked), (Err(Some(libc::EPERM)), 1));
}

#[test]
fn a_core_of_any_number_is_set_alone() {
    let kernel = Kernel::new(8192, &[]);
    for core in [0, 1, 63, 64, 1023, 1024, 1025, 4095, 8191] {
        assert_eq!(kernel.set(core).expect("there is such a core"), [core]);
    }
    for core in [8192, ID_LIMIT - 1] {
        assert!(kernel.set(core).is_err());
    }
}

#[test]
fn this_kernel_tells_its_mask() {
    let allowed = read().expect("Linux tells the mask");
    assert!(!allowed.is_empty() && allowed.is_sorted());
}
