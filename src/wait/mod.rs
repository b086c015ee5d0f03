//! Waiting: nobody pays for a sleeper until someone sleeps.
//!
//! One state machine serves every blocking, timed and asynchronous verb: *look; poll a while; announce; look again; sleep*.
//! Only the last step differs: a thread parks (`Side::block`), a future returns `Pending` (`Side::poll`), a reactor
//! sleeps on its own primitive ([`EventCount::arm`]).
//!
//! * [`EventCount`]: how the other side finds out that somebody sleeps, and how it wakes them.
//! * [`FenceMode`]: who pays for keeping that sound.
//! * [`WaitStrategy`]: how long a side polls before it sleeps.
//! * [`Notify`], `EventFd` and [`Waker`]: being woken by something other than a thread or a future.

mod barrier;
#[cfg(not(ringmail_loom))]
mod cores;
mod deadline;
mod event_count;
#[cfg(target_os = "linux")]
mod eventfd;
pub(crate) mod guard;
pub(crate) mod parked;
mod parker;
mod queue;
mod side;
mod strategy;
pub(crate) mod waiter;
mod waker;

#[cfg(ringmail_loom)]
#[doc(hidden)]
pub use barrier::{full, heavy_fails};
pub(crate) use deadline::{Deadline, TimedOut};
pub(crate) use event_count::Served;
pub use event_count::{Armed, EventCount, FenceMode};
#[cfg(target_os = "linux")]
pub use eventfd::EventFd;
pub(crate) use parked::Parked;
pub(crate) use queue::{Patience, Queue};
pub(crate) use side::Side;
pub use strategy::WaitStrategy;
pub(crate) use waiter::Look;
pub use waker::waker_fn;

/// Tells the kernel that this process will use the cheap barrier of [`FenceMode::Auto`].
///
/// Otherwise the first channel that uses [`FenceMode::Auto`] does it. That is quick while the process has one thread and slow once
/// it has several: call this first thing in `main`. Returns whether the kernel agreed; if not, channels use fences.
pub fn init() -> bool {
    barrier::register()
}
