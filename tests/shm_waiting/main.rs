//! Waiting between processes. A program of its own, because these tests have limits of some ms that the load of `shm` would exceed.
#![cfg(all(target_os = "linux", feature = "shm", target_pointer_width = "64"))]
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

#[path = "../support/mod.rs"]
mod support;

mod deaths;
mod parked;
mod wake_fd;
