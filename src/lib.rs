//! Lock-free, shared-nothing message channels.
#![cfg_attr(not(any(feature = "std", ringmail_loom)), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

#[cfg(feature = "affinity")]
pub mod affinity;
pub mod error;
mod ring;
pub mod spsc;
#[allow(unsafe_code)]
mod sync;
#[cfg(feature = "std")]
pub mod wait;
#[cfg(not(feature = "std"))]
#[path = "wait/without_std.rs"]
mod wait;

pub use error::{BuildError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
#[cfg(feature = "std")]
pub use wait::{Barrier, WaitStrategy, init};

/// The switchboard of the ordering mutants, for the `loom-tests` crate.
#[cfg(ringmail_loom)]
#[doc(hidden)]
pub mod model {
    pub use crate::ring::order::{Site, with_mutant};
}
