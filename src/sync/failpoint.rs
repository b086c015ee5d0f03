//! Points at which a process may be killed: before and after each store that another process can see (a string
//! instruction is one), and each step that it can see of a file. `verify/killsweep` kills a process at every point and checks what is left.
//!
//! In every build that ships a point is nothing at all; `--cfg ringmail_failpoints` makes it a call.

/// One point.
#[cfg(not(all(ringmail_failpoints, feature = "shm", target_os = "linux", not(ringmail_loom))))]
macro_rules! point {
    () => {};
}
#[cfg(all(ringmail_failpoints, feature = "shm", target_os = "linux", not(ringmail_loom)))]
macro_rules! point {
    () => {
        $crate::sync::failpoint::pass()
    };
}
pub(crate) use point;

#[cfg(all(ringmail_failpoints, feature = "shm", target_os = "linux", not(ringmail_loom)))]
mod armed {
    use crate::sync::{AtomicBool, AtomicU64, Ordering, compiler_fence};
    use rustix::process::{Signal, getpid, kill_process};

    static PASSED: AtomicU64 = AtomicU64::new(0);
    static AT: AtomicU64 = AtomicU64::new(0);
    static STOPS: AtomicBool = AtomicBool::new(false);
    static NAMES_FIRST: AtomicBool = AtomicBool::new(false);

    fn set(k: u64, stops: bool) {
        STOPS.store(stops, Ordering::Relaxed);
        AT.store(k, Ordering::Relaxed);
        PASSED.store(0, Ordering::Relaxed);
    }

    /// Kills this process at the `k`th point from now on; at none if `k` is 0.
    pub fn arm(k: u64) {
        set(k, false);
    }

    /// Stops this process there instead, until another process lets it go on.
    pub fn arm_stop(k: u64) {
        set(k, true);
    }

    /// Points passed since.
    pub fn passed() -> u64 {
        PASSED.load(Ordering::Relaxed)
    }

    /// Makes segments from now on as where a file must have a name.
    pub fn name_first() {
        NAMES_FIRST.store(true, Ordering::Relaxed);
    }

    pub(crate) fn names_first() -> bool {
        NAMES_FIRST.load(Ordering::Relaxed)
    }

    #[inline(never)]
    pub(crate) fn pass() {
        // The compiler moves no store past this: what comes before has happened, what comes after has not.
        compiler_fence(Ordering::SeqCst);
        let passed = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
        if passed == AT.load(Ordering::Relaxed) {
            let signal = if STOPS.load(Ordering::Relaxed) { Signal::STOP } else { Signal::KILL };
            // To oneself: the signal has come before the call returns.
            let _ = kill_process(getpid(), signal);
        }
        compiler_fence(Ordering::SeqCst);
    }
}
#[cfg(all(ringmail_failpoints, feature = "shm", target_os = "linux", not(ringmail_loom)))]
pub use armed::{arm, arm_stop, name_first, passed};
#[cfg(all(ringmail_failpoints, feature = "shm", target_os = "linux", not(ringmail_loom)))]
pub(crate) use armed::{names_first, pass};
