//! The two halves of "publish, then look whether anybody sleeps": one free, one dear.
//!
//! A sleeper and a ringer each write one word and then read the other's (Dekker's pattern), so each needs a full barrier
//! between its write and its read. A send happens millions of times for every sleep, so the price is put on the sleeper:
//!
//! | | ringer: [`light`] | sleeper: [`heavy`] | FENCED bell, both sides |
//! |---|---|---|---|
//! | Linux | none in hardware | `membarrier(PRIVATE_EXPEDITED)` | `fence(SeqCst)` |
//! | elsewhere, or refused by the kernel | none in hardware | not available | `fence(SeqCst)`, always |
//! | under loom | `fence(SeqCst)` | `fence(SeqCst)` | `fence(SeqCst)` |
//!
//! `membarrier` makes every running thread of the process pass a full barrier before it returns: for each ringer either its
//! publication is visible to the sleeper's second look, or its look at the bell comes later and sees the sleeper. The
//! idea is seastar's and glommio's; the kernel's documentation is membarrier(2).
//!
//! The call interrupts every core that runs a thread of this process, and the kernel admits one at a time, so a second
//! caller is told to come back rather than made to queue. A receiver that leaves passes one too, before its last look at its ring, and that one queues.
//!
//! Loom has no asymmetric barrier. A fence on both sides is the nearest thing it can explore: the models prove that the
//! algorithm is right if the two calls are barriers, and the kernel's manual says that they are.

use crate::sync::{Ordering, fence};

/// Why a heavy barrier did not happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unavailable {
    /// Another thread is inside one. Poll and try again.
    Busy,
    /// The kernel does not do it: not Linux, too old, or a seccomp filter came in later.
    Refused,
}

/// A full barrier on both sides of a FENCED bell.
#[cfg_attr(not(ringmail_loom), allow(unreachable_pub))]
pub fn full() {
    fence(Ordering::SeqCst);
}

#[cfg(ringmail_loom)]
mod imp {
    use super::{Unavailable, full};
    use crate::ring::order::mutant;

    pub(crate) fn light() {
        if !mutant!(LightBarrier) {
            full();
        }
    }

    std::thread_local! {
        static FAILURES: core::cell::Cell<Option<(Unavailable, u32)>> = const { core::cell::Cell::new(None) };
    }

    /// Makes the next `times` heavy barriers of this model fail: refused by the kernel for good, or busy.
    pub fn heavy_fails(refused: bool, times: u32) {
        FAILURES.set(Some((if refused { Unavailable::Refused } else { Unavailable::Busy }, times)));
    }

    pub(crate) fn heavy() -> Result<(), Unavailable> {
        if let Some((why, times @ 1..)) = FAILURES.get() {
            FAILURES.set(Some((why, times - 1)));
            return Err(why);
        }
        if !mutant!(HeavyBarrier) {
            full();
        }
        Ok(())
    }

    pub(crate) fn heavy_in_turn() -> bool {
        loop {
            match heavy() {
                Err(Unavailable::Busy) => {}
                done => return done.is_ok(),
            }
        }
    }

    pub(crate) fn register() -> bool {
        true
    }
}

#[cfg(not(ringmail_loom))]
mod imp {
    use super::Unavailable;
    use crate::sync::{AtomicBool, AtomicU8, Ordering, compiler_fence};

    /// The ringer's half: keeps the compiler from moving the look above the publication.
    #[inline(always)]
    pub(crate) fn light() {
        compiler_fence();
    }

    /// One heavy barrier at a time in the process: a try-lock, its Acquire and Release are each other's partners. It guards no
    /// data, only the kernel's queue.
    static INSIDE: AtomicBool = AtomicBool::new(false);

    /// The sleeper's half: on return every other thread has passed a full barrier.
    pub(crate) fn heavy() -> Result<(), Unavailable> {
        if INSIDE.swap(true, Ordering::Acquire) {
            return Err(Unavailable::Busy);
        }
        let done = expedited();
        INSIDE.store(false, Ordering::Release);
        if !done {
            // It worked once: a filter came in later. From now on every bell stays with fences.
            REGISTERED.store(NO, Ordering::Relaxed);
            return Err(Unavailable::Refused);
        }
        Ok(())
    }

    /// The same for a side that leaves, and so cannot come back: if another thread is inside one, the kernel has this one wait for its turn.
    /// Whether it happened.
    pub(crate) fn heavy_in_turn() -> bool {
        let alone = !INSIDE.swap(true, Ordering::Acquire);
        let done = expedited();
        if alone {
            INSIDE.store(false, Ordering::Release);
        }
        if !done {
            REGISTERED.store(NO, Ordering::Relaxed);
        }
        done
    }

    const UNKNOWN: u8 = 0;
    const YES: u8 = 1;
    const NO: u8 = 2;
    static REGISTERED: AtomicU8 = AtomicU8::new(UNKNOWN);

    /// Tells the kernel once that this process will use [`heavy`]. Whether it can.
    ///
    /// Two threads may both do it: the kernel does not mind.
    pub(crate) fn register() -> bool {
        match REGISTERED.load(Ordering::Relaxed) {
            UNKNOWN => {
                let works = intent();
                REGISTERED.store(if works { YES } else { NO }, Ordering::Relaxed);
                works
            }
            known => known == YES,
        }
    }

    #[cfg(target_os = "linux")]
    use rustix::thread::{MembarrierCommand, membarrier};

    #[cfg(target_os = "linux")]
    fn intent() -> bool {
        membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
    }

    #[cfg(target_os = "linux")]
    fn expedited() -> bool {
        membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn intent() -> bool {
        false
    }

    #[cfg(not(target_os = "linux"))]
    fn expedited() -> bool {
        false
    }
}

#[cfg(ringmail_loom)]
pub use imp::heavy_fails;
pub(crate) use imp::{heavy, heavy_in_turn, light, register};
