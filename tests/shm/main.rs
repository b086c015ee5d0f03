//! Channels between processes.
#![cfg(all(target_os = "linux", feature = "shm", target_pointer_width = "64"))]
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

#[path = "../support/mod.rs"]
mod support;

mod anonymous;
mod attacks;
mod broadcast;
mod broadcast_attacks;
mod bytes;
mod comings;
mod cycles;
mod fan_in;
mod fan_in_attacks;
mod fan_out;
mod fan_out_attacks;
mod fan_out_runs;
mod lanes;
mod lossy;
mod lossy_attacks;
mod moves;
mod open;
mod panicking;
mod refusals;
mod remove;
mod reservation;
mod roles;
mod sessions;
mod spsc;
mod system;
mod table_attacks;
mod verbs;
mod wakes;
