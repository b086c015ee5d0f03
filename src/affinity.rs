//! Cores: which ones there are, what they share, and how to stay on one.
//!
//! A message between two threads costs what the way between their cores costs. Threads that the scheduler may move
//! have no such cost, only a mixture; so measure and run pinned.
//!
//! ```text
//!   node 0                                 node 1
//!  ┌────────────── L3 ──────────────┐     ┌────────────── L3 ──────────────┐
//!  │  core           core           │     │  core           core           │
//!  │ ┌─────────┐    ┌─────────┐     │     │ ┌─────────┐    ┌─────────┐     │
//!  │ │ 0     4 │    │ 1     5 │     │     │ │ 2     6 │    │ 3     7 │     │
//!  │ └─────────┘    └─────────┘     │     │ └─────────┘    └─────────┘     │
//!  └────────────────────────────────┘     └────────────────────────────────┘
//!    0 and 4: SMT sibling     0 and 1: same L3     0 and 2: other node
//! ```
//!
//! *Core* here means what the kernel schedules on (a hardware thread), under the kernel's number for it.
//!
//! * [`Topology`] reads the machine and turns core lists such as `"physical,!0"` into core numbers.
//! * [`pin_current`] and [`spawn_pinned`] pin, and check that the pin holds. A pin that does not hold is an error,
//!   never a silent slowdown.
//!
//! ```
//! use ringmail::affinity::{Topology, current_core, spawn_pinned};
//!
//! let topology = Topology::detect()?;
//! let cores = topology.select("physical")?;
//! let worker = spawn_pinned(cores[0], current_core)?;
//! let seen = worker.join().expect("the worker does not panic");
//! # #[cfg(target_os = "linux")]
//! assert_eq!(seen, Some(cores[0]));
//! # Ok::<(), ringmail::affinity::AffinityError>(())
//! ```
//!
//! # Limits
//!
//! * What cores share is known on Linux only, and there as far as `/sys` says it: virtual machines and containers
//!   often leave parts out. What is left out is unknown (`None`, [`Relation::Unknown`]), never an error.
//! * "Allowed" is the affinity mask of the **calling thread**. Call [`Topology::detect`] before you pin that thread.
//! * Linux core numbers up to 65,535, however many cores the kernel is built for; Windows up to 63, first processor group.
//! * Outside Linux a pin cannot be read back: `Ok` means that the system took the request, and [`current_core`] is
//!   `None`. macOS treats the request as a hint, and refuses it on Apple silicon.
//! * A pin that held can end later: a core goes offline, or an administrator changes the thread's mask or cpuset.

mod error;
mod ids;
mod list;
#[cfg(target_os = "linux")]
mod mask;
mod pin;
mod sysfs;
mod topology;

pub use error::{AffinityError, Unusable};
pub use pin::{current_core, pin_current, spawn_pinned};
pub use topology::{Core, Relation, Selected, Topology};

#[cfg(test)]
mod tests;
