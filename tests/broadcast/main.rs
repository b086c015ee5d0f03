//! Broadcasts: every receiver sees every message, and the slowest gates.
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

#[path = "../support/mod.rs"]
mod support;

mod drops;
mod laws;
mod panics;
mod reserving;
mod seats;
mod stages;
mod stress;
mod verbs;
mod waiting;
