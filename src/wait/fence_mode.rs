//! Which side of a channel pays for the memory barrier between "publish" and "does a side wait?".

use super::asymmetric_fence;

/// Which side pays for the memory barrier that sleeping needs.
///
/// A sender publishes a message and then reads whether the receiver sleeps. A receiver announces its sleep and then reads whether there is a
/// message. Without a full barrier between the write and the read on both sides, each may miss the other, and the receiver sleeps for ever.
///
/// | mode | a message costs | going to sleep costs | a side sleeps |
/// |---|---|---|---|
/// | `Auto` | nothing; a fence while its receiver sleeps often | a `membarrier`, some microseconds | yes |
/// | `Fence` | a full fence, some nanoseconds | a full fence | yes |
/// | `Never` | nothing | – | no |
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum FenceMode {
    /// The side that goes to sleep pays, by `membarrier` (Linux), which also interrupts the other cores of this process for a moment.
    ///
    /// A side that sleeps often switches its channel to fences, and back when it sleeps seldom. Where the system has no such call, or refuses
    /// it, this is [`FenceMode::Fence`].
    #[default]
    Auto,
    /// Each message pays a full fence. Going to sleep interrupts no other core.
    Fence,
    /// No side sleeps: waiting spins and yields, and a pending future wakes its task at once, to be polled again.
    ///
    /// Neither side has a barrier. So that no message is lost when a receiver leaves, its drop or close sleeps for some 50 µs before it reads the
    /// ring for the last time: longer than a processor holds a store back, though none promises a bound.
    Never,
}

/// Tells the kernel that this process will use `membarrier`, which [`FenceMode::Auto`] needs. Call it first in `main`.
///
/// It is optional: the first channel in [`FenceMode::Auto`] does the same. But the call is quick only while the process has one thread, and
/// slow once it has several. Returns whether the kernel agreed. If it did not, [`FenceMode::Auto`] uses fences; so on all systems but Linux.
pub fn init() -> bool {
    asymmetric_fence::register()
}
