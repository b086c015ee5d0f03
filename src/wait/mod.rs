//! Waiting: nobody pays for a sleeper until someone sleeps.
//!
//! One state machine serves every blocking, timed and asynchronous verb: *look; poll a while; announce; look again; sleep*.
//! Only the last step differs: a thread parks (`Side::block`), a future returns `Pending` (`Side::poll`), a reactor
//! sleeps on its own primitive ([`Bell::arm`]).
//!
//! * [`Bell`]: how the other side finds out that somebody sleeps, and how it wakes them.
//! * [`Barrier`]: who pays for keeping that sound.
//! * [`WaitStrategy`]: how long a side polls before it sleeps.
//! * [`Notify`], `EventFd` and [`Hook`]: being woken by something other than a thread or a future.

mod barrier;
mod bell;
#[cfg(not(ringmail_loom))]
mod cores;
mod deadline;
pub(crate) mod guard;
mod hook;
mod notify;
pub(crate) mod parked;
mod parker;
mod queue;
mod side;
mod strategy;
pub(crate) mod waiter;

#[cfg(ringmail_loom)]
#[doc(hidden)]
pub use barrier::{full, heavy_fails};
pub(crate) use bell::Served;
pub use bell::{Armed, Barrier, Bell};
pub(crate) use deadline::{Deadline, TimedOut};
pub use hook::Hook;
#[cfg(target_os = "linux")]
pub use notify::EventFd;
pub use notify::Notify;
pub(crate) use parked::Parked;
pub(crate) use queue::{Patience, Queue};
pub(crate) use side::Side;
pub use strategy::WaitStrategy;
pub(crate) use waiter::Look;

/// Tells the kernel that this process will use the cheap barrier of [`Barrier::Auto`].
///
/// Otherwise the first channel that uses [`Barrier::Auto`] does it. That is quick while the process has one thread and slow once
/// it has several: call this first thing in `main`. Returns whether the kernel agreed; if not, channels use fences.
pub fn init() -> bool {
    barrier::register()
}
