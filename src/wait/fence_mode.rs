//! Which side of a channel pays for the memory barrier between "publish" and "is a side asleep?".

use super::asymmetric_fence;

/// How the sides of a channel keep "publish" and "is anybody asleep?" in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum FenceMode {
    /// Messages pay nothing; a side that goes to sleep pays for a `membarrier` (Linux), which also interrupts the other
    /// cores of this process briefly. A side that sleeps often switches to fences by itself, and so
    /// does every channel where the kernel has no such call.
    #[default]
    Auto,
    /// Each message pays a full fence; going to sleep disturbs nobody.
    Fence,
    /// Nobody ever sleeps: waiting spins and yields, a pending future asks to be polled again at once.
    ///
    /// Neither side has a barrier then. So that nothing is lost when a receiver leaves, it naps for some 50 µs before its last look: longer than
    /// a processor holds a store back, though none promises how long that is.
    Never,
}

/// Tells the kernel that this process will use the cheap barrier of [`FenceMode::Auto`].
///
/// Otherwise the first channel that uses [`FenceMode::Auto`] does it. That is quick while the process has one thread and slow once
/// it has several: call this first thing in `main`. Returns whether the kernel agreed; if not, channels use fences.
pub fn init() -> bool {
    asymmetric_fence::register()
}
