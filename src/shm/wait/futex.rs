//! Sleep on words of memory that processes share, and wake those that sleep there.

#![allow(unsafe_code)]

use super::UNREACHED_INTERVAL;
use crate::sync::AtomicU64;
use core::time::Duration;
use rustix::io::Errno;
use rustix::thread::futex;
use std::sync::atomic::AtomicU32;

/// Words that the kernel lets a thread sleep on at once.
pub(crate) const MOST_SLEPT_ON: u32 = 128;

/// The half of a word that changes with every store of a position.
fn low_half(word: &AtomicU64) -> &AtomicU32 {
    let halves = (&raw const *word).cast::<AtomicU32>();
    // SAFETY: inside the word; the other half of the pair is not reached through it.
    unsafe { &*halves.wrapping_add(cfg!(target_endian = "big") as usize) }
}

/// Sleeps until `word` is not `expected` any more and a wake comes, at most for `timeout`; may also return for no reason.
pub(crate) fn sleep_on(word: &AtomicU64, expected: u64, timeout: Duration) {
    let limit = futex::Timespec::try_from(timeout).ok();
    let slept = futex::wait(low_half(word), futex::Flags::empty(), expected as u32, limit.as_ref());
    after(slept, timeout);
}

/// As [`sleep_on`], on each of the words that hold what is expected of them, until one does not: at most [`MOST_SLEPT_ON`] of them.
pub(crate) fn sleep_on_any<'a>(words: impl Iterator<Item = (&'a AtomicU64, u64)>, timeout: Duration) {
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
    let slept = futex::waitv(&waits[..n], futex::WaitvFlags::empty(), end.as_ref(), futex::ClockId::Monotonic);
    after(slept, timeout);
}

/// Sleeps instead, where the kernel did not.
fn after<R>(slept: Result<R, Errno>, timeout: Duration) {
    match slept {
        // Each of these (a wake, another value, a signal, the time) means "look again", which the caller does.
        Ok(_) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT) => {}
        // A kernel that does not know the call, or a filter that forbids it, with any error: it would not sleep, so we do, and a wake
        // may be lost.
        Err(_) => std::thread::sleep(timeout.min(UNREACHED_INTERVAL)),
    }
}

/// Wakes all that sleep on `word`, in any process.
pub(crate) fn wake(word: &AtomicU64) {
    let _ = futex::wake(low_half(word), futex::Flags::empty(), i32::MAX as u32);
}
