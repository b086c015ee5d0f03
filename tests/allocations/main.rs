//! What is allocated, and when it is freed. A program of its own, because its allocator counts: what each thread allocates, so that tests may run
//! in parallel.
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

#[path = "../support/allocations.rs"]
mod allocations;
#[path = "../support/mod.rs"]
mod support;

mod broadcast;
mod calls;
mod lanes_reused;
mod lanes_trimmed;
#[cfg(feature = "lossy")]
mod lossy;
mod mesh;
mod mpsc_clones;
mod mpsc_shared;
mod pool;
#[cfg(all(target_os = "linux", feature = "shm", target_pointer_width = "64"))]
mod shm_fan_in;
mod workers;
