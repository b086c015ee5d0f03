//! How long a side polls before it sleeps, as its user chooses it.

/// How a side of a channel waits. Each side has its own; what its sleep costs the other side is the channel's
/// [`FenceMode`](crate::FenceMode).
///
/// | strategy | spins | yields | sleeps | for |
/// |---|---|---|---|---|
/// | `BusySpin` | without end | no | no | lowest latency, a core for each side |
/// | `Yield` | some microseconds | without end | no | a core for each side, where sleeping is forbidden |
/// | `Park` | some microseconds, while that pays | only to a thread of this crate on the same core | yes | all the rest |
/// | `ParkAtOnce` | no | no | yes | a side that waits for milliseconds each time |
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum WaitStrategy {
    /// Spin until there is something. Lowest latency. Uses a whole core, and needs one: with more threads than cores it stalls.
    BusySpin,
    /// Spin for some microseconds, then yield the core between checks. Never sleeps. Beside a thread that computes, each check costs a time
    /// slice of the scheduler's, some milliseconds. A pending future does not poll on its own: it is woken as with `Park`.
    Yield,
    /// Spin for some microseconds while that has paid lately, then sleep until woken.
    ///
    /// If another thread that waits on a channel of this crate shares the core, the side yields to it before it sleeps, as long as yields are
    /// cheap on that core. A future does less of both before it is pending, and hardly any after several polls in vain: the tasks that it waits
    /// for may be of the same executor.
    #[default]
    Park,
    /// Sleep at once, without polling first: for a side that waits long and often, or shares its core with the other side.
    ParkAtOnce,
}
