//! The fences of "publish, then read whether a side sleeps": one is free, the other is expensive.
//!
//! A waiter and a notifier each write one word and then read the other's (Dekker's pattern). So each needs a full barrier between its write and
//! its read. There are millions of sends for one sleep, so the waiter pays:
//!
//! | | notifier: [`light`] | waiter: [`heavy`] | FENCED event count, both sides |
//! |---|---|---|---|
//! | Linux | none in hardware | `membarrier(PRIVATE_EXPEDITED)` | `fence(SeqCst)` |
//! | elsewhere, or refused by the kernel | none in hardware | not available | `fence(SeqCst)`, always |
//! | under loom | `fence(SeqCst)` | `fence(SeqCst)` | `fence(SeqCst)` |
//!
//! `membarrier` makes each running thread of the process pass a full barrier before it returns. So for each notifier, either its publication is
//! visible to the waiter's next check, or its read of the event count comes later and sees WAITING. The idea is that of seastar and glommio;
//! folly calls it an asymmetric fence; the kernel's documentation is membarrier(2).
//!
//! **Cost.** The call interrupts each core that runs a thread of this process, and the kernel runs one at a time: a second caller sleeps in the
//! kernel meanwhile. A side that sleeps often makes one such call and then none (FENCED, see [`super::event_count`]). A receiver that leaves makes
//! one before it reads its ring for the last time.
//!
//! **After a fork** the event counts of the child have the words of its parent's, and no lock here may have been held by another thread. The
//! kernel keeps the registration of a process in its memory map, which the child has a copy of. Where it does not, it refuses the call, and full
//! fences serve.
//!
//! **Under loom** there is no asymmetric fence. A full fence on both sides is the nearest that it can explore. The models prove that the algorithm
//! is right if the two calls are barriers, and the kernel's manual says that they are.

use crate::sync::{Ordering, fence};

/// The full fence of both sides of a FENCED event count.
#[cfg_attr(not(ringmail_loom), allow(unreachable_pub))]
pub fn full_fence() {
    fence(Ordering::SeqCst);
}

#[cfg(ringmail_loom)]
mod imp {
    use super::full_fence;
    use crate::sync::Ordering;
    use crate::sync::order::mutant;

    pub(crate) fn light(_: Ordering) {
        if !mutant!(LightBarrier) {
            full_fence();
        }
    }

    std::thread_local! {
        static REFUSES: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
    }

    /// Sets whether the kernel refuses each heavy fence of this model.
    pub fn heavy_fails(refuses: bool) {
        REFUSES.set(refuses);
    }

    pub(crate) fn heavy() -> bool {
        let works = !REFUSES.get();
        if works && !mutant!(HeavyBarrier) {
            full_fence();
        }
        works
    }

    pub(crate) fn register() -> bool {
        true
    }
}

#[cfg(not(ringmail_loom))]
mod imp {
    /// The notifier's half: keeps the compiler from moving the read above the publication. Partner: [`heavy`].
    pub(crate) use crate::sync::compiler_fence as light;
    use crate::sync::{AtomicU8, Ordering};

    /// The waiter's half: on return each other thread of the process has passed a full barrier. `false` if the kernel refuses the call, as when
    /// a seccomp filter was installed later. Partner: [`light`].
    pub(crate) fn heavy() -> bool {
        let done = expedited();
        if !done {
            // It worked once. From here on, each new event count starts as FENCED.
            REGISTERED.store(NO, Ordering::Relaxed);
        }
        done
    }

    const UNKNOWN: u8 = 0;
    const YES: u8 = 1;
    const NO: u8 = 2;
    static REGISTERED: AtomicU8 = AtomicU8::new(UNKNOWN);

    /// Tells the kernel once that this process will use [`heavy`]. Whether the kernel agrees.
    ///
    /// Two threads may both make the call, which is harmless.
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
pub(crate) use imp::{heavy, light, register};
