//! Waiting and waking: threads, futures and reactors of other crates.
//!
//! Every blocking, timed and asynchronous verb runs one state machine: *check; poll for a while; announce the wait; check again; sleep*.
//! Only the last step differs. A thread parks, a future returns `Pending`, a reactor sleeps on its own primitive ([`EventCount::arm`]).
//!
//! * [`EventCount`]: wakes the side that waits. While no side waits, a notification is one load.
//! * [`FenceMode`]: which side pays for the memory barrier that this needs.
//! * [`WaitStrategy`]: how long a side polls before it sleeps.
//! * [`waker_fn()`] and `EventFd`: wake something other than a thread or a future.

mod armed;
mod asymmetric_fence;
mod deadline;
mod event_count;
#[cfg(target_os = "linux")]
mod event_fd;
mod fence_mode;
pub(crate) mod panics;
pub(crate) mod park_word;
mod parker;
mod queue_registry;
mod sender_queue;
mod wait_loop;
pub(crate) mod wait_policy;
mod wait_strategy;
mod waiter;
#[cfg(feature = "lossy")]
mod waiter_group;
mod waker_fn;
#[cfg(not(ringmail_loom))]
mod yield_cost;

pub use armed::Armed;
#[cfg(ringmail_loom)]
#[doc(hidden)]
pub use asymmetric_fence::{full_fence, heavy_fails};
pub(crate) use asymmetric_fence::{light as light_fence, register as has_heavy_fence};
pub(crate) use deadline::{Deadline, TimedOut};
pub use event_count::EventCount;
pub(crate) use event_count::heavy_fence;
#[cfg(target_os = "linux")]
pub use event_fd::EventFd;
pub use fence_mode::{FenceMode, init};
pub(crate) use queue_registry::QueueRegistration;
pub(crate) use sender_queue::{OvertakeBudget, SenderQueue};
pub(crate) use wait_loop::CheckPhase;
#[cfg(not(ringmail_loom))]
pub(crate) use wait_policy::READY_POLLS;
pub use wait_strategy::WaitStrategy;
pub(crate) use waiter::Waiter;
#[cfg(feature = "lossy")]
pub(crate) use waiter_group::WaiterGroup;
pub use waker_fn::waker_fn;
