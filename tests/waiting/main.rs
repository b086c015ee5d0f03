//! Waiting: the verbs that block, and event counts.
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

#[path = "../support/mod.rs"]
mod support;

mod blocking;
mod event_count;
mod oversubscribed;
mod shared_event;
