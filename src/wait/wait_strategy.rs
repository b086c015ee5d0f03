//! How a side waits, as its user says it.

/// How a side waits, a property of the side that waits. What its sleep costs the other side is the channel's
/// [`FenceMode`](crate::FenceMode).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum WaitStrategy {
    /// Spin until it happens. Lowest latency; uses a whole core, and needs one: with more threads than cores it stalls.
    BusySpin,
    /// Spin briefly, then give the core to other threads between looks. Never sleeps. Beside a thread that computes, each look costs a
    /// time slice of the scheduler's, some milliseconds. (A future that is pending is woken all the same.)
    Yield,
    /// Spin for some microseconds while that has paid lately, then sleep until woken. Where another thread that waits on a channel of this
    /// crate shares the core, the side yields to it before it sleeps, as long as that is cheap. A future does less of both before it is
    /// pending, and hardly any after several polls in vain: the tasks that it waits for may be the same executor's.
    #[default]
    Park,
    /// Sleep at once, without polling first: for a side that waits long and often, or shares its core with the other.
    ParkAtOnce,
}
