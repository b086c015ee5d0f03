//! The mesh, and calls on it.
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod calls_panics;
mod calls_waiting;
mod leaving;
mod messages;
mod outside;
mod panics;
mod sleeping;
mod stress;
