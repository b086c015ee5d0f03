//! The two halves of "publish, then look whether anybody sleeps": one free, one dear.
//!
//! A sleeper and a ringer each write one word and then read the other's (Dekker's pattern), so each needs a full barrier
//! between its write and its read. A send happens millions of times for every sleep, so the price is put on the sleeper:
//!
//! | | ringer: [`light`] | sleeper: [`heavy`] | FENCED event count, both sides |
//! |---|---|---|---|
//! | Linux | none in hardware | `membarrier(PRIVATE_EXPEDITED)` | `fence(SeqCst)` |
//! | elsewhere, or refused by the kernel | none in hardware | not available | `fence(SeqCst)`, always |
//! | under loom | `fence(SeqCst)` | `fence(SeqCst)` | `fence(SeqCst)` |
//!
//! `membarrier` makes every running thread of the process pass a full barrier before it returns: for each ringer either its
//! publication is visible to the sleeper's second look, or its look at the event count comes later and sees the sleeper. The
//! idea is seastar's and glommio's; the kernel's documentation is membarrier(2).
//!
//! The call interrupts every core that runs a thread of this process, and the kernel admits one at a time: a second caller sleeps in
//! the kernel meanwhile. A side that sleeps often makes one such call and then none, see `event`.
//! A receiver that leaves makes one, too, before its last look at its ring.
//!
//! **After a fork** the child's event counts have the words of its parent's, and nothing here is a lock that another thread may have held. The kernel
//! keeps the registration of a process in its memory map, which the child has a copy of; where it does not, it refuses, and
//! fences serve.
//!
//! Loom has no asymmetric barrier. A fence on both sides is the nearest thing it can explore: the models prove that the
//! algorithm is right if the two calls are barriers, and the kernel's manual says that they are.

use crate::sync::{Ordering, fence};

/// A full barrier on both sides of a FENCED event.
#[cfg_attr(not(ringmail_loom), allow(unreachable_pub))]
pub fn full() {
    fence(Ordering::SeqCst);
}

#[cfg(ringmail_loom)]
mod imp {
    use super::full;
    use crate::sync::Ordering;
    use crate::sync::order::mutant;

    pub(crate) fn light(_: Ordering) {
        if !mutant!(LightBarrier) {
            full();
        }
    }

    std::thread_local! {
        static REFUSES: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
    }

    /// Whether the kernel refuses every heavy barrier of this model.
    pub fn heavy_fails(refuses: bool) {
        REFUSES.set(refuses);
    }

    pub(crate) fn heavy() -> bool {
        let works = !REFUSES.get();
        if works && !mutant!(HeavyBarrier) {
            full();
        }
        works
    }

    pub(crate) fn register() -> bool {
        true
    }
}

#[cfg(not(ringmail_loom))]
mod imp {
    /// The notifier's half: keeps the compiler from moving the look above the publication.
    pub(crate) use crate::sync::compiler_fence as light;
    use crate::sync::{AtomicU8, Ordering};

    /// The sleeper's half: on return every other thread has passed a full barrier. `false` if the kernel does not do it: a seccomp filter
    /// came in later.
    pub(crate) fn heavy() -> bool {
        let done = expedited();
        if !done {
            // It worked once. From now on every new event count has fences.
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
pub(crate) use imp::{heavy, light, register};
